//! Undo: restores what an incident's plan changed, the last step first, and refuses where somebody changed it since.

use cordon_contract::StateError;
use cordon_core::IncidentId;
use cordon_core::timeline::{Kind, NewEntry};
use cordon_respond::port::Account;
use cordon_respond::runner::{self, PlanResult, RevertResult, StepOutcome};
use serde_json::json;

use crate::cases::Cases;
use crate::ports::Clock;
use crate::remediate::run_error;

pub struct Undo<'a> {
    pub cases: Cases<'a>,
    pub iam: &'a dyn Account,
    pub clock: &'a dyn Clock,
}

impl Undo<'_> {
    /// Undoes the whole plan, or only one step of it, counted from 1. A dry run reads and says.
    pub async fn run(
        &self,
        id: &IncidentId,
        by: &str,
        only: Option<usize>,
        dry_run: bool,
    ) -> Result<PlanResult<RevertResult>, StateError> {
        let head = self.cases.head(id).await?;
        let result = runner::revert_plan(self.iam, &head.plan, &self.cases.steps(id), only, dry_run).await.map_err(run_error)?;
        let tried = |step: &StepOutcome<RevertResult>| match step.result {
            RevertResult::Reverted { .. } | RevertResult::Drift { .. } | RevertResult::Failed { .. } => true,
            RevertResult::Would { .. } | RevertResult::Nothing { .. } => false,
        };
        // What changed nothing and refused nothing is no part of the incident's story.
        if result.steps.iter().any(tried) {
            let kind = if result.complete { Kind::Undone } else { Kind::UndoRefused };
            let data = json!({"complete": result.complete, "steps": result.steps});
            self.cases.commit(id, self.clock.now(), |_| Some(vec![NewEntry::by(kind, by, data.clone())])).await?;
        }
        Ok(result)
    }
}
