//! The time for a whole click: Slack waits three seconds for the answer, whatever its own API does meanwhile.
//!
//! Slack's calls share what is left of the time, and each part of a click leaves some for the next one: reading who somebody is
//! leaves time for the decision, and showing it leaves time for the answer. What was not done in time is a failed call like any
//! other, so that it is said, or done later.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use cordon_cards::{Dialog, Message, Prose};
use cordon_core::incident::SlackMessage;
use cordon_flow::ports::{Channel, DeliveryError, Presser};
use tokio::time::{Instant, sleep_until};

/// From the invocation to the answer. The way from Slack and back, and a cold start, take the rest of the three seconds.
pub const WHOLE: Duration = Duration::from_millis(2_200);
/// By then the secret that verifies a click has been read, if no earlier invocation read it.
pub(crate) const SECRET_BY: Duration = Duration::from_millis(1_500);
/// By then Slack has said who somebody is, or it is too late to decide.
const READ_BY: Duration = Duration::from_millis(1_000);
/// By then a dialog is open.
const ASKED_BY: Duration = Duration::from_millis(1_800);
/// By then the card shows the decision, or is left to an execution.
const SHOWN_BY: Duration = Duration::from_millis(1_900);
/// By then somebody has been told what only they see; the rest is for the answer itself.
const SAID_BY: Duration = Duration::from_millis(2_150);

/// Measures one click, so that tests can.
#[async_trait]
pub trait Stopwatch: Send + Sync {
    /// Returns once so much time has passed since the click came in.
    async fn reaches(&self, since_the_click: Duration);
}

/// The time since a click came in.
#[derive(Debug, Clone, Copy)]
pub struct SinceClick(Instant);

impl SinceClick {
    /// Of a click that has just come in.
    #[must_use]
    pub fn now() -> Self {
        Self(Instant::now())
    }
}

#[async_trait]
impl Stopwatch for SinceClick {
    async fn reaches(&self, since_the_click: Duration) {
        sleep_until(self.0 + since_the_click).await;
    }
}

/// What comes first: the end of the work, or that time. `None` where it is the time.
pub(crate) async fn within<T>(watch: &dyn Stopwatch, by: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = watch.reaches(by) => None,
    }
}

/// A channel, or whoever clicked, whose calls end in time for the answer.
pub struct Hasty<'a, C: ?Sized> {
    /// The channel, or whoever clicked.
    pub inner: &'a C,
    /// The time that has passed.
    pub watch: &'a dyn Stopwatch,
}

impl<C: ?Sized> Hasty<'_, C> {
    async fn by<T>(&self, by: Duration, call: impl Future<Output = Result<T, DeliveryError>>) -> Result<T, DeliveryError> {
        let too_slow = || DeliveryError::TooSlow("Slack was too slow for the answer to a click");
        within(self.watch, by, call).await.unwrap_or_else(|| Err(too_slow()))
    }
}

#[async_trait]
impl<C: Channel + ?Sized> Channel for Hasty<'_, C> {
    async fn post(&self, message: &Message) -> Result<SlackMessage, DeliveryError> {
        self.by(SHOWN_BY, self.inner.post(message)).await
    }

    async fn post_to(&self, channel: &str, message: &Message) -> Result<SlackMessage, DeliveryError> {
        self.by(SHOWN_BY, self.inner.post_to(channel, message)).await
    }

    async fn reply(&self, under: &SlackMessage, message: &Message) -> Result<SlackMessage, DeliveryError> {
        self.by(SHOWN_BY, self.inner.reply(under, message)).await
    }

    async fn update(&self, at: &SlackMessage, message: &Message) -> Result<(), DeliveryError> {
        self.by(SHOWN_BY, self.inner.update(at, message)).await
    }

    fn has_dialogs(&self) -> bool {
        self.inner.has_dialogs()
    }

    async fn group_members(&self, group: &str) -> Result<Vec<String>, DeliveryError> {
        self.by(READ_BY, self.inner.group_members(group)).await
    }
}

#[async_trait]
impl<P: Presser + ?Sized> Presser for Hasty<'_, P> {
    async fn whisper(&self, prose: &Prose) -> Result<(), DeliveryError> {
        self.by(SAID_BY, self.inner.whisper(prose)).await
    }

    async fn replace(&self, message: &Message) -> Result<(), DeliveryError> {
        self.by(SHOWN_BY, self.inner.replace(message)).await
    }

    async fn ask(&self, dialog: &Dialog) -> Result<bool, DeliveryError> {
        self.by(ASKED_BY, self.inner.ask(dialog)).await
    }
}
