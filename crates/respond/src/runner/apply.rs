//! Applies a plan: snapshot, change, first read, each stored before the next.

use cordon_core::{Plan, PlannedStep, chain};
use serde::{Deserialize, Serialize};

use super::record::{Progress, ProgressError, StepRecord, StepState};
use super::{Halt, PlanResult, Run, RunError, holding, numbered, sort_out};
use crate::bounds::Bounds;
use crate::holds;
use crate::port::Account;
use crate::remedies::remedy;
use crate::remedy::{Applied, Attempt, StepError, Verified};

/// The result of applying a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum ApplyResult {
    /// The change was made, and a read found it.
    Applied,
    /// The wanted state was already there: by an earlier run that did not come to record it, or by somebody else.
    AlreadyHeld,
    /// The change was made, and the first read after it did not find it.
    NotSeen {
        /// The part that the read did not find, in a sentence.
        missing: String,
    },
    /// The change could not be made.
    Failed {
        /// Why, in a sentence.
        reason: String,
    },
    /// The step was undone before, so it is left alone.
    Undone,
}

impl ApplyResult {
    fn done(&self) -> bool {
        match self {
            Self::Applied | Self::AlreadyHeld => true,
            Self::NotSeen { .. } | Self::Failed { .. } | Self::Undone => false,
        }
    }
}

/// Applies every step that is not yet applied. No step writes what the limits do not let it touch.
///
/// # Errors
/// [`RunError::Transient`] where IAM may let a step pass later; [`RunError::Progress`] where a record cannot be kept.
pub async fn apply_plan(
    account: &dyn Account,
    bounds: &Bounds<'_>,
    plan: &Plan,
    progress: &dyn Progress,
) -> Result<PlanResult<ApplyResult>, RunError> {
    let mut run = Run::new();
    for (n, step) in numbered(plan) {
        let result = apply_step(account, bounds, n, step, progress).await;
        run.add(n, step, result)?;
    }
    run.finish(ApplyResult::done)
}

async fn apply_step(
    account: &dyn Account,
    bounds: &Bounds<'_>,
    n: usize,
    step: &PlannedStep,
    progress: &dyn Progress,
) -> Result<ApplyResult, Halt> {
    let mut record = StepRecord::load(progress, n, step).await?;
    let applied = match &record.state {
        StepState::Reverting | StepState::Reverted => return Ok(ApplyResult::Undone),
        StepState::Verified => return Ok(ApplyResult::AlreadyHeld),
        StepState::Stripped { missing } => return Ok(ApplyResult::NotSeen { missing: missing.clone() }),
        StepState::Applied if record.seen => return Ok(ApplyResult::AlreadyHeld),
        StepState::Applied => Applied::AlreadyHeld,
        // A failed step is tried again: this is a retry of the whole run, and applying twice equals applying once.
        StepState::Planned | StepState::SnapshotTaken | StepState::Failed { .. } => {
            match write(account, bounds, n, step, progress, &mut record).await {
                Ok(applied) => applied,
                Err(WriteError::Progress(error)) => return Err(error.into()),
                Err(WriteError::Step(error)) => {
                    let reason = sort_out(error)?;
                    record.save(progress, n, StepState::Failed { reason: reason.clone() }).await?;
                    return Ok(ApplyResult::Failed { reason });
                }
            }
        }
    };
    match seen(account, progress, step, &record).await {
        Ok(Verified::Holds) => {
            record.seen = true;
            record.save(progress, n, StepState::Applied).await?;
            Ok(match applied {
                Applied::Changed => ApplyResult::Applied,
                Applied::AlreadyHeld => ApplyResult::AlreadyHeld,
            })
        }
        Ok(Verified::Missing(missing)) => Ok(ApplyResult::NotSeen { missing }),
        Err(WriteError::Progress(error)) => Err(error.into()),
        Err(WriteError::Step(error)) if error.retryable() => Err(Halt::Retry(error)),
        // The change was made; that it cannot be read is for the second read to judge.
        Err(WriteError::Step(error)) => Ok(ApplyResult::NotSeen { missing: chain(&error) }),
    }
}

/// Why a change was not made, or not known to be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// The remedy could not take its snapshot or make its change.
    #[error(transparent)]
    Step(#[from] StepError),
    /// The table cannot be written, so nothing more may be changed.
    #[error(transparent)]
    Progress(#[from] ProgressError),
}

/// Whether the change stands, or what another incident put over it.
pub(super) async fn seen(
    account: &dyn Account,
    progress: &dyn Progress,
    step: &PlannedStep,
    record: &StepRecord,
) -> Result<Verified, WriteError> {
    let remedy = remedy(step.remedy);
    let step = &*record.carried_out(step);
    let verified = remedy.verify(account, step).await?;
    let (Verified::Missing(_), Some(snapshot)) = (&verified, &record.snapshot) else { return Ok(verified) };
    let standing = holding::standing(progress, step, snapshot).await?;
    if standing == *step { Ok(verified) } else { Ok(remedy.verify(account, &standing).await?) }
}

/// Snapshot, what is held, then the change, each stored.
async fn write(
    account: &dyn Account,
    bounds: &Bounds<'_>,
    n: usize,
    step: &PlannedStep,
    progress: &dyn Progress,
    record: &mut StepRecord,
) -> Result<Applied, WriteError> {
    bounds.required(account, step).await?;
    let remedy = remedy(step.remedy);
    let snapshot = match record.snapshot.clone() {
        Some(snapshot) => snapshot,
        None => {
            record.begun_at = Some(progress.now());
            let snapshot = remedy.snapshot(account, &record.carried_out(step)).await?;
            record.snapshot = Some(snapshot.clone());
            record.holds = true;
            record.save(progress, n, StepState::SnapshotTaken).await?;
            snapshot
        }
    };
    let step = &*record.carried_out(step);
    let parts = holds::parts(step, &snapshot)?;
    record.holds = true;
    let aimed = holding::take(progress, step, &parts).await?;
    progress.announce(&aimed.calls).await?;
    let applied = match remedy.apply(account, &aimed, &snapshot, Attempt::First).await {
        Err(error) if !error.retryable() => {
            holding::give_up(account, progress, step, &parts).await?;
            return Err(error.into());
        }
        applied => applied?,
    };
    record.applied_at = Some(progress.now());
    record.save(progress, n, StepState::Applied).await?;
    Ok(applied)
}
