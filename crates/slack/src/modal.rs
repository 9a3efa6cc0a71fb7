//! The dialog that asks for a reason: why denied, why past the quorum, why taken back.
//!
//! It carries the incident's id and what the reason is for, and nothing else: who may do that is asked when it comes back. One dialog
//! has one text area.
//!
//! Source: <https://docs.slack.dev/reference/views/modal-views>

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::blocks::{LimitError, MAX_SECTION, limits};
use crate::text::{clean, plain, truncate};

/// The `callback_id` of Cordon's dialogs.
pub const CALLBACK_ID: &str = "cordon_reason";
/// The block and the element that hold the text.
pub const REASON: &str = "reason";
/// The longest reason that can be written.
pub const MAX_REASON: usize = 1_000;
/// What fits a fault under the text area, by our own measure.
const MAX_FAULT: usize = 300;

/// What the reason is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModalKind {
    Deny,
    BreakGlass,
    Undo,
}

/// What `private_metadata` carries.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct About {
    pub incident: String,
    pub choice: ModalKind,
}

/// A dialog about one incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modal {
    pub kind: ModalKind,
    pub incident: String,
    /// Whom it is about, as the card names them; an attacker's text.
    pub subject: String,
}

impl ModalKind {
    fn title(self) -> &'static str {
        match self {
            Self::Deny => "Deny this incident",
            Self::BreakGlass => "Break glass",
            Self::Undo => "Undo the changes",
        }
    }

    fn submit(self) -> &'static str {
        match self {
            Self::Deny => "Deny",
            Self::BreakGlass => "Approve alone",
            Self::Undo => "Undo",
        }
    }

    fn explains(self) -> &'static str {
        match self {
            Self::Deny => "What was done stays as it is, and the incident is closed.",
            Self::BreakGlass => {
                "The calls on the card are made at once, without the other approvers. Each of them is told, with your reason."
            }
            Self::Undo => {
                "What Cordon changed is put back as it was before. Where somebody else changed it since, nothing is done."
            }
        }
    }
}

impl Modal {
    /// What `views.open` takes.
    pub fn to_view(&self) -> Value {
        let about = json!({"incident": self.incident, "choice": self.kind}).to_string();
        let text = |text: &str| json!({"type": "plain_text", "text": text, "emoji": false});
        json!({
            "type": "modal",
            "callback_id": CALLBACK_ID,
            "private_metadata": about,
            "title": text(self.kind.title()),
            "submit": text(self.kind.submit()),
            "close": text("Go back"),
            "blocks": [
                {"type": "section", "text": text(&plain(&format!("{} Subject: {}", self.kind.explains(), plain(&self.subject, 250)), MAX_SECTION))},
                {
                    "type": "input",
                    "block_id": REASON,
                    "label": text("Reason"),
                    "hint": text("Stands on the incident's record, with your name."),
                    "element": {
                        "type": "plain_text_input", "action_id": REASON, "multiline": true, "min_length": 3, "max_length": MAX_REASON,
                    },
                },
            ],
        })
    }
}

/// Checks a dialog against Slack's limits.
pub fn validate(view: &Value) -> Result<(), LimitError> {
    limits::view(view)
}

/// The answer to a submission that closes the dialog: an empty body, status 200.
pub const CLOSED: &str = "";

/// The answer to a submission that keeps the dialog open and shows a fault under the text area. Status 200, `application/json`.
pub fn fault(text: &str) -> String {
    json!({"response_action": "errors", "errors": {REASON: plain(text, MAX_FAULT)}}).to_string()
}

/// The text that was written, in one piece and cut. `None` where the state has no such element.
pub(crate) fn reason(state: &Value) -> Option<String> {
    let element = state.pointer("/values/reason/reason")?;
    let written = match element.get("value") {
        None | Some(Value::Null) => "",
        Some(value) => value.as_str()?,
    };
    Some(truncate(clean(written).trim(), MAX_REASON))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modal(kind: ModalKind) -> Modal {
        Modal { kind, incident: "inc-0123456789abcdef0123".into(), subject: format!("user <!channel> {}", "x".repeat(5_000)) }
    }

    #[test]
    fn every_dialog_keeps_slacks_limits_whatever_the_subject_is_called() {
        for kind in [ModalKind::Deny, ModalKind::BreakGlass, ModalKind::Undo] {
            let view = modal(kind).to_view();
            assert_eq!(validate(&view), Ok(()), "{view}");
            assert!(!view.to_string().contains("<!channel>"));
        }
    }

    #[test]
    fn a_dialog_carries_the_incident_and_what_the_reason_is_for_and_nothing_else() {
        let metadata = modal(ModalKind::BreakGlass).to_view()["private_metadata"].as_str().unwrap().to_owned();
        let about: Value = serde_json::from_str(&metadata).unwrap();
        assert_eq!(about, json!({"incident": "inc-0123456789abcdef0123", "choice": "break_glass"}));
    }

    #[test]
    fn a_reason_is_one_line_without_what_hides() {
        let state = |value: Value| json!({"values": {"reason": {"reason": {"type": "plain_text_input", "value": value}}}});
        assert_eq!(reason(&state(json!("  planned\nwork \u{202E} "))).unwrap(), "planned work \u{FFFD}");
        assert_eq!(reason(&state(Value::Null)).unwrap(), "");
        assert_eq!(reason(&state(json!("x".repeat(4_096)))).unwrap().chars().count(), MAX_REASON);
        assert_eq!(reason(&state(json!(7))), None);
        assert_eq!(reason(&json!({"values": {}})), None);
    }

    #[test]
    fn a_view_that_slack_would_refuse_is_refused() {
        let mut long = modal(ModalKind::Deny).to_view();
        long["title"]["text"] = "x".repeat(25).into();
        assert!(validate(&long).unwrap_err().to_string().contains("view.title"));
        let mut metadata = modal(ModalKind::Deny).to_view();
        metadata["private_metadata"] = "x".repeat(3_001).into();
        assert!(validate(&metadata).unwrap_err().to_string().contains("private_metadata"));
        let mut element = modal(ModalKind::Deny).to_view();
        element["blocks"][1]["element"]["max_length"] = 3_001.into();
        assert!(validate(&element).unwrap_err().to_string().contains("max_length"));
        let mut unknown = modal(ModalKind::Deny).to_view();
        unknown["blocks"][1]["element"]["type"] = "datepicker".into();
        assert!(validate(&unknown).unwrap_err().to_string().contains("`datepicker`"));
    }
}
