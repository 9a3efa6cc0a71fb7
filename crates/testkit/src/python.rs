//! Virtual environments for tests that ask published software for its opinion.
//!
//! Packages come from PyPI, pinned by hash, and are never built: only wheels are installed. An environment is made once, below the
//! target directory, and again whenever its requirements change.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Why there is no environment.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// The requirements or the environment's folder.
    #[error("`{}` cannot be used", path.display())]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no such executable, or it may not be run.
    #[error("`{program}` cannot be started")]
    Start {
        /// Python, or the one that `CORDON_PYTHON` names.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Python's own refusal: no `venv` module, no way to PyPI, or a hash that differs.
    #[error("{step} failed: {message}")]
    Refused {
        /// Which step it was.
        step: &'static str,
        /// The last line of what Python wrote.
        message: String,
    },
}

/// The Python of an environment in `folder` with what `requirements` names, made where it is not there yet.
///
/// # Errors
/// Where Python, its `venv` module, or PyPI cannot be had.
pub fn environment(folder: &Path, requirements: &Path) -> Result<PathBuf, EnvironmentError> {
    let file = |path: &Path| {
        let path = path.to_owned();
        |source| EnvironmentError::File { path, source }
    };
    let wanted = fs::read_to_string(requirements).map_err(file(requirements))?;
    let (python, stamp) = (folder.join("bin/python"), folder.join("cordon.stamp"));
    if fs::read_to_string(&stamp).is_ok_and(|made_of| made_of == wanted) && python.exists() {
        return Ok(python);
    }
    let base = std::env::var("CORDON_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    run("making a virtual environment", Command::new(base).args(["-m", "venv", "--clear"]).arg(folder))?;
    let options = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--retries", "1"];
    let pinned = ["--require-hashes", "--only-binary", ":all:", "-r"];
    run("installing from PyPI", Command::new(&python).args(options).args(pinned).arg(requirements))?;
    fs::write(&stamp, wanted).map_err(file(&stamp))?;
    Ok(python)
}

fn run(step: &'static str, command: &mut Command) -> Result<(), EnvironmentError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let Output { status, stderr, .. } = command.output().map_err(|source| EnvironmentError::Start { program, source })?;
    if status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&stderr).trim().lines().last().unwrap_or("it gave no reason").to_owned();
    Err(EnvironmentError::Refused { step, message })
}
