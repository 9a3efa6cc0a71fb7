use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// What Slack sends for a click on a message of an app with a bot token, shortened.
fn click() -> Value {
    json!({
        "type": "block_actions",
        "user": {"id": "U0APPROVER", "username": "dana", "name": "dana", "team_id": "T0TEAM"},
        "api_app_id": "A0APP",
        "token": "legacy-verification-token",
        "container": {"type": "message", "message_ts": "1767323045.000100", "channel_id": "C0ALERTS", "is_ephemeral": false},
        "trigger_id": "1.2.HUNTER2",
        "team": {"id": "T0TEAM", "domain": "acme"},
        "enterprise": null,
        "is_enterprise_install": false,
        "channel": {"id": "C0ALERTS", "name": "aws-incidents"},
        "message": {"type": "message", "ts": "1767323045.000100", "text": "…", "blocks": []},
        "state": {"values": {}},
        "response_url": "https://hooks.slack.com/actions/T0TEAM/1/HUNTER2",
        "actions": [{"action_id": "cordon_approve", "block_id": "b", "type": "button", "value": "inc-0123456789abcdef0123",
                     "text": {"type": "plain_text", "text": "Approve"}, "action_ts": "1767323060.1"}]
    })
}

fn body(payload: &Value) -> Vec<u8> {
    serde_urlencoded::to_string([("payload", payload.to_string())]).unwrap().into_bytes()
}

fn click_of(body: &[u8]) -> Click {
    match parse(body).unwrap() {
        Interaction::Click(click) => click,
        Interaction::Submission(_) => unreachable!("a click was sent"),
    }
}

fn with(pointer: &str, value: Value) -> Result<Interaction, InteractionError> {
    let mut payload = click();
    *payload.pointer_mut(pointer).unwrap() = value;
    parse(&body(&payload))
}

#[test]
fn a_click_is_read_whole() {
    let read = click_of(&body(&click()));
    assert_eq!((read.action_id.as_str(), read.value.as_deref()), ("cordon_approve", Some("inc-0123456789abcdef0123")));
    assert_eq!((read.sender.user_id.as_str(), read.sender.user_name.as_deref()), ("U0APPROVER", Some("dana")));
    assert_eq!((read.sender.team_id.as_str(), read.sender.app_id.as_deref()), ("T0TEAM", Some("A0APP")));
    assert_eq!((read.channel_id.as_str(), read.message_ts.as_deref()), ("C0ALERTS", Some("1767323045.000100")));
    let who = &read.sender;
    assert!(!who.is_bot && !who.is_guest && !who.is_from_outside() && !who.is_enterprise_install);
    assert_eq!(read.trigger_id.as_ref().map(Secret::expose), Some("1.2.HUNTER2"));
    assert!(!format!("{read:?}").contains("HUNTER2"));
}

#[test]
fn what_slack_says_about_the_person_is_kept() {
    let mut payload = click();
    payload["user"] = json!({"id": "U0X", "team_id": "T0OTHER", "is_bot": true, "is_ultra_restricted": true});
    payload["enterprise"] = json!({"id": "E0GRID", "name": "grid"});
    payload["is_enterprise_install"] = json!(true);
    let read = click_of(&body(&payload)).sender;
    assert!(read.is_bot && read.is_guest && read.is_from_outside() && read.is_enterprise_install);
    assert_eq!(read.enterprise_id.as_deref(), Some("E0GRID"));
}

/// What Slack sends when a dialog is sent off, shortened.
fn submission(metadata: &str) -> Value {
    json!({
        "type": "view_submission",
        "team": {"id": "T0TEAM", "domain": "acme"},
        "user": {"id": "U0APPROVER", "username": "dana", "name": "dana", "team_id": "T0TEAM"},
        "api_app_id": "A0APP",
        "token": "legacy-verification-token",
        "trigger_id": "1.3.x",
        "view": {
            "id": "V0VIEW", "team_id": "T0TEAM", "type": "modal", "callback_id": "cordon_reason", "private_metadata": metadata,
            "state": {"values": {"reason": {"reason": {"type": "plain_text_input", "value": " a planned change "}}}},
            "hash": "1.abc", "app_id": "A0APP", "bot_id": "B0BOT",
        },
        "response_urls": [],
        "is_enterprise_install": false,
        "enterprise": null
    })
}

