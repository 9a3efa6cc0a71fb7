//! A table, a channel, a topic and a task in memory, with faults on purpose.

#![allow(dead_code, unused_imports, reason = "each test file uses its part")]

mod accounts;
mod deliveries;

pub mod asking;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cordon_contract::{CheckInput, ClassifyInput, ClassifyOutput};
use cordon_core::incident::{Head, SlackMessage};
use cordon_core::{Config, Detection, ExceptionKind, IncidentId, Level, RemedyKind, Response};
use cordon_detect::enrich::Facts;
use cordon_flow::Cases;
use cordon_flow::check::Check;
use cordon_flow::classify::{Classify, Rules};
use cordon_flow::decide::Decide;
use cordon_flow::messages::Alert;
use cordon_flow::notify::Notify;
use cordon_flow::ports::{
    Channel, Clock, Completion, Condition, DeliveryError, Executions, Findings, Key, Policies, Publisher, Store, StoreError,
    Tasks, Write,
};
use cordon_flow::remediate::Remediate;
use cordon_flow::undo::AskUndo;
use cordon_flow::wait::Wait;
use cordon_respond::IamError;
use cordon_slack::{Message, Modal, Notice, Secret};
use cordon_testkit::{FakeIam, Faults, run};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

pub use accounts::FakeAccounts;
pub use deliveries::{by, by_role, made_at, transient_retries};

pub const ADMIN_POLICY: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
pub const ACCOUNT: &str = "111111111111";
pub const APPROVER: &str = "U0APPROVER";
pub const ACTOR_AS_APPROVER: &str = "U0MALLORY";

/// The table. Every write is all or nothing, as DynamoDB's transactions are.
#[derive(Default)]
pub struct FakeStore {
    items: Mutex<BTreeMap<Key, Value>>,
    /// The next writes fail with these, in order; `None` lets one through.
    pub failures: Mutex<Vec<Option<StoreError>>>,
    /// What the next read of a key finds instead: as it was before somebody else wrote.
    stale: Mutex<Vec<(Key, Value)>>,
    faults: Faults,
    pub counts_fail: Mutex<bool>,
    /// Reads of partitions that begin so fail.
    pub unreadable: Mutex<Option<(String, StoreError)>>,
}

impl FakeStore {
    pub fn keys(&self) -> Vec<String> {
        self.items.lock().unwrap().keys().map(|key| format!("{}/{}", key.pk, key.sk)).collect()
    }

    /// An item as it stands, for [`FakeStore::read_before_others_wrote`].
    pub fn item(&self, incident: &IncidentId, sk: &str) -> (Key, Value) {
        let key = Key::new(format!("INCIDENT#{incident}"), sk);
        let item = self.items.lock().unwrap().get(&key).cloned().unwrap();
        (key, item)
    }

    /// The next read of the item finds it as it was: whoever reads it so will find, on writing, that somebody was first.
    pub fn read_before_others_wrote(&self, item: (Key, Value)) {
        self.stale.lock().unwrap().push(item);
    }

    /// Puts an item there as somebody else would.
    pub fn put(&self, pk: &str, sk: &str, item: Value) {
        self.items.lock().unwrap().insert(Key::new(pk, sk), item);
    }

