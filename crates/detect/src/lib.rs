//! Which events are dangerous, and why: Sigma rules over CloudTrail records that were enriched with what a plain record cannot
//! answer.
//!
//! Rules come in as text and records as JSON; detections come out. Nothing here reads a file, a clock or the network, so the
//! same record and the same rules give the same answer in the deployed function, in `cordon replay` and in a test.

pub mod cases;
pub mod counts;
mod engine;
pub mod enrich;
mod fields;
mod managed;
pub mod need;
pub mod pattern;
pub mod policy;
pub mod rules;

pub use cases::{CaseFailure, check_cases};
pub use counts::{Count, Counts, MemoryCounts, Tally, Window};
pub use engine::Matcher;
pub use enrich::{Enriched, Facts};
pub use need::{Need, Test};
pub use pattern::event_patterns;
pub use rules::{
    About, Case, Correlation, Expected, Judgement, Placeholders, Rule, RuleBook, RuleError, RuleSource, Series, Step, pack,
};