const ABOUT: &str = r#"{"incident":"inc-0123456789abcdef0123","choice":"deny"}"#;

#[test]
fn a_dialog_that_was_sent_off_is_read_whole() {
    let Ok(Interaction::Submission(read)) = parse(&body(&submission(ABOUT))) else { unreachable!("a submission was sent") };
    assert_eq!((read.callback_id.as_str(), read.metadata.as_str()), ("cordon_reason", ABOUT));
    assert_eq!(read.written("other"), None);
    assert_eq!((read.written("reason").as_deref(), read.sender.user_id.as_str()), (Some("a planned change"), "U0APPROVER"));
}

#[test]
fn scenario_10_a_body_that_is_not_one_click_is_refused() {
    let one = body(&click());
    let two = [one.clone(), b"&".to_vec(), one.clone()].concat();
    let hidden = [one.clone(), b"&%70ayload=x".to_vec()].concat();
    for (given, expected) in [
        (Vec::new(), InteractionError::NoPayload),
        (b"token=x".to_vec(), InteractionError::NoPayload),
        (two, InteractionError::TwoPayloads),
        (hidden, InteractionError::TwoPayloads),
        (b"payload=%FF%FE".to_vec(), InteractionError::NotForm),
        (b"payload=\xff".to_vec(), InteractionError::NotForm),
        (b"payload=%7".to_vec(), InteractionError::NotForm),
        (b"payload=%zz".to_vec(), InteractionError::NotForm),
        (b"payload=".to_vec(), InteractionError::NotPayload),
        (b"payload=[]".to_vec(), InteractionError::NotPayload),
        (b"payload={\"type\":\"view_submission\"}".to_vec(), InteractionError::NotPayload),
        (b"payload={\"type\":\"view_closed\"}".to_vec(), InteractionError::UnknownKind),
        (b"payload={\"type\":\"block_actions\"}".to_vec(), InteractionError::NotPayload),
        ([b"payload=".to_vec(), vec![b'['; MAX_BODY_BYTES]].concat(), InteractionError::TooLarge),
        ([b"payload=".to_vec(), vec![b'['; 100_000]].concat(), InteractionError::NotPayload),
    ] {
        assert_eq!(parse(&given), Err(expected));
    }
}

#[test]
fn a_malformed_field_is_named() {
    for (pointer, value, expected) in [
        ("/actions", json!([]), InteractionError::NotOneAction),
        ("/actions/0/action_id", json!("a".repeat(256)), InteractionError::Bad("action_id")),
        ("/actions/0/value", json!("a".repeat(2_001)), InteractionError::Bad("value")),
        ("/user/id", json!("U1> <!channel"), InteractionError::Bad("user.id")),
        ("/user/id", json!(""), InteractionError::Bad("user.id")),
        ("/team", json!(null), InteractionError::Bad("team.id")),
        ("/channel/id", json!("../C1"), InteractionError::Bad("channel.id")),
        ("/container/message_ts", json!("x"), InteractionError::Bad("message.ts")),
        ("/trigger_id", json!("two words"), InteractionError::Bad("trigger_id")),
    ] {
        assert_eq!(with(pointer, value), Err(expected), "{pointer}");
    }
}

#[test]
fn two_actions_in_one_payload_are_refused() {
    let mut payload = click();
    let action = payload["actions"][0].clone();
    payload["actions"] = json!([action, action]);
    assert_eq!(parse(&body(&payload)), Err(InteractionError::NotOneAction));
}

proptest! {
    #[test]
    fn whatever_arrives_is_answered_without_a_panic(bytes: Vec<u8>, text in ".*") {
        let _ = parse(&bytes);
        let _ = parse(&serde_urlencoded::to_string([("payload", text)]).unwrap().into_bytes());
    }
}
