//! Plans of several steps: order, partial failure, two runs at once, quotas.
#![expect(clippy::unwrap_used, reason = "a helper of a test states what it expects")]

use cordon_core::pattern::Pattern;
use cordon_core::{Actor, Config, Detection, Gate, Level, Plan, Principal, RemedyKind, Response, Subject};
use cordon_respond::{
    ApplyResult, Case, IamErrorKind, NoHolds, Progress, ProgressError, RevertResult, RunError, StepRecord, StepState,
    VerifyResult, apply_plan, planner, revert_plan, verify_plan,
};
use cordon_testkit::fake_iam::inline_quota;
use cordon_testkit::laws::{self, ACCOUNT, ADMIN, INCIDENT};
use cordon_testkit::{Failure, FakeIam, MemoryProgress, When, no_limits, run, until_killed};

/// An attacker who made themself administrator: a deny on the user, then the policy off the user.
fn story() -> (FakeIam, Principal, Plan) {
    let iam = FakeIam::new(ACCOUNT.parse().unwrap());
    let mallory = iam.add_user("iam-test-mallory");
    iam.attach(&mallory, ADMIN);
    let record = serde_json::json!({"userIdentity": {"type": "IAMUser", "userName": "iam-test-mallory", "accountId": ACCOUNT,
        "arn": mallory.arn()}});
    let detection = Detection {
        rule: "admin-attached".parse().unwrap(),
        title: String::new(),
        author: String::new(),
        level: Level::High,
        description: String::new(),
        tags: vec![],
        response: Some(Response {
            revert: vec![RemedyKind::DetachPolicy],
            contain: vec![RemedyKind::DenyIam],
            gate: Gate::Ask,
            exceptions: vec![],
        }),
    };
    let case = Case {
        incident: &INCIDENT.parse().unwrap(),
        account: Some(&mallory.account),
        actor: &Actor::from_record(&record),
        subject: &Subject::Principal { principal: mallory.clone() },
        detections: &[detection],
        event: &laws::event("AttachUserPolicy"),
        now: laws::NOW.parse().unwrap(),
    };
    let planning = run(planner::plan(&iam, &NoHolds, &Config::default(), &[Pattern::new("none")], &case)).unwrap();
    iam.forget_calls();
    (iam, mallory, planning.plan)
}

fn apply(iam: &FakeIam, plan: &Plan, progress: &MemoryProgress) -> Vec<ApplyResult> {
    let result = run(apply_plan(iam, &no_limits(), plan, progress)).unwrap();
    result.steps.into_iter().map(|step| step.result).collect()
}

fn undo(iam: &FakeIam, plan: &Plan, progress: &MemoryProgress) -> Vec<(usize, RevertResult)> {
    let result = run(revert_plan(iam, plan, progress, None, false)).unwrap();
    result.steps.into_iter().map(|step| (step.n, step.result)).collect()
}

fn actions(iam: &FakeIam) -> Vec<String> {
    iam.writes().into_iter().map(|call| call.action).collect()
}

