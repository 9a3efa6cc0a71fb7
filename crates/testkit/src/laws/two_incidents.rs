//! The laws of two incidents whose containments meet on one target.

use cordon_core::{Plan, PlannedStep, RemedyKind};
use cordon_respond::{Planned, RevertResult, VerifyResult, apply_plan, revert_plan, verify_plan};

use super::{Case, World, plan_for};
use crate::faults::{Failure, When};
use crate::memory_progress::MemoryProgress;
use crate::no_limits;
use crate::{run, until_killed};

/// The second incident.
const SECOND: &str = "inc-fedcba9876543210fedc";

/// When the second incident's plan is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Planning {
    BeforeTheFirstIsApplied,
    AfterTheFirstIsApplied,
}

/// One incident's plan, with its records.
struct Side {
    plan: Plan,
    progress: MemoryProgress,
}

impl Side {
    fn of(step: PlannedStep, progress: MemoryProgress) -> Self {
        Self { plan: Plan { steps: vec![step], by_hand: vec![] }, progress }
    }

    fn apply(&self, world: &World) {
        let applied = run(apply_plan(&world.iam, &no_limits(), &self.plan, &self.progress)).expect("no fault is left");
        assert!(applied.complete, "{applied:?}");
    }

    fn verify(&self, world: &World) -> VerifyResult {
        let verified = run(verify_plan(&world.iam, &no_limits(), &self.plan, &self.progress)).expect("no fault is left");
        verified.steps.first().expect("a step").result.clone()
    }

    fn revert(&self, world: &World) -> RevertResult {
        let reverted = run(revert_plan(&world.iam, &self.plan, &self.progress, None, false)).expect("no fault is left");
        assert!(reverted.complete, "{reverted:?}");
        reverted.steps.first().expect("a step").result.clone()
    }
}

/// Two incidents of the same case, the first one applied where the second is planned after it. `None` where the second one has
/// nothing to do, and nothing to keep.
fn two(case: &Case, planning: Planning) -> Option<(World, Side, Side)> {
    let world = World::new(case);
    let first = Side::of(world.step().clone(), world.progress.clone());
    let incident = SECOND.parse().expect("an incident");
    let progress = world.progress.of_incident(&incident);
    if planning == Planning::AfterTheFirstIsApplied {
        first.apply(&world);
    }
    let planned = plan_for(&world.iam, case, &world.target, &incident, &progress.holds());
    world.faults.clear();
    let Planned::Step(step) = planned else {
        // A version that is deleted is gone, and its id is never used again.
        assert_eq!(case.remedy, RemedyKind::DeletePolicyVersion, "{case:?}: {planned:?}");
        return None;
    };
    Some((world, first, Side::of(*step, progress)))
}

const PLANNINGS: [Planning; 2] = [Planning::BeforeTheFirstIsApplied, Planning::AfterTheFirstIsApplied];

/// Whichever incident is undone first, the other one's containment stands; the last undo restores what was before the first.
pub fn what_another_incident_needs_survives_an_undo(case: &Case) {
    for planning in PLANNINGS {
        for second_goes_first in [false, true] {
            let Some((world, first, second)) = two(case, planning) else { continue };
            let at = format!("{case:?}, {planning:?}, the second is undone first: {second_goes_first}");
            if planning == Planning::BeforeTheFirstIsApplied {
                first.apply(&world);
            }
            second.apply(&world);
            let (goes, stays) = if second_goes_first { (&second, &first) } else { (&first, &second) };
            assert_eq!((goes.verify(&world), stays.verify(&world)), (VerifyResult::Holds, VerifyResult::Holds), "{at}");
            let dry = run(revert_plan(&world.iam, &goes.plan, &goes.progress, None, true)).expect("no fault");
            let left = goes.revert(&world);
            assert_eq!(stays.verify(&world), VerifyResult::Holds, "{at}: {left:?}");
            let is_kept = |result: &RevertResult| matches!(result, RevertResult::Kept { .. });
            assert_eq!(dry.steps.first().map(|step| is_kept(&step.result)), Some(is_kept(&left)), "{at}: a dry run says so too");
            let mut again = run(revert_plan(&world.iam, &goes.plan, &goes.progress, None, false)).expect("no fault");
            assert!(matches!(again.steps.remove(0).result, RevertResult::Nothing { .. }), "{at}");
            assert_eq!(stays.verify(&world), VerifyResult::Holds, "{at}: undone twice");
            stays.revert(&world);
            world.assert_as_before(&at);
            assert!(world.progress.holds().iter().all(|hold| hold.layers.is_empty()), "{at}: something is still held");
        }
    }
}

/// A function that dies before or after any effect, of an incident that is applied or undone beside another, and goes on: the
/// other one's containment stands, and the last undo restores what was before the first.
pub fn a_crash_anywhere_loses_no_containment_of_another_incident(case: &Case) {
    for planning in PLANNINGS {
        for undoing in [false, true] {
            for (nth, when) in (1..).flat_map(|nth| [(nth, When::Before), (nth, When::After)]) {
                let Some((world, first, second)) = two(case, planning) else { break };
                let at = format!("{case:?}, {planning:?}, undoing: {undoing}, killed {when:?} effect {nth}");
                if planning == Planning::BeforeTheFirstIsApplied {
                    first.apply(&world);
                }
                let survived = if undoing {
                    second.apply(&world);
                    world.faults.strike(nth, when, Failure::Killed);
                    until_killed(revert_plan(&world.iam, &first.plan, &first.progress, None, false)).is_some()
                } else {
                    world.faults.strike(nth, when, Failure::Killed);
                    until_killed(apply_plan(&world.iam, &no_limits(), &second.plan, &second.progress)).is_some()
                };
                world.faults.clear();
                if !undoing {
                    assert_eq!(first.verify(&world), VerifyResult::Holds, "{at}");
                    second.apply(&world);
                }
                first.revert(&world);
                assert_eq!(second.verify(&world), VerifyResult::Holds, "{at}");
                second.revert(&world);
                world.assert_as_before(&at);
                if survived {
                    break;
                }
            }
        }
    }
}
