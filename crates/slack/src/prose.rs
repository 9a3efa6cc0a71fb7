//! Prose with mentions: the answer to one person, or a call to several.
//!
//! It is put together from prose and mentions only, so that whoever writes one cannot let an attacker's text mention or format.

use crate::text::{mention, sentence};

const PROSE: usize = 900;

/// Ready `mrkdwn`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prose(String);

impl Prose {
    /// Begins with prose; values in it stand in backticks.
    pub fn new(prose: &str) -> Self {
        Self(sentence(prose, PROSE))
    }

    /// Adds a mention, as in "already decided by" and a name.
    #[must_use]
    pub fn mention(mut self, user_id: &str) -> Self {
        self.0.push(' ');
        self.0.push_str(&mention(user_id));
        self
    }

    /// Adds more prose.
    #[must_use]
    pub fn and(mut self, prose: &str) -> Self {
        let prose = sentence(prose, PROSE);
        if !prose.starts_with(['.', ',', ';', ':']) {
            self.0.push(' ');
        }
        self.0.push_str(&prose);
        self
    }

    /// Ready `mrkdwn`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_meant_as_a_mention_is_one() {
        let notice = Prose::new("Already decided by").mention("U0APPROVER").and(", who wrote <!channel> *now*.");
        assert_eq!(notice.as_str(), "Already decided by <@U0APPROVER>, who wrote &lt;!channel&gt; ∗now∗.");
    }
}
