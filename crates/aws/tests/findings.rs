//! The destinations of findings, against a stand-in for AWS that listens on this machine.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use cordon_aws::{EventBus, SecurityHub};
use cordon_core::event::Event;
use cordon_core::incident::{EventFacts, Found, Incident};
use cordon_core::{Actor, IncidentId, Subject, chain};
use cordon_flow::ports::{DeliveryError, Findings};
use cordon_record::{Finding, Hub};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Longer than the slowest machine needs: no answer here depends on how busy it is.
const PATIENCE: Duration = Duration::from_secs(3_600);
const ACCOUNT: &str = "111122223333";
/// <https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html>
const REQUIRED: [&str; 12] = [
    "AwsAccountId",
    "CreatedAt",
    "Description",
    "GeneratorId",
    "Id",
    "ProductArn",
    "Resources",
    "SchemaVersion",
    "Severity",
    "Title",
    "Types",
    "UpdatedAt",
];

#[derive(Clone)]
struct Aws {
    answer: (u16, Value),
    asked: Arc<Mutex<Vec<(String, HeaderMap, Value)>>>,
}

async fn answer(State(aws): State<Aws>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    assert_eq!((method, uri.query()), (Method::POST, None));
    aws.asked.lock().unwrap().push((uri.path().to_owned(), headers, serde_json::from_slice(&body).unwrap()));
    (StatusCode::from_u16(aws.answer.0).unwrap(), aws.answer.1.to_string())
}

/// A service that gives one answer, and what it was asked.
async fn aws(status: u16, body: Value) -> (SdkConfig, Aws) {
    let aws = Aws { answer: (status, body), asked: Arc::default() };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().fallback(answer).with_state(aws.clone());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (config(&format!("http://{address}")), aws)
}

fn credentials() -> Credentials {
    Credentials::new("AKIDEXAMPLE", "secret-of-the-key", Some("session-token".to_owned()), None, "test")
}

fn config(endpoint: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials()))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(aws_smithy_async::rt::sleep::TokioSleep::new()))
        .time_source(aws_smithy_async::time::SharedTimeSource::new(aws_smithy_async::time::SystemTimeSource::new()))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .endpoint_url(endpoint)
        .build()
}

fn hub() -> Hub {
    Hub { account: ACCOUNT.to_owned(), region: "us-east-1".to_owned() }
}

fn incident() -> Incident {
    let envelope = json!({"source": "aws.iam", "detail-type": "AWS API Call via CloudTrail", "account": ACCOUNT, "detail": {
        "eventID": "e-1", "eventName": "AttachUserPolicy", "eventSource": "iam.amazonaws.com", "recipientAccountId": ACCOUNT,
        "userIdentity": {"type": "IAMUser", "userName": "mallory", "accountId": ACCOUNT, "arn": format!("arn:aws:iam::{ACCOUNT}:user/mallory")},
        "requestParameters": {"userName": "mallory"}}});
    let event = Event::from_envelope(&envelope, None).unwrap();
    let found = Found {
        account: event.account.clone(),
        actor: Actor::from_record(&event.record),
        subject: Subject::from_record(&event.record),
        detections: vec![],
        event: EventFacts::from_event(&event),
    };
    Incident::open(IncidentId::derive(None, &event.id), found, "execution".to_owned(), Timestamp::UNIX_EPOCH)
}

async fn publish(place: &dyn Findings) -> Result<(), DeliveryError> {
    place.publish(&Finding { incident: &incident() }).await
}

async fn to_security_hub(status: u16, body: Value) -> (Result<(), DeliveryError>, Aws) {
    let (sdk, aws) = aws(status, body).await;
    let hub = SecurityHub::with_timeout(&sdk, hub(), PATIENCE).unwrap();
    (publish(&hub).await, aws)
}

async fn to_bus(status: u16, body: Value) -> (Result<(), DeliveryError>, Aws) {
    let (sdk, aws) = aws(status, body).await;
    (publish(&EventBus::with_timeout(&sdk, "cordon".to_owned(), PATIENCE)).await, aws)
}

