//! The second read: whether the change is still in place. A change that was removed is applied once more.

use cordon_core::{Plan, PlannedStep, RemedyKind};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::apply::{WriteError, seen};
use super::record::{Progress, ProgressError, StepRecord, StepState};
use super::{Halt, PlanResult, Run, RunError, holding, numbered, sort_out};
use crate::bounds::Bounds;
use crate::port::Account;
use crate::remedies::remedy;
use crate::remedy::{Attempt, StepError, Verified};
use crate::sessions::{Sessions, sessions};

/// The result of the later read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum VerifyResult {
    /// Two reads after the last change found it.
    Holds,
    /// This is the first read that found it: another, later one is needed.
    HoldsOnce,
    /// It had been stripped and was put back now: another, later read is needed.
    Reapplied {
        /// The part that was gone, in a sentence.
        missing: String,
    },
    /// It is gone, and it was already put back once.
    Stripped {
        /// The part that is gone, in a sentence.
        missing: String,
    },
    /// There is no change to be read: the step was not carried out.
    NotApplied {
        /// Why, in a sentence.
        reason: String,
    },
    /// The change could not be read, or not be put back.
    Failed {
        /// Why, in a sentence.
        reason: String,
    },
    /// The step was undone.
    Undone,
}

impl VerifyResult {
    fn done(&self) -> bool {
        match self {
            Self::Holds => true,
            Self::HoldsOnce
            | Self::Reapplied { .. }
            | Self::Stripped { .. }
            | Self::NotApplied { .. }
            | Self::Failed { .. }
            | Self::Undone => false,
        }
    }

    /// True where calling [`verify_plan`] again after a pause may still come to [`VerifyResult::Holds`].
    #[must_use]
    pub fn wants_another_read(&self) -> bool {
        match self {
            Self::HoldsOnce | Self::Reapplied { .. } => true,
            Self::Holds | Self::Stripped { .. } | Self::NotApplied { .. } | Self::Failed { .. } | Self::Undone => false,
        }
    }
}

/// Reads every step again. A step that was stripped is put back once in its life, where the limits let it; `complete` means contained.
///
/// # Errors
/// As [`super::apply_plan`].
pub async fn verify_plan(
    account: &dyn Account,
    bounds: &Bounds<'_>,
    plan: &Plan,
    progress: &dyn Progress,
) -> Result<PlanResult<VerifyResult>, RunError> {
    let mut run = Run::new();
    for (n, step) in numbered(plan) {
        let result = verify_step(account, bounds, (n, plan), step, progress).await;
        run.add(n, step, result)?;
    }
    run.finish(VerifyResult::done)
}

async fn verify_step(
    account: &dyn Account,
    bounds: &Bounds<'_>,
    (n, plan): (usize, &Plan),
    step: &PlannedStep,
    progress: &dyn Progress,
) -> Result<VerifyResult, Halt> {
    let mut record = StepRecord::load(progress, n, step).await?;
    match &record.state {
        StepState::Reverting | StepState::Reverted => return Ok(VerifyResult::Undone),
        StepState::Planned | StepState::SnapshotTaken => {
            return Ok(VerifyResult::NotApplied { reason: "the step was never carried out".to_owned() });
        }
        StepState::Failed { reason } => return Ok(VerifyResult::NotApplied { reason: reason.clone() }),
        StepState::Applied | StepState::Verified | StepState::Stripped { .. } => {}
    }
    if let Some(cut_at) = cut_later(progress, plan, step, &record).await? {
        return date_anew(account, bounds, progress, (n, step), (&mut record, cut_at)).await;
    }
    let missing = match seen(account, progress, step, &record).await {
        Ok(Verified::Holds) => return holds(n, progress, &mut record).await,
        Ok(Verified::Missing(missing)) => missing,
        Err(WriteError::Progress(error)) => return Err(error.into()),
        Err(WriteError::Step(error)) => return Ok(VerifyResult::Failed { reason: sort_out(error)? }),
    };
    if record.reapplied {
        record.seen = false;
        record.save(progress, n, StepState::Stripped { missing: missing.clone() }).await?;
        return Ok(VerifyResult::Stripped { missing });
    }
    match put_back(account, bounds, progress, step, &record).await {
        Ok(seen) => {
            record.seen = seen;
            record.reapplied = true;
            record.applied_at = Some(progress.now());
            record.save(progress, n, StepState::Applied).await?;
            Ok(VerifyResult::Reapplied { missing })
        }
        Err(WriteError::Progress(error)) => Err(error.into()),
        Err(WriteError::Step(error)) => {
            let reason = sort_out(error)?;
            record.seen = false;
            record.save(progress, n, StepState::Stripped { missing: missing.clone() }).await?;
            Ok(VerifyResult::Failed { reason: format!("{missing}, and it could not be put back: {reason}") })
        }
    }
}

