//! Attacks by whoever administers one account of the organisation, by true records: of calls between two accounts, and of calls that
//! name things of another account.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::{ClassifyOutput, RemediateInput};
use cordon_core::Route;
use cordon_testkit::{FakeIam, run};
use serde_json::{Value, json};
use support::merging::{Undoing, user};
use support::spoke::*;
use support::{ACCOUNT, ADMIN_POLICY, attach, by_role, event};

fn shared(mut event: Value) -> Value {
    event["detail"]["sharedEventID"] = json!("shared");
    event
}

/// A user of the other account did something to a thing of the spoke's. Each account has its record.
#[test]
fn attack_spoke_a_caller_from_another_account_is_stopped_on_the_record_of_their_own_account_alone() {
    for spoke_first in [true, false] {
        let world = world();
        let spoke = with_spoke(&world);
        let records = [shared(seen_in_spoke(attach("in-spoke"))), shared(attach("in-own"))];
        let order = if spoke_first { [0, 1] } else { [1, 0] };
        for n in order {
            let incident = opened(output(&world, &support::FakeRules, records[n].clone()));
            let (route, stored) = checked(&world, &incident);
            assert_eq!(route, Route::Act, "{n}");
            let changed: Vec<String> = stored.assessment.plan.steps.iter().map(|step| step.target.to_string()).collect();
            let account = if n == 0 { SPOKE } else { ACCOUNT };
            assert!(!changed.is_empty() && changed.iter().all(|target| target.contains(account)), "{changed:?}");
            let denied = changed.len() > 1;
            assert_eq!(denied, n == 1, "the caller is denied at home: {changed:?}");
            if n == 0 {
                let by_hand = stored.assessment.plan.by_hand.join("\n");
                assert!(by_hand.contains("on the record of their own account"), "{by_hand}");
            }
            world.carried_out(&incident);
        }
        let denied = |iam: &FakeIam, account: &str| {
            let mut namesake = user("iam-test-mallory");
            namesake.account = account.parse().unwrap();
            !iam.entity(&namesake).unwrap().inline.is_empty()
        };
        assert!(denied(&world.iam, ACCOUNT) && !denied(&spoke, SPOKE), "not the spoke's user of that name");
    }
}

#[test]
fn a_record_that_is_only_told_joins_the_incident_of_its_call() {
    use cordon_core::Detection;
    use cordon_detect::enrich::Documents;
    struct Told;
    impl cordon_flow::classify::Rules for Told {
        fn evaluate(&self, record: &Value, facts: &Documents) -> Vec<Detection> {
            let mut found = support::FakeRules.evaluate(record, facts);
            if record["recipientAccountId"] == json!(SPOKE) {
                found.iter_mut().for_each(|detection| detection.response = None);
            }
            found
        }
    }
    let world = world();
    with_spoke(&world);
    let incident = opened(output(&world, &Told, shared(attach("in-own"))));
    let merged = ClassifyOutput::Merged { incident: incident.clone() };
    assert_eq!(output(&world, &Told, shared(seen_in_spoke(attach("in-spoke")))), merged);
    // The other way round, what is only told does not take the place of what has to be done.
    let world = self::world();
    with_spoke(&world);
    let told = opened(output(&world, &Told, shared(seen_in_spoke(attach("in-spoke")))));
    assert_eq!(checked(&world, &told).0, Route::Alert);
    let incident = opened(output(&world, &Told, shared(attach("in-own"))));
    assert_eq!(checked(&world, &incident).0, Route::Act);
}

#[test]
fn attack_spoke_a_record_that_names_two_accounts_for_its_caller_stops_nobody() {
    for pointer in ["/detail/userIdentity/arn", "/detail/userIdentity/sessionContext/sessionIssuer/arn"] {
        let world = world();
        world.iam.add_role("iam-test-deploy");
        let mut event = by_role("iam-test-deploy", "s", attach("e"));
        let named = event.pointer(pointer).unwrap().as_str().unwrap().replace(ACCOUNT, SPOKE);
        *event.pointer_mut(pointer).unwrap() = json!(named);
        let incident = opened(output(&world, &support::FakeRules, event));
        let (_, stored) = checked(&world, &incident);
        let calls = stored.assessment.plan.calls().join("\n");
        assert!(!calls.contains("iam-test-deploy"), "{pointer}: {calls}");
    }
}

// --- the caller's own words ---

#[test]
fn attack_spoke_a_thing_of_another_account_that_a_call_only_names_is_left_alone() {
    let trail = format!("arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/iam-test-trail");
    let named = [
        (
            "AttachUserPolicy",
            "iam",
            json!({"userName": format!("arn:aws:iam::{ACCOUNT}:user/iam-test-mallory"), "policyArn": ADMIN_POLICY}),
        ),
        ("CreateAccessKey", "iam", json!({"userName": format!("arn:aws:iam::{ACCOUNT}:user/iam-test-mallory")})),
        (
            "UpdateAssumeRolePolicy",
            "iam",
            json!({"roleName": format!("arn:aws:iam::{ACCOUNT}:role/iam-test-deploy"), "policyDocument": "{}"}),
        ),
        ("StopLogging", "cloudtrail", json!({"name": trail})),
    ];
    for (n, (call, service, parameters)) in named.into_iter().enumerate() {
        let world = world();
        let spoke = with_spoke(&world);
        world.iam.add_role("iam-test-deploy");
        world.iam.add_trail("iam-test-trail", false, None);
        let mut event = seen_in_spoke(event(&format!("n{n}"), call, parameters));
        event["source"] = json!(format!("aws.{service}"));
        event["detail"]["eventSource"] = json!(format!("{service}.amazonaws.com"));
        event["detail"]["userIdentity"]["accountId"] = json!(SPOKE);
        event["detail"]["userIdentity"]["arn"] = json!(format!("arn:aws:iam::{SPOKE}:user/iam-test-mallory"));
        let incident = opened(output(&world, &Undoing, event));
        let (_, stored) = checked(&world, &incident);
        for step in &stored.assessment.plan.steps {
            assert!(step.target.to_string().contains(SPOKE), "{call}: {}", step.target);
        }
        let opened = world.accounts.opened.lock().unwrap().clone();
        assert!(opened.iter().all(|session| !session.starts_with(ACCOUNT)), "{call}: {opened:?}");
        let _answer = run(world.remediate().run(RemediateInput::Apply { incident }));
        assert!(world.iam.writes().is_empty(), "{call}");
        drop(spoke);
    }
}

#[test]
fn attack_spoke_what_a_call_in_the_spoke_says_of_another_accounts_trail_is_no_former_state_of_it() {
    let world = world();
    with_spoke(&world);
    let trail = format!("arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/iam-test-trail");
    let selectors = json!([{"readWriteType": "ReadOnly", "includeManagementEvents": false}]);
    let mut event = seen_in_spoke(event("s", "PutEventSelectors", json!({"trailName": trail, "eventSelectors": selectors})));
    event["source"] = json!("aws.cloudtrail");
    event["detail"]["eventSource"] = json!("cloudtrail.amazonaws.com");
    output(&world, &Undoing, event);
    assert!(world.table.keys().iter().all(|key| !key.contains("iam-test-trail")), "{:?}", world.table.keys());
}
