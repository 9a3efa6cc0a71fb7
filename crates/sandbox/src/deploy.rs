//! Brings the emulator up with every stack deployed: from the snapshot of an earlier start if nothing that the deployments depend
//! on has changed since, else by Terraform, after which a snapshot is kept.
//!
//! A snapshot that cannot be used costs a line of progress and never the start. Nothing here writes a secret or lets an event in:
//! everything that is new at each start comes after it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::emulator::{self, Accounts, Emulator};
use crate::error::{SandboxError, chain};
use crate::launcher;
use crate::layout::Layout;
use crate::options::{Options, SPOKES_MAX, StackSpec};
use crate::process::Guard;
use crate::progress::Progress;
use crate::setup::REQUIREMENTS;
use crate::snapshot::{Found, Key, Ports, Snapshot, StackOutputs};
use crate::stack::{Stack, first_account, members};
use crate::terraform::{Outputs, Terraform, Variables};
use crate::tools::Tools;

/// Raised when what is kept, or what is done to it, changes.
const FORMAT: &str = "cordon-snapshot-1";

/// Everything that a deployment needs, set up and packed.
pub(crate) struct Site<'a> {
    pub layout: &'a Layout,
    pub tools: &'a Tools,
    pub guard: &'a Guard,
    pub python: &'a Path,
    pub terraform: &'a Terraform,
    pub options: &'a Options,
    pub ports: Ports,
    /// Where the functions reach the Slack stand-in.
    pub slack_api_url: String,
    pub progress: &'a Progress,
}

impl Site<'_> {
    /// The emulator, with the stacks in the order of the options.
    pub async fn deploy(&self) -> Result<(Emulator, Vec<Stack>), SandboxError> {
        if let Some(spec) = self.options.stacks.iter().find(|spec| spec.spokes.len() > SPOKES_MAX) {
            let what = format!("stack `{}` cannot be deployed", spec.name);
            return Err(SandboxError::unexpected(what, format!("Terraform has providers for {SPOKES_MAX} spokes")));
        }
        let key = self.key()?;
        let snapshot = Snapshot::of(self.layout, &self.options.label);
        let state = emulator::state_folder(self.layout);
        emulator::reset_dir(&state)?;
        let step = self.progress.step("deployment of an earlier start");
        let unusable = match snapshot.load(&key, self.ports, &state) {
            Ok(Found::Loaded(outputs)) => match self.resume(outputs).await {
                Ok(resumed) => {
                    step.done("loaded: nothing that it depends on has changed");
                    return Ok(resumed);
                }
                Err(error) => chain(&error),
            },
            Ok(Found::OtherKey) => {
                step.done("not used: something that it depends on has changed");
                return self.apply_and_keep(&key, &snapshot).await;
            }
            Ok(Found::Nothing) => {
                step.done("there is none");
                return self.apply_and_keep(&key, &snapshot).await;
            }
            Err(error) => chain(&error),
        };
        step.failed(&format!("thrown away: {unusable}"));
        if let Err(error) = snapshot.discard() {
            tracing::warn!(error = chain(&error), "a snapshot cannot be removed");
        }
        emulator::reset_dir(&state)?;
        self.apply_and_keep(&key, &snapshot).await
    }

    /// Whatever the deployments depend on, but for the ports: those are replaced when a state is loaded.
    fn key(&self) -> Result<String, SandboxError> {
        let mut key = Key::new();
        for part in [FORMAT, REQUIREMENTS, &self.tools.python_version, &self.tools.terraform_version] {
            key.add(part);
        }
        for (place, text) in launcher::FILES {
            key.add(place);
            key.add(text);
        }
        key.add(self.terraform.digest(self.layout)?);
        key.add(first_account(self.options));
        for spec in &self.options.stacks {
            let artifacts = self.artifacts(spec);
            let manifest = artifacts.join("manifest.json");
            // The manifest names the hash of each zip, and a zip holds the function, `cordon.toml` and the rules.
            key.add(fs::read(&manifest).map_err(SandboxError::io(format!("cannot read `{}`", manifest.display())))?);
            let variables = Variables { endpoint: "", slack_api_url: "", stack: spec, artifacts: &artifacts };
            key.add(variables.values().to_string());
        }
        Ok(key.finish())
    }

    fn artifacts(&self, spec: &StackSpec) -> PathBuf {
        self.layout.stack(&spec.name).join("artifacts")
    }

    async fn emulator(&self) -> Result<Emulator, SandboxError> {
        let accounts = Accounts { first: first_account(self.options), members: members(self.options) };
        Emulator::start(self.layout, self.guard, self.python, self.ports.emulator, &accounts, self.progress).await
    }

    /// Starts on the loaded state and asks every stack whether it is there.
    async fn resume(&self, mut outputs: StackOutputs) -> Result<(Emulator, Vec<Stack>), SandboxError> {
        let emulator = self.emulator().await?;
        let mut stacks = Vec::new();
        for spec in &self.options.stacks {
            let outputs = Outputs::new(outputs.remove(&spec.name).unwrap_or_default())?;
            let stack = Stack::new(spec.clone(), outputs, emulator.endpoint.clone());
            stack.answers().await?;
            stacks.push(stack);
        }
        Ok((emulator, stacks))
    }

    async fn apply_and_keep(&self, key: &str, snapshot: &Snapshot) -> Result<(Emulator, Vec<Stack>), SandboxError> {
        let mut emulator = self.emulator().await?;
        let stacks = self.apply(&emulator).await?;
        let step = self.progress.step("deployment kept for later starts");
        let outputs = stacks.iter().map(|stack| (stack.spec.name.clone(), stack.outputs.all.clone())).collect();
        let kept = match emulator.save().await {
            Ok(state) => snapshot.keep(key, self.ports, outputs, state).map_err(|error| chain(&error)),
            Err(error) => Err(chain(&error)),
        };
        match kept {
            Ok(()) => step.done(""),
            // The next start applies again; this one has all that it needs.
            Err(why) => step.failed(&why),
        }
        Ok((emulator, stacks))
    }

    /// Applies Terraform for every stack at the same time.
    async fn apply(&self, emulator: &Emulator) -> Result<Vec<Stack>, SandboxError> {
        let mut tasks = tokio::task::JoinSet::new();
        for (index, spec) in self.options.stacks.iter().enumerate() {
            let (layout, terraform, progress) = (self.layout.clone(), self.terraform.clone(), self.progress.clone());
            let (endpoint, slack_api_url) = (emulator.endpoint.clone(), self.slack_api_url.clone());
            let (spec, artifacts) = (spec.clone(), self.artifacts(spec));
            tasks.spawn(async move {
                let variables =
                    Variables { endpoint: &endpoint, slack_api_url: &slack_api_url, stack: &spec, artifacts: &artifacts };
                let outputs = terraform.apply(&layout, variables, &progress).await?;
                Ok::<_, SandboxError>((index, Stack::new(spec, outputs, endpoint)))
            });
        }
        let mut stacks = BTreeMap::new();
        while let Some(ended) = tasks.join_next().await {
            let (index, stack) = ended.map_err(|error| SandboxError::unexpected("a deployment was cut short", error))??;
            stacks.insert(index, stack);
        }
        Ok(stacks.into_values().collect())
    }
}
