//! What people are told: the card for Slack and the structured alert for SNS, both from the incident's header.
//!
//! Texts of the event are an attacker's; the card escapes them, the alert carries them as JSON strings.

use cordon_core::incident::{Head, Outcome};
use cordon_core::{Level, Route};
use cordon_respond::runner::{StepRecord, StepState};
use cordon_slack::card::{Decider, Failure, Report, StepLine, StepState as Shown, Times, Verdict};
use cordon_slack::{Card, Message, RuleLine, Severity};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cases::{Approval, Vote};

/// The version of the alert's schema, which docs/operating.md describes. Fields are added, never renamed.
pub const ALERT_SCHEMA: &str = "cordon.alert.v1";
/// SNS takes 100 characters of subject.
const SUBJECT_MAX_CHARS: usize = 100;

/// The card with buttons.
#[must_use]
pub fn asking(head: &Head, deadline: Timestamp) -> Message {
    Card { deadline: Some(deadline), ..card(head) }.asking()
}

#[must_use]
pub fn alert(head: &Head) -> Message {
    card(head).alert()
}

#[must_use]
pub fn exempt(head: &Head) -> Message {
    card(head).exempt()
}

#[must_use]
pub fn acting(head: &Head) -> Message {
    card(head).acting()
}

#[must_use]
pub fn needs_person(head: &Head) -> Message {
    card(head).needs_person()
}

/// The card while the approved remedies are being applied, or after a denial.
#[must_use]
pub fn decided(head: &Head, approved: bool, user: &str) -> Message {
    card(head).decided(approved, &Decider::Slack { user_id: user.to_owned(), name: None })
}

/// The card at its end.
#[must_use]
pub fn outcome(head: &Head, outcome: Outcome, steps: &[Option<StepRecord>], approval: Option<&Approval>) -> Message {
    let verdict = match outcome {
        Outcome::Exempt => Verdict::Exempt,
        Outcome::Alerted => Verdict::Alerted,
        Outcome::Denied => Verdict::Denied,
        Outcome::Expired => Verdict::Expired,
        Outcome::Contained => Verdict::Contained,
        Outcome::Partial => Verdict::Partial,
        Outcome::Failed => Verdict::Failed,
        Outcome::NeedsPerson => Verdict::NeedsPerson,
    };
    let decided_by = match approval {
        Some(approval) if matches!(approval.vote, Vote::Approved | Vote::Denied) => {
            approval.by.clone().map(|user_id| Decider::Slack { user_id, name: None })
        }
        Some(_) => None,
        None => head.decision.as_ref().filter(|decision| decision.route == Route::Act).map(|_| Decider::Configuration),
    };
    let carried_out = matches!(outcome, Outcome::Contained | Outcome::Partial | Outcome::Failed);
    let steps = if carried_out { step_lines(head, steps) } else { Vec::new() };
    let times =
        Times { detected: Some(head.opened_at), asked: head.asked_at, decided: head.decided_at, contained: head.contained_at };
    card(head).outcome(&Report { verdict, decided_by, steps, times, note: None })
}

/// The notice that a state failed for good.
#[must_use]
pub fn failure(incident: Option<&str>, execution: &str, state: &str, error: &str, cause: &str) -> Message {
    let failure = Failure {
        incident: incident.map(str::to_owned),
        state: state.to_owned(),
        error: error.to_owned(),
        cause: cause.to_owned(),
        execution_url: execution_url(execution),
    };
    failure.message()
}

