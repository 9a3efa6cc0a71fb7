//! Clicks that are built and signed as Slack does, and sent to the deployed callback.

use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{APP, Message, SlackStandIn, TEAM};

const CLICKS_MAX: usize = 500;
/// What an answer is cut to before it is kept.
const ANSWER_MAX: usize = 2_000;

/// Somebody presses a button.
#[derive(Debug, Clone)]
pub struct Click {
    /// The `ts` of the message that the button stands on, such as `1735787045.000100`.
    pub ts: String,
    /// The button's `action_id` in the message's blocks.
    pub action_id: String,
    /// A Slack user id.
    pub user: String,
}

/// What the callback answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClickAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The whole body, as text.
    pub body: String,
    /// From sending the request to the end of the answer.
    pub took: Duration,
}

/// Why a click could not be sent.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClickError {
    /// No message has this `ts`.
    #[error("there is no message `{0}`")]
    NoMessage(String),
    /// The message is there, the button is not.
    #[error("the message `{ts}` has no button `{action_id}`")]
    NoButton {
        /// The message's `ts`.
        ts: String,
        /// The `action_id` that none of its buttons has.
        action_id: String,
    },
    /// No open dialog has this view id.
    #[error("no dialog `{0}` stands open")]
    NoModal(String),
    /// The text of a dialog is shorter or longer than its element allows.
    #[error("the text has to be {least} to {most} characters long")]
    Reason {
        /// The fewest characters allowed.
        least: usize,
        /// The most characters allowed.
        most: usize,
    },
    /// The named stack is unknown, or Terraform has not made its callback yet.
    #[error("stack `{0}` has no callback yet")]
    NoCallback(String),
    /// The request could not be sent or its answer not be read, with the reason.
    #[error("the callback did not answer: {0}")]
    NoAnswer(String),
}

/// The two headers that vouch for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The header `x-slack-request-timestamp`: Unix time in seconds.
    pub timestamp: String,
    /// The header `x-slack-signature`: `v0=` and 64 hexadecimal digits.
    pub signature: String,
}

/// Slack's request signature: `v0=` and the HMAC-SHA256 of `v0:{timestamp}:{body}`.
#[must_use]
pub fn sign(secret: &str, timestamp: i64, body: &[u8]) -> Signature {
    // HMAC takes a key of any length.
    let mut signature = String::new();
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
        mac.update(format!("v0:{timestamp}:").as_bytes());
        mac.update(body);
        signature = format!("v0={}", hex::encode(mac.finalize().into_bytes()));
    }
    Signature { timestamp: timestamp.to_string(), signature }
}

/// A callback's address as the emulator wants it. It looks for the API in the account that a request names, and a click is not
/// signed for AWS, so it names none: only the emulator's first account is found without help.
pub(crate) fn in_account(url: &str, account: &str, first_account: &str) -> String {
    if account == first_account {
        return url.to_owned();
    }
    let credential = format!("{account}/20250101/{}/execute-api/aws4_request", crate::aws::REGION);
    match url::Url::parse(url) {
        Ok(mut address) => {
            address.query_pairs_mut().append_pair("X-Amz-Credential", &credential);
            address.into()
        }
        Err(_) => url.to_owned(),
    }
}

impl SlackStandIn {
    /// Presses a button and gives the callback's answer.
    ///
    /// # Errors
    /// [`ClickError`] if there is no such button, or nobody answers.
    pub async fn click(&self, click: &Click) -> Result<ClickAnswer, ClickError> {
        let (stack, body) = self.click_body(click)?;
        let secret = self.signing_secret(&stack).ok_or_else(|| ClickError::NoCallback(stack.clone()))?;
        let signature = sign(&secret, Timestamp::now().as_second(), &body);
        let answer = self.post_callback(&stack, body, Some(&signature)).await?;
        self.note_answer(click, &answer);
        Ok(answer)
    }

