//! Attacks on exceptions: nobody is exempt from more than somebody was exempted from, and nobody becomes it by a name.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::{CheckInput, ClassifyInput, ClassifyOutput};
use cordon_core::{Detection, Level, Principal, PrincipalKind, Route};
use cordon_detect::enrich::Documents;
use cordon_flow::classify::{Classify, Rules};
use cordon_flow::exceptions::{self, Wanted};
use cordon_flow::ports::Clock;
use cordon_store::RuleScope;
use cordon_testkit::run;
use serde_json::{Value, json};
use support::{ACCOUNT, CONFIG, FakeRules, World, by, by_role, create_user, event, made_at};

fn world(more: &str) -> World {
    World::with(&format!("{CONFIG}\n[gates]\nauto = [\"admin-attached\", \"iam-write\"]\n{more}"))
}

fn mallory() -> Principal {
    Principal::new(PrincipalKind::User, ACCOUNT.parse().unwrap(), "iam-test-mallory")
}

/// The rules of the other tests, of level high, and one more that only alerts.
struct WithAlerting(Level);

impl Rules for WithAlerting {
    fn evaluate(&self, record: &Value, facts: &Documents) -> Vec<Detection> {
        let mut found = FakeRules.evaluate(record, facts);
        let alerting =
            Detection { rule: "widens-own-rights".parse().unwrap(), level: self.0, response: None, ..found[0].clone() };
        found.push(alerting);
        found
    }
}

/// The route of an event that the alerting rule matches too, and the reason.
fn with_alerting(world: &World, level: Level, event: Value) -> (Route, String) {
    let classify = Classify { rules: &WithAlerting(level), ..world.classify() };
    let input = ClassifyInput { event, execution: "execution-1".to_owned() };
    let ClassifyOutput::Opened { incident } = run(classify.run(input)).unwrap() else { panic!("not opened") };
    let route = run(world.check().run(CheckInput { incident: incident.clone() })).unwrap().route;
    (route, world.stored(&incident).assessment.decision.unwrap().decision_reason)
}

fn record(world: &World, rule: &str) {
    let wanted = Wanted {
        principal: mallory().arn(),
        rule: RuleScope::try_from(rule.to_owned()).unwrap(),
        until: "2026-01-31".to_owned(),
        reason: "a migration".to_owned(),
        owner: None,
    };
    let caller = [format!("arn:aws:iam::{ACCOUNT}:user/approver")];
    let made = exceptions::record(&wanted, &caller, &world.config, "2026-01-01T00:00:00Z".parse().unwrap()).unwrap();
    run(world.store().add_exception(&made, world.clock.now())).unwrap();
}

#[test]
fn attack_12_an_exemption_from_one_rule_swallows_no_other_rule() {
    let check = |world: &World, level, event, expected| {
        let (route, reason) = with_alerting(world, level, event);
        assert_eq!(route, expected, "{level}: {reason}");
        assert_eq!(reason.contains("`widens-own-rights`"), expected == Route::Alert, "{reason}");
    };
    // A group is from every rule that is as grave as the one that honours it.
    for (level, expected) in [(Level::Critical, Route::Alert), (Level::High, Route::Exempt), (Level::Low, Route::Exempt)] {
        let world = world("");
        world.iam.change(&mallory(), |entity| {
            entity.groups.insert("admins".to_owned());
        });
        check(&world, level, create_user("e"), expected);
    }
    for (rule, level, expected) in [
        ("iam-write", Level::Critical, Route::Alert),
        ("iam-write", Level::High, Route::Alert),
        ("iam-write", Level::Medium, Route::Exempt),
        ("*", Level::Critical, Route::Alert),
        ("*", Level::High, Route::Exempt),
    ] {
        let world = world("");
        record(&world, rule);
        check(&world, level, create_user("e"), expected);
    }
    let automation = |rules: &str| {
        format!("[[exceptions.automation]]\nname = \"CI\"\nroles = [\"arn:aws:iam::{ACCOUNT}:role/deploy\"]\n{rules}")
    };
    for (rules, level, expected) in [
        ("", Level::Critical, Route::Alert),
        ("", Level::High, Route::Exempt),
        ("rules = [\"iam-write\"]", Level::High, Route::Alert),
        ("rules = [\"iam-write\", \"widens-own-rights\"]", Level::Critical, Route::Exempt),
    ] {
        let world = world(&automation(rules));
        world.iam.add_role("deploy");
        check(&world, level, by_role("deploy", "s", create_user("e")), expected);
    }
}

