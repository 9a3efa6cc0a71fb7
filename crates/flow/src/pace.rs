//! Limits the messages of a channel: up to a number per minute are posted, and one message with a count stands for the rest.
//!
//! INVARIANT: it only ever keeps a message out of Slack. SNS and the table have every incident. If the count cannot be stored,
//! the message is posted.

use cordon_cards::{Burst, Message};
use cordon_core::Notifications;
use cordon_core::incident::SlackMessage;
use cordon_store::{BurstSummary, Minute, Store, Turn};
use jiff::{SignedDuration, Timestamp};

use crate::ports::{Channel, Clock, DeliveryError};

/// Counts are of no use after this.
const KEPT: SignedDuration = SignedDuration::from_hours(2);

/// What became of a message.
#[derive(Debug)]
pub enum Posted {
    /// Posted, as a message of its own.
    Card(SlackMessage),
    /// Counted in the summary of a burst.
    InSummary,
    /// Slack did not take it.
    Failed(DeliveryError),
}

/// The pace of one deployment.
#[derive(Clone, Copy)]
pub struct Pace<'a> {
    /// What is kept.
    pub store: Store<'a>,
    /// How many messages a minute a channel bears.
    pub notifications: &'a Notifications,
    /// The time.
    pub clock: &'a dyn Clock,
}

impl Pace<'_> {
    /// Posts into the named channel, or the default one, if it is still this message's turn.
    pub async fn post(&self, channel: &dyn Channel, place: Option<&str>, turn: Turn, message: &Message) -> Posted {
        let minute = Minute { channel: place, turn, number: self.clock.now().as_second().div_euclid(60) };
        let limit = u64::from(match turn {
            Turn::Told => self.notifications.cards_per_minute,
            Turn::Wanted => self.notifications.questions_per_minute,
        });
        let over = match self.store.count_message(minute, self.expiry()).await {
            Ok(count) => count.saturating_sub(limit),
            Err(error) => {
                tracing::warn!(reason = %error, "messages could not be counted, so this one is posted");
                0
            }
        };
        if over == 0 {
            return sent(post(channel, place, message).await);
        }
        if !is_step(over) {
            return Posted::InSummary;
        }
        match self.summarise(channel, minute, over, limit).await {
            Ok(()) => Posted::InSummary,
            Err(error) => Posted::Failed(error),
        }
    }

    /// Writes the summary, or brings its count up to date. A burst of several minutes keeps the message it began with.
    async fn summarise(&self, channel: &dyn Channel, minute: Minute<'_>, over: u64, limit: u64) -> Result<(), DeliveryError> {
        let burst = |count: u64| Burst { questions: minute.turn == Turn::Wanted, count }.message();
        if over > 1 {
            // None: its post has just failed, or is under way.
            let Some(summary) = self.summary(minute).await else { return Ok(()) };
            return channel.update(&summary.at, &burst(summary.carried_over + over)).await;
        }
        let (at, carried_over) = match self.summary(minute.previous()).await {
            Some(earlier) if earlier.at.ts.is_some() => {
                let counted = self.store.messages_counted(minute.previous()).await.unwrap_or(0);
                let carried_over = earlier.carried_over + counted.saturating_sub(limit);
                channel.update(&earlier.at, &burst(carried_over + over)).await?;
                (earlier.at, carried_over)
            }
            _ => (post(channel, minute.channel, &burst(over)).await?, 0),
        };
        let summary = BurstSummary { at, carried_over, expires_at: self.expiry() };
        if let Err(error) = self.store.keep_burst_summary(minute, &summary).await {
            tracing::warn!(reason = %error, "the summary of a burst could not be kept, so its count stays as it is");
        }
        Ok(())
    }

    async fn summary(&self, minute: Minute<'_>) -> Option<BurstSummary> {
        self.store.burst_summary(minute).await.ok().flatten()
    }

    fn expiry(&self) -> i64 {
        let now = self.clock.now();
        now.checked_add(KEPT).unwrap_or(Timestamp::MAX).as_second()
    }
}

async fn post(channel: &dyn Channel, place: Option<&str>, message: &Message) -> Result<SlackMessage, DeliveryError> {
    match place {
        Some(place) => channel.post_to(place, message).await,
        None => channel.post(message).await,
    }
}

fn sent(result: Result<SlackMessage, DeliveryError>) -> Posted {
    match result {
        Ok(message) => Posted::Card(message),
        Err(error) => Posted::Failed(error),
    }
}

/// 1, 2, 5, 10, 20, 50, 100 and so on: a thousand of something are told ten times.
#[must_use]
pub fn is_step(count: u64) -> bool {
    let mut rest = count;
    while rest > 0 && rest.is_multiple_of(10) {
        rest /= 10;
    }
    matches!(rest, 1 | 2 | 5)
}

/// The smallest step above a count.
#[must_use]
pub fn step_after(count: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for step in [power, power.saturating_mul(2), power.saturating_mul(5)] {
            if step > count {
                return step;
            }
        }
        power = power.saturating_mul(10);
        if power == u64::MAX {
            return u64::MAX;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_are_told_at_ten_steps() {
        let steps: Vec<u64> = (1..=1_000).filter(|count| is_step(*count)).collect();
        assert_eq!(steps, [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000]);
        for pair in steps.windows(2) {
            assert_eq!(step_after(pair[0]), pair[1]);
            assert_eq!(step_after(pair[1] - 1), pair[1]);
        }
        assert_eq!(step_after(0), 1);
        assert!(!is_step(0));
    }
}
