//! The counts of correlations, one item for each group.
//!
//! INVARIANT: an event is counted once, no matter how often it arrives: a window knows its members by event id, and is written on
//! the condition that nobody wrote it since it was read.

use cordon_core::{Cause, EventId, IncidentId};
use cordon_detect::{Count, Tally, Window};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::table::{Condition, TableError};
use crate::{Store, StoreError, keys, put};

/// How often counting is tried against others who count the same group, before the state machine's own retry takes over.
const COUNT_TRIES: u32 = 12;
/// A group of which nothing is heard for so long, beyond its timespan, is forgotten: bursts end within a day.
const KEPT_SECONDS: i64 = 2 * 24 * 3600;

#[derive(Default, Serialize, Deserialize)]
struct CountItem {
    version: u64,
    window: Window,
    expires_at: i64,
}

/// What a count came to, with what was counted.
pub struct Counted {
    /// Whether it is reached.
    pub count: Count,
    /// What was seen, oldest first: the names of the calls, and when (Unix seconds).
    pub seen: Vec<(String, i64)>,
}

impl Store<'_> {
    /// Counts an event for a correlation. `own` is the incident that the event would open.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count(
        &self,
        tally: &Tally,
        event: &EventId,
        at: Timestamp,
        own: &IncidentId,
        now: Timestamp,
    ) -> Result<Counted, StoreError> {
        let mut tries = 0;
        loop {
            let found: Option<CountItem> = self.get(&keys::count(tally)).await?;
            let mut item = found.unwrap_or_default();
            let before = item.window.clone();
            let count = item.window.add(tally, event, at.as_second(), own.as_str());
            let seen = item.window.seen().map(|(what, at)| (what.to_owned(), at)).collect();
            if item.window == before {
                return Ok(Counted { count, seen });
            }
            match self.keep(tally, item, now).await {
                Ok(()) => return Ok(Counted { count, seen }),
                // Others count faster. That the burst is known is all this event needs.
                Err(error) if error.is_transient() && matches!(count, Count::Joined(_)) => {
                    return Ok(Counted { count, seen });
                }
                Err(error) if error.is_conflict() && tries < COUNT_TRIES => {
                    tries += 1;
                    self.pause(tries).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Tells later events of a burst which incident it became part of, where that is not the one its first event would open.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn point_burst(&self, tally: &Tally, from: &str, to: &IncidentId, now: Timestamp) -> Result<(), StoreError> {
        for tries in 1..=COUNT_TRIES {
            let Some(mut item) = self.get::<CountItem>(&keys::count(tally)).await? else { return Ok(()) };
            let before = item.window.clone();
            item.window.rename(from, to.as_str());
            if item.window == before {
                return Ok(());
            }
            match self.keep(tally, item, now).await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_conflict() => self.pause(tries).await,
                Err(error) => return Err(error),
            }
        }
        Err(TableError::Transient(Cause::new("others count the same group")).into())
    }

    async fn keep(&self, tally: &Tally, mut item: CountItem, now: Timestamp) -> Result<(), StoreError> {
        let condition = if item.version == 0 { Condition::Absent } else { Condition::Version(item.version) };
        item.version += 1;
        item.expires_at = now.as_second().saturating_add(tally.span_seconds).saturating_add(KEPT_SECONDS);
        self.write(vec![put(keys::count(tally), &item, condition)?]).await
    }
}
