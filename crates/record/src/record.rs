//! Everything that is stored about one incident, assembled once. The formats only render it.

use cordon_core::incident::{Incident, JoinedEvent, State};
use cordon_core::timeline::{self, Broken, Entry};
use cordon_respond::runner::{StepRecord, StepState};
use jiff::Timestamp;
use serde_json::Value;

/// A question that was put to people, without the token that answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// `waiting`, `approved`, `denied` or `expired`.
    pub vote: String,
    /// The person who decided: a Slack id or an ARN.
    pub by: Option<String>,
    /// When the question expires.
    pub deadline: Timestamp,
}

/// Everything that is kept of one incident.
#[derive(Debug, Clone)]
pub struct IncidentReport {
    /// The incident's header.
    pub incident: Incident,
    /// One for each step of the plan, in its order; `None` where nothing was begun.
    pub steps: Vec<Option<StepRecord>>,
    /// The questions that were asked, the oldest first.
    pub questions: Vec<Question>,
    /// The whole timeline, in its order.
    pub timeline: Vec<Entry>,
    /// The later events that joined, in the order of their times. The timeline holds their number and a digest over their ids.
    pub joined: Vec<JoinedEvent>,
    /// When this record was put together.
    pub exported_at: Timestamp,
}

impl IncidentReport {
    /// Whether the timeline is what the header says it is.
    ///
    /// # Errors
    /// [`Broken`] at the first entry that does not follow.
    pub fn verify(&self) -> Result<(), Broken> {
        timeline::verify(&self.timeline, &self.incident.last_hash)
    }
}

/// How an incident stands, in a word or two.
#[must_use]
pub fn status(incident: &Incident) -> String {
    match (incident.outcome, incident.state) {
        (Some(outcome), _) => outcome.as_str().replace('_', " "),
        (None, State::Opened) => "opened".to_owned(),
        (None, State::Decided) => "decided".to_owned(),
        (None, State::Asking) => "asking".to_owned(),
        (None, State::Remediating) => "remediating".to_owned(),
        (None, State::Closed) => "closed".to_owned(),
    }
}

/// How far a step came, and what more there is to say of it.
#[must_use]
pub fn step_state(record: Option<&StepRecord>) -> (&'static str, Option<&str>) {
    match record.map(|record| &record.state) {
        None => ("not begun", None),
        Some(StepState::Planned) => ("planned", None),
        Some(StepState::SnapshotTaken) => ("snapshot taken; it is not known whether the call was made", None),
        Some(StepState::Applied) => ("applied, not verified", None),
        Some(StepState::Verified) => ("verified by two reads", None),
        Some(StepState::Stripped { missing }) => ("stripped by somebody", Some(missing)),
        Some(StepState::Failed { reason }) => ("failed", Some(reason)),
        Some(StepState::Reverting) => ("undoing was begun", None),
        Some(StepState::Reverted) => ("undone", None),
    }
}

/// The name of a timeline entry's kind, as it is stored.
#[must_use]
pub fn kind(entry: &Entry) -> String {
    serde_json::to_value(entry.kind).ok().and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The data of an entry on one line, without what is null or empty.
#[must_use]
pub fn brief(data: &Value) -> String {
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
