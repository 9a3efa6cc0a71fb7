//! Everything that Cordon keeps: each key and each item of the one table, over a small port.
//!
//! INVARIANT: keys are made in `keys` and nowhere else, and the stored JSON only ever gains fields, with a default: a table that
//! an older version wrote stays readable. It reads, writes and keeps conditions; it decides nothing, knows no clock and waits for
//! nobody but the table.

mod approvals;
mod arns;
mod budget;
mod claims;
mod counts;
mod error;
mod exceptions;
mod former;
mod holds;
mod incidents;
mod joined;
mod keys;
mod own_calls;
mod pace;
mod parts;
mod pins;
mod provenance;
mod steps;
mod switch;
mod table;
mod undo;

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

pub use approvals::Approval;
pub use budget::Budget;
pub use claims::Claim;
pub use counts::Counted;
pub use error::StoreError;
pub use exceptions::{AddExceptionError, EndedException, RecordedException, RuleScope};
pub use former::{Before, ObservedSetting};
pub use incidents::Opening;
pub use joined::{Joined, Told};
pub use pace::{BurstSummary, InSummary, Waiting};
pub use parts::{Grant, Minute, Setting, Turn};
pub use pins::Pin;
pub use provenance::{Change, Moved, Observed, Provenance};
pub use steps::Steps;
pub use switch::SwitchNote;
pub use table::{Condition, End, Key, Table, TableError, Write};
pub use undo::{UndoRequest, UndoState};

/// How often a write is tried against other writers before the state machine's own retry takes over. With the pauses between
/// them, that is a few seconds.
const TRIES: u32 = 12;

/// What Cordon keeps, in one table. Copying it copies the reference.
#[derive(Clone, Copy)]
pub struct Store<'a> {
    table: &'a dyn Table,
}

impl<'a> Store<'a> {
    /// Over a table that somebody else holds.
    #[must_use]
    pub fn new(table: &'a dyn Table) -> Self {
        Self { table }
    }

    async fn get<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, StoreError> {
        self.table.get(key).await?.map(decode).transpose()
    }

    /// A conflict with another transaction wrote nothing and says nothing about the conditions: the same writes are tried again
    /// after a pause.
    async fn write(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        let mut tries = 0;
        loop {
            match self.table.write(writes.clone()).await {
                Err(TableError::Contended(_)) if tries < TRIES => {
                    tries += 1;
                    self.table.pause(tries).await;
                }
                written => return Ok(written?),
            }
        }
    }

    /// Waits a random while before another try against other writers. `tries` counts from 1.
    pub async fn pause(&self, tries: u32) {
        self.table.pause(tries).await;
    }
}

fn decode<T: DeserializeOwned>(item: Value) -> Result<T, StoreError> {
    serde_json::from_value(item).map_err(StoreError::Unreadable)
}

fn put<T: Serialize>(key: Key, item: &T, condition: Condition) -> Result<Write, StoreError> {
    Ok(Write { key, item: Some(serde_json::to_value(item).map_err(StoreError::Unwritable)?), condition })
}

fn in_days(now: Timestamp, days: i64) -> i64 {
    now.as_second() + days * 24 * 3600
}

/// The condition of a write whose item counts its versions from 1.
fn follows(version: u64) -> Condition {
    if version <= 1 { Condition::Absent } else { Condition::Version(version - 1) }
}
