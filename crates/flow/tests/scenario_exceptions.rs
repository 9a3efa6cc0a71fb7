//! Scenarios 26 and 27: exceptions that an attacker granted, or that have ended; and other exceptions that must not count.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::{CheckInput, ClassifyOutput, ErrorName};
use cordon_core::{Cause, Principal, PrincipalKind, Route};
use cordon_flow::exceptions::{self, Wanted};
use cordon_flow::ports::Clock;
use cordon_respond::IamErrorKind;
use cordon_store::TableError;
use cordon_store::{RecordedException, RuleScope};
use cordon_testkit::{Failure, When, run};
use serde_json::{Value, json};
use support::{ACCOUNT, CONFIG, World, attach, by, by_role, create_user, event, made_at};

const AUTO: &str = "[gates]\nauto = [\"admin-attached\", \"iam-write\"]\n";
const LONG_AGO: &str = "2025-12-01T00:00:00Z";

fn with(exceptions: &str) -> World {
    World::with(&format!("{CONFIG}\n{AUTO}[exceptions]\n{exceptions}\n"))
}

fn mallory() -> Principal {
    Principal::new(PrincipalKind::User, ACCOUNT.parse().unwrap(), "iam-test-mallory")
}

/// Somebody sets mallory's tags at a time, in IAM and as an event.
fn tags(world: &World, who: &str, time: &str, tags: &[(&str, &str)]) {
    let list: Vec<Value> = tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    let event = event(&format!("tag-{who}-{time}"), "TagUser", json!({"userName": "iam-test-mallory", "tags": list}));
    assert_eq!(world.classified(made_at(time, by(who, event)), time), ClassifyOutput::Ignored);
    for (key, value) in tags {
        world.iam.tag(&mallory(), key, value);
    }
}

fn untag(world: &World, who: &str, time: &str, key: &str) {
    let event = event(&format!("untag-{who}-{time}"), "UntagUser", json!({"userName": "iam-test-mallory", "tagKeys": [key]}));
    world.classified(made_at(time, by(who, event)), time);
}

fn check(world: &World, event: Value, route: Route, says: &str) {
    let (incident, found) = world.checked(event);
    let stored = world.stored(&incident);
    let said =
        format!("{} {}", stored.assessment.exceptions_checked.join(" "), stored.assessment.decision.unwrap().decision_reason);
    assert!(found == route && said.contains(says), "{found:?}, not {route:?} with {says:?}: {said}");
}

const TAG: (&str, &str) = ("SecurityApproved", "true");
const UNTIL: &str = "SecurityApprovedUntil";

#[test]
fn scenario_26_a_tag_that_the_actor_set_or_that_is_an_hour_old_does_not_count_and_is_said() {
    let world = with("");
    tags(&world, "iam-test-mallory", LONG_AGO, &[TAG]);
    check(&world, attach("e"), Route::Act, "given by the actor, so it does not count");
    let world = with("");
    tags(&world, "alice", "2026-01-02T02:04:00Z", &[TAG]);
    check(&world, attach("e"), Route::Act, "less than 24 hours before the event, so it does not count");
    let world = with("");
    tags(&world, "alice", LONG_AGO, &[TAG]);
    check(&world, attach("e"), Route::Exempt, "User has approved exception tag: SecurityApproved=true");
}

