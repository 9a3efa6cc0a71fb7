//! Attacks by whoever administers one account of the organisation, with the finished code at hand and the forwarder's own name: no
//! event of theirs changes anything in another account, accuses anybody there in a way that is acted on, or takes the place of a
//! true event.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::{ClassifyInput, ClassifyOutput, NotifyInput, RemediateInput};
use cordon_core::{IncidentId, Route};
use cordon_flow::classify::Classify;
use cordon_testkit::run;
use serde_json::{Value, json};
use support::merging::user;
use support::spoke::*;
use support::{ACCOUNT, ADMIN_POLICY, CONFIG, World, attach, by, by_role, event, made_at};

/// It alerts, plans nothing, is refused at the last gate, and says why on the timeline and on the card.
#[track_caller]
fn only_alerts(world: &World, incident: &IncidentId, why: &str) {
    let (route, stored) = checked(world, incident);
    assert_eq!(route, Route::Alert, "{why}");
    assert!(stored.assessment.plan.steps.is_empty(), "{why}");
    assert!(stored.event.distrust.is_some(), "{why}");
    assert_eq!(stored.assessment.blast_radius, None, "{why}: nothing is gathered about whom it accuses");
    let reason = stored.assessment.decision.unwrap().decision_reason;
    assert!(reason.contains(why), "{why}: {reason}");
    let first = run(world.store().timeline(incident)).unwrap().remove(0);
    assert!(first.data["not_believed"].as_str().unwrap().contains(why), "{why}: {:?}", first.data);
    assert!(run(world.remediate().run(RemediateInput::Apply { incident: incident.clone() })).is_err(), "{why}");
    run(world.notify().run(NotifyInput::Alert { incident: incident.clone() })).unwrap();
    let card = world.heard.posts.lock().unwrap().last().unwrap().to_value().to_string();
    let shown = why.replace('`', "");
    assert!(card.replace('`', "").contains(&shown), "{why}: {card}");
    assert!(world.iam.writes().is_empty(), "{why}");
}

