//! People are told once, by whatever channel works, and an incident never waits for one that does not.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::{Delivery, ErrorName, NotifyInput, NotifyOutput};
use cordon_core::{IncidentId, Outcome};
use cordon_testkit::run;
use serde_json::json;
use support::{CONFIG, World, attach};

fn dry(extra: &str) -> (World, IncidentId) {
    let world = World::with(&format!("{}\n{extra}", CONFIG.replace("enforce", "dry-run")));
    let (incident, _) = world.checked(attach("e"));
    (world, incident)
}

fn alert(world: &World, incident: &IncidentId) -> Result<NotifyOutput, cordon_contract::StateError> {
    run(world.notify().run(NotifyInput::Alert { incident: incident.clone() }))
}

#[test]
fn an_alert_goes_to_both_channels_and_says_what_would_have_been_done() {
    let (world, incident) = dry("");
    assert_eq!(alert(&world, &incident).unwrap(), NotifyOutput { sns: Delivery::Sent, slack: Delivery::Sent });
    let (subject, message) = world.heard.published.lock().unwrap()[0].clone();
    assert_eq!(subject, "[Cordon] HIGH dry run: AttachUserPolicy by iam-test-mallory");
    assert_eq!(message["schema"], "cordon.alert.v1");
    assert_eq!((&message["dry_run"], &message["approved_for_remediation"]), (&json!(true), &json!(true)));
    assert!(message["calls"].to_string().contains("iam:DetachUserPolicy"));
}

#[test]
fn an_alert_below_the_level_for_slack_goes_to_sns_only() {
    let (world, incident) = dry("[notifications]\nslack_min_level = \"critical\"");
    assert_eq!(alert(&world, &incident).unwrap(), NotifyOutput { sns: Delivery::Sent, slack: Delivery::Skipped });
    assert!(world.heard.posts.lock().unwrap().is_empty());
}

#[test]
fn one_channel_that_is_down_is_on_the_timeline_and_two_are_worth_another_try() {
    let (world, incident) = dry("");
    *world.heard.sns_is_down.lock().unwrap() = true;
    assert_eq!(alert(&world, &incident).unwrap(), NotifyOutput { sns: Delivery::Failed, slack: Delivery::Sent });
    let (world, incident) = dry("");
    *world.heard.slack_is_down.lock().unwrap() = true;
    assert_eq!(alert(&world, &incident).unwrap(), NotifyOutput { sns: Delivery::Sent, slack: Delivery::Failed });
    *world.heard.sns_is_down.lock().unwrap() = true;
    assert_eq!(alert(&world, &incident).unwrap_err().name, ErrorName::Transient);
    assert_eq!(world.timeline(&incident), ["detected", "decided", "notified", "notified"]);
}

#[test]
fn the_outcome_updates_the_same_message_and_closes_once() {
    let (world, incident) = dry("");
    alert(&world, &incident).unwrap();
    let close =
        || run(world.notify().run(NotifyInput::Outcome { incident: incident.clone(), outcome: Outcome::Denied })).unwrap();
    assert_eq!(close(), NotifyOutput { sns: Delivery::Sent, slack: Delivery::Sent });
    close();
    assert_eq!(world.heard.posts.lock().unwrap().len(), 1);
    assert_eq!(world.stored(&incident).outcome, Some(Outcome::Denied));
    assert_eq!(world.timeline(&incident).iter().filter(|kind| *kind == "closed").count(), 1);
}

#[test]
fn a_failure_closes_the_incident_and_is_told_even_where_no_incident_is_known() {
    let (world, incident) = dry("");
    let failure = |incident| NotifyInput::Failure {
        event: None,
        incident,
        execution: "arn:aws:states:us-east-1:111111111111:execution:cordon:x".to_owned(),
        state: "Verify".to_owned(),
        error: "Internal".to_owned(),
        cause: "why".to_owned(),
    };
    run(world.notify().run(failure(Some(incident.clone())))).unwrap();
    assert_eq!(world.stored(&incident).outcome, Some(Outcome::Failed));
    run(world.notify().run(failure(None))).unwrap();
    let published = world.heard.published.lock().unwrap();
    assert_eq!(published.len(), 2);
    assert!(published.iter().all(|(_, message)| message["failure"]["state"] == "Verify"));
}
