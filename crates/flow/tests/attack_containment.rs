//! Attacks on what a containment keeps: what two incidents need of one principal, sessions of what was switched off, quotas that
//! were filled beforehand.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;

use cordon_contract::{ClassifyInput, ClassifyOutput, NotifyInput, RemediateInput, RemediateOutput};
use cordon_core::timeline::Kind;
use cordon_core::{
    Cause, Detection, Gate, IncidentId, Level, Log, Outcome, Principal, PrincipalKind, Purpose, RemedyKind, Response,
};
use cordon_detect::enrich::Documents;
use cordon_detect::{Expected, RuleBook, RuleSource};
use cordon_flow::approver::Voter;
use cordon_flow::classify::{Classify, Rules};
use cordon_flow::decide::Choice;
use cordon_flow::undo::UndoAnswer;
use cordon_respond::sessions::{Sessions, sessions};
use cordon_respond::{deny, remedies};
use cordon_store::TableError;
use cordon_testkit::fake_iam::inline_quota;
use cordon_testkit::run;
use serde_json::{Value, json};
use support::asking::*;
use support::{ACCOUNT, ADMIN_POLICY, APPROVER, World, event};

/// One rule that matches everything and asks for these remedies.
struct Asks {
    revert: Vec<RemedyKind>,
    contain: Vec<RemedyKind>,
    gate: Gate,
}

impl Rules for Asks {
    fn evaluate(&self, _record: &Value, _facts: &Documents) -> Vec<Detection> {
        let response =
            Response { revert: self.revert.clone(), contain: self.contain.clone(), gate: self.gate, exceptions: vec![] };
        vec![Detection {
            rule: "rule".parse().unwrap(),
            title: "A rule".to_owned(),
            author: "Test".to_owned(),
            level: Level::High,
            description: String::new(),
            tags: vec![],
            response: Some(response),
        }]
    }
}

fn asks(revert: &[RemedyKind], contain: &[RemedyKind]) -> Asks {
    Asks { revert: revert.to_vec(), contain: contain.to_vec(), gate: Gate::Ask }
}

fn user(name: &str) -> Principal {
    Principal::new(PrincipalKind::User, ACCOUNT.parse().unwrap(), name)
}

/// An incident that was checked and asked about.
fn asked_for(world: &World, rules: &Asks, event: Value) -> IncidentId {
    let execution = format!("execution-{}", event["detail"]["eventID"]);
    let output = run(Classify { rules, ..world.classify() }.run(ClassifyInput { event, execution })).unwrap();
    let ClassifyOutput::Opened { incident } = output else { panic!("not opened: {output:?}") };
    run(world.check().run(cordon_contract::CheckInput { incident: incident.clone() })).unwrap();
    ask(world, &incident, &format!("token-{incident}"), false);
    incident
}

fn approve(world: &World, incident: &IncidentId) {
    click(world, incident, APPROVER, Choice::Approve);
}

