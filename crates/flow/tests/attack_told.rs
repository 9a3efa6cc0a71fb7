//! What is told is true, reaches somebody, and gives no secret away.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::{Arc, Mutex};

use cordon_contract::{ClassifyOutput, Delivery, NotifyInput, WaitInput};
use cordon_core::{IncidentId, Outcome};
use cordon_flow::export;
use cordon_flow::ports::{DeliveryError, Findings};
use cordon_record::{Finding, Hub};
use cordon_testkit::run;
use serde_json::{Value, json};
use support::{ADMIN_POLICY, CONFIG, World, event};

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

/// A world whose channel takes one message of each kind a minute.
fn narrow() -> World {
    World::with(&format!("{CONFIG}\n[notifications]\ncards_per_minute = 1\nquestions_per_minute = 1"))
}

/// An incident of its own: another subject each.
fn another(world: &World, n: usize) -> IncidentId {
    let parameters = json!({"userName": format!("iam-test-{n}"), "policyArn": ADMIN_POLICY});
    world.checked_as(event(&format!("e-{n}"), "AttachUserPolicy", parameters), &format!("x-{n}")).0
}

fn slack(world: &World, input: NotifyInput) -> Delivery {
    run(world.notify().run(input)).unwrap().slack
}

fn alerted(world: &World, n: usize) -> Delivery {
    let incident = another(world, n);
    slack(world, NotifyInput::Alert { incident })
}

fn ask(world: &World, n: usize) -> IncidentId {
    let incident = another(world, n);
    let token = format!("token-{n}");
    let input = WaitInput::Ask { incident: incident.clone(), task_token: token, timeout_seconds: 600, last: true };
    run(world.wait().run(input)).unwrap();
    incident
}

/// What the newest text of the summary says, by its first sentence.
fn summary(world: &World) -> String {
    let updates = world.heard.updates.lock().unwrap();
    let posts = world.heard.posts.lock().unwrap();
    let is_summary = |message: &&cordon_cards::Message| message.text.starts_with("A burst");
    let newest = updates.iter().rev().find(is_summary).or_else(|| posts.iter().rev().find(is_summary));
    newest.map(|message| message.text.clone()).unwrap_or_default()
}

#[test]
fn attack_23_where_no_summary_could_be_posted_each_message_is_posted_and_none_is_called_summarised() {
    let world = narrow();
    assert_eq!(alerted(&world, 1), Delivery::Sent);
    *world.heard.slack_refuses.lock().unwrap() = Some("A burst");
    assert_eq!([alerted(&world, 2), alerted(&world, 3)], [Delivery::Sent, Delivery::Sent]);
    *world.heard.slack_is_down.lock().unwrap() = true;
    assert_eq!(alerted(&world, 4), Delivery::Failed, "neither the summary nor the message was taken");
    *world.heard.slack_is_down.lock().unwrap() = false;
    *world.heard.slack_refuses.lock().unwrap() = None;
    assert_eq!(alerted(&world, 5), Delivery::Summarised);
    assert!(
        summary(&world).starts_with("A burst: 1 more incident, at least."),
        "the posted ones are not counted: {}",
        summary(&world)
    );
    // The summary stands and cannot be changed: what would have changed it is posted itself.
    *world.heard.slack_refuses.lock().unwrap() = Some("A burst");
    let said: Vec<Delivery> = (6..20).map(|n| alerted(&world, n)).collect();
    assert!(said.contains(&Delivery::Sent), "{said:?}");
    let posts = world.heard.posts.lock().unwrap().iter().filter(|post| !post.text.starts_with("A burst")).count();
    assert_eq!(posts, 3 + said.iter().filter(|said| **said == Delivery::Sent).count());
}

#[test]
fn attack_23_a_question_whose_summary_could_not_be_posted_has_a_card_with_buttons() {
    let world = narrow();
    ask(&world, 1);
    *world.heard.slack_refuses.lock().unwrap() = Some("A burst");
    let second = world.stored(&ask(&world, 2));
    assert!(second.delivery.slack.is_some() && second.delivery.summarised.is_none());
}

