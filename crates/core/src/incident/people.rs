//! What people said of an incident, as it is shown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What somebody said to the question, as people are shown it. The vote that counts stands with the approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownVote {
    /// A Slack id, or an ARN where it was said on the command line.
    pub by: String,
    /// The name that `cordon.toml` gives them.
    pub name: String,
    /// Whether they approve.
    pub approves: bool,
    /// When they said it.
    pub at: Timestamp,
    /// Why, in their words.
    #[serde(default)]
    pub reason: Option<String>,
}

/// What was released and waits, because enforcement is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Since when.
    pub since: Timestamp,
    /// Whether people have been told.
    #[serde(default)]
    pub told: bool,
}

/// Who wants an incident undone, while more people have to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoVotes {
    /// How many have to want it.
    pub wanted: u32,
    /// Who wants it so far.
    pub votes: Vec<ShownVote>,
}

/// Who looks into an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looking {
    /// A Slack id, or an ARN.
    pub by: String,
    /// The name that `cordon.toml` gives them.
    pub name: String,
    /// Since when.
    pub at: Timestamp,
}

/// An approval of one person, where more were wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenGlass {
    /// A Slack id, or an ARN.
    pub by: String,
    /// Why, in their words.
    pub reason: String,
    /// Who was not waited for.
    pub skipped: Vec<Skipped>,
}

/// Who may decide an incident, and who of the approvers may not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Electorate {
    /// The approvers and groups who may not, for who the actor is.
    #[serde(default)]
    pub shut_out: Vec<ShutOut>,
    /// Everybody else on the list.
    #[serde(default)]
    pub others: Vec<Skipped>,
    /// Why no approval can come about, in a sentence without a full stop; `None` where one can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hopeless: Option<String>,
}

impl Electorate {
    /// Whether an approver or group whom the actor's name shuts out may approve all the same.
    #[must_use]
    pub fn may_approve(&self, slack_id: &str) -> bool {
        self.shut_out.iter().any(|out| out.slack_id == slack_id && out.may_approve)
    }
}

/// An approver, or a group of them, who may not decide an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShutOut {
    /// `U…`, `W…`, or `S…` for a user group.
    pub slack_id: String,
    /// The name that `cordon.toml` gives them.
    pub name: String,
    /// Why, in a sentence without a full stop.
    pub why: String,
    /// Whether they may approve all the same: the actor came to their name lately. They neither deny nor undo.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_approve: bool,
}

/// An approver, or a group of them, whose word was not waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// `U…`, `W…`, or `S…` for a user group.
    pub slack_id: String,
    /// The name that `cordon.toml` gives them.
    pub name: String,
}
