//! A state that failed for good: recorded on the incident, if there is one, and reported.

use cordon_cards::{Alert, Failure, Occasion};
use cordon_contract::NotifyOutput;
use cordon_core::incident::{Incident, Outcome};
use cordon_core::json::set;
use cordon_core::timeline::{Kind, NewEntry};
use cordon_core::{EventId, IncidentId};
use cordon_store::{StoreError, Turn};
use serde_json::json;

use super::{Notify, NotifyError, Told};
use crate::destination::destination;

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
            Some(id) => match self.record_failure(id, state, error, cause).await {
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
        set(&mut alert.body, "execution", json!(execution));
        set(&mut alert.body, "failure", json!({"state": state, "error": error, "cause": cause}));
        let sns = self.publisher.publish(&alert).await;
        let posted = match self.channel {
            Some(channel) => Some(self.pace().post(channel, place.channel, Turn::Wanted, &notice).await),
            None => None,
        };
        if let Some(incident) = &found {
            self.publish_finding(incident).await;
        }
        Told::new(&sns, posted).or_nobody()
    }

    /// `Classify` can fail after it opened an incident. One that cannot be looked up is told of without its id.
    pub(super) async fn opened_before_it_failed(&self, event: Option<&str>, execution: &str) -> Option<IncidentId> {
        let event: EventId = event?.parse().ok()?;
        self.store.opened_by(&event, execution).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "what a failed execution had opened cannot be looked up");
            None
        })
    }

    async fn record_failure(&self, id: &IncidentId, state: &str, error: &str, cause: &str) -> Result<Incident, StoreError> {
        let data = json!({"state": state, "error": error, "cause": cause});
        self.store
            .close(id, self.clock.now(), |incident| {
                if incident.is_closed() {
                    return None;
                }
                incident.outcome = Some(Outcome::Failed);
                Some(vec![
                    NewEntry::cordon(Kind::Failure, data.clone()),
                    NewEntry::cordon(Kind::Closed, json!({"outcome": Outcome::Failed})),
                ])
            })
            .await
    }
}
