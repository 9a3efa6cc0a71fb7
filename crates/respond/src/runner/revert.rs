//! Undoes a plan, the last step first.

use cordon_core::{Call, Plan, PlannedStep};
use serde::{Deserialize, Serialize};

use super::apply::WriteError;
use super::record::{Progress, StepRecord, StepState};
use super::{Halt, PlanResult, Run, RunError, holding, numbered, sort_out};
use crate::holds::{self, Back, Kept, Part};
use crate::port::Account;
use crate::remedies::remedy;
use crate::remedy::{Reverted, Snapshot};

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
    /// A part is left, because another incident still needs it, and the rest was undone. It is as good as undone: the last of
    /// the incidents that needs it gives back what was before the first.
    Kept {
        /// The calls that were made, or that a dry run would make.
        calls: Vec<Call>,
        /// What is left, and for whom.
        kept: Vec<Kept>,
        /// True where a dry run says what would be left.
        #[serde(default)]
        dry_run: bool,
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
            Self::Reverted { .. } | Self::Would { .. } | Self::Kept { .. } | Self::Nothing { .. } => true,
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
    let (parts, given_back) = match plan_back(progress, &record, step, &snapshot).await {
        Ok((parts, given_back)) => (parts, given_back),
        Err(WriteError::Progress(error)) => return Err(error.into()),
        Err(WriteError::Step(error)) => return Ok(RevertResult::Failed { reason: sort_out(error)? }),
    };
    let kept = given_back.kept;
    let revert = async |dry_run: bool| match &given_back.step {
        Some((step, snapshot)) => remedy.revert(account, step, snapshot, dry_run).await,
        None => Ok(Reverted::Nothing("the step is already undone".to_owned())),
    };
    let ahead = match revert(true).await {
        Ok(ahead) => ahead,
        Err(error) => return Ok(RevertResult::Failed { reason: sort_out(error)? }),
    };
    if dry_run || matches!(ahead, Reverted::Drift { .. }) {
        return Ok(result_of(ahead, kept, dry_run));
    }
    // Stored first, so that a late retry of the applying run does not put back what is being undone, and a retry of this one knows
    // that what is no longer held was seen to.
    record.kept.clone_from(&kept);
    record.save(progress, n, StepState::Reverting).await?;
    let done = match ahead {
        Reverted::Nothing(reason) => Reverted::Nothing(reason),
        Reverted::Drift { expected, found } => return Ok(RevertResult::Drift { expected, found }),
        Reverted::Would(calls) | Reverted::Done(calls) => {
            progress.announce(&calls).await?;
            match revert(false).await {
                Ok(done) => done,
                Err(error) => return Ok(RevertResult::Failed { reason: sort_out(error)? }),
            }
        }
    };
    if matches!(done, Reverted::Drift { .. }) {
        return Ok(result_of(done, kept, false));
    }
    holding::let_go(progress, &record, step, &parts).await?;
    record.save(progress, n, StepState::Reverted).await?;
    Ok(result_of(done, kept, false))
}

/// What an undo of a step gives back, and what it leaves.
struct GivenBack {
    /// The step and the values that it gets back; `None` where all of it is left.
    step: Option<(PlannedStep, Snapshot)>,
    kept: Vec<Kept>,
}

async fn plan_back(
    progress: &dyn Progress,
    record: &StepRecord,
    step: &PlannedStep,
    snapshot: &Snapshot,
) -> Result<(Vec<Part>, GivenBack), WriteError> {
    let parts = holds::parts(step, snapshot)?;
    let backs = holding::release(progress, record, step, &parts).await?;
    let step = holds::given_back(step, snapshot, &backs)?;
    // What an earlier run of this undo had left is told by this one.
    let mut kept = if backs.contains(&Back::Done) { record.kept.clone() } else { Vec::new() };
    for back in backs {
        if let Back::Stays(stays) = back
            && !kept.contains(&stays)
        {
            kept.push(stays);
        }
    }
    Ok((parts, GivenBack { step, kept }))
}

fn result_of(reverted: Reverted, kept: Vec<Kept>, dry_run: bool) -> RevertResult {
    match (reverted, kept.is_empty()) {
        (Reverted::Drift { expected, found }, _) => RevertResult::Drift { expected, found },
        (Reverted::Done(calls) | Reverted::Would(calls), false) => RevertResult::Kept { calls, kept, dry_run },
        (Reverted::Nothing(_), false) => RevertResult::Kept { calls: Vec::new(), kept, dry_run },
        (Reverted::Done(calls) | Reverted::Would(calls), true) if dry_run => RevertResult::Would { calls },
        (Reverted::Done(calls) | Reverted::Would(calls), true) => RevertResult::Reverted { calls },
        (Reverted::Nothing(reason), true) => RevertResult::Nothing { reason },
    }
}
