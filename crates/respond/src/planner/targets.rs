//! Decides what a remedy works on, as AWS knows it, and what it must not touch.

use cordon_core::{AccountId, Arn, JudgedArn, Principal, PrincipalKind, Purpose, RemedyKind, Subject, Target};

use super::{Planner, actor};
use crate::bounds::{Judged, OutOfBounds};
use crate::port::{IamError, IamErrorKind, PolicyFacts, PrincipalFacts, TrailFacts};
use crate::remedies;
use crate::remedy::{ByHand, On, WorksOn};

/// The principals that were already looked up, with AWS's answers.
#[derive(Default)]
pub(super) struct Seen(Vec<(Principal, Option<PrincipalFacts>)>);

/// A target that may be changed, with what AWS knows of it.
pub(super) enum Resolved {
    /// With whether its ARN alone is out of the scope, and a person decides.
    Principal(Principal, PrincipalFacts, bool),
    Policy(Arn, PolicyFacts),
    Trail(Arn, TrailFacts),
}

/// Why a target must not be changed, as a sentence for people, or could not be looked up.
#[derive(Debug, thiserror::Error)]
pub(super) enum TargetError {
    #[error("The event does not say in which account `{target}` was touched")]
    NoAccount { target: String },
    #[error("`{target}` is AWS's own, which nobody else can change")]
    AwsOwned { target: String },
    #[error("`{target}` belongs to account {owner}, and the event took effect in {account}")]
    Elsewhere { target: String, owner: AccountId, account: AccountId },
    #[error(
        "`{target}` belongs to account {owner}, and the event took effect in {account}. A caller is stopped on the record of their \
         own account alone: tell the owner of that account, and cut the trust that let it in"
    )]
    Outsider { target: String, owner: AccountId, account: AccountId },
    #[error("IAM answered for account {answered}, and the event took effect in {account}")]
    OtherAccount { answered: AccountId, account: AccountId },
    #[error("`{target}` no longer exists")]
    Gone { target: String },
    #[error("`{target}` was deleted and made again since the event: its unique id was `{was}` and is `{is}`")]
    Recreated { target: String, was: String, is: String },
    #[error("`{target}` is Cordon's own and is never changed")]
    OwnPart { target: String },
    /// With the configuration's own sentence.
    #[error("{0}")]
    OutOfScope(String),
    #[error(transparent)]
    Iam(#[from] IamError),
}

impl Resolved {
    pub(super) fn on(&self) -> On<'_> {
        match self {
            Self::Principal(principal, facts, _) => On::Principal(principal, facts),
            Self::Policy(arn, facts) => On::Policy(arn, facts),
            Self::Trail(arn, facts) => On::Trail(arn, facts),
        }
    }

    /// How the scope judged it, where that is not plain.
    pub(super) fn judged(&self) -> Option<JudgedArn> {
        match self {
            Self::Principal(principal, _, true) => Some(JudgedArn { arn: principal.known_arn.clone()?, doubtful: true }),
            Self::Principal(_, _, false) | Self::Policy(..) | Self::Trail(..) => None,
        }
    }
}

