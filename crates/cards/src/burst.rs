//! The one message that stands for many: a channel gets it instead of a flood.

use cordon_slack::Message;
use cordon_slack::blocks::Block;
use cordon_slack::text::unformatted;

use crate::layout::counted;

/// What the messages are that a summary stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Incidents that people are only told of.
    Incidents,
    /// Incidents that ended, or are answered without a question.
    Outcomes,
    /// Questions that wait for a decision.
    Questions,
}

/// More incidents in a short time than a channel bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    /// What they are.
    pub left: Left,
    /// How many were not posted, at least; of questions, how many of them still wait.
    pub count: u64,
}

impl Burst {
    /// The summary, with the commands that list what was not posted.
    #[must_use]
    pub fn message(&self) -> Message {
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        let (headline, prose, commands) = match self.left {
            Left::Questions if count == 0 => (
                "A burst is over: no question of it waits for a decision".to_owned(),
                "Those that were not posted one by one have been decided or have ended.",
                "`cordon incident list`",
            ),
            Left::Questions => (
                format!("A burst: {} for a decision", counted(count, "more question waits", "more questions wait")),
                "They are not posted one by one, so they have no buttons here. Each is decided on the command line, before its \
                 deadline; each is in SNS.",
                "`cordon incident list --open`\n`cordon incident approve ID --reason …` or `cordon incident deny ID --reason …`",
            ),
            Left::Incidents => (
                format!("A burst: {}", counted(count, "more incident", "more incidents")),
                "They are not posted one by one, so that the ones that need an answer can be seen. Each is in SNS and in the table.",
                "`cordon incident list`",
            ),
            Left::Outcomes => (
                format!("A burst: {}", counted(count, "more outcome", "more outcomes")),
                "They are not posted one by one, so that the ones that need an answer can be seen. Each is in SNS and in the \
                 table; failures and partial outcomes are always posted.",
                "`cordon incident list`",
            ),
        };
        let (said, at_least) = match count {
            0 => (prose.to_owned(), ""),
            _ => (format!("*At least {count} so far.* {prose}"), ", at least"),
        };
        let blocks = [Block::Header(format!("🌊 {headline}")), Block::Section(format!("{said}\n{commands}"))];
        Message {
            text: unformatted(&format!("{headline}{at_least}. {prose}"), 600),
            blocks: blocks.iter().map(Block::to_value).collect(),
        }
    }
}
