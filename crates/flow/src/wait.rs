//! WaitForApproval, Escalate, Expire: stores the task token, then asks. At the first deadline it decides whether to call more
//! people. At the last one it closes the question, or completes a decision that was written but not delivered.
//!
//! The token is written before the card is posted, so that no click can come before there is something to decide. A question that
//! is asked again keeps the earlier votes.

use cordon_cards as cards;
use cordon_contract::{StateError, WaitInput, WaitOutput};
use cordon_core::approval::Vote;
use cordon_core::config::OnTimeout;
use cordon_core::incident::{Incident, State};
use cordon_core::json::set;
use cordon_core::timeline::{Kind, NewEntry};
use cordon_core::{Config, IncidentId, chain};
use cordon_store::{Approval, Budget, Store, StoreError, Turn};
use jiff::SignedDuration;
use serde_json::json;

use crate::destination::destination;
use crate::electorate::electorate;
use crate::pace::{Pace, Posted};
use crate::ports::{Channel, Clock, DeliveryError, Tasks};
use crate::question;
use crate::switch;

/// What asking is given.
pub struct Wait<'a> {
    /// What is kept.
    pub store: Store<'a>,
    /// The policy: `cordon.toml`.
    pub config: &'a Config,
    /// `None`: Slack is not set up.
    pub channel: Option<&'a dyn Channel>,
    /// Where a decision is delivered that was made between two waits.
    pub tasks: &'a dyn Tasks,
    /// The time.
    pub clock: &'a dyn Clock,
}

/// Why a question could not be put or ended now.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Step Functions did not take a decision.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// The next try sees the vote.
    #[error("somebody voted in this very moment")]
    VotedMeanwhile,
}

