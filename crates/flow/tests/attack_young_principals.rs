//! Attacks by principals that were made a moment ago: nothing that they carry was given to them before Cordon could see it.
//!
//! CloudTrail leaves a request's parameters out above about 100 KB, and white space in a trust policy is enough: then no event says
//! what a new role is called, or which tags it was made with.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_core::{Principal, PrincipalKind, Route};
use cordon_respond::IamErrorKind;
use cordon_testkit::Failure;
use cordon_testkit::When;
use serde_json::{Value, json};
use support::{ACCOUNT, ADMIN_POLICY, CONFIG, World, by, by_role, create_user, event, made_at};

const LONG_AGO: &str = "2025-12-01T00:00:00Z";
const MINUTES_AGO: &str = "2026-01-02T02:50:00Z";

fn world(more: &str) -> World {
    World::with(&format!("{CONFIG}\n[gates]\nauto = [\"admin-attached\", \"iam-write\"]\n{more}"))
}

fn happened(world: &World, who: &str, at: &str, name: &str, parameters: Value) {
    let id = format!("{name}-{who}-{at}");
    world.classified(made_at(at, by(who, event(&id, name, parameters))), &id);
}

/// A role that was made at this time, and carries the exception tag since.
fn tagged_role(world: &World, made: &str) -> Principal {
    let role = world.iam.add_role("iam-test-role");
    world.iam.tag(&role, "SecurityApproved", "true");
    world.iam.change(&role, |role| role.created_at = made.parse().ok());
    world.iam.attach(&role, ADMIN_POLICY);
    role
}

fn attach_to_role() -> Value {
    event("e", "AttachRolePolicy", json!({"roleName": "iam-test-role", "policyArn": ADMIN_POLICY}))
}

fn omitted() -> Value {
    json!({"omitted": true, "originalSize": 131_072, "reason": "too large"})
}

fn judged(world: &World, event: Value) -> (Route, String) {
    let (incident, route) = world.checked(event);
    (route, world.stored(&incident).assessment.exceptions_checked.join(" "))
}

#[test]
fn attack_a_role_made_with_a_padded_trust_policy_brings_no_exception_tag_along() {
    let world = world("");
    happened(&world, "iam-test-mallory", MINUTES_AGO, "CreateRole", omitted());
    tagged_role(&world, MINUTES_AGO);
    let (route, said) = judged(&world, attach_to_role());
    assert_ne!(route, Route::Exempt, "{said}");
    assert!(said.contains("was made at"), "{said}");
}

#[test]
fn attack_a_role_that_was_made_again_does_not_inherit_the_honest_history_of_its_tag() {
    let world = world("[exceptions]\nrequire_provenance = true\n");
    let tag = json!({"roleName": "iam-test-role", "tags": [{"key": "SecurityApproved", "value": "true"}]});
    happened(&world, "alice", LONG_AGO, "TagRole", tag);
    happened(&world, "iam-test-mallory", MINUTES_AGO, "DeleteRole", json!({"roleName": "iam-test-role"}));
    happened(&world, "iam-test-mallory", MINUTES_AGO, "CreateRole", omitted());
    tagged_role(&world, MINUTES_AGO);
    let (route, said) = judged(&world, attach_to_role());
    assert_ne!(route, Route::Exempt, "{said}");
}

#[test]
fn attack_an_old_role_keeps_its_exception() {
    let world = world("");
    tagged_role(&world, LONG_AGO);
    let (route, said) = judged(&world, attach_to_role());
    assert_eq!(route, Route::Exempt, "{said}");
}

#[test]
fn attack_a_role_made_unseen_under_the_name_of_automation_or_of_a_recorded_exception_is_not_exempt() {
    let automation = format!("[[exceptions.automation]]\nname = \"CI\"\nroles = [\"arn:aws:iam::{ACCOUNT}:role/deploy\"]\n");
    for (made, exempt) in [(Some(MINUTES_AGO), false), (None, false), (Some(LONG_AGO), true)] {
        let world = world(&automation);
        happened(&world, "iam-test-mallory", MINUTES_AGO, "CreateRole", omitted());
        let role = world.iam.add_role("deploy");
        world.iam.change(&role, |role| role.created_at = made.and_then(|made| made.parse().ok()));
        let (route, said) = judged(&world, by_role("deploy", "s", create_user("e")));
        assert_eq!(route == Route::Exempt, exempt, "{made:?}: {said}");
    }
}

#[test]
fn attack_a_user_made_a_moment_ago_is_in_no_group_since_before_cordon_watched() {
    let world = world("");
    let mallory = Principal::new(PrincipalKind::User, ACCOUNT.parse().unwrap(), "iam-test-mallory");
    world.iam.join(&mallory, "admins");
    world.iam.change(&mallory, |user| user.created_at = MINUTES_AGO.parse().ok());
    let (route, said) = judged(&world, create_user("e"));
    assert_ne!(route, Route::Exempt, "{said}");
}

#[test]
fn attack_where_iam_does_not_say_how_old_a_principal_is_a_person_is_asked() {
    let world = world("");
    tagged_role(&world, LONG_AGO);
    world.iam.faults().strike_action("iam:GetRole", When::Before, Failure::Error(IamErrorKind::AccessDenied));
    let (route, said) = judged(&world, attach_to_role());
    assert_eq!(route, Route::Ask, "{said}");
}
