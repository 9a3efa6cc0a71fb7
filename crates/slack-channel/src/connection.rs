//! The connection to Slack, made once its secret has been read.
//!
//! INVARIANT: a read that fails is never taken for "Slack is not set up". It lasts for one invocation, in which every call to Slack
//! fails with its reason, so that the state writes that on the timeline; the next invocation reads again.

use async_trait::async_trait;
use cordon_aws::StoredSecret;
use cordon_aws::config::SdkConfig;
use cordon_cards::Message;
use cordon_core::incident::SlackMessage;
use cordon_core::{Cause, chain};
use cordon_flow::ports::{Channel, DeliveryError};
use cordon_slack::{HttpResponse, SlackSecret};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::channel::SlackChannel;
use crate::haste::{SECRET_BY, Stopwatch, within};

/// Where the secret lies.
#[async_trait]
pub trait Secrets: Send + Sync {
    /// The text of the secret; `None` only where it is certain that there is none.
    async fn read(&self) -> Result<Option<String>, DeliveryError>;
}

#[async_trait]
impl Secrets for StoredSecret {
    async fn read(&self) -> Result<Option<String>, DeliveryError> {
        self.read().await.map_err(|error| {
            tracing::warn!(error = chain(&error), "the Slack secret was not read");
            DeliveryError::SecretUnread(error.to_string())
        })
    }
}

/// Slack as a function holds it from one invocation to the next.
pub struct Connection {
    secrets: Option<Box<dyn Secrets>>,
    api_url: String,
    in_haste: bool,
    channel: OnceCell<SlackChannel>,
}

/// Slack in one invocation.
pub enum Slack<'a> {
    /// The deployment has no secret, or the secret has no value yet: alerts go to SNS only.
    Unset,
    /// The secret could not be used this time.
    Failed(Unreachable),
    /// The secret was read.
    Ready(&'a SlackChannel),
}

impl Connection {
    /// To Slack's API at an address, with a secret in Secrets Manager. `None` is a deployment without Slack.
    #[must_use]
    pub fn of(sdk: &SdkConfig, secret_arn: Option<String>, api_url: String) -> Self {
        let secrets = secret_arn.map(|arn| -> Box<dyn Secrets> { Box::new(StoredSecret::new(sdk, arn)) });
        Self::new(secrets, api_url)
    }

    /// To Slack's API at an address, with a secret from anywhere. `None` is a deployment without Slack.
    #[must_use]
    pub fn new(secrets: Option<Box<dyn Secrets>>, api_url: String) -> Self {
        Self { secrets, api_url, in_haste: false, channel: OnceCell::new() }
    }

    /// For answering clicks: see [`SlackChannel::in_haste`].
    #[must_use]
    pub fn in_haste(self) -> Self {
        Self { in_haste: true, ..self }
    }

    /// Slack now: the channel that was made before, or what a read of the secret gives.
    pub async fn slack(&self) -> Slack<'_> {
        match self.channel.get_or_try_init(|| self.connect()).await {
            Ok(channel) => Slack::Ready(channel),
            Err(None) => Slack::Unset,
            Err(Some(error)) => {
                tracing::error!(reason = chain(&error), "Slack is left out of this invocation");
                Slack::Failed(Unreachable { reason: error })
            }
        }
    }

    /// The same where somebody waits for the answer to a click.
    pub async fn slack_in_time(&self, watch: &dyn Stopwatch) -> Slack<'_> {
        let too_slow =
            || Unreachable { reason: DeliveryError::TooSlow("the Slack secret was not read in time for the answer to a click") };
        within(watch, SECRET_BY, self.slack()).await.unwrap_or_else(|| Slack::Failed(too_slow()))
    }

    /// The error is `None` where Slack is not set up.
    async fn connect(&self) -> Result<SlackChannel, Option<DeliveryError>> {
        let Some(secrets) = &self.secrets else { return Err(None) };
        let text = secrets.read().await?.filter(|text| !is_empty(text)).ok_or(None)?;
        let secret = SlackSecret::parse(&text).map_err(|error| DeliveryError::Slack(Cause::new(error)))?;
        let channel = SlackChannel::new(&self.api_url, secret).map_err(|error| DeliveryError::Slack(Cause::new(error)))?;
        Ok(if self.in_haste { channel.in_haste() } else { channel })
    }
}

/// A value that only holds the secret's place: nothing, `{}`, or keys without values.
fn is_empty(text: &str) -> bool {
    let nothing = |value: &Value| value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty());
    text.trim().is_empty()
        || serde_json::from_str::<Value>(text)
            .is_ok_and(|value| nothing(&value) || value.as_object().is_some_and(|keys| keys.values().all(nothing)))
}

impl<'a> Slack<'a> {
    /// The channel for a state; `None` only where Slack is not set up.
    #[must_use]
    pub fn channel(&self) -> Option<&dyn Channel> {
        match self {
            Self::Unset => None,
            Self::Failed(unreachable) => Some(unreachable),
            Self::Ready(channel) => Some(*channel),
        }
    }

    /// The channel whose secret verifies clicks.
    ///
    /// # Errors
    /// The answer to a click that cannot be verified. Anybody can send one, so it does not repeat the reason, which is in the log.
    pub fn verifier(&self) -> Result<&'a SlackChannel, HttpResponse> {
        match self {
            Self::Ready(channel) => Ok(channel),
            Self::Unset => Err(HttpResponse::text(503, "Slack is not set up: its secret has no value yet.")),
            Self::Failed(_) => Err(HttpResponse::text(503, "The click cannot be verified now; please click again.")),
        }
    }
}

/// Slack while its secret cannot be used: every call fails with the reason.
pub struct Unreachable {
    /// Why, without the secret.
    pub reason: DeliveryError,
}

impl Unreachable {
    fn failed<T>(&self) -> Result<T, DeliveryError> {
        Err(self.reason.clone())
    }
}

#[async_trait]
impl Channel for Unreachable {
    async fn post(&self, _: &Message) -> Result<SlackMessage, DeliveryError> {
        self.failed()
    }

    async fn post_to(&self, _: &str, _: &Message) -> Result<SlackMessage, DeliveryError> {
        self.failed()
    }

    async fn reply(&self, _: &SlackMessage, _: &Message) -> Result<SlackMessage, DeliveryError> {
        self.failed()
    }

    async fn update(&self, _: &SlackMessage, _: &Message) -> Result<(), DeliveryError> {
        self.failed()
    }

    fn has_dialogs(&self) -> bool {
        false
    }

    async fn group_members(&self, _: &str) -> Result<Vec<String>, DeliveryError> {
        self.failed()
    }
}
