//! Claims on events: an event belongs to the execution that claimed it first, however often it is delivered.
//!
//! A claim counts only while something came of it. Where its execution died before any incident had the event, the next delivery takes
//! it over. Two executions of one event never answer it twice: the incident's id is the event's, and so is its item where it joined.

use cordon_core::{EventId, IncidentId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::table::{Condition, Key};
use crate::{Store, StoreError, in_days, keys, put};

/// EventBridge redelivers for a day and a dead-letter queue keeps for fourteen: a claim outlives both.
const CLAIM_DAYS: i64 = 30;
/// For so long, the other record of the same call is taken to be judged at this very moment.
const SHARED_WAITS: SignedDuration = SignedDuration::from_secs(20);

/// What became of a claim on an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// This execution's, now or by an earlier try.
    Mine,
    /// Another execution's, which gave it to this incident.
    Taken(IncidentId),
    /// The incident that has the event, or is about to: by another account's record of the same call, or by an earlier try.
    SharedWith(IncidentId),
}

#[derive(Clone, Serialize, Deserialize)]
struct ClaimItem {
    incident: IncidentId,
    execution: String,
    expires_at: i64,
    #[serde(default)]
    claimed_at: Option<Timestamp>,
}

impl ClaimItem {
    fn new(incident: &IncidentId, execution: &str, now: Timestamp) -> Self {
        Self {
            incident: incident.clone(),
            execution: execution.to_owned(),
            expires_at: in_days(now, CLAIM_DAYS),
            claimed_at: Some(now),
        }
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        self.claimed_at.is_some_and(|at| now.duration_since(at) < SHARED_WAITS)
    }
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
        let item = ClaimItem::new(incident, execution, now);
        let keys: Vec<Key> = std::iter::once(keys::event(event)).chain(shared.map(keys::shared_event)).collect();
        let writes = keys.iter().map(|key| put(key.clone(), &item, Condition::Absent)).collect::<Result<_, _>>()?;
        match self.write(writes).await {
            Ok(()) => return Ok(Claim::Mine),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error),
        }
        let found: Option<ClaimItem> = self.get(&keys::event(event)).await?;
        if let Some(found) = found.as_ref().filter(|found| found.execution != execution)
            && self.find(&found.incident).await?.is_some()
        {
            return Ok(Claim::Taken(found.incident.clone()));
        }
        let of_call = match shared {
            Some(shared) => self.get::<ClaimItem>(&keys::shared_event(shared)).await?,
            None => None,
        };
        if let Some(other) = of_call.filter(|other| other.execution != execution)
            && (other.is_fresh(now) || self.find(&other.incident).await?.is_some())
        {
            self.keep_claims(event, None, &other.incident, execution, now).await?;
            return Ok(Claim::SharedWith(other.incident));
        }
        match found.filter(|found| found.execution == execution) {
            Some(own) if own.incident == *incident => Ok(Claim::Mine),
            // Our own claim, by an earlier try that found the event to be another incident's.
            Some(own) if self.find(&own.incident).await?.is_some() => Ok(Claim::SharedWith(own.incident)),
            Some(_) | None => {
                self.keep_claims(event, shared, incident, execution, now).await?;
                Ok(Claim::Mine)
            }
        }
    }

    /// Claims the call that an event's record shares with another account's, for records of it that want nothing done. Where the
    /// other record has it already, it stays that one's.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_call(
        &self,
        shared: &EventId,
        incident: &IncidentId,
        execution: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let item = ClaimItem::new(incident, execution, now);
        match self.write(vec![put(keys::shared_event(shared), &item, Condition::Absent)?]).await {
            Err(error) if error.is_conflict() => Ok(()),
            result => result,
        }
    }

    /// The incident that has an event, whoever claimed it. It claims nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn answered_by(&self, event: &EventId) -> Result<Option<IncidentId>, StoreError> {
        let Some(claim) = self.get::<ClaimItem>(&keys::event(event)).await? else { return Ok(None) };
        Ok(self.find(&claim.incident).await?.map(|incident| incident.id))
    }

    /// Writes the claims on an event whatever they said before.
    pub(crate) async fn keep_claims(
        &self,
        event: &EventId,
        shared: Option<&EventId>,
        incident: &IncidentId,
        execution: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let item = ClaimItem::new(incident, execution, now);
        let keys = std::iter::once(keys::event(event)).chain(shared.map(keys::shared_event));
        let writes = keys.map(|key| put(key, &item, Condition::Always)).collect::<Result<_, _>>()?;
        self.write(writes).await
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
