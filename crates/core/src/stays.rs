//! What stands, or stays possible, although the plan was carried out.
//!
//! INVARIANT: an incident with an effect that stays ([`Stays::is_effect`]) is `partial` at best, and whoever says `contained` says
//! the rest of the list with it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::detection::RemedyKind;

/// One thing that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Stays {
    /// The effect of an event, which nothing in the plan takes back.
    Effect {
        /// The call.
        event: String,
        /// On what; `None` where several calls of one name touched several things.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        on: Option<String>,
    },
    /// Something that a remedy leaves open by its nature.
    Open {
        /// The remedy.
        remedy: RemedyKind,
        /// Its target.
        on: String,
        /// What it leaves, as the end of a sentence that begins with the remedy.
        what: String,
    },
}

impl Stays {
    /// Whether it is the effect of an event, which makes the incident `partial` at best.
    #[must_use]
    pub fn is_effect(&self) -> bool {
        match self {
            Self::Effect { .. } => true,
            Self::Open { .. } => false,
        }
    }
}

/// A sentence.
impl fmt::Display for Stays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Effect { event, on: Some(on) } => {
                write!(f, "What `{event}` did to `{on}` stays: no step of the plan takes it back.")
            }
            Self::Effect { event, on: None } => write!(f, "What `{event}` did stays: no step of the plan takes it back."),
            Self::Open { remedy, on, what } => write!(f, "`{remedy}` on `{on}` {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reads_as_it_was_written() {
        for stays in [
            Stays::Effect { event: "CreateUser".to_owned(), on: Some("backdoor".to_owned()) },
            Stays::Effect { event: "CreateUser".to_owned(), on: None },
            Stays::Open { remedy: RemedyKind::DenyIam, on: "mallory".to_owned(), what: "leaves the rest.".to_owned() },
        ] {
            let text = serde_json::to_string(&stays).unwrap();
            assert_eq!(serde_json::from_str::<Stays>(&text).unwrap(), stays);
        }
    }
}
