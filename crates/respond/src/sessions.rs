//! Says of each remedy what becomes of the sessions that were taken from what it switches off.
//!
//! A session outlives the key, the password or the trust that it was taken from: up to 36 hours for a user's, up to 12 for a
//! role's. So a remedy that switches one of them off is never planned without a deny that ends the sessions too, whether it stops
//! the actor or undoes what was done.

use cordon_core::RemedyKind;

/// What becomes of the sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sessions {
    /// The remedy switches nothing off that a session is taken from, and why.
    Untouched(&'static str),
    /// The remedy's own deny applies inside them, and how.
    Denied(&'static str),
    /// They would go on, so this remedy is planned on the same principal as well.
    DeniedBy(RemedyKind),
}

/// IAM judges every call of a session by the policies that its principal has at that moment.
const JUDGED_BY_CALL: &str = "IAM judges each call of a session by the policies that its principal has then";

/// What becomes of the sessions, with a remedy.
#[must_use]
pub fn sessions(remedy: RemedyKind) -> Sessions {
    match remedy {
        RemedyKind::DeactivateAccessKey | RemedyKind::RestoreTrustPolicy => Sessions::DeniedBy(RemedyKind::RevokeSessions),
        RemedyKind::DeleteLoginProfile => Sessions::DeniedBy(RemedyKind::DisableLoginProfile),
        RemedyKind::DisableLoginProfile => Sessions::Denied("it denies everything to every temporary credential of the user"),
        RemedyKind::RevokeSessions => Sessions::Denied("it is the deny of the sessions"),
        RemedyKind::DenyAll | RemedyKind::DisableCreatedPrincipal => {
            Sessions::Denied("a deny on the principal applies inside its sessions")
        }
        RemedyKind::DenyIam => {
            Sessions::Denied("a deny on the principal applies inside its sessions, and leaves all but IAM open")
        }
        RemedyKind::SetPermissionsBoundary => Sessions::Denied("a permissions boundary limits the principal's sessions too"),
        RemedyKind::DetachPolicy
        | RemedyKind::RemoveInlinePolicy
        | RemedyKind::RestorePolicyVersion
        | RemedyKind::DeletePolicyVersion
        | RemedyKind::RemoveFromGroup
        | RemedyKind::RestorePermissionsBoundary => Sessions::Untouched(JUDGED_BY_CALL),
        RemedyKind::RestoreExceptionTag => Sessions::Untouched("a tag is no credential"),
        RemedyKind::RestartLogging => Sessions::Untouched("a trail is no credential"),
    }
}
