//! The options of a sandbox.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Whether the deployment may change anything. It has to agree with the `mode` of the stack's `cordon.toml`: Terraform grants the
/// remediator its writing permissions by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Changes nothing. `dry-run` in `cordon.toml`.
    DryRun,
    /// Carries out what is decided. `enforce` in `cordon.toml`.
    Enforce,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DryRun => "dry-run",
            Self::Enforce => "enforce",
        })
    }
}

/// How a stack talks to the Slack stand-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlackMode {
    /// A bot token with a channel: messages have a `ts`, can be updated and threaded.
    Bot,
    /// An incoming webhook: messages can only be posted.
    Webhook,
    /// No secret value is written, as on the day of a first deployment.
    Unset,
}

/// One deployment of Cordon inside the emulator.
#[derive(Debug, Clone)]
pub struct StackSpec {
    /// Short, lower case; names the state files, and the resources through Terraform's `name`.
    pub name: String,
    /// A 12-digit number: the emulator takes it for the account's own root key. Stacks may share an account.
    pub account: String,
    /// The `cordon.toml` to pack with the functions.
    pub config: PathBuf,
    /// Has to agree with the `mode` in `config`.
    pub mode: Mode,
    /// Decides what is written into the stack's Slack secret.
    pub slack: SlackMode,
    /// The wait for a decision before more people are called.
    pub approval_timeout: Duration,
    /// The wait after more people were called.
    pub escalation_timeout: Duration,
    /// The wait between a change and its second verification.
    pub settle: Duration,
    /// Whether incidents go to Security Hub, too. The emulator has none and refuses them, as AWS does where it is not enabled.
    pub security_hub: bool,
    /// Other accounts of the organisation, at most two, which forward their events to this deployment and let it act.
    pub spokes: Vec<String>,
}

/// The accounts beside the hub that the sandbox's Terraform has a provider for.
pub const SPOKES_MAX: usize = 2;

impl StackSpec {
    /// An enforcing stack with short waits, which is what `cordon sandbox` runs.
    #[must_use]
    pub fn new(name: &str, account: &str, config: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            account: account.to_owned(),
            config,
            mode: Mode::Enforce,
            slack: SlackMode::Bot,
            approval_timeout: Duration::from_secs(15 * 60),
            escalation_timeout: Duration::from_secs(5 * 60),
            settle: Duration::from_secs(1),
            security_hub: false,
            spokes: Vec::new(),
        }
    }
}

/// Somebody who can press buttons on the page.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Person {
    /// A Slack user id, as in `[[approval.approvers]]`.
    pub id: String,
    /// The name to show.
    pub name: String,
    /// What the page says about them.
    pub role: String,
}

impl Person {
    /// Somebody with a Slack user id, the name to show, and what the page says about them.
    #[must_use]
    pub fn new(id: &str, name: &str, role: &str) -> Self {
        Self { id: id.to_owned(), name: name.to_owned(), role: role.to_owned() }
    }
}

/// Everything that a start needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// The root folder of the Cordon workspace.
    pub workspace_root: PathBuf,
    /// Names the folder below `target/sandbox` for this run's logs and state; one running sandbox a label.
    pub label: String,
    /// The emulator's port; a free one if `None`.
    pub port: Option<u16>,
    /// The page's and the Slack stand-in's port; a free one if `None`.
    pub page_port: Option<u16>,
    /// What to deploy: one entry for each deployment of Cordon.
    pub stacks: Vec<StackSpec>,
    /// Those who can press buttons on the page.
    pub people: Vec<Person>,
    /// What `cordon_detect::pack` made of the rules: it is packed with the functions of every stack.
    pub rules: String,
    /// The `detail` patterns that `cordon_detect` generated from the rules.
    pub event_patterns: Vec<serde_json::Value>,
    /// Print no progress.
    pub quiet: bool,
}

/// The people of the sandbox's own `cordon.toml`.
pub mod people {
    /// May approve.
    pub const APPROVER: &str = "U0ALICE001";
    /// May look, and is refused.
    pub const COLLEAGUE: &str = "U0BEN00002";
    /// Is an approver on paper, and the actor of the story's incident: refused there.
    pub const ATTACKER: &str = "U0MALLORY3";
}
