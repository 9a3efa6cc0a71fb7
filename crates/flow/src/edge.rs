//! The edge to the state machine: the contract's error name for each failure. Only `Transient` is retried.

use cordon_contract::{ErrorName, StateError};
use cordon_respond::runner::RunError;
use cordon_store::{StoreError, TableError};

use crate::check::CheckError;
use crate::classify::ClassifyError;
use crate::decide::DecideError;
use crate::make_call::MakeCallError;
use crate::notify::NotifyError;
use crate::remediate::RemediateError;
use crate::undo::{AskUndoError, UndoError};
use crate::wait::WaitError;

fn of_store(error: &StoreError) -> ErrorName {
    match error {
        StoreError::Table(TableError::Condition | TableError::Contended(_) | TableError::Transient(_)) => ErrorName::Transient,
        StoreError::Table(TableError::Refused(_)) => ErrorName::Refused,
        StoreError::NotFound(_) => ErrorName::NotFound,
        StoreError::Unreadable(_) | StoreError::Unwritable(_) => ErrorName::Internal,
    }
}

fn of_run(error: &RunError) -> ErrorName {
    match error {
        _ if error.retryable() => ErrorName::Transient,
        RunError::NoSuchStep { .. } => ErrorName::BadInput,
        RunError::Transient(_) | RunError::Progress(_) => ErrorName::Internal,
    }
}

impl From<ClassifyError> for StateError {
    fn from(error: ClassifyError) -> Self {
        let name = match &error {
            ClassifyError::Store(error) => of_store(error),
            ClassifyError::Policy(_) | ClassifyError::NotOpenYet | ClassifyError::OpensAndCloses => ErrorName::Transient,
        };
        Self::of(name, &error)
    }
}

impl From<MakeCallError> for StateError {
    fn from(error: MakeCallError) -> Self {
        let MakeCallError::Store(store) = &error;
        Self::of(of_store(store), &error)
    }
}

impl From<CheckError> for StateError {
    fn from(error: CheckError) -> Self {
        let CheckError::Store(store) = &error;
        Self::of(of_store(store), &error)
    }
}

impl From<NotifyError> for StateError {
    fn from(error: NotifyError) -> Self {
        let name = match &error {
            NotifyError::Store(error) => of_store(error),
            NotifyError::NobodyTold => ErrorName::Transient,
        };
        Self::of(name, &error)
    }
}

impl From<WaitError> for StateError {
    fn from(error: WaitError) -> Self {
        let name = match &error {
            WaitError::Store(error) => of_store(error),
            WaitError::Delivery(_) | WaitError::VotedMeanwhile => ErrorName::Transient,
        };
        Self::of(name, &error)
    }
}

impl From<RemediateError> for StateError {
    fn from(error: RemediateError) -> Self {
        match error {
            RemediateError::Store(error) => Self::of(of_store(&error), &error),
            RemediateError::Busy(error) => Self::of(ErrorName::Transient, &error),
            RemediateError::Run(error) => Self::of(of_run(&error), &error),
            RemediateError::NotReleased(_) => Self::of(ErrorName::Refused, &error),
            RemediateError::Undo(error) => error.into(),
        }
    }
}

impl From<UndoError> for StateError {
    fn from(error: UndoError) -> Self {
        let name = match &error {
            UndoError::Store(error) => of_store(error),
            UndoError::Busy(_) => ErrorName::Transient,
            UndoError::NoSession(_) => ErrorName::Refused,
            UndoError::Run(error) => of_run(error),
        };
        Self::of(name, &error)
    }
}

impl From<DecideError> for StateError {
    fn from(error: DecideError) -> Self {
        let name = match &error {
            DecideError::Store(error) => of_store(error),
            DecideError::Delivery(_) | DecideError::Crowded => ErrorName::Transient,
        };
        Self::of(name, &error)
    }
}

impl From<AskUndoError> for StateError {
    fn from(error: AskUndoError) -> Self {
        let name = match &error {
            AskUndoError::Store(error) => of_store(error),
            AskUndoError::Delivery(_) | AskUndoError::Crowded => ErrorName::Transient,
        };
        Self::of(name, &error)
    }
}
