//! Attacks on what is switched off: a session that was taken before, and quotas that were filled beforehand.
#![expect(clippy::unwrap_used, reason = "a test states what it expects")]

use cordon_core::incident::EventFacts;
use cordon_core::{
    Actor, Config, Detection, Gate, Level, Plan, PlannedStep, Principal, Purpose, RemedyKind, Response, Setting, Subject,
};
use cordon_respond::remedies::remedy;
use cordon_respond::sessions::{Sessions, sessions};
use cordon_respond::{Answers, Case, NoHolds, Planning, apply_plan, deny, planner, revert_plan, verify_plan};
use cordon_testkit::fake_iam::inline_quota;
use cordon_testkit::laws::{self, ACCOUNT, INCIDENT};
use cordon_testkit::{FakeIam, MemoryProgress, no_limits, run};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// Mallory acted on the user or role `target`.
struct Story {
    iam: FakeIam,
    mallory: Principal,
    target: Principal,
    event: EventFacts,
}

/// A target with a key, a password, a group, and a policy of each kind; the event is about each of them.
fn story(call: &str, on_role: bool) -> Story {
    let iam = FakeIam::new(ACCOUNT.parse().unwrap());
    let mallory = iam.add_user("iam-test-mallory");
    iam.add_key(&mallory, "AKIAMALLORY", "2025-01-01T00:00:00Z");
    let target = if on_role { iam.add_role("iam-test-target") } else { iam.add_user("iam-test-target") };
    let mut event = laws::event(call);
    if !on_role {
        iam.add_key(&target, "AKIATARGET", laws::NOW);
        iam.change(&target, |user| user.login_profile = true);
        event.touched.access_key_id = Some("AKIATARGET".to_owned());
    }
    let trust = r#"{"Statement":[{"Principal":{"AWS":"*"}},{"Principal":{"Service":"ec2.amazonaws.com"}}]}"#;
    if on_role {
        iam.change(&target, |role| role.trust = Some(trust.to_owned()));
        event.touched.document = Some(trust.to_owned());
        event.touched.outside_statements = vec![0];
    }
    event.touched.created_id = Some(iam.entity(&target).unwrap().unique_id);
    Story { iam, mallory, target, event }
}

impl Story {
    fn plan(&self, revert: &[RemedyKind], contain: &[RemedyKind]) -> Planning {
        let record = json!({"userIdentity": {"type": "IAMUser", "userName": "iam-test-mallory", "accountId": ACCOUNT,
            "arn": self.mallory.arn()}});
        let detection = Detection {
            rule: "rule".parse().unwrap(),
            title: String::new(),
            author: String::new(),
            level: Level::High,
            description: String::new(),
            tags: vec![],
            response: Some(Response { revert: revert.to_vec(), contain: contain.to_vec(), gate: Gate::Ask, exceptions: vec![] }),
        };
        let case = Case {
            incident: &INCIDENT.parse().unwrap(),
            account: Some(&self.mallory.account),
            actor: &Actor::from_record(&record),
            subject: &Subject::Principal { principal: self.target.clone() },
            detections: &[detection],
            event: &self.event,
            now: laws::NOW.parse().unwrap(),
        };
        run(planner::plan(&self.iam, &NoHolds, &Config::default(), &[], &case)).unwrap()
    }

    fn fill_inline(&self, principal: &Principal, left: usize) {
        self.iam.put_inline(principal, "full", &"x".repeat(inline_quota(principal.kind) - left));
    }

    fn fill_attached(&self, principal: &Principal) {
        (0..FakeIam::ATTACHED_QUOTA).for_each(|n| self.iam.attach(principal, &format!("arn:aws:iam::{ACCOUNT}:policy/p{n}")));
    }
}

