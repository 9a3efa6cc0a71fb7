//! deny-all: the quarantine. Denies a user or a role everything.
//!
//! For a role session the deny is put on the role, so it stops every session of that role. On a user it also applies inside
//! federated and other sessions that were made with the user's keys. It is an inline policy named after the incident. If the
//! inline quota is full, AWS's `AWSDenyAll` is attached; if that quota is full too, it becomes the permissions boundary. The
//! remedy never removes anything to make room, and never deletes a principal, a key or a password.

use async_trait::async_trait;
use cordon_core::{PlannedStep, PrincipalKind, RemedyKind};

use super::unstoppable;
use crate::port::{Account, IamError};
use crate::quarantine;
use crate::remedy::{Answers, Planned, Remedy, Request};
use crate::settings;

/// The remedy.
pub struct DenyAll;

#[async_trait]
impl Remedy for DenyAll {
    fn kind(&self) -> RemedyKind {
        RemedyKind::DenyAll
    }

    fn answers(&self) -> Answers {
        Answers::Everything
    }

    async fn plan(&self, account: &dyn Account, request: &Request<'_>) -> Result<Planned, IamError> {
        let Some((target, facts)) = request.principal() else {
            return Ok(request.does_not_fit(self.kind(), "a user or role"));
        };
        if let Some(by_hand) = unstoppable(target, facts) {
            return Ok(Planned::ByHand(by_hand));
        }
        let (change, fallback) = quarantine::everything(account, request, target, facts).await?;
        let whole_role = format!("It stops everybody who uses the role `{}`.", target.name);
        let mut notes: Vec<String> = fallback.into_iter().collect();
        if target.kind == PrincipalKind::Role {
            notes.push(whole_role);
        }
        let note = (!notes.is_empty()).then(|| notes.join(" "));
        let step = PlannedStep { note, ..request.step(self.kind()) };
        Ok(settings::planned(request, step, vec![change], &format!("`{target}` may do nothing already")))
    }
}
