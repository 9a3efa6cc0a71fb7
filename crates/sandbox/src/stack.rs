//! A running sandbox: the emulator, one or more deployments of Cordon in it, the relay, the Slack stand-in and the page.
//!
//! It changes nothing outside Cargo's target directory, listens on 127.0.0.1 only, and never leaves a process behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use serde_json::{Value, json};

use crate::artifacts::{self, Profile};
use crate::aws::{Keys, sdk_config};
use crate::background::Background;
use crate::deploy::Site;
use crate::emulator::{self, Emulator};
use crate::error::SandboxError;
use crate::layout::{self, Layout};
use crate::options::{Options, SlackMode, StackSpec};
use crate::page::{self, Page};
use crate::process::{Guard, Voice};
use crate::progress::Progress;
use crate::relay::{self, Feed, Way};
use crate::setup;
use crate::slack::{Member, SlackStandIn, in_account};
use crate::snapshot::Ports;
use crate::terraform::{Outputs, Terraform};
use crate::tools::{self, Tools};
use crate::watch::{self, Watch, Watched};

const SUBSCRIPTION_LIMIT: Duration = Duration::from_secs(60);

/// A running sandbox. [`Sandbox::stop`] ends it and waits; dropping it, or the end of the process, ends it too.
pub struct Sandbox {
    emulator: Emulator,
    slack: SlackStandIn,
    stacks: Vec<Stack>,
    layout: Layout,
    page_url: String,
    // The order of the fields is the order in which they go: tasks end after the emulator, the lock last.
    _background: Background,
    _lock: File,
}

/// One deployment of Cordon in the sandbox.
#[derive(Debug, Clone)]
pub struct Stack {
    /// What it was deployed from.
    pub spec: StackSpec,
    /// What Terraform gave out for it.
    pub outputs: Outputs,
    endpoint: String,
}

impl Sandbox {
    /// Sets up what is missing, starts everything, and comes back when every stack is deployed and watched.
    ///
    /// # Errors
    /// [`SandboxError`] in one sentence that says what to do; nothing is left running.
    pub async fn start(options: Options) -> Result<Self, SandboxError> {
        let progress = Progress::new(options.quiet);
        let tools = Tools::find()?;
        let target = tools::target_directory(&tools.cargo, &options.workspace_root)?;
        let layout = Layout::create(options.workspace_root.clone(), target, &options.label)?;
        let lock = layout::lock_run(&layout)?;
        let guard = Guard::install(&tools.python, &layout.shared)?;
        let shared = layout::lock_shared(&layout).await?;
        let profile = Profile::of_this_program(&layout.target);
        // A taken port is known before anything takes minutes.
        let page_port = emulator::free_port(options.page_port, "--page-port")?;
        emulator::free_port(options.port, "--port")?;
        let ((), python, terraform) = tokio::try_join!(
            artifacts::build(&layout, &profile, &tools, &guard, &progress),
            setup::python_environment(&layout, &tools, &guard, &progress),
            Terraform::init(&layout, &tools, &guard, &progress),
        )?;
        artifacts::pack(&layout, &profile, &options, &progress).await?;
        drop(shared);

        let background = Background::start()?;
        let watch = Watch::default();
        let ports = Ports { emulator: emulator::free_port(options.port, "--port")?, page: page_port };
        let slack = SlackStandIn::new(format!("http://127.0.0.1:{page_port}"), ports.emulator);
        for spec in &options.stacks {
            slack.join(member(spec));
        }
        let page = Page { slack: slack.clone(), watch: watch.clone(), people: Arc::from(options.people.as_slice()) };
        let page_url = serve(&background, page, page_port)?;
        let site = Site {
            layout: &layout,
            tools: &tools,
            guard: &guard,
            python: &python,
            terraform: &terraform,
            options: &options,
            ports,
            slack_api_url: slack.api_url(),
            progress: &progress,
        };
        let (emulator, stacks) = site.deploy().await?;
        let first_account = first_account(&options);
        let step = progress.step("Slack, SNS and the relay connected");
        for stack in &stacks {
            connect(stack, &slack, &first_account).await?;
            watch.add(stack.watched()).await;
        }
        background.spawn(relay::run(emulator.endpoint.clone(), emulator.ledger.clone(), feeds(&stacks, emulator.voice())));
        step.done(&page_url);
        Ok(Self { emulator, slack, stacks, layout, page_url, _background: background, _lock: lock })
    }

