//! A question to a person, as it is stored; and a wish to undo.

use cordon_core::config::OnTimeout;
use cordon_core::{IncidentId, Question};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::keys::{approval_key, undo_key};
use super::{CaseError, Cases, put};
use crate::ports::{Condition, Write};

pub use cordon_core::approval::{Ballot, Vote};

/// A question to a person.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub version: u64,
    /// Step Functions' task token. It leaves the table only towards Step Functions.
    pub token: String,
    pub vote: Vote,
    pub deadline: Timestamp,
    /// Whose word decided.
    #[serde(default)]
    pub by: Option<String>,
    /// Counts the times that the question was put: each has a token of its own.
    #[serde(default)]
    pub round: u32,
    /// Whether this deadline is the last one.
    #[serde(default = "yes")]
    pub last: bool,
    /// How many people have to approve.
    #[serde(default = "one")]
    pub quorum: u32,
    /// Who has approved.
    #[serde(default)]
    pub ballots: Vec<Ballot>,
    /// The round whose deadline passed while somebody was looking.
    #[serde(default)]
    pub extended: Option<u32>,
    /// One person approved where more were wanted: why.
    #[serde(default)]
    pub break_glass: Option<String>,
    /// What the policy made of nobody's answer.
    #[serde(default)]
    pub on_timeout: OnTimeout,
}

fn yes() -> bool {
    true
}

fn one() -> u32 {
    1
}

impl Approval {
    /// A question, put for the first time.
    #[must_use]
    pub fn new(token: String, deadline: Timestamp, quorum: u32) -> Self {
        Self {
            version: 1,
            token,
            vote: Vote::Waiting,
            deadline,
            by: None,
            round: 1,
            last: true,
            quorum: quorum.max(1),
            ballots: Vec::new(),
            extended: None,
            break_glass: None,
            on_timeout: OnTimeout::Close,
        }
    }

    /// What may be shown of it: everything but the token and what counts versions and rounds.
    #[must_use]
    pub fn question(&self) -> Question<'_> {
        let Self { vote, deadline, quorum, on_timeout, .. } = *self;
        Question { vote, deadline, quorum, ballots: &self.ballots, by: self.by.as_deref(), on_timeout }
    }

    /// The next version of it.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { version: self.version + 1, ..self.clone() }
    }
}

/// Where a wish to undo stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UndoState {
    Requested,
    Done,
}

/// An approver's wish to undo an incident's changes. Without it in the table, no execution undoes anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoRequest {
    pub version: u64,
    /// Counts the wishes: an undo can be run again.
    pub number: u32,
    pub state: UndoState,
    /// As the timeline names whose wish it is.
    pub by: String,
    pub at: Timestamp,
    #[serde(default)]
    pub reason: Option<String>,
    /// What came of it, in sentences.
    #[serde(default)]
    pub result: Vec<String>,
    #[serde(default)]
    pub complete: bool,
}

impl Cases<'_> {
    pub async fn approval(&self, id: &IncidentId) -> Result<Option<Approval>, CaseError> {
        self.get(&approval_key(id)).await
    }

    /// The write that stores an approval, conditional on the one that was read.
    pub fn approval_write(id: &IncidentId, approval: &Approval) -> Result<Write, CaseError> {
        put(approval_key(id), approval, follows(approval.version))
    }

    pub async fn undo_request(&self, id: &IncidentId) -> Result<Option<UndoRequest>, CaseError> {
        self.get(&undo_key(id)).await
    }

    /// Stores what came of a wish to undo.
    pub async fn write_undo(&self, id: &IncidentId, request: &UndoRequest) -> Result<(), CaseError> {
        Ok(self.store.write(vec![Self::undo_write(id, request)?]).await?)
    }

    /// The write that stores a wish to undo, conditional on the one that was read.
    pub fn undo_write(id: &IncidentId, request: &UndoRequest) -> Result<Write, CaseError> {
        put(undo_key(id), request, follows(request.version))
    }
}

fn follows(version: u64) -> Condition {
    if version == 1 { Condition::Absent } else { Condition::Version(version - 1) }
}
