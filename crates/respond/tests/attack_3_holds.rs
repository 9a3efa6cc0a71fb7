//! Two incidents of one target that want different things of it, and what an older version left.
#![expect(clippy::unwrap_used, reason = "a test states what it expects")]

use cordon_core::{Former, IncidentId, Plan, RemedyKind, Setting};
use cordon_respond::{Planned, RevertResult, VerifyResult, apply_plan, call, deny, revert_plan, verify_plan};
use cordon_testkit::laws::{Case, Thing, World, plan_for};
use cordon_testkit::{MemoryProgress, no_limits, run};

const LIMIT: &str = "arn:aws:iam::111111111111:policy/limit";
const LOOSE: &str = "arn:aws:iam::111111111111:policy/loose";
const ATTACKERS: &str = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

fn second() -> IncidentId {
    "inc-fedcba9876543210fedc".parse().unwrap()
}

/// Another incident's plan on the same target.
fn plan(world: &World, case: &Case) -> (Plan, MemoryProgress) {
    let progress = world.progress.of_incident(&second());
    let planned = plan_for(&world.iam, case, &world.target, &second(), &progress.holds());
    let Planned::Step(step) = planned else { unreachable!("no step: {planned:?}") };
    (Plan { steps: vec![*step], by_hand: vec![] }, progress)
}

fn apply(world: &World, plan: &Plan, progress: &MemoryProgress) {
    assert!(run(apply_plan(&world.iam, &no_limits(), plan, progress)).unwrap().complete);
    assert_eq!(verified(world, plan, progress), VerifyResult::Holds);
}

fn verified(world: &World, plan: &Plan, progress: &MemoryProgress) -> VerifyResult {
    run(verify_plan(&world.iam, &no_limits(), plan, progress)).unwrap().steps.remove(0).result
}

fn undo(world: &World, plan: &Plan, progress: &MemoryProgress) -> RevertResult {
    run(revert_plan(&world.iam, plan, progress, None, false)).unwrap().steps.remove(0).result
}

/// The event loosened the boundary of a user; the one before is known.
fn boundary_loosened() -> World {
    let case = Case::new(RemedyKind::RestorePermissionsBoundary, Thing::User);
    let loosened = case.given("loosened", |iam, target| {
        iam.change(target.principal().unwrap(), |user| user.boundary = Some(LOOSE.to_owned()));
    });
    World::new(&loosened.event(|event| {
        event.touched.boundary_arn = Some(LOOSE.to_owned());
        let by = "arn:aws:iam::111111111111:role/deploy".to_owned();
        event.touched.former = Some(Former { value: Some(LIMIT.to_owned()), by, at: None, event: "earlier".to_owned() });
    }))
}

#[test]
fn attack_3_a_deny_over_a_restored_boundary_is_undone_in_any_order() {
    for deny_goes_first in [true, false] {
        let world = boundary_loosened();
        apply(&world, &world.plan, &world.progress);
        let (denied, progress) = plan(&world, &Case::new(RemedyKind::SetPermissionsBoundary, Thing::User).contain());
        apply(&world, &denied, &progress);
        let boundary = || world.iam.entity(world.principal()).unwrap().boundary;
        assert_eq!(boundary().as_deref(), Some(deny::AWS_DENY_ALL));
        assert_eq!(verified(&world, &world.plan, &world.progress), VerifyResult::Holds, "a later deny lies over it");
        assert_eq!(boundary().as_deref(), Some(deny::AWS_DENY_ALL), "and is not taken for a stripped change");
        if deny_goes_first {
            assert!(matches!(undo(&world, &denied, &progress), RevertResult::Reverted { .. }));
            assert_eq!(boundary().as_deref(), Some(LIMIT), "what the other incident needs");
            assert_eq!(verified(&world, &world.plan, &world.progress), VerifyResult::Holds);
            undo(&world, &world.plan, &world.progress);
        } else {
            let left = undo(&world, &world.plan, &world.progress);
            assert!(
                matches!(&left, RevertResult::Kept { kept, .. } if kept.iter().all(|kept| kept.needed_by == second())),
                "{left:?}"
            );
            assert_eq!(boundary().as_deref(), Some(deny::AWS_DENY_ALL));
            undo(&world, &denied, &progress);
        }
        assert_eq!(world.iam.state(), world.before);
    }
}

