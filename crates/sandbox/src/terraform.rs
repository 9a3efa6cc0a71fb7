//! Applies the deployment's own Terraform to the emulator.
//!
//! Terraform runs on a copy below `target/sandbox/terraform`, because it writes a lock file beside its configuration; `infra/`
//! itself is only read. One `init` serves every stack; each stack has its state and variables in its own folder. The emulator
//! forgets everything when it stops, so a state never outlives a run; see `snapshot` for
//! the state that does.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::emulator::ORGANIZATION;
use crate::error::SandboxError;
use crate::layout::{self, Layout};
use crate::options::StackSpec;
use crate::process::{Guard, Program};
use crate::progress::Progress;
use crate::tools::Tools;

const INIT_LIMIT: Duration = Duration::from_secs(20 * 60);
const APPLY_LIMIT: Duration = Duration::from_secs(20 * 60);
const PLUGIN_DIR_VARIABLE: &str = "CORDON_TERRAFORM_PLUGIN_DIR";
const PROVIDER: &str = "registry.terraform.io/hashicorp/aws";
const LOCK_FILE: &str = ".terraform.lock.hcl";
/// What of the workspace the configuration refers to.
const COPIED: [&str; 2] = ["infra", "statemachine"];
/// How deep below a folder a mirror is looked for.
const MIRROR_DEPTH: usize = 4;

/// The initialised configuration, ready to be applied as often as there are stacks.
#[derive(Debug, Clone)]
pub(crate) struct Terraform {
    program: PathBuf,
    guard: Guard,
    root: PathBuf,
    data: PathBuf,
    plugins: PathBuf,
}

/// What a stack's Terraform gave out.
#[derive(Debug, Clone)]
pub struct Outputs {
    /// Where clicks are sent to.
    pub callback_url: String,
    /// The Step Functions state machine that runs incidents.
    pub state_machine_arn: String,
    /// The DynamoDB table of the incidents.
    pub table_name: String,
    /// The SNS topic of the alerts.
    pub topic_arn: String,
    /// The Secrets Manager secret with the Slack credentials.
    pub secret_arn: String,
    /// The EventBridge bus that the relay puts events on.
    pub bus_name: String,
    /// All of them, by name.
    pub all: BTreeMap<String, Value>,
}

/// What the root module is told about the sandbox.
#[derive(Debug, Clone)]
pub(crate) struct Variables<'a> {
    pub endpoint: &'a str,
    pub slack_api_url: &'a str,
    pub stack: &'a StackSpec,
    pub artifacts: &'a Path,
}

impl Variables<'_> {
    /// As `sandbox.tfvars.json` holds them.
    pub fn values(&self) -> Value {
        let stack = self.stack;
        json!({
            "endpoint": self.endpoint,
            "artifacts": self.artifacts,
            "slack_api_url": self.slack_api_url,
            "mode": stack.mode.to_string(),
            "approval_timeout_seconds": stack.approval_timeout.as_secs(),
            "escalation_timeout_seconds": stack.escalation_timeout.as_secs(),
            "settle_seconds": stack.settle.as_secs(),
            "security_hub": stack.security_hub,
            "access_key": stack.account,
            "name": stack.name,
            "organization_id": if stack.spokes.is_empty() { "" } else { ORGANIZATION },
            "spoke_a": stack.spokes.first(),
            "spoke_b": stack.spokes.get(1),
        })
    }
}

impl Terraform {
    pub async fn init(layout: &Layout, tools: &Tools, guard: &Guard, progress: &Progress) -> Result<Self, SandboxError> {
        let step = progress.step("Terraform ready");
        let folder = layout.shared.join("terraform");
        let copy = folder.join("root");
        for name in COPIED {
            sync(&layout.workspace.join(name), &copy.join(name))?;
        }
        let terraform = Self {
            program: tools.terraform.clone(),
            guard: guard.clone(),
            root: copy.join("infra").join("sandbox"),
            data: folder.join("data"),
            plugins: folder.join("plugins"),
        };
        if !terraform.root.is_dir() {
            return Err(SandboxError::unexpected("cannot apply Terraform", "the workspace has no `infra/sandbox`"));
        }
        layout::create_dir(&terraform.plugins)?;
        let stamp = configuration_digest(&copy)?;
        let stamp_file = folder.join("init.stamp");
        if terraform.data.join("providers").is_dir() && fs::read_to_string(&stamp_file).is_ok_and(|old| old == stamp) {
            step.done("as before");
            return Ok(terraform);
        }
        let from = terraform.run_init(&layout.log("terraform-init"), |line| step.note(line)).await?;
        layout::write(&stamp_file, stamp)?;
        step.done(&from);
        Ok(terraform)
    }

