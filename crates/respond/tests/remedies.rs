//! The plan of each remedy for an event, the parts that it leaves to a person, and the remedies that go together.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper of a test states what it expects")]

use cordon_core::incident::EventFacts;
use cordon_core::{
    Actor, Arn, Config, Detection, Former, Gate, Level, PlannedStep, Principal, PrincipalKind, Purpose, RemedyKind, Response,
    Subject,
};
use cordon_respond::{Case, KeyLastUse, NoHolds, Planning, apply_plan, planner, revert_plan};
use cordon_testkit::fake_iam::inline_quota;
use cordon_testkit::laws::{self, ACCOUNT, ADMIN, INCIDENT};
use cordon_testkit::{FakeIam, MemoryProgress, no_limits, run};
use serde_json::json;

/// Mallory makes a call on a user, a role, a policy or a trail.
struct Story {
    iam: FakeIam,
    mallory: Principal,
    subject: Subject,
    event: EventFacts,
    config: Config,
}

fn story(event: &str) -> Story {
    let iam = FakeIam::new(ACCOUNT.parse().unwrap());
    let mallory = iam.add_user("iam-test-mallory");
    let subject = Subject::Principal { principal: mallory.clone() };
    Story { iam, mallory, subject, event: laws::event(event), config: Config::default() }
}

impl Story {
    fn on(mut self, principal: &Principal) -> Self {
        self.subject = Subject::Principal { principal: principal.clone() };
        self
    }

    fn plan(&self, revert: &[RemedyKind], contain: &[RemedyKind]) -> Planning {
        let record = json!({"userIdentity": {"type": "IAMUser", "userName": "iam-test-mallory", "accountId": ACCOUNT, "arn": self.mallory.arn()}});
        let response = Response { revert: revert.to_vec(), contain: contain.to_vec(), gate: Gate::Ask, exceptions: vec![] };
        let detection = Detection {
            rule: "rule".parse().unwrap(),
            title: String::new(),
            author: String::new(),
            level: Level::High,
            description: String::new(),
            tags: vec![],
            response: Some(response),
        };
        let case = Case {
            incident: &INCIDENT.parse().unwrap(),
            account: Some(&self.mallory.account),
            actor: &Actor::from_record(&record),
            subject: &self.subject,
            detections: &[detection],
            event: &self.event,
            now: laws::NOW.parse().unwrap(),
        };
        run(planner::plan(&self.iam, &NoHolds, &self.config, &[], &case)).unwrap()
    }

    /// The plan of a revert remedy, without the deny of sessions that goes with it and what it says of a state that is not known.
    fn plan_of(&self, remedy: RemedyKind) -> Planning {
        let mut planning = self.plan(&[remedy], &[]);
        planning.plan.steps.retain(|step| step.remedy != RemedyKind::RevokeSessions);
        let unknown: Vec<_> = planning.plan.steps.iter().filter_map(|step| step.unknown_before.clone()).collect();
        planning.plan.by_hand.retain(|said| !unknown.contains(said));
        planning
    }

    /// The one step that a revert remedy plans.
    fn step(&self, remedy: RemedyKind) -> PlannedStep {
        let planning = self.plan_of(remedy);
        assert_eq!((planning.plan.steps.len(), planning.plan.by_hand.len()), (1, 0), "{planning:?}");
        planning.plan.steps[0].clone()
    }

    /// What a revert remedy leaves to a person, of which it does nothing.
    fn by_hand(&self, remedy: RemedyKind) -> String {
        let planning = self.plan_of(remedy);
        assert_eq!((planning.plan.steps.len(), planning.plan.by_hand.len()), (0, 1), "{planning:?}");
        planning.plan.by_hand[0].clone()
    }

    fn contained_by(&self, contain: &[RemedyKind]) -> Vec<RemedyKind> {
        self.plan(&[], contain).plan.steps.iter().map(|step| step.remedy).collect()
    }
}

fn former(by: &str, value: Option<&str>) -> Option<Former> {
    Some(Former { value: value.map(str::to_owned), by: by.to_owned(), at: None, event: "earlier".to_owned() })
}

const HONEST: &str = "arn:aws:iam::111111111111:user/ada";

