//! Scenarios 8 to 11, 13 and 14: Slack, over the whole way of a click from its bytes to its response.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../flow/tests/support/mod.rs"]
mod support;

use cordon_contract::{CheckInput, ClassifyOutput, Delivery, NotifyInput, WaitInput};
use cordon_core::{IncidentId, Outcome};
use cordon_flow::callback::Callback;
use cordon_slack::{HttpResponse, Request, SlackSecret, sign, validate_message};
use cordon_slack_channel::Clicks;
use cordon_slack_channel::haste::SinceClick;
use cordon_testkit::run;
use serde_json::{Value, json};
use support::asking::asked_last;
use support::{APPROVER, World, event};

const SIGNING_SECRET: &str = "0123456789abcdef0123456789abcdef";

fn secret() -> SlackSecret {
    let text = json!({"signing_secret": SIGNING_SECRET, "bot_token": "xoxb-1", "channel": "C0TEST", "team_id": "T0TEAM", "app_id": "A0APP"});
    SlackSecret::parse(&text.to_string()).unwrap()
}

fn click(incident: &IncidentId, action: &str) -> Value {
    json!({
        "type": "block_actions", "user": {"id": APPROVER, "username": "dana", "team_id": "T0TEAM"}, "api_app_id": "A0APP",
        "team": {"id": "T0TEAM"}, "channel": {"id": "C0TEST"}, "container": {"channel_id": "C0TEST", "message_ts": "1.1"},
        "trigger_id": "1.2.3", "response_url": "https://hooks.slack.com/actions/T0TEAM/1/x",
        "actions": [{"action_id": action, "type": "button", "value": incident.as_str()}],
    })
}

fn submission(incident: &IncidentId, choice: &str) -> Value {
    json!({
        "type": "view_submission", "user": {"id": APPROVER, "username": "dana", "team_id": "T0TEAM"}, "api_app_id": "A0APP",
        "team": {"id": "T0TEAM"},
        "view": {"callback_id": "cordon_reason", "private_metadata": json!({"incident": incident, "choice": choice}).to_string(),
                 "state": {"values": {"reason": {"reason": {"type": "plain_text_input", "value": "because"}}}}},
    })
}

fn form(payload: &Value) -> Vec<u8> {
    let encoded: String = payload.to_string().bytes().map(|byte| format!("%{byte:02x}")).collect();
    format!("payload={encoded}").into_bytes()
}

fn send(world: &World, timestamp: Option<&str>, signature: Option<&str>, body: &[u8]) -> HttpResponse {
    let secret = secret();
    let callback = Callback { decide: world.decide(), executions: &world.heard, channel: &world.heard };
    let clicks = Clicks { secret: &secret, callback };
    match clicks.receive(&Request { timestamp, signature, body }) {
        Ok(interaction) => run(clicks.answer(&interaction, &world.heard, &SinceClick::now())).unwrap(),
        Err(error) => error.response(),
    }
}

fn now(world: &World) -> i64 {
    cordon_flow::ports::Clock::now(&world.clock).as_second()
}

fn signature(timestamp: i64, body: &[u8]) -> String {
    sign(&secret().signing_secret, timestamp, body).unwrap()
}

/// Signed rightly, at this moment.
fn signed(world: &World, body: &[u8]) -> HttpResponse {
    let timestamp = now(world).to_string();
    let signature = signature(now(world), body);
    send(world, Some(&timestamp), Some(&signature), body)
}

fn nothing_decided(world: &World, incident: &IncidentId) {
    assert!(world.heard.completed.lock().unwrap().is_empty());
    assert_eq!(world.stored(incident).approval.decided_at, None);
}

#[test]
fn scenario_08_a_signature_that_is_forged_missing_or_misshapen_is_answered_401_and_nothing_is_read() {
    let world = World::new();
    let incident = asked_last(&world);
    let before = world.timeline(&incident);
    let body = form(&click(&incident, "cordon_approve"));
    let timestamp = now(&world).to_string();
    let right = signature(now(&world), &body);
    let forged = format!("v0={}", "0".repeat(64));
    let other_version = right.replace("v0=", "v1=");
    let short = right.get(..right.len() - 2).unwrap();
    let long = format!("{right}00");
    let wide = format!("v0={}", "é".repeat(32));
    for signature in [None, Some(""), Some("v0="), Some(&*forged), Some(&*other_version), Some(short), Some(&*long), Some(&*wide)]
    {
        // The body is a click that would count, and bytes that nobody could parse: both are answered alike.
        for body in [body.as_slice(), b"\xff\xfe".as_slice()] {
            let reply = send(&world, Some(&timestamp), signature, body);
            assert_eq!(reply.status, 401, "{signature:?}");
            assert!(!reply.text.contains(right.trim_start_matches("v0=")), "{reply:?}");
        }
    }
    assert_eq!(send(&world, None, Some(&right), &body).status, 401);
    nothing_decided(&world, &incident);
    assert_eq!(world.timeline(&incident), before);
}

