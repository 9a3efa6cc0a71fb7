//! What `deny-iam` leaves open is listed by code: every method of escalation that the detection knows lacks a call under it.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

use cordon_core::pattern::Pattern;
use cordon_detect::policy::METHODS;
use cordon_respond::deny;
use serde_json::Value;

/// Methods that the document leaves open on purpose, each with the reason.
const LEFT_OPEN: &[(&str, &str)] = &[];

fn denied() -> Vec<Pattern> {
    let document: Value = serde_json::from_str(deny::DOCUMENT).unwrap();
    let actions = document["Statement"][0]["Action"].as_array().unwrap().clone();
    actions.iter().map(|action| Pattern::new(action.as_str().unwrap())).collect()
}

#[test]
fn attack_10_no_known_method_of_escalation_is_left_to_an_actor_who_is_denied_iam() {
    let denied = denied();
    let is_closed = |action: &str| denied.iter().any(|pattern| pattern.matches(action));
    let open: Vec<&str> = METHODS.iter().filter(|method| !method.actions().any(is_closed)).map(|method| method.name).collect();
    let excepted: Vec<&str> = LEFT_OPEN.iter().map(|(name, _)| *name).collect();
    assert_eq!(open, excepted, "deny one of its calls in `deny::DOCUMENT`, or list it with the reason");
    assert!(LEFT_OPEN.iter().all(|(_, reason)| reason.len() > 20), "an exception says why");
}

#[test]
fn attack_10_the_half_of_a_method_that_was_done_before_the_deny_is_not_completed_after_it() {
    let denied = denied();
    for action in ["cloudformation:ExecuteChangeSet", "ec2:ModifyLaunchTemplate", "sagemaker:UpdateNotebookInstance"] {
        assert!(denied.iter().any(|pattern| pattern.matches(action)), "{action}");
    }
}
