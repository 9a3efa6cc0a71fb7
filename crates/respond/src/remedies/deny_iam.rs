//! deny-iam: puts an inline policy on a user or a role that denies IAM and the ways around it ([`crate::deny`]).
//!
//! For a role session the policy is put on the role, so it stops every session of that role. The remedy never removes a policy of
//! others, never touches keys or sessions, and undo deletes only its own policy. The policy is named after the incident, so
//! incidents do not undo each other. If the principal's inline quota is full when the plan is made, a permissions boundary that
//! allows nothing is planned instead, and the card says that this is wider.
//!
//! INVARIANT: the document is the one in the planned call, which was shown and approved, even if a newer Cordon would plan
//! another.

use async_trait::async_trait;
use cordon_core::{PlannedStep, RemedyKind};
use serde::{Deserialize, Serialize};

use super::unstoppable;
use crate::call;
use crate::deny::{DOCUMENT, policy_name, same_document};
use crate::port::{Account, IamError, IamErrorKind};
use crate::quarantine;
use crate::remedy::{
    Answers, Applied, Attempt, Identity, Planned, Remedy, Request, Reverted, Snapshot, StepError, Verified, principal_of,
};
use crate::settings;

/// The remedy.
pub struct DenyIam;

/// The snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// The unique id of the principal, as in the step.
    pub target_unique_id: String,
    /// The inline policy that already had our name, byte for byte.
    pub document: Option<String>,
}

#[async_trait]
impl Remedy for DenyIam {
    fn kind(&self) -> RemedyKind {
        RemedyKind::DenyIam
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
        let name = policy_name(request.incident);
        let undo = match account.inline_policy(target, &name).await? {
            Some(document) if same_document(&document, DOCUMENT) => {
                return Ok(Planned::Nothing(format!("`{name}` already stands on `{target}`")));
            }
            Some(document) => call::put_inline_policy(target, &name, &document),
            None => call::delete_inline_policy(target, &name),
        };
        if !quarantine::fits_inline(account, request, target, &name, DOCUMENT).await? {
            // There is no managed policy that denies IAM alone, and anybody who may write inline policies can fill the quota.
            let (change, note) = quarantine::boundary(target, facts);
            let step = PlannedStep { note: Some(note), ..request.step(self.kind()) };
            return Ok(settings::planned(request, step, vec![change], &format!("`{target}` may do nothing already")));
        }
        Ok(PlannedStep {
            calls: vec![call::put_inline_policy(target, &name, DOCUMENT)],
            undo: vec![undo],
            inline_policy: Some(name),
            ..request.step(self.kind())
        }
        .into())
    }

    async fn snapshot(&self, account: &dyn Account, step: &PlannedStep) -> Result<Snapshot, StepError> {
        if !step.changes.is_empty() {
            return settings::snapshot(account, step).await;
        }
        let ours = Ours::of(step)?;
        Identity::of(account, step).await?.required(step)?;
        let document = account.inline_policy(principal_of(step)?, ours.name).await?;
        Ok(Snapshot::DenyIam(Before { target_unique_id: step.target_unique_id.clone(), document }))
    }

    async fn apply(
        &self,
        account: &dyn Account,
        step: &PlannedStep,
        snapshot: &Snapshot,
        attempt: Attempt,
    ) -> Result<Applied, StepError> {
        if !step.changes.is_empty() {
            return settings::apply(account, step, snapshot, attempt).await;
        }
        let ours = Ours::of(step)?;
        let before = before(snapshot)?;
        Identity::of(account, step).await?.required(step)?;
        let now = account.inline_policy(principal_of(step)?, ours.name).await?;
        if ours.stands(now.as_deref()) {
            return Ok(Applied::AlreadyHeld);
        }
        if attempt == Attempt::First && now != before.document {
            return Err(StepError::Conflict {
                expected: shown(ours.name, before.document.as_deref()),
                found: shown(ours.name, now.as_deref()),
            });
        }
        account.put_inline_policy(principal_of(step)?, ours.name, ours.document).await?;
        Ok(Applied::Changed)
    }

    async fn verify(&self, account: &dyn Account, step: &PlannedStep) -> Result<Verified, StepError> {
        if !step.changes.is_empty() {
            return settings::verify(account, step).await;
        }
        let ours = Ours::of(step)?;
        if let Some((expected, found)) = Identity::of(account, step).await?.difference(step) {
            return Ok(Verified::Missing(format!("expected {expected}, found {found}")));
        }
        let now = account.inline_policy(principal_of(step)?, ours.name).await?;
        Ok(if ours.stands(now.as_deref()) {
            Verified::Holds
        } else {
            Verified::Missing(match now {
                None => format!("`{}` was taken off `{}`", ours.name, step.target),
                Some(_) => format!("`{}` on `{}` was overwritten", ours.name, step.target),
            })
        })
    }

