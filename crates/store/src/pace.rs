//! The number of messages per channel and minute, and the message that stands for the rest of a burst.

use cordon_core::incident::SlackMessage;
use serde::{Deserialize, Serialize};

use crate::parts::Minute;
use crate::table::Condition;
use crate::{Store, StoreError, keys, put};

/// The message that stands for a minute's rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BurstSummary {
    /// Where it stands.
    pub at: SlackMessage,
    /// The minute that the burst began in, under which it is counted what is left to the message.
    #[serde(default)]
    pub since: i64,
    /// When DynamoDB may delete the item, in Unix seconds.
    pub expires_at: i64,
}

/// What happens to the count of a summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InSummary {
    /// One more message is left to it.
    Left,
    /// What one of them wanted is over.
    Settled,
    /// It is only read.
    Unchanged,
}

/// The counts of a summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// How many messages were left to it.
    pub left: u64,
    /// Of how many of them what they wanted is over.
    pub settled: u64,
}

impl Waiting {
    /// How many are still open.
    #[must_use]
    pub fn open(self) -> u64 {
        self.left.saturating_sub(self.settled)
    }
}

impl Store<'_> {
    /// Counts one more message, and gives how many there were in the minute with it. Kept until `expires_at`, in Unix seconds.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_message(&self, minute: Minute<'_>, expires_at: i64) -> Result<u64, StoreError> {
        Ok(self.table.count(&keys::messages_counted(&minute), expires_at).await?)
    }

    /// Counts one message more, or none, that a burst left to its summary. `minute` is the one that the burst began in.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_in_summary(&self, minute: Minute<'_>, change: InSummary, expires_at: i64) -> Result<Waiting, StoreError> {
        let (left, settled) = (keys::left_to_summary(&minute), keys::settled_in_summary(&minute));
        Ok(match change {
            InSummary::Left => {
                Waiting { left: self.table.count(&left, expires_at).await?, settled: self.counted(&settled).await? }
            }
            InSummary::Settled => {
                Waiting { left: self.counted(&left).await?, settled: self.table.count(&settled, expires_at).await? }
            }
            InSummary::Unchanged => Waiting { left: self.counted(&left).await?, settled: self.counted(&settled).await? },
        })
    }

    async fn counted(&self, key: &crate::Key) -> Result<u64, StoreError> {
        let found = self.table.get(key).await?;
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