    /// Tries the registry, then the mirrors. Says where the provider came from.
    async fn run_init(&self, log: &Path, note: impl Fn(&str)) -> Result<String, SandboxError> {
        let lock = self.root.join(LOCK_FILE);
        if lock.exists() {
            // It may name a version that only the other source has.
            fs::remove_file(&lock).map_err(SandboxError::io(format!("cannot remove `{}`", lock.display())))?;
        }
        if let Some(folder) = std::env::var_os(PLUGIN_DIR_VARIABLE) {
            let folder = PathBuf::from(folder);
            if !folder.join(PROVIDER).is_dir() {
                return Err(SandboxError::MissingProvider {
                    advice: format!("{PLUGIN_DIR_VARIABLE} names `{}`, which holds no `{PROVIDER}`", folder.display()),
                });
            }
            self.init_with(Some(&folder)).run("terraform init", log, INIT_LIMIT, note).await?;
            return Ok(format!("provider from {}", folder.display()));
        }
        let error = match self.init_with(None).run("terraform init", log, INIT_LIMIT, &note).await {
            Ok(()) => return Ok("provider from the registry".to_owned()),
            Err(error) => error,
        };
        if !is_about_the_registry(&error) {
            return Err(error);
        }
        let Some(mirror) = find_mirror(&mirror_places()) else {
            return Err(SandboxError::MissingProvider {
                advice: format!(
                    "the Terraform registry cannot be reached and no filesystem mirror was found; connect, or name a folder that holds \
                     `{PROVIDER}` in {PLUGIN_DIR_VARIABLE}"
                ),
            });
        };
        self.init_with(Some(&mirror)).run("terraform init", log, INIT_LIMIT, note).await?;
        Ok(format!("provider from {}", mirror.display()))
    }

    fn init_with(&self, mirror: Option<&Path>) -> Program {
        let program = self.command().args(["init", "-input=false", "-no-color"]);
        match mirror {
            Some(folder) => {
                let mut option = OsString::from("-plugin-dir=");
                option.push(folder);
                program.arg(option)
            }
            None => program,
        }
    }

    /// Applies one stack and reads its outputs.
    pub async fn apply(&self, layout: &Layout, variables: Variables<'_>, progress: &Progress) -> Result<Outputs, SandboxError> {
        let stack = variables.stack;
        let step = progress.step(&format!("stack `{}` applied", stack.name));
        let folder = layout.stack(&stack.name);
        layout::create_dir(&folder)?;
        let state = folder.join("terraform.tfstate");
        for old in [state.clone(), folder.join("terraform.tfstate.backup")] {
            if old.exists() {
                fs::remove_file(&old).map_err(SandboxError::io(format!("cannot remove `{}`", old.display())))?;
            }
        }
        let values = folder.join("sandbox.tfvars.json");
        layout::write(&values, variables.values().to_string())?;
        let what = format!("terraform apply of stack `{}`", stack.name);
        let log = layout.log(&format!("terraform-{}", stack.name));
        self.command()
            .args(["apply", "-auto-approve", "-input=false", "-no-color", "-lock=false", "-parallelism=20"])
            .arg(option("-state=", &state))
            .arg(option("-var-file=", &values))
            .run(&what, &log, APPLY_LIMIT, |line| step.note(line))
            .await?;
        let outputs = self.outputs(&state).await?;
        step.done("");
        Ok(outputs)
    }

    async fn outputs(&self, state: &Path) -> Result<Outputs, SandboxError> {
        let mut command = tokio::process::Command::new(&self.program);
        command
            .arg(option("-chdir=", &self.root))
            .args(["output", "-json", "-no-color"])
            .arg(option("-state=", state))
            .env("TF_DATA_DIR", &self.data)
            .kill_on_drop(true);
        let output = command.output().await.map_err(SandboxError::io("cannot run terraform output"))?;
        let all: BTreeMap<String, Value> = serde_json::from_slice(&output.stdout).map_err(|error| {
            SandboxError::unexpected(
                "terraform output gave no JSON",
                format!("{error} {}", String::from_utf8_lossy(&output.stderr)),
            )
        })?;
        Outputs::new(all.into_iter().map(|(name, output)| (name, output.get("value").cloned().unwrap_or_default())).collect())
    }

