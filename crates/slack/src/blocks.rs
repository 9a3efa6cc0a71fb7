//! The few Block Kit blocks that Cordon uses, and the limits that Slack puts on them.
//!
//! [`validate`] looks at the JSON that would be sent, not at the types that made it, so that it also checks messages of other makers.
//! It refuses a block type that it does not know: Slack would refuse the whole message, and the incident would go untold.
//! Nothing here escapes; text comes ready from [`crate::text`].
//!
//! Source of the numbers: <https://docs.slack.dev/reference/block-kit/blocks>

pub(crate) mod limits;
mod list;
mod weight;

use serde_json::{Value, json};

pub use limits::{LimitError, validate, validate_message};
pub use list::List;
pub use weight::{MAX_WEIGHT, weight};

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
/// The fallback text.
pub const MAX_TEXT: usize = 40_000;
pub const MAX_VIEW_BLOCKS: usize = 100;
pub const MAX_VIEW_TITLE: usize = 24;
pub const MAX_METADATA: usize = 3_000;
pub const MAX_LABEL: usize = 2_000;
pub const MAX_INPUT: u64 = 3_000;
const MAX_ID: usize = 255;

/// A block; its strings are `mrkdwn` unless said otherwise.
#[derive(Clone, Debug)]
pub enum Block {
    /// Plain text.
    Header(String),
    Section(String),
    /// A section of lines, as many as fit.
    List(List),
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
        self.to_value_of(100)
    }

    /// The same; a list has only so many percent of its budget.
    pub fn to_value_of(&self, percent: usize) -> Value {
        match self {
            Self::Header(text) => json!({"type": "header", "text": plain_text(text)}),
            Self::Section(text) => section(text),
            Self::List(list) => section(&list.text(percent)),
            Self::Fields(fields) => json!({"type": "section", "fields": texts(fields)}),
            Self::Context(elements) => json!({"type": "context", "elements": texts(elements)}),
            Self::Divider => json!({"type": "divider"}),
            Self::Actions(buttons) => {
                json!({"type": "actions", "elements": buttons.iter().map(Button::to_value).collect::<Vec<_>>()})
            }
        }
    }

    /// A list that is shortened only after all others.
    #[must_use]
    pub fn kept(self) -> Self {
        match self {
            Self::List(list) => Self::List(List { kept: true, ..list }),
            other => other,
        }
    }

    pub fn is_kept(&self) -> bool {
        matches!(self, Self::List(List { kept: true, .. }))
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

fn section(text: &str) -> Value {
    json!({"type": "section", "text": mrkdwn(text)})
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

#[cfg(test)]
mod tests;
