//! `[notifications]`: who is told of what.

use serde::{Deserialize, Serialize};

use crate::detection::Level;

/// Who is told of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notifications {
    /// Alerts below this level go to SNS only. A question to a person, a change and a failure are always told in Slack.
    #[serde(default = "low")]
    pub slack_min_level: Level,
}

impl Default for Notifications {
    fn default() -> Self {
        Self { slack_min_level: low() }
    }
}

fn low() -> Level {
    Level::Low
}
