//! Why a function cannot start. Each of these ends an execution as `BadConfig`: only another deployment mends it.

use cordon_bundle::{BundleError, ReadError};
use cordon_contract::{ErrorName, StateError};

use crate::settings::SettingsError;

/// A function that cannot start with what was deployed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The environment.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// `cordon.toml` alone.
    #[error(transparent)]
    Policy(#[from] ReadError),
    /// `cordon.toml` with the rules.
    #[error(transparent)]
    Bundle(#[from] BundleError),
}

impl From<StartError> for StateError {
    fn from(error: StartError) -> Self {
        Self::of(ErrorName::BadConfig, &error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_machine_is_told_every_cause_once() {
        let missing = cordon_bundle::read_config(std::path::Path::new("/nowhere/cordon.toml")).unwrap_err();
        let error = StateError::from(StartError::from(missing));
        assert_eq!(error.name, ErrorName::BadConfig);
        assert_eq!(error.message, "cannot read `/nowhere/cordon.toml`: No such file or directory (os error 2)");
    }
}
