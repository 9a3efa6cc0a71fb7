//! Two events one after the other: classified by a rule that undoes, asked about, approved, carried out.

use cordon_contract::{CheckInput, ClassifyInput, ClassifyOutput, NotifyInput, RemediateInput, RemediateOutput, WaitInput};
use cordon_core::{Detection, IncidentId, Level, Outcome, Principal, PrincipalKind, RemedyKind, Response, Route};
use cordon_detect::enrich::Documents;
use cordon_flow::approver::Voter;
use cordon_flow::classify::{Classify, Rules};
use cordon_flow::decide::Choice;
use cordon_testkit::run;
use serde_json::{Value, json};

use super::{ACCOUNT, APPROVER, World, event};

/// A rule for each of the calls below, with what undoes it.
pub struct Undoing;

impl Rules for Undoing {
    fn evaluate(&self, record: &Value, _: &Documents) -> Vec<Detection> {
        let revert = match record["eventName"].as_str() {
            Some("PutRolePolicy" | "PutUserPolicy") => RemedyKind::RemoveInlinePolicy,
            Some("CreateAccessKey") => RemedyKind::DeactivateAccessKey,
            Some("AddUserToGroup") => RemedyKind::RemoveFromGroup,
            Some("StopLogging") => RemedyKind::RestartLogging,
            Some("AttachUserPolicy") => RemedyKind::DetachPolicy,
            Some("UpdateAssumeRolePolicy") => RemedyKind::RestoreTrustPolicy,
            _ => return Vec::new(),
        };
        let response =
            Response { revert: vec![revert], contain: vec![RemedyKind::DenyIam], gate: Default::default(), exceptions: vec![] };
        vec![Detection {
            rule: "undoing".parse().unwrap(),
            title: "Undoing".to_owned(),
            author: "Test".to_owned(),
            level: Level::High,
            description: "It is dangerous.".to_owned(),
            tags: vec![],
            response: Some(response),
        }]
    }
}

pub fn classified(world: &World, event: Value) -> ClassifyOutput {
    let execution = format!("x-{}", event["detail"]["eventID"].as_str().unwrap());
    run(Classify { rules: &Undoing, ..world.classify() }.run(ClassifyInput { event, execution })).unwrap()
}

/// Cordon saw the role being made, by somebody else, so that it is known that nothing stood there before.
pub fn seen_made(world: &World, role: &str) {
    let mut made = event("made", "CreateRole", json!({"roleName": role, "assumeRolePolicyDocument": "{}"}));
    made["detail"]["userIdentity"]["userName"] = json!("operator");
    made["detail"]["userIdentity"]["arn"] = json!(format!("arn:aws:iam::{ACCOUNT}:user/operator"));
    assert_eq!(classified(world, made), ClassifyOutput::Ignored);
}

#[track_caller]
pub fn opened(world: &World, event: Value) -> IncidentId {
    let output = classified(world, event);
    let ClassifyOutput::Opened { incident } = output else { panic!("not an incident of its own: {output:?}") };
    incident
}

#[track_caller]
pub fn merged(world: &World, event: Value) -> IncidentId {
    let output = classified(world, event);
    let ClassifyOutput::Merged { incident } = output else { panic!("not merged: {output:?}") };
    incident
}

pub fn check(world: &World, incident: &IncidentId) -> Route {
    run(world.check().run(CheckInput { incident: incident.clone() })).unwrap().route
}

pub fn ask(world: &World, incident: &IncidentId) {
    let task_token = format!("token-{incident}");
    let ask = WaitInput::Ask { incident: incident.clone(), task_token, timeout_seconds: 600, last: true };
    run(world.wait().run(ask)).unwrap();
}

pub fn approve(world: &World, incident: &IncidentId) {
    let answer = run(world.decide().run(incident, Voter::Slack(APPROVER), Choice::Approve, None)).unwrap();
    assert!(answer.counts(), "{answer:?}");
}

/// Applies, verifies and closes as the state machine does.
pub fn carried_out(world: &World, incident: &IncidentId) -> Outcome {
    run(world.remediate().run(RemediateInput::Apply { incident: incident.clone() })).unwrap();
    for _ in 0..4 {
        let outcome = match run(world.remediate().run(RemediateInput::Verify { incident: incident.clone() })).unwrap() {
            RemediateOutput::Again => continue,
            RemediateOutput::Contained => Outcome::Contained,
            _ => Outcome::Partial,
        };
        run(world.notify().run(NotifyInput::Outcome { incident: incident.clone(), outcome })).unwrap();
        return outcome;
    }
    panic!("a verification never ended")
}

/// Checks, asks, approves and carries out.
pub fn approved_and_carried_out(world: &World, incident: &IncidentId) -> Outcome {
    assert_eq!(check(world, incident), Route::Ask);
    ask(world, incident);
    approve(world, incident);
    carried_out(world, incident)
}

pub fn user(name: &str) -> Principal {
    Principal::new(PrincipalKind::User, ACCOUNT.parse().unwrap(), name)
}

pub const MALLORY: &str = "iam-test-mallory";

/// Both are asked about, and approving both leaves nothing; before, the second one was merged, and stood under `contained`.
#[track_caller]
pub fn each_is_asked_about(world: &World, events: [Value; 2], stands: impl Fn(&World, usize) -> bool) {
    let incidents = events.map(|event| opened(world, event));
    assert_ne!(incidents[0], incidents[1]);
    for (n, incident) in incidents.iter().enumerate() {
        assert!(stands(world, n), "{n} is there before");
        assert_eq!(approved_and_carried_out(world, incident), Outcome::Contained);
        assert!(!stands(world, n), "{n} is gone");
    }
}
