//! The pattern language of `cordon.toml`: `*` stands for any run of characters, every other character for itself.
//!
//! A pattern matches the whole text and is case-sensitive: `user/admin` does not match `user/admin2`. An ARN is matched part by
//! part, as IAM's `ArnLike` does: a `*` never crosses one of its first five colons, but may cross a `/`. Without that, an
//! attacker could choose a path with a colon that stands for an account and a name.
//!
//! [`Pattern`] is for what permits a change: a `*` that stopped at a `/` would let whoever chooses a path leave the scope. What exempts
//! or protects somebody, or says who they are, is a [`NamePattern`], whose `*` stays inside the name.

mod name;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use name::{NamePattern, NamePatternError, NamedKind, is_identity_center_role};

use crate::names::canonical_arn;

/// A text with `*` as its only wildcard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern(String);

impl Pattern {
    /// The pattern of a text; every text is one.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True when the whole of `text` fits. Linear in the text for each `*`, without recursion.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        if !self.is_arn() {
            return fits(&self.0, text);
        }
        let (mut patterns, mut parts) = (self.0.splitn(ARN_PARTS, ':'), text.splitn(ARN_PARTS, ':'));
        (0..ARN_PARTS).all(|_| match (patterns.next(), parts.next()) {
            (Some(pattern), Some(part)) => fits(pattern, part),
            _ => false,
        })
    }

    /// As [`Self::matches`], and true also where only the case of the letters of a name differs, which IAM does not tell apart. For
    /// what forbids (a principal that is never touched, an approver who is the actor), never for what permits: under a `*`, another
    /// spelling can be another name.
    #[must_use]
    pub fn matches_any_spelling(&self, text: &str) -> bool {
        let last_lower = |text: &str| match text.rfind('/').and_then(|slash| text.split_at_checked(slash + 1)) {
            Some((path, name)) => format!("{path}{}", name.to_ascii_lowercase()),
            None => text.to_owned(),
        };
        let canonical = canonical_arn(text);
        self.matches(text) || Self(last_lower(&self.0)).matches(&canonical)
    }

    /// True where the pattern has the six parts of an ARN.
    #[must_use]
    pub fn is_arn(&self) -> bool {
        self.0.starts_with("arn:") && self.0.splitn(ARN_PARTS, ':').count() == ARN_PARTS
    }

    /// The part behind the fifth colon of an ARN pattern; empty for another pattern.
    #[must_use]
    pub fn resource(&self) -> &str {
        if self.is_arn() { self.0.splitn(ARN_PARTS, ':').last().unwrap_or_default() } else { "" }
    }
}

/// `arn:partition:service:region:account:resource`
const ARN_PARTS: usize = 6;

fn fits(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut middle: Vec<&str> = pieces.collect();
    let Some(last) = middle.pop() else { return rest.is_empty() };
    for piece in middle {
        let Some(at) = rest.find(piece) else { return false };
        rest = rest.get(at + piece.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(Pattern::new(pattern).matches(text), expected, "`{pattern}` against `{text}`");
    }

    #[test]
    fn look_alikes_do_not_match() {
        check("user/admin", "user/admin", true);
        check("user/admin", "user/admin2", false);
        check("user/admin", "xuser/admin", false);
        check("user/admin*", "user/admin2", true);
        check("user/iam-test-*", "user/iam-test-", true);
        check("user/iam-test-*", "user/IAM-test-a", false);
        check("arn:aws:iam::*:user/iam-test-*", "arn:aws:iam::111111111111:user/iam-test-a", true);
        check("arn:aws:iam::*:user/iam-test-*", "arn:aws:iam::111111111111:user/prod/iam-test-a", false);
        check("arn:aws:iam::111111111111:role/deploy", "arn:aws:iam::111111111111:role/deploy2", false);
        check("arn:aws:iam::111111111111:role/deploy", "arn:aws:iam::111111111111:role/Deploy", false);
        check("arn:aws:iam::111111111111:role/deploy", "arn:aws:iam::111111111111:role/ci/deploy", false);
        check("arn:aws:iam::111111111111:role/deploy", "arn:aws:iam::211111111111:role/deploy", false);
        check("arn:aws:iam::111111111111:role/deploy", "arn:aws:iam::111111111111:user/deploy", false);
        check("arn:aws:iam::111111111111:role/deploy", "arn:aws:sts::111111111111:assumed-role/deploy/x", false);
        check("", "", true);
        check("", "a", false);
        check("*", "", true);
        check("a*a", "a", false);
        check("a*b*c", "a-b-b-c", true);
        check("a?c", "abc", false);
    }

    #[test]
    fn what_forbids_holds_for_every_spelling_of_a_name_and_what_permits_for_one() {
        let any = |pattern: &str, text: &str, expected: bool| {
            assert_eq!(Pattern::new(pattern).matches_any_spelling(text), expected, "`{pattern}` against `{text}`");
        };
        any("arn:aws:iam::*:role/deploy", "arn:aws:iam::111111111111:role/DEPLOY", true);
        any("arn:aws:iam::*:role/Deploy*", "arn:aws:iam::111111111111:role/ci/deploy-2", false);
        any("arn:aws:iam::*:role/ci/Deploy*", "arn:aws:iam::111111111111:role/ci/deploy-2", true);
        any("arn:aws:iam::*:role/*Security*", "arn:aws:iam::111111111111:role/a/SECURITY_0", true);
        any("arn:aws:iam::*:role/*Security*", "arn:aws:iam::111111111111:role/Security/x", true);
        any("arn:aws:iam::*:role/ci/deploy", "arn:aws:iam::111111111111:role/CI/deploy", false);
        any("arn:aws:iam::*:role/deploy", "arn:aws:iam::111111111111:role/deploy2", false);
        any("arn:aws:sts::*:assumed-role/r/ada", "arn:aws:sts::111111111111:assumed-role/r/ADA", false);
        check("arn:aws:iam::*:role/deploy", "arn:aws:iam::111111111111:role/DEPLOY", false);
    }

    #[test]
    fn a_star_stays_in_its_part_of_an_arn_and_crosses_paths() {
        let scope = "arn:aws:iam::*:user/iam-test-*";
        // A path may hold colons: this user is called `evil`.
        check(scope, "arn:aws:iam::111111111111:user/x:user/iam-test-a/evil", false);
        check("arn:aws:iam::*:user/*", "arn:aws:iam::111111111111:user/ops/ada", true);
        check("arn:aws:iam::*:user/ops/*", "arn:aws:iam::111111111111:user/ops/eu/ada", true);
        check("arn:aws:iam::*:user/ops/*", "arn:aws:iam::111111111111:user/opsx/ada", false);
        check("arn:aws:iam::*:role/*Security*", "arn:aws:iam::111111111111:role/a/b/AWSReservedSSO_Security_0", true);
        check("arn:aws:iam::*:*", "arn:aws:iam::111111111111:user/a", true);
        check("arn:aws:iam::*:user/a", "arn:aws:iam::user/a", false);
        check("arn:aws:iam::*", "arn:aws:iam::111111111111:user/a", true);
        assert!(!Pattern::new("arn:aws:iam::*").is_arn() && Pattern::new(scope).is_arn());
        assert_eq!(Pattern::new("arn:aws:iam::*:user/a:b").resource(), "user/a:b");
    }
}
