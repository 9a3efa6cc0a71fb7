//! Slack's limits, looked for in the JSON that would be sent.

use serde_json::Value;

use super::{
    MAX_ACTION_ELEMENTS, MAX_BLOCKS, MAX_BUTTON, MAX_CONFIRM_BUTTON, MAX_CONFIRM_TEXT, MAX_CONFIRM_TITLE, MAX_CONTEXT_ELEMENTS,
    MAX_FIELD, MAX_FIELDS, MAX_HEADER, MAX_ID, MAX_INPUT, MAX_LABEL, MAX_METADATA, MAX_SECTION, MAX_TEXT, MAX_VALUE,
    MAX_VIEW_BLOCKS, MAX_VIEW_TITLE, MAX_WEIGHT, weight,
};
use crate::message::Message;
use crate::text::{truncate, units};

/// Why Slack would refuse a message, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// A list with too many entries.
    #[error("{at} has {found}, more than the {limit} that Slack takes")]
    TooMany {
        /// The place, as in `blocks[2].fields`.
        at: String,
        /// How many there are.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A text that is too long, in Slack's characters.
    #[error("{at} is {found} characters long, more than the {limit} that Slack takes")]
    TooLong {
        /// The place, as in `blocks[2].text`.
        at: String,
        /// Its length.
        found: usize,
        /// The most that Slack takes.
        limit: usize,
    },
    /// A text or a list that must not be empty.
    #[error("{at} is empty")]
    Empty {
        /// The place.
        at: String,
    },
    /// A type that Slack may not know either.
    #[error("{at} is of the type `{kind}`, which is not one that Cordon posts")]
    UnknownType {
        /// The place.
        at: String,
        /// The type, cut.
        kind: String,
    },
    /// A value of another shape.
    #[error("{at} is not {expected}")]
    Malformed {
        /// The place.
        at: String,
        /// The shape that Slack takes, as in "a list".
        expected: &'static str,
    },
}

/// Checks the blocks of a message against Slack's limits.
///
/// # Errors
/// The first limit that is not kept.
pub fn validate(blocks: &[Value]) -> Result<(), LimitError> {
    at_most("blocks", blocks.len(), MAX_BLOCKS)?;
    for (index, block) in blocks.iter().enumerate() {
        let at = format!("blocks[{index}]");
        optional_string(block, &at, "block_id", MAX_ID)?;
        match kind_of(block, &at)? {
            "header" => text(block, &at, "text", MAX_HEADER, &["plain_text"])?,
            "section" => section(block, &at)?,
            "context" => context(block, &at)?,
            "divider" => {}
            "actions" => actions(block, &at)?,
            other => return Err(unknown(at, other)),
        }
    }
    Ok(())
}

/// Checks a whole message: its blocks, and the text that stands for them where they cannot be shown.
///
/// # Errors
/// The first limit that is not kept.
pub fn validate_message(message: &Message) -> Result<(), LimitError> {
    if message.text.is_empty() {
        return Err(LimitError::Empty { at: "text".to_owned() });
    }
    short_enough("text", &message.text, MAX_TEXT)?;
    validate(&message.blocks)?;
    let total = weight(&message.blocks);
    if total > MAX_WEIGHT {
        return Err(LimitError::TooLong { at: "blocks".to_owned(), found: total, limit: MAX_WEIGHT });
    }
    Ok(())
}

/// Checks a dialog against Slack's limits.
pub(crate) fn view(view: &Value) -> Result<(), LimitError> {
    match kind_of(view, "view")? {
        "modal" => {}
        other => return Err(unknown("view".to_owned(), other)),
    }
    for name in ["title", "submit", "close"] {
        text(view, "view", name, MAX_VIEW_TITLE, &["plain_text"])?;
    }
    optional_string(view, "view", "callback_id", MAX_ID)?;
    optional_string(view, "view", "private_metadata", MAX_METADATA)?;
    for (at, block) in list(view, "view", "blocks", MAX_VIEW_BLOCKS)? {
        optional_string(block, &at, "block_id", MAX_ID)?;
        match kind_of(block, &at)? {
            "section" => section(block, &at)?,
            "input" => input(block, &at)?,
            other => return Err(unknown(at, other)),
        }
    }
    Ok(())
}

fn input(block: &Value, at: &str) -> Result<(), LimitError> {
    text(block, at, "label", MAX_LABEL, &["plain_text"])?;
    if block.get("hint").is_some() {
        text(block, at, "hint", MAX_LABEL, &["plain_text"])?;
    }
    let element_at = format!("{at}.element");
    let Some(element) = block.get("element") else { return Err(LimitError::Empty { at: element_at }) };
    match kind_of(element, &element_at)? {
        "plain_text_input" => {}
        other => return Err(unknown(element_at, other)),
    }
    optional_string(element, &element_at, "action_id", MAX_ID)?;
    for name in ["min_length", "max_length"] {
        if let Some(length) = element.get(name)
            && length.as_u64().is_none_or(|length| length > MAX_INPUT)
        {
            return Err(LimitError::Malformed { at: format!("{element_at}.{name}"), expected: "a number of at most 3,000" });
        }
    }
    Ok(())
}

