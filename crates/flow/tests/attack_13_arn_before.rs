//! Attacks by a new name or path: nobody comes off the plan, and nobody onto it, by an ARN that they got lately.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::{CheckInput, ClassifyInput, ClassifyOutput, RemediateOutput};
use cordon_core::{Detection, IncidentId, Level, Principal, PrincipalKind, RemedyKind, Response, Route};
use cordon_detect::enrich::Documents;
use cordon_flow::classify::{Classify, Rules};
use cordon_flow::decide::{Answer, Choice};
use cordon_testkit::run;
use serde_json::{Value, json};
use support::asking::{apply, ask, click, verify};
use support::{ACCOUNT, ADMIN_POLICY, APPROVER, CONFIG, World, attach, by, event, made_at};

const WIDE: &str = "[scope]\nprincipals = [\"arn:aws:iam::*:user/*\", \"arn:aws:iam::*:group/*\"]\n\
    never_touch = [\"arn:aws:iam::111111111111:user/break-glass/iam-test-*\", \"arn:aws:iam::111111111111:group/break-glass/staff\"]\n";
const NARROW: &str = "[scope]\nprincipals = [\"arn:aws:iam::*:user/iam-test-*\"]\n";
const LONG_AGO: &str = "2025-12-01T00:00:00Z";
const MINUTES_AGO: &str = "2026-01-02T02:50:00Z";

fn world(scope: &str) -> World {
    World::with(&format!("{CONFIG}\n[gates]\nauto = [\"admin-attached\"]\n{scope}"))
}

/// IAM has mallory under a path.
fn stands_at(world: &World, path: &str) -> Principal {
    let mallory = world.iam.add(PrincipalKind::User, path, "iam-test-mallory");
    world.iam.attach(&mallory, ADMIN_POLICY);
    mallory
}

fn happened(world: &World, who: &str, at: &str, name: &str, parameters: Value) {
    let id = format!("{name}-{who}-{at}");
    world.classified(made_at(at, by(who, event(&id, name, parameters))), &id);
}

fn moved(path: &str) -> Value {
    json!({"userName": "iam-test-mallory", "newPath": path})
}

/// Self-moves say the path from before.
fn moved_themself(world: &World, at: &str, from: &str, to: &str) {
    let mut call = made_at(at, event(&format!("self-{at}"), "UpdateUser", moved(to)));
    call["detail"]["userIdentity"]["arn"] = json!(format!("arn:aws:iam::{ACCOUNT}:user{from}iam-test-mallory"));
    world.classified(call, &format!("self-{at}"));
}

/// Whether the plan holds something, and what is said.
fn judged(world: &World, event: Value) -> (IncidentId, Route, bool, String) {
    let (incident, route) = world.checked(event);
    let stored = world.stored(&incident).assessment;
    let said = format!("{} {}", stored.decision.unwrap().decision_reason, stored.plan.by_hand.concat());
    (incident, route, !stored.plan.steps.is_empty(), said)
}

fn is_carried_out_once_approved(world: &World, incident: &IncidentId) {
    ask(world, incident, "token-1", true);
    assert_eq!(click(world, incident, APPROVER, Choice::Approve), Answer::Accepted(Choice::Approve));
    assert_eq!(apply(world, incident), Ok(RemediateOutput::Applied));
    assert_eq!(verify(world, incident), Ok(RemediateOutput::Contained));
}

