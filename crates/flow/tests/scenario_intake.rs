//! Scenarios 16 and 17: events that are too large, broken, or about something other than a call.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use cordon_contract::{CheckInput, ClassifyInput, ClassifyOutput, NotifyInput};
use cordon_core::{ActorKind, Cause, Detection, Event, IncidentId, Origin, Outcome, Subject};
use cordon_detect::enrich::{Documents, Enriched};
use cordon_detect::{Judgement, RuleBook, RuleSource};
use cordon_flow::classify::{Classify, Rules};
use cordon_store::TableError;
use cordon_testkit::run;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{ACCOUNT, World, attach, event};

/// The rules as they are shipped.
struct Shipped(RuleBook);

impl Rules for Shipped {
    fn evaluate(&self, record: &Value, facts: &Documents) -> Vec<Detection> {
        self.0.evaluate_with(record, facts)
    }

    fn judge(&self, event: &Event, facts: &Documents) -> Judgement {
        self.0.judge(&Enriched::of(event.log, &event.record, Some(facts)))
    }
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn shipped() -> &'static Shipped {
    static RULES: OnceLock<Shipped> = OnceLock::new();
    RULES.get_or_init(|| {
        let mut sources = Vec::new();
        for folder in std::fs::read_dir(repository("rules")).unwrap() {
            for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                let source = RuleSource::new(path.to_string_lossy(), std::fs::read_to_string(&path).unwrap());
                sources.push(source.without_cases());
            }
        }
        Shipped(RuleBook::load(sources).map_err(|errors| format!("{errors:#?}")).unwrap())
    })
}

fn classify(world: &World, event: Value, execution: &str) -> Result<ClassifyOutput, cordon_contract::StateError> {
    let classify = Classify { rules: shipped(), ..world.classify() };
    run(classify.run(ClassifyInput { event, execution: execution.to_owned() }))
}

fn classified(world: &World, event: Value, execution: &str) -> ClassifyOutput {
    classify(world, event, execution).unwrap()
}

#[track_caller]
fn opened(output: ClassifyOutput) -> IncidentId {
    let ClassifyOutput::Opened { incident } = output else { panic!("not opened: {output:?}") };
    incident
}

// --- 16: an event larger than a state takes ---

#[test]
fn scenario_16_a_large_event_below_the_limit_becomes_an_incident_of_bounded_size() {
    let world = World::new();
    let mut event = attach("e1");
    event["detail"]["requestParameters"]["padding"] = json!("\u{1f511}".repeat(60_000));
    event["detail"]["userAgent"] = json!("a".repeat(10_000));
    assert!((245_000..262_144).contains(&event.to_string().len()));
    let incident = opened(classified(&world, event, "x"));
    let size = serde_json::to_string(&world.stored(&incident)).unwrap().len();
    assert!(size < 20_000, "an item of the table is at most 400 KiB, and this one has {size} bytes");
    let route = run(world.check().run(CheckInput { incident })).unwrap();
    assert!(serde_json::to_string(&route).unwrap().len() < 1_000, "what states hand on stays small");
}

/// StartExecution refuses a larger one. Nothing of ours runs then, so what must hold stands in Terraform and in the runbook.
#[test]
fn scenario_16_a_larger_event_waits_in_a_queue_that_an_alarm_watches_and_a_runbook_empties() {
    let read = |path: &str| std::fs::read_to_string(repository(path)).unwrap();
    let events = read("infra/modules/cordon/events.tf");
    let targets: Vec<&str> = events.split("resource \"aws_cloudwatch_event_target\"").skip(1).collect();
    assert_eq!(targets.len(), 2);
    for target in targets {
        let (block, _) = target.split_once("\n}\n").unwrap();
        assert!(block.contains("dead_letter_config {\n    arn = aws_sqs_queue.undelivered.arn"), "{block}");
    }
    assert!(events.contains("message_retention_seconds = 1209600"), "14 days, the longest there is");
    let alerts = read("infra/modules/cordon/alerts.tf");
    let (_, alarm) = alerts.split_once("\"aws_cloudwatch_metric_alarm\" \"undelivered\"").unwrap();
    let (alarm, _) = alarm.split_once("\n}\n").unwrap();
    assert!(alarm.contains("alarm_actions       = [aws_sns_topic.alerts.arn]"), "{alarm}");
    assert!(alarm.contains("ApproximateNumberOfMessagesVisible") && alarm.contains("threshold           = 0"), "{alarm}");
    let runbook = read("docs/operating.md");
    let (_, section) = runbook.split_once("## Alarms and undelivered events").unwrap();
    assert!(section.contains("256 KiB") && section.contains("start-execution") && section.contains("cordon-undelivered-events"));
}

