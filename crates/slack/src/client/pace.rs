//! Keeps about a second between two messages into one channel, as Slack wants it, as far as one client knows.
//!
//! Other instances post too: what that makes too many, Slack answers with a 429.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const BETWEEN: Duration = Duration::from_secs(1);
const CHANNELS_MAX: usize = 100;

/// When the next message may go into each channel. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace(Arc<Mutex<BTreeMap<String, Instant>>>);

impl Pace {
    /// Waits for this message's turn, but never longer than `most`.
    pub(super) async fn wait(&self, channel: &str, most: Duration) {
        let wait = self.turn(channel, Instant::now()).min(most);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    fn turn(&self, channel: &str, now: Instant) -> Duration {
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if next.len() > CHANNELS_MAX {
            next.retain(|_, at| *at > now);
        }
        let at = next.get(channel).copied().unwrap_or(now).max(now);
        next.insert(channel.to_owned(), at + BETWEEN);
        at - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_into_one_channel_are_a_second_apart_and_channels_do_not_wait_for_each_other() {
        let (pace, now) = (Pace::default(), Instant::now());
        let turns: Vec<u64> = (0..3).map(|_| pace.turn("C1", now).as_secs()).collect();
        assert_eq!(turns, [0, 1, 2]);
        assert_eq!(pace.turn("C2", now), Duration::ZERO);
        assert_eq!(pace.turn("C1", now + Duration::from_secs(10)), Duration::ZERO);
    }
}
