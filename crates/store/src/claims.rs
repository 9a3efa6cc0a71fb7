//! Claims on events: an event belongs to the execution that claimed it first, however often it is delivered.

use cordon_core::{EventId, IncidentId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::table::{Condition, Key, TableError};
use crate::{Store, StoreError, in_days, keys, put};

/// EventBridge redelivers for a day and a dead-letter queue keeps for fourteen: a claim outlives both.
const CLAIM_DAYS: i64 = 30;

/// What became of a claim on an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// This execution's, now or by an earlier try.
    Mine,
    /// Another execution's.
    Taken(IncidentId),
    /// The same call, recorded in another account, is another execution's.
    SharedWith(IncidentId),
}

#[derive(Serialize, Deserialize)]
struct ClaimItem {
    incident: IncidentId,
    execution: String,
    expires_at: i64,
}

impl Store<'_> {
    /// Claims an event, and the call that it shares with another account's record, for an execution.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim(
        &self,
        event: &EventId,
        shared: Option<&EventId>,
        incident: &IncidentId,
        execution: &str,
        now: Timestamp,
    ) -> Result<Claim, StoreError> {
        let item =
            ClaimItem { incident: incident.clone(), execution: execution.to_owned(), expires_at: in_days(now, CLAIM_DAYS) };
        let keys: Vec<Key> = std::iter::once(keys::event(event)).chain(shared.map(keys::shared_event)).collect();
        let writes = keys.iter().map(|key| put(key.clone(), &item, Condition::Absent)).collect::<Result<_, _>>()?;
        match self.write(writes).await {
            Ok(()) => return Ok(Claim::Mine),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error),
        }
        if let Some(found) = self.get::<ClaimItem>(&keys::event(event)).await? {
            return Ok(match found {
                found if found.execution != execution => Claim::Taken(found.incident),
                // Our own claim, by an earlier try that found the call to be another incident's.
                found if found.incident != *incident => Claim::SharedWith(found.incident),
                _ => Claim::Mine,
            });
        }
        let Some(shared) = shared else { return Err(vanished()) };
        match self.get::<ClaimItem>(&keys::shared_event(shared)).await? {
            Some(found) if found.execution != execution => {
                let joined = ClaimItem { incident: found.incident.clone(), ..item };
                match self.write(vec![put(keys::event(event), &joined, Condition::Absent)?]).await {
                    Ok(()) => Ok(Claim::SharedWith(found.incident)),
                    Err(error) => Err(error),
                }
            }
            _ => Err(vanished()),
        }
    }

    /// The incident that an execution opened for an event, by the execution's own claim. `None` where it opened none, or joined
    /// another's.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn opened_by(&self, event: &EventId, execution: &str) -> Result<Option<IncidentId>, StoreError> {
        let Some(claim) = self.get::<ClaimItem>(&keys::event(event)).await? else { return Ok(None) };
        let incident = self.find(&claim.incident).await?;
        Ok(incident
            .filter(|incident| claim.execution == execution && incident.execution == execution)
            .map(|incident| incident.id))
    }
}

/// Somebody deleted it in this moment, or it expired.
fn vanished() -> StoreError {
    TableError::Transient("a claim vanished".to_owned()).into()
}