#[test]
fn a_wider_deny_makes_the_narrower_ones_needless_on_the_same_principal() {
    use RemedyKind as R;
    let story = story("AttachUserPolicy");
    story.iam.add_key(&story.mallory, "AKIA1", laws::NOW);
    assert_eq!(story.contained_by(&[R::DenyIam, R::DenyAll, R::RevokeSessions]), [R::DenyAll]);
    assert_eq!(story.contained_by(&[R::DenyIam, R::RevokeSessions]), [R::DenyIam, R::RevokeSessions]);
    assert_eq!(story.contained_by(&[R::DenyIam, R::SetPermissionsBoundary]), [R::SetPermissionsBoundary]);
    assert_eq!(story.contained_by(&[R::DenyAll, R::DeactivateAccessKey]), [R::DenyAll, R::DeactivateAccessKey]);
    // A deny of IAM alone leaves federated sessions their other rights.
    assert_eq!(
        story.contained_by(&[R::DenyIam, R::DeactivateAccessKey]),
        [R::DenyIam, R::RevokeSessions, R::DeactivateAccessKey]
    );
}

#[test]
fn a_deny_of_iam_that_finds_no_room_becomes_a_boundary_and_says_that_it_is_wider() {
    let story = story("AttachUserPolicy");
    story.iam.put_inline(&story.mallory, "full", &"x".repeat(inline_quota(PrincipalKind::User)));
    let plan = story.plan(&[], &[RemedyKind::DenyIam, RemedyKind::RevokeSessions]).plan;
    assert_eq!(plan.calls().len(), 1, "{plan:?}");
    assert!(plan.calls()[0].starts_with("iam:PutUserPermissionsBoundary PermissionsBoundary=arn:aws:iam::aws:policy/AWSDenyAll"));
    assert!(plan.notes()[0].contains("it denies everything"));
}

#[test]
fn a_step_that_would_set_what_an_earlier_one_sets_is_left_to_a_person() {
    let mut story = story("DeleteUserPermissionsBoundary");
    story.event.touched.former = former(HONEST, Some("arn:aws:iam::111111111111:policy/limit"));
    let planning = story.plan(&[RemedyKind::RestorePermissionsBoundary], &[RemedyKind::SetPermissionsBoundary]);
    assert_eq!(planning.plan.steps.len(), 1);
    assert!(planning.plan.by_hand[0].contains("once that step is undone"), "{planning:?}");
}

#[test]
fn a_remedy_answers_only_the_calls_that_it_undoes() {
    let planning = story("CreateUser").plan(&[RemedyKind::DetachPolicy, RemedyKind::RestartLogging], &[]);
    assert_eq!(planning.plan.steps, []);
    assert!(planning.plan.by_hand.len() == 1 && planning.plan.by_hand[0].contains("undoes `CreateUser`"), "{planning:?}");
}

#[test]
fn of_two_keys_the_event_means_one_and_where_it_cannot_be_told_a_person_is_asked() {
    let story = story("CreateAccessKey");
    let make = |id: &str, at: &str| story.iam.add_key(&story.mallory, id, at);
    make("AKIAOLD", "2025-01-01T00:00:00Z");
    make("AKIANEW", "2026-01-02T03:04:06Z");
    let step = story.step(RemedyKind::DeactivateAccessKey);
    assert_eq!(step.calls[0].to_string(), "iam:UpdateAccessKey AccessKeyId=AKIANEW Status=Inactive UserName=iam-test-mallory");
    let note = step.note.unwrap();
    assert!(note.contains("`AKIANEW` no use reported yet (AWS reports it hours late)") && note.contains("live on"), "{note}");
    make("AKIATWIN", "2026-01-02T03:04:05Z");
    assert!(story.by_hand(RemedyKind::DeactivateAccessKey).contains("aws iam list-access-keys"));
}

#[test]
fn a_key_that_was_used_leaves_sessions_and_the_step_says_so() {
    let mut story = story("CreateAccessKey");
    story.iam.add_key(&story.mallory, "AKIA1", laws::NOW);
    let used = KeyLastUse { at: laws::NOW.parse().unwrap(), service: None, region: None };
    story.iam.change(&story.mallory, |user| user.keys.values_mut().for_each(|key| key.last_used = Some(used.clone())));
    story.event.touched.access_key_id = Some("AKIA1".to_owned());
    assert!(story.step(RemedyKind::DeactivateAccessKey).note.unwrap().contains("live on after it is off"));
}

