//! Dialogs as in Slack: each opens once for a click, within three seconds, and is submitted to the callback, signed.
//!
//! Source of the rules and names: <https://docs.slack.dev/reference/methods/views.open>,
//! <https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload>

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use super::click::{ClickAnswer, ClickError, sign};
use super::{APP, SlackStandIn, TEAM, limits};

/// A trigger lives this long. A click's answer may take three seconds, too.
const TRIGGER_LIFE: SignedDuration = SignedDuration::from_secs(3);
const TRIGGERS_MAX: usize = 500;

/// What a click brings to open one dialog with.
#[derive(Debug, Clone)]
pub(super) struct Trigger {
    id: String,
    stack: String,
    user: String,
    at: Timestamp,
    used: bool,
}

/// A dialog in front of one person.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OpenModal {
    /// Slack's view id: `V0` and digits.
    pub id: String,
    /// The name of the stack that opened it.
    pub stack: String,
    /// Who sees it.
    pub user: String,
    /// The view as `views.open` got it, or as the callback's last `update` replaced it.
    pub view: Value,
    /// What the callback found fault with, by block.
    pub errors: Value,
}

impl OpenModal {
    /// The first text area: its block, its element.
    fn input(&self) -> Option<&Value> {
        self.view.get("blocks")?.as_array()?.iter().find(|block| block.get("type").and_then(Value::as_str) == Some("input"))
    }
}

impl SlackStandIn {
    /// The dialogs that stand open in front of people.
    #[must_use]
    pub fn modals(&self, stack: &str) -> Vec<OpenModal> {
        self.lock().modals.iter().filter(|modal| modal.stack == stack).cloned().collect()
    }

    /// Waits for a dialog in front of a person; `None` after `limit`.
    pub async fn wait_for_modal(&self, stack: &str, user: &str, limit: Duration) -> Option<OpenModal> {
        let of_user = |modal: &&OpenModal| modal.stack == stack && modal.user == user;
        self.wait(limit, || self.lock().modals.iter().find(of_user).cloned()).await
    }

    /// From now on a trigger does not expire: for tests whose outcome must not depend on how busy the machine is.
    pub fn keep_triggers(&self) {
        self.lock().keeps_triggers = true;
    }

    pub(super) fn new_trigger(&self, stack: &str, user: &str) -> String {
        let mut state = self.lock();
        let id = format!("{}.{}.{stack}", Timestamp::now().as_nanosecond(), state.triggers.len());
        state.triggers.push(Trigger {
            id: id.clone(),
            stack: stack.to_owned(),
            user: user.to_owned(),
            at: Timestamp::now(),
            used: false,
        });
        if state.triggers.len() > TRIGGERS_MAX {
            state.triggers.remove(0);
        }
        id
    }

    /// `views.open`: the view's id, or Slack's name for what is wrong, with details.
    pub(super) fn open_view(&self, stack: &str, trigger_id: &str, view: &Value) -> Result<String, (&'static str, Vec<String>)> {
        let faults = limits::view_faults(view);
        if !faults.is_empty() {
            return Err(("invalid_arguments", faults));
        }
        let mut state = self.lock();
        let (count, keeps_triggers) = (state.triggers.len(), state.keeps_triggers);
        let trigger = state.triggers.iter_mut().find(|trigger| trigger.id == trigger_id && trigger.stack == stack);
        let Some(trigger) = trigger else { return Err(("invalid_trigger_id", Vec::new())) };
        if !keeps_triggers && Timestamp::now().duration_since(trigger.at) > TRIGGER_LIFE {
            return Err(("expired_trigger_id", Vec::new()));
        }
        if trigger.used {
            return Err(("exchanged_trigger_id", Vec::new()));
        }
        trigger.used = true;
        let id = format!("V0{}{count}", trigger.at.as_millisecond());
        let (stack, user) = (trigger.stack.clone(), trigger.user.clone());
        state.modals.retain(|modal| !(modal.stack == stack && modal.user == user));
        state.modals.push(OpenModal { id: id.clone(), stack, user, view: view.clone(), errors: Value::Null });
        drop(state);
        self.announce();
        Ok(id)
    }