#[test]
fn scenario_26_another_spelling_a_new_name_or_a_new_end_does_not_hide_who_it_was() {
    let world = with("");
    let tag = json!([{"key": "securityapproved", "value": "true"}]);
    world.classified(made_at(LONG_AGO, event("t", "TagUser", json!({"userName": "IAM-TEST-MALLORY", "tags": tag}))), "t");
    world.iam.tag(&mallory(), TAG.0, TAG.1);
    check(&world, attach("e"), Route::Act, "given by the actor");

    let world = with("");
    let renamed = json!({"userName": "iam-test-tagged", "newUserName": "iam-test-mallory"});
    world.classified(made_at(LONG_AGO, event("t", "UpdateUser", renamed)), "t");
    world.iam.tag(&mallory(), TAG.0, TAG.1);
    check(&world, attach("e"), Route::Act, "came under this name by the actor");

    // Under their own former name: the event of a rename cannot name the caller otherwise.
    let world = with("");
    let mut renamed = event("t", "UpdateUser", json!({"userName": "iam-test-eve", "newUserName": "iam-test-mallory"}));
    renamed["detail"]["userIdentity"]["userName"] = json!("iam-test-eve");
    renamed["detail"]["userIdentity"]["arn"] = json!("arn:aws:iam::111111111111:user/division/iam-test-eve");
    world.classified(made_at(LONG_AGO, renamed), "t");
    world.iam.tag(&mallory(), TAG.0, TAG.1);
    check(&world, attach("e"), Route::Ask, "came under this name by the actor");

    let world = with("");
    tags(&world, "alice", LONG_AGO, &[TAG, (UNTIL, "2026-01-01")]);
    tags(&world, "iam-test-mallory", "2025-12-02T00:00:00Z", &[(UNTIL, "2027-01-01")]);
    check(
        &world,
        attach("e"),
        Route::Act,
        "`SecurityApprovedUntil` of `arn:aws:iam::111111111111:user/iam-test-mallory` was given by the actor",
    );

    // Without an end it would last for ever.
    let world = with("");
    tags(&world, "alice", LONG_AGO, &[TAG, (UNTIL, "2026-01-01")]);
    untag(&world, "iam-test-mallory", "2025-12-02T00:00:00Z", UNTIL);
    world.iam.change(&mallory(), |entity| {
        entity.tags.remove(UNTIL);
    });
    check(&world, attach("e"), Route::Act, "was changed by the actor");
}

#[test]
fn scenario_26_what_stands_against_the_last_event_was_set_by_nobody_knows_whom() {
    let world = with("");
    tags(&world, "alice", LONG_AGO, &[TAG]);
    untag(&world, "alice", "2025-12-02T00:00:00Z", TAG.0);
    check(&world, attach("e"), Route::Act, "nobody knows who gave it again");

    let world = with("");
    tags(&world, "alice", LONG_AGO, &[("SecurityApproved", "false")]);
    world.iam.tag(&mallory(), TAG.0, TAG.1);
    check(&world, attach("e"), Route::Act, "nobody knows who changed it since");
}

#[test]
fn scenario_26_a_tag_that_nobody_was_seen_setting_counts_only_where_provenance_is_not_required() {
    let world = with("");
    world.iam.tag(&mallory(), TAG.0, TAG.1);
    check(&world, attach("e"), Route::Exempt, "before Cordon could see who did it");
    let world = with("require_provenance = true");
    world.iam.tag(&mallory(), TAG.0, TAG.1);
    check(&world, attach("e"), Route::Act, "require_provenance wants, so it does not count");
    let world = with("require_provenance = true");
    world.iam.join(&mallory(), "admins");
    check(&world, create_user("e"), Route::Act, "require_provenance wants, so it does not count");
    let world = with("require_provenance = true");
    tags(&world, "alice", LONG_AGO, &[TAG]);
    check(&world, attach("e"), Route::Exempt, "given by `arn:aws:iam::111111111111:user/alice`");
}

#[test]
fn scenario_27_an_exception_that_ended_yesterday_does_not_count_and_is_said() {
    let until = |value: &str, route: Route, says: &str| {
        let world = with("");
        tags(&world, "alice", LONG_AGO, &[TAG, (UNTIL, value)]);
        check(&world, attach("e"), route, says);
    };
    until("2026-01-01", Route::Act, "ended: `SecurityApprovedUntil` is `2026-01-01`, so the exception tag does not count");
    until("2026-01-02T03:03:59Z", Route::Act, "ended");
    until("2026-01-02", Route::Exempt, "until 2026-01-02");
    until("2026-01-02T03:04:01Z", Route::Exempt, "until");
    until("next year", Route::Act, "neither a date nor an RFC 3339 time");
    until("", Route::Act, "neither a date nor an RFC 3339 time");
    let world = with("require_until = true");
    tags(&world, "alice", LONG_AGO, &[TAG]);
    check(&world, attach("e"), Route::Act, "require_until wants");
}

