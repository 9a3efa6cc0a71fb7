//! detach-policy: takes one managed policy off one user, group or role.
//!
//! It never detaches a policy that the event did not name, never deletes or edits the policy itself, and never touches the
//! principal's other policies. Undo attaches the same policy again, and only where it was attached before.

use async_trait::async_trait;
use cordon_core::{PlannedStep, Principal, RemedyKind};
use serde::{Deserialize, Serialize};

use super::unmodifiable;
use crate::call;
use crate::port::{Account, IamError, IamErrorKind};
use crate::remedy::{
    Applied, Attempt, ByHand, Identity, Planned, Remedy, Request, Reverted, Snapshot, StepError, Verified, principal_of,
};

pub struct DetachPolicy;

/// The snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    pub target_unique_id: String,
    pub attached: bool,
}

#[async_trait]
impl Remedy for DetachPolicy {
    fn kind(&self) -> RemedyKind {
        RemedyKind::DetachPolicy
    }

    async fn plan(&self, account: &dyn Account, request: &Request<'_>) -> Result<Planned, IamError> {
        let Some((target, facts)) = request.principal() else {
            return Ok(request.does_not_fit(self.kind(), "a user, group or role"));
        };
        let Some(policy_arn) = request.event.policy_arn.as_deref() else {
            return Ok(Planned::ByHand(ByHand {
                reason: format!("the event names no managed policy to detach from `{target}`"),
                instruction: format!("compare the policies of `{target}` with what it should have, and detach what is too much"),
            }));
        };
        if let Some(by_hand) = unmodifiable(target, facts) {
            return Ok(Planned::ByHand(by_hand));
        }
        if !is_attached(account, target, policy_arn).await? {
            return Ok(Planned::Nothing(format!("`{policy_arn}` is not attached to `{target}`")));
        }
        Ok(PlannedStep {
            policy_arn: Some(policy_arn.to_owned()),
            calls: vec![call::detach_policy(target, policy_arn)],
            undo: vec![call::attach_policy(target, policy_arn)],
            ..request.step(self.kind())
        }
        .into())
    }

    async fn snapshot(&self, account: &dyn Account, step: &PlannedStep) -> Result<Snapshot, StepError> {
        let policy_arn = policy_of(step)?;
        Identity::of(account, step).await?.required(step)?;
        let attached = is_attached(account, principal_of(step)?, policy_arn).await?;
        Ok(Snapshot::DetachPolicy(Before { target_unique_id: step.target_unique_id.clone(), attached }))
    }

    async fn apply(
        &self,
        account: &dyn Account,
        step: &PlannedStep,
        snapshot: &Snapshot,
        attempt: Attempt,
    ) -> Result<Applied, StepError> {
        let policy_arn = policy_of(step)?;
        let before = before(snapshot)?;
        Identity::of(account, step).await?.required(step)?;
        if !is_attached(account, principal_of(step)?, policy_arn).await? {
            return Ok(Applied::AlreadyHeld);
        }
        // Undo would not attach it again, so detaching it now would lose what somebody attached after the snapshot.
        if attempt == Attempt::First && !before.attached {
            return Err(StepError::Conflict {
                expected: format!("`{policy_arn}` not attached to `{}`", step.target),
                found: "it attached after the snapshot".to_owned(),
            });
        }
        match account.detach_policy(principal_of(step)?, policy_arn).await {
            Ok(()) => Ok(Applied::Changed),
            // Somebody was faster by one call: the wanted state holds.
            Err(error) if error.kind() == IamErrorKind::NotFound => Ok(Applied::AlreadyHeld),
            Err(error) => Err(error.into()),
        }
    }

    async fn verify(&self, account: &dyn Account, step: &PlannedStep) -> Result<Verified, StepError> {
        let policy_arn = policy_of(step)?;
        if let Some((expected, found)) = Identity::of(account, step).await?.difference(step) {
            return Ok(Verified::Missing(format!("expected {expected}, found {found}")));
        }
        Ok(if is_attached(account, principal_of(step)?, policy_arn).await? {
            Verified::Missing(format!("`{policy_arn}` is attached to `{}` again", step.target))
        } else {
            Verified::Holds
        })
    }

