//! The structured alert for SNS: a stable schema for machines, and the attributes that subscriptions filter by.
//!
//! Fields are added, never renamed or taken away; docs/operating.md describes them. An event's texts are an attacker's and
//! travel as JSON strings without what looks like a secret; the subject line is ASCII, and an attribute holds only words of ours, ids and account numbers.

use cordon_core::incident::Incident;
use cordon_core::json::set;
use cordon_core::{Stays, redact};
use serde_json::{Value, json};

use crate::links::Links;

/// The version of the alert's schema.
pub const ALERT_SCHEMA: &str = "cordon.alert.v1";
/// SNS takes 100 characters of subject.
const SUBJECT_MAX_CHARS: usize = 100;
/// SNS takes 256 KiB, attributes included.
const BODY_MAX_BYTES: usize = 240 * 1024;

/// Why an alert is sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// People are told, and nothing is changed.
    Alert,
    /// Somebody allowed it.
    Exempt,
    /// A person is asked.
    Asked,
    /// Calls are being made without a question.
    Acting,
    /// Cordon could not judge it.
    NeedsPerson,
    /// Further events of the same case joined.
    Merged,
    /// The containment goes ahead of the question.
    Containing,
    /// What was released waits, because enforcement is stopped.
    Held,
    /// Nobody answered in time, and more people are called.
    Escalated,
    /// So many approvers may not decide that no approval can come about.
    NobodyMayDecide,
    /// One person approved alone, past the quorum.
    BreakGlass,
    /// An undo ran that somebody asked for in Slack.
    Undone,
    /// The incident is over.
    Outcome,
    /// A state of the machine gave up.
    Failure,
}

impl Occasion {
    /// As the field and the attribute `message` name it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Exempt => "exempt",
            Self::Asked => "asked",
            Self::Acting => "acting",
            Self::NeedsPerson => "needs_person",
            Self::Merged => "merged",
            Self::Containing => "containing",
            Self::Held => "held",
            Self::Escalated => "escalated",
            Self::NobodyMayDecide => "nobody_may_decide",
            Self::BreakGlass => "break_glass",
            Self::Undone => "undone",
            Self::Outcome => "outcome",
            Self::Failure => "failure",
        }
    }
}

/// One message for a topic.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// The ARN of a topic instead of the deployment's.
    pub topic: Option<String>,
    /// At most 100 printable ASCII characters.
    pub subject: String,
    /// The message: a JSON object of the schema [`ALERT_SCHEMA`], at most 240 KiB.
    pub body: Value,
    /// Names and values; no value is empty.
    pub attributes: Vec<(&'static str, String)>,
}

impl Alert {
    /// The alert about an incident.
    #[must_use]
    pub fn of(incident: &Incident, occasion: Occasion) -> Self {
        Self {
            topic: None,
            subject: subject(incident, occasion),
            body: bounded(redact::json(&body(incident, occasion))),
            attributes: attributes(incident, occasion),
        }
    }

    /// The alert about something that no incident was opened for. `subject` may be any text: it is cut, and made ASCII.
    #[must_use]
    pub fn without_incident(subject: &str, occasion: Occasion) -> Self {
        let message = occasion.as_str();
        Self {
            topic: None,
            subject: line(subject),
            body: json!({"schema": ALERT_SCHEMA, "message": message}),
            attributes: vec![("message", message.to_owned())],
        }
    }
}

impl Alert {
    /// Says more than every alert does.
    pub fn add(&mut self, key: &str, value: &Value) {
        set(&mut self.body, key, redact::json(value));
    }
}

fn body(incident: &Incident, occasion: Occasion) -> Value {
    let links = Links::of(incident);
    let decision = incident.assessment.decision.as_ref();
    let rules: Vec<Value> = incident
        .detections
        .iter()
        .map(|d| json!({"id": d.rule, "title": d.title, "author": d.author, "level": d.level, "tags": d.tags}))
        .collect();
    let mut body = json!({
        "schema": ALERT_SCHEMA,
        "message": occasion.as_str(),
        "incident": incident.id,
        "severity": incident.severity,
        "outcome": incident.outcome,
        "rules": rules,
        "needs_person": incident.unreadable,
        "event_name": incident.event.name,
        "event_source": incident.event.service,
        "event_id": incident.event.id,
        "event_time": incident.event.time,
        "event_url": links.event,
        "account": incident.account,
        "region": incident.event.region,
        "actor_arn": incident.actor.arn,
        "actor": incident.actor.display(),
        "subject": incident.subject.to_string(),
        "policy_arn": incident.event.policy_arn,
        "dangerous_statements": incident.statements,
        "source_ip": incident.event.source_ip,
        "user_agent": incident.event.user_agent,
        "request_parameters": incident.event.parameters,
        "route": decision.map(|decision| decision.route),
        "approved_for_remediation": decision.is_some_and(|decision| decision.approved_for_remediation),
        "decision_reason": decision.map(|decision| &decision.decision_reason),
        "dry_run": incident.is_dry_run(),
        "exceptions_checked": incident.assessment.exceptions_checked,
        "blast_radius": incident.assessment.blast_radius,
        "calls": incident.assessment.plan.calls(),
        "undo": incident.assessment.plan.undo(),
        "by_hand": incident.assessment.plan.by_hand,
        "remaining": incident.assessment.remaining,
        "notes": incident.assessment.plan.notes(),
        "merged": incident.merges.merged,
        "last_merged": incident.merges.last_merged,
        "execution": incident.execution,
        "execution_url": links.execution,
        "detected_at": incident.opened_at,
        "asked_at": incident.approval.asked_at,
        "decided_at": incident.approval.decided_at,
        "contained_at": incident.contained_at,
    });
    // How the question stands; apart, because the macro has its limit.
    for (key, value) in [
        ("merged_calls", json!(incident.merges.merged_calls)),
        ("stays", json!(sentences(&incident.assessment.stays))),
        ("deadline", json!(incident.approval.deadline)),
        ("quorum", json!(incident.approval.quorum)),
        ("votes", json!(incident.approval.votes)),
        ("looking", json!(incident.approval.looking)),
        ("escalated_at", json!(incident.approval.escalated_at)),
        ("electorate", json!(incident.approval.electorate)),
    ] {
        set(&mut body, key, value);
    }
    // How far the record has come, so that whoever archives alerts keeps a hash of it elsewhere.
    set(&mut body, "log_seq", json!(incident.log_seq));
    set(&mut body, "last_hash", json!(incident.last_hash));
    body
}