// --- 17: what cannot be read ---

#[test]
fn scenario_17_what_cannot_be_judged_needs_a_person_and_says_why() {
    let change = |change: fn(&mut Value)| {
        let mut event = attach("e1");
        change(&mut event["detail"]);
        event
    };
    let cases = [
        (change(|record| drop(record.as_object_mut().unwrap().remove("userIdentity"))), "userIdentity"),
        (change(|record| record["userIdentity"] = Value::Null), "userIdentity"),
        (change(|record| record["requestParameters"] = json!({"omitted": true, "originalSize": 300_000})), "omitted"),
        (change(|record| record["eventVersion"] = json!("2.0")), "eventVersion"),
        (change(|record| drop(record.as_object_mut().unwrap().remove("eventName"))), "eventName"),
        (change(|record| record["eventSource"] = json!(7)), "eventSource"),
        (change(|record| *record = json!("a text")), "no CloudTrail record"),
    ];
    for (event, reason) in cases {
        let world = World::new();
        let ClassifyOutput::NeedsPerson { incident } = classified(&world, event.clone(), "x") else { panic!("{event}") };
        let stored = world.stored(&incident);
        assert!(stored.unreadable.as_ref().is_some_and(|why| why.contains(reason)), "{reason}: {:?}", stored.unreadable);
        assert_eq!(world.timeline(&incident), ["needs_person"]);
        assert!(world.heard.policies_read.lock().unwrap().is_empty(), "nothing is looked up for it");
    }
}

#[test]
fn scenario_17_null_responses_and_missing_details_are_judged_by_what_is_there() {
    let world = World::new();
    let mut event = attach("e1");
    event["detail"]["responseElements"] = Value::Null;
    event["detail"]["userAgent"] = Value::Null;
    event["detail"]["userIdentity"] = json!({"type": "AWSService", "invokedBy": "example.amazonaws.com"});
    let incident = opened(classified(&world, event, "x"));
    assert_eq!(world.stored(&incident).actor.kind, ActorKind::AwsService);
    let mut event = attach("e2");
    event["detail"]["requestParameters"] = Value::Null;
    event["detail"].as_object_mut().unwrap().remove("eventVersion");
    let incident = opened(classified(&world, event, "y"));
    assert_eq!(world.stored(&incident).subject, Subject::Account { account: ACCOUNT.parse().unwrap() });
}

#[test]
fn scenario_17_a_policy_that_is_no_json_is_reported_as_unreadable() {
    let world = World::new();
    let event = event(
        "e1",
        "PutUserPolicy",
        json!({"userName": "iam-test-mallory", "policyName": "p", "policyDocument": "{\"Version\": \"2012-10-17\", "}),
    );
    let stored = world.stored(&opened(classified(&world, event, "x")));
    assert!(stored.detections.iter().any(|found| found.rule.as_str() == "iam-policy-unreadable"), "{:?}", stored.detections);
}

#[test]
fn scenario_17_a_finding_that_cannot_be_read_needs_a_person_too() {
    let world = World::new();
    let finding = json!({"id": "f-1", "source": "aws.guardduty", "detail-type": "GuardDuty Finding", "account": ACCOUNT, "detail": {"severity": 9}});
    let ClassifyOutput::NeedsPerson { incident } = classified(&world, finding, "x") else { panic!() };
    assert!(world.stored(&incident).unreadable.unwrap().contains("`type`"));
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!("arn:aws:iam::111111111111:role/")),
        Just(json!("%7B%22Statement")),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-zA-Z]{1,8}", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

/// The pointers of everything in a value.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, field)| pointers(field, &format!("{at}/{key}"), found)),
        Value::Array(items) => items.iter().enumerate().for_each(|(n, item)| pointers(item, &format!("{at}/{n}"), found)),
        _ => {}
    }
}

