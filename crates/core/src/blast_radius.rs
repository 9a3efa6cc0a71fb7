//! The reach of an incident's principal when the incident was found: its keys with their last use, its policies, its groups.
//!
//! People read it on the card. Nothing is ever decided on it: a part that could not be read is said to be unknown.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::principal::Principal;

/// An access key, and what it was used for last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyUse {
    /// Such as `AKIA…`.
    pub id: String,
    /// Whether it can be used.
    pub active: bool,
    /// `None`: AWS has reported no use yet, which it does hours late. It never means that there was none.
    #[serde(default)]
    pub last_used: Option<Timestamp>,
    /// The service of the last use, such as `iam`.
    #[serde(default)]
    pub service: Option<String>,
    /// The region of the last use, such as `us-east-1`.
    #[serde(default)]
    pub region: Option<String>,
}

/// The reach of one principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlastRadius {
    /// The principal.
    pub principal: Principal,
    /// Its access keys; a role has none.
    #[serde(default)]
    pub keys: Vec<KeyUse>,
    /// ARNs of the managed policies on it, at most [`BlastRadius::LISTED`].
    #[serde(default)]
    pub policies: Vec<String>,
    /// Names of the groups that it is in, at most [`BlastRadius::LISTED`].
    #[serde(default)]
    pub groups: Vec<String>,
    /// How many more policies and groups there are.
    #[serde(default)]
    pub more: u32,
    /// The parts that could not be read, in sentences.
    #[serde(default)]
    pub unknown: Vec<String>,
}

impl BlastRadius {
    /// The most of each list that is kept.
    pub const LISTED: usize = 10;
}
