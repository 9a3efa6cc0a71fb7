//! IAM in the account of the event: Cordon's own, or one that trusts a role of Cordon's.
//!
//! A session that cannot be opened is a failed read like any other: it asks a person, it never exempts and never acts.

use std::sync::Arc;

use async_trait::async_trait;
use cordon_core::incident::Incident;
use cordon_core::{AccountId, IncidentId};
use cordon_respond::port::{Account, IamError, IamErrorKind};
use cordon_respond::runner::{PlanResult, StepOutcome};

/// Opens IAM, account by account.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// IAM in `account`. The incident names the session, so that the account's own trail says what it was for.
    async fn iam(&self, account: &AccountId, incident: &IncidentId) -> Result<Arc<dyn Account>, IamError>;
}

/// The error for an incident that names no account.
pub(crate) fn unknown_account() -> IamError {
    IamError::new(IamErrorKind::Other, "sts:AssumeRole", "the event does not say in which account the call took effect")
}

/// Why IAM in the account of an incident cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("no session in the account of the event: {0}")]
pub struct SessionError(#[source] pub IamError);

/// IAM in the account of an incident.
pub(crate) async fn open(accounts: &dyn Accounts, incident: &Incident) -> Result<Arc<dyn Account>, SessionError> {
    let opened = match &incident.account {
        Some(account) => accounts.iam(account, &incident.id).await,
        None => Err(unknown_account()),
    };
    opened.map_err(SessionError)
}

/// What a run comes to that could not begin: every step of the plan, with the reason.
pub(crate) fn none_of<R>(incident: &Incident, failed: impl Fn() -> R) -> PlanResult<R> {
    let steps = (1..).zip(&incident.assessment.plan.steps).map(|(n, step)| StepOutcome {
        n,
        remedy: step.remedy,
        purpose: step.purpose,
        target: step.target.arn(),
        result: failed(),
    });
    PlanResult { steps: steps.collect(), complete: false }
}
