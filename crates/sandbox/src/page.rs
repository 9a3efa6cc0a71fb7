//! The page: the channel with its buttons, the incidents, the states of each execution. It answers on 127.0.0.1 only.
//!
//! It refuses requests that another site's page could make: the `Host` has to be this machine's, which stops DNS rebinding, and a
//! click has to carry a header that no form can send.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::options::Person;
use crate::slack::{self, Click, SlackStandIn};
use crate::watch::Watch;

const HTML: &str = include_str!("page/index.html");
const CSS: &str = include_str!("page/page.css");
const JS: &str = include_str!("page/page.js");
const DIALOGS_JS: &str = include_str!("page/dialogs.js");
const MARKUP_JS: &str = include_str!("page/markup.js");
const ICON: &str = include_str!("page/icon.svg");

const CLICK_HEADER: &str = "x-cordon-sandbox";
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// What the page is made from.
#[derive(Clone)]
pub(crate) struct Page {
    pub slack: SlackStandIn,
    pub watch: Watch,
    pub people: Arc<[Person]>,
}

pub(crate) fn router(page: Page) -> Router {
    let slack = slack::router(page.slack.clone());
    let own = Router::new()
        .route("/", get(|| async { asset("text/html; charset=utf-8", HTML) }))
        .route("/page.css", get(|| async { asset("text/css; charset=utf-8", CSS) }))
        .route("/page.js", get(|| async { asset("text/javascript; charset=utf-8", JS) }))
        .route("/dialogs.js", get(|| async { asset("text/javascript; charset=utf-8", DIALOGS_JS) }))
        .route("/markup.js", get(|| async { asset("text/javascript; charset=utf-8", MARKUP_JS) }))
        .route("/icon.svg", get(|| async { asset("image/svg+xml", ICON) }))
        .route("/state.json", get(state))
        .route("/click", post(click))
        .route("/submit", post(submit))
        .route("/dismiss", post(dismiss))
        .layer(middleware::from_fn(only_this_machine))
        .with_state(page);
    own.merge(slack)
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, text).into_response()
}

async fn only_this_machine(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if matches!(name, "127.0.0.1" | "localhost" | "[::1]") {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "this page answers to 127.0.0.1 only").into_response()
    }
}

async fn state(Shared(page): Shared<Page>) -> Response {
    let mut state = page.slack.snapshot();
    let watched = page.watch.snapshot().await;
    if let (Some(fields), Value::Object(watched)) = (state.as_object_mut(), watched) {
        fields.insert("people".to_owned(), json!(&*page.people));
        fields.extend(watched);
    }
    ([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(state)).into_response()
}

#[derive(Deserialize)]
struct ClickRequest {
    ts: String,
    action_id: String,
    user: String,
}

#[derive(Deserialize)]
struct ModalRequest {
    id: String,
    #[serde(default)]
    text: String,
}

async fn submit(Shared(page): Shared<Page>, headers: HeaderMap, Json(request): Json<ModalRequest>) -> Response {
    if !headers.contains_key(HeaderName::from_static(CLICK_HEADER)) {
        return (StatusCode::FORBIDDEN, Json(json!({"error": "this has to come from the page"}))).into_response();
    }
    match page.slack.submit(&request.id, &request.text).await {
        Ok(answer) => {
            Json(json!({"status": answer.status, "body": answer.body, "took_ms": answer.took.as_millis()})).into_response()
        }
        Err(error) => (StatusCode::BAD_GATEWAY, Json(json!({"error": error.to_string()}))).into_response(),
    }
}

async fn dismiss(Shared(page): Shared<Page>, headers: HeaderMap, Json(request): Json<ModalRequest>) -> StatusCode {
    if !headers.contains_key(HeaderName::from_static(CLICK_HEADER)) {
        return StatusCode::FORBIDDEN;
    }
    page.slack.dismiss(&request.id);
    StatusCode::NO_CONTENT
}

async fn click(Shared(page): Shared<Page>, headers: HeaderMap, Json(request): Json<ClickRequest>) -> Response {
    if !headers.contains_key(HeaderName::from_static(CLICK_HEADER)) {
        return (StatusCode::FORBIDDEN, Json(json!({"error": "a click has to come from the page"}))).into_response();
    }
    if !page.people.iter().any(|person| person.id == request.user) {
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "nobody on this page has that user id"}))).into_response();
    }
    let click = Click { ts: request.ts, action_id: request.action_id, user: request.user };
    match page.slack.click(&click).await {
        Ok(answer) => {
            Json(json!({"status": answer.status, "body": answer.body, "took_ms": answer.took.as_millis()})).into_response()
        }
        Err(error) => (StatusCode::BAD_GATEWAY, Json(json!({"error": error.to_string()}))).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::people;

    async fn served() -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let page = Page {
            slack: SlackStandIn::new(url.clone(), 0),
            watch: Watch::default(),
            people: Arc::from([Person::new(people::APPROVER, "Alice", "approver")]),
        };
        tokio::spawn(async move { axum::serve(listener, router(page)).await });
        url
    }

    #[tokio::test]
    async fn the_page_loads_nothing_from_elsewhere() {
        let url = served().await;
        let client = crate::http::client().unwrap();
        for path in ["/", "/page.css", "/page.js", "/markup.js", "/dialogs.js", "/icon.svg"] {
            let answer = client.get(format!("{url}{path}")).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 200, "{path}");
            let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
            assert!(policy.starts_with("default-src 'none'"), "{policy}");
            let text = answer.text().await.unwrap().replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains("http://") && !text.contains("src=\"//"), "{path}");
        }
    }

    #[tokio::test]
    async fn another_name_for_this_machine_is_refused() {
        let url = served().await;
        let client = crate::http::client().unwrap();
        let answer = client.get(format!("{url}/state.json")).header("host", "evil.example").send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 403);
        let answer = client.get(format!("{url}/state.json")).send().await.unwrap();
        let state: Value = answer.json().await.unwrap();
        assert_eq!(state["people"][0]["name"], "Alice");
        assert_eq!(state["incidents"], json!([]));
    }

    #[tokio::test]
    async fn a_click_needs_the_pages_header_and_a_known_person() {
        let url = served().await;
        let client = crate::http::client().unwrap();
        let press = |user: &str| {
            client.post(format!("{url}/click")).json(&json!({"ts": "1.1", "action_id": "cordon_approve", "user": user}))
        };
        assert_eq!(press(people::APPROVER).send().await.unwrap().status().as_u16(), 403);
        assert_eq!(press("U0NOBODY").header(CLICK_HEADER, "1").send().await.unwrap().status().as_u16(), 400);
        let answer = press(people::APPROVER).header(CLICK_HEADER, "1").send().await.unwrap();
        assert_eq!(answer.json::<Value>().await.unwrap()["error"], "there is no message `1.1`");
    }

    #[test]
    fn the_script_never_makes_markup_out_of_text() {
        for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("] {
            assert!(!JS.contains(way) && !MARKUP_JS.contains(way) && !DIALOGS_JS.contains(way), "{way}");
        }
        assert!(!HTML.contains("onclick") && !HTML.contains("style="));
    }
}