#[tokio::test]
async fn security_hub_gets_the_finding_with_a_signature_over_what_was_sent() {
    let (result, aws) = to_security_hub(200, json!({"FailedCount": 0, "SuccessCount": 1, "FailedFindings": []})).await;
    assert_eq!(result, Ok(()));
    let (path, headers, body) = aws.asked.lock().unwrap()[0].clone();
    assert_eq!((path.as_str(), body["Findings"].as_array().unwrap().len()), ("/findings/import", 1));
    assert_eq!((body.as_object().unwrap().len(), &headers["content-type"]), (1, &"application/json".parse().unwrap()));
    let finding = &body["Findings"][0];
    assert_eq!(finding["AwsAccountId"], ACCOUNT);
    // In the account's own product, which is the one that the function's role may import into.
    assert_eq!(finding["ProductArn"], format!("arn:aws:securityhub:us-east-1:{ACCOUNT}:product/{ACCOUNT}/default"));
    // What AWS says that each finding needs; `cordon-record` checks the rest against the published model.
    for required in REQUIRED {
        assert!(!finding[required].is_null(), "`{required}` is not in {finding:#}");
    }
    // Signed anew from what arrived: the same only if host, date, token, type and body are what was signed.
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    let identity = credentials().into();
    let date = text("x-amz-date");
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", &date).unwrap();
    let seconds = time.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_second();
    let params = SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("securityhub")
        .time(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.try_into().unwrap()))
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let url = format!("http://{}{path}", text("host"));
    let sent = json!({"Findings": [Finding { incident: &incident() }.asff(&hub())]}).to_string();
    let signable = SignableRequest::new(
        "POST",
        &url,
        [("content-type", "application/json")].into_iter(),
        SignableBody::Bytes(sent.as_bytes()),
    );
    let (instructions, _) = sign(signable.unwrap(), &params).unwrap().into_parts();
    let expected = instructions.headers().find(|(name, _)| *name == "authorization").unwrap().1.to_owned();
    assert_eq!(text("authorization"), expected);
    assert_eq!(text("x-amz-security-token"), "session-token");
}

#[tokio::test]
async fn a_finding_that_security_hub_does_not_take_is_a_failure_that_says_why() {
    let refused = json!({"FailedCount": 1, "SuccessCount": 0, "FailedFindings": [{"Id": "x", "ErrorCode": "InvalidInput", "ErrorMessage": "bad type"}]});
    let rows = [
        (200, refused, "InvalidInput bad type"),
        (403, json!({"Message": "not authorized to perform securityhub:BatchImportFindings"}), "status 403, not authorized"),
        (401, json!({"message": "Account is not subscribed"}), "not subscribed"),
        (302, json!({}), "status 302"),
        (200, json!({}), "does not say"),
        (500, json!("\u{1}".repeat(9_000)), "status 500"),
    ];
    for (status, body, says) in rows {
        let (result, _) = to_security_hub(status, body).await;
        let message = chain(&result.unwrap_err());
        assert!(message.contains(says) && message.len() < 400, "{says}: {message}");
        assert!(!message.contains("secret-of-the-key") && !message.contains("session-token"), "{message}");
    }
    // Nobody listens there.
    let hub = SecurityHub::with_timeout(&config("http://127.0.0.1:9"), hub(), PATIENCE).unwrap();
    assert!(chain(&publish(&hub).await.unwrap_err()).contains("out of reach"));
}

#[tokio::test]
async fn the_bus_gets_the_finding_under_cordons_own_source() {
    let (result, aws) = to_bus(200, json!({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]})).await;
    assert_eq!(result, Ok(()));
    let (_, headers, body) = aws.asked.lock().unwrap()[0].clone();
    assert_eq!(headers["x-amz-target"], "AWSEvents.PutEvents");
    let entry = &body["Entries"][0];
    let shown = (&entry["Source"], &entry["DetailType"], &entry["EventBusName"]);
    assert_eq!(shown, (&json!("cordon"), &json!("Cordon Detection Finding"), &json!("cordon")));
    let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
    assert_eq!((&detail["class_uid"], &detail["finding_info"]["uid"]), (&json!(2004), &json!(incident().id)));
}

#[tokio::test]
async fn a_finding_that_the_bus_does_not_take_is_a_failure_that_says_why() {
    let failed =
        json!({"FailedEntryCount": 1, "Entries": [{"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": "no"}]});
    let (result, _) = to_bus(200, failed).await;
    assert!(chain(&result.unwrap_err()).contains("NotAuthorizedForSourceException"));
    let (result, _) =
        to_bus(400, json!({"__type": "AccessDeniedException", "message": "not authorized to perform events:PutEvents"})).await;
    assert!(chain(&result.unwrap_err()).contains("not authorized"));
}
