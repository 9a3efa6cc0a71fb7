//! `cordon sandbox`: starts a sandbox, plays its story or stays up, and always stops it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::aws::{Keys, REGION};
use crate::error::{SandboxError, chain};
use crate::layout;
use crate::options::{Options, Person, StackSpec, people};
use crate::progress::{Progress, seconds};
use crate::stack::{Sandbox, Stack};
use crate::story::{self, Report, TARGETS};

/// The stack of `cordon sandbox`.
pub const STACK: &str = "cordon";
/// Its account: the emulator takes any 12 digits.
pub const ACCOUNT: &str = "111122223333";
/// Whoever sources `target/sandbox/env`.
const PLAYER: &str = "iam-test-you";
const PLAYER_POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["iam:*","sts:*"],"Resource":"*"}]}"#;
const HEARTBEAT: Duration = Duration::from_secs(1);

impl Options {
    /// What `cordon sandbox` starts: one enforcing stack with the sandbox's own `cordon.toml`.
    #[must_use]
    pub fn play(workspace_root: &Path, rules: String, event_patterns: Vec<serde_json::Value>) -> Self {
        let config = workspace_root.join("crates").join("sandbox").join("cordon.toml");
        Self {
            workspace_root: workspace_root.to_owned(),
            label: "play".to_owned(),
            port: None,
            page_port: None,
            stacks: vec![StackSpec::new(STACK, ACCOUNT, config)],
            people: vec![
                Person::new(people::APPROVER, "Alice", "approver on call"),
                Person::new(people::COLLEAGUE, "Ben", "colleague, not an approver"),
                Person::new(people::ATTACKER, "Mallory", "approver, and the attacker"),
            ],
            rules,
            event_patterns,
            quiet: false,
        }
    }
}

/// Starts the sandbox; with `once` it plays the story and stops, otherwise it stays up until it is interrupted.
///
/// Gives the exit status: 0 if everything held or a sandbox that stayed up was interrupted, 1 if something did not hold, 2 if it
/// could not start, 128 and the signal's number if it was interrupted on the way.
pub async fn run(options: Options, once: bool) -> u8 {
    let progress = Progress::new(options.quiet);
    let mut signals = match Signals::install() {
        Ok(signals) => signals,
        Err(error) => return fail(&error),
    };
    // Dropping the start that is under way stops what it had started.
    let started = tokio::select! {
        biased;
        number = signals.next() => return 128 + number,
        started = Sandbox::start(options) => started,
    };
    let mut sandbox = match started {
        Ok(sandbox) => sandbox,
        Err(error) => return fail(&error),
    };
    let result = tokio::select! {
        biased;
        number = signals.next() => Ok(if once { 128 + number } else { 0 }),
        result = work(&mut sandbox, once, &progress) => result,
    };
    let step = progress.step("stopped");
    let stopped = sandbox.stop().await;
    if stopped.is_ok() {
        step.done("nothing is left running");
    }
    match (result, stopped) {
        (Ok(status), Ok(())) => status,
        (Err(error), _) | (Ok(_), Err(error)) => fail(&error),
    }
}

async fn work(sandbox: &mut Sandbox, once: bool, progress: &Progress) -> Result<u8, SandboxError> {
    let stack = sandbox
        .stacks()
        .first()
        .cloned()
        .ok_or_else(|| SandboxError::unexpected("cannot play a story", "the sandbox has no stack"))?;
    if once {
        let report = story::play(sandbox, &stack, progress).await?;
        print_report(&report);
        return Ok(u8::from(!report.held()));
    }
    let step = progress.step("a drill, so that the page is not empty");
    story::attack(sandbox, &stack).await?;
    step.done("somebody made themself an administrator");
    let files = write_env(sandbox, &stack).await?;
    print_guide(sandbox, &files);
    while sandbox.is_alive() {
        tokio::time::sleep(HEARTBEAT).await;
    }
    Err(SandboxError::unexpected(
        "the emulator ended by itself",
        format!("see `{}`", sandbox.folder().join("emulator.log").display()),
    ))
}

fn fail(error: &SandboxError) -> u8 {
    eprintln!("cordon: {}", chain(error));
    error.exit_code()
}

/// The signals that end a session: Ctrl-C, a polite kill, a closed terminal.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn install() -> Result<Self, SandboxError> {
        let listen = |kind| signal(kind).map_err(SandboxError::io("cannot listen for signals"));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    /// The number of the next one.
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 2,
            _ = self.terminate.recv() => 15,
            _ = self.hang_up.recv() => 1,
        }
    }
}

