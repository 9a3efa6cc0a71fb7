//! The dialog that asks for a reason: why denied, why past the quorum, why taken back.
//!
//! It carries the incident's id and what the reason is for, and nothing else: who may do that is asked when it comes back.

use cordon_core::IncidentId;
use cordon_slack::blocks::MAX_SECTION;
use cordon_slack::modal::{Modal, TextArea};
use cordon_slack::text::plain;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The `callback_id` of Cordon's dialogs.
pub(crate) const CALLBACK_ID: &str = "cordon_reason";
/// The field that holds the reason.
pub const REASON: &str = "reason";
/// The longest reason, in characters.
pub(crate) const MAX_REASON: usize = 1_000;

/// What the reason is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialogKind {
    /// A denial.
    Deny,
    /// An approval past the quorum.
    BreakGlass,
    /// Taking the changes back.
    Undo,
}

/// The `private_metadata` of a dialog.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DialogMetadata {
    pub incident: IncidentId,
    pub choice: DialogKind,
}

/// A dialog about one incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialog {
    /// What it asks the reason for.
    pub kind: DialogKind,
    /// The incident.
    pub incident: IncidentId,
    /// The incident's subject, as the card names it; an attacker's text.
    pub subject: String,
    /// Who has said the same so far and how many have to, in a sentence; empty where one is enough.
    pub standing: String,
}

impl DialogKind {
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

impl Dialog {
    /// The dialog as Slack takes it.
    #[must_use]
    pub fn modal(&self) -> Modal {
        let standing = if self.standing.is_empty() { String::new() } else { format!(" {}", plain(&self.standing, 400)) };
        let text = format!("{}{standing} Subject: {}", self.kind.explains(), plain(&self.subject, 250));
        Modal {
            callback_id: CALLBACK_ID.to_owned(),
            metadata: json!({"incident": self.incident, "choice": self.kind}).to_string(),
            title: self.kind.title().to_owned(),
            submit: self.kind.submit().to_owned(),
            close: "Go back".to_owned(),
            text: plain(&text, MAX_SECTION),
            field: TextArea {
                id: REASON.to_owned(),
                label: "Reason".to_owned(),
                hint: "Stands on the incident's record, with your name.".to_owned(),
                min_length: 3,
                max_length: MAX_REASON,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use cordon_slack::modal::validate;
    use serde_json::Value;

    use super::*;

    fn dialog(kind: DialogKind) -> Dialog {
        let incident = "inc-0123456789abcdef0123".parse().unwrap();
        Dialog { kind, incident, subject: format!("user <!channel> {}", "x".repeat(5_000)), standing: "<!here> ".repeat(500) }
    }

    #[test]
    fn every_dialog_keeps_slacks_limits_whatever_the_subject_is_called() {
        for kind in [DialogKind::Deny, DialogKind::BreakGlass, DialogKind::Undo] {
            let view = dialog(kind).modal().to_view();
            assert_eq!(validate(&view), Ok(()), "{view}");
            assert!(!view.to_string().contains("<!"));
        }
    }

    #[test]
    fn a_dialog_carries_the_incident_and_what_the_reason_is_for_and_nothing_else() {
        let about: Value = serde_json::from_str(&dialog(DialogKind::BreakGlass).modal().metadata).unwrap();
        assert_eq!(about, json!({"incident": "inc-0123456789abcdef0123", "choice": "break_glass"}));
    }
}
