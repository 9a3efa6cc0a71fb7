//! What is told is true, reaches somebody, and gives no secret away.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::{Arc, Mutex};

use cordon_contract::{ClassifyOutput, NotifyInput, WaitInput};
use cordon_core::{IncidentId, Outcome};
use cordon_flow::export;
use cordon_flow::ports::{DeliveryError, Findings};
use cordon_record::{Finding, Hub};
use cordon_testkit::run;
use serde_json::{Value, json};
use support::{ADMIN_POLICY, World, event};

/// Secrets as they leak, each with the part of it that must not be told.
const SECRETS: [(&str, &str); 9] = [
    ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "bPxRfiCY"),
    ("IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUCIQDhunter", "wEaCXVzLWVh"),
    ("DB_PASSWORD=hunter2hunter2", "hunter2"),
    (r#"{"environment":[{"name":"DB_PASSWORD","value":"hunter2"}]}"#, "hunter2"),
    ("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----", "MIIEvQ"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U", "eyJzdWIi"),
    ("xoxb-123456789012-hunter2hunter2", "hunter2"),
    ("postgres://app:hunter2@db.internal/app", "hunter2"),
    ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "6912E7710c"),
];

/// Keeps what other tools would get.
#[derive(Clone, Default)]
struct Tools(Arc<Mutex<Vec<Value>>>);

#[async_trait::async_trait]
impl Findings for Tools {
    fn name(&self) -> &'static str {
        "tools"
    }

    async fn publish(&self, finding: &Finding<'_>) -> Result<(), DeliveryError> {
        let hub = Hub { account: "111111111111".to_owned(), region: "us-east-1".to_owned() };
        self.0.lock().unwrap().extend([finding.ocsf(), finding.asff(&hub)]);
        Ok(())
    }
}

/// Everything that anybody is told of an incident on its way, as one text.
fn told(world: &World, tools: &Tools, incident: &IncidentId, asked: bool) -> String {
    let notify = |input| run(world.notify().run(input)).unwrap();
    if asked {
        notify(NotifyInput::Asked { incident: incident.clone() });
        let ask = WaitInput::Ask { incident: incident.clone(), task_token: "t".to_owned(), timeout_seconds: 600, last: true };
        run(world.wait().run(ask)).unwrap();
        notify(NotifyInput::Escalated { incident: incident.clone() });
    }
    notify(NotifyInput::Alert { incident: incident.clone() });
    notify(NotifyInput::NeedsPerson { incident: incident.clone() });
    notify(NotifyInput::Outcome { incident: incident.clone(), outcome: Outcome::Partial });
    everything(world, tools, incident)
}

fn everything(world: &World, tools: &Tools, incident: &IncidentId) -> String {
    let mut said: Vec<String> = Vec::new();
    let heard = &world.heard;
    said.extend(heard.posts.lock().unwrap().iter().map(|message| message.to_value().to_string()));
    said.extend(heard.updates.lock().unwrap().iter().map(|message| message.to_value().to_string()));
    said.extend(heard.replies.lock().unwrap().iter().map(|(_, message)| message.to_value().to_string()));
    said.extend(heard.alerts.lock().unwrap().iter().map(|alert| format!("{alert:?} {}", alert.body)));
    said.extend(tools.0.lock().unwrap().iter().map(Value::to_string));
    let record = run(export::read(world.store(), incident, "2026-01-02T03:04:05Z".parse().unwrap())).unwrap();
    said.push(cordon_record::export::json(&record).to_string());
    said.push(cordon_record::html::html(&record));
    said.push(cordon_record::markdown::markdown(&record));
    said.push(record.timeline.iter().map(|entry| format!("{}", entry.data)).collect());
    said.push(serde_json::to_string(&world.stored(incident).event.parameters).unwrap());
    said.join("\n")
}

fn world() -> (World, Tools) {
    let tools = Tools::default();
    let mut world = World::new();
    world.findings = vec![Box::new(tools.clone())];
    (world, tools)
}

