//! WaitForApproval: stores the task token, then asks. After the time-out: closes the question, or finishes the decision that
//! was written and never delivered.
//!
//! The token is written before the card is posted, so that no click can come before there is something to decide.

use cordon_contract::{ErrorName, StateError, WaitInput, WaitOutput};
use cordon_core::IncidentId;
use cordon_core::incident::State;
use cordon_core::timeline::{Kind, NewEntry};
use jiff::SignedDuration;
use serde_json::json;

use crate::cases::{Approval, CaseError, Cases, Vote};
use crate::messages;
use crate::ports::{Channel, Clock, Completion, StoreError, Tasks};

pub struct Wait<'a> {
    pub cases: Cases<'a>,
    pub channel: Option<&'a dyn Channel>,
    pub tasks: &'a dyn Tasks,
    pub clock: &'a dyn Clock,
}

impl Wait<'_> {
    /// `None` while a person is asked: the answer comes by the callback.
    pub async fn run(&self, input: WaitInput) -> Result<Option<WaitOutput>, StateError> {
        match input {
            WaitInput::Ask { incident, task_token, timeout_seconds } => {
                self.ask(&incident, task_token, timeout_seconds).await?;
                Ok(None)
            }
            WaitInput::Expire { incident, .. } => self.expire(&incident).await.map(Some),
        }
    }

    async fn ask(&self, id: &IncidentId, token: String, timeout_seconds: u32) -> Result<(), StateError> {
        let now = self.clock.now();
        let deadline = now.checked_add(SignedDuration::from_secs(i64::from(timeout_seconds))).unwrap_or(now);
        let found = self.cases.approval(id).await?;
        // A retry of the state brings a new token; a decision that was made in between goes out with it.
        if let Some(decided) = found.as_ref().filter(|approval| approval.vote != Vote::Waiting) {
            let output = output_of(decided);
            self.tasks.succeed(&token, &serde_json::to_value(output).unwrap_or_default()).await?;
            return Ok(());
        }
        let version = found.map_or(1, |approval| approval.version + 1);
        let approval = Approval { version, token, vote: Vote::Waiting, deadline, by: None };
        let head = self
            .cases
            .commit_with(id, now, |head| {
                head.state = State::Asking;
                head.asked_at = Some(head.asked_at.unwrap_or(now));
                let write = Cases::approval_write(id, &approval).ok()?;
                Some((vec![NewEntry::cordon(Kind::Asked, json!({"deadline": deadline}))], vec![write]))
            })
            .await?;
        let Some(channel) = self.channel else { return Ok(()) };
        if head.slack.is_some() {
            return Ok(());
        }
        let posted = channel.post(&messages::asking(&head, &approval)).await;
        self.cases
            .commit(id, self.clock.now(), |head| match &posted {
                Ok(message) => {
                    head.slack = Some(message.clone());
                    Some(vec![NewEntry::cordon(
                        Kind::Notified,
                        json!({"slack": "posted", "channel": message.channel, "ts": message.ts}),
                    )])
                }
                Err(error) => Some(vec![NewEntry::cordon(Kind::Notified, json!({"slack": "failed", "reason": error.message}))]),
            })
            .await?;
        Ok(())
    }

    async fn expire(&self, id: &IncidentId) -> Result<WaitOutput, StateError> {
        let Some(found) = self.cases.approval(id).await? else { return self.never_asked(id).await };
        match found.vote {
            Vote::Approved | Vote::Denied | Vote::Expired => return Ok(output_of(&found)),
            Vote::Waiting => {}
        }
        let expired = Approval { version: found.version + 1, vote: Vote::Expired, ..found };
        let write = Cases::approval_write(id, &expired)?;
        let written = self
            .cases
            .commit_with(id, self.clock.now(), |_| {
                Some((vec![NewEntry::cordon(Kind::Expired, json!({"deadline": expired.deadline}))], vec![write.clone()]))
            })
            .await;
        match written {
            Ok(_) => Ok(WaitOutput::Expired),
            // Somebody decided in this very moment: their decision stands.
            Err(CaseError::Store(StoreError::Condition)) => {
                let decided = self.cases.approval(id).await?;
                decided
                    .map(|decided| output_of(&decided))
                    .ok_or_else(|| StateError::new(ErrorName::Internal, "an approval vanished"))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The asking itself never came to the table; the time-out is all there is.
    async fn never_asked(&self, id: &IncidentId) -> Result<WaitOutput, StateError> {
        let reason = json!({"reason": "nobody could be asked: the function that asks failed before it stored the question"});
        self.cases.commit(id, self.clock.now(), |_| Some(vec![NewEntry::cordon(Kind::Expired, reason.clone())])).await?;
        Ok(WaitOutput::Expired)
    }
}

/// What the state machine is told of a decision.
#[must_use]
pub fn output_of(approval: &Approval) -> WaitOutput {
    let by = approval.by.clone().unwrap_or_default();
    match approval.vote {
        Vote::Approved => WaitOutput::Approved { by },
        Vote::Denied => WaitOutput::Denied { by },
        Vote::Expired | Vote::Waiting => WaitOutput::Expired,
    }
}

/// Sends a decision to the state machine. A task that is over is no error: the time-out path finishes the same decision.
pub async fn deliver(tasks: &dyn Tasks, approval: &Approval) -> Result<Completion, StateError> {
    let output =
        serde_json::to_value(output_of(approval)).map_err(|error| StateError::new(ErrorName::Internal, error.to_string()))?;
    Ok(tasks.succeed(&approval.token, &output).await?)
}