fn shipped() -> RuleBook {
    fn sources(folder: &Path, found: &mut Vec<RuleSource>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "yml") {
                found.push(RuleSource::new(path.to_string_lossy(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules"), &mut found);
    RuleBook::load(found).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// Over every shipped rule, every event that it has a case for, and every remedy that would be taken.
#[test]
fn attack_5_no_shipped_rule_switches_a_credential_off_and_leaves_its_sessions() {
    let book = shipped();
    let mut seen = 0;
    for rule in book.rules().iter().filter(|rule| rule.log == Log::CloudTrail) {
        let Some(response) = rule.detection().response else { continue };
        for case in rule.cases.iter().filter(|case| case.expected == Expected::Hit) {
            let call = case.event["eventName"].as_str().unwrap_or_default();
            let reverted = response.revert.iter().filter(|remedy| remedies::remedy(**remedy).answers().to(call));
            for remedy in response.contain.iter().chain(reverted) {
                let reason = match sessions(*remedy) {
                    Sessions::Untouched(reason) | Sessions::Denied(reason) => reason,
                    Sessions::DeniedBy(deny) => {
                        seen += 1;
                        assert!(matches!(sessions(deny), Sessions::Denied(_)), "{}: `{remedy}` goes with `{deny}`", rule.id);
                        continue;
                    }
                };
                assert!(!reason.is_empty(), "{}: `{remedy}`", rule.id);
            }
        }
    }
    assert!(seen > 0);
}

#[test]
fn attack_5_a_session_of_a_created_key_is_denied_also_where_it_was_taken_while_people_decided() {
    let world = World::new();
    let victim = world.iam.add_user("iam-test-victim");
    world.iam.add_key(&victim, "AKIANEW", "2026-01-02T03:04:00Z");
    let made = event("e", "CreateAccessKey", json!({"userName": "iam-test-victim"}));
    let incident = asked_for(&world, &asks(&[RemedyKind::DeactivateAccessKey], &[RemedyKind::DenyIam]), made);
    world.clock.pass(300);
    approve(&world, &incident);
    assert_eq!(apply(&world, &incident), Ok(RemediateOutput::Applied));
    assert_eq!(verify(&world, &incident), Ok(RemediateOutput::Contained));
    let user = world.iam.entity(&victim).unwrap();
    assert!(!user.keys["AKIANEW"].active);
    assert!(
        user.inline.values().any(|document| *document == deny::sessions_document("2026-01-02T03:10:05Z".parse().unwrap())),
        "{:?}",
        user.inline
    );
}

#[test]
fn attack_5_sessions_of_a_created_user_and_role_are_denied() {
    let rules = asks(&[RemedyKind::DisableCreatedPrincipal], &[]);
    for (call, kind) in [("CreateUser", PrincipalKind::User), ("CreateRole", PrincipalKind::Role)] {
        let world = World::new();
        let made = world.iam.add(kind, "/", "iam-test-made");
        let parameters = json!({format!("{kind}Name"): "iam-test-made"});
        let incident = asked_for(&world, &rules, event("e", call, parameters));
        approve(&world, &incident);
        assert_eq!(apply(&world, &incident), Ok(RemediateOutput::Applied));
        let entity = world.iam.entity(&made).unwrap();
        assert!(entity.inline.values().any(|document| document == deny::ALL_DOCUMENT), "{call}: {entity:?}");
    }
}

#[test]
fn attack_6_a_password_is_made_useless_and_sessions_end_where_the_victims_quotas_are_full() {
    for (remedy, call) in
        [(RemedyKind::DisableLoginProfile, "CreateLoginProfile"), (RemedyKind::DeactivateAccessKey, "CreateAccessKey")]
    {
        for attached_too in [false, true] {
            let world = World::new();
            let victim = world.iam.add_user("iam-test-victim");
            world.iam.change(&victim, |user| user.login_profile = true);
            world.iam.add_key(&victim, "AKIANEW", "2026-01-02T03:04:00Z");
            world.iam.put_inline(&victim, "full", &"x".repeat(inline_quota(PrincipalKind::User) - 10));
            if attached_too {
                (0..10).for_each(|n| world.iam.attach(&victim, &format!("arn:aws:iam::{ACCOUNT}:policy/p{n}")));
            }
            let made = event("e", call, json!({"userName": "iam-test-victim"}));
            let incident = asked_for(&world, &asks(&[remedy], &[]), made);
            let plan = world.stored(&incident).assessment.plan;
            assert_eq!(plan.by_hand, [""; 0], "{plan:?}");
            assert!(plan.steps.iter().all(|step| step.purpose == Purpose::Revert));
            approve(&world, &incident);
            assert_eq!(apply(&world, &incident), Ok(RemediateOutput::Applied));
            assert_eq!(verify(&world, &incident), Ok(RemediateOutput::Contained));
            let entity = world.iam.entity(&user("iam-test-victim")).unwrap();
            let boundary = entity.boundary.as_deref() == Some(deny::AWS_DENY_ALL);
            assert_eq!((entity.attached.contains(deny::AWS_DENY_ALL), boundary), (!attached_too, attached_too), "{remedy}");
        }
    }
}

/// Two incidents about one user, the second opened after the first was contained.
fn two_contained(world: &World, rules: &Asks, first: Value, second: Value) -> (IncidentId, IncidentId) {
    let contained = |event: Value| {
        let incident = asked_for(world, rules, event);
        approve(world, &incident);
        assert_eq!(apply(world, &incident), Ok(RemediateOutput::Applied));
        assert_eq!(verify(world, &incident), Ok(RemediateOutput::Contained), "{:?}", world.stored(&incident).assessment.plan);
        close(world, &incident, Outcome::Contained);
        incident
    };
    (contained(first), contained(second))
}

/// An approver has an incident undone; what people are told of it.
fn undone(world: &World, incident: &IncidentId) -> String {
    assert_eq!(
        run(world.ask_undo().run(&world.heard, incident, Voter::Slack(SECOND), Some("it was planned"))).unwrap(),
        UndoAnswer::Started
    );
    assert_eq!(remediate(world, RemediateInput::Undo { incident: incident.clone() }), Ok(RemediateOutput::Undone));
    run(world.notify().run(NotifyInput::Undone { incident: incident.clone() })).unwrap();
    let undo = world.heard.published.lock().unwrap().last().unwrap().1["undo_result"].clone();
    let timeline = run(world.store().timeline(incident)).unwrap();
    assert_eq!(timeline.last().map(|entry| entry.kind), Some(Kind::Notified));
    let told = timeline.iter().rev().find(|entry| entry.kind == Kind::Undone).unwrap().data.to_string();
    format!("{undo} {told}")
}

/// Mallory looked at another user: a call that leaves nothing to be undone.
fn looked_at(id: &str, user: &str) -> Value {
    event(id, "GetUser", json!({"userName": user}))
}

#[test]
fn attack_3_a_key_that_two_incidents_need_off_stays_off_until_both_are_undone() {
    for second_goes_first in [false, true] {
        let world = World::new();
        world.iam.add_key(&mallory(), "AKIAMALLORY", "2026-01-01T00:00:00Z");
        let before = world.iam.state();
        let rules = asks(&[], &[RemedyKind::DeactivateAccessKey]);
        let (first, second) = two_contained(&world, &rules, looked_at("e1", "a"), looked_at("e2", "b"));
        let (goes, stays) = if second_goes_first { (&second, &first) } else { (&first, &second) };
        let told = undone(&world, goes);
        assert!(told.contains("the access key `AKIAMALLORY` stays off"), "{told}");
        assert!(told.matches(&stays.to_string()).count() >= 2, "people and the timeline are told which incident: {told}");
        assert!(!world.iam.entity(&mallory()).unwrap().keys["AKIAMALLORY"].active);
        let told = undone(&world, stays);
        assert!(!told.contains("still needs it"), "{told}");
        assert_eq!(world.iam.state(), before);
    }
}

#[test]
fn attack_3_a_deny_that_two_incidents_share_stands_until_both_are_undone() {
    // Attached where the inline quota is full, and the boundary where that one is full too.
    for attached_too in [false, true] {
        for second_goes_first in [false, true] {
            let world = World::new();
            world.iam.put_inline(&mallory(), "full", &"x".repeat(inline_quota(PrincipalKind::User)));
            if attached_too {
                (0..9).for_each(|n| world.iam.attach(&mallory(), &format!("arn:aws:iam::{ACCOUNT}:policy/p{n}")));
            }
            let limit = format!("arn:aws:iam::{ACCOUNT}:policy/limit");
            world.iam.change(&mallory(), |user| user.boundary = Some(limit.clone()));
            let before = world.iam.state();
            let rules = asks(&[], &[RemedyKind::DenyAll]);
            let (first, second) = two_contained(&world, &rules, looked_at("e1", "a"), looked_at("e2", "b"));
            let (goes, stays) = if second_goes_first { (&second, &first) } else { (&first, &second) };
            let contained = world.iam.state();
            assert!(undone(&world, goes).contains(&format!("the incident `{stays}` still needs it")));
            assert_eq!(world.iam.state(), contained);
            undone(&world, stays);
            assert_eq!(world.iam.state(), before);
        }
    }
}

#[test]
fn attack_3_a_policy_that_two_incidents_detached_is_attached_again_only_by_the_last_undo() {
    let world = World::new();
    let before = world.iam.state();
    let attached = |id: &str, by: &str| {
        let mut event = event(id, "AttachUserPolicy", json!({"userName": "iam-test-mallory", "policyArn": ADMIN_POLICY}));
        event["detail"]["userIdentity"]["userName"] = json!(by);
        event["detail"]["userIdentity"]["arn"] = json!(format!("arn:aws:iam::{ACCOUNT}:user/{by}"));
        event
    };
    let rules = asks(&[RemedyKind::DetachPolicy], &[]);
    let (first, second) = two_contained(&world, &rules, attached("e1", "ada"), attached("e2", "bob"));
    let told = undone(&world, &first);
    assert!(told.contains("stays detached") && told.contains(&second.to_string()), "{told}");
    assert!(world.iam.entity(&mallory()).unwrap().attached.is_empty());
    undone(&world, &second);
    assert_eq!(world.iam.state(), before);
}

#[test]
fn attack_3_what_an_open_incident_needs_is_kept_too() {
    let world = World::new();
    world.iam.add_key(&mallory(), "AKIAMALLORY", "2026-01-01T00:00:00Z");
    let rules = asks(&[], &[RemedyKind::DeactivateAccessKey]);
    // Both plans are made before either is carried out.
    let (first, second) = (asked_for(&world, &rules, looked_at("e1", "a")), asked_for(&world, &rules, looked_at("e2", "b")));
    for incident in [&first, &second] {
        approve(&world, incident);
        assert_eq!(apply(&world, incident), Ok(RemediateOutput::Applied));
    }
    assert_eq!(verify(&world, &first), Ok(RemediateOutput::Contained));
    close(&world, &first, Outcome::Contained);
    undone(&world, &first);
    assert_eq!(verify(&world, &second), Ok(RemediateOutput::Contained), "nothing was taken from it");
    assert!(!world.iam.entity(&mallory()).unwrap().keys["AKIAMALLORY"].active);
}

#[test]
fn attack_3_a_denial_or_expiry_of_what_went_ahead_leaves_what_another_incident_needs() {
    for denied in [true, false] {
        let world = with("[gates]\ncontain_then_ask = [\"rule\"]\n");
        world.iam.put_inline(&mallory(), "full", &"x".repeat(inline_quota(PrincipalKind::User)));
        world.iam.add_key(&mallory(), "AKIAMALLORY", "2026-01-01T00:00:00Z");
        let before = world.iam.state();
        let rules = Asks { gate: Gate::ContainThenAsk, ..asks(&[], &[RemedyKind::DenyAll, RemedyKind::DeactivateAccessKey]) };
        let ahead = |event: Value| {
            let incident = asked_for(&world, &rules, event);
            assert_eq!(apply(&world, &incident), Ok(RemediateOutput::Applied));
            verify(&world, &incident).unwrap();
            incident
        };
        let (first, second) = (ahead(looked_at("e1", "a")), ahead(looked_at("e2", "b")));
        let contained = world.iam.state();
        assert_ne!(contained, before);
        if denied {
            click(&world, &first, APPROVER, Choice::Deny);
        } else {
            expire(&world, &first);
        }
        assert_eq!(revert(&world, &first), Ok(RemediateOutput::Reverted));
        assert_eq!(world.iam.state(), contained);
        let outcome = if denied { Outcome::Denied } else { Outcome::Expired };
        close(&world, &first, outcome);
        let card = world.heard.updates.lock().unwrap().last().unwrap().to_value().to_string();
        assert!(card.contains("but for what another incident needs") && card.contains(&second.to_string()), "{card}");
        click(&world, &second, APPROVER, Choice::Deny);
        assert_eq!(revert(&world, &second), Ok(RemediateOutput::Reverted));
        assert_eq!(world.iam.state(), before);
    }
}

#[test]
fn attack_3_a_former_boundary_put_back_for_one_incident_does_not_lift_the_deny_of_another() {
    let world = World::new();
    let (limit, loose) = (format!("arn:aws:iam::{ACCOUNT}:policy/limit"), format!("arn:aws:iam::{ACCOUNT}:policy/loose"));
    world.iam.change(&mallory(), |user| user.boundary = Some(loose.clone()));
    let boundary = || world.iam.entity(&mallory()).unwrap().boundary;
    let set = |id: &str, at: &str, arn: &str| {
        let mut event =
            event(id, "PutUserPermissionsBoundary", json!({"userName": "iam-test-mallory", "permissionsBoundary": arn}));
        event["detail"]["eventTime"] = json!(at);
        event["detail"]["userIdentity"]["userName"] = json!("ada");
        event["detail"]["userIdentity"]["arn"] = json!(format!("arn:aws:iam::{ACCOUNT}:user/ada"));
        event
    };
    world.classified(set("e0", "2026-01-01T00:00:00Z", &limit), "execution-0");
    // Of both, the plan is made first; then the first one's deny takes the place of the boundary.
    let restoring = asked_for(&world, &asks(&[RemedyKind::RestorePermissionsBoundary], &[]), {
        let mut event = set("e1", "2026-01-02T03:04:00Z", &loose);
        event["detail"]["userIdentity"]["userName"] = json!("bob");
        event["detail"]["userIdentity"]["arn"] = json!(format!("arn:aws:iam::{ACCOUNT}:user/bob"));
        event
    });
    assert_eq!(world.stored(&restoring).assessment.plan.steps.len(), 1, "{:?}", world.stored(&restoring).assessment);
    let denying = asked_for(&world, &asks(&[], &[RemedyKind::SetPermissionsBoundary]), looked_at("e2", "a"));
    approve(&world, &denying);
    assert_eq!(apply(&world, &denying), Ok(RemediateOutput::Applied));
    approve(&world, &restoring);
    assert_eq!(apply(&world, &restoring), Ok(RemediateOutput::Partial));
    assert_eq!(boundary().as_deref(), Some(deny::AWS_DENY_ALL));
    assert_eq!(verify(&world, &denying), Ok(RemediateOutput::Contained));
    assert_eq!(verify(&world, &restoring), Ok(RemediateOutput::Partial));
    close(&world, &denying, Outcome::Contained);
    undone(&world, &denying);
    assert_eq!(boundary().as_deref(), Some(&*loose));
}

#[test]
fn attack_3_a_hold_that_cannot_be_read_is_no_smaller_plan() {
    let world = World::new();
    world.iam.add_key(&mallory(), "AKIAMALLORY", "2026-01-01T00:00:00Z");
    *world.table.unreadable.lock().unwrap() = Some(("HOLD#".to_owned(), TableError::Refused(Cause::new("on purpose"))));
    let incident = asked_for(&world, &asks(&[], &[RemedyKind::DeactivateAccessKey]), looked_at("e1", "a"));
    let stored = world.stored(&incident).assessment;
    assert_eq!(stored.plan.steps.len(), 0);
    assert!(stored.plan.by_hand[0].contains("could not be read"), "{:?}", stored.plan);
}

const ATTACKERS: &str = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

#[test]
fn attack_25_where_the_overwritten_policy_is_not_known_the_card_says_so_and_the_end_is_partial() {
    let world = World::new();
    world.iam.put_inline(&mallory(), "app", ATTACKERS);
    let before = world.iam.state();
    let put =
        event("e", "PutUserPolicy", json!({"userName": "iam-test-mallory", "policyName": "app", "policyDocument": ATTACKERS}));
    let incident = asked_for(&world, &asks(&[RemedyKind::RemoveInlinePolicy], &[]), put);
    let card = world.heard.posts.lock().unwrap().last().unwrap().to_value().to_string();
    assert!(card.contains("By hand") && card.contains("the state before the event is not known"), "{card}");
    assert!(world.stored(&incident).assessment.plan.notes().iter().any(|note| note.contains("Undo puts back the document")));
    approve(&world, &incident);
    assert_eq!(apply(&world, &incident), Ok(RemediateOutput::Applied));
    assert!(world.iam.entity(&mallory()).unwrap().inline.is_empty(), "the attacker's document goes all the same");
    assert_eq!(verify(&world, &incident), Ok(RemediateOutput::Partial));
    close(&world, &incident, Outcome::Partial);
    let told = undone(&world, &incident);
    assert!(told.matches("not the one before it, which is not known").count() >= 2, "people and the timeline are told: {told}");
    assert_eq!(world.iam.state(), before);
}

#[test]
fn attack_25_a_known_former_policy_comes_back_and_the_incident_is_contained() {
    let world = World::new();
    let honest = r#"{"Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
    let put = |id: &str, at: &str, by: &str, document: &str| {
        let mut event =
            event(id, "PutUserPolicy", json!({"userName": "iam-test-mallory", "policyName": "app", "policyDocument": document}));
        event["detail"]["eventTime"] = json!(at);
        event["detail"]["userIdentity"]["userName"] = json!(by);
        event["detail"]["userIdentity"]["arn"] = json!(format!("arn:aws:iam::{ACCOUNT}:user/{by}"));
        event
    };
    // Old enough to be trusted; no rule of these matches what ada does.
    let quiet = Quiet;
    let earlier = ClassifyInput { event: put("e0", "2025-12-01T00:00:00Z", "ada", honest), execution: "execution-0".to_owned() };
    run(Classify { rules: &quiet, ..world.classify() }.run(earlier)).unwrap();
    world.iam.put_inline(&mallory(), "app", ATTACKERS);
    let rules = asks(&[RemedyKind::RemoveInlinePolicy], &[]);
    let incident = asked_for(&world, &rules, put("e1", "2026-01-02T03:04:00Z", "iam-test-mallory", ATTACKERS));
    assert_eq!(world.stored(&incident).assessment.plan.by_hand, [""; 0]);
    approve(&world, &incident);
    apply(&world, &incident).unwrap();
    assert_eq!(verify(&world, &incident), Ok(RemediateOutput::Contained));
    assert_eq!(world.iam.entity(&mallory()).unwrap().inline["app"], honest);
}

/// No rule.
struct Quiet;

impl Rules for Quiet {
    fn evaluate(&self, _record: &Value, _facts: &Documents) -> Vec<Detection> {
        Vec::new()
    }
}

#[test]
fn attack_25_so_it_is_with_a_trust_policy_a_tag_and_a_trail() {
    let world = World::new();
    let role = world.iam.add_role("iam-test-role");
    let opened = r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"},{"Effect":"Deny"}]}"#;
    world.iam.change(&role, |role| role.trust = Some(opened.to_owned()));
    world.iam.tag(&role, "SecurityApproved", "true");
    let trail = world.iam.add_trail("iam-test-trail", false, Some(r#"{"eventSelectors":[{"readWriteType":"ReadOnly"}]}"#));
    let tags = json!([{"key": "SecurityApproved", "value": "true"}]);
    let cases = [
        (
            RemedyKind::RestoreTrustPolicy,
            "UpdateAssumeRolePolicy",
            json!({"roleName": "iam-test-role", "policyDocument": opened}),
        ),
        (RemedyKind::RestoreExceptionTag, "TagRole", json!({"roleName": "iam-test-role", "tags": tags})),
        (
            RemedyKind::RestartLogging,
            "PutEventSelectors",
            json!({"trailName": trail.as_str(), "eventSelectors": [{"readWriteType": "ReadOnly"}]}),
        ),
    ];
    for (n, (remedy, call, parameters)) in cases.into_iter().enumerate() {
        let mut made = event(&format!("e{n}"), call, parameters);
        if remedy == RemedyKind::RestartLogging {
            made["source"] = json!("aws.cloudtrail");
            made["detail"]["eventSource"] = json!("cloudtrail.amazonaws.com");
        }
        let incident = asked_for(&world, &asks(&[remedy], &[]), made);
        let plan = world.stored(&incident).assessment.plan;
        assert!(plan.steps.iter().any(|step| step.remedy == remedy), "{remedy}: {plan:?}");
        assert_eq!(plan.by_hand.len(), 1, "{remedy}: {plan:?}");
        approve(&world, &incident);
        assert_eq!(apply(&world, &incident), Ok(RemediateOutput::Applied), "{remedy}");
        assert_eq!(verify(&world, &incident), Ok(RemediateOutput::Partial), "{remedy}");
    }
}

#[test]
fn attack_25_where_the_making_of_the_principal_was_seen_nothing_stood_there_before() {
    for made_by in ["operator", "iam-test-mallory"] {
        let world = World::new();
        let role = world.iam.add_role("iam-test-role");
        world.iam.put_inline(&role, "app", ATTACKERS);
        let mut made = event("e0", "CreateRole", json!({"roleName": "iam-test-role", "assumeRolePolicyDocument": "{}"}));
        made["detail"]["userIdentity"]["userName"] = json!(made_by);
        made["detail"]["userIdentity"]["arn"] = json!(format!("arn:aws:iam::{ACCOUNT}:user/{made_by}"));
        let earlier = ClassifyInput { event: made, execution: "execution-0".to_owned() };
        run(Classify { rules: &Quiet, ..world.classify() }.run(earlier)).unwrap();
        let put =
            event("e1", "PutRolePolicy", json!({"roleName": "iam-test-role", "policyName": "app", "policyDocument": ATTACKERS}));
        let incident = asked_for(&world, &asks(&[RemedyKind::RemoveInlinePolicy], &[]), put);
        approve(&world, &incident);
        apply(&world, &incident).unwrap();
        let end = if made_by == "operator" { RemediateOutput::Contained } else { RemediateOutput::Partial };
        assert_eq!(verify(&world, &incident), Ok(end), "{made_by}");
        assert!(world.iam.entity(&role).unwrap().inline.is_empty());
    }
}
