//! What the principal of an incident could do when it was found: its keys and when they were last used, its policies, its groups.
//!
//! People read it on the card. Nothing is ever decided on it: a part that could not be read is said to be unknown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::principal::Principal;

/// An access key, and what it was used for last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyUse {
    pub id: String,
    pub active: bool,
    /// `None`: never, as far as AWS knows.
    #[serde(default)]
    pub last_used: Option<Timestamp>,
    #[serde(default)]
    pub service: Option<String>,
    #[serde(default)]
    pub region: Option<String>,
}

/// The reach of one principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlastRadius {
    pub principal: Principal,
    #[serde(default)]
    pub keys: Vec<KeyUse>,
    /// ARNs of the managed policies on it, at most [`BlastRadius::LISTED`].
    #[serde(default)]
    pub policies: Vec<String>,
    #[serde(default)]
    pub groups: Vec<String>,
    /// How many more policies and groups there are.
    #[serde(default)]
    pub more: u32,
    /// What could not be read, in sentences.
    #[serde(default)]
    pub unknown: Vec<String>,
}

impl BlastRadius {
    /// The most of each list that is kept.
    pub const LISTED: usize = 10;
}
