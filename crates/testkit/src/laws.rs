//! The laws that every remedy keeps. Each law is a function that panics if a remedy breaks it.
//!
//! A law compares the whole account before and after, so it also notices a remedy that touches something foreign.
#![expect(clippy::expect_used, clippy::panic, reason = "a broken law is a failed test, and says which")]

mod cases;
mod two_incidents;

use cordon_core::incident::EventFacts;
use cordon_core::{Call, IncidentId, Origin, Plan, PlannedStep, Principal, RemedyKind, Target, Touched};
use cordon_respond::{
    Attempt, Hold, Iam, IamErrorKind, On, Planned, Request, RevertResult, Reverted, RunError, StepError, StepRecord, StepState,
    Trails, Verified, VerifyResult, apply_plan, deny, remedy, revert_plan, verify_plan,
};

use crate::fake_iam::{FakeIam, IamState};
use crate::faults::{Failure, Faults, When};
use crate::memory_progress::MemoryProgress;
use crate::no_limits;
use crate::{run, until_killed};
pub use cases::{Case, Thing, cases};
pub use two_incidents::{
    a_crash_anywhere_loses_no_containment_of_another_incident, what_another_incident_needs_survives_an_undo,
};

/// The account of every world.
pub const ACCOUNT: &str = "111111111111";
/// The incident of every plan.
pub const INCIDENT: &str = "inc-0123456789abcdef0123";
/// The policy that the event attached.
pub const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
/// When every plan of the laws is made.
pub const NOW: &str = "2026-01-02T03:04:05Z";

/// An account with a target that has more on it than the remedy is about, and a plan of one step.
#[derive(Debug)]
pub struct World {
    /// The account.
    pub iam: FakeIam,
    /// The faults of the account and of the progress.
    pub faults: Faults,
    /// The stored progress of the plan.
    pub progress: MemoryProgress,
    /// The target of the plan.
    pub target: Target,
    /// One step.
    pub plan: Plan,
    /// The account when the plan was made.
    pub before: IamState,
}

impl World {
    /// The account of a case, with its plan made.
    #[must_use]
    pub fn new(case: &Case) -> Self {
        let faults = Faults::default();
        let iam = FakeIam::with_faults(ACCOUNT.parse().expect("an account"), faults.clone());
        let bystander = iam.add_user("iam-test-bystander");
        iam.attach(&bystander, ADMIN);
        iam.add_policy("iam-test-other", &["{\"other\":1}"]);
        let target = case.make(&iam);
        (case.given)(&iam, &target);
        let planned = plan_of(&iam, case, &target);
        let Planned::Step(step) = planned else { panic!("{case:?}: no step: {planned:?}") };
        let (before, progress) = (iam.state(), MemoryProgress::with_faults(faults.clone()));
        iam.forget_calls();
        faults.clear();
        Self { iam, faults, progress, target, plan: Plan { steps: vec![*step], by_hand: vec![] }, before }
    }

    /// # Panics
    /// If the target is no principal.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        self.target.principal().expect("a principal")
    }

    fn step(&self) -> &PlannedStep {
        self.plan.steps.first().expect("a step")
    }

    /// Applies, without faults, and once more where IAM or the table asked for it.
    fn apply(&self) {
        self.faults.clear();
        let result = run(apply_plan(&self.iam, &no_limits(), &self.plan, &self.progress)).expect("no fault is left");
        assert!(result.complete, "{result:?}");
    }

    fn revert(&self) -> RevertResult {
        self.faults.clear();
        let result = run(revert_plan(&self.iam, &self.plan, &self.progress, None, false)).expect("no fault is left");
        result.steps.first().expect("a step").result.clone()
    }

    fn verify(&self) -> VerifyResult {
        let result = run(verify_plan(&self.iam, &no_limits(), &self.plan, &self.progress)).expect("no fault is left");
        result.steps.first().expect("a step").result.clone()
    }

    fn assert_unchanged(&self, case: &Case) {
        self.assert_as_before(&format!("{case:?}"));
    }

    /// Everything as it was. A version of a policy that was deleted has to come back under another id: nothing else may differ.
    fn assert_as_before(&self, at: &str) {
        let without_ids = self.step().remedy == RemedyKind::DeletePolicyVersion;
        let comparable = |state: IamState| if without_ids { renumbered(state) } else { state };
        assert_eq!(comparable(self.iam.state()), comparable(self.before.clone()), "{at}");
    }
}

