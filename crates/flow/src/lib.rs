//! The behaviour of each state, one module each, over ports that the `aws` crate and the tests implement.
//!
//! The functions only wire these together. Nothing here knows the SDK, tokio or the environment; the clock is passed in.

pub mod accounts;
pub mod approver;
pub mod callback;
pub mod check;
pub mod classify;
pub mod decide;
mod destination;
mod edge;
pub mod electorate;
pub mod exceptions;
pub mod export;
pub mod make_call;
pub mod notify;
pub mod pace;
pub mod ports;
mod question;
pub mod remediate;
pub mod switch;
pub mod undo;
pub mod voted;
pub mod wait;

pub use accounts::Accounts;
