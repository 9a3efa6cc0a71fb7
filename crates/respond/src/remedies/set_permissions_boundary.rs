//! set-permissions-boundary: makes AWS's `AWSDenyAll` the permissions boundary of a user or role, which may then do nothing.
//!
//! The previous boundary is in the snapshot. Undo restores it, or removes the boundary if there was none. The remedy never
//! touches a policy. A resource policy that names the principal itself can still admit it: boundaries do not limit those.

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
        Ok(settings::planned(
            request,
            step,
            vec![change],
            &format!("the permissions boundary of `{target}` allows nothing already"),
        ))
    }
}
