//! The remedies, one file each, and the principals that none of them may touch.

pub mod deactivate_access_key;
pub mod delete_login_profile;
pub mod delete_policy_version;
pub mod deny_all;
pub mod deny_iam;
pub mod detach_policy;
pub mod disable_created_principal;
pub mod disable_login_profile;
pub mod remove_from_group;
pub mod remove_inline_policy;
pub mod restart_logging;
pub mod restore_exception_tag;
pub mod restore_permissions_boundary;
pub mod restore_policy_version;
pub mod restore_trust_policy;
pub mod revoke_sessions;
pub mod set_permissions_boundary;

use cordon_core::{Former, Principal, PrincipalKind, RemedyKind};

use crate::port::PrincipalFacts;
use crate::remedy::{ByHand, Remedy, Request};

/// The remedy of a kind.
#[must_use]
pub fn remedy(kind: RemedyKind) -> &'static dyn Remedy {
    match kind {
        RemedyKind::DetachPolicy => &detach_policy::DetachPolicy,
        RemedyKind::DenyIam => &deny_iam::DenyIam,
        RemedyKind::RemoveInlinePolicy => &remove_inline_policy::RemoveInlinePolicy,
        RemedyKind::RestorePolicyVersion => &restore_policy_version::RestorePolicyVersion,
        RemedyKind::DeletePolicyVersion => &delete_policy_version::DeletePolicyVersion,
        RemedyKind::RestoreTrustPolicy => &restore_trust_policy::RestoreTrustPolicy,
        RemedyKind::DeactivateAccessKey => &deactivate_access_key::DeactivateAccessKey,
        RemedyKind::DenyAll => &deny_all::DenyAll,
        RemedyKind::RevokeSessions => &revoke_sessions::RevokeSessions,
        RemedyKind::RemoveFromGroup => &remove_from_group::RemoveFromGroup,
        RemedyKind::DisableLoginProfile => &disable_login_profile::DisableLoginProfile,
        RemedyKind::DeleteLoginProfile => &delete_login_profile::DeleteLoginProfile,
        RemedyKind::SetPermissionsBoundary => &set_permissions_boundary::SetPermissionsBoundary,
        RemedyKind::RestorePermissionsBoundary => &restore_permissions_boundary::RestorePermissionsBoundary,
        RemedyKind::RestoreExceptionTag => &restore_exception_tag::RestoreExceptionTag,
        RemedyKind::DisableCreatedPrincipal => &disable_created_principal::DisableCreatedPrincipal,
        RemedyKind::RestartLogging => &restart_logging::RestartLogging,
    }
}

/// The steps for a person, for a principal that no remedy can change. IAM would refuse the write; it is not even tried.
#[must_use]
pub(crate) fn unmodifiable(target: &Principal, facts: &PrincipalFacts) -> Option<ByHand> {
    if facts.service_linked {
        return Some(ByHand {
            reason: format!("`{target}` is a service-linked role, which IAM lets nobody change"),
            instruction: "find in CloudTrail which resource of the service acted, stop or delete that resource in the service's \
                          console, and delete the role with `aws iam delete-service-linked-role` if the service is not used"
                .to_owned(),
        });
    }
    if facts.path.starts_with("/aws-reserved/") {
        return Some(ByHand {
            reason: format!("`{target}` belongs to IAM Identity Center, which is the only one that can change it"),
            instruction: "in IAM Identity Center disable the person (Users, Disable user access), end their sessions (Active \
                          sessions, Delete), and remove the policy from the permission set or the assignment from the account; \
                          for an immediate stop attach a service control policy that denies on `identitystore:userId`"
                .to_owned(),
        });
    }
    None
}

/// The same for a principal that no deny is put on: a group too, because its deny would stop every member.
#[must_use]
fn unstoppable(target: &Principal, facts: &PrincipalFacts) -> Option<ByHand> {
    if target.kind == PrincipalKind::Group {
        return Some(ByHand {
            reason: format!("`{target}` is a group, and a deny on it would stop all of its members"),
            instruction: "find in CloudTrail which member acted, and put a deny on that user".to_owned(),
        });
    }
    unmodifiable(target, facts)
}

/// The state before the event, unless the actor had made that one too: then it is no better than the new one.
fn trusted_former<'a>(request: &Request<'a>) -> Option<&'a Former> {
    let by_actor = |former: &Former| request.actor.is_some_and(|actor| actor.has_arn(&former.by));
    request.event.touched.former.as_ref().filter(|former| !by_actor(former))
}

/// Why the state right before the event is not gone back to, in a clause; `None` where it is, or where it is not known.
fn refused(request: &Request<'_>) -> Option<String> {
    let touched = &request.event.touched;
    let by_actor = || {
        let former = touched.former.as_ref().filter(|_| trusted_former(request).is_none())?;
        Some(format!("`{}` set it, and is the actor", former.by))
    };
    touched.former_refused.first().map(|refused| refused.why.clone()).or_else(by_actor)
}

/// That the state right before the event is skipped, as a sentence to follow another one.
fn skipped(request: &Request<'_>) -> String {
    refused(request).map(|why| format!(" What stood right before the event does not come back: {why}.")).unwrap_or_default()
}

/// The source of a former state, for a note.
fn source(former: &Former) -> String {
    match former.at {
        Some(at) => format!("as `{}` set it at {at}", former.by),
        None => format!("as `{}` set it", former.by),
    }
}

/// What a person has to look at where the state before the event is not known, and is not restored.
fn unknown_before(what: &str, instruction: &str) -> String {
    format!("{what} is not restored, because the state before the event is not known or not to be trusted: {instruction}")
}

/// What undo puts back where nothing better is known.
fn undo_note(what: &str) -> String {
    format!(
        "Undo puts back {what} that the event wrote, not the one before it, which is not known: undo only where the event was right."
    )
}

/// Tells a person that somebody changed the event's effect since.
fn changed_since(what: &str) -> ByHand {
    ByHand {
        reason: format!("{what} is no longer what the event made it"),
        instruction: "find in CloudTrail who changed it since, decide which state is right, and set that by hand".to_owned(),
    }
}
