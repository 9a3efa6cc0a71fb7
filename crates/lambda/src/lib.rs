//! The runtime of the functions: settings from the environment, logs as JSON, decoding of inputs, and errors under the names that
//! the state machine knows. It has no domain: the `flow` crate does what a state does.

#![warn(missing_docs)]

mod serve;
pub mod settings;
mod start;

pub use serve::{logs, serve};
pub use settings::{Settings, SettingsError};
pub use start::StartError;
