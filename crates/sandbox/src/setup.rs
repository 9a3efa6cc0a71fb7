//! The emulator's virtual environment, from the hashes in `requirements.txt`. Made once; a stamp lets later starts skip it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::error::SandboxError;
use crate::layout::{self, Layout};
use crate::process::Guard;
use crate::progress::Progress;
use crate::tools::Tools;

pub(crate) const REQUIREMENTS: &str = include_str!("../requirements.txt");
const LIMIT: Duration = Duration::from_secs(8 * 60);

/// The interpreter of an environment in which the emulator is installed.
pub(crate) async fn python_environment(
    layout: &Layout,
    tools: &Tools,
    guard: &Guard,
    progress: &Progress,
) -> Result<PathBuf, SandboxError> {
    let folder = layout.shared.join("venv");
    let python = folder.join("bin").join("python");
    let stamp_file = folder.join("cordon.stamp");
    let stamp = stamp(tools);
    let step = progress.step("emulator installed");
    if python.exists() && fs::read_to_string(&stamp_file).is_ok_and(|old| old == stamp) {
        step.done("as before");
        return Ok(python);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(SandboxError::io(format!("cannot remove `{}`", folder.display())))?;
    }
    let log = layout.log("python");
    step.note("virtual environment");
    guard
        .command(&tools.python)
        .args(["-m", "venv"])
        .arg(&folder)
        .run("python -m venv", &log, LIMIT, |line| step.note(line))
        .await
        .map_err(without_venv)?;
    let requirements = layout.shared.join("requirements.txt");
    layout::write(&requirements, REQUIREMENTS)?;
    let pip =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:", "-r"];
    guard
        .command(&python)
        .args(pip)
        .arg(&requirements)
        .run("pip install of the emulator", &log, LIMIT, |line| step.note(line))
        .await?;
    layout::write(&stamp_file, &stamp)?;
    step.done(&format!("Python {}", tools.python_version));
    Ok(python)
}

/// What an environment was made from.
fn stamp(tools: &Tools) -> String {
    let digest = hex::encode(Sha256::digest(REQUIREMENTS.as_bytes()));
    format!("{digest} {} {}\n", tools.python_version, tools.python.display())
}

/// Debian and Ubuntu ship Python without the module that makes environments.
fn without_venv(error: SandboxError) -> SandboxError {
    match error {
        SandboxError::Command { tail, .. }
            if tail.iter().any(|line| line.contains("ensurepip") || line.contains("No module named venv")) =>
        {
            SandboxError::MissingTool {
                tool: "Python's venv module".to_owned(),
                advice: "install it (on Debian and Ubuntu: apt-get install python3-venv)".to_owned(),
            }
        }
        other => other,
    }
}

/// Whether every requirement names its hashes; see the test.
#[cfg(test)]
fn pinned(requirements: &str) -> bool {
    requirements
        .split("\n\n")
        .flat_map(|part| part.replace("\\\n", " ").lines().map(str::to_owned).collect::<Vec<_>>())
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .all(|line| line.contains("==") && line.contains("--hash=sha256:"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_requirement_is_pinned_with_a_hash() {
        assert!(pinned(REQUIREMENTS));
        assert!(REQUIREMENTS.contains("ministack==1.5.33 "));
        assert!(!pinned("ministack==1.5.33\n"));
    }

    #[test]
    fn another_interpreter_makes_another_environment() {
        let tools = |version: &str| Tools {
            python: Path::new("/usr/bin/python3").into(),
            python_version: version.into(),
            terraform: PathBuf::new(),
            terraform_version: String::new(),
            cargo: PathBuf::new(),
        };
        assert_ne!(stamp(&tools("3.11.2")), stamp(&tools("3.12.1")));
    }
}
