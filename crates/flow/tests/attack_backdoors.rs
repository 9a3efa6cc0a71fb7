//! Attacks on the word `contained`: what the event gave still stands, or the actor is not stopped, and the incident would end as if
//! it were over. Each one is played against the shipped rules.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::{CheckInput, ClassifyInput, ClassifyOutput, RemediateOutput};
use cordon_core::{IncidentId, Outcome, Principal, PrincipalKind, Route};
use cordon_flow::classify::Classify;
use cordon_respond::deny;
use cordon_testkit::fake_iam::inline_quota;
use cordon_testkit::run;
use serde_json::{Value, json};
use support::asking::{apply, mallory, verify};
use support::merging::{self, approve, ask, carried_out, user};
use support::shipped::shipped;
use support::{ACCOUNT, ADMIN_POLICY, World, by, event};

/// The shipped rules judge an event.
fn classified(world: &World, event: Value) -> ClassifyOutput {
    let execution = format!("x-{}", event["detail"]["eventID"].as_str().or(event["id"].as_str()).unwrap());
    run(Classify { rules: shipped(), ..world.classify() }.run(ClassifyInput { event, execution })).unwrap()
}

/// An incident that was checked.
fn checked(world: &World, event: Value) -> (IncidentId, Route) {
    let output = classified(world, event);
    let ClassifyOutput::Opened { incident } = output else { panic!("not opened: {output:?}") };
    let route = run(world.check().run(CheckInput { incident: incident.clone() })).unwrap().route;
    (incident, route)
}

/// The end after an approval. `meanwhile` is what somebody does while people decide.
fn end(world: &World, event: Value, meanwhile: impl FnOnce(&World)) -> (Outcome, IncidentId) {
    let (incident, route) = checked(world, event);
    assert_eq!(route, Route::Ask, "{:?}", world.stored(&incident).assessment);
    ask(world, &incident);
    meanwhile(world);
    approve(world, &incident);
    (carried_out(world, &incident), incident)
}

/// The end is `partial`, and a sentence says why.
#[track_caller]
fn partial(world: &World, (outcome, incident): (Outcome, IncidentId), says: &str) {
    let assessment = world.stored(&incident).assessment;
    let told: Vec<&String> = assessment.plan.by_hand.iter().chain(&assessment.remaining).collect();
    assert_eq!(outcome, Outcome::Partial, "{says}: {assessment:#?}");
    assert!(told.iter().any(|told| told.contains(says)), "{says}: {told:#?}");
}

fn of(service: &str, id: &str, name: &str, parameters: Value) -> Value {
    let mut event = event(id, name, parameters);
    event["source"] = json!(format!("aws.{service}"));
    event["detail"]["eventSource"] = json!(format!("{service}.amazonaws.com"));
    event
}

/// Renames a user or group, and Cordon is told.
fn rename(world: &World, from: &Principal, to: &str, id: &str) -> Principal {
    let mut state = world.iam.state();
    let mut entity = state.principals.remove(&(from.kind, from.name.clone())).unwrap();
    entity.arn = format!("arn:aws:iam::{ACCOUNT}:{}/{to}", from.kind);
    state.principals.insert((from.kind, to.into()), entity);
    world.iam.restore(state);
    let (call, parameters) = match from.kind {
        PrincipalKind::Group => ("UpdateGroup", json!({"groupName": from.name, "newGroupName": to})),
        PrincipalKind::User | PrincipalKind::Role => ("UpdateUser", json!({"userName": from.name, "newUserName": to})),
    };
    let mut event = event(id, call, parameters);
    event["detail"]["eventTime"] = json!("2026-01-02T03:04:01Z");
    classified(world, event);
    Principal::new(from.kind, from.account.clone(), to)
}

#[test]
fn a_call_that_no_matched_rule_undoes_is_not_contained_because_its_actor_is_stopped() {
    let policy = format!("arn:aws:iam::{ACCOUNT}:policy/p");
    for (event, says) in [
        (of("cloudtrail", "e", "StopEventDataStoreIngestion", json!({"eventDataStore": "eds"})), "StopEventDataStoreIngestion"),
        (event("e", "SetDefaultPolicyVersion", json!({"policyArn": policy, "versionId": "v1"})), "SetDefaultPolicyVersion"),
        (
            event("e", "CreateServiceSpecificCredential", json!({"userName": "iam-test-bob", "serviceName": "bedrock"})),
            "CreateServiceSpecificCredential",
        ),
        (
            event("e", "UpdateAccessKey", json!({"userName": "iam-test-bob", "accessKeyId": "AKIAOLD", "status": "Active"})),
            "UpdateAccessKey",
        ),
        (event("e", "AddUserToGroup", json!({"userName": "iam-test-bob", "groupName": "staff"})), "AddUserToGroup"),
        (
            of(
                "sso",
                "e",
                "DeletePermissionsBoundaryFromPermissionSet",
                json!({"permissionSetArn": "arn:aws:sso:::permissionSet/x/y"}),
            ),
            "DeletePermissionsBoundaryFromPermissionSet",
        ),
    ] {
        let world = World::new();
        world.iam.add_user("iam-test-bob");
        partial(&world, end(&world, event, |_| {}), says);
    }
}

