//! Counting over time: the memory of a correlation, and the moment at which it is reached.
//!
//! A window slides. An event reaches it if enough members, including this event, lie less than the timespan apart. A member is
//! counted once, no matter how often it arrives, and late events find their place. Nothing here reads a clock or keeps state: the
//! caller passes the [`Window`] in again the next time.

use std::collections::HashMap;
use std::sync::Arc;

use cordon_core::{Detection, EventId};
use serde::{Deserialize, Serialize};

/// A burst takes events in for so long, however many keep coming: then the next one is news again.
const BURST_MAX_SECONDS: i64 = 24 * 3600;

/// So many values are known of a group at the most where only new ones are reported: beyond, the oldest is new again.
const KNOWN_VALUES: usize = 64;

/// How many events a correlation may ask for. A window is one item of the table, far below its 400 KiB.
pub const MAX_AT_LEAST: usize = 500;

/// What one event adds to one correlation.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    /// What is reported once the correlation is reached.
    pub detection: Arc<Detection>,
    /// The correlation and the group that is counted, such as one principal.
    pub key: String,
    /// What is counted, where it is not events but distinct values of a field.
    pub value: Option<String>,
    /// What people are shown of the event: the value that is counted, else the name of the call.
    pub what: String,
    /// How many members reach the correlation.
    pub at_least: usize,
    /// The timespan within which they have to lie, in seconds.
    pub span_seconds: i64,
    /// Reached only by a value that was not counted within the timespan before.
    pub only_new: bool,
}

impl Tally {
    fn member(&self, event: &EventId) -> String {
        self.value.clone().unwrap_or_else(|| event.to_string())
    }
}

/// What a count came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Count {
    /// Too few so far.
    Below,
    /// Enough, and this event is the first to say so.
    Opened,
    /// Enough; the burst was opened under this name.
    Joined(String),
}

/// What was counted of one group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// In the order of their times.
    members: Vec<Member>,
    #[serde(default)]
    burst: Option<Burst>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Member {
    id: String,
    what: String,
    /// Unix time in seconds.
    at: i64,
    /// Where only new values are reported: the event that brought it, so that a retry of that event is no repetition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<EventId>,
}

/// The time during which events belong to what the first one opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Burst {
    name: String,
    from: i64,
    until: i64,
}

impl Member {
    /// True where another event brought the value, less than the timespan before.
    fn is_of_before(&self, tally: &Tally, event: &EventId, at: i64) -> bool {
        self.by.as_ref() != Some(event) && at.saturating_sub(self.at) < tally.span_seconds
    }
}

impl Window {
    /// Counts an event of `at`, in Unix seconds. `name` is what a burst is called that this event opens.
    pub fn add(&mut self, tally: &Tally, event: &EventId, at: i64, name: &str) -> Count {
        let id = tally.member(event);
        let known = self.members.iter_mut().find(|member| member.id == id);
        let repeated = known.as_ref().is_some_and(|known| known.is_of_before(tally, event, at));
        let by = tally.only_new.then(|| event.clone());
        match known {
            Some(known) => {
                known.at = known.at.max(at);
                if !repeated {
                    known.by = by;
                }
            }
            None => self.members.push(Member { id, what: tally.what.clone(), at, by }),
        }
        self.members.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.id.cmp(&b.id)));
        let reached = self.reached(tally, at) && !(tally.only_new && repeated);
        self.forget(tally);
        if !reached {
            return Count::Below;
        }
        let until = at.saturating_add(tally.span_seconds);
        match &mut self.burst {
            Some(burst) if at <= burst.until && at < burst.from.saturating_add(BURST_MAX_SECONDS) => {
                burst.until = burst.until.max(until);
                if burst.name == name { Count::Opened } else { Count::Joined(burst.name.clone()) }
            }
            _ => {
                self.burst = Some(Burst { name: name.to_owned(), from: at, until });
                Count::Opened
            }
        }
    }

    /// Gives the current burst another name, where what its first event opened turned out to be something else.
    pub fn rename(&mut self, from: &str, to: &str) {
        if let Some(burst) = self.burst.as_mut().filter(|burst| burst.name == from) {
            to.clone_into(&mut burst.name);
        }
    }

    /// What was counted, in the order of time: what people are shown, and when (Unix seconds).
    pub fn seen(&self) -> impl Iterator<Item = (&str, i64)> {
        self.members.iter().map(|member| (member.what.as_str(), member.at))
    }

    /// True where some window that holds the moment `at` holds enough members.
    fn reached(&self, tally: &Tally, at: i64) -> bool {
        let within = |from: i64, to: i64| to >= from && to.saturating_sub(from) < tally.span_seconds;
        let mut starts: Vec<i64> = self.members.iter().map(|member| member.at).filter(|start| within(*start, at)).collect();
        starts.dedup();
        // The members stand in the order of their times, so those of a window stand side by side.
        starts.into_iter().any(|start| {
            let before = self.members.partition_point(|member| member.at < start);
            let until = self.members.partition_point(|member| member.at < start || within(start, member.at));
            until.saturating_sub(before) >= tally.at_least
        })
    }

    /// Drops what can no longer be counted together with something new, and keeps room for events that come late.
    fn forget(&mut self, tally: &Tally) {
        let newest = self.members.last().map_or(0, |member| member.at);
        let oldest = newest.saturating_sub(tally.span_seconds.saturating_mul(2));
        self.members.retain(|member| member.at > oldest);
        let room = tally.at_least.saturating_mul(2).max(if tally.only_new { KNOWN_VALUES } else { 0 });
        let surplus = self.members.len().saturating_sub(room);
        self.members.drain(..surplus);
    }
}

/// Counts events for correlations.
pub trait Counts {
    /// Counts an event of `at`, in Unix seconds; the same event again counts nothing new.
    fn count(&mut self, tally: &Tally, event: &EventId, at: i64) -> Count;
}

/// [`Counts`] in memory, for a log that is read from its beginning.
#[derive(Debug, Default)]
pub struct MemoryCounts {
    windows: HashMap<String, Window>,
}

impl Counts for MemoryCounts {
    fn count(&mut self, tally: &Tally, event: &EventId, at: i64) -> Count {
        self.windows.entry(tally.key.clone()).or_default().add(tally, event, at, event.as_str())
    }
}

#[cfg(test)]
mod tests;
