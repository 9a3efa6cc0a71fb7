//! What a matched rule says: how bad, who wrote it, and which remedies it asks for.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::RuleId;

/// Sigma's levels, from the quietest to the loudest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

/// The remedies that exist. Each is one file of the `respond` crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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

impl fmt::Display for RemedyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DetachPolicy => "detach-policy",
            Self::DenyIam => "deny-iam",
            Self::RemoveInlinePolicy => "remove-inline-policy",
            Self::RestorePolicyVersion => "restore-policy-version",
            Self::DeletePolicyVersion => "delete-policy-version",
            Self::RestoreTrustPolicy => "restore-trust-policy",
            Self::DeactivateAccessKey => "deactivate-access-key",
            Self::DenyAll => "deny-all",
            Self::RevokeSessions => "revoke-sessions",
            Self::RemoveFromGroup => "remove-from-group",
            Self::DisableLoginProfile => "disable-login-profile",
            Self::DeleteLoginProfile => "delete-login-profile",
            Self::SetPermissionsBoundary => "set-permissions-boundary",
            Self::RestorePermissionsBoundary => "restore-permissions-boundary",
            Self::RestoreExceptionTag => "restore-exception-tag",
            Self::DisableCreatedPrincipal => "disable-created-principal",
            Self::RestartLogging => "restart-logging",
        })
    }
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

/// Which kinds of exception a rule honours.
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
    #[serde(default)]
    pub gate: Gate,
    /// Empty: nothing exempts from this rule.
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
    pub rule: RuleId,
    pub title: String,
    /// The rule's author, as its licence may require.
    pub author: String,
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