const TRAIL: &str = "arn:aws:cloudtrail:us-east-1:111111111111:trail/iam-test-audit";

#[test]
fn a_trail_that_was_narrowed_is_not_contained_because_it_logs() {
    let world = World::new();
    world.iam.add_trail("iam-test-audit", true, None);
    let narrowed = of("cloudtrail", "e", "UpdateTrail", json!({"name": "iam-test-audit", "isMultiRegionTrail": false}));
    partial(&world, end(&world, narrowed, |_| {}), TRAIL);
}

#[test]
fn a_trail_that_was_deleted_and_made_again_is_not_contained_because_it_logs() {
    let world = World::new();
    world.iam.add_trail("iam-test-audit", true, None);
    partial(&world, end(&world, of("cloudtrail", "e", "DeleteTrail", json!({"name": TRAIL})), |_| {}), TRAIL);
}

#[test]
fn selectors_that_were_narrowed_twice_are_not_contained_because_the_first_ones_are_gone() {
    let world = World::new();
    let set = |id: &str, parameters: Value| of("cloudtrail", id, "PutEventSelectors", parameters);
    let wide = json!([{"includeManagementEvents": true, "readWriteType": "All"}]);
    let mut before = set("before", json!({"trailName": "iam-test-audit", "eventSelectors": wide}));
    before["detail"]["eventTime"] = json!("2025-12-01T00:00:00Z");
    let before = by("operator", before);
    classified(&world, before);
    let second = r#"{"advancedEventSelectors":[{"fieldSelectors":[{"field":"eventCategory","equals":["Management"]},{"field":"eventSource","equals":["x"]}]}]}"#;
    world.iam.add_trail("iam-test-audit", true, Some(second));
    let narrow = json!([{"includeManagementEvents": false, "readWriteType": "All"}]);
    let event = set("e", json!({"trailName": "iam-test-audit", "eventSelectors": narrow}));
    partial(&world, end(&world, event, |_| {}), TRAIL);
}

#[test]
fn a_user_who_was_renamed_and_replaced_by_another_is_not_contained_because_that_one_has_nothing() {
    for decoy_has_it in [false, true] {
        for late in [false, true] {
            let world = World::new();
            let bob = world.iam.add_user("iam-test-bob");
            let decoy = world.iam.add_user("iam-test-decoy");
            world.iam.attach(&bob, ADMIN_POLICY);
            if decoy_has_it {
                world.iam.attach(&decoy, ADMIN_POLICY);
            }
            let swap = |world: &World| {
                rename(world, &bob, "iam-test-bob2", "r1");
                rename(world, &decoy, "iam-test-bob", "r2");
            };
            let attach = event("e", "AttachUserPolicy", json!({"userName": "iam-test-bob", "policyArn": ADMIN_POLICY}));
            if !late {
                swap(&world);
            }
            let ended = end(&world, attach, |world| {
                if late {
                    swap(world);
                }
            });
            assert!(world.iam.entity(&user("iam-test-bob2")).unwrap().attached.contains(ADMIN_POLICY), "the backdoor stands");
            assert_eq!(ended.0, Outcome::Partial, "{decoy_has_it} {late}");
        }
    }
}

#[test]
fn a_group_that_was_renamed_is_not_left_because_nobody_is_in_one_of_the_old_name() {
    for late in [false, true] {
        let world = World::new();
        let bob = world.iam.add_user("iam-test-bob");
        let admins = world.iam.add_group("iam-test-admins");
        world.iam.join(&bob, "iam-test-admins");
        let swap = |world: &World| {
            rename(world, &admins, "iam-test-staff", "r1");
            world.iam.change(&bob, |bob| bob.groups = ["iam-test-staff".to_owned()].into());
        };
        if !late {
            swap(&world);
        }
        let joined = event("e", "AddUserToGroup", json!({"userName": "iam-test-bob", "groupName": "iam-test-admins"}));
        let ended = end(&world, joined, |world| {
            if late {
                swap(world);
            }
        });
        assert_eq!(world.iam.entity(&bob).unwrap().groups.len(), 1, "the backdoor stands");
        partial(&world, ended, "another name");
    }
}

