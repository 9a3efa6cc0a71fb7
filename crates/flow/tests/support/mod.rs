//! A deployment in memory, with faults on purpose: the states over a table, an account, a channel, a topic and a task.

#![allow(dead_code, unused_imports, reason = "each test file uses its part")]

mod accounts;
mod deliveries;
mod heard;

pub mod asking;
pub mod merging;
pub mod shipped;
pub mod spoke;

use std::sync::{Arc, Mutex};

use cordon_contract::{CheckInput, ClassifyInput, ClassifyOutput};
use cordon_core::incident::Incident;
use cordon_core::{Config, Detection, ExceptionKind, IncidentId, Level, RemedyKind, Response};
use cordon_detect::enrich::Documents;
use cordon_flow::check::Check;
use cordon_flow::classify::{Classify, Rules};
use cordon_flow::decide::Decide;
use cordon_flow::notify::Notify;
use cordon_flow::ports::{Clock, Findings};
use cordon_flow::remediate::Remediate;
use cordon_flow::undo::AskUndo;
use cordon_flow::wait::Wait;
use cordon_store::Store;
use cordon_testkit::{FakeIam, run};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

pub use accounts::FakeAccounts;
pub use cordon_testkit::MemoryTable;
pub use deliveries::{by, by_role, made_at, transient_retries};
pub use heard::Heard;

pub const ADMIN_POLICY: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
pub const ACCOUNT: &str = "111111111111";
pub const APPROVER: &str = "U0APPROVER";
pub const ACTOR_AS_APPROVER: &str = "U0MALLORY";

/// A clock that stands until it is moved.
pub struct FakeClock(Mutex<Timestamp>);

impl FakeClock {
    pub fn pass(&self, seconds: i64) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// Two rules that stand for the shipped ones.
pub struct FakeRules;

impl Rules for FakeRules {
    fn evaluate(&self, record: &Value, _facts: &Documents) -> Vec<Detection> {
        let rule = |id: &str, response| Detection {
            rule: id.parse().unwrap(),
            title: format!("Rule {id}"),
            author: "Test".to_owned(),
            level: Level::High,
            description: "It is dangerous.".to_owned(),
            tags: vec![],
            response: Some(response),
        };
        let contain = vec![RemedyKind::DenyIam];
        let exceptions = |group: bool| {
            let mut kinds = vec![ExceptionKind::Tag, ExceptionKind::Recorded, ExceptionKind::Automation];
            if group {
                kinds.push(ExceptionKind::Group);
            }
            kinds
        };
        match record["eventName"].as_str() {
            Some("AttachUserPolicy" | "AttachRolePolicy") => vec![rule(
                "admin-attached",
                Response {
                    revert: vec![RemedyKind::DetachPolicy],
                    contain,
                    gate: Default::default(),
                    exceptions: exceptions(false),
                },
            )],
            Some("CreateUser" | "AddUserToGroup" | "PutUserPolicy") => {
                vec![rule(
                    "iam-write",
                    Response { revert: vec![], contain, gate: Default::default(), exceptions: exceptions(true) },
                )]
            }
            Some("TagUser" | "UntagUser") if record["userAgent"] == json!("honours-none") => {
                let none = Response { revert: vec![], contain, gate: Default::default(), exceptions: vec![] };
                vec![rule("tag-changed", none)]
            }
            _ => vec![],
        }
    }
}

/// Everything that a state needs, over fakes.
pub struct World {
    pub table: Arc<MemoryTable>,
    pub heard: Heard,
    /// None, unless a test puts some in.
    pub findings: Vec<Box<dyn Findings>>,
    pub iam: FakeIam,
    pub accounts: FakeAccounts,
    pub config: Config,
    pub clock: FakeClock,
}

pub const CONFIG: &str = r#"
mode = "enforce"
[[approval.approvers]]
name = "Approver"
slack_user_id = "U0APPROVER"
principals = ["arn:aws:iam::111111111111:user/approver"]
[[approval.approvers]]
name = "Second"
slack_user_id = "U0SECOND"
principals = ["arn:aws:iam::111111111111:user/second"]
[[approval.approvers]]
name = "Mallory"
slack_user_id = "U0MALLORY"
principals = ["arn:aws:iam::111111111111:user/iam-test-mallory"]
"#;

impl World {
    pub fn new() -> Self {
        Self::with(CONFIG)
    }

