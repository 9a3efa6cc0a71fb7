//! What a remedy of a purpose works on, as AWS knows it, and why it must not be changed.

use cordon_core::{Arn, Principal, PrincipalKind, Purpose, RemedyKind, Subject, Target};

use super::{Planner, actor};
use crate::port::{IamError, IamErrorKind, PolicyFacts, PrincipalFacts, TrailFacts};
use crate::remedy::{ByHand, On};

/// What AWS said about the principals that were already looked up.
#[derive(Default)]
pub(super) struct Seen(Vec<(Principal, Option<PrincipalFacts>)>);

/// A target that may be changed.
pub(super) enum Resolved {
    Principal(Principal, PrincipalFacts),
    Policy(Arn, PolicyFacts),
    Trail(Arn, TrailFacts),
}

impl Resolved {
    pub(super) fn on(&self) -> On<'_> {
        match self {
            Self::Principal(principal, facts) => On::Principal(principal, facts),
            Self::Policy(arn, facts) => On::Policy(arn, facts),
            Self::Trail(arn, facts) => On::Trail(arn, facts),
        }
    }
}

impl Planner<'_> {
    /// What the remedy is for, by name.
    pub(super) fn target(&self, purpose: Purpose, remedy: RemedyKind) -> Result<Target, ByHand> {
        if purpose == Purpose::Contain {
            return self.case.actor.principal().map(Target::Principal).ok_or_else(|| actor::by_hand(self.case.actor));
        }
        let named = |arn: &Option<String>, what: &str| {
            arn.as_deref().and_then(|arn| arn.parse::<Arn>().ok()).ok_or_else(|| does_not_fit(remedy, what, self.case.subject))
        };
        match remedy {
            RemedyKind::RestorePolicyVersion | RemedyKind::DeletePolicyVersion => {
                Ok(Target::Policy { policy: named(&self.case.event.policy_arn, "a managed policy")? })
            }
            RemedyKind::RestartLogging => Ok(Target::Trail { trail: named(&self.case.event.touched.trail_arn, "a trail")? }),
            _ => self
                .subject()
                .map(Target::Principal)
                .ok_or_else(|| does_not_fit(remedy, "a user, role or group", self.case.subject)),
        }
    }

    /// The principal that the event touched; of an access key its user.
    fn subject(&self) -> Option<Principal> {
        match self.case.subject {
            Subject::Principal { principal } => Some(principal.clone()),
            Subject::AccessKey { user: Some(user), .. } => {
                Some(Principal::new(PrincipalKind::User, self.case.account?.clone(), user))
            }
            Subject::AccessKey { user: None, .. } | Subject::Policy { .. } | Subject::Account { .. } | Subject::Unknown => None,
        }
    }

    /// The target as AWS knows it, or why it must not be changed.
    pub(super) async fn resolve(&mut self, target: &Target) -> Result<Result<Resolved, String>, IamError> {
        match target {
            Target::Principal(principal) => self.resolve_principal(principal).await,
            Target::Policy { policy } => {
                if let Some(reason) = self.resource_out_of_bounds(target, policy) {
                    return Ok(Err(reason));
                }
                let facts = self.account.policy(policy.as_str()).await?;
                Ok(facts.map(|facts| Resolved::Policy(policy.clone(), facts)).ok_or_else(|| gone(target)))
            }
            Target::Trail { trail } => {
                if let Some(reason) = self.resource_out_of_bounds(target, trail) {
                    return Ok(Err(reason));
                }
                let facts = self.account.trail(trail.as_str()).await?;
                Ok(facts.map(|facts| Resolved::Trail(trail.clone(), facts)).ok_or_else(|| gone(target)))
            }
        }
    }

    fn resource_out_of_bounds(&self, target: &Target, arn: &Arn) -> Option<String> {
        let account = self.case.account;
        let Some(account) = account else {
            return Some(format!("The event does not say in which account `{target}` was touched"));
        };
        match arn.account() {
            None => return Some(format!("`{target}` is AWS's own, which nobody else can change")),
            Some(owner) if owner != *account => {
                return Some(format!("`{target}` belongs to account {owner}, and the event took effect in {account}"));
            }
            Some(_) => {}
        }
        if self.never.iter().any(|pattern| pattern.matches(arn.as_str())) {
            return Some(format!("`{target}` is Cordon's own and is never changed"));
        }
        match target {
            Target::Policy { .. } => self.config.policy_out_of_scope(arn.as_str(), account),
            Target::Trail { .. } | Target::Principal(_) => self.config.trail_out_of_scope(arn.as_str(), account),
        }
    }

    async fn resolve_principal(&mut self, target: &Principal) -> Result<Result<Resolved, String>, IamError> {
        let Some(account) = self.case.account else {
            return Ok(Err(format!("The event does not say in which account `{target}` was touched")));
        };
        if target.account != *account {
            return Ok(Err(format!(
                "`{target}` belongs to account {}, and the event took effect in {account}: tell the owner of that account, and \
                 cut the trust that let it in",
                target.account
            )));
        }
        let Some(facts) = self.look_up(target).await? else {
            return Ok(Err(format!("`{target}` no longer exists")));
        };
        let known = known(target, &facts)?;
        if known.account != *account {
            return Ok(Err(format!("IAM answered for account {}, and the event took effect in {account}", known.account)));
        }
        if let Some(unique_id) = self.id_in_event(&known).filter(|id| *id != facts.unique_id) {
            return Ok(Err(format!(
                "`{known}` was deleted and made again since the event: its unique id was `{unique_id}` and is `{}`",
                facts.unique_id
            )));
        }
        let arn = known.arn();
        if self.never.iter().any(|pattern| pattern.matches(&arn)) {
            return Ok(Err(format!("`{arn}` is Cordon's own and is never changed")));
        }
        if let Some(reason) = self.config.out_of_scope(&known) {
            return Ok(Err(reason));
        }
        Ok(Ok(Resolved::Principal(known, facts)))
    }

    async fn look_up(&mut self, target: &Principal) -> Result<Option<PrincipalFacts>, IamError> {
        if let Some((_, facts)) = self.seen.0.iter().find(|(known, _)| same(known, target)) {
            return Ok(facts.clone());
        }
        let facts = self.account.principal(target).await?;
        self.seen.0.push((target.clone(), facts.clone()));
        Ok(facts)
    }

    /// The unique id that the event gave for this principal. Only the actor's is in a record.
    fn id_in_event(&self, target: &Principal) -> Option<&str> {
        let actor = self.case.actor.principal().filter(|actor| same(actor, target))?;
        let prefix = match actor.kind {
            PrincipalKind::User => "AIDA",
            PrincipalKind::Role => "AROA",
            PrincipalKind::Group => "AGPA",
        };
        self.case.actor.unique_id.as_deref().filter(|id| id.starts_with(prefix))
    }
}

fn does_not_fit(remedy: RemedyKind, what: &str, subject: &Subject) -> ByHand {
    ByHand {
        reason: format!("`{remedy}` works on {what}, and the event touched {subject}"),
        instruction: "look at the request's parameters on the incident and undo the call by hand".to_owned(),
    }
}

fn gone(target: &Target) -> String {
    format!("`{target}` no longer exists")
}

/// The principal with the ARN, account and spelling that IAM gives.
fn known(target: &Principal, facts: &PrincipalFacts) -> Result<Principal, IamError> {
    let unreadable = || IamError::new(IamErrorKind::Other, "iam:Get*", &format!("IAM gave `{target}` an ARN that is none"));
    let arn: Arn = facts.arn.parse().map_err(|_| unreadable())?;
    let account = arn.account().ok_or_else(unreadable)?;
    let name = arn.resource().rsplit('/').next().ok_or_else(unreadable)?.to_owned();
    Ok(Principal { kind: target.kind, account, name, known_arn: Some(arn) })
}

/// The same principal, whatever is known of its path.
fn same(a: &Principal, b: &Principal) -> bool {
    a.kind == b.kind && a.account == b.account && a.name == b.name
}