    fn readable(&self, pk: &str) -> Result<(), StoreError> {
        match &*self.unreadable.lock().unwrap() {
            Some((prefix, error)) if pk.starts_with(prefix) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    fn holds(items: &BTreeMap<Key, Value>, write: &Write) -> bool {
        match write.condition {
            Condition::Always => true,
            Condition::Absent => !items.contains_key(&write.key),
            Condition::Version(version) => items.get(&write.key).is_some_and(|item| item["version"] == json!(version)),
        }
    }
}

#[async_trait]
impl Store for FakeStore {
    async fn get(&self, key: &Key) -> Result<Option<Value>, StoreError> {
        self.readable(&key.pk)?;
        let mut stale = self.stale.lock().unwrap();
        if let Some(found) = stale.iter().position(|(of, _)| of == key) {
            return Ok(Some(stale.remove(found).1));
        }
        Ok(self.items.lock().unwrap().get(key).cloned())
    }

    async fn list(&self, pk: &str, prefix: &str) -> Result<Vec<Value>, StoreError> {
        self.readable(pk)?;
        let items = self.items.lock().unwrap();
        Ok(items.iter().filter(|(key, _)| key.pk == pk && key.sk.starts_with(prefix)).map(|(_, item)| item.clone()).collect())
    }

    async fn by_state(&self, state: &str, limit: u32) -> Result<Vec<Value>, StoreError> {
        let items = self.items.lock().unwrap();
        Ok(items.values().filter(|item| item["gsi1pk"] == json!(state)).take(limit as usize).cloned().collect())
    }

    async fn count(&self, key: &Key, expires_at: i64) -> Result<u64, StoreError> {
        if *self.counts_fail.lock().unwrap() {
            return Err(StoreError::Transient("throttled".to_owned()));
        }
        let mut items = self.items.lock().unwrap();
        let item = items.entry(key.clone()).or_insert_with(|| json!({"n": 0}));
        let n = item["n"].as_u64().unwrap() + 1;
        *item = json!({"n": n, "expires_at": expires_at});
        Ok(n)
    }

    async fn write(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        self.faults.killable("table", || self.write_now(writes)).await
    }
}

impl FakeStore {
    fn write_now(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        let failure = {
            let mut failures = self.failures.lock().unwrap();
            if failures.is_empty() { None } else { failures.remove(0) }
        };
        if let Some(failure) = failure {
            return Err(failure);
        }
        let mut items = self.items.lock().unwrap();
        if !writes.iter().all(|write| Self::holds(&items, write)) {
            return Err(StoreError::Condition);
        }
        for write in writes {
            match write.item {
                Some(item) => items.insert(write.key, item),
                None => items.remove(&write.key),
            };
        }
        Ok(())
    }
}

/// Slack, the topic and Step Functions, as lists of what they were told.
#[derive(Default)]
pub struct Heard {
    faults: Faults,
    pub posts: Mutex<Vec<Message>>,
    /// Posts into a channel that was named, and which.
    pub posts_elsewhere: Mutex<Vec<(String, Message)>>,
    /// Replies in a thread: the `ts` above, and what was said.
    pub replies: Mutex<Vec<(String, Message)>>,
    pub updates: Mutex<Vec<Message>>,
    pub modals: Mutex<Vec<Modal>>,
    /// The user groups that there are.
    pub groups: Mutex<BTreeMap<String, Vec<String>>>,
    pub whispers: Mutex<Vec<String>>,
    pub published: Mutex<Vec<(String, Value)>>,
    /// The executions that were started: name and input.
    pub started: Mutex<Vec<(String, Value)>>,
    /// The same with topics and attributes.
    pub alerts: Mutex<Vec<Alert>>,
    pub completed: Mutex<Vec<(String, Value)>>,
    /// Tokens whose task has timed out.
    pub gone: Mutex<Vec<String>>,
    pub policies_read: Mutex<Vec<String>>,
    pub slack_is_down: Mutex<bool>,
    pub sns_is_down: Mutex<bool>,
    pub tasks_are_down: Mutex<bool>,
}

impl Heard {
    fn answer(down: &Mutex<bool>) -> Result<(), DeliveryError> {
        if *down.lock().unwrap() { Err(DeliveryError { message: "out of reach".to_owned() }) } else { Ok(()) }
    }
}

#[async_trait]
impl Channel for Heard {
    async fn post(&self, message: &Message) -> Result<SlackMessage, DeliveryError> {
        let heard = || {
            Self::answer(&self.slack_is_down)?;
            let mut posts = self.posts.lock().unwrap();
            posts.push(message.clone());
            Ok(SlackMessage { channel: "C0TEST".to_owned(), ts: Some(format!("1.{}", posts.len())) })
        };
        self.faults.killable("slack", heard).await
    }

    async fn update(&self, _at: &SlackMessage, message: &Message) -> Result<(), DeliveryError> {
        let heard = || {
            Self::answer(&self.slack_is_down)?;
            self.updates.lock().unwrap().push(message.clone());
            Ok(())
        };
        self.faults.killable("slack", heard).await
    }

    async fn whisper(&self, _url: &Secret, notice: &Notice) -> Result<(), DeliveryError> {
        self.whispers.lock().unwrap().push(notice.as_str().to_owned());
        Ok(())
    }

    async fn replace(&self, _url: &Secret, message: &Message) -> Result<(), DeliveryError> {
        self.updates.lock().unwrap().push(message.clone());
        Ok(())
    }

    async fn post_to(&self, channel: &str, message: &Message) -> Result<SlackMessage, DeliveryError> {
        Self::answer(&self.slack_is_down)?;
        let mut posts = self.posts_elsewhere.lock().unwrap();
        posts.push((channel.to_owned(), message.clone()));
        Ok(SlackMessage { channel: channel.to_owned(), ts: Some(format!("2.{}", posts.len())) })
    }

    async fn reply(&self, under: &SlackMessage, message: &Message) -> Result<SlackMessage, DeliveryError> {
        let heard = || {
            Self::answer(&self.slack_is_down)?;
            let Some(ts) = &under.ts else { return Err(DeliveryError { message: "no thread".to_owned() }) };
            let mut replies = self.replies.lock().unwrap();
            replies.push((ts.clone(), message.clone()));
            Ok(SlackMessage { channel: under.channel.clone(), ts: Some(format!("3.{}", replies.len())) })
        };
        self.faults.killable("slack", heard).await
    }

    async fn open_modal(&self, _trigger: &Secret, modal: &Modal) -> Result<(), DeliveryError> {
        Self::answer(&self.slack_is_down)?;
        self.modals.lock().unwrap().push(modal.clone());
        Ok(())
    }

    async fn group_members(&self, group: &str) -> Result<Vec<String>, DeliveryError> {
        Self::answer(&self.slack_is_down)?;
        let groups = self.groups.lock().unwrap();
        groups.get(group).cloned().ok_or_else(|| DeliveryError { message: "no_such_subteam".to_owned() })
    }
}

#[async_trait]
impl Publisher for Heard {
    async fn publish(&self, alert: &Alert) -> Result<(), DeliveryError> {
        let heard = || {
            Self::answer(&self.sns_is_down)?;
            self.published.lock().unwrap().push((alert.subject.clone(), alert.body.clone()));
            self.alerts.lock().unwrap().push(alert.clone());
            Ok(())
        };
        self.faults.killable("sns", heard).await
    }
}

#[async_trait]
impl Policies for Heard {
    async fn document(&self, policy_arn: &str) -> Result<Option<String>, IamError> {
        self.policies_read.lock().unwrap().push(policy_arn.to_owned());
        Ok(None)
    }
}

#[async_trait]
impl Tasks for Heard {
    async fn succeed(&self, token: &str, output: &Value) -> Result<Completion, DeliveryError> {
        let heard = || {
            Self::answer(&self.tasks_are_down)?;
            let mut completed = self.completed.lock().unwrap();
            if completed.iter().any(|(known, _)| known == token) || self.gone.lock().unwrap().iter().any(|gone| gone == token) {
                return Ok(Completion::Gone);
            }
            completed.push((token.to_owned(), output.clone()));
            Ok(Completion::Delivered)
        };
        self.faults.killable("tasks", heard).await
    }
}

#[async_trait]
impl Executions for Heard {
    async fn start(&self, name: &str, input: &Value) -> Result<(), DeliveryError> {
        let heard = || {
            Self::answer(&self.tasks_are_down)?;
            let mut started = self.started.lock().unwrap();
            if !started.iter().any(|(known, _)| known == name) {
                started.push((name.to_owned(), input.clone()));
            }
            Ok(())
        };
        self.faults.killable("tasks", heard).await
    }
}

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
    fn evaluate(&self, record: &Value, _facts: &Facts) -> Vec<Detection> {
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
    pub store: Arc<FakeStore>,
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
principals = ["arn:aws:iam::*:user/approver"]
[[approval.approvers]]
name = "Second"
slack_user_id = "U0SECOND"
principals = ["arn:aws:iam::*:user/second"]
[[approval.approvers]]
name = "Mallory"
slack_user_id = "U0MALLORY"
principals = ["arn:aws:iam::*:user/iam-test-mallory"]
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
            store: Arc::new(FakeStore { faults: iam.faults().clone(), ..FakeStore::default() }),
            heard: Heard { faults: iam.faults().clone(), ..Heard::default() },
            accounts: FakeAccounts { iam: iam.clone(), refuses: Mutex::default(), opened: Mutex::default() },
            findings: Vec::new(),
            iam,
            config: Config::parse("cordon.toml", config).unwrap(),
            clock: FakeClock(Mutex::new("2026-01-02T03:04:05Z".parse().unwrap())),
        }
    }