const LONG_AGO: &str = "2025-12-01T00:00:00Z";
const MINUTES_AGO: &str = "2026-01-02T02:50:00Z";

/// Somebody makes a call, which is only remembered.
fn happened(world: &World, who: &str, at: &str, name: &str, parameters: Value) {
    let id = format!("{name}-{who}-{at}");
    world.classified(made_at(at, by(who, event(&id, name, parameters))), &id);
}

/// The route of mallory's call, and what was said of exceptions.
fn judged(world: &World, event: Value) -> (Route, String) {
    let (incident, route) = world.checked(event);
    (route, world.stored(&incident).assessment.exceptions_checked.join(" "))
}

#[test]
fn attack_11_a_group_that_was_renamed_or_made_under_an_exempt_name_exempts_nobody() {
    for (name, parameters) in [
        ("UpdateGroup", json!({"groupName": "staff", "newGroupName": "admins"})),
        ("UpdateGroup", json!({"groupName": "staff", "newGroupName": "Admins", "newPath": "/x/"})),
        ("CreateGroup", json!({"groupName": "admins"})),
    ] {
        for (who, at, says) in [
            ("iam-test-mallory", LONG_AGO, "by the actor"),
            ("mallory2", MINUTES_AGO, "less than 24 hours"),
            ("alice", LONG_AGO, ""),
        ] {
            let world = world("");
            happened(&world, who, at, name, parameters.clone());
            world.iam.change(&mallory(), |entity| {
                entity.groups.insert("admins".to_owned());
            });
            let (route, said) = judged(&world, create_user("e"));
            assert_eq!(route, if says.is_empty() { Route::Exempt } else { Route::Act }, "{name} {who}: {said}");
            assert!(said.contains(says), "{name} {who}: {said}");
        }
    }
}

#[test]
fn attack_11_a_group_that_stands_although_it_was_deleted_or_renamed_away_exempts_nobody() {
    for (name, parameters) in
        [("DeleteGroup", json!({"groupName": "admins"})), ("UpdateGroup", json!({"groupName": "admins", "newGroupName": "old"}))]
    {
        let world = world("");
        happened(&world, "alice", LONG_AGO, name, parameters);
        world.iam.change(&mallory(), |entity| {
            entity.groups.insert("admins".to_owned());
        });
        let (route, said) = judged(&world, create_user("e"));
        assert!(route == Route::Act && said.contains("nobody knows"), "{name}: {said}");
    }
}

#[test]
fn attack_11_a_new_name_or_path_that_fits_a_recorded_exception_exempts_nobody() {
    for (name, parameters) in [
        ("UpdateUser", json!({"userName": "other", "newUserName": "iam-test-mallory"})),
        ("UpdateUser", json!({"userName": "iam-test-mallory", "newPath": "/"})),
        ("CreateUser", json!({"userName": "iam-test-mallory"})),
    ] {
        for (who, at, says) in [
            ("iam-test-mallory", LONG_AGO, "by the actor"),
            ("mallory2", MINUTES_AGO, "less than 24 hours"),
            ("alice", LONG_AGO, ""),
        ] {
            let world = world("");
            record(&world, "*");
            happened(&world, who, at, name, parameters.clone());
            let (route, said) = judged(&world, create_user("e"));
            // Whether a new name brought it into the scope is for a person to say.
            let caught = if name == "CreateUser" { vec![Route::Act] } else { vec![Route::Act, Route::Ask] };
            let expected = if says.is_empty() { vec![Route::Exempt] } else { caught };
            assert!(expected.contains(&route), "{name} {who}: {route:?} {said}");
            assert!(said.contains(says), "{name} {who}: {said}");
        }
    }
}

#[test]
fn attack_11_a_role_that_was_made_under_the_name_of_automation_is_none() {
    let automation = format!("[[exceptions.automation]]\nname = \"CI\"\nroles = [\"arn:aws:iam::{ACCOUNT}:role/deploy\"]\n");
    for (at, expected) in [(MINUTES_AGO, Route::Act), (LONG_AGO, Route::Exempt)] {
        let world = world(&automation);
        world.iam.add_role("deploy");
        let made = json!({"roleName": "deploy", "assumeRolePolicyDocument": "{}"});
        happened(&world, "mallory2", at, "CreateRole", made);
        let (incident, route) = world.checked(by_role("deploy", "s", create_user("e")));
        assert_eq!(route == Route::Exempt, expected == Route::Exempt, "{at} {:?}", world.stored(&incident).assessment);
    }
}
