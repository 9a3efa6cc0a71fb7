//! detach-policy: detaches one managed policy from one user, group or role.
//!
//! It never detaches a policy that the event did not name, never deletes or edits the policy itself, and never touches the
//! principal's other policies. Undo attaches the same policy again, and only if it was attached before.

use async_trait::async_trait;
use cordon_core::{Change, PlannedStep, RemedyKind, Setting, same_arn};
use serde::{Deserialize, Serialize};

use super::unmodifiable;
use crate::port::{Account, IamError};
use crate::remedy::{Answers, ByHand, Planned, Remedy, Request};
use crate::settings;

/// The remedy.
pub struct DetachPolicy;

/// The snapshot as Cordon stored it when detaching was not yet a [`Setting`]. It is read, so that a step of that time is carried
/// out and undone, and never written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// The unique id of the principal, as in the step.
    pub target_unique_id: String,
    /// Whether the policy was attached.
    pub attached: bool,
}

#[async_trait]
impl Remedy for DetachPolicy {
    fn kind(&self) -> RemedyKind {
        RemedyKind::DetachPolicy
    }

    fn answers(&self) -> Answers {
        Answers::Calls(&["AttachUserPolicy", "AttachRolePolicy", "AttachGroupPolicy"])
    }

    async fn plan(&self, account: &dyn Account, request: &Request<'_>) -> Result<Planned, IamError> {
        let Some((target, facts)) = request.principal() else {
            return Ok(request.does_not_fit(self.kind(), "a user, group or role"));
        };
        let Some(named) = request.event.policy_arn.as_deref() else {
            return Ok(Planned::ByHand(ByHand {
                reason: format!("the event names no managed policy to detach from `{target}`"),
                instruction: format!("compare the policies of `{target}` with what it should have, and detach what is too much"),
            }));
        };
        if let Some(by_hand) = unmodifiable(target, facts) {
            return Ok(Planned::ByHand(by_hand));
        }
        let reason = format!("`{named}` is not attached to `{target}`");
        let attached = account.attached_policies(target).await?;
        let attached = attached.into_iter().find(|arn| same_arn(arn, named));
        // Where another incident detached it, this one needs that too.
        let from = attached.as_ref().map(|_| Setting::ON.to_owned());
        let policy_arn = attached.unwrap_or_else(|| named.to_owned());
        let change = Change { setting: Setting::AttachedPolicy { arn: policy_arn.clone() }, from, to: None };
        let step = PlannedStep { policy_arn: Some(policy_arn), ..request.step(self.kind()) };
        Ok(settings::planned(request, step, vec![change], &reason))
    }
}

#[cfg(test)]
mod tests {
    use cordon_testkit::laws::{Case, Thing, World};
    use cordon_testkit::respond::{
        ApplyResult, Attempt, IamErrorKind, RevertResult, Reverted, Snapshot, StepError, Verified, apply_plan, remedy,
        revert_plan,
    };
    use cordon_testkit::{Failure, When, laws::ADMIN, no_limits, run};

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
        let applied = run(apply_plan(&world.iam, &no_limits(), &world.plan, &world.progress)).unwrap();
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
        let applied = run(apply_plan(&world.iam, &no_limits(), &world.plan, &world.progress)).unwrap();
        assert_eq!(applied.steps[0].result, ApplyResult::AlreadyHeld);
    }

    #[test]
    fn a_policy_that_was_deleted_since_is_drift_and_named() {
        let world = world();
        run(apply_plan(&world.iam, &no_limits(), &world.plan, &world.progress)).unwrap();
        world.iam.delete_policy(ADMIN);
        let now = world.iam.state();
        let undone = run(revert_plan(&world.iam, &world.plan, &world.progress, None, false)).unwrap();
        assert!(
            matches!(&undone.steps[0].result, RevertResult::Drift { expected, found } if expected.contains(ADMIN) && found.contains("no such policy"))
        );
        assert!(!undone.complete);
        assert_eq!(world.iam.state(), now);
    }

    #[test]
    fn a_step_that_was_stored_before_detaching_was_a_setting_is_carried_out_and_undone() {
        let mut world = world();
        let step = &mut world.plan.steps[0];
        step.changes.clear();
        let stored = |attached: bool| -> Snapshot {
            let id = &step.target_unique_id;
            let text = format!(r#"{{"remedy":"detach-policy","target_unique_id":"{id}","attached":{attached}}}"#);
            serde_json::from_str(&text).unwrap()
        };
        let (was_on, was_off) = (stored(true), stored(false));
        let (remedy, step) = (remedy(RemedyKind::DetachPolicy), &world.plan.steps[0]);
        assert!(matches!(run(remedy.verify(&world.iam, step)).unwrap(), Verified::Missing(_)));
        run(remedy.apply(&world.iam, step, &was_on, Attempt::First)).unwrap();
        assert_eq!(run(remedy.verify(&world.iam, step)).unwrap(), Verified::Holds);
        assert!(matches!(run(remedy.revert(&world.iam, step, &was_off, false)).unwrap(), Reverted::Nothing(_)));
        assert_eq!(run(remedy.revert(&world.iam, step, &was_on, false)).unwrap(), Reverted::Done(step.undo.clone()));
        assert_eq!(world.iam.state(), world.before);
    }
}
