//! Attacks on what a containment keeps: sessions of what was switched off, quotas that were filled beforehand.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;

use cordon_contract::{ClassifyInput, ClassifyOutput, RemediateOutput};
use cordon_core::{Detection, Gate, IncidentId, Level, Log, Principal, PrincipalKind, Purpose, RemedyKind, Response};
use cordon_detect::enrich::Facts;
use cordon_detect::{Expected, RuleBook, RuleSource};
use cordon_flow::classify::{Classify, Rules};
use cordon_flow::decide::Choice;
use cordon_respond::sessions::{Sessions, sessions};
use cordon_respond::{deny, remedies};
use cordon_testkit::fake_iam::inline_quota;
use cordon_testkit::run;
use serde_json::{Value, json};
use support::asking::*;
use support::{ACCOUNT, APPROVER, World, event};

/// One rule that matches everything and asks for these remedies.
struct Asks {
    revert: Vec<RemedyKind>,
    contain: Vec<RemedyKind>,
}

impl Rules for Asks {
    fn evaluate(&self, _record: &Value, _facts: &Facts) -> Vec<Detection> {
        let response =
            Response { revert: self.revert.clone(), contain: self.contain.clone(), gate: Gate::Ask, exceptions: vec![] };
        vec![Detection {
            rule: "rule".parse().unwrap(),
            title: "A rule".to_owned(),
            author: "Test".to_owned(),
            level: Level::High,
            description: String::new(),
            tags: vec![],
            response: Some(response),
        }]
    }
}

fn asks(revert: &[RemedyKind], contain: &[RemedyKind]) -> Asks {
    Asks { revert: revert.to_vec(), contain: contain.to_vec() }
}

fn user(name: &str) -> Principal {
    Principal::new(PrincipalKind::User, ACCOUNT.parse().unwrap(), name)
}

/// An incident that was checked and asked about.
fn asked_for(world: &World, rules: &Asks, event: Value) -> IncidentId {
    let execution = format!("execution-{}", event["detail"]["eventID"]);
    let output = run(Classify { rules, ..world.classify() }.run(ClassifyInput { event, execution })).unwrap();
    let ClassifyOutput::Opened { incident } = output else { panic!("not opened: {output:?}") };
    run(world.check().run(cordon_contract::CheckInput { incident: incident.clone() })).unwrap();
    ask(world, &incident, &format!("token-{incident}"), false);
    incident
}

fn approve(world: &World, incident: &IncidentId) {
    click(world, incident, APPROVER, Choice::Approve);
}

fn shipped() -> RuleBook {
    fn sources(folder: &Path, found: &mut Vec<RuleSource>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "yml") {
                found.push(RuleSource::new(path.to_string_lossy(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules"), &mut found);
    RuleBook::load(found).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// Over every shipped rule, every event that it has a case for, and every remedy that would be taken.
#[test]
fn attack_5_no_shipped_rule_switches_a_credential_off_and_leaves_its_sessions() {
    let book = shipped();
    let mut seen = 0;
    for rule in book.rules().iter().filter(|rule| rule.log == Log::CloudTrail) {
        let Some(response) = rule.detection().response else { continue };
        for case in rule.cases.iter().filter(|case| case.expected == Expected::Hit) {
            let call = case.event["eventName"].as_str().unwrap_or_default();
            let reverted = response.revert.iter().filter(|remedy| remedies::remedy(**remedy).answers().to(call));
            for remedy in response.contain.iter().chain(reverted) {
                let reason = match sessions(*remedy) {
                    Sessions::Untouched(reason) | Sessions::Denied(reason) => reason,
                    Sessions::DeniedBy(deny) => {
                        seen += 1;
                        assert!(matches!(sessions(deny), Sessions::Denied(_)), "{}: `{remedy}` goes with `{deny}`", rule.id);
                        continue;
                    }
                };
                assert!(!reason.is_empty(), "{}: `{remedy}`", rule.id);
            }
        }
    }
    assert!(seen > 0);
}

#[test]
fn attack_5_a_session_of_a_created_key_is_denied_also_where_it_was_taken_while_people_decided() {
    let world = World::new();
    let victim = world.iam.add_user("iam-test-victim");
    world.iam.add_key(&victim, "AKIANEW", "2026-01-02T03:04:00Z");
    let made = event("e", "CreateAccessKey", json!({"userName": "iam-test-victim"}));
    let incident = asked_for(&world, &asks(&[RemedyKind::DeactivateAccessKey], &[RemedyKind::DenyIam]), made);
    world.clock.pass(300);
    approve(&world, &incident);
    assert_eq!(apply(&world, &incident), Ok(RemediateOutput::Applied));
    assert_eq!(verify(&world, &incident), Ok(RemediateOutput::Contained));
    let user = world.iam.entity(&victim).unwrap();
    assert!(!user.keys["AKIANEW"].active);
    assert!(
        user.inline.values().any(|document| *document == deny::sessions_document("2026-01-02T03:10:05Z".parse().unwrap())),
        "{:?}",
        user.inline
    );
}

#[test]
fn attack_5_sessions_of_a_created_user_and_role_are_denied() {
    let rules = asks(&[RemedyKind::DisableCreatedPrincipal], &[]);
    for (call, kind) in [("CreateUser", PrincipalKind::User), ("CreateRole", PrincipalKind::Role)] {
        let world = World::new();
        let made = world.iam.add(kind, "/", "iam-test-made");
        let parameters = json!({format!("{kind}Name"): "iam-test-made"});
        let incident = asked_for(&world, &rules, event("e", call, parameters));
        approve(&world, &incident);
        assert_eq!(apply(&world, &incident), Ok(RemediateOutput::Applied));
        let entity = world.iam.entity(&made).unwrap();
        assert!(entity.inline.values().any(|document| document == deny::ALL_DOCUMENT), "{call}: {entity:?}");
    }
}

#[test]
fn attack_6_a_password_is_made_useless_and_sessions_end_where_the_victims_quotas_are_full() {
    for (remedy, call) in
        [(RemedyKind::DisableLoginProfile, "CreateLoginProfile"), (RemedyKind::DeactivateAccessKey, "CreateAccessKey")]
    {
        for attached_too in [false, true] {
            let world = World::new();
            let victim = world.iam.add_user("iam-test-victim");
            world.iam.change(&victim, |user| user.login_profile = true);
            world.iam.add_key(&victim, "AKIANEW", "2026-01-02T03:04:00Z");
            world.iam.put_inline(&victim, "full", &"x".repeat(inline_quota(PrincipalKind::User) - 10));
            if attached_too {
                (0..10).for_each(|n| world.iam.attach(&victim, &format!("arn:aws:iam::{ACCOUNT}:policy/p{n}")));
            }
            let made = event("e", call, json!({"userName": "iam-test-victim"}));
            let incident = asked_for(&world, &asks(&[remedy], &[]), made);
            let plan = world.stored(&incident).assessment.plan;
            assert_eq!(plan.by_hand, [""; 0], "{plan:?}");
            assert!(plan.steps.iter().all(|step| step.purpose == Purpose::Revert));
            approve(&world, &incident);
            assert_eq!(apply(&world, &incident), Ok(RemediateOutput::Applied));
            assert_eq!(verify(&world, &incident), Ok(RemediateOutput::Contained));
            let entity = world.iam.entity(&user("iam-test-victim")).unwrap();
            let boundary = entity.boundary.as_deref() == Some(deny::AWS_DENY_ALL);
            assert_eq!((entity.attached.contains(deny::AWS_DENY_ALL), boundary), (!attached_too, attached_too), "{remedy}");
        }
    }
}
