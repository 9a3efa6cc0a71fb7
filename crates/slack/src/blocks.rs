//! The few Block Kit blocks that Cordon uses, and the limits that Slack puts on them.
//!
//! [`validate`] looks at the JSON that would be sent, not at the types that made it, so that it also checks messages of other makers.
//! It refuses a block type that it does not know: Slack would refuse the whole message, and the incident would go untold.
//! Nothing here escapes; text comes ready from [`crate::text`].
//!
//! Source of the numbers: <https://docs.slack.dev/reference/block-kit/blocks>

use serde_json::{Value, json};

use crate::text::{truncate, units};

pub const MAX_BLOCKS: usize = 50;
pub const MAX_SECTION: usize = 3_000;
pub const MAX_FIELDS: usize = 10;
pub const MAX_FIELD: usize = 2_000;
pub const MAX_HEADER: usize = 150;
pub const MAX_CONTEXT_ELEMENTS: usize = 10;
pub const MAX_ACTION_ELEMENTS: usize = 25;
pub const MAX_BUTTON: usize = 75;
pub const MAX_VALUE: usize = 2_000;
pub const MAX_CONFIRM_TITLE: usize = 100;
pub const MAX_CONFIRM_TEXT: usize = 300;
pub const MAX_CONFIRM_BUTTON: usize = 30;
const MAX_ID: usize = 255;

/// A block; its strings are `mrkdwn` unless said otherwise.
#[derive(Clone, Debug)]
pub enum Block {
    /// Plain text.
    Header(String),
    Section(String),
    Fields(Vec<String>),
    Context(Vec<String>),
    Divider,
    Actions(Vec<Button>),
}

/// A button; all its strings are plain text.
#[derive(Clone, Debug)]
pub struct Button {
    pub action_id: &'static str,
    pub text: String,
    pub value: String,
    pub style: Style,
    pub confirm: Option<Confirm>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    Primary,
    Danger,
}

/// The dialog between a click and its effect.
#[derive(Clone, Debug)]
pub struct Confirm {
    pub title: String,
    pub text: String,
    pub confirm: String,
    pub deny: String,
    pub style: Style,
}

impl Block {
    pub fn to_value(&self) -> Value {
        match self {
            Self::Header(text) => json!({"type": "header", "text": plain_text(text)}),
            Self::Section(text) => json!({"type": "section", "text": mrkdwn(text)}),
            Self::Fields(fields) => json!({"type": "section", "fields": texts(fields)}),
            Self::Context(elements) => json!({"type": "context", "elements": texts(elements)}),
            Self::Divider => json!({"type": "divider"}),
            Self::Actions(buttons) => {
                json!({"type": "actions", "elements": buttons.iter().map(Button::to_value).collect::<Vec<_>>()})
            }
        }
    }
}

impl Button {
    fn to_value(&self) -> Value {
        let mut button =
            json!({"type": "button", "action_id": self.action_id, "text": plain_text(&self.text), "value": self.value});
        styled(&mut button, self.style);
        if let (Some(confirm), Some(fields)) = (&self.confirm, button.as_object_mut()) {
            fields.insert("confirm".into(), confirm.to_value());
        }
        button
    }
}

impl Confirm {
    fn to_value(&self) -> Value {
        let mut confirm = json!({
            "title": plain_text(&self.title),
            "text": plain_text(&self.text),
            "confirm": plain_text(&self.confirm),
            "deny": plain_text(&self.deny),
        });
        styled(&mut confirm, self.style);
        confirm
    }
}

fn styled(element: &mut Value, style: Style) {
    let name = match style {
        Style::Plain => return,
        Style::Primary => "primary",
        Style::Danger => "danger",
    };
    if let Some(fields) = element.as_object_mut() {
        fields.insert("style".into(), name.into());
    }
}

fn texts(texts: &[String]) -> Vec<Value> {
    texts.iter().map(|text| mrkdwn(text)).collect()
}

/// `verbatim` keeps Slack from finding links, channels and people in what was not marked up as such.
fn mrkdwn(text: &str) -> Value {
    json!({"type": "mrkdwn", "text": text, "verbatim": true})
}

fn plain_text(text: &str) -> Value {
    json!({"type": "plain_text", "text": text, "emoji": false})
}

/// Why Slack would refuse a message, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    #[error("{at} has {found}, more than the {limit} that Slack takes")]
    TooMany { at: String, found: usize, limit: usize },
    #[error("{at} is {found} characters long, more than the {limit} that Slack takes")]
    TooLong { at: String, found: usize, limit: usize },
    #[error("{at} is empty")]
    Empty { at: String },
    #[error("{at} is of the type `{kind}`, which is not one that Cordon posts")]
    UnknownType { at: String, kind: String },
    #[error("{at} is not {expected}")]
    Malformed { at: String, expected: &'static str },
}

