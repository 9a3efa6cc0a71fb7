//! What the end-to-end tests share: the repository's files, what Cargo knows of them, and the state machine's definition with
//! enough of an interpreter to walk every way through it.
//!
//! Nothing here asserts. A fault is returned, with the remedy in its message, so that a test can also prove that it is noticed.

#![expect(clippy::indexing_slicing, reason = "a JSON value answers `null` for a key that it lacks")]

pub mod cargo;
pub mod jsonata;
pub mod machine;
pub mod repository;
pub mod terraform;

use std::error::Error;

/// An error with its causes as one sentence, for a list of faults.
#[must_use]
pub fn sentence(error: &dyn Error) -> String {
    let mut sentence = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        sentence = format!("{sentence}: {error}");
        cause = error.source();
    }
    sentence
}