    /// The form that a click would send, and the stack that it belongs to.
    ///
    /// # Errors
    /// [`ClickError::NoMessage`], [`ClickError::NoButton`].
    pub fn click_body(&self, click: &Click) -> Result<(String, Vec<u8>), ClickError> {
        let mut state = self.lock();
        let message = state.messages.iter().find(|message| message.ts == click.ts).cloned();
        let message = message.ok_or_else(|| ClickError::NoMessage(click.ts.clone()))?;
        let (element, block) = button(&message, &click.action_id)
            .ok_or_else(|| ClickError::NoButton { ts: click.ts.clone(), action_id: click.action_id.clone() })?;
        let member = state.members.iter().find(|member| member.stack == message.stack).cloned();
        let member = member.ok_or_else(|| ClickError::NoCallback(message.stack.clone()))?;
        let id = format!("{}{}", Timestamp::now().as_nanosecond(), state.clicks.len());
        let response_url = format!("{}/response/{}/{}/{id}", self.base_url(), member.stack, message.ts);
        state.clicks.push(json!({
            "id": id, "stack": member.stack, "ts": click.ts, "action_id": click.action_id, "user": click.user,
            "at": Timestamp::now().to_string(), "responses": 0,
        }));
        if state.clicks.len() > CLICKS_MAX {
            state.clicks.remove(0);
        }
        drop(state);
        let clicked = Clicked {
            channel_name: self.channel_name(&member, &message.channel),
            trigger_id: self.new_trigger(&member.stack, &click.user),
            response_url,
        };
        let payload = payload(&message, &element, &block, &click.user, &clicked);
        let body = serde_urlencoded::to_string([("payload", payload.to_string())]).unwrap_or_default();
        Ok((member.stack, body.into_bytes()))
    }

    /// Posts any bytes to a stack's callback, with or without a signature: the door that forged requests come through.
    ///
    /// # Errors
    /// [`ClickError::NoCallback`], [`ClickError::NoAnswer`].
    pub async fn post_callback(
        &self,
        stack: &str,
        body: Vec<u8>,
        signature: Option<&Signature>,
    ) -> Result<ClickAnswer, ClickError> {
        let url = self.member(|member| member.stack == stack).and_then(|member| member.callback_url);
        let url = url.ok_or_else(|| ClickError::NoCallback(stack.to_owned()))?;
        let no_answer = |error: &dyn std::error::Error| ClickError::NoAnswer(crate::error::chain(error));
        let mut address = url::Url::parse(&url).map_err(|error| no_answer(&error))?;
        // The API's name ends in `.localhost`, which not every resolver knows: connect to the emulator, and send the name.
        let host = format!("{}:{}", address.host_str().unwrap_or_default(), self.inner.emulator_port);
        let redirected = address.set_ip_host([127, 0, 0, 1].into()).is_ok()
            && address.set_scheme("http").is_ok()
            && address.set_port(Some(self.inner.emulator_port)).is_ok();
        if !redirected {
            return Err(ClickError::NoAnswer(format!("`{url}` is not an HTTP address")));
        }
        let client = crate::http::client().map_err(|error| no_answer(&error))?;
        let mut request = client
            .post(address)
            .header("host", host)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("user-agent", "Slackbot 1.0 (+https://api.slack.com/robots)")
            .body(body);
        if let Some(signature) = signature {
            request = request
                .header("x-slack-request-timestamp", &signature.timestamp)
                .header("x-slack-signature", &signature.signature);
        }
        let began = Instant::now();
        let answer = request.send().await.map_err(|error| no_answer(&error))?;
        let status = answer.status().as_u16();
        let body = answer.text().await.map_err(|error| no_answer(&error))?;
        Ok(ClickAnswer { status, body, took: began.elapsed() })
    }

