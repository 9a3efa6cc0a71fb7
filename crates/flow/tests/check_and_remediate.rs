//! Exceptions that an attacker cannot use, reads that fail towards a person, and changes only with right.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::{CheckInput, ClassifyOutput, ErrorName, RemediateInput, RemediateOutput, WaitInput};
use cordon_core::{IncidentId, Principal, PrincipalKind, Route};
use cordon_flow::approver::Voter;
use cordon_flow::decide::Choice;
use cordon_flow::undo::Undo;
use cordon_testkit::{Failure, When, run};
use serde_json::json;
use support::{ACCOUNT, ADMIN_POLICY, APPROVER, CONFIG, World, attach, create_user, event};

fn mallory() -> Principal {
    Principal::new(PrincipalKind::User, ACCOUNT.parse().unwrap(), "iam-test-mallory")
}

fn approved(world: &World) -> IncidentId {
    let (incident, _) = world.checked(attach("e"));
    let ask = WaitInput::Ask { incident: incident.clone(), task_token: "t".to_owned(), timeout_seconds: 600, last: true };
    run(world.wait().run(ask)).unwrap();
    run(world.decide().run(&incident, Voter::Slack(APPROVER), Choice::Approve, None)).unwrap();
    incident
}

fn apply(world: &World, incident: &IncidentId) -> Result<RemediateOutput, cordon_contract::StateError> {
    run(world.remediate().run(RemediateInput::Apply { incident: incident.clone() }))
}

fn verify(world: &World, incident: &IncidentId) -> RemediateOutput {
    run(world.remediate().run(RemediateInput::Verify { incident: incident.clone() })).unwrap()
}

#[test]
fn what_was_approved_is_done_verified_and_undone() {
    let world = World::new();
    let before = world.iam.state();
    let incident = approved(&world);
    assert_eq!(apply(&world, &incident).unwrap(), RemediateOutput::Applied);
    assert_eq!(apply(&world, &incident).unwrap(), RemediateOutput::Applied);
    assert_eq!(verify(&world, &incident), RemediateOutput::Contained);
    let entity = world.iam.entity(&mallory()).unwrap();
    assert!(!entity.attached.contains(ADMIN_POLICY));
    assert_eq!(entity.inline.len(), 1);
    let undo = Undo { store: world.store(), accounts: &world.accounts, clock: &world.clock };
    assert!(run(undo.run(&incident, "arn:aws:iam::111111111111:user/ada", None, true)).unwrap().complete);
    assert_ne!(world.iam.state(), before);
    assert!(run(undo.run(&incident, "arn:aws:iam::111111111111:user/ada", None, false)).unwrap().complete);
    assert_eq!(world.iam.state(), before);
    assert_eq!(world.timeline(&incident).last().unwrap(), "undone");
    let entries = world.timeline(&incident).len();
    assert!(run(undo.run(&incident, "arn:aws:iam::111111111111:user/ada", None, false)).unwrap().complete);
    assert_eq!(world.timeline(&incident).len(), entries, "a second undo has nothing to tell");
}

#[test]
fn nothing_is_changed_without_an_approval_in_the_table() {
    let world = World::new();
    let (incident, route) = world.checked(attach("e"));
    assert_eq!(route, Route::Ask);
    assert_eq!(apply(&world, &incident).unwrap_err().name, ErrorName::Refused);
    let ask = WaitInput::Ask { incident: incident.clone(), task_token: "t".to_owned(), timeout_seconds: 600, last: true };
    run(world.wait().run(ask)).unwrap();
    assert_eq!(apply(&world, &incident).unwrap_err().name, ErrorName::Refused);
    run(world.decide().run(&incident, Voter::Slack(APPROVER), Choice::Deny, None)).unwrap();
    assert_eq!(apply(&world, &incident).unwrap_err().name, ErrorName::Refused);
    assert!(world.iam.writes().is_empty());
}

#[test]
fn in_a_dry_run_the_plan_is_told_and_nothing_is_written() {
    let world = World::with(&CONFIG.replace("enforce", "dry-run"));
    let (incident, route) = world.checked(attach("e"));
    assert_eq!(route, Route::Alert);
    let stored = world.stored(&incident);
    let decision = stored.assessment.decision.unwrap();
    assert!(decision.dry_run && decision.approved_for_remediation);
    assert_eq!(decision.decision_reason, "Approved for remediation");
    assert_eq!(stored.assessment.plan.steps.len(), 2);
    assert_eq!(apply(&world, &incident).unwrap_err().name, ErrorName::Refused);
    assert!(world.iam.writes().is_empty());
}

#[test]
fn the_exception_tag_exempts_with_its_reason() {
    let world = World::new();
    world.iam.tag(&mallory(), "SecurityApproved", "true");
    let (incident, route) = world.checked(attach("e"));
    assert_eq!(route, Route::Exempt);
    assert_eq!(
        world.stored(&incident).assessment.decision.unwrap().decision_reason,
        "User has approved exception tag: SecurityApproved=true"
    );
}

#[test]
fn a_tag_of_another_value_or_key_does_not_exempt() {
    for (key, value) in
        [("SecurityApproved", "True"), ("SecurityApproved", "truex"), ("securityapproved", "true"), ("SecurityApproved2", "true")]
    {
        let world = World::new();
        world.iam.tag(&mallory(), key, value);
        assert_eq!(world.checked(attach("e")).1, Route::Ask, "{key}={value}");
    }
}