fn whole_events() -> Vec<Value> {
    let notice = |source: &str, kind: &str, detail: Value| json!({"id": "n-1", "source": source, "detail-type": kind, "account": ACCOUNT, "detail": detail});
    vec![
        attach("e1"),
        event(
            "e2",
            "PutUserPolicy",
            json!({"userName": "iam-test-mallory", "policyName": "p", "policyDocument": "{\"Statement\": []}"}),
        ),
        event(
            "e3",
            "UpdateAssumeRolePolicy",
            json!({"roleName": "r", "policyDocument": "{\"Statement\": {\"Effect\": \"Allow\", \"Principal\": \"*\"}}"}),
        ),
        notice(
            "aws.health",
            "AWS Health Event",
            json!({"eventTypeCode": "AWS_RISK_CREDENTIALS_EXPOSED", "communicationId": "c", "affectedAccount": ACCOUNT,
            "eventMetadata": {"userName": "build", "publicKey": "AKIAEXAMPLEKEY000001"}, "affectedEntities": [{"entityValue": "AKIAEXAMPLEKEY000001"}]}),
        ),
        notice(
            "aws.guardduty",
            "GuardDuty Finding",
            json!({"type": "CredentialAccess:IAMUser/CompromisedCredentials", "id": "f", "updatedAt": "2026-01-02T03:04:05Z",
            "accountId": ACCOUNT, "resource": {"accessKeyDetails": {"userType": "AssumedRole", "userName": "web", "principalId": "AROA:i-0", "accessKeyId": "ASIAEXAMPLEKEY000001"}}}),
        ),
        notice(
            "aws.access-analyzer",
            "Access Analyzer Finding",
            json!({"id": "f", "status": "ACTIVE", "resource": "arn:aws:iam::111111111111:role/web",
            "resourceType": "AWS::IAM::Role", "isPublic": true, "accountId": ACCOUNT}),
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is broken in an event, it ends in an outcome, and a second delivery of it never opens a second incident.
    #[test]
    fn scenario_17_no_mutilated_event_is_dropped_or_panics(which in 0_usize..6, cuts in prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(json_value())), 1..4)) {
        let mut event = whole_events().swap_remove(which);
        for (cut, instead) in cuts {
            let mut found = Vec::new();
            pointers(&event, "", &mut found);
            let pointer = cut.get(&found).clone();
            let (parent, key) = pointer.rsplit_once('/').map_or(("", None), |(parent, key)| (parent, Some(key)));
            match (instead, key) {
                (Some(value), _) => *event.pointer_mut(&pointer).unwrap() = value,
                (None, Some(key)) => drop(event.pointer_mut(parent).and_then(Value::as_object_mut).map(|fields| fields.remove(key))),
                (None, None) => {}
            }
        }
        let world = World::new();
        let first = classify(&world, event.clone(), "one").unwrap();
        let again = classify(&world, event.clone(), "one").unwrap();
        prop_assert_eq!(&first, &again, "a retry ends as the first try did");
        match (first, classify(&world, event, "two").unwrap()) {
            (ClassifyOutput::Ignored, second) => prop_assert_eq!(second, ClassifyOutput::Ignored),
            (ClassifyOutput::Opened { incident } | ClassifyOutput::NeedsPerson { incident }, ClassifyOutput::Duplicate { incident: known }) => {
                prop_assert_eq!(incident, known);
            }
            (first, second) => prop_assert!(false, "{:?}, then {:?}", first, second),
        }
    }

    #[test]
    fn scenario_17_any_json_at_all_has_an_id_and_no_more_trust_than_its_source(value in json_value()) {
        match Event::from_envelope(&value, Some("cordon.sandbox")) {
            Ok(event) => prop_assert_eq!(event.origin, Origin::Untrusted),
            Err(unreadable) => prop_assert_eq!(unreadable.origin, Origin::Untrusted),
        }
    }
}

// --- bursts ---

/// A call of mallory's that is refused.
fn refused(id: &str, second: i64, call: &str) -> Value {
    let mut event = event(id, call, json!({"userName": format!("iam-test-{id}")}));
    let time: Timestamp = "2026-01-02T03:00:00Z".parse().unwrap();
    event["detail"]["eventTime"] = json!(time.checked_add(jiff::SignedDuration::from_secs(second)).unwrap().to_string());
    event["detail"]["errorCode"] = json!("AccessDenied");
    event
}

fn close(world: &World, incident: IncidentId) {
    run(world.check().run(CheckInput { incident: incident.clone() })).unwrap();
    run(world.notify().run(NotifyInput::Outcome { incident, outcome: Outcome::Alerted })).unwrap();
}

