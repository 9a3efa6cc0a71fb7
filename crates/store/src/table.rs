//! The port of the table: the few operations that Cordon needs of DynamoDB.

use async_trait::async_trait;
use cordon_core::Cause;
use serde_json::Value;

/// A key of the table. Only this crate makes one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pk: String,
    sk: String,
}

impl Key {
    pub(crate) fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }

    /// The partition key.
    #[must_use]
    pub fn pk(&self) -> &str {
        &self.pk
    }

    /// The sort key.
    #[must_use]
    pub fn sk(&self) -> &str {
        &self.sk
    }
}

/// What must hold for a write to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Nothing has to hold.
    Always,
    /// No item has the key.
    Absent,
    /// The item's attribute `version` has this value.
    Version(u64),
}

/// The end of a partition that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// From the first sort key on.
    First,
    /// From the last sort key back.
    Last,
}

/// One write of a transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// Which item.
    pub key: Key,
    /// A JSON object without the key; `None` deletes.
    pub item: Option<Value>,
    /// What must hold.
    pub condition: Condition,
}

/// Why the table did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// A condition did not hold: somebody else wrote first. Nothing was written.
    #[error("another writer was first")]
    Condition,
    /// Another transaction was under way on one of the items. Nothing was written, and the same writes may pass a moment later.
    #[error("another transaction was under way")]
    Contended(#[source] Cause),
    /// Throttled or timed out.
    #[error("the table did not answer")]
    Transient(#[source] Cause),
    /// It never will, as things stand.
    #[error("the table refused")]
    Refused(#[source] Cause),
}

/// The one table. Reads are strongly consistent, but for those of an index.
#[async_trait]
pub trait Table: Send + Sync {
    /// One item, as a JSON object without its key.
    async fn get(&self, key: &Key) -> Result<Option<Value>, TableError>;
    /// Every item of a partition whose sort key begins with `prefix`, in the order of the sort key.
    async fn list(&self, pk: &str, prefix: &str) -> Result<Vec<Value>, TableError>;
    /// At most `limit` items of a partition whose sort key begins with `prefix`: the first of them in the order of the sort key,
    /// or the last ones, the last one first.
    async fn page(&self, pk: &str, prefix: &str, end: End, limit: u32) -> Result<Vec<Value>, TableError>;
    /// All of the writes or none.
    async fn write(&self, writes: Vec<Write>) -> Result<(), TableError>;
    /// Adds one to the item's attribute `n`, which begins at nothing, and gives the new value. Atomic, however many count.
    /// `expires_at` is Unix seconds.
    async fn count(&self, key: &Key, expires_at: i64) -> Result<u64, TableError>;
    /// Waits a random while, longer the more often it was tried before, so that writers in conflict come apart. `tries` counts
    /// from 1.
    async fn pause(&self, tries: u32);
    /// Headers of incidents by the partition key of the index `by_state`, the newest first, at most `limit`.
    async fn by_state(&self, state: &str, limit: u32) -> Result<Vec<Value>, TableError>;
}
