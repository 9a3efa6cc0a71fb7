//! Reads the body of an interactivity request into what a person did: a click on a button, or a dialog that was sent off.
//!
//! It says what was done, where and by whom; it never decides whether that person may, nor what a button means. It must run only
//! after the signature verified. A refusal repeats nothing of the body.
//!
//! Source: <https://docs.slack.dev/reference/interaction-payloads>

mod form;

use serde::Deserialize;
use serde_json::Value;

use crate::blocks::{MAX_ID as MAX_ACTION_ID, MAX_METADATA, MAX_VALUE};
use crate::modal;
use crate::secret::Secret;
use crate::text::{truncate, units};

/// The largest body that is looked at.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

const MAX_ID: usize = 32;
const MAX_NAME: usize = 256;
const MAX_TRIGGER: usize = 256;

/// What a person did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interaction {
    /// A click on a button of a message.
    Click(Click),
    /// A dialog that was sent off.
    Submission(Submission),
}

/// Who did it, and from where, as Slack says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// `U…` or `W…`.
    pub user_id: String,
    /// What the person calls themself. Anybody can take any name: for display only, never for a decision.
    pub user_name: Option<String>,
    /// The workspace that the person belongs to, where Slack says so: it differs from `team_id` for a guest from another company.
    pub user_team_id: Option<String>,
    /// The workspace that it came from: `T…`, or `E…`.
    pub team_id: String,
    /// The organisation, where the workspace belongs to one.
    pub enterprise_id: Option<String>,
    /// Whether the app is installed for the whole organisation.
    pub is_enterprise_install: bool,
    /// `A…`.
    pub app_id: Option<String>,
    /// Slack sends these two flags only in some payloads; absent means "not said", which reads as false.
    pub is_bot: bool,
    /// Somebody whom the workspace lets into some of its channels only.
    pub is_guest: bool,
}

/// One click on one button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Click {
    /// The button's `action_id`. Like the value, it is what Slack was given with the message, within Slack's limits.
    pub action_id: String,
    /// The button's `value`, if it has one.
    pub value: Option<String>,
    /// Who clicked.
    pub sender: Sender,
    /// The channel of the message.
    pub channel_id: String,
    /// The id of the message.
    pub message_ts: Option<String>,
    /// Whoever knows it can write into the channel for half an hour; hence not printable.
    pub response_url: Option<Secret>,
    /// Opens one dialog, within three seconds of the click.
    pub trigger_id: Option<Secret>,
}

/// A dialog that was sent off. Slack names no channel here: the dialog was opened for a click that named one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The dialog's `callback_id`.
    pub callback_id: String,
    /// The dialog's `private_metadata`, at most 3,000 characters.
    pub metadata: String,
    /// Who sent it off.
    pub sender: Sender,
    state: Value,
}

impl Submission {
    /// The text that was written into a field, on one line, trimmed; anybody's text, and possibly empty. `None` where the dialog has
    /// no such field.
    #[must_use]
    pub fn written(&self, field: &str) -> Option<String> {
        modal::written(&self.state, field)
    }
}

impl Interaction {
    /// Who did it.
    #[must_use]
    pub fn sender(&self) -> &Sender {
        match self {
            Self::Click(click) => &click.sender,
            Self::Submission(submission) => &submission.sender,
        }
    }

    /// The channel; a dialog names none.
    #[must_use]
    pub fn channel_id(&self) -> Option<&str> {
        match self {
            Self::Click(click) => Some(&click.channel_id),
            Self::Submission(_) => None,
        }
    }
}

impl Sender {
    /// Whether Slack says that the person belongs to another workspace than the one that this came from.
    #[must_use]
    pub fn is_from_outside(&self) -> bool {
        self.user_team_id.as_ref().is_some_and(|team| *team != self.team_id && Some(team) != self.enterprise_id.as_ref())
    }
}

/// Why a body is neither a click nor a submission. All of them are the sender's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InteractionError {
    /// Longer than any click or dialog.
    #[error("the body is larger than {MAX_BODY_BYTES} bytes")]
    TooLarge,
    /// No form, or one with half an escape or bytes that are not UTF-8.
    #[error("the body is not a UTF-8 form")]
    NotForm,
    /// A form without the field.
    #[error("the body has no `payload` field")]
    NoPayload,
    /// A form with two of them, which two readers could read differently.
    #[error("the body has more than one `payload` field")]
    TwoPayloads,
    /// The field's JSON lacks what Slack always sends.
    #[error("the payload is not JSON of the shape that Slack documents")]
    NotPayload,
    /// Another kind of interaction, such as a shortcut.
    #[error("the payload is neither a click nor a dialog that was sent off")]
    UnknownKind,
    /// Slack sends exactly one for a button.
    #[error("the payload reports no single action")]
    NotOneAction,
    /// A field whose shape is not Slack's; named.
    #[error("the payload's `{0}` is missing or malformed")]
    Bad(&'static str),
}