/// Versions by their order instead of their ids.
fn renumbered(mut state: IamState) -> IamState {
    for policy in state.policies.values_mut() {
        let default: u32 = policy.default_version.trim_start_matches('v').parse().expect("a version");
        let place = policy.versions.keys().position(|n| *n == default).expect("the default is one of them");
        policy.default_version = place.to_string();
        policy.versions = (0..).zip(std::mem::take(&mut policy.versions).into_values()).collect();
        policy.next = 0;
    }
    state
}

/// The plan of a case's remedy.
pub fn plan_of(iam: &FakeIam, case: &Case, target: &Target) -> Planned {
    plan_for(iam, case, target, &INCIDENT.parse().expect("an incident"), &[])
}

/// The plan of a case's remedy for an incident, where incidents hold something of the target.
pub fn plan_for(iam: &FakeIam, case: &Case, target: &Target, incident: &IncidentId, held: &[Hold]) -> Planned {
    let mut event = event("Event");
    (case.event)(&mut event);
    let facts;
    let (policy, trail);
    let on = match target {
        Target::Principal(principal) => {
            facts = run(iam.principal(principal)).expect("a read").expect("the target");
            On::Principal(principal, &facts)
        }
        Target::Policy { policy: arn } => {
            policy = run(iam.policy(arn.as_str())).expect("a read").expect("the target");
            On::Policy(arn, &policy)
        }
        Target::Trail { trail: arn } => {
            trail = run(iam.trail(arn.as_str())).expect("a read").expect("the target");
            On::Trail(arn, &trail)
        }
    };
    let request = Request {
        incident,
        purpose: case.purpose,
        on,
        event: &event,
        actor: None,
        exception_tag: "SecurityApproved",
        planned: &[],
        held,
        now: NOW.parse().expect("a time"),
    };
    run(remedy(case.remedy).plan(iam, &request)).expect("a plan")
}

/// An event that attached the administrator's policy, to be changed into another.
#[must_use]
pub fn event(name: &str) -> EventFacts {
    EventFacts {
        id: "event".parse().expect("an id"),
        shared_id: None,
        origin: Origin::Aws,
        distrust: None,
        name: name.to_owned(),
        service: "iam.amazonaws.com".to_owned(),
        region: None,
        time: Some(NOW.parse().expect("a time")),
        source_ip: None,
        user_agent: None,
        policy_arn: Some(ADMIN.to_owned()),
        error_code: None,
        effect: None,
        parameters: String::new(),
        touched: Touched::default(),
    }
}

/// The name of the policy that deny-iam puts on.
#[must_use]
pub fn policy_name() -> String {
    deny::policy_name(&INCIDENT.parse().expect("an incident"))
}

/// Planning and taking the snapshot write nothing.
pub fn looking_changes_nothing(case: &Case) {
    let world = World::new(case);
    run(remedy(case.remedy).snapshot(&world.iam, world.step())).expect("a snapshot");
    assert_eq!(world.iam.writes(), [], "{case:?}");
    world.assert_unchanged(case);
}

/// The calls of the plan are the calls that are made, and so with undo.
pub fn what_was_shown_is_what_is_made(case: &Case) {
    let world = World::new(case);
    let unchanged: &[Call] = &[];
    assert_eq!(world.iam.writes(), unchanged);
    world.apply();
    let record = world.progress.record(1).expect("a record");
    assert_eq!(world.iam.writes(), record.carried_out(world.step()).calls, "{case:?}");
    assert_eq!(world.progress.announced(), world.iam.writes(), "{case:?}: a call that nobody announced is taken for an attack");
    world.iam.forget_calls();
    assert_eq!(world.revert(), RevertResult::Reverted { calls: world.step().undo.clone() }, "{case:?}");
    assert_eq!(world.iam.writes(), world.step().undo, "{case:?}");
    assert!(world.progress.announced().ends_with(&world.step().undo), "{case:?}: announced before the undo");
}

