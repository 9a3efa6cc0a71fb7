//! An event ends in exactly one outcome, however often it comes.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::ClassifyOutput;
use cordon_testkit::run;
use serde_json::{Value, json};
use support::{ACCOUNT, ADMIN_POLICY, World, attach, create_user, event};

#[test]
fn an_event_that_no_rule_matches_leaves_nothing_behind() {
    let world = World::new();
    assert_eq!(world.classified(event("e", "ListUsers", json!({})), "x"), ClassifyOutput::Ignored);
    assert!(world.table.keys().is_empty());
}

#[test]
fn a_redelivered_event_is_a_duplicate_and_a_retry_finds_its_own_claim() {
    let world = World::new();
    let ClassifyOutput::Opened { incident } = world.classified(attach("e"), "one") else { panic!() };
    assert_eq!(world.classified(attach("e"), "one"), ClassifyOutput::Opened { incident: incident.clone() });
    for n in 0..49 {
        assert_eq!(
            world.classified(attach("e"), &format!("other-{n}")),
            ClassifyOutput::Duplicate { incident: incident.clone() }
        );
    }
    assert_eq!(world.timeline(&incident), ["detected"]);
}

#[test]
fn a_later_event_of_the_same_case_is_merged_once() {
    let world = World::new();
    let ClassifyOutput::Opened { incident } = world.classified(attach("e1"), "one") else { panic!() };
    assert_eq!(world.classified(attach("e2"), "two"), ClassifyOutput::Merged { incident: incident.clone() });
    assert_eq!(world.classified(attach("e2"), "two"), ClassifyOutput::Merged { incident: incident.clone() });
    assert_eq!(world.timeline(&incident), ["detected"], "joining writes nothing on the incident");
    assert_eq!(world.joined(&incident), ["e2"]);
}

#[test]
fn another_policy_subject_or_closed_incident_is_another_case() {
    let world = World::new();
    let opened = |event| matches!(world.classified(event, "x"), ClassifyOutput::Opened { .. });
    assert!(opened(attach("e1")));
    assert!(opened(event(
        "e2",
        "AttachUserPolicy",
        json!({"userName": "iam-test-mallory", "policyArn": "arn:aws:iam::aws:policy/IAMFullAccess"})
    )));
    assert!(opened(event("e3", "AttachUserPolicy", json!({"userName": "iam-test-bob", "policyArn": ADMIN_POLICY}))));
    let ClassifyOutput::Opened { incident } = world.classified(create_user("e4"), "y") else { panic!() };
    run(world.notify().run(cordon_contract::NotifyInput::Outcome { incident, outcome: cordon_core::Outcome::Denied })).unwrap();
    assert!(opened(create_user("e5")));
}

#[test]
fn one_call_recorded_in_two_accounts_is_one_incident_with_both_records() {
    let world = World::new();
    let shared = |id: &str| {
        let mut event = attach(id);
        event["detail"]["sharedEventID"] = json!("shared-1");
        event
    };
    let ClassifyOutput::Opened { incident } = world.classified(shared("e1"), "one") else { panic!() };
    assert_eq!(world.classified(shared("e2"), "two"), ClassifyOutput::Merged { incident: incident.clone() });
    assert_eq!(world.joined(&incident), ["e2"]);
}

#[test]
fn what_cannot_be_judged_becomes_an_incident_for_a_person() {
    let world = World::new();
    let omitted = event("e1", "TagUser", json!({"omitted": true}));
    let cases =
        [json!(null), json!("text"), json!([1, 2]), json!({"source": "aws.iam"}), json!({"detail": {"eventName": 7}}), omitted];
    for (n, event) in cases.into_iter().enumerate() {
        let ClassifyOutput::NeedsPerson { incident } = world.classified(event.clone(), &format!("x{n}")) else {
            panic!("{event}")
        };
        assert_eq!(world.timeline(&incident), ["needs_person"]);
        assert!(world.stored(&incident).unreadable.is_some());
        let again = world.classified(event, "another execution");
        assert_eq!(again, ClassifyOutput::Duplicate { incident });
    }
}

#[test]
fn names_of_any_length_and_alphabet_still_make_an_incident() {
    let world = World::new();
    let long = "\u{202e}<!channel>`&".repeat(400);
    let mut event = event("e1", "CreateUser", json!({"userName": long}));
    event["detail"]["userAgent"] = Value::String("x".repeat(100_000));
    assert!(matches!(world.classified(event, "x"), ClassifyOutput::Opened { .. }));
}

#[test]
fn what_an_undo_of_ours_had_announced_opens_no_incident_and_the_same_call_unannounced_does() {
    let own = [cordon_core::pattern::Pattern::new(&format!("arn:aws:iam::{ACCOUNT}:role/cordon-remediate"))];
    let attach = |world: &World, id: &str, user: &str| {
        let mut event = event(id, "AttachUserPolicy", json!({"userName": user, "policyArn": ADMIN_POLICY}));
        event["detail"]["userIdentity"] = json!({"type": "AssumedRole", "accountId": ACCOUNT, "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/cordon-remediate/s"),
            "sessionContext": {"sessionIssuer": {"arn": format!("arn:aws:iam::{ACCOUNT}:role/cordon-remediate"), "userName": "cordon-remediate"}}});
        let classify = cordon_flow::classify::Classify { own: &own, ..world.classify() };
        run(classify.run(cordon_contract::ClassifyInput { event, execution: id.to_owned() })).unwrap()
    };
    let world = World::new();
    let call = cordon_core::Call::new("iam:AttachUserPolicy", [("UserName", "alice"), ("PolicyArn", ADMIN_POLICY)]);
    let now = cordon_flow::ports::Clock::now(&world.clock);
    run(world.store().announce(Some(&ACCOUNT.parse().unwrap()), &[call], now)).unwrap();
    assert_eq!(attach(&world, "e1", "alice"), ClassifyOutput::Ignored);
    assert!(matches!(attach(&world, "e2", "mallory"), ClassifyOutput::Opened { .. }), "nobody announced this one");
}
