//! Attacks by a name that fits an approver's pattern, taken lately: they do not take the approver's vote away, and they free nobody.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_core::{IncidentId, Route};
use cordon_flow::approver::Voter;
use cordon_flow::decide::{Answer, Choice};
use cordon_testkit::run;
use serde_json::json;
use support::asking::*;
use support::{ACCOUNT, ACTOR_AS_APPROVER, APPROVER, CONFIG, World, attach, by, event, made_at};

const LATELY: &str = "2026-01-02T02:00:00Z";
const LONG_AGO: &str = "2025-12-01T00:00:00Z";

/// Mallory, whose name fits an approver's pattern, acts after a call by alice.
fn asked_after(world: &World, at: &str, name: &str, parameters: serde_json::Value) -> IncidentId {
    world.classified(made_at(at, by("alice", event("before", name, parameters))), "before");
    let (incident, route) = world.checked(attach("e"));
    assert_eq!(route, Route::Ask);
    ask(world, &incident, "token-1", false);
    incident
}

fn made(world: &World, at: &str) -> IncidentId {
    asked_after(world, at, "CreateUser", json!({"userName": "iam-test-mallory"}))
}

fn refused(answer: Answer) -> String {
    match answer {
        Answer::Refused(sentence) => sentence,
        other => panic!("{other:?}"),
    }
}

#[test]
fn attack_13_an_approver_whose_name_the_actor_was_given_lately_may_approve_and_nothing_else() {
    for choice in [Choice::Deny, Choice::Looking] {
        let world = World::new();
        let incident = made(&world, LATELY);
        let said = refused(click(&world, &incident, ACTOR_AS_APPROVER, choice));
        assert!(said.contains("only lately"), "{said}");
        assert_eq!(click(&world, &incident, ACTOR_AS_APPROVER, Choice::Approve), Answer::Accepted(Choice::Approve));
    }
    let world = World::new();
    let incident = made(&world, LATELY);
    let out = world.stored(&incident).approval.electorate.unwrap().shut_out;
    assert!(out[0].may_approve && out[0].why.contains("may approve this") && out[0].why.contains("user/alice"), "{out:?}");
    let card = world.heard.posts.lock().unwrap()[0].to_value().to_string();
    assert!(card.contains("may approve this, but neither deny nor undo it"), "{card}");
}

#[test]
fn attack_13_they_cannot_undo_it_either() {
    let world = World::new();
    let incident = made(&world, LATELY);
    click(&world, &incident, APPROVER, Choice::Approve);
    apply(&world, &incident).unwrap();
    verify(&world, &incident).unwrap();
    close(&world, &incident, cordon_core::Outcome::Contained);
    let vote = run(world.ask_undo().vote(&incident, Voter::Slack(ACTOR_AS_APPROVER), None, None)).unwrap();
    assert!(format!("{vote:?}").contains("only lately"), "{vote:?}");
}

#[test]
fn attack_13_a_name_that_the_actor_has_had_for_long_still_shuts_the_approver_out() {
    let world = World::new();
    let incident = made(&world, LONG_AGO);
    refused(click(&world, &incident, ACTOR_AS_APPROVER, Choice::Approve));
    let world = World::new();
    let incident = asked(&world);
    refused(click(&world, &incident, ACTOR_AS_APPROVER, Choice::Approve));
}

#[test]
fn attack_13_a_new_name_counts_only_where_the_old_one_does_not_fit() {
    for (old, may) in [("iam-test-eve", true), ("iam-test-mall", false)] {
        let world = World::with(&CONFIG.replace("user/iam-test-mallory", "user/iam-test-mall*"));
        let renamed = json!({"userName": old, "newUserName": "iam-test-mallory"});
        let incident = asked_after(&world, LATELY, "UpdateUser", renamed);
        let answer = click(&world, &incident, ACTOR_AS_APPROVER, Choice::Approve);
        assert_eq!(answer == Answer::Accepted(Choice::Approve), may, "{old}: {answer:?}");
    }
}

#[test]
fn attack_13_where_only_they_are_left_the_question_is_not_hopeless() {
    let only = r#"
mode = "enforce"
[[approval.approvers]]
name = "Mallory"
slack_user_id = "U0MALLORY"
principals = ["arn:aws:iam::111111111111:user/iam-test-mallory"]
"#;
    let world = World::with(only);
    let incident = made(&world, LATELY);
    let electorate = world.stored(&incident).approval.electorate.unwrap();
    assert_eq!((electorate.hopeless, electorate.others), (None, Vec::new()));
    assert_eq!(click(&world, &incident, ACTOR_AS_APPROVER, Choice::Approve), Answer::Accepted(Choice::Approve));
}

#[test]
fn attack_13_credentials_with_the_actors_own_arn_never_decide() {
    let world = World::new();
    let incident = made(&world, LATELY);
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/iam-test-mallory");
    for choice in [Choice::Approve, Choice::Deny] {
        refused(say(&world, &incident, Voter::Principal(&arn), choice, Some("mine")));
    }
}
