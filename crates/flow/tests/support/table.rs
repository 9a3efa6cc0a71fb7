//! The table in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use cordon_core::IncidentId;
use cordon_flow::ports::{Condition, Key, Store, StoreError, Write};
use cordon_testkit::Faults;
use serde_json::{Value, json};

/// The table. Every write is all or nothing, as DynamoDB's transactions are.
#[derive(Default)]
pub struct FakeStore {
    pub(super) items: Mutex<BTreeMap<Key, Value>>,
    /// The next writes fail with these, in order; `None` lets one through.
    pub failures: Mutex<Vec<Option<StoreError>>>,
    /// What the next read of a key finds instead: as it was before somebody else wrote.
    pub(super) stale: Mutex<Vec<(Key, Value)>>,
    pub(super) faults: Faults,
    pub counts_fail: Mutex<bool>,
    /// Reads of partitions that begin so fail.
    pub unreadable: Mutex<Option<(String, StoreError)>>,
}

impl FakeStore {
    pub fn keys(&self) -> Vec<String> {
        self.items.lock().unwrap().keys().map(|key| format!("{}/{}", key.pk, key.sk)).collect()
    }

    /// An item as it stands, for [`FakeStore::read_before_others_wrote`].
    pub fn item(&self, incident: &IncidentId, sk: &str) -> (Key, Value) {
        let key = Key::new(format!("INCIDENT#{incident}"), sk);
        let item = self.items.lock().unwrap().get(&key).cloned().unwrap();
        (key, item)
    }

    /// The next read of the item finds it as it was: whoever reads it so will find, on writing, that somebody was first.
    pub fn read_before_others_wrote(&self, item: (Key, Value)) {
        self.stale.lock().unwrap().push(item);
    }

    /// Puts an item there as somebody else would.
    pub fn put(&self, pk: &str, sk: &str, item: Value) {
        self.items.lock().unwrap().insert(Key::new(pk, sk), item);
    }

    fn readable(&self, pk: &str) -> Result<(), StoreError> {
        match &*self.unreadable.lock().unwrap() {
            Some((prefix, error)) if pk.starts_with(prefix) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    fn holds(items: &BTreeMap<Key, Value>, write: &Write) -> bool {
        match write.condition {
            Condition::Always => true,
            Condition::Absent => !items.contains_key(&write.key),
            Condition::Version(version) => items.get(&write.key).is_some_and(|item| item["version"] == json!(version)),
        }
    }
}

#[async_trait]
impl Store for FakeStore {
    async fn get(&self, key: &Key) -> Result<Option<Value>, StoreError> {
        self.readable(&key.pk)?;
        let mut stale = self.stale.lock().unwrap();
        if let Some(found) = stale.iter().position(|(of, _)| of == key) {
            return Ok(Some(stale.remove(found).1));
        }
        Ok(self.items.lock().unwrap().get(key).cloned())
    }

    async fn list(&self, pk: &str, prefix: &str) -> Result<Vec<Value>, StoreError> {
        self.readable(pk)?;
        let items = self.items.lock().unwrap();
        Ok(items.iter().filter(|(key, _)| key.pk == pk && key.sk.starts_with(prefix)).map(|(_, item)| item.clone()).collect())
    }

    async fn by_state(&self, state: &str, limit: u32) -> Result<Vec<Value>, StoreError> {
        let items = self.items.lock().unwrap();
        Ok(items.values().filter(|item| item["gsi1pk"] == json!(state)).take(limit as usize).cloned().collect())
    }

    async fn count(&self, key: &Key, expires_at: i64) -> Result<u64, StoreError> {
        if *self.counts_fail.lock().unwrap() {
            return Err(StoreError::Transient("throttled".to_owned()));
        }
        let mut items = self.items.lock().unwrap();
        let item = items.entry(key.clone()).or_insert_with(|| json!({"n": 0}));
        let n = item["n"].as_u64().unwrap() + 1;
        *item = json!({"n": n, "expires_at": expires_at});
        Ok(n)
    }

    async fn write(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        self.faults.killable("table", || self.write_now(writes)).await
    }
}

impl FakeStore {
    fn write_now(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        let failure = {
            let mut failures = self.failures.lock().unwrap();
            if failures.is_empty() { None } else { failures.remove(0) }
        };
        if let Some(failure) = failure {
            return Err(failure);
        }
        let mut items = self.items.lock().unwrap();
        if !writes.iter().all(|write| Self::holds(&items, write)) {
            return Err(StoreError::Condition);
        }
        for write in writes {
            match write.item {
                Some(item) => items.insert(write.key, item),
                None => items.remove(&write.key),
            };
        }
        Ok(())
    }
}
