//! Attacks on what follows a decision: an undo by one person, a card that says nothing after a failure, an approval that a stop
//! swallows.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_cards::Message;
use cordon_contract::{NotifyInput, RemediateInput, RemediateOutput};
use cordon_core::{IncidentId, Outcome};
use cordon_flow::approver::Voter;
use cordon_flow::decide::Choice;
use cordon_flow::undo::UndoAnswer;
use cordon_respond::IamErrorKind;
use cordon_testkit::{Failure, When, run, until_killed};
use support::asking::{apply, asked, click, contained, remediate};
use support::{APPROVER, World};

fn fail(world: &World, incident: &IncidentId, execution: &str, state: &str) {
    let failure = NotifyInput::Failure {
        incident: Some(incident.clone()),
        event: None,
        execution: execution.to_owned(),
        state: state.to_owned(),
        error: "Lambda.Unknown".to_owned(),
        cause: "it died".to_owned(),
    };
    run(world.notify().run(failure)).unwrap();
}

fn text(message: &Message) -> String {
    serde_json::to_string(&message.blocks).unwrap()
}

/// The card as it stands now.
fn card(world: &World) -> String {
    text(world.heard.updates.lock().unwrap().last().expect("the card was never updated"))
}

#[test]
fn attack_24_the_card_of_a_failed_incident_tells_what_was_done_what_was_not_and_what_is_not_known_and_has_undo() {
    let world = World::new();
    let incident = asked(&world);
    click(&world, &incident, APPROVER, Choice::Approve);
    // The function dies in the second step, after its call was made.
    world.iam.faults().strike_action("iam:DetachUserPolicy", When::After, Failure::Killed);
    assert!(until_killed(world.remediate().run(RemediateInput::Apply { incident: incident.clone() })).is_none());
    world.iam.faults().clear();
    fail(&world, &incident, "execution-1", "Remediate");
    assert_eq!(world.stored(&incident).outcome, Some(Outcome::Failed));
    let card = card(&world);
    for said in ["Failed. A person must look now.", "1 made, 0 not made, 1 not known", "made, but not seen to hold", "❔", "cordon_undo"] {
        assert!(card.contains(said), "{said}: {card}");
    }
    assert!(!card.contains("the outcome follows here") && !card.contains("cordon_approve"), "{card}");

    let before = world.iam.state();
    assert_eq!(run(world.ask_undo().run(&incident, Voter::Slack(APPROVER), None)).unwrap(), UndoAnswer::Started);
    assert_eq!(remediate(&world, RemediateInput::Undo { incident: incident.clone() }), Ok(RemediateOutput::Undone));
    assert_ne!(world.iam.state(), before);
    assert!(world.iam.entity(&support::asking::mallory()).unwrap().inline.is_empty(), "the deny is gone");
}

#[test]
fn attack_24_a_failure_before_anything_was_done_says_so_and_offers_no_undo() {
    let world = World::new();
    let incident = asked(&world);
    click(&world, &incident, APPROVER, Choice::Approve);
    fail(&world, &incident, "execution-1", "Remediate");
    let card = card(&world);
    assert!(card.contains("0 made, 2 not made, 0 not known") && card.contains("by hand"), "{card}");
    assert!(!card.contains("cordon_undo"), "{card}");
    fail(&world, &incident, "execution-1", "Remediate");
    let failures = world.timeline(&incident).iter().filter(|kind| *kind == "failure").count();
    assert_eq!(failures, 1, "a retry tells it once");
}

#[test]
fn attack_24_a_failure_after_the_end_shows_the_end_and_keeps_it() {
    let world = World::new();
    let incident = contained(&world);
    world.heard.updates.lock().unwrap().clear();
    fail(&world, &incident, "execution-1", "CloseContained");
    assert_eq!(world.stored(&incident).outcome, Some(Outcome::Contained));
    assert!(card(&world).contains("*Contained.*") && card(&world).contains("cordon_undo"));
    assert!(world.timeline(&incident).contains(&"failure".to_owned()));
}

#[test]
fn attack_24_an_undo_that_failed_stands_on_the_timeline_and_can_be_asked_for_again_at_once() {
    let world = World::new();
    let incident = contained(&world);
    let ask = || run(world.ask_undo().run(&incident, Voter::Slack(APPROVER), None)).unwrap();
    assert_eq!(ask(), UndoAnswer::Started);
    world.iam.faults().strike_action("iam:DeleteUserPolicy", When::Before, Failure::Error(IamErrorKind::Transient));
    assert!(remediate(&world, RemediateInput::Undo { incident: incident.clone() }).is_err());
    fail(&world, &incident, "execution-of-the-undo", "Undo");
    world.iam.faults().clear();
    assert!(world.timeline(&incident).contains(&"failure".to_owned()));
    assert_eq!(ask(), UndoAnswer::Started);
    assert_eq!(world.heard.started.lock().unwrap().len(), 2, "a second execution");
    assert_eq!(remediate(&world, RemediateInput::Undo { incident: incident.clone() }), Ok(RemediateOutput::Undone));
}

#[test]
fn attack_24_where_no_card_stands_the_failure_of_a_change_posts_one() {
    let world = World::new();
    *world.heard.slack_is_down.lock().unwrap() = true;
    let incident = asked(&world);
    *world.heard.slack_is_down.lock().unwrap() = false;
    click(&world, &incident, APPROVER, Choice::Approve);
    apply(&world, &incident).unwrap();
    fail(&world, &incident, "execution-1", "Verify");
    let posts = world.heard.posts.lock().unwrap();
    assert!(posts.iter().any(|post| text(post).contains("cordon_undo")), "{posts:?}");
    assert!(world.stored(&incident).thread().is_some());
}
