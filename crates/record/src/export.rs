//! The record as JSON, in the schema [`SCHEMA`]. `cordon incident verify` checks it without AWS.
//!
//! Fields are added, never renamed. The timeline's entries are in it exactly as they were hashed.

use cordon_core::json::{at, set};
use serde_json::{Value, json};

use crate::record::{Record, step_state};

/// The version of the export's schema, which docs/operating.md describes.
pub const SCHEMA: &str = "cordon.incident.v1";

/// The whole record.
#[must_use]
pub fn json(record: &Record) -> Value {
    let verdict = record.verify();
    json!({
        "schema": SCHEMA,
        "generator": concat!("cordon ", env!("CARGO_PKG_VERSION")),
        "exported_at": record.exported_at,
        "incident": incident(record),
        "steps": steps(record),
        "questions": record.questions.iter().map(|question| json!({
            "vote": question.vote, "by": question.by, "deadline": question.deadline,
        })).collect::<Vec<_>>(),
        "timeline": record.timeline,
        "chain": {
            "verdict": if verdict.is_ok() { "intact" } else { "broken" },
            "entries": record.timeline.len(),
            "last_hash": record.head.last_hash,
            "broken_at": verdict.as_ref().err().map(|broken| broken.seq),
            "reason": verdict.as_ref().err().map(|broken| broken.reason),
        },
    })
}

fn incident(record: &Record) -> Value {
    let head = &record.head;
    let mut subject = json!(head.subject);
    set(&mut subject, "text", json!(head.subject.to_string()));
    json!({
        "id": head.id,
        "state": head.state,
        "outcome": head.outcome,
        "severity": head.severity,
        "account": head.account,
        "needs_person": head.unreadable,
        "actor": head.actor,
        "subject": subject,
        "event": head.event,
        "rules": head.detections,
        "decision": head.assessment.decision,
        "exceptions_checked": head.assessment.exceptions_checked,
        "plan": head.assessment.plan,
        "execution": head.execution,
        "merged": head.merges.merged,
        "slack": head.delivery.slack,
        "times": {
            "event": head.event.time,
            "detected": head.opened_at,
            "asked": head.approval.asked_at,
            "decided": head.approval.decided_at,
            "contained": head.contained_at,
            "updated": head.updated_at,
        },
    })
}

fn steps(record: &Record) -> Vec<Value> {
    let planned = record.head.assessment.plan.steps.iter().enumerate();
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
