//! The scope is asked about everything that AWS authorises a call on, when the plan is made and again before the write.
#![expect(clippy::unwrap_used, reason = "a helper of a test states what it expects")]

use cordon_core::pattern::{NamePattern, Pattern};
use cordon_core::{Actor, Config, Detection, Gate, Level, Principal, PrincipalKind, RemedyKind, Response, Subject, Target};
use cordon_respond::authorised::{Authorised, Resource};
use cordon_respond::{ApplyResult, Bounds, Case, NoHolds, Planning, VerifyResult, apply_plan, planner, verify_plan};
use cordon_testkit::laws::{self, ACCOUNT, INCIDENT, World};
use cordon_testkit::{FakeIam, MemoryProgress, run};
use serde_json::json;

/// Mallory put a user of the scope into a group.
struct Story {
    iam: FakeIam,
    config: Config,
    user: Principal,
}

fn story(group: &str, path: &str) -> Story {
    let iam = FakeIam::new(ACCOUNT.parse().unwrap());
    let user = iam.add_user("iam-test-bob");
    iam.add(PrincipalKind::Group, path, group);
    iam.join(&user, group);
    Story { iam, config: Config::default(), user }
}

impl Story {
    fn plan(&self, group: &str) -> Planning {
        let mut event = laws::event("AddUserToGroup");
        event.touched.group = Some(group.to_owned());
        let response =
            Response { revert: vec![RemedyKind::RemoveFromGroup], contain: vec![], gate: Gate::Ask, exceptions: vec![] };
        let detection = Detection {
            rule: "rule".parse().unwrap(),
            title: String::new(),
            author: String::new(),
            level: Level::High,
            description: String::new(),
            tags: vec![],
            response: Some(response),
        };
        let identity = json!({"type": "IAMUser", "userName": "mallory", "accountId": ACCOUNT, "arn": format!("arn:aws:iam::{ACCOUNT}:user/mallory")});
        let case = Case {
            incident: &INCIDENT.parse().unwrap(),
            account: Some(&ACCOUNT.parse().unwrap()),
            actor: &Actor::from_record(&json!({"userIdentity": identity})),
            subject: &Subject::Principal { principal: self.user.clone() },
            detections: &[detection],
            event: &event,
            now: laws::NOW.parse().unwrap(),
        };
        run(planner::plan(&self.iam, &NoHolds, &self.config, &[], &case)).unwrap()
    }

    fn bounds(&self) -> Bounds<'_> {
        Bounds { config: &self.config, never: &[] }
    }
}

#[test]
fn attack_8_a_membership_of_a_group_outside_the_scope_is_left_to_a_person_with_the_reason() {
    let story = story("admins", "/");
    let planning = story.plan("admins");
    assert!(planning.plan.steps.is_empty(), "{planning:?}");
    let by_hand = planning.plan.by_hand.concat();
    assert!(by_hand.contains(":group/admins` matches no pattern of scope.principals"), "{by_hand}");
    assert!(by_hand.contains("iam:RemoveUserFromGroup GroupName=admins"), "{by_hand}");
}

#[test]
fn attack_8_the_group_is_judged_by_the_path_that_iam_gives_and_by_never_touch() {
    assert!(story("iam-test-admins", "/prod/").plan("iam-test-admins").plan.steps.is_empty());
    let mut story = story("iam-test-admins", "/");
    assert_eq!(story.plan("iam-test-admins").plan.steps.len(), 1);
    story.config.scope.never_touch = vec!["arn:aws:iam::111111111111:group/iam-test-Admins".parse().unwrap()];
    assert!(story.plan("iam-test-admins").plan.by_hand.concat().contains("scope.never_touch"));
}

#[test]
fn attack_8_what_left_the_scope_after_the_approval_is_not_written_to() {
    let mut story = story("iam-test-admins", "/");
    let plan = story.plan("iam-test-admins").plan;
    story.config.scope.never_touch = vec!["arn:aws:iam::111111111111:group/iam-test-admins".parse().unwrap()];
    let applied = run(apply_plan(&story.iam, &story.bounds(), &plan, &MemoryProgress::default())).unwrap();
    assert!(!applied.complete);
    assert!(
        matches!(&applied.steps[0].result, ApplyResult::Failed { reason } if reason.contains("scope.never_touch")),
        "{applied:?}"
    );
    assert_eq!(story.iam.writes(), []);
}

