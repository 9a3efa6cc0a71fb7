//! CloudTrail leaves parameters above about 100 KB out, and white space in a policy document is enough for that. Nobody escapes so.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::{CheckInput, ClassifyInput, ClassifyOutput, StateError};
use cordon_core::{Incident, IncidentId, Level, RemedyKind, Route, Subject};
use cordon_detect::{RuleBook, RuleSource};
use cordon_flow::classify::Classify;
use cordon_respond::IamErrorKind;
use cordon_testkit::run;
use serde_json::{Value, json};
use support::{World, event};

const ALLOW_ALL: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
const OUTSIDE: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"},{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999999999999:root"},"Action":"sts:AssumeRole"}]}"#;

/// The shipped rules that this is about.
fn rules() -> RuleBook {
    let sources = [
        ("iam-policy-unreadable.yml", include_str!("../../../rules/privilege-escalation/iam-policy-unreadable.yml")),
        (
            "iam-admin-inline-policy-written.yml",
            include_str!("../../../rules/privilege-escalation/iam-admin-inline-policy-written.yml"),
        ),
        ("iam-role-opened-to-outsiders.yml", include_str!("../../../rules/persistence/iam-role-opened-to-outsiders.yml")),
    ];
    RuleBook::load(sources.iter().map(|(path, text)| RuleSource::new(*path, *text)).collect()).unwrap()
}

fn classify(world: &World, event: Value, rules: &RuleBook) -> Result<ClassifyOutput, StateError> {
    let execution = event["detail"]["eventID"].to_string();
    run(Classify { rules, ..world.classify() }.run(ClassifyInput { event, execution }))
}

/// Opens an incident with the shipped rules, and plans.
fn planned(world: &World, event: Value) -> (Incident, Route) {
    let output = classify(world, event, &rules()).unwrap();
    let ClassifyOutput::Opened { incident } = output else { panic!("{output:?}") };
    let route = run(world.check().run(CheckInput { incident: incident.clone() })).unwrap().route;
    (world.stored(&incident), route)
}

fn omitted() -> Value {
    json!({"omitted": true, "originalSize": 131_072, "reason": "too large"})
}

fn remedies(incident: &Incident) -> Vec<RemedyKind> {
    incident.assessment.plan.steps.iter().map(|step| step.remedy).collect()
}

fn found(incident: &Incident) -> Vec<&str> {
    incident.detections.iter().map(|detection| detection.rule.as_str()).collect()
}

#[test]
fn attack_9_a_call_without_any_parameters_is_asked_about_and_its_actor_can_be_contained() {
    for name in
        ["PutUserPolicy", "PutRolePolicy", "PutGroupPolicy", "CreatePolicy", "CreatePolicyVersion", "UpdateAssumeRolePolicy"]
    {
        let world = World::new();
        let (incident, route) = planned(&world, event("e1", name, omitted()));
        assert_eq!((route, incident.severity), (Route::Ask, Level::High), "{name}");
        assert_eq!(found(&incident), ["iam-policy-unreadable"], "{name}");
        assert_eq!(remedies(&incident), [RemedyKind::DenyIam], "{name}");
        assert!(matches!(incident.subject, Subject::Account { .. }), "{name}");
        // A policy that nobody has yet grants nothing; attaching it is an event of its own.
        assert!(name == "CreatePolicy" || !incident.assessment.plan.by_hand.is_empty(), "{name}: the rest stays by hand");
    }
}

#[test]
fn attack_9_a_document_that_the_record_lacks_is_read_from_iam_judged_and_undone() {
    let world = World::new();
    let bob = world.iam.add_user("iam-test-bob");
    world.iam.put_inline(&bob, "x", ALLOW_ALL);
    *world.heard.written.lock().unwrap() = Some(Ok(ALLOW_ALL));
    let parameters = json!({"userName": "iam-test-bob", "policyName": "x", "policyDocument": omitted()});
    let (incident, route) = planned(&world, event("e1", "PutUserPolicy", parameters));
    assert_eq!(route, Route::Ask);
    assert!(found(&incident).contains(&"iam-admin-inline-policy-written"), "{:?}", found(&incident));
    assert!(found(&incident).contains(&"iam-policy-unreadable"), "what IAM has may have been changed since");
    assert!(remedies(&incident).contains(&RemedyKind::RemoveInlinePolicy), "{:?}", incident.assessment.plan);
    assert!(incident.statements.concat().contains("Allow"), "{:?}", incident.statements);
}