#[test]
fn scenario_09_a_replay_has_no_second_effect_and_a_strange_time_is_answered_401() {
    let world = World::new();
    let incident = asked_last(&world);
    let body = form(&click(&incident, "cordon_approve"));
    let at = now(&world);
    for timestamp in [
        (at - 301).to_string(),
        (at + 301).to_string(),
        "-1".to_owned(),
        i64::MIN.to_string(),
        i64::MAX.to_string(),
        "99999999999999999999".to_owned(),
        "abc".to_owned(),
        String::new(),
        format!(" {at}"),
        format!("{at}.0"),
        format!("+{at}"),
    ] {
        let signature = signature(timestamp.trim().parse().unwrap_or(at), &body);
        assert_eq!(send(&world, Some(&timestamp), Some(&signature), &body).status, 401, "{timestamp}");
    }
    nothing_decided(&world, &incident);

    let (timestamp, signature) = (at.to_string(), signature(at, &body));
    assert_eq!(send(&world, Some(&timestamp), Some(&signature), &body).status, 200);
    let timeline = world.timeline(&incident);
    world.clock.pass(299);
    for _ in 0..3 {
        let replayed = send(&world, Some(&timestamp), Some(&signature), &body);
        assert_eq!(replayed.status, 200);
        assert!(replayed.text.contains("already"), "{replayed:?}");
    }
    assert_eq!(world.heard.completed.lock().unwrap().len(), 1);
    assert_eq!(world.timeline(&incident), timeline);
    world.clock.pass(2);
    assert_eq!(send(&world, Some(&timestamp), Some(&signature), &body).status, 401);
}

#[test]
fn scenario_10_a_body_that_is_no_click_is_answered_400_whatever_it_is() {
    let world = World::new();
    let incident = asked_last(&world);
    let body = form(&click(&incident, "cordon_approve"));
    let twice = [body.clone(), b"&".to_vec(), body.clone()].concat();
    let huge = [b"payload=".to_vec(), vec![b'['; 1024 * 1024]].concat();
    let deep = format!("payload={}{}", "[".repeat(20_000), "]".repeat(20_000)).into_bytes();
    let deep_inside =
        format!("payload={{\"type\":\"block_actions\",\"x\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000)).into_bytes();
    for bytes in
        [Vec::new(), b"payload=".to_vec(), b"\xff\xfe\x00".to_vec(), b"payload=%ff".to_vec(), twice, huge, deep, deep_inside]
    {
        assert_eq!(signed(&world, &bytes).status, 400);
    }
    nothing_decided(&world, &incident);
}

#[test]
fn scenario_11_who_comes_from_elsewhere_or_is_no_approver_decides_nothing_with_any_button() {
    let changes: [(&str, &str, Value); 8] = [
        ("team", "/team/id", json!("T0OTHER")),
        ("app", "/api_app_id", json!("A0OTHER")),
        ("channel", "/channel/id", json!("C0OTHER")),
        ("bot", "/user/is_bot", json!(true)),
        ("slackbot", "/user/id", json!("USLACKBOT")),
        ("guest", "/user/is_restricted", json!(true)),
        ("another company's", "/user/team_id", json!("T0OTHER")),
        ("stranger", "/user/id", json!("U0STRANGER")),
    ];
    for (who, pointer, value) in changes {
        for action in ["cordon_approve", "cordon_deny", "cordon_looking", "cordon_undo", "cordon_break_glass"] {
            let world = World::new();
            let incident = asked_last(&world);
            let cards = world.heard.updates.lock().unwrap().len();
            let reply = signed(&world, &form(&with(click(&incident, action), pointer, value.clone())));
            assert!(reply.status < 500, "{who} {action}: {reply:?}");
            nothing_decided(&world, &incident);
            assert_eq!(world.heard.updates.lock().unwrap().len(), cards, "the buttons stay: {who} {action}");
            assert!(world.heard.dialogs.lock().unwrap().is_empty(), "{who} {action}");
            if matches!(action, "cordon_approve" | "cordon_deny") {
                assert_eq!(reply.status, 200);
                assert_eq!(world.timeline(&incident).last().unwrap(), "refused", "{who} {action}");
            }
        }
        for choice in ["deny", "break_glass", "undo"] {
            let world = World::new();
            let incident = asked_last(&world);
            // Slack names no channel with a dialog; all else is checked alike.
            let reply = signed(&world, &form(&with(submission(&incident, choice), pointer, value.clone())));
            if who != "channel" {
                assert!(reply.status < 500, "{who} {choice}: {reply:?}");
                nothing_decided(&world, &incident);
            }
        }
    }
}

fn with(mut payload: Value, pointer: &str, value: Value) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    if let Some(fields) = payload.pointer_mut(parent).and_then(Value::as_object_mut) {
        fields.insert(key.to_owned(), value);
    }
    payload
}

