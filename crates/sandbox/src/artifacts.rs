//! Builds the six functions for this machine and packs a set of zips for each stack.

use std::time::Duration;

use crate::error::SandboxError;
use crate::layout::Layout;
use crate::options::{Options, StackSpec};
use crate::package::{Architecture, FUNCTIONS, PackageOptions, package};
use crate::process::Guard;
use crate::progress::Progress;
use crate::tools::Tools;

const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);

/// What Cargo sets for the program it runs. A nested Cargo that inherits it builds dependencies anew, for they see another
/// environment than before.
const CARGO_RUN_VARIABLES: [&str; 5] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];

/// Compiles the functions, in the workspace's own target directory.
pub(crate) async fn build(layout: &Layout, tools: &Tools, guard: &Guard, progress: &Progress) -> Result<(), SandboxError> {
    let step = progress.step("functions built");
    let mut cargo = guard
        .command(&tools.cargo)
        // The command is named beside the functions so that Cargo chooses the features of their dependencies for all of them
        // together, as it did when it built the command: else it would compile every one of them a second time.
        .args(["build", "--release", "--locked", "-p", "cordon-cli"])
        .args(FUNCTIONS.iter().flat_map(|name| ["-p", *name]))
        .arg("--target-dir")
        .arg(&layout.target)
        .folder(&layout.workspace);
    for (key, _) in std::env::vars_os() {
        let name = key.to_string_lossy();
        if CARGO_RUN_VARIABLES.iter().any(|prefix| name.starts_with(prefix)) {
            cargo = cargo.env_remove(&key);
        }
    }
    cargo.run("cargo build of the functions", &layout.log("build"), BUILD_LIMIT, |line| step.note(line)).await?;
    step.done("");
    Ok(())
}

/// Packs the zips of every stack, each with its own `cordon.toml`.
pub(crate) async fn pack(layout: &Layout, options: &Options, progress: &Progress) -> Result<(), SandboxError> {
    let step = progress.step("functions packed");
    let mut tasks = tokio::task::JoinSet::new();
    for stack in &options.stacks {
        let package_options = package_options(layout, stack, options);
        tasks.spawn_blocking(move || package(&package_options));
    }
    while let Some(packed) = tasks.join_next().await {
        packed.map_err(|error| SandboxError::unexpected("packing was cut short", error))??;
    }
    step.done("");
    Ok(())
}

fn package_options(layout: &Layout, stack: &StackSpec, options: &Options) -> PackageOptions {
    PackageOptions {
        bootstraps: PackageOptions::cargo(&layout.target.join("release")),
        config: stack.config.clone(),
        rules: options.rules.clone(),
        out: layout.stack(&stack.name).join("artifacts"),
        architecture: Architecture::host(),
        event_patterns: options.event_patterns.clone(),
    }
}
