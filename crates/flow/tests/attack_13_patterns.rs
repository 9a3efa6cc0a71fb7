//! Attacks by a path or an account of one's own choice: it protects nobody, exempts nobody and locks no approver out.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::{CheckInput, ClassifyOutput};
use cordon_core::incident::Incident;
use cordon_core::pattern::Pattern;
use cordon_core::{PrincipalKind, Route};
use cordon_flow::exceptions::{self, Wanted};
use cordon_flow::ports::Clock;
use cordon_store::{RecordedException, RuleScope};
use cordon_testkit::run;
use serde_json::{Value, json};
use support::{ACCOUNT, ADMIN_POLICY, CONFIG, World, event};

const NAME: &str = "iam-test-moved";

fn world(more: &str) -> World {
    World::with(&format!(
        "{CONFIG}\n[gates]\nauto = [\"admin-attached\", \"iam-write\"]\n[scope]\nprincipals = [\"arn:aws:iam::*:user/*\"]\n{more}"
    ))
}

/// A user at a path of their own choice gives themself administrator's rights.
fn attacked(world: &World, path: &str) -> Incident {
    world.iam.attach(&world.iam.add(PrincipalKind::User, path, NAME), ADMIN_POLICY);
    let mut event = event("e", "AttachUserPolicy", json!({"userName": NAME, "policyArn": ADMIN_POLICY}));
    event["detail"]["userIdentity"]["userName"] = json!(NAME);
    event["detail"]["userIdentity"]["arn"] = json!(format!("arn:aws:iam::{ACCOUNT}:user{path}{NAME}"));
    checked(world, event)
}

fn checked(world: &World, event: Value) -> Incident {
    let ClassifyOutput::Opened { incident } = world.classified(event, "x") else { panic!("not opened") };
    run(world.check().run(CheckInput { incident: incident.clone() })).unwrap();
    world.stored(&incident)
}

fn route(incident: &Incident) -> Route {
    incident.assessment.decision.as_ref().unwrap().route
}

#[test]
fn attack_13_a_new_path_puts_nobody_on_never_touch() {
    let touched = |path: &str| {
        let world = world(&format!(
            "never_touch = [\"arn:aws:iam::{ACCOUNT}:user/break-glass*\", \"arn:aws:iam::{ACCOUNT}:user/ops/iam-test-m*\"]\n"
        ));
        let incident = attacked(&world, path);
        let plan = &incident.assessment.plan;
        assert_eq!(plan.steps.is_empty(), plan.by_hand.concat().contains("scope.never_touch"), "{path}: {plan:?}");
        !plan.steps.is_empty()
    };
    for path in ["/break-glass/", "/break-glass-1/x/", "/x/break-glass/", "/ops/x/", "/x/ops/", "/OPS/", "/"] {
        assert!(touched(path), "{path}");
    }
    // The path that the list names, which Cordon cannot tell from the honest one.
    assert!(!touched("/ops/"));
}

/// An exception that an approver recorded, with a pattern that only an older version took.
fn record(world: &World, pattern: &str) -> RecordedException {
    let wanted = Wanted {
        principal: format!("arn:aws:iam::{ACCOUNT}:user/deploy-*"),
        rule: RuleScope::Any,
        until: "2026-01-31".to_owned(),
        reason: "a migration".to_owned(),
        owner: None,
    };
    let caller = [format!("arn:aws:iam::{ACCOUNT}:user/approver")];
    let made = exceptions::record(&wanted, &caller, &world.config, "2026-01-01T00:00:00Z".parse().unwrap()).unwrap();
    let made = RecordedException { principal: Pattern::new(pattern), ..made };
    run(world.store().add_exception(&made, world.clock.now())).unwrap();
    made
}

#[test]
fn attack_13_a_path_that_fits_a_recorded_exception_exempts_nobody() {
    for path in ["/deploy-x/", "/deploy-/x/", "/x/deploy-y/"] {
        let world = world("");
        record(&world, &format!("arn:aws:iam::{ACCOUNT}:user/deploy-*"));
        let incident = attacked(&world, path);
        assert_eq!(route(&incident), Route::Act, "{path}: {:?}", incident.assessment.exceptions_checked);
    }
    let honest = world("");
    record(&honest, &format!("arn:aws:iam::{ACCOUNT}:user/ops/iam-test-m*"));
    assert_eq!(route(&attacked(&honest, "/ops/")), Route::Exempt);
}

#[test]
fn attack_13_a_stored_exception_that_is_too_wide_exempts_nobody_and_a_person_is_asked() {
    for (pattern, why) in [
        (format!("arn:aws:iam::*:user/ops/{NAME}"), "does not name one account"),
        (format!("arn:aws:iam::{ACCOUNT}:user/*/{NAME}"), "has a wildcard in its path"),
        (format!("arn:aws:iam::{ACCOUNT}:*/{NAME}"), "does not name a user or role"),
        (format!("arn:*:iam::{ACCOUNT}:user/ops/{NAME}"), "does not write out its partition"),
        (format!("arn:aws:iam::{ACCOUNT}:user/ops/*"), "fits every name"),
    ] {
        let world = world("");
        let stored = record(&world, &pattern);
        let refusal = exceptions::refusal(&stored).unwrap();
        assert!(refusal.contains(&pattern) && refusal.contains(why) && refusal.contains("record it anew"), "{refusal}");
        let incident = attacked(&world, "/ops/");
        assert_eq!(route(&incident), Route::Ask, "{pattern}");
        let told = incident.assessment.exceptions_checked.concat();
        assert!(told.contains(stored.id.as_str()) && told.contains(why), "{told}");
        let reason = &incident.assessment.decision.as_ref().unwrap().decision_reason;
        assert!(reason.contains("a person is asked"), "{reason}");
        assert_eq!(world.iam.writes(), []);
    }
    // One that is about somebody else, or that would not count anyway, asks nobody.
    let world = world("");
    record(&world, "arn:aws:iam::*:user/other");
    assert_eq!(route(&attacked(&world, "/ops/")), Route::Act);
}

#[test]
fn attack_13_a_path_that_fits_an_approvers_pattern_locks_nobody_out() {
    let approver = format!("arn:aws:iam::{ACCOUNT}:user/approver");
    let world = World::with(&CONFIG.replace(&approver, &format!("{approver}*")));
    for path in ["/approver/", "/approver-x/y/", "/x/approver/"] {
        let world = World { config: world.config.clone(), ..World::new() };
        let incident = attacked(&world, path);
        let barred = world.config.approval.approvers.iter().filter(|approver| approver.is_actor(&incident.actor)).count();
        assert_eq!(barred, 0, "{path}");
    }
}
