//! `[scope]`: who may be changed.

use serde::{Deserialize, Serialize};

use crate::pattern::Pattern;

/// Who may be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Account ids, or the one entry `*`.
    #[serde(default = "any")]
    pub accounts: Vec<Pattern>,
    /// ARN patterns of users, roles and groups.
    #[serde(default = "test_principals")]
    pub principals: Vec<Pattern>,
    /// ARN patterns that are never changed, whatever else is said.
    #[serde(default)]
    pub never_touch: Vec<Pattern>,
}

impl Default for Scope {
    fn default() -> Self {
        Self { accounts: any(), principals: test_principals(), never_touch: Vec::new() }
    }
}

fn any() -> Vec<Pattern> {
    vec![Pattern::new("*")]
}

fn test_principals() -> Vec<Pattern> {
    ["user", "role", "group"].iter().map(|kind| Pattern::new(&format!("arn:aws:iam::*:{kind}/iam-test-*"))).collect()
}
