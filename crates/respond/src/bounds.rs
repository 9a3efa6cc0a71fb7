//! What Cordon may touch: everything that AWS authorises a step's calls on has to be in the scope, off `never_touch` and none of
//! Cordon's own roles.
//!
//! It is asked when a plan is made and again right before a write: `cordon.toml` and the path of a principal may have changed since.
//! What is judged is the ARN that AWS gives, never a spelling of somebody else's. A principal that came to that ARN lately is judged
//! by the one from before as well: what was protected stays so, and what comes out of the scope only by a new name or path is put to a
//! person. A name or path that changes after the plan was made takes nothing out of it.

use cordon_core::pattern::Pattern;
use cordon_core::{AccountId, Arn, Config, JudgedArn, PlannedStep, Principal, PrincipalKind, Target};

use crate::arns::{ArnBefore, Arns, Since};
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

/// What the scope says of a principal by both of its ARNs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Judged {
    /// It may be changed.
    Free,
    /// It may be changed if a person says so: the reason, in a sentence without a full stop.
    Doubtful(String),
    /// It must not be changed. Where a new name or path has to do with it, a person is told so in a sentence, and asked.
    Refused(OutOfBounds, Option<String>),
}

/// What planning knows of the time before an event.
#[derive(Clone, Copy)]
pub(crate) struct Past<'a> {
    pub arns: &'a dyn Arns,
    pub since: Since<'a>,
}

/// What was found of the principals, policies and trails that a step's calls are authorised on beside its target.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    pub refused: Option<String>,
    pub doubts: Vec<String>,
    pub judged: Vec<JudgedArn>,
}

