//! The structured alert for SNS: a stable schema for machines, and the attributes that subscriptions filter by.
//!
//! Fields are added, never renamed or taken away; docs/operating.md describes them. An event's texts are an attacker's and
//! travel as JSON strings; the subject line is ASCII, and an attribute holds only words of ours, ids and account numbers.

use cordon_core::incident::Head;
use cordon_core::json::set;
use serde_json::{Value, json};

use super::{event_url, execution_url};

/// The version of the alert's schema.
pub const ALERT_SCHEMA: &str = "cordon.alert.v1";
/// SNS takes 100 characters of subject.
const SUBJECT_MAX_CHARS: usize = 100;
/// SNS takes 256 KiB, attributes included.
const BODY_MAX_BYTES: usize = 240 * 1024;

/// One message for a topic.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// The ARN of a topic instead of the deployment's.
    pub topic: Option<String>,
    /// At most 100 printable ASCII characters.
    pub subject: String,
    pub body: Value,
    /// Names and values; no value is empty.
    pub attributes: Vec<(&'static str, String)>,
}

impl Alert {
    /// An alert about something that no incident was opened for.
    #[must_use]
    pub fn without_incident(subject: &str, message: &'static str) -> Self {
        Self {
            topic: None,
            subject: line(subject),
            body: json!({"schema": ALERT_SCHEMA, "message": message}),
            attributes: vec![("message", message.to_owned())],
        }
    }
}

/// The structured alert about an incident; `message` says why it is sent now.
#[must_use]
pub fn structured(head: &Head, message: &'static str) -> Alert {
    Alert {
        topic: None,
        subject: subject(head, message),
        body: bounded(body(head, message)),
        attributes: attributes(head, message),
    }
}

fn body(head: &Head, message: &str) -> Value {
    let decision = head.decision.as_ref();
    let rules: Vec<Value> = head
        .detections
        .iter()
        .map(|d| json!({"id": d.rule, "title": d.title, "author": d.author, "level": d.level, "tags": d.tags}))
        .collect();
    let mut body = json!({
        "schema": ALERT_SCHEMA,
        "message": message,
        "incident": head.id,
        "severity": head.severity,
        "outcome": head.outcome,
        "rules": rules,
        "needs_person": head.unreadable,
        "event_name": head.event.name,
        "event_source": head.event.service,
        "event_id": head.event.id,
        "event_time": head.event.time,
        "event_url": event_url(head),
        "account": head.account,
        "region": head.event.region,
        "actor_arn": head.actor.arn,
        "actor": head.actor.display(),
        "subject": head.subject.to_string(),
        "policy_arn": head.event.policy_arn,
        "dangerous_statements": head.statements,
        "source_ip": head.event.source_ip,
        "user_agent": head.event.user_agent,
        "request_parameters": head.event.parameters,
        "route": decision.map(|decision| decision.route),
        "approved_for_remediation": decision.is_some_and(|decision| decision.approved_for_remediation),
        "decision_reason": decision.map(|decision| &decision.decision_reason),
        "dry_run": decision.is_some_and(|decision| decision.dry_run),
        "exceptions_checked": head.exceptions_checked,
        "blast_radius": head.blast_radius,
        "calls": head.plan.calls(),
        "undo": head.plan.undo(),
        "by_hand": head.plan.by_hand,
        "notes": head.plan.notes(),
        "merged": head.merged,
        "last_merged": head.last_merged,
        "execution": head.execution,
        "execution_url": execution_url(&head.execution),
        "detected_at": head.opened_at,
        "asked_at": head.asked_at,
        "decided_at": head.decided_at,
        "contained_at": head.contained_at,
    });
    // How the question stands; apart, because the macro has its limit.
    for (key, value) in [
        ("deadline", json!(head.deadline)),
        ("quorum", json!(head.quorum)),
        ("votes", json!(head.votes)),
        ("looking", json!(head.looking)),
        ("escalated_at", json!(head.escalated_at)),
    ] {
        set(&mut body, key, value);
    }
    // How far the record has come, so that whoever archives alerts keeps a hash of it elsewhere.
    set(&mut body, "log_seq", json!(head.log_seq));
    set(&mut body, "last_hash", json!(head.last_hash));
    body
}

/// What subscriptions filter by. An attribute whose value is not known is left out.
fn attributes(head: &Head, message: &str) -> Vec<(&'static str, String)> {
    let route = head.decision.as_ref().and_then(|decision| serde_json::to_value(decision.route).ok());
    [
        ("message", Some(message.to_owned())),
        ("severity", Some(head.severity.to_string())),
        ("account", head.account.as_ref().map(ToString::to_string)),
        ("rule", head.primary_rule().map(|detection| detection.rule.to_string())),
        ("route", route.as_ref().and_then(Value::as_str).map(str::to_owned)),
        ("outcome", head.outcome.map(|outcome| outcome.as_str().to_owned())),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)))
    .collect()
}

/// A body that SNS takes: what is longest and stands in the table too is left out of one that is too long, and that is said.
fn bounded(mut body: Value) -> Value {
    for field in ["request_parameters", "undo", "by_hand", "calls", "exceptions_checked", "dangerous_statements", "blast_radius"]
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

fn subject(head: &Head, message: &str) -> String {
    let state = match (head.outcome, head.decision.as_ref()) {
        (Some(_), _) if message == "undone" => " undo".to_owned(),
        (Some(outcome), _) => format!(" {}", outcome.as_str().replace('_', " ")),
        (None, _) if message == "merged" => format!(" {} more", head.merged),
        (None, Some(decision)) if decision.dry_run => " dry run".to_owned(),
        (None, _) if message == "asked" => " approval wanted".to_owned(),
        (None, _) if message == "escalated" => " STILL UNANSWERED".to_owned(),
        (None, _) if message == "break_glass" => " approved by one alone".to_owned(),
        (None, _) if message == "containing" => " contained, approval wanted".to_owned(),
        (None, _) => String::new(),
    };
    let actor = head.actor.name.clone().unwrap_or_else(|| head.actor.display());
    let severity = head.severity.to_string().to_uppercase();
    line(&format!("[Cordon] {severity}{state}: {} by {actor}", head.event.name))
}

/// A subject as SNS takes it: printable ASCII, at most 100 characters.
#[must_use]
pub fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).take(SUBJECT_MAX_CHARS).collect()
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
