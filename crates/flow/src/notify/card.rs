//! The card that stands in Slack, brought up to date where something else than a click has changed what it says.
//!
//! INVARIANT: it shows what the table holds, and nothing older than what it showed before: a decision or an end that comes in
//! between is looked for after each update.

use cordon_cards as cards;
use cordon_contract::{Delivery, NotifyOutput, StateError};
use cordon_core::IncidentId;
use cordon_core::incident::Head;
use cordon_core::timeline::{Kind, NewEntry};
use serde_json::json;

use super::Notify;
use crate::cases::Approval;
use crate::ports::{Channel, DeliveryError};
use crate::wait;

impl Notify<'_> {
    /// Somebody voted on the command line. SNS hears of the outcome, as with a click.
    pub(super) async fn voted(&self, id: &IncidentId) -> Result<NotifyOutput, StateError> {
        let slack = |slack| NotifyOutput { sns: Delivery::Skipped, slack };
        let head = self.cases.head(id).await?;
        // What a webhook posted cannot be changed; an incident that is over shows its end.
        let is_posted = head.slack.as_ref().is_some_and(|at| at.ts.is_some());
        let Some(channel) = self.channel.filter(|_| is_posted && head.outcome.is_none()) else {
            return Ok(slack(Delivery::Skipped));
        };
        let Err(error) = self.refresh(channel, &head).await? else { return Ok(slack(Delivery::Sent)) };
        let data = json!({"about": "voted", "slack": Delivery::Failed, "reasons": [error.message]});
        self.cases.commit(id, self.clock.now(), |_| Some(vec![NewEntry::cordon(Kind::Notified, data.clone())])).await?;
        Ok(slack(Delivery::Failed))
    }

    /// Brings the card up to date. A decision that comes in between must not get its buttons back, and an end must not be
    /// written over.
    pub(super) async fn refresh(&self, channel: &dyn Channel, head: &Head) -> Result<Result<(), DeliveryError>, StateError> {
        let Some(at) = &head.slack else { return Ok(Ok(())) };
        let glass = wait::has_glass(self.approval, channel);
        let approval = self.cases.approval(&head.id).await?;
        let Some(card) = cards::current(head, approval.as_ref().map(Approval::question).as_ref(), glass) else {
            return Ok(Ok(()));
        };
        let updated = channel.update(at, &card).await;
        let (newer, decided) = (self.cases.head(&head.id).await?, self.cases.approval(&head.id).await?);
        let newer = match newer.outcome {
            Some(outcome) => Some(self.outcome_card(&newer, outcome).await?),
            None if decided == approval => None,
            None => cards::current(&newer, decided.as_ref().map(Approval::question).as_ref(), glass),
        };
        Ok(match newer {
            Some(card) => channel.update(at, &card).await,
            None => updated,
        })
    }
}
