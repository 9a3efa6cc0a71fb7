//! How long the blocks of a message are together. Slack refuses what is too long with `msg_blocks_too_long`, and publishes neither the
//! limit nor how it counts; so this is a measure of our own, made to refuse earlier than Slack does.
//!
//! What is known of it (<https://github.com/slackapi/bolt-js/issues/2509>): a single block may hold 13,297 characters, and 125 fewer
//! where an empty divider stands beside it. Another report has 11,341 characters refused that lay in many small objects
//! (<https://github.com/slackapi/bolt-js/issues/2867>). So names and brackets count, and each block costs about a hundred on top.

use serde_json::Value;

use crate::text::units;

/// The most that the blocks of one message weigh. By this measure the single block of 13,297 characters weighs 13,425.
pub const MAX_WEIGHT: usize = 13_000;

const BLOCK: usize = 100;
/// Quotes, colon and comma of a field.
const MARKS: usize = 6;

/// The weight of blocks, to be held against [`MAX_WEIGHT`].
pub fn weight(blocks: &[Value]) -> usize {
    blocks.iter().map(|block| BLOCK + of(block)).sum()
}

fn of(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => MARKS,
        Value::String(text) => units(text),
        Value::Array(items) => items.iter().map(of).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| units(name) + MARKS + of(value)).sum(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_slack_was_seen_to_refuse_weighs_too_much() {
        let block = |length: usize| json!({"type": "markdown", "text": "x".repeat(length)});
        assert_eq!(weight(&[block(13_297)]), 13_425);
        assert!(weight(&[block(13_172), json!({"type": "divider"})]) > MAX_WEIGHT);
        // Many small objects, as in the second report.
        let elements: Vec<Value> = (0..120).map(|_| json!({"type": "text", "text": "x".repeat(95)})).collect();
        assert!(weight(&[json!({"type": "rich_text", "elements": elements})]) > MAX_WEIGHT);
        assert!(weight(&[block(12_500)]) < MAX_WEIGHT);
    }
}