/// A second run changes nothing, whether it resumes the first or puts back what was stripped.
pub fn applying_twice_is_applying_once(case: &Case) {
    let world = World::new(case);
    let (remedy, step) = (remedy(case.remedy), world.step());
    let snapshot = run(remedy.snapshot(&world.iam, step)).expect("a snapshot");
    run(remedy.apply(&world.iam, step, &snapshot, Attempt::First)).expect("applied");
    let once = world.iam.state();
    assert_ne!(once, world.before, "{case:?}: nothing was changed");
    for attempt in [Attempt::First, Attempt::Again] {
        world.iam.forget_calls();
        run(remedy.apply(&world.iam, step, &snapshot, attempt)).expect("applied twice");
        assert_eq!((world.iam.state(), world.iam.writes()), (once.clone(), vec![]), "{case:?}");
    }
}

/// Verifying tells the state before from the state after.
pub fn verifying_sees_the_change_and_its_absence(case: &Case) {
    let world = World::new(case);
    let verify = || {
        let record = world.progress.record(1).unwrap_or_else(|| StepRecord::planned(world.step()));
        run(remedy(case.remedy).verify(&world.iam, &record.carried_out(world.step()))).expect("a read")
    };
    assert!(matches!(verify(), Verified::Missing(_)), "{case:?}");
    world.apply();
    assert_eq!(verify(), Verified::Holds, "{case:?}");
    world.iam.restore(world.before.clone());
    assert!(matches!(verify(), Verified::Missing(_)), "{case:?}");
}

/// Undo leaves the account as it was, and a second undo changes nothing.
pub fn reverting_restores_byte_for_byte_and_twice_is_once(case: &Case) {
    let world = World::new(case);
    let (remedy, step) = (remedy(case.remedy), world.step());
    let snapshot = run(remedy.snapshot(&world.iam, step)).expect("a snapshot");
    run(remedy.apply(&world.iam, step, &snapshot, Attempt::First)).expect("applied");
    let reverted = run(remedy.revert(&world.iam, step, &snapshot, false)).expect("reverted");
    assert!(matches!(reverted, Reverted::Done(_)), "{case:?}: {reverted:?}");
    world.assert_unchanged(case);
    world.iam.forget_calls();
    let again = run(remedy.revert(&world.iam, step, &snapshot, false)).expect("reverted twice");
    assert!(matches!(again, Reverted::Nothing(_)), "{case:?}: {again:?}");
    assert_eq!(world.iam.writes(), []);
    world.assert_unchanged(case);
}

/// A snapshot alone is nothing to undo.
pub fn reverting_what_was_never_applied_changes_nothing(case: &Case) {
    let world = World::new(case);
    let (remedy, step) = (remedy(case.remedy), world.step());
    let snapshot = run(remedy.snapshot(&world.iam, step)).expect("a snapshot");
    let reverted = run(remedy.revert(&world.iam, step, &snapshot, false)).expect("reverted");
    assert!(matches!(reverted, Reverted::Nothing(_)), "{case:?}: {reverted:?}");
    assert_eq!(world.iam.writes(), []);
    assert!(matches!(world.revert(), RevertResult::Nothing { .. }), "{case:?}");
    world.assert_unchanged(case);
}

/// A dry run names the calls of the undo, and changes neither the account nor the record.
pub fn a_dry_run_says_what_undo_will_do_and_does_nothing(case: &Case) {
    let world = World::new(case);
    world.apply();
    let (after, record) = (world.iam.state(), world.progress.record(1));
    world.iam.forget_calls();
    let dry = run(revert_plan(&world.iam, &world.plan, &world.progress, None, true)).expect("a dry run");
    let calls = world.step().undo.clone();
    assert_eq!(dry.steps.first().map(|step| step.result.clone()), Some(RevertResult::Would { calls }), "{case:?}");
    assert_eq!((world.iam.state(), world.iam.writes(), world.progress.record(1)), (after, vec![], record), "{case:?}");
}

