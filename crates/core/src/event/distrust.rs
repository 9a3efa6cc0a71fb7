//! Why an event may change nothing, as a closed set with a sentence each.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Log;
use crate::ids::AccountId;

/// Why an event may change nothing. Stored with the incident; people read it as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Distrust {
    /// A source that is not AWS's: whoever may put events on the bus can send it.
    NotAws {
        /// The source, cut.
        source: String,
    },
    /// A partner's event source begins with `aws.`, and its content is the partner's.
    Partner,
    /// What Cordon itself publishes, or a drill. The relay that the deployment names is no such source.
    OwnSource,
    /// A finding that another product put into Security Hub.
    Imported,
    /// An event of AWS that is not in the table of those that are believed.
    NotInTable {
        /// The source, cut.
        source: String,
        /// EventBridge's `detail-type`, cut.
        detail_type: String,
    },
    /// Its source is not that of the service which it is about.
    OtherService {
        /// The source, cut.
        source: String,
    },
    /// The envelope or the record does not say which account it is of.
    NoAccount,
    /// A record that was written for another account than the one that sent it.
    OtherAccount {
        /// The account of the envelope, which AWS writes.
        sent_by: AccountId,
        /// The account of the record.
        about: AccountId,
    },
    /// A notice about another account, from one that `cordon.toml` does not name as the service's administrator.
    NotAdministrator {
        /// The service.
        log: Log,
        /// The account of the envelope, which AWS writes.
        sent_by: AccountId,
        /// The account that the notice is about.
        about: AccountId,
    },
    /// A finding that somebody had GuardDuty make up.
    Sample,
    /// An archive was replayed.
    Replayed {
        /// The replay's name, cut. Whoever starts a replay chooses it.
        name: String,
    },
    /// A reason of a newer version.
    #[serde(other)]
    Other,
}

/// Longer texts of somebody else's are cut.
const TEXT_MAX_CHARS: usize = 100;

impl Distrust {
    /// A text of the event, as it is kept.
    pub(super) fn text(value: &Value) -> String {
        match value {
            Value::String(text) => crate::redact::text(text).chars().take(TEXT_MAX_CHARS).collect(),
            Value::Null => "none".to_owned(),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => "not a text".to_owned(),
        }
    }
}

/// A clause for "… because", without a full stop.
impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAws { source } => {
                write!(f, "its source is `{source}`, which anybody who may put events on a bus can send")
            }
            Self::Partner => f.write_str("a partner sent it, and AWS does not answer for its content"),
            Self::OwnSource => f.write_str("its source is one of Cordon's own names, which anybody can use"),
            Self::Imported => {
                f.write_str("another product imported it into Security Hub, and AWS does not answer for its content")
            }
            Self::NotInTable { source, detail_type } => {
                write!(f, "Cordon does not know who can bring about an event `{detail_type}` of `{source}`")
            }
            Self::OtherService { source } => write!(f, "its source `{source}` is not the service that it is about"),
            Self::NoAccount => f.write_str("it does not say which account it is of"),
            Self::OtherAccount { sent_by, about } => {
                write!(f, "account {sent_by} sent it, and it is a record of account {about}")
            }
            Self::NotAdministrator { log, sent_by, about } => {
                write!(f, "account {sent_by} sent it, and it is about account {about}")?;
                match log.administrator_key() {
                    Some(key) => write!(f, "; cordon.toml does not name the sender as organization.{key}"),
                    None => Ok(()),
                }
            }
            Self::Sample => f.write_str("it is a sample finding, which anybody who may use GuardDuty can order"),
            Self::Replayed { name } => {
                write!(f, "it comes from the replay `{name}` of an archive, and Cordon cannot tell who started that")
            }
            Self::Other => f.write_str("another version of Cordon did not believe it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_stored_reason_keeps_its_form_and_one_of_a_newer_version_still_decodes() {
        let reason = Distrust::OtherAccount { sent_by: "222222222222".parse().unwrap(), about: "111111111111".parse().unwrap() };
        let stored = json!({"reason": "other_account", "sent_by": "222222222222", "about": "111111111111"});
        assert_eq!(serde_json::to_value(&reason).unwrap(), stored);
        assert_eq!(serde_json::from_value::<Distrust>(stored).unwrap(), reason);
        let newer = json!({"reason": "not_invented_yet", "since": 2030});
        assert_eq!(serde_json::from_value::<Distrust>(newer).unwrap(), Distrust::Other);
    }

    #[test]
    fn a_text_of_the_event_is_cut_and_anything_else_is_named() {
        assert_eq!(Distrust::text(&json!("x".repeat(5_000))).len(), TEXT_MAX_CHARS);
        assert_eq!((Distrust::text(&json!(7)), Distrust::text(&Value::Null)), ("not a text".to_owned(), "none".to_owned()));
    }
}