    pub fn cases(&self) -> Cases<'_> {
        Cases::new(&*self.store)
    }

    pub fn classify(&self) -> Classify<'_> {
        Classify {
            cases: self.cases(),
            rules: &FakeRules,
            policies: &self.heard,
            config: &self.config,
            own: &[],
            clock: &self.clock,
            relay_source: None,
        }
    }

    pub fn check(&self) -> Check<'_> {
        Check { cases: self.cases(), config: &self.config, accounts: &self.accounts, own: &[], clock: &self.clock }
    }

    pub fn notify(&self) -> Notify<'_> {
        Notify {
            cases: self.cases(),
            publisher: &self.heard,
            channel: Some(&self.heard),
            notifications: &self.config.notifications,
            approval: &self.config.approval,
            findings: &self.findings,
            clock: &self.clock,
        }
    }

    pub fn wait(&self) -> Wait<'_> {
        Wait { cases: self.cases(), config: &self.config, channel: Some(&self.heard), tasks: &self.heard, clock: &self.clock }
    }

    pub fn decide(&self) -> Decide<'_> {
        Decide { cases: self.cases(), config: &self.config, channel: Some(&self.heard), tasks: &self.heard, clock: &self.clock }
    }

    pub fn ask_undo(&self) -> AskUndo<'_> {
        AskUndo {
            cases: self.cases(),
            config: &self.config,
            channel: Some(&self.heard),
            executions: &self.heard,
            clock: &self.clock,
        }
    }

    pub fn remediate(&self) -> Remediate<'_> {
        Remediate { cases: self.cases(), config: &self.config, accounts: &self.accounts, clock: &self.clock }
    }

    pub fn head(&self, id: &IncidentId) -> Head {
        run(self.cases().head(id)).unwrap()
    }

    /// The kinds of the timeline's entries, whose chain is checked on the way.
    pub fn timeline(&self, id: &IncidentId) -> Vec<String> {
        let entries = run(self.cases().timeline(id)).unwrap();
        cordon_core::timeline::verify(&entries, &self.head(id).last_hash).unwrap();
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
    json!({"source": "aws.iam", "detail-type": "AWS API Call via CloudTrail", "detail": {
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
