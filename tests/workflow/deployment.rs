//! One emulator with five deployments of Cordon, shared by every end-to-end test of a process: the same zips, Terraform and
//! state machine as a real deployment, and IAM that enforces.
//!
//! It ends with the process: the emulator's guard sees its standard input close.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use cordon_detect::RuleBook;
use cordon_flow::approver::Voter;
use cordon_flow::decide::{Answer, Choice, Decide};
use cordon_flow::voted;
use cordon_sandbox::slack::{Click, ClickAnswer, Message, Notification};
use cordon_sandbox::{Keys, Mode, Options, Sandbox, SlackMode, Stack, StackSpec, people};
use serde_json::Value;

use super::person::Person;

pub const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
pub const ALL_OF_IAM: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:*","sts:*"],"Resource":"*"}]}"#;
/// Long enough for a machine that is busy with other work; a test that waits this long has failed.
pub const LIMIT: Duration = Duration::from_secs(300);
pub const POLL: Duration = Duration::from_millis(200);

/// Enforces, asks, and waits long.
pub const ENFORCE: &str = "enforce";
/// The policy as shipped: dry run, an incoming webhook.
pub const SHIPPED: &str = "shipped";
/// Enforces, acts on IAM writes by itself, and gives people a few seconds for the rest.
pub const BRIEF: &str = "brief";
/// Wants two people for what is critical, or one who breaks the glass; contains ahead of the question what is not, and on
/// nobody's answer what can be contained. It waits long enough for a test to answer on a busy machine.
pub const APPROVAL: &str = "approval";
/// A dry run that asks for real, and sends its incidents to a Security Hub that is not there.
pub const REHEARSAL: &str = "rehearsal";
/// The channel that [`BRIEF`] calls where nobody answers.
pub const LOUD: &str = "C0LOUD";
/// An account of the organisation whose hub is [`ENFORCE`].
pub const SPOKE: &str = "666666666666";
/// Another one.
pub const OTHER_SPOKE: &str = "777777777777";
/// How long [`APPROVAL`] waits for an answer: until it calls more people, and after that.
pub const APPROVAL_TIMEOUTS: [Duration; 2] = [Duration::from_secs(20), Duration::from_secs(160)];
/// How long [`BRIEF`] waits for an answer.
pub const BRIEF_TIMEOUT: Duration = Duration::from_secs(8);

