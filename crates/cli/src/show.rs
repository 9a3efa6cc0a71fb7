//! How incidents are printed for people.

use std::fmt::Write as _;

use cordon_core::Call;
use cordon_core::incident::{Incident, State};
use cordon_flow::exceptions::refusal;
use cordon_record::IncidentReport;
use cordon_record::record::{brief, kind, status, step_state};
use cordon_record::text::visible;
use cordon_respond::runner::{RevertResult, StepOutcome};
use cordon_store::RecordedException;
use jiff::Timestamp;

/// One incident, one line.
pub fn line(incident: &Incident) -> String {
    format!(
        "{}  {}  {:<13} {:<12} {} by {} on {}",
        incident.id,
        incident.opened_at.strftime("%Y-%m-%d %H:%M:%SZ"),
        incident.severity.to_string(),
        status(incident),
        visible(&incident.event.name),
        visible(&incident.actor.display()),
        visible(&incident.subject.to_string()),
    )
}

/// A recorded exception, in two lines, and in a third one why it exempts nobody.
pub fn exception(recorded: &RecordedException, now: Timestamp) -> String {
    let refused = refusal(recorded);
    let state = match &recorded.ended {
        Some(ended) => format!("ended {} by {}: {}", ended.at.strftime("%Y-%m-%d"), ended.by, ended.reason),
        None if recorded.stands(now) && refused.is_some() => "refused: exempts nobody".to_owned(),
        None if recorded.stands(now) => "stands".to_owned(),
        None => "over".to_owned(),
    };
    let first = format!(
        "{}  until {}  {} may {}, {state}",
        recorded.id,
        recorded.until.strftime("%Y-%m-%d %H:%M:%SZ"),
        recorded.principal,
        recorded.rule
    );
    let second = format!("    {}: {} (recorded by {})", recorded.owner, recorded.reason, recorded.created_by);
    let third = refused.map_or_else(String::new, |why| format!("\n    {}", visible(&why)));
    format!("{}\n{}{third}", visible(&first), visible(&second))
}