    pub fn with(config: &str) -> Self {
        let iam = FakeIam::new(ACCOUNT.parse().unwrap());
        let mallory = iam.add_user("iam-test-mallory");
        iam.attach(&mallory, ADMIN_POLICY);
        Self {
            table: Arc::new(MemoryTable::with_faults(iam.faults().clone())),
            heard: Heard { faults: iam.faults().clone(), ..Heard::default() },
            accounts: FakeAccounts {
                iam: iam.clone(),
                others: Mutex::default(),
                refuses: Mutex::default(),
                opened: Mutex::default(),
            },
            findings: Vec::new(),
            iam,
            config: Config::parse("cordon.toml", config).unwrap(),
            clock: FakeClock(Mutex::new("2026-01-02T03:04:05Z".parse().unwrap())),
        }
    }

    pub fn store(&self) -> Store<'_> {
        Store::new(&*self.table)
    }

    pub fn classify(&self) -> Classify<'_> {
        Classify {
            store: self.store(),
            rules: &FakeRules,
            policies: &self.heard,
            config: &self.config,
            own: &[],
            clock: &self.clock,
            relay_source: None,
        }
    }

    pub fn check(&self) -> Check<'_> {
        Check { store: self.store(), config: &self.config, accounts: &self.accounts, own: &[], clock: &self.clock }
    }

    pub fn notify(&self) -> Notify<'_> {
        Notify {
            store: self.store(),
            publisher: &self.heard,
            channel: Some(&self.heard),
            notifications: &self.config.notifications,
            approval: &self.config.approval,
            findings: &self.findings,
            clock: &self.clock,
        }
    }

    pub fn wait(&self) -> Wait<'_> {
        Wait { store: self.store(), config: &self.config, channel: Some(&self.heard), tasks: &self.heard, clock: &self.clock }
    }

    pub fn decide(&self) -> Decide<'_> {
        Decide { store: self.store(), config: &self.config, channel: Some(&self.heard), tasks: &self.heard, clock: &self.clock }
    }

    pub fn ask_undo(&self) -> AskUndo<'_> {
        AskUndo { store: self.store(), config: &self.config, channel: Some(&self.heard), clock: &self.clock, while_open: false }
    }

    pub fn remediate(&self) -> Remediate<'_> {
        Remediate { store: self.store(), config: &self.config, accounts: &self.accounts, own: &[], clock: &self.clock }
    }

    pub fn stored(&self, id: &IncidentId) -> Incident {
        run(self.store().incident(id)).unwrap()
    }

    /// The later events that the incident answers, by their ids.
    pub fn joined(&self, id: &IncidentId) -> Vec<String> {
        run(self.store().joined(id)).unwrap().events.iter().map(|joined| joined.event.to_string()).collect()
    }

    /// The kinds of the timeline's entries, whose chain is checked on the way.
    pub fn timeline(&self, id: &IncidentId) -> Vec<String> {
        let entries = run(self.store().timeline(id)).unwrap();
        cordon_core::timeline::verify(&entries, &self.stored(id).last_hash).unwrap();
        entries.iter().map(|entry| serde_json::to_value(entry.kind).unwrap().as_str().unwrap().to_owned()).collect()
    }

    pub fn classified(&self, event: Value, execution: &str) -> ClassifyOutput {
        run(self.classify().run(ClassifyInput { event, execution: execution.to_owned() })).unwrap()
    }

    /// An incident of mallory's that has been classified and checked.
    pub fn checked(&self, event: Value) -> (IncidentId, cordon_core::Route) {
        self.checked_as(event, "execution-1")
    }

    /// The same for an execution of its own.
    pub fn checked_as(&self, event: Value, execution: &str) -> (IncidentId, cordon_core::Route) {
        let ClassifyOutput::Opened { incident } = self.classified(event, execution) else { panic!("not opened") };
        let output = run(self.check().run(CheckInput { incident: incident.clone() })).unwrap();
        (incident, output.route)
    }
}

/// Mallory makes a call.
pub fn event(id: &str, name: &str, parameters: Value) -> Value {
    json!({"source": "aws.iam", "detail-type": "AWS API Call via CloudTrail", "account": ACCOUNT, "detail": {
        "eventVersion": "1.11", "eventID": id, "eventName": name, "eventSource": "iam.amazonaws.com", "eventTime": "2026-01-02T03:04:00Z",
        "recipientAccountId": ACCOUNT, "awsRegion": "us-east-1", "sourceIPAddress": "203.0.113.7", "userAgent": "aws-cli/2",
        "userIdentity": {"type": "IAMUser", "userName": "iam-test-mallory", "accountId": ACCOUNT, "arn": format!("arn:aws:iam::{ACCOUNT}:user/iam-test-mallory")},
        "requestParameters": parameters}})
}

pub fn attach(id: &str) -> Value {
    event(id, "AttachUserPolicy", json!({"userName": "iam-test-mallory", "policyArn": ADMIN_POLICY}))
}

pub fn create_user(id: &str) -> Value {
    event(id, "CreateUser", json!({"userName": "iam-test-new"}))
}
