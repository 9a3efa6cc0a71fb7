//! disable-login-profile: makes a user's console password useless, and leaves it there.
//!
//! AWS cannot turn a password off. A deny on everything that the user does with temporary credentials takes the console from
//! anybody who knows the password, in open sessions too: they can sign in, and may do nothing. Long-term access keys go on.
//! It never deletes the password: `delete-login-profile` does, where a rule says so.

use async_trait::async_trait;
use cordon_core::{Change, PlannedStep, RemedyKind, Setting};

use crate::deny;
use crate::port::{Account, IamError};
use crate::quarantine;
use crate::remedy::{Answers, ByHand, Planned, Remedy, Request};
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
        let Some((target, _)) = request.user() else {
            return Ok(request.does_not_fit(self.kind(), "a user"));
        };
        if !account.has_login_profile(&target.name).await? {
            return Ok(Planned::Nothing(format!("`{target}` has no console password")));
        }
        let name = deny::named(deny::CONSOLE_PREFIX, request.incident);
        if !quarantine::fits_inline(account, target, &name, deny::CONSOLE_DOCUMENT).await? {
            return Ok(Planned::ByHand(ByHand {
                reason: format!("the inline policies of `{target}` leave no room to take the console from it"),
                instruction: format!(
                    "attach `{}` to it, or delete the password (`aws iam delete-login-profile --user-name {}`) and give the owner \
                     a new one",
                    deny::AWS_DENY_ALL,
                    target.name
                ),
            }));
        }
        let from = account.inline_policy(target, &name).await?;
        let change = Change { setting: Setting::InlinePolicy { name }, from, to: Some(deny::CONSOLE_DOCUMENT.to_owned()) };
        let note = Some(
            "The password stays: whoever knows it can sign in, and may do nothing there. Access keys go on. Give the owner a new \
             password before you undo this."
                .to_owned(),
        );
        let step = PlannedStep { note, ..request.step(self.kind()) };
        Ok(settings::planned(step, vec![change], &format!("the console is taken from `{target}` already")))
    }
}