static DEPLOYMENT: LazyLock<Sandbox> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let started = std::thread::spawn(move || {
        let started = runtime.block_on(Sandbox::start(options()));
        #[expect(clippy::mem_forget, reason = "the tasks that the start spawned live as long as the process does")]
        std::mem::forget(runtime);
        started
    });
    let sandbox = started.join().unwrap().unwrap_or_else(|error| panic!("the sandbox does not start: {error}"));
    sandbox.slack().add_channel(BRIEF, LOUD, "aws-incidents-loud");
    sandbox
});

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn options() -> Options {
    let root = root();
    let fixture = |name: &str| root.join("tests").join("fixtures").join(name);
    // Some remedies no shipped rule asks for: rules of the tests do, for users of their own names.
    let mut sources = cordon_bundle::read_rules(&root.join("rules")).unwrap();
    sources.extend(cordon_bundle::read_rules(&fixture("rules")).unwrap());
    let rules = cordon_detect::pack(&sources).unwrap();
    let book = RuleBook::load(sources).unwrap();
    let mut options = Options::play(&root, rules, cordon_detect::event_patterns(&book));
    let mut enforce = StackSpec::new(ENFORCE, "111111111111", fixture("enforce.toml"));
    enforce.settle = Duration::from_secs(2);
    enforce.spokes = vec![SPOKE.to_owned(), OTHER_SPOKE.to_owned()];
    let mut shipped = StackSpec::new(SHIPPED, "222222222222", root.join("cordon.toml"));
    shipped.mode = Mode::DryRun;
    shipped.slack = SlackMode::Webhook;
    let mut brief = StackSpec::new(BRIEF, "333333333333", fixture("brief.toml"));
    let mut approval = StackSpec::new(APPROVAL, "444444444444", fixture("approval.toml"));
    [approval.approval_timeout, approval.escalation_timeout] = APPROVAL_TIMEOUTS;
    let mut rehearsal = StackSpec::new(REHEARSAL, "555555555555", fixture("rehearsal.toml"));
    rehearsal.mode = Mode::DryRun;
    rehearsal.security_hub = true;
    brief.approval_timeout = BRIEF_TIMEOUT;
    brief.escalation_timeout = BRIEF_TIMEOUT;
    options.label = "tests".to_owned();
    options.stacks = vec![enforce, shipped, brief, approval, rehearsal];
    options.quiet = true;
    options
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

    /// The same in one of the organisation's other accounts.
    pub async fn user_in(&self, account: &str, name: &str, rights: &str) -> Person {
        let keys = self.stack.create_user_in(account, name, rights).await.unwrap();
        Person::new(name, self.sandbox.client_for(&keys))
    }

    /// IAM of one of the organisation's other accounts, as its root user.
    pub fn operator_in(&self, account: &str) -> aws_sdk_iam::Client {
        aws_sdk_iam::Client::new(&self.stack.operator_of(account))
    }

    /// Has a record of CloudTrail's arrive in the account that it names, as AWS itself delivers it.
    pub fn happens(&self, record: &Value) {
        self.sandbox.happens(record).unwrap();
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
        self.closed_within(LIMIT, actor, event).await
    }

    pub async fn closed_within(&self, limit: Duration, actor: &str, event: &str) -> Value {
        self.incident_within(limit, &format!("closed incident of {actor} for {event}"), |incident| {
            is_about(incident, actor, event) && incident["head"]["outcome"].is_string()
        })
        .await
    }

    pub async fn incident_where(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.incident_within(LIMIT, what, wanted).await
    }

    async fn incident_within(&self, limit: Duration, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let began = std::time::Instant::now();
        loop {
            let incidents = self.stack.incidents().await.unwrap();
            if let Some(found) = incidents.iter().find(|incident| wanted(incident)) {
                return found.clone();
            }
            assert!(began.elapsed() < limit, "no {what} in {limit:?}; there are: {}", summary(&incidents));
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
        found.unwrap_or_else(|| panic!("no card about {event} by {actor} in {LIMIT:?}"))
    }

    /// The card with buttons of an incident, if it stands there now.
    pub fn card_of(&self, incident: &str) -> Option<Message> {
        let is_its = |message: &Message| {
            message.buttons().iter().any(|(action, block)| action == "cordon_approve" && block.to_string().contains(incident))
        };
        self.sandbox.slack().messages(&self.stack.spec.name).into_iter().find(is_its)
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
        found.unwrap_or_else(|| panic!("no message with {parts:?} in {LIMIT:?}"))
    }

    /// The message, once it is as `wanted`: a card is updated after the incident in the table; `what` names it where it never is.
    pub async fn message_once(&self, ts: &str, what: &str, wanted: impl Fn(&Message) -> bool) -> Message {
        let stack = &self.stack.spec.name;
        let found = self.sandbox.slack().wait_for_message(stack, LIMIT, |message| message.ts == ts && wanted(message)).await;
        found.unwrap_or_else(|| panic!("{what} is not shown in {LIMIT:?}: {}", self.message_now(ts).everything()))
    }

    pub fn message_now(&self, ts: &str) -> Message {
        self.sandbox.slack().messages(&self.stack.spec.name).into_iter().find(|message| message.ts == ts).unwrap()
    }

    /// The first alert that is `wanted`; `what` names it where it never comes.
    pub async fn alert(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Notification {
        let found = self.sandbox.slack().wait_for_alert(&self.stack.spec.name, LIMIT, |alert| wanted(&alert.message)).await;
        found.unwrap_or_else(|| panic!("no alert in {LIMIT:?}: {what}"))
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

    /// Approves alone, with a reason.
    pub async fn breaks_the_glass(&self, card: &Message, user: &str) -> ClickAnswer {
        self.with_a_reason(card, "cordon_break_glass", user).await
    }

    /// Clicks again where a test beside this one had the same person open another dialog in its place.
    async fn with_a_reason(&self, card: &Message, action: &str, user: &str) -> ClickAnswer {
        let slack = self.sandbox.slack();
        // Every button carries the same; the one that is pressed may have come after the card was looked at.
        let (_, block) = card.buttons().into_iter().next().unwrap();
        let incident = block["elements"][0]["value"].as_str().unwrap().to_owned();
        let began = std::time::Instant::now();
        loop {
            assert!(began.elapsed() < LIMIT, "no dialog of {action} about {incident} took a reason from {user} in {LIMIT:?}");
            let answer = self.click(card, action, user).await;
            if answer.status != 200 || !answer.body.is_empty() {
                return answer;
            }
            let is_ours = |modal: &cordon_sandbox::slack::OpenModal| {
                modal.user == user && modal.view["private_metadata"].to_string().contains(&incident)
            };
            let asked = slack.modals(&self.stack.spec.name).into_iter().find(is_ours);
            if let Some(modal) = asked
                && let Ok(answer) = slack.submit(&modal.id, "It was planned.").await
            {
                return answer;
            }
        }
    }

    /// Decides as `cordon incident approve` and `deny` do: with the caller's AWS identity and without Slack's secret.
    pub async fn types(&self, person: &Person, incident: &Value, choice: Choice) -> Answer {
        let caller = aws_sdk_sts::Client::new(&person.config).get_caller_identity().send().await.unwrap();
        let sdk = self.stack.operator();
        let table = cordon_aws::DynamoTable::new(aws_sdk_dynamodb::Client::new(&sdk), self.stack.outputs.table_name.clone());
        let sfn = aws_sdk_sfn::Client::new(&sdk);
        let tasks = cordon_aws::StepFunctions::new(sfn.clone());
        let text = std::fs::read_to_string(&self.stack.spec.config).unwrap();
        let config = cordon_core::Config::parse("cordon.toml", &text).unwrap();
        let (store, clock) = (cordon_store::Store::new(&table), cordon_aws::SystemClock);
        let decide = Decide { store, config: &config, channel: None, tasks: &tasks, clock: &clock };
        let id = incident["id"].as_str().unwrap().parse().unwrap();
        let answer = decide.run(&id, Voter::Principal(caller.arn().unwrap()), choice, Some("seen on the wire")).await;
        let answer = answer.unwrap_or_else(|error| panic!("{error}"));
        if answer.counts() {
            let machine = voted::state_machine(incident["head"]["execution"].as_str().unwrap()).unwrap();
            let executions = cordon_aws::StateMachine::new(sfn, machine);
            voted::show_on_card(store, &executions, &id).await.unwrap_or_else(|error| panic!("{error}"));
        }
        answer
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
            assert!(began.elapsed() < LIMIT, "{event_id} is not handled in {LIMIT:?}: {executions:?}");
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
        let table = cordon_aws::DynamoTable::new(aws_sdk_dynamodb::Client::new(&sdk), self.stack.outputs.table_name.clone());
        let account = self.stack.spec.account.parse().unwrap();
        let sessions = cordon_aws::Sessions::new(&sdk, account, "aws", None);
        let clock = &cordon_aws::SystemClock;
        let undo = cordon_flow::undo::Undo { store: cordon_store::Store::new(&table), accounts: &sessions, clock };
        let id = incident["id"].as_str().unwrap().parse().unwrap();
        let result = undo.run(&id, "arn:aws:iam::111111111111:user/alice", None, false).await;
        result.unwrap_or_else(|error| panic!("{error}"))
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