fn section(block: &Value, at: &str) -> Result<(), LimitError> {
    if block.get("accessory").is_some() {
        return Err(LimitError::Malformed { at: format!("{at}.accessory"), expected: "something that Cordon posts" });
    }
    if block.get("text").is_some() {
        text(block, at, "text", MAX_SECTION, &["mrkdwn", "plain_text"])?;
    } else if block.get("fields").is_none() {
        return Err(LimitError::Empty { at: at.to_owned() });
    }
    if block.get("fields").is_some() {
        for (field_at, field) in list(block, at, "fields", MAX_FIELDS)? {
            text_object(field, &field_at, MAX_FIELD, &["mrkdwn", "plain_text"])?;
        }
    }
    Ok(())
}

fn context(block: &Value, at: &str) -> Result<(), LimitError> {
    for (element_at, element) in list(block, at, "elements", MAX_CONTEXT_ELEMENTS)? {
        text_object(element, &element_at, MAX_SECTION, &["mrkdwn", "plain_text"])?;
    }
    Ok(())
}

fn actions(block: &Value, at: &str) -> Result<(), LimitError> {
    let mut seen = Vec::new();
    for (button_at, button) in list(block, at, "elements", MAX_ACTION_ELEMENTS)? {
        match kind_of(button, &button_at)? {
            "button" => {}
            other => return Err(unknown(button_at, other)),
        }
        text(button, &button_at, "text", MAX_BUTTON, &["plain_text"])?;
        optional_string(button, &button_at, "action_id", MAX_ID)?;
        optional_string(button, &button_at, "value", MAX_VALUE)?;
        style(button, &button_at)?;
        if let Some(action_id) = button.get("action_id") {
            if seen.contains(&action_id) {
                return Err(LimitError::Malformed { at: format!("{button_at}.action_id"), expected: "used once in its block" });
            }
            seen.push(action_id);
        }
        if let Some(confirm) = button.get("confirm") {
            let at = format!("{button_at}.confirm");
            text(confirm, &at, "title", MAX_CONFIRM_TITLE, &["plain_text"])?;
            text(confirm, &at, "text", MAX_CONFIRM_TEXT, &["plain_text", "mrkdwn"])?;
            text(confirm, &at, "confirm", MAX_CONFIRM_BUTTON, &["plain_text"])?;
            text(confirm, &at, "deny", MAX_CONFIRM_BUTTON, &["plain_text"])?;
            style(confirm, &at)?;
        }
    }
    Ok(())
}

fn list<'a>(block: &'a Value, at: &str, key: &str, limit: usize) -> Result<Vec<(String, &'a Value)>, LimitError> {
    let at = format!("{at}.{key}");
    let Some(items) = block.get(key).and_then(Value::as_array) else {
        return Err(LimitError::Malformed { at, expected: "a list" });
    };
    if items.is_empty() {
        return Err(LimitError::Empty { at });
    }
    at_most(&at, items.len(), limit)?;
    Ok(items.iter().enumerate().map(|(index, item)| (format!("{at}[{index}]"), item)).collect())
}

fn text(holder: &Value, at: &str, key: &str, limit: usize, kinds: &[&str]) -> Result<(), LimitError> {
    let at = format!("{at}.{key}");
    match holder.get(key) {
        Some(object) => text_object(object, &at, limit, kinds),
        None => Err(LimitError::Empty { at }),
    }
}

fn text_object(object: &Value, at: &str, limit: usize, kinds: &[&str]) -> Result<(), LimitError> {
    let kind = kind_of(object, at)?;
    if !kinds.contains(&kind) {
        return Err(unknown(at.to_owned(), kind));
    }
    match object.get("text").and_then(Value::as_str) {
        None => Err(LimitError::Malformed { at: at.to_owned(), expected: "a text object" }),
        Some("") => Err(LimitError::Empty { at: at.to_owned() }),
        Some(text) => short_enough(at, text, limit),
    }
}

fn optional_string(holder: &Value, at: &str, key: &str, limit: usize) -> Result<(), LimitError> {
    match holder.get(key) {
        None => Ok(()),
        Some(Value::String(text)) if text.is_empty() => Err(LimitError::Empty { at: format!("{at}.{key}") }),
        Some(Value::String(text)) => short_enough(&format!("{at}.{key}"), text, limit),
        Some(_) => Err(LimitError::Malformed { at: format!("{at}.{key}"), expected: "a string" }),
    }
}

fn style(element: &Value, at: &str) -> Result<(), LimitError> {
    match element.get("style").map(Value::as_str) {
        None | Some(Some("primary" | "danger")) => Ok(()),
        Some(_) => Err(LimitError::Malformed { at: format!("{at}.style"), expected: "`primary` or `danger`" }),
    }
}

fn kind_of<'a>(element: &'a Value, at: &str) -> Result<&'a str, LimitError> {
    let kind = element.get("type").and_then(Value::as_str);
    kind.ok_or_else(|| LimitError::Malformed { at: at.to_owned(), expected: "an object with a `type`" })
}

fn short_enough(at: &str, text: &str, limit: usize) -> Result<(), LimitError> {
    let found = units(text);
    if found > limit { Err(LimitError::TooLong { at: at.to_owned(), found, limit }) } else { Ok(()) }
}

fn at_most(at: &str, found: usize, limit: usize) -> Result<(), LimitError> {
    if found > limit { Err(LimitError::TooMany { at: at.to_owned(), found, limit }) } else { Ok(()) }
}

fn unknown(at: String, kind: &str) -> LimitError {
    LimitError::UnknownType { at, kind: truncate(kind, 40) }
}