#[test]
fn attack_13_a_new_path_puts_nobody_onto_never_touch() {
    type Move = fn(&World);
    let moves: [(Move, &str); 5] = [
        (|world| happened(world, "mallory2", MINUTES_AGO, "UpdateUser", moved("/break-glass/")), "is not known"),
        (|world| moved_themself(world, MINUTES_AGO, "/", "/break-glass/"), "before that it was"),
        (|world| moved_themself(world, LONG_AGO, "/", "/break-glass/"), "before that it was"),
        (
            |world| {
                let made = json!({"userName": "iam-test-mallory", "path": "/break-glass/"});
                happened(world, "mallory2", MINUTES_AGO, "CreateUser", made);
            },
            "made it",
        ),
        (
            |world| {
                let made = json!({"userName": "x", "path": "/break-glass/"});
                happened(world, "mallory2", MINUTES_AGO, "CreateUser", made);
                // In the same second.
                let renamed = json!({"userName": "x", "newUserName": "iam-test-mallory"});
                happened(world, "mallory2", MINUTES_AGO, "UpdateUser", renamed);
            },
            "never_touch",
        ),
    ];
    for (number, (make, says)) in moves.into_iter().enumerate() {
        let world = world(WIDE);
        stands_at(&world, "/break-glass/");
        make(&world);
        let (incident, route, planned, said) = judged(&world, attach("e"));
        assert_eq!((route, planned), (Route::Ask, true), "{number}: {said}");
        assert!(said.contains("never_touch") && said.contains(says), "{number}: {said}");
        is_carried_out_once_approved(&world, &incident);
    }
}

#[test]
fn attack_13_an_old_place_on_never_touch_that_somebody_else_gave_protects() {
    for make in [
        (|_: &World| ()) as fn(&World),
        |world| happened(world, "alice", LONG_AGO, "UpdateUser", moved("/break-glass/")),
        |world| {
            let made = json!({"userName": "iam-test-mallory", "path": "/break-glass/"});
            happened(world, "alice", LONG_AGO, "CreateUser", made);
        },
    ] {
        let world = world(WIDE);
        stands_at(&world, "/break-glass/");
        make(&world);
        let (_, route, planned, said) = judged(&world, attach("e"));
        assert_eq!((route, planned), (Route::Alert, false), "{said}");
        assert!(said.contains("never_touch"), "{said}");
    }
}

#[test]
fn attack_13_a_break_glass_user_who_was_moved_away_is_still_never_changed_and_a_person_is_asked() {
    let world = world(WIDE);
    moved_themself(&world, MINUTES_AGO, "/break-glass/", "/");
    let (_, route, planned, said) = judged(&world, attach("e"));
    assert_eq!((route, planned), (Route::Ask, false), "{said}");
    assert!(said.contains("never_touch"), "{said}");
    assert!(world.iam.writes().is_empty());
}

#[test]
fn attack_13_a_new_path_takes_nobody_out_of_the_scope_and_brings_nobody_into_it() {
    for make in [
        (|world: &World| happened(world, "mallory2", MINUTES_AGO, "UpdateUser", moved("/x/"))) as fn(&World),
        |world| moved_themself(world, MINUTES_AGO, "/", "/x/"),
        // Twice, so that the place before the last move is out of the scope, too.
        |world| {
            moved_themself(world, "2026-01-02T02:40:00Z", "/", "/y/");
            moved_themself(world, MINUTES_AGO, "/y/", "/x/");
        },
        // The later one is delivered first.
        |world| {
            moved_themself(world, MINUTES_AGO, "/y/", "/x/");
            moved_themself(world, "2026-01-02T02:40:00Z", "/", "/y/");
        },
    ] {
        let world = world(NARROW);
        stands_at(&world, "/x/");
        make(&world);
        let (incident, route, planned, said) = judged(&world, attach("e"));
        assert_eq!((route, planned), (Route::Ask, true), "{said}");
        is_carried_out_once_approved(&world, &incident);
    }
    let world = world(NARROW);
    moved_themself(&world, MINUTES_AGO, "/x/", "/");
    let (_, route, planned, said) = judged(&world, attach("e"));
    assert_eq!((route, planned), (Route::Ask, false), "{said}");
    assert!(said.contains("scope.principals"), "{said}");
}

#[test]
fn attack_13_a_new_name_brings_nobody_into_the_scope() {
    let world = world(NARROW);
    happened(&world, "mallory2", MINUTES_AGO, "UpdateUser", json!({"userName": "prod", "newUserName": "iam-test-mallory"}));
    let (_, route, planned, said) = judged(&world, attach("e"));
    assert_eq!((route, planned), (Route::Ask, false), "{said}");
    assert!(said.contains(":user/prod` matches no pattern of scope.principals"), "{said}");
}