    async fn revert(
        &self,
        account: &dyn Account,
        step: &PlannedStep,
        snapshot: &Snapshot,
        dry_run: bool,
    ) -> Result<Reverted, StepError> {
        let policy_arn = policy_of(step)?;
        if !before(snapshot)?.attached {
            return Ok(Reverted::Nothing(format!("`{policy_arn}` was not attached to `{}` before", step.target)));
        }
        if let Some((expected, found)) = Identity::of(account, step).await?.difference(step) {
            return Ok(Reverted::Drift { expected, found });
        }
        if is_attached(account, principal_of(step)?, policy_arn).await? {
            return Ok(Reverted::Nothing(format!("`{policy_arn}` is attached to `{}`", step.target)));
        }
        let calls = vec![call::attach_policy(principal_of(step)?, policy_arn)];
        if dry_run {
            return Ok(Reverted::Would(calls));
        }
        match account.attach_policy(principal_of(step)?, policy_arn).await {
            Ok(()) => Ok(Reverted::Done(calls)),
            Err(error) if error.kind() == IamErrorKind::NotFound => Ok(Reverted::Drift {
                expected: format!("`{policy_arn}` to exist, so that it can be attached to `{}`", step.target),
                found: "IAM knows no such policy".to_owned(),
            }),
            Err(error) => Err(error.into()),
        }
    }
}

async fn is_attached(account: &dyn Account, target: &Principal, policy_arn: &str) -> Result<bool, IamError> {
    Ok(account.attached_policies(target).await?.iter().any(|arn| arn == policy_arn))
}

fn policy_of(step: &PlannedStep) -> Result<&str, StepError> {
    step.policy_arn.as_deref().ok_or(StepError::Mismatch(RemedyKind::DetachPolicy))
}

fn before(snapshot: &Snapshot) -> Result<&Before, StepError> {
    match snapshot {
        Snapshot::DetachPolicy(before) => Ok(before),
        Snapshot::DenyIam(_) | Snapshot::RestorePolicyVersion(_) | Snapshot::DeletePolicyVersion(_) | Snapshot::Settings(_) => {
            Err(StepError::Mismatch(RemedyKind::DetachPolicy))
        }
    }
}

#[cfg(test)]
mod tests {
    use cordon_testkit::laws::{Case, Thing, World};
    use cordon_testkit::respond::{ApplyResult, Attempt, IamErrorKind, RevertResult, StepError, apply_plan, remedy, revert_plan};
    use cordon_testkit::{Failure, When, laws::ADMIN, run};

    use cordon_core::RemedyKind;

    fn world() -> World {
        World::new(
            &Case::new(RemedyKind::DetachPolicy, Thing::User)
                .given("attached", |iam, target| iam.attach(target.principal().unwrap(), ADMIN)),
        )
    }

    #[test]
    fn a_policy_that_somebody_detached_first_is_not_attached_by_undo() {
        let world = world();
        world.iam.detach(world.principal(), ADMIN);
        let now = world.iam.state();
        let applied = run(apply_plan(&world.iam, &world.plan, &world.progress)).unwrap();
        assert_eq!(applied.steps[0].result, ApplyResult::AlreadyHeld);
        let undone = run(revert_plan(&world.iam, &world.plan, &world.progress, None, false)).unwrap();
        assert!(matches!(&undone.steps[0].result, RevertResult::Nothing { reason } if reason.contains("was not attached")));
        assert_eq!((world.iam.state(), world.iam.writes()), (now, vec![]));
    }

    #[test]
    fn a_policy_attached_after_the_snapshot_is_a_conflict_at_first_and_stripped_later() {
        let world = world();
        world.iam.detach(world.principal(), ADMIN);
        let (remedy, step) = (remedy(RemedyKind::DetachPolicy), &world.plan.steps[0]);
        let snapshot = run(remedy.snapshot(&world.iam, step)).unwrap();
        world.iam.attach(world.principal(), ADMIN);
        let error = run(remedy.apply(&world.iam, step, &snapshot, Attempt::First)).unwrap_err();
        assert!(matches!(error, StepError::Conflict { .. }), "{error}");
        assert_eq!(world.iam.writes(), []);
        run(remedy.apply(&world.iam, step, &snapshot, Attempt::Again)).unwrap();
        assert!(!world.iam.entity(world.principal()).unwrap().attached.contains(ADMIN));
    }

    #[test]
    fn losing_the_race_to_detach_is_success() {
        let world = world();
        world.faults.strike_action("iam:DetachUserPolicy", When::After, Failure::Error(IamErrorKind::NotFound));
        let applied = run(apply_plan(&world.iam, &world.plan, &world.progress)).unwrap();
        assert_eq!(applied.steps[0].result, ApplyResult::AlreadyHeld);
    }

    #[test]
    fn a_policy_that_was_deleted_since_is_drift_and_named() {
        let world = world();
        run(apply_plan(&world.iam, &world.plan, &world.progress)).unwrap();
        world.iam.delete_policy(ADMIN);
        let now = world.iam.state();
        let undone = run(revert_plan(&world.iam, &world.plan, &world.progress, None, false)).unwrap();
        assert!(
            matches!(&undone.steps[0].result, RevertResult::Drift { expected, found } if expected.contains(ADMIN) && found.contains("no such policy"))
        );
        assert!(!undone.complete);
        assert_eq!(world.iam.state(), now);
    }
}