#[test]
fn a_burst_of_refused_calls_is_one_incident_about_who_makes_them() {
    let world = World::new();
    for n in 0..9 {
        assert_eq!(classified(&world, refused(&format!("e{n}"), n, "CreateUser"), &format!("x{n}")), ClassifyOutput::Ignored);
    }
    let incident = opened(classified(&world, refused("e9", 9, "CreateUser"), "x9"));
    let stored = world.stored(&incident);
    assert_eq!(
        stored.subject.to_string(),
        format!("arn:aws:iam::{ACCOUNT}:user/iam-test-mallory"),
        "not the user of the last call"
    );
    let rules: Vec<&str> = stored.detections.iter().map(|found| found.rule.as_str()).collect();
    assert_eq!(rules, ["identity-calls-refused"], "a refused call alone is not reported");
    for n in 10..20 {
        let merged = classified(&world, refused(&format!("e{n}"), n, "CreateUser"), &format!("x{n}"));
        assert_eq!(merged, ClassifyOutput::Merged { incident: incident.clone() });
    }
    assert_eq!(world.joined(&incident).len(), 10);
    let entries = run(world.store().timeline(&incident)).unwrap();
    assert_eq!(entries[0].data["burst"]["counted"], 10);
    assert_eq!(entries[0].data["burst"]["seen"][0], json!({"what": "CreateUser", "at": "2026-01-02T03:00:09Z"}));
}

#[test]
fn the_same_refused_call_is_counted_once_however_often_it_is_delivered_or_retried() {
    let world = World::new();
    for n in 0..50 {
        assert_eq!(classified(&world, refused("e0", 0, "CreateUser"), &format!("x{n}")), ClassifyOutput::Ignored);
    }
    for n in 1..9 {
        assert_eq!(classified(&world, refused(&format!("e{n}"), n, "CreateUser"), "x"), ClassifyOutput::Ignored);
    }
    let incident = opened(classified(&world, refused("e9", 9, "CreateUser"), "x9"));
    assert_eq!(classified(&world, refused("e9", 9, "CreateUser"), "x9"), ClassifyOutput::Opened { incident: incident.clone() });
    assert_eq!(
        classified(&world, refused("e9", 9, "CreateUser"), "other"),
        ClassifyOutput::Duplicate { incident: incident.clone() }
    );
    // One that was ignored for being too early, delivered again: it is part of the burst, and once.
    for _ in 0..2 {
        assert_eq!(
            classified(&world, refused("e3", 3, "CreateUser"), "x3"),
            ClassifyOutput::Merged { incident: incident.clone() }
        );
    }
    assert_eq!((world.timeline(&incident), world.joined(&incident)), (vec!["detected".to_owned()], vec!["e3".to_owned()]));
}

#[test]
fn a_burst_goes_on_in_its_incident_after_that_was_closed_and_a_later_burst_opens_another() {
    let world = World::new();
    let burst = |from: i64| {
        (0..10).map(|n| classified(&world, refused(&format!("e{}", from + n), from + n, "CreateUser"), "x")).last().unwrap()
    };
    let incident = opened(burst(0));
    close(&world, incident.clone());
    for n in 10..40 {
        let merged = classified(&world, refused(&format!("e{n}"), n, "CreateUser"), "x");
        assert_eq!(merged, ClassifyOutput::Merged { incident: incident.clone() }, "{n}");
    }
    assert_ne!(opened(burst(3_600)), incident);
}

#[test]
fn what_is_reported_for_itself_stays_so_and_brings_the_burst_along() {
    let world = World::new();
    let root = |n: i64| {
        let mut event = refused(&format!("e{n}"), n, "CreateUser");
        event["detail"]["userIdentity"] =
            json!({"type": "Root", "accountId": ACCOUNT, "arn": format!("arn:aws:iam::{ACCOUNT}:root")});
        classified(&world, event, &format!("x{n}"))
    };
    let incidents: Vec<IncidentId> = (0..12).map(|n| opened(root(n))).collect();
    let rules =
        |at: usize| world.stored(&incidents[at]).detections.iter().map(|found| found.rule.to_string()).collect::<Vec<_>>();
    assert_eq!(rules(8), ["root-activity"]);
    assert_eq!(rules(9), ["root-activity", "identity-calls-refused"]);
    assert_eq!(rules(11), ["root-activity", "identity-calls-refused"]);
}

