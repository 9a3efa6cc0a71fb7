//! What undid an event leaves nothing that would undo it again: else an incident that is contained would be called partial.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use cordon_core::incident::EventFacts;
use cordon_core::{
    Actor, Config, Detection, IncidentId, Level, Plan, Principal, PrincipalKind, Purpose, RemedyKind, Response, Subject, Target,
};
use cordon_respond::planner::{self, Case};
use cordon_respond::{Account, Answers, NoHolds, apply_plan, remedy};
use cordon_testkit::laws::{self, ACCOUNT, ADMIN, INCIDENT, NOW, World};
use cordon_testkit::{FakeIam, no_limits, run};
use serde_json::json;

const SCOPE: &str = "mode = \"enforce\"\n[scope]\naccounts = [\"111111111111\"]\nprincipals = [\"arn:aws:iam::111111111111:*/iam-test-*\", \"arn:aws:iam::111111111111:group/admins\"]\npolicies = [\"arn:aws:iam::111111111111:policy/*\"]\ntrails = [\"arn:aws:cloudtrail:*:*:trail/*\"]\n\
    [[approval.approvers]]\nname = \"A\"\nslack_user_id = \"U0APPROVER\"\nprincipals = [\"arn:aws:iam::111111111111:user/approver\"]\n";

fn detection(remedy: RemedyKind) -> Detection {
    let response = Response { revert: vec![remedy], contain: vec![], gate: Default::default(), exceptions: vec![] };
    Detection {
        rule: "rule".parse().unwrap(),
        title: "Rule".to_owned(),
        author: "Test".to_owned(),
        level: Level::High,
        description: "It is dangerous.".to_owned(),
        tags: vec![],
        response: Some(response),
    }
}

/// Makes the plan where there is none, and else looks for what it leaves.
fn planned(iam: &FakeIam, target: &Target, kind: RemedyKind, event: &EventFacts, plan: Option<&Plan>) -> (Plan, Vec<String>) {
    let incident: IncidentId = INCIDENT.parse().unwrap();
    let account = ACCOUNT.parse().unwrap();
    let actor = Actor::from_record(&json!({"userIdentity": {"type": "IAMUser", "userName": "mallory", "accountId": ACCOUNT}}));
    let subject = match target {
        Target::Principal(principal) => Subject::Principal { principal: principal.clone() },
        Target::Policy { policy } => Subject::Policy { arn: policy.to_string() },
        Target::Trail { .. } => Subject::Unknown,
    };
    let mut event = event.clone();
    match target {
        Target::Policy { policy } => event.policy_arn = Some(policy.to_string()),
        Target::Trail { trail } => event.touched.trail_arn = Some(trail.to_string()),
        Target::Principal(_) => {}
    }
    if let Answers::Calls(calls) = remedy(kind).answers()
        && !calls.contains(&event.name.as_str())
    {
        event.name = calls[0].to_owned();
    }
    let detections = [detection(kind)];
    let case = Case {
        incident: &incident,
        account: Some(&account),
        actor: &actor,
        subject: &subject,
        detections: &detections,
        event: &event,
        now: NOW.parse::<jiff::Timestamp>().unwrap() + jiff::SignedDuration::from_secs(90),
    };
    let iam: &dyn Account = iam;
    let config = Config::parse("cordon.toml", SCOPE).unwrap();
    match plan {
        Some(plan) => (plan.clone(), run(planner::remaining(iam, &NoHolds, &config, &case, plan)).unwrap()),
        None => (run(planner::plan(iam, &NoHolds, &config, &[], &case)).unwrap().plan, Vec::new()),
    }
}

#[test]
fn attack_1_what_was_undone_leaves_nothing_that_would_undo_it_again() {
    let mut tried = 0;
    for case in laws::cases().into_iter().filter(|case| case.purpose == Purpose::Revert) {
        let world = World::new(&case);
        let mut event = laws::event("Event");
        (case.event)(&mut event);
        let (plan, _) = planned(&world.iam, &world.target, case.remedy, &event, None);
        assert!(!plan.steps.is_empty(), "{case:?}");
        assert!(run(apply_plan(&world.iam, &no_limits(), &plan, &world.progress)).unwrap().complete, "{case:?}");
        let (_, left) = planned(&world.iam, &world.target, case.remedy, &event, Some(&plan));
        assert!(left.is_empty(), "{case:?}: {left:?}");
        tried += 1;
    }
    assert!(tried > 10);
}

#[test]
fn attack_1_what_came_back_where_nothing_had_been_planned_is_found() {
    let iam = FakeIam::new(ACCOUNT.parse().unwrap());
    let user = iam.add_user("iam-test-user");
    iam.attach(&user, ADMIN);
    let target = Target::Principal(Principal::new(PrincipalKind::User, ACCOUNT.parse().unwrap(), "iam-test-user"));
    let nothing = Plan::default();
    let (_, left) = planned(&iam, &target, RemedyKind::DetachPolicy, &laws::event("AttachUserPolicy"), Some(&nothing));
    assert!(left.len() == 1 && left[0].contains("iam:DetachUserPolicy"), "{left:?}");
}

/// `mallory` wrote the inline policy `p`; nothing of it stood when the plan was made.
fn inline_written() -> (FakeIam, Principal, EventFacts) {
    let iam = FakeIam::new(ACCOUNT.parse().unwrap());
    let user = iam.add_user("iam-test-user");
    let mut event = laws::event("PutUserPolicy");
    event.touched.policy_name = Some("p".to_owned());
    event.touched.document = Some("{\"then\":1}".to_owned());
    (iam, user, event)
}

#[test]
fn attack_21_an_effect_that_came_back_and_is_left_to_a_person_is_found_too() {
    let (iam, user, event) = inline_written();
    let target = Target::Principal(user.clone());
    let (plan, _) = planned(&iam, &target, RemedyKind::RemoveInlinePolicy, &event, None);
    assert_eq!((plan.steps.len(), plan.by_hand.len()), (0, 0), "it was gone when the plan was made");
    iam.put_inline(&user, "p", "{\"now\":1}");
    let (_, left) = planned(&iam, &target, RemedyKind::RemoveInlinePolicy, &event, Some(&plan));
    assert!(left.len() == 1 && left[0].contains("no longer what the event made it"), "{left:?}");
}

#[test]
fn attack_21_what_stood_on_the_card_as_by_hand_is_not_told_a_second_time() {
    let (iam, user, event) = inline_written();
    iam.put_inline(&user, "p", "{\"now\":1}");
    let target = Target::Principal(user);
    let (plan, _) = planned(&iam, &target, RemedyKind::RemoveInlinePolicy, &event, None);
    assert_eq!(plan.by_hand.len(), 1);
    let (_, left) = planned(&iam, &target, RemedyKind::RemoveInlinePolicy, &event, Some(&plan));
    assert_eq!(left, [""; 0]);
}

#[test]
fn attack_21_a_subject_that_is_gone_at_the_end_took_the_effect_with_it() {
    let (iam, user, event) = inline_written();
    iam.delete(&user);
    let (_, left) = planned(&iam, &Target::Principal(user), RemedyKind::RemoveInlinePolicy, &event, Some(&Plan::default()));
    assert_eq!(left, [""; 0]);
}
