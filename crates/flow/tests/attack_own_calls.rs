//! Attacks with Cordon's own roles: only what a step of a stored plan announced is Cordon's, and all else is graver than usual.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::{ClassifyInput, ClassifyOutput, NotifyInput, RemediateInput};
use cordon_core::pattern::Pattern;
use cordon_core::{Call, Level};
use cordon_flow::classify::Classify;
use cordon_testkit::run;
use serde_json::{Value, json};
use support::{ACCOUNT, ADMIN_POLICY, CONFIG, World, attach, by_role, event};

fn classified(world: &World, event: Value) -> ClassifyOutput {
    let own = [
        Pattern::new(&format!("arn:aws:iam::{ACCOUNT}:role/cordon-remediate")),
        Pattern::new("arn:aws:iam::*:role/cordon-spoke"),
    ];
    let execution = event["detail"]["eventID"].as_str().unwrap().to_owned();
    run(Classify { own: &own, ..world.classify() }.run(ClassifyInput { event, execution })).unwrap()
}

fn ours(id: &str, name: &str, parameters: Value) -> Value {
    by_role("cordon-remediate", "s", event(id, name, parameters))
}

/// The event of a call that Cordon made, as CloudTrail tells it.
fn event_of(id: &str, call: &Call) -> Value {
    let mut parameters = json!({});
    for (name, value) in &call.parameters {
        let (first, rest) = name.split_at(1);
        parameters[format!("{}{rest}", first.to_lowercase())] = json!(value);
    }
    ours(id, call.action.rsplit(':').next().unwrap(), parameters)
}

fn is_misuse(world: &World, output: &ClassifyOutput) -> bool {
    let ClassifyOutput::Opened { incident } = output else { return false };
    let stored = world.stored(incident);
    stored.severity == Level::Critical
        && stored.detections[0].rule.as_str() == "cordon-role-misused"
        && stored.detections[0].response.is_none()
}

#[test]
fn attack_14_the_shape_of_a_remedys_call_makes_it_none() {
    for (n, (name, parameters)) in [
        ("PutUserPolicy", json!({"userName": "u", "policyName": "CordonDenyAll-inc-1", "policyDocument": "{}"})),
        ("AttachUserPolicy", json!({"userName": "u", "policyArn": "arn:aws:iam::aws:policy/AWSDenyAll"})),
        ("UpdateAccessKey", json!({"userName": "u", "accessKeyId": "AKIA1", "status": "Inactive"})),
        ("UpdateAssumeRolePolicy", json!({"roleName": "r", "policyDocument": "{}"})),
        ("DeleteRolePermissionsBoundary", json!({"roleName": "r"})),
        ("SetDefaultPolicyVersion", json!({"policyArn": "p", "versionId": "v1"})),
        ("DetachUserPolicy", json!({"userName": "u", "policyArn": "p"})),
        ("TagUser", json!({"userName": "u", "tags": [{"key": "SecurityApproved", "value": "true"}]})),
        ("CreateAccessKey", json!({"userName": "u"})),
    ]
    .into_iter()
    .enumerate()
    {
        let world = World::new();
        let output = classified(&world, ours(&format!("e{n}"), name, parameters.clone()));
        assert!(is_misuse(&world, &output), "{name}: {output:?}");
        let stranger = by_role("cordon-remediate2", "s", event("s", name, parameters));
        assert!(!is_misuse(&world, &classified(&world, stranger)), "{name} by a role of no deployment");
    }
    let world = World::new();
    let mut read = ours("r", "ListAttachedUserPolicies", json!({"userName": "u"}));
    read["detail"]["readOnly"] = json!(true);
    assert_eq!(classified(&world, read), ClassifyOutput::Ignored);
}

#[test]
fn attack_14_only_the_announced_call_with_its_target_and_document_in_its_account_is_ours() {
    let world = World::with(&format!("{CONFIG}\n[gates]\nauto = [\"admin-attached\"]\n"));
    let (incident, _) = world.checked(attach("e"));
    let calls: Vec<Call> = world.stored(&incident).assessment.plan.steps.iter().flat_map(|step| step.calls.clone()).collect();
    assert!(calls.len() >= 2 && calls.iter().any(|call| call.parameters.iter().any(|(name, _)| name == "PolicyDocument")));
    // Planned, and not yet about to be made.
    for (n, call) in calls.iter().enumerate() {
        assert!(is_misuse(&world, &classified(&world, event_of(&format!("before{n}"), call))), "{call}");
    }
    run(world.notify().run(NotifyInput::Acting { incident: incident.clone() })).unwrap();
    run(world.remediate().run(RemediateInput::Apply { incident: incident.clone() })).unwrap();
    for (n, call) in calls.iter().enumerate() {
        assert_eq!(classified(&world, event_of(&format!("made{n}"), call)), ClassifyOutput::Ignored, "{call}");
        let altered = |name: &str, change: fn(&mut Value)| {
            let mut event = event_of(&format!("{name}{n}"), call);
            change(&mut event);
            event
        };
        let others = [
            altered("target", |event| event["detail"]["requestParameters"]["userName"] = json!("somebody-else")),
            altered("document", |event| event["detail"]["requestParameters"]["policyDocument"] = json!("{\"Statement\":[]}")),
            altered("late", |event| event["detail"]["eventTime"] = json!("2026-01-02T09:00:00Z")),
        ];
        for other in others {
            // A second one may join the incident of the first.
            let output = classified(&world, other.clone());
            assert_ne!(output, ClassifyOutput::Ignored, "{}", other["detail"]["eventID"]);
        }
        // The same call by the role of that name in an account where nothing was announced.
        let mut elsewhere = by_role("cordon-spoke", "s", event_of(&format!("elsewhere{n}"), call));
        let text = elsewhere.to_string().replace(ACCOUNT, "222222222222");
        elsewhere = serde_json::from_str(&text).unwrap();
        assert!(is_misuse(&world, &classified(&world, elsewhere)), "{call} elsewhere");
    }
}

#[test]
fn attack_14_what_an_undo_makes_is_announced_too_and_a_dry_run_announces_nothing() {
    let world = World::with(&format!("{CONFIG}\n[gates]\nauto = [\"admin-attached\"]\n"));
    let (incident, _) = world.checked(attach("e"));
    world.carried_out(&incident);
    let undo: Vec<Call> = world.stored(&incident).assessment.plan.steps.iter().flat_map(|step| step.undo.clone()).collect();
    let undoing = cordon_flow::undo::Undo { store: world.store(), accounts: &world.accounts, clock: &world.clock };
    run(undoing.run(&incident, "cordon", None, true)).unwrap();
    for (n, call) in undo.iter().enumerate() {
        assert!(is_misuse(&world, &classified(&world, event_of(&format!("dry{n}"), call))), "{call}");
    }
    run(undoing.run(&incident, "cordon", None, false)).unwrap();
    for (n, call) in undo.iter().enumerate() {
        assert_eq!(classified(&world, event_of(&format!("undo{n}"), call)), ClassifyOutput::Ignored, "{call}");
    }
    let again = ours("again", "AttachUserPolicy", json!({"userName": "iam-test-other", "policyArn": ADMIN_POLICY}));
    assert!(is_misuse(&world, &classified(&world, again)));
}
