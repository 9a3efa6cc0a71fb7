//! Finds Python, Terraform and Cargo. It never installs one: a missing or old tool is an error that says what to install.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::SandboxError;

const PYTHON_AT_LEAST: (u32, u32) = (3, 10);
const TERRAFORM_AT_LEAST: (u32, u32) = (1, 5);

/// The programs that a start calls.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    pub python: PathBuf,
    pub python_version: String,
    pub terraform: PathBuf,
    pub terraform_version: String,
    pub cargo: PathBuf,
}

impl Tools {
    pub fn find() -> Result<Self, SandboxError> {
        let (python, python_version) = find_python()?;
        let (terraform, terraform_version) = find_terraform()?;
        Ok(Self { python, python_version, terraform, terraform_version, cargo: find_cargo()? })
    }
}

/// Cargo's target directory, as Cargo itself resolves it.
pub(crate) fn target_directory(cargo: &Path, workspace: &Path) -> Result<PathBuf, SandboxError> {
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(workspace)
        .output()
        .map_err(SandboxError::io("cannot run cargo metadata"))?;
    serde_json::from_slice::<serde_json::Value>(&output.stdout)
        .ok()
        .and_then(|metadata| metadata.get("target_directory")?.as_str().map(PathBuf::from))
        .ok_or_else(|| {
            SandboxError::unexpected("cargo metadata gave no target directory", String::from_utf8_lossy(&output.stderr).trim())
        })
}

fn find_python() -> Result<(PathBuf, String), SandboxError> {
    let mut names: Vec<PathBuf> = std::env::var_os("CORDON_PYTHON").map(PathBuf::from).into_iter().collect();
    if names.is_empty() {
        names = ["python3", "python3.13", "python3.12", "python3.11", "python3.10", "python"].map(PathBuf::from).into();
    }
    let mut too_old = None;
    for name in names {
        // A version manager's shim exists for versions that are not active: only what it prints counts.
        let Some(text) = stdout_of(&name, &["-c", "import platform,sys;print(sys.executable);print(platform.python_version())"])
        else {
            continue;
        };
        let mut lines = text.lines();
        let (Some(executable), Some(version)) = (lines.next(), lines.next()) else { continue };
        if at_least(version, PYTHON_AT_LEAST) {
            return Ok((PathBuf::from(executable), version.to_owned()));
        }
        too_old.get_or_insert(version.to_owned());
    }
    Err(missing("Python 3.10 or newer", "install it, or name its executable in CORDON_PYTHON", too_old))
}

fn find_terraform() -> Result<(PathBuf, String), SandboxError> {
    let name = std::env::var_os("CORDON_TERRAFORM").map_or_else(|| PathBuf::from("terraform"), PathBuf::from);
    let version = stdout_of(&name, &["version", "-json"]).and_then(|text| {
        let version: serde_json::Value = serde_json::from_str(&text).ok()?;
        Some(version.get("terraform_version")?.as_str()?.to_owned())
    });
    match version {
        Some(version) if at_least(&version, TERRAFORM_AT_LEAST) => Ok((name, version)),
        other => Err(missing(
            "Terraform 1.5 or newer",
            "install it from https://developer.hashicorp.com/terraform/install, or name its executable in CORDON_TERRAFORM",
            other,
        )),
    }
}

fn find_cargo() -> Result<PathBuf, SandboxError> {
    let name = std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    if stdout_of(&name, &["--version"]).is_some() {
        Ok(name)
    } else {
        Err(missing("cargo", "install Rust from https://rustup.rs; the sandbox builds the functions with it", None))
    }
}

fn missing(tool: &str, advice: &str, found: Option<String>) -> SandboxError {
    let advice = match found {
        Some(version) => format!("found only {version}; {advice}"),
        None => advice.to_owned(),
    };
    SandboxError::MissingTool { tool: tool.to_owned(), advice }
}

fn stdout_of(program: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn at_least(version: &str, (major, minor): (u32, u32)) -> bool {
    let mut parts = version.trim().split('.').map(|part| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().unwrap_or(0)
    });
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (major, minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        for (version, enough) in [("3.9.19", false), ("3.10.0", true), ("3.13.0rc1", true), ("4.0", true), ("2.7", false)] {
            assert_eq!(at_least(version, PYTHON_AT_LEAST), enough, "{version}");
        }
    }

    #[test]
    fn an_old_version_is_named() {
        assert_eq!(
            missing("Terraform 1.5 or newer", "install it", Some("1.2.0".into())).to_string(),
            "Terraform 1.5 or newer is missing: found only 1.2.0; install it"
        );
    }
}