#[test]
fn scenario_13_an_attackers_texts_stay_inside_every_limit_and_mention_nobody() {
    let hostile = [
        "<!channel> <@U0VICTIM> <https://evil.example|Approve> & *bold* `x`",
        "user\u{202E}nimda\u{200B}\u{2066}",
        "```\n> quote",
    ];
    for text in hostile.into_iter().map(str::to_owned).chain(hostile.map(|text| text.repeat(4_096 / text.len()))) {
        let world = World::new();
        let mut given = event("e", "AttachUserPolicy", json!({"userName": text, "policyArn": text, "note": text}));
        for pointer in ["/detail/userAgent", "/detail/sourceIPAddress", "/detail/userIdentity/userName"] {
            given = with(given, pointer, json!(text));
        }
        let ClassifyOutput::Opened { incident } = world.classified(given.clone(), "execution-1") else { panic!("no incident") };
        given["detail"]["eventID"] = json!("e2");
        // Before the plan is made: nothing joins an incident whose plan finds nobody of this name.
        assert_eq!(world.classified(given, "execution-2"), ClassifyOutput::Merged { incident: incident.clone() });
        run(world.check().run(CheckInput { incident: incident.clone() })).unwrap();
        let ask = WaitInput::Ask { incident: incident.clone(), task_token: "token".to_owned(), timeout_seconds: 600, last: true };
        run(world.wait().run(ask)).unwrap();
        for input in [
            NotifyInput::Asked { incident: incident.clone() },
            NotifyInput::Merged { incident: incident.clone() },
            NotifyInput::Outcome { incident: incident.clone(), outcome: Outcome::Partial },
        ] {
            run(world.notify().run(input)).unwrap();
        }
        let replies: Vec<_> = world.heard.replies.lock().unwrap().iter().map(|(_, message)| message.clone()).collect();
        let posts = world.heard.posts.lock().unwrap().clone();
        let updates = world.heard.updates.lock().unwrap().clone();
        assert!(!posts.is_empty() && !updates.is_empty() && replies.len() == 2);
        for message in posts.iter().chain(&updates).chain(&replies) {
            assert_eq!(validate_message(message), Ok(()));
            let said = message.to_value().to_string();
            for wrong in ["<!channel", "<@U0VICTIM", "<https://evil", "\u{202E}", "\u{200B}", "\u{2066}"] {
                assert!(!said.contains(wrong), "{wrong}: {said}");
            }
        }
        for alert in world.heard.alerts.lock().unwrap().iter() {
            assert!(alert.subject.len() <= 100 && alert.subject.bytes().all(|b| (0x20..0x7f).contains(&b)), "{}", alert.subject);
            assert!(alert.body.to_string().len() < 250_000);
        }
    }
}

#[test]
fn scenario_14_where_slack_takes_nothing_sns_is_told_the_timeline_says_so_and_the_incident_goes_on() {
    let world = World::new();
    *world.heard.slack_is_down.lock().unwrap() = true;
    let incident = asked_last(&world);
    let told = run(world.notify().run(NotifyInput::Asked { incident: incident.clone() })).unwrap();
    assert_eq!((told.sns, told.slack), (Delivery::Sent, Delivery::Skipped));
    let reply = signed(&world, &form(&click(&incident, "cordon_approve")));
    assert_eq!(reply.status, 200);
    assert_eq!(world.heard.completed.lock().unwrap().len(), 1, "a decision does not wait for Slack");
    let close = NotifyInput::Outcome { incident: incident.clone(), outcome: Outcome::Denied };
    let told = run(world.notify().run(close)).unwrap();
    assert_eq!((told.sns, told.slack), (Delivery::Sent, Delivery::Failed));
    let entries = run(world.store().timeline(&incident)).unwrap();
    let undelivered: Vec<String> =
        entries.iter().map(|entry| entry.data.to_string()).filter(|data| data.contains("out of reach")).collect();
    assert_eq!(undelivered.len(), 2, "the card and the outcome: {undelivered:?}");
    let alerts = world.heard.alerts.lock().unwrap();
    assert_eq!(alerts.iter().map(|alert| alert.body["message"].clone()).collect::<Vec<_>>(), ["asked", "outcome"]);
}

