//! The cards: what a person reads when Cordon has something to say about an incident.
//!
//! The order is the one in which somebody woken at night asks: what is this, must I do something, who did what to whom from where, why
//! is it dangerous, what exactly will happen, how is it undone. One incident has one card, which is posted once and then updated, so
//! every variant carries the same facts. A card holds no token and no secret: its buttons carry the incident's id.
//!
//! Every field may hold an attacker's text; each goes through [`crate::text`], and each list has a budget, so that a card stays inside
//! Slack's limits whatever goes in. What did not fit is counted on the card, never dropped in silence.

mod burst;
mod layout;
mod outcome;
mod status;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

pub use burst::Burst;
pub use outcome::{Decider, Failure, Report, StepLine, StepState, Times, Verdict};

/// How bad it is: Sigma's levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

/// A word that is none of Sigma's levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a severity is `informational`, `low`, `medium`, `high` or `critical`")]
pub struct UnknownSeverity;

impl FromStr for Severity {
    type Err = UnknownSeverity;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "informational" => Ok(Self::Informational),
            "low" => Ok(Self::Low),
            "medium" => Ok(Self::Medium),
            "high" => Ok(Self::High),
            "critical" => Ok(Self::Critical),
            _ => Err(UnknownSeverity),
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Informational => "Informational",
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
            Self::Critical => "Critical",
        })
    }
}

impl Severity {
    /// Colour beside the word, never instead of it.
    fn marker(self) -> &'static str {
        match self {
            Self::Informational => "⚪",
            Self::Low => "🔵",
            Self::Medium => "🟡",
            Self::High => "🟠",
            Self::Critical => "🔴",
        }
    }
}

/// A rule that matched, with its author as the Sigma file names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleLine {
    pub title: String,
    pub author: String,
}

/// The facts of an incident, as they are to be read. Empty strings and lists are allowed: what is not known is said or left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// The incident's id: the only thing that a button carries.
    pub incident: String,
    pub severity: Severity,
    /// The first one gives the card its headline.
    pub rules: Vec<RuleLine>,
    pub event_name: String,
    pub actor: String,
    pub subject: String,
    pub account: String,
    pub source_ip: Option<String>,
    pub user_agent: Option<String>,
    pub event_time: Option<Timestamp>,
    /// When Cordon saw it.
    pub detected: Option<Timestamp>,
    /// The request's parameters as one line of JSON.
    pub request: Option<String>,
    /// Sentences; values in them stand in backticks.
    pub why: Vec<String>,
    pub policy_arn: Option<String>,
    /// The dangerous statements of the policy, as JSON text.
    pub statements: Vec<String>,
    /// What the subject's credentials reach. Sentences.
    pub reach: Vec<String>,
    /// Later events of the same case.
    pub merged: Option<Merged>,
    /// The exact calls that an approval makes, in order.
    pub calls: Vec<String>,
    /// The calls that undo them, in order.
    pub undo: Vec<String>,
    /// What no call takes back. Sentences.
    pub cannot_undo: Vec<String>,
    /// What Cordon cannot do, and a person must. Sentences.
    pub by_hand: Vec<String>,
    /// Sentences about the calls: until when one has to stay, what it does not do, what cannot be undone.
    pub notes: Vec<String>,
    /// Exceptions that were looked at, and why each does or does not apply. Sentences.
    pub exceptions_checked: Vec<String>,
    /// The execution in the state machine's console.
    pub execution_url: Option<String>,
    /// The event in CloudTrail's console.
    pub event_url: Option<String>,
    pub dry_run: bool,
    pub approved_for_remediation: bool,
    /// One sentence.
    pub decision_reason: String,
}

/// Later events of the same case, and the newest of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    pub count: u32,
    pub event_name: Option<String>,
    pub time: Option<Timestamp>,
    pub source_ip: Option<String>,
}

/// How the question to people stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    pub deadline: Option<Timestamp>,
    /// How many different people have to approve; below two, nothing is said of it.
    pub needed: usize,
    /// Who has approved so far, where that is not enough yet.
    pub approved_by: Vec<Decider>,
    /// Who said that they are looking.
    pub looking: Vec<Decider>,
    /// Whether one person may approve alone, past the quorum, and a dialog can ask them why.
    pub break_glass: bool,
    pub ahead: Ahead,
}

/// What became of a containment that went ahead of the question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ahead {
    /// None did.
    #[default]
    Nothing,
    Stands,
    TakenBack,
}

/// A message as `chat.postMessage`, `chat.update` and a webhook take it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message {
    /// What a notification shows and a screen reader says: the whole news, in sentences.
    pub text: String,
    pub blocks: Vec<Value>,
}

impl Message {
    /// `{"text": …, "blocks": […]}`.
    pub fn to_value(&self) -> Value {
        serde_json::json!({"text": self.text, "blocks": self.blocks})
    }
}

#[cfg(test)]
pub(crate) mod tests;