#[test]
fn attack_17_a_secret_in_any_parameter_of_any_call_is_told_to_nobody() {
    for (secret, part) in SECRETS {
        for (name, parameters) in [
            ("AttachUserPolicy", json!({"userName": "iam-test-mallory", "policyArn": ADMIN_POLICY, "anything": secret})),
            (
                "AttachUserPolicy",
                json!({"userName": "iam-test-mallory", "policyArn": ADMIN_POLICY, "deep": [{"er": {"still": secret}}]}),
            ),
            ("AttachUserPolicy", json!({"userName": secret, "policyArn": ADMIN_POLICY})),
            ("AttachUserPolicy", json!({"userName": "iam-test-mallory", "policyArn": format!("arn:aws:iam::1:policy/{secret}")})),
            ("PutUserPolicy", json!({"userName": "iam-test-mallory", "policyName": secret, "policyDocument": "{}"})),
            ("PutUserPolicy", json!({"userName": "iam-test-mallory", "policyName": "p", "policyDocument": secret})),
            (
                "PutUserPolicy",
                json!({"userName": "iam-test-mallory", "policyName": "p", "policyDocument":
                json!({"Statement": [{"Sid": secret, "Effect": "Allow", "Action": "iam:*", "Resource": "*", "Condition": {"StringEquals": {"aws:Referer": secret}}}]}).to_string()}),
            ),
            (
                "CreateUser",
                json!({"userName": "iam-test-new", "tags": [{"key": "note", "value": secret}, {"key": secret, "value": "x"}]}),
            ),
        ] {
            let (world, tools) = world();
            let mut made = event("e", name, parameters.clone());
            made["detail"]["userAgent"] = json!(format!("tool/1 {secret}"));
            let (incident, route) = world.checked(made);
            let text = told(&world, &tools, &incident, route == cordon_core::Route::Ask);
            assert!(!text.contains(part), "{name} {parameters}: {}", around(&text, part));
            assert!(text.contains("203.0.113.7") && text.contains(name), "the rest is told");
        }
    }
}

#[test]
fn attack_17_a_secret_in_an_unreadable_record_is_told_to_nobody() {
    for (secret, part) in SECRETS {
        for spoil in [
            json!({"eventVersion": "2.0", "errorMessage": secret, "requestParameters": {"userName": "b", "x": secret}}),
            json!({"eventName": 7, "requestParameters": {"nested": [secret]}, "other": secret}),
            json!({"eventName": secret, "eventSource": secret, "userIdentity": null}),
            json!({"eventVersion": "2.0", "requestParameters": secret}),
        ] {
            let (world, tools) = world();
            let mut made = event("e", "CreateUser", json!({"userName": "b"}));
            for (key, value) in spoil.as_object().unwrap() {
                made["detail"][key] = value.clone();
            }
            let ClassifyOutput::NeedsPerson { incident } = world.classified(made, "x") else { panic!("not a person's") };
            let text = told(&world, &tools, &incident, false);
            assert!(!text.contains(part), "{spoil}: {}", around(&text, part));
        }
    }
}

#[test]
fn attack_17_a_secret_in_the_error_of_a_failed_state_is_told_to_nobody() {
    for (secret, part) in SECRETS {
        let (world, tools) = world();
        let (incident, _) = world.checked(support::attach("e"));
        let failure = NotifyInput::Failure {
            incident: Some(incident.clone()),
            event: None,
            execution: "x".to_owned(),
            state: "Remediate".to_owned(),
            error: "Internal".to_owned(),
            cause: json!({"errorMessage": format!("AWS said: {secret}")}).to_string(),
        };
        run(world.notify().run(failure)).unwrap();
        let text = everything(&world, &tools, &incident);
        assert!(!text.contains(part) && text.contains("AWS said"), "{}", around(&text, part));
    }
}

#[test]
fn attack_17_what_is_no_secret_stays_readable() {
    let (world, tools) = world();
    let document = json!({"Statement": [{"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "arn:aws:secretsmanager:us-east-1:111111111111:secret:prod/db-AbCdEf"}]});
    let parameters = json!({"userName": "iam-test-mallory", "policyName": "p", "policyDocument": document.to_string()});
    let mut made = event("0a1b2c3d-4e5f-6789-abcd-ef0123456789", "PutUserPolicy", parameters.clone());
    made["detail"]["userIdentity"]["accessKeyId"] = json!("AKIAIOSFODNN7EXAMPLE");
    let (incident, route) = world.checked(made);
    let text = told(&world, &tools, &incident, route == cordon_core::Route::Ask);
    for kept in ["AKIAIOSFODNN7EXAMPLE", "secret:prod/db-AbCdEf", "0a1b2c3d-4e5f-6789-abcd-ef0123456789", "iam-test-mallory"] {
        assert!(text.contains(kept), "{kept}");
    }
    let stored = world.stored(&incident);
    assert_eq!(serde_json::from_str::<Value>(&stored.event.parameters).unwrap(), parameters);
    assert!(text.contains(&stored.last_hash) && !text.contains("[redacted]"), "{}", around(&text, "[redacted]"));
}

fn around(text: &str, part: &str) -> String {
    let at = text.find(part).unwrap_or_default();
    text.chars().skip(text.get(..at).unwrap_or_default().chars().count().saturating_sub(200)).take(300).collect()
}
