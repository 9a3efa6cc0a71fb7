//! delete-login-profile: deletes a user's console password. It is the only remedy that undo cannot revert.
//!
//! No shipped rule uses it. It never comes first: open sessions continue, so the planner puts `disable-login-profile` before it.
//! Undo only says that the user needs a new password.

use async_trait::async_trait;
use cordon_core::{Change, PlannedStep, RemedyKind, Setting};

use crate::port::{Account, IamError};
use crate::remedy::{Answers, Planned, Remedy, Request};
use crate::settings;

/// The remedy.
pub struct DeleteLoginProfile;

#[async_trait]
impl Remedy for DeleteLoginProfile {
    fn kind(&self) -> RemedyKind {
        RemedyKind::DeleteLoginProfile
    }

    fn answers(&self) -> Answers {
        Answers::Calls(&["CreateLoginProfile", "UpdateLoginProfile"])
    }

    async fn plan(&self, account: &dyn Account, request: &Request<'_>) -> Result<Planned, IamError> {
        let Some((target, _)) = request.user() else {
            return Ok(request.does_not_fit(self.kind(), "a user"));
        };
        let has = account.has_login_profile(&target.name).await?;
        let change = Change { setting: Setting::LoginProfile, from: has.then(|| Setting::ON.to_owned()), to: None };
        let irreversible = Some(format!(
            "The console password of `{target}` cannot be restored: its owner needs a new one (`aws iam create-login-profile \
             --user-name {} --password-reset-required --password …`).",
            target.name
        ));
        let step = PlannedStep { irreversible, ..request.step(self.kind()) };
        Ok(settings::planned(request, step, vec![change], &format!("`{target}` has no console password")))
    }
}
