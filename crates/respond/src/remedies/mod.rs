//! The remedies, one file each, and what none of them may touch.

pub mod deny_iam;
pub mod detach_policy;

use cordon_core::{Principal, RemedyKind};

use crate::port::PrincipalFacts;
use crate::remedy::{ByHand, Remedy};

/// Every remedy there is.
pub const ALL: [RemedyKind; 2] = [RemedyKind::DetachPolicy, RemedyKind::DenyIam];

/// The remedy of a kind.
#[must_use]
pub fn remedy(kind: RemedyKind) -> &'static dyn Remedy {
    match kind {
        RemedyKind::DetachPolicy => &detach_policy::DetachPolicy,
        RemedyKind::DenyIam => &deny_iam::DenyIam,
    }
}

/// What no remedy can change, with the steps for a person. IAM would refuse the write; it is not even tried.
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
