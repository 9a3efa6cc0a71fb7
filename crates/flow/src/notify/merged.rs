//! Later events of an open incident, reported now and then in the thread of its card, with their count.
//!
//! A thousand events make ten messages: at 1, 2, 5, 10, 20 and so on, and in between after ten minutes of silence. An item of its
//! own decides which of many executions reports, so that each step is reported once and the incident itself is not written.

use cordon_cards::{self as cards, Alert, Occasion};
use cordon_contract::{Delivery, NotifyOutput};
use cordon_core::IncidentId;
use cordon_core::incident::{Incident, MergedCalls, MergedEvent};
use cordon_store::{Told as ToldOf, Turn};
use jiff::{SignedDuration, Timestamp};

use super::card::Refreshed;
use super::{Notify, NotifyError, Told};
use crate::pace::{Posted, step_after};
use crate::ports::Channel;

const SILENCE: SignedDuration = SignedDuration::from_mins(10);
/// Of so many events, the names are read whenever people are told of one more.
const NAMED_MAX: u64 = 200;
const NOTHING: NotifyOutput = NotifyOutput { sns: Delivery::Skipped, slack: Delivery::Skipped };

impl Notify<'_> {
    pub(super) async fn merged(&self, id: &IncidentId) -> Result<NotifyOutput, NotifyError> {
        let now = self.clock.now();
        let told = self.store.told(id).await?;
        if !is_due(self.store.joined_count(id).await?, told, now) {
            return Ok(NOTHING);
        }
        let incident = self.with_joined(self.store.incident(id).await?).await?;
        let count = u64::from(incident.merges.merged);
        let next = ToldOf { count, at: now, version: told.map_or(1, |told| told.version + 1) };
        if incident.is_closed() || !self.store.take_telling(id, &next).await? {
            return Ok(NOTHING);
        }
        let sns = self.publish(&incident, Alert::of(&incident, Occasion::Merged)).await;
        let posted = match self.channel {
            Some(channel) => self.tell_in_thread(channel, &incident).await?,
            None => None,
        };
        let told = Told::new(&sns, posted);
        if told.failed() {
            // Without the new message as the card: it is one of the thread.
            self.record(id, &Told { message: None, ..told }).await?;
            return Ok(NotifyOutput { ..told.output });
        }
        Ok(told.output)
    }

    /// An incident with the events that have joined by now; the stored one has those of its last commit.
    pub(super) async fn with_joined(&self, mut incident: Incident) -> Result<Incident, NotifyError> {
        let counted = self.store.joined_count(&incident.id).await?;
        if counted > u64::from(incident.merges.folded) {
            let newest = self.store.newest_joined(&incident.id).await?;
            // What is told of one more event does not cost more the more there are: of a flood, the names are those of the last commit.
            if counted <= NAMED_MAX {
                incident.merges.merged_calls = MergedCalls::of(&self.store.joined(&incident.id).await?.events);
            }
            incident.merges.count(u32::try_from(counted).unwrap_or(u32::MAX), newest.as_ref().map(MergedEvent::from));
        }
        Ok(incident)
    }

    /// The card gets the count, its thread the news. Where there is no card yet, it will have the count when it comes.
    async fn tell_in_thread(&self, channel: &dyn Channel, incident: &Incident) -> Result<Option<Posted>, NotifyError> {
        let Some(at) = &incident.delivery.slack else { return Ok(None) };
        let note = cards::joined(incident);
        if at.ts.is_none() {
            return Ok(Some(self.post(channel, incident, Turn::Told, &note).await));
        }
        let said = channel.reply(at, &note).await;
        let updated = self.refresh(channel, incident).await?;
        Ok(Some(match (said, updated) {
            (Ok(message), Refreshed::Done) => Posted::Card(message),
            (Err(error), _) | (Ok(_), Refreshed::Failed(error)) => Posted::Failed(error),
        }))
    }
}

fn is_due(count: u64, told: Option<ToldOf>, now: Timestamp) -> bool {
    match told {
        None => count > 0,
        Some(told) if count <= told.count => false,
        Some(told) => count >= step_after(told.count) || now.duration_since(told.at) >= SILENCE,
    }
}