#[test]
fn the_actor_is_stopped_first_and_undo_goes_backwards() {
    let (iam, _, plan) = story();
    let (before, progress) = (iam.state(), MemoryProgress::default());
    assert_eq!(apply(&iam, &plan, &progress), [ApplyResult::Applied, ApplyResult::Applied]);
    assert_eq!(actions(&iam), ["iam:PutUserPolicy", "iam:DetachUserPolicy"]);
    let verified = run(verify_plan(&iam, &no_limits(), &plan, &progress)).unwrap();
    assert!(verified.complete, "{verified:?}");
    iam.forget_calls();
    let undone = undo(&iam, &plan, &progress);
    assert_eq!(undone.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(actions(&iam), ["iam:AttachUserPolicy", "iam:DeleteUserPolicy"]);
    assert_eq!(iam.state(), before);
}

#[test]
fn a_second_run_makes_no_call_at_all() {
    let (iam, _, plan) = story();
    let progress = MemoryProgress::default();
    apply(&iam, &plan, &progress);
    iam.forget_calls();
    assert_eq!(apply(&iam, &plan, &progress), [ApplyResult::AlreadyHeld, ApplyResult::AlreadyHeld]);
    assert_eq!(iam.calls(), Vec::<String>::new());
}

#[test]
fn a_step_that_fails_does_not_stop_the_others_and_says_why() {
    let (iam, mallory, plan) = story();
    let progress = MemoryProgress::default();
    iam.faults().strike_action("iam:PutUserPolicy", When::Before, Failure::Error(IamErrorKind::AccessDenied));
    let result = run(apply_plan(&iam, &no_limits(), &plan, &progress)).unwrap();
    assert!(!result.complete);
    assert!(
        matches!(&result.steps[0].result, ApplyResult::Failed { reason } if reason.contains("iam:PutUserPolicy") && reason.contains("access is denied")),
        "{result:?}"
    );
    assert_eq!(result.steps[1].result, ApplyResult::Applied);
    assert!(iam.entity(&mallory).unwrap().attached.is_empty());
    let verified = run(verify_plan(&iam, &no_limits(), &plan, &progress)).unwrap();
    assert!(!verified.complete);
    assert!(matches!(&verified.steps[0].result, VerifyResult::NotApplied { reason } if reason.contains("access is denied")));
    assert_eq!(verified.steps[1].result, VerifyResult::Holds);
}

#[test]
fn a_throttled_step_is_transient_and_the_others_are_done_meanwhile() {
    let (iam, mallory, plan) = story();
    let progress = MemoryProgress::default();
    for kind in [IamErrorKind::Transient, IamErrorKind::Conflict] {
        iam.faults().strike_action("iam:PutUserPolicy", When::Before, Failure::Error(kind));
        let error = run(apply_plan(&iam, &no_limits(), &plan, &progress)).unwrap_err();
        assert!(error.retryable() && error.to_string().starts_with("step 1 (`deny-iam` on `arn:aws:iam::"), "{error}");
        assert!(iam.entity(&mallory).unwrap().attached.is_empty());
        assert_eq!(progress.record(1).unwrap().state, StepState::SnapshotTaken);
        iam.faults().clear();
    }
    assert_eq!(apply(&iam, &plan, &progress), [ApplyResult::Applied, ApplyResult::AlreadyHeld]);
}

#[test]
fn nothing_is_written_to_iam_when_the_snapshot_cannot_be_stored() {
    let (iam, _, plan) = story();
    let progress = MemoryProgress::default();
    progress.faults().strike_action("progress:save", When::Before, Failure::Error(IamErrorKind::Other));
    let error = run(apply_plan(&iam, &no_limits(), &plan, &progress)).unwrap_err();
    assert!(matches!(error, RunError::Progress(ProgressError::Broken(_))) && !error.retryable(), "{error}");
    assert_eq!(iam.writes(), []);
}

#[test]
fn two_runs_at_once_do_not_replace_each_others_snapshot() {
    let (iam, _, plan) = story();
    let progress = MemoryProgress::default();
    let late = StepRecord { version: 1, ..StepRecord::planned(&plan.steps[0]) };
    apply(&iam, &plan, &progress);
    let stored = progress.record(1);
    assert_eq!(run(progress.save(1, &late)), Err(ProgressError::Superseded));
    assert!(ProgressError::Superseded.retryable());
    assert_eq!(progress.record(1), stored);
}

#[test]
fn a_record_of_another_remedy_is_refused() {
    let (iam, _, plan) = story();
    let progress = MemoryProgress::default();
    let other = StepRecord { version: 1, ..StepRecord::planned(&plan.steps[1]) };
    run(progress.save(1, &other)).unwrap();
    let error = run(apply_plan(&iam, &no_limits(), &plan, &progress)).unwrap_err();
    assert!(!error.retryable() && error.to_string().contains("`deny-iam`"), "{error}");
    assert_eq!(iam.writes(), []);
}

#[test]
fn a_late_retry_does_not_put_back_what_a_killed_undo_had_begun() {
    let (iam, mallory, plan) = story();
    let progress = MemoryProgress::default();
    apply(&iam, &plan, &progress);
    iam.faults().strike_action("iam:AttachUserPolicy", When::After, Failure::Killed);
    assert!(until_killed(revert_plan(&iam, &plan, &progress, None, false)).is_none());
    iam.faults().clear();
    assert_eq!(apply(&iam, &plan, &progress), [ApplyResult::AlreadyHeld, ApplyResult::Undone]);
    assert!(iam.entity(&mallory).unwrap().attached.contains(ADMIN));
    undo(&iam, &plan, &progress);
    assert!(iam.entity(&mallory).unwrap().inline.is_empty());
}

#[test]
fn a_single_step_can_be_undone_and_an_unknown_one_is_named() {
    let (iam, mallory, plan) = story();
    let progress = MemoryProgress::default();
    apply(&iam, &plan, &progress);
    let undone = run(revert_plan(&iam, &plan, &progress, Some(1), false)).unwrap();
    assert_eq!(undone.steps.len(), 1);
    let now = iam.entity(&mallory).unwrap();
    assert!(now.inline.is_empty() && now.attached.is_empty());
    for n in [0, 3] {
        let error = run(revert_plan(&iam, &plan, &progress, Some(n), false)).unwrap_err();
        assert_eq!(error.to_string(), format!("the plan has no step {n}, only 2"));
    }
}

#[test]
fn a_full_inline_quota_is_a_reason_and_changes_nothing() {
    let (iam, mallory, plan) = story();
    iam.put_inline(&mallory, "full", &"x".repeat(inline_quota(mallory.kind)));
    let before = iam.entity(&mallory).unwrap().inline;
    let progress = MemoryProgress::default();
    let results = apply(&iam, &plan, &progress);
    assert!(matches!(&results[0], ApplyResult::Failed { reason } if reason.contains("quota")), "{results:?}");
    assert_eq!(iam.entity(&mallory).unwrap().inline, before);
    iam.change(&mallory, |entity| entity.inline.clear());
    assert_eq!(apply(&iam, &plan, &progress)[0], ApplyResult::Applied);
}

#[test]
fn an_undo_that_meets_a_full_quota_can_be_run_again() {
    let (iam, mallory, plan) = story();
    let (before, progress) = (iam.state(), MemoryProgress::default());
    apply(&iam, &plan, &progress);
    let others: Vec<String> = (0..FakeIam::ATTACHED_QUOTA).map(|n| format!("arn:aws:iam::{ACCOUNT}:policy/p{n}")).collect();
    others.iter().for_each(|arn| iam.attach(&mallory, arn));
    let undone = undo(&iam, &plan, &progress);
    assert!(matches!(&undone[0], (2, RevertResult::Failed { reason }) if reason.contains("quota")), "{undone:?}");
    assert!(matches!(&undone[1], (1, RevertResult::Reverted { .. })), "{undone:?}");
    others.iter().for_each(|arn| iam.detach(&mallory, arn));
    undo(&iam, &plan, &progress);
    assert_eq!(iam.state(), before);
}

#[test]
fn an_empty_plan_is_never_complete() {
    let (iam, ..) = story();
    let (plan, progress) = (Plan::default(), MemoryProgress::default());
    assert!(!run(apply_plan(&iam, &no_limits(), &plan, &progress)).unwrap().complete);
    assert!(!run(verify_plan(&iam, &no_limits(), &plan, &progress)).unwrap().complete);
}

#[test]
fn one_read_is_not_enough_to_call_it_contained() {
    let (iam, _, plan) = story();
    let progress = MemoryProgress::default();
    apply(&iam, &plan, &progress);
    let unseen = StepRecord { seen: false, version: progress.record(2).unwrap().version + 1, ..progress.record(2).unwrap() };
    run(progress.save(2, &unseen)).unwrap();
    let once = run(verify_plan(&iam, &no_limits(), &plan, &progress)).unwrap();
    assert_eq!(once.steps[1].result, VerifyResult::HoldsOnce);
    assert!(!once.complete && once.steps[1].result.wants_another_read());
    assert!(run(verify_plan(&iam, &no_limits(), &plan, &progress)).unwrap().complete);
}

#[test]
fn what_is_stored_reads_as_it_did_when_it_was_first_released() {
    let stored = r#"{"version":3,"remedy":"deny-iam","state":{"name":"failed","reason":"why"},"snapshot":{"remedy":"deny-iam","target_unique_id":"AIDA1","document":null}}"#;
    let record: StepRecord = serde_json::from_str(stored).unwrap();
    assert_eq!(record.state, StepState::Failed { reason: "why".to_owned() });
    assert!(!record.seen && !record.reapplied && record.snapshot.is_some());
}