/// Reads a body of the type `application/x-www-form-urlencoded`.
///
/// # Errors
/// Where it is neither a click nor a dialog that was sent off.
pub fn parse(body: &[u8]) -> Result<Interaction, InteractionError> {
    if body.len() > MAX_BODY_BYTES {
        return Err(InteractionError::TooLarge);
    }
    let payload = form::payload_field(body)?;
    let kind: Kind = decoded(&payload)?;
    match kind.kind.as_str() {
        "block_actions" => decoded::<ClickPayload>(&payload)?.into_click().map(Interaction::Click),
        "view_submission" => decoded::<SubmissionPayload>(&payload)?.into_submission().map(Interaction::Submission),
        _ => Err(InteractionError::UnknownKind),
    }
}

fn decoded<'a, T: Deserialize<'a>>(payload: &'a str) -> Result<T, InteractionError> {
    serde_json::from_str(payload).map_err(|_| InteractionError::NotPayload)
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

/// What both kinds say of who sent them.
#[derive(Deserialize)]
struct From {
    user: User,
    team: Option<WithId>,
    enterprise: Option<WithId>,
    #[serde(default)]
    is_enterprise_install: Option<bool>,
    api_app_id: Option<String>,
}

#[derive(Deserialize)]
struct ClickPayload {
    #[serde(flatten)]
    from: From,
    channel: Option<WithId>,
    container: Option<Container>,
    message: Option<PostedMessage>,
    response_url: Option<String>,
    trigger_id: Option<String>,
    actions: Vec<Clicked>,
}

#[derive(Deserialize)]
struct SubmissionPayload {
    #[serde(flatten)]
    from: From,
    view: View,
}

#[derive(Deserialize)]
struct View {
    callback_id: String,
    private_metadata: String,
    state: Value,
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

impl From {
    fn into_sender(self) -> Result<Sender, InteractionError> {
        Ok(Sender {
            user_id: Some(self.user.id.clone()).filter(|id| is_id(id)).ok_or(InteractionError::Bad("user.id"))?,
            user_name: self.user.name.or(self.user.username).map(|name| truncate(&name, MAX_NAME)),
            user_team_id: optional_id(self.user.team_id, "user.team_id")?,
            team_id: optional_id(self.team.map(|team| team.id), "team.id")?.ok_or(InteractionError::Bad("team.id"))?,
            enterprise_id: optional_id(self.enterprise.map(|it| it.id), "enterprise.id")?,
            is_enterprise_install: self.is_enterprise_install.unwrap_or(false),
            app_id: optional_id(self.api_app_id, "api_app_id")?,
            is_bot: self.user.is_bot.unwrap_or(false) || self.user.id == "USLACKBOT",
            is_guest: self.user.is_restricted.unwrap_or(false) || self.user.is_ultra_restricted.unwrap_or(false),
        })
    }
}

impl ClickPayload {
    fn into_click(self) -> Result<Click, InteractionError> {
        let [clicked] = <[Clicked; 1]>::try_from(self.actions).map_err(|_| InteractionError::NotOneAction)?;
        let (container_channel, container_ts) = self.container.map_or((None, None), |it| (it.channel_id, it.message_ts));
        let channel = self.channel.map(|channel| channel.id).or(container_channel);
        let message_ts = container_ts.or(self.message.and_then(|message| message.ts));
        let trigger = self.trigger_id.filter(|id| !id.is_empty());
        Ok(Click {
            action_id: within(clicked.action_id, MAX_ACTION_ID, "action_id")?,
            value: clicked.value.map(|value| within(value, MAX_VALUE, "value")).transpose()?,
            sender: self.from.into_sender()?,
            channel_id: optional_id(channel, "channel.id")?.ok_or(InteractionError::Bad("channel.id"))?,
            message_ts: optional(message_ts, is_ts, "message.ts")?,
            response_url: self.response_url.filter(|url| !url.is_empty()).map(Secret::new),
            trigger_id: optional(trigger, is_trigger, "trigger_id")?.map(Secret::new),
        })
    }
}

impl SubmissionPayload {
    fn into_submission(self) -> Result<Submission, InteractionError> {
        Ok(Submission {
            callback_id: within(self.view.callback_id, MAX_ACTION_ID, "view.callback_id")?,
            metadata: within(self.view.private_metadata, MAX_METADATA, "view.private_metadata")?,
            sender: self.from.into_sender()?,
            state: self.view.state,
        })
    }
}

fn within(value: String, most: usize, field: &'static str) -> Result<String, InteractionError> {
    if units(&value) > most { Err(InteractionError::Bad(field)) } else { Ok(value) }
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

fn is_ts(value: &str) -> bool {
    (1..=MAX_ID).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

fn is_trigger(value: &str) -> bool {
    value.len() <= MAX_TRIGGER && value.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests;
