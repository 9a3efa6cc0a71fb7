//! set-permissions-boundary: makes AWS's `AWSDenyAll` the permissions boundary of a user or role, which then may do nothing.
//!
//! The boundary before is in the snapshot, and undo puts it back, or takes the boundary off where there was none. It never
//! touches a policy. Resource policies that name the principal itself can still let it in: a boundary does not limit those.

use async_trait::async_trait;
use cordon_core::{PlannedStep, RemedyKind};

use super::unstoppable;
use crate::port::{Account, IamError};
use crate::quarantine;
use crate::remedy::{Answers, Planned, Remedy, Request};
use crate::settings;

/// The remedy.
pub struct SetPermissionsBoundary;

#[async_trait]
impl Remedy for SetPermissionsBoundary {
    fn kind(&self) -> RemedyKind {
        RemedyKind::SetPermissionsBoundary
    }

    fn answers(&self) -> Answers {
        Answers::Everything
    }

    async fn plan(&self, _: &dyn Account, request: &Request<'_>) -> Result<Planned, IamError> {
        let Some((target, facts)) = request.principal() else {
            return Ok(request.does_not_fit(self.kind(), "a user or role"));
        };
        if let Some(by_hand) = unstoppable(target, facts) {
            return Ok(Planned::ByHand(by_hand));
        }
        let (change, _) = quarantine::boundary(target, facts);
        let note = "A resource policy that names the principal itself can still let it in.".to_owned();
        let step = PlannedStep { note: Some(note), ..request.step(self.kind()) };
        Ok(settings::planned(step, vec![change], &format!("the permissions boundary of `{target}` allows nothing already")))
    }
}
