//! The plan that an approval releases, call by call, as the card shows it and as the remediator carries it out.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::detection::RemedyKind;
use crate::ids::Arn;
use crate::names::same_arn;
use crate::principal::Principal;

/// One API call, exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The IAM action, such as `iam:DetachUserPolicy`.
    pub action: String,
    /// The parameters by IAM's names, such as `PolicyArn`.
    pub parameters: BTreeMap<String, String>,
}

impl Call {
    /// A call with its parameters.
    #[must_use]
    pub fn new<const N: usize>(action: &str, parameters: [(&str, &str); N]) -> Self {
        Self {
            action: action.to_owned(),
            parameters: parameters.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.action)?;
        for (key, value) in &self.parameters {
            write!(f, " {key}={value}")?;
        }
        Ok(())
    }
}

/// The purpose of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Stops the actor. Comes first: an attacker who is stopped cannot undo the rest.
    Contain,
    /// Undoes what was done to the subject.
    Revert,
}

/// The thing that a remedy works on.
// Untagged, and the principal first: plans that were stored before there were other targets still decode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Target {
    /// A user, group or role.
    Principal(Principal),
    /// A managed policy of the account.
    Policy {
        /// Its ARN.
        policy: Arn,
    },
    /// A trail of CloudTrail.
    Trail {
        /// Its ARN.
        trail: Arn,
    },
}

impl Target {
    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> String {
        match self {
            Self::Principal(principal) => principal.arn(),
            Self::Policy { policy: arn } | Self::Trail { trail: arn } => arn.to_string(),
        }
    }

    /// The principal, where it is one.
    #[must_use]
    pub fn principal(&self) -> Option<&Principal> {
        match self {
            Self::Principal(principal) => Some(principal),
            Self::Policy { .. } | Self::Trail { .. } => None,
        }
    }

    /// The same target, whatever is known of a principal's path and however a name is spelt.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Policy { policy: a }, Self::Policy { policy: b }) => same_arn(a.as_str(), b.as_str()),
            (Self::Principal(_) | Self::Policy { .. } | Self::Trail { .. }, _) => self == other,
        }
    }
}

impl From<Principal> for Target {
    fn from(principal: Principal) -> Self {
        Self::Principal(principal)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.arn())
    }
}

/// One thing about a target that has a value, or none, and is read and written as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Setting {
    /// A managed policy on a principal: [`Setting::ON`], or none.
    AttachedPolicy {
        /// Of the policy.
        arn: String,
    },
    /// The document of an inline policy.
    InlinePolicy {
        /// Of the policy.
        name: String,
    },
    /// A role's trust policy.
    TrustPolicy,
    /// The ARN of the permissions boundary.
    Boundary,
    /// A user's membership of a group: [`Setting::ON`], or none.
    Group {
        /// Of the group.
        name: String,
    },
    /// [`Setting::ON`] or [`Setting::OFF`]; none where there is no such key.
    AccessKey {
        /// `AKIA…`.
        id: String,
    },
    /// A user's console password: [`Setting::ON`], or none. It cannot be set again.
    LoginProfile,
    /// The value of a tag.
    Tag {
        /// As IAM stores it.
        key: String,
    },
    /// Whether a trail logs: [`Setting::ON`] or [`Setting::OFF`].
    Logging,
    /// The event selectors of a trail, as CloudTrail's JSON.
    EventSelectors,
}

impl Setting {
    /// The value of what is there, or on.
    pub const ON: &str = "on";
    /// The value of what is there and off.
    pub const OFF: &str = "off";
}

/// A setting, what it was when the plan was made, and what it is to be. `None`: there is no such thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The thing that is set.
    #[serde(flatten)]
    pub setting: Setting,
    /// Its value when the plan was made.
    #[serde(default)]
    pub from: Option<String>,
    /// The value that it gets.
    #[serde(default)]
    pub to: Option<String>,
}

