//! EventBridge patterns, generated from the rules, so that an event that no rule can match never costs a state transition.
//!
//! INVARIANT: the patterns let through every event that a rule matches. A part of a condition that no pattern can express is left
//! out, which only widens the pattern; a rule without any usable part widens it to every CloudTrail record. An event of a named
//! service without a name or a caller is let through too, so that it can end as "needs a person"; so is a notice without its
//! kind.
//!
//! Sigma ignores case, EventBridge does not. AWS's own spelling never varies, so names are used as the rules write them. A name
//! that is not spelt as AWS spells names is matched without case.

mod condition;
pub mod matching;
mod split;

use cordon_core::Log;
use cordon_core::json::set;
use serde_json::{Value, json};

use crate::rules::RuleBook;

/// AWS's quota for one pattern, in characters. It can be raised to 4,096 by request, on which nothing here relies.
pub const MAX_PATTERN_CHARS: usize = 2048;

/// The patterns that together select what the rules can match: those for CloudTrail as `{"detail": …}`, those for notices with
/// their `source` and `detail-type` as well. The deployment adds whom it trusts, as [`envelope`] does.
///
/// As few as fit the quota. Where there are several, they exclude each other as far as the quota lets them: an event that fits
/// two patterns starts two executions, of which the second ends as a duplicate.
#[must_use]
pub fn event_patterns(book: &RuleBook) -> Vec<Value> {
    let records = patterns_within(book, MAX_PATTERN_CHARS).into_iter().map(|detail| json!({ "detail": detail }));
    records.chain(Log::NOTICES.into_iter().filter_map(|log| notice_pattern(book, log))).collect()
}

fn selections(book: &RuleBook, log: Log) -> Vec<condition::Selection> {
    book.rules().iter().filter(|rule| rule.log == log).flat_map(condition::selections).collect()
}

fn patterns_within(book: &RuleBook, limit: usize) -> Vec<Value> {
    let fits = |detail: &Value| envelope(&json!({ "detail": detail })).to_string().chars().count() <= limit;
    split::patterns(&selections(book, Log::CloudTrail), &fits)
}

/// The pattern for the notices of a log: those of the kinds that the rules name, else all of them. `None` where no rule is about
/// that log.
fn notice_pattern(book: &RuleBook, log: Log) -> Option<Value> {
    let selections = selections(book, log);
    if selections.is_empty() {
        return None;
    }
    let mut pattern = json!({"source": [log.source()?], "detail-type": log.detail_types()});
    let kinds = selections.into_iter().map(|selection| selection.kind).collect::<Option<Vec<_>>>();
    if let (Some(kinds), Some(field), Some(fields)) = (kinds, condition::kind_field(log), pattern.as_object_mut()) {
        let kinds = kinds.into_iter().flatten().collect();
        let detail = json!({ field: split::values(&kinds, true) });
        let narrowed = json!({"source": [log.source()?], "detail-type": log.detail_types(), "detail": detail});
        if envelope(&narrowed).to_string().chars().count() <= MAX_PATTERN_CHARS {
            fields.insert("detail".to_owned(), detail);
        }
    }
    Some(pattern)
}

/// The whole pattern, as the deployment writes it: with the sources that it trusts, here the sandbox's relay among them.
#[must_use]
pub fn envelope(pattern: &Value) -> Value {
    let mut sources = match pattern.get("source").and_then(Value::as_array) {
        Some(sources) => sources.clone(),
        None => vec![json!({"prefix": "aws."})],
    };
    sources.push(json!("cordon.sandbox"));
    let mut whole = pattern.clone();
    set(&mut whole, "source", Value::Array(sources));
    whole
}

#[cfg(test)]
mod tests;
