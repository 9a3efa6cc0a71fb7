//! `[approval]`: who may approve or deny.

use serde::{Deserialize, Serialize};

use crate::pattern::Pattern;
use crate::principal::Actor;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    #[serde(default)]
    pub approvers: Vec<Approver>,
}

/// A person who may approve or deny.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approver {
    pub name: String,
    pub slack_user_id: String,
    /// ARN patterns of the AWS principals that are the same person: they cannot decide their own incident.
    pub principals: Vec<Pattern>,
}

impl Approver {
    /// True where the incident's actor is this person, by the actor's own ARN or by the role or user behind a session.
    #[must_use]
    pub fn is_actor(&self, actor: &Actor) -> bool {
        let principal = actor.principal().map(|principal| principal.arn());
        [actor.arn.as_deref(), actor.issuer_arn.as_deref(), principal.as_deref()]
            .into_iter()
            .flatten()
            .any(|arn| self.is_arn(arn))
    }

    /// True where one of this person's patterns fits the ARN.
    #[must_use]
    pub fn is_arn(&self, arn: &str) -> bool {
        self.principals.iter().any(|pattern| pattern.matches(arn))
    }
}
