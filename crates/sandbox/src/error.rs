//! The errors of starting, running and playing a sandbox, each as one sentence that says what to do.

use std::error::Error;
use std::path::PathBuf;

use cordon_bundle::PackageError;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    #[error("{tool} is missing: {advice}")]
    MissingTool { tool: String, advice: String },

    #[error("no Terraform provider `hashicorp/aws`: {advice}")]
    MissingProvider { advice: String },

    #[error("`{path}` is not a Cordon workspace; run the command inside one, or name it in CORDON_WORKSPACE")]
    NoWorkspace { path: PathBuf },

    #[error("port {port} is taken; stop what listens there or choose another with {option}")]
    PortTaken { port: u16, option: &'static str },

    #[error("another sandbox is running in `{directory}`; stop it first")]
    AlreadyRunning { directory: PathBuf },

    #[error("{what}")]
    Io {
        what: String,
        #[source]
        source: std::io::Error,
    },

    #[error(transparent)]
    Package(#[from] PackageError),

    #[error("{what} failed{}; all of it is in `{}`", tail_text(.tail), .log.display())]
    Command { what: String, tail: Vec<String>, log: PathBuf },

    #[error("{what} did not finish within {seconds} s{}", tail_text(.tail))]
    TimedOut { what: String, seconds: u64, tail: Vec<String> },

    #[error("{what}: {why}")]
    Aws { what: String, why: String },

    #[error("{what}: {why}")]
    Unexpected { what: String, why: String },

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
