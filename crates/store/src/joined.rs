//! Later events that joined an incident: an item each, and how many people were told of.
//!
//! INVARIANT: joining writes nothing that a decision or a question is written to, so that a thousand events never delay either. What
//! one event costs does not depend on how many came before it.

use cordon_core::incident::{Incident, JoinedEvent, MergedCalls, MergedEvent};
use cordon_core::timeline::{Kind, NewEntry};
use cordon_core::{EventId, IncidentId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::table::{Condition, End};
use crate::{Store, StoreError, decode, follows, in_days, keys, put};

/// How many are read at once. What is beyond is counted, and not named.
const LISTED_MAX: u32 = 10_000;
/// How many of the first and of the last an entry of the timeline names.
const NAMED: usize = 5;
/// A count serves for telling people, and outlives every question.
const COUNT_DAYS: i64 = 30;

/// How many events people have been told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// So many.
    pub count: u64,
    /// When that was told.
    pub at: Timestamp,
    /// Counts the writes, from 1.
    pub version: u64,
}

/// The events that have joined an incident, in the order of their times.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Joined {
    /// Those that the incident answers.
    pub events: Vec<JoinedEvent>,
    /// Whether there are more than are read at once.
    pub more: bool,
}

impl Joined {
    /// The time of the newest event.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        self.events.iter().filter_map(|joined| joined.time).max()
    }

    /// Brings the header's count up to date, with the entry that tells of the events which are new to it: how many there are, a
    /// digest over the ids of all of them, and the first and the last by name. None where none is new.
    pub fn fold_into(&self, incident: &mut Incident) -> Option<NewEntry> {
        let count = u32::try_from(self.events.len()).unwrap_or(u32::MAX);
        if count <= incident.merges.folded {
            return None;
        }
        incident.merges.count(count, self.events.last().map(MergedEvent::from));
        incident.merges.merged_calls = MergedCalls::of(&self.events);
        let named = |joined: &JoinedEvent| json!({"event": joined.event, "event_name": joined.name, "event_time": joined.time, "actor": joined.actor});
        let first: Vec<_> = self.events.iter().take(NAMED).map(named).collect();
        let last: Vec<_> = self.events.iter().skip(NAMED.max(self.events.len().saturating_sub(NAMED))).map(named).collect();
        let digest = cordon_core::incident::digest_of(self.events.iter().map(|joined| &joined.event));
        let data = json!({"count": count, "more": self.more, "digest": digest, "first": first, "last": last});
        Some(NewEntry::cordon(Kind::Merged, data))
    }
}

impl Store<'_> {
    /// Puts an event down as joined; `false` where it was before. One that had left joins again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_joined(&self, id: &IncidentId, joined: &JoinedEvent) -> Result<bool, StoreError> {
        let key = keys::joined(id, joined);
        match self.write(vec![put(key.clone(), joined, Condition::Absent)?]).await {
            Ok(()) => return Ok(true),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error),
        }
        let found: Option<JoinedEvent> = self.get(&key).await?;
        let had_left = found.is_some_and(|found| found.answered_by.is_some());
        if had_left {
            self.write(vec![put(key, joined, Condition::Always)?]).await?;
        }
        Ok(had_left)
    }

    /// Notes that another incident answers an event which had joined.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_left(&self, id: &IncidentId, joined: &JoinedEvent) -> Result<(), StoreError> {
        self.write(vec![put(keys::joined(id, joined), joined, Condition::Always)?]).await
    }

    /// The events that have joined by now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn joined(&self, id: &IncidentId) -> Result<Joined, StoreError> {
        let items = self.table.page(&keys::incident_partition(id), keys::JOINED, End::First, LISTED_MAX).await?;
        let more = u32::try_from(items.len()).is_ok_and(|read| read >= LISTED_MAX);
        let events = items.into_iter().map(decode).collect::<Result<Vec<JoinedEvent>, _>>()?;
        Ok(Joined { events: events.into_iter().filter(|joined| joined.answered_by.is_none()).collect(), more })
    }

    /// The newest event that has joined, by the time of its call.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn newest_joined(&self, id: &IncidentId) -> Result<Option<JoinedEvent>, StoreError> {
        let mut items = self.table.page(&keys::incident_partition(id), keys::JOINED, End::Last, 1).await?;
        items.pop().map(decode).transpose()
    }

    /// Counts one more event that has joined.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_joined(&self, id: &IncidentId, now: Timestamp) -> Result<u64, StoreError> {
        Ok(self.table.count(&keys::joined_count(id), in_days(now, COUNT_DAYS)).await?)
    }

    /// About how many events have joined: one is missing where a function died between the event and its count. For telling.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn joined_count(&self, id: &IncidentId) -> Result<u64, StoreError> {
        let found = self.table.get(&keys::joined_count(id)).await?;
        Ok(found.and_then(|item| item.get("n")?.as_u64()).unwrap_or(0))
    }

    /// What people have been told of joined events.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn told(&self, id: &IncidentId) -> Result<Option<Told>, StoreError> {
        self.get(&keys::told(id)).await
    }

    /// Takes it on to tell people; `false` where another execution was first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take_telling(&self, id: &IncidentId, told: &Told) -> Result<bool, StoreError> {
        match self.write(vec![put(keys::told(id), told, follows(told.version))?]).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_conflict() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Notes on the claims of an event, and of the call that it shares with another account's record, which incident answers it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn point_claim(
        &self,
        event: &EventId,
        shared: Option<&EventId>,
        incident: &IncidentId,
        execution: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.keep_claims(event, shared, incident, execution, now).await
    }
}
