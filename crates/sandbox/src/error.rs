//! The errors of starting, running and playing a sandbox, each as one sentence that says what to do.

use std::error::Error;
use std::path::PathBuf;

use cordon_bundle::PackageError;

/// Why a sandbox could not start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// Python, Terraform or Cargo is not there, or is too old.
    #[error("{tool} is missing: {advice}")]
    MissingTool {
        /// The program, such as `terraform`.
        tool: String,
        /// What to install.
        advice: String,
    },

    /// Terraform has no AWS provider that it could use.
    #[error("no Terraform provider `hashicorp/aws`: {advice}")]
    MissingProvider {
        /// How to get one.
        advice: String,
    },

    /// The command was not run inside a Cordon workspace.
    #[error("`{path}` is not a Cordon workspace; run the command inside one, or name it in CORDON_WORKSPACE")]
    NoWorkspace {
        /// The folder where it was looked for.
        path: PathBuf,
    },

    /// Another program listens on a port that the sandbox needs.
    #[error("port {port} is taken; stop what listens there or choose another with {option}")]
    PortTaken {
        /// The TCP port.
        port: u16,
        /// The option that chooses another, such as `--port`.
        option: &'static str,
    },

    /// A sandbox with the same label is running.
    #[error("another sandbox is running in `{directory}`; stop it first")]
    AlreadyRunning {
        /// The folder of that run.
        directory: PathBuf,
    },

    /// The operating system refused something: a file, a process, a thread.
    #[error("{what}")]
    Io {
        /// What could not be done, such as `cannot start Python`.
        what: String,
        /// The operating system's reason.
        #[source]
        source: std::io::Error,
    },

    /// A function's package could not be made.
    #[error(transparent)]
    Package(#[from] PackageError),

    /// A program ended with a failure.
    #[error("{what} failed{}; all of it is in `{}`", tail_text(.tail), .log.display())]
    Command {
        /// What was run, such as `terraform apply`.
        what: String,
        /// The last lines of its output, oldest first; may be empty.
        tail: Vec<String>,
        /// The file with all of its output.
        log: PathBuf,
    },

    /// Something took longer than its limit.
    #[error("{what} did not finish within {seconds} s{}", tail_text(.tail))]
    TimedOut {
        /// What was waited for.
        what: String,
        /// The limit, in seconds.
        seconds: u64,
        /// The last lines of its output, oldest first; may be empty.
        tail: Vec<String>,
    },

    /// A call to the emulator failed.
    #[error("{what}: {why}")]
    Aws {
        /// What could not be done.
        what: String,
        /// The SDK's error with its causes, in one line.
        why: String,
    },

    /// Something answered or behaved in a way that leaves nothing to go on with.
    #[error("{what}: {why}")]
    Unexpected {
        /// What went wrong, in a few words.
        what: String,
        /// The details.
        why: String,
    },

    /// Somebody stopped it. The exit code is 130.
    #[error("interrupted")]
    Interrupted,
}

impl SandboxError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    pub(crate) fn aws<E: Error>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |source| Self::Aws { what, why: chain(&source) }
    }

    pub(crate) fn unexpected(what: impl Into<String>, why: impl ToString) -> Self {
        Self::Unexpected { what: what.into(), why: why.to_string() }
    }

    /// The status that `cordon` ends with.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Interrupted => 130,
            _ => 2,
        }
    }
}

/// An error and its causes in one line. The AWS SDK says what went wrong only in its sources.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let line = inner.to_string();
        if !text.contains(&line) {
            text.push_str(": ");
            text.push_str(&line);
        }
        cause = inner.source();
    }
    text
}

fn tail_text(tail: &[String]) -> String {
    if tail.is_empty() { String::new() } else { format!(":\n  {}\n", tail.join("\n  ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_is_one_sentence_with_advice() {
        let error = SandboxError::MissingTool { tool: "terraform".into(), advice: "install Terraform 1.5 or newer".into() };
        assert_eq!(error.to_string(), "terraform is missing: install Terraform 1.5 or newer");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn a_failed_command_shows_its_last_lines_and_its_log() {
        let error = SandboxError::Command {
            what: "terraform apply".into(),
            tail: vec!["Error: no".into(), "really".into()],
            log: "target/sandbox/apply.log".into(),
        };
        assert_eq!(
            error.to_string(),
            "terraform apply failed:\n  Error: no\n  really\n; all of it is in `target/sandbox/apply.log`"
        );
    }
}
