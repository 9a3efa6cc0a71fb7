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

/// The most blocks of a message. Lengths here and below are in Slack's characters; see [`crate::text::units`].
pub const MAX_BLOCKS: usize = 50;
/// A section's text.
pub const MAX_SECTION: usize = 3_000;
/// The most fields of a section.
pub const MAX_FIELDS: usize = 10;
/// One field's text.
pub const MAX_FIELD: usize = 2_000;
/// A header's text.
pub const MAX_HEADER: usize = 150;
/// The most elements of a context block.
pub const MAX_CONTEXT_ELEMENTS: usize = 10;
/// The most buttons of an actions block.
pub const MAX_ACTION_ELEMENTS: usize = 25;
/// A button's text.
pub const MAX_BUTTON: usize = 75;
/// A button's value.
pub const MAX_VALUE: usize = 2_000;
/// The title of the dialog between a click and its effect.
pub const MAX_CONFIRM_TITLE: usize = 100;
/// Its text.
pub const MAX_CONFIRM_TEXT: usize = 300;
/// Each of its two buttons.
pub const MAX_CONFIRM_BUTTON: usize = 30;
/// The fallback text.
pub const MAX_TEXT: usize = 40_000;
/// The most blocks of a dialog.
pub const MAX_VIEW_BLOCKS: usize = 100;
/// A dialog's title, and each of its two buttons.
pub const MAX_VIEW_TITLE: usize = 24;
/// A dialog's `private_metadata`.
pub const MAX_METADATA: usize = 3_000;
/// The label of an input, and its hint.
pub const MAX_LABEL: usize = 2_000;
/// The most that can be written into an input.
pub const MAX_INPUT: u64 = 3_000;
/// The longest id of a block, an element or a dialog.
pub const MAX_ID: usize = 255;

/// A block; its strings are `mrkdwn` unless said otherwise.
#[derive(Clone, Debug)]
pub enum Block {
    /// Plain text.
    Header(String),
    /// A paragraph.
    Section(String),
    /// A section of lines, as many as fit.
    List(List),
    /// A section of short texts in two columns, at most [`MAX_FIELDS`].
    Fields(Vec<String>),
    /// Small print: at most [`MAX_CONTEXT_ELEMENTS`] texts on a line.
    Context(Vec<String>),
    /// A line.
    Divider,
    /// A row of buttons, at most [`MAX_ACTION_ELEMENTS`].
    Actions(Vec<Button>),
}

/// A button; all its strings are plain text.
#[derive(Clone, Debug)]
pub struct Button {
    /// Comes back with a click.
    pub action_id: &'static str,
    /// The words on it.
    pub text: String,
    /// Comes back with a click.
    pub value: String,
    /// Its colour.
    pub style: Style,
    /// The dialog that asks again, if there is one.
    pub confirm: Option<Confirm>,
}

/// The colour of a button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Grey.
    Plain,
    /// Green.
    Primary,
    /// Red.
    Danger,
}

/// The dialog between a click and its effect.
#[derive(Clone, Debug)]
pub struct Confirm {
    /// The dialog's title.
    pub title: String,
    /// What the click is about to do.
    pub text: String,
    /// The button that goes on.
    pub confirm: String,
    /// The button that goes back.
    pub deny: String,
    /// The colour of the button that goes on.
    pub style: Style,
}

impl Block {
    /// The block as Slack takes it.
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

    /// Whether it is a list that is shortened only after all others.
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
