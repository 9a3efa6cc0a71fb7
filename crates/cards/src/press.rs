//! The buttons of a card, and what a person did with one: the way back from Slack's click or dialog to an incident.
//!
//! It reads what Slack was given with the card. Whether that person may do it is not asked here.

use cordon_core::IncidentId;
use cordon_core::ids::InvalidId;
use cordon_slack::text::truncate;
use cordon_slack::{Click, Interaction, OriginError, Submission};

use crate::dialog::{self, DialogKind, DialogMetadata};

/// A button of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Button {
    /// Approves.
    Approve,
    /// Denies.
    Deny,
    /// "I'm looking": takes the incident on, decides nothing.
    Looking,
    /// On an outcome: takes the changes back.
    Undo,
    /// Approves past the quorum, with a reason.
    BreakGlass,
}

impl Button {
    /// Every button.
    pub const ALL: [Self; 5] = [Self::Approve, Self::Deny, Self::Looking, Self::Undo, Self::BreakGlass];

    /// The button's `action_id`.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Approve => "cordon_approve",
            Self::Deny => "cordon_deny",
            Self::Looking => "cordon_looking",
            Self::Undo => "cordon_undo",
            Self::BreakGlass => "cordon_break_glass",
        }
    }
}

/// What a person did with a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Press {
    /// The incident that the button or the dialog names. It may be none of ours.
    pub incident: IncidentId,
    /// What was pressed.
    pub pressed: Pressed,
}

/// A button, or the dialog that a button opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pressed {
    /// A click on a button.
    Button(Button),
    /// A dialog, sent off with a reason.
    Dialog {
        /// What the reason is for.
        kind: DialogKind,
        /// The reason, on one line, at most 1,000 characters; anybody's text, and possibly empty.
        reason: String,
    },
}

/// Why a click or a dialog is not one of a card's.
#[derive(Debug, thiserror::Error)]
pub enum PressError {
    /// Another `action_id` or `callback_id`.
    #[error("the button or dialog is not one of Cordon's")]
    Unknown,
    /// A button without a value.
    #[error("the button has no value")]
    NoIncident,
    /// A button whose value is no incident's id.
    #[error("the button names no incident")]
    Incident(#[source] InvalidId),
    /// A dialog whose `private_metadata` is not what was put there.
    #[error("the dialog's metadata cannot be read")]
    Metadata(#[source] serde_json::Error),
    /// A dialog without the text area.
    #[error("the dialog has no reason")]
    NoReason,
}

impl PressError {
    /// For whoever sent it.
    #[must_use]
    pub fn sentence(&self) -> &'static str {
        match self {
            Self::Unknown | Self::Metadata(_) | Self::NoReason => "The request is not a click on one of Cordon's buttons.",
            Self::NoIncident | Self::Incident(_) => "The button names no incident.",
        }
    }
}

impl Press {
    /// Reads a click or a dialog.
    ///
    /// # Errors
    /// Where it is not one of a card's.
    pub fn read(interaction: &Interaction) -> Result<Self, PressError> {
        match interaction {
            Interaction::Click(click) => Self::of_click(click),
            Interaction::Submission(submission) => Self::of_submission(submission),
        }
    }

    fn of_click(click: &Click) -> Result<Self, PressError> {
        let button = Button::ALL.into_iter().find(|button| button.id() == click.action_id).ok_or(PressError::Unknown)?;
        let value = click.value.as_deref().ok_or(PressError::NoIncident)?;
        let incident = value.parse().map_err(PressError::Incident)?;
        Ok(Self { incident, pressed: Pressed::Button(button) })
    }

    fn of_submission(submission: &Submission) -> Result<Self, PressError> {
        if submission.callback_id != dialog::CALLBACK_ID {
            return Err(PressError::Unknown);
        }
        let DialogMetadata { incident, choice } = serde_json::from_str(&submission.metadata).map_err(PressError::Metadata)?;
        let reason = submission.written(dialog::REASON).ok_or(PressError::NoReason)?;
        Ok(Self { incident, pressed: Pressed::Dialog { kind: choice, reason: truncate(&reason, dialog::MAX_REASON) } })
    }
}

/// What somebody is told whose click or dialog comes from where it does not count.
#[must_use]
pub fn foreign(origin: OriginError) -> &'static str {
    match origin {
        OriginError::Workspace => "This click comes from another Slack workspace, so nothing was changed.",
        OriginError::App => "This click comes from another Slack app, so nothing was changed.",
        OriginError::Channel => "This click comes from another channel, so nothing was changed.",
        OriginError::NotAMember => "Bots and guests cannot decide, so nothing was changed.",
    }
}

