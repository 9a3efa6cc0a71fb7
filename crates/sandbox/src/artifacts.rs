//! Builds the six functions for this machine and packs a set of zips for each stack.
//!
//! They are built with the profile that the running program was built with, so that Cargo finds every dependency compiled already.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cordon_bundle::{Architecture, FUNCTIONS, PackageOptions, package};

use crate::error::SandboxError;
use crate::layout::Layout;
use crate::options::{Options, StackSpec};
use crate::process::Guard;
use crate::progress::Progress;
use crate::tools::Tools;

const BUILD_LIMIT: Duration = Duration::from_secs(60 * 60);

/// What Cargo sets for the program it runs. A nested Cargo that inherits it builds dependencies anew, for they see another
/// environment than before.
const CARGO_RUN_VARIABLES: [&str; 5] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];

/// A profile of Cargo's, by name, and the folder that holds what was built with it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    name: String,
    folder: PathBuf,
}

impl Profile {
    /// The one that this program was built with.
    pub fn of_this_program(target: &Path) -> Self {
        let executable = std::env::current_exe().unwrap_or_default();
        // The system gives the executable's path without links.
        let resolved = target.canonicalize().unwrap_or_else(|_| target.to_owned());
        Self::of(&executable, &resolved)
            .unwrap_or_else(|| Self::new(if cfg!(debug_assertions) { "debug" } else { "release" }, target))
    }

    /// Cargo puts executables at `target/[TRIPLE/]FOLDER/`, and those of tests and examples one folder further down.
    fn of(executable: &Path, target: &Path) -> Option<Self> {
        let folder = executable.strip_prefix(target).ok()?.parent()?;
        let folder = if folder.ends_with("deps") || folder.ends_with("examples") { folder.parent()? } else { folder };
        Some(Self::new(folder.file_name()?.to_str()?, target))
    }

    fn new(folder: &str, target: &Path) -> Self {
        let name = if folder == "debug" { "dev" } else { folder };
        Self { name: name.to_owned(), folder: target.join(folder) }
    }
}

/// Compiles the functions, in the workspace's own target directory.
pub(crate) async fn build(
    layout: &Layout,
    profile: &Profile,
    tools: &Tools,
    guard: &Guard,
    progress: &Progress,
) -> Result<(), SandboxError> {
    let step = progress.step("functions built");
    let mut cargo = guard
        .command(&tools.cargo)
        .args(["build", "--locked", "--profile"])
        .arg(&profile.name)
        // Executables and not packages are named: Cargo then chooses the features of dependencies for the whole workspace, as it
        // did when it built this program. Else it would compile most dependencies a second time.
        .args(FUNCTIONS.iter().flat_map(|name| ["--bin", *name]))
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
pub(crate) async fn pack(layout: &Layout, profile: &Profile, options: &Options, progress: &Progress) -> Result<(), SandboxError> {
    let step = progress.step("functions packed");
    let mut tasks = tokio::task::JoinSet::new();
    for stack in &options.stacks {
        let package_options = package_options(layout, profile, stack, options);
        tasks.spawn_blocking(move || package(&package_options));
    }
    while let Some(packed) = tasks.join_next().await {
        packed.map_err(|error| SandboxError::unexpected("packing was cut short", error))??;
    }
    step.done("");
    Ok(())
}

fn package_options(layout: &Layout, profile: &Profile, stack: &StackSpec, options: &Options) -> PackageOptions {
    PackageOptions {
        bootstraps: PackageOptions::cargo(&profile.folder),
        config: stack.config.clone(),
        rules: options.rules.clone(),
        out: layout.stack(&stack.name).join("artifacts"),
        architecture: Architecture::host(),
        event_patterns: options.event_patterns.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_is_read_from_where_cargo_put_the_program() {
        let rows = [
            ("/w/target/debug/cordon", Some(("dev", "debug"))),
            ("/w/target/debug/deps/workflow-0123", Some(("dev", "debug"))),
            ("/w/target/release/cordon", Some(("release", "release"))),
            ("/w/target/release/examples/start", Some(("release", "release"))),
            ("/w/target/x86_64-unknown-linux-gnu/lambda/cordon", Some(("lambda", "lambda"))),
            ("/usr/local/bin/cordon", None),
        ];
        let target = Path::new("/w/target");
        for (executable, wanted) in rows {
            let wanted = wanted.map(|(name, folder)| Profile { name: name.to_owned(), folder: target.join(folder) });
            assert_eq!(Profile::of(Path::new(executable), target), wanted, "{executable}");
        }
    }
}