#[test]
fn attack_23_what_a_person_must_look_at_is_always_posted() {
    let world = narrow();
    for n in 0..4 {
        alerted(&world, n);
    }
    let incidents: Vec<IncidentId> = (10..14).map(|n| another(&world, n)).collect();
    for incident in &incidents {
        assert_eq!(slack(&world, NotifyInput::NeedsPerson { incident: incident.clone() }), Delivery::Sent);
    }
    for (n, outcome) in (20..).zip([Outcome::Partial, Outcome::Failed, Outcome::Partial, Outcome::Failed]) {
        let incident = another(&world, n);
        assert_eq!(slack(&world, NotifyInput::Outcome { incident, outcome }), Delivery::Sent, "{outcome:?}");
    }
    for n in 0..4 {
        let failure = NotifyInput::Failure {
            incident: None,
            event: None,
            execution: format!("x-{n}"),
            state: "Classify".to_owned(),
            error: "States.Timeout".to_owned(),
            cause: String::new(),
        };
        assert_eq!(slack(&world, failure), Delivery::Sent);
    }
}

#[test]
fn attack_23_a_summary_counts_one_kind() {
    let world = narrow();
    let asked: Vec<IncidentId> = (0..3).map(|n| ask(&world, n)).collect();
    assert!(summary(&world).starts_with("A burst: 2 more questions wait for a decision"), "{}", summary(&world));
    for n in 10..15 {
        alerted(&world, n);
    }
    for n in 20..25 {
        let incident = another(&world, n);
        slack(&world, NotifyInput::Outcome { incident, outcome: Outcome::Contained });
    }
    // An outcome is no question: those that wait are still two.
    run(world.wait().run(WaitInput::Ask {
        incident: asked[2].clone(),
        task_token: "again".to_owned(),
        timeout_seconds: 600,
        last: true,
    }))
    .unwrap();
    let texts: Vec<String> = {
        let (posts, updates) = (world.heard.posts.lock().unwrap(), world.heard.updates.lock().unwrap());
        posts
            .iter()
            .chain(updates.iter())
            .map(|message| message.text.clone())
            .filter(|text| text.starts_with("A burst"))
            .collect()
    };
    let newest = |kind: &str| texts.iter().rev().find(|text| text.contains(kind)).cloned().unwrap_or_default();
    assert!(newest("question").starts_with("A burst: 2 more questions wait"), "{texts:?}");
    assert!(newest("outcome").starts_with("A burst: 2 more outcomes"), "{texts:?}");
    assert!(newest("more incident").starts_with("A burst: 2 more incidents"), "{texts:?}");
}

#[test]
fn attack_23_the_count_of_questions_falls_with_each_decision_down_to_none() {
    let world = narrow();
    let asked: Vec<IncidentId> = (0..4).map(|n| ask(&world, n)).collect();
    let close = |incident: &IncidentId, outcome| slack(&world, NotifyInput::Outcome { incident: incident.clone(), outcome });
    // One is decided on the command line, and its calls are still to be made.
    let voter = cordon_flow::approver::Voter::Slack(support::APPROVER);
    run(world.decide().run(&asked[1], voter, cordon_flow::decide::Choice::Approve, None)).unwrap();
    slack(&world, NotifyInput::Voted { incident: asked[1].clone() });
    assert!(summary(&world).starts_with("A burst: 2 more questions wait"), "{}", summary(&world));
    close(&asked[1], Outcome::Contained);
    assert!(summary(&world).starts_with("A burst: 2 more questions wait"), "it is settled once: {}", summary(&world));
    close(&asked[2], Outcome::Denied);
    close(&asked[2], Outcome::Denied);
    assert!(summary(&world).starts_with("A burst: 1 more question waits"), "{}", summary(&world));
    let failure = NotifyInput::Failure {
        incident: Some(asked[3].clone()),
        event: None,
        execution: "x".to_owned(),
        state: "Wait".to_owned(),
        error: "Lambda.Unknown".to_owned(),
        cause: String::new(),
    };
    slack(&world, failure);
    assert!(summary(&world).contains("no question of it waits"), "{}", summary(&world));
}