#[cfg(test)]
mod tests {
    use cordon_slack::interaction::parse;
    use serde_json::{Value, json};

    use super::*;
    use crate::Dialog;

    const INCIDENT: &str = "inc-0123456789abcdef0123";
    const ABOUT: &str = r#"{"incident":"inc-0123456789abcdef0123","choice":"deny"}"#;

    fn read(payload: &Value) -> Result<Press, PressError> {
        let escaped: String = payload.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
        Press::read(&parse(format!("payload={escaped}").as_bytes()).unwrap())
    }

    fn click(action_id: &str, value: Value) -> Value {
        json!({
            "type": "block_actions", "user": {"id": "U0APPROVER"}, "team": {"id": "T0TEAM"}, "channel": {"id": "C0ALERTS"},
            "actions": [{"action_id": action_id, "type": "button", "value": value}],
        })
    }

    fn submission(callback_id: &str, metadata: &str, state: Value) -> Value {
        json!({
            "type": "view_submission", "user": {"id": "U0APPROVER"}, "team": {"id": "T0TEAM"},
            "view": {"callback_id": callback_id, "private_metadata": metadata, "state": state},
        })
    }

    fn written(reason: &str) -> Value {
        json!({"values": {"reason": {"reason": {"type": "plain_text_input", "value": reason}}}})
    }

    #[test]
    fn each_button_is_told_from_the_others() {
        for (id, button) in [
            ("cordon_approve", Button::Approve),
            ("cordon_deny", Button::Deny),
            ("cordon_looking", Button::Looking),
            ("cordon_undo", Button::Undo),
            ("cordon_break_glass", Button::BreakGlass),
        ] {
            let press = read(&click(id, json!(INCIDENT))).unwrap();
            assert_eq!((press.incident.as_str(), press.pressed), (INCIDENT, Pressed::Button(button)), "{id}");
        }
        assert!(matches!(read(&click("cordon_approve2", json!(INCIDENT))), Err(PressError::Unknown)));
    }

    #[test]
    fn a_button_that_names_no_incident_is_refused() {
        assert!(matches!(read(&click("cordon_deny", Value::Null)), Err(PressError::NoIncident)));
        for value in ["inc-1 <!channel>", "", &"a".repeat(65)] {
            let error = read(&click("cordon_deny", json!(value))).unwrap_err();
            assert!(matches!(error, PressError::Incident(_)), "{value}");
            assert_eq!(error.sentence(), "The button names no incident.");
        }
    }

    #[test]
    fn what_a_dialog_opened_by_cordon_comes_back_as_is_understood() {
        for kind in [DialogKind::Deny, DialogKind::BreakGlass, DialogKind::Undo] {
            let modal =
                Dialog { kind, incident: INCIDENT.parse().unwrap(), subject: "a user".into(), standing: String::new() }.modal();
            let press = read(&submission(&modal.callback_id, &modal.metadata, written(" a planned change "))).unwrap();
            let pressed = Pressed::Dialog { kind, reason: "a planned change".into() };
            assert_eq!((press.incident.as_str(), press.pressed), (INCIDENT, pressed));
        }
        let long = read(&submission("cordon_reason", ABOUT, written(&"x".repeat(4_096)))).unwrap();
        assert!(matches!(long.pressed, Pressed::Dialog { reason, .. } if reason.chars().count() == 1_000));
    }

    #[test]
    fn a_dialog_that_is_not_ours_or_says_more_is_refused() {
        assert!(matches!(read(&submission("expense_report", ABOUT, written("x"))), Err(PressError::Unknown)));
        for metadata in [
            "",
            INCIDENT,
            r#"{"incident":"inc-0123456789abcdef0123"}"#,
            r#"{"incident":"inc-0123456789abcdef0123","choice":"approve"}"#,
            r#"{"incident":"inc-0123456789abcdef0123","choice":"deny","by":"U0OTHER"}"#,
            r#"{"incident":"<!channel>","choice":"deny"}"#,
        ] {
            let error = read(&submission("cordon_reason", metadata, written("x"))).unwrap_err();
            assert!(matches!(error, PressError::Metadata(_)), "{metadata}");
        }
        assert!(matches!(read(&submission("cordon_reason", ABOUT, json!({"values": {}}))), Err(PressError::NoReason)));
    }
}
