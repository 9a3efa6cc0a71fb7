//! A question to a person, shared by the code that asks, answers and ends it: whether an answer is in time, and what the state
//! machine is told.

use cordon_contract::WaitOutput;
use cordon_core::approval::Vote;
use cordon_core::config::{self, OnTimeout};
use cordon_core::incident::Incident;
use cordon_store::Approval;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::ports::{Channel, Completion, DeliveryError, Tasks};

/// Whether an approver can break the glass by a button: `cordon.toml` allows it, and a dialog can ask for the reason.
#[must_use]
pub fn has_glass(policy: &config::Approval, channel: &dyn Channel) -> bool {
    policy.break_glass && channel.has_dialogs()
}

/// Whether a click that comes now is still in time. Between two waits there is time for the state machine to put the question
/// again: a decision of that moment goes out with the next token.
#[must_use]
pub fn is_in_time(approval: &Approval, now: Timestamp) -> bool {
    /// Longer than `Escalate` can take with all its retries.
    const BETWEEN_WAITS: SignedDuration = SignedDuration::from_hours(1);
    let grace = if approval.last { SignedDuration::ZERO } else { BETWEEN_WAITS };
    approval.deadline.checked_add(grace).is_ok_and(|until| now <= until)
}

/// What the state machine is told of a decision.
#[must_use]
pub fn output_of(incident: &Incident, approval: &Approval) -> WaitOutput {
    let by = approval.by.clone().unwrap_or_default();
    let rehearsal = incident.is_dry_run();
    match (approval.vote, approval.on_timeout) {
        (Vote::Approved, _) if rehearsal => WaitOutput::Rehearsed { by },
        (Vote::Approved, _) if approval.break_glass.is_some() => WaitOutput::BreakGlass { by },
        (Vote::Approved, _) => WaitOutput::Approved { by },
        (Vote::Denied, _) if incident.went_ahead() => WaitOutput::DeniedContained { by },
        (Vote::Denied, _) => WaitOutput::Denied { by },
        (Vote::Expired | Vote::Waiting, OnTimeout::Contain) => WaitOutput::Contain,
        (Vote::Expired | Vote::Waiting, OnTimeout::HoldContainment) => WaitOutput::Expired,
        (Vote::Expired | Vote::Waiting, OnTimeout::Close) if incident.went_ahead() => WaitOutput::ExpiredContained,
        (Vote::Expired | Vote::Waiting, OnTimeout::Close) => WaitOutput::Expired,
    }
}

/// Sends a decision to the state machine. A task that is over is no error: the time-out path finishes the same decision.
///
/// # Errors
/// [`DeliveryError`] where Step Functions does not answer.
pub async fn deliver(tasks: &dyn Tasks, incident: &Incident, approval: &Approval) -> Result<Completion, DeliveryError> {
    tasks.succeed(&approval.token, &json!(output_of(incident, approval))).await
}
