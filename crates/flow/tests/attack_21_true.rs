//! What the card says is true: `contained` is not said of an incident whose events have an effect that stands, and what approving
//! does not stop stands on the card before the click and after it.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::{ClassifyInput, ClassifyOutput};
use cordon_core::{Detection, IncidentId, Level, Outcome, RemedyKind, Response};
use cordon_detect::enrich::Documents;
use cordon_flow::classify::{Classify, Rules};
use cordon_respond::Iam;
use cordon_testkit::run;
use serde_json::{Value, json};
use support::merging::*;
use support::{World, event};

/// One rule on every call, with the response that a test gives it.
struct One(Response);

impl Rules for One {
    fn evaluate(&self, _: &Value, _: &Documents) -> Vec<Detection> {
        vec![Detection {
            rule: "one".parse().unwrap(),
            title: "One".to_owned(),
            author: "Test".to_owned(),
            level: Level::High,
            description: "It is dangerous.".to_owned(),
            tags: vec![],
            response: Some(self.0.clone()),
        }]
    }
}

fn opened_by(world: &World, revert: &[RemedyKind], contain: &[RemedyKind], event: Value) -> IncidentId {
    let response = Response { revert: revert.to_vec(), contain: contain.to_vec(), gate: Default::default(), exceptions: vec![] };
    let input = ClassifyInput { event, execution: "x-1".to_owned() };
    let output = run(Classify { rules: &One(response), ..world.classify() }.run(input)).unwrap();
    let ClassifyOutput::Opened { incident } = output else { panic!("{output:?}") };
    incident
}

/// The last card that Slack was shown, and the one that asked.
fn cards(world: &World) -> (String, String) {
    let asked = world.heard.posts.lock().unwrap().first().map(|card| card.to_value().to_string()).unwrap_or_default();
    let ended = world.heard.updates.lock().unwrap().last().map(|card| card.to_value().to_string()).unwrap_or_default();
    (asked, ended)
}

fn alert(world: &World) -> Value {
    world.heard.published.lock().unwrap().last().unwrap().1.clone()
}

#[test]
fn attack_21_an_act_that_no_step_takes_back_is_told_before_and_after_and_is_not_called_contained() {
    let world = World::new();
    world.iam.add_user("iam-test-backdoor");
    let made = event("e1", "CreateUser", json!({"userName": "iam-test-backdoor"}));
    let incident = opened_by(&world, &[], &[RemedyKind::DenyIam], made);
    let outcome = approved_and_carried_out(&world, &incident);
    let (asked, ended) = cards(&world);
    for card in [&asked, &ended] {
        assert!(card.contains("What `CreateUser` did to"), "{card}");
        assert!(card.contains("outside IAM"), "and what the deny leaves open: {card}");
    }
    assert_eq!(outcome, Outcome::Partial);
    assert_eq!(world.stored(&incident).contained_at, None);
    assert!(alert(&world)["stays"].to_string().contains("CreateUser"), "{}", alert(&world));
    let now = "2026-01-02T03:10:00Z".parse().unwrap();
    let record = run(cordon_flow::export::read(world.store(), &incident, now)).unwrap();
    assert_eq!(record.incident.assessment.stays.iter().filter(|stays| stays.is_effect()).count(), 1);
}

#[test]
fn attack_21_an_act_that_is_taken_back_is_contained_and_says_what_the_remedies_leave_open() {
    let world = World::new();
    let incident = opened(&world, support::attach("e1"));
    assert_eq!(approved_and_carried_out(&world, &incident), Outcome::Contained);
    let (asked, ended) = cards(&world);
    for card in [&asked, &ended] {
        assert!(card.contains("outside IAM") && !card.contains("takes it back."), "{card}");
    }
    assert!(ended.contains("Contained. What this does not stop is listed below."), "{ended}");
    let heard = world.heard.replies.lock().unwrap();
    assert!(heard.last().unwrap().1.to_value().to_string().contains("does not stop"), "{heard:?}");
}

#[test]
fn attack_21_what_was_given_to_a_user_who_is_denied_everything_is_of_no_use() {
    for (contain, expected) in [
        (RemedyKind::DenyAll, Outcome::Contained),
        (RemedyKind::SetPermissionsBoundary, Outcome::Contained),
        (RemedyKind::DenyIam, Outcome::Partial),
        (RemedyKind::RevokeSessions, Outcome::Partial),
    ] {
        let world = World::new();
        let incident = opened_by(&world, &[], &[contain], support::attach("e1"));
        assert_eq!(approved_and_carried_out(&world, &incident), expected, "{contain}");
    }
    // A tag can exempt, or let in elsewhere, whatever its bearer may do.
    let world = World::new();
    let tagged = event("e1", "TagUser", json!({"userName": MALLORY, "tags": [{"key": "team", "value": "x"}]}));
    let incident = opened_by(&world, &[], &[RemedyKind::DenyAll], tagged);
    assert_eq!(approved_and_carried_out(&world, &incident), Outcome::Partial);
}

#[test]
fn attack_21_a_remedy_on_the_subject_that_does_not_answer_the_call_takes_nothing_back() {
    let world = World::new();
    let user = world.iam.add_user("iam-test-victim");
    world.iam.add_key(&user, "AKIANEW", "2026-01-02T03:04:00Z");
    let made = event("e1", "CreateAccessKey", json!({"userName": "iam-test-victim"}));
    let incident = opened_by(&world, &[RemedyKind::RevokeSessions], &[RemedyKind::DenyIam], made);
    assert_eq!(approved_and_carried_out(&world, &incident), Outcome::Partial, "the key works");
}

