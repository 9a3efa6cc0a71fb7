//! The number of messages per channel and minute, and the message that stands for the rest of a burst.

use cordon_core::incident::SlackMessage;
use serde::{Deserialize, Serialize};

use crate::table::Condition;
use crate::{Store, StoreError, keys, put};

/// What kind of message waits for its turn: each has a limit of its own, so that alerts never crowd out questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It is told, and nothing is wanted.
    Told,
    /// A person is asked, or has to look now.
    Wanted,
}

impl Turn {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Told => "TOLD",
            Self::Wanted => "WANTED",
        }
    }
}

/// One minute of one kind of message in one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minute<'a> {
    /// The channel's id; `None` for the secret's own.
    pub channel: Option<&'a str>,
    /// The kind of message.
    pub turn: Turn,
    /// Minutes since 1970.
    pub number: i64,
}

impl Minute<'_> {
    /// The minute before.
    #[must_use]
    pub fn previous(self) -> Self {
        Self { number: self.number - 1, ..self }
    }
}

/// The message that stands for a minute's rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BurstSummary {
    /// Where it stands.
    pub at: SlackMessage,
    /// How many messages earlier minutes of the same burst left to it.
    #[serde(default, rename = "before")]
    pub carried_over: u64,
    /// When DynamoDB may delete the item, in Unix seconds.
    pub expires_at: i64,
}

impl Store<'_> {
    /// Counts one more message, and gives how many there were in the minute with it. Kept until `expires_at`, in Unix seconds.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_message(&self, minute: Minute<'_>, expires_at: i64) -> Result<u64, StoreError> {
        Ok(self.table.count(&keys::messages_counted(&minute), expires_at).await?)
    }

    /// How many messages there were in a minute.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn messages_counted(&self, minute: Minute<'_>) -> Result<u64, StoreError> {
        let found = self.table.get(&keys::messages_counted(&minute)).await?;
        Ok(found.and_then(|item| item.get("n")?.as_u64()).unwrap_or(0))
    }

    /// The summary of a minute; `None` where none was needed, or its post is under way.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn burst_summary(&self, minute: Minute<'_>) -> Result<Option<BurstSummary>, StoreError> {
        self.get(&keys::burst_summary(&minute)).await
    }

    /// Keeps the summary of a minute.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_burst_summary(&self, minute: Minute<'_>, summary: &BurstSummary) -> Result<(), StoreError> {
        self.write(vec![put(keys::burst_summary(&minute), summary, Condition::Always)?]).await
    }
}
