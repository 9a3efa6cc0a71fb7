//! A burst is about its actor, and swallows nothing that has to be undone.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::{ClassifyInput, ClassifyOutput};
use cordon_core::{Detection, IncidentId, Level, Outcome, RemedyKind, Response, Route};
use cordon_detect::enrich::Documents;
use cordon_flow::classify::{Classify, Rules};
use cordon_respond::Iam;
use cordon_testkit::run;
use serde_json::{Value, json};
use support::merging::*;
use support::{World, attach, event};
const PROBED: [&str; 8] = [
    "CreateUser",
    "CreateRole",
    "CreateAccessKey",
    "PutUserPolicy",
    "AttachUserPolicy",
    "CreateLoginProfile",
    "TagUser",
    "AddUserToGroup",
];

fn by_the_shipped_rules(world: &World, event: Value) -> ClassifyOutput {
    let execution = format!("x-{}", event["detail"]["eventID"].as_str().unwrap());
    run(Classify { rules: support::shipped::shipped(), ..world.classify() }.run(ClassifyInput { event, execution })).unwrap()
}

/// Mallory tries one thing after the other, and all of it is refused.
fn probed(world: &World, n: usize) -> ClassifyOutput {
    let mut event = event(&format!("p{n}"), PROBED[n % PROBED.len()], json!({"userName": format!("iam-test-{n}")}));
    event["detail"]["errorCode"] = json!("AccessDenied");
    by_the_shipped_rules(world, event)
}

fn burst_of_refusals(world: &World) -> IncidentId {
    let last = (0..PROBED.len()).map(|n| probed(world, n)).last().unwrap();
    let ClassifyOutput::Opened { incident } = last else { panic!("no burst: {last:?}") };
    incident
}

#[test]
fn attack_7_a_burst_of_refused_calls_stops_its_actor_though_its_last_call_was_refused() {
    let world = World::new();
    let incident = burst_of_refusals(&world);
    assert_eq!(check(&world, &incident), Route::Ask);
    let calls = world.stored(&incident).assessment.plan.calls();
    assert!(calls.iter().any(|call| call.contains("CordonDenyIam") && call.contains("iam-test-mallory")), "{calls:?}");
    ask(&world, &incident);
    approve(&world, &incident);
    assert_eq!(carried_out(&world, &incident), Outcome::Contained);
    let denied = world.iam.entity(&user(MALLORY)).unwrap();
    assert!(denied.inline.keys().any(|name| name.starts_with("CordonDenyIam")));
}

#[test]
fn attack_7_a_single_refused_call_still_stops_nobody() {
    let world = World::new();
    let mut refused = attach("e1");
    refused["detail"]["errorCode"] = json!("AccessDenied");
    let incident = opened(&world, refused);
    assert_eq!(check(&world, &incident), Route::Alert);
    assert!(world.stored(&incident).assessment.plan.steps.is_empty());
}

#[test]
fn attack_7_a_burst_does_not_swallow_an_event_that_has_to_be_undone() {
    // Correlations of events that each have an answer of their own: a graver burst used to take them in.
    struct Graver;
    impl Rules for Graver {
        fn evaluate(&self, record: &Value, facts: &Documents) -> Vec<Detection> {
            Undoing.evaluate(record, facts)
        }
        fn judge(&self, event: &cordon_core::Event, facts: &Documents) -> cordon_detect::Judgement {
            let detections = self.evaluate(&event.record, facts);
            let response =
                Response { revert: vec![], contain: vec![RemedyKind::DenyIam], gate: Default::default(), exceptions: vec![] };
            let burst = Detection {
                rule: "burst".parse().unwrap(),
                level: Level::Critical,
                response: Some(response),
                ..Undoing.evaluate(&json!({"eventName": "StopLogging"}), facts).remove(0)
            };
            let tally = cordon_detect::Tally {
                detection: std::sync::Arc::new(burst),
                key: "burst#mallory".to_owned(),
                value: None,
                what: event.name.clone(),
                at_least: 2,
                span_seconds: 600,
                only_new: false,
            };
            cordon_detect::Judgement { detections, tallies: vec![tally] }
        }
    }
    let world = World::new();
    let role = world.iam.add_role("iam-test-role");
    seen_made(&world, "iam-test-role");
    let classified = |event: Value| {
        let execution = format!("x-{}", event["detail"]["eventID"].as_str().unwrap());
        run(Classify { rules: &Graver, ..world.classify() }.run(ClassifyInput { event, execution })).unwrap()
    };
    let harmless = |id: &str| event(id, "ListUsers", json!({}));
    assert_eq!(classified(harmless("e0")), ClassifyOutput::Ignored);
    let ClassifyOutput::Opened { incident: burst } = classified(harmless("e1")) else { panic!("no burst") };
    assert_eq!(classified(harmless("e2")), ClassifyOutput::Merged { incident: burst.clone() });
    run(world.iam.put_inline_policy(&role, "real", "{}")).unwrap();
    let put = json!({"roleName": "iam-test-role", "policyName": "real", "policyDocument": "{}"});
    let ClassifyOutput::Opened { incident } = classified(event("e3", "PutRolePolicy", put.clone())) else {
        panic!("the burst swallowed it")
    };
    let rules: Vec<String> = world.stored(&incident).detections.iter().map(|found| found.rule.to_string()).collect();
    assert_eq!(rules, ["undoing"], "the actor is stopped by the burst's own incident");
    assert_eq!(approved_and_carried_out(&world, &incident), Outcome::Contained);
    assert_eq!(run(world.iam.inline_policy(&role, "real")).unwrap(), None);
    // Where such an event is the one that completes a burst, its own incident answers both, and later ones join that.
    let world = World::new();
    let classified = |event: Value| {
        let execution = format!("x-{}", event["detail"]["eventID"].as_str().unwrap());
        run(Classify { rules: &Graver, ..world.classify() }.run(ClassifyInput { event, execution })).unwrap()
    };
    assert_eq!(classified(harmless("e0")), ClassifyOutput::Ignored);
    let ClassifyOutput::Opened { incident } = classified(event("e1", "PutRolePolicy", put)) else { panic!("not opened") };
    let rules: Vec<String> = world.stored(&incident).detections.iter().map(|found| found.rule.to_string()).collect();
    assert_eq!(rules, ["burst", "undoing"]);
    assert_eq!(classified(harmless("e2")), ClassifyOutput::Merged { incident });
}
