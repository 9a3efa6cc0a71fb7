//! Scenarios 1, 2, 3, 24, 29, 30 and 31: repeated deliveries, Cordon's own changes, failing services, bursts, drills.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;

use cordon_contract::{CheckInput, ClassifyInput, ClassifyOutput, ErrorName, NotifyInput, RemediateInput};
use cordon_core::decision::Decision;
use cordon_core::pattern::Pattern;
use cordon_core::{Cause, IncidentId, Outcome, Principal, PrincipalKind, Route, State};
use cordon_flow::check::Check;
use cordon_flow::classify::Classify;
use cordon_respond::IamErrorKind;
use cordon_store::TableError;
use cordon_testkit::{Failure, When, run};
use serde_json::{Value, json};
use support::{ACCOUNT, ADMIN_POLICY, CONFIG, FakeRules, World, attach, by, by_role, create_user, event, made_at};

const AUTO: &str = "[gates]\nauto = [\"admin-attached\", \"iam-write\"]\n";

fn auto(more: &str) -> World {
    World::with(&format!("{CONFIG}\n{AUTO}{more}"))
}

fn user(name: &str) -> Principal {
    Principal::new(PrincipalKind::User, ACCOUNT.parse().unwrap(), name)
}

fn check(world: &World, incident: &IncidentId) -> Route {
    world.retried(|world| run(world.check().run(CheckInput { incident: incident.clone() }))).unwrap().route
}

fn classify(world: &World, event: &Value, execution: &str) -> ClassifyOutput {
    let input = || ClassifyInput { event: event.clone(), execution: execution.to_owned() };
    world.retried(|world| run(world.classify().run(input()))).unwrap()
}

