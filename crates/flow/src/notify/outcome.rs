//! The outcome of an incident: written once, and reported once.

use std::sync::Mutex;

use cordon_cards::{self as cards, Alert, Message, Occasion};
use cordon_contract::{Delivery, NotifyOutput};
use cordon_core::incident::{Incident, Outcome, Summarised};
use cordon_core::timeline::{Kind, NewEntry};
use cordon_core::{IncidentId, chain};
use cordon_respond::runner::StepRecord;
use cordon_store::{Approval, Turn};
use serde_json::json;

use super::{Notify, NotifyError, Told};
use crate::pace::Posted;
use crate::ports::Channel;

const NOTHING: NotifyOutput = NotifyOutput { sns: Delivery::Skipped, slack: Delivery::Skipped };

impl Notify<'_> {
    pub(super) async fn close(&self, id: &IncidentId, outcome: Outcome) -> Result<NotifyOutput, NotifyError> {
        let now = self.clock.now();
        let data = json!({"outcome": outcome});
        let counted = Mutex::new(None);
        let incident = self
            .store
            .close(id, now, |incident| {
                if incident.is_closed() {
                    return None;
                }
                incident.outcome = Some(outcome);
                if let Ok(mut counted) = counted.lock() {
                    *counted = incident.delivery.summarised.take();
                }
                if outcome == Outcome::Contained {
                    incident.contained_at = Some(incident.contained_at.unwrap_or(now));
                }
                Some(vec![NewEntry::cordon(Kind::Closed, data.clone())])
            })
            .await?;
        self.settle(counted).await;
        let incident = self.with_joined(incident).await?;
        // Of these, people have heard a moment ago, in the same words: all but a rehearsal, which asked.
        let is_known =
            matches!(outcome, Outcome::Exempt | Outcome::Alerted | Outcome::NeedsPerson) && incident.approval.asked_at.is_none();
        if is_known || incident.delivery.outcome_told {
            self.publish_finding(&incident).await;
            return Ok(NOTHING);
        }
        let sns = self.publish(&incident, Alert::of(&incident, Occasion::Outcome)).await;
        let posted = match self.channel {
            Some(channel) => Some(self.show_outcome(channel, &incident, outcome).await?),
            None => None,
        };
        let told = Told::new(&sns, posted);
        let output = told.or_nobody();
        self.record_told(id, &told, output.is_ok()).await?;
        self.publish_finding(&incident).await;
        output
    }

    /// A summary that counted the incident's question as one that waits counts it no more. Taken from the incident by the commit
    /// that closed it, so that no retry settles it twice.
    pub(super) async fn settle(&self, counted: Mutex<Option<Summarised>>) {
        let counted = counted.into_inner().ok().flatten();
        if let (Some(channel), Some(summarised)) = (self.channel, counted) {
            self.pace().settle(channel, &summarised).await;
        }
    }

    /// A retry after this tells nobody a second time.
    async fn record_told(&self, id: &IncidentId, told: &Told, reached_somebody: bool) -> Result<(), NotifyError> {
        let data = told.data();
        self.store
            .commit(id, self.clock.now(), |incident| {
                incident.delivery.outcome_told = reached_somebody;
                Some(vec![NewEntry::cordon(Kind::Notified, data.clone())])
            })
            .await?;
        Ok(())
    }

    /// The card at the end of an incident.
    pub(super) async fn outcome_card(&self, incident: &Incident, outcome: Outcome) -> Result<Message, NotifyError> {
        let steps = self.step_records(incident).await?;
        let approval = self.store.approval(&incident.id).await?;
        Ok(cards::outcome(incident, outcome, &steps, approval.as_ref().map(Approval::question).as_ref()))
    }

    /// The records of the plan's steps; `None` for one that was never begun.
    async fn step_records(&self, incident: &Incident) -> Result<Vec<Option<StepRecord>>, NotifyError> {
        let mut steps = Vec::with_capacity(incident.assessment.plan.steps.len());
        for n in 1..=incident.assessment.plan.steps.len() {
            steps.push(self.store.step(&incident.id, n).await?);
        }
        Ok(steps)
    }

    async fn show_outcome(&self, channel: &dyn Channel, incident: &Incident, outcome: Outcome) -> Result<Posted, NotifyError> {
        let card = self.outcome_card(incident, outcome).await?;
        let turn = match outcome {
            Outcome::Partial | Outcome::Failed | Outcome::NeedsPerson => Turn::Urgent,
            Outcome::Contained | Outcome::Exempt | Outcome::Alerted | Outcome::Denied | Outcome::Expired => Turn::Ended,
        };
        let Some(at) = incident.thread() else {
            return Ok(self.post(channel, incident, turn, &card).await);
        };
        Ok(match channel.update(at, &card).await {
            Ok(()) => {
                // The card says it all; the thread only makes it heard.
                let approval = self.store.approval(&incident.id).await?;
                let steps = self.step_records(incident).await?;
                let question = approval.as_ref().map(Approval::question);
                if let Err(error) = channel.reply(at, &cards::ended(incident, outcome, &steps, question.as_ref())).await {
                    tracing::warn!(reason = chain(&error), "the outcome stands on the card, and its thread could not be told");
                }
                Posted::Card(at.clone())
            }
            Err(error) => Posted::Failed(error),
        })
    }
}
