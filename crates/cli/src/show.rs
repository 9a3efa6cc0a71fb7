//! How incidents are printed for people.

use std::fmt::Write as _;

use cordon_core::Call;
use cordon_core::incident::{Head, State};
use cordon_core::timeline::{Broken, Entry};
use cordon_respond::runner::{RevertResult, StepOutcome};
use serde_json::Value;

/// One incident, one line.
pub fn line(head: &Head) -> String {
    format!(
        "{}  {}  {:<13} {:<12} {} by {} on {}",
        head.id,
        head.opened_at.strftime("%Y-%m-%d %H:%M:%SZ"),
        head.severity.to_string(),
        status(head),
        visible(&head.event.name),
        visible(&head.actor.display()),
        visible(&head.subject.to_string()),
    )
}

fn status(head: &Head) -> String {
    match (head.outcome, head.state) {
        (Some(outcome), _) => outcome.as_str().replace('_', " "),
        (None, State::Opened) => "opened".to_owned(),
        (None, State::Decided) => "decided".to_owned(),
        (None, State::Asking) => "asking".to_owned(),
        (None, State::Remediating) => "remediating".to_owned(),
        (None, State::Closed) => "closed".to_owned(),
    }
}

/// An incident with its plan and timeline.
pub fn whole(head: &Head, entries: &[Entry], broken: Option<&Broken>) -> String {
    let mut out = String::new();
    let mut field = |name: &str, value: &str| {
        let _ = writeln!(out, "{name:<12} {}", visible(value));
    };
    field("incident", head.id.as_str());
    field("status", &status(head));
    field("severity", &head.severity.to_string());
    for detection in &head.detections {
        field("rule", &format!("{} ({}, by {})", detection.title, detection.rule, detection.author));
    }
    if let Some(reason) = &head.unreadable {
        field("needs", &format!("a person: {reason}"));
    }
    field("event", &format!("{} ({}), {}", head.event.name, head.event.service, head.event.id));
    field("actor", &head.actor.display());
    field("subject", &head.subject.to_string());
    if let Some(policy) = &head.event.policy_arn {
        field("policy", policy);
    }
    field("from", &format!("{} with {}", or_unknown(&head.event.source_ip), or_unknown(&head.event.user_agent)));
    if let Some(decision) = &head.decision {
        field("decision", &format!("{}{}", decision.decision_reason, if decision.dry_run { " (dry run)" } else { "" }));
    }
    for sentence in &head.exceptions_checked {
        field("looked at", sentence);
    }
    for (n, step) in head.plan.steps.iter().enumerate() {
        for call in &step.calls {
            field(&format!("step {}", n + 1), &call.to_string());
        }
    }
    for sentence in &head.plan.by_hand {
        field("by hand", sentence);
    }
    field("execution", &head.execution);
    out.push('\n');
    for entry in entries {
        let _ = writeln!(
            out,
            "{:>3}  {}  {:<13} {:<10} {}",
            entry.seq,
            entry.at.strftime("%H:%M:%S%.3fZ"),
            kind(entry),
            visible(&entry.by),
            visible(&brief(&entry.data))
        );
    }
    match broken {
        None => out.push_str("\nThe chain of hashes is intact.\n"),
        Some(broken) => {
            let _ = writeln!(out, "\nTHE CHAIN OF HASHES IS BROKEN: {broken}.");
        }
    }
    out
}

/// What became of undoing one step.
pub fn undone(step: &StepOutcome<RevertResult>) -> String {
    let calls = |calls: &[Call]| calls.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let n = step.n;
    match &step.result {
        RevertResult::Reverted { calls: made } => format!("step {n}: undone: {}", calls(made)),
        RevertResult::Would { calls: would } => format!("step {n}: would be undone: {}", calls(would)),
        RevertResult::Nothing { reason } => format!("step {n}: nothing to do: {reason}"),
        RevertResult::Drift { expected, found } => {
            format!("step {n}: REFUSED, because it was changed since: expected {expected}; found {found}")
        }
        RevertResult::Failed { reason } => format!("step {n}: FAILED: {reason}"),
    }
}

fn kind(entry: &Entry) -> String {
    serde_json::to_value(entry.kind).ok().and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The data of an entry on one line, without what is null or empty.
fn brief(data: &Value) -> String {
    let Value::Object(map) = data else { return data.to_string() };
    let parts: Vec<String> = map
        .iter()
        .filter(|(_, value)| !matches!(value, Value::Null) && value.as_array().is_none_or(|list| !list.is_empty()))
        .map(|(key, value)| match value {
            Value::String(text) => format!("{key}={text}"),
            other => format!("{key}={other}"),
        })
        .collect();
    parts.join(" ")
}

/// A terminal must not be steered by what an attacker wrote.
pub fn visible(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') { '\u{fffd}' } else { c })
        .collect()
}

fn or_unknown(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or("unknown")
}