/// One remedy on one target. Fields are only ever added, with defaults: a plan is stored, and may be carried out days later by
/// a newer Cordon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// The remedy.
    pub remedy: RemedyKind,
    /// Whether it stops the actor or undoes what was done.
    pub purpose: Purpose,
    /// The thing that it works on.
    pub target: Target,
    /// `AIDA…`, `AROA…`, `AGPA…`, `ANPA…` at the time of planning; compared before every write. A trail has none: its ARN.
    pub target_unique_id: String,
    /// The managed policy that the remedy takes off, where it is about one.
    #[serde(default)]
    pub policy_arn: Option<String>,
    /// The name of the inline policy that the remedy puts on, where it does.
    #[serde(default)]
    pub inline_policy: Option<String>,
    /// The calls that it makes, in their order.
    pub calls: Vec<Call>,
    /// The calls that take it back, in their order; empty where it cannot be undone.
    pub undo: Vec<Call>,
    /// The changes that the calls make, for remedies that set things. Empty in older plans.
    #[serde(default)]
    pub changes: Vec<Change>,
    /// The version of a managed policy that the remedy is about.
    #[serde(default)]
    pub version: Option<String>,
    /// Remarks for people, in sentences: how long the step has to stay, what it does not do.
    #[serde(default)]
    pub note: Option<String>,
    /// The loss that undo cannot repair, in a sentence.
    #[serde(default)]
    pub irreversible: Option<String>,
    /// Where the state before the event is not known: what a person has to look at, in a sentence. It stands among
    /// [`Plan::by_hand`], so that the incident is `partial` at best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_before: Option<String>,
    /// What undo puts back where that is not the state before the event, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_note: Option<String>,
    /// The principals that its calls are authorised on, beside a target that is plainly in the scope, as the scope judged them when
    /// the plan was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub judged: Vec<JudgedArn>,
}

/// A principal as the scope judged it when a plan was made: a new name or path since then takes nothing out of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgedArn {
    /// Its ARN at that moment.
    pub arn: Arn,
    /// Whether that ARN alone is out of the scope, and a person decides, because the principal came to it lately.
    #[serde(default)]
    pub doubtful: bool,
}

/// An ordered list of remedies, and what is left to a person.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// In the order of applying.
    pub steps: Vec<PlannedStep>,
    /// Sentences that say what was left out of the plan, why, and what a person must do instead.
    #[serde(default)]
    pub by_hand: Vec<String>,
}

impl PlannedStep {
    /// Whether the step stops the actor and can be taken back: what may go ahead of a question.
    #[must_use]
    pub fn may_go_ahead(&self) -> bool {
        self.purpose == Purpose::Contain && !self.undo.is_empty()
    }
}

impl Plan {
    /// Every call of the plan in its order, as people read it.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.steps.iter().flat_map(|step| &step.calls).map(ToString::to_string).collect()
    }

    /// The remarks for people, the losses that undo cannot repair first.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let irreversible = self.steps.iter().filter_map(|step| step.irreversible.clone());
        let notes = self.steps.iter().flat_map(|step| step.note.iter().chain(&step.undo_note).cloned());
        irreversible.chain(notes).collect()
    }

    /// The undoing calls, in the order in which they would be made: the last step first.
    #[must_use]
    pub fn undo(&self) -> Vec<String> {
        self.steps.iter().rev().flat_map(|step| &step.undo).map(ToString::to_string).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_was_stored_before_there_were_other_targets_still_decodes() {
        let stored = r#"{"remedy":"detach-policy","purpose":"revert","target":{"kind":"user","account":"111111111111","name":"a"},
            "target_unique_id":"AIDA1","policy_arn":"arn:aws:iam::aws:policy/X","calls":[],"undo":[]}"#;
        let step: PlannedStep = serde_json::from_str(stored).unwrap();
        assert_eq!(step.target.principal().map(|principal| principal.name.as_str()), Some("a"));
        assert!(step.changes.is_empty() && step.note.is_none() && step.irreversible.is_none());
    }

    #[test]
    fn each_target_and_change_reads_as_it_was_written() {
        let targets = [
            Target::Policy { policy: "arn:aws:iam::111111111111:policy/p".parse().unwrap() },
            Target::Trail { trail: "arn:aws:cloudtrail:us-east-1:111111111111:trail/t".parse().unwrap() },
        ];
        for target in targets {
            let text = serde_json::to_string(&target).unwrap();
            assert_eq!(serde_json::from_str::<Target>(&text).unwrap(), target);
        }
        let change = Change { setting: Setting::Group { name: "g".to_owned() }, from: Some(Setting::ON.to_owned()), to: None };
        assert_eq!(serde_json::from_str::<Change>(&serde_json::to_string(&change).unwrap()).unwrap(), change);
    }
}