/// Changes that somebody makes after an undo are theirs: a second undo does not undo them.
pub fn an_undone_step_is_never_touched_again(case: &Case) {
    let world = World::new(case);
    world.apply();
    let applied = world.iam.state();
    world.revert();
    world.iam.restore(applied.clone());
    world.iam.forget_calls();
    assert!(matches!(world.revert(), RevertResult::Nothing { .. }), "{case:?}");
    let late = run(apply_plan(&world.iam, &no_limits(), &world.plan, &world.progress)).expect("a late retry");
    assert!(!late.complete, "{case:?}: {late:?}");
    assert_eq!(world.verify(), VerifyResult::Undone, "{case:?}");
    assert_eq!((world.iam.state(), world.iam.writes()), (applied, vec![]), "{case:?}");
}

/// A principal that was deleted and made again is not the one that was planned for.
pub fn a_recreated_or_missing_principal_is_refused(case: &Case) {
    for missing in [false, true] {
        // Nothing tells a trail that was made again from the one before.
        if !missing && case.on == Thing::Trail {
            continue;
        }
        let gone = |world: &World| {
            if missing { world.iam.delete_target(&world.target) } else { world.iam.recreate_target(&world.target) }
        };
        let world = World::new(case);
        let (remedy, step) = (remedy(case.remedy), world.step());
        let snapshot = run(remedy.snapshot(&world.iam, step)).expect("a snapshot");
        gone(&world);
        let now = world.iam.state();
        let error = run(remedy.snapshot(&world.iam, step)).expect_err("a snapshot of another principal");
        assert!(matches!(error, StepError::Conflict { .. }), "{case:?}: {error}");
        for attempt in [Attempt::First, Attempt::Again] {
            let error = run(remedy.apply(&world.iam, step, &snapshot, attempt)).expect_err("a change of another principal");
            assert!(matches!(error, StepError::Conflict { .. }) && !error.retryable(), "{case:?}: {error}");
        }
        assert!(matches!(run(remedy.verify(&world.iam, step)), Ok(Verified::Missing(_))), "{case:?}");
        assert_eq!((world.iam.state(), world.iam.writes()), (now, vec![]), "{case:?}");

        let world = World::new(case);
        world.apply();
        gone(&world);
        world.iam.forget_calls();
        let reverted = world.revert();
        let right = match reverted {
            RevertResult::Drift { .. } => true,
            // A deny that was only put on goes with its principal.
            RevertResult::Nothing { .. } => {
                missing && (case.remedy == RemedyKind::DenyIam || world.step().undo.iter().all(takes_off))
            }
            RevertResult::Reverted { .. }
            | RevertResult::Kept { .. }
            | RevertResult::Would { .. }
            | RevertResult::Failed { .. } => false,
        };
        assert!(right, "{case:?}: {reverted:?}");
        assert_eq!(world.iam.writes(), [], "{case:?}");
    }
}

fn takes_off(call: &Call) -> bool {
    ["iam:Delete", "iam:Detach", "iam:Untag", "iam:RemoveUser"].iter().any(|start| call.action.starts_with(start))
}

/// The plan says before anybody approves what undo cannot give back; undo says it again, and does not claim to be done.
pub fn what_cannot_be_undone_is_said_before_and_after(case: &Case) {
    let world = World::new(case);
    let said = world.step().irreversible.clone().expect("it is said before");
    world.apply();
    let applied = world.iam.state();
    for dry_run in [true, false] {
        let undone = run(revert_plan(&world.iam, &world.plan, &world.progress, None, dry_run)).expect("no fault");
        let result = undone.steps.first().map(|step| step.result.clone());
        assert_eq!(result, Some(RevertResult::Failed { reason: said.clone() }), "{case:?}");
        assert!(!undone.complete, "{case:?}");
    }
    assert_eq!(world.iam.state(), applied, "{case:?}");
}

