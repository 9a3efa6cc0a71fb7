//! EventBridge patterns, generated from the rules: an event that no rule can match never costs a state transition.
//!
//! INVARIANT: the patterns let through at least every event that a rule matches. What of a rule's condition cannot be put into a
//! pattern is left out of it, which only widens it; a rule without any usable part widens it to every CloudTrail record. An event
//! of a named service that lacks its name or its caller is let through too, so that it can end as "needs a person".
//!
//! Sigma compares without case, EventBridge with it. AWS's own spelling never varies, so names are used as the rules write them;
//! one that is not spelled as AWS spells names is matched without case.

mod condition;
pub mod matching;
mod split;

use serde_json::{Value, json};

use crate::rules::RuleBook;

/// AWS's quota for one pattern, in characters. It can be raised to 4,096 by request, on which nothing here relies.
pub const MAX_PATTERN_CHARS: usize = 2048;

/// The `detail` parts of the patterns that together select what the rules can match. [`envelope`] makes each whole.
///
/// As few as fit the quota. Where there are several, they exclude each other as far as the quota lets them: an event that fits
/// two patterns starts two executions, of which the second ends as a duplicate.
#[must_use]
pub fn event_patterns(book: &RuleBook) -> Vec<Value> {
    patterns_within(book, MAX_PATTERN_CHARS)
}

fn patterns_within(book: &RuleBook, limit: usize) -> Vec<Value> {
    let selections: Vec<condition::Selection> = book.rules().iter().flat_map(|rule| condition::selections(&rule.sigma)).collect();
    split::patterns(&selections, &|detail| envelope(detail).to_string().chars().count() <= limit)
}

/// The whole pattern around a `detail` part, as the deployment writes it: what AWS services send, and the sandbox's relay.
#[must_use]
pub fn envelope(detail: &Value) -> Value {
    json!({"source": [{"prefix": "aws."}, "cordon.sandbox"], "detail": detail})
}

#[cfg(test)]
mod tests;