    /// Changes with anything that an apply depends on, but for the variables: the configuration, the state machine's definition, and
    /// the provider's version and hashes.
    pub fn digest(&self, layout: &Layout) -> Result<String, SandboxError> {
        digest_of(&layout.shared.join("terraform").join("root"), |path| {
            !path.components().any(|part| part.as_os_str() == ".terraform") && !path.to_string_lossy().contains(".tfstate")
        })
    }

    fn command(&self) -> Program {
        let mut program = self
            .guard
            .command(&self.program)
            .arg(option("-chdir=", &self.root))
            .env("TF_DATA_DIR", &self.data)
            .env("TF_PLUGIN_CACHE_DIR", &self.plugins)
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_INPUT", "0")
            .env("CHECKPOINT_DISABLE", "1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("NO_PROXY", no_proxy())
            .env("no_proxy", no_proxy());
        for (key, _) in std::env::vars_os() {
            let name = key.to_string_lossy();
            // The caller's own account, workspace and arguments have no say here.
            if ["AWS_", "TF_VAR_", "TF_CLI_ARGS", "TF_WORKSPACE", "TF_LOG"].iter().any(|prefix| name.starts_with(prefix)) {
                program = program.env_remove(&key);
            }
        }
        program
    }
}

impl Outputs {
    /// From the values by name.
    pub(crate) fn new(all: BTreeMap<String, Value>) -> Result<Self, SandboxError> {
        let text = |name: &str| {
            all.get(name)
                .and_then(Value::as_str)
                .map(str::to_owned)
                .ok_or_else(|| SandboxError::unexpected("the sandbox's Terraform", format!("it has no output `{name}`")))
        };
        Ok(Self {
            callback_url: text("callback_url")?,
            state_machine_arn: text("state_machine_arn")?,
            table_name: text("table_name")?,
            topic_arn: text("topic_arn")?,
            secret_arn: text("secret_arn")?,
            bus_name: text("bus_name")?,
            all,
        })
    }
}

fn option(name: &str, value: &Path) -> OsString {
    let mut text = OsString::from(name);
    text.push(value);
    text
}

fn no_proxy() -> String {
    let old = std::env::var("NO_PROXY").or_else(|_| std::env::var("no_proxy")).unwrap_or_default();
    if old.is_empty() { "127.0.0.1,localhost".to_owned() } else { format!("127.0.0.1,localhost,{old}") }
}

/// Whether `init` failed for want of the registry, rather than on the configuration.
fn is_about_the_registry(error: &SandboxError) -> bool {
    match error {
        SandboxError::TimedOut { .. } => true,
        SandboxError::Command { tail, .. } => {
            let text = tail.join(" ");
            [
                "Failed to query available provider packages",
                "registry.terraform.io",
                "Failed to install provider",
                "Could not retrieve",
                "releases.hashicorp.com",
            ]
            .iter()
            .any(|sign| text.contains(sign))
        }
        _ => false,
    }
}

/// Terraform's implied mirrors, then where machines without a registry tend to keep one.
fn mirror_places() -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let data = std::env::var_os("XDG_DATA_HOME").map_or_else(|| home.join(".local/share"), PathBuf::from);
    let mut places = vec![data.join("terraform/plugins"), home.join(".terraform.d/plugins")];
    places.extend(
        ["/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins", "/opt", "/usr/local/share", "/usr/share"]
            .map(PathBuf::from),
    );
    places
}

fn find_mirror(places: &[PathBuf]) -> Option<PathBuf> {
    places.iter().find_map(|place| search(place, MIRROR_DEPTH))
}

fn search(folder: &Path, depth: usize) -> Option<PathBuf> {
    if folder.join(PROVIDER).is_dir() {
        return Some(folder.to_owned());
    }
    if depth == 0 {
        return None;
    }
    let mut inner: Vec<PathBuf> = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| {
            entry.ok().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
        })
        .collect();
    inner.sort();
    inner.iter().find_map(|path| search(path, depth - 1))
}

