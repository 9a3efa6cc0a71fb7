//! Findings: tells other tools about an incident when it opens and when it ends.
//!
//! INVARIANT: nothing here stops or delays messages to people, or changes: those come first. A destination that rejects a finding
//! is a line on the timeline, never an error of the state.

use cordon_core::chain;
use cordon_core::incident::Incident;
use cordon_core::timeline::{Kind, NewEntry};
use cordon_record::Finding;
use serde_json::{Map, Value, json};

use super::Notify;

impl Notify<'_> {
    /// Publishes the incident as it stands, everywhere.
    pub(super) async fn publish_finding(&self, incident: &Incident) {
        let finding = Finding { incident };
        let mut failed = Map::new();
        for place in self.findings {
            if let Err(error) = place.publish(&finding).await {
                tracing::warn!(place = place.name(), error = chain(&error), "a finding was not published");
                failed.insert(place.name().to_owned(), json!(chain(&error)));
            }
        }
        if failed.is_empty() {
            return;
        }
        let data = json!({"findings": "failed", "reasons": Value::Object(failed)});
        let entry = || Some(vec![NewEntry::cordon(Kind::Notified, data.clone())]);
        if let Err(error) = self.store.commit(&incident.id, self.clock.now(), |_| entry()).await {
            tracing::warn!(error = chain(&error), "the timeline does not say that a finding was not published");
        }
    }
}
