//! Talks to Slack: posts and updates messages, answers clicks.
//!
//! It never sends to an address that a request brought along unless that address is Slack's or the configured stand-in's; it follows no
//! redirect; it checks a message against Slack's limits before it sends it; and no error of it carries a token, an address or a body.
//!
//! A timeout does not say whether Slack took the message, so nothing but a 429, which says that it did not, is tried again here.
//!
//! Source: <https://docs.slack.dev/apis/web-api>, <https://docs.slack.dev/apis/web-api/rate-limits>

mod address;
mod pace;

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use url::Url;

use crate::blocks::{LimitError, validate_message};
use crate::client::pace::Pace;
use crate::message::Message;
use crate::modal::Modal;
use crate::prose::Prose;
use crate::secret::Secret;

/// The Web API's address outside the sandbox.
pub const SLACK_API_URL: &str = "https://slack.com/api";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(5);
/// What one call waits in all before it gives up: a function makes three such calls at most, and lives thirty seconds.
const RETRY_WAIT_MAX: Duration = Duration::from_secs(6);
/// Slack repeats the whole message in its answer; nothing that it says is longer than this.
const ANSWER_MAX_BYTES: usize = 512 * 1024;
/// What Slack calls faults of its own, in an answer with status 200.
const SLACKS_OWN_FAULTS: [&str; 4] = ["fatal_error", "internal_error", "request_timeout", "service_unavailable"];

/// Why a message did not get through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlackError {
    /// Slack's own name for what is wrong, such as `channel_not_found`.
    #[error("Slack refused `{call}`: {error}")]
    Api {
        /// The Web API's method, or the kind of hook.
        call: &'static str,
        /// Slack's name for it.
        error: String,
    },
    /// Too many calls, also after waiting.
    #[error("Slack takes no `{call}` for {retry_after_s} s")]
    RateLimited {
        /// The Web API's method, or the kind of hook.
        call: &'static str,
        /// How long Slack wants to be left alone, in seconds.
        retry_after_s: u64,
    },
    /// No answer, or a fault of Slack's own; the call may have taken effect.
    #[error("`{call}` did not reach Slack: {reason}")]
    Transient {
        /// The Web API's method, or the kind of hook.
        call: &'static str,
        /// The kind of fault.
        reason: &'static str,
    },
    /// An answer that is not Slack's.
    #[error("Slack's answer to `{call}` could not be read (status {status})")]
    Unreadable {
        /// The Web API's method, or the kind of hook.
        call: &'static str,
        /// The answer's HTTP status.
        status: u16,
    },
    /// An address that is neither Slack's nor the stand-in's.
    #[error("the {what} is not an address that Cordon may send to")]
    Address {
        /// Whose address it is.
        what: &'static str,
    },
    /// A call that an incoming webhook cannot make.
    #[error("`{call}` needs a bot token, and there is none")]
    NoToken {
        /// The Web API's method.
        call: &'static str,
    },
    /// A message that Slack would refuse.
    #[error("the message is not one that Slack takes")]
    Limits(#[from] LimitError),
    /// No HTTP client.
    #[error("the HTTP client could not be built: {reason}")]
    Client {
        /// Why, as far as it can be told.
        reason: &'static str,
    },
}

impl SlackError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Transient { .. })
    }
}

/// Where a message lies, for updates and its thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The channel's id.
    pub channel: String,
    /// The message's id in the channel.
    pub ts: String,
}

