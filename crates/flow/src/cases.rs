//! Incidents in the table: claim an event, open or join an incident, commit a change with its timeline entries, keep an
//! approval, the steps of a plan, and what correlations count.
//!
//! INVARIANT: a header changes only together with the timeline entries that tell of the change, in one transaction that is
//! conditional on the version that was read. So the chain never forks, and of two writers one starts over.

mod approvals;
mod budget;
mod counts;
mod exceptions;
mod keys;
mod records;
mod steps;
mod switch;

use std::collections::BTreeSet;

use cordon_contract::{ErrorName, StateError};
use cordon_core::incident::{Head, State};
use cordon_core::timeline::{Entry, NewEntry};
use cordon_core::{Call, Event, EventId, Former, IncidentId, Principal};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

pub use approvals::{Approval, Ballot, UndoRequest, UndoState, Vote};
pub use budget::Budget;
pub use counts::Counted;
use keys::{event_key, head_key, incident_pk, log_key, open_key, shared_key, state_pk};
pub use steps::Steps;

use crate::known::{Known, Seen};
use crate::own_calls::{self, Announced};
use crate::ports::{Condition, Key, Store, StoreError, Write};
use crate::provenance::{self, Grant, Provenance};

/// EventBridge redelivers for a day and a dead-letter queue keeps for fourteen: a claim outlives both.
const CLAIM_DAYS: i64 = 30;
/// An open incident that nobody closed stops taking in events after this.
const OPEN_DAYS: i64 = 7;
/// How often a commit is tried against other writers before the state machine's own retry takes over.
const COMMIT_TRIES: u32 = 5;

#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no incident `{0}`")]
    NotFound(IncidentId),
    #[error("an item of the table cannot be read: {0}")]
    Unreadable(String),
}

impl From<CaseError> for StateError {
    fn from(error: CaseError) -> Self {
        match error {
            CaseError::Store(error) => error.into(),
            CaseError::NotFound(_) => Self::new(ErrorName::NotFound, error.to_string()),
            CaseError::Unreadable(_) => Self::new(ErrorName::Internal, error.to_string()),
        }
    }
}

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

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    Opened,
    Joined(IncidentId),
}

#[derive(Serialize, Deserialize)]
struct ClaimItem {
    incident: IncidentId,
    execution: String,
    expires_at: i64,
}

#[derive(Serialize, Deserialize)]
struct OpenItem {
    incident: IncidentId,
    version: u64,
    expires_at: i64,
}

/// The incidents of one table.
#[derive(Clone, Copy)]
pub struct Cases<'a> {
    store: &'a dyn Store,
}

impl<'a> Cases<'a> {
    #[must_use]
    pub fn new(store: &'a dyn Store) -> Self {
        Self { store }
    }

    /// Claims an event, and the call that it shares with another account's record, for an execution.
    pub async fn claim(
        &self,
        event: &EventId,
        shared: Option<&EventId>,
        incident: &IncidentId,
        execution: &str,
        now: Timestamp,
    ) -> Result<Claim, CaseError> {
        let item =
            ClaimItem { incident: incident.clone(), execution: execution.to_owned(), expires_at: in_days(now, CLAIM_DAYS) };
        let keys: Vec<Key> = std::iter::once(event_key(event)).chain(shared.map(shared_key)).collect();
        let writes = keys.iter().map(|key| put(key.clone(), &item, Condition::Absent)).collect::<Result<_, _>>()?;
        match self.store.write(writes).await {
            Ok(()) => return Ok(Claim::Mine),
            Err(StoreError::Condition) => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(found) = self.get::<ClaimItem>(&event_key(event)).await? {
            return Ok(match found {
                found if found.execution != execution => Claim::Taken(found.incident),
                // Our own claim, by an earlier try that found the call to be another incident's.
                found if found.incident != *incident => Claim::SharedWith(found.incident),
                _ => Claim::Mine,
            });
        }
        let Some(shared) = shared else { return Err(StoreError::Transient("a claim vanished".to_owned()).into()) };
        match self.get::<ClaimItem>(&shared_key(shared)).await? {
            Some(found) if found.execution != execution => {
                let own = ClaimItem { incident: found.incident.clone(), ..item };
                match self.store.write(vec![put(event_key(event), &own, Condition::Absent)?]).await {
                    Ok(()) => Ok(Claim::SharedWith(found.incident)),
                    Err(error) => Err(error.into()),
                }
            }
            _ => Err(StoreError::Transient("a claim vanished".to_owned()).into()),
        }
    }

    /// Opens the incident, or joins the open one of the same case.
    pub async fn open(&self, head: &mut Head, entry: NewEntry, now: Timestamp) -> Result<Opening, CaseError> {
        let case = open_key(head);
        let mut version = 1;
        let mut condition = Condition::Absent;
        if let Some(found) = self.get::<OpenItem>(&case).await? {
            match self.try_head(&found.incident).await? {
                Some(other) if other.id == head.id => {
                    *head = other;
                    return Ok(Opening::Opened);
                }
                // What nobody closed for so long (a stopped execution) takes no more events in.
                Some(other) if other.state != State::Closed && found.expires_at > now.as_second() => {
                    return Ok(Opening::Joined(other.id));
                }
                _ => {
                    condition = Condition::Version(found.version);
                    version = found.version + 1;
                }
            }
        }
        if let Some(own) = self.try_head(&head.id).await? {
            *head = own;
            return Ok(Opening::Opened);
        }
        let item = OpenItem { incident: head.id.clone(), version, expires_at: in_days(now, OPEN_DAYS) };
        let mut fresh = head.clone();
        self.write_head(&mut fresh, vec![entry], vec![put(case, &item, condition)?], now).await?;
        *head = fresh;
        Ok(Opening::Opened)
    }

    /// The table itself, for what is not an incident.
    #[must_use]
    pub fn store(&self) -> &'a dyn Store {
        self.store
    }