#[test]
fn a_key_that_was_made_while_people_decided_is_not_left_under_contained() {
    let world = World::new();
    world.iam.add_key(&mallory(), "AKIAONE", "2026-01-01T00:00:00Z");
    let mut notice = json!({"source": "aws.health", "detail-type": "AWS Health Event", "account": ACCOUNT, "id": "h1",
        "time": "2026-01-02T03:04:00Z", "region": "us-east-1", "resources": ["AKIAONE"],
        "detail": {"eventArn": "arn:aws:health:us-east-1::event/RISK/AWS_RISK_CREDENTIALS_EXPOSED/x", "service": "RISK",
            "eventTypeCode": "AWS_RISK_CREDENTIALS_EXPOSED", "eventTypeCategory": "issue", "statusCode": "open",
            "startTime": "Fri, 02 Jan 2026 03:04:00 GMT", "affectedEntities": [{"entityValue": "AKIAONE"}, {"entityValue": "iam-test-mallory"}]}});
    notice["detail"]["affectedEntities"] = json!([{"entityValue": "AKIAONE", "tags": {}}]);
    notice["detail"]["eventMetadata"] = json!({"publicKey": "AKIAONE", "userName": "iam-test-mallory"});
    let ended = end(&world, notice, |world| world.iam.add_key(&mallory(), "AKIATWO", "2026-01-02T03:10:00Z"));
    assert!(world.iam.entity(&mallory()).unwrap().keys.values().any(|key| key.active), "the backdoor stands");
    partial(&world, ended, "AKIATWO");
}

#[test]
fn a_deny_that_somebody_else_had_put_on_and_took_off_again_stops_nobody() {
    let world = World::new();
    world.iam.add_trail("iam-test-audit", false, None);
    world.iam.put_inline(&mallory(), "full", &"x".repeat(inline_quota(PrincipalKind::User)));
    world.iam.attach(&mallory(), deny::AWS_DENY_ALL);
    let stopped = of("cloudtrail", "e", "StopLogging", json!({"name": TRAIL}));
    let ended = end(&world, stopped, |world| world.iam.detach(&mallory(), deny::AWS_DENY_ALL));
    assert!(!world.iam.entity(&mallory()).unwrap().attached.contains(deny::AWS_DENY_ALL), "the actor is not stopped");
    partial(&world, ended, "deny-all");
}

#[test]
fn a_long_term_key_that_guardduty_knows_to_be_stolen_is_off_in_the_end() {
    let world = World::new();
    world.iam.add_key(&mallory(), "AKIAONE", "2026-01-01T00:00:00Z");
    let finding = json!({"source": "aws.guardduty", "detail-type": "GuardDuty Finding", "account": ACCOUNT, "id": "g1",
        "time": "2026-01-02T03:04:00Z", "region": "us-east-1",
        "detail": {"schemaVersion": "2.0", "accountId": ACCOUNT, "region": "us-east-1", "id": "f1", "type": "CredentialAccess:IAMUser/CompromisedCredentials",
            "severity": 8, "resource": {"resourceType": "AccessKey", "accessKeyDetails": {"accessKeyId": "AKIAONE", "principalId": "AIDA00000000000000001",
                "userName": "iam-test-mallory", "userType": "IAMUser"}},
            "service": {"eventLastSeen": "2026-01-02T03:04:00Z", "archived": false, "action": {}}}});
    let (outcome, incident) = end(&world, finding, |_| {});
    assert!(!world.iam.entity(&mallory()).unwrap().keys["AKIAONE"].active, "{:#?}", world.stored(&incident).assessment.plan);
    assert_eq!(outcome, Outcome::Contained);
}

#[test]
fn a_session_that_was_taken_with_a_key_that_had_been_switched_on_again_is_denied_too() {
    let world = World::new();
    let bob = world.iam.add_user("iam-test-bob");
    world.iam.add_key(&bob, "AKIANEW", "2026-01-02T03:04:00Z");
    let incident = merging::opened(&world, event("e", "CreateAccessKey", json!({"userName": "iam-test-bob"})));
    merging::check(&world, &incident);
    ask(&world, &incident);
    approve(&world, &incident);
    assert_eq!(apply(&world, &incident), Ok(RemediateOutput::Applied));
    // Somebody takes a session in between.
    world.clock.pass(300);
    world.iam.change(&bob, |bob| bob.keys.get_mut("AKIANEW").unwrap().active = true);
    let mut reads = 0;
    while verify(&world, &incident) == Ok(RemediateOutput::Again) {
        reads += 1;
        assert!(reads < 4, "as often as the state machine reads again");
        world.clock.pass(5);
    }
    assert_eq!(verify(&world, &incident), Ok(RemediateOutput::Contained));
    let bob = world.iam.entity(&bob).unwrap();
    assert!(!bob.keys["AKIANEW"].active);
    let off_at = "2026-01-02T03:09:05Z".parse::<jiff::Timestamp>().unwrap();
    let enforced = off_at + jiff::SignedDuration::from_mins(1);
    assert!(bob.inline.values().any(|document| *document == deny::sessions_document(enforced)), "{:?}", bob.inline);
}
