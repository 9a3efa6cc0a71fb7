//! Attacks on approvers: nobody is shut out of a decision in silence, and nobody waits for an approval that cannot come.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::NotifyInput;
use cordon_core::Route;
use cordon_core::timeline::Kind;
use cordon_flow::decide::{Answer, Choice};
use cordon_testkit::run;
use serde_json::{Value, json};
use support::asking::*;
use support::{ACTOR_AS_APPROVER, World, attach, by};

fn announced(world: &World, id: &cordon_core::IncidentId) {
    run(world.notify().run(NotifyInput::Asked { incident: id.clone() })).unwrap();
}

fn data(world: &World, id: &cordon_core::IncidentId, kind: Kind) -> Vec<Value> {
    let entries = run(world.store().timeline(id)).unwrap();
    entries.into_iter().filter(|entry| entry.kind == kind).map(|entry| entry.data).collect()
}

#[test]
fn attack_13_an_approver_who_is_shut_out_is_named_to_all_the_others_before_anybody_clicks() {
    let world = World::new();
    let incident = asked(&world);
    let card = world.heard.posts.lock().unwrap()[0].to_value().to_string();
    for said in ["Who may not decide this", "<@U0MALLORY>", "user/iam-test-mallory", "<@U0APPROVER>", "<@U0SECOND>"] {
        assert!(card.contains(said), "{said}: {card}");
    }
    for kind in [Kind::Decided, Kind::Asked] {
        let data = &data(&world, &incident, kind)[0];
        assert_eq!(data["electorate"]["shut_out"][0]["slack_id"], ACTOR_AS_APPROVER, "{kind:?}");
        assert!(data["electorate"]["shut_out"][0]["why"].as_str().unwrap().contains("user/iam-test-mallory"), "{data}");
        assert_eq!(data["electorate"]["others"].as_array().unwrap().len(), 2, "{kind:?}");
    }
    announced(&world, &incident);
    let alert = world.heard.alerts.lock().unwrap()[0].body.clone();
    assert_eq!(alert["electorate"]["shut_out"][0]["name"], "Mallory");
    assert!(matches!(click(&world, &incident, ACTOR_AS_APPROVER, Choice::Deny), Answer::Refused(_)));
}

#[test]
fn attack_13_a_group_that_the_actor_may_be_of_is_named_too() {
    let group = "[[approval.groups]]\nname = \"Security\"\nslack_user_group = \"S0SEC\"\nprincipals = [\"arn:aws:iam::111111111111:user/iam-test-*\"]\n";
    let world = with(group);
    let incident = asked(&world);
    let electorate = world.stored(&incident).approval.electorate.unwrap();
    assert_eq!(electorate.shut_out.iter().map(|out| out.name.as_str()).collect::<Vec<_>>(), ["Mallory", "Security"]);
    assert!(world.heard.posts.lock().unwrap()[0].to_value().to_string().contains("<!subteam^S0SEC>"));
}

#[test]
fn attack_13_where_all_may_decide_nothing_is_said_of_it() {
    let world = World::new();
    let (incident, route) = world.checked(by("iam-test-eve", attach("e")));
    assert_eq!(route, Route::Ask);
    ask(&world, &incident, "token-1", false);
    assert_eq!(world.stored(&incident).approval.electorate, None);
    assert!(!world.heard.posts.lock().unwrap()[0].to_value().to_string().contains("Who may not decide"));
}

/// One approver, whose name the actor has.
const ONE: &str = r#"
mode = "enforce"
[[approval.approvers]]
name = "Mallory"
slack_user_id = "U0MALLORY"
principals = ["arn:aws:iam::111111111111:user/iam-test-mallory"]
"#;
const LOUDER: &str =
    "[approval.escalation]\nslack_channel = \"C0LOUD\"\ntopic = \"arn:aws:sns:us-east-1:111111111111:on-call\"\n";

#[test]
fn attack_13_a_question_that_nobody_may_approve_is_escalated_at_once_and_says_so() {
    let world = World::with(&format!("{ONE}{LOUDER}"));
    let (incident, route) = world.checked(attach("e"));
    assert_eq!(route, Route::Ask);
    announced(&world, &incident);
    announced(&world, &incident);
    ask(&world, &incident, "token-1", false);
    let elsewhere = world.heard.posts_elsewhere.lock().unwrap();
    assert_eq!((elsewhere.len(), elsewhere[0].0.as_str()), (1, "C0LOUD"), "once, whatever is retried");
    assert!(elsewhere[0].1.to_value().to_string().contains("nobody is left who may approve"), "{:?}", elsewhere[0]);
    let alerts = world.heard.alerts.lock().unwrap();
    let called = alerts.iter().find(|alert| alert.topic.is_some()).unwrap();
    assert_eq!(called.body["message"], json!("nobody_may_decide"));
    assert!(called.subject.contains("NOBODY MAY APPROVE"), "{}", called.subject);
    assert!(world.stored(&incident).is_escalated());
    assert_eq!(data(&world, &incident, Kind::Escalated).len(), 1);
    let posts = world.heard.posts.lock().unwrap();
    assert!(posts.last().unwrap().to_value().to_string().contains("Nobody is left who may approve"));
}

#[test]
fn attack_13_a_quorum_that_those_who_are_left_cannot_reach_is_escalated_too() {
    let world = with(&format!("[approval.quorum]\nhigh = 3\n{LOUDER}"));
    let (incident, _) = world.checked(attach("e"));
    announced(&world, &incident);
    let hopeless = world.stored(&incident).approval.electorate.unwrap().hopeless.unwrap();
    assert!(hopeless.contains("3 people") && hopeless.contains("2 of the approvers"), "{hopeless}");
    assert!(world.stored(&incident).is_escalated());
    let world = with(&format!("[approval.quorum]\nhigh = 2\n{LOUDER}"));
    let (incident, _) = world.checked(attach("e"));
    announced(&world, &incident);
    assert!(!world.stored(&incident).is_escalated());
}