/// How a click is answered through its `response_url`.
#[derive(Clone, Copy, Debug)]
pub enum Reply<'a> {
    /// Only the person who clicked sees it; the message stays.
    Ephemeral(&'a Prose),
    /// Takes the place of the message that was clicked on.
    Replace(&'a Message),
}

/// What is sent, in the encoding that the method takes.
#[derive(Clone, Copy)]
enum Body<'a> {
    Json(&'a Value),
    Form(&'a [(&'a str, &'a str)]),
}

impl Body<'_> {
    fn encoded(self) -> (&'static str, String) {
        match self {
            Self::Json(value) => ("application/json; charset=utf-8", value.to_string()),
            Self::Form(pairs) => {
                let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
                ("application/x-www-form-urlencoded", form)
            }
        }
    }
}

/// A client for one workspace.
#[derive(Clone, Debug)]
pub struct SlackClient {
    http: reqwest::Client,
    base: Url,
    token: Option<Secret>,
    timeout: Duration,
    retry_wait_max: Duration,
    pace: Pace,
}

impl SlackClient {
    /// `base` is [`SLACK_API_URL`] or a stand-in's address; plain http only to this machine. No token: webhook and `respond` only.
    ///
    /// # Errors
    /// Where the address is not one that a token may be sent to, or no HTTP client can be built.
    pub fn new(base: &str, token: Option<Secret>) -> Result<Self, SlackError> {
        let base = address::base(base)?;
        let mut builder = client_builder();
        if address::is_loopback(&base) {
            // A proxy from the environment could not reach this machine's own stand-in.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|_| SlackError::Client { reason: "no usable certificate store or TLS provider" })?;
        Ok(Self { http, base, token, timeout: TIMEOUT, retry_wait_max: RETRY_WAIT_MAX, pace: Pace::default() })
    }

    /// Other limits, for a caller who has to answer soon: the timeout of one request, and how long to wait in all (zero: not at all).
    #[must_use]
    pub fn with_limits(mut self, timeout: Duration, retry_wait_max: Duration) -> Self {
        self.timeout = timeout;
        self.retry_wait_max = retry_wait_max;
        self
    }

    /// Posts a message, into a thread if `thread_ts` is given.
    ///
    /// # Errors
    /// Where the message breaks a limit, or Slack does not take it.
    pub async fn post_message(&self, channel: &str, message: &Message, thread_ts: Option<&str>) -> Result<Posted, SlackError> {
        let call = "chat.postMessage";
        validate_message(message)?;
        self.pace.wait(channel, self.retry_wait_max).await;
        let mut body = json!({"channel": channel, "unfurl_links": false, "unfurl_media": false});
        add(&mut body, message_fields(message));
        if let Some(thread_ts) = thread_ts {
            add(&mut body, json!({"thread_ts": thread_ts}));
        }
        let answer = self.api(call, &body).await?;
        let text = |key| answer.get(key).and_then(Value::as_str).map(str::to_owned);
        match (text("channel"), text("ts")) {
            (Some(channel), Some(ts)) => Ok(Posted { channel, ts }),
            _ => Err(SlackError::Unreadable { call, status: StatusCode::OK.as_u16() }),
        }
    }

    /// Replaces a message that the same token posted.
    ///
    /// # Errors
    /// Where the message breaks a limit, or Slack does not take it.
    pub async fn update_message(&self, channel: &str, ts: &str, message: &Message) -> Result<(), SlackError> {
        validate_message(message)?;
        let mut body = json!({"channel": channel, "ts": ts});
        add(&mut body, message_fields(message));
        self.api("chat.update", &body).await.map(drop)
    }

    /// Says something to one person in a channel.
    ///
    /// # Errors
    /// Where Slack does not take it.
    pub async fn post_ephemeral(&self, channel: &str, user_id: &str, prose: &Prose) -> Result<(), SlackError> {
        let body = json!({"channel": channel, "user": user_id, "text": prose.as_str(), "parse": "none", "link_names": false});
        self.api("chat.postEphemeral", &body).await.map(drop)
    }

    /// Posts through an incoming webhook. Slack does not say where the message lies.
    ///
    /// # Errors
    /// Where the message breaks a limit, the address is not Slack's, or Slack does not take it.
    pub async fn post_webhook(&self, webhook_url: &Secret, message: &Message) -> Result<(), SlackError> {
        validate_message(message)?;
        let url = address::hook(webhook_url.expose(), &self.base, "webhook")?;
        let mut body = json!({"unfurl_links": false, "unfurl_media": false});
        add(&mut body, message_fields(message));
        self.hook("webhook", url, &body).await
    }

    /// Answers a click. Slack takes five answers within half an hour of it.
    ///
    /// # Errors
    /// Where the message breaks a limit, the address is not Slack's, or Slack does not take it.
    pub async fn respond(&self, response_url: &Secret, reply: Reply<'_>) -> Result<(), SlackError> {
        let url = address::hook(response_url.expose(), &self.base, "response_url")?;
        let body = match reply {
            Reply::Ephemeral(prose) => json!({"response_type": "ephemeral", "replace_original": false, "text": prose.as_str()}),
            Reply::Replace(message) => {
                validate_message(message)?;
                let mut body = json!({"replace_original": true});
                add(&mut body, message_fields(message));
                body
            }
        };
        self.hook("response_url", url, &body).await
    }

    /// Opens a dialog for the click that brought the trigger, within three seconds of it.
    ///
    /// # Errors
    /// Where the dialog breaks a limit, or Slack does not take it.
    pub async fn open_view(&self, trigger_id: &Secret, modal: &Modal) -> Result<(), SlackError> {
        let view = modal.to_view();
        crate::modal::validate(&view)?;
        self.api("views.open", &json!({"trigger_id": trigger_id.expose(), "view": view})).await.map(drop)
    }

    /// The members of a user group. Needs the scope `usergroups:read`.
    ///
    /// # Errors
    /// Where Slack does not say.
    pub async fn users_in_group(&self, group: &str) -> Result<Vec<String>, SlackError> {
        let call = "usergroups.users.list";
        // A method that reads takes no JSON.
        let answer = self.answered(call, Body::Form(&[("usergroup", group)])).await?;
        let users = answer.get("users").and_then(Value::as_array);
        let users = users.ok_or(SlackError::Unreadable { call, status: StatusCode::OK.as_u16() })?;
        Ok(users.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    async fn api(&self, call: &'static str, body: &Value) -> Result<Value, SlackError> {
        self.answered(call, Body::Json(body)).await
    }

    async fn answered(&self, call: &'static str, body: Body<'_>) -> Result<Value, SlackError> {
        let token = self.token.as_ref().ok_or(SlackError::NoToken { call })?;
        let url = address::method(&self.base, call);
        let (status, bytes) = self.send(call, url, Some(token), body).await?;
        let unreadable = SlackError::Unreadable { call, status: status.as_u16() };
        if status != StatusCode::OK {
            return Err(unreadable);
        }
        let answer: Value = serde_json::from_slice(&bytes).map_err(|_| unreadable.clone())?;
        match answer.get("ok").and_then(Value::as_bool) {
            Some(true) => Ok(answer),
            Some(false) => Err(refusal(call, answer.get("error").and_then(Value::as_str).unwrap_or_default())),
            None => Err(unreadable),
        }
    }

    /// A webhook's answer is a word, not JSON; a `response_url` answers `{"ok":true}` or the word `ok`.
    async fn hook(&self, call: &'static str, url: Url, body: &Value) -> Result<(), SlackError> {
        let (status, bytes) = self.send(call, url, None, Body::Json(body)).await?;
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let named = answer.get("error").and_then(Value::as_str);
        if status.is_success() && answer.get("ok").and_then(Value::as_bool) != Some(false) {
            return Ok(());
        }
        Err(refusal(call, named.unwrap_or(&String::from_utf8_lossy(&bytes))))
    }

    /// Sends, and sends again after each 429 whose `Retry-After` still fits into the time to wait.
    async fn send(
        &self,
        call: &'static str,
        url: Url,
        token: Option<&Secret>,
        body: Body<'_>,
    ) -> Result<(StatusCode, Vec<u8>), SlackError> {
        let mut left = self.retry_wait_max;
        loop {
            let answered = self.send_once(call, url.clone(), token, body).await;
            let Err(SlackError::RateLimited { retry_after_s, .. }) = &answered else { return answered };
            // `Retry-After: 0` must not become a loop without a pause.
            let wait = Duration::from_secs((*retry_after_s).max(1));
            let Some(rest) = left.checked_sub(wait) else { return answered };
            left = rest;
            tracing::warn!(call, retry_after_s, "Slack asks to wait; sending again after that");
            tokio::time::sleep(wait).await;
        }
    }

    async fn send_once(
        &self,
        call: &'static str,
        url: Url,
        token: Option<&Secret>,
        body: Body<'_>,
    ) -> Result<(StatusCode, Vec<u8>), SlackError> {
        let (kind, text) = body.encoded();
        let mut request = self.http.post(url).timeout(self.timeout).header(CONTENT_TYPE, kind).body(text);
        if let Some(token) = token {
            request = request.bearer_auth(token.expose());
        }
        let response = request.send().await.map_err(|error| SlackError::Transient { call, reason: reason(&error) })?;
        let status = response.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(SlackError::RateLimited { call, retry_after_s: retry_after(&response) });
        }
        if status.is_server_error() {
            return Err(SlackError::Transient { call, reason: "Slack answered with a fault of its own" });
        }
        Ok((status, read(call, response).await?))
    }
}

/// A client builder that cannot panic: `reqwest` is built without a TLS provider, takes the process's, and panics when there is none,
/// even for plain http. A binary that installed its own provider keeps it; otherwise ring becomes the process's.
pub fn client_builder() -> reqwest::ClientBuilder {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // An error means that another thread was faster, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none())
}

async fn read(call: &'static str, mut response: Response) -> Result<Vec<u8>, SlackError> {
    let status = response.status().as_u16();
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() <= ANSWER_MAX_BYTES => bytes.extend_from_slice(&chunk),
            Ok(Some(_)) => return Err(SlackError::Unreadable { call, status }),
            Ok(None) => return Ok(bytes),
            Err(error) => return Err(SlackError::Transient { call, reason: reason(&error) }),
        }
    }
}

/// Seconds to wait; a second when Slack names none, which is its pace for one channel.
fn retry_after(response: &Response) -> u64 {
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    seconds.unwrap_or(1)
}

fn refusal(call: &'static str, error: &str) -> SlackError {
    if SLACKS_OWN_FAULTS.contains(&error) {
        return SlackError::Transient { call, reason: "Slack answered with a fault of its own" };
    }
    if matches!(error, "ratelimited" | "rate_limited") {
        return SlackError::RateLimited { call, retry_after_s: 1 };
    }
    // Slack's names are short words; anything else may be a page that repeats the request.
    let is_name = (1..=64).contains(&error.len()) && error.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    SlackError::Api { call, error: if is_name { error.to_owned() } else { "no reason that could be read".to_owned() } }
}

/// The kind of fault only: `reqwest` prints the address, and a webhook's address is a secret.
fn reason(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "no connection"
    } else if error.is_builder() {
        "the request could not be built"
    } else {
        "the connection broke"
    }
}

/// `parse` and `link_names` off: Slack is to find no mention that was not written as one.
fn message_fields(message: &Message) -> Value {
    json!({"text": message.text, "blocks": message.blocks, "parse": "none", "link_names": false})
}

fn add(body: &mut Value, more: Value) {
    if let (Value::Object(body), Value::Object(more)) = (body, more) {
        body.extend(more);
    }
}

#[cfg(test)]
mod tests;
