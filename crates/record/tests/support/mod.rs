//! Sample incidents: every outcome, every kind of actor, an unreadable event, and hostile names.

#![allow(dead_code, reason = "each test file uses its part")]

use cordon_core::decision::{Decision, Route};
use cordon_core::event::Event;
use cordon_core::incident::{EventFacts, Found, Incident, SlackMessage};
use cordon_core::timeline::{Entry, Kind, NewEntry};
use cordon_core::{
    Actor, Call, Detection, IncidentId, Level, Outcome, Plan, PlannedStep, Principal, PrincipalKind, Purpose, RemedyKind, State,
    Subject,
};
use cordon_record::{IncidentReport, Question};
use cordon_respond::runner::StepRecord;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

pub const ACCOUNT: &str = "111122223333";
pub const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
pub const OUTCOMES: [Outcome; 8] = [
    Outcome::Exempt,
    Outcome::Alerted,
    Outcome::Denied,
    Outcome::Expired,
    Outcome::Contained,
    Outcome::Partial,
    Outcome::Failed,
    Outcome::NeedsPerson,
];

pub fn at(seconds: i64) -> Timestamp {
    "2026-01-02T03:04:05.006Z".parse::<Timestamp>().unwrap().checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

pub fn user(name: &str) -> Value {
    json!({"type": "IAMUser", "userName": name, "accountId": ACCOUNT, "principalId": "AIDAEXAMPLE",
           "accessKeyId": "AKIAEXAMPLE", "arn": format!("arn:aws:iam::{ACCOUNT}:user/{name}")})
}

pub fn root() -> Value {
    json!({"type": "Root", "accountId": ACCOUNT, "principalId": ACCOUNT, "arn": format!("arn:aws:iam::{ACCOUNT}:root")})
}

pub fn session(name: &str) -> Value {
    json!({"type": "AssumedRole", "principalId": format!("AROAEXAMPLE:{name}"), "accountId": ACCOUNT, "accessKeyId": "ASIAEXAMPLE",
           "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/deploy/{name}"),
           "sessionContext": {"sessionIssuer": {"type": "Role", "principalId": "AROAEXAMPLE", "userName": "deploy",
                                                "arn": format!("arn:aws:iam::{ACCOUNT}:role/ci/deploy")}}})
}

/// An open incident: somebody gave `subject` the administrator's policy.
pub fn opened(identity: Value, subject: &str) -> Incident {
    let record = json!({
        "eventVersion": "1.11", "eventID": "0a1b2c3d-0000-4000-8000-000000000001", "eventName": "AttachUserPolicy",
        "eventSource": "iam.amazonaws.com", "eventTime": "2026-01-02T03:04:00Z", "awsRegion": "us-east-1",
        "recipientAccountId": ACCOUNT, "sourceIPAddress": "203.0.113.7", "userAgent": "aws-cli/2.15",
        "userIdentity": identity, "requestParameters": {"userName": subject, "policyArn": ADMIN},
    });
    let envelope =
        json!({"source": "aws.iam", "detail-type": "AWS API Call via CloudTrail", "account": ACCOUNT, "detail": record});
    let event = Event::from_envelope(&envelope, None).unwrap();
    let found = Found {
        account: event.account.clone(),
        actor: Actor::from_record(&event.record),
        subject: Subject::from_record(&event.record),
        detections: vec![
            detection("iam-admin-policy-attached", Level::Critical, &["attack.persistence", "attack.t1098.003"]),
            detection("iam-write-by-iam-user", Level::Medium, &["attack.privilege-escalation", "attack.t1078", "cve.none"]),
        ],
        event: EventFacts::from_event(&event),
    };
    let id = IncidentId::derive(event.account.as_ref(), &event.id);
    let execution = format!("arn:aws:states:us-east-1:{ACCOUNT}:execution:cordon:5d1c");
    Incident::open(id, found, execution, at(0))
}

