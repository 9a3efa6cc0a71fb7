//! Undoes a plan, the last step first.

use cordon_core::{Call, Plan, PlannedStep};
use serde::{Deserialize, Serialize};

use super::record::{Progress, StepRecord, StepState};
use super::{Halt, PlanResult, Run, RunError, numbered, sort_out};
use crate::port::Account;
use crate::remedies::remedy;
use crate::remedy::Reverted;

/// The result of undoing a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum RevertResult {
    /// The former state was restored.
    Reverted {
        /// The calls that were made.
        calls: Vec<Call>,
    },
    /// A dry run found that there is something to undo.
    Would {
        /// The calls that would be made.
        calls: Vec<Call>,
    },
    /// There was nothing to undo.
    Nothing {
        /// Why, in a sentence.
        reason: String,
    },
    /// Somebody else changed it since: nothing was touched.
    Drift {
        /// The state that the step had left, in a few words.
        expected: String,
        /// The state that is there now, in a few words.
        found: String,
    },
    /// It could not be undone.
    Failed {
        /// Why, in a sentence.
        reason: String,
    },
}

impl RevertResult {
    fn done(&self) -> bool {
        match self {
            Self::Reverted { .. } | Self::Would { .. } | Self::Nothing { .. } => true,
            Self::Drift { .. } | Self::Failed { .. } => false,
        }
    }
}

/// Undoes every step that may have changed something, or only step `only_step` (counted from 1). A dry run changes neither IAM
/// nor the records.
///
/// # Errors
/// As [`super::apply_plan`], and [`RunError::NoSuchStep`].
pub async fn revert_plan(
    account: &dyn Account,
    plan: &Plan,
    progress: &dyn Progress,
    only_step: Option<usize>,
    dry_run: bool,
) -> Result<PlanResult<RevertResult>, RunError> {
    let steps = plan.steps.len();
    if let Some(n) = only_step.filter(|n| !(1..=steps).contains(n)) {
        return Err(RunError::NoSuchStep { n, steps });
    }
    let mut run = Run::new();
    for (n, step) in numbered(plan).rev().filter(|(n, _)| only_step.is_none_or(|only| only == *n)) {
        let result = revert_step(account, n, step, progress, dry_run).await;
        run.add(n, step, result)?;
    }
    run.finish(RevertResult::done)
}

async fn revert_step(
    account: &dyn Account,
    n: usize,
    step: &PlannedStep,
    progress: &dyn Progress,
    dry_run: bool,
) -> Result<RevertResult, Halt> {
    let mut record = StepRecord::load(progress, n, step).await?;
    if record.state == StepState::Reverted {
        // Changes that somebody made after the undo are theirs: a second undo must not undo them.
        return Ok(RevertResult::Nothing { reason: "the step is already undone".to_owned() });
    }
    let Some(snapshot) = record.snapshot.clone() else {
        return Ok(RevertResult::Nothing { reason: "the step was never carried out".to_owned() });
    };
    let (remedy, step) = (remedy(step.remedy), &*record.carried_out(step));
    let ahead = match remedy.revert(account, step, &snapshot, true).await {
        Ok(ahead) => ahead,
        Err(error) => return Ok(RevertResult::Failed { reason: sort_out(error)? }),
    };
    let done = match ahead {
        Reverted::Drift { expected, found } => return Ok(RevertResult::Drift { expected, found }),
        Reverted::Would(calls) | Reverted::Done(calls) if dry_run => return Ok(RevertResult::Would { calls }),
        Reverted::Nothing(reason) if dry_run => return Ok(RevertResult::Nothing { reason }),
        Reverted::Nothing(reason) => Reverted::Nothing(reason),
        Reverted::Would(_) | Reverted::Done(_) => {
            // Stored first, so that a late retry of the applying run does not put back what is being undone.
            record.save(progress, n, StepState::Reverting).await?;
            match remedy.revert(account, step, &snapshot, false).await {
                Ok(done) => done,
                Err(error) => return Ok(RevertResult::Failed { reason: sort_out(error)? }),
            }
        }
    };
    let result = match done {
        Reverted::Done(calls) | Reverted::Would(calls) => RevertResult::Reverted { calls },
        Reverted::Nothing(reason) => RevertResult::Nothing { reason },
        Reverted::Drift { expected, found } => return Ok(RevertResult::Drift { expected, found }),
    };
    record.save(progress, n, StepState::Reverted).await?;
    Ok(result)
}
