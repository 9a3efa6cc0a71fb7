//! An incident as others read it: the record that an auditor keeps, and the findings that other tools take in.
//!
//! Nothing here reads a table, a clock or the network; what is not passed in is not in the record. It never carries a task
//! token, a `response_url` or a secret: a [`Question`] has no place for one. Texts of the event are an attacker's, so every
//! format escapes them in one place of its own.

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
pub use record::{Question, Record};