pub fn detection(rule: &str, level: Level, tags: &[&str]) -> Detection {
    Detection {
        rule: rule.parse().unwrap(),
        title: format!("Title of {rule}"),
        author: "Cordon".to_owned(),
        level,
        description: "It gives an attacker everything that the account has.".to_owned(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        response: None,
    }
}

/// With its decision and plan.
pub fn decided(mut incident: Incident) -> Incident {
    incident.state = State::Decided;
    incident.updated_at = at(1);
    incident.approval.decided_at = Some(at(40));
    incident.approval.asked_at = Some(at(2));
    incident.assessment.decision = Some(Decision {
        route: Route::Ask,
        approved_for_remediation: true,
        decision_reason: "Approved for remediation".to_owned(),
        dry_run: false,
    });
    incident.assessment.exceptions_checked = vec!["The user has no tag SecurityApproved".to_owned()];
    let target = Principal::new(PrincipalKind::User, ACCOUNT.parse().unwrap(), "iam-test-mallory");
    let detach = [("PolicyArn", ADMIN), ("UserName", "iam-test-mallory")];
    incident.assessment.plan = Plan {
        steps: vec![PlannedStep {
            remedy: RemedyKind::DetachPolicy,
            purpose: Purpose::Revert,
            target: cordon_core::Target::Principal(target),
            target_unique_id: "AIDAEXAMPLE".to_owned(),
            policy_arn: Some(ADMIN.to_owned()),
            inline_policy: None,
            calls: vec![Call::new("iam:DetachUserPolicy", detach)],
            undo: vec![Call::new("iam:AttachUserPolicy", detach)],
            changes: Vec::new(),
            version: None,
            note: None,
            irreversible: None,
            unknown_before: None,
            undo_note: None,
            judged: Vec::new(),
        }],
        by_hand: vec!["End the sessions of `iam-test-mallory`.".to_owned()],
    };
    incident.delivery.slack = Some(SlackMessage { channel: "C0EXAMPLE".to_owned(), ts: Some("1.2".to_owned()) });
    incident
}

pub fn closed(mut incident: Incident, outcome: Outcome) -> Incident {
    incident.state = State::Closed;
    incident.outcome = Some(outcome);
    incident.updated_at = at(60);
    incident.contained_at = (outcome == Outcome::Contained).then(|| at(60));
    incident
}

/// An event without a name, a time or a caller.
pub fn unreadable() -> Incident {
    let mut incident = opened(json!({}), "x");
    incident.account = None;
    incident.subject = Subject::Unknown;
    incident.detections.clear();
    incident.unreadable = Some("the record has no `eventName`".to_owned());
    incident.event.name = String::new();
    incident.event.service = String::new();
    incident.event.region = None;
    incident.event.time = None;
    incident.event.source_ip = None;
    incident.event.user_agent = None;
    incident.event.parameters = String::new();
    incident.event.policy_arn = None;
    incident
}

/// Everything that an attacker may name, named to break out of something.
pub const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(2)> `` ` </code> | [a](https://evil.example) \
                           @here https://evil.example & \" ' \u{202e}gnp.\u{1b}[31m\n# Heading\n- **bold** <!-- --> ${{7*7}} %s";

pub fn hostile() -> Incident {
    let mut incident = decided(opened(session("x"), "y"));
    incident.actor.arn = Some(HOSTILE.to_owned());
    incident.actor.name = Some(HOSTILE.to_owned());
    incident.actor.session = Some(HOSTILE.to_owned());
    incident.actor.unique_id = Some(HOSTILE.to_owned());
    incident.actor.access_key_id = Some(HOSTILE.to_owned());
    incident.subject = Subject::Policy { arn: HOSTILE.to_owned() };
    incident.event.name = HOSTILE.to_owned();
    incident.event.service = HOSTILE.to_owned();
    incident.event.region = Some(HOSTILE.to_owned());
    incident.event.source_ip = Some(HOSTILE.to_owned());
    incident.event.user_agent = Some(HOSTILE.to_owned());
    incident.event.policy_arn = Some(HOSTILE.to_owned());
    incident.event.error_code = Some(HOSTILE.to_owned());
    incident.event.parameters = HOSTILE.repeat(8);
    incident.execution = HOSTILE.to_owned();
    incident.assessment.exceptions_checked = vec![HOSTILE.to_owned(); 40];
    incident.assessment.plan.by_hand = vec![HOSTILE.to_owned(); 40];
    for detection in &mut incident.detections {
        detection.title = HOSTILE.to_owned();
        detection.author = HOSTILE.to_owned();
        detection.description = HOSTILE.to_owned();
        detection.tags.push(HOSTILE.to_owned());
    }
    incident
}

/// The record of an incident with this header, whose timeline fits it.
pub fn record(mut incident: Incident) -> IncidentReport {
    let mut timeline: Vec<Entry> = Vec::new();
    let Incident { event, subject, outcome, .. } = incident.clone();
    let mut add = |new: NewEntry| {
        incident.log_seq += 1;
        let entry = Entry::chain(new, incident.log_seq, at(i64::try_from(incident.log_seq).unwrap()), &incident.last_hash);
        incident.last_hash.clone_from(&entry.hash);
        timeline.push(entry);
    };
    let subject = subject.to_string();
    add(NewEntry::cordon(
        Kind::Detected,
        json!({"event": event.id, "event_name": event.name, "subject": subject, "score": 1.0, "nothing": null}),
    ));
    add(NewEntry::cordon(Kind::Decided, json!({"route": "ask", "decision_reason": "Approved for remediation"})));
    add(NewEntry::cordon(Kind::Notified, json!({"sns": "sent", "slack": "skipped"})));
    if outcome == Some(Outcome::Contained) {
        add(NewEntry::by(Kind::Approved, "U0ADA", json!({})));
        add(NewEntry::cordon(Kind::Applied, json!({"steps": ["detach-policy: applied"]})));
        add(NewEntry::cordon(Kind::Verified, json!({"steps": ["detach-policy: holds"]})));
    }
    if let Some(outcome) = outcome {
        add(NewEntry::cordon(Kind::Closed, json!({"outcome": outcome})));
    }
    let step: StepRecord = serde_json::from_value(json!({
        "version": 3, "remedy": "detach-policy", "state": {"name": "verified"}, "seen": true,
        "snapshot": {"remedy": "detach-policy", "target_unique_id": "AIDAEXAMPLE", "attached": true},
    }))
    .unwrap();
    let steps = if incident.assessment.plan.steps.is_empty() { vec![] } else { vec![Some(step)] };
    let question = Question { vote: "approved".to_owned(), by: Some("U0ADA".to_owned()), deadline: at(14_400) };
    let questions = if incident.approval.asked_at.is_some() { vec![question] } else { vec![] };
    IncidentReport { incident, steps, questions, timeline, joined: Vec::new(), exported_at: at(86_400) }
}

/// Named, so that a test can say which one failed.
pub fn incidents() -> Vec<(String, Incident)> {
    let mallory = || decided(opened(user("iam-test-mallory"), "iam-test-mallory"));
    let mut incidents: Vec<(String, Incident)> =
        OUTCOMES.into_iter().map(|outcome| (outcome.as_str().to_owned(), closed(mallory(), outcome))).collect();
    let mut v6 = mallory();
    v6.event.source_ip = Some("2001:db8::7".to_owned());
    let mut service = mallory();
    service.actor =
        Actor::from_record(&json!({"userIdentity": {"type": "AWSService", "invokedBy": "cloudformation.amazonaws.com"}}));
    service.event.source_ip = Some("cloudformation.amazonaws.com".to_owned());
    let mut key = mallory();
    key.subject = Subject::AccessKey { id: "AKIAOTHER".to_owned(), user: Some("bob".to_owned()) };
    let mut account = decided(opened(root(), "bob"));
    account.subject = Subject::Account { account: ACCOUNT.parse().unwrap() };
    let mut merged = mallory();
    merged.merges.merged = 4;
    let mut long = hostile();
    long.assessment.plan.by_hand = vec!["x".repeat(4_000); 100];
    let more = [
        ("open", mallory()),
        ("undecided", opened(user("bob"), "carol")),
        ("role session", decided(opened(session("mallory@example.com"), "bob"))),
        ("root", decided(opened(root(), "bob"))),
        ("root on the account", account),
        ("unreadable", unreadable()),
        ("unreadable, closed", closed(unreadable(), Outcome::NeedsPerson)),
        ("from an IPv6 address", v6),
        ("by a service", service),
        ("on an access key", key),
        ("merged", merged),
        ("hostile", hostile()),
        ("hostile, closed", closed(hostile(), Outcome::Partial)),
        ("too long", long),
    ];
    incidents.extend(more.map(|(name, incident)| (name.to_owned(), incident)));
    incidents.into_iter().map(|(name, incident)| (name, record(incident).incident)).collect()
}
