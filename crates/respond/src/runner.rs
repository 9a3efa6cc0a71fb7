//! Carries out a stored plan, step by step, and takes it back.
//!
//! A step's progress is stored through [`Progress`] before and after every effect, so that a retry goes on after the last
//! step that is certain. A step that fails for good does not stop the others; one that may pass later ends the run as
//! [`RunError::Transient`] after the others were done, and the retry finds what is left.
//!
//! INVARIANT: a snapshot is stored, and what the step holds is registered ([`crate::holds`]), before the first write of its step and is never replaced. What was undone is never applied
//! again. "Holds" takes two reads after the last write: one right after it, one by [`verify_plan`] later.

mod apply;
mod holding;
mod record;
mod revert;
mod verify;

use cordon_core::{Plan, PlannedStep, Purpose, RemedyKind, chain};
use serde::{Deserialize, Serialize};

pub use apply::{ApplyResult, apply_plan};
pub use record::{Progress, ProgressError, StepRecord, StepState};
pub use revert::{RevertResult, revert_plan};
pub use verify::{VerifyResult, verify_plan};

use crate::remedy::StepError;

/// One step and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepOutcome<R> {
    /// Counted from 1, as people and the table see it.
    pub n: usize,
    /// The remedy of the step.
    pub remedy: RemedyKind,
    /// Whether it stops the actor or undoes what was done.
    pub purpose: Purpose,
    /// The target's ARN.
    pub target: String,
    /// Its result.
    pub result: R,
}

/// All steps of a run, in the order in which they were taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanResult<R> {
    /// Each step with its result.
    pub steps: Vec<StepOutcome<R>>,
    /// True where every step came to what the run was for. A plan without steps is never complete, and what is left to a
    /// person (`Plan::by_hand`) is not counted.
    pub complete: bool,
}

/// A step that a later run may finish.
#[derive(Debug, thiserror::Error)]
#[error("step {n} (`{remedy}` on `{target}`)")]
pub struct UnfinishedStep {
    /// Counted from 1.
    pub n: usize,
    /// The remedy of the step.
    pub remedy: RemedyKind,
    /// The target's ARN.
    pub target: String,
    /// Why it stopped.
    pub source: StepError,
}

/// Why a run did not come to an end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Steps that may pass later: the same run again goes on where this one stopped.
    #[error("{}", .0.iter().map(|step| chain(step)).collect::<Vec<_>>().join("; "))]
    Transient(Vec<UnfinishedStep>),
    /// The record of a step could not be read or stored, so nothing more was changed.
    #[error(transparent)]
    Progress(ProgressError),
    /// The plan has fewer steps.
    #[error("the plan has no step {n}, only {steps}")]
    NoSuchStep {
        /// The step that was asked for, counted from 1.
        n: usize,
        /// How many the plan has.
        steps: usize,
    },
}

impl RunError {
    /// True where the same run may pass a little later.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Transient(_) => true,
            Self::Progress(error) => error.retryable(),
            Self::NoSuchStep { .. } => false,
        }
    }
}

/// Why a step stopped short of a result.
enum Halt {
    /// IAM may let the same step pass later.
    Retry(StepError),
    /// The table cannot be written, so nothing more may be changed.
    Progress(ProgressError),
}

impl From<ProgressError> for Halt {
    fn from(error: ProgressError) -> Self {
        Self::Progress(error)
    }
}

/// Collects the steps of a run.
struct Run<R> {
    steps: Vec<StepOutcome<R>>,
    retry: Vec<UnfinishedStep>,
}

impl<R> Run<R> {
    fn new() -> Self {
        Self { steps: Vec::new(), retry: Vec::new() }
    }

    fn add(&mut self, n: usize, step: &PlannedStep, result: Result<R, Halt>) -> Result<(), RunError> {
        match result {
            Ok(result) => {
                self.steps.push(StepOutcome { n, remedy: step.remedy, purpose: step.purpose, target: step.target.arn(), result });
            }
            Err(Halt::Retry(source)) => {
                self.retry.push(UnfinishedStep { n, remedy: step.remedy, target: step.target.arn(), source });
            }
            Err(Halt::Progress(error)) => return Err(RunError::Progress(error)),
        }
        Ok(())
    }

    fn finish(self, done: fn(&R) -> bool) -> Result<PlanResult<R>, RunError> {
        if !self.retry.is_empty() {
            return Err(RunError::Transient(self.retry));
        }
        let complete = !self.steps.is_empty() && self.steps.iter().all(|step| done(&step.result));
        Ok(PlanResult { steps: self.steps, complete })
    }
}

/// The steps with their numbers, in the order of applying.
fn numbered(plan: &Plan) -> impl DoubleEndedIterator<Item = (usize, &PlannedStep)> {
    plan.steps.iter().enumerate().map(|(index, step)| (index + 1, step))
}

/// A step's error as a reason to retry, or as the sentence that is recorded.
fn sort_out(error: StepError) -> Result<String, Halt> {
    if error.retryable() { Err(Halt::Retry(error)) } else { Ok(chain(&error)) }
}
