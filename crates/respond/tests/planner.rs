//! Which principals a plan may touch, and what is left to a person.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a helper of a test states what it expects")]

use cordon_core::pattern::Pattern;
use cordon_core::{
    AccountId, Actor, Config, Detection, Gate, IncidentId, Level, Principal, PrincipalKind, Purpose, RemedyKind, Response,
    Subject, Target,
};
use cordon_respond::{Case, IamErrorKind, NoHolds, Planning, planner};
use cordon_testkit::laws::{self, ACCOUNT, ADMIN, INCIDENT};
use cordon_testkit::{Failure, FakeIam, When, run};
use serde_json::{Value, json};

struct Story {
    iam: FakeIam,
    config: Config,
    account: Option<AccountId>,
    actor: Actor,
    subject: Subject,
    detections: Vec<Detection>,
    policy_arn: Option<String>,
}

/// `iam-test-mallory` attached AdministratorAccess to `iam-test-victim`.
fn story() -> Story {
    let iam = FakeIam::new(ACCOUNT.parse().unwrap());
    let mallory = iam.add_user("iam-test-mallory");
    let victim = iam.add_user("iam-test-victim");
    iam.attach(&victim, ADMIN);
    Story {
        actor: user("iam-test-mallory", &iam.entity(&mallory).unwrap().unique_id),
        iam,
        config: Config::default(),
        account: Some(ACCOUNT.parse().unwrap()),
        subject: named(PrincipalKind::User, "iam-test-victim"),
        detections: vec![detection(&[RemedyKind::DetachPolicy], &[RemedyKind::DenyIam])],
        policy_arn: Some(ADMIN.to_owned()),
    }
}

impl Story {
    fn plan(&self) -> Planning {
        self.try_plan().unwrap()
    }

    fn try_plan(&self) -> Result<Planning, cordon_respond::IamError> {
        let incident: IncidentId = INCIDENT.parse().unwrap();
        let mut event = laws::event("AttachUserPolicy");
        event.policy_arn.clone_from(&self.policy_arn);
        let case = Case {
            incident: &incident,
            account: self.account.as_ref(),
            actor: &self.actor,
            subject: &self.subject,
            detections: &self.detections,
            event: &event,
            now: laws::NOW.parse().unwrap(),
        };
        let never = [Pattern::new("arn:aws:iam::*:role/cordon-*")];
        let planning = run(planner::plan(&self.iam, &NoHolds, &self.config, &never, &case));
        assert_eq!(self.iam.writes(), [], "planning wrote");
        planning
    }

    /// Plans for an actor and says what was left out, and that nothing was planned for them.
    fn left_out_actor(mut self, actor: Actor) -> String {
        self.actor = actor;
        self.detections = vec![detection(&[], &[RemedyKind::DenyIam])];
        let planning = self.plan();
        assert_eq!(planning.plan.steps, [], "{planning:?}");
        // The call itself is undone by no rule here, which is said too.
        let of_actor = planning.left_out.iter().filter(|reason| !reason.starts_with("No matched rule undoes"));
        assert_eq!(of_actor.count(), 1, "{planning:?}");
        planning.left_out[0].clone()
    }
}

fn detection(revert: &[RemedyKind], contain: &[RemedyKind]) -> Detection {
    Detection {
        rule: "rule".parse().unwrap(),
        title: String::new(),
        author: String::new(),
        level: Level::High,
        description: String::new(),
        tags: vec![],
        response: Some(Response { revert: revert.to_vec(), contain: contain.to_vec(), gate: Gate::Ask, exceptions: vec![] }),
    }
}

fn actor(identity: Value) -> Actor {
    Actor::from_record(&json!({"userIdentity": identity}))
}

fn user(name: &str, id: &str) -> Actor {
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/{name}");
    actor(json!({"type": "IAMUser", "userName": name, "accountId": ACCOUNT, "arn": arn, "principalId": id}))
}

fn session(role_arn: &str, role: &str, account: &str) -> Actor {
    actor(json!({"type": "AssumedRole", "accountId": account, "principalId": "AROAUNKNOWN:s",
        "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/s"),
        "sessionContext": {"sessionIssuer": {"arn": role_arn, "userName": role}}}))
}

fn named(kind: PrincipalKind, name: &str) -> Subject {
    Subject::Principal { principal: Principal::new(kind, ACCOUNT.parse().unwrap(), name) }
}

