//! Later events of an open incident, reported now and then in the thread of its card, with their count.
//!
//! A thousand events make ten messages: at 1, 2, 5, 10, 20 and so on, and in between after ten minutes of silence. The incident's
//! version decides which of many executions reports, so that each step is reported once.

use std::sync::atomic::{AtomicBool, Ordering};

use cordon_cards::{self as cards, Alert, Occasion};
use cordon_contract::{Delivery, NotifyOutput};
use cordon_core::IncidentId;
use cordon_core::incident::{Incident, MergedTold};
use cordon_core::timeline::{Kind, NewEntry};
use cordon_store::Turn;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::card::Refreshed;
use super::{Notify, NotifyError, Told};
use crate::pace::{Posted, step_after};
use crate::ports::Channel;

const SILENCE: SignedDuration = SignedDuration::from_mins(10);
const NOTHING: NotifyOutput = NotifyOutput { sns: Delivery::Skipped, slack: Delivery::Skipped };

impl Notify<'_> {
    pub(super) async fn merged(&self, id: &IncidentId) -> Result<NotifyOutput, NotifyError> {
        let now = self.clock.now();
        if !is_due(&self.store.incident(id).await?, now) {
            return Ok(NOTHING);
        }
        let mine = AtomicBool::new(false);
        let incident = self
            .store
            .commit(id, now, |incident| {
                let due = is_due(incident, now);
                mine.store(due, Ordering::Relaxed);
                if !due {
                    return None;
                }
                incident.delivery.merged_told = Some(MergedTold { count: incident.merges.merged, at: now });
                Some(vec![NewEntry::cordon(Kind::Notified, json!({"about": "merged", "count": incident.merges.merged}))])
            })
            .await?;
        if !mine.load(Ordering::Relaxed) {
            return Ok(NOTHING);
        }
        let sns = self.publish(&incident, Alert::of(&incident, Occasion::Merged)).await;
        let posted = match self.channel {
            Some(channel) => Some(self.tell_in_thread(channel, &incident).await?),
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

    /// The card gets the count, its thread the news. Where there is no card yet, it will have the count when it comes.
    async fn tell_in_thread(&self, channel: &dyn Channel, incident: &Incident) -> Result<Posted, NotifyError> {
        let Some(at) = &incident.delivery.slack else { return Ok(Posted::InSummary) };
        let note = cards::joined(incident);
        if at.ts.is_none() {
            return Ok(self.post(channel, incident, Turn::Told, &note).await);
        }
        let said = channel.reply(at, &note).await;
        let updated = self.refresh(channel, incident).await?;
        Ok(match (said, updated) {
            (Ok(message), Refreshed::Done) => Posted::Card(message),
            (Err(error), _) | (Ok(_), Refreshed::Failed(error)) => Posted::Failed(error),
        })
    }
}

fn is_due(incident: &Incident, now: Timestamp) -> bool {
    if incident.is_closed() {
        return false;
    }
    match incident.delivery.merged_told {
        None => incident.merges.merged > 0,
        Some(told) if incident.merges.merged <= told.count => false,
        Some(told) => {
            u64::from(incident.merges.merged) >= step_after(u64::from(told.count)) || now.duration_since(told.at) >= SILENCE
        }
    }
}
