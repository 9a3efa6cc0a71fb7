//! What each state does, one module a state, over ports that the `aws` crate and the tests implement.
//!
//! The functions only wire these together. Nothing here knows the SDK, tokio, or the environment; the clock is passed in.

pub mod callback;
pub mod cases;
pub mod check;
pub mod classify;
pub mod decide;
mod findings;
pub mod messages;
pub mod notify;
pub mod ports;
pub mod provenance;
pub mod remediate;
pub mod undo;
pub mod wait;

pub use cases::{CaseError, Cases};
