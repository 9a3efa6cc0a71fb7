//! The stand-in over HTTP, as Cordon's client and a person on the page meet it.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::post;
use serde_json::{Value, json};

use super::*;

/// Longer than the slowest machine needs.
const PATIENCE: Duration = Duration::from_secs(600);
const TOKEN: &str = "xoxb-sandbox";

/// A stand-in that listens, with one stack whose callback is `callback_url`.
async fn stand_in(callback_port: u16) -> SlackStandIn {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let slack = SlackStandIn::new(format!("http://{}", listener.local_addr().unwrap()), callback_port);
    slack.join(Member {
        stack: "cordon".into(),
        channel: "C0CORDON".into(),
        channel_name: "aws-incidents".into(),
        bot_token: TOKEN.into(),
        webhook_path: "T0/B0/hush".into(),
        signing_secret: "0123456789abcdef".into(),
        callback_url: Some("http://abcd1234.execute-api.localhost:4566/slack".into()),
    });
    slack.keep_triggers();
    let app = router(slack.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    slack
}

fn client() -> reqwest::Client {
    crate::http::client().unwrap()
}

async fn call(slack: &SlackStandIn, method: &str, token: &str, body: Value) -> (u16, Value) {
    let client = client();
    let url = format!("{}/{method}", slack.api_url());
    let answer = client.post(url).bearer_auth(token).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

fn card() -> Value {
    json!({"channel": "C0CORDON", "text": "Critical", "blocks": [
        {"type": "section", "text": {"type": "mrkdwn", "text": "*who*"}},
        {"type": "actions", "elements": [
            {"type": "button", "action_id": "cordon_approve", "value": "inc-1", "style": "primary", "text": {"type": "plain_text", "text": "Approve"}},
        ]},
    ]})
}

#[tokio::test]
async fn a_message_is_posted_updated_and_threaded() {
    let slack = stand_in(0).await;
    let (_, posted) = call(&slack, "chat.postMessage", TOKEN, card()).await;
    assert_eq!((&posted["ok"], &posted["channel"]), (&json!(true), &json!("C0CORDON")));
    let ts = posted["ts"].as_str().unwrap();
    let (_, reply) =
        call(&slack, "chat.postMessage", TOKEN, json!({"channel": "C0CORDON", "text": "more", "thread_ts": ts})).await;
    assert_ne!(reply["ts"], posted["ts"]);
    let update = json!({"channel": "C0CORDON", "ts": ts, "text": "Contained", "blocks": []});
    assert_eq!(call(&slack, "chat.update", TOKEN, update).await.1["ok"], true);
    let messages = slack.messages("cordon");
    assert_eq!(messages.len(), 2);
    assert_eq!((messages[0].text.as_str(), messages[0].edits, messages[0].buttons().len()), ("Contained", 1, 0));
    assert_eq!(messages[1].thread_ts.as_deref(), Some(ts));
}

#[tokio::test]
async fn what_slack_refuses_is_refused_with_http_200_and_its_name() {
    let slack = stand_in(0).await;
    let long =
        json!({"channel": "C0CORDON", "blocks": [{"type": "header", "text": {"type": "plain_text", "text": "x".repeat(151)}}]});
    let cases = [
        ("chat.postMessage", "xoxb-wrong", card(), "invalid_auth"),
        ("chat.postMessage", TOKEN, json!({"channel": "C0OTHER", "text": "x"}), "channel_not_found"),
        ("chat.postMessage", TOKEN, json!({"channel": "C0CORDON"}), "no_text"),
        ("chat.postMessage", TOKEN, json!({"channel": "C0CORDON", "text": "x", "thread_ts": "1.2"}), "thread_not_found"),
        ("chat.postMessage", TOKEN, long, "invalid_blocks"),
        ("chat.update", TOKEN, json!({"channel": "C0CORDON", "ts": "1.2", "text": "x"}), "message_not_found"),
        ("chat.shout", TOKEN, json!({}), "unknown_method"),
    ];
    for (method, token, body, name) in cases {
        let (status, answer) = call(&slack, method, token, body).await;
        assert_eq!((status, &answer["ok"], &answer["error"]), (200, &json!(false), &json!(name)), "{method}");
    }
    assert!(slack.messages("cordon").is_empty());
}

#[tokio::test]
async fn faults_come_in_turn_and_then_end() {
    let slack = stand_in(0).await;
    slack.fail_next("cordon", [Fault::RateLimited { retry_after_s: 1 }, Fault::Unavailable, Fault::NotOk("fatal_error".into())]);
    assert_eq!(call(&slack, "chat.postMessage", TOKEN, card()).await.0, 429);
    assert_eq!(call(&slack, "chat.postMessage", TOKEN, card()).await.0, 503);
    assert_eq!(call(&slack, "chat.postMessage", TOKEN, card()).await.1["error"], "fatal_error");
    assert_eq!(call(&slack, "chat.postMessage", TOKEN, card()).await.1["ok"], true);
    slack.fail_next_about("cordon", "inc-2", [Fault::Unavailable]);
    assert_eq!(call(&slack, "chat.postMessage", TOKEN, card()).await.1["ok"], true, "it is about inc-1");
    let other = json!({"channel": "C0CORDON", "text": "news of inc-2"});
    assert_eq!(call(&slack, "chat.postMessage", TOKEN, other.clone()).await.0, 503);
    assert_eq!(call(&slack, "chat.postMessage", TOKEN, other).await.1["ok"], true);
}

#[tokio::test]
async fn a_webhook_takes_a_message_and_gives_no_ts() {
    let slack = stand_in(0).await;
    let client = client();
    let post = |path: &str| client.post(format!("{}/services/{path}", slack.base_url())).json(&card()).send();
    let answer = post("T0/B0/hush").await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (200, "ok".to_owned()));
    assert_eq!(post("T0/B0/wrong").await.unwrap().status().as_u16(), 404);
    assert_eq!(slack.messages("cordon")[0].via, Via::Webhook);
}

#[tokio::test]
async fn a_waiter_is_woken_by_the_message_and_gives_up_in_time() {
    let slack = stand_in(0).await;
    let none = slack.wait_for_message("cordon", Duration::from_millis(20), |_| true).await;
    assert_eq!(none, None);
    let waiting = slack.wait_for_message("cordon", PATIENCE, |message| message.text == "Critical");
    let (found, _) = tokio::join!(waiting, call(&slack, "chat.postMessage", TOKEN, card()));
    assert_eq!(found.unwrap().buttons()[0].0, "cordon_approve");
}

type Received = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// A callback that keeps what it receives.
async fn callback() -> (u16, Received) {
    let received = Received::default();
    let keep = Arc::clone(&received);
    let app = Router::new().route(
        "/slack",
        post(move |headers: HeaderMap, body: Bytes| async move {
            keep.lock().unwrap().push((headers, body));
            "taken"
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (port, received)
}

#[tokio::test]
async fn a_click_reaches_the_callback_signed_over_the_bytes_it_sends() {
    let (port, received) = callback().await;
    let slack = stand_in(port).await;
    let (_, posted) = call(&slack, "chat.postMessage", TOKEN, card()).await;
    let click =
        Click { ts: posted["ts"].as_str().unwrap().into(), action_id: "cordon_approve".into(), user: "U0ALICE001".into() };
    let answer = slack.click(&click).await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "taken"));

    let (headers, body) = received.lock().unwrap()[0].clone();
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("host"), format!("abcd1234.execute-api.localhost:{port}"));
    let timestamp = header("x-slack-request-timestamp").parse().unwrap();
    assert_eq!(header("x-slack-signature"), sign("0123456789abcdef", timestamp, &body).signature);
    let form: Vec<(String, String)> = serde_urlencoded::from_bytes(&body).unwrap();
    assert_eq!(form[0].0, "payload");
    let payload: Value = serde_json::from_str(&form[0].1).unwrap();
    assert_eq!(payload["type"], "block_actions");
    assert_eq!(payload["user"]["id"], "U0ALICE001");
    assert_eq!(payload["actions"][0]["action_id"], "cordon_approve");
    assert_eq!(payload["actions"][0]["value"], "inc-1");
    assert_eq!(payload["container"]["message_ts"], posted["ts"]);

    // The answer to a click goes to its own address, five times.
    let client = client();
    let url = payload["response_url"].as_str().unwrap();
    for attempt in 0..6 {
        let sent = client.post(url).json(&json!({"text": format!("no {attempt}")})).send().await.unwrap();
        assert_eq!(sent.status().as_u16(), if attempt < 5 { 200 } else { 404 });
    }
    let private: Vec<Message> = slack.messages("cordon").into_iter().filter(|message| message.ephemeral_to.is_some()).collect();
    assert_eq!(private.len(), 5);
    assert_eq!(private[0].ephemeral_to.as_deref(), Some("U0ALICE001"));
}

#[tokio::test]
async fn a_button_that_is_not_there_cannot_be_pressed() {
    let slack = stand_in(0).await;
    let click = |ts: &str| Click { ts: ts.into(), action_id: "cordon_deny".into(), user: "U".into() };
    assert_eq!(slack.click(&click("9.9")).await, Err(ClickError::NoMessage("9.9".into())));
    let (_, posted) = call(&slack, "chat.postMessage", TOKEN, card()).await;
    let ts = posted["ts"].as_str().unwrap();
    assert!(matches!(slack.click(&click(ts)).await, Err(ClickError::NoButton { .. })));
}

#[tokio::test]
async fn a_published_alert_is_kept_with_its_subject() {
    let slack = stand_in(0).await;
    let notification = json!({"Type": "Notification", "Subject": "[Cordon] CRITICAL", "Message": "{\"incident\":\"inc-1\"}"});
    let client = client();
    let sent = client.post(format!("{}/sns/cordon", slack.base_url())).body(notification.to_string()).send().await.unwrap();
    assert_eq!(sent.status().as_u16(), 200);
    let alert = slack.wait_for_alert("cordon", PATIENCE, |_| true).await.unwrap();
    assert_eq!((alert.subject.as_str(), &alert.message["incident"]), ("[Cordon] CRITICAL", &json!("inc-1")));
    assert!(slack.alerts("another").is_empty());
}

#[tokio::test]
async fn the_page_is_shown_no_token_and_no_secret() {
    let slack = stand_in(0).await;
    call(&slack, "chat.postMessage", TOKEN, card()).await;
    let shown = slack.snapshot().to_string();
    assert!(shown.contains("Critical"));
    for secret in [TOKEN, "0123456789abcdef", "hush"] {
        assert!(!shown.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_dialog_is_opened_once_for_a_click_and_sent_off_signed() {
    let (port, received) = callback().await;
    let slack = stand_in(port).await;
    let (_, posted) = call(&slack, "chat.postMessage", TOKEN, card()).await;
    let click =
        Click { ts: posted["ts"].as_str().unwrap().into(), action_id: "cordon_approve".into(), user: "U0ALICE001".into() };
    slack.click(&click).await.unwrap();
    let trigger = payload_of(&received.lock().unwrap()[0].1)["trigger_id"].clone();
    let view = json!({"type": "modal", "callback_id": "c", "private_metadata": "about",
        "title": {"type": "plain_text", "text": "Why?"}, "submit": {"type": "plain_text", "text": "Send"},
        "blocks": [{"type": "input", "block_id": "b", "label": {"type": "plain_text", "text": "Reason"},
                    "element": {"type": "plain_text_input", "action_id": "e", "min_length": 3, "max_length": 20}}]});
    let open = |trigger: &Value, view: &Value| json!({"trigger_id": trigger, "view": view});
    assert_eq!(call(&slack, "views.open", TOKEN, open(&json!("1.2.x"), &view)).await.1["error"], "invalid_trigger_id");
    let mut long = view.clone();
    long["title"]["text"] = "x".repeat(25).into();
    assert_eq!(call(&slack, "views.open", TOKEN, open(&trigger, &long)).await.1["error"], "invalid_arguments");
    assert_eq!(call(&slack, "views.open", TOKEN, open(&trigger, &view)).await.1["ok"], true);
    assert_eq!(call(&slack, "views.open", TOKEN, open(&trigger, &view)).await.1["error"], "exchanged_trigger_id");

    let modal = slack.wait_for_modal("cordon", "U0ALICE001", PATIENCE).await.unwrap();
    assert!(matches!(slack.submit(&modal.id, "no").await, Err(ClickError::Reason { least: 3, most: 20 })));
    assert_eq!(slack.submit(&modal.id, "planned work").await.unwrap().body, "taken");
    let (headers, body) = received.lock().unwrap()[1].clone();
    let timestamp = headers["x-slack-request-timestamp"].to_str().unwrap().parse().unwrap();
    assert_eq!(headers["x-slack-signature"].to_str().unwrap(), sign("0123456789abcdef", timestamp, &body).signature);
    let payload = payload_of(&body);
    assert_eq!((&payload["type"], &payload["user"]["id"]), (&json!("view_submission"), &json!("U0ALICE001")));
    assert_eq!(payload["view"]["private_metadata"], "about");
    assert_eq!(payload["view"]["state"]["values"]["b"]["e"]["value"], "planned work");
    assert!(payload.get("channel").is_none());
    // "taken" is no answer that Slack understands, so the dialog stays open and says so.
    assert!(slack.modals("cordon")[0].errors.to_string().contains("trouble connecting"));
    slack.dismiss(&modal.id);
    assert!(slack.modals("cordon").is_empty());
}

fn payload_of(body: &[u8]) -> Value {
    let form: Vec<(String, String)> = serde_urlencoded::from_bytes(body).unwrap();
    serde_json::from_str(&form[0].1).unwrap()
}

#[tokio::test]
async fn a_groups_members_are_listed_and_another_channel_is_open_to_its_own_stack() {
    let slack = stand_in(0).await;
    slack.set_group("S0SECURITY", &["U0ALICE001", "U0BOB00002"]);
    let client = client();
    let list = |group: &str| {
        let url = format!("{}/usergroups.users.list", slack.api_url());
        client.post(url).bearer_auth(TOKEN).form(&[("usergroup", group)]).send()
    };
    let answer: Value = list("S0SECURITY").await.unwrap().json().await.unwrap();
    assert_eq!(answer["users"], json!(["U0ALICE001", "U0BOB00002"]));
    let answer: Value = list("S0NOBODY").await.unwrap().json().await.unwrap();
    assert_eq!(answer["error"], "no_such_subteam");

    slack.add_channel("cordon", "C0LOUD", "aws-loud");
    let (_, posted) = call(&slack, "chat.postMessage", TOKEN, json!({"channel": "C0LOUD", "text": "x"})).await;
    assert_eq!((&posted["ok"], &posted["channel"]), (&json!(true), &json!("C0LOUD")));
    slack.add_channel("another", "C0THEIRS", "theirs");
    let (_, refused) = call(&slack, "chat.postMessage", TOKEN, json!({"channel": "C0THEIRS", "text": "x"})).await;
    assert_eq!(refused["error"], "channel_not_found");
}
