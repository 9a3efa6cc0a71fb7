//! Undo: reverts an incident's plan, the last step first, and refuses if someone changed the target since; and an approver's
//! request for it in Slack.
//!
//! A click must be answered within three seconds and an undo can take longer, so a click only writes the request and starts an
//! execution. INVARIANT: an execution undoes nothing without a request in the table, and only approvers write one: as many of
//! them as the approval takes, unless `cordon.toml` says that one is enough.

mod ask;

use cordon_core::timeline::{Kind, NewEntry};
use cordon_core::{IncidentId, Plan};
use cordon_respond::IamError;
use cordon_respond::runner::RunError;
use cordon_respond::runner::{self, PlanResult, RevertResult, StepOutcome, StepState};
use cordon_store::{Store, StoreError, UndoRequest, UndoState};
use serde_json::json;

use crate::accounts::{self, Accounts, SessionError};
use crate::ports::Clock;

pub(crate) use ask::has_enough;
pub use ask::{AskUndo, AskUndoError, UndoAnswer, UndoVote, wanted};

/// What undoing is given.
pub struct Undo<'a> {
    /// What is kept.
    pub store: Store<'a>,
    /// IAM, account by account.
    pub accounts: &'a dyn Accounts,
    /// The time.
    pub clock: &'a dyn Clock,
}

/// Why nothing could be undone now.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// IAM of the event's account does not answer at the moment.
    #[error(transparent)]
    Busy(IamError),
    /// IAM of the event's account cannot be opened.
    #[error("nothing was undone: {0}")]
    NoSession(#[source] SessionError),
    /// The run stopped short.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Undo<'_> {
    /// Undoes the whole plan, or only one step of it, counted from 1. A dry run reads and says.
    pub async fn run(
        &self,
        id: &IncidentId,
        by: &str,
        only: Option<usize>,
        dry_run: bool,
    ) -> Result<PlanResult<RevertResult>, UndoError> {
        let incident = self.store.incident(id).await?;
        let iam = accounts::open(self.accounts, &incident).await.map_err(|error| match error {
            SessionError(error) if error.retryable() => UndoError::Busy(error),
            error => UndoError::NoSession(error),
        })?;
        let result =
            runner::revert_plan(&*iam, &incident.assessment.plan, &self.store.steps(id, self.clock.now()), only, dry_run).await?;
        let tried = |step: &StepOutcome<RevertResult>| match step.result {
            RevertResult::Reverted { .. }
            | RevertResult::Kept { .. }
            | RevertResult::Drift { .. }
            | RevertResult::Failed { .. } => true,
            RevertResult::Would { .. } | RevertResult::Nothing { .. } => false,
        };
        // What changed nothing and refused nothing is no part of the incident's story.
        if result.steps.iter().any(tried) || (!dry_run && self.was_undone_untold(id, &result).await?) {
            let kind = if result.complete { Kind::Undone } else { Kind::UndoRefused };
            let notes = notes(&incident.assessment.plan, &result);
            let data = json!({"complete": result.complete, "steps": result.steps, "notes": notes});
            self.store.commit(id, self.clock.now(), |_| Some(vec![NewEntry::by(kind, by, data.clone())])).await?;
        }
        Ok(result)
    }

    /// Carries out what was asked for, and stores what came of it.
    ///
    /// # Errors
    /// [`UndoError`]. The request stands then, and the same call goes on with it.
    pub async fn carry_out(&self, id: &IncidentId, request: UndoRequest) -> Result<PlanResult<RevertResult>, UndoError> {
        let result = self.run(id, &request.by, request.only, false).await?;
        let plan = self.store.incident(id).await?.assessment.plan;
        let done = UndoRequest {
            version: request.version + 1,
            state: UndoState::Done,
            result: sentences_of(&plan, &result),
            complete: result.complete,
            ..request
        };
        self.store.write_undo(id, &done).await?;
        Ok(result)
    }

    /// An earlier run undid it and died before it could tell.
    async fn was_undone_untold(&self, id: &IncidentId, result: &PlanResult<RevertResult>) -> Result<bool, UndoError> {
        let mut undone = false;
        for step in &result.steps {
            undone |= self.store.step(id, step.n).await?.is_some_and(|record| record.state == StepState::Reverted);
        }
        Ok(undone && !self.store.timeline(id).await?.iter().any(|entry| entry.kind == Kind::Undone))
    }
}

/// What became of each step, for people, and what was put back that is not the state before the event.
#[must_use]
pub fn sentences_of(plan: &Plan, result: &PlanResult<RevertResult>) -> Vec<String> {
    let mut said = sentences(result);
    said.extend(notes(plan, result));
    said
}

/// What an undo put back, or would put back, that is not the state before the event.
fn notes(plan: &Plan, result: &PlanResult<RevertResult>) -> Vec<String> {
    let put_back = |step: &&StepOutcome<RevertResult>| match &step.result {
        RevertResult::Reverted { calls } | RevertResult::Would { calls } | RevertResult::Kept { calls, .. } => !calls.is_empty(),
        RevertResult::Nothing { .. } | RevertResult::Drift { .. } | RevertResult::Failed { .. } => false,
    };
    let planned = |n: usize| n.checked_sub(1).and_then(|index| plan.steps.get(index));
    let note = |step: &StepOutcome<RevertResult>| Some(format!("step {}: {}", step.n, planned(step.n)?.undo_note.as_ref()?));
    result.steps.iter().filter(put_back).filter_map(note).collect()
}

/// What became of each step, for people.
#[must_use]
pub fn sentences(result: &PlanResult<RevertResult>) -> Vec<String> {
    let calls = |calls: &[cordon_core::Call]| calls.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let sentence = |step: &StepOutcome<RevertResult>| {
        let n = step.n;
        match &step.result {
            RevertResult::Reverted { calls: made } => format!("step {n}: undone by {}", calls(made)),
            RevertResult::Would { calls: would } => format!("step {n}: would be undone by {}", calls(would)),
            RevertResult::Kept { calls: made, kept, dry_run } => {
                let left = kept.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                match (made.is_empty(), dry_run) {
                    (true, _) => format!("step {n}: {left}"),
                    (false, true) => format!("step {n}: would be undone by {}, and {left}", calls(made)),
                    (false, false) => format!("step {n}: undone by {}, and {left}", calls(made)),
                }
            }
            RevertResult::Nothing { reason } => format!("step {n}: nothing to do, {reason}"),
            RevertResult::Drift { expected, found } => {
                format!("step {n}: not undone, because it was changed since (expected {expected}, found {found})")
            }
            RevertResult::Failed { reason } => format!("step {n}: not undone, {reason}"),
        }
    };
    result.steps.iter().map(sentence).collect()
}