/// The files that a shell sources.
struct EnvFiles {
    player: PathBuf,
    operator: PathBuf,
}

/// Writes the variables for another terminal: `env` with a user's keys, whose calls are watched, and `operator-env` with the
/// account's own, which `cordon incident` needs and which are not.
async fn write_env(sandbox: &Sandbox, stack: &Stack) -> Result<EnvFiles, SandboxError> {
    let keys = stack.create_user(PLAYER, PLAYER_POLICY).await?;
    let folder = sandbox.shared_folder();
    let files = EnvFiles { player: folder.join("env"), operator: folder.join("operator-env") };
    layout::write(&files.player, env_text(sandbox, stack, &keys))?;
    layout::write(&files.operator, env_text(sandbox, stack, &Keys::operator(&stack.spec.account)))?;
    Ok(files)
}

fn env_text(sandbox: &Sandbox, stack: &Stack, keys: &Keys) -> String {
    let outputs = &stack.outputs;
    let lines = [
        ("AWS_ENDPOINT_URL", sandbox.endpoint()),
        ("AWS_ACCESS_KEY_ID", &keys.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &keys.secret_access_key),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_PAGER", ""),
        ("CORDON_PAGE_URL", sandbox.page_url()),
        ("CORDON_CALLBACK_URL", &outputs.callback_url),
        ("CORDON_TABLE", &outputs.table_name),
        ("CORDON_TOPIC_ARN", &outputs.topic_arn),
        ("CORDON_STATE_MACHINE_ARN", &outputs.state_machine_arn),
        ("CORDON_BUS", &outputs.bus_name),
    ];
    let mut text = "# Written by `cordon sandbox`; good until it stops.\nunset AWS_PROFILE AWS_SESSION_TOKEN\n".to_owned();
    for (name, value) in lines {
        text.push_str(&format!("export {name}='{}'\n", value.replace('\'', r"'\''")));
    }
    text
}

fn print_guide(sandbox: &Sandbox, files: &EnvFiles) {
    println!(
        "\nThe page:        {page}
The emulator:    {endpoint}
Logs:            {logs}

Try one of your own in another terminal:

  source {env}
  aws iam attach-user-policy --user-name {PLAYER} --policy-arn arn:aws:iam::aws:policy/AdministratorAccess

and press Approve on the page. To look at incidents or undo one, source {operator} and use `cordon incident`.
Ctrl-C stops everything.",
        page = sandbox.page_url(),
        endpoint = sandbox.endpoint(),
        logs = sandbox.folder().display(),
        env = files.player.display(),
        operator = files.operator.display(),
    );
}

fn print_report(report: &Report) {
    println!("\nTimeline");
    for line in story::timeline_lines(&report.timeline) {
        println!("{line}");
    }
    println!("\nChecks");
    for check in &report.checks {
        let mark = if check.held { "✓" } else { "✗" };
        let detail = if check.detail.is_empty() { String::new() } else { format!("  ({})", check.detail) };
        println!("{mark} {}{detail}", check.what);
    }
    println!("\nTimes");
    let times = [
        ("from the attack to the card", report.attack_to_card, Some(TARGETS.attack_to_card)),
        ("from the click to its answer", report.click_to_answer, Some(TARGETS.click_to_answer)),
        ("from the click to the first refused call", report.click_to_refused, Some(TARGETS.click_to_refused)),
        ("from the click to verified containment", report.click_to_contained, None),
    ];
    for (what, time, target) in times {
        println!("{what:<42} {}", time_beside_target(time, target));
    }
    let not_held = report.not_held();
    if report.held() {
        println!("\nAll of it held.");
    } else {
        println!("\n{} of {} did not hold:", not_held.len().max(1), report.checks.len().max(1));
        for check in not_held {
            println!("  {}", check.what);
        }
    }
}

/// What was measured, and the target where it was missed: that is news about this machine, and no check.
fn time_beside_target(time: Option<Duration>, target: Option<Duration>) -> String {
    match (time, target) {
        (None, _) => "did not happen".to_owned(),
        (Some(time), Some(target)) if time > target => {
            format!("{} (the target is {} on an idle machine)", seconds(time), seconds(target))
        }
        (Some(time), _) => seconds(time),
    }
}
