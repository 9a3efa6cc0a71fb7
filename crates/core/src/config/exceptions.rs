//! `[exceptions]`: what lets an incident pass.

use serde::{Deserialize, Serialize};

/// What lets an incident pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exceptions {
    #[serde(default = "tag_key")]
    pub tag_key: String,
    #[serde(default = "tag_value")]
    pub tag_value: String,
    #[serde(default = "admins")]
    pub exempt_groups: Vec<String>,
    /// A tag or membership that Cordon saw being given counts only after so many hours.
    #[serde(default = "a_day")]
    pub min_age_hours: u32,
}

impl Default for Exceptions {
    fn default() -> Self {
        Self { tag_key: tag_key(), tag_value: tag_value(), exempt_groups: admins(), min_age_hours: a_day() }
    }
}

fn tag_key() -> String {
    "SecurityApproved".to_owned()
}

fn tag_value() -> String {
    "true".to_owned()
}

fn a_day() -> u32 {
    24
}

fn admins() -> Vec<String> {
    vec!["admins".to_owned()]
}
