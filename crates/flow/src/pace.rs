//! Limits the messages of a channel: up to a number per minute are posted, and one message with a count stands for the rest.
//!
//! INVARIANT: it only ever keeps a message out of Slack. SNS and the table have every incident. A message is kept out only where
//! a summary stands that counts it; where nothing can be counted, or no summary could be posted, it is posted itself. Failures and
//! what needs a person are never kept out.

use cordon_cards::{Burst, Left, Message};
use cordon_core::incident::{SlackMessage, Summarised};
use cordon_core::{Level, Notifications, chain};
use cordon_store::{BurstSummary, InSummary, Minute, Store, Turn};
use jiff::{SignedDuration, Timestamp};

use crate::ports::{Channel, Clock, DeliveryError};

/// From here on an incident is counted apart from the milder ones, which cost an attacker little.
const GRAVE: Level = Level::High;
/// Longer than a question waits, so that its summary can still say that it is over.
const KEPT: SignedDuration = SignedDuration::from_hours(15 * 24);

/// What became of a message.
#[derive(Debug)]
pub enum Posted {
    /// Posted, as a message of its own.
    Card(SlackMessage),
    /// Counted in the summary of a burst, which stands in the channel.
    InSummary(Summarised),
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
    /// Posts into the named channel, or the default one, if it is still this message's turn. One that is urgent always is, and so
    /// is one for which no summary stands. What is grave takes its turns among its like alone.
    pub async fn post(
        &self,
        channel: &dyn Channel,
        place: Option<&str>,
        turn: Turn,
        severity: Level,
        message: &Message,
    ) -> Posted {
        let grave = severity >= GRAVE;
        let minute = Minute { channel: place, turn, grave, number: self.clock.now().as_second().div_euclid(60) };
        let limit = match turn {
            Turn::Told | Turn::Ended => self.notifications.cards_per_minute,
            Turn::Wanted => self.notifications.questions_per_minute,
            Turn::Urgent => return sent(post(channel, place, message).await),
        };
        let over = match self.store.count_message(minute, self.expiry()).await {
            Ok(count) => count.saturating_sub(u64::from(limit)),
            Err(error) => {
                tracing::warn!(reason = chain(&error), "messages could not be counted, so this one is posted");
                0
            }
        };
        if over == 0 {
            return sent(post(channel, place, message).await);
        }
        match self.leave_to_summary(channel, minute, over).await {
            Ok(summarised) => Posted::InSummary(summarised),
            Err(reason) => {
                tracing::warn!(reason, "no summary stands for a message, so it is posted");
                sent(post(channel, place, message).await)
            }
        }
    }

    /// What a question wanted that a summary stands for is over: the summary counts it no more.
    pub async fn settle(&self, channel: &dyn Channel, summarised: &Summarised) {
        let began = Minute {
            channel: summarised.channel.as_deref(),
            turn: Turn::Wanted,
            grave: summarised.grave,
            number: summarised.since,
        };
        let waiting = match self.store.count_in_summary(began, InSummary::Settled, self.expiry()).await {
            Ok(waiting) => waiting,
            Err(error) => {
                tracing::warn!(reason = chain(&error), "the summary of a burst counts a question that is over");
                return;
            }
        };
        match self.store.burst_summary(began).await {
            // What a webhook posted cannot be changed.
            Ok(Some(summary)) if summary.at.ts.is_none() => {}
            Ok(Some(summary)) => {
                if let Err(error) = channel.update(&summary.at, &burst(Turn::Wanted, waiting.open())).await {
                    tracing::warn!(reason = chain(&error), "the summary of a burst could not be brought up to date");
                }
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(reason = chain(&error), "the summary of a burst cannot be found"),
        }
    }

    /// Makes sure that a summary stands, then counts the message in it. A burst of several minutes keeps the message it began with.
    async fn leave_to_summary(&self, channel: &dyn Channel, minute: Minute<'_>, over: u64) -> Result<Summarised, String> {
        let found = self.store.burst_summary(minute).await.map_err(|error| chain(&error))?;
        let is_adopted = found.is_none();
        let earlier = match found {
            Some(summary) => Some(summary),
            None => self.store.burst_summary(minute.previous()).await.ok().flatten().filter(|earlier| earlier.at.ts.is_some()),
        };
        let (summary, is_new) = match earlier {
            Some(summary) => (summary, false),
            None => {
                let at = post(channel, minute.channel, &burst(minute.turn, 1)).await.map_err(|error| chain(&error))?;
                (BurstSummary { at, since: minute.number, expires_at: self.expiry() }, true)
            }
        };
        if is_adopted {
            let kept = BurstSummary { expires_at: self.expiry(), ..summary.clone() };
            self.store.keep_burst_summary(minute, &kept).await.map_err(|error| chain(&error))?;
        }
        let began = Minute { number: summary.since, ..minute };
        let waiting = self.store.count_in_summary(began, InSummary::Left, self.expiry()).await.map_err(|error| chain(&error))?;
        if !is_new && summary.at.ts.is_some() && (is_adopted || is_step(over)) {
            let updated = channel.update(&summary.at, &burst(minute.turn, waiting.open())).await;
            if let Err(error) = updated {
                // It is posted itself, so it is not left to the summary, whatever stands there.
                let _back = self.store.count_in_summary(began, InSummary::Settled, self.expiry()).await;
                return Err(chain(&error));
            }
        }
        Ok(Summarised { channel: minute.channel.map(str::to_owned), since: summary.since, grave: minute.grave })
    }

    fn expiry(&self) -> i64 {
        let now = self.clock.now();
        now.checked_add(KEPT).unwrap_or(Timestamp::MAX).as_second()
    }
}

fn burst(turn: Turn, count: u64) -> Message {
    let left = match turn {
        Turn::Told | Turn::Urgent => Left::Incidents,
        Turn::Ended => Left::Outcomes,
        Turn::Wanted => Left::Questions,
    };
    Burst { left, count }.message()
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