#[test]
fn scenario_01_fifty_deliveries_at_once_are_one_incident_one_message_and_one_set_of_changes() {
    let world = auto("");
    let outcomes = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for n in 0..50 {
            let (world, outcomes) = (&world, &outcomes);
            scope.spawn(move || {
                let outcome = classify(world, &attach("e"), &format!("execution-{n}"));
                if let ClassifyOutput::Opened { incident } = &outcome {
                    assert_eq!(check(world, incident), Route::Act);
                    assert_eq!(world.carried_out(incident), Outcome::Contained);
                }
                outcomes.lock().unwrap().push(outcome);
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap();
    let opened: Vec<_> = outcomes.iter().filter(|outcome| matches!(outcome, ClassifyOutput::Opened { .. })).collect();
    let duplicates = outcomes.iter().filter(|outcome| matches!(outcome, ClassifyOutput::Duplicate { .. })).count();
    assert_eq!((opened.len(), duplicates), (1, 49));
    assert_eq!(world.table.keys().iter().filter(|key| key.ends_with("/HEAD")).count(), 1);
    assert_eq!(world.heard.posts.lock().unwrap().len(), 1);
    let writes: Vec<String> = world.iam.writes().iter().map(|call| call.action.clone()).collect();
    assert_eq!(writes, ["iam:PutUserPolicy", "iam:DetachUserPolicy"]);
}

#[test]
fn scenario_02_one_call_recorded_in_two_accounts_is_one_incident_with_both_records() {
    let world = World::new();
    let shared = |id: &str, account: &str| {
        // Of a caller from outside nothing can be undone here, and they are stopped on the record of their own account.
        let mut event = create_user(id);
        event["detail"]["sharedEventID"] = json!("shared-1");
        event["account"] = json!(account);
        event["detail"]["recipientAccountId"] = json!(account);
        event
    };
    let ClassifyOutput::Opened { incident } = classify(&world, &shared("e1", ACCOUNT), "one") else { panic!("not opened") };
    let merged = ClassifyOutput::Merged { incident: incident.clone() };
    assert_eq!(classify(&world, &shared("e2", "222222222222"), "two"), merged);
    assert_eq!(classify(&world, &shared("e2", "222222222222"), "two"), merged);
    assert_eq!(world.table.keys().iter().filter(|key| key.ends_with("/HEAD")).count(), 1);
    let timeline = run(world.store().timeline(&incident)).unwrap();
    assert_eq!((&timeline[0].data["event"], world.joined(&incident)), (&json!("e1"), vec!["e2".to_owned()]));
}

#[test]
fn scenario_03_a_redelivery_after_the_end_changes_nothing_and_tells_nobody() {
    let world = auto("");
    let (incident, _) = world.checked(attach("e"));
    assert_eq!(world.carried_out(&incident), Outcome::Contained);
    let before = (world.stored(&incident), world.timeline(&incident), world.iam.state());
    let told = (world.heard.posts.lock().unwrap().len(), world.heard.published.lock().unwrap().len());
    world.clock.pass(29 * 24 * 3_600);
    for n in 0..3 {
        let late = classify(&world, &attach("e"), &format!("late-{n}"));
        assert_eq!(late, ClassifyOutput::Duplicate { incident: incident.clone() });
    }
    assert_eq!((world.stored(&incident), world.timeline(&incident), world.iam.state()), before);
    assert_eq!((world.heard.posts.lock().unwrap().len(), world.heard.published.lock().unwrap().len()), told);
}

const WIDE: &str = "[scope]\nprincipals = [\"arn:aws:iam::*:user/*\", \"arn:aws:iam::*:role/*\"]\nnever_touch = [\"arn:aws:iam::111111111111:user/break-glass\"]\n";

fn own() -> Vec<Pattern> {
    vec![Pattern::new(&format!("arn:aws:iam::{ACCOUNT}:role/cordon-remediate"))]
}

#[test]
fn scenario_24_cordons_own_roles_and_never_touch_principals_are_left_alone() {
    let checked = |event: Value| {
        let world = auto(WIDE);
        for name in ["cordon-remediate", "cordon-remediate2"] {
            world.iam.attach(&world.iam.add_role(name), ADMIN_POLICY);
        }
        world.iam.attach(&world.iam.add_user("break-glass"), ADMIN_POLICY);
        let ClassifyOutput::Opened { incident } = world.classified(event, "x") else { panic!("not opened") };
        let own = own();
        let check =
            Check { store: world.store(), config: &world.config, accounts: &world.accounts, own: &own, clock: &world.clock };
        run(check.run(CheckInput { incident: incident.clone() })).unwrap();
        (world, incident)
    };
    let on_role = |role: &str| event("e", "AttachRolePolicy", json!({"roleName": role, "policyArn": ADMIN_POLICY}));
    let on_user = |name: &str| event("e", "AttachUserPolicy", json!({"userName": name, "policyArn": ADMIN_POLICY}));
    for (event, left_alone, says) in [
        (on_role("cordon-remediate"), "role/cordon-remediate", "Cordon's own"),
        (on_user("break-glass"), "user/break-glass", "never_touch"),
        (by_role("cordon-remediate", "x", create_user("e")), "role/cordon-remediate", "Cordon's own"),
        (by("break-glass", create_user("e")), "user/break-glass", "never_touch"),
    ] {
        let (world, incident) = checked(event);
        let stored = world.stored(&incident);
        let targets: Vec<String> = stored.assessment.plan.steps.iter().map(|step| step.target.arn()).collect();
        assert!(!targets.iter().any(|target| target.ends_with(left_alone)), "{targets:?}");
        assert!(stored.assessment.plan.by_hand.join(" ").contains(says), "{:?}", stored.assessment.plan.by_hand);
    }
    // A name that only looks like one of Cordon's is nobody's.
    let (world, incident) = checked(on_role("cordon-remediate2"));
    assert!(world.stored(&incident).assessment.plan.steps.iter().any(|step| step.target.arn().ends_with("/cordon-remediate2")));
}

#[test]
fn scenario_24_cordons_own_change_opens_no_incident_and_a_look_alike_does() {
    let world = auto(WIDE);
    let own = own();
    let classified = |id: &str, role: &str, policy: &str| {
        let put =
            event(id, "PutUserPolicy", json!({"userName": "iam-test-mallory", "policyName": policy, "policyDocument": "{}"}));
        let classify = Classify {
            store: world.store(),
            rules: &FakeRules,
            policies: &world.heard,
            config: &world.config,
            own: &own,
            clock: &world.clock,
            relay_source: None,
        };
        let event = by_role(role, "session", put);
        run(classify.run(ClassifyInput { event, execution: id.to_owned() })).unwrap()
    };
    let deny = "CordonDenyIam-inc-0123456789abcdef0123";
    let parameters = [("UserName", "iam-test-mallory"), ("PolicyName", deny), ("PolicyDocument", "{}")];
    let call = cordon_core::Call::new("iam:PutUserPolicy", parameters);
    let now = cordon_flow::ports::Clock::now(&world.clock);
    run(world.store().announce(Some(&ACCOUNT.parse().unwrap()), &[call], now)).unwrap();
    assert_eq!(classified("e1", "cordon-remediate", deny), ClassifyOutput::Ignored);
    assert!(matches!(classified("e2", "cordon-remediate", "backdoor"), ClassifyOutput::Opened { .. }));
    assert!(matches!(classified("e3", "cordon-remediate2", deny), ClassifyOutput::Opened { .. }));
}

#[test]
fn scenario_29_a_throttled_table_is_waited_for_inside_the_budget_of_retries() {
    let world = auto("");
    let throttled = || Some(TableError::Transient(Cause::new("ThrottlingException")));
    // Every state's first write is throttled as often as the state machine runs it again.
    let all = || (0..support::transient_retries()).map(|_| throttled()).collect::<Vec<_>>();
    *world.table.failures.lock().unwrap() = all();
    let ClassifyOutput::Opened { incident } = classify(&world, &attach("e"), "one") else { panic!("not opened") };
    *world.table.failures.lock().unwrap() = all();
    assert_eq!(check(&world, &incident), Route::Act);
    *world.table.failures.lock().unwrap() = all();
    assert_eq!(world.carried_out(&incident), Outcome::Contained);
    let writes: Vec<String> = world.iam.writes().iter().map(|call| call.action.clone()).collect();
    assert_eq!(writes, ["iam:PutUserPolicy", "iam:DetachUserPolicy"], "nothing twice");
}

#[test]
fn scenario_29_iam_that_goes_on_throttling_ends_as_failed_and_people_are_told() {
    for kind in [IamErrorKind::Transient, IamErrorKind::Conflict] {
        let world = auto("");
        let (incident, _) = world.checked(attach("e"));
        world.iam.faults().strike_action("iam:PutUserPolicy", When::Before, Failure::Error(kind));
        world.iam.forget_calls();
        let apply = |world: &World| run(world.remediate().run(RemediateInput::Apply { incident: incident.clone() }));
        let error = world.retried(apply).unwrap_err();
        assert_eq!(error.name, ErrorName::Transient);
        // What the definition's Catch leads to.
        let failure = NotifyInput::Failure {
            event: None,
            incident: Some(incident.clone()),
            execution: "one".to_owned(),
            state: "Remediate".to_owned(),
            error: error.name.as_str().to_owned(),
            cause: error.message,
        };
        run(world.notify().run(failure)).unwrap();
        assert_eq!(world.stored(&incident).outcome, Some(Outcome::Failed));
        let published = world.heard.published.lock().unwrap();
        assert_eq!(published.last().unwrap().1["message"], "failure");
        assert!(published.last().unwrap().1["failure"]["cause"].as_str().unwrap().contains("iam:PutUserPolicy"));
        // It passes: the same state goes on after what is certain.
        world.iam.faults().clear();
        apply(&world).unwrap();
        assert!(!world.iam.entity(&user("iam-test-mallory")).unwrap().attached.contains(ADMIN_POLICY));
    }
}

#[test]
fn scenario_30_a_burst_is_accounted_for_merged_and_held_by_the_budget() {
    const EVENTS: usize = 1_000;
    const ACTORS: usize = 10;
    const BUDGET: usize = 3;
    let world = auto(&format!("[limits]\nenforcements_per_hour = {BUDGET}\n"));
    for n in 0..ACTORS {
        world.iam.attach(&world.iam.add_user(&format!("iam-test-{n}")), ADMIN_POLICY);
    }
    let outcomes = Mutex::new(Vec::new());
    let burst = |n: usize| {
        let name = format!("iam-test-{}", n % ACTORS);
        let attach = event(&format!("e{n}"), "AttachUserPolicy", json!({"userName": name, "policyArn": ADMIN_POLICY}));
        let outcome = classify(&world, &by(&name, attach), &format!("execution-{n}"));
        outcomes.lock().unwrap().push(outcome);
    };
    thread::scope(|scope| {
        for part in 0..4 {
            let burst = &burst;
            scope.spawn(move || (part..EVENTS).step_by(4).for_each(burst));
        }
    });
    let outcomes = outcomes.into_inner().unwrap();
    let merged = outcomes.iter().filter(|outcome| matches!(outcome, ClassifyOutput::Merged { .. })).count();
    let opened: Vec<IncidentId> = outcomes
        .iter()
        .filter_map(|outcome| if let ClassifyOutput::Opened { incident } = outcome { Some(incident.clone()) } else { None })
        .collect();
    assert_eq!((opened.len(), merged), (ACTORS, EVENTS - ACTORS));

    let routes = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for incident in &opened {
            let (world, routes) = (&world, &routes);
            scope.spawn(move || {
                let route = check(world, incident);
                assert_eq!(check(world, incident), route, "a retry takes nothing more");
                if route == Route::Act {
                    assert_eq!(world.carried_out(incident), Outcome::Contained);
                }
                routes.lock().unwrap().push((incident, route));
            });
        }
    });
    let routes = routes.into_inner().unwrap();
    assert_eq!(routes.iter().filter(|(_, route)| *route == Route::Act).count(), BUDGET);
    for (incident, _) in routes.iter().filter(|(_, route)| *route == Route::Ask) {
        let reason = world.stored(incident).assessment.decision.unwrap().decision_reason;
        assert!(reason.contains("budget of 3 automatic enforcements an hour"), "{reason}");
    }
    let changed: BTreeSet<String> =
        world.iam.writes().iter().filter_map(|call| call.parameters.get("UserName").cloned()).collect();
    assert_eq!(changed.len(), BUDGET);
    let joined: usize = opened.iter().map(|incident| world.joined(incident).len()).sum();
    assert_eq!(joined, EVENTS - ACTORS, "every event stands in an incident");
    for incident in &opened {
        world.timeline(incident);
    }
    // The next hour has a budget of its own.
    world.clock.pass(3_600);
    world.iam.attach(&user("iam-test-mallory"), ADMIN_POLICY);
    assert_eq!(world.checked(attach("next")).1, Route::Act);
}

#[test]
fn scenario_31_a_drill_or_a_relay_in_production_is_at_most_an_alert_and_never_a_change() {
    for source in ["cordon.drill", "cordon.sandbox", "AWS.iam", "aws", ""] {
        let world = auto("");
        let before = world.iam.state();
        let mut forged = attach("e");
        forged["source"] = json!(source);
        let (incident, route) = world.checked(forged);
        assert_eq!(route, Route::Alert, "{source}");
        // Even where the header were made to say otherwise, the last gate asks again.
        let forced =
            Decision { route: Route::Act, approved_for_remediation: true, decision_reason: String::new(), dry_run: false };
        let (store, now) = (world.store(), world.stored(&incident).updated_at);
        let commit = store.commit(&incident, now, |stored| {
            stored.assessment.decision = Some(forced.clone());
            stored.state = State::Decided;
            Some(vec![])
        });
        run(commit).unwrap();
        let applied = run(world.remediate().run(RemediateInput::Apply { incident: incident.clone() }));
        assert_eq!(applied.unwrap_err().name, ErrorName::Refused, "{source}");
        assert_eq!(world.iam.state(), before);
        // Nor does it say who gave an exception.
        let tags = json!([{"key": "SecurityApproved", "value": "true"}]);
        let mut tagging = by("alice", event("t", "TagUser", json!({"userName": "iam-test-mallory", "tags": tags})));
        tagging["source"] = json!(source);
        world.classified(tagging, "t");
        assert!(!world.table.keys().iter().any(|key| key.starts_with("TAG#")), "{source}");
    }
}

#[test]
fn an_event_older_than_the_limit_only_alerts_and_says_so() {
    let world = auto("[limits]\nmax_event_age_minutes = 60\n");
    let (incident, route) = world.checked(made_at("2026-01-02T02:04:04Z", attach("old")));
    assert_eq!(route, Route::Alert);
    let reason = world.stored(&incident).assessment.decision.unwrap().decision_reason;
    assert!(reason.contains("the event is 1 h 0 min old"), "{reason}");
    assert!(run(world.remediate().run(RemediateInput::Apply { incident })).is_err());
    assert_eq!(auto("").checked(made_at("2026-01-02T02:04:04Z", attach("young"))).1, Route::Act);
}

#[test]
fn a_budget_of_nothing_asks_before_every_change() {
    let world = auto("[limits]\nenforcements_per_hour = 0\n");
    assert_eq!(world.checked(attach("e")).1, Route::Ask);
}
