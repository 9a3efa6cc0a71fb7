//! Attacks with the name of a role's session, which whoever takes the role on chooses.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_core::Route;
use cordon_flow::approver::Voter;
use cordon_flow::decide::{Answer, Choice};
use support::asking::{ask, say};
use support::{ACCOUNT, CONFIG, World, attach, by_role};

/// Ada is known by the name of her session: of a role that she shares, of Identity Center's, and of one of her own.
const ADA: &str = r#"
[[approval.approvers]]
name = "Ada"
slack_user_id = "U0ADA"
principals = ["arn:aws:sts::111111111111:assumed-role/Admin/ada", "arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Security_0123/ada"]
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
            let (incident, route) = world.checked(by_role(acted, "mallory", attach("e")));
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
