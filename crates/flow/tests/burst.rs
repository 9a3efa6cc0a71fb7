//! Many events at once: each is on record, and the channel can still be read.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::{ClassifyOutput, Delivery, NotifyInput, NotifyOutput, WaitInput};
use cordon_core::{IncidentId, Outcome};
use cordon_testkit::run;
use serde_json::{Value, json};
use support::{CONFIG, World, attach, event};

fn dry(extra: &str) -> World {
    World::with(&format!("{}\n{extra}", CONFIG.replace("enforce", "dry-run")))
}

fn alert(world: &World, incident: &IncidentId) -> NotifyOutput {
    run(world.notify().run(NotifyInput::Alert { incident: incident.clone() })).unwrap()
}

fn merge(world: &World, n: usize) -> NotifyOutput {
    let ClassifyOutput::Merged { incident } = world.classified(attach(&format!("later-{n}")), &format!("x-{n}")) else {
        panic!("not merged")
    };
    run(world.notify().run(NotifyInput::Merged { incident })).unwrap()
}

/// An incident of its own: another subject each.
fn another(world: &World, n: usize) -> IncidentId {
    let parameters = json!({"userName": format!("iam-test-{n}"), "policyArn": support::ADMIN_POLICY});
    let (incident, _) = world.checked_as(event(&format!("e-{n}"), "AttachUserPolicy", parameters), &format!("x-{n}"));
    incident
}

