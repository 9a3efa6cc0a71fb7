//! Detection: Sigma rules over CloudTrail records, which enrichment extends by fields that a plain record lacks.
//!
//! Rules come in as text and records as JSON; detections come out. Nothing here reads a file, a clock or the network. The same
//! record and rules therefore give the same answer in the deployed function, in `cordon replay` and in a test.

pub mod cases;
pub mod counts;
mod engine;
pub mod enrich;
mod managed;
pub mod pattern;
pub mod policy;
pub mod prefilter;
pub mod rules;

pub use cases::{CaseFailure, check_cases};
pub use counts::{Count, Counts, MemoryCounts, Tally, Window};
pub use enrich::{Documents, Enriched};
pub use managed::of as managed_grants;
pub use pattern::event_patterns;
pub use rules::{
    About, Case, Correlation, Expected, Judgement, PlaceholderError, Placeholders, Rule, RuleBook, RuleError, RuleSource, Series,
    Step, pack,
};