#[test]
fn a_tag_set_by_the_actor_or_just_now_does_not_exempt() {
    for by in ["iam-test-mallory", "somebody-else"] {
        let world = World::new();
        let mut tagging = event(
            "tagging",
            "TagUser",
            json!({"userName": "iam-test-mallory", "tags": [{"key": "SecurityApproved", "value": "true"}]}),
        );
        tagging["detail"]["userIdentity"]["userName"] = json!(by);
        tagging["detail"]["userIdentity"]["arn"] = json!(format!("arn:aws:iam::{ACCOUNT}:user/{by}"));
        world.classified(tagging, "x");
        world.iam.tag(&mallory(), "SecurityApproved", "true");
        let (incident, route) = world.checked(attach("e"));
        assert_eq!(route, Route::Ask, "{by}");
        let said = world.stored(&incident).assessment.exceptions_checked.join(" ");
        assert!(said.contains("does not count"), "{said}");
    }
}

#[test]
fn the_exempt_group_exempts_its_members_and_nobody_who_has_just_joined() {
    let world = World::new();
    world.iam.join(&mallory(), "admins2");
    assert_eq!(world.checked(create_user("e1")).1, Route::Ask);

    let world = World::new();
    world.iam.join(&mallory(), "admins");
    assert_eq!(world.checked(create_user("e1")).1, Route::Exempt);
    // The rule about the administrator policy honours no group.
    assert_eq!(world.checked(attach("e2")).1, Route::Ask);

    let world = World::new();
    world.iam.join(&mallory(), "admins");
    let joining = event("joining", "AddUserToGroup", json!({"userName": "iam-test-mallory", "groupName": "admins"}));
    assert_eq!(world.checked(joining).1, Route::Ask);
    assert_eq!(world.checked(create_user("e2")).1, Route::Ask);
}

#[test]
fn a_failed_read_of_tags_or_groups_asks_and_neither_exempts_nor_acts() {
    let auto = format!("{CONFIG}\n[gates]\nauto = [\"admin-attached\", \"iam-write\"]\n");
    for (action, event) in
        [("iam:ListUserTags", attach("e")), ("iam:ListGroupsForUser", create_user("e")), ("iam:GetUser", attach("e"))]
    {
        let world = World::with(&auto);
        world.iam.faults().strike_action(action, When::Before, Failure::Error(cordon_respond::IamErrorKind::AccessDenied));
        let (incident, route) = world.checked(event);
        assert_eq!(route, Route::Ask, "{action}: {:?}", world.stored(&incident).assessment.decision);
        assert!(!world.stored(&incident).assessment.decision.unwrap().approved_for_remediation);
    }
}

#[test]
fn a_named_rule_acts_without_asking() {
    let world = World::with(&format!("{CONFIG}\n[gates]\nauto = [\"iam-write\"]\n"));
    let (incident, route) = world.checked(create_user("e"));
    assert_eq!(route, Route::Act);
    assert_eq!(apply(&world, &incident).unwrap(), RemediateOutput::Applied);
    assert_eq!(world.checked(attach("e2")).1, Route::Ask);
}

#[test]
fn an_untrusted_source_never_leads_to_a_change() {
    let world = World::with(&format!("{CONFIG}\n[gates]\nauto = [\"iam-write\"]\n"));
    let mut forged = create_user("e");
    forged["source"] = json!("cordon.drill");
    let (incident, route) = world.checked(forged);
    assert_eq!(route, Route::Alert);
    assert_eq!(apply(&world, &incident).unwrap_err().name, ErrorName::Refused);
}

#[test]
fn out_of_scope_and_never_touch_alert_with_the_reason() {
    let outside = World::with(
        &CONFIG.replace("mode = \"enforce\"", "mode = \"enforce\"\n[scope]\nprincipals = [\"arn:aws:iam::*:user/other-*\"]"),
    );
    let (incident, route) = outside.checked(attach("e"));
    assert_eq!(route, Route::Alert);
    let reason = outside.stored(&incident).assessment.decision.unwrap().decision_reason;
    assert!(reason.contains("scope.principals"), "{reason}");
}

#[test]
fn a_stripped_policy_is_put_back_once_and_then_said_to_be_partial() {
    let world = World::new();
    let incident = approved(&world);
    apply(&world, &incident).unwrap();
    world.iam.change(&mallory(), |entity| entity.inline.clear());
    assert_eq!(verify(&world, &incident), RemediateOutput::Again);
    assert_eq!(verify(&world, &incident), RemediateOutput::Contained);

    let world = World::new();
    let incident = approved(&world);
    apply(&world, &incident).unwrap();
    for expected in [RemediateOutput::Again, RemediateOutput::Partial] {
        world.iam.change(&mallory(), |entity| entity.inline.clear());
        assert_eq!(verify(&world, &incident), expected);
    }
}

#[test]
fn a_decision_that_people_may_have_read_does_not_change_on_a_retry() {
    let world = World::new();
    let (incident, route) = world.checked(attach("e"));
    world.iam.tag(&mallory(), "SecurityApproved", "true");
    let again = run(world.check().run(CheckInput { incident })).unwrap();
    assert_eq!(again.route, route);
    assert!(matches!(world.classified(attach("e"), "execution-1"), ClassifyOutput::Opened { .. }));
}