    pub async fn head(&self, id: &IncidentId) -> Result<Head, CaseError> {
        self.try_head(id).await?.ok_or_else(|| CaseError::NotFound(id.clone()))
    }

    pub async fn try_head(&self, id: &IncidentId) -> Result<Option<Head>, CaseError> {
        self.get(&head_key(id)).await
    }

    /// The incident that an execution opened for an event, by the execution's own claim. `None` where it opened none, or joined
    /// another's.
    pub async fn opened_by(&self, event: &EventId, execution: &str) -> Result<Option<IncidentId>, CaseError> {
        let Some(claim) = self.get::<ClaimItem>(&event_key(event)).await? else { return Ok(None) };
        let head = self.try_head(&claim.incident).await?;
        Ok(head.filter(|head| claim.execution == execution && head.execution == execution).map(|head| head.id))
    }

    pub async fn timeline(&self, id: &IncidentId) -> Result<Vec<Entry>, CaseError> {
        self.store.list(&incident_pk(id), "LOG#").await?.into_iter().map(decode).collect()
    }

    /// The newest incidents of a state.
    pub async fn by_state(&self, state: State, limit: u32) -> Result<Vec<Head>, CaseError> {
        self.store.by_state(&state_pk(state), limit).await?.into_iter().map(decode).collect()
    }

    /// Applies `change` to the newest header and writes it with the entries that `change` returns; starts over where another
    /// writer was first. `change` may decide on what it sees to write nothing, by returning `None`.
    pub async fn commit<F>(&self, id: &IncidentId, now: Timestamp, change: F) -> Result<Head, CaseError>
    where
        F: Fn(&mut Head) -> Option<Vec<NewEntry>> + Send + Sync,
    {
        self.commit_with(id, now, |head| change(head).map(|entries| (entries, Vec::new()))).await
    }

