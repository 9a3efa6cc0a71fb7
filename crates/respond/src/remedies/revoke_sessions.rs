//! revoke-sessions: denies everything to the sessions of a user or role that began before the step was carried out.
//!
//! Deactivating a key, changing a trust policy or deleting a password ends no session. Only a deny on the principal does, and
//! only while it is in place. On a user it applies to sessions of `GetSessionToken`, `GetFederationToken` and the console; on a
//! role to every session, including those of people who are not suspected. It never touches long-term keys (they carry no
//! `aws:TokenIssueTime`) or sessions that begin later.
//!
//! The planned document names the moment of the plan. It is put on with the moment at which the step is begun
//! ([`crate::runner::StepRecord::carried_out`]): a session that was taken while people decided ends too. Nothing else of the
//! document may differ. Where the inline quota is full, everything is denied in the next place that has room (`quarantine`).

use async_trait::async_trait;
use cordon_core::{PlannedStep, PrincipalKind, RemedyKind};
use jiff::{SignedDuration, Timestamp};

use super::unstoppable;
use crate::deny;
use crate::port::{Account, IamError, PrincipalFacts};
use crate::quarantine;
use crate::remedy::{Answers, Planned, Remedy, Request};
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
        let (change, fallback) = quarantine::place(account, request, (target, facts), name, &document).await?;
        let until = until(target.kind, facts, request.now);
        let note = fallback.map_or_else(|| until.clone(), |fallback| format!("{fallback} {until}"));
        let step = PlannedStep { note: Some(note), ..request.step(self.kind()) };
        Ok(settings::planned(request, step, vec![change], &format!("the sessions of `{target}` are revoked already")))
    }
}

/// The limit of the deny, for people.
const LATER: &str = "It is put on as of the moment when it is carried out; sessions that begin after that are not stopped by it.";

/// Until when the deny has to stay, in a sentence.
fn until(kind: PrincipalKind, facts: &PrincipalFacts, now: Timestamp) -> String {
    let after = |hours: i64| now.saturating_add(SignedDuration::from_hours(hours)).unwrap_or(Timestamp::MAX);
    match kind {
        PrincipalKind::User | PrincipalKind::Group => format!(
            "The deny on the user has to stay until {}, or {FEDERATION_MAX_HOURS} hours after it is put on if that is later: so long \
             lives a federation token, whatever becomes of the key it was made with. {LATER}",
            after(FEDERATION_MAX_HOURS)
        ),
        PrincipalKind::Role => {
            let seconds = i64::from(facts.max_session_seconds.unwrap_or(12 * 3_600));
            let end = now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
            format!(
                "The deny on the role has to stay until {end}, the longest that one of its sessions lives, or as much longer as it \
                 is put on later. It ends every session of the role. {LATER}"
            )
        }
    }
}
