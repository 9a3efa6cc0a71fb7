//! The answer to somebody who chose: that their word counts, or why it does not.

use cordon_core::{Choice, Question};
use cordon_slack::Prose;

use crate::people::is_arn;

/// What came of a person's choice, as they are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The decision counts.
    Accepted(Choice),
    /// The approval counts, and is not yet enough.
    Counted {
        /// How many people have approved.
        approved: usize,
        /// How many it takes.
        wanted: u32,
    },
    /// The person looks into it.
    Looking {
        /// Whether more people have been called already.
        escalated: bool,
    },
    /// Somebody else did before.
    LookingAlready {
        /// As the timeline names them.
        by: String,
    },
    /// Somebody decided before.
    Already {
        /// Approved, or denied.
        approved: bool,
        /// As the timeline names them.
        by: String,
    },
    /// The deadline is past or the incident is over.
    Expired(String),
    /// This person may not decide this incident, in a sentence.
    Refused(String),
    /// There is no such incident.
    NotFound,
}

impl Answer {
    /// The deadline is past.
    #[must_use]
    pub fn late() -> Self {
        Self::Expired("The time for this decision is over; nothing was changed by this.".to_owned())
    }

    /// An approval counts, and is not yet enough.
    #[must_use]
    pub fn counted(question: &Question<'_>) -> Self {
        Self::Counted { approved: question.ballots.len(), wanted: question.quorum }
    }

    /// Whether the person's word stands.
    #[must_use]
    pub fn counts(&self) -> bool {
        match self {
            Self::Accepted(_) | Self::Counted { .. } | Self::Looking { .. } => true,
            Self::LookingAlready { .. } | Self::Already { .. } | Self::Expired(_) | Self::Refused(_) | Self::NotFound => false,
        }
    }

    /// As the person reads it in Slack.
    #[must_use]
    pub fn prose(&self) -> Prose {
        match self {
            Self::Already { approved, by } if !is_arn(by) => {
                Prose::new(&format!("This incident was already {} by", verb(*approved))).mention(by).and(". You changed nothing.")
            }
            Self::LookingAlready { by } if !is_arn(by) => Prose::new("Already looking:").mention(by).and("."),
            Self::Accepted(_)
            | Self::Counted { .. }
            | Self::Looking { .. }
            | Self::LookingAlready { .. }
            | Self::Already { .. }
            | Self::Expired(_)
            | Self::Refused(_)
            | Self::NotFound => Prose::new(&self.sentence()),
        }
    }

    /// The same as plain text.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Accepted(Choice::Approve) => "Approved. The incident's message will show the result.".to_owned(),
            Self::Accepted(Choice::BreakGlass) => {
                "Approved by you alone. The other approvers are told; the incident's message will show the result.".to_owned()
            }
            Self::Accepted(Choice::Deny) => "Denied. Nothing will stay changed.".to_owned(),
            Self::Accepted(Choice::Looking) | Self::Looking { escalated: true } => {
                "You are looking into it. That decides nothing: the last deadline stands.".to_owned()
            }
            Self::Looking { escalated: false } => {
                "You are looking into it. That decides nothing; the first deadline is put off once.".to_owned()
            }
            Self::LookingAlready { by } => format!("{by} is already looking into it."),
            Self::Counted { approved, wanted } => {
                format!("Your approval counts: {approved} of {wanted}. Nothing is changed before the others have approved.")
            }
            Self::Already { approved, by } => {
                format!("This incident was already {} by {by}. You changed nothing.", verb(*approved))
            }
            Self::Expired(text) | Self::Refused(text) => text.clone(),
            Self::NotFound => "There is no such incident.".to_owned(),
        }
    }
}

fn verb(approved: bool) -> &'static str {
    if approved { "approved" } else { "denied" }
}
