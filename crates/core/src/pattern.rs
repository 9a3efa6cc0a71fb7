//! The pattern language of `cordon.toml`: `*` stands for any run of characters, everything else for itself.
//!
//! A pattern is matched against the whole text, case-sensitively: `user/admin` never matches `user/admin2`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A text with `*` as its only wildcard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern(String);

impl Pattern {
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True when the whole of `text` fits. Linear in the text for each `*`, without recursion.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let mut pieces = self.0.split('*');
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
        check("", "", true);
        check("", "a", false);
        check("*", "", true);
        check("a*a", "a", false);
        check("a*b*c", "a-b-b-c", true);
        check("a?c", "abc", false);
    }
}