#[test]
fn attack_13_a_new_path_after_the_approval_takes_nothing_out_of_the_plan() {
    let world = World::with(&format!("{CONFIG}\n{WIDE}"));
    let (incident, route) = world.checked(attach("e"));
    assert_eq!(route, Route::Ask);
    ask(&world, &incident, "token-1", true);
    let mallory = Principal::new(PrincipalKind::User, ACCOUNT.parse().unwrap(), "iam-test-mallory");
    world.iam.change(&mallory, |entity| {
        entity.path = "/break-glass/".to_owned();
        entity.arn = format!("arn:aws:iam::{ACCOUNT}:user/break-glass/iam-test-mallory");
    });
    assert_eq!(click(&world, &incident, APPROVER, Choice::Approve), Answer::Accepted(Choice::Approve));
    assert_eq!(apply(&world, &incident), Ok(RemediateOutput::Applied));
    assert_eq!(verify(&world, &incident), Ok(RemediateOutput::Contained));
}

#[test]
fn attack_13_what_was_seen_of_an_arn_and_cannot_be_read_asks() {
    let world = world(WIDE);
    world.table.put(&format!("ARN#{ACCOUNT}#user#iam-test-mallory"), "ARN", json!({"by": 1}));
    let (incident, route) = world.checked(attach("e"));
    assert_eq!(route, Route::Ask, "{:?}", world.stored(&incident).assessment.decision);
    assert!(world.iam.writes().is_empty());
}

#[test]
fn attack_13_an_event_without_a_suspicious_move_is_answered_without_asking() {
    for scope in [WIDE, NARROW] {
        let world = world(scope);
        happened(&world, "alice", LONG_AGO, "CreateUser", json!({"userName": "iam-test-mallory"}));
        let (_, route, planned, said) = judged(&world, attach("e"));
        assert_eq!((route, planned), (Route::Act, true), "{said}");
    }
}

/// A membership is undone.
struct Memberships;

impl Rules for Memberships {
    fn evaluate(&self, record: &Value, _facts: &Documents) -> Vec<Detection> {
        if record["eventName"] != "AddUserToGroup" {
            return Vec::new();
        }
        let response =
            Response { revert: vec![RemedyKind::RemoveFromGroup], contain: vec![], gate: Default::default(), exceptions: vec![] };
        vec![Detection {
            rule: "admin-attached".parse().unwrap(),
            title: "Membership".to_owned(),
            author: "Test".to_owned(),
            level: Level::High,
            description: "It is dangerous.".to_owned(),
            tags: vec![],
            response: Some(response),
        }]
    }
}

#[test]
fn attack_13_a_group_that_got_a_new_path_shields_no_membership() {
    let world = world(WIDE);
    let group = world.iam.add(PrincipalKind::Group, "/break-glass/", "staff");
    let bob = world.iam.add_user("bob");
    world.iam.join(&bob, &group.name);
    happened(&world, "iam-test-mallory", MINUTES_AGO, "UpdateGroup", json!({"groupName": "staff", "newPath": "/break-glass/"}));
    let classify = Classify { rules: &Memberships, ..world.classify() };
    let added = event("e", "AddUserToGroup", json!({"userName": "bob", "groupName": "staff"}));
    let ClassifyOutput::Opened { incident } =
        run(classify.run(ClassifyInput { event: added, execution: "execution-1".to_owned() })).unwrap()
    else {
        panic!("not opened")
    };
    let route = run(world.check().run(CheckInput { incident: incident.clone() })).unwrap().route;
    let plan = world.stored(&incident).assessment.plan;
    assert_eq!((route, plan.steps.len()), (Route::Ask, 1), "{plan:?}");
    is_carried_out_once_approved(&world, &incident);
}
