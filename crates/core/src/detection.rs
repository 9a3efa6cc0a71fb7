//! A matched rule: its severity, its author, and the remedies that it asks for.

use serde::{Deserialize, Serialize};
use strum::VariantArray;

use crate::ids::RuleId;

/// Sigma's levels, from the quietest to the loudest.
///
/// Source: Sigma rules specification, "Level".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Level {
    /// Worth keeping, not worth an alert of its own.
    Informational,
    /// Notable, rarely an attack.
    Low,
    /// To be reviewed.
    Medium,
    /// To be reviewed soon: likely an attack.
    High,
    /// To be reviewed at once: an attack.
    Critical,
}

/// The remedies that exist. Each is one file of the `respond` crate, and its name in rules and in the table is the variant's in
/// kebab case: `detach-policy`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, strum::Display, strum::VariantArray,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum RemedyKind {
    /// Takes a managed policy off a user, group or role.
    DetachPolicy,
    /// Puts an inline policy on a user or role that denies IAM and the ways around it.
    DenyIam,
    /// Takes an inline policy off a user, group or role, or puts back the one that it replaced.
    RemoveInlinePolicy,
    /// Makes the former default version of a managed policy the default again.
    RestorePolicyVersion,
    /// Deletes the version of a managed policy that the event made.
    DeletePolicyVersion,
    /// Puts a role's former trust policy back, or takes outsiders out of the one that was set.
    RestoreTrustPolicy,
    /// Turns access keys off: the one that the event made, or all of the actor's.
    DeactivateAccessKey,
    /// Denies a user or role everything.
    DenyAll,
    /// Denies everything to the sessions that were begun before the plan was made.
    RevokeSessions,
    /// Takes a user out of the group that they were put into.
    RemoveFromGroup,
    /// Denies everything to a user's console and other temporary sessions; the password stays.
    DisableLoginProfile,
    /// Deletes a user's console password, which undo cannot give back.
    DeleteLoginProfile,
    /// Sets a permissions boundary that allows nothing.
    SetPermissionsBoundary,
    /// Puts the former permissions boundary of a user or role back.
    RestorePermissionsBoundary,
    /// Puts an exception tag back to what it was before the event.
    RestoreExceptionTag,
    /// Takes all rights and keys from a user or role that the event made, and deletes nothing.
    DisableCreatedPrincipal,
    /// Starts a trail's logging again, and puts its former event selectors back.
    RestartLogging,
}

impl RemedyKind {
    /// Every remedy, in the order above.
    pub const ALL: &'static [Self] = <Self as VariantArray>::VARIANTS;
}

/// How a rule's remedies are released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// A named person approves first.
    #[default]
    Ask,
    /// At once. A rule file alone cannot choose this: `cordon.toml` has to name the rule too.
    Auto,
    /// The reversible containment at once, the rest when a person approves. As with `Auto`, `cordon.toml` has to name the rule.
    ContainThenAsk,
}

/// The kinds of exception that a rule may honour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExceptionKind {
    /// The exception tag on the subject (the actor, where an event touches no other principal).
    Tag,
    /// Membership of the actor in an exempt group.
    Group,
    /// An exception that an approver recorded for the actor.
    Recorded,
    /// The actor is a session of a role that `cordon.toml` names as trusted automation.
    Automation,
}

/// The `response` block of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// Undone on the subject.
    #[serde(default)]
    pub revert: Vec<RemedyKind>,
    /// Done to the actor.
    #[serde(default)]
    pub contain: Vec<RemedyKind>,
    /// How the remedies are released.
    #[serde(default)]
    pub gate: Gate,
    /// The exceptions that the rule honours. Empty: nothing exempts from this rule.
    #[serde(default = "all_but_group")]
    pub exceptions: Vec<ExceptionKind>,
}

/// A group is joined for many reasons; the others are given for this one.
fn all_but_group() -> Vec<ExceptionKind> {
    vec![ExceptionKind::Tag, ExceptionKind::Recorded, ExceptionKind::Automation]
}

/// A rule that matched an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detection {
    /// The rule's name, which is the name of its file.
    pub rule: RuleId,
    /// The rule's own heading.
    pub title: String,
    /// The rule's author, as its licence may require.
    pub author: String,
    /// How bad the rule takes the event to be.
    pub level: Level,
    /// Why it is dangerous, in a sentence or two.
    pub description: String,
    /// ATT&CK and other tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// `None`: the rule only alerts.
    #[serde(default)]
    pub response: Option<Response>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_and_a_level_are_printed_as_they_are_stored() {
        assert_eq!(RemedyKind::ALL.len(), 17);
        for kind in RemedyKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.to_string());
        }
        assert_eq!(RemedyKind::RestorePermissionsBoundary.to_string(), "restore-permissions-boundary");
        for level in [Level::Informational, Level::Low, Level::Medium, Level::High, Level::Critical] {
            assert_eq!(serde_json::to_value(level).unwrap(), level.to_string());
        }
    }
}
