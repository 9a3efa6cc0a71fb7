//! What a test needs and a machine may lack: such a test skips, and says so.
//!
//! A skipped test is never silent: it writes one line to standard error, past the harness, which keeps what a passing test prints.
//! `.ci/test` gathers these lines at the end of a run. `CORDON_REQUIRE` names the needs that may not be missing: `all`, or names
//! with commas between, such as `browser,slack-sdk`. There a test fails instead of skipping.

use std::error::Error;
use std::fmt::Display;
use std::io::Write as _;
use std::path::PathBuf;

/// Names the needs that may not be missing.
pub const REQUIRE: &str = "CORDON_REQUIRE";

/// Something that a test needs and a machine may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// ChromeDriver and a Chromium.
    Browser,
    /// A folder of recorded CloudTrail events, which `CORDON_CORPORA` names.
    Corpora,
    /// A folder of JSON's conformance cases, which `CORDON_JSON_TEST_SUITE` names.
    JsonTestSuite,
    /// The schemas of OCSF and Security Hub, from PyPI.
    PublishedSchemas,
    /// A folder of public Sigma rules, which `CORDON_SIGMA_RULES` names.
    SigmaRules,
    /// Slack's own models of messages, from PyPI.
    SlackSdk,
}

impl Need {
    /// All of them, which `CORDON_REQUIRE=all` stands for.
    pub const ALL: [Self; 6] =
        [Self::Browser, Self::Corpora, Self::JsonTestSuite, Self::PublishedSchemas, Self::SigmaRules, Self::SlackSdk];

    /// The name in `CORDON_REQUIRE`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::Corpora => "corpora",
            Self::JsonTestSuite => "json-test-suite",
            Self::PublishedSchemas => "published-schemas",
            Self::SigmaRules => "sigma-rules",
            Self::SlackSdk => "slack-sdk",
        }
    }

    /// The variable that names its folder, where it is one.
    #[must_use]
    pub const fn variable(self) -> Option<&'static str> {
        match self {
            Self::Corpora => Some("CORDON_CORPORA"),
            Self::JsonTestSuite => Some("CORDON_JSON_TEST_SUITE"),
            Self::SigmaRules => Some("CORDON_SIGMA_RULES"),
            Self::Browser | Self::PublishedSchemas | Self::SlackSdk => None,
        }
    }

    /// Says that the test that calls this is skipped, and why; it returns right after.
    ///
    /// # Panics
    /// Where the need is required, or `CORDON_REQUIRE` names one that does not exist.
    pub fn skip(self, reason: impl Display) {
        let required = std::env::var(REQUIRE).unwrap_or_default();
        let is_required = requires(&required, self)
            .unwrap_or_else(|unknown| fail(&format!("{REQUIRE} names `{unknown}`, which is no need of a test")));
        if is_required {
            fail(&format!("`{}` is required by {REQUIRE}: {reason}", self.name()));
        }
        // libtest names a test's thread after the test.
        let current = std::thread::current();
        let line = format!("skipped: {}: {reason} [{}]\n", current.name().unwrap_or("unnamed"), self.name());
        // A line that cannot be written leaves nothing to do: the test passes either way.
        drop(std::io::stderr().write_all(line.as_bytes()));
    }

    /// [`Need::skip`] for an error, with its causes.
    ///
    /// # Panics
    /// As [`Need::skip`] does.
    pub fn skip_because(self, error: &dyn Error) {
        let mut reason = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            reason = format!("{reason}: {error}");
            cause = error.source();
        }
        self.skip(reason);
    }

    /// The folder that the need's variable names; without one, the test is skipped.
    ///
    /// # Panics
    /// As [`Need::skip`] does, and for a need that is no folder.
    #[must_use]
    pub fn folder_or_skip(self) -> Option<PathBuf> {
        let Some(variable) = self.variable() else { fail(&format!("`{}` is no folder", self.name())) };
        let folder = std::env::var_os(variable).filter(|folder| !folder.is_empty());
        if folder.is_none() {
            self.skip(format_args!("{variable} names no folder"));
        }
        folder.map(PathBuf::from)
    }
}

/// Whether `list`, the value of `CORDON_REQUIRE`, names a need; the error is a name that is none.
fn requires(list: &str, need: Need) -> Result<bool, &str> {
    let mut found = false;
    for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        match Need::ALL.into_iter().find(|known| known.name() == name) {
            Some(known) => found |= known == need,
            None if name == "all" => found = true,
            None => return Err(name),
        }
    }
    Ok(found)
}

#[expect(clippy::panic, reason = "a test fails by panicking")]
fn fail(reason: &str) -> ! {
    panic!("{reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_need_is_required_by_its_name_or_by_all() {
        for need in Need::ALL {
            assert_eq!(requires("all", need), Ok(true));
            assert_eq!(requires(need.name(), need), Ok(true));
            assert_eq!(requires("", need), Ok(false));
        }
        assert_eq!(requires("browser, corpora", Need::Corpora), Ok(true));
        assert_eq!(requires("browser,corpora", Need::SlackSdk), Ok(false));
    }

    #[test]
    fn a_misspelt_need_is_refused_so_that_nothing_is_skipped_by_mistake() {
        assert_eq!(requires("browser,slack", Need::Browser), Err("slack"));
        assert_eq!(requires("all,none", Need::Browser), Err("none"));
    }
}
