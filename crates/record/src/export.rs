//! The record as JSON, in the schema [`SCHEMA`]. `cordon incident verify` checks it without AWS.
//!
//! Fields are added, never renamed. The timeline's entries are in it exactly as they were hashed, without secrets; everything else
//! loses what looks like one here.

use cordon_core::json::{at, set};
use cordon_core::redact;
use serde_json::{Value, json};

use crate::record::{IncidentReport, step_state};

/// The version of the export's schema, which docs/operating.md describes.
pub const SCHEMA: &str = "cordon.incident.v1";

/// The whole record.
#[must_use]
pub fn json(record: &IncidentReport) -> Value {
    let verdict = record.verify();
    json!({
        "schema": SCHEMA,
        "generator": concat!("cordon ", env!("CARGO_PKG_VERSION")),
        "exported_at": record.exported_at,
        "incident": redact::json(&incident(record)),
        "steps": redact::json(&json!(steps(record))),
        "questions": record.questions.iter().map(|question| json!({
            "vote": question.vote, "by": question.by, "deadline": question.deadline,
        })).collect::<Vec<_>>(),
        "timeline": record.timeline,
        "joined": record.joined,
        "chain": {
            "verdict": if verdict.is_ok() { "intact" } else { "broken" },
            "entries": record.timeline.len(),
            "last_hash": record.incident.last_hash,
            "broken_at": verdict.as_ref().err().map(|broken| broken.seq),
            "reason": verdict.as_ref().err().map(|broken| broken.reason),
        },
    })
}

fn incident(record: &IncidentReport) -> Value {
    let incident = &record.incident;
    let mut subject = json!(incident.subject);
    set(&mut subject, "text", json!(incident.subject.to_string()));
    json!({
        "id": incident.id,
        "state": incident.state,
        "outcome": incident.outcome,
        "severity": incident.severity,
        "account": incident.account,
        "needs_person": incident.unreadable,
        "actor": incident.actor,
        "subject": subject,
        "event": incident.event,
        "rules": incident.detections,
        "decision": incident.assessment.decision,
        "exceptions_checked": incident.assessment.exceptions_checked,
        "plan": incident.assessment.plan,
        "stays": incident.assessment.stays,
        "remaining": incident.assessment.remaining,
        "execution": incident.execution,
        "merged": merged(record),
        "slack": incident.delivery.slack,
        "times": {
            "event": incident.event.time,
            "detected": incident.opened_at,
            "asked": incident.approval.asked_at,
            "decided": incident.approval.decided_at,
            "contained": incident.contained_at,
            "updated": incident.updated_at,
        },
    })
}

/// How many later events joined. Those that came after the last commit are among the events, and not yet in the header.
pub(crate) fn merged(record: &IncidentReport) -> u32 {
    let mut merges = record.incident.merges.clone();
    merges.count(u32::try_from(record.joined.len()).unwrap_or(u32::MAX), None);
    merges.merged
}

fn steps(record: &IncidentReport) -> Vec<Value> {
    let planned = record.incident.assessment.plan.steps.iter().enumerate();
    planned
        .map(|(n, step)| {
            let stored = record.steps.get(n).and_then(Option::as_ref);
            let stored_json = json!(stored);
            let (_, detail) = step_state(stored);
            json!({
                "n": n + 1,
                "remedy": step.remedy,
                "target": step.target.arn(),
                "state": at(&stored_json, "/state/name"),
                "detail": detail,
                "reapplied": stored.is_some_and(|stored| stored.reapplied),
                "snapshot": at(&stored_json, "/snapshot"),
            })
        })
        .collect()
}
