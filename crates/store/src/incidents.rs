//! Incidents: opened or joined, read, changed together with their timeline, closed.
//!
//! INVARIANT: a header changes only together with the timeline entries that tell of the change, in one transaction that is
//! conditional on the version that was read. So the chain never forks, and of two writers one starts over. Later events of the case
//! do not change it at all: they are items of their own ([`crate::joined`]).

use cordon_core::IncidentId;
use cordon_core::incident::{Incident, State};
use cordon_core::timeline::{Entry, NewEntry};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::table::{Condition, TableError, Write};
use crate::{Store, StoreError, TRIES, decode, in_days, keys, put};

/// An open incident that nobody closed stops taking in events after this.
const OPEN_DAYS: i64 = 7;

/// What became of an incident that was to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// It is open, now or by an earlier try.
    Opened,
    /// Another execution has opened it, for a redelivery of the same event.
    Taken(IncidentId),
    /// Another one is open for the same case, and may take the event in.
    Joined(IncidentId),
}

#[derive(Serialize, Deserialize)]
struct OpenItem {
    incident: IncidentId,
    version: u64,
    expires_at: i64,
}

impl Store<'_> {
    /// Opens the incident, or finds the open one of the same case. One try: where another writer was first, that is a conflict.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open(&self, incident: &mut Incident, entry: NewEntry, now: Timestamp) -> Result<Opening, StoreError> {
        let case = keys::open(incident);
        let mut version = 1;
        let mut condition = Condition::Absent;
        if let Some(found) = self.get::<OpenItem>(&case).await? {
            match self.find(&found.incident).await? {
                Some(other) if other.id == incident.id => return Ok(opened_before(incident, other)),
                // What nobody closed for so long (a stopped execution) takes no more events in.
                Some(other) if other.takes_more(now) && found.expires_at > now.as_second() => {
                    return Ok(Opening::Joined(other.id));
                }
                _ => {
                    condition = Condition::Version(found.version);
                    version = found.version + 1;
                }
            }
        }
        if let Some(own) = self.find(&incident.id).await? {
            return Ok(opened_before(incident, own));
        }
        let item = OpenItem { incident: incident.id.clone(), version, expires_at: in_days(now, OPEN_DAYS) };
        let mut fresh = incident.clone();
        self.write_incident(&mut fresh, vec![entry], vec![put(case, &item, condition)?], now).await?;
        *incident = fresh;
        Ok(Opening::Opened)
    }

    /// The incident's header.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where there is none, or [`StoreError`].
    pub async fn incident(&self, id: &IncidentId) -> Result<Incident, StoreError> {
        self.find(id).await?.ok_or_else(|| StoreError::NotFound(id.clone()))
    }

    /// The incident's header; `None` where there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find(&self, id: &IncidentId) -> Result<Option<Incident>, StoreError> {
        self.get(&keys::incident(id)).await
    }

    /// The incident's timeline, the oldest entry first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn timeline(&self, id: &IncidentId) -> Result<Vec<Entry>, StoreError> {
        self.table.list(&keys::incident_partition(id), keys::TIMELINE).await?.into_iter().map(decode).collect()
    }

    /// The newest incidents of a state.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn by_state(&self, state: State, limit: u32) -> Result<Vec<Incident>, StoreError> {
        self.table.by_state(&keys::state_partition(state), limit).await?.into_iter().map(decode).collect()
    }

    /// Applies `change` to the newest header and writes it with the entries that `change` returns; starts over where another
    /// writer was first. `change` may decide on what it sees to write nothing, by returning `None`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit<F>(&self, id: &IncidentId, now: Timestamp, change: F) -> Result<Incident, StoreError>
    where
        F: Fn(&mut Incident) -> Option<Vec<NewEntry>> + Send + Sync,
    {
        self.commit_with(id, now, |incident| change(incident).map(|entries| (entries, Vec::new()))).await
    }

    /// As [`Store::commit`], with further writes in the same transaction. A condition of theirs that fails is final.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn commit_with<F>(&self, id: &IncidentId, now: Timestamp, change: F) -> Result<Incident, StoreError>
    where
        F: Fn(&mut Incident) -> Option<(Vec<NewEntry>, Vec<Write>)> + Send + Sync,
    {
        let mut tries = 0;
        loop {
            let before = self.incident(id).await?;
            let mut incident = before.clone();
            let Some((entries, extra)) = change(&mut incident) else { return Ok(before) };
            match self.write_incident(&mut incident, entries, extra, now).await {
                Ok(()) => return Ok(incident),
                Err(error) if error.is_conflict() && tries < TRIES => {
                    tries += 1;
                    self.pause(tries).await;
                    // The header is as it was read: then it was one of the further writes that did not hold.
                    if self.incident(id).await?.version == before.version {
                        return Err(TableError::Condition.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Ends the incident: no event joins it any more. The case's own item stays, and points to an incident that is over; the next
    /// event takes its place.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn close<F>(&self, id: &IncidentId, now: Timestamp, change: F) -> Result<Incident, StoreError>
    where
        F: Fn(&mut Incident) -> Option<Vec<NewEntry>> + Send + Sync,
    {
        let joined = self.joined(id).await?;
        self.commit(id, now, |incident| {
            let entries = change(incident)?;
            incident.state = State::Closed;
            Some(joined.fold_into(incident).into_iter().chain(entries).collect())
        })
        .await
    }

    async fn write_incident(
        &self,
        incident: &mut Incident,
        entries: Vec<NewEntry>,
        extra: Vec<Write>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let condition = if incident.version == 0 { Condition::Absent } else { Condition::Version(incident.version) };
        incident.version += 1;
        incident.updated_at = now;
        let mut writes = Vec::with_capacity(entries.len() + extra.len() + 1);
        for new in entries {
            incident.log_seq += 1;
            let entry = Entry::chain(new, incident.log_seq, now, &incident.last_hash);
            incident.last_hash.clone_from(&entry.hash);
            writes.push(put(keys::timeline(&incident.id, incident.log_seq), &entry, Condition::Absent)?);
        }
        let mut item = serde_json::to_value(&*incident).map_err(StoreError::Unwritable)?;
        if let Value::Object(map) = &mut item {
            map.insert("gsi1pk".to_owned(), json!(keys::state_partition(incident.state)));
            map.insert("gsi1sk".to_owned(), json!(keys::state_order(incident)));
            if let Some(arn) = &incident.actor.arn {
                map.insert("gsi2pk".to_owned(), json!(keys::principal_partition(arn)));
                map.insert("gsi2sk".to_owned(), json!(incident.opened_at.to_string()));
            }
        }
        writes.push(Write { key: keys::incident(&incident.id), item: Some(item), condition });
        writes.extend(extra);
        self.write(writes).await
    }
}

/// By an earlier try of this execution, or by another one.
fn opened_before(incident: &mut Incident, found: Incident) -> Opening {
    if found.execution != incident.execution {
        return Opening::Taken(found.id);
    }
    *incident = found;
    Opening::Opened
}