#[test]
fn the_actor_is_contained_first_then_the_subject_is_restored() {
    let planning = story().plan();
    let steps: Vec<_> =
        planning.plan.steps.iter().map(|s| (s.purpose, s.remedy, s.target.principal().unwrap().name.as_str())).collect();
    assert_eq!(
        steps,
        [
            (Purpose::Contain, RemedyKind::DenyIam, "iam-test-mallory"),
            (Purpose::Revert, RemedyKind::DetachPolicy, "iam-test-victim")
        ]
    );
    assert_eq!((planning.left_out.len(), planning.plan.by_hand.len()), (0, 0));
    let calls = planning.plan.calls();
    assert!(calls[0].starts_with("iam:PutUserPolicy PolicyDocument={") && calls[0].contains("CordonDenyIam-inc-"), "{calls:?}");
    assert_eq!(calls[1], format!("iam:DetachUserPolicy PolicyArn={ADMIN} UserName=iam-test-victim"));
}

#[test]
fn what_two_rules_want_is_planned_once_and_a_rule_without_response_adds_nothing() {
    let mut story = story();
    story.detections.push(detection(&[RemedyKind::DetachPolicy], &[RemedyKind::DenyIam]));
    story.detections.push(Detection { response: None, ..detection(&[], &[]) });
    assert_eq!(story.plan().plan.steps.len(), 2);
    // The same remedy for both purposes on the same principal is one step, and the earlier purpose names it.
    story.subject = named(PrincipalKind::User, "iam-test-mallory");
    story.detections = vec![detection(&[RemedyKind::DenyIam], &[RemedyKind::DenyIam])];
    let steps = story.plan().plan.steps;
    assert_eq!(steps.iter().map(|step| step.purpose).collect::<Vec<_>>(), [Purpose::Contain]);
}

#[test]
fn groups_and_roles_are_detached_from_too() {
    for kind in [PrincipalKind::Role, PrincipalKind::Group] {
        let mut story = story();
        let target = story.iam.add(kind, "/", "iam-test-other");
        story.iam.attach(&target, ADMIN);
        story.subject = named(kind, "iam-test-other");
        assert_eq!(story.plan().plan.steps[1].target, Target::Principal(target));
    }
}

#[test]
fn a_session_is_contained_at_its_role() {
    let mut story = story();
    let role = story.iam.add_role("iam-test-deploy");
    let id = story.iam.entity(&role).unwrap().unique_id;
    story.actor = session(&role.arn(), "iam-test-deploy", ACCOUNT);
    story.actor.unique_id = Some(id);
    let planning = story.plan();
    assert_eq!(planning.plan.steps[0].target, Target::Principal(role));
    assert!(planning.plan.steps[0].calls[0].action == "iam:PutRolePolicy");
}

#[test]
fn the_scope_judges_the_path_that_iam_gives_not_the_name_in_the_event() {
    let mut story = story();
    let hidden = story.iam.add(PrincipalKind::User, "/production/", "iam-test-hidden");
    story.iam.attach(&hidden, ADMIN);
    story.subject = named(PrincipalKind::User, "iam-test-hidden");
    story.detections = vec![detection(&[RemedyKind::DetachPolicy], &[])];
    let planning = story.plan();
    assert_eq!(planning.plan.steps, []);
    assert!(planning.left_out[0].contains("user/production/iam-test-hidden"), "{planning:?}");
    story.config.scope.principals = vec![Pattern::new("arn:aws:iam::*:user/production/*")];
    assert_eq!(story.plan().plan.steps[0].target, Target::Principal(hidden));
}

#[test]
fn never_touch_and_cordons_own_roles_are_refused() {
    let mut story = story();
    story.config.scope.principals = vec![Pattern::new("arn:*")];
    story.config.scope.never_touch = vec!["arn:aws:iam::111111111111:user/iam-test-victim".parse().unwrap()];
    let planning = story.plan();
    assert_eq!(planning.plan.steps.len(), 1);
    assert!(planning.left_out[0].contains("never_touch"), "{planning:?}");
    story.iam.add_role("cordon-remediate");
    let actor = session(&format!("arn:aws:iam::{ACCOUNT}:role/cordon-remediate"), "cordon-remediate", ACCOUNT);
    let mut own = actor;
    own.unique_id = None;
    assert!(story.left_out_actor(own).contains("Cordon's own"));
}

#[test]
fn a_principal_of_another_account_is_left_to_its_owner() {
    let reason = story().left_out_actor(session("arn:aws:iam::222222222222:role/iam-test-x", "iam-test-x", "222222222222"));
    assert!(reason.contains("belongs to account 222222222222"), "{reason}");
}