/// Whether a step denies the sessions that its principal has.
fn denies_sessions(step: &PlannedStep) -> bool {
    step.changes.iter().any(|change| match (&change.setting, &change.to) {
        (Setting::AttachedPolicy { arn }, Some(_)) => arn == deny::AWS_DENY_ALL,
        (Setting::Boundary, Some(arn)) => arn == deny::AWS_DENY_ALL,
        (Setting::InlinePolicy { .. }, Some(document)) => {
            document.contains(r#""Effect":"Deny","Action":"*""#)
                && (!document.contains("Condition") || document.contains("aws:TokenIssueTime"))
        }
        _ => false,
    })
}

fn switches_off_a_credential(step: &PlannedStep) -> bool {
    step.changes.iter().any(|change| {
        matches!(change.setting, Setting::AccessKey { .. } | Setting::LoginProfile | Setting::TrustPolicy)
            || matches!(&change.setting, Setting::InlinePolicy { name } if name.starts_with(deny::CONSOLE_PREFIX))
    })
}

const CALLS: [&str; 8] = [
    "CreateAccessKey",
    "UpdateAccessKey",
    "CreateLoginProfile",
    "UpdateLoginProfile",
    "CreateUser",
    "CreateRole",
    "UpdateAssumeRolePolicy",
    "AttachUserPolicy",
];

#[test]
fn attack_5_whatever_switches_off_a_credential_denies_the_sessions_that_were_taken_from_it() {
    let mut seen = 0;
    for kind in RemedyKind::ALL {
        for (call, on_role) in CALLS.into_iter().flat_map(|call| [(call, false), (call, true)]) {
            for purpose in [Purpose::Contain, Purpose::Revert] {
                let story = story(call, on_role);
                let planning = match purpose {
                    Purpose::Contain => story.plan(&[], &[*kind]),
                    Purpose::Revert => story.plan(&[*kind], &[]),
                };
                for step in planning.plan.steps.iter().filter(|step| switches_off_a_credential(step)) {
                    let denied = planning.plan.steps.iter().any(|other| other.target == step.target && denies_sessions(other));
                    assert!(denied, "`{kind}` after {call}, {purpose:?}: {:?}", planning.plan.calls());
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 10, "the test saw {seen} steps");
}

#[test]
fn attack_5_the_table_of_sessions_says_what_the_plans_do() {
    for kind in RemedyKind::ALL {
        match sessions(*kind) {
            Sessions::DeniedBy(deny) => {
                let Answers::Calls(calls) = remedy(*kind).answers() else { panic!("`{kind}` answers everything") };
                for call in calls {
                    let story = story(call, *kind == RemedyKind::RestoreTrustPolicy);
                    let plan = story.plan(&[*kind], &[]).plan;
                    let of = |wanted: RemedyKind| plan.steps.iter().position(|step| step.remedy == wanted);
                    assert!(of(deny).is_some() && of(*kind).is_some(), "`{kind}` after {call}: {:?}", plan.calls());
                }
            }
            Sessions::Denied(reason) | Sessions::Untouched(reason) => assert!(!reason.is_empty(), "{kind}"),
        }
    }
}

#[test]
fn attack_5_a_key_that_the_attacker_deleted_after_taking_a_session_does_not_save_the_session() {
    let story = story("CreateAccessKey", false);
    story.iam.change(&story.target, |user| user.keys.clear());
    let plan = story.plan(&[RemedyKind::DeactivateAccessKey], &[]).plan;
    assert_eq!(plan.steps.len(), 1, "{plan:?}");
    assert!(plan.steps.first().is_some_and(denies_sessions));
}

#[test]
fn attack_5_a_trust_that_the_attacker_closed_again_does_not_save_the_session() {
    let story = story("UpdateAssumeRolePolicy", true);
    story.iam.change(&story.target, |role| role.trust = Some(cordon_testkit::fake_iam::TRUST.to_owned()));
    let plan = story.plan(&[RemedyKind::RestoreTrustPolicy], &[]).plan;
    assert!(plan.steps.iter().any(denies_sessions), "{plan:?}");
}

#[test]
fn attack_5_a_session_taken_while_people_decide_is_denied_too() {
    let story = story("CreateAccessKey", false);
    let before = story.iam.state();
    let plan = story.plan(&[RemedyKind::DeactivateAccessKey], &[]).plan;
    let approved: Timestamp = laws::NOW.parse::<Timestamp>().unwrap() + SignedDuration::from_hours(5);
    let progress = MemoryProgress::default().at(approved);
    assert!(run(apply_plan(&story.iam, &no_limits(), &plan, &progress)).unwrap().complete);
    let denied = |iam: &FakeIam| iam.entity(&story.target).unwrap().inline.values().cloned().collect::<Vec<_>>();
    // A minute more, because IAM needs seconds to enforce that the key is off.
    let carried_out = deny::sessions_document(approved + SignedDuration::from_mins(1));
    assert_eq!(denied(&story.iam), std::slice::from_ref(&carried_out));
    // A retry, a verification and an undo at another time are about the same document.
    let later = progress.at(approved + SignedDuration::from_hours(1));
    story.iam.change(&story.target, |user| user.inline.clear());
    run(verify_plan(&story.iam, &no_limits(), &plan, &later)).unwrap();
    assert_eq!(denied(&story.iam), [carried_out]);
    assert!(run(verify_plan(&story.iam, &no_limits(), &plan, &later)).unwrap().complete);
    assert!(run(revert_plan(&story.iam, &plan, &later, None, false)).unwrap().complete);
    assert_eq!(story.iam.state(), before);
}

#[test]
fn attack_6_every_deny_finds_a_place_when_the_quotas_are_full() {
    let denies = [
        (RemedyKind::DenyAll, Purpose::Contain),
        (RemedyKind::DenyIam, Purpose::Contain),
        (RemedyKind::RevokeSessions, Purpose::Contain),
        (RemedyKind::DeactivateAccessKey, Purpose::Contain),
        (RemedyKind::SetPermissionsBoundary, Purpose::Contain),
        (RemedyKind::DisableLoginProfile, Purpose::Revert),
        (RemedyKind::DeactivateAccessKey, Purpose::Revert),
        (RemedyKind::DisableCreatedPrincipal, Purpose::Revert),
        (RemedyKind::RestoreTrustPolicy, Purpose::Revert),
    ];
    let call = |kind: RemedyKind| match kind {
        RemedyKind::DisableLoginProfile => "CreateLoginProfile",
        RemedyKind::DisableCreatedPrincipal => "CreateUser",
        RemedyKind::RestoreTrustPolicy => "UpdateAssumeRolePolicy",
        _ => "CreateAccessKey",
    };
    for (kind, purpose) in denies {
        for attached_too in [false, true] {
            let call = if purpose == Purpose::Contain { "GetUser" } else { call(kind) };
            let story = story(call, kind == RemedyKind::RestoreTrustPolicy);
            let (on, planned): (&Principal, fn(&Story, RemedyKind) -> Plan) = match purpose {
                Purpose::Contain => (&story.mallory, |story, kind| story.plan(&[], &[kind]).plan),
                Purpose::Revert => (&story.target, |story, kind| story.plan(&[kind], &[]).plan),
            };
            story.fill_inline(on, 10);
            if attached_too {
                story.fill_attached(on);
            }
            let (before, plan) = (story.iam.state(), planned(&story, kind));
            let at = format!("`{kind}`, {purpose:?}, attached too: {attached_too}: {:?}", plan.calls());
            let unknown: Vec<_> = plan.steps.iter().filter_map(|step| step.unknown_before.clone()).collect();
            assert!(plan.steps.iter().any(denies_sessions) && plan.by_hand == unknown, "{at}");
            assert!(plan.notes().iter().any(|note| note.contains("leave no room") || note.contains("resource policy")), "{at}");
            let progress = MemoryProgress::default();
            assert!(run(apply_plan(&story.iam, &no_limits(), &plan, &progress)).unwrap().complete, "{at}");
            assert!(run(verify_plan(&story.iam, &no_limits(), &plan, &progress)).unwrap().complete, "{at}");
            assert!(run(revert_plan(&story.iam, &plan, &progress, None, false)).unwrap().complete, "{at}");
            assert_eq!(story.iam.state(), before, "{at}");
        }
    }
}

/// Two denies that fit alone, and not together.
#[test]
fn attack_6_a_quota_that_has_room_for_one_deny_and_not_for_two_is_not_planned_twice() {
    let one = story("AttachUserPolicy", false);
    let document_of = |kind| {
        let plan = one.plan(&[], &[kind]).plan;
        plan.steps
            .first()
            .and_then(|step| step.calls.first())
            .and_then(|call| call.parameters.get("PolicyDocument"))
            .unwrap()
            .len()
    };
    let (iam, sessions) = (document_of(RemedyKind::DenyIam), document_of(RemedyKind::RevokeSessions));
    for left in [iam, iam + sessions - 1] {
        let story = story("AttachUserPolicy", false);
        story.fill_inline(&story.mallory, left);
        let plan = story.plan(&[], &[RemedyKind::DenyIam, RemedyKind::RevokeSessions]).plan;
        assert_eq!(plan.steps.len(), 2, "{:?}", plan.calls());
        assert!(
            run(apply_plan(&story.iam, &no_limits(), &plan, &MemoryProgress::default())).unwrap().complete,
            "{:?}",
            plan.calls()
        );
        assert!(story.iam.entity(&story.mallory).unwrap().attached.contains(deny::AWS_DENY_ALL));
    }
}
