//! The Slack stand-in: a channel that accepts and refuses what Slack would, with buttons that send signed clicks to the deployed
//! callback.
//!
//! It signs with code of its own, so that a mistake in Cordon's verification cannot hide behind the same mistake here.

mod api;
mod click;
mod limits;
mod modal;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;

pub use click::{Click, ClickAnswer, ClickError, Signature, sign};
pub use limits::faults;
pub use modal::OpenModal;

pub(crate) use api::router;
pub(crate) use click::in_account;

/// The workspace and app that clicks say they come from.
pub const TEAM: &str = "T0CORDON";
/// The app that clicks and dialogs say they belong to, as `api_app_id`.
pub const APP: &str = "A0CORDON";

const MESSAGES_MAX: usize = 2_000;

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// Through the Web API, with the bot token.
    Bot,
    /// Through the incoming webhook.
    Webhook,
    /// Through the `response_url` of a click.
    ResponseUrl,
}

/// A message as it stands now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Message {
    /// The name of the stack that posted it.
    pub stack: String,
    /// A Slack channel id, such as `C0123ABCD`.
    pub channel: String,
    /// Slack's id of the message: seconds and six more digits, such as `1735787045.000100`.
    pub ts: String,
    /// The `ts` of the message that this one replies to.
    pub thread_ts: Option<String>,
    /// The `text` as it stands now; empty if there was none.
    pub text: String,
    /// Block Kit blocks as an array; null if there were none.
    pub blocks: Value,
    /// Attachments as an array; null if there were none.
    pub attachments: Value,
    /// By which way it was posted.
    pub via: Via,
    /// Only this user sees it.
    pub ephemeral_to: Option<String>,
    /// When the stand-in accepted it.
    pub posted_at: Timestamp,
    /// When it was last edited; `posted_at` if it never was.
    pub updated_at: Timestamp,
    /// How often it was edited since it was posted.
    pub edits: u32,
}

impl Message {
    /// Text, blocks and attachments as one JSON text, to search in.
    #[must_use]
    pub fn everything(&self) -> String {
        json!({"text": self.text, "blocks": self.blocks, "attachments": self.attachments}).to_string()
    }

    /// Every button on it: its `action_id`, and the block it stands in.
    #[must_use]
    pub fn buttons(&self) -> Vec<(String, Value)> {
        let blocks = array(&self.blocks).iter();
        let attached = array(&self.attachments).iter().filter_map(|attachment| attachment.get("blocks")).flat_map(array);
        blocks
            .chain(attached)
            .flat_map(|block| {
                let accessory = block.get("accessory").into_iter();
                let elements = block.get("elements").map(array).unwrap_or_default().iter();
                elements.chain(accessory).filter_map(move |element| {
                    let id = element.get("action_id")?.as_str()?;
                    (element.get("type")?.as_str()? == "button").then(|| (id.to_owned(), block.clone()))
                })
            })
            .collect()
    }
}

/// What SNS delivered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Notification {
    /// The name of the stack that it was delivered for.
    pub stack: String,
    /// The `Subject` of the notification; empty if there was none.
    pub subject: String,
    /// The message as JSON where it is JSON, else as text.
    pub message: Value,
    /// When it reached the stand-in.
    pub at: Timestamp,
}

/// A fault to answer the next call with, as Slack has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// HTTP 429 with `Retry-After`.
    RateLimited {
        /// The `Retry-After` header, in seconds.
        retry_after_s: u64,
    },
    /// HTTP 503.
    Unavailable,
    /// HTTP 200 with `ok: false`.
    NotOk(String),
    /// No answer for this long.
    Silent(Duration),
}

/// How a stack is known to the stand-in.
#[derive(Clone)]
pub(crate) struct Member {
    pub stack: String,
    pub channel: String,
    pub channel_name: String,
    pub bot_token: String,
    pub webhook_path: String,
    pub signing_secret: String,
    /// The callback's address once Terraform has made it.
    pub callback_url: Option<String>,
}

#[derive(Default)]
struct State {
    members: Vec<Member>,
    messages: Vec<Message>,
    alerts: Vec<Notification>,
    clicks: Vec<Value>,
    /// Stacks whose SNS subscription is confirmed.
    subscribed: Vec<String>,
    /// Of a stack, and for calls that mention the text alone, if there is one.
    faults: VecDeque<(String, Option<String>, Fault)>,
    last_ts: (i64, u32),
    triggers: Vec<modal::Trigger>,
    /// Triggers do not expire.
    keeps_triggers: bool,
    modals: Vec<OpenModal>,
    /// Channels beside a stack's own, with the stack: id and name.
    channels: Vec<(String, String, String)>,
    /// User groups of the workspace: id and members.
    groups: Vec<(String, Vec<String>)>,
}

/// A handle on the stand-in; clones share it.
#[derive(Clone)]
pub struct SlackStandIn {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
    /// `http://127.0.0.1:<port>`
    base_url: String,
    /// Where the emulator listens; callbacks go there whatever name they carry.
    emulator_port: u16,
}

impl SlackStandIn {
    pub(crate) fn new(base_url: String, emulator_port: u16) -> Self {
        let (changed, _) = watch::channel(0);
        Self { inner: Arc::new(Inner { state: Mutex::default(), changed, base_url, emulator_port }) }
    }

    pub(crate) fn join(&self, member: Member) {
        self.lock().members.push(member);
    }

    pub(crate) fn is_subscribed(&self, stack: &str) -> bool {
        self.lock().subscribed.iter().any(|name| name == stack)
    }

