//! Attacks by a principal that was deleted and made again: it has the ARN of the one that was exempt, and another unique id.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_core::{Principal, PrincipalKind, Route};
use cordon_flow::exceptions::{self, Wanted};
use cordon_flow::ports::Clock;
use cordon_store::RuleScope;
use cordon_testkit::run;
use serde_json::{Value, json};
use support::{ACCOUNT, CONFIG, World, by, create_user, event, made_at};

fn world() -> World {
    World::with(&format!("{CONFIG}\n[gates]\nauto = [\"iam-write\"]\n"))
}

fn mallory() -> Principal {
    Principal::new(PrincipalKind::User, ACCOUNT.parse().unwrap(), "iam-test-mallory")
}

fn record(world: &World, at: &str) {
    let wanted = Wanted {
        principal: mallory().arn(),
        rule: RuleScope::Any,
        until: "2026-01-31".to_owned(),
        reason: "a migration".to_owned(),
        owner: None,
    };
    let caller = [format!("arn:aws:iam::{ACCOUNT}:user/approver")];
    let made = exceptions::record(&wanted, &caller, &world.config, at.parse().unwrap()).unwrap();
    run(world.store().add_exception(&made, world.clock.now())).unwrap();
}

/// Mallory makes a call, with this unique id.
fn called(id: &str, unique_id: &str) -> Value {
    let mut call = create_user(id);
    call["detail"]["requestParameters"]["userName"] = json!(format!("iam-test-{id}"));
    call["detail"]["userIdentity"]["principalId"] = json!(unique_id);
    call
}

fn judged(world: &World, event: Value) -> (Route, String) {
    let execution = event["detail"]["eventID"].as_str().unwrap().to_owned();
    let (incident, route) = world.checked_as(event, &execution);
    (route, world.stored(&incident).assessment.exceptions_checked.join(" "))
}

#[test]
fn attack_13_an_exception_is_for_the_principal_that_was_seen_first_until_it_is_recorded_again() {
    let world = world();
    record(&world, "2026-01-01T00:00:00Z");
    assert_eq!(judged(&world, called("e1", "AIDAFIRST")).0, Route::Exempt);
    assert_eq!(judged(&world, called("e2", "AIDAFIRST")).0, Route::Exempt);
    let (route, said) = judged(&world, called("e3", "AIDASECOND"));
    assert_ne!(route, Route::Exempt, "{said}");
    assert!(said.contains("it is for `AIDAFIRST`") && said.contains("`AIDASECOND`"), "{said}");
    record(&world, "2026-01-01T01:00:00Z");
    let (route, said) = judged(&world, called("e4", "AIDASECOND"));
    assert_eq!(route, Route::Exempt, "{said}");
    assert_eq!(judged(&world, called("e5", "AIDAFIRST")).0, Route::Exempt, "the first exception stands");
}

#[test]
fn attack_13_a_principal_that_was_made_again_after_the_exception_was_recorded_is_not_the_one_that_is_exempt() {
    for (made, expected) in [("2025-12-01T00:00:00Z", true), ("2025-12-31T00:00:00Z", false)] {
        let world = world();
        record(&world, "2025-12-20T00:00:00Z");
        let call = event("made", "CreateUser", json!({"userName": "iam-test-mallory"}));
        world.classified(made_at(made, by("alice", call)), "made");
        let (route, said) = judged(&world, called("e", "AIDAFIRST"));
        assert_eq!(route == Route::Exempt, expected, "{made}: {said}");
    }
}

#[test]
fn attack_13_where_the_event_gives_no_unique_id_iam_is_asked_and_nobody_is_exempt_without() {
    let without = |id: &str| {
        let mut call = called(id, "");
        call["detail"]["userIdentity"].as_object_mut().unwrap().remove("principalId");
        call
    };
    let world = world();
    record(&world, "2026-01-01T00:00:00Z");
    assert_eq!(judged(&world, without("e1")).0, Route::Exempt);
    world.iam.recreate(&mallory());
    let (route, said) = judged(&world, without("e2"));
    assert_ne!(route, Route::Exempt, "{said}");
    world.iam.delete(&mallory());
    let (route, said) = judged(&world, without("e3"));
    assert_ne!(route, Route::Exempt, "{said}");
}

#[test]
fn attack_13_a_pin_that_cannot_be_read_asks() {
    let world = world();
    record(&world, "2026-01-01T00:00:00Z");
    assert_eq!(judged(&world, called("e1", "AIDAFIRST")).0, Route::Exempt);
    let key = world.table.keys().into_iter().find(|key| key.starts_with("PIN#")).unwrap();
    let (pk, sk) = key.split_once('/').unwrap();
    world.table.put(pk, sk, json!({"unique_id": 1}));
    let (route, said) = judged(&world, called("e2", "AIDAFIRST"));
    assert_eq!(route, Route::Ask, "{said}");
}
