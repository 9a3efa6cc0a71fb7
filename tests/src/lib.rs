//! What the end-to-end tests share: the repository's files, what Cargo knows of them, and the state machine's definition with
//! enough of an interpreter to walk every way through it.
//!
//! Nothing here asserts. What is wrong is returned as sentences, each with what to do, so that a test can also prove that a
//! fault is noticed.

#![expect(clippy::indexing_slicing, reason = "a JSON value answers `null` for a key that it lacks")]

pub mod cargo;
pub mod jsonata;
pub mod machine;
pub mod repository;
pub mod terraform;
