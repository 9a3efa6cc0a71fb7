//! The stand-in's HTTP side: Slack's Web API, incoming webhooks and `response_url`, and an SNS subscriber for the alerts.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State as Shared};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tracing::warn;

use super::{Fault, Member, Message, Notification, SlackStandIn, Via, limits};

const BODY_MAX_BYTES: usize = 1024 * 1024;
const TEXT_MAX: usize = 40_000;
/// Slack takes five answers to one click.
const RESPONSES_MAX: usize = 5;

pub(crate) fn router(slack: SlackStandIn) -> Router {
    Router::new()
        .route("/api/{method}", post(web_api))
        .route("/services/{*path}", post(webhook))
        .route("/response/{stack}/{ts}/{click}", post(response_url))
        .route("/sns/{stack}", post(sns))
        .layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
        .with_state(slack)
}

async fn web_api(Shared(slack): Shared<SlackStandIn>, Path(method): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    let token =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|text| text.strip_prefix("Bearer "));
    let Some(token) = token else { return refused("not_authed") };
    let Some(member) = slack.member(|member| member.bot_token == token) else { return refused("invalid_auth") };
    if let Some(answer) = slack.next_fault(&member.stack, &body).await {
        return answer;
    }
    let Some(call) = decode(&headers, &body) else { return refused("invalid_json") };
    match method.as_str() {
        "auth.test" => ok(json!({"team_id": super::TEAM, "user_id": "U0CORDON", "bot_id": "B0CORDON"})),
        "chat.postMessage" => slack.post_message(&member, &call, None),
        "chat.postEphemeral" => match text_of(&call, "user") {
            Some(user) => slack.post_message(&member, &call, Some(user)),
            None => refused("user_not_in_channel"),
        },
        "chat.update" => slack.update_message(&member, &call),
        "views.open" => slack.views_open(&member, &call),
        "usergroups.users.list" => slack.users_of_group(&call),
        _ => refused("unknown_method"),
    }
}

async fn webhook(Shared(slack): Shared<SlackStandIn>, Path(path): Path<String>, body: Bytes) -> Response {
    let Some(member) = slack.member(|member| member.webhook_path == path) else {
        return (StatusCode::NOT_FOUND, "no_service").into_response();
    };
    if let Some(answer) = slack.next_fault(&member.stack, &body).await {
        return answer;
    }
    let Ok(Value::Object(call)) = serde_json::from_slice(&body) else {
        return (StatusCode::BAD_REQUEST, "invalid_payload").into_response();
    };
    match checked(&call) {
        Ok(()) => {
            slack.add(message(&member, &call, Via::Webhook, None));
            (StatusCode::OK, "ok").into_response()
        }
        Err((name, faults)) => {
            warn!(name, ?faults, "Slack would refuse this message");
            (StatusCode::BAD_REQUEST, name).into_response()
        }
    }
}

/// What an app may send in answer to a click: a new message, one for the clicker alone, or the clicked message replaced.
async fn response_url(
    Shared(slack): Shared<SlackStandIn>,
    Path((stack, ts, click)): Path<(String, String, String)>,
    body: Bytes,
) -> Response {
    let Some(member) = slack.member(|member| member.stack == stack) else {
        return (StatusCode::NOT_FOUND, "no_service").into_response();
    };
    let Ok(Value::Object(call)) = serde_json::from_slice(&body) else {
        return (StatusCode::BAD_REQUEST, "invalid_payload").into_response();
    };
    let Some(user) = slack.use_response(&click) else { return (StatusCode::NOT_FOUND, "used_url").into_response() };
    let flag = |name: &str| call.get(name).and_then(Value::as_bool).unwrap_or(false);
    if flag("delete_original") {
        slack.lock().messages.retain(|message| message.ts != ts);
        slack.announce();
    } else if flag("replace_original") {
        let mut update = call.clone();
        let at = slack.lock().messages.iter().find(|message| message.ts == ts).map(|message| message.channel.clone());
        update.insert("ts".to_owned(), ts.into());
        update.insert("channel".to_owned(), at.unwrap_or_else(|| member.channel.clone()).into());
        return match slack.change(&member, &update) {
            Ok(_) => (StatusCode::OK, "ok").into_response(),
            Err(name) => (StatusCode::BAD_REQUEST, name).into_response(),
        };
    } else if let Err((name, _)) = checked(&call) {
        return (StatusCode::BAD_REQUEST, name).into_response();
    } else {
        let everyone = call.get("response_type").and_then(Value::as_str) == Some("in_channel");
        slack.add(message(&member, &call, Via::ResponseUrl, (!everyone).then_some(user)));
    }
    (StatusCode::OK, "ok").into_response()
}