#[test]
fn attack_9_a_trust_policy_that_the_record_lacks_is_taken_back() {
    let world = World::new();
    let role = world.iam.add_role("iam-test-role");
    world.iam.change(&role, |role| role.trust = Some(OUTSIDE.to_owned()));
    *world.heard.written.lock().unwrap() = Some(Ok(OUTSIDE));
    let parameters = json!({"roleName": "iam-test-role", "policyDocument": omitted()});
    let (incident, _) = planned(&world, event("e1", "UpdateAssumeRolePolicy", parameters));
    assert!(found(&incident).contains(&"iam-role-opened-to-outsiders"), "{:?}", found(&incident));
    assert_eq!(incident.event.touched.outside_statements, [1]);
    assert!(remedies(&incident).contains(&RemedyKind::RestoreTrustPolicy), "{:?}", incident.assessment.plan);
}

#[test]
fn attack_9_a_padded_document_that_the_record_still_has_is_not_too_long_for_its_remedy() {
    let world = World::new();
    let role = world.iam.add_role("iam-test-role");
    world.iam.change(&role, |role| role.trust = Some(OUTSIDE.to_owned()));
    let padded = OUTSIDE.replacen(',', &format!(",{}", " ".repeat(95_000)), 1);
    let parameters = json!({"roleName": "iam-test-role", "policyDocument": padded});
    let (incident, _) = planned(&world, event("e1", "UpdateAssumeRolePolicy", parameters));
    assert!(remedies(&incident).contains(&RemedyKind::RestoreTrustPolicy), "{:?}", incident.assessment.plan);
    assert!(world.heard.policies_read.lock().unwrap().is_empty(), "the record has it");
}

#[test]
fn attack_9_what_iam_does_not_give_stays_unreadable_and_grave_and_a_busy_iam_is_asked_again() {
    let parameters = || json!({"userName": "iam-test-bob", "policyName": "x", "policyDocument": omitted()});
    for answer in [None, Some(Err(IamErrorKind::AccessDenied)), Some(Ok("no document"))] {
        let world = World::new();
        world.iam.add_user("iam-test-bob");
        *world.heard.written.lock().unwrap() = answer;
        let (incident, route) = planned(&world, event("e1", "PutUserPolicy", parameters()));
        assert_eq!((route, incident.severity), (Route::Ask, Level::High), "{answer:?}");
        assert!(remedies(&incident).contains(&RemedyKind::DenyIam), "{answer:?}");
    }
    let world = World::new();
    *world.heard.written.lock().unwrap() = Some(Err(IamErrorKind::Transient));
    assert!(classify(&world, event("e1", "PutUserPolicy", parameters()), &rules()).is_err());
}

#[test]
fn attack_9_two_calls_that_nobody_can_read_are_two_incidents() {
    let world = World::new();
    let opened = |id: &str| -> IncidentId {
        let output = classify(&world, event(id, "PutUserPolicy", omitted()), &rules()).unwrap();
        let ClassifyOutput::Opened { incident } = output else { panic!("{output:?}") };
        incident
    };
    assert_ne!(opened("e1"), opened("e2"));
}

#[test]
fn attack_9_a_call_that_no_rule_is_about_still_needs_a_person_and_a_refused_one_does_not() {
    let world = World::new();
    let none = RuleBook::load(Vec::new()).unwrap();
    let unread = classify(&world, event("e1", "PutUserPolicy", omitted()), &none).unwrap();
    assert!(matches!(unread, ClassifyOutput::NeedsPerson { .. }), "{unread:?}");
    let mut refused = event("e2", "PutUserPolicy", omitted());
    refused["detail"]["errorCode"] = json!("AccessDenied");
    assert_eq!(classify(&world, refused, &none).unwrap(), ClassifyOutput::Ignored);
}

#[test]
fn attack_9_iam_is_not_read_for_an_event_that_anybody_can_send() {
    let world = World::new();
    let mut forged =
        event("e1", "PutUserPolicy", json!({"userName": "iam-test-bob", "policyName": "x", "policyDocument": omitted()}));
    forged["source"] = json!("my.app");
    drop(classify(&world, forged, &rules()));
    assert!(world.heard.policies_read.lock().unwrap().is_empty());
}