fn recorded(world: &World, until: &str, by: &str) -> RecordedException {
    let wanted = Wanted {
        principal: mallory().arn(),
        rule: RuleScope::Rule("admin-attached".parse().unwrap()),
        until: until.to_owned(),
        reason: "Moves the accounts".to_owned(),
        owner: Some("Platform".to_owned()),
    };
    let caller = [format!("arn:aws:iam::{ACCOUNT}:user/{by}")];
    let recorded = exceptions::record(&wanted, &caller, &world.config, world.clock.now()).unwrap();
    run(world.store().add_exception(&recorded, world.clock.now())).unwrap();
    recorded
}

#[test]
fn scenario_27_a_recorded_exception_counts_until_its_end_and_its_owner_is_on_the_timeline() {
    let world = with("");
    let exception = recorded(&world, "2026-01-05", "approver");
    let later = |time: &str, id: &str| made_at(time, attach(id));
    world.clock.pass(3_600);
    check(&world, later("2026-01-02T04:00:00Z", "e1"), Route::Exempt, "of Platform for");
    let incident =
        world.table.keys().iter().find_map(|key| key.strip_prefix("INCIDENT#")?.strip_suffix("/HEAD")?.parse().ok()).unwrap();
    let decided =
        run(world.store().timeline(&incident)).unwrap().into_iter().find(|entry| entry.data["route"] == "exempt").unwrap();
    let by = &decided.data["exempted_by"][0];
    assert_eq!(
        (&by["exception"], &by["owner"], &by["reason"]),
        (&json!(exception.id), &json!("Platform"), &json!("Moves the accounts"))
    );
    // Another rule, and another actor, are not meant.
    check(&world, made_at("2026-01-02T04:00:00Z", create_user("e2")), Route::Act, "");
    world.iam.add_user("iam-test-other");
    let other = event("e3", "AttachUserPolicy", json!({"userName": "iam-test-mallory", "policyArn": support::ADMIN_POLICY}));
    check(&world, made_at("2026-01-02T04:00:00Z", by_user("iam-test-other", other)), Route::Act, "");

    let world = with("");
    recorded(&world, "2026-01-05", "approver");
    world.clock.pass(4 * 24 * 3_600);
    check(&world, later("2026-01-06T03:00:00Z", "e"), Route::Act, "ended at 2026-01-06T00:00:00Z, so it does not count");
}

fn by_user(name: &str, event: Value) -> Value {
    by(name, event)
}

#[test]
fn an_exception_in_the_table_that_no_approver_recorded_does_not_count() {
    let world = with("");
    let exception = recorded(&world, "2026-01-05", "approver");
    let forge = |world: &World, by: &str| {
        let mut forged = serde_json::to_value(&exception).unwrap();
        forged["created_by"] = json!(by);
        forged["created_at"] = json!("2026-01-02T00:00:00Z");
        world.table.put("EXCEPTIONS", &format!("EXCEPTION#{}", exception.id), forged);
    };
    for (by, says) in [
        ("arn:aws:iam::111111111111:user/iam-test-mallory", "recorded by the actor"),
        ("arn:aws:iam::111111111111:user/eve", "who is not an approver"),
    ] {
        let world = with("");
        forge(&world, by);
        check(&world, attach("e"), Route::Act, says);
    }
}

#[test]
fn trusted_automation_is_known_by_its_role_and_never_by_a_session_or_an_agent() {
    let automation =
        format!("[[exceptions.automation]]\nname = \"Deploy\"\nroles = [\"arn:aws:iam::{ACCOUNT}:role/iam-test-deploy\"]");
    let world = || {
        let world = with(&automation);
        world.iam.add_role("iam-test-deploy");
        world.iam.add_role("iam-test-deploy2");
        world
    };
    check(
        &world(),
        by_role("iam-test-deploy", "x", create_user("e")),
        Route::Exempt,
        "trusted automation of cordon.toml: Deploy",
    );
    check(&world(), by_role("iam-test-deploy2", "iam-test-deploy", create_user("e")), Route::Act, "");
    let mut agent = by("iam-test-mallory", create_user("e"));
    agent["detail"]["userAgent"] = json!("iam-test-deploy");
    check(&world(), agent, Route::Act, "");
}

