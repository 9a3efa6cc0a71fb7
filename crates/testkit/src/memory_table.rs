//! The one table in memory: every write is all or nothing, as DynamoDB's transactions are.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use cordon_core::Cause;
use cordon_core::IncidentId;
use cordon_store::{Condition, End, Key, Table, TableError, Write};
use serde_json::{Value, json};

use crate::faults::Faults;

/// A key, as (`pk`, `sk`).
type Place = (String, String);

/// What somebody else does in the moment before a write.
type Meanwhile = Box<dyn FnOnce() + Send>;

/// The table. What is written is JSON, as it would be in DynamoDB.
#[derive(Default)]
pub struct MemoryTable {
    items: Mutex<BTreeMap<Place, Value>>,
    /// The next writes fail with these, in order; `None` lets one through.
    pub failures: Mutex<Vec<Option<TableError>>>,
    /// What the next read of a key finds instead: as it was before somebody else wrote.
    stale: Mutex<Vec<(Place, Value)>>,
    faults: Faults,
    meanwhile: Mutex<Option<Meanwhile>>,
    /// Every count fails.
    pub counts_fail: Mutex<bool>,
    /// Reads of partitions that begin so fail.
    pub unreadable: Mutex<Option<(String, TableError)>>,
}

impl MemoryTable {
    /// A table whose writes are struck by these faults.
    #[must_use]
    pub fn with_faults(faults: Faults) -> Self {
        Self { faults, ..Self::default() }
    }

    /// The keys of all items, as `pk/sk`, in their order.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        lock(&self.items).keys().map(|(pk, sk)| format!("{pk}/{sk}")).collect()
    }

    /// Every item with its key as `pk/sk`, in the order of the keys.
    #[must_use]
    pub fn items(&self) -> Vec<(String, Value)> {
        lock(&self.items).iter().map(|((pk, sk), item)| (format!("{pk}/{sk}"), item.clone())).collect()
    }

    /// An item as it stands, for [`MemoryTable::read_before_others_wrote`].
    ///
    /// # Panics
    /// Where there is no such item.
    #[expect(clippy::expect_used, reason = "a test that asks for what is not there has to fail")]
    pub fn item(&self, incident: &IncidentId, sk: &str) -> (Place, Value) {
        let place = (format!("INCIDENT#{incident}"), sk.to_owned());
        let item = lock(&self.items).get(&place).cloned().expect("the item is there");
        (place, item)
    }

    /// The next read of the item finds it as it was: whoever reads it so will find, on writing, that somebody was first.
    pub fn read_before_others_wrote(&self, item: (Place, Value)) {
        lock(&self.stale).push(item);
    }

    /// Puts an item there as somebody else would.
    pub fn put(&self, pk: &str, sk: &str, item: Value) {
        lock(&self.items).insert((pk.to_owned(), sk.to_owned()), item);
    }

    /// Somebody else does this in the moment before the next write.
    pub fn before_next_write(&self, meanwhile: impl FnOnce() + Send + 'static) {
        *lock(&self.meanwhile) = Some(Box::new(meanwhile));
    }

    fn readable(&self, pk: &str) -> Result<(), TableError> {
        match &*lock(&self.unreadable) {
            Some((prefix, error)) if pk.starts_with(prefix) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    fn holds(items: &BTreeMap<Place, Value>, write: &Write) -> bool {
        match write.condition {
            Condition::Always => true,
            Condition::Absent => !items.contains_key(&place(&write.key)),
            Condition::Version(version) => items.get(&place(&write.key)).is_some_and(|item| item["version"] == json!(version)),
        }
    }
}

#[async_trait]
impl Table for MemoryTable {
    async fn get(&self, key: &Key) -> Result<Option<Value>, TableError> {
        self.readable(key.pk())?;
        let mut stale = lock(&self.stale);
        if let Some(found) = stale.iter().position(|(of, _)| *of == place(key)) {
            return Ok(Some(stale.remove(found).1));
        }
        Ok(lock(&self.items).get(&place(key)).cloned())
    }

    async fn list(&self, pk: &str, prefix: &str) -> Result<Vec<Value>, TableError> {
        self.readable(pk)?;
        refuse_empty(prefix)?;
        let items = lock(&self.items);
        Ok(items.iter().filter(|((of, sk), _)| of == pk && sk.starts_with(prefix)).map(|(_, item)| item.clone()).collect())
    }

    async fn page(&self, pk: &str, prefix: &str, end: End, limit: u32) -> Result<Vec<Value>, TableError> {
        self.readable(pk)?;
        refuse_empty(prefix)?;
        let items = lock(&self.items);
        let from = (pk.to_owned(), prefix.to_owned());
        let mut found: Vec<Value> = items
            .range(from..)
            .take_while(|((of, sk), _)| of == pk && sk.starts_with(prefix))
            .map(|(_, item)| item.clone())
            .collect();
        if end == End::Last {
            found.reverse();
        }
        found.truncate(limit as usize);
        Ok(found)
    }

    /// Nobody waits here.
    async fn pause(&self, _: u32) {}

    async fn by_state(&self, state: &str, limit: u32) -> Result<Vec<Value>, TableError> {
        let items = lock(&self.items);
        Ok(items.values().filter(|item| item["gsi1pk"] == json!(state)).take(limit as usize).cloned().collect())
    }

    async fn count(&self, key: &Key, expires_at: i64) -> Result<u64, TableError> {
        if *lock(&self.counts_fail) {
            return Err(TableError::Transient(Cause::new("throttled")));
        }
        let mut items = lock(&self.items);
        let item = items.entry(place(key)).or_insert_with(|| json!({"n": 0}));
        let n = item["n"].as_u64().unwrap_or_default() + 1;
        *item = json!({"n": n, "expires_at": expires_at});
        Ok(n)
    }

    async fn write(&self, writes: Vec<Write>) -> Result<(), TableError> {
        self.faults.killable("table", || self.write_now(writes)).await
    }
}

impl MemoryTable {
    fn write_now(&self, writes: Vec<Write>) -> Result<(), TableError> {
        let meanwhile = lock(&self.meanwhile).take();
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
        let failure = {
            let mut failures = lock(&self.failures);
            if failures.is_empty() { None } else { failures.remove(0) }
        };
        if let Some(failure) = failure {
            return Err(failure);
        }
        let mut items = lock(&self.items);
        if !writes.iter().all(|write| Self::holds(&items, write)) {
            return Err(TableError::Condition);
        }
        for write in writes {
            match write.item {
                Some(item) => items.insert(place(&write.key), item),
                None => items.remove(&place(&write.key)),
            };
        }
        Ok(())
    }
}

fn place(key: &Key) -> Place {
    (key.pk().to_owned(), key.sk().to_owned())
}

/// As DynamoDB does with a value of a key that is empty.
fn refuse_empty(prefix: &str) -> Result<(), TableError> {
    if prefix.is_empty() {
        return Err(TableError::Refused(Cause::new("the value for a key attribute cannot contain an empty string")));
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
