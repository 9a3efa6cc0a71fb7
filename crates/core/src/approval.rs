//! A question to people, as a decision sees it: the choices, the answers so far, and the state of the question.
//!
//! It does not hold the task token of the stored question: code that shows or counts a decision does not need it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::OnTimeout;
use crate::incident::ShownVote;

/// How a question to people stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vote {
    /// It can still be answered.
    Waiting,
    /// As many people as it takes have approved, or one alone with a reason.
    Approved,
    /// One person has denied.
    Denied,
    /// Nobody decided before the last deadline.
    Expired,
}

/// What a person chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Approve.
    Approve,
    /// Approve alone, where more people are wanted.
    BreakGlass,
    /// Deny.
    Deny,
    /// Look into it: decides nothing, and puts the escalation off once.
    Looking,
}

impl Choice {
    /// As the timeline names it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::BreakGlass => "break_glass",
            Self::Deny => "deny",
            Self::Looking => "looking",
        }
    }
}

/// One person's approval. However often they say it, and whichever way, it counts once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ballot {
    /// The person's Slack id, also where they spoke on the command line.
    pub person: String,
    /// The name that `cordon.toml` gives them.
    pub name: String,
    /// As the timeline names them: the Slack id, or the ARN.
    pub by: String,
    /// When they said it.
    pub at: Timestamp,
    /// Why, in their own words.
    #[serde(default)]
    pub reason: Option<String>,
}

impl Ballot {
    /// The same as people are shown it.
    #[must_use]
    pub fn shown(&self, approves: bool) -> ShownVote {
        ShownVote { by: self.by.clone(), name: self.name.clone(), approves, at: self.at, reason: self.reason.clone() }
    }
}

/// A question to people, as far as others than Step Functions need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question<'a> {
    /// How it stands.
    pub vote: Vote,
    /// Until when it can be answered.
    pub deadline: Timestamp,
    /// How many people have to approve.
    pub quorum: u32,
    /// Who has approved so far.
    pub ballots: &'a [Ballot],
    /// Whose word decided, as the timeline names them.
    pub by: Option<&'a str>,
    /// What the configuration made of nobody's answer.
    pub on_timeout: OnTimeout,
    /// Why nothing would be done now, in a sentence without a full stop: enforcement is stopped. `None` where it is not.
    pub stopped: Option<&'a str>,
}

impl<'a> Question<'a> {
    /// The same where enforcement is stopped for this reason, or is not.
    #[must_use]
    pub fn while_stopped(self, stopped: Option<&'a str>) -> Self {
        Self { stopped, ..self }
    }
}