/// Confirms the subscription, and keeps what is published.
async fn sns(Shared(slack): Shared<SlackStandIn>, Path(stack): Path<String>, body: Bytes) -> StatusCode {
    let Ok(envelope) = serde_json::from_slice::<Value>(&body) else { return StatusCode::BAD_REQUEST };
    let field = |name: &str| envelope.get(name).and_then(Value::as_str).unwrap_or_default();
    match field("Type") {
        "SubscriptionConfirmation" => {
            let query = [("Action", "ConfirmSubscription"), ("TopicArn", field("TopicArn")), ("Token", field("Token"))];
            let url = url::Url::parse_with_params(&format!("http://127.0.0.1:{}/", slack.inner.emulator_port), query);
            let (Ok(url), Ok(client)) = (url, crate::http::client()) else { return StatusCode::INTERNAL_SERVER_ERROR };
            match client.get(url).send().await {
                Ok(answer) if answer.status().is_success() => {
                    slack.lock().subscribed.push(stack);
                    StatusCode::OK
                }
                _ => StatusCode::BAD_GATEWAY,
            }
        }
        "Notification" => {
            let message = field("Message");
            slack.add_alert(Notification {
                stack,
                subject: field("Subject").to_owned(),
                message: serde_json::from_str(message).unwrap_or_else(|_| message.into()),
                at: Timestamp::now(),
            });
            StatusCode::OK
        }
        _ => StatusCode::BAD_REQUEST,
    }
}

impl SlackStandIn {
    pub(crate) fn member(&self, wanted: impl Fn(&Member) -> bool) -> Option<Member> {
        self.lock().members.iter().find(|member| wanted(member)).cloned()
    }

    async fn next_fault(&self, stack: &str, body: &[u8]) -> Option<Response> {
        let body = String::from_utf8_lossy(body);
        let is_about = |text: &Option<String>| text.as_ref().is_none_or(|text| body.contains(text));
        let fault = {
            let mut state = self.lock();
            let index = state.faults.iter().position(|(of, text, _)| of == stack && is_about(text))?;
            state.faults.remove(index).map(|(.., fault)| fault)
        }?;
        Some(match fault {
            Fault::RateLimited { retry_after_s } => {
                (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, retry_after_s.to_string())], "").into_response()
            }
            Fault::Unavailable => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            Fault::NotOk(name) => refused(&name),
            Fault::Silent(time) => {
                tokio::time::sleep(time).await;
                StatusCode::GATEWAY_TIMEOUT.into_response()
            }
        })
    }

    fn post_message(&self, member: &Member, call: &Map<String, Value>, ephemeral_to: Option<String>) -> Response {
        let channel = text_of(call, "channel").unwrap_or_default();
        let Some(channel) = self.channel(member, &channel) else { return refused("channel_not_found") };
        if let Err((name, faults)) = checked(call) {
            return refused_with(name, faults);
        }
        if let Some(thread) = text_of(call, "thread_ts")
            && !self.lock().messages.iter().any(|message| message.ts == thread)
        {
            return refused("thread_not_found");
        }
        let private = ephemeral_to.is_some();
        let posted = self.add(Message { channel, ..message(member, call, Via::Bot, ephemeral_to) });
        if private {
            return ok(json!({"message_ts": posted.ts}));
        }
        ok(json!({
            "channel": posted.channel,
            "ts": posted.ts,
            "message": {"type": "message", "bot_id": "B0CORDON", "text": posted.text, "ts": posted.ts, "blocks": posted.blocks},
        }))
    }

    fn views_open(&self, member: &Member, call: &Map<String, Value>) -> Response {
        let view = call.get("view").map_or(Value::Null, decoded);
        let trigger = text_of(call, "trigger_id").unwrap_or_default();
        match self.open_view(&member.stack, &trigger, &view) {
            Ok(id) => ok(json!({"view": {"id": id, "type": "modal"}})),
            Err((name, faults)) => refused_with(name, faults),
        }
    }

    fn users_of_group(&self, call: &Map<String, Value>) -> Response {
        let Some(group) = text_of(call, "usergroup") else { return refused("invalid_arguments") };
        let users = self.lock().groups.iter().find(|(id, _)| *id == group).map(|(_, users)| users.clone());
        users.map_or_else(|| refused("no_such_subteam"), |users| ok(json!({"users": users})))
    }

    fn update_message(&self, member: &Member, call: &Map<String, Value>) -> Response {
        match self.change(member, call) {
            Ok(message) => ok(json!({"channel": message.channel, "ts": message.ts, "text": message.text})),
            Err(name) => refused(name),
        }
    }

    /// Changes a message of the same member. Blocks and attachments that are not named stay as they are.
    fn change(&self, member: &Member, call: &Map<String, Value>) -> Result<Message, &'static str> {
        let (Some(ts), Some(channel)) = (text_of(call, "ts"), text_of(call, "channel")) else { return Err("invalid_arguments") };
        checked(call).map_err(|(name, _)| name)?;
        let changed = {
            let mut state = self.lock();
            let found = state.messages.iter_mut().find(|message| message.ts == ts && message.channel == channel);
            let message = found.ok_or("message_not_found")?;
            if message.stack != member.stack {
                return Err("cant_update_message");
            }
            for (name, field) in [("blocks", &mut message.blocks), ("attachments", &mut message.attachments)] {
                if let Some(value) = call.get(name) {
                    *field = named_blocks(decoded(value));
                }
            }
            if let Some(text) = text_of(call, "text") {
                message.text = text;
            }
            message.updated_at = Timestamp::now();
            message.edits += 1;
            message.clone()
        };
        self.announce();
        Ok(changed)
    }

    /// Who may use a `response_url`, if it has answers left.
    fn use_response(&self, click: &str) -> Option<String> {
        let mut state = self.lock();
        let record = state.clicks.iter_mut().find(|record| record.get("id").and_then(Value::as_str) == Some(click))?;
        let used = record.get("responses").and_then(Value::as_u64).unwrap_or(0);
        if usize::try_from(used).map_or(true, |used| used >= RESPONSES_MAX) {
            return None;
        }
        let user = record.get("user")?.as_str()?.to_owned();
        record.as_object_mut()?.insert("responses".to_owned(), (used + 1).into());
        Some(user)
    }
}