#[test]
fn attack_8_a_step_that_was_stripped_is_not_put_back_where_the_scope_no_longer_lets_it() {
    let mut story = story("iam-test-admins", "/");
    let plan = story.plan("iam-test-admins").plan;
    let progress = MemoryProgress::default();
    assert!(run(apply_plan(&story.iam, &story.bounds(), &plan, &progress)).unwrap().complete);
    story.iam.join(&story.user, "iam-test-admins");
    story.iam.forget_calls();
    story.config.scope.principals = vec![Pattern::new("arn:aws:iam::*:user/iam-test-*")];
    let verified = run(verify_plan(&story.iam, &story.bounds(), &plan, &progress)).unwrap();
    assert!(
        matches!(&verified.steps[0].result, VerifyResult::Failed { reason } if reason.contains("scope.principals")),
        "{verified:?}"
    );
    assert_eq!(story.iam.writes(), []);
}

/// The paths that the laws use.
fn in_every_path(kind: &str, name: &str) -> Vec<NamePattern> {
    ["", "division/"].map(|path| format!("arn:aws:iam::111111111111:{kind}/{path}{name}").parse().unwrap()).to_vec()
}

/// For every remedy on everything: what each of its calls is authorised on, and that taking exactly that out of the scope keeps
/// the remedy from writing.
#[test]
fn attack_8_no_remedy_writes_to_what_any_of_its_calls_is_authorised_on_outside_the_scope() {
    for case in laws::cases() {
        let world = World::new(&case);
        let step = world.plan.steps.first().unwrap();
        for call in step.calls.iter().chain(&step.undo) {
            let row = Authorised::of(call).unwrap_or_else(|| panic!("{case:?}: no row for {}", call.action));
            let name = call.parameters.get(row.named_by).unwrap_or_else(|| panic!("{case:?}: {call} names no {:?}", row.on));
            let mut config = Config::default();
            config.scope.principals = vec![Pattern::new("arn:aws:iam::*:*")];
            config.scope.policies = vec![Pattern::new("arn:aws:iam::*:policy/*")];
            config.scope.trails = vec![Pattern::new("arn:aws:cloudtrail:*:*:trail/*")];
            config.scope.never_touch = match row.on {
                Resource::User => in_every_path("user", name),
                Resource::Role => in_every_path("role", name),
                Resource::Group => in_every_path("group", name),
                Resource::Policy | Resource::Trail => vec![name.parse().unwrap()],
            };
            let bounds = Bounds { config: &config, never: &[] };
            let applied = run(apply_plan(&world.iam, &bounds, &world.plan, &MemoryProgress::default())).unwrap();
            assert!(
                matches!(&applied.steps[0].result, ApplyResult::Failed { reason } if reason.contains("scope.never_touch")),
                "{case:?}, {}: {applied:?}",
                call.action
            );
            assert_eq!((world.iam.writes(), world.iam.state()), (vec![], world.before.clone()), "{case:?}");
        }
    }
}

#[test]
fn attack_8_cordons_own_roles_are_not_written_to_whatever_a_stored_plan_says() {
    let case = laws::cases().into_iter().find(|case| case.on == laws::Thing::Role).unwrap();
    let world = World::new(&case);
    let mut config = Config::default();
    config.scope.principals = vec![Pattern::new("arn:aws:iam::*:*")];
    let own = [Pattern::new(&world.target.arn())];
    let bounds = Bounds { config: &config, never: &own };
    let applied = run(apply_plan(&world.iam, &bounds, &world.plan, &MemoryProgress::default())).unwrap();
    assert!(matches!(&applied.steps[0].result, ApplyResult::Failed { reason } if reason.contains("Cordon's own")), "{applied:?}");
    assert!(matches!(world.target, Target::Principal(_)) && world.iam.writes().is_empty());
}
