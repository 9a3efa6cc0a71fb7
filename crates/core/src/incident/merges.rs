//! The later events of an incident, as people are told of them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{JoinedEvent, MergedEvent, is_zero};

/// The later events of one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergedCalls {
    /// The call.
    pub name: String,
    /// How many.
    pub count: u32,
    /// The first of them.
    #[serde(default)]
    pub first: Option<Timestamp>,
    /// The last of them.
    #[serde(default)]
    pub last: Option<Timestamp>,
}

impl MergedCalls {
    /// The most names that are kept.
    pub const NAMES_MAX: usize = 10;

    /// Counts events by their names, the most frequent first. Names beyond [`Self::NAMES_MAX`] are left out.
    #[must_use]
    pub fn of(joined: &[JoinedEvent]) -> Vec<Self> {
        let mut calls: Vec<Self> = Vec::new();
        for event in joined {
            let found = calls.iter_mut().find(|calls| calls.name == event.name);
            if let Some(calls) = found {
                calls.count = calls.count.saturating_add(1);
                calls.first = calls.first.into_iter().chain(event.time).min();
                calls.last = calls.last.max(event.time);
            } else {
                calls.push(Self { name: event.name.clone(), count: 1, first: event.time, last: event.time });
            }
        }
        calls.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        calls.truncate(Self::NAMES_MAX);
        calls
    }
}

/// The later events of the same case, as far as the last commit knew of them. Each one is an item of its own, and joining writes
/// nothing here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Merges {
    /// How many joined.
    #[serde(default)]
    pub merged: u32,
    /// The newest of them.
    #[serde(default)]
    pub last_merged: Option<MergedEvent>,
    /// How many of them are items of their own; older versions wrote an entry of the timeline for each.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub folded: u32,
    /// Those that are items, by their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged_calls: Vec<MergedCalls>,
}

impl Merges {
    /// With the events that have joined by now.
    pub fn count(&mut self, joined: u32, newest: Option<MergedEvent>) {
        self.merged = self.merged.saturating_add(joined.saturating_sub(self.folded));
        self.folded = self.folded.max(joined);
        if newest.is_some() {
            self.last_merged = newest;
        }
    }
}