    /// The secret that a stack's callback checks signatures with.
    #[must_use]
    pub fn signing_secret(&self, stack: &str) -> Option<String> {
        self.member(|member| member.stack == stack).map(|member| member.signing_secret)
    }

    fn note_answer(&self, click: &Click, answer: &ClickAnswer) {
        let mut state = self.lock();
        let last = state.clicks.iter_mut().rev().find(|record| {
            record.get("ts").and_then(Value::as_str) == Some(&click.ts)
                && record.get("user").and_then(Value::as_str) == Some(&click.user)
        });
        if let Some(record) = last.and_then(Value::as_object_mut) {
            record.insert("status".to_owned(), answer.status.into());
            record.insert("answer".to_owned(), answer.body.chars().take(ANSWER_MAX).collect::<String>().into());
            record.insert("took_ms".to_owned(), u64::try_from(answer.took.as_millis()).unwrap_or(u64::MAX).into());
        }
        drop(state);
        self.announce();
    }
}

/// The button and the block that it stands in.
fn button(message: &Message, action_id: &str) -> Option<(Value, Value)> {
    let (_, block) = message.buttons().into_iter().find(|(id, _)| id == action_id)?;
    let elements = block.get("elements").and_then(Value::as_array).cloned().unwrap_or_default();
    let element = elements
        .into_iter()
        .chain(block.get("accessory").cloned())
        .find(|element| element.get("action_id").and_then(Value::as_str) == Some(action_id))?;
    Some((element, block))
}

/// What Slack adds to a click.
struct Clicked {
    channel_name: String,
    trigger_id: String,
    response_url: String,
}

fn payload(message: &Message, element: &Value, block: &Value, user: &str, clicked: &Clicked) -> Value {
    let now = Timestamp::now();
    let mut action = json!({
        "type": "button",
        "action_id": element.get("action_id"),
        "block_id": block.get("block_id"),
        "text": element.get("text"),
        "action_ts": format!("{}.{:06}", now.as_second(), now.subsec_microsecond()),
    });
    for name in ["value", "style", "confirm"] {
        if let (Some(value), Some(fields)) = (element.get(name), action.as_object_mut()) {
            fields.insert(name.to_owned(), value.clone());
        }
    }
    json!({
        "type": "block_actions",
        "user": {"id": user, "username": user.to_lowercase(), "name": user.to_lowercase(), "team_id": TEAM},
        "api_app_id": APP,
        "token": "not-used",
        "container": {
            "type": "message", "message_ts": message.ts, "channel_id": message.channel, "is_ephemeral": message.ephemeral_to.is_some(),
        },
        "trigger_id": clicked.trigger_id,
        "team": {"id": TEAM, "domain": "cordon-sandbox"},
        "enterprise": null,
        "is_enterprise_install": false,
        "channel": {"id": message.channel, "name": clicked.channel_name},
        "message": {
            "type": "message", "subtype": "bot_message", "bot_id": "B0CORDON", "app_id": APP, "team": TEAM,
            "text": message.text, "ts": message.ts, "blocks": message.blocks, "attachments": message.attachments,
        },
        "state": {"values": {}},
        "response_url": clicked.response_url,
        "actions": [action],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_account_than_the_first_is_named() {
        let url = "http://abcd1234.execute-api.localhost:4566/slack/interactions";
        assert_eq!(in_account(url, "111122223333", "111122223333"), url);
        assert_eq!(
            in_account(url, "444455556666", "111122223333"),
            format!("{url}?X-Amz-Credential=444455556666%2F20250101%2Fus-east-1%2Fexecute-api%2Faws4_request")
        );
    }

    #[test]
    fn a_signature_is_the_one_of_slacks_own_example() {
        // From Slack's page "Verifying requests from Slack".
        let body = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        let signature = sign("8f742231b10e8888abcd99yyyzzz85a5", 1_531_420_618, body);
        assert_eq!(signature.signature, "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503");
        assert_eq!(signature.timestamp, "1531420618");
    }
}