fn message(member: &Member, call: &Map<String, Value>, via: Via, ephemeral_to: Option<String>) -> Message {
    let now = Timestamp::now();
    let part = |name: &str| call.get(name).map_or(Value::Null, |value| named_blocks(decoded(value)));
    Message {
        stack: member.stack.clone(),
        channel: member.channel.clone(),
        ts: String::new(),
        thread_ts: text_of(call, "thread_ts"),
        text: text_of(call, "text").unwrap_or_default(),
        blocks: part("blocks"),
        attachments: part("attachments"),
        via,
        ephemeral_to,
        posted_at: now,
        updated_at: now,
        edits: 0,
    }
}

/// What Slack would refuse: its name for it, and the details.
fn checked(call: &Map<String, Value>) -> Result<(), (&'static str, Vec<String>)> {
    let part = |name: &str| call.get(name).map_or(Value::Null, decoded);
    let (blocks, attachments) = (part("blocks"), part("attachments"));
    let text = text_of(call, "text").unwrap_or_default();
    if text.is_empty() && blocks.is_null() && attachments.is_null() {
        return Err(("no_text", Vec::new()));
    }
    if text.chars().count() > TEXT_MAX {
        return Err(("msg_too_long", Vec::new()));
    }
    if limits::too_long(&blocks) {
        return Err(("msg_blocks_too_long", Vec::new()));
    }
    let faults = limits::faults(&blocks, &attachments);
    if faults.is_empty() { Ok(()) } else { Err(("invalid_blocks", faults)) }
}

/// Slack names the blocks that come without a name; clicks carry it.
fn named_blocks(mut value: Value) -> Value {
    for (index, item) in value.as_array_mut().into_iter().flatten().enumerate() {
        if let Some(fields) = item.as_object_mut() {
            if let Some(blocks) = fields.remove("blocks") {
                fields.insert("blocks".to_owned(), named_blocks(blocks));
            }
            if fields.contains_key("type") {
                fields.entry("block_id").or_insert_with(|| format!("b{index}").into());
            }
        }
    }
    value
}

/// In a form, structured arguments are JSON in text.
fn decoded(value: &Value) -> Value {
    match value {
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| value.clone()),
        other => other.clone(),
    }
}

fn decode(headers: &HeaderMap, body: &Bytes) -> Option<Map<String, Value>> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/json") {
        serde_json::from_slice::<Value>(body).ok()?.as_object().cloned()
    } else {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(body).ok()?;
        Some(pairs.into_iter().map(|(name, value)| (name, Value::String(value))).collect())
    }
}

fn text_of(call: &Map<String, Value>, name: &str) -> Option<String> {
    call.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn ok(mut answer: Value) -> Response {
    if let Some(fields) = answer.as_object_mut() {
        fields.insert("ok".to_owned(), true.into());
    }
    axum::Json(answer).into_response()
}

fn refused(name: &str) -> Response {
    refused_with(name, Vec::new())
}

/// Slack says no with HTTP 200.
fn refused_with(name: &str, messages: Vec<String>) -> Response {
    warn!(name, ?messages, "Slack would refuse this call");
    axum::Json(json!({"ok": false, "error": name, "response_metadata": {"messages": messages}})).into_response()
}
