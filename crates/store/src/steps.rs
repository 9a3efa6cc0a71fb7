//! The records of a plan's steps, as the remedies' runner keeps them.

use async_trait::async_trait;
use cordon_core::{Call, Cause, IncidentId};
use cordon_respond::runner::{Progress, ProgressError, StepRecord};
use cordon_respond::{Hold, Thing};
use jiff::Timestamp;

use crate::table::TableError;
use crate::{Store, StoreError, follows, keys, put};

impl<'a> Store<'a> {
    /// The record of a plan's step, counted from 1.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn step(&self, id: &IncidentId, n: usize) -> Result<Option<StepRecord>, StoreError> {
        self.get(&keys::step(id, n)).await
    }

    /// Keeps the progress of an incident's steps.
    #[must_use]
    pub fn steps(&self, id: &IncidentId, now: Timestamp) -> Steps<'a> {
        Steps { store: *self, id: id.clone(), now }
    }
}

/// The step records of one incident, as the remedies' runner keeps them.
pub struct Steps<'a> {
    store: Store<'a>,
    id: IncidentId,
    now: Timestamp,
}

#[async_trait]
impl Progress for Steps<'_> {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn incident(&self) -> &IncidentId {
        &self.id
    }

    async fn hold(&self, thing: &Thing) -> Result<Option<Hold>, ProgressError> {
        self.store.hold(thing).await.map_err(progress_error)
    }

    async fn save_hold(&self, thing: &Thing, hold: &Hold) -> Result<(), ProgressError> {
        self.store.save_hold(thing, hold, self.now).await.map_err(progress_error)
    }

    async fn load(&self, n: usize) -> Result<Option<StepRecord>, ProgressError> {
        self.store.step(&self.id, n).await.map_err(progress_error)
    }

    async fn save(&self, n: usize, record: &StepRecord) -> Result<(), ProgressError> {
        let write = put(keys::step(&self.id, n), record, follows(record.version)).map_err(progress_error)?;
        self.store.write(vec![write]).await.map_err(progress_error)
    }

    async fn announce(&self, calls: &[Call]) -> Result<(), ProgressError> {
        let announced = async {
            let account = self.store.incident(&self.id).await?.account;
            self.store.announce(account.as_ref(), calls, self.now).await
        };
        announced.await.map_err(progress_error)
    }
}

fn progress_error(error: StoreError) -> ProgressError {
    match error {
        StoreError::Table(TableError::Condition) => ProgressError::Superseded,
        StoreError::Table(TableError::Contended(_) | TableError::Transient(_)) => ProgressError::Unavailable(Cause::new(error)),
        StoreError::Table(TableError::Refused(_))
        | StoreError::NotFound(_)
        | StoreError::Unreadable(_)
        | StoreError::Unwritable(_) => ProgressError::Broken(Cause::new(error)),
    }
}
