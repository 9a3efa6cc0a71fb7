//! Attacks on former states: no remedy ever installs what an attacker prepared, whichever of their identities prepared it.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::{CheckInput, ClassifyInput, ClassifyOutput};
use cordon_core::{Detection, Level, Principal, RemedyKind, Response};
use cordon_detect::enrich::Documents;
use cordon_flow::classify::{Classify, Rules};
use cordon_testkit::run;
use serde_json::{Value, json};
use support::{ACCOUNT, CONFIG, World, by, event, made_at};

/// One rule that undoes what these tests set. Events of a user `quiet…` match none, so that only content and age tell.
struct Undoing;

impl Rules for Undoing {
    fn evaluate(&self, record: &Value, _: &Documents) -> Vec<Detection> {
        let quiet = record["userIdentity"]["userName"].as_str().is_some_and(|name| name.starts_with("quiet"));
        let revert = match record["eventName"].as_str() {
            _ if quiet => return Vec::new(),
            Some("UpdateAssumeRolePolicy") => RemedyKind::RestoreTrustPolicy,
            Some("PutRolePolicy") => RemedyKind::RemoveInlinePolicy,
            Some("PutRolePermissionsBoundary") => RemedyKind::RestorePermissionsBoundary,
            Some("SetDefaultPolicyVersion" | "CreatePolicyVersion") => RemedyKind::RestorePolicyVersion,
            _ => return Vec::new(),
        };
        vec![Detection {
            rule: "undoing".parse().unwrap(),
            title: "Undoing".to_owned(),
            author: "Test".to_owned(),
            level: Level::Medium,
            description: "It is dangerous.".to_owned(),
            tags: vec![],
            response: Some(Response { revert: vec![revert], contain: vec![], gate: Default::default(), exceptions: vec![] }),
        }]
    }
}

struct Story {
    world: World,
    role: Principal,
    n: u32,
}

/// Who sets it, when, and to what.
type Set<'a> = (&'a str, &'a str, Value);

const LONG_AGO: &str = "2025-12-01T00:00:00Z";
const MINUTES_AGO: &str = "2026-01-02T02:50:00Z";
const NOW: &str = "2026-01-02T03:04:00Z";

impl Story {
    fn new() -> Self {
        let world =
            World::with(&format!("{CONFIG}\n[gates]\nauto = [\"undoing\"]\n[scope]\npolicies = [\"arn:aws:iam::*:policy/*\"]\n"));
        let role = world.iam.add_role("iam-test-app");
        Self { world, role, n: 0 }
    }

    fn classified(&mut self, name: &str, (who, at, parameters): Set<'_>) -> ClassifyOutput {
        self.n += 1;
        let event = made_at(at, by(who, event(&format!("e{}", self.n), name, parameters)));
        let classify = Classify { rules: &Undoing, ..self.world.classify() };
        run(classify.run(ClassifyInput { event, execution: format!("x{}", self.n) })).unwrap()
    }

    /// What earlier events set, and then what the plan for the last one says: its calls, notes and what is left to a person.
    fn plan(&mut self, name: &str, earlier: Vec<Set<'_>>, last: Set<'_>) -> String {
        for set in earlier {
            self.classified(name, set);
        }
        let ClassifyOutput::Opened { incident } = self.classified(name, last) else { panic!("not opened") };
        run(self.world.check().run(CheckInput { incident: incident.clone() })).unwrap();
        let plan = self.world.stored(&incident).assessment.plan;
        format!("{} {:?} {:?}", json!(plan.calls()), plan.steps.iter().map(|step| &step.note).collect::<Vec<_>>(), plan.by_hand)
    }
}

fn trust(who: &str) -> String {
    let statement = |who: &str| json!({"Effect": "Allow", "Principal": {"AWS": who}, "Action": "sts:AssumeRole"});
    let honest = format!("arn:aws:iam::{ACCOUNT}:role/app");
    json!({"Version": "2012-10-17", "Statement": [statement(&honest), statement(who)]}).to_string()
}

fn allow(action: &str) -> String {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}).to_string()
}

