//! The one table as many see it who use it at once: a call takes its time, and transactions on one item come into conflict, as
//! DynamoDB's do. Time is counted in steps, never measured.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use cordon_core::Cause;
use cordon_store::{End, Key, Table, TableError, Write};
use serde_json::Value;

use crate::memory_table::MemoryTable;

/// How many steps a call takes.
const STEPS: u32 = 3;
/// The longest pause, in steps.
const PAUSE_MAX_STEPS: u64 = 64;

/// What was asked of the table, as DynamoDB counts it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Calls that read.
    pub reads: u64,
    /// Items that were read.
    pub items_read: u64,
    /// Units of reading: consistent reads, one for each 4 KB of an item or of a page.
    pub read_units: u64,
    /// Transactions and counts.
    pub writes: u64,
    /// Units of writing: one for each KB of an item, two in a transaction.
    pub write_units: u64,
}

#[derive(Default)]
struct State {
    /// The items on which a transaction is under way.
    under_way: BTreeSet<Key>,
    usage: Usage,
    /// The keys on which transactions came into conflict, in their order.
    conflicts: Vec<Key>,
    random: u64,
}

/// A table over another one.
pub struct BusyTable {
    inner: Arc<MemoryTable>,
    state: Mutex<State>,
}

impl BusyTable {
    /// Over a table; `seed` decides how long writers in conflict pause.
    #[must_use]
    pub fn new(inner: Arc<MemoryTable>, seed: u64) -> Self {
        Self { inner, state: Mutex::new(State { random: seed | 1, ..State::default() }) }
    }

    /// What was asked since the last time.
    pub fn take_usage(&self) -> Usage {
        std::mem::take(&mut self.lock().usage)
    }

    /// The sort keys of the items on which transactions came into conflict.
    #[must_use]
    pub fn conflicts(&self) -> Vec<String> {
        self.lock().conflicts.iter().map(|key| key.sk().to_owned()).collect()
    }

    fn read(&self, items: &[Value]) {
        let mut state = self.lock();
        let bytes: usize = items.iter().map(|item| item.to_string().len()).sum();
        state.usage.reads += 1;
        state.usage.items_read += items.len() as u64;
        state.usage.read_units += bytes.div_ceil(4_096).max(1) as u64;
    }

    /// Begins a transaction, unless another one is under way on one of its items.
    fn begin(&self, writes: &[Write]) -> Result<(), TableError> {
        let mut state = self.lock();
        state.usage.writes += 1;
        if let Some(busy) = writes.iter().find(|write| state.under_way.contains(&write.key)) {
            state.conflicts.push(busy.key.clone());
            return Err(TableError::Contended(Cause::new("TransactionConflict")));
        }
        for write in writes {
            let bytes = write.item.as_ref().map_or(0, |item| item.to_string().len());
            state.usage.write_units += 2 * bytes.div_ceil(1_024).max(1) as u64;
            state.under_way.insert(write.key.clone());
        }
        Ok(())
    }

    fn counted(&self) {
        let mut state = self.lock();
        state.usage.writes += 1;
        state.usage.write_units += 1;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Table for BusyTable {
    async fn get(&self, key: &Key) -> Result<Option<Value>, TableError> {
        steps(STEPS).await;
        let found = self.inner.get(key).await?;
        self.read(found.as_slice());
        Ok(found)
    }

    async fn list(&self, pk: &str, prefix: &str) -> Result<Vec<Value>, TableError> {
        steps(STEPS).await;
        let found = self.inner.list(pk, prefix).await?;
        self.read(&found);
        Ok(found)
    }

    async fn page(&self, pk: &str, prefix: &str, end: End, limit: u32) -> Result<Vec<Value>, TableError> {
        steps(STEPS).await;
        let found = self.inner.page(pk, prefix, end, limit).await?;
        self.read(&found);
        Ok(found)
    }

    async fn write(&self, writes: Vec<Write>) -> Result<(), TableError> {
        steps(1).await;
        self.begin(&writes)?;
        steps(STEPS).await;
        let keys: Vec<Key> = writes.iter().map(|write| write.key.clone()).collect();
        let written = self.inner.write(writes).await;
        self.lock().under_way.retain(|key| !keys.contains(key));
        written
    }

    async fn count(&self, key: &Key, expires_at: i64) -> Result<u64, TableError> {
        steps(STEPS).await;
        self.counted();
        self.inner.count(key, expires_at).await
    }

    async fn pause(&self, tries: u32) {
        let ceiling = (4_u64 << tries.min(8)).min(PAUSE_MAX_STEPS);
        let random = {
            let mut state = self.lock();
            // Xorshift: the same seed gives the same run.
            state.random ^= state.random << 13;
            state.random ^= state.random >> 7;
            state.random ^= state.random << 17;
            state.random
        };
        steps(u32::try_from(random % (ceiling + 1)).unwrap_or(0)).await;
    }

    async fn by_state(&self, state: &str, limit: u32) -> Result<Vec<Value>, TableError> {
        self.inner.by_state(state, limit).await
    }
}

/// Is ready after so many polls.
fn steps(mut left: u32) -> impl Future<Output = ()> + Send {
    std::future::poll_fn(move |_| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        Poll::Pending
    })
}

/// Runs futures over a [`BusyTable`], at most `at_once` of them at a time and each a step in turn, and gives how many rounds that
/// took.
///
/// # Panics
/// If they are not done after `rounds_max`.
pub fn run_together(futures: Vec<Pin<Box<dyn Future<Output = ()> + '_>>>, at_once: usize, rounds_max: u64) -> u64 {
    let mut waiting = futures.into_iter();
    let mut running: Vec<_> = waiting.by_ref().take(at_once).collect();
    let mut context = Context::from_waker(Waker::noop());
    let mut rounds = 0;
    while !running.is_empty() {
        rounds += 1;
        assert!(rounds <= rounds_max, "still running after {rounds} rounds");
        running.retain_mut(|future| future.as_mut().poll(&mut context).is_pending());
        running.extend(waiting.by_ref().take(at_once.saturating_sub(running.len())));
    }
    rounds
}
