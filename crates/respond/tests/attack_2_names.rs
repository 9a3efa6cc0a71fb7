//! IAM finds a name in any case of letters, and a caller writes it as they like: no spelling keeps a remedy from its target, or
//! Cordon from its limits.
#![expect(clippy::unwrap_used, reason = "a helper of a test states what it expects")]

use cordon_core::incident::EventFacts;
use cordon_core::pattern::Pattern;
use cordon_core::{
    Actor, Config, Detection, Gate, Level, Principal, PrincipalKind, Purpose, RemedyKind, Response, Subject, Target,
};
use cordon_respond::{Answers, Case, NoHolds, Planning, apply_plan, planner, remedy};
use cordon_testkit::fake_iam::IamState;
use cordon_testkit::laws::{self, ACCOUNT, ADMIN, INCIDENT, World};
use cordon_testkit::{FakeIam, MemoryProgress, no_limits, run};
use serde_json::json;

/// How the event spells every name that the caller chooses the spelling of.
type Spelling = fn(&str) -> String;

fn as_stored(name: &str) -> String {
    name.to_owned()
}

fn shouted(name: &str) -> String {
    name.to_ascii_uppercase()
}

/// An ARN with the spelling of its name.
fn arn(arn: &str, spelling: Spelling) -> String {
    let (path, name) = arn.rsplit_once('/').unwrap();
    format!("{path}/{}", spelling(name))
}

fn detection(purpose: Purpose, remedy: RemedyKind) -> Detection {
    let (revert, contain) = match purpose {
        Purpose::Revert => (vec![remedy], vec![]),
        Purpose::Contain => (vec![], vec![remedy]),
    };
    Detection {
        rule: "rule".parse().unwrap(),
        title: String::new(),
        author: String::new(),
        level: Level::High,
        description: String::new(),
        tags: vec![],
        response: Some(Response { revert, contain, gate: Gate::Ask, exceptions: vec![] }),
    }
}

fn everything_in_scope() -> Config {
    let mut config = Config::default();
    config.scope.principals = vec![Pattern::new("arn:aws:iam::*:*")];
    config.scope.policies = vec![Pattern::new("arn:aws:iam::*:policy/*")];
    config
}

fn respell(event: &mut EventFacts, spelling: Spelling) {
    let touched = &mut event.touched;
    event.policy_arn = event.policy_arn.as_deref().map(|policy| arn(policy, spelling));
    touched.boundary_arn = touched.boundary_arn.as_deref().map(|boundary| arn(boundary, spelling));
    for name in [&mut touched.group, &mut touched.policy_name].into_iter().flatten() {
        *name = spelling(name);
    }
    touched.tags_set = std::mem::take(&mut touched.tags_set).into_iter().map(|(key, value)| (spelling(&key), value)).collect();
    touched.tags_removed.iter_mut().for_each(|key| *key = spelling(key));
}

fn actor(name: &str, kind: PrincipalKind) -> Actor {
    let arn = format!("arn:aws:iam::{ACCOUNT}:{kind}/{name}");
    let identity = match kind {
        PrincipalKind::User | PrincipalKind::Group => {
            json!({"type": "IAMUser", "userName": name, "accountId": ACCOUNT, "arn": arn})
        }
        PrincipalKind::Role => json!({"type": "AssumedRole", "accountId": ACCOUNT,
            "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/{name}/s"), "sessionContext": {"sessionIssuer": {"arn": arn, "userName": name}}}),
    };
    Actor::from_record(&json!({"userIdentity": identity}))
}

/// Plans a case as the planner does for an event that spells names so, carries it out, and gives the account as it is then.
fn account_after(case: &laws::Case, spelling: Spelling) -> IamState {
    let world = World::new(case);
    let mut event = laws::event("Event");
    (case.event)(&mut event);
    if let (Answers::Calls(calls), "Event") = (remedy(case.remedy).answers(), event.name.as_str()) {
        event.name = (*calls.first().unwrap()).to_owned();
    }
    if case.purpose == Purpose::Contain {
        // A call that leaves nothing to be undone: this is about the actor alone.
        event.name = "GetUser".to_owned();
    }
    let (subject, actor) = match &world.target {
        Target::Principal(target) => {
            let named = Principal::new(target.kind, target.account.clone(), &spelling(&target.name));
            let who = if case.purpose == Purpose::Contain { spelling(&target.name) } else { "someone".to_owned() };
            (Subject::Principal { principal: named }, actor(&who, target.kind))
        }
        Target::Policy { policy } => {
            event.policy_arn = Some(policy.to_string());
            (Subject::Policy { arn: arn(policy.as_str(), spelling) }, actor("someone", PrincipalKind::User))
        }
        Target::Trail { trail } => {
            event.touched.trail_arn = Some(trail.to_string());
            (Subject::Unknown, actor("someone", PrincipalKind::User))
        }
    };
    respell(&mut event, spelling);
    let planning = planned(&world.iam, &everything_in_scope(), &actor, &subject, &event, detection(case.purpose, case.remedy));
    // What is not known of the state before the event is for a person, however it is spelt.
    let unknown: Vec<String> = planning.plan.steps.iter().filter_map(|step| step.unknown_before.clone()).collect();
    assert_eq!(planning.plan.by_hand, unknown, "{case:?}");
    assert!(!planning.plan.steps.is_empty(), "{case:?}: {planning:?}");
    let result = run(apply_plan(&world.iam, &no_limits(), &planning.plan, &MemoryProgress::default())).unwrap();
    assert!(result.complete, "{case:?}: {result:?}");
    world.iam.state()
}

