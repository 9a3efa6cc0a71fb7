//! A vote of the command line, which cannot post: the card shows it all the same, and never something older.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::{Delivery, NotifyInput, NotifyOutput};
use cordon_core::{IncidentId, Outcome};
use cordon_flow::approver::Voter;
use cordon_flow::decide::{Answer, Choice};
use cordon_flow::voted::show_on_card;
use cordon_testkit::run;
use serde_json::json;
use support::asking::{TWO, asked, close, say, with};
use support::{ACCOUNT, World};

fn votes(world: &World, incident: &IncidentId, name: &str, choice: Choice) -> Answer {
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/{name}");
    let answer = say(world, incident, Voter::Principal(&arn), choice, Some("seen on the wire"));
    run(show_on_card(world.store(), &world.heard, incident)).unwrap();
    answer
}

fn voted(world: &World, incident: &IncidentId) -> NotifyOutput {
    run(world.notify().run(NotifyInput::Voted { incident: incident.clone() })).unwrap()
}

fn card(world: &World) -> String {
    world.heard.updates.lock().unwrap().last().unwrap().to_value().to_string()
}

const SENT: NotifyOutput = NotifyOutput { sns: Delivery::Skipped, slack: Delivery::Sent };
const SKIPPED: NotifyOutput = NotifyOutput { sns: Delivery::Skipped, slack: Delivery::Skipped };

#[test]
fn a_vote_of_the_command_line_is_shown_on_the_card_by_an_execution() {
    let world = with(TWO);
    let incident = asked(&world);
    assert_eq!(votes(&world, &incident, "approver", Choice::Approve), Answer::Counted { approved: 1, wanted: 2 });
    assert_eq!(votes(&world, &incident, "approver", Choice::Approve), Answer::Counted { approved: 1, wanted: 2 });
    let started = world.heard.started.lock().unwrap().clone();
    assert_eq!(started.len(), 1, "the same vote asks once: {started:?}");
    assert_eq!(started[0].1, json!({"cordon": "voted", "incident": incident}));
    assert!(world.heard.updates.lock().unwrap().is_empty(), "the command line itself posts nothing");
    assert_eq!(voted(&world, &incident), SENT);
    assert!(card(&world).contains("1 of 2 approvals so far, by `arn:aws:iam::111111111111:user/approver`"), "{}", card(&world));
    assert!(card(&world).contains("cordon_approve"));

    assert_eq!(votes(&world, &incident, "second", Choice::Approve), Answer::Accepted(Choice::Approve));
    assert_eq!(voted(&world, &incident), SENT);
    assert!(card(&world).contains("*Approved*") && !card(&world).contains("action_id"), "{}", card(&world));
    assert_eq!(world.heard.started.lock().unwrap().len(), 2);
}

#[test]
fn an_end_that_came_meanwhile_is_not_written_over() {
    let world = World::new();
    let incident = asked(&world);
    votes(&world, &incident, "approver", Choice::Deny);
    let before = world.table.item(&incident, "HEAD");
    close(&world, &incident, Outcome::Denied);
    let ended = card(&world);
    // Read before the end was written, drawn after the end was shown.
    world.table.read_before_others_wrote(before);
    assert_eq!(voted(&world, &incident), SENT);
    assert_eq!(card(&world), ended);
    let updates = world.heard.updates.lock().unwrap().len();
    assert_eq!(voted(&world, &incident), SKIPPED);
    assert_eq!(world.heard.updates.lock().unwrap().len(), updates);
}

#[test]
fn a_card_that_cannot_be_changed_is_left_and_one_that_slack_does_not_take_is_on_the_timeline() {
    let world = with(TWO);
    let incident = asked(&world);
    votes(&world, &incident, "approver", Choice::Approve);
    *world.heard.slack_is_down.lock().unwrap() = true;
    assert_eq!(voted(&world, &incident), NotifyOutput { sns: Delivery::Skipped, slack: Delivery::Failed });
    let entries = run(world.store().timeline(&incident)).unwrap();
    let last = entries.last().unwrap();
    assert_eq!((&last.data["about"], &last.data["slack"]), (&json!("voted"), &json!("failed")));
    // No card was ever posted: nothing is posted now either.
    let world = with(TWO);
    *world.heard.slack_is_down.lock().unwrap() = true;
    let incident = asked(&world);
    *world.heard.slack_is_down.lock().unwrap() = false;
    assert_eq!(voted(&world, &incident), SKIPPED);
    assert!(world.heard.posts.lock().unwrap().is_empty());
}
