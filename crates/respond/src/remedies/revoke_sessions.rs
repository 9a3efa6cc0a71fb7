//! revoke-sessions: denies everything to the sessions of a user or role that began before the plan was made.
//!
//! Deactivating a key, changing a trust policy or deleting a password ends no session. Only a deny on the principal does, and
//! only while it is in place. On a user it applies to sessions of `GetSessionToken`, `GetFederationToken` and the console; on a
//! role to every session, including those of people who are not suspected. It never touches long-term keys (they carry no
//! `aws:TokenIssueTime`) or sessions that begin later.

use async_trait::async_trait;
use cordon_core::{Change, PlannedStep, PrincipalKind, RemedyKind, Setting};
use jiff::{SignedDuration, Timestamp};

use super::unstoppable;
use crate::deny;
use crate::port::{Account, IamError, PrincipalFacts};
use crate::quarantine;
use crate::remedy::{Answers, ByHand, Planned, Remedy, Request};
use crate::settings;

/// The remedy.
pub struct RevokeSessions;

/// The longest a federation token lives: 129,600 s ("`GetFederationToken`", STS API reference).
pub(super) const FEDERATION_MAX_HOURS: i64 = 36;

#[async_trait]
impl Remedy for RevokeSessions {
    fn kind(&self) -> RemedyKind {
        RemedyKind::RevokeSessions
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
        let name = deny::named(deny::SESSIONS_PREFIX, request.incident);
        let document = deny::sessions_document(request.now);
        if !quarantine::fits_inline(account, target, &name, &document).await? {
            return Ok(Planned::ByHand(ByHand {
                reason: format!("the inline policies of `{target}` leave no room to revoke its sessions"),
                instruction:
                    "attach `arn:aws:iam::aws:policy/AWSDenyAll` to it, or take an inline policy off that is not needed \
                              and revoke the sessions in the console"
                        .to_owned(),
            }));
        }
        let from = account.inline_policy(target, &name).await?;
        let change = Change { setting: Setting::InlinePolicy { name }, from, to: Some(document) };
        let step = PlannedStep { note: Some(until(target.kind, facts, request.now)), ..request.step(self.kind()) };
        Ok(settings::planned(step, vec![change], &format!("the sessions of `{target}` are revoked already")))
    }
}

/// Until when the deny has to stay, in a sentence.
fn until(kind: PrincipalKind, facts: &PrincipalFacts, now: Timestamp) -> String {
    let after = |hours: i64| now.saturating_add(SignedDuration::from_hours(hours)).unwrap_or(Timestamp::MAX);
    match kind {
        PrincipalKind::User | PrincipalKind::Group => format!(
            "The deny on the user has to stay until {}: a federation token lives up to {FEDERATION_MAX_HOURS} hours, whatever \
             becomes of the key it was made with. Sessions that begin after {now} are not stopped by it.",
            after(FEDERATION_MAX_HOURS)
        ),
        PrincipalKind::Role => {
            let seconds = i64::from(facts.max_session_seconds.unwrap_or(12 * 3_600));
            let end = now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
            format!(
                "The deny on the role has to stay until {end}, the longest that one of its sessions lives. It ends every session \
                 of the role; one that begins after {now} is not stopped by it."
            )
        }
    }
}