    /// Closes a dialog without sending it off.
    pub fn dismiss(&self, id: &str) {
        self.lock().modals.retain(|modal| modal.id != id);
        self.announce();
    }

    /// Sends a dialog off, and does with it what the callback answers: closes it, or keeps it open with what is wrong.
    ///
    /// # Errors
    /// [`ClickError::NoModal`] and [`ClickError::Reason`] as Slack itself would stop it; else as for a click.
    pub async fn submit(&self, id: &str, text: &str) -> Result<ClickAnswer, ClickError> {
        let (stack, body) = self.submission_body(id, text)?;
        let secret = self.signing_secret(&stack).ok_or_else(|| ClickError::NoCallback(stack.clone()))?;
        let signature = sign(&secret, Timestamp::now().as_second(), &body);
        let answer = self.post_callback(&stack, body, Some(&signature)).await?;
        self.take_answer(id, &answer);
        Ok(answer)
    }

    /// The form that a dialog would send, and the stack that it belongs to.
    ///
    /// # Errors
    /// [`ClickError::NoModal`]; [`ClickError::Reason`] where the text is shorter or longer than the element says.
    pub fn submission_body(&self, id: &str, text: &str) -> Result<(String, Vec<u8>), ClickError> {
        let modal = self.lock().modals.iter().find(|modal| modal.id == id).cloned();
        let modal = modal.ok_or_else(|| ClickError::NoModal(id.to_owned()))?;
        let block = modal.input().cloned().unwrap_or_default();
        let element = block.get("element").cloned().unwrap_or_default();
        let length = |name: &str| element.get(name).and_then(Value::as_u64).and_then(|length| usize::try_from(length).ok());
        let count = text.chars().count();
        let optional = block.get("optional").and_then(Value::as_bool).unwrap_or(false);
        let least = if optional { 0 } else { length("min_length").unwrap_or(0).max(1) };
        if count < least || count > length("max_length").unwrap_or(3_000) {
            return Err(ClickError::Reason { least, most: length("max_length").unwrap_or(3_000) });
        }
        let name = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut elements = serde_json::Map::new();
        elements.insert(name(&element, "action_id"), json!({"type": "plain_text_input", "value": text}));
        let mut blocks = serde_json::Map::new();
        blocks.insert(name(&block, "block_id"), Value::Object(elements));
        let mut view = modal.view.clone();
        for (key, value) in [
            ("id", json!(modal.id)),
            ("team_id", json!(TEAM)),
            ("app_id", json!(APP)),
            ("bot_id", json!("B0CORDON")),
            ("hash", json!("0.cordon")),
            ("state", json!({"values": blocks})),
        ] {
            if let Some(fields) = view.as_object_mut() {
                fields.insert(key.to_owned(), value);
            }
        }
        let payload = json!({
            "type": "view_submission",
            "team": {"id": TEAM, "domain": "cordon-sandbox"},
            "user": {"id": modal.user, "username": modal.user.to_lowercase(), "name": modal.user.to_lowercase(), "team_id": TEAM},
            "api_app_id": APP,
            "token": "not-used",
            "trigger_id": self.new_trigger(&modal.stack, &modal.user),
            "view": view,
            "response_urls": [],
            "is_enterprise_install": false,
            "enterprise": null,
        });
        let body = serde_urlencoded::to_string([("payload", payload.to_string())]).unwrap_or_default();
        Ok((modal.stack, body.into_bytes()))
    }

    fn take_answer(&self, id: &str, answer: &ClickAnswer) {
        let parsed: Value = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
        let action = parsed.get("response_action").and_then(Value::as_str);
        let mut state = self.lock();
        if answer.status == 200 && (answer.body.is_empty() || action == Some("clear")) {
            state.modals.retain(|modal| modal.id != id);
        } else if let Some(modal) = state.modals.iter_mut().find(|modal| modal.id == id) {
            match action {
                Some("errors") => modal.errors = parsed.get("errors").cloned().unwrap_or_default(),
                Some("update") => modal.view = parsed.get("view").cloned().unwrap_or_default(),
                // What Slack shows where the answer is none that it understands.
                _ => modal.errors = json!({"": "We had some trouble connecting. Try again?"}),
            }
        }
        drop(state);
        self.announce();
    }
}