#[test]
fn attack_3_a_deny_that_the_attacker_overwrote_is_put_back_by_the_incident_of_that_call() {
    let world = World::new(&Case::new(RemedyKind::DenyIam, Thing::User));
    apply(&world, &world.plan, &world.progress);
    let denied = world.iam.state();
    let name = cordon_testkit::laws::policy_name();
    world.iam.put_inline(world.principal(), &name, ATTACKERS);
    let overwritten = Case::new(RemedyKind::RemoveInlinePolicy, Thing::User).event(|event| {
        event.touched.policy_name = Some(cordon_testkit::laws::policy_name());
        event.touched.document = Some(ATTACKERS.to_owned());
    });
    let (removed, progress) = plan(&world, &overwritten);
    apply(&world, &removed, &progress);
    assert_eq!(world.iam.state(), denied);
    assert!(matches!(undo(&world, &removed, &progress), RevertResult::Kept { .. }));
    assert_eq!(world.iam.state(), denied, "an undo of that call does not lift the deny of the other incident");
    undo(&world, &world.plan, &world.progress);
    assert_eq!(world.iam.state(), world.before);
}

#[test]
fn attack_3_a_plan_of_before_a_deny_does_not_take_it_off() {
    let world = boundary_loosened();
    // The other incident's deny comes between this one's snapshot and its write.
    let (denied, progress) = plan(&world, &Case::new(RemedyKind::SetPermissionsBoundary, Thing::User).contain());
    let step = &world.plan.steps[0];
    let remedy = cordon_respond::remedy(step.remedy);
    let snapshot = run(remedy.snapshot(&world.iam, step)).unwrap();
    let mut record = cordon_respond::StepRecord { version: 1, ..cordon_respond::StepRecord::planned(step) };
    record.state = cordon_respond::StepState::SnapshotTaken;
    record.snapshot = Some(snapshot);
    run(cordon_respond::Progress::save(&world.progress, 1, &record)).unwrap();
    apply(&world, &denied, &progress);
    assert!(!run(apply_plan(&world.iam, &no_limits(), &world.plan, &world.progress)).unwrap().complete);
    assert_eq!(verified(&world, &denied, &progress), VerifyResult::Holds);
    undo(&world, &denied, &progress);
    assert_eq!(world.iam.state(), world.before);
}

#[test]
fn attack_3_a_containment_of_before_there_were_holds_is_kept_and_given_back_all_the_same() {
    for old_goes_first in [true, false] {
        let case = Case::new(RemedyKind::DeactivateAccessKey, Thing::User).contain().given("a key", |iam, target| {
            iam.add_key(target.principal().unwrap(), "AKIA1", "2026-01-01T00:00:00Z");
        });
        let world = World::new(&case);
        let (second, progress) = plan(&world, &case);
        apply(&world, &world.plan, &world.progress);
        world.progress.forget_holds();
        apply(&world, &second, &progress);
        let is_off = || !world.iam.entity(world.principal()).unwrap().keys["AKIA1"].active;
        if old_goes_first {
            assert!(matches!(undo(&world, &world.plan, &world.progress), RevertResult::Kept { .. }));
            assert!(is_off());
            undo(&world, &second, &progress);
        } else {
            // Nothing tells that the older one needs it; but it stays as that one left it.
            undo(&world, &second, &progress);
            assert!(is_off());
            undo(&world, &world.plan, &world.progress);
        }
        assert_eq!(world.iam.state(), world.before);
    }
}

#[test]
fn attack_3_a_target_that_was_made_again_is_not_held() {
    let case = Case::new(RemedyKind::SetPermissionsBoundary, Thing::User).contain();
    let world = World::new(&case);
    apply(&world, &world.plan, &world.progress);
    world.iam.recreate(world.principal());
    let again = world.iam.state();
    let (second, progress) = plan(&world, &case);
    assert_eq!(second.steps[0].note.as_deref().map(|note| note.contains("needs this too")), Some(false));
    apply(&world, &second, &progress);
    assert!(matches!(undo(&world, &second, &progress), RevertResult::Reverted { .. }));
    assert_eq!(world.iam.state(), again);
}

#[test]
fn attack_3_what_is_held_is_said_before_the_approval_with_the_calls_of_the_undo() {
    let case = Case::new(RemedyKind::DeactivateAccessKey, Thing::User).contain().given("a key", |iam, target| {
        iam.add_key(target.principal().unwrap(), "AKIA1", "2026-01-01T00:00:00Z");
    });
    let world = World::new(&case);
    apply(&world, &world.plan, &world.progress);
    let (second, _) = plan(&world, &case);
    let step = &second.steps[0];
    assert!(step.note.as_deref().unwrap().contains(&format!("The incident `{}` needs this too", cordon_testkit::laws::INCIDENT)));
    assert_eq!(step.changes[0].setting, Setting::AccessKey { id: "AKIA1".to_owned() });
    assert_eq!(step.undo, [call::set_access_key("iam-test-target", "AKIA1", true)]);
}