#[test]
fn attack_21_a_call_that_changed_nothing_leaves_nothing() {
    for read_only in [Some(true), None] {
        let world = World::new();
        let mut read = event("e1", "ListUsers", json!({}));
        read["detail"]["readOnly"] = json!(read_only);
        let incident = opened_by(&world, &[], &[RemedyKind::DenyIam], read);
        assert_eq!(approved_and_carried_out(&world, &incident), Outcome::Contained);
        assert!(!cards(&world).1.contains("takes it back."));
    }
    let world = World::new();
    let mut changed = event("e1", "GetButNotRead", json!({}));
    changed["detail"]["readOnly"] = json!(false);
    let incident = opened_by(&world, &[], &[RemedyKind::DenyIam], changed);
    assert_eq!(approved_and_carried_out(&world, &incident), Outcome::Partial);
}

#[test]
fn attack_21_the_session_of_another_role_goes_on_and_ones_own_is_ended_with_the_sessions() {
    let session = |name: &str, parameters: Value| {
        let mut call = event("e1", name, parameters);
        call["source"] = json!("aws.sts");
        call["detail"]["eventSource"] = json!("sts.amazonaws.com");
        call["detail"]["readOnly"] = json!(true);
        call
    };
    for (name, contain, expected) in [
        ("AssumeRole", RemedyKind::RevokeSessions, Outcome::Partial),
        ("GetSessionToken", RemedyKind::RevokeSessions, Outcome::Contained),
        ("GetSessionToken", RemedyKind::DenyIam, Outcome::Partial),
    ] {
        let world = World::new();
        let role = json!({"roleArn": "arn:aws:iam::111111111111:role/iam-test-role"});
        let incident = opened_by(&world, &[], &[contain], session(name, role));
        assert_eq!(approved_and_carried_out(&world, &incident), expected, "{name}, {contain}");
    }
}

#[test]
fn attack_21_what_the_events_of_a_burst_did_stands() {
    struct Burst;
    impl Rules for Burst {
        fn evaluate(&self, _: &Value, _: &Documents) -> Vec<Detection> {
            Vec::new()
        }
        fn judge(&self, event: &cordon_core::Event, _: &Documents) -> cordon_detect::Judgement {
            let response =
                Response { revert: vec![], contain: vec![RemedyKind::DenyIam], gate: Default::default(), exceptions: vec![] };
            let tally = cordon_detect::Tally {
                detection: std::sync::Arc::new(One(response).evaluate(&event.record, &Documents::default()).remove(0)),
                key: "burst#mallory".to_owned(),
                value: None,
                what: event.name.clone(),
                at_least: 2,
                span_seconds: 600,
                only_new: false,
            };
            cordon_detect::Judgement { detections: Vec::new(), tallies: vec![tally] }
        }
    }
    for (name, expected) in [("ListUsers", Outcome::Contained), ("CreateGroup", Outcome::Partial)] {
        let world = World::new();
        let seen = |id: &str, name: &str| {
            let input = ClassifyInput { event: event(id, name, json!({"n": id})), execution: format!("x-{id}") };
            run(Classify { rules: &Burst, ..world.classify() }.run(input)).unwrap()
        };
        seen("e0", "ListUsers");
        let ClassifyOutput::Opened { incident } = seen("e1", "ListUsers") else { panic!("no burst") };
        assert_eq!(seen("e2", name), ClassifyOutput::Merged { incident: incident.clone() });
        assert_eq!(approved_and_carried_out(&world, &incident), expected, "{name}");
        assert_eq!(cards(&world).1.contains("What `CreateGroup` did stays"), expected == Outcome::Partial);
    }
}

#[test]
fn attack_21_what_stays_by_hand_stands_on_every_card_from_the_question_to_the_end() {
    let world = World::new();
    let user = world.iam.add_user("iam-test-victim");
    run(world.iam.put_inline_policy(&user, "p", "{\"now\":1}")).unwrap();
    let put =
        event("e1", "PutUserPolicy", json!({"userName": "iam-test-victim", "policyName": "p", "policyDocument": "{\"then\":1}"}));
    let incident = opened(&world, put);
    assert_eq!(approved_and_carried_out(&world, &incident), Outcome::Partial);
    let (asked, ended) = cards(&world);
    for card in [&asked, &ended] {
        assert!(card.contains("no longer what the event made it"), "{card}");
    }
}

#[test]
fn attack_21_every_event_that_the_plan_answers_stands_on_the_card_by_name_count_and_time() {
    let world = World::new();
    let incident = opened(&world, support::attach("e1"));
    for (n, time) in ["2026-01-02T03:04:10Z", "2026-01-02T03:04:30Z", "2026-01-02T03:04:20Z"].iter().enumerate() {
        let mut again = support::attach(&format!("m{n}"));
        again["detail"]["eventTime"] = json!(time);
        assert_eq!(merged(&world, again), incident);
    }
    assert_eq!(approved_and_carried_out(&world, &incident), Outcome::Contained);
    let (asked, ended) = cards(&world);
    for card in [&asked, &ended] {
        let expected =
            "3 further events of this case: `AttachUserPolicy` ×3 from 2026-01-02 03:04:10 UTC to 2026-01-02 03:04:30 UTC";
        assert!(card.contains(expected), "{card}");
    }
    let told = alert(&world);
    assert_eq!((&told["merged_calls"][0]["name"], &told["merged_calls"][0]["count"]), (&json!("AttachUserPolicy"), &json!(3)));
}