/// The reason that people read, and what is forged.
type Forgery = (&'static str, fn(&mut Value));

/// What the administrator of the spoke can bring onto the hub's bus about another account, with the reason that people read. Each
/// starts from what AWS would send about [`ACCOUNT`].
fn forgeries() -> Vec<Forgery> {
    vec![
        // PutEvents takes any source but `aws.*`.
        ("`com.example.app`", |event| event["source"] = json!("com.example.app")),
        ("`iam.amazonaws.com`", |event| event["source"] = json!("iam.amazonaws.com")),
        ("`AWS.iam`", |event| event["source"] = json!("AWS.iam")),
        ("a partner sent it", |event| event["source"] = json!("aws.partner/example.com/222222222222/iam")),
        ("Cordon's own names", |event| event["source"] = json!("cordon")),
        ("Cordon's own names", |event| event["source"] = json!("cordon.sandbox")),
        ("Cordon's own names", |event| event["source"] = json!("cordon-forwarder")),
        // A rule with an input transformer: a bus takes none, and what another target puts again has a source of its own.
        ("`transformed`", |event| {
            event["source"] = json!("transformed");
            event["detail"]["source"] = json!("aws.iam");
        }),
        ("`none`", |event| drop(event.as_object_mut().unwrap().remove("source"))),
        // An event of the spoke's own, in which the record was altered.
        ("account 222222222222 sent it", |event| event["account"] = json!(SPOKE)),
        ("account 222222222222 sent it", |event| {
            event["account"] = json!(SPOKE);
            event["detail"]["userIdentity"]["accountId"] = json!(SPOKE);
        }),
        // A third account's, by way of the spoke's bus.
        ("account 333333333333 sent it", |event| event["account"] = json!("333333333333")),
        ("which account", |event| drop(event.as_object_mut().unwrap().remove("account"))),
        ("which account", |event| event["account"] = json!([ACCOUNT])),
        // A replay of an archive, whatever it is called.
        ("replay `nightly`", |event| event["replay-name"] = json!("nightly")),
        ("replay `cordon-redrive`", |event| event["replay-name"] = json!("cordon-redrive")),
        ("replay", |event| event["replay-name"] = json!(null)),
        // Another kind of event, in which somebody may choose the content.
        ("`Object Created`", |event| event["detail-type"] = json!("Object Created")),
        ("imported", |event| {
            event["source"] = json!("aws.securityhub");
            event["detail-type"] = json!("Security Hub Findings - Imported");
        }),
        ("`aws.s3` is not the service", |event| event["source"] = json!("aws.s3")),
    ]
}

fn forged(mut event: Value, change: fn(&mut Value)) -> Value {
    event["resources"] = json!([FORWARDER]);
    event["detail"]["invokedBy"] = json!(FORWARDER);
    change(&mut event);
    event
}

#[test]
fn attack_spoke_nothing_that_a_spoke_can_send_about_another_account_changes_anything_there_or_claims_a_true_event() {
    for (why, change) in forgeries() {
        let world = world();
        // It names itself by the id of a true event that is on its way, and by that event's call.
        let mut early = forged(attach("e"), change);
        early["detail"]["sharedEventID"] = json!("shared");
        let accused = opened(output(&world, &support::FakeRules, early.clone()));
        only_alerts(&world, &accused, why);
        assert_eq!(world.classified(early, "again"), ClassifyOutput::Duplicate { incident: accused.clone() }, "{why}");
        let mut true_one = attach("e");
        true_one["detail"]["sharedEventID"] = json!("shared");
        let incident = opened(output(&world, &support::FakeRules, true_one));
        assert_ne!(incident, accused, "{why}");
        let (route, stored) = checked(&world, &incident);
        assert_eq!((route, stored.event.distrust), (Route::Act, None), "{why}");
    }
}

#[test]
fn attack_spoke_a_forgery_after_the_true_event_joins_nothing_and_makes_no_old_event_new() {
    let of_call = |mut event: Value| {
        event["detail"]["sharedEventID"] = json!("shared");
        event
    };
    for (why, change) in forgeries() {
        let world = world();
        let incident = opened(output(&world, &support::FakeRules, of_call(made_at("2026-01-01T00:00:00Z", attach("e")))));
        // A copy from an archive is no news.
        let copy = world.classified(of_call(forged(attach("e"), change)), "copy");
        let is_replay = why.contains("replay");
        assert_eq!(copy == ClassifyOutput::Duplicate { incident: incident.clone() }, is_replay, "{why}: {copy:?}");
        let other = output(&world, &support::FakeRules, of_call(forged(attach("e2"), change)));
        assert!(!matches!(&other, ClassifyOutput::Merged { incident: into } if *into == incident), "{why}: {other:?}");
        assert!(world.joined(&incident).is_empty(), "{why}");
        let (route, stored) = checked(&world, &incident);
        assert_eq!(route, Route::Alert, "{why}");
        assert!(stored.assessment.decision.unwrap().decision_reason.contains("old"), "{why}");
    }
}

#[test]
fn attack_spoke_a_forgery_gives_or_takes_no_exception_and_is_no_call_of_cordons() {
    let tag = json!([{"key": "SecurityApproved", "value": "true"}]);
    for (why, change) in forgeries() {
        let world = world();
        let given = |id: &str| event(id, "TagUser", json!({"userName": "iam-test-mallory", "tags": tag}));
        output(&world, &support::FakeRules, made_at("2025-12-01T00:00:00Z", given("own")));
        output(&world, &support::FakeRules, forged(made_at("2025-12-02T00:00:00Z", by("alice", given("forged"))), change));
        world.iam.tag(&user("iam-test-mallory"), "SecurityApproved", "true");
        let incident = opened(output(&world, &support::FakeRules, attach("e")));
        assert_eq!(checked(&world, &incident).0, Route::Act, "{why}: mallory gave it, whatever the forgery says");

        let own = [cordon_core::pattern::Pattern::new(&format!("arn:aws:iam::{ACCOUNT}:role/cordon-remediate"))];
        let call = cordon_core::Call::new("iam:AttachUserPolicy", [("UserName", "alice"), ("PolicyArn", ADMIN_POLICY)]);
        let now = cordon_flow::ports::Clock::now(&world.clock);
        run(world.store().announce(Some(&ACCOUNT.parse().unwrap()), &[call], now)).unwrap();
        let made = by_role(
            "cordon-remediate",
            "s",
            event("o", "AttachUserPolicy", json!({"userName": "alice", "policyArn": ADMIN_POLICY})),
        );
        let classify = |event: Value| {
            let execution = event.to_string();
            run(Classify { own: &own, ..world.classify() }.run(ClassifyInput { event, execution })).unwrap()
        };
        assert!(matches!(classify(forged(made.clone(), change)), ClassifyOutput::Opened { .. }), "{why}");
        assert_eq!(classify(made), ClassifyOutput::Ignored, "{why}");
    }
}

// --- bursts ---

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

/// A call of the other account's role that was refused.
fn refused(n: usize) -> Value {
    let mut event = event(&format!("p{n}"), PROBED[n], json!({"userName": format!("iam-test-{n}")}));
    event["detail"]["errorCode"] = json!("AccessDenied");
    by_role("iam-test-deploy", "s", event)
}

fn by_shipped(world: &World, event: Value) -> ClassifyOutput {
    output(world, support::shipped::shipped(), event)
}

#[test]
fn attack_spoke_refusals_in_another_account_stop_no_role_and_fill_no_window_of_its_own() {
    let world = world();
    let spoke = with_spoke(&world);
    let role = world.iam.add_role("iam-test-deploy");
    let last = (0..PROBED.len()).map(|n| by_shipped(&world, seen_in_spoke(refused(n)))).last().unwrap();
    let burst = opened(last);
    let (route, stored) = checked(&world, &burst);
    assert_eq!((route, stored.account.unwrap().as_str()), (Route::Alert, SPOKE), "it is told, in the account where it was seen");
    assert!(stored.assessment.plan.steps.is_empty());
    // Nor does it take one more, of the role's own, to stop the role.
    let mut own = refused(0);
    own["detail"]["eventID"] = json!("own");
    assert_eq!(by_shipped(&world, own), ClassifyOutput::Ignored);
    assert!(world.iam.writes().is_empty() && spoke.writes().is_empty());
    assert!(world.iam.entity(&role).unwrap().inline.is_empty());
}

#[test]
fn attack_spoke_forged_refusals_complete_no_burst() {
    for (why, change) in forgeries() {
        let world = world();
        world.iam.add_role("iam-test-deploy");
        for n in 0..PROBED.len() - 1 {
            let output = by_shipped(&world, forged(refused(n), change));
            assert_eq!(output, ClassifyOutput::Ignored, "{why}");
        }
        assert_eq!(by_shipped(&world, refused(PROBED.len() - 1)), ClassifyOutput::Ignored, "{why}");
    }
}

/// A role of the other account does its work in many accounts. The spoke refuses it everything, and the role's own account records it.
#[test]
fn attack_spoke_refusals_that_the_spoke_decides_stop_nobody_and_a_roles_own_refusals_do() {
    let trap = |n: usize| {
        let secret = format!("arn:aws:secretsmanager:us-east-1:{SPOKE}:secret:trap");
        let calls = [
            "AssumeRole",
            "AssumeRoot",
            "GetSecretValue",
            "DescribeSecret",
            "PutSecretValue",
            "UpdateSecret",
            "TagResource",
            "DeleteSecret",
        ];
        let (service, parameters) = match calls[n] {
            "AssumeRole" => ("sts.amazonaws.com", json!({"roleArn": format!("arn:aws:iam::{SPOKE}:role/trap")})),
            "AssumeRoot" => ("sts.amazonaws.com", json!({"targetPrincipal": SPOKE})),
            _ => ("secretsmanager.amazonaws.com", json!({"secretId": secret})),
        };
        let mut event = by_role("iam-test-deploy", "s", event(&format!("t{n}"), calls[n], parameters));
        event["source"] = json!(
            service.replace(".amazonaws.com", "").replace("sts", "aws.sts").replace("secretsmanager", "aws.secretsmanager")
        );
        event["detail"]["eventSource"] = json!(service);
        event["detail"]["errorCode"] = json!("AccessDenied");
        event
    };
    let world = world();
    let role = world.iam.add_role("iam-test-deploy");
    let burst = opened((0..8).map(|n| by_shipped(&world, trap(n))).last().unwrap());
    let (route, stored) = checked(&world, &burst);
    assert_eq!((route, stored.event.distrust), (Route::Alert, None), "AWS is believed, and nobody is stopped");
    assert!(stored.assessment.plan.steps.is_empty() && world.iam.entity(&role).unwrap().inline.is_empty());
    // What its own account refused it still stops it.
    let burst = opened((0..8).map(|n| by_shipped(&world, refused(n))).last().unwrap());
    let (route, stored) = checked(&world, &burst);
    assert_eq!(route, Route::Act);
    assert!(stored.assessment.plan.calls().iter().any(|call| call.contains("iam-test-deploy")));
}

// --- notices ---

/// GuardDuty has found that mallory's key is used by somebody else.
fn finding(sent_by: &str, about: &str, id: &str) -> Value {
    json!({"id": format!("envelope-{id}-{sent_by}"), "source": "aws.guardduty", "detail-type": "GuardDuty Finding", "account": sent_by,
        "region": "us-east-1", "time": "2026-01-02T03:04:00Z", "detail": {"schemaVersion": "2.0", "accountId": about, "id": id,
        "type": "CredentialAccess:IAMUser/CompromisedCredentials", "severity": 8, "updatedAt": "2026-01-02T03:04:00.000Z", "region": "us-east-1",
        "resource": {"resourceType": "AccessKey", "accessKeyDetails": {"accessKeyId": "AKIAEXAMPLEKEY000001", "userName": "iam-test-mallory", "userType": "IAMUser"}},
        "service": {"archived": false, "count": 1, "eventLastSeen": "2026-01-02T03:03:00Z"}}})
}

fn with_administrator() -> World {
    World::with(&format!("{CONFIG}\n{AUTO}\n[organization]\nguardduty_administrator = \"{HUB}\"\n"))
}

#[test]
fn attack_spoke_a_finding_about_another_account_counts_from_the_named_administrator_alone() {
    for world in [world(), with_administrator()] {
        let incident = opened(by_shipped(&world, finding(SPOKE, ACCOUNT, "f1")));
        only_alerts(&world, &incident, "account 222222222222 sent it, and it is about account 111111111111");
        // That copy claims nothing: the account's own is answered.
        let incident = opened(by_shipped(&world, finding(ACCOUNT, ACCOUNT, "f1")));
        assert_eq!(checked(&world, &incident).0, Route::Act);
    }
    let world = world();
    let incident = opened(by_shipped(&world, finding(HUB, ACCOUNT, "f1")));
    only_alerts(&world, &incident, "organization.guardduty_administrator");
    let world = with_administrator();
    let spoke = with_spoke(&world);
    let incident = opened(by_shipped(&world, finding(HUB, ACCOUNT, "f1")));
    let (route, stored) = checked(&world, &incident);
    assert_eq!((route, stored.account.as_ref().unwrap().as_str()), (Route::Act, ACCOUNT));
    world.carried_out(&incident);
    assert!(!world.iam.entity(&user("iam-test-mallory")).unwrap().inline.is_empty(), "the account that the finding speaks of");
    assert!(spoke.writes().is_empty());
}

#[test]
fn attack_spoke_a_finding_of_the_spoke_about_itself_is_answered_in_the_spoke() {
    let world = world();
    let spoke = with_spoke(&world);
    let incident = opened(by_shipped(&world, finding(SPOKE, SPOKE, "f1")));
    assert_eq!(checked(&world, &incident).0, Route::Act);
    world.carried_out(&incident);
    assert!(!spoke.writes().is_empty() && world.iam.writes().is_empty());
}

#[test]
fn attack_spoke_a_sample_only_alerts_also_from_the_administrator() {
    for (sent_by, about) in [(SPOKE, SPOKE), (HUB, ACCOUNT), (ACCOUNT, ACCOUNT)] {
        for (path, mark) in
            [("additionalInfo", json!({"sample": true})), ("additionalInfo", json!({"value": "{\"sample\":true}"}))]
        {
            let world = with_administrator();
            let mut sample = finding(sent_by, about, "f1");
            sample["detail"]["service"][path] = mark;
            let incident = opened(by_shipped(&world, sample));
            only_alerts(&world, &incident, "sample finding");
        }
    }
}

#[test]
fn attack_spoke_a_replayed_finding_of_the_administrator_only_alerts() {
    let world = with_administrator();
    let mut replayed = finding(HUB, ACCOUNT, "f1");
    replayed["replay-name"] = json!("last-week");
    let incident = opened(by_shipped(&world, replayed));
    only_alerts(&world, &incident, "replay `last-week`");
}
