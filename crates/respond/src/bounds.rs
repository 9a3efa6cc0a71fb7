//! What Cordon may touch: everything that AWS authorises a step's calls on has to be in the scope, off `never_touch` and none of
//! Cordon's own roles.
//!
//! It is asked when a plan is made and again right before a write: `cordon.toml` and the path of a principal may have changed since.
//! What is judged is the ARN that AWS gives, never a spelling of somebody else's.

use cordon_core::pattern::Pattern;
use cordon_core::{AccountId, Arn, Config, PlannedStep, Principal, PrincipalKind, Target};

use crate::authorised::{Authorised, Resource};
use crate::port::{Account, IamError, IamErrorKind};
use crate::remedy::StepError;

/// The limits of a deployment.
#[derive(Debug, Clone, Copy)]
pub struct Bounds<'a> {
    /// The policy: `cordon.toml`.
    pub config: &'a Config,
    /// ARN patterns that are refused whatever the configuration says: Cordon's own roles.
    pub never: &'a [Pattern],
}

/// Why something must not be touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OutOfBounds {
    /// It is Cordon's own.
    Own,
    /// The configuration's sentence.
    Scope(String),
}

impl Bounds<'_> {
    /// Why a principal must not be touched. Its ARN is the one that IAM gave.
    pub(crate) fn of_principal(&self, principal: &Principal) -> Option<OutOfBounds> {
        self.judge(&principal.arn(), || self.config.out_of_scope(principal))
    }

    /// Why a managed policy of an account must not be touched.
    pub(crate) fn of_policy(&self, arn: &str, account: &AccountId) -> Option<OutOfBounds> {
        self.judge(arn, || self.config.policy_out_of_scope(arn, account))
    }

    /// Why a trail of an account must not be touched.
    pub(crate) fn of_trail(&self, arn: &str, account: &AccountId) -> Option<OutOfBounds> {
        self.judge(arn, || self.config.trail_out_of_scope(arn, account))
    }

    fn judge(&self, arn: &str, out_of_scope: impl FnOnce() -> Option<String>) -> Option<OutOfBounds> {
        if self.never.iter().any(|pattern| pattern.matches_any_spelling(arn)) {
            return Some(OutOfBounds::Own);
        }
        out_of_scope().map(OutOfBounds::Scope)
    }

    /// Why a step must not be carried out, in a sentence; `None` where it may.
    ///
    /// # Errors
    /// The first read that was refused.
    pub async fn refusal(&self, account: &dyn Account, step: &PlannedStep) -> Result<Option<String>, IamError> {
        let target = &step.target;
        let Some(owner) = owner(target) else { return Ok(Some(format!("the account of `{target}` is not known"))) };
        let refused = match target {
            Target::Principal(principal) => self.look_up(account, principal).await?,
            Target::Policy { policy } => self.of_policy(policy.as_str(), &owner),
            Target::Trail { trail } => self.of_trail(trail.as_str(), &owner),
        };
        match refused {
            None => self.refusal_beside_target(account, step).await,
            Some(OutOfBounds::Own) => Ok(Some(is_own(&target.to_string()))),
            Some(OutOfBounds::Scope(reason)) => Ok(Some(reason)),
        }
    }

    /// The same when a plan is made, where the target was judged already.
    pub(crate) async fn refusal_beside_target(
        &self,
        account: &dyn Account,
        step: &PlannedStep,
    ) -> Result<Option<String>, IamError> {
        let Some(owner) = owner(&step.target) else {
            return Ok(Some(format!("the account of `{}` is not known", step.target)));
        };
        let named = |kind, name: &str| Principal::new(kind, owner.clone(), name);
        let mut judged: Vec<(Resource, &str)> = Vec::new();
        for call in step.calls.iter().chain(&step.undo) {
            let row = Authorised::of(call);
            let Some((row, name)) = row.and_then(|row| Some((row, call.parameters.get(row.named_by)?.as_str()))) else {
                return Ok(Some(format!("it is not known what AWS authorises `{}` on", call.action)));
            };
            if judged.contains(&(row.on, name)) || is_target(&step.target, row.on, name) {
                continue;
            }
            judged.push((row.on, name));
            let refused = match row.on {
                Resource::User => self.look_up(account, &named(PrincipalKind::User, name)).await?,
                Resource::Role => self.look_up(account, &named(PrincipalKind::Role, name)).await?,
                Resource::Group => self.look_up(account, &named(PrincipalKind::Group, name)).await?,
                Resource::Policy => account.policy(name).await?.and_then(|facts| self.of_policy(&facts.arn, &owner)),
                Resource::Trail => self.of_trail(name, &owner),
            };
            match refused {
                None => {}
                Some(OutOfBounds::Own) => return Ok(Some(is_own(name))),
                Some(OutOfBounds::Scope(reason)) => {
                    return Ok(Some(format!("{reason}, and AWS authorises `{}` on it", call.action)));
                }
            }
        }
        Ok(None)
    }

    /// [`Self::refusal`] as the error of a step.
    pub(crate) async fn required(&self, account: &dyn Account, step: &PlannedStep) -> Result<(), StepError> {
        self.refusal(account, step).await?.map_or(Ok(()), |reason| Err(StepError::OutOfBounds(reason)))
    }

    /// A principal that is gone is judged by what is known of it: the remedy finds out that it is gone.
    async fn look_up(&self, account: &dyn Account, principal: &Principal) -> Result<Option<OutOfBounds>, IamError> {
        let Some(facts) = account.principal(principal).await? else { return Ok(self.of_principal(principal)) };
        let unreadable =
            |_| IamError::new(IamErrorKind::Other, "iam:Get*", &format!("IAM gave `{principal}` an ARN that is none"));
        let arn: Arn = facts.arn.parse().map_err(unreadable)?;
        Ok(self.of_principal(&Principal { known_arn: Some(arn), ..principal.clone() }))
    }
}

fn is_own(what: &str) -> String {
    format!("`{what}` is Cordon's own and is never changed")
}

fn owner(target: &Target) -> Option<AccountId> {
    match target {
        Target::Principal(principal) => Some(principal.account.clone()),
        Target::Policy { policy: arn } | Target::Trail { trail: arn } => arn.account(),
    }
}

fn is_target(target: &Target, on: Resource, name: &str) -> bool {
    match target {
        Target::Principal(principal) => {
            let kind = match principal.kind {
                PrincipalKind::User => Resource::User,
                PrincipalKind::Role => Resource::Role,
                PrincipalKind::Group => Resource::Group,
            };
            kind == on && principal.name == *name
        }
        Target::Policy { policy } => on == Resource::Policy && policy.as_str() == name,
        Target::Trail { trail } => on == Resource::Trail && trail.as_str() == name,
    }
}
