//! The progress of a plan in memory, as JSON, so that every stored value passes through serde once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use cordon_core::{Call, Cause, IncidentId, Target};
use cordon_respond::{Hold, Holds, IamError, Progress, ProgressError, StepRecord, Thing};
use jiff::Timestamp;

use crate::faults::{Faults, When};

/// Keeps [`Progress`]'s one promise, the condition on the version. Clones share the records.
#[derive(Debug, Clone)]
pub struct MemoryProgress {
    records: Arc<Mutex<BTreeMap<usize, String>>>,
    faults: Faults,
    now: Timestamp,
    incident: IncidentId,
    holds: Arc<Mutex<BTreeMap<String, String>>>,
    announced: Arc<Mutex<Vec<Call>>>,
}

impl Default for MemoryProgress {
    fn default() -> Self {
        Self::with_faults(Faults::default())
    }
}

impl MemoryProgress {
    /// Without records, and with faults that other fakes share.
    ///
    /// # Panics
    /// Never: the incident of the laws has an id.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a constant")]
    pub fn with_faults(faults: Faults) -> Self {
        Self {
            records: Arc::default(),
            faults,
            now: crate::laws::NOW.parse().unwrap_or_default(),
            incident: crate::laws::INCIDENT.parse().expect("an incident"),
            holds: Arc::default(),
            announced: Arc::default(),
        }
    }

    /// Another incident's records, over the same holds.
    #[must_use]
    pub fn of_incident(&self, incident: &IncidentId) -> Self {
        Self { records: Arc::default(), incident: incident.clone(), ..self.clone() }
    }

    /// The records and no holds, as a version left them that did not know of holds.
    ///
    /// # Panics
    /// Where a record is unreadable.
    #[expect(clippy::expect_used, reason = "a fake that is told nonsense has to fail its test")]
    pub fn forget_holds(&self) {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner).clear();
        for text in self.lock().values_mut() {
            let mut record: serde_json::Value = serde_json::from_str(text).expect("a record");
            if let Some(record) = record.as_object_mut() {
                record.remove("holds");
            }
            *text = record.to_string();
        }
    }

    /// Everything that is held, past every fault.
    #[must_use]
    pub fn holds(&self) -> Vec<Hold> {
        let holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
        holds.values().filter_map(|text| serde_json::from_str(text).ok()).collect()
    }

    fn stored_hold(&self, thing: &Thing) -> Option<Hold> {
        let holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
        holds.get(&key(thing)).and_then(|text| serde_json::from_str(text).ok())
    }

    fn write_hold(&self, thing: &Thing, hold: &Hold) -> Result<(), ProgressError> {
        let stored = self.stored_hold(thing).map_or(0, |stored| stored.version);
        if hold.version != stored + 1 {
            return Err(ProgressError::Superseded);
        }
        let text = serde_json::to_string(hold).map_err(|error| ProgressError::Broken(Cause::new(error)))?;
        self.holds.lock().unwrap_or_else(PoisonError::into_inner).insert(key(thing), text);
        Ok(())
    }

    /// The same records, at another time.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Self {
        Self { now, ..self.clone() }
    }

    /// The faults on purpose.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The stored record, past every fault.
    #[must_use]
    pub fn record(&self, n: usize) -> Option<StepRecord> {
        self.lock().get(&n).and_then(|text| serde_json::from_str(text).ok())
    }

    /// The calls that were announced, in order.
    #[must_use]
    pub fn announced(&self) -> Vec<Call> {
        self.announced.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, String>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, n: usize, record: &StepRecord) -> Result<(), ProgressError> {
        let stored = self.record(n).map_or(0, |stored| stored.version);
        if record.version != stored + 1 {
            return Err(ProgressError::Superseded);
        }
        let text = serde_json::to_string(record).map_err(|error| ProgressError::Broken(Cause::new(error)))?;
        self.lock().insert(n, text);
        Ok(())
    }
}

#[async_trait]
impl Progress for MemoryProgress {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn incident(&self) -> &IncidentId {
        &self.incident
    }

    async fn announce(&self, calls: &[Call]) -> Result<(), ProgressError> {
        self.announced.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(calls);
        Ok(())
    }

    async fn hold(&self, thing: &Thing) -> Result<Option<Hold>, ProgressError> {
        match self.faults.enter("progress:hold") {
            Some((_, failure)) => Err(failure.of_progress().await),
            None => Ok(self.stored_hold(thing)),
        }
    }

    async fn save_hold(&self, thing: &Thing, hold: &Hold) -> Result<(), ProgressError> {
        match self.faults.enter("progress:save_hold") {
            None => self.write_hold(thing, hold),
            Some((When::Before, failure)) => Err(failure.of_progress().await),
            Some((When::After, failure)) => {
                self.write_hold(thing, hold)?;
                Err(failure.of_progress().await)
            }
        }
    }

    async fn load(&self, n: usize) -> Result<Option<StepRecord>, ProgressError> {
        match self.faults.enter("progress:load") {
            Some((_, failure)) => Err(failure.of_progress().await),
            None => Ok(self.record(n)),
        }
    }

    async fn save(&self, n: usize, record: &StepRecord) -> Result<(), ProgressError> {
        match self.faults.enter("progress:save") {
            None => self.write(n, record),
            Some((When::Before, failure)) => Err(failure.of_progress().await),
            Some((When::After, failure)) => {
                self.write(n, record)?;
                Err(failure.of_progress().await)
            }
        }
    }
}

#[async_trait]
impl Holds for MemoryProgress {
    async fn of(&self, target: &Target) -> Result<Vec<Hold>, IamError> {
        let prefix = target_key(target);
        let holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
        let of_target = holds.iter().filter(|(key, _)| key.starts_with(&prefix));
        Ok(of_target.filter_map(|(_, text)| serde_json::from_str(text).ok()).collect())
    }
}

fn key(thing: &Thing) -> String {
    format!("{}{}", target_key(&thing.target), thing.what.to_ascii_lowercase())
}

fn target_key(target: &Target) -> String {
    match target.principal() {
        Some(principal) => format!("{}#{}#{}/", principal.account, principal.kind, principal.name.to_ascii_lowercase()),
        None => format!("{}/", target.arn()),
    }
}