#[test]
fn attack_4_a_trust_policy_that_another_identity_of_the_attacker_set_is_not_restored() {
    let outside = "arn:aws:iam::999999999999:root";
    let inside = format!("arn:aws:iam::{ACCOUNT}:role/ci");
    let set = |document: &str| json!({"roleName": "iam-test-app", "policyDocument": document});
    let last = trust("arn:aws:iam::888888888888:root");
    let check = |second: (&str, &str, &str), why: &str| {
        for honest_known in [true, false] {
            let mut story = Story::new();
            story.world.iam.change(&story.role.clone(), |entity| entity.trust = Some(last.clone()));
            let mut earlier = vec![(second.0, second.1, set(&trust(second.2)))];
            if honest_known {
                earlier.insert(0, ("quiet-ada", LONG_AGO, set(&trust(&inside))));
            }
            let plan = story.plan("UpdateAssumeRolePolicy", earlier, ("iam-test-mallory", NOW, set(&last)));
            assert!(!plan.contains("999999999999") && plan.contains(why), "{why}: {plan}");
            assert_eq!(plan.contains("role/ci"), honest_known, "{why}: {plan}");
        }
    };
    check(("mallory2", MINUTES_AGO, outside), "matched the rule `undoing`");
    check(("mallory2", "2025-12-24T00:00:00Z", outside), "matched the rule `undoing`");
    check(("quiet-mallory2", "2025-12-24T00:00:00Z", outside), "lets somebody outside of the account in");
    check(("quiet-mallory2", MINUTES_AGO, &format!("arn:aws:iam::{ACCOUNT}:role/evil")), "less than 24 hours before the event");
}

#[test]
fn attack_4_an_inline_policy_that_another_identity_of_the_attacker_set_is_not_restored() {
    let set = |document: &str| json!({"roleName": "iam-test-app", "policyName": "p", "policyDocument": document});
    for (who, at, evil) in [
        ("mallory2", MINUTES_AGO, "*"),
        ("quiet-mallory2", "2025-12-24T00:00:00Z", "*"),
        ("quiet-mallory2", "2025-12-24T00:00:00Z", "iam:PutRolePolicy"),
        ("quiet-mallory2", MINUTES_AGO, "kms:Decrypt"),
    ] {
        for honest_known in [true, false] {
            let mut story = Story::new();
            story.world.iam.put_inline(&story.role.clone(), "p", &allow("iam:*"));
            let mut earlier = vec![(who, at, set(&allow(evil)))];
            if honest_known {
                earlier.insert(0, ("quiet-ada", LONG_AGO, set(&allow("s3:GetObject"))));
            }
            let plan = story.plan("PutRolePolicy", earlier, ("iam-test-mallory", NOW, set(&allow("iam:*"))));
            let call = if honest_known { "PutRolePolicy" } else { "DeleteRolePolicy" };
            assert!(plan.contains(call) && !plan.contains(&format!("\\\"Action\\\":\\\"{evil}\\\"")), "{evil}: {plan}");
            assert!(plan.contains("does not come back") && plan.contains(who), "{evil}: {plan}");
        }
    }
}

#[test]
fn attack_4_a_boundary_that_limits_nothing_or_is_minutes_old_is_not_restored() {
    let set = |arn: &str| json!({"roleName": "iam-test-app", "permissionsBoundary": arn});
    let limit = format!("arn:aws:iam::{ACCOUNT}:policy/limit");
    let loose = format!("arn:aws:iam::{ACCOUNT}:policy/loose");
    for (at, evil) in [("2025-12-24T00:00:00Z", "arn:aws:iam::aws:policy/AdministratorAccess"), (MINUTES_AGO, loose.as_str())] {
        for honest_known in [true, false] {
            let mut story = Story::new();
            let last = "arn:aws:iam::aws:policy/IAMFullAccess";
            story.world.iam.change(&story.role.clone(), |entity| entity.boundary = Some(last.to_owned()));
            let mut earlier = vec![("quiet-mallory2", at, set(evil))];
            if honest_known {
                earlier.insert(0, ("quiet-ada", LONG_AGO, set(&limit)));
            }
            let plan = story.plan("PutRolePermissionsBoundary", earlier, ("iam-test-mallory", NOW, set(last)));
            assert!(!plan.contains(evil) && plan.contains(&limit) == honest_known, "{plan}");
            assert!(plan.contains("does not come back") && plan.contains("quiet-mallory2"), "{plan}");
        }
    }
}

#[test]
fn attack_4_a_version_that_another_identity_of_the_attacker_made_never_becomes_the_default() {
    for made_default in [true, false] {
        let mut story = Story::new();
        let arn = story.world.iam.add_policy("p", &[&allow("s3:GetObject"), &allow("*"), &allow("iam:*")]);
        story.world.iam.change_policy(&arn, |policy| policy.default_version = "v3".to_owned());
        let set = |version: &str, document: &str, default: bool| json!({"policyArn": arn, "versionId": version, "policyDocument": document, "setAsDefault": default});
        let earlier = vec![("quiet-mallory2", "2025-12-24T00:00:00Z", set("v2", &allow("*"), made_default))];
        let plan = story.plan("CreatePolicyVersion", earlier, ("iam-test-mallory", NOW, set("v3", &allow("iam:*"), true)));
        assert!(plan.contains("VersionId=v1"), "{plan}");
        assert!(!plan.contains("v2\""), "{plan}");
    }
}