impl Bounds<'_> {
    /// Judges a principal, whose ARN is the one that IAM gave, by that ARN and by the one from before.
    pub(crate) fn of_both(&self, now: &Principal, before: &ArnBefore) -> Judged {
        let reason = match self.of_principal(now) {
            Some(OutOfBounds::Own) => return Judged::Refused(OutOfBounds::Own, None),
            Some(OutOfBounds::Scope(reason)) => Some(reason),
            None => None,
        };
        let at = |arn: Option<&Arn>| self.of_principal(&Principal { known_arn: arn.cloned(), ..now.clone() });
        let refused = |reason: String| Judged::Refused(OutOfBounds::Scope(reason), None);
        let is_shielded = || self.config.out_of_scope_but_for_never_touch(now).is_none();
        match (before, reason) {
            (ArnBefore::Same | ArnBefore::Made { .. }, None) => Judged::Free,
            (ArnBefore::Same, Some(reason)) => refused(reason),
            (ArnBefore::Was { arn, how }, None) => match at(Some(arn)) {
                None => Judged::Free,
                Some(OutOfBounds::Own) => Judged::Refused(OutOfBounds::Own, None),
                Some(OutOfBounds::Scope(reason)) => {
                    let said = format!("{how}, and the ARN from before counts as well: {reason}");
                    Judged::Refused(OutOfBounds::Scope(said.clone()), Some(said))
                }
            },
            (ArnBefore::Was { arn, how }, Some(reason)) => match at(Some(arn)) {
                None => Judged::Doubtful(format!("{reason}, but {how}; before that it was `{arn}`, which may be changed")),
                Some(OutOfBounds::Own) => Judged::Refused(OutOfBounds::Own, None),
                Some(OutOfBounds::Scope(_)) => refused(reason),
            },
            (ArnBefore::Made { how }, Some(reason)) if is_shielded() => Judged::Doubtful(format!("{reason}, but {how}")),
            (ArnBefore::Made { .. }, Some(reason)) => refused(reason),
            (ArnBefore::Unknown { how }, None) => {
                Judged::Doubtful(format!("`{now}` may be changed, but {how}, and its ARN before that is not known"))
            }
            (ArnBefore::Unknown { how }, Some(reason)) => {
                let said = format!("{reason}, but {how}, and its ARN before that is not known");
                // Without a path, as most principals are.
                let is_possible = is_shielded() || at(None).is_none();
                if is_possible { Judged::Doubtful(said) } else { Judged::Refused(OutOfBounds::Scope(reason), Some(said)) }
            }
        }
    }

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
            Target::Principal(principal) => self.look_up(account, principal, step).await?,
            Target::Policy { policy } => self.of_policy(policy.as_str(), &owner),
            Target::Trail { trail } => self.of_trail(trail.as_str(), &owner),
        };
        match refused {
            None => Ok(self.beside_target(account, step, None).await?.refused),
            Some(OutOfBounds::Own) => Ok(Some(is_own(&target.to_string()))),
            Some(OutOfBounds::Scope(reason)) => Ok(Some(reason)),
        }
    }

    /// The same of all but the target. `past` is known when a plan is made.
    pub(crate) async fn beside_target(
        &self,
        account: &dyn Account,
        step: &PlannedStep,
        past: Option<&Past<'_>>,
    ) -> Result<Beside, IamError> {
        let mut found = Beside::default();
        let refused = |reason: String| Ok(Beside { refused: Some(reason), ..Beside::default() });
        let Some(owner) = owner(&step.target) else {
            return refused(format!("the account of `{}` is not known", step.target));
        };
        let mut seen: Vec<(Resource, &str)> = Vec::new();
        for call in step.calls.iter().chain(&step.undo) {
            let row = Authorised::of(call);
            let Some((row, name)) = row.and_then(|row| Some((row, call.parameters.get(row.named_by)?.as_str()))) else {
                return refused(format!("it is not known what AWS authorises `{}` on", call.action));
            };
            if seen.contains(&(row.on, name)) || is_target(&step.target, row.on, name) {
                continue;
            }
            seen.push((row.on, name));
            let out = match principal_kind(row.on) {
                Some(kind) => {
                    let principal = Principal::new(kind, owner.clone(), name);
                    match past {
                        Some(past) => self.judge_for_plan(account, &principal, past, &mut found).await?,
                        None => self.look_up(account, &principal, step).await?,
                    }
                }
                None if row.on == Resource::Policy => {
                    account.policy(name).await?.and_then(|facts| self.of_policy(&facts.arn, &owner))
                }
                None => self.of_trail(name, &owner),
            };
            match out {
                None => {}
                Some(OutOfBounds::Own) => return Ok(Beside { refused: Some(is_own(name)), ..found }),
                Some(OutOfBounds::Scope(reason)) => {
                    let said = format!("{reason}, and AWS authorises `{}` on it", call.action);
                    return Ok(Beside { refused: Some(said), ..found });
                }
            }
        }
        Ok(found)
    }

    /// Judges a principal beside the target by both of its ARNs, and notes how.
    async fn judge_for_plan(
        &self,
        account: &dyn Account,
        principal: &Principal,
        past: &Past<'_>,
        found: &mut Beside,
    ) -> Result<Option<OutOfBounds>, IamError> {
        let Some(now) = known(account, principal).await? else { return Ok(self.of_principal(principal)) };
        let judged = self.of_both(&now, &past.arns.before(&now, &past.since).await?);
        let (doubt, refused) = match judged {
            Judged::Free => (None, None),
            Judged::Doubtful(doubt) => (Some(doubt), None),
            Judged::Refused(out, doubt) => (doubt, Some(out)),
        };
        if refused.is_none()
            && let Some(arn) = now.known_arn
        {
            found.judged.push(JudgedArn { arn, doubtful: doubt.is_some() });
        }
        found.doubts.extend(doubt);
        Ok(refused)
    }

    /// [`Self::refusal`] as the error of a step.
    pub(crate) async fn required(&self, account: &dyn Account, step: &PlannedStep) -> Result<(), StepError> {
        self.refusal(account, step).await?.map_or(Ok(()), |reason| Err(StepError::OutOfBounds(reason)))
    }

    /// A principal that is gone is judged by what is known of it: the remedy finds out that it is gone.
    async fn look_up(
        &self,
        account: &dyn Account,
        principal: &Principal,
        step: &PlannedStep,
    ) -> Result<Option<OutOfBounds>, IamError> {
        let Some(now) = known(account, principal).await? else { return Ok(self.of_principal(principal)) };
        Ok(match self.of_principal(&now) {
            Some(OutOfBounds::Scope(_)) if self.is_released(&now, step) => None,
            judged => judged,
        })
    }

    /// Whether the plan holds a principal although its ARN of now is out of the scope: a person decided on it, or it got that ARN
    /// since, and the one that the plan was made for may still be changed.
    fn is_released(&self, now: &Principal, step: &PlannedStep) -> bool {
        if self.config.account_out_of_scope(&now.arn(), &now.account).is_some() {
            return false;
        }
        let mut judged = step.judged.iter().filter(|judged| now.has_arn(judged.arn.as_str()));
        let may = |arn: &Arn| self.of_principal(&Principal { known_arn: Some(arn.clone()), ..now.clone() }).is_none();
        let target = step.target.principal().filter(|target| *target == now).and_then(|target| target.known_arn.as_ref());
        judged.any(|judged| judged.doubtful || may(&judged.arn)) || target.is_some_and(may)
    }
}

/// The principal with the ARN that IAM gives; `None` where it is gone.
async fn known(account: &dyn Account, principal: &Principal) -> Result<Option<Principal>, IamError> {
    let Some(facts) = account.principal(principal).await? else { return Ok(None) };
    let unreadable = |_| IamError::new(IamErrorKind::Other, "iam:Get*", &format!("IAM gave `{principal}` an ARN that is none"));
    let arn: Arn = facts.arn.parse().map_err(unreadable)?;
    Ok(Some(Principal { known_arn: Some(arn), ..principal.clone() }))
}

fn principal_kind(on: Resource) -> Option<PrincipalKind> {
    match on {
        Resource::User => Some(PrincipalKind::User),
        Resource::Role => Some(PrincipalKind::Role),
        Resource::Group => Some(PrincipalKind::Group),
        Resource::Policy | Resource::Trail => None,
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
        Target::Principal(principal) => principal_kind(on) == Some(principal.kind) && principal.name == *name,
        Target::Policy { policy } => on == Resource::Policy && policy.as_str() == name,
        Target::Trail { trail } => on == Resource::Trail && trail.as_str() == name,
    }
}