#[test]
fn a_password_is_deleted_only_after_the_console_is_taken_and_said_to_be_gone_for_good() {
    let story = story("CreateLoginProfile");
    story.iam.change(&story.mallory, |user| user.login_profile = true);
    let plan = story.plan(&[RemedyKind::DeleteLoginProfile], &[]).plan;
    let remedies: Vec<_> = plan.steps.iter().map(|step| step.remedy).collect();
    assert_eq!(remedies, [RemedyKind::DisableLoginProfile, RemedyKind::DeleteLoginProfile]);
    assert!(plan.notes()[0].contains("cannot be restored"), "{:?}", plan.notes());
}

#[test]
fn an_inline_policy_that_is_no_longer_the_events_is_left_alone() {
    let mut story = story("PutUserPolicy");
    story.iam.put_inline(&story.mallory, "p", "{\"now\":1}");
    story.event.touched.policy_name = Some("p".to_owned());
    story.event.touched.document = Some("{\"then\":1}".to_owned());
    assert!(story.by_hand(RemedyKind::RemoveInlinePolicy).contains("no longer what the event made it"));
    story.event.touched.document = Some("{ \"now\": 1 }".to_owned());
    let undo = story.step(RemedyKind::RemoveInlinePolicy).undo[0].to_string();
    assert!(undo.contains("PolicyDocument={\"now\":1}"), "{undo}");
}

#[test]
fn what_the_actor_had_set_before_is_no_former_state_to_go_back_to() {
    let role_story = |by: &str| {
        let mut story = story("UpdateAssumeRolePolicy");
        let role = story.iam.add_role("iam-test-role");
        story.iam.change(&role, |role| role.trust = Some("{\"Statement\":[{\"evil\":2}]}".to_owned()));
        story.event.touched.document = Some("{\"Statement\":[{\"evil\":2}]}".to_owned());
        story.event.touched.former = former(by, Some("{\"Statement\":[{\"evil\":1}]}"));
        story.on(&role)
    };
    assert!(
        role_story("arn:aws:iam::111111111111:user/iam-test-mallory")
            .by_hand(RemedyKind::RestoreTrustPolicy)
            .contains("AWS Config")
    );
    assert!(role_story(HONEST).step(RemedyKind::RestoreTrustPolicy).calls[0].to_string().contains("{\"evil\":1}"));
}

#[test]
fn a_trust_policy_with_nothing_to_leave_in_it_is_left_to_a_person() {
    let mut story = story("UpdateAssumeRolePolicy");
    let role = story.iam.add_role("iam-test-role");
    let opened = "{\"Statement\":[{\"Principal\":\"*\"}]}";
    story.iam.change(&role, |role| role.trust = Some(opened.to_owned()));
    story.event.touched.document = Some(opened.to_owned());
    story.event.touched.outside_statements = vec![0];
    assert!(story.on(&role).by_hand(RemedyKind::RestoreTrustPolicy).contains("update-assume-role-policy"));
}

#[test]
fn a_boundary_is_never_guessed() {
    assert!(
        story("DeleteUserPermissionsBoundary")
            .by_hand(RemedyKind::RestorePermissionsBoundary)
            .contains("put-user-permissions-boundary")
    );
}

#[test]
fn a_tag_that_was_taken_off_is_not_put_on_again_by_guess_or_for_the_actor() {
    for former in [None, former("arn:aws:iam::111111111111:user/iam-test-mallory", Some("true"))] {
        let mut story = story("UntagUser");
        story.event.touched.tags_removed = vec!["SecurityApproved".to_owned()];
        story.event.touched.former = former;
        assert!(story.by_hand(RemedyKind::RestoreExceptionTag).contains("who had given it"));
    }
}

fn policy_story(documents: &[&str], event: &str, version: &str) -> (Story, Arn) {
    let mut story = story(event);
    let arn = story.iam.add_policy("iam-test-policy", documents);
    story.subject = Subject::Policy { arn: arn.to_string() };
    story.event.policy_arn = Some(arn.to_string());
    story.event.touched.version_id = Some(version.to_owned());
    (story, arn)
}

