//! A second thing that is done while the first one waits: it is undone too, or has an incident and a question of its own.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;

use cordon_contract::{RemediateInput, RemediateOutput, WaitInput};
use cordon_core::incident::State;
use cordon_core::{Outcome, Route};
use cordon_flow::approver::Voter;
use cordon_flow::decide::Choice;
use cordon_respond::Iam;
use cordon_testkit::run;
use serde_json::json;
use support::merging::*;
use support::{ADMIN_POLICY, APPROVER, World, attach, event};
#[test]
fn attack_1_two_inline_policies_on_one_role_are_two_questions_and_both_go() {
    let world = World::new();
    let role = world.iam.add_role("iam-test-role");
    seen_made(&world, "iam-test-role");
    let put = |id: &str, name: &str| {
        let document = r#"{"Version":"2012-10-17","Statement":[]}"#;
        run(world.iam.put_inline_policy(&role, name, document)).unwrap();
        event(id, "PutRolePolicy", json!({"roleName": "iam-test-role", "policyName": name, "policyDocument": document}))
    };
    let events = [put("e1", "decoy"), put("e2", "real")];
    each_is_asked_about(&world, events, |world, n| run(world.iam.inline_policy(&role, ["decoy", "real"][n])).unwrap().is_some());
}

#[test]
fn attack_1_two_access_keys_for_one_user_are_two_questions_and_both_are_off() {
    let world = World::new();
    let keys = ["AKIAEXAMPLEKEY000001", "AKIAEXAMPLEKEY000002"];
    let create = |n: usize| {
        world.iam.add_key(&user(MALLORY), keys[n], "2026-01-02T03:04:00Z");
        let mut event = event(&format!("e{n}"), "CreateAccessKey", json!({"userName": MALLORY}));
        event["detail"]["responseElements"] = json!({"accessKey": {"accessKeyId": keys[n], "userName": MALLORY}});
        event
    };
    let events = [create(0), create(1)];
    each_is_asked_about(&world, events, |world, n| {
        run(world.iam.access_keys(MALLORY)).unwrap().iter().any(|key| key.id == keys[n] && key.active)
    });
}

#[test]
fn attack_1_two_groups_of_one_user_are_two_questions_and_both_are_left() {
    let world = World::new();
    let groups = ["iam-test-decoys", "iam-test-admins"];
    for group in groups {
        world.iam.add_group(group);
        run(world.iam.add_to_group(MALLORY, group)).unwrap();
    }
    let events = [0, 1].map(|n| event(&format!("e{n}"), "AddUserToGroup", json!({"userName": MALLORY, "groupName": groups[n]})));
    each_is_asked_about(&world, events, |world, n| {
        run(world.iam.groups_of_user(MALLORY)).unwrap().iter().any(|group| group == groups[n])
    });
}

#[test]
fn attack_1_two_trails_that_were_stopped_are_two_questions_and_both_log_again() {
    let world = World::new();
    let names = ["iam-test-decoy", "iam-test-real"];
    let trails = names.map(|name| world.iam.add_trail(name, false, None));
    let stop = |n: usize| {
        let mut event = event(&format!("e{n}"), "StopLogging", json!({"name": names[n]}));
        event["source"] = json!("aws.cloudtrail");
        event["detail"]["eventSource"] = json!("cloudtrail.amazonaws.com");
        event
    };
    each_is_asked_about(&world, [stop(0), stop(1)], |world, n| !world.iam.trail_of(&trails[n]).unwrap().logging);
}