    /// The emulator's address, for `AWS_ENDPOINT_URL`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.emulator.endpoint
    }

    /// The page's address, on the local machine.
    #[must_use]
    pub fn page_url(&self) -> &str {
        &self.page_url
    }

    /// The Slack stand-in, which all stacks share.
    #[must_use]
    pub fn slack(&self) -> &SlackStandIn {
        &self.slack
    }

    /// The deployed stacks, in the order of [`Options::stacks`].
    #[must_use]
    pub fn stacks(&self) -> &[Stack] {
        &self.stacks
    }

    /// The stack of that name; `None` if there is none.
    #[must_use]
    pub fn stack(&self, name: &str) -> Option<&Stack> {
        self.stacks.iter().find(|stack| stack.spec.name == name)
    }

    /// An SDK configuration with somebody's keys.
    #[must_use]
    pub fn client_for(&self, keys: &Keys) -> SdkConfig {
        sdk_config(self.endpoint(), keys)
    }

    /// Has a CloudTrail record arrive in the account that it names as EventBridge delivers AWS's own, which nobody can put.
    ///
    /// # Errors
    /// [`SandboxError::Io`] if the emulator cannot be reached.
    pub fn happens(&self, record: &Value) -> Result<(), SandboxError> {
        self.emulator.voice().tell(&relay::spoken(record)).map_err(SandboxError::io("cannot reach the emulator's launcher"))
    }

    /// `false` once the emulator has ended by itself.
    pub fn is_alive(&mut self) -> bool {
        self.emulator.is_alive()
    }

    /// The folder of this run's logs.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        &self.layout.run
    }

    pub(crate) fn shared_folder(&self) -> &std::path::Path {
        &self.layout.shared
    }

    /// Stops everything that was started, and waits for its end.
    ///
    /// # Errors
    /// [`SandboxError::TimedOut`] if the emulator does not end.
    pub async fn stop(mut self) -> Result<(), SandboxError> {
        if self.emulator.stop().await {
            Ok(())
        } else {
            Err(SandboxError::TimedOut { what: "stopping the emulator".to_owned(), seconds: 10, tail: Vec::new() })
        }
    }
}

impl Stack {
    pub(crate) fn new(spec: StackSpec, outputs: Outputs, endpoint: String) -> Self {
        Self { spec, outputs, endpoint }
    }

    /// Asks the emulator for the parts that a run begins with.
    pub(crate) async fn answers(&self) -> Result<(), SandboxError> {
        let (operator, outputs) = (self.operator(), &self.outputs);
        let name = &self.spec.name;
        let failed = |what: &str| format!("stack `{name}` has no {what}");
        let table = aws_sdk_dynamodb::Client::new(&operator);
        table.describe_table().table_name(&outputs.table_name).send().await.map_err(SandboxError::aws(failed("table")))?;
        let machine = aws_sdk_sfn::Client::new(&operator);
        let machine = machine.describe_state_machine().state_machine_arn(&outputs.state_machine_arn);
        machine.send().await.map_err(SandboxError::aws(failed("state machine")))?;
        let secret = aws_sdk_secretsmanager::Client::new(&operator);
        secret.describe_secret().secret_id(&outputs.secret_arn).send().await.map_err(SandboxError::aws(failed("secret")))?;
        let topic = aws_sdk_sns::Client::new(&operator);
        topic.get_topic_attributes().topic_arn(&outputs.topic_arn).send().await.map_err(SandboxError::aws(failed("topic")))?;
        Ok(())
    }

    /// A configuration with the account's own root key. What it does is not relayed.
    #[must_use]
    pub fn operator(&self) -> SdkConfig {
        sdk_config(&self.endpoint, &Keys::operator(&self.spec.account))
    }

    /// A configuration with the root key of one of the stack's spokes. What it does is not relayed.
    #[must_use]
    pub fn operator_of(&self, account: &str) -> SdkConfig {
        sdk_config(&self.endpoint, &Keys::operator(account))
    }

