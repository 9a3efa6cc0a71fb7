//! restore-permissions-boundary: restores the permissions boundary of a user or role that an earlier event recorded.
//!
//! CloudTrail does not record the previous boundary when it is changed or removed. If no earlier event set it, a person is asked:
//! a boundary is never guessed. The remedy never touches a boundary that is no longer the event's.

use async_trait::async_trait;
use cordon_core::{Change, PlannedStep, Principal, PrincipalKind, RemedyKind, Setting, same_arn};

use super::{changed_since, refused, skipped, source, trusted_former, unmodifiable};
use crate::port::{Account, IamError};
use crate::remedy::{Answers, ByHand, Planned, Remedy, Request};
use crate::settings;

/// The remedy.
pub struct RestorePermissionsBoundary;

#[async_trait]
impl Remedy for RestorePermissionsBoundary {
    fn kind(&self) -> RemedyKind {
        RemedyKind::RestorePermissionsBoundary
    }

    fn answers(&self) -> Answers {
        Answers::Calls(&[
            "PutUserPermissionsBoundary",
            "PutRolePermissionsBoundary",
            "DeleteUserPermissionsBoundary",
            "DeleteRolePermissionsBoundary",
        ])
    }

    async fn plan(&self, _: &dyn Account, request: &Request<'_>) -> Result<Planned, IamError> {
        let Some((target, facts)) = request.principal().filter(|(target, _)| target.kind != PrincipalKind::Group) else {
            return Ok(request.does_not_fit(self.kind(), "a user or role"));
        };
        if let Some(by_hand) = unmodifiable(target, facts) {
            return Ok(Planned::ByHand(by_hand));
        }
        if let Some(change) = request.held_change(&Setting::Boundary, facts.boundary.as_deref()) {
            let reason = format!("the permissions boundary of `{target}` is as another incident needs it");
            return Ok(settings::planned(request, request.step(self.kind()), vec![change], &reason));
        }
        let Some(former) = trusted_former(request) else { return Ok(Planned::ByHand(by_hand(target, refused(request)))) };
        let reason = format!("the permissions boundary of `{target}` is as it was before");
        let is = |other: &Option<String>| match (&facts.boundary, other) {
            (Some(now), Some(other)) => same_arn(now, other),
            (now, other) => now == other,
        };
        if !is(&request.event.touched.boundary_arn) && !is(&former.value) {
            return Ok(Planned::ByHand(changed_since(&format!("the permissions boundary of `{target}`"))));
        }
        let change = Change { setting: Setting::Boundary, from: facts.boundary.clone(), to: former.value.clone() };
        let note = Some(format!("The boundary comes back {}.{}", source(former), skipped(request)));
        Ok(settings::planned(request, PlannedStep { note, ..request.step(self.kind()) }, vec![change], &reason))
    }
}

fn by_hand(target: &Principal, refused: Option<String>) -> ByHand {
    let kind = target.kind;
    ByHand {
        reason: match refused {
            Some(why) => format!("the permissions boundary that `{target}` had right before does not come back: {why}"),
            None => format!("which permissions boundary `{target}` had before is not known"),
        },
        instruction: format!(
            "look in your infrastructure code or in AWS Config for its ARN, and set it (`aws iam put-{kind}-permissions-boundary \
             --{kind}-name {} --permissions-boundary …`)",
            target.name
        ),
    }
}
