//! A dialog with one text area, and the text that comes back.
//!
//! It says how Slack takes a dialog, not what one asks: the caller gives every text. All of them are plain text.
//!
//! Source: <https://docs.slack.dev/reference/views/modal-views>

use serde_json::{Value, json};

use crate::blocks::{LimitError, MAX_INPUT, limits};
use crate::text::{clean, truncate};

/// A dialog with a sentence and one text area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modal {
    /// Comes back with the dialog, so that an app knows its own.
    pub callback_id: String,
    /// Comes back as it is, unseen by the person; at most 3,000 characters.
    pub metadata: String,
    /// At most 24 characters, as are the two buttons.
    pub title: String,
    /// The button that sends the dialog off.
    pub submit: String,
    /// The button that closes it.
    pub close: String,
    /// The sentence above the text area, at most 3,000 characters.
    pub text: String,
    /// The text area.
    pub field: TextArea,
}

/// A text area of several lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextArea {
    /// The id of its block and of its element.
    pub id: String,
    /// The line above it.
    pub label: String,
    /// The line below it.
    pub hint: String,
    /// The fewest characters that Slack lets through.
    pub min_length: usize,
    /// The most, at most 3,000.
    pub max_length: usize,
}

impl Modal {
    /// The argument `view` of `views.open`.
    #[must_use]
    pub fn to_view(&self) -> Value {
        let text = |text: &str| json!({"type": "plain_text", "text": text, "emoji": false});
        let TextArea { id, label, hint, min_length, max_length } = &self.field;
        json!({
            "type": "modal",
            "callback_id": self.callback_id,
            "private_metadata": self.metadata,
            "title": text(&self.title),
            "submit": text(&self.submit),
            "close": text(&self.close),
            "blocks": [
                {"type": "section", "text": text(&self.text)},
                {
                    "type": "input",
                    "block_id": id,
                    "label": text(label),
                    "hint": text(hint),
                    "element": {
                        "type": "plain_text_input", "action_id": id, "multiline": true,
                        "min_length": min_length, "max_length": max_length,
                    },
                },
            ],
        })
    }
}

/// Checks a dialog against Slack's limits.
///
/// # Errors
/// The first limit that Slack would refuse the dialog for.
pub fn validate(view: &Value) -> Result<(), LimitError> {
    limits::view(view)
}

/// The text in a field of a dialog's state: in one piece, without what hides, trimmed, and cut. `None` where the state has no such
/// field.
pub(crate) fn written(state: &Value, field: &str) -> Option<String> {
    let element = state.get("values")?.get(field)?.get(field)?;
    let written = match element.get("value") {
        None | Some(Value::Null) => "",
        Some(value) => value.as_str()?,
    };
    Some(truncate(clean(written).trim(), usize::try_from(MAX_INPUT).unwrap_or(usize::MAX)))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn modal() -> Modal {
        Modal {
            callback_id: "why".into(),
            metadata: r#"{"about":"a sample"}"#.into(),
            title: "Why?".into(),
            submit: "Send".into(),
            close: "Go back".into(),
            text: "Somebody will read it.".into(),
            field: TextArea {
                id: "reason".into(),
                label: "Reason".into(),
                hint: "One line.".into(),
                min_length: 3,
                max_length: 1_000,
            },
        }
    }

    #[test]
    fn a_dialog_is_one_that_slack_takes() {
        assert_eq!(validate(&modal().to_view()), Ok(()));
    }

    #[test]
    fn a_written_text_is_one_line_without_what_hides() {
        let state = |value: Value| json!({"values": {"reason": {"reason": {"type": "plain_text_input", "value": value}}}});
        let reason = |state: &Value| written(state, "reason");
        assert_eq!(reason(&state(json!("  planned\nwork \u{202E} "))).unwrap(), "planned work \u{FFFD}");
        assert_eq!(reason(&state(Value::Null)).unwrap(), "");
        assert_eq!(reason(&state(json!("x".repeat(4_096)))).unwrap().chars().count(), 3_000);
        assert_eq!(reason(&state(json!(7))), None);
        assert_eq!(reason(&json!({"values": {}})), None);
    }

    #[test]
    fn a_view_that_slack_would_refuse_is_refused() {
        let mut long = modal().to_view();
        long["title"]["text"] = "x".repeat(25).into();
        assert!(validate(&long).unwrap_err().to_string().contains("view.title"));
        let mut metadata = modal().to_view();
        metadata["private_metadata"] = "x".repeat(3_001).into();
        assert!(validate(&metadata).unwrap_err().to_string().contains("private_metadata"));
        let mut element = modal().to_view();
        element["blocks"][1]["element"]["max_length"] = 3_001.into();
        assert!(validate(&element).unwrap_err().to_string().contains("max_length"));
        let mut unknown = modal().to_view();
        unknown["blocks"][1]["element"]["type"] = "datepicker".into();
        assert!(validate(&unknown).unwrap_err().to_string().contains("`datepicker`"));
    }
}