impl Wait<'_> {
    /// `None` while a person is asked: the answer comes by the callback.
    ///
    /// # Errors
    /// [`WaitError`], under the contract's names.
    pub async fn run(&self, input: WaitInput) -> Result<Option<WaitOutput>, StateError> {
        Ok(self.answer(input).await?)
    }

    async fn answer(&self, input: WaitInput) -> Result<Option<WaitOutput>, WaitError> {
        match input {
            WaitInput::Ask { incident, task_token, timeout_seconds, last } => {
                self.ask(&incident, task_token, timeout_seconds, last).await?;
                Ok(None)
            }
            WaitInput::Escalate { incident, .. } => self.escalate(&incident).await.map(Some),
            WaitInput::Expire { incident, .. } => self.expire(&incident).await.map(Some),
        }
    }

    async fn ask(&self, id: &IncidentId, token: String, timeout_seconds: u32, last: bool) -> Result<(), WaitError> {
        let now = self.clock.now();
        let deadline = now.checked_add(SignedDuration::from_secs(i64::from(timeout_seconds))).unwrap_or(now);
        let incident = self.store.incident(id).await?;
        let found = self.store.approval(id).await?;
        // A retry of the state, or the next wait, brings a new token; a decision that was made in between goes out with it.
        if let Some(decided) = found.as_ref().filter(|approval| approval.vote != Vote::Waiting) {
            self.tasks.succeed(&token, &json!(question::output_of(&incident, decided))).await?;
            return Ok(());
        }
        let approval = match found {
            Some(found) => Approval { token, deadline, last, round: found.round + 1, ..found.next() },
            None => Approval { last, ..Approval::new(token, deadline, self.config.approval.quorum.of(incident.severity)) },
        };
        let joined = self.store.joined(id).await?;
        let electorate = electorate(self.store, self.config, &incident, approval.quorum).await?;
        let incident = self
            .store
            .commit_with(id, now, |incident| {
                let folded = joined.fold_into(incident);
                incident.state = State::Asking;
                incident.approval.asked_at = Some(incident.approval.asked_at.unwrap_or(now));
                incident.approval.deadline = Some(deadline);
                incident.approval.quorum = approval.quorum;
                incident.approval.electorate.clone_from(&electorate);
                let write = Store::approval_write(id, &approval).ok()?;
                let mut data = json!({"deadline": deadline, "last": last, "quorum": approval.quorum});
                if let Some(electorate) = &electorate {
                    set(&mut data, "electorate", json!(electorate));
                }
                Some((folded.into_iter().chain([NewEntry::cordon(Kind::Asked, data)]).collect(), vec![write]))
            })
            .await?;
        self.show(&incident, &approval).await
    }

    /// Posts the card, or shows the new deadline on the one that stands there. Where Slack does not take it, the question stands
    /// all the same: SNS has told of it, and the command line can answer.
    async fn show(&self, incident: &Incident, approval: &Approval) -> Result<(), WaitError> {
        let Some(channel) = self.channel else { return Ok(()) };
        let stopped = switch::stopped(self.store).await?;
        let question = approval.question().while_stopped(stopped.as_deref());
        let card = cards::asking(incident, &question, question::has_glass(&self.config.approval, channel));
        let notifications = &self.config.notifications;
        let pace = Pace { store: self.store, notifications, clock: self.clock };
        let mut summarised = None;
        let (posted, data) = match &incident.delivery.slack {
            Some(at) if at.ts.is_some() => match channel.update(at, &card).await {
                Ok(()) => return Ok(()),
                Err(error) => (None, json!({"slack": "failed", "reason": chain(&error)})),
            },
            // What a webhook posted cannot be changed, and its buttons go on working.
            Some(_) => return Ok(()),
            None => {
                let place = destination(notifications, incident).channel;
                match pace.post(channel, place, Turn::Wanted, incident.severity, &card).await {
                    Posted::Card(message) => {
                        let data = json!({"slack": "posted", "channel": message.channel, "ts": message.ts});
                        (Some(message), data)
                    }
                    Posted::InSummary(counted) => {
                        summarised = Some(counted);
                        (None, json!({"slack": "summarised"}))
                    }
                    Posted::Failed(error) => (None, json!({"slack": "failed", "reason": chain(&error)})),
                }
            }
        };
        self.store
            .commit(&incident.id, self.clock.now(), |incident| {
                if posted.is_some() {
                    incident.delivery.slack.clone_from(&posted);
                }
                if posted.is_some() || summarised.is_some() {
                    incident.delivery.summarised.clone_from(&summarised);
                }
                Some(vec![NewEntry::cordon(Kind::Notified, data.clone())])
            })
            .await?;
        // An earlier summary counted it, and it has a card now, or is counted by a later one.
        if let Some(earlier) = incident.delivery.summarised.as_ref().filter(|_| posted.is_some() || summarised.is_some()) {
            pace.settle(channel, earlier).await;
        }
        Ok(())
    }

    /// The first deadline. Somebody who is looking gets one more wait, once an incident; then more people are called.
    async fn escalate(&self, id: &IncidentId) -> Result<WaitOutput, WaitError> {
        let incident = self.store.incident(id).await?;
        if let Some(found) = self.store.approval(id).await? {
            match found.vote {
                Vote::Approved | Vote::Denied | Vote::Expired => return Ok(question::output_of(&incident, &found)),
                // A retry, after the answer was lost.
                Vote::Waiting if found.extended == Some(found.round) => return Ok(WaitOutput::Looking),
                Vote::Waiting => {}
            }
            if let Some(looking) =
                incident.approval.looking.as_ref().filter(|_| found.extended.is_none() && !incident.is_escalated())
            {
                let extended = Approval { extended: Some(found.round), ..found.next() };
                let data = json!({"waits_for": looking.by, "name": looking.name});
                return self.write(id, &extended, Kind::Acknowledged, data, WaitOutput::Looking).await;
            }
        }
        let now = self.clock.now();
        self.store
            .commit(id, now, |incident| {
                if incident.is_escalated() {
                    return None;
                }
                incident.approval.escalated_at = Some(now);
                Some(vec![NewEntry::cordon(Kind::Escalated, json!({"asked_at": incident.approval.asked_at}))])
            })
            .await?;
        Ok(WaitOutput::Escalate)
    }

    /// The last deadline.
    async fn expire(&self, id: &IncidentId) -> Result<WaitOutput, WaitError> {
        let incident = self.store.incident(id).await?;
        let found = match self.store.approval(id).await? {
            Some(found) if found.vote != Vote::Waiting => return Ok(question::output_of(&incident, &found)),
            found => found,
        };
        let (on_timeout, held_back) = self.on_timeout(&incident).await?;
        let (expired, mut data) = match found {
            Some(found) => {
                let data = json!({"deadline": found.deadline, "on_timeout": on_timeout});
                (Approval { vote: Vote::Expired, on_timeout, ..found.next() }, data)
            }
            // The asking itself never came to the table; the time-out is all there is.
            None => {
                let reason = "nobody could be asked: the function that asks failed before it stored the question";
                let data = json!({"reason": reason, "on_timeout": on_timeout});
                let quorum = self.config.approval.quorum.of(incident.severity);
                let never = Approval::new(String::new(), self.clock.now(), quorum);
                (Approval { vote: Vote::Expired, on_timeout, ..never }, data)
            }
        };
        if let Some(reason) = held_back {
            set(&mut data, "not_contained", json!(reason));
        }
        let output = question::output_of(&incident, &expired);
        self.write(id, &expired, Kind::Expired, data, output).await
    }

    /// What the policy makes of nobody's answer, and why it does not contain where it would. Nothing is contained on it in a dry
    /// run, or where a read that decides had failed: that always takes a person. An attacker can wait too, so the containment
    /// takes from the hour's budget like every other automatic change.
    async fn on_timeout(&self, incident: &Incident) -> Result<(OnTimeout, Option<String>), WaitError> {
        let decision = incident.assessment.decision.as_ref();
        let may_act = decision.is_some_and(|decision| !decision.dry_run && decision.approved_for_remediation);
        let can_contain = incident.assessment.plan.steps.iter().any(cordon_core::PlannedStep::may_go_ahead);
        Ok(match self.config.approval.on_timeout {
            OnTimeout::Contain if may_act && can_contain => match self.no_budget(incident).await? {
                None => (OnTimeout::Contain, None),
                Some(reason) => (OnTimeout::Close, Some(reason)),
            },
            OnTimeout::HoldContainment if incident.went_ahead() => (OnTimeout::HoldContainment, None),
            OnTimeout::Contain | OnTimeout::HoldContainment | OnTimeout::Close => (OnTimeout::Close, None),
        })
    }

    /// Why the containment is not within the hour's budget. What went ahead has been counted, and is no new change.
    async fn no_budget(&self, incident: &Incident) -> Result<Option<String>, WaitError> {
        if incident.went_ahead() {
            return Ok(None);
        }
        let per_hour = self.config.limits.enforcements_per_hour;
        match self.store.take_from_budget(&incident.id, per_hour, self.clock.now()).await {
            Ok(Budget::Taken) => Ok(None),
            Ok(Budget::UsedUp | Budget::Contended) => Ok(Some(format!(
                "the budget of {per_hour} automatic enforcements an hour is used up (limits.enforcements_per_hour)"
            ))),
            // A table that is only busy is read again.
            Err(error) if error.is_transient() => Err(error.into()),
            Err(error) => Ok(Some(format!("the budget of automatic enforcements could not be read ({})", chain(&error)))),
        }
    }

    async fn write(
        &self,
        id: &IncidentId,
        approval: &Approval,
        kind: Kind,
        data: serde_json::Value,
        output: WaitOutput,
    ) -> Result<WaitOutput, WaitError> {
        let write = Store::approval_write(id, approval)?;
        let entry = NewEntry::cordon(kind, data);
        let written = self
            .store
            .commit_with(id, self.clock.now(), |incident| {
                incident.approval.expired = approval.vote == Vote::Expired;
                Some((vec![entry.clone()], vec![write.clone()]))
            })
            .await;
        match written {
            Ok(_) => Ok(output),
            // Somebody spoke in this very moment. Their decision stands; an approval that is not yet enough does not stop the clock.
            Err(error) if error.is_conflict() => match self.store.approval(id).await? {
                Some(decided) if decided.vote != Vote::Waiting => {
                    Ok(question::output_of(&self.store.incident(id).await?, &decided))
                }
                Some(_) | None => Err(WaitError::VotedMeanwhile),
            },
            Err(error) => Err(error.into()),
        }
    }
}
