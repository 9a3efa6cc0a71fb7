//! Reads the body of an interactivity request into what a person did: a click on a button, or a dialog that was sent off.
//!
//! It says what was done, where and by whom; it never decides whether that person may. It must run only after the signature
//! verified. Whatever is not one of Cordon's buttons or dialogs is refused, and a refusal repeats nothing of the body.
//!
//! Source: <https://docs.slack.dev/reference/interaction-payloads>

mod form;

use serde::Deserialize;
use serde_json::Value;

use crate::modal::{self, About, ModalKind};
use crate::secret::Secret;
use crate::{APPROVE, BREAK_GLASS, DENY, LOOKING, UNDO};

/// The largest body that is looked at.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

const MAX_ID: usize = 32;
const MAX_INCIDENT: usize = 64;
const MAX_NAME: usize = 256;
const MAX_TRIGGER: usize = 256;

/// Which button was clicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Approve,
    Deny,
    /// "I'm looking": takes the incident on, decides nothing.
    Looking,
    /// On an outcome: take the changes back.
    Undo,
    /// Approve past the quorum, with a reason.
    BreakGlass,
}

/// What a person did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interaction {
    Click(Click),
    Submission(Submission),
}

/// Who did it, and from where, as Slack says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    pub user_id: String,
    /// What the person calls themself. Anybody can take any name: for display only, never for a decision.
    pub user_name: Option<String>,
    /// The workspace that the person belongs to, where Slack says so: it differs from `team_id` for a guest from another company.
    pub user_team_id: Option<String>,
    pub team_id: String,
    pub enterprise_id: Option<String>,
    pub is_enterprise_install: bool,
    pub app_id: Option<String>,
    /// Slack sends these two flags only in some payloads; absent means "not said", which reads as false.
    pub is_bot: bool,
    pub is_guest: bool,
}

/// One click on one button.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Click {
    pub action: Action,
    /// The button's value. Its characters are checked (`a-z`, `0-9`, `-`), its meaning is not.
    pub incident: String,
    pub sender: Sender,
    pub channel_id: String,
    pub message_ts: Option<String>,
    /// Whoever knows it can write into the channel for half an hour; hence not printable.
    pub response_url: Option<Secret>,
    /// Opens one dialog, within three seconds of the click.
    pub trigger_id: Option<Secret>,
}

/// A dialog that was sent off. Slack names no channel here: the dialog was opened for a click that named one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    pub kind: ModalKind,
    /// Its characters are checked, its meaning is not.
    pub incident: String,
    pub sender: Sender,
    /// What was written, trimmed; an attacker's text like any other, and possibly empty.
    pub reason: String,
}

impl Interaction {
    pub fn sender(&self) -> &Sender {
        match self {
            Self::Click(click) => &click.sender,
            Self::Submission(submission) => &submission.sender,
        }
    }

    pub fn incident(&self) -> &str {
        match self {
            Self::Click(click) => &click.incident,
            Self::Submission(submission) => &submission.incident,
        }
    }
}

impl Sender {
    /// Whether Slack says that the person belongs to another workspace than the one that this came from.
    pub fn is_from_outside(&self) -> bool {
        self.user_team_id.as_ref().is_some_and(|team| *team != self.team_id && Some(team) != self.enterprise_id.as_ref())
    }
}

/// Why a body is neither. All of them are the sender's fault (400).
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
    #[error("the payload is neither a click nor a dialog that was sent off")]
    UnknownKind,
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
            user_name: self.user.name.or(self.user.username).map(|name| crate::text::truncate(&name, MAX_NAME)),
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
        let action = match clicked.action_id.as_str() {
            APPROVE => Action::Approve,
            DENY => Action::Deny,
            LOOKING => Action::Looking,
            UNDO => Action::Undo,
            BREAK_GLASS => Action::BreakGlass,
            _ => return Err(InteractionError::UnknownAction),
        };
        let (container_channel, container_ts) = self.container.map_or((None, None), |it| (it.channel_id, it.message_ts));
        let channel = self.channel.map(|channel| channel.id).or(container_channel);
        let message_ts = container_ts.or(self.message.and_then(|message| message.ts));
        let trigger = self.trigger_id.filter(|id| !id.is_empty());
        Ok(Click {
            action,
            incident: clicked.value.filter(|value| is_incident(value)).ok_or(InteractionError::Bad("value"))?,
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
        if self.view.callback_id != modal::CALLBACK_ID {
            return Err(InteractionError::UnknownAction);
        }
        let About { incident, choice } =
            serde_json::from_str(&self.view.private_metadata).map_err(|_| InteractionError::Bad("view.private_metadata"))?;
        if !is_incident(&incident) {
            return Err(InteractionError::Bad("view.private_metadata"));
        }
        let reason = modal::reason(&self.view.state).ok_or(InteractionError::Bad("view.state"))?;
        Ok(Submission { kind: choice, incident, sender: self.from.into_sender()?, reason })
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

pub(crate) fn is_incident(value: &str) -> bool {
    (1..=MAX_INCIDENT).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn is_ts(value: &str) -> bool {
    (1..=MAX_ID).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

fn is_trigger(value: &str) -> bool {
    value.len() <= MAX_TRIGGER && value.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests;
