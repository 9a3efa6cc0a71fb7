//! The keys of the table, made here and in [`crate::provenance`] only.

use cordon_core::incident::{Head, State};
use cordon_core::{EventId, ExceptionId, IncidentId};
use jiff::Timestamp;

use crate::ports::Key;

pub(super) fn incident_pk(id: &IncidentId) -> String {
    format!("INCIDENT#{id}")
}

pub(super) fn head_key(id: &IncidentId) -> Key {
    Key::new(incident_pk(id), "HEAD")
}

pub(super) fn log_key(id: &IncidentId, seq: u64) -> Key {
    Key::new(incident_pk(id), format!("LOG#{seq:06}"))
}

pub(super) fn approval_key(id: &IncidentId) -> Key {
    Key::new(incident_pk(id), "APPROVAL#1")
}

pub(super) fn undo_key(id: &IncidentId) -> Key {
    Key::new(incident_pk(id), "UNDO")
}

pub(super) fn step_key(id: &IncidentId, n: usize) -> Key {
    Key::new(incident_pk(id), format!("STEP#{n:03}"))
}

pub(super) fn event_key(event: &EventId) -> Key {
    Key::new(format!("EVENT#{event}"), "CLAIM")
}

pub(super) fn shared_key(shared: &EventId) -> Key {
    Key::new(format!("EVENT#shared#{shared}"), "CLAIM")
}

/// The case that later events join: the same account, actor, subject, rule and policy. Another policy is another case,
/// because the open incident's plan would not undo it. What a correlation counted is one case for each of its groups.
pub(super) fn open_key(head: &Head) -> Key {
    if let Some(group) = &head.group {
        return open_case(&format!("group#{group}"));
    }
    let account = head.account.as_ref().map_or("unknown", |account| account.as_str());
    let rule = head.primary_rule().map_or("unreadable", |detection| detection.rule.as_str());
    let subject = if head.unreadable.is_some() { head.event.id.to_string() } else { head.subject.to_string() };
    let policy = head.event.policy_arn.as_deref().unwrap_or_default();
    let case = format!("{account}#{}#{subject}#{rule}#{policy}", head.actor.display());
    open_case(&case)
}

fn open_case(case: &str) -> Key {
    // DynamoDB takes 2,048 bytes of partition key, and the parts are somebody else's text.
    if case.len() > 1_500 {
        return Key::new(format!("OPEN#{}", EventId::from_content(case.as_bytes())), "OPEN");
    }
    Key::new(format!("OPEN#{case}"), "OPEN")
}

/// All recorded exceptions stand in one partition: every check reads them all, by one query.
pub(super) const EXCEPTIONS: &str = "EXCEPTIONS";
pub(super) const EXCEPTION_PREFIX: &str = "EXCEPTION#";

pub(super) fn exception_key(id: &ExceptionId) -> Key {
    Key::new(EXCEPTIONS, format!("{EXCEPTION_PREFIX}{id}"))
}

/// The hour of the clock, in UTC.
pub(super) fn budget_key(now: Timestamp) -> Key {
    Key::new(format!("RATE#{}", now.strftime("%Y-%m-%dT%H")), "BUDGET")
}

pub(super) fn switch_key() -> Key {
    Key::new("SWITCH", "STATE")
}

pub(super) fn switch_log_key(at: Timestamp) -> Key {
    Key::new("SWITCH", format!("LOG#{at}"))
}

pub(super) fn state_pk(state: State) -> String {
    let name = match state {
        State::Opened => "opened",
        State::Decided => "decided",
        State::Asking => "asking",
        State::Remediating => "remediating",
        State::Closed => "closed",
    };
    format!("STATE#{name}")
}
