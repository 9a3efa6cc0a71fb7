//! Changes that precede a question, changes that are reverted after it, and rehearsals, which change nothing.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::{ErrorName, NotifyInput, RemediateInput, RemediateOutput, WaitOutput};
use cordon_core::{IncidentId, Outcome, Route};
use cordon_flow::approver::Voter;
use cordon_flow::decide::{Answer, Choice};
use cordon_flow::undo::UndoAnswer;
use cordon_testkit::run;
use support::asking::*;
use support::{APPROVER, CONFIG, World, attach};

#[test]
fn containment_goes_ahead_and_a_denial_takes_it_back_byte_for_byte() {
    let world = with(AHEAD);
    let before = world.iam.state();
    let (incident, route) = world.checked(attach("e"));
    assert_eq!(route, Route::ContainThenAsk);
    assert_eq!(revert(&world, &incident), Err(ErrorName::Refused), "nobody has denied anything");
    assert_eq!(apply(&world, &incident), Ok(RemediateOutput::Applied));
    let entity = world.iam.entity(&mallory()).unwrap();
    assert_eq!((entity.inline.len(), entity.attached.len()), (1, 1), "the rest waits");
    assert_eq!(verify(&world, &incident), Ok(RemediateOutput::Partial), "not all of the plan");
    ask(&world, &incident, "token-1", false);
    assert_eq!(click(&world, &incident, APPROVER, Choice::Deny), Answer::Accepted(Choice::Deny));
    assert_eq!(completed(&world)[0].1["decision"], "denied_contained");
    for _ in 0..2 {
        assert_eq!(revert(&world, &incident), Ok(RemediateOutput::Reverted));
    }
    assert_eq!(world.iam.state(), before);
    assert_eq!(apply(&world, &incident), Err(ErrorName::Refused), "what was denied is not applied by a late retry");
    close(&world, &incident, Outcome::Denied);
    assert_eq!(world.iam.state(), before);
}

#[test]
fn containment_goes_ahead_and_an_approval_does_the_rest() {
    let world = with(AHEAD);
    let (incident, _) = world.checked(attach("e"));
    apply(&world, &incident).unwrap();
    verify(&world, &incident).unwrap();
    ask(&world, &incident, "token-1", false);
    click(&world, &incident, APPROVER, Choice::Approve);
    assert_eq!(completed(&world)[0].1["decision"], "approved");
    assert_eq!(apply(&world, &incident), Ok(RemediateOutput::Applied));
    assert_eq!(verify(&world, &incident), Ok(RemediateOutput::Contained));
    assert!(world.iam.entity(&mallory()).unwrap().attached.is_empty());
    assert_eq!(revert(&world, &incident), Err(ErrorName::Refused));
}

#[test]
fn a_containment_that_somebody_changed_is_not_taken_back_and_that_is_said() {
    let world = with(AHEAD);
    let (incident, _) = world.checked(attach("e"));
    apply(&world, &incident).unwrap();
    ask(&world, &incident, "token-1", false);
    world.iam.change(&mallory(), |entity| {
        for document in entity.inline.values_mut() {
            *document = "{\"Statement\": []}".to_owned();
        }
    });
    click(&world, &incident, APPROVER, Choice::Deny);
    assert_eq!(revert(&world, &incident), Ok(RemediateOutput::RevertRefused));
    assert_eq!(world.timeline(&incident).last().unwrap(), "undo_refused");
}

#[test]
fn a_rehearsal_asks_for_real_and_changes_nothing_whatever_is_clicked() {
    let config =
        CONFIG.replace("mode = \"enforce\"", "mode = \"dry-run\"\n[approval]\nrehearse = true\non_timeout = \"contain\"");
    for (choice, decision) in [(Choice::Approve, "rehearsed"), (Choice::Deny, "denied")] {
        let world = World::with(&config);
        let incident = asked(&world);
        click(&world, &incident, APPROVER, choice);
        assert_eq!(completed(&world)[0].1["decision"], decision);
        for input in [
            RemediateInput::Apply { incident: incident.clone() },
            RemediateInput::Verify { incident: incident.clone() },
            RemediateInput::Revert { incident: incident.clone() },
        ] {
            assert_eq!(remediate(&world, input), Err(ErrorName::Refused));
        }
        close(&world, &incident, if choice == Choice::Approve { Outcome::Alerted } else { Outcome::Denied });
        assert_eq!(world.heard.published.lock().unwrap().last().unwrap().1["message"], "outcome", "people hear how it ended");
        assert!(world.iam.writes().is_empty());
    }
    let world = World::with(&config);
    let incident = asked(&world);
    assert_eq!(expire(&world, &incident), WaitOutput::Expired, "also where the policy would contain");
}