#[test]
fn many_different_refused_calls_ask_for_an_answer_to_their_actor() {
    let world = World::new();
    let calls = [
        "CreateUser",
        "CreateRole",
        "CreateAccessKey",
        "PutUserPolicy",
        "AttachUserPolicy",
        "CreateLoginProfile",
        "TagUser",
        "AddUserToGroup",
    ];
    let outputs: Vec<_> =
        (0..).zip(&calls).map(|(n, call)| classified(&world, refused(&format!("e{n}"), n, call), "x")).collect();
    let incident = opened(outputs[7].clone());
    assert!(outputs[..7].iter().all(|output| *output == ClassifyOutput::Ignored));
    assert_eq!(world.stored(&incident).detections[0].rule.as_str(), "identity-calls-probed");
    assert!(world.stored(&incident).detections[0].response.is_some());
}

#[test]
fn a_crash_before_or_after_counting_loses_no_event_and_counts_none_twice() {
    // Every write of the event that completes the burst fails once, each in turn; the retry ends it right.
    for failing in 0..4 {
        let world = World::new();
        for n in 0..9 {
            classified(&world, refused(&format!("e{n}"), n, "CreateUser"), "x");
        }
        let mut failures = vec![None; failing];
        failures.push(Some(TableError::Transient(Cause::new("killed"))));
        *world.table.failures.lock().unwrap() = failures;
        let first = classify(&world, refused("e9", 9, "CreateUser"), "x9");
        world.table.failures.lock().unwrap().clear();
        let incident = opened(classified(&world, refused("e9", 9, "CreateUser"), "x9"));
        assert!(first.is_err() || first.is_ok_and(|first| first == ClassifyOutput::Opened { incident: incident.clone() }));
        assert_eq!(world.timeline(&incident), ["detected"], "write {failing}");
        assert_eq!(classified(&world, refused("e10", 10, "CreateUser"), "x10"), ClassifyOutput::Merged { incident });
    }
}

#[test]
fn counting_starts_over_where_another_writer_was_first() {
    let world = World::new();
    *world.table.failures.lock().unwrap() = vec![Some(TableError::Condition), Some(TableError::Condition)];
    assert_eq!(classified(&world, refused("e0", 0, "CreateUser"), "x"), ClassifyOutput::Ignored);
    assert_eq!(
        world.table.keys(),
        [
            format!("COUNT#identity-calls-probed#arn:aws:iam::{ACCOUNT}:user/iam-test-mallory/COUNT"),
            format!("COUNT#identity-calls-refused#arn:aws:iam::{ACCOUNT}:user/iam-test-mallory/COUNT")
        ]
    );
}

// --- notices ---

fn leaked(source: &str) -> Value {
    json!({"id": "h-1", "source": source, "detail-type": "AWS Health Event", "account": ACCOUNT, "time": "2026-01-02T03:04:00Z", "detail": {
        "service": "RISK", "eventTypeCode": "AWS_RISK_CREDENTIALS_EXPOSED", "statusCode": "open", "communicationId": "c-1", "affectedAccount": ACCOUNT,
        "eventMetadata": {"publicKey": "AKIAEXAMPLEKEY000001", "userName": "iam-test-mallory"}, "affectedEntities": [{"entityValue": "AKIAEXAMPLEKEY000001"}]}})
}

#[test]
fn a_leaked_key_asks_for_a_deny_on_its_user() {
    let world = World::new();
    let incident = opened(classified(&world, leaked("aws.health"), "x"));
    let stored = world.stored(&incident);
    assert_eq!(stored.detections[0].rule.as_str(), "health-credentials-exposed");
    assert_eq!(stored.actor.access_key_id.as_deref(), Some("AKIAEXAMPLEKEY000001"));
    let output = run(world.check().run(CheckInput { incident: incident.clone() })).unwrap();
    assert_eq!(output.route, cordon_core::Route::Ask);
    assert!(!world.stored(&incident).assessment.plan.steps.is_empty());
    let mut redelivered = leaked("aws.health");
    redelivered["id"] = json!("another envelope");
    assert_eq!(classified(&world, redelivered, "y"), ClassifyOutput::Duplicate { incident });
}

#[test]
fn a_notice_that_anybody_could_have_sent_changes_nothing() {
    for source in ["cordon.sandbox", "cordon.drill", "aws.iam"] {
        let world = World::new();
        let incident = opened(classified(&world, leaked(source), "x"));
        let output = run(world.check().run(CheckInput { incident: incident.clone() })).unwrap();
        assert_eq!(
            (output.route, world.stored(&incident).assessment.plan.steps.len()),
            (cordon_core::Route::Alert, 0),
            "{source}"
        );
    }
}
