//! Questions to people, as they are stored, with the votes so far.

use cordon_core::config::OnTimeout;
use cordon_core::{Ballot, IncidentId, Question, Vote};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::table::Write;
use crate::{Store, StoreError, follows, keys, put};

/// A question to a person.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Counts the writes: each is conditional on the one that was read.
    pub version: u64,
    /// Step Functions' task token. It leaves the table only towards Step Functions.
    pub token: String,
    /// How it stands.
    pub vote: Vote,
    /// Until when it can be answered.
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
        Question { vote, deadline, quorum, ballots: &self.ballots, by: self.by.as_deref(), on_timeout, stopped: None }
    }

    /// The next version of it.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { version: self.version + 1, ..self.clone() }
    }
}

impl Store<'_> {
    /// The question of an incident; `None` where nobody was asked.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn approval(&self, id: &IncidentId) -> Result<Option<Approval>, StoreError> {
        self.get(&keys::approval(id)).await
    }

    /// The write that stores an approval, conditional on the one that was read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn approval_write(id: &IncidentId, approval: &Approval) -> Result<Write, StoreError> {
        put(keys::approval(id), approval, follows(approval.version))
    }
}