    /// Puts a CloudTrail record of the caller's own making on the stack's bus, in the relay's envelope.
    ///
    /// # Errors
    /// [`SandboxError::Aws`] if the bus cannot be reached or refuses it.
    pub async fn put_event(&self, record: &Value) -> Result<(), SandboxError> {
        relay::put(&self.operator(), &self.outputs.bus_name, std::slice::from_ref(record)).await
    }

    /// Puts the `detail` of another service's notice on the stack's bus, such as a `GuardDuty Finding`.
    ///
    /// # Errors
    /// [`SandboxError::Aws`] if the bus cannot be reached or refuses it.
    pub async fn put_notice(&self, kind: &str, detail: &Value) -> Result<(), SandboxError> {
        relay::put_as(&self.operator(), &self.outputs.bus_name, kind, std::slice::from_ref(detail)).await
    }

    /// Every incident in the stack's table: `{"id", "stack", "head", "log", "steps"}`.
    ///
    /// # Errors
    /// [`SandboxError::Aws`] if the table cannot be read.
    pub async fn incidents(&self) -> Result<Vec<Value>, SandboxError> {
        let items = watch::items(&self.operator(), &self.outputs.table_name).await?;
        Ok(watch::gather(&self.spec.name, items))
    }

    /// A user with an inline policy and an access key, made by the operator.
    ///
    /// # Errors
    /// [`SandboxError::Aws`] if IAM refuses.
    pub async fn create_user(&self, name: &str, policy_document: &str) -> Result<Keys, SandboxError> {
        self.create_user_in(&self.spec.account, name, policy_document).await
    }

    /// The same in one of the stack's spokes.
    ///
    /// # Errors
    /// [`SandboxError::Aws`] if IAM refuses.
    pub async fn create_user_in(&self, account: &str, name: &str, policy_document: &str) -> Result<Keys, SandboxError> {
        let iam = aws_sdk_iam::Client::new(&self.operator_of(account));
        iam.create_user().user_name(name).send().await.map_err(SandboxError::aws(format!("cannot create user `{name}`")))?;
        iam.put_user_policy()
            .user_name(name)
            .policy_name("sandbox")
            .policy_document(policy_document)
            .send()
            .await
            .map_err(SandboxError::aws(format!("cannot give user `{name}` a policy")))?;
        let made = iam
            .create_access_key()
            .user_name(name)
            .send()
            .await
            .map_err(SandboxError::aws(format!("cannot create an access key for user `{name}`")))?;
        let key = made.access_key().ok_or_else(|| SandboxError::unexpected("IAM gave no access key for user", name))?;
        Ok(Keys::new(key.access_key_id(), key.secret_access_key()))
    }

    fn watched(&self) -> Watched {
        Watched {
            stack: self.spec.name.clone(),
            account: self.spec.account.clone(),
            mode: self.spec.mode.to_string(),
            table: self.outputs.table_name.clone(),
            state_machine: self.outputs.state_machine_arn.clone(),
            operator: self.operator(),
        }
    }
}

/// The account of requests that name none.
pub(crate) fn first_account(options: &Options) -> String {
    options.stacks.first().map_or_else(|| "000000000000".to_owned(), |stack| stack.account.clone())
}

/// The organisation: its management account, then every hub and its spokes. Empty where no stack has spokes.
pub(crate) fn members(options: &Options) -> Vec<String> {
    let hubs = options.stacks.iter().filter(|stack| !stack.spokes.is_empty());
    let members: Vec<String> = hubs.flat_map(|hub| std::iter::once(&hub.account).chain(&hub.spokes)).cloned().collect();
    if members.is_empty() { members } else { std::iter::once(emulator::MANAGEMENT.to_owned()).chain(members).collect() }
}

/// How a stack is known in the stand-in; tokens and secrets are new at each start.
fn member(spec: &StackSpec) -> Member {
    let upper: String = spec.name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_uppercase();
    Member {
        stack: spec.name.clone(),
        channel: format!("C0{upper}"),
        channel_name: if spec.name == "cordon" { "aws-incidents".to_owned() } else { format!("aws-incidents-{}", spec.name) },
        bot_token: format!("xoxb-{}", random_text()),
        webhook_path: format!("T0CORDON/B0{upper}/{}", random_text()),
        signing_secret: random_text(),
        callback_url: None,
    }
}

