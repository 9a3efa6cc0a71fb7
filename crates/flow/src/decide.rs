//! The decision of a person: who may make it, and that it is made once.
//!
//! INVARIANT: nobody decides an incident in which they are the actor; nobody decides who is not on the list; the first valid
//! decision wins by a conditional write, and whoever comes later is told who decided. A refusal changes nothing.

use cordon_contract::StateError;
use cordon_core::incident::{Head, State};
use cordon_core::timeline::{Kind, NewEntry};
use cordon_core::{Config, IncidentId};
use cordon_slack::Notice;
use serde_json::json;

use crate::cases::{Approval, CaseError, Cases, Vote};
use crate::ports::{Clock, Completion, StoreError, Tasks};
use crate::wait;

/// What a person chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    Approve,
    Deny,
}

/// What the person is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The decision counts.
    Accepted(Choice),
    /// Somebody decided before.
    Already {
        approved: bool,
        by: String,
    },
    /// The deadline is past or the incident is over.
    Expired(String),
    /// This person may not decide this incident, in a sentence.
    Refused(String),
    NotFound,
}

impl Answer {
    /// What the person reads in Slack.
    #[must_use]
    pub fn notice(&self) -> Notice {
        match self {
            Self::Already { approved, by } => Notice::new(&format!("This incident was already {} by", verb(*approved)))
                .mention(by)
                .and(". Your click changed nothing."),
            Self::Accepted(_) | Self::Expired(_) | Self::Refused(_) | Self::NotFound => Notice::new(&self.sentence()),
        }
    }

    /// The same as plain text.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Accepted(Choice::Approve) => {
                "Approved. The remedies are being applied; this message will show the result.".to_owned()
            }
            Self::Accepted(Choice::Deny) => "Denied. Nothing will be changed.".to_owned(),
            Self::Already { approved, by } => {
                format!("This incident was already {} by {by}. Your click changed nothing.", verb(*approved))
            }
            Self::Expired(text) | Self::Refused(text) => text.clone(),
            Self::NotFound => "There is no such incident.".to_owned(),
        }
    }
}

fn verb(approved: bool) -> &'static str {
    if approved { "approved" } else { "denied" }
}

pub struct Decide<'a> {
    pub cases: Cases<'a>,
    pub config: &'a Config,
    pub tasks: &'a dyn Tasks,
    pub clock: &'a dyn Clock,
}

impl Decide<'_> {
    /// Decides for the Slack member `user`. Whether the message really came from Slack has been checked before.
    pub async fn run(&self, id: &IncidentId, user: &str, choice: Choice) -> Result<Answer, StateError> {
        let head = match self.cases.head(id).await {
            Ok(head) => head,
            Err(CaseError::NotFound(_)) => return Ok(Answer::NotFound),
            Err(error) => return Err(error.into()),
        };
        if let Some(reason) = self.not_entitled(&head, user) {
            self.record_refusal(id, user, choice, &reason).await?;
            return Ok(Answer::Refused(reason));
        }
        let Some(found) = self.cases.approval(id).await? else {
            return Ok(Answer::Expired("This incident asks for no decision.".to_owned()));
        };
        match found.vote {
            Vote::Waiting if head.state == State::Closed => {
                Ok(Answer::Expired("This incident is over; nothing was changed by this click.".to_owned()))
            }
            Vote::Waiting => self.write(id, user, choice, found).await,
            Vote::Approved | Vote::Denied => self.finish(&head, &found).await,
            Vote::Expired => Ok(expired()),
        }
    }

    fn not_entitled(&self, head: &Head, user: &str) -> Option<String> {
        match self.config.approver(user) {
            None => Some("You are not on the list of approvers, so nothing was changed. Please ask one of them.".to_owned()),
            Some(approver) if approver.is_actor(&head.actor) => {
                Some("You are the actor of this incident, so another approver has to decide it. Nothing was changed.".to_owned())
            }
            Some(_) => None,
        }
    }

    async fn record_refusal(&self, id: &IncidentId, user: &str, choice: Choice, reason: &str) -> Result<(), StateError> {
        let data = json!({"choice": word(choice), "reason": reason});
        self.cases.commit(id, self.clock.now(), |_| Some(vec![NewEntry::by(Kind::Refused, user, data.clone())])).await?;
        Ok(())
    }

    async fn write(&self, id: &IncidentId, user: &str, choice: Choice, found: Approval) -> Result<Answer, StateError> {
        let now = self.clock.now();
        if now > found.deadline {
            return Ok(expired());
        }
        let (vote, kind) = match choice {
            Choice::Approve => (Vote::Approved, Kind::Approved),
            Choice::Deny => (Vote::Denied, Kind::Denied),
        };
        let decided = Approval { version: found.version + 1, vote, by: Some(user.to_owned()), ..found };
        let write = Cases::approval_write(id, &decided)?;
        let written = self
            .cases
            .commit_with(id, now, |head| {
                head.decided_at = Some(now);
                Some((vec![NewEntry::by(kind, user, json!({}))], vec![write.clone()]))
            })
            .await;
        match written {
            Ok(_) => match wait::deliver(self.tasks, &decided).await? {
                Completion::Delivered => Ok(Answer::Accepted(choice)),
                // The time-out was a moment faster, and finishes this same decision; or the execution was stopped.
                Completion::Gone => Ok(Answer::Expired(
                    "Your decision is on record, but the question had just ended; the incident's message shows what came of it."
                        .to_owned(),
                )),
            },
            Err(CaseError::Store(StoreError::Condition)) => {
                let head = self.cases.head(id).await?;
                match self.cases.approval(id).await? {
                    Some(other) if matches!(other.vote, Vote::Approved | Vote::Denied) => self.finish(&head, &other).await,
                    _ => Ok(expired()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A decision stands already. It may have been written without being delivered, so it is delivered again: a task that has
    /// it answers that it is over.
    async fn finish(&self, head: &Head, decided: &Approval) -> Result<Answer, StateError> {
        if head.state == State::Asking {
            match wait::deliver(self.tasks, decided).await? {
                Completion::Delivered | Completion::Gone => {}
            }
        }
        Ok(Answer::Already { approved: decided.vote == Vote::Approved, by: decided.by.clone().unwrap_or_default() })
    }
}

fn expired() -> Answer {
    Answer::Expired("The time for this decision is over; nothing was changed by this click.".to_owned())
}

fn word(choice: Choice) -> &'static str {
    match choice {
        Choice::Approve => "approve",
        Choice::Deny => "deny",
    }
}
