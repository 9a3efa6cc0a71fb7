//! disable-created-principal: denies everything to a user or role that the event created, and deactivates its access keys. A
//! console password is useless under the deny.
//!
//! It never deletes the principal: a recreated one would not be the same, and its actions would be harder to trace. It never
//! touches a principal that was recreated since the event.

use async_trait::async_trait;
use cordon_core::{PlannedStep, PrincipalKind, RemedyKind};

use super::deactivate_access_key::off;
use super::unstoppable;
use crate::port::{Account, IamError};
use crate::quarantine;
use crate::remedy::{Answers, ByHand, Planned, Remedy, Request};
use crate::settings;

/// The remedy.
pub struct DisableCreatedPrincipal;

#[async_trait]
impl Remedy for DisableCreatedPrincipal {
    fn kind(&self) -> RemedyKind {
        RemedyKind::DisableCreatedPrincipal
    }

    fn answers(&self) -> Answers {
        Answers::Calls(&["CreateUser", "CreateRole"])
    }

    async fn plan(&self, account: &dyn Account, request: &Request<'_>) -> Result<Planned, IamError> {
        let Some((target, facts)) = request.principal() else {
            return Ok(request.does_not_fit(self.kind(), "a user or role"));
        };
        if !matches!(request.event.name.as_str(), "CreateUser" | "CreateRole") {
            return Ok(Planned::Nothing(format!("the event did not make `{target}`")));
        }
        if let Some(by_hand) = unstoppable(target, facts) {
            return Ok(Planned::ByHand(by_hand));
        }
        if let Some(made) = request.event.touched.created_id.as_ref().filter(|made| **made != facts.unique_id) {
            return Ok(Planned::ByHand(ByHand {
                reason: format!(
                    "`{target}` was deleted and made again since the event: it was `{made}` and is `{}`",
                    facts.unique_id
                ),
                instruction: "find in CloudTrail who made it again, and judge that call for itself".to_owned(),
            }));
        }
        let (deny, fallback) = quarantine::everything(account, request, target, facts).await?;
        let mut changes = vec![deny];
        if target.kind == PrincipalKind::User {
            changes.extend(account.access_keys(&target.name).await?.iter().map(off));
        }
        let kept = format!("`{target}` is not deleted: look at what it did, then delete it yourself.");
        let note = fallback.map_or_else(|| kept.clone(), |fallback| format!("{fallback} {kept}"));
        let step = PlannedStep { note: Some(note), ..request.step(self.kind()) };
        Ok(settings::planned(request, step, changes, &format!("`{target}` may do nothing already")))
    }
}