/// `break_glass = true`, and two people for what is high.
fn glass(extra: &str) -> World {
    let policy =
        support::CONFIG.replace("mode = \"enforce\"", &format!("{extra}\n[approval]\nbreak_glass = true\nrehearse = true"));
    World::with(&format!("{policy}\n[approval.quorum]\nhigh = 2\n"))
}

fn has_glass(world: &World) -> bool {
    world.heard.posts.lock().unwrap().last().unwrap().to_value().to_string().contains("cordon_break_glass")
}

#[test]
fn the_glass_stands_only_on_a_card_where_it_can_be_broken() {
    const ENFORCE: &str = "mode = \"enforce\"";
    let shown = |world: World| {
        asked_last(&world);
        has_glass(&world)
    };
    assert!(shown(glass(ENFORCE)));
    let two = "[approval.quorum]\nhigh = 2\n";
    assert!(!shown(World::with(&format!("{}\n{two}", support::CONFIG))), "cordon.toml does not allow it");
    let one = support::CONFIG.replace(ENFORCE, "mode = \"enforce\"\n[approval]\nbreak_glass = true");
    assert!(!shown(World::with(&one)), "one approval is enough");
    assert!(!shown(glass("mode = \"dry-run\"")), "a rehearsal");
    let webhook = glass(ENFORCE);
    *webhook.heard.has_no_dialogs.lock().unwrap() = true;
    assert!(!shown(webhook), "nothing could ask for the reason");
}

#[test]
fn the_glass_is_broken_by_a_click_and_a_reason_and_by_nothing_less() {
    let world = glass("mode = \"enforce\"");
    let incident = asked_last(&world);
    // One has approved, and the card that says so still has the glass.
    signed(&world, &form(&with(click(&incident, "cordon_approve"), "/user/id", json!("U0SECOND"))));
    let shown = world.heard.updates.lock().unwrap().last().unwrap().to_value().to_string();
    assert!(shown.contains("1 of 2 approvals") && shown.contains("cordon_break_glass"), "{shown}");
    assert_eq!(signed(&world, &form(&click(&incident, "cordon_break_glass"))).status, 200);
    let asks = world.heard.dialogs.lock().unwrap().last().unwrap().clone();
    assert_eq!((asks.kind, asks.incident.as_str()), (cordon_cards::DialogKind::BreakGlass, incident.as_str()));
    nothing_decided(&world, &incident);

    let blank = with(submission(&incident, "break_glass"), "/view/state/values/reason/reason/value", json!("  "));
    let reply = signed(&world, &form(&with(blank, "/user/id", json!("U0SECOND"))));
    assert!(reply.is_json && reply.text.contains("needs a reason"), "{reply:?}");
    nothing_decided(&world, &incident);
    let broken = signed(&world, &form(&with(submission(&incident, "break_glass"), "/user/id", json!("U0SECOND"))));
    assert_eq!((broken.status, broken.text.as_str()), (200, ""));
    assert_eq!(world.heard.completed.lock().unwrap()[0].1["decision"], "break_glass");
    let card = world.heard.updates.lock().unwrap().last().unwrap().to_value().to_string();
    assert!(card.contains("*Approved*") && !card.contains("\"action_id\""), "{card}");
}

#[test]
fn a_glass_on_an_old_card_opens_no_dialog_once_the_policy_has_taken_it_back() {
    let world = World::with(&format!("{}\n[approval.quorum]\nhigh = 2\n", support::CONFIG));
    let incident = asked_last(&world);
    let reply = signed(&world, &form(&click(&incident, "cordon_break_glass")));
    assert!(reply.text.contains("not allowed here"), "{reply:?}");
    assert!(world.heard.dialogs.lock().unwrap().is_empty());
    assert_eq!(world.timeline(&incident).last().unwrap(), "refused");
}