fn sentences(stays: &[Stays]) -> Vec<String> {
    stays.iter().map(ToString::to_string).collect()
}

/// What subscriptions filter by. An attribute whose value is not known is left out.
fn attributes(incident: &Incident, occasion: Occasion) -> Vec<(&'static str, String)> {
    let route = incident.assessment.decision.as_ref().and_then(|decision| serde_json::to_value(decision.route).ok());
    [
        ("message", Some(occasion.as_str().to_owned())),
        ("severity", Some(incident.severity.to_string())),
        ("account", incident.account.as_ref().map(ToString::to_string)),
        ("rule", incident.primary_rule().map(|detection| detection.rule.to_string())),
        ("route", route.as_ref().and_then(Value::as_str).map(str::to_owned)),
        ("outcome", incident.outcome.map(|outcome| outcome.as_str().to_owned())),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)))
    .collect()
}

/// A body that SNS takes: what is longest and stands in the table too is left out of one that is too long, and that is said.
fn bounded(mut body: Value) -> Value {
    for field in
        ["request_parameters", "stays", "undo", "by_hand", "calls", "exceptions_checked", "dangerous_statements", "blast_radius"]
    {
        if body.to_string().len() <= BODY_MAX_BYTES {
            break;
        }
        if let Some(fields) = body.as_object_mut() {
            fields.insert(field.to_owned(), Value::Null);
            let left_out = fields.entry("left_out").or_insert_with(|| json!([]));
            if let Some(left_out) = left_out.as_array_mut() {
                left_out.push(json!(field));
            }
        }
    }
    body
}

fn subject(incident: &Incident, occasion: Occasion) -> String {
    let state = match (incident.outcome, occasion) {
        (Some(_), Occasion::Undone) => " undo".to_owned(),
        (Some(outcome), _) => format!(" {}", outcome.as_str().replace('_', " ")),
        (None, Occasion::Merged) => format!(" {} more", incident.merges.merged),
        (None, _) if incident.is_dry_run() => " dry run".to_owned(),
        (None, Occasion::Asked) => " approval wanted".to_owned(),
        (None, Occasion::Held) => " HELD, ENFORCEMENT IS STOPPED".to_owned(),
        (None, Occasion::Escalated) => " STILL UNANSWERED".to_owned(),
        (None, Occasion::NobodyMayDecide) => " NOBODY MAY APPROVE".to_owned(),
        (None, Occasion::BreakGlass) => " approved by one alone".to_owned(),
        (None, Occasion::Containing) => " contained, approval wanted".to_owned(),
        (
            None,
            Occasion::Alert
            | Occasion::Exempt
            | Occasion::Acting
            | Occasion::NeedsPerson
            | Occasion::Undone
            | Occasion::Outcome
            | Occasion::Failure,
        ) => String::new(),
    };
    let actor = incident.actor.name.clone().unwrap_or_else(|| incident.actor.display());
    let severity = incident.severity.to_string().to_uppercase();
    line(&format!("[Cordon] {severity}{state}: {} by {actor}", incident.event.name))
}

/// A subject as SNS takes it: printable ASCII, at most 100 characters.
fn line(text: &str) -> String {
    redact::text(text).chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).take(SUBJECT_MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_too_long_says_what_was_left_out_of_it() {
        let long = json!({"schema": ALERT_SCHEMA, "request_parameters": "x".repeat(300_000), "calls": ["iam:X"]});
        let kept = bounded(long);
        assert_eq!((&kept["left_out"], &kept["request_parameters"]), (&json!(["request_parameters"]), &Value::Null));
        assert_eq!(kept["calls"], json!(["iam:X"]));
        let short = json!({"schema": ALERT_SCHEMA});
        assert_eq!(bounded(short.clone()), short);
    }

    #[test]
    fn a_subject_line_is_short_and_printable_whatever_is_in_it() {
        let made = line(&format!("[Cordon] \u{202E}\r\nBcc: x {}", "ü".repeat(200)));
        assert!(made.len() == 100 && made.bytes().all(|b| (0x20..0x7f).contains(&b)), "{made}");
    }
}