#[test]
fn a_port_over_the_wrong_account_is_noticed() {
    let mut story = story();
    story.iam = FakeIam::new("222222222222".parse().unwrap());
    story.iam.add_user("iam-test-mallory");
    let planning = story.plan();
    assert_eq!(planning.plan.steps, []);
    assert!(planning.left_out[0].contains("IAM answered for account 222222222222"), "{planning:?}");
}

#[test]
fn an_event_without_an_account_changes_nothing() {
    let planning = Story { account: None, ..story() }.plan();
    assert_eq!((planning.plan.steps.len(), planning.left_out.len()), (0, 2));
}

#[test]
fn what_is_gone_already_undone_or_made_again_is_left_out() {
    let gone = story();
    gone.iam.delete(&Principal::new(PrincipalKind::User, ACCOUNT.parse().unwrap(), "iam-test-victim"));
    assert!(gone.plan().left_out[0].contains("no longer exists"));
    let undone = story();
    undone.iam.detach(&Principal::new(PrincipalKind::User, ACCOUNT.parse().unwrap(), "iam-test-victim"), ADMIN);
    assert!(undone.plan().left_out[0].contains("is not attached"));
    let again = story();
    again.iam.recreate(&Principal::new(PrincipalKind::User, ACCOUNT.parse().unwrap(), "iam-test-mallory"));
    let planning = again.plan();
    assert_eq!(planning.plan.steps.len(), 1);
    assert!(planning.left_out[0].contains("made again since the event"), "{planning:?}");
}

#[test]
fn an_actor_without_user_or_role_is_put_to_a_person_with_the_steps() {
    let check = |identity: Value, reason: &str, step: &str| {
        let planning = Story { actor: actor(identity), ..story() }.plan();
        assert_eq!(planning.plan.steps.len(), 1, "the subject is still restored");
        assert!(planning.left_out[0].contains(reason), "{planning:?}");
        assert!(planning.plan.by_hand[0].contains(step), "{planning:?}");
    };
    check(json!({"type": "Root", "accountId": ACCOUNT}), "root user", "delete every root access key");
    check(json!({"type": "AWSService", "invokedBy": "cloudformation.amazonaws.com"}), "AWS service", "invokedBy");
    check(json!({"type": "AWSAccount", "accountId": "222222222222"}), "another account", "trust policies");
    check(json!({"type": "FederatedUser", "accountId": ACCOUNT}), "federated", "GetFederationToken");
    check(json!({"type": "SAMLUser"}), "does not name a user or role", "identity provider");
}

#[test]
fn roles_that_nobody_may_change_are_put_to_a_person() {
    let check = |path: &str, name: &str, step: &str| {
        let mut story = story();
        let role = story.iam.add(PrincipalKind::Role, path, name);
        story.iam.attach(&role, ADMIN);
        story.subject = named(PrincipalKind::Role, name);
        story.config.scope.principals = vec![Pattern::new("arn:*")];
        let planning = story.plan();
        assert_eq!(planning.plan.steps.len(), 1, "{planning:?}");
        assert!(planning.plan.by_hand[0].contains(step), "{planning:?}");
    };
    check("/aws-service-role/ecs.amazonaws.com/", "AWSServiceRoleForECS", "delete-service-linked-role");
    check("/aws-reserved/sso.amazonaws.com/", "AWSReservedSSO_Admin_0123456789abcdef", "permission set");
}

#[test]
fn a_deny_on_a_group_and_a_call_that_names_no_policy_are_put_to_a_person() {
    let mut story = story();
    story.iam.add_group("iam-test-team");
    story.subject = named(PrincipalKind::Group, "iam-test-team");
    story.detections = vec![detection(&[RemedyKind::DenyIam, RemedyKind::DetachPolicy], &[])];
    story.policy_arn = None;
    let planning = story.plan();
    assert_eq!((planning.plan.steps.len(), planning.plan.by_hand.len()), (0, 2));
    story.subject = Subject::Policy { arn: ADMIN.to_owned() };
    assert!(story.plan().left_out[0].contains("works on a user, role or group"));
}

#[test]
fn a_failed_read_is_an_error_and_not_a_smaller_plan() {
    for action in ["iam:GetUser", "iam:GetUserPolicy", "iam:ListAttachedUserPolicies"] {
        let story = story();
        story.iam.faults().strike_action(action, When::Before, Failure::Error(IamErrorKind::AccessDenied));
        assert_eq!(story.try_plan().unwrap_err().action(), action);
    }
}

#[test]
fn a_principal_is_looked_up_once() {
    let mut story = story();
    story.subject = named(PrincipalKind::User, "iam-test-mallory");
    story.iam.forget_calls();
    story.plan();
    assert_eq!(story.iam.calls().iter().filter(|call| *call == "iam:GetUser").count(), 1);
}
