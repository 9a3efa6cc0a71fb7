//! One emulator with four deployments of Cordon, shared by every end-to-end test of a process: the same zips, Terraform and
//! state machine as a real deployment, and IAM that enforces.
//!
//! It ends with the process: the emulator's guard sees its standard input close.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use cordon_detect::RuleBook;
use cordon_sandbox::slack::{Alert, Click, ClickAnswer, Message};
use cordon_sandbox::{Keys, Mode, Options, Sandbox, SlackMode, Stack, StackSpec, people};
use serde_json::Value;

use super::person::Person;

pub const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
pub const ALL_OF_IAM: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:*","sts:*"],"Resource":"*"}]}"#;
/// Long enough for two noisy cores; a test that waits this long has failed.
pub const LIMIT: Duration = Duration::from_secs(60);
pub const POLL: Duration = Duration::from_millis(200);

/// Enforces, asks, and waits long.
pub const ENFORCE: &str = "enforce";
/// The policy as shipped: dry run, an incoming webhook.
pub const SHIPPED: &str = "shipped";
/// Enforces, acts on IAM writes by itself, and gives people a few seconds for the rest.
pub const BRIEF: &str = "brief";
/// Wants two people for what is critical, and contains ahead of the question what is not.
pub const APPROVAL: &str = "approval";
/// How long [`BRIEF`] waits for an answer.
pub const BRIEF_TIMEOUT: Duration = Duration::from_secs(8);

static DEPLOYMENT: LazyLock<Sandbox> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let started = std::thread::spawn(move || {
        let started = runtime.block_on(Sandbox::start(options()));
        // What the start has spawned lives on its runtime, for as long as the process does.
        std::mem::forget(runtime);
        started
    });
    started.join().unwrap().unwrap_or_else(|error| panic!("the sandbox does not start: {error}"))
});

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn options() -> Options {
    let root = root();
    let rules = root.join("rules");
    let more_rules = with_rules_of_the_tests(&root);
    let book = RuleBook::load(cordon_lambda::bundle::read_rules(&more_rules).unwrap()).unwrap();
    let mut options = Options::play(&root, cordon_detect::event_patterns(&book));
    let fixture = |name: &str| root.join("tests").join("fixtures").join(name);
    let mut enforce = StackSpec::new(ENFORCE, "111111111111", fixture("enforce.toml"), more_rules);
    enforce.settle = Duration::from_secs(2);
    let mut shipped = StackSpec::new(SHIPPED, "222222222222", root.join("cordon.toml"), rules.clone());
    shipped.mode = Mode::DryRun;
    shipped.slack = SlackMode::Webhook;
    let mut brief = StackSpec::new(BRIEF, "333333333333", fixture("brief.toml"), rules.clone());
    let approval = StackSpec::new(APPROVAL, "444444444444", fixture("approval.toml"), rules);
    brief.approval_timeout = BRIEF_TIMEOUT;
    brief.escalation_timeout = BRIEF_TIMEOUT;
    options.label = "tests".to_owned();
    options.stacks = vec![enforce, shipped, brief, approval];
    options.quiet = true;
    options
}

/// The shipped rules, and those of the tests for the remedies that no shipped rule asks for.
fn with_rules_of_the_tests(root: &Path) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("workflow").join("rules");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    for source in [root.join("rules"), root.join("tests").join("fixtures").join("rules")] {
        for tactic in std::fs::read_dir(source).unwrap() {
            let tactic = tactic.unwrap().path();
            let to = folder.join(tactic.file_name().unwrap());
            std::fs::create_dir_all(&to).unwrap();
            for rule in std::fs::read_dir(&tactic).unwrap() {
                let rule = rule.unwrap().path();
                std::fs::copy(&rule, to.join(rule.file_name().unwrap())).unwrap();
            }
        }
    }
    folder
}

/// A deployment and the ways in which a test looks at it.
pub struct Deployment {
    sandbox: &'static Sandbox,
    pub stack: Stack,
}

impl Deployment {
    pub fn get(name: &str) -> Self {
        let sandbox = &*DEPLOYMENT;
        Self { sandbox, stack: sandbox.stack(name).unwrap().clone() }
    }

    pub fn operator(&self) -> aws_sdk_iam::Client {
        aws_sdk_iam::Client::new(&self.stack.operator())
    }

    /// A user who may do everything in IAM, with keys of their own.
    pub async fn user(&self, name: &str) -> Person {
        let keys = self.stack.create_user(name, ALL_OF_IAM).await.unwrap();
        Person::new(name, self.sandbox.client_for(&keys))
    }

