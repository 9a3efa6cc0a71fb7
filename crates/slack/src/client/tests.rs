//! The client against a server on this machine that answers as told and keeps what it was sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, Uri};
use axum::response::IntoResponse;

use super::*;

/// Longer than the slowest machine needs: only the test of silence is about time.
const PATIENCE: Duration = Duration::from_secs(3_600);

#[derive(Clone, Default)]
struct Server {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    seen: Arc<Mutex<Vec<Request>>>,
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    after: Duration,
}

#[derive(Clone)]
struct Request {
    path: String,
    authorization: Option<String>,
    body: Value,
}

fn answer(status: u16, body: &str) -> Answer {
    Answer { status, headers: Vec::new(), body: body.to_owned(), after: Duration::ZERO }
}

fn rate_limited(seconds: &str) -> Answer {
    Answer { headers: vec![("retry-after", seconds.to_owned())], ..answer(429, "") }
}

async fn handle(State(server): State<Server>, uri: Uri, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let authorization = headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let body = serde_json::from_slice(&body).unwrap_or_else(|_| json!({"form": String::from_utf8_lossy(&body)}));
    server.seen.lock().unwrap().push(Request { path: uri.path().to_owned(), authorization, body });
    let next = server.answers.lock().unwrap().pop_front();
    let next = next.unwrap_or_else(|| answer(200, r#"{"ok":true,"channel":"C1","ts":"1.2"}"#));
    tokio::time::sleep(next.after).await;
    let mut headers = HeaderMap::new();
    for (name, value) in next.headers {
        headers.insert(HeaderName::from_static(name), value.parse().unwrap());
    }
    (StatusCode::from_u16(next.status).unwrap(), headers, next.body)
}

/// A client, the server that it talks to, and the server's address.
async fn talking(answers: impl IntoIterator<Item = Answer>) -> (SlackClient, Server, String) {
    let server = Server { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Server::default() };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(handle).with_state(server.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let client = SlackClient::new(&format!("{origin}/api"), Some(Secret::new("xoxb-HUNTER2"))).unwrap();
    (client.with_limits(PATIENCE, RETRY_WAIT_MAX), server, origin)
}

fn message() -> Message {
    Message { text: "news".into(), blocks: vec![json!({"type": "divider"})] }
}

async fn error_of(given: Answer) -> SlackError {
    let (client, _, _) = talking([given]).await;
    client.post_message("C1", &message(), None).await.unwrap_err()
}

#[tokio::test]
async fn a_message_is_posted_with_the_token_and_its_place_kept() {
    let (client, server, _) = talking([]).await;
    let posted = client.post_message("C1", &message(), Some("1.0")).await.unwrap();
    assert_eq!(posted, Posted { channel: "C1".into(), ts: "1.2".into() });
    let seen = server.seen.lock().unwrap()[0].clone();
    assert_eq!((seen.path.as_str(), seen.authorization.as_deref()), ("/api/chat.postMessage", Some("Bearer xoxb-HUNTER2")));
    assert_eq!(
        seen.body,
        json!({"channel": "C1", "thread_ts": "1.0", "text": "news", "blocks": [{"type": "divider"}], "parse": "none",
               "link_names": false, "unfurl_links": false, "unfurl_media": false})
    );
}

#[tokio::test]
async fn a_message_is_updated_and_a_person_told() {
    let (client, server, _) = talking([]).await;
    client.update_message("C1", "1.2", &message()).await.unwrap();
    client.post_ephemeral("C1", "U1", &Prose::new("You are <not> an approver.")).await.unwrap();
    let seen = server.seen.lock().unwrap().clone();
    assert_eq!((seen[0].path.as_str(), &seen[0].body["ts"]), ("/api/chat.update", &json!("1.2")));
    assert_eq!((seen[1].path.as_str(), &seen[1].body["user"]), ("/api/chat.postEphemeral", &json!("U1")));
    assert_eq!(seen[1].body["text"], "You are &lt;not&gt; an approver.");
}

#[tokio::test]
async fn hooks_get_no_token() {
    let (client, server, origin) = talking([answer(200, "ok"), answer(200, r#"{"ok":true}"#), answer(200, "ok")]).await;
    let hook = Secret::new(format!("{origin}/services/T/B/x"));
    client.post_webhook(&hook, &message()).await.unwrap();
    client.respond(&hook, Reply::Replace(&message())).await.unwrap();
    client.respond(&hook, Reply::Ephemeral(&Prose::new("no"))).await.unwrap();
    let seen = server.seen.lock().unwrap().clone();
    assert!(seen.iter().all(|request| request.authorization.is_none()));
    assert_eq!(seen[1].body["replace_original"], true);
    assert_eq!(seen[2].body, json!({"response_type": "ephemeral", "replace_original": false, "text": "no"}));
}

#[tokio::test]
async fn scenario_14_ok_false_with_status_200_is_an_error_by_slacks_name() {
    let error = error_of(answer(200, r#"{"ok":false,"error":"channel_not_found"}"#)).await;
    assert_eq!(error, SlackError::Api { call: "chat.postMessage", error: "channel_not_found".into() });
    assert!(!error.is_transient());
    assert!(error_of(answer(200, r#"{"ok":false,"error":"internal_error"}"#)).await.is_transient());
}

#[tokio::test]
async fn a_webhooks_refusal_is_named_without_its_page() {
    let (client, _, origin) = talking([answer(404, "no_service"), answer(403, "<html>/services/T/B/HUNTER2</html>")]).await;
    let hook = Secret::new(format!("{origin}/services/T/B/HUNTER2"));
    let named = client.post_webhook(&hook, &message()).await.unwrap_err();
    assert_eq!(named, SlackError::Api { call: "webhook", error: "no_service".into() });
    let page = client.post_webhook(&hook, &message()).await.unwrap_err();
    assert!(!format!("{page} {page:?}").contains("HUNTER2"));
}

#[tokio::test]
async fn scenario_14_a_retry_after_is_waited_for_as_long_as_it_fits() {
    let (client, server, _) = talking([rate_limited("1")]).await;
    let start = Instant::now();
    client.post_message("C1", &message(), None).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.seen.lock().unwrap().len(), 2);

    let (client, server, _) = talking([rate_limited("1"), rate_limited("6")]).await;
    let error = client.post_message("C1", &message(), None).await.unwrap_err();
    assert_eq!(error, SlackError::RateLimited { call: "chat.postMessage", retry_after_s: 6 });
    assert_eq!(server.seen.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn scenario_14_a_long_retry_after_is_handed_on_at_once() {
    let (client, server, _) = talking([rate_limited("30"), rate_limited("soon")]).await;
    let error = client.post_message("C1", &message(), None).await.unwrap_err();
    assert_eq!(error, SlackError::RateLimited { call: "chat.postMessage", retry_after_s: 30 });
    let impatient = client.with_limits(PATIENCE, Duration::ZERO);
    let error = impatient.post_message("C1", &message(), None).await.unwrap_err();
    assert_eq!(error, SlackError::RateLimited { call: "chat.postMessage", retry_after_s: 1 });
    assert_eq!(server.seen.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn scenario_14_a_fault_of_slacks_and_silence_are_transient() {
    assert!(error_of(answer(503, "")).await.is_transient());
    let (client, _, _) = talking([Answer { after: PATIENCE, ..answer(200, "") }]).await;
    let impatient = client.with_limits(Duration::from_millis(100), Duration::ZERO);
    let error = impatient.post_message("C1", &message(), None).await.unwrap_err();
    assert_eq!(error, SlackError::Transient { call: "chat.postMessage", reason: "no answer in time" });
    let nobody = SlackClient::new("http://127.0.0.1:9/api", Some(Secret::new("xoxb-HUNTER2"))).unwrap();
    let error = nobody.post_message("C1", &message(), None).await.unwrap_err();
    assert_eq!(error, SlackError::Transient { call: "chat.postMessage", reason: "no connection" });
}

#[tokio::test]
async fn an_answer_that_is_no_answer_is_unreadable() {
    for given in [
        answer(200, "<html>"),
        answer(200, "{}"),
        answer(200, r#"{"ok":true}"#),
        answer(404, ""),
        answer(200, &" ".repeat(ANSWER_MAX_BYTES + 1)),
    ] {
        assert!(matches!(error_of(given).await, SlackError::Unreadable { .. }));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let there = Answer { headers: vec![("location", "http://169.254.169.254/".into())], ..answer(307, "") };
    assert_eq!(error_of(there).await, SlackError::Unreadable { call: "chat.postMessage", status: 307 });
}

#[tokio::test]
async fn nothing_is_sent_to_another_host() {
    let (client, server, _) = talking([]).await;
    for address in ["http://169.254.169.254/x", "http://127.0.0.1:1/x", "https://hooks.slack.com.evil.example/x"] {
        let address = Secret::new(address);
        assert!(matches!(client.post_webhook(&address, &message()).await, Err(SlackError::Address { .. })));
        assert!(matches!(client.respond(&address, Reply::Replace(&message())).await, Err(SlackError::Address { .. })));
    }
    assert!(server.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_message_beyond_slacks_limits_is_not_sent() {
    let (client, server, _) = talking([]).await;
    let long = Message { text: "news".into(), blocks: vec![json!({"type": "divider"}); 51] };
    assert!(matches!(client.post_message("C1", &long, None).await, Err(SlackError::Limits(_))));
    assert!(server.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn without_a_token_only_hooks_work_and_nothing_prints_the_token() {
    let bare = SlackClient::new("http://127.0.0.1:9/api", None).unwrap();
    assert_eq!(bare.update_message("C1", "1.2", &message()).await, Err(SlackError::NoToken { call: "chat.update" }));
    let (client, _, _) = talking([]).await;
    assert!(!format!("{client:?}").contains("HUNTER2"));
}

#[test]
fn a_client_is_built_without_anybody_having_installed_a_tls_provider() {
    assert!(SlackClient::new(SLACK_API_URL, None).is_ok());
}

#[tokio::test]
async fn a_dialog_is_opened_with_the_trigger_of_the_click() {
    let (client, server, _) = talking([answer(200, r#"{"ok":true,"view":{"id":"V1"}}"#)]).await;
    let modal = crate::modal::tests::modal();
    client.open_view(&Secret::new("1.2.abc"), &modal).await.unwrap();
    let seen = server.seen.lock().unwrap()[0].clone();
    assert_eq!(seen.path, "/api/views.open");
    assert_eq!((&seen.body["trigger_id"], &seen.body["view"]["type"]), (&json!("1.2.abc"), &json!("modal")));
    let (client, _, _) = talking([answer(200, r#"{"ok":false,"error":"expired_trigger_id"}"#)]).await;
    let refused = client.open_view(&Secret::new("1.2.HUNTER2"), &modal).await.unwrap_err();
    assert_eq!(refused.to_string(), "Slack refused `views.open`: expired_trigger_id");
}

#[tokio::test]
async fn the_members_of_a_group_are_asked_for_as_a_form() {
    let (client, server, _) = talking([answer(200, r#"{"ok":true,"users":["U1","W2",7]}"#)]).await;
    assert_eq!(client.users_in_group("S0GROUP").await.unwrap(), ["U1", "W2"]);
    let seen = server.seen.lock().unwrap()[0].clone();
    assert_eq!((seen.path.as_str(), &seen.body["form"]), ("/api/usergroups.users.list", &json!("usergroup=S0GROUP")));
    let (client, _, _) = talking([answer(200, r#"{"ok":true}"#)]).await;
    assert!(matches!(client.users_in_group("S0GROUP").await, Err(SlackError::Unreadable { .. })));
}
