//! Two reasons against a change that everything else allows: the kill switch, and an account that refuses Cordon's role.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::{ErrorName, RemediateInput, RemediateOutput, StateError};
use cordon_core::{IncidentId, Principal, PrincipalKind, Route};
use cordon_flow::switch::{POLICY_NAME, Position, Switch, SwitchError};
use cordon_flow::undo::Undo;
use cordon_respond::IamErrorKind;
use cordon_testkit::{Failure, When, run};
use serde_json::{Value, json};
use support::{ACCOUNT, CONFIG, World, attach, create_user};

const ADA: &str = "arn:aws:sts::111111111111:assumed-role/on-call/ada";

fn world() -> World {
    World::with(&format!("{CONFIG}\n[gates]\nauto = [\"admin-attached\", \"iam-write\"]\n"))
}

fn remediator() -> Principal {
    Principal::new(PrincipalKind::Role, ACCOUNT.parse().unwrap(), "cordon-remediate")
}

fn switch(world: &World) -> Switch<'_> {
    Switch { store: world.store(), iam: &world.iam, role: remediator(), clock: &world.clock }
}

fn apply(world: &World, incident: &IncidentId) -> Result<RemediateOutput, StateError> {
    run(world.remediate().run(RemediateInput::Apply { incident: incident.clone() }))
}

/// The last entry's steps, with the reason of each.
fn reasons(world: &World, incident: &IncidentId) -> Vec<String> {
    let entry = run(world.store().timeline(incident)).unwrap().pop().unwrap();
    let steps = entry.data["steps"].as_array().unwrap().clone();
    steps
        .iter()
        .map(|step| format!("{}: {}", step["remedy"].as_str().unwrap(), step["result"]["reason"].as_str().unwrap()))
        .collect()
}

#[test]
fn a_stop_holds_what_was_on_its_way_and_what_comes_and_a_resume_lets_it_go_on() {
    let world = world();
    world.iam.add_role("cordon-remediate");
    let (incident, route) = world.checked(attach("e1"));
    assert_eq!(route, Route::Act);
    run(switch(&world).stop(ADA, "it stops the pipeline")).unwrap();
    let writes = world.iam.writes().len();
    assert_eq!(apply(&world, &incident).unwrap(), RemediateOutput::Stopped { wait_seconds: 60 });
    assert_eq!(world.iam.writes().len(), writes, "nothing was changed");
    let entry = run(world.store().timeline(&incident)).unwrap().pop().unwrap();
    let said = entry.data["reason"].as_str().unwrap();
    assert!(said.contains(ADA) && said.contains("it stops the pipeline") && said.contains("cordon resume"), "{said}");
    let (waiting, route) = world.checked(create_user("e2"));
    assert_eq!(route, Route::Ask);
    assert!(world.stored(&waiting).assessment.decision.unwrap().decision_reason.contains("enforcement was stopped by"));

    run(switch(&world).resume(ADA, "mended")).unwrap();
    assert_eq!(world.iam.entity(&remediator()).unwrap().inline.len(), 0);
    assert_eq!(apply(&world, &incident).unwrap(), RemediateOutput::Applied);
    let log: Vec<String> = world.table.keys().into_iter().filter(|key| key.starts_with("SWITCH/LOG#")).collect();
    assert!(!log.is_empty(), "who turned it stays known");
}

