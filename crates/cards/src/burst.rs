//! The one message that stands for many: a channel gets it instead of a flood.

use cordon_slack::Message;
use cordon_slack::blocks::Block;
use cordon_slack::text::unformatted;

use crate::layout::counted;

/// More incidents in a short time than a channel bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    /// Whether they are questions that wait for a decision, or incidents that people are only told of.
    pub questions: bool,
    /// How many were not posted, at least.
    pub count: u64,
}

impl Burst {
    /// The summary, with the commands that list what was not posted.
    #[must_use]
    pub fn message(&self) -> Message {
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        let (headline, prose, commands) = if self.questions {
            (
                format!("A burst: {} for a decision", counted(count, "more question waits", "more questions wait")),
                "They are not posted one by one, so they have no buttons here. Each is decided on the command line, before its \
                 deadline; each is in SNS.",
                "`cordon incident list --open`\n`cordon incident approve ID --reason …` or `cordon incident deny ID --reason …`",
            )
        } else {
            (
                format!("A burst: {}", counted(count, "more incident", "more incidents")),
                "They are not posted one by one, so that the ones that need an answer can be seen. Each is in SNS and in the table.",
                "`cordon incident list`",
            )
        };
        let blocks =
            [Block::Header(format!("🌊 {headline}")), Block::Section(format!("*At least {count} so far.* {prose}\n{commands}"))];
        Message {
            text: unformatted(&format!("{headline}, at least. {prose}"), 600),
            blocks: blocks.iter().map(Block::to_value).collect(),
        }
    }
}