fn planned(
    iam: &FakeIam,
    config: &Config,
    actor: &Actor,
    subject: &Subject,
    event: &EventFacts,
    detection: Detection,
) -> Planning {
    let case = Case {
        incident: &INCIDENT.parse().unwrap(),
        account: Some(&ACCOUNT.parse().unwrap()),
        actor,
        subject,
        detections: &[detection],
        event,
        now: laws::NOW.parse().unwrap(),
    };
    let never = [Pattern::new("arn:aws:iam::*:role/cordon-*")];
    run(planner::plan(iam, &NoHolds, config, &never, &case)).unwrap()
}

#[test]
fn attack_2_no_remedy_loses_its_target_to_a_spelling() {
    for case in laws::cases() {
        assert_eq!(account_after(&case, shouted), account_after(&case, as_stored), "{case:?}");
    }
}

#[test]
fn attack_2_a_membership_of_admins_is_undone_however_the_group_is_spelt() {
    let iam = FakeIam::new(ACCOUNT.parse().unwrap());
    let (user, _) = (iam.add_user("iam-test-bob"), iam.add_group("iam-test-admins"));
    iam.join(&user, "iam-test-admins");
    let mut event = laws::event("AddUserToGroup");
    event.touched.group = Some("IAM-TEST-ADMINS".to_owned());
    let (actor, subject) = (actor("mallory", PrincipalKind::User), Subject::Principal { principal: user });
    let detection = detection(Purpose::Revert, RemedyKind::RemoveFromGroup);
    let planning = planned(&iam, &Config::default(), &actor, &subject, &event, detection);
    assert_eq!(planning.plan.calls(), ["iam:RemoveUserFromGroup GroupName=iam-test-admins UserName=iam-test-bob"]);
}

#[test]
fn attack_2_a_spelling_of_their_own_brings_nobody_past_never_touch_or_cordons_own_roles() {
    let iam = FakeIam::new(ACCOUNT.parse().unwrap());
    let mut config = everything_in_scope();
    config.scope.never_touch = vec![
        "arn:aws:iam::111111111111:user/break-glass".parse().unwrap(),
        "arn:aws:iam::111111111111:policy/iam-test-base".parse().unwrap(),
        "arn:aws:iam::111111111111:role/ops/Rescue*".parse().unwrap(),
    ];
    let detach = |principal: &Principal, spelt: &str| {
        iam.attach(principal, ADMIN);
        let mut event = laws::event("AttachUserPolicy");
        event.policy_arn = Some(ADMIN.to_owned());
        let principal = Principal::new(principal.kind, principal.account.clone(), spelt);
        let detection = detection(Purpose::Revert, RemedyKind::DetachPolicy);
        let subject = Subject::Principal { principal };
        let planning = planned(&iam, &config, &actor("mallory", PrincipalKind::User), &subject, &event, detection);
        (planning.plan.steps.len(), planning.left_out.concat())
    };
    let (steps, why) = detach(&iam.add_user("Break-Glass"), "BREAK-GLASS");
    assert!(steps == 0 && why.contains("scope.never_touch"), "{steps} {why}");
    let (steps, why) = detach(&iam.add(PrincipalKind::Role, "/ops/", "rescue-1"), "RESCUE-1");
    assert!(steps == 0 && why.contains("scope.never_touch"), "{steps} {why}");
    let (steps, why) = detach(&iam.add_role("Cordon-remediate"), "CORDON-REMEDIATE");
    assert!(steps == 0 && why.contains("Cordon's own"), "{steps} {why}");
    assert_eq!(detach(&iam.add_user("bob"), "BOB").0, 1);

    let policy = iam.add_policy("iam-test-base", &["{\"good\":1}", "{\"bad\":1}"]);
    let spelt = arn(policy.as_str(), shouted);
    let mut event = laws::event("CreatePolicyVersion");
    (event.policy_arn, event.touched.version_id) = (Some(spelt.clone()), Some("v2".to_owned()));
    let detection = detection(Purpose::Revert, RemedyKind::RestorePolicyVersion);
    let subject = Subject::Policy { arn: spelt };
    let planning = planned(&iam, &config, &actor("mallory", PrincipalKind::User), &subject, &event, detection);
    assert!(planning.plan.steps.is_empty() && planning.left_out.concat().contains("scope.never_touch"), "{planning:?}");
}

#[test]
fn attack_2_the_fake_finds_names_as_iam_does_and_answers_with_the_stored_spelling() {
    use cordon_respond::Iam as _;
    let iam = FakeIam::new(ACCOUNT.parse().unwrap());
    let user = iam.add_user("Ada");
    iam.put_inline(&user, "Backdoor", "{}");
    let shouted = Principal::new(PrincipalKind::User, ACCOUNT.parse().unwrap(), "ADA");
    assert!(run(iam.principal(&shouted)).unwrap().unwrap().arn.ends_with(":user/Ada"));
    assert_eq!(run(iam.inline_policy(&shouted, "BACKDOOR")).unwrap().as_deref(), Some("{}"));
    iam.add_group("Admins");
    run(iam.add_to_group("ada", "ADMINS")).unwrap();
    assert_eq!(run(iam.groups_of_user("aDA")).unwrap(), ["Admins"]);
    let policy = iam.add_policy("Limit", &["{}"]);
    let spelt = arn(policy.as_str(), str::to_ascii_lowercase);
    assert_eq!(run(iam.policy(&spelt)).unwrap().unwrap().arn, policy.as_str());
}
