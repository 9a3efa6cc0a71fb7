//! Other tools hear of an incident when it opens and when it ends, and none of them can stop it.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cordon_contract::{Delivery, NotifyInput, WaitInput};
use cordon_core::{Cause, IncidentId, Outcome, timeline};
use cordon_flow::export;
use cordon_flow::ports::{DeliveryError, Findings};
use cordon_record::{Finding, Hub};
use cordon_store::TableError;
use cordon_testkit::run;
use serde_json::{Value, json};
use support::{CONFIG, World, attach};

type Taken = Arc<Mutex<Vec<Value>>>;

/// Keeps what it is given, or refuses it.
struct Place {
    name: &'static str,
    taken: Taken,
    is_down: bool,
}

#[async_trait]
impl Findings for Place {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn publish(&self, finding: &Finding<'_>) -> Result<(), DeliveryError> {
        if self.is_down {
            return Err(DeliveryError::Slack(Cause::new("out of reach")));
        }
        self.taken.lock().unwrap().push(finding.ocsf());
        Ok(())
    }
}

fn dry() -> (World, IncidentId, Taken) {
    let mut world = World::with(&CONFIG.replace("enforce", "dry-run"));
    let (incident, _) = world.checked(attach("e"));
    let taken = Taken::default();
    world.findings.push(Box::new(Place { name: "event bus", taken: Arc::clone(&taken), is_down: false }));
    (world, incident, taken)
}

fn close(world: &World, incident: &IncidentId, outcome: Outcome) {
    run(world.notify().run(NotifyInput::Outcome { incident: incident.clone(), outcome })).unwrap();
}

fn said(taken: &Taken) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    taken.lock().unwrap().iter().map(|ocsf| (text(&ocsf["activity_name"]), text(&ocsf["status_code"]))).collect()
}

#[test]
fn a_finding_is_made_when_the_incident_opens_and_again_when_it_ends() {
    for (outcome, activity) in [(Outcome::Alerted, "Update"), (Outcome::Denied, "Close"), (Outcome::Contained, "Close")] {
        let (world, incident, taken) = dry();
        run(world.notify().run(NotifyInput::Alert { incident: incident.clone() })).unwrap();
        close(&world, &incident, outcome);
        let expected = [("Create", ""), (activity, outcome.as_str())].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(said(&taken), expected);
        let uids: Vec<Value> = taken.lock().unwrap().iter().map(|ocsf| ocsf["finding_info"]["uid"].clone()).collect();
        assert_eq!(uids, [json!(incident), json!(incident)]);
    }
}

#[test]
fn a_failure_ends_the_finding_too() {
    let (world, incident, taken) = dry();
    let failure = |incident| NotifyInput::Failure {
        event: None,
        incident,
        execution: "arn:aws:states:us-east-1:111111111111:execution:cordon:x".to_owned(),
        state: "Verify".to_owned(),
        error: "Internal".to_owned(),
        cause: "why".to_owned(),
    };
    run(world.notify().run(failure(Some(incident)))).unwrap();
    run(world.notify().run(failure(None))).unwrap();
    assert_eq!(said(&taken), [("Update".to_owned(), "failed".to_owned())]);
}

#[test]
fn a_place_that_is_down_is_on_the_timeline_and_stops_neither_the_incident_nor_the_other_places() {
    let (mut world, incident, taken) = dry();
    world.findings.insert(0, Box::new(Place { name: "Security Hub", taken: Taken::default(), is_down: true }));
    let output = run(world.notify().run(NotifyInput::Alert { incident: incident.clone() })).unwrap();
    assert_eq!((output.sns, output.slack), (Delivery::Sent, Delivery::Sent));
    close(&world, &incident, Outcome::Alerted);
    assert_eq!(said(&taken).len(), 2);
    assert_eq!(world.timeline(&incident), ["detected", "decided", "notified", "notified", "closed", "notified"]);
    let entries = run(world.store().timeline(&incident)).unwrap();
    assert_eq!(entries[3].data, json!({"findings": "failed", "reasons": {"Security Hub": "out of reach"}}));
}

#[test]
fn a_failure_that_cannot_even_be_recorded_stops_nothing() {
    let (mut world, incident, _) = dry();
    world.findings = vec![Box::new(Place { name: "event bus", taken: Taken::default(), is_down: true })];
    *world.table.failures.lock().unwrap() = vec![None, Some(TableError::Refused(Cause::new("denied")))];
    let output = run(world.notify().run(NotifyInput::Alert { incident: incident.clone() })).unwrap();
    assert_eq!(output.sns, Delivery::Sent);
    assert_eq!(world.timeline(&incident), ["detected", "decided", "notified"]);
}

#[test]
fn alerts_and_findings_carry_a_hash_that_proves_the_timeline_up_to_it() {
    let (world, incident, taken) = dry();
    run(world.notify().run(NotifyInput::Alert { incident: incident.clone() })).unwrap();
    close(&world, &incident, Outcome::Alerted);
    let record = run(export::read(world.store(), &incident, timeline_time())).unwrap();
    let file = cordon_record::export::json(&record).to_string();
    let anchored = |hash: &Value| cordon_record::verify::check(&file, hash.as_str()).unwrap().anchored_at;
    let (_, alert) = world.heard.published.lock().unwrap()[0].clone();
    assert_eq!(anchored(&alert["last_hash"]), alert["log_seq"].as_u64());
    let last = taken.lock().unwrap()[1]["unmapped"]["cordon"].clone();
    assert_eq!(anchored(&last["last_hash"]), Some(record.incident.log_seq));
    assert_eq!(timeline::verify(&record.timeline, last["last_hash"].as_str().unwrap()), Ok(()));
}

#[test]
fn no_export_and_no_finding_has_the_task_token() {
    let world = World::new();
    let (incident, _) = world.checked(attach("e"));
    let task_token = "token-of-the-task".to_owned();
    run(world.wait().run(WaitInput::Ask { incident: incident.clone(), task_token, timeout_seconds: 60, last: false })).unwrap();
    assert!(run(world.store().approval(&incident)).unwrap().is_some_and(|approval| approval.token == "token-of-the-task"));
    let record = run(export::read(world.store(), &incident, timeline_time())).unwrap();
    assert_eq!(record.questions.len(), 1);
    let finding = Finding { incident: &record.incident };
    let hub = Hub { account: support::ACCOUNT.to_owned(), region: "us-east-1".to_owned() };
    for text in [
        cordon_record::export::json(&record).to_string(),
        cordon_record::markdown::markdown(&record),
        cordon_record::html::html(&record),
        finding.ocsf().to_string(),
        finding.asff(&hub).to_string(),
    ] {
        assert!(!text.contains("token-of-the-task") && text.contains(incident.as_str()), "{text}");
    }
}

fn timeline_time() -> jiff::Timestamp {
    "2026-01-03T00:00:00Z".parse().unwrap()
}
