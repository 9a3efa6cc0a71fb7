//! Reads the body of an interactivity request into the click that it reports.
//!
//! It says what was clicked, where and by whom; it never decides whether that person may. It must run only after the signature
//! verified. Whatever is not one click on one of Cordon's two buttons is refused, and a refusal repeats nothing of the body.
//!
//! Source: <https://docs.slack.dev/reference/interaction-payloads/block_actions-payload>

use serde::Deserialize;

use crate::secret::Secret;
use crate::{APPROVE, DENY};

/// The largest body that is looked at.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

const MAX_ID: usize = 32;
const MAX_INCIDENT: usize = 64;
const MAX_NAME: usize = 256;

/// Which button was clicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Approve,
    Deny,
}

/// One click on one button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interaction {
    pub action: Action,
    /// The button's value. Its characters are checked (`a-z`, `0-9`, `-`), its meaning is not.
    pub incident: String,
    pub user_id: String,
    /// What the person calls themself. Anybody can take any name: for display only, never for a decision.
    pub user_name: Option<String>,
    /// The workspace that the person belongs to, where Slack says so: it differs from `team_id` for a guest from another company.
    pub user_team_id: Option<String>,
    pub team_id: String,
    pub enterprise_id: Option<String>,
    pub is_enterprise_install: bool,
    pub app_id: Option<String>,
    pub channel_id: String,
    pub message_ts: Option<String>,
    /// Whoever knows it can write into the channel for half an hour; hence not printable.
    pub response_url: Option<Secret>,
    /// Slack sends these two flags only in some payloads; absent means "not said", which reads as false.
    pub is_bot: bool,
    pub is_guest: bool,
}

impl Interaction {
    /// Whether Slack says that the person belongs to another workspace than the one that the click came from.
    pub fn is_from_outside(&self) -> bool {
        self.user_team_id.as_ref().is_some_and(|team| *team != self.team_id && Some(team) != self.enterprise_id.as_ref())
    }
}

/// Why a body is not a click. All of them are the sender's fault (400).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InteractionError {
    #[error("the body is larger than {MAX_BODY_BYTES} bytes")]
    TooLarge,
    #[error("the body is not a UTF-8 form")]
    NotForm,
    #[error("the body has no `payload` field")]
    NoPayload,
    #[error("the body has more than one `payload` field")]
    TwoPayloads,
    #[error("the payload is not JSON of the shape that Slack documents")]
    NotPayload,
    #[error("the payload is not of the type `block_actions`")]
    NotBlockActions,
    #[error("the payload reports no single action")]
    NotOneAction,
    #[error("the action is not one of Cordon's")]
    UnknownAction,
    #[error("the payload's `{0}` is missing or malformed")]
    Bad(&'static str),
}

/// Reads a body of the type `application/x-www-form-urlencoded`.
pub fn parse(body: &[u8]) -> Result<Interaction, InteractionError> {
    if body.len() > MAX_BODY_BYTES {
        return Err(InteractionError::TooLarge);
    }
    let payload = payload_field(body)?;
    let kind: Kind = serde_json::from_str(&payload).map_err(|_| InteractionError::NotPayload)?;
    if kind.kind != "block_actions" {
        return Err(InteractionError::NotBlockActions);
    }
    let payload: Payload = serde_json::from_str(&payload).map_err(|_| InteractionError::NotPayload)?;
    payload.into_interaction()
}

/// The one `payload` field, decoded.
fn payload_field(body: &[u8]) -> Result<String, InteractionError> {
    let mut found = None;
    for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = decode(halves.next().unwrap_or_default())?;
        let value = decode(halves.next().unwrap_or_default())?;
        if name == "payload" && found.replace(value).is_some() {
            return Err(InteractionError::TwoPayloads);
        }
    }
    found.ok_or(InteractionError::NoPayload)
}

/// Form decoding that refuses what `form_urlencoded` would paper over: half an escape, and bytes that are not UTF-8.
fn decode(encoded: &[u8]) -> Result<String, InteractionError> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.iter().copied();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (Some(high), Some(low)) = (bytes.next(), bytes.next()) else { return Err(InteractionError::NotForm) };
                let mut one = [0];
                hex::decode_to_slice([high, low], &mut one).map_err(|_| InteractionError::NotForm)?;
                let [one] = one;
                one
            }
            _ => byte,
        });
    }
    String::from_utf8(decoded).map_err(|_| InteractionError::NotForm)
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Payload {
    user: User,
    team: Option<WithId>,
    enterprise: Option<WithId>,
    #[serde(default)]
    is_enterprise_install: Option<bool>,
    api_app_id: Option<String>,
    channel: Option<WithId>,
    container: Option<Container>,
    message: Option<PostedMessage>,
    response_url: Option<String>,
    actions: Vec<Clicked>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    name: Option<String>,
    username: Option<String>,
    team_id: Option<String>,
    #[serde(default)]
    is_bot: Option<bool>,
    #[serde(default)]
    is_restricted: Option<bool>,
    #[serde(default)]
    is_ultra_restricted: Option<bool>,
}

#[derive(Deserialize)]
struct WithId {
    id: String,
}

#[derive(Deserialize)]
struct Container {
    channel_id: Option<String>,
    message_ts: Option<String>,
}

#[derive(Deserialize)]
struct PostedMessage {
    ts: Option<String>,
}

#[derive(Deserialize)]
struct Clicked {
    action_id: String,
    value: Option<String>,
}