/// 32 hexadecimal digits from the operating system's randomness, which seeds every `RandomState`.
fn random_text() -> String {
    format!("{:016x}{:016x}", RandomState::new().build_hasher().finish(), RandomState::new().build_hasher().finish())
}

fn serve(background: &Background, page: Page, port: u16) -> Result<String, SandboxError> {
    let listener =
        std::net::TcpListener::bind(("127.0.0.1", port)).map_err(|_| SandboxError::PortTaken { port, option: "--page-port" })?;
    listener.set_nonblocking(true).map_err(SandboxError::io("cannot listen"))?;
    background.spawn(async move {
        match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => {
                if let Err(error) = axum::serve(listener, page::router(page)).await {
                    tracing::error!(%error, "the page ended");
                }
            }
            Err(error) => tracing::error!(%error, "the page cannot listen"),
        }
    });
    Ok(format!("http://127.0.0.1:{port}/"))
}

/// Gives the deployment what Terraform never holds, and subscribes to its alerts.
async fn connect(stack: &Stack, slack: &SlackStandIn, first_account: &str) -> Result<(), SandboxError> {
    let name = &stack.spec.name;
    slack.set_callback(name, &in_account(&stack.outputs.callback_url, &stack.spec.account, first_account));
    let operator = stack.operator();
    if let Some(secret) = slack.secret_value(name, stack.spec.slack) {
        aws_sdk_secretsmanager::Client::new(&operator)
            .put_secret_value()
            .secret_id(&stack.outputs.secret_arn)
            .secret_string(secret.to_string())
            .send()
            .await
            .map_err(SandboxError::aws("cannot write the Slack secret"))?;
    }
    let sns = aws_sdk_sns::Client::new(&operator);
    sns.subscribe()
        .topic_arn(&stack.outputs.topic_arn)
        .protocol("http")
        .endpoint(format!("{}/sns/{name}", slack.base_url()))
        .send()
        .await
        .map_err(SandboxError::aws("cannot subscribe to the alerts"))?;
    let began = Instant::now();
    while began.elapsed() < SUBSCRIPTION_LIMIT {
        if slack.is_subscribed(name) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(SandboxError::TimedOut {
        what: "the confirmation of the SNS subscription".to_owned(),
        seconds: SUBSCRIPTION_LIMIT.as_secs(),
        tail: Vec::new(),
    })
}

/// Accounts are polled once, however many stacks share one. What happens in a spoke arrives as AWS itself delivers it.
fn feeds(stacks: &[Stack], voice: &Voice) -> Vec<Feed> {
    let mut buses: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for stack in stacks {
        let of_account = buses.entry(&stack.spec.account).or_default();
        if !of_account.contains(&stack.outputs.bus_name) {
            of_account.push(stack.outputs.bus_name.clone());
        }
    }
    let hubs = buses.into_iter().map(|(account, buses)| Feed { account: account.to_owned(), way: Way::Buses(buses) });
    let spokes: BTreeSet<&String> = stacks.iter().flat_map(|stack| &stack.spec.spokes).collect();
    hubs.chain(spokes.into_iter().map(|account| Feed { account: account.clone(), way: Way::Aws(voice.clone()) })).collect()
}

impl SlackStandIn {
    /// The value of the deployment's Slack secret.
    fn secret_value(&self, stack: &str, mode: SlackMode) -> Option<Value> {
        let member = self.member(|member| member.stack == stack)?;
        match mode {
            SlackMode::Bot => Some(json!({
                "signing_secret": member.signing_secret,
                "bot_token": member.bot_token,
                "channel": member.channel,
                "team_id": crate::slack::TEAM,
                "app_id": crate::slack::APP,
            })),
            SlackMode::Webhook => Some(json!({
                "signing_secret": member.signing_secret,
                "webhook_url": format!("{}/services/{}", self.base_url(), member.webhook_path),
                "team_id": crate::slack::TEAM,
                "app_id": crate::slack::APP,
            })),
            SlackMode::Unset => None,
        }
    }
}
