//! What every function shares: settings from the environment, the packed policy and rules, logs as JSON, decoding of inputs,
//! and errors under the names that the state machine knows. No domain: what a state does is in the `flow` crate.

pub mod bundle;
pub mod http;
pub mod serve;
pub mod settings;
pub mod slack;

pub use bundle::Bundle;
pub use serve::{logs, serve};
pub use settings::Settings;
