//! Updates the card in Slack when something other than a click changed its content.
//!
//! INVARIANT: it shows what the table holds, and never something older than before: after each update it looks for a decision or
//! an outcome that came in between.

use std::sync::Mutex;

use cordon_cards as cards;
use cordon_contract::{Delivery, NotifyOutput};
use cordon_core::approval::Vote;
use cordon_core::incident::{Incident, Outcome};
use cordon_core::timeline::{Kind, NewEntry};
use cordon_core::{IncidentId, chain};
use cordon_store::Approval;
use serde_json::json;

use super::{Notify, NotifyError};
use crate::electorate;
use crate::ports::{Channel, DeliveryError};
use crate::question;
use crate::switch;

/// What became of bringing the card up to date.
pub(super) enum Refreshed {
    /// It shows what the table holds, or there is none.
    Done,
    /// Slack did not take it.
    Failed(DeliveryError),
}

impl Notify<'_> {
    /// Somebody voted on the command line. SNS hears of the outcome, as with a click.
    pub(super) async fn voted(&self, id: &IncidentId) -> Result<NotifyOutput, NotifyError> {
        let slack = |slack| NotifyOutput { sns: Delivery::Skipped, slack };
        let incident = self.store.incident(id).await?;
        self.settle_decided(&incident).await?;
        // What a webhook posted cannot be changed; an incident that is over shows its end.
        let is_posted = incident.thread().is_some();
        let Some(channel) = self.channel.filter(|_| is_posted) else { return Ok(slack(Delivery::Skipped)) };
        let refreshed = match incident.outcome {
            None => self.refresh(channel, &incident).await?,
            // A wish to undo: the card of the end shows it while more people have to have it.
            Some(outcome) if incident.approval.undo_votes.is_some() => self.show_wishes(channel, &incident, outcome).await?,
            Some(_) => return Ok(slack(Delivery::Skipped)),
        };
        let Refreshed::Failed(error) = refreshed else { return Ok(slack(Delivery::Sent)) };
        let data = json!({"about": "voted", "slack": Delivery::Failed, "reasons": [chain(&error)]});
        self.store.commit(id, self.clock.now(), |_| Some(vec![NewEntry::cordon(Kind::Notified, data.clone())])).await?;
        Ok(slack(Delivery::Failed))
    }

    /// A question that was left to a summary and is decided now waits no more, though its calls are still to be made.
    async fn settle_decided(&self, incident: &Incident) -> Result<(), NotifyError> {
        let approval = self.store.approval(&incident.id).await?;
        if incident.delivery.summarised.is_none() || approval.is_none_or(|approval| approval.vote == Vote::Waiting) {
            return Ok(());
        }
        let counted = Mutex::new(None);
        let take = |incident: &mut Incident| {
            let summarised = incident.delivery.summarised.take()?;
            if let Ok(mut counted) = counted.lock() {
                *counted = Some(summarised);
            }
            Some(Vec::new())
        };
        self.store.commit(&incident.id, self.clock.now(), take).await?;
        self.settle(counted).await;
        Ok(())
    }

    /// Shows who wants an undo, and calls the others in the thread.
    async fn show_wishes(&self, channel: &dyn Channel, incident: &Incident, outcome: Outcome) -> Result<Refreshed, NotifyError> {
        let Some(at) = incident.thread() else { return Ok(Refreshed::Done) };
        let updated = channel.update(at, &self.outcome_card(incident, outcome).await?).await;
        let ballots = self.store.undo_request(&incident.id).await?.map(|request| request.ballots).unwrap_or_default();
        let others = electorate::skipped(self.approval, incident, &ballots);
        let said = channel.reply(at, &cards::undo_wanted(incident, &others)).await;
        Ok(updated.and(said.map(drop)).map_or_else(Refreshed::Failed, |()| Refreshed::Done))
    }

    /// Brings the card up to date. A decision that comes in between must not get its buttons back, and an end must not be
    /// written over.
    pub(super) async fn refresh(&self, channel: &dyn Channel, incident: &Incident) -> Result<Refreshed, NotifyError> {
        let incident = &self.with_joined(incident.clone()).await?;
        let Some(at) = &incident.delivery.slack else { return Ok(Refreshed::Done) };
        let glass = question::has_glass(self.approval, channel);
        let approval = self.store.approval(&incident.id).await?;
        let stopped = switch::stopped(self.store).await?;
        let current = |incident: &Incident, approval: Option<&Approval>| {
            let question = approval.map(|approval| approval.question().while_stopped(stopped.as_deref()));
            cards::current(incident, question.as_ref(), glass)
        };
        let Some(card) = current(incident, approval.as_ref()) else {
            return Ok(Refreshed::Done);
        };
        let updated = channel.update(at, &card).await;
        let (newer, decided) = (self.store.incident(&incident.id).await?, self.store.approval(&incident.id).await?);
        let newer = match newer.outcome {
            Some(outcome) => Some(self.outcome_card(&newer, outcome).await?),
            None if decided == approval => None,
            None => current(&self.with_joined(newer).await?, decided.as_ref()),
        };
        let updated = match newer {
            Some(card) => channel.update(at, &card).await,
            None => updated,
        };
        Ok(updated.map_or_else(Refreshed::Failed, |()| Refreshed::Done))
    }
}
