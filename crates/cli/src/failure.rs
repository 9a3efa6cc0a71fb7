//! What a command can fail with: one sentence, and the exit code it deserves.

use std::fmt;

use cordon_contract::{ErrorName, StateError};
use cordon_flow::decide::DecideError;
use cordon_flow::undo::UndoError;
use cordon_respond::runner::RunError;
use cordon_store::{AddExceptionError, StoreError};

#[derive(Debug)]
pub enum Failure {
    /// Wrong use or bad input: 2.
    Input(String),
    /// It was tried and did not work: 1.
    Work(String),
}

impl Failure {
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Input(_) => 2,
            Self::Work(_) => 1,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(message) | Self::Work(message) => f.write_str(message),
        }
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        match error.name {
            ErrorName::BadInput | ErrorName::BadConfig | ErrorName::NotFound => Self::Input(error.message),
            ErrorName::Transient | ErrorName::Refused | ErrorName::Internal => Self::Work(error.message),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(_) => Self::Input(error.to_string()),
            StoreError::Table(_) | StoreError::Unreadable(_) | StoreError::Unwritable(_) => Self::Work(error.to_string()),
        }
    }
}

impl From<AddExceptionError> for Failure {
    fn from(error: AddExceptionError) -> Self {
        match error {
            AddExceptionError::TooMany(_) => Self::Input(error.to_string()),
            AddExceptionError::Store(error) => error.into(),
        }
    }
}

impl From<DecideError> for Failure {
    fn from(error: DecideError) -> Self {
        match error {
            DecideError::Store(error) => error.into(),
            DecideError::Delivery(_) | DecideError::Crowded => Self::Work(error.to_string()),
        }
    }
}

impl From<UndoError> for Failure {
    fn from(error: UndoError) -> Self {
        match error {
            UndoError::Store(error) => error.into(),
            UndoError::Run(RunError::NoSuchStep { .. }) => Self::Input(error.to_string()),
            UndoError::Busy(_) | UndoError::NoSession(_) | UndoError::Run(_) => Self::Work(error.to_string()),
        }
    }
}