    /// A session of a role that may do everything in IAM, assumed by a user.
    pub async fn role_session(&self, role: &str, assumed_by: &Person) -> Person {
        let trust = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{}:user/{}"}},"Action":"sts:AssumeRole"}}]}}"#,
            self.stack.spec.account, assumed_by.name
        );
        let iam = self.operator();
        iam.create_role().role_name(role).assume_role_policy_document(trust).send().await.unwrap();
        iam.put_role_policy().role_name(role).policy_name("all").policy_document(ALL_OF_IAM).send().await.unwrap();
        self.assumes(assumed_by, role).await.unwrap()
    }

    /// A session of a role of this account, or why there is none.
    pub async fn assumes(&self, person: &Person, role: &str) -> Result<Person, String> {
        person.assumes(&format!("arn:aws:iam::{}:role/{role}", self.stack.spec.account), role).await
    }

    /// Somebody with all rights of IAM in another account, of which Cordon knows nothing.
    pub async fn outsider(&self, account: &str, name: &str) -> Person {
        let iam = aws_sdk_iam::Client::new(&self.sandbox.client_for(&Keys::operator(account)));
        iam.create_user().user_name(name).send().await.unwrap();
        iam.put_user_policy().user_name(name).policy_name("all").policy_document(ALL_OF_IAM).send().await.unwrap();
        let made = iam.create_access_key().user_name(name).send().await.unwrap();
        let key = made.access_key().unwrap();
        self.with_key(name, key.access_key_id(), key.secret_access_key())
    }

    /// Somebody with an access key of their own.
    pub fn with_key(&self, name: &str, id: &str, secret: &str) -> Person {
        Person::new(name, self.sandbox.client_for(&Keys::new(id, secret)))
    }

    /// The incident that an event of `actor` opened, once it is closed; with `outcome` in its header.
    pub async fn closed(&self, actor: &str, event: &str) -> Value {
        self.incident_where(&format!("closed incident of {actor} for {event}"), |incident| {
            is_about(incident, actor, event) && incident["head"]["outcome"].is_string()
        })
        .await
    }

    pub async fn incident_where(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let began = std::time::Instant::now();
        loop {
            let incidents = self.stack.incidents().await.unwrap();
            if let Some(found) = incidents.iter().find(|incident| wanted(incident)) {
                return found.clone();
            }
            assert!(began.elapsed() < LIMIT, "no {what} in {LIMIT:?}; there are: {}", summary(&incidents));
            tokio::time::sleep(POLL).await;
        }
    }

    /// Every incident about an actor's calls of one name.
    pub async fn incidents(&self, actor: &str, event: &str) -> Vec<Value> {
        self.stack.incidents().await.unwrap().into_iter().filter(|incident| is_about(incident, actor, event)).collect()
    }

    /// The card with buttons about an actor's call.
    pub async fn card(&self, actor: &str, event: &str) -> Message {
        let found = self
            .sandbox
            .slack()
            .wait_for_message(&self.stack.spec.name, LIMIT, |message| {
                let text = message.everything();
                text.contains(actor) && text.contains(event) && !message.buttons().is_empty()
            })
            .await;
        found.unwrap_or_else(|| panic!("no card about {event} by {actor}"))
    }

    /// A message about an actor's call, with or without buttons.
    pub async fn message(&self, parts: &[&str]) -> Message {
        let found = self
            .sandbox
            .slack()
            .wait_for_message(&self.stack.spec.name, LIMIT, |message| {
                let text = message.everything();
                parts.iter().all(|part| text.contains(part))
            })
            .await;
        found.unwrap_or_else(|| panic!("no message with {parts:?}"))
    }

    pub fn message_now(&self, ts: &str) -> Message {
        self.sandbox.slack().messages(&self.stack.spec.name).into_iter().find(|message| message.ts == ts).unwrap()
    }

    pub async fn alert(&self, wanted: impl Fn(&Value) -> bool) -> Alert {
        let found = self.sandbox.slack().wait_for_alert(&self.stack.spec.name, LIMIT, |alert| wanted(&alert.message)).await;
        found.unwrap_or_else(|| panic!("no such alert"))
    }

    pub async fn approve(&self, card: &Message, user: &str) -> ClickAnswer {
        self.click(card, "cordon_approve", user).await
    }

    /// Denies, with a reason where one is asked for.
    pub async fn deny(&self, card: &Message, user: &str) -> ClickAnswer {
        self.with_a_reason(card, "cordon_deny", user).await
    }

    pub async fn undo(&self, card: &Message, user: &str) -> ClickAnswer {
        self.with_a_reason(card, "cordon_undo", user).await
    }

    async fn with_a_reason(&self, card: &Message, action: &str, user: &str) -> ClickAnswer {
        let answer = self.click(card, action, user).await;
        let asked = self.sandbox.slack().modals(&self.stack.spec.name).into_iter().find(|modal| modal.user == user);
        match asked {
            Some(modal) => self.sandbox.slack().submit(&modal.id, "It was planned.").await.unwrap(),
            None => answer,
        }
    }

    async fn click(&self, card: &Message, action: &str, user: &str) -> ClickAnswer {
        let click = Click { ts: card.ts.clone(), action_id: action.to_owned(), user: user.to_owned() };
        self.sandbox.slack().click(&click).await.unwrap()
    }

    /// Waits until every execution that handled an event has ended.
    pub async fn handled(&self, event_id: &str) {
        let began = std::time::Instant::now();
        loop {
            let executions = self.executions(event_id).await;
            if !executions.is_empty() && executions.iter().all(|(status, _)| status == "SUCCEEDED") {
                return;
            }
            assert!(began.elapsed() < LIMIT, "{event_id}: {executions:?}");
            tokio::time::sleep(POLL).await;
        }
    }

    pub fn page_url(&self) -> &str {
        self.sandbox.page_url()
    }

    pub fn slack(&self) -> &cordon_sandbox::slack::SlackStandIn {
        self.sandbox.slack()
    }

    pub async fn attached(&self, user: &str) -> Vec<String> {
        let listed = self.operator().list_attached_user_policies().user_name(user).send().await.unwrap();
        listed.attached_policies().iter().filter_map(|policy| policy.policy_arn().map(str::to_owned)).collect()
    }

    /// Undoes a whole incident, as the command line does.
    pub async fn undoes(&self, incident: &Value) {
        let result = self.undo_of(incident).await;
        assert!(result.complete, "{result:?}");
    }

    /// As [`Deployment::undoes`], whatever comes of it.
    pub async fn undo_of(&self, incident: &Value) -> cordon_respond::PlanResult<cordon_respond::RevertResult> {
        let sdk = self.stack.operator();
        let table = cordon_aws::Table::new(aws_sdk_dynamodb::Client::new(&sdk), self.stack.outputs.table_name.clone());
        let account = self.stack.spec.account.parse().unwrap();
        let sessions = cordon_aws::Sessions::new(&sdk, account, "aws", None);
        let clock = &cordon_aws::SystemClock;
        let undo = cordon_flow::undo::Undo { cases: cordon_flow::Cases::new(&table), accounts: &sessions, clock };
        let id = incident["id"].as_str().unwrap().parse().unwrap();
        let result = undo.run(&id, "arn:aws:iam::111111111111:user/alice", None, false).await;
        result.unwrap_or_else(|error| panic!("{}", error.message))
    }

    pub async fn inline_policies(&self, user: &str) -> Vec<String> {
        self.operator().list_user_policies().user_name(user).send().await.unwrap().policy_names().to_vec()
    }

    /// The status and the last state of every execution that handled an event id.
    pub async fn executions(&self, needle: &str) -> Vec<(String, String)> {
        let sfn = aws_sdk_sfn::Client::new(&self.stack.operator());
        let listed = sfn
            .list_executions()
            .state_machine_arn(&self.stack.outputs.state_machine_arn)
            .max_results(1000)
            .send()
            .await
            .unwrap();
        let mut found = Vec::new();
        for execution in listed.executions() {
            let described = sfn.describe_execution().execution_arn(execution.execution_arn()).send().await.unwrap();
            if described.input().unwrap_or_default().contains(needle) {
                found.push((described.status().as_str().to_owned(), described.output().unwrap_or_default().to_owned()));
            }
        }
        found
    }
}

fn is_about(incident: &Value, actor: &str, event: &str) -> bool {
    let head = &incident["head"];
    head["event"]["name"] == event && head["actor"]["name"] == actor
}

fn summary(incidents: &[Value]) -> String {
    let line = |incident: &Value| {
        let head = &incident["head"];
        format!("{} by {} → {} {}", head["event"]["name"], head["actor"]["name"], head["state"], head["outcome"])
    };
    incidents.iter().map(line).collect::<Vec<_>>().join("; ")
}

pub const APPROVER: &str = people::APPROVER;
pub const STRANGER: &str = people::COLLEAGUE;
