//! The progress of a plan in memory, as JSON, so that every stored value passes through serde once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use cordon_respond::{Progress, ProgressError, StepRecord};
use jiff::Timestamp;

use crate::faults::{Faults, When};

/// Keeps [`Progress`]'s one promise, the condition on the version. Clones share the records.
#[derive(Debug, Clone)]
pub struct MemoryProgress {
    records: Arc<Mutex<BTreeMap<usize, String>>>,
    faults: Faults,
    now: Timestamp,
}

impl Default for MemoryProgress {
    fn default() -> Self {
        Self::with_faults(Faults::default())
    }
}

impl MemoryProgress {
    /// Without records, and with faults that other fakes share.
    #[must_use]
    pub fn with_faults(faults: Faults) -> Self {
        Self { records: Arc::default(), faults, now: crate::laws::NOW.parse().unwrap_or_default() }
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

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, String>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, n: usize, record: &StepRecord) -> Result<(), ProgressError> {
        let stored = self.record(n).map_or(0, |stored| stored.version);
        if record.version != stored + 1 {
            return Err(ProgressError::Superseded);
        }
        let text = serde_json::to_string(record).map_err(|error| ProgressError::Broken(error.to_string()))?;
        self.lock().insert(n, text);
        Ok(())
    }
}

#[async_trait]
impl Progress for MemoryProgress {
    fn now(&self) -> Timestamp {
        self.now
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
