//! The records of a plan's steps, as the remedies' runner keeps them.

use async_trait::async_trait;
use cordon_core::IncidentId;
use cordon_respond::runner::{Progress, ProgressError, StepRecord};

use super::keys::step_key;
use super::{CaseError, Cases, put};
use crate::ports::{Condition, StoreError};

impl<'a> Cases<'a> {
    /// The record of a plan's step, counted from 1.
    pub async fn step(&self, id: &IncidentId, n: usize) -> Result<Option<StepRecord>, CaseError> {
        self.get(&step_key(id, n)).await
    }

    /// Keeps the progress of an incident's steps.
    #[must_use]
    pub fn steps(&self, id: &IncidentId) -> Steps<'a> {
        Steps { cases: *self, id: id.clone() }
    }
}

/// The step records of one incident, as the remedies' runner keeps them.
pub struct Steps<'a> {
    cases: Cases<'a>,
    id: IncidentId,
}

#[async_trait]
impl Progress for Steps<'_> {
    async fn load(&self, n: usize) -> Result<Option<StepRecord>, ProgressError> {
        self.cases.step(&self.id, n).await.map_err(|error| progress_error(&error))
    }

    async fn save(&self, n: usize, record: &StepRecord) -> Result<(), ProgressError> {
        let condition = if record.version <= 1 { Condition::Absent } else { Condition::Version(record.version - 1) };
        let write = put(step_key(&self.id, n), record, condition).map_err(|error| progress_error(&error))?;
        self.cases.store.write(vec![write]).await.map_err(|error| progress_error(&error.into()))
    }
}

fn progress_error(error: &CaseError) -> ProgressError {
    match error {
        CaseError::Store(StoreError::Condition) => ProgressError::Superseded,
        CaseError::Store(StoreError::Transient(reason)) => ProgressError::Unavailable(reason.clone()),
        CaseError::Store(StoreError::Refused(_)) | CaseError::NotFound(_) | CaseError::Unreadable(_) => {
            ProgressError::Broken(error.to_string())
        }
    }
}
