//! A state that failed for good: recorded on the incident, if there is one, and reported.

use std::sync::Mutex;

use cordon_cards::{Alert, Failure, Occasion};
use cordon_contract::NotifyOutput;
use cordon_core::incident::{Incident, Outcome};
use cordon_core::json::set;
use cordon_core::timeline::{Kind, NewEntry};
use cordon_core::{EventId, IncidentId, Level, chain};
use cordon_store::{StoreError, Turn, UndoRequest, UndoState};
use serde_json::json;

use super::{Notify, NotifyError, Told};
use crate::destination::destination;
use crate::pace::Posted;
use crate::ports::Channel;

impl Notify<'_> {
    pub(super) async fn failure(
        &self,
        id: Option<&IncidentId>,
        execution: &str,
        state: &str,
        error: &str,
        cause: &str,
    ) -> Result<NotifyOutput, NotifyError> {
        let found = match id {
            Some(id) => match self.record_failure(id, execution, state, error, cause).await {
                Ok(incident) => Some(incident),
                Err(StoreError::NotFound(_)) => None,
                Err(error) => return Err(error.into()),
            },
            None => None,
        };
        let notice = Failure { incident: id, execution, state, error, cause }.message();
        let place = found.as_ref().map(|incident| destination(self.notifications, incident)).unwrap_or_default();
        let mut alert = match &found {
            Some(incident) => Alert::of(incident, Occasion::Failure),
            None => Alert::without_incident(&format!("[Cordon] FAILED in {state}: {error}"), Occasion::Failure),
        };
        alert.topic = place.topic.map(str::to_owned);
        alert.add("execution", &json!(execution));
        alert.add("failure", &json!({"state": state, "error": error, "cause": cause}));
        let sns = self.publisher.publish(&alert).await;
        let posted = match self.channel {
            Some(channel) => Some(self.pace().post(channel, place.channel, Turn::Urgent, Level::High, &notice).await),
            None => None,
        };
        if let (Some(channel), Some(incident)) = (self.channel, &found) {
            self.show_how_far(channel, incident).await?;
        }
        if let Some(incident) = &found {
            self.publish_finding(incident).await;
        }
        Told::new(&sns, posted).or_nobody()
    }

    /// The card says what was done, what was not and what is not known, by the stored steps, with the Undo button where something
    /// may stand. The notice beside it is only there to be heard: an edited card makes no sound.
    async fn show_how_far(&self, channel: &dyn Channel, incident: &Incident) -> Result<(), NotifyError> {
        let Some(outcome) = incident.outcome else { return Ok(()) };
        let card = self.outcome_card(incident, outcome).await?;
        let shown = match incident.thread() {
            Some(at) => channel.update(at, &card).await.map_or_else(Posted::Failed, |()| Posted::Card(at.clone())),
            // What a webhook posted cannot be changed, and where no card stands, a change needs one to be undone from.
            None if incident.delivery.slack.is_some() || self.has_begun(incident).await? => {
                self.post(channel, incident, Turn::Urgent, &card).await
            }
            None => return Ok(()),
        };
        let told = Told::new(&Ok(()), Some(shown));
        let mut data = json!({"about": "failure", "slack": told.output.slack});
        if let Some(failed) = told.failures.first() {
            set(&mut data, "reasons", json!([chain(failed)]));
        }
        self.store
            .commit(&incident.id, self.clock.now(), |incident| {
                if let Some(message) = &told.message {
                    incident.delivery.slack = Some(message.clone());
                }
                Some(vec![NewEntry::cordon(Kind::Notified, data.clone())])
            })
            .await?;
        Ok(())
    }

    async fn has_begun(&self, incident: &Incident) -> Result<bool, StoreError> {
        for n in 1..=incident.assessment.plan.steps.len() {
            if self.store.step(&incident.id, n).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// `Classify` can fail after it opened an incident. One that cannot be looked up is told of without its id.
    pub(super) async fn opened_before_it_failed(&self, event: Option<&str>, execution: &str) -> Option<IncidentId> {
        let event: EventId = event?.parse().ok()?;
        for event in [event.untrusted(), event] {
            match self.store.opened_by(&event, execution).await {
                Ok(None) => {}
                Ok(opened) => return opened,
                Err(error) => tracing::warn!(error = chain(&error), "what a failed execution had opened cannot be looked up"),
            }
        }
        None
    }

    /// Ends an open incident as failed. A closed one keeps its outcome: what failed is its last message, or an undo.
    async fn record_failure(
        &self,
        id: &IncidentId,
        execution: &str,
        state: &str,
        error: &str,
        cause: &str,
    ) -> Result<Incident, StoreError> {
        let data = json!({"state": state, "error": error, "cause": cause});
        let mut beside = data.clone();
        set(&mut beside, "execution", json!(execution));
        let found = self.store.incident(id).await?;
        if found.is_closed() {
            if found.outcome == Some(Outcome::Failed) && found.execution == execution {
                return Ok(found);
            }
            self.end_undo(&found, execution, error).await?;
            return self
                .store
                .commit(id, self.clock.now(), |_| Some(vec![NewEntry::cordon(Kind::Failure, beside.clone())]))
                .await;
        }
        let counted = Mutex::new(None);
        let failed = self
            .store
            .close(id, self.clock.now(), |incident| {
                if incident.is_closed() {
                    return None;
                }
                incident.outcome = Some(Outcome::Failed);
                if let Ok(mut counted) = counted.lock() {
                    *counted = incident.delivery.summarised.take();
                }
                Some(vec![
                    NewEntry::cordon(Kind::Failure, data.clone()),
                    NewEntry::cordon(Kind::Closed, json!({"outcome": Outcome::Failed})),
                ])
            })
            .await?;
        self.settle(counted).await;
        Ok(failed)
    }

    /// An undo runs in an execution of its own. One that failed is over, so that the next click may start another at once.
    async fn end_undo(&self, incident: &Incident, execution: &str, error: &str) -> Result<(), StoreError> {
        if incident.execution == execution {
            return Ok(());
        }
        let Some(found) = self.store.undo_request(&incident.id).await? else { return Ok(()) };
        if found.state != UndoState::Requested {
            return Ok(());
        }
        let failed = format!("the undo failed with {error}; `cordon incident show` tells how far it came. Press Undo again");
        let over =
            UndoRequest { version: found.version + 1, state: UndoState::Done, result: vec![failed], complete: false, ..found };
        self.store.write_undo(&incident.id, &over).await
    }
}
