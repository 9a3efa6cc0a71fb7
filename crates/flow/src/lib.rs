//! What each state does, one module a state, over ports that the `aws` crate and the tests implement.
//!
//! The functions only wire these together. Nothing here knows the SDK, tokio, or the environment; the clock is passed in.

pub mod accounts;
pub mod approver;
pub mod blast_radius;
pub mod callback;
pub mod cases;
pub mod check;
pub mod classify;
pub mod decide;
pub mod exceptions;
mod findings;
pub mod known;
pub mod notify;
mod own_calls;
pub mod pace;
mod part;
pub mod ports;
pub mod provenance;
pub mod remediate;
pub mod switch;
pub mod undo;
pub mod voted;
pub mod wait;

pub use accounts::Accounts;
pub use cases::{CaseError, Cases};