fn card(head: &Head) -> Card {
    let decision = head.decision.as_ref();
    let mut why: Vec<String> = head.detections.iter().map(|detection| detection.description.clone()).collect();
    why.extend(head.unreadable.iter().cloned());
    Card {
        incident: head.id.to_string(),
        severity: match head.severity {
            Level::Informational => Severity::Informational,
            Level::Low => Severity::Low,
            Level::Medium => Severity::Medium,
            Level::High => Severity::High,
            Level::Critical => Severity::Critical,
        },
        rules: head.detections.iter().map(|d| RuleLine { title: d.title.clone(), author: d.author.clone() }).collect(),
        event_name: head.event.name.clone(),
        actor: head.actor.display(),
        subject: head.subject.to_string(),
        account: head.account.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string),
        source_ip: head.event.source_ip.clone(),
        user_agent: head.event.user_agent.clone(),
        event_time: head.event.time,
        request: Some(head.event.parameters.clone()).filter(|parameters| !parameters.is_empty()),
        why,
        policy_arn: head.event.policy_arn.clone(),
        calls: head.plan.calls(),
        undo: head.plan.undo(),
        by_hand: head.plan.by_hand.clone(),
        exceptions_checked: head.exceptions_checked.clone(),
        deadline: None,
        execution_url: execution_url(&head.execution),
        dry_run: decision.is_some_and(|decision| decision.dry_run),
        approved_for_remediation: decision.is_some_and(|decision| decision.approved_for_remediation),
        decision_reason: decision.map(|decision| decision.decision_reason.clone()).unwrap_or_default(),
    }
}

fn step_lines(head: &Head, records: &[Option<StepRecord>]) -> Vec<StepLine> {
    let mut lines = Vec::new();
    for (n, step) in head.plan.steps.iter().enumerate() {
        let (state, detail) = match records.get(n).and_then(Option::as_ref).map(|record| &record.state) {
            Some(StepState::Verified) => (Shown::Verified, None),
            Some(StepState::Applied) => (Shown::Unverified, None),
            Some(StepState::Stripped { missing }) => (Shown::Unverified, Some(missing.clone())),
            Some(StepState::Failed { reason }) => (Shown::Failed, Some(reason.clone())),
            Some(StepState::Reverting | StepState::Reverted) => (Shown::NotMade, Some("It was undone.".to_owned())),
            Some(StepState::SnapshotTaken) => (Shown::Unverified, Some("It is not known whether the call was made.".to_owned())),
            Some(StepState::Planned) | None => (Shown::NotMade, None),
        };
        lines.extend(step.calls.iter().map(|call| StepLine { state, call: call.to_string(), detail: detail.clone() }));
    }
    lines
}

/// The structured alert and its subject line.
#[must_use]
pub fn structured(head: &Head, message: &str) -> (String, Value) {
    let decision = head.decision.as_ref();
    let rules: Vec<Value> = head
        .detections
        .iter()
        .map(|d| json!({"id": d.rule, "title": d.title, "author": d.author, "level": d.level, "tags": d.tags}))
        .collect();
    let alert = json!({
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
        "account": head.account,
        "region": head.event.region,
        "actor_arn": head.actor.arn,
        "actor": head.actor.display(),
        "subject": head.subject.to_string(),
        "policy_arn": head.event.policy_arn,
        "source_ip": head.event.source_ip,
        "user_agent": head.event.user_agent,
        "request_parameters": head.event.parameters,
        "route": decision.map(|decision| decision.route),
        "approved_for_remediation": decision.is_some_and(|decision| decision.approved_for_remediation),
        "decision_reason": decision.map(|decision| &decision.decision_reason),
        "dry_run": decision.is_some_and(|decision| decision.dry_run),
        "exceptions_checked": head.exceptions_checked,
        "calls": head.plan.calls(),
        "undo": head.plan.undo(),
        "by_hand": head.plan.by_hand,
        "execution": head.execution,
        "execution_url": execution_url(&head.execution),
        "detected_at": head.opened_at,
        "asked_at": head.asked_at,
        "decided_at": head.decided_at,
        "contained_at": head.contained_at,
        "log_seq": head.log_seq,
        "last_hash": head.last_hash,
    });
    (subject(head, message), alert)
}

fn subject(head: &Head, message: &str) -> String {
    let state = match (head.outcome, head.decision.as_ref()) {
        (Some(outcome), _) => format!(" {}", outcome.as_str().replace('_', " ")),
        (None, Some(decision)) if decision.dry_run => " dry run".to_owned(),
        (None, _) if message == "asked" => " approval wanted".to_owned(),
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

/// The execution in the state machine's console.
fn execution_url(execution: &str) -> Option<String> {
    let mut parts = execution.split(':');
    let region =
        parts.nth(3).filter(|region| !region.is_empty() && region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))?;
    Some(format!("https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details/{execution}"))
}