/// When the key or the trust that sessions are taken from was switched off, where that was after the deny of sessions was dated: it was
/// tried again, put back, or released later. Sessions that were begun in between have to end as well.
async fn cut_later(
    progress: &dyn Progress,
    plan: &Plan,
    step: &PlannedStep,
    record: &StepRecord,
) -> Result<Option<Timestamp>, ProgressError> {
    let Some(begun_at) = record.begun_at.filter(|_| step.remedy == RemedyKind::RevokeSessions) else { return Ok(None) };
    let mut latest = None;
    for (n, other) in numbered(plan).filter(|(_, other)| other.target.is(&step.target)) {
        if sessions(other.remedy) == Sessions::DeniedBy(RemedyKind::RevokeSessions) {
            latest = latest.max(StepRecord::load(progress, n, other).await?.applied_at);
        }
    }
    // Where there was no room for the deny of sessions, everything is denied, at all times.
    let redated = StepRecord { begun_at: latest, ..record.clone() };
    Ok(latest.filter(|at| *at > begun_at && redated.carried_out(step) != record.carried_out(step)))
}

/// Puts the deny of sessions on as of a later moment. Another read has to find it.
async fn date_anew(
    account: &dyn Account,
    bounds: &Bounds<'_>,
    progress: &dyn Progress,
    (n, step): (usize, &PlannedStep),
    (record, cut_at): (&mut StepRecord, Timestamp),
) -> Result<VerifyResult, Halt> {
    // Stored before the write: whoever undoes this compares with what was put on.
    record.begun_at = Some(cut_at);
    record.seen = false;
    record.save(progress, n, StepState::Applied).await?;
    match put_back(account, bounds, progress, step, record).await {
        Ok(seen) => {
            record.seen = seen;
            record.save(progress, n, StepState::Applied).await?;
            Ok(VerifyResult::HoldsOnce)
        }
        Err(WriteError::Progress(error)) => Err(error.into()),
        Err(WriteError::Step(error)) => {
            let reason = sort_out(error)?;
            Ok(VerifyResult::Failed { reason: format!("the deny of sessions could not be put on as of {cut_at}: {reason}") })
        }
    }
}

async fn holds(n: usize, progress: &dyn Progress, record: &mut StepRecord) -> Result<VerifyResult, Halt> {
    if record.state == StepState::Verified {
        return Ok(VerifyResult::Holds);
    }
    let (state, result) =
        if record.seen { (StepState::Verified, VerifyResult::Holds) } else { (StepState::Applied, VerifyResult::HoldsOnce) };
    record.seen = true;
    record.save(progress, n, state).await?;
    Ok(result)
}

/// Applies again, and says whether the read right after it found the change.
async fn put_back(
    account: &dyn Account,
    bounds: &Bounds<'_>,
    progress: &dyn Progress,
    step: &PlannedStep,
    record: &StepRecord,
) -> Result<bool, WriteError> {
    bounds.required(account, step).await?;
    let (remedy, step) = (remedy(step.remedy), &*record.carried_out(step));
    let snapshot = record.snapshot.as_ref().ok_or(StepError::Mismatch(step.remedy))?;
    let standing = holding::standing(progress, step, snapshot).await?;
    progress.announce(&standing.calls).await?;
    remedy.apply(account, &standing, snapshot, Attempt::Again).await?;
    Ok(matches!(remedy.verify(account, &standing).await?, Verified::Holds))
}