#[test]
fn a_stop_does_both_halves_whatever_becomes_of_the_other_and_says_which_did_not() {
    let position = |world: &World| run(switch(world).position());
    let world = world();
    world.iam.add_role("cordon-remediate");
    world.iam.faults().strike_action("iam:PutRolePolicy", When::Before, Failure::Error(IamErrorKind::AccessDenied));
    let error = run(switch(&world).stop(ADA, "why")).unwrap_err();
    assert!(error.to_string().contains("cordon-remediate") && error.to_string().contains("iam:PutRolePolicy"), "{error}");
    assert!(matches!(position(&world), Ok(Position { note: Some(note), denied: false }) if note.stopped));

    let wrong = Switch { role: Principal { name: "cordon-remedy".into(), ..remediator() }, ..switch(&world) };
    assert!(matches!(run(wrong.stop(ADA, "why")), Err(SwitchError::NoSuchRole(_))));
    assert!(matches!(run(switch(&world).stop(ADA, " ")), Err(SwitchError::Reason)));

    // Somebody else's policy of that name is no stop.
    world.iam.faults().clear();
    world.iam.put_inline(&remediator(), POLICY_NAME, r#"{"Version":"2012-10-17","Statement":[]}"#);
    assert!(!position(&world).unwrap().denied);
    run(switch(&world).stop(ADA, "why")).unwrap();
    assert!(position(&world).unwrap().denied);

    // A resume whose deny stays on leaves enforcement stopped.
    world.iam.faults().strike_action("iam:DeleteRolePolicy", When::Before, Failure::Error(IamErrorKind::AccessDenied));
    assert!(run(switch(&world).resume(ADA, "why")).is_err());
    assert!(position(&world).unwrap().note.unwrap().stopped);
}

#[test]
fn the_deny_on_the_role_alone_fails_closed_with_what_iam_says() {
    let world = world();
    let (incident, _) = world.checked(attach("e"));
    for action in ["iam:PutUserPolicy", "iam:DetachUserPolicy"] {
        world.iam.faults().strike_action(action, When::Before, Failure::Error(IamErrorKind::AccessDenied));
    }
    assert_eq!(apply(&world, &incident).unwrap(), RemediateOutput::Partial);
    assert!(reasons(&world, &incident).iter().all(|said| said.contains("access is denied")));
}

#[test]
fn the_deny_names_every_call_that_a_remedy_makes() {
    let document: Value = serde_json::from_str(cordon_flow::switch::DOCUMENT).unwrap();
    let patterns: Vec<cordon_core::pattern::Pattern> = document["Statement"][0]["Action"]
        .as_array()
        .unwrap()
        .iter()
        .map(|action| serde_json::from_value(action.clone()).unwrap())
        .collect();
    let denied = |action: &str| patterns.iter().any(|pattern| pattern.matches(action));
    let world = world();
    let (incident, _) = world.checked(attach("e"));
    let stored = world.stored(&incident);
    let calls = stored.assessment.plan.steps.iter().flat_map(|step| step.calls.iter().chain(&step.undo));
    for action in calls.map(|call| call.action.as_str()).chain([
        "iam:UpdateAccessKey",
        "iam:SetDefaultPolicyVersion",
        "sts:AssumeRole",
        "cloudtrail:StartLogging",
        "cloudtrail:StopLogging",
        "cloudtrail:PutEventSelectors",
    ]) {
        assert!(denied(action), "{action}");
    }
    for action in ["iam:GetUser", "iam:ListUserTags", "dynamodb:PutItem", "logs:PutLogEvents"] {
        assert!(!denied(action), "{action}");
    }
}

#[test]
fn scenario_25_an_account_that_does_not_let_cordon_in_leaves_an_exact_list_and_is_tried_again_where_it_may_help() {
    let world = world();
    let (incident, _) = world.checked(attach("e"));
    *world.accounts.refuses.lock().unwrap() = Some(IamErrorKind::AccessDenied);
    assert_eq!(apply(&world, &incident).unwrap(), RemediateOutput::Partial);
    assert_eq!(apply(&world, &incident).unwrap(), RemediateOutput::Partial);
    let said = reasons(&world, &incident);
    assert_eq!(said.len(), 2);
    assert!(said[0].starts_with("deny-iam: no session in the account of the event: `sts:AssumeRole` failed"), "{said:?}");
    assert!(world.iam.writes().is_empty());
    let undo = Undo { store: world.store(), accounts: &world.accounts, clock: &world.clock };
    assert_eq!(StateError::from(run(undo.run(&incident, ADA, None, false)).unwrap_err()).name, ErrorName::Refused);

    *world.accounts.refuses.lock().unwrap() = Some(IamErrorKind::Transient);
    assert_eq!(apply(&world, &incident).unwrap_err().name, ErrorName::Transient);
    *world.accounts.refuses.lock().unwrap() = None;
    assert_eq!(apply(&world, &incident).unwrap(), RemediateOutput::Applied);
    let before = world.iam.state();
    assert!(run(undo.run(&incident, ADA, None, false)).unwrap().complete);
    assert_ne!(world.iam.state(), before);
    assert_eq!(json!(world.timeline(&incident).last()), json!("undone"));
}
