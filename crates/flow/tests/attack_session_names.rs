//! Attacks with the name of a role's session, which whoever takes the role on chooses.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_core::{Config, Route};
use cordon_flow::approver::Voter;
use cordon_flow::decide::{Answer, Choice};
use support::asking::{ask, say};
use support::{ACCOUNT, CONFIG, World, attach, by_role};

/// Ada is known by a role of her own, and by the name of her session of Identity Center's.
const ADA: &str = r#"
[[approval.approvers]]
name = "Ada"
slack_user_id = "U0ADA"
principals = ["arn:aws:iam::111111111111:role/Admin", "arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Security_0123/ada"]
"#;

fn session(role: &str, name: &str) -> String {
    format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}")
}

#[test]
fn attack_the_actor_does_not_decide_by_naming_a_second_session_after_an_approver() {
    for (acted, votes, counts) in [
        ("Admin", "Admin", false),
        ("admin", "Admin", false),
        ("Other", "Admin", true),
        // Identity Center names its sessions itself.
        ("AWSReservedSSO_Security_0123", "AWSReservedSSO_Security_0123", true),
    ] {
        for choice in [Choice::Approve, Choice::Deny] {
            let world = World::with(&format!("{CONFIG}{ADA}"));
            // At a path of its own, so that it is not the role that is listed; a session's ARN does not tell.
            let mut event = by_role(acted, "mallory", attach("e"));
            event["detail"]["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"] =
                format!("arn:aws:iam::{ACCOUNT}:role/ops/{acted}").into();
            let (incident, route) = world.checked(event);
            assert_eq!(route, Route::Ask);
            ask(&world, &incident, "token", false);
            let answer = say(&world, &incident, Voter::Principal(&session(votes, "ada")), choice, Some("mine"));
            assert_eq!(answer.counts(), counts, "{acted} {votes}: {answer:?}");
            // In Slack she is who she is, and what she would say there is not lost.
            if !counts {
                assert!(matches!(&answer, Answer::Refused(why) if why.contains("Slack")), "{answer:?}");
                assert!(say(&world, &incident, Voter::Slack("U0ADA"), choice, None).counts());
            }
        }
    }
}

#[test]
fn attack_13_nobody_is_known_by_the_session_of_an_ordinary_role() {
    let session_of_role = ADA.replace("iam::111111111111:role/Admin", "sts::111111111111:assumed-role/Admin/ada");
    let error = Config::parse("cordon.toml", &format!("{CONFIG}{session_of_role}")).unwrap_err().to_string();
    assert!(error.contains("whoever assumes an ordinary role chooses the session's name"), "{error}");
}
