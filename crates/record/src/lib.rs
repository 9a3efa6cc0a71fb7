//! An incident for others: the record that an auditor keeps, and the findings that other tools import.
//!
//! Nothing here reads a table, a clock or the network: a record holds only what the caller passes in. It never holds a task
//! token, a `response_url` or a secret: a [`Question`] has no field for one. An event's texts are an attacker's, so each format
//! escapes them in one place.

pub mod asff;
pub mod export;
pub mod finding;
pub mod html;
pub mod markdown;
pub mod ocsf;
mod page;
pub mod record;
pub mod text;
pub mod verify;

pub use asff::Hub;
pub use finding::{Activity, Finding};
pub use record::{IncidentReport, Question};