    pub(crate) fn set_callback(&self, stack: &str, url: &str) {
        if let Some(member) = self.lock().members.iter_mut().find(|member| member.stack == stack) {
            member.callback_url = Some(url.to_owned());
        }
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.inner.base_url
    }

    /// What Terraform gets as `slack_api_url`.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("{}/api", self.inner.base_url)
    }

    /// The messages of a stack's channel, in the order in which they were posted, as they stand now.
    #[must_use]
    pub fn messages(&self, stack: &str) -> Vec<Message> {
        self.lock().messages.iter().filter(|message| message.stack == stack).cloned().collect()
    }

    /// The alerts that SNS delivered for a stack.
    #[must_use]
    pub fn alerts(&self, stack: &str) -> Vec<Notification> {
        self.lock().alerts.iter().filter(|alert| alert.stack == stack).cloned().collect()
    }

    /// Waits for a message of the stack that `wanted` accepts; `None` after `limit`.
    pub async fn wait_for_message(&self, stack: &str, limit: Duration, wanted: impl Fn(&Message) -> bool) -> Option<Message> {
        self.wait(limit, || self.lock().messages.iter().find(|message| message.stack == stack && wanted(message)).cloned()).await
    }

    /// Waits for an alert of the stack that `wanted` accepts; `None` after `limit`.
    pub async fn wait_for_alert(
        &self,
        stack: &str,
        limit: Duration,
        wanted: impl Fn(&Notification) -> bool,
    ) -> Option<Notification> {
        self.wait(limit, || self.lock().alerts.iter().find(|alert| alert.stack == stack && wanted(alert)).cloned()).await
    }

    /// Answers the stack's next calls to the Web API or a webhook with a fault each.
    pub fn fail_next(&self, stack: &str, faults: impl IntoIterator<Item = Fault>) {
        self.lock().faults.extend(faults.into_iter().map(|fault| (stack.to_owned(), None, fault)));
    }

    /// The same for the next calls that mention a text, so that what others say meanwhile gets through.
    pub fn fail_next_about(&self, stack: &str, text: &str, faults: impl IntoIterator<Item = Fault>) {
        let about = |fault| (stack.to_owned(), Some(text.to_owned()), fault);
        self.lock().faults.extend(faults.into_iter().map(about));
    }

    /// Lets a stack post into another channel too.
    pub fn add_channel(&self, stack: &str, id: &str, name: &str) {
        self.lock().channels.push((stack.to_owned(), id.to_owned(), name.to_owned()));
    }

    /// Makes a user group, or gives one other members.
    pub fn set_group(&self, id: &str, users: &[&str]) {
        let mut state = self.lock();
        state.groups.retain(|(known, _)| known != id);
        state.groups.push((id.to_owned(), users.iter().map(|user| (*user).to_owned()).collect()));
    }

    /// The id of a channel that a stack may post into, by its id or name.
    fn channel(&self, member: &Member, wanted: &str) -> Option<String> {
        let wanted = wanted.trim_start_matches('#');
        if wanted == member.channel || wanted == member.channel_name {
            return Some(member.channel.clone());
        }
        let state = self.lock();
        let other = state.channels.iter().find(|(stack, id, name)| *stack == member.stack && (id == wanted || name == wanted));
        other.map(|(_, id, _)| id.clone())
    }

    fn channel_name(&self, member: &Member, id: &str) -> String {
        let state = self.lock();
        let other = state.channels.iter().find(|(stack, known, _)| *stack == member.stack && known == id);
        other.map_or_else(|| member.channel_name.clone(), |(_, _, name)| name.clone())
    }

    async fn wait<T>(&self, limit: Duration, look: impl Fn() -> Option<T>) -> Option<T> {
        let mut changes = self.inner.changed.subscribe();
        let found = async {
            loop {
                changes.borrow_and_update();
                if let Some(found) = look() {
                    return Some(found);
                }
                if changes.changed().await.is_err() {
                    return None;
                }
            }
        };
        tokio::time::timeout(limit, found).await.ok().flatten()
    }

    /// Everything the page shows of the channel. No token and no secret.
    pub(crate) fn snapshot(&self) -> Value {
        let state = self.lock();
        let channels: Vec<Value> = state
            .members
            .iter()
            .map(|member| json!({"stack": member.stack, "id": member.channel, "name": member.channel_name}))
            .collect();
        json!({"channels": channels, "messages": state.messages, "alerts": state.alerts, "clicks": state.clicks, "modals": state.modals})
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing can be half written: every change is one push or one assignment.
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce(&self) {
        self.inner.changed.send_modify(|version| *version += 1);
    }

    fn add(&self, mut message: Message) -> Message {
        let mut state = self.lock();
        message.ts = state.next_ts(message.posted_at);
        state.messages.push(message.clone());
        if state.messages.len() > MESSAGES_MAX {
            state.messages.remove(0);
        }
        drop(state);
        self.announce();
        message
    }

    pub(crate) fn add_alert(&self, alert: Notification) {
        self.lock().alerts.push(alert);
        self.announce();
    }
}

impl State {
    /// Slack's message ids: seconds, and a number that tells apart what came in the same one.
    fn next_ts(&mut self, now: Timestamp) -> String {
        let second = now.as_second().max(self.last_ts.0);
        let number = if second == self.last_ts.0 { self.last_ts.1 + 100 } else { 100 };
        self.last_ts = (second, number);
        format!("{second}.{number:06}")
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests;