/// Strikes every effect of a run in turn, in every way, and hands the world over as the struck run left it.
fn struck(case: &Case, prepare: fn(&World), run_once: fn(&World), then: impl Fn(&World, &str)) {
    let clean = World::new(case);
    prepare(&clean);
    clean.faults.clear();
    run_once(&clean);
    let effects = clean.faults.effects();
    assert!(effects > 3, "{case:?}: {effects} effects");
    let failures = [
        Failure::Killed,
        Failure::Error(IamErrorKind::Transient),
        Failure::Error(IamErrorKind::Conflict),
        Failure::Error(IamErrorKind::AccessDenied),
        Failure::Error(IamErrorKind::Other),
    ];
    for nth in 1..=effects {
        for when in [When::Before, When::After] {
            for failure in failures {
                let world = World::new(case);
                prepare(&world);
                world.faults.strike(nth, when, failure);
                run_once(&world);
                then(&world, &format!("{case:?}: {failure:?} {when:?} effect {nth}"));
            }
        }
    }
}

fn try_to_apply(world: &World) {
    if let Some(Err(error)) = until_killed(apply_plan(&world.iam, &no_limits(), &world.plan, &world.progress)) {
        assert!(matches!(error, RunError::Transient(_) | RunError::Progress(_)), "{error}");
    }
}

fn try_to_revert(world: &World) {
    if let Some(Err(error)) = until_killed(revert_plan(&world.iam, &world.plan, &world.progress, None, false)) {
        assert!(matches!(error, RunError::Transient(_) | RunError::Progress(_)), "{error}");
    }
}

/// Whatever effect fails in whatever way, running again ends as a run without a fault.
pub fn a_fault_anywhere_then_resuming_ends_right(case: &Case) {
    let clean = World::new(case);
    clean.apply();
    let wanted = clean.iam.state();
    struck(
        case,
        |_| {},
        try_to_apply,
        |world, at| {
            world.apply();
            assert_eq!(world.iam.state(), wanted, "{at}");
            assert_eq!(world.iam.writes().len(), world.step().calls.len(), "{at}: written twice");
            assert_eq!(world.verify(), VerifyResult::Holds, "{at}");
            if world.step().irreversible.is_none() {
                world.revert();
                world.assert_as_before(at);
            }
        },
    );
}

/// Whatever effect of a run fails in whatever way, undo restores the account.
pub fn a_fault_anywhere_then_reverting_restores(case: &Case) {
    struck(
        case,
        |_| {},
        try_to_apply,
        |world, at| {
            let reverted = world.revert();
            assert!(matches!(reverted, RevertResult::Reverted { .. } | RevertResult::Nothing { .. }), "{at}: {reverted:?}");
            world.assert_as_before(at);
        },
    );
}

/// Whatever effect of an undo fails in whatever way, undoing again restores the account.
pub fn a_fault_while_reverting_then_reverting_again_restores(case: &Case) {
    struck(case, World::apply, try_to_revert, |world, at| {
        world.revert();
        world.assert_as_before(at);
        let undo = world.iam.writes().len() - world.step().calls.len();
        assert_eq!(undo, world.step().undo.len(), "{at}: undone twice");
        assert_eq!(world.progress.record(1).map(|record| record.state), Some(StepState::Reverted), "{at}");
    });
}

/// Two reads before it counts; stripped once: put back; stripped twice: said.
pub fn what_is_stripped_is_put_back_once(case: &Case) {
    let world = World::new(case);
    world.apply();
    let applied = world.iam.state();
    let strip = || world.iam.restore(world.before.clone());
    strip();
    assert!(matches!(world.verify(), VerifyResult::Reapplied { .. }), "{case:?}");
    assert_eq!(world.iam.state(), applied, "{case:?}");
    assert_eq!(world.verify(), VerifyResult::Holds, "{case:?}");
    strip();
    world.iam.forget_calls();
    assert!(matches!(world.verify(), VerifyResult::Stripped { .. }), "{case:?}");
    assert_eq!(world.iam.writes(), [], "{case:?}");
    assert!(matches!(world.revert(), RevertResult::Nothing { .. }), "{case:?}");
    world.assert_unchanged(case);
}