#[test]
fn the_bad_version_is_replaced_then_deleted_and_undo_finds_it_under_its_new_id() {
    let (story, arn) = policy_story(&["{\"good\":1}", "{\"bad\":1}"], "CreatePolicyVersion", "v2");
    let plan = story.plan(&[RemedyKind::DeletePolicyVersion, RemedyKind::RestorePolicyVersion], &[]).plan;
    let calls: Vec<String> = plan.calls().iter().map(|call| call.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(calls, ["iam:SetDefaultPolicyVersion", "iam:DeletePolicyVersion"]);
    let progress = MemoryProgress::default();
    assert!(run(apply_plan(&story.iam, &no_limits(), &plan, &progress)).unwrap().complete);
    let policy = story.iam.managed_policy(&arn).unwrap();
    assert_eq!((policy.default_version.as_str(), policy.versions.len()), ("v1", 1));
    assert!(run(revert_plan(&story.iam, &plan, &progress, None, false)).unwrap().complete);
    let policy = story.iam.managed_policy(&arn).unwrap();
    assert_eq!((policy.default_version.as_str(), policy.versions[&3].as_str()), ("v3", "{\"bad\":1}"));
}

#[test]
fn which_version_was_the_default_is_known_from_an_event_or_plain_or_asked() {
    let three = ["{\"a\":1}", "{\"a\":2}", "{\"a\":3}"];
    let restored = |event: &str, former: Option<Former>| {
        let (mut story, _) = policy_story(&three, event, "v3");
        story.event.touched.former = former;
        story.step(RemedyKind::RestorePolicyVersion)
    };
    assert_eq!(restored("SetDefaultPolicyVersion", former(HONEST, Some("v1"))).version.as_deref(), Some("v1"));
    let newest = restored("CreatePolicyVersion", None);
    assert_eq!(newest.version.as_deref(), Some("v2"));
    assert!(newest.note.unwrap().contains("IAM does not keep which one was it before"));
    // What the actor had made the default just before is passed over.
    let actors = former("arn:aws:iam::111111111111:user/iam-test-mallory", Some("v2"));
    assert_eq!(restored("CreatePolicyVersion", actors).version.as_deref(), Some("v1"));
    let (story, _) = policy_story(&three, "SetDefaultPolicyVersion", "v3");
    assert!(story.by_hand(RemedyKind::RestorePolicyVersion).contains("v1"));
}

#[test]
fn the_default_version_is_never_deleted() {
    let (story, _) = policy_story(&["{\"bad\":1}"], "CreatePolicyVersion", "v1");
    let planning = story.plan(&[RemedyKind::RestorePolicyVersion, RemedyKind::DeletePolicyVersion], &[]);
    assert_eq!((planning.plan.steps.len(), planning.plan.by_hand.len()), (0, 2), "{planning:?}");
}

#[test]
fn a_policy_of_awss_own_or_outside_the_scope_is_not_touched() {
    let (mut story, _) = policy_story(&["{\"a\":1}", "{\"a\":2}"], "CreatePolicyVersion", "v2");
    story.config.scope.policies.clear();
    assert!(story.by_hand(RemedyKind::RestorePolicyVersion).contains("scope.policies"));
    story.event.policy_arn = Some(ADMIN.to_owned());
    assert!(story.by_hand(RemedyKind::RestorePolicyVersion).contains("AWS's own"));
}

#[test]
fn a_trail_is_started_again_and_one_that_was_deleted_is_left_to_a_person() {
    let mut story = story("StopLogging");
    let arn = story.iam.add_trail("iam-test-trail", false, None);
    story.event.touched.trail_arn = Some(arn.to_string());
    assert_eq!(story.step(RemedyKind::RestartLogging).calls[0].to_string(), format!("cloudtrail:StartLogging Name={arn}"));
    story.event.name = "DeleteTrail".to_owned();
    story.event.touched.trail_arn = Some(arn.to_string().replace("iam-test-trail", "iam-test-gone"));
    assert!(story.by_hand(RemedyKind::RestartLogging).contains("no longer exists"));
}

#[test]
fn a_user_that_the_event_made_loses_everything_but_is_not_deleted() {
    let mut story = story("CreateUser");
    let new = story.iam.add_user("iam-test-new");
    story.iam.add_key(&new, "AKIANEW", laws::NOW);
    story.event.touched.created_id = Some(story.iam.entity(&new).unwrap().unique_id);
    let story = story.on(&new);
    let step = story.step(RemedyKind::DisableCreatedPrincipal);
    assert_eq!((step.purpose, step.calls.len()), (Purpose::Revert, 2));
    assert!(step.calls.iter().all(|call| !call.action.contains("DeleteUser")));
    story.iam.recreate(&new);
    assert!(story.by_hand(RemedyKind::DisableCreatedPrincipal).contains("made again since"));
}
