//! One decision, by whom it may be made, whatever is clicked and whatever breaks.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::{WaitInput, WaitOutput};
use cordon_core::IncidentId;
use cordon_flow::approver::Voter;
use cordon_flow::decide::{Answer, Choice};
use cordon_testkit::run;
use serde_json::json;
use support::asking::asked_last;
use support::{ACTOR_AS_APPROVER, APPROVER, World};

fn click(world: &World, incident: &IncidentId, user: &str, choice: Choice) -> Answer {
    run(world.decide().run(incident, Voter::Slack(user), choice, None)).unwrap()
}

fn expire(world: &World, incident: &IncidentId) -> WaitOutput {
    run(world.wait().run(WaitInput::Expire { incident: incident.clone(), expire: true })).unwrap().unwrap()
}

#[test]
fn the_first_valid_click_decides_and_later_ones_are_told_who_did() {
    let world = World::new();
    let incident = asked_last(&world);
    assert_eq!(click(&world, &incident, APPROVER, Choice::Approve), Answer::Accepted(Choice::Approve));
    let late = Answer::Already { approved: true, by: APPROVER.to_owned() };
    assert_eq!(click(&world, &incident, "U0SECOND", Choice::Deny), late);
    assert_eq!(click(&world, &incident, APPROVER, Choice::Approve), late);
    let completed = world.heard.completed.lock().unwrap().clone();
    assert_eq!(completed, [("token-1".to_owned(), json!({"decision": "approved", "by": APPROVER}))]);
    assert_eq!(world.timeline(&incident), ["detected", "decided", "asked", "notified", "approved"]);
}

#[test]
fn neither_a_stranger_nor_the_actor_decides_not_even_to_deny() {
    let world = World::new();
    let incident = asked_last(&world);
    for user in ["U0STRANGER", ACTOR_AS_APPROVER] {
        for choice in [Choice::Approve, Choice::Deny] {
            assert!(matches!(click(&world, &incident, user, choice), Answer::Refused(_)), "{user}");
        }
    }
    assert!(world.heard.completed.lock().unwrap().is_empty());
    assert_eq!(world.timeline(&incident)[4..], ["refused", "refused", "refused", "refused"]);
    assert_eq!(click(&world, &incident, APPROVER, Choice::Deny), Answer::Accepted(Choice::Deny));
}

#[test]
fn a_click_after_the_deadline_changes_nothing() {
    let world = World::new();
    let incident = asked_last(&world);
    world.clock.pass(601);
    assert!(matches!(click(&world, &incident, APPROVER, Choice::Approve), Answer::Expired(_)));
    assert_eq!(expire(&world, &incident), WaitOutput::Expired);
    assert!(matches!(click(&world, &incident, APPROVER, Choice::Approve), Answer::Expired(_)));
    assert_eq!(expire(&world, &incident), WaitOutput::Expired);
}

#[test]
fn a_decision_that_was_written_and_not_delivered_is_finished_by_the_next_click() {
    let world = World::new();
    let incident = asked_last(&world);
    *world.heard.tasks_are_down.lock().unwrap() = true;
    assert!(run(world.decide().run(&incident, Voter::Slack(APPROVER), Choice::Approve, None)).is_err());
    *world.heard.tasks_are_down.lock().unwrap() = false;
    assert_eq!(click(&world, &incident, "U0SECOND", Choice::Deny), Answer::Already { approved: true, by: APPROVER.to_owned() });
    assert_eq!(world.heard.completed.lock().unwrap().len(), 1);
}

#[test]
fn a_decision_that_was_written_and_not_delivered_is_finished_by_the_time_out() {
    let world = World::new();
    let incident = asked_last(&world);
    *world.heard.tasks_are_down.lock().unwrap() = true;
    assert!(run(world.decide().run(&incident, Voter::Slack(APPROVER), Choice::Approve, None)).is_err());
    world.clock.pass(601);
    assert_eq!(expire(&world, &incident), WaitOutput::Approved { by: APPROVER.to_owned() });
}

#[test]
fn a_retry_of_the_asking_state_keeps_the_card_and_takes_the_new_token() {
    let world = World::new();
    let incident = asked_last(&world);
    let again = WaitInput::Ask { incident: incident.clone(), task_token: "token-2".to_owned(), timeout_seconds: 600, last: true };
    run(world.wait().run(again)).unwrap();
    assert_eq!(world.heard.posts.lock().unwrap().len(), 1);
    click(&world, &incident, APPROVER, Choice::Approve);
    assert_eq!(world.heard.completed.lock().unwrap()[0].0, "token-2");
    let decided = WaitInput::Ask { incident, task_token: "token-3".to_owned(), timeout_seconds: 600, last: true };
    run(world.wait().run(decided)).unwrap();
    assert_eq!(world.heard.completed.lock().unwrap()[1], ("token-3".to_owned(), json!({"decision": "approved", "by": APPROVER})));
}

#[test]
fn slack_being_down_does_not_stop_the_question() {
    let world = World::new();
    *world.heard.slack_is_down.lock().unwrap() = true;
    let incident = asked_last(&world);
    assert_eq!(world.timeline(&incident), ["detected", "decided", "asked", "notified"]);
    assert_eq!(click(&world, &incident, APPROVER, Choice::Approve), Answer::Accepted(Choice::Approve));
}

#[test]
fn the_token_leaves_the_table_only_towards_step_functions() {
    let world = World::new();
    asked_last(&world);
    let posts = world.heard.posts.lock().unwrap();
    assert!(!posts.iter().any(|post| post.to_value().to_string().contains("token-1")));
}