/// Makes `to` hold what `from` holds, leaving alone what Terraform itself wrote there.
fn sync(from: &Path, to: &Path) -> Result<(), SandboxError> {
    layout::create_dir(to)?;
    let failed = |path: &Path| SandboxError::io(format!("cannot read `{}`", path.display()));
    let mut kept = BTreeSet::new();
    for entry in fs::read_dir(from).map_err(failed(from))? {
        let entry = entry.map_err(failed(from))?;
        let name = entry.file_name();
        if is_terraforms(&name.to_string_lossy()) {
            continue;
        }
        kept.insert(name.clone());
        let path = entry.path();
        if path.is_dir() {
            sync(&path, &to.join(&name))?;
        } else {
            let content = fs::read(&path).map_err(failed(&path))?;
            layout::write_if_changed(&to.join(&name), &content)?;
        }
    }
    for entry in fs::read_dir(to).map_err(failed(to))? {
        let entry = entry.map_err(failed(to))?;
        let name = entry.file_name();
        if kept.contains(&name) || is_terraforms(&name.to_string_lossy()) {
            continue;
        }
        let path = entry.path();
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(SandboxError::io(format!("cannot remove `{}`", path.display())))?;
    }
    Ok(())
}

fn is_terraforms(name: &str) -> bool {
    name == ".terraform" || name == LOCK_FILE || name.contains(".tfstate")
}

/// Changes with any `.tf` file: providers and modules may then have to be resolved anew.
fn configuration_digest(folder: &Path) -> Result<String, SandboxError> {
    digest_of(folder, |path| path.extension().is_some_and(|extension| extension == "tf"))
}

/// A digest of the files below a folder that count, and of the place that the provider comes from.
fn digest_of(folder: &Path, counts: impl Fn(&Path) -> bool) -> Result<String, SandboxError> {
    let mut digest = Sha256::new();
    digest.update(std::env::var(PLUGIN_DIR_VARIABLE).unwrap_or_default());
    let mut folders = vec![folder.to_owned()];
    let mut files = BTreeSet::new();
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).map_err(SandboxError::io(format!("cannot read `{}`", next.display())))? {
            let path = entry.map_err(SandboxError::io("cannot read a folder"))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if counts(&path) {
                files.insert(path);
            }
        }
    }
    for path in files {
        digest.update(path.to_string_lossy().as_bytes());
        digest.update(fs::read(&path).map_err(SandboxError::io(format!("cannot read `{}`", path.display())))?);
    }
    Ok(hex::encode(digest.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_is_found_some_folders_down_and_its_root_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let mirror = folder.path().join("a/plugins");
        fs::create_dir_all(mirror.join(PROVIDER).join("5.100.0/linux_amd64")).unwrap();
        assert_eq!(find_mirror(&[folder.path().join("absent"), folder.path().to_owned()]), Some(mirror));
        assert_eq!(find_mirror(&[folder.path().join("absent")]), None);
    }

    #[test]
    fn only_a_registry_that_cannot_be_reached_leads_to_a_mirror() {
        let failed =
            |line: &str| SandboxError::Command { what: "terraform init".into(), tail: vec![line.into()], log: "l".into() };
        assert!(is_about_the_registry(&failed("could not connect to registry.terraform.io: failed to request")));
        assert!(!is_about_the_registry(&failed("Error: Unsupported block type")));
    }

    #[test]
    fn a_copy_follows_its_source_and_keeps_what_terraform_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("modules")).unwrap();
        fs::write(from.join("main.tf"), "one").unwrap();
        fs::write(from.join("modules/m.tf"), "two").unwrap();
        fs::write(from.join("terraform.tfstate"), "not copied").unwrap();
        sync(&from, &to).unwrap();
        let first = configuration_digest(&to).unwrap();
        fs::write(to.join(LOCK_FILE), "kept").unwrap();
        fs::remove_file(from.join("modules/m.tf")).unwrap();
        fs::write(from.join("main.tf"), "three").unwrap();
        sync(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("main.tf")).unwrap(), "three");
        assert!(to.join(LOCK_FILE).exists() && !to.join("modules/m.tf").exists() && !to.join("terraform.tfstate").exists());
        assert_ne!(configuration_digest(&to).unwrap(), first);
    }

    #[test]
    fn a_missing_output_is_named() {
        let all = BTreeMap::from([("callback_url".to_owned(), json!("http://x"))]);
        assert_eq!(Outputs::new(all).unwrap_err().to_string(), "the sandbox's Terraform: it has no output `state_machine_arn`");
    }
}