impl Planner<'_> {
    /// The remedy's target, by the name that the event gives.
    pub(super) fn target(&self, purpose: Purpose, remedy: RemedyKind) -> Result<Target, ByHand> {
        if purpose == Purpose::Contain {
            return self.case.actor.principal().map(Target::Principal).ok_or_else(|| actor::by_hand(self.case.actor));
        }
        let named = |arn: &Option<String>, what: &str| {
            arn.as_deref().and_then(|arn| arn.parse::<Arn>().ok()).ok_or_else(|| does_not_fit(remedy, what, self.case.subject))
        };
        match remedies::remedy(remedy).works_on() {
            WorksOn::Policy => Ok(Target::Policy { policy: named(&self.case.event.policy_arn, "a managed policy")? }),
            WorksOn::Trail => Ok(Target::Trail { trail: named(&self.case.event.touched.trail_arn, "a trail")? }),
            WorksOn::Principal => self
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

    /// The target as AWS knows it.
    pub(super) async fn resolve(&mut self, target: &Target) -> Result<Resolved, TargetError> {
        let gone = || TargetError::Gone { target: target.to_string() };
        match target {
            Target::Principal(principal) => self.resolve_principal(principal).await,
            Target::Policy { policy } => {
                let account = self.own_account(target, policy)?;
                let facts = self.account.policy(policy.as_str()).await?.ok_or_else(gone)?;
                // The event's spelling is the caller's: the scope judges the ARN that IAM gives.
                let unreadable = || IamError::new(IamErrorKind::Other, "iam:GetPolicy", "IAM gave a policy an ARN that is none");
                let known: Arn = facts.arn.parse().map_err(|_| unreadable())?;
                in_bounds(known.as_str(), self.bounds().of_policy(known.as_str(), account))?;
                Ok(Resolved::Policy(known, facts))
            }
            Target::Trail { trail } => {
                let account = self.own_account(target, trail)?;
                in_bounds(trail.as_str(), self.bounds().of_trail(trail.as_str(), account))?;
                let facts = self.account.trail(trail.as_str()).await?;
                Ok(Resolved::Trail(trail.clone(), facts.ok_or_else(gone)?))
            }
        }
    }

    /// The account of the event, if a policy or trail belongs to it.
    fn own_account(&self, target: &Target, arn: &Arn) -> Result<&AccountId, TargetError> {
        let name = || target.to_string();
        let account = self.case.account.ok_or_else(|| TargetError::NoAccount { target: name() })?;
        let owner = arn.account().ok_or_else(|| TargetError::AwsOwned { target: name() })?;
        if owner != *account {
            return Err(TargetError::Elsewhere { target: name(), owner, account: account.clone() });
        }
        Ok(account)
    }

    async fn resolve_principal(&mut self, target: &Principal) -> Result<Resolved, TargetError> {
        let name = || target.to_string();
        let account = self.case.account.ok_or_else(|| TargetError::NoAccount { target: name() })?;
        if target.account != *account {
            let owner = target.account.clone();
            return Err(TargetError::Outsider { target: name(), owner, account: account.clone() });
        }
        let facts = self.look_up(target).await?.ok_or_else(|| TargetError::Gone { target: name() })?;
        let known = known(target, &facts)?;
        if known.account != *account {
            return Err(TargetError::OtherAccount { answered: known.account, account: account.clone() });
        }
        if let Some(unique_id) = self.id_in_event(&known).filter(|id| *id != facts.unique_id) {
            let was = unique_id.to_owned();
            return Err(TargetError::Recreated { target: known.to_string(), was, is: facts.unique_id });
        }
        let before = self.arns.before(&known, &self.past().since).await?;
        match self.bounds().of_both(&known, &before) {
            Judged::Free => Ok(Resolved::Principal(known, facts, false)),
            Judged::Doubtful(doubt) => {
                self.doubt(doubt);
                Ok(Resolved::Principal(known, facts, true))
            }
            Judged::Refused(out, doubt) => {
                doubt.into_iter().for_each(|doubt| self.doubt(doubt));
                in_bounds(&known.arn(), Some(out))?;
                Ok(Resolved::Principal(known, facts, false))
            }
        }
    }

    async fn look_up(&mut self, target: &Principal) -> Result<Option<PrincipalFacts>, IamError> {
        if let Some((_, facts)) = self.seen.0.iter().find(|(known, _)| known == target) {
            return Ok(facts.clone());
        }
        let facts = self.account.principal(target).await?;
        self.seen.0.push((target.clone(), facts.clone()));
        Ok(facts)
    }

    /// The unique id that the event gave for this principal. Only the actor's is in a record.
    fn id_in_event(&self, target: &Principal) -> Option<&str> {
        let actor = self.case.actor.principal().filter(|actor| actor == target)?;
        let prefix = match actor.kind {
            PrincipalKind::User => "AIDA",
            PrincipalKind::Role => "AROA",
            PrincipalKind::Group => "AGPA",
        };
        self.case.actor.unique_id.as_deref().filter(|id| id.starts_with(prefix))
    }
}

fn in_bounds(arn: &str, refused: Option<OutOfBounds>) -> Result<(), TargetError> {
    match refused {
        None => Ok(()),
        Some(OutOfBounds::Own) => Err(TargetError::OwnPart { target: arn.to_owned() }),
        Some(OutOfBounds::Scope(reason)) => Err(TargetError::OutOfScope(reason)),
    }
}

fn does_not_fit(remedy: RemedyKind, what: &str, subject: &Subject) -> ByHand {
    ByHand {
        reason: format!("`{remedy}` works on {what}, and the event touched {subject}"),
        instruction: "look at the request's parameters on the incident and undo the call by hand".to_owned(),
    }
}

/// The principal with the ARN, account and spelling that IAM gives.
fn known(target: &Principal, facts: &PrincipalFacts) -> Result<Principal, IamError> {
    let unreadable = || IamError::new(IamErrorKind::Other, "iam:Get*", &format!("IAM gave `{target}` an ARN that is none"));
    let arn: Arn = facts.arn.parse().map_err(|_| unreadable())?;
    let account = arn.account().ok_or_else(unreadable)?;
    let name = arn.resource().rsplit('/').next().ok_or_else(unreadable)?.into();
    Ok(Principal { kind: target.kind, account, name, known_arn: Some(arn) })
}