#[test]
fn an_undo_from_slack_is_carried_out_once_and_can_be_asked_for_again() {
    let world = World::new();
    let before = world.iam.state();
    let undo = |world: &World, incident: &IncidentId| remediate(world, RemediateInput::Undo { incident: incident.clone() });
    let wish = |world: &World, incident: &IncidentId, user: &str| {
        run(world.ask_undo().run(&world.heard, incident, Voter::Slack(user), Some("it was planned"))).unwrap()
    };
    let open = asked(&world);
    assert!(matches!(wish(&world, &open, APPROVER), UndoAnswer::No(said) if said.contains("still open")));
    click(&world, &open, APPROVER, Choice::Approve);
    apply(&world, &open).unwrap();
    verify(&world, &open).unwrap();
    close(&world, &open, Outcome::Contained);
    let incident = open;

    assert_eq!(undo(&world, &incident), Err(ErrorName::Refused), "an execution that anybody started undoes nothing");
    assert!(matches!(wish(&world, &incident, "U0STRANGER"), UndoAnswer::No(_)));
    assert_eq!(undo(&world, &incident), Err(ErrorName::Refused));
    for user in [APPROVER, SECOND] {
        assert_eq!(wish(&world, &incident, user), UndoAnswer::Started, "the second one finds the first one's wish");
    }
    let started = world.heard.started.lock().unwrap().clone();
    assert_eq!(started.len(), 1);
    assert_eq!(started[0].1["cordon"], "undo");
    for _ in 0..2 {
        assert_eq!(undo(&world, &incident), Ok(RemediateOutput::Undone));
    }
    assert_eq!(world.iam.state(), before);
    run(world.notify().run(NotifyInput::Undone { incident: incident.clone() })).unwrap();
    assert_eq!(world.heard.published.lock().unwrap().last().unwrap().1["undo_result"]["by"], APPROVER);
    let kinds = world.timeline(&incident);
    assert_eq!(kinds.iter().filter(|kind| *kind == "undone").count(), 1, "{kinds:?}");
    assert_eq!(wish(&world, &incident, APPROVER), UndoAnswer::Started);
    assert_eq!(world.heard.started.lock().unwrap().len(), 2, "it can be run again");
    assert_eq!(undo(&world, &incident), Ok(RemediateOutput::Undone));
}

#[test]
fn an_undo_that_would_overwrite_somebodys_work_is_refused_and_told() {
    let world = World::new();
    let incident = contained(&world);
    world.iam.change(&mallory(), |entity| {
        for document in entity.inline.values_mut() {
            *document = "{\"Statement\": []}".to_owned();
        }
    });
    run(world.ask_undo().run(&world.heard, &incident, Voter::Slack(SECOND), None)).unwrap();
    assert_eq!(remediate(&world, RemediateInput::Undo { incident: incident.clone() }), Ok(RemediateOutput::UndoRefused));
    run(world.notify().run(NotifyInput::Undone { incident })).unwrap();
    let (_, alert) = world.heard.published.lock().unwrap().last().unwrap().clone();
    assert!(alert["undo_result"]["steps"].to_string().contains("changed since"), "{alert}");
}

#[test]
fn an_incident_that_classify_opened_before_it_died_is_closed_as_failed() {
    let world = World::new();
    let (incident, _) = world.checked(attach("e"));
    let failure = |event: &str, execution: &str| NotifyInput::Failure {
        incident: None,
        event: Some(event.to_owned()),
        execution: execution.to_owned(),
        state: "Classify".to_owned(),
        error: "Lambda.Unknown".to_owned(),
        cause: "killed".to_owned(),
    };
    for (event, execution) in [("e", "execution-2"), ("another", "execution-1"), ("", "execution-1")] {
        run(world.notify().run(failure(event, execution))).unwrap();
        assert_eq!(world.stored(&incident).outcome, None, "{event} {execution}");
    }
    run(world.notify().run(failure("e", "execution-1"))).unwrap();
    assert_eq!(world.stored(&incident).outcome, Some(Outcome::Failed));
}

#[test]
fn what_people_read_of_a_containment_that_went_ahead_is_what_happened() {
    let said = |world: &World, id: &IncidentId| {
        let posts = world.heard.posts.lock().unwrap();
        let updates = world.heard.updates.lock().unwrap();
        assert_eq!(world.stored(id).delivery.slack.as_ref().unwrap().ts.as_deref(), Some("1.1"));
        (posts[0].to_value().to_string(), updates.last().map(|update| update.to_value().to_string()).unwrap_or_default())
    };
    for (policy, outcome, headline) in [
        ("close", Outcome::Denied, "Denied: the containment was taken back."),
        ("close", Outcome::Expired, "and the containment was taken back."),
        ("hold-containment", Outcome::Expired, "The containment stays."),
    ] {
        let config = CONFIG.replace("mode = \"enforce\"", &format!("mode = \"enforce\"\n[approval]\non_timeout = \"{policy}\""));
        let world = World::with(&format!("{config}\n{AHEAD}"));
        let (incident, _) = world.checked(attach("e"));
        apply(&world, &incident).unwrap();
        ask(&world, &incident, "token-1", true);
        let (card, _) = said(&world, &incident);
        assert!(card.contains("contained for now") && !card.contains("Nothing has been changed yet"), "{card}");
        match outcome {
            Outcome::Denied => assert_eq!(click(&world, &incident, APPROVER, Choice::Deny), Answer::Accepted(Choice::Deny)),
            _ => drop(expire(&world, &incident)),
        }
        if headline.contains("taken back") {
            revert(&world, &incident).unwrap();
        }
        close(&world, &incident, outcome);
        let (_, end) = said(&world, &incident);
        assert!(end.contains(headline) && !end.contains("nothing was changed"), "{end}");
        assert_eq!(end.contains("cordon_undo"), headline.contains("stays"), "the button to undo, where something stands: {end}");
    }
}

#[test]
fn a_rehearsals_card_says_that_it_is_one() {
    let world = World::with(&CONFIG.replace("mode = \"enforce\"", "mode = \"dry-run\"\n[approval]\nrehearse = true"));
    asked(&world);
    let card = world.heard.posts.lock().unwrap()[0].to_value().to_string();
    assert!(card.contains("Rehearsal") && card.contains("cordon_approve"), "{card}");
}
