//! What a command can fail with: one sentence, and the exit code it deserves.

use std::fmt;

use cordon_contract::{ErrorName, StateError};

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
