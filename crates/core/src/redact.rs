//! Cuts what looks like a secret out of JSON, by names, by shapes, and inside documents that are texts.
//!
//! Everything that leaves the table goes through here or through [`cordon_text::redact`], and so does every entry of a timeline
//! before it is hashed. What a call is carried out with is stored as it is: only what is shown of it is cut.

pub use cordon_text::redact as text;
use cordon_text::{REDACTED, is_harmless_value, is_name_field, is_secret_name, is_value_field};
use serde_json::{Map, Value};

/// A document in a document in a document is rare; deeper ones are read as texts.
const DEPTH_MAX: usize = 8;

/// The value without what looks like a secret in it.
#[must_use]
pub fn json(value: &Value) -> Value {
    within(value, 0)
}

/// A text that may hold JSON, plain or percent-encoded. One without a secret is kept to the letter.
#[must_use]
pub fn document(text: &str) -> String {
    string(text, 0)
}

/// The value of a tag, as it is kept of an event.
#[must_use]
pub fn tag(key: &str, value: &str) -> String {
    if is_secret_name(key) && !is_harmless_value(value) { REDACTED.to_owned() } else { string(value, 0) }
}

fn within(value: &Value, depth: usize) -> Value {
    match value {
        Value::String(text) => Value::String(string(text, depth)),
        Value::Array(values) => values.iter().map(|value| within(value, depth)).collect(),
        Value::Object(fields) => object(fields, depth),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn object(fields: &Map<String, Value>, depth: usize) -> Value {
    let names_a_secret = fields.iter().any(|(field, name)| is_name_field(field) && name.as_str().is_some_and(is_secret_name));
    let shown = |(field, value): (&String, &Value)| {
        let is_secret = is_secret_name(field) || (names_a_secret && is_value_field(field));
        let value = if is_secret { hidden(value, depth) } else { within(value, depth) };
        (string(field, depth), value)
    };
    Value::Object(fields.iter().map(shown).collect())
}

/// The value of a secret: its texts and numbers are cut, whatever they look like; an object is looked into.
fn hidden(value: &Value, depth: usize) -> Value {
    match value {
        Value::String(text) if is_harmless_value(text) => value.clone(),
        Value::String(_) | Value::Number(_) => Value::String(REDACTED.to_owned()),
        Value::Array(values) => values.iter().map(|value| hidden(value, depth)).collect(),
        Value::Object(fields) => object(fields, depth),
        Value::Null | Value::Bool(_) => value.clone(),
    }
}

fn string(text: &str, depth: usize) -> String {
    if depth < DEPTH_MAX
        && let Some(parsed) = parsed(text)
    {
        let shown = within(&parsed, depth + 1);
        return if shown == parsed { text.to_owned() } else { shown.to_string() };
    }
    cordon_text::redact(text).into_owned()
}

/// An object or an array that stands in a text.
fn parsed(text: &str) -> Option<Value> {
    let start = text.trim_start();
    let is_encoded = ["%7B", "%7b", "%5B", "%5b"].iter().any(|bracket| start.starts_with(bracket));
    let decoded = if is_encoded { crate::document::decode(start).ok()? } else { start.into() };
    if !decoded.starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str(&decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::{document, json};
    use serde_json::json as value;

    #[test]
    fn a_secret_is_cut_by_its_name_its_shape_and_inside_documents() {
        let shown = json(&value!({
            "environment": [{"name": "DB_PASSWORD", "value": "hunter2"}, {"name": "STAGE", "value": "prod"}],
            "tags": [{"Key": "api-token", "Value": "hunter2"}], "pin": {"password": 1234}, "plain": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "inside": "{\"a\": \"[{\\\"name\\\":\\\"token\\\",\\\"value\\\":\\\"hunter2\\\"}]\"}", "encoded": "%7B%22secret%22%3A%22hunter2%22%7D",
            "tokens": ["hunter2"], "password=hunter2": 1,
        }));
        let text = shown.to_string();
        assert!(!text.contains("hunter2") && !text.contains("ghp_") && !text.contains("1234"), "{text}");
        assert_eq!(shown["environment"][1]["value"], "prod");
        assert_eq!(json(&shown), shown, "twice is once");
    }

    #[test]
    fn a_document_without_a_secret_is_kept_to_the_letter() {
        for kept in ["{ \"Statement\" : [ ] }", "%7B%22a%22%3A1%7D", "[", "{\"a\"", "", "plain"] {
            assert_eq!(document(kept), kept);
        }
    }
}