impl Payload {
    fn into_interaction(self) -> Result<Interaction, InteractionError> {
        let [clicked] = <[Clicked; 1]>::try_from(self.actions).map_err(|_| InteractionError::NotOneAction)?;
        let action = match clicked.action_id.as_str() {
            APPROVE => Action::Approve,
            DENY => Action::Deny,
            _ => return Err(InteractionError::UnknownAction),
        };
        let (container_channel, container_ts) = self.container.map_or((None, None), |it| (it.channel_id, it.message_ts));
        let channel = self.channel.map(|channel| channel.id).or(container_channel);
        let message_ts = container_ts.or(self.message.and_then(|message| message.ts));
        Ok(Interaction {
            action,
            incident: clicked.value.filter(|value| is_incident(value)).ok_or(InteractionError::Bad("value"))?,
            user_id: Some(self.user.id.clone()).filter(|id| is_id(id)).ok_or(InteractionError::Bad("user.id"))?,
            user_name: self.user.name.or(self.user.username).map(|name| crate::text::truncate(&name, MAX_NAME)),
            user_team_id: optional_id(self.user.team_id, "user.team_id")?,
            team_id: optional_id(self.team.map(|team| team.id), "team.id")?.ok_or(InteractionError::Bad("team.id"))?,
            enterprise_id: optional_id(self.enterprise.map(|it| it.id), "enterprise.id")?,
            is_enterprise_install: self.is_enterprise_install.unwrap_or(false),
            app_id: optional_id(self.api_app_id, "api_app_id")?,
            channel_id: optional_id(channel, "channel.id")?.ok_or(InteractionError::Bad("channel.id"))?,
            message_ts: optional(message_ts, is_ts, "message.ts")?,
            response_url: self.response_url.filter(|url| !url.is_empty()).map(Secret::new),
            is_bot: self.user.is_bot.unwrap_or(false) || self.user.id == "USLACKBOT",
            is_guest: self.user.is_restricted.unwrap_or(false) || self.user.is_ultra_restricted.unwrap_or(false),
        })
    }
}

fn optional_id(value: Option<String>, field: &'static str) -> Result<Option<String>, InteractionError> {
    optional(value, is_id, field)
}

fn optional(value: Option<String>, holds: fn(&str) -> bool, field: &'static str) -> Result<Option<String>, InteractionError> {
    match value {
        Some(value) if !holds(&value) => Err(InteractionError::Bad(field)),
        value => Ok(value),
    }
}

fn is_id(value: &str) -> bool {
    (1..=MAX_ID).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_incident(value: &str) -> bool {
    (1..=MAX_INCIDENT).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn is_ts(value: &str) -> bool {
    (1..=MAX_ID).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

#[cfg(test)]
mod tests {
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
            "trigger_id": "1.2.abc",
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

    fn with(pointer: &str, value: Value) -> Result<Interaction, InteractionError> {
        let mut payload = click();
        *payload.pointer_mut(pointer).unwrap() = value;
        parse(&body(&payload))
    }

    #[test]
    fn a_click_is_read_whole() {
        let read = parse(&body(&click())).unwrap();
        assert_eq!((read.action, read.incident.as_str()), (Action::Approve, "inc-0123456789abcdef0123"));
        assert_eq!((read.user_id.as_str(), read.user_name.as_deref()), ("U0APPROVER", Some("dana")));
        assert_eq!((read.team_id.as_str(), read.app_id.as_deref()), ("T0TEAM", Some("A0APP")));
        assert_eq!((read.channel_id.as_str(), read.message_ts.as_deref()), ("C0ALERTS", Some("1767323045.000100")));
        assert!(!read.is_bot && !read.is_guest && !read.is_from_outside() && !read.is_enterprise_install);
        assert!(!format!("{read:?}").contains("HUNTER2"));
    }

    #[test]
    fn what_slack_says_about_the_person_is_kept() {
        let mut payload = click();
        payload["user"] = json!({"id": "U0X", "team_id": "T0OTHER", "is_bot": true, "is_ultra_restricted": true});
        payload["enterprise"] = json!({"id": "E0GRID", "name": "grid"});
        payload["is_enterprise_install"] = json!(true);
        let read = parse(&body(&payload)).unwrap();
        assert!(read.is_bot && read.is_guest && read.is_from_outside() && read.is_enterprise_install);
        assert_eq!(read.enterprise_id.as_deref(), Some("E0GRID"));
    }

    #[test]
    fn deny_is_told_from_approve() {
        assert_eq!(with("/actions/0/action_id", json!("cordon_deny")).unwrap().action, Action::Deny);
        assert_eq!(with("/actions/0/action_id", json!("cordon_approve2")), Err(InteractionError::UnknownAction));
    }

    #[test]
    fn a_body_that_is_not_one_click_is_refused() {
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
            (b"payload={\"type\":\"view_submission\"}".to_vec(), InteractionError::NotBlockActions),
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
            ("/actions/0/value", json!(null), InteractionError::Bad("value")),
            ("/actions/0/value", json!("inc-1 <!channel>"), InteractionError::Bad("value")),
            ("/actions/0/value", json!("a".repeat(65)), InteractionError::Bad("value")),
            ("/user/id", json!("U1> <!channel"), InteractionError::Bad("user.id")),
            ("/user/id", json!(""), InteractionError::Bad("user.id")),
            ("/team", json!(null), InteractionError::Bad("team.id")),
            ("/channel/id", json!("../C1"), InteractionError::Bad("channel.id")),
            ("/container/message_ts", json!("x"), InteractionError::Bad("message.ts")),
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
}
