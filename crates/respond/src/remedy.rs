//! What a remedy is: the five things each of them can do, and the words in which it answers.
//!
//! A remedy reads before it writes, writes only to the principal that was planned for, and never decides whether it may act:
//! scope, exceptions and approval are settled before a step reaches it.

use async_trait::async_trait;
use cordon_core::{Call, IncidentId, PlannedStep, Principal, Purpose, RemedyKind};
use serde::{Deserialize, Serialize};

use crate::port::{Iam, IamError, PrincipalFacts};
use crate::remedies::{deny_iam, detach_policy};

/// What a step is planned for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub incident: &'a IncidentId,
    pub purpose: Purpose,
    /// As IAM names it, with the ARN that IAM gave.
    pub target: &'a Principal,
    pub facts: &'a PrincipalFacts,
    /// The managed policy that the event named.
    pub policy_arn: Option<&'a str>,
}

/// What planning came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Planned {
    Step(PlannedStep),
    /// Nothing has to be done, and why.
    Nothing(String),
    ByHand(ByHand),
}

/// What Cordon cannot do, and a person can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByHand {
    /// Why it is left out, in a few words.
    pub reason: String,
    /// What to do, step by step.
    pub instruction: String,
}

/// What stood before the first write: exactly what `revert` needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "remedy", rename_all = "kebab-case")]
pub enum Snapshot {
    DetachPolicy(detach_policy::Before),
    DenyIam(deny_iam::Before),
}

/// Which time a step is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// The first time, or that first time resumed: whatever is neither the snapshot's state nor ours is drift.
    First,
    /// What had been put in place was stripped: whatever stands there now came after the snapshot, so it is no part of what
    /// undo restores and no reason to hold back.
    Again,
}

/// What applying came to. In both cases the state is now the wanted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    Changed,
    AlreadyHeld,
}

/// What a read after the change found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verified {
    Holds,
    /// What is missing, in a sentence.
    Missing(String),
}

/// What undoing came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reverted {
    /// The calls that were made.
    Done(Vec<Call>),
    /// The calls that a dry run would have made.
    Would(Vec<Call>),
    /// The former state holds, and why.
    Nothing(String),
    /// Somebody else changed it since: nothing is touched.
    Drift { expected: String, found: String },
}

/// Why a step could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    #[error(transparent)]
    Iam(#[from] IamError),
    #[error("changed since it was planned: expected {expected}, found {found}")]
    Conflict { expected: String, found: String },
    #[error("the stored step or snapshot does not belong to `{0}`")]
    Mismatch(RemedyKind),
}

impl StepError {
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Iam(error) => error.retryable(),
            Self::Conflict { .. } | Self::Mismatch(_) => false,
        }
    }
}

/// One reversible action on IAM.
#[async_trait]
pub trait Remedy: Send + Sync {
    fn kind(&self) -> RemedyKind;

    /// Reads, and says which calls would be made and how they are undone. Makes every choice (names, documents), so that
    /// `apply` has none left.
    async fn plan(&self, iam: &dyn Iam, request: &Request<'_>) -> Result<Planned, IamError>;

    /// Reads what `revert` will need. Stored before `apply` is called.
    async fn snapshot(&self, iam: &dyn Iam, step: &PlannedStep) -> Result<Snapshot, StepError>;

    /// Makes the change. Safe to call again after any interruption.
    async fn apply(&self, iam: &dyn Iam, step: &PlannedStep, snapshot: &Snapshot, attempt: Attempt)
    -> Result<Applied, StepError>;

    /// Reads whether the change stands.
    async fn verify(&self, iam: &dyn Iam, step: &PlannedStep) -> Result<Verified, StepError>;

    /// Restores the snapshot's state, or with `dry_run` says how. Safe to call again after any interruption.
    async fn revert(&self, iam: &dyn Iam, step: &PlannedStep, snapshot: &Snapshot, dry_run: bool) -> Result<Reverted, StepError>;
}

/// Whether the principal of a step is still the one that was planned for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    Same,
    Gone,
    /// Deleted and made again, with this unique id.
    Another(String),
}

impl Identity {
    /// The check before every write. IAM has no conditional write, so a principal that is made again between this read and the
    /// write is still hit; the window is one call wide.
    pub(crate) async fn of(iam: &dyn Iam, step: &PlannedStep) -> Result<Self, IamError> {
        Ok(match iam.principal(&step.target).await? {
            None => Self::Gone,
            Some(facts) if facts.unique_id == step.target_unique_id => Self::Same,
            Some(facts) => Self::Another(facts.unique_id),
        })
    }

    /// What was expected and what was found, where they differ.
    pub(crate) fn difference(self, step: &PlannedStep) -> Option<(String, String)> {
        let expected = format!("`{}` with the unique id `{}`", step.target, step.target_unique_id);
        match self {
            Self::Same => None,
            Self::Gone => Some((expected, "no such principal".to_owned())),
            Self::Another(id) => Some((expected, format!("another principal of that name, `{id}`"))),
        }
    }

    pub(crate) fn required(self, step: &PlannedStep) -> Result<(), StepError> {
        match self.difference(step) {
            None => Ok(()),
            Some((expected, found)) => Err(StepError::Conflict { expected, found }),
        }
    }
}