#[test]
fn a_rule_that_honours_none_is_not_to_be_exempted_from() {
    let world = with(&format!(
        "[[exceptions.automation]]\nname = \"Mallory\"\nroles = [\"arn:aws:iam::{ACCOUNT}:role/iam-test-deploy\"]"
    ));
    let role = world.iam.add_role("iam-test-deploy");
    world.iam.tag(&role, TAG.0, TAG.1);
    let mut tagging = by_role("iam-test-deploy", "x", event("e", "TagUser", json!({"userName": "iam-test-mallory", "tags": []})));
    tagging["detail"]["userAgent"] = json!("honours-none");
    let (incident, route) = world.checked(tagging);
    assert_ne!(route, Route::Exempt);
    assert!(world.stored(&incident).assessment.exceptions_checked.join(" ").contains("honours no exception"));
}

#[test]
fn every_read_that_can_fail_asks_and_neither_exempts_nor_acts() {
    let asks = |world: &World, event: Value, says: &str| check(world, event, Route::Ask, says);
    for (action, event, says) in [
        ("iam:ListUserTags", attach("e"), "The tags of"),
        ("iam:ListGroupsForUser", create_user("e"), "The groups of"),
        ("iam:GetUser", attach("e"), "could not be read while planning"),
    ] {
        let world = with("");
        world.iam.faults().strike_action(action, When::Before, Failure::Error(IamErrorKind::AccessDenied));
        asks(&world, event, says);
    }
    for (prefix, says) in [
        ("TAG#", "Who gave the tag"),
        ("EXCEPTIONS", "The recorded exceptions could not be read"),
        ("RATE#", "The budget of automatic enforcements could not be read"),
        ("SWITCH", "Whether enforcement is stopped could not be read"),
    ] {
        let world = with("");
        if prefix == "TAG#" {
            world.iam.tag(&mallory(), TAG.0, TAG.1);
        }
        *world.table.unreadable.lock().unwrap() = Some((prefix.to_owned(), TableError::Refused(Cause::new("AccessDenied"))));
        asks(&world, attach("e"), says);
    }
    let world = with("");
    world.table.put("EXCEPTIONS", "EXCEPTION#exc-000000000000", json!({"not": "an exception"}));
    asks(&world, attach("e"), "The recorded exceptions could not be read");

    let world = with("");
    *world.accounts.refuses.lock().unwrap() = Some(IamErrorKind::AccessDenied);
    asks(&world, attach("e"), "`sts:AssumeRole` failed: access is denied");
    let mut undated = attach("e");
    undated["detail"]["eventTime"] = Value::Null;
    asks(&with(""), undated, "does not say when");
}

#[test]
fn a_table_that_is_only_busy_is_read_again_rather_than_asked_about() {
    for prefix in ["EXCEPTIONS", "RATE#", "SWITCH"] {
        let world = with("");
        let ClassifyOutput::Opened { incident } = world.classified(attach("e"), "one") else { panic!("not opened") };
        *world.table.unreadable.lock().unwrap() = Some((prefix.to_owned(), TableError::Transient(Cause::new("throttled"))));
        let again = || run(world.check().run(CheckInput { incident: incident.clone() }));
        assert_eq!(again().unwrap_err().name, ErrorName::Transient, "{prefix}");
        *world.table.unreadable.lock().unwrap() = None;
        assert_eq!(again().unwrap().route, Route::Act, "{prefix}");
    }
}

#[test]
fn tags_are_read_in_the_account_of_whom_they_are_on() {
    let world = with("");
    // An actor of another account, with the name of somebody who is exempt in ours.
    world.iam.tag(&mallory(), TAG.0, TAG.1);
    let mut foreign = create_user("e");
    foreign["detail"]["userIdentity"]["accountId"] = json!("222222222222");
    foreign["detail"]["userIdentity"]["arn"] = json!("arn:aws:iam::222222222222:user/iam-test-mallory");
    let (incident, route) = world.checked(foreign);
    assert_eq!(route, Route::Ask, "{:?}", world.stored(&incident).assessment.decision);
    assert!(world.accounts.opened.lock().unwrap().contains(&format!("222222222222 {incident}")));
}
