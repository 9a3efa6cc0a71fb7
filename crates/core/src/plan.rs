//! What an approval will do, call by call, as the card shows it and as the remediator carries it out.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::detection::RemedyKind;
use crate::principal::Principal;

/// One API call, exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The IAM action, such as `iam:DetachUserPolicy`.
    pub action: String,
    pub parameters: BTreeMap<String, String>,
}

impl Call {
    #[must_use]
    pub fn new<const N: usize>(action: &str, parameters: [(&str, &str); N]) -> Self {
        Self {
            action: action.to_owned(),
            parameters: parameters.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.action)?;
        for (key, value) in &self.parameters {
            write!(f, " {key}={value}")?;
        }
        Ok(())
    }
}

/// Whether a step undoes what was done or stops whoever did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Stops the actor. Comes first: an attacker who is stopped cannot undo the rest.
    Contain,
    /// Undoes what was done to the subject.
    Revert,
}

/// One remedy on one principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    pub remedy: RemedyKind,
    pub purpose: Purpose,
    pub target: Principal,
    /// `AIDA…`, `AROA…`, `AGPA…` at the time of planning; compared before every write.
    pub target_unique_id: String,
    /// The managed policy that the remedy takes off, where it is about one.
    #[serde(default)]
    pub policy_arn: Option<String>,
    /// The name of the inline policy that the remedy puts on, where it does.
    #[serde(default)]
    pub inline_policy: Option<String>,
    pub calls: Vec<Call>,
    pub undo: Vec<Call>,
}

/// An ordered list of remedies, and what is left to a person.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    pub steps: Vec<PlannedStep>,
    /// Sentences that say what was left out of the plan, why, and what a person must do instead.
    #[serde(default)]
    pub by_hand: Vec<String>,
}

impl PlannedStep {
    /// Whether the step stops the actor and can be taken back: what may go ahead of a question.
    #[must_use]
    pub fn may_go_ahead(&self) -> bool {
        self.purpose == Purpose::Contain && !self.undo.is_empty()
    }
}

impl Plan {
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.steps.iter().flat_map(|step| &step.calls).map(ToString::to_string).collect()
    }

    /// The undoing calls, in the order in which they would be made: the last step first.
    #[must_use]
    pub fn undo(&self) -> Vec<String> {
        self.steps.iter().rev().flat_map(|step| &step.undo).map(ToString::to_string).collect()
    }
}