    async fn revert(
        &self,
        account: &dyn Account,
        step: &PlannedStep,
        snapshot: &Snapshot,
        dry_run: bool,
    ) -> Result<Reverted, StepError> {
        if !step.changes.is_empty() {
            return settings::revert(account, step, snapshot, dry_run).await;
        }
        let ours = Ours::of(step)?;
        let before = before(snapshot)?;
        match Identity::of(account, step).await? {
            Identity::Gone => {
                return Ok(Reverted::Nothing(format!("`{}` no longer exists, nor do its inline policies", step.target)));
            }
            identity => {
                if let Some((expected, found)) = identity.difference(step) {
                    return Ok(Reverted::Drift { expected, found });
                }
            }
        }
        let now = account.inline_policy(principal_of(step)?, ours.name).await?;
        if now == before.document {
            return Ok(Reverted::Nothing(format!("`{}` on `{}` is as it was before", ours.name, step.target)));
        }
        if !ours.stands(now.as_deref()) {
            return Ok(Reverted::Drift {
                expected: shown(ours.name, Some(ours.document)),
                found: shown(ours.name, now.as_deref()),
            });
        }
        let calls = vec![match &before.document {
            Some(document) => call::put_inline_policy(principal_of(step)?, ours.name, document),
            None => call::delete_inline_policy(principal_of(step)?, ours.name),
        }];
        if dry_run {
            return Ok(Reverted::Would(calls));
        }
        let undone = match &before.document {
            Some(document) => account.put_inline_policy(principal_of(step)?, ours.name, document).await,
            None => account.delete_inline_policy(principal_of(step)?, ours.name).await,
        };
        match undone {
            Ok(()) => Ok(Reverted::Done(calls)),
            Err(error) if error.kind() == IamErrorKind::NotFound && before.document.is_none() => {
                Ok(Reverted::Nothing(format!("`{}` was already taken off `{}`", ours.name, step.target)))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The name and the document of the policy that a step without changes puts on.
pub(crate) fn planned(step: &PlannedStep) -> Result<(&str, &str), StepError> {
    Ours::of(step).map(|ours| (ours.name, ours.document))
}

/// The policy as it was planned.
struct Ours<'a> {
    name: &'a str,
    document: &'a str,
}

impl<'a> Ours<'a> {
    fn of(step: &'a PlannedStep) -> Result<Self, StepError> {
        let document = step.calls.first().and_then(|call| call.parameters.get(call::DOCUMENT));
        match (step.inline_policy.as_deref(), document) {
            (Some(name), Some(document)) => Ok(Self { name, document }),
            _ => Err(StepError::Mismatch(RemedyKind::DenyIam)),
        }
    }

    fn stands(&self, now: Option<&str>) -> bool {
        now.is_some_and(|now| same_document(now, self.document))
    }
}

fn before(snapshot: &Snapshot) -> Result<&Before, StepError> {
    match snapshot {
        Snapshot::DenyIam(before) => Ok(before),
        Snapshot::DetachPolicy(_)
        | Snapshot::RestorePolicyVersion(_)
        | Snapshot::DeletePolicyVersion(_)
        | Snapshot::Settings(_) => Err(StepError::Mismatch(RemedyKind::DenyIam)),
    }
}

/// How a difference is shown to a person.
fn shown(name: &str, document: Option<&str>) -> String {
    match document {
        None => format!("no inline policy `{name}`"),
        Some(document) => format!("the inline policy `{name}` with {document}"),
    }
}

#[cfg(test)]
mod tests {
    use cordon_core::RemedyKind;
    use cordon_testkit::laws::{Case, Thing, World, policy_name};
    use cordon_testkit::respond::{
        ApplyResult, Attempt, IamErrorKind, Planned, RevertResult, Reverted, StepError, VerifyResult, apply_plan, call, deny,
        remedy, revert_plan, verify_plan,
    };
    use cordon_testkit::{Failure, When, laws, no_limits, run};

    fn world() -> World {
        World::new(&Case::new(RemedyKind::DenyIam, Thing::User))
    }

    #[test]
    fn the_document_that_was_approved_is_put_on_also_by_a_newer_cordon() {
        let mut world = world();
        let approved = r#"{"Version":"2012-10-17","Statement":[]}"#;
        let step = &mut world.plan.steps[0];
        step.calls = vec![call::put_inline_policy(world.target.principal().unwrap(), &policy_name(), approved)];
        run(apply_plan(&world.iam, &no_limits(), &world.plan, &world.progress)).unwrap();
        assert_eq!(world.iam.entity(world.principal()).unwrap().inline[&policy_name()], approved);
        assert!(run(verify_plan(&world.iam, &no_limits(), &world.plan, &world.progress)).unwrap().complete);
        run(revert_plan(&world.iam, &world.plan, &world.progress, None, false)).unwrap();
        assert_eq!(world.iam.state(), world.before);
    }

    #[test]
    fn a_policy_put_under_our_name_after_the_snapshot_is_a_conflict() {
        let world = world();
        let (remedy, step) = (remedy(RemedyKind::DenyIam), &world.plan.steps[0]);
        let snapshot = run(remedy.snapshot(&world.iam, step)).unwrap();
        world.iam.put_inline(world.principal(), &policy_name(), "{\"theirs\":1}");
        let error = run(remedy.apply(&world.iam, step, &snapshot, Attempt::First)).unwrap_err();
        assert!(matches!(&error, StepError::Conflict { found, .. } if found.contains("theirs")), "{error}");
        assert_eq!(world.iam.writes(), []);
    }

    #[test]
    fn a_deny_that_the_attacker_overwrote_is_put_back() {
        let world = world();
        run(apply_plan(&world.iam, &no_limits(), &world.plan, &world.progress)).unwrap();
        world.iam.put_inline(world.principal(), &policy_name(), "{\"theirs\":1}");
        let verified = run(verify_plan(&world.iam, &no_limits(), &world.plan, &world.progress)).unwrap();
        assert!(matches!(&verified.steps[0].result, VerifyResult::Reapplied { missing } if missing.contains("overwritten")));
        assert!(run(verify_plan(&world.iam, &no_limits(), &world.plan, &world.progress)).unwrap().complete);
        run(revert_plan(&world.iam, &world.plan, &world.progress, None, false)).unwrap();
        assert_eq!(world.iam.state(), world.before);
    }

    #[test]
    fn undo_refuses_when_somebody_else_wrote_the_policy_since_and_shows_both() {
        let world = world();
        run(apply_plan(&world.iam, &no_limits(), &world.plan, &world.progress)).unwrap();
        world.iam.put_inline(world.principal(), &policy_name(), "{\"theirs\":1}");
        let now = world.iam.state();
        let undone = run(revert_plan(&world.iam, &world.plan, &world.progress, None, false)).unwrap();
        assert!(
            matches!(&undone.steps[0].result, RevertResult::Drift { expected, found } if expected.contains("iam:*") && found.contains("theirs"))
        );
        assert_eq!(world.iam.state(), now);
    }

    #[test]
    fn undoing_one_incident_leaves_the_deny_of_another() {
        let world = world();
        let other = deny::policy_name(&"inc-ffffffffffffffffffff".parse().unwrap());
        run(apply_plan(&world.iam, &no_limits(), &world.plan, &world.progress)).unwrap();
        world.iam.put_inline(world.principal(), &other, deny::DOCUMENT);
        run(revert_plan(&world.iam, &world.plan, &world.progress, None, false)).unwrap();
        let inline = world.iam.entity(world.principal()).unwrap().inline;
        assert!(inline.contains_key(&other) && !inline.contains_key(&policy_name()));
    }

    #[test]
    fn a_deny_that_already_stands_needs_no_step() {
        let world = world();
        run(apply_plan(&world.iam, &no_limits(), &world.plan, &world.progress)).unwrap();
        let planned = laws::plan_of(&world.iam, &Case::new(RemedyKind::DenyIam, Thing::User), &world.target);
        assert!(matches!(planned, Planned::Nothing(_)), "{planned:?}");
    }

    #[test]
    fn losing_the_race_to_take_it_off_is_success() {
        let world = world();
        let (remedy, step) = (remedy(RemedyKind::DenyIam), &world.plan.steps[0]);
        let snapshot = run(remedy.snapshot(&world.iam, step)).unwrap();
        assert_eq!(
            run(apply_plan(&world.iam, &no_limits(), &world.plan, &world.progress)).unwrap().steps[0].result,
            ApplyResult::Applied
        );
        world.faults.strike_action("iam:DeleteUserPolicy", When::After, Failure::Error(IamErrorKind::NotFound));
        let reverted = run(remedy.revert(&world.iam, step, &snapshot, false)).unwrap();
        assert!(matches!(reverted, Reverted::Nothing(_)), "{reverted:?}");
        assert_eq!(world.iam.state(), world.before);
    }
}