#[test]
fn later_events_go_into_the_thread_at_a_few_steps_and_the_card_counts_them() {
    let world = dry("");
    let (incident, _) = world.checked(attach("e"));
    alert(&world, &incident);
    for n in 1..=120 {
        merge(&world, n);
    }
    let replies = world.heard.replies.lock().unwrap();
    let counts: Vec<String> = replies.iter().map(|(_, message)| message.text.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(counts, ["1", "2", "5", "10", "20", "50", "100"]);
    assert!(replies.iter().all(|(ts, _)| ts == "1.1"), "they stand below the card");
    assert_eq!(world.heard.posts.lock().unwrap().len(), 1);
    let updates = world.heard.updates.lock().unwrap();
    assert_eq!(updates.len(), 7);
    assert!(updates[6].to_value().to_string().contains("100 further events of this case"), "{:?}", updates[6]);
    assert_eq!(world.joined(&incident).len(), 120);
    let told = world.heard.alerts.lock().unwrap().iter().filter(|alert| alert.body["message"] == "merged").count();
    assert_eq!(told, 7, "SNS is told as often");
}

#[test]
fn between_two_steps_silence_is_broken_after_ten_minutes() {
    let world = dry("");
    let (incident, _) = world.checked(attach("e"));
    alert(&world, &incident);
    for n in 1..=3 {
        merge(&world, n);
    }
    assert_eq!(world.heard.replies.lock().unwrap().len(), 2);
    world.clock.pass(599);
    assert_eq!(merge(&world, 4).slack, Delivery::Skipped);
    world.clock.pass(1);
    // The fifth is a step; the count after it is not, and has to wait again.
    assert_eq!(merge(&world, 5).slack, Delivery::Sent);
    assert_eq!(merge(&world, 6).slack, Delivery::Skipped);
    world.clock.pass(600);
    assert_eq!(merge(&world, 7).slack, Delivery::Sent);
}

#[test]
fn a_card_that_was_decided_gets_no_buttons_back_from_a_later_event() {
    let world = World::new();
    let (incident, _) = world.checked(attach("e"));
    let ask = WaitInput::Ask { incident: incident.clone(), task_token: "token".to_owned(), timeout_seconds: 600, last: true };
    run(world.wait().run(ask)).unwrap();
    let buttons = |message: &cordon_cards::Message| message.blocks.iter().any(|block| block["type"] == "actions");
    merge(&world, 1);
    assert!(buttons(world.heard.updates.lock().unwrap().last().unwrap()), "the question still stands");
    run(world.decide().run(
        &incident,
        cordon_flow::approver::Voter::Slack(support::APPROVER),
        cordon_flow::decide::Choice::Approve,
        None,
    ))
    .unwrap();
    merge(&world, 2);
    assert!(!buttons(world.heard.updates.lock().unwrap().last().unwrap()));
}

#[test]
fn a_later_event_that_slack_does_not_take_is_told_by_sns_and_noted() {
    let world = dry("");
    let (incident, _) = world.checked(attach("e"));
    alert(&world, &incident);
    *world.heard.slack_is_down.lock().unwrap() = true;
    assert_eq!(merge(&world, 1), NotifyOutput { sns: Delivery::Sent, slack: Delivery::Failed });
    let entries = run(world.store().timeline(&incident)).unwrap();
    assert!(entries.last().unwrap().data["reasons"][0].as_str().unwrap().contains("out of reach"));
    *world.heard.sns_is_down.lock().unwrap() = true;
    assert_eq!(merge(&world, 2), NotifyOutput { sns: Delivery::Failed, slack: Delivery::Failed });
}

#[test]
fn scenario_30_a_thousand_incidents_in_a_minute_are_ten_cards_and_one_summary() {
    let world = dry("");
    let incidents: Vec<IncidentId> = (0..1_000).map(|n| another(&world, n)).collect();
    let told: Vec<NotifyOutput> = incidents.iter().map(|incident| alert(&world, incident)).collect();
    assert!(told.iter().all(|output| output.sns == Delivery::Sent), "SNS has every one");
    assert_eq!(told.iter().filter(|output| output.slack == Delivery::Sent).count(), 10);
    assert_eq!(told.iter().filter(|output| output.slack == Delivery::Summarised).count(), 990);
    let posts = world.heard.posts.lock().unwrap();
    assert_eq!(posts.len(), 11, "ten cards and the summary");
    assert!(posts[10].text.starts_with("A burst: 1 more incident"), "{}", posts[10].text);
    let updates = world.heard.updates.lock().unwrap();
    assert_eq!(updates.len(), 8);
    assert!(updates[7].text.starts_with("A burst: 500 more incidents, at least."), "{}", updates[7].text);
    assert!(updates[7].to_value().to_string().contains("`cordon incident list`"));
    let last = run(world.store().timeline(&incidents[999])).unwrap().pop().unwrap();
    assert_eq!(last.data, json!({"sns": "sent", "slack": "summarised"}));
}

#[test]
fn a_burst_of_several_minutes_keeps_the_message_it_began_with() {
    let world = dry("[notifications]\ncards_per_minute = 2");
    for minute in 0..3 {
        for n in 0..5 {
            alert(&world, &another(&world, minute * 10 + n));
        }
        world.clock.pass(60);
    }
    let posts = world.heard.posts.lock().unwrap();
    assert_eq!(posts.len(), 2 * 3 + 1, "two cards a minute, one summary");
    let updates = world.heard.updates.lock().unwrap();
    assert!(updates.last().unwrap().text.starts_with("A burst: 8 more incidents"), "{}", updates.last().unwrap().text);
}

#[test]
fn questions_are_still_asked_while_alerts_are_summarised_and_have_a_limit_of_their_own() {
    let world = World::with(&format!("{CONFIG}\n[notifications]\ncards_per_minute = 1\nquestions_per_minute = 3"));
    let ask = |n: usize| {
        let incident = another(&world, n);
        run(world.notify().run(NotifyInput::Alert { incident: incident.clone() })).unwrap();
        let cards = world.heard.posts.lock().unwrap().len();
        let token = format!("token-{n}");
        run(world.wait().run(WaitInput::Ask { incident: incident.clone(), task_token: token, timeout_seconds: 600, last: true }))
            .unwrap();
        (incident, cards)
    };
    // The first alert is the card of its incident, so its question adds none.
    let asked: Vec<IncidentId> = (0..7).map(|n| ask(n).0).collect();
    let posts = world.heard.posts.lock().unwrap().clone();
    let with_buttons = posts.iter().filter(|post| post.text.contains("Approve or deny")).count();
    assert_eq!(with_buttons, 3, "{:?}", posts.iter().map(|post| post.text.clone()).collect::<Vec<_>>());
    let summary = posts.iter().find(|post| post.text.contains("for a decision")).unwrap();
    assert!(summary.to_value().to_string().contains("cordon incident approve ID --reason"));
    // What has no card is asked all the same, and can be decided.
    let last = asked.last().unwrap();
    assert!(world.stored(last).delivery.slack.is_none() && world.timeline(last).contains(&"asked".to_owned()));
    let outcome = NotifyInput::Outcome { incident: last.clone(), outcome: Outcome::Denied };
    assert_eq!(run(world.notify().run(outcome)).unwrap().slack, Delivery::Sent);
}

#[test]
fn where_nothing_can_be_counted_everything_is_posted() {
    let world = dry("[notifications]\ncards_per_minute = 1");
    *world.table.counts_fail.lock().unwrap() = true;
    for n in 0..4 {
        assert_eq!(alert(&world, &another(&world, n)).slack, Delivery::Sent);
    }
}

#[test]
fn a_route_sends_an_incident_to_its_channel_and_topic_and_another_channel_has_a_pace_of_its_own() {
    let topic = "arn:aws:sns:us-east-1:111111111111:pager";
    let world = dry(&format!(
        "[notifications]\ncards_per_minute = 1\n[[notifications.routes]]\nrules = [\"admin-*\"]\nchannel = \"C0LOUD\"\ntopic = \"{topic}\""
    ));
    let loud = another(&world, 1);
    alert(&world, &loud);
    let parameters = json!({"userName": "iam-test-new"});
    let (quiet, _) = world.checked_as(event("e-2", "CreateUser", parameters), "x-2");
    alert(&world, &quiet);
    assert_eq!(world.heard.posts_elsewhere.lock().unwrap()[0].0, "C0LOUD");
    assert_eq!(world.heard.posts.lock().unwrap().len(), 1);
    assert_eq!(world.stored(&loud).delivery.slack.unwrap().channel, "C0LOUD");
    let topics: Vec<Option<String>> = world.heard.alerts.lock().unwrap().iter().map(|alert| alert.topic.clone()).collect();
    assert_eq!(topics, [Some(topic.to_owned()), None]);
}

#[test]
fn an_alert_carries_the_attributes_that_subscriptions_filter_by() {
    let world = dry("");
    let (incident, _) = world.checked(attach("e"));
    alert(&world, &incident);
    run(world.notify().run(NotifyInput::Outcome { incident, outcome: Outcome::Partial })).unwrap();
    let alerts = world.heard.alerts.lock().unwrap();
    let of = |n: usize| -> Value { alerts[n].attributes.iter().map(|(name, value)| (*name, value.clone())).collect() };
    let account = support::ACCOUNT;
    let common = json!({"message": "alert", "severity": "high", "account": account, "rule": "admin-attached", "route": "alert"});
    assert_eq!(of(0), common);
    assert_eq!((&of(1)["message"], &of(1)["outcome"]), (&json!("outcome"), &json!("partial")));
}

#[test]
fn an_outcome_is_told_once_however_often_the_state_is_tried() {
    let world = dry("");
    let (incident, _) = world.checked(attach("e"));
    alert(&world, &incident);
    let close = || run(world.notify().run(NotifyInput::Outcome { incident: incident.clone(), outcome: Outcome::Denied }));
    *world.heard.sns_is_down.lock().unwrap() = true;
    *world.heard.slack_is_down.lock().unwrap() = true;
    assert!(close().is_err(), "nobody heard of it, so another try is worth it");
    *world.heard.sns_is_down.lock().unwrap() = false;
    *world.heard.slack_is_down.lock().unwrap() = false;
    assert_eq!(close().unwrap(), NotifyOutput { sns: Delivery::Sent, slack: Delivery::Sent });
    assert_eq!(close().unwrap(), NotifyOutput { sns: Delivery::Skipped, slack: Delivery::Skipped });
    assert_eq!(world.heard.updates.lock().unwrap().len(), 1);
    assert_eq!(world.heard.replies.lock().unwrap().len(), 1, "the thread is told, for an edit makes no sound");
}
