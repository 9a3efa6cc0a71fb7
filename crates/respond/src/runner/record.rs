//! The stored progress of a step.

use std::borrow::Cow;

use async_trait::async_trait;
use cordon_core::{Call, Cause, IncidentId, PlannedStep, RemedyKind};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::call;
use crate::deny;
use crate::holds::{Hold, Kept, Thing};
use crate::remedy::Snapshot;

/// IAM enforces a change within seconds ("Troubleshooting IAM: Changes that I make are not always immediately visible").
const ENFORCED_WITHIN: SignedDuration = SignedDuration::from_mins(1);

/// How far a step has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum StepState {
    /// Nothing was read or changed.
    Planned,
    /// From here on the change may have been made.
    SnapshotTaken,
    /// The change was made.
    Applied,
    /// Two spaced reads found it.
    Verified,
    /// A read found it gone after it had been put back once.
    Stripped {
        /// The part that is gone, in a sentence.
        missing: String,
    },
    /// The change could not be made; a retry of the run tries again.
    Failed {
        /// Why, in a sentence.
        reason: String,
    },
    /// Undoing has begun: the step is never applied again.
    Reverting,
    /// Undone.
    Reverted,
}

/// A step's record. Fields are only ever added, with defaults: a run can cross a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// 0 where nothing is stored yet; each save is one higher.
    pub version: u64,
    /// The step's remedy.
    pub remedy: RemedyKind,
    /// How far it has come.
    pub state: StepState,
    /// The state before the first write; never replaced.
    #[serde(default)]
    pub snapshot: Option<Snapshot>,
    /// A read found the change after the last write.
    #[serde(default)]
    pub seen: bool,
    /// The change was stripped and put back, which is done once.
    #[serde(default)]
    pub reapplied: bool,
    /// What the step sets is registered before it is set ([`crate::holds`]); false in records of an older Cordon.
    #[serde(default)]
    pub holds: bool,
    /// What an undo left, because other incidents still need it.
    #[serde(default)]
    pub kept: Vec<Kept>,
    /// When the step was first carried out: sessions that were begun until then are denied. `None` before, and in records of an
    /// older Cordon, which carried the plan's moment out.
    #[serde(default)]
    pub begun_at: Option<Timestamp>,
    /// When the change was last made. `None` before, and in records of an older Cordon.
    #[serde(default)]
    pub applied_at: Option<Timestamp>,
}

/// The store of one incident's records, and of what incidents hold in common.
#[async_trait]
pub trait Progress: Send + Sync {
    /// The time of this run.
    fn now(&self) -> Timestamp;

    /// The incident whose plan is carried out.
    fn incident(&self) -> &IncidentId;

    /// Says which calls are about to be made, before each of them: what is not said here is no answer of Cordon's. They can differ
    /// from the planned ones, where another incident had set the same before.
    async fn announce(&self, calls: &[Call]) -> Result<(), ProgressError>;

    /// What incidents hold of a thing.
    async fn hold(&self, thing: &Thing) -> Result<Option<Hold>, ProgressError>;

    /// Stores a hold whose `version` is one higher than the stored one's (1 where none is stored), and refuses with
    /// [`ProgressError::Superseded`] otherwise: two incidents must not lose each other's layers.
    async fn save_hold(&self, thing: &Thing, hold: &Hold) -> Result<(), ProgressError>;

    /// The record of step `n`, counted from 1.
    async fn load(&self, n: usize) -> Result<Option<StepRecord>, ProgressError>;

    /// Stores a record whose `version` is one higher than the stored one's (1 where none is stored), and refuses with
    /// [`ProgressError::Superseded`] otherwise: two runs at once must not replace each other's snapshot.
    async fn save(&self, n: usize, record: &StepRecord) -> Result<(), ProgressError>;
}

/// Why a record could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgressError {
    /// The stored record is not the one that this run read.
    #[error("another run of the same plan was faster")]
    Superseded,
    /// The table is busy or out of reach.
    #[error("the progress of a step could not be stored or read just now")]
    Unavailable(#[source] Cause),
    /// The stored record cannot be read, or the table refuses it.
    #[error("the progress of a step cannot be stored or read")]
    Broken(#[source] Cause),
    /// The stored record is one of another remedy.
    #[error("the progress of a step cannot be read: step {n} of the plan is `{planned}`, its record is of `{stored}`")]
    OtherRemedy {
        /// The step, counted from 1.
        n: usize,
        /// The remedy of the plan.
        planned: RemedyKind,
        /// The remedy of the record.
        stored: RemedyKind,
    },
}

impl ProgressError {
    /// True where the same run may pass a little later.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Superseded | Self::Unavailable(_) => true,
            Self::Broken(_) | Self::OtherRemedy { .. } => false,
        }
    }
}

impl StepRecord {
    /// The record of a step before anything is stored.
    #[must_use]
    pub fn planned(step: &PlannedStep) -> Self {
        Self {
            version: 0,
            remedy: step.remedy,
            state: StepState::Planned,
            snapshot: None,
            seen: false,
            reapplied: false,
            holds: false,
            kept: Vec::new(),
            begun_at: None,
            applied_at: None,
        }
    }

    /// The step as it is carried out: a deny of sessions is as of the moment when the step was begun, not of the plan, because
    /// sessions that were begun while people decided have to end as well. It is a minute later than that moment: the key or the
    /// trust that sessions are taken from is switched off right after, and IAM needs seconds to enforce it.
    #[must_use]
    pub fn carried_out<'a>(&self, step: &'a PlannedStep) -> Cow<'a, PlannedStep> {
        let Some(begun_at) = self.begun_at.filter(|_| step.remedy == RemedyKind::RevokeSessions) else {
            return Cow::Borrowed(step);
        };
        let moment = begun_at.saturating_add(ENFORCED_WITHIN).unwrap_or(begun_at);
        let mut dated = step.clone();
        let of_changes = dated.changes.iter_mut().filter_map(|change| change.to.as_mut());
        let of_calls = dated.calls.iter_mut().filter_map(|made| made.parameters.get_mut(call::DOCUMENT));
        for document in of_changes.chain(of_calls) {
            if let Some(later) = deny::sessions_document_at(document, moment) {
                *document = later;
            }
        }
        Cow::Owned(dated)
    }

    pub(super) async fn load(progress: &dyn Progress, n: usize, step: &PlannedStep) -> Result<Self, ProgressError> {
        match progress.load(n).await? {
            None => Ok(Self::planned(step)),
            Some(record) if record.remedy == step.remedy => Ok(record),
            Some(record) => Err(ProgressError::OtherRemedy { n, planned: step.remedy, stored: record.remedy }),
        }
    }

    /// Stores the record in another state, and is that state only once it is stored.
    pub(super) async fn save(&mut self, progress: &dyn Progress, n: usize, state: StepState) -> Result<(), ProgressError> {
        let next = Self { version: self.version + 1, state, ..self.clone() };
        progress.save(n, &next).await?;
        *self = next;
        Ok(())
    }
}