/// An incident with its plan and timeline.
pub fn whole(record: &IncidentReport) -> String {
    let incident = &record.incident;
    let mut out = String::new();
    let mut field = |name: &str, value: &str| {
        let _ = writeln!(out, "{name:<12} {}", visible(value));
    };
    field("incident", incident.id.as_str());
    field("status", &status(incident));
    field("severity", &incident.severity.to_string());
    for detection in &incident.detections {
        field("rule", &format!("{} ({}, by {})", detection.title, detection.rule, detection.author));
    }
    if let Some(reason) = &incident.unreadable {
        field("needs", &format!("a person: {reason}"));
    }
    field("event", &format!("{} ({}), {}", incident.event.name, incident.event.service, incident.event.id));
    field("actor", &incident.actor.display());
    field("subject", &incident.subject.to_string());
    if let Some(policy) = &incident.event.policy_arn {
        field("policy", policy);
    }
    field("from", &format!("{} with {}", or_unknown(&incident.event.source_ip), or_unknown(&incident.event.user_agent)));
    if let Some(decision) = &incident.assessment.decision {
        field("decision", &format!("{}{}", decision.decision_reason, if decision.dry_run { " (dry run)" } else { "" }));
    }
    for sentence in &incident.assessment.exceptions_checked {
        field("looked at", sentence);
    }
    for (n, step) in incident.assessment.plan.steps.iter().enumerate() {
        for call in &step.calls {
            field(&format!("step {}", n + 1), &call.to_string());
        }
        let (state, detail) = step_state(record.steps.get(n).and_then(Option::as_ref));
        field("", &detail.map_or_else(|| state.to_owned(), |detail| format!("{state}: {detail}")));
    }
    for sentence in incident.assessment.plan.notes() {
        field("to know", &sentence);
    }
    for stays in &incident.assessment.stays {
        field("stays", &stays.to_string());
    }
    for sentence in &incident.assessment.remaining {
        field("still there", sentence);
    }
    for sentence in &incident.assessment.plan.by_hand {
        field("by hand", sentence);
    }
    if let Some(deadline) = incident.approval.deadline.filter(|_| incident.state == State::Asking) {
        let approved = incident.approval.votes.iter().filter(|vote| vote.approves).count();
        field("asking", &format!("until {deadline}; {approved} of {} have approved", incident.approval.quorum.max(1)));
    }
    if let Some(looking) = &incident.approval.looking {
        field("looking", &format!("{} ({})", looking.name, looking.by));
    }
    for vote in &incident.approval.votes {
        let word = if vote.approves { "approved" } else { "denied" };
        let reason = vote.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        field(word, &format!("by {} ({}){reason}", vote.name, vote.by));
    }
    field("execution", &incident.execution);
    out.push('\n');
    for entry in &record.timeline {
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
    for joined in &record.joined {
        let time = joined.time.map_or_else(|| "at an unknown time".to_owned(), |time| time.to_string());
        let from = joined.source_ip.as_deref().unwrap_or("unknown");
        let _ = writeln!(
            out,
            "  +  {time}  {} by {} from {} ({})",
            visible(&joined.name),
            visible(&joined.actor),
            visible(from),
            visible(joined.event.as_str())
        );
    }
    match record.verify() {
        Ok(()) => {
            let _ = writeln!(out, "\nThe chain of hashes is intact. Its last hash: {}", incident.last_hash);
        }
        Err(broken) => {
            let _ = writeln!(out, "\nTHE CHAIN OF HASHES IS BROKEN: {broken}.");
        }
    }
    out
}

/// What became of undoing one step, on one line: documents and names in it are other people's.
pub fn undone(step: &StepOutcome<RevertResult>) -> String {
    visible(&undone_as_told(step))
}

fn undone_as_told(step: &StepOutcome<RevertResult>) -> String {
    let calls = |calls: &[Call]| calls.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let n = step.n;
    match &step.result {
        RevertResult::Reverted { calls: made } => format!("step {n}: undone: {}", calls(made)),
        RevertResult::Would { calls: would } => format!("step {n}: would be undone: {}", calls(would)),
        RevertResult::Kept { calls: made, kept, dry_run } => {
            let done = if *dry_run { "would be undone" } else { "undone" };
            let made = if made.is_empty() { "left".to_owned() } else { format!("{done}: {}", calls(made)) };
            let left = kept.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            format!("step {n}: {made}: {left}")
        }
        RevertResult::Nothing { reason } => format!("step {n}: nothing to do: {reason}"),
        RevertResult::Drift { expected, found } => {
            format!("step {n}: REFUSED, because it was changed since: expected {expected}; found {found}")
        }
        RevertResult::Failed { reason } => format!("step {n}: FAILED: {reason}"),
    }
}

fn or_unknown(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

    use cordon_core::{Purpose, RemedyKind};

    use super::*;

    #[test]
    fn attack_a_document_writes_no_second_line_and_steers_no_terminal_when_an_undo_is_told() {
        let document = "{}\n\u{9b}1Astep 2: undone: iam:DeleteUserPolicy\u{202e}";
        for result in [
            RevertResult::Drift { expected: "x".to_owned(), found: document.to_owned() },
            RevertResult::Nothing { reason: document.to_owned() },
            RevertResult::Failed { reason: document.to_owned() },
            RevertResult::Reverted { calls: vec![Call::new("iam:PutUserPolicy", [("PolicyDocument", document)])] },
        ] {
            let said = undone(&StepOutcome {
                n: 1,
                remedy: RemedyKind::RemoveInlinePolicy,
                purpose: Purpose::Revert,
                target: String::new(),
                result,
            });
            assert!(!said.contains(['\n', '\u{9b}', '\u{202e}']), "{said:?}");
        }
    }

    #[test]
    fn an_exception_that_is_too_wide_is_shown_as_refused_with_the_reason() {
        let stored = |principal: &str| {
            let value = serde_json::json!({"id": "exc-0123456789ab", "version": 1, "principal": principal, "rule": "*", "owner": "Ops",
                "created_by": "arn:aws:iam::111122223333:user/ada", "created_at": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z",
                "reason": "a migration", "expires_at": 0});
            exception(&serde_json::from_value(value).unwrap(), "2026-01-02T00:00:00Z".parse().unwrap())
        };
        let fine = stored("arn:aws:iam::111122223333:role/deploy-*");
        assert!(fine.contains(", stands\n") && fine.lines().count() == 2, "{fine}");
        let wide = stored("arn:aws:iam::*:role/deploy");
        assert!(wide.contains("refused: exempts nobody") && !wide.contains("stands"), "{wide}");
        assert!(wide.contains("does not name one account") && wide.contains("`arn:aws:iam::111122223333:role/deploy`"), "{wide}");
    }
}