/// Checks the blocks of a message against Slack's limits.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(block: Value) -> String {
        validate(&[block]).unwrap_err().to_string()
    }

    fn text_of(kind: &str, length: usize) -> Value {
        json!({"type": kind, "text": "x".repeat(length)})
    }

    fn button(text: usize, value: usize, confirm: Value) -> Value {
        json!({"type": "actions", "elements": [
            {"type": "button", "action_id": "a", "text": text_of("plain_text", text), "value": "x".repeat(value), "confirm": confirm}]})
    }

    fn confirm(title: usize, text: usize, yes: usize) -> Value {
        json!({"title": text_of("plain_text", title), "text": text_of("plain_text", text),
               "confirm": text_of("plain_text", yes), "deny": text_of("plain_text", 1)})
    }

    #[test]
    fn each_limit_is_kept_to_the_character() {
        for (limit, make) in [
            (MAX_HEADER, &(|n| json!({"type": "header", "text": text_of("plain_text", n)})) as &dyn Fn(usize) -> Value),
            (MAX_SECTION, &|n| json!({"type": "section", "text": text_of("mrkdwn", n)})),
            (MAX_FIELD, &|n| json!({"type": "section", "fields": [text_of("mrkdwn", n)]})),
            (MAX_FIELDS, &|n| json!({"type": "section", "fields": vec![text_of("mrkdwn", 1); n]})),
            (MAX_CONTEXT_ELEMENTS, &|n| json!({"type": "context", "elements": vec![text_of("mrkdwn", 1); n]})),
            (MAX_BUTTON, &|n| button(n, 1, confirm(1, 1, 1))),
            (MAX_VALUE, &|n| button(1, n, confirm(1, 1, 1))),
            (MAX_CONFIRM_TITLE, &|n| button(1, 1, confirm(n, 1, 1))),
            (MAX_CONFIRM_TEXT, &|n| button(1, 1, confirm(1, n, 1))),
            (MAX_CONFIRM_BUTTON, &|n| button(1, 1, confirm(1, 1, n))),
        ] {
            assert_eq!(validate(&[make(limit)]), Ok(()), "{limit}");
            assert!(fault(make(limit + 1)).contains(&format!("more than the {limit} ")), "{limit}");
            assert!(validate(&[make(0)]).is_err(), "{limit}");
        }
    }

    #[test]
    fn the_fifty_first_block_is_one_too_many() {
        let divider = json!({"type": "divider"});
        assert_eq!(validate(&vec![divider.clone(); 50]), Ok(()));
        assert_eq!(validate(&vec![divider; 51]), Err(LimitError::TooMany { at: "blocks".into(), found: 51, limit: 50 }));
    }

    #[test]
    fn an_astral_character_counts_as_two() {
        let header = json!({"type": "header", "text": {"type": "plain_text", "text": "😀".repeat(76)}});
        assert!(fault(header).contains("152"));
    }

    #[test]
    fn what_slack_would_refuse_is_refused_and_its_place_named() {
        for (block, needle) in [
            (json!({"type": "carousel"}), "`carousel`"),
            (json!({"no": "type"}), "blocks[0] is not"),
            (json!("text"), "blocks[0] is not"),
            (json!({"type": "section"}), "blocks[0] is empty"),
            (json!({"type": "header", "text": text_of("mrkdwn", 1)}), "blocks[0].text"),
            (json!({"type": "section", "text": {"type": "mrkdwn", "text": 7}}), "blocks[0].text"),
            (json!({"type": "section", "text": text_of("mrkdwn", 1), "accessory": {}}), "accessory"),
            (json!({"type": "actions", "elements": [{"type": "datepicker"}]}), "`datepicker`"),
            (json!({"type": "divider", "block_id": "x".repeat(256)}), "block_id"),
            (button(1, 1, json!({"title": text_of("plain_text", 1)})), "confirm.text"),
        ] {
            let said = fault(block.clone());
            assert!(said.contains(needle), "{block}: {said}");
        }
        let mut twice = button(1, 1, confirm(1, 1, 1));
        let one = twice["elements"][0].clone();
        twice["elements"] = json!([one, one]);
        assert!(fault(twice).contains("used once"));
    }

    #[test]
    fn everything_the_builder_makes_is_understood() {
        let ask = Confirm { title: "t".into(), text: "x".into(), confirm: "y".into(), deny: "n".into(), style: Style::Danger };
        let button = Button { action_id: "a", text: "A".into(), value: "v".into(), style: Style::Primary, confirm: Some(ask) };
        let blocks = [
            Block::Header("h".into()),
            Block::Section("s".into()),
            Block::Fields(vec!["f".into()]),
            Block::Context(vec!["c".into()]),
            Block::Divider,
            Block::Actions(vec![button]),
        ];
        assert_eq!(validate(&blocks.iter().map(Block::to_value).collect::<Vec<_>>()), Ok(()));
    }
}
