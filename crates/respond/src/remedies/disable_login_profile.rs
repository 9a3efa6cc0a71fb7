//! disable-login-profile: makes a user's console password useless, and leaves it there.
//!
//! AWS cannot turn a password off. A deny on everything that the user does with temporary credentials takes the console from
//! anybody who knows the password, in open sessions too: they can sign in, and may do nothing. Long-term access keys go on.
//! It never deletes the password: `delete-login-profile` does, where a rule says so. Where the inline quota is full, everything is
//! denied in the next place that has room (`quarantine`).

use async_trait::async_trait;
use cordon_core::{PlannedStep, RemedyKind};

use crate::deny;
use crate::port::{Account, IamError};
use crate::quarantine;
use crate::remedy::{Answers, Planned, Remedy, Request};
use crate::settings;

/// The remedy.
pub struct DisableLoginProfile;

#[async_trait]
impl Remedy for DisableLoginProfile {
    fn kind(&self) -> RemedyKind {
        RemedyKind::DisableLoginProfile
    }

    fn answers(&self) -> Answers {
        Answers::Calls(&["CreateLoginProfile", "UpdateLoginProfile"])
    }

    async fn plan(&self, account: &dyn Account, request: &Request<'_>) -> Result<Planned, IamError> {
        let Some((target, facts)) = request.user() else {
            return Ok(request.does_not_fit(self.kind(), "a user"));
        };
        if !account.has_login_profile(&target.name).await? {
            return Ok(Planned::Nothing(format!("`{target}` has no console password")));
        }
        let name = deny::named(deny::CONSOLE_PREFIX, request.incident);
        let (change, fallback) = quarantine::place(account, request, (target, facts), name, deny::CONSOLE_DOCUMENT).await?;
        let keys = fallback.unwrap_or_else(|| "Access keys go on.".to_owned());
        let note = format!(
            "The password stays: whoever knows it can sign in, and may do nothing there. {keys} Give the owner a new password \
             before you undo this."
        );
        let step = PlannedStep { note: Some(note), ..request.step(self.kind()) };
        Ok(settings::planned(request, step, vec![change], &format!("the console is taken from `{target}` already")))
    }
}