#[test]
fn attack_1_two_documents_under_one_name_are_two_questions() {
    let world = World::new();
    world.iam.add_role("iam-test-role");
    let put = |id: &str, call: &str, document: &str| {
        let parameters = json!({"roleName": "iam-test-role", "policyName": "p", "policyDocument": document});
        opened(&world, event(id, call, parameters))
    };
    put("e1", "PutRolePolicy", r#"{"Statement":[]}"#);
    put("e2", "PutRolePolicy", r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#);
    let long = |tail: &str| format!(r#"{{"Statement":[],"Id":"{}{tail}"}}"#, "x".repeat(60_000));
    put("e3", "PutRolePolicy", &long("a"));
    put("e4", "PutRolePolicy", &long("b"));
    put("e5", "UpdateAssumeRolePolicy", r#"{"Statement":[]}"#);
    put("e6", "UpdateAssumeRolePolicy", r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}"#);
}

#[test]
fn attack_1_a_call_that_succeeds_does_not_hide_behind_the_same_one_refused() {
    let world = World::new();
    let mut refused = attach("e1");
    refused["detail"]["errorCode"] = json!("AccessDenied");
    let first = opened(&world, refused);
    let second = opened(&world, attach("e2"));
    assert_eq!(check(&world, &first), Route::Alert);
    assert_eq!(check(&world, &second), Route::Ask);
    // Nor does one that AWS sent behind one that anybody could have sent.
    let world = World::new();
    let mut forged = attach("e1");
    forged["source"] = json!("somebody");
    opened(&world, forged);
    opened(&world, attach("e2"));
}

#[test]
fn attack_1_the_same_call_spelt_otherwise_joins_for_iam_takes_it_for_the_same() {
    let world = World::new();
    let first = opened(&world, attach("e1"));
    let shouted = event("e2", "AttachUserPolicy", json!({"userName": "IAM-TEST-MALLORY", "policyArn": ADMIN_POLICY}));
    assert_eq!(merged(&world, shouted), first);
}

#[test]
fn attack_1_attach_detach_attach_while_the_first_is_judged_is_planned_for() {
    let world = World::new();
    let first = opened(&world, attach("e1"));
    // Detached when the plan is made, and attached again: its event joins before the decision is written.
    world.iam.detach(&user(MALLORY), ADMIN_POLICY);
    world.table.before_next_write({
        let (store, table, iam) = (first.clone(), Arc::clone(&world.table), world.iam.clone());
        move || {
            iam.attach(&user(MALLORY), ADMIN_POLICY);
            let joined = json!({"event": "e2", "name": "AttachUserPolicy", "time": "2026-01-02T03:04:01Z", "actor": "m", "execution": "x-e2", "joined_at": "2026-01-02T03:04:05Z"});
            table.put(&format!("INCIDENT#{store}"), "EVENT#2026-01-02T03:04:01Z#e2", joined);
        }
    });
    assert_eq!(check(&world, &first), Route::Ask);
    let plan = world.stored(&first).assessment.plan;
    assert!(plan.calls().iter().any(|call| call.starts_with("iam:DetachUserPolicy")), "{:?}", plan.calls());
    assert_eq!(world.timeline(&first), ["detected", "decided", "merged", "decided"]);
    ask(&world, &first);
    approve(&world, &first);
    assert_eq!(carried_out(&world, &first), Outcome::Contained);
    assert!(run(world.iam.attached_policies(&user(MALLORY))).unwrap().is_empty());
}

#[test]
fn attack_1_what_is_attached_again_after_nothing_was_found_has_a_question_of_its_own() {
    let world = World::new();
    let first = opened(&world, attach("e1"));
    world.iam.detach(&user(MALLORY), ADMIN_POLICY);
    assert_eq!(check(&world, &first), Route::Ask, "the actor is still to be stopped");
    assert!(!world.stored(&first).takes_more(world.stored(&first).updated_at));
    ask(&world, &first);
    world.iam.attach(&user(MALLORY), ADMIN_POLICY);
    let second = opened(&world, attach("e2"));
    assert_eq!(check(&world, &second), Route::Ask);
    // A third one is answered by the second's plan.
    assert_eq!(merged(&world, attach("e3")), second);
    assert_eq!(world.joined(&first), [] as [&str; 0]);
}

#[test]
fn attack_1_an_event_that_comes_while_the_plan_is_carried_out_has_an_incident_of_its_own() {
    let world = World::new();
    let first = opened(&world, attach("e1"));
    assert_eq!(check(&world, &first), Route::Ask);
    assert_eq!(merged(&world, attach("e2")), first);
    ask(&world, &first);
    assert_eq!(merged(&world, attach("e3")), first);
    approve(&world, &first);
    assert_eq!(merged(&world, attach("e4")), first, "nothing was called yet");
    // The state is stored before the first call, whatever becomes of it.
    for action in ["iam:PutUserPolicy", "iam:DetachUserPolicy"] {
        let busy = cordon_testkit::Failure::Error(cordon_respond::IamErrorKind::Transient);
        world.iam.faults().strike_action(action, cordon_testkit::When::Before, busy);
    }
    assert!(run(world.remediate().run(RemediateInput::Apply { incident: first.clone() })).is_err());
    assert_eq!(world.stored(&first).state, State::Remediating);
    assert!(world.iam.entity(&user(MALLORY)).unwrap().attached.contains(ADMIN_POLICY), "nothing was done");
    let own = opened(&world, attach("e5"));
    assert_ne!(own, first);
    world.iam.faults().clear();
    assert_eq!(carried_out(&world, &first), Outcome::Contained);
    assert_eq!(world.joined(&first), ["e2", "e3", "e4"]);
    assert_eq!(world.stored(&first).merges.merged, 3);
}

#[test]
fn attack_1_an_event_that_joins_in_the_moment_of_the_decision_is_seen_by_one_of_the_two() {
    // The event's item is written, and the incident was decided between its two reads: it leaves again.
    let world = World::new();
    let first = opened(&world, attach("e1"));
    let opened_state = world.table.item(&first, "HEAD");
    world.iam.detach(&user(MALLORY), ADMIN_POLICY);
    check(&world, &first);
    world.iam.attach(&user(MALLORY), ADMIN_POLICY);
    world.table.read_before_others_wrote(opened_state);
    let second = opened(&world, attach("e2"));
    assert_ne!(first, second);
    assert_eq!(world.joined(&first), [] as [&str; 0], "it is noted that another incident answers it");
    let (_, left) = world.table.item(&first, "EVENT#2026-01-02T03:04:00Z#e2");
    assert_eq!(left["answered_by"], json!(second));
}

#[test]
fn attack_1_a_denied_or_expired_question_takes_no_more_events_in() {
    let world = World::new();
    let first = opened(&world, attach("e1"));
    check(&world, &first);
    ask(&world, &first);
    run(world.decide().run(&first, Voter::Slack(APPROVER), Choice::Deny, None)).unwrap();
    opened(&world, attach("e2"));
    let world = World::new();
    let first = opened(&world, attach("e1"));
    check(&world, &first);
    ask(&world, &first);
    run(world.wait().run(WaitInput::Expire { incident: first, expire: true })).unwrap();
    opened(&world, attach("e2"));
}

#[test]
fn attack_1_an_execution_that_was_stopped_takes_events_in_for_an_hour_and_not_for_a_week() {
    let world = World::new();
    let first = opened(&world, attach("e1"));
    world.clock.pass(3_599);
    assert_eq!(merged(&world, attach("e2")), first);
    world.clock.pass(1);
    opened(&world, attach("e3"));
}

#[test]
fn attack_1_a_fresh_event_does_not_grow_old_with_the_one_that_it_joined() {
    let world = World::new();
    let first = opened(&world, support::made_at("2025-12-31T03:04:00Z", attach("e1")));
    assert_eq!(merged(&world, attach("e2")), first);
    assert_eq!(check(&world, &first), Route::Ask, "one of its events is of this day");
    let world = World::new();
    let first = opened(&world, support::made_at("2025-12-31T03:04:00Z", attach("e1")));
    assert_eq!(check(&world, &first), Route::Alert);
    opened(&world, attach("e2"));
}

#[test]
fn attack_1_every_merged_event_is_exported_and_its_number_and_digest_are_in_the_chain() {
    let world = World::new();
    let first = opened(&world, attach("e1"));
    for n in 0..12 {
        merged(&world, attach(&format!("m{n:02}")));
    }
    check(&world, &first);
    ask(&world, &first);
    approve(&world, &first);
    carried_out(&world, &first);
    let record = run(cordon_flow::export::read(world.store(), &first, world.stored(&first).updated_at)).unwrap();
    assert_eq!(record.joined.len(), 12);
    let file = cordon_record::export::json(&record);
    assert_eq!(file["incident"]["merged"], 12);
    cordon_record::verify::check(&file.to_string(), None).unwrap();
    let mut without = file.clone();
    without["joined"].as_array_mut().unwrap().remove(3);
    assert!(cordon_record::verify::check(&without.to_string(), None).is_err(), "one was taken out");
    let mut other = file;
    other["joined"][3]["event"] = json!("another");
    assert!(cordon_record::verify::check(&other.to_string(), None).is_err(), "one was exchanged");
    let merged: Vec<String> = world.timeline(&first).into_iter().filter(|kind| kind == "merged").collect();
    assert_eq!(merged.len(), 1, "one entry for all of them");
}

#[test]
fn attack_1_what_was_nothing_to_undo_when_planned_is_read_again_and_makes_the_end_partial() {
    let world = World::new();
    let first = opened(&world, attach("e1"));
    world.iam.detach(&user(MALLORY), ADMIN_POLICY);
    assert_eq!(check(&world, &first), Route::Ask);
    ask(&world, &first);
    approve(&world, &first);
    // Its event was lost, or is still under way.
    world.iam.attach(&user(MALLORY), ADMIN_POLICY);
    assert_eq!(carried_out(&world, &first), Outcome::Partial);
    let stored = world.stored(&first);
    assert!(stored.contained_at.is_none());
    let left = &stored.assessment.remaining[0];
    assert!(left.contains("iam:DetachUserPolicy") && left.contains(ADMIN_POLICY), "{left}");
    let entries = run(world.store().timeline(&first)).unwrap();
    let verified = entries.iter().rfind(|entry| entry.kind == cordon_core::timeline::Kind::Verified).unwrap();
    assert_eq!(verified.data["remaining"][0], json!(left));
    let card = format!("{:?}", world.heard.posts.lock().unwrap()) + &format!("{:?}", world.heard.updates.lock().unwrap());
    assert!(card.contains("is not in the plan"), "the card says what is left");
}

#[test]
fn attack_1_an_effect_that_cannot_be_read_at_the_end_is_never_called_contained() {
    use cordon_respond::IamErrorKind::{AccessDenied, Transient};
    for kind in [AccessDenied, Transient] {
        let world = World::new();
        let first = opened(&world, attach("e1"));
        check(&world, &first);
        ask(&world, &first);
        approve(&world, &first);
        run(world.remediate().run(RemediateInput::Apply { incident: first.clone() })).unwrap();
        let verify = || run(world.remediate().run(RemediateInput::Verify { incident: first.clone() }));
        let action = "iam:ListAttachedUserPolicies";
        world.iam.faults().strike_action(action, cordon_testkit::When::Before, cordon_testkit::Failure::Error(kind));
        match verify() {
            Ok(answer) => assert_eq!(answer, RemediateOutput::Partial),
            Err(error) => assert_eq!(error.name, cordon_contract::ErrorName::Transient),
        }
        assert!(world.stored(&first).contained_at.is_none(), "{kind:?}");
    }
}