    /// As [`Cases::commit`], with further writes in the same transaction. A condition of theirs that fails is final.
    pub async fn commit_with<F>(&self, id: &IncidentId, now: Timestamp, change: F) -> Result<Head, CaseError>
    where
        F: Fn(&mut Head) -> Option<(Vec<NewEntry>, Vec<Write>)> + Send + Sync,
    {
        let mut tries = 0;
        loop {
            let before = self.head(id).await?;
            let mut head = before.clone();
            let Some((entries, extra)) = change(&mut head) else { return Ok(before) };
            match self.write_head(&mut head, entries, extra, now).await {
                Ok(()) => return Ok(head),
                Err(CaseError::Store(StoreError::Condition)) if tries < COMMIT_TRIES => {
                    tries += 1;
                    // The header is as it was read: then it was one of the further writes that did not hold.
                    if self.head(id).await?.version == before.version {
                        return Err(StoreError::Condition.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Ends the incident: no event joins it any more.
    pub async fn close<F>(&self, id: &IncidentId, now: Timestamp, change: F) -> Result<Head, CaseError>
    where
        F: Fn(&mut Head) -> Option<Vec<NewEntry>> + Send + Sync,
    {
        let found = self.head(id).await?;
        let case = open_key(&found);
        let holds_case = self.get::<OpenItem>(&case).await?.is_some_and(|open| open.incident == *id);
        self.commit_with(id, now, |head| {
            let entries = change(head)?;
            head.state = State::Closed;
            let release = holds_case.then(|| Write { key: case.clone(), item: None, condition: Condition::Always });
            Some((entries, release.into_iter().collect()))
        })
        .await
    }

    /// Who gave a principal an exception, where Cordon saw it.
    pub async fn provenance(&self, principal: &Principal, grant: Grant<'_>) -> Result<Option<Provenance>, CaseError> {
        self.get(&provenance::key(principal, grant)).await
    }

    /// Keeps what an event gave or took away, before anything is decided on it. Of two writers one starts over.
    pub async fn remember(&self, grants: Vec<(Key, Provenance)>) -> Result<(), CaseError> {
        for (key, provenance) in grants {
            let mut tries = 0;
            loop {
                let known: Option<Provenance> = self.get(&key).await?;
                let Some(next) = provenance.clone().after(known.as_ref()) else { break };
                let condition = known.map_or(Condition::Absent, |known| Condition::Version(known.version));
                match self.store.write(vec![put(key.clone(), &next, condition)?]).await {
                    Ok(()) => break,
                    Err(StoreError::Condition) if tries < COMMIT_TRIES => tries += 1,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    /// Keeps what an event set, and gives what stood there before, where that is known; of the first setting, which is what the
    /// event is about.
    pub async fn observe(&self, settings: Vec<(Key, Seen)>) -> Result<Option<Former>, CaseError> {
        let mut former = None;
        for (n, (key, seen)) in settings.into_iter().enumerate() {
            let known: Option<Known> = self.get(&key).await?;
            if n == 0 {
                former = Known::before(known.as_ref(), &seen);
            }
            let condition = known.as_ref().map_or(Condition::Absent, |known| Condition::Version(known.version));
            if let Some(next) = Known::after(known, seen) {
                self.store.write(vec![put(key, &next, condition)?]).await?;
            }
        }
        Ok(former)
    }

    /// Says that an undo is about to make these calls, so that their events open no incident.
    pub async fn announce(&self, calls: impl Iterator<Item = &Call> + Send, now: Timestamp) -> Result<(), CaseError> {
        let announced = Announced::now(now);
        let keys: BTreeSet<Key> = calls.map(own_calls::key_of_call).collect();
        let writes: Vec<Write> = keys.into_iter().map(|key| put(key, &announced, Condition::Always)).collect::<Result<_, _>>()?;
        // DynamoDB takes 100 writes in a transaction; a plan has far fewer calls.
        if writes.is_empty() { Ok(()) } else { Ok(self.store.write(writes).await?) }
    }

    /// Whether an undo had said that it would make this call.
    pub async fn is_announced(&self, event: &Event) -> Result<bool, CaseError> {
        let Some(made_at) = event.time else { return Ok(false) };
        let announced: Option<Announced> = self.get(&own_calls::key_of_event(event)).await?;
        Ok(announced.is_some_and(|announced| announced.covers(made_at)))
    }

    async fn write_head(
        &self,
        head: &mut Head,
        entries: Vec<NewEntry>,
        extra: Vec<Write>,
        now: Timestamp,
    ) -> Result<(), CaseError> {
        let condition = if head.version == 0 { Condition::Absent } else { Condition::Version(head.version) };
        head.version += 1;
        head.updated_at = now;
        let mut writes = Vec::with_capacity(entries.len() + extra.len() + 1);
        for new in entries {
            head.log_seq += 1;
            let entry = Entry::chain(new, head.log_seq, now, &head.last_hash);
            head.last_hash.clone_from(&entry.hash);
            writes.push(put(log_key(&head.id, head.log_seq), &entry, Condition::Absent)?);
        }
        let mut item = serde_json::to_value(&*head).map_err(unreadable)?;
        if let Value::Object(map) = &mut item {
            map.insert("gsi1pk".to_owned(), json!(state_pk(head.state)));
            map.insert("gsi1sk".to_owned(), json!(format!("{}#{}", head.opened_at, head.id)));
            if let Some(arn) = &head.actor.arn {
                map.insert("gsi2pk".to_owned(), json!(format!("PRINCIPAL#{arn}")));
                map.insert("gsi2sk".to_owned(), json!(head.opened_at.to_string()));
            }
        }
        writes.push(Write { key: head_key(&head.id), item: Some(item), condition });
        writes.extend(extra);
        Ok(self.store.write(writes).await?)
    }

    async fn get<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, CaseError> {
        self.store.get(key).await?.map(decode).transpose()
    }
}

fn decode<T: DeserializeOwned>(item: Value) -> Result<T, CaseError> {
    serde_json::from_value(item).map_err(unreadable)
}

fn put<T: Serialize>(key: Key, item: &T, condition: Condition) -> Result<Write, CaseError> {
    Ok(Write { key, item: Some(serde_json::to_value(item).map_err(unreadable)?), condition })
}

fn unreadable(error: serde_json::Error) -> CaseError {
    CaseError::Unreadable(error.to_string())
}

fn in_days(now: Timestamp, days: i64) -> i64 {
    now.as_second() + days * 24 * 3600
}
