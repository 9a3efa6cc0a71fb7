//! Remediate and Verify: carries out the plan that was shown and approved, and reads it back.
//!
//! INVARIANT: nothing is planned here. What is not in the stored plan is not done, and the plan is only carried out where the
//! policy says `enforce` and the route was released: by an approval that stands in the table, or by an automatic gate.

use cordon_contract::{ErrorName, RemediateInput, RemediateOutput, StateError};
use cordon_core::config::Mode;
use cordon_core::incident::{Head, State};
use cordon_core::timeline::{Kind, NewEntry};
use cordon_core::{Config, IncidentId, Route};
use cordon_respond::port::Account;
use cordon_respond::runner::{self, RunError, VerifyResult};
use serde_json::json;

use crate::cases::{Cases, Vote};
use crate::ports::Clock;

pub struct Remediate<'a> {
    pub cases: Cases<'a>,
    pub config: &'a Config,
    pub iam: &'a dyn Account,
    pub clock: &'a dyn Clock,
}

impl Remediate<'_> {
    pub async fn run(&self, input: RemediateInput) -> Result<RemediateOutput, StateError> {
        match input {
            RemediateInput::Apply { incident } => self.apply(&incident).await,
            RemediateInput::Verify { incident } => self.verify(&incident).await,
        }
    }

    async fn apply(&self, id: &IncidentId) -> Result<RemediateOutput, StateError> {
        let head = self.cases.head(id).await?;
        self.may_change(&head).await?;
        let result = runner::apply_plan(self.iam, &head.plan, &self.cases.steps(id)).await.map_err(run_error)?;
        let data = json!({"complete": result.complete, "steps": result.steps});
        self.cases
            .commit(id, self.clock.now(), |head| {
                head.state = State::Remediating;
                Some(vec![NewEntry::cordon(Kind::Applied, data.clone())])
            })
            .await?;
        Ok(if result.complete { RemediateOutput::Applied } else { RemediateOutput::Partial })
    }

    async fn verify(&self, id: &IncidentId) -> Result<RemediateOutput, StateError> {
        let head = self.cases.head(id).await?;
        self.may_change(&head).await?;
        let result = runner::verify_plan(self.iam, &head.plan, &self.cases.steps(id)).await.map_err(run_error)?;
        let again = result.steps.iter().any(|step| step.result.wants_another_read());
        let stripped = result.steps.iter().any(|step| matches!(step.result, VerifyResult::Reapplied { .. }));
        let now = self.clock.now();
        // What was left to a person is not done because the rest is.
        let contained = result.complete && head.plan.by_hand.is_empty();
        let data = json!({"complete": result.complete, "steps": result.steps, "by_hand": head.plan.by_hand});
        let kind = if stripped { Kind::Reapplied } else { Kind::Verified };
        self.cases
            .commit(id, now, |head| {
                if contained {
                    head.contained_at = Some(head.contained_at.unwrap_or(now));
                }
                Some(vec![NewEntry::cordon(kind, data.clone())])
            })
            .await?;
        Ok(match (contained, again) {
            (true, _) => RemediateOutput::Contained,
            (false, true) => RemediateOutput::Again,
            (false, false) => RemediateOutput::Partial,
        })
    }

    /// Asked again here, whatever path the state machine took: the last gate before a write.
    async fn may_change(&self, head: &Head) -> Result<(), StateError> {
        let refuse = |reason: &str| Err(StateError::new(ErrorName::Refused, format!("nothing was changed: {reason}")));
        if self.config.mode != Mode::Enforce {
            return refuse("the mode is dry-run");
        }
        if !head.event.origin.may_enforce() {
            return refuse("the event's source is not trusted to change anything");
        }
        match head.decision.as_ref().map(|decision| decision.route) {
            Some(Route::Act) => Ok(()),
            Some(Route::Ask) => match self.cases.approval(&head.id).await? {
                Some(approval) if approval.vote == Vote::Approved => Ok(()),
                Some(_) | None => refuse("nobody has approved it"),
            },
            Some(Route::Exempt | Route::Alert) | None => refuse("its route does not lead to a change"),
        }
    }
}

/// A run that stopped short, under the contract's names.
pub(crate) fn run_error(error: RunError) -> StateError {
    let name = match &error {
        _ if error.retryable() => ErrorName::Transient,
        RunError::NoSuchStep { .. } => ErrorName::BadInput,
        RunError::Transient(_) | RunError::Progress(_) => ErrorName::Internal,
    };
    StateError::new(name, error.to_string())
}
