//! Slack as the functions use it: the channel that a secret names, and the answer to who clicked.

use std::time::Duration;

use async_trait::async_trait;
use cordon_cards::{Dialog, Message, Prose};
use cordon_core::Cause;
use cordon_core::incident::SlackMessage;
use cordon_flow::ports::{Channel, DeliveryError, Presser};
use cordon_slack::client::{Reply, SlackClient, SlackError};
use cordon_slack::secret::{Credential, SlackSecret};
use cordon_slack::{Click, Interaction};

const HASTE: Duration = Duration::from_millis(1_200);

/// The channel of a secret.
pub struct SlackChannel {
    client: SlackClient,
    secret: SlackSecret,
}

impl SlackChannel {
    /// Connects to Slack's API with the token of a secret.
    ///
    /// # Errors
    /// If the address of Slack's API is not one that a token may be sent to.
    pub fn new(api_url: &str, secret: SlackSecret) -> Result<Self, SlackError> {
        let token = match &secret.credential {
            Credential::Bot { token, .. } => Some(token.clone()),
            Credential::Webhook { .. } => None,
        };
        Ok(Self { client: SlackClient::new(api_url, token)?, secret })
    }

    /// For answering a click: Slack waits three seconds for that, so nothing is waited for or tried again.
    #[must_use]
    pub fn in_haste(self) -> Self {
        Self { client: self.client.with_limits(HASTE, Duration::ZERO), ..self }
    }

    /// The secret that it was made from, to verify clicks with.
    #[must_use]
    pub fn secret(&self) -> &SlackSecret {
        &self.secret
    }
}

#[async_trait]
impl Channel for SlackChannel {
    async fn post(&self, message: &Message) -> Result<SlackMessage, DeliveryError> {
        match &self.secret.credential {
            Credential::Bot { channel, .. } => self.post_in(channel, message, None).await,
            Credential::Webhook { url } => {
                self.client.post_webhook(url, message).await.map_err(failed)?;
                Ok(SlackMessage { channel: "webhook".to_owned(), ts: None })
            }
        }
    }

    async fn post_to(&self, channel: &str, message: &Message) -> Result<SlackMessage, DeliveryError> {
        match &self.secret.credential {
            Credential::Bot { .. } => self.post_in(channel, message, None).await,
            Credential::Webhook { .. } => Err(DeliveryError::NeedsToken("a webhook posts into its own channel only")),
        }
    }

    async fn reply(&self, under: &SlackMessage, message: &Message) -> Result<SlackMessage, DeliveryError> {
        match &under.ts {
            Some(ts) => self.post_in(&under.channel, message, Some(ts)).await,
            None => Err(DeliveryError::NeedsToken("a message of a webhook has no thread")),
        }
    }

    async fn update(&self, at: &SlackMessage, message: &Message) -> Result<(), DeliveryError> {
        match &at.ts {
            Some(ts) => self.client.update_message(&at.channel, ts, message).await.map_err(failed),
            None => self.post(message).await.map(|_| ()),
        }
    }

    fn has_dialogs(&self) -> bool {
        match &self.secret.credential {
            Credential::Bot { .. } => true,
            Credential::Webhook { .. } => false,
        }
    }

    async fn group_members(&self, group: &str) -> Result<Vec<String>, DeliveryError> {
        self.client.users_in_group(group).await.map_err(failed)
    }
}

/// Whoever clicked, reached by what the click brought along. A dialog that was sent off brings nothing along: it is answered by
/// the response.
pub struct Clicker<'a> {
    channel: &'a SlackChannel,
    click: Option<&'a Click>,
}

#[async_trait]
impl Presser for Clicker<'_> {
    async fn whisper(&self, prose: &Prose) -> Result<(), DeliveryError> {
        match self.click.and_then(|click| click.response_url.as_ref()) {
            Some(url) => self.channel.client.respond(url, Reply::Ephemeral(prose)).await.map_err(failed),
            None => Ok(()),
        }
    }

    async fn replace(&self, message: &Message) -> Result<(), DeliveryError> {
        match self.click.and_then(|click| click.response_url.as_ref()) {
            Some(url) => self.channel.client.respond(url, Reply::Replace(message)).await.map_err(failed),
            None => Ok(()),
        }
    }

    async fn ask(&self, dialog: &Dialog) -> Result<bool, DeliveryError> {
        match self.click.and_then(|click| click.trigger_id.as_ref()).filter(|_| self.channel.has_dialogs()) {
            Some(trigger) => self.channel.client.open_view(trigger, &dialog.modal()).await.map(|()| true).map_err(failed),
            None => Ok(false),
        }
    }
}

impl SlackChannel {
    /// Whoever did this.
    #[must_use]
    pub fn clicker<'a>(&'a self, interaction: &'a Interaction) -> Clicker<'a> {
        let click = match interaction {
            Interaction::Click(click) => Some(click),
            Interaction::Submission(_) => None,
        };
        Clicker { channel: self, click }
    }

    async fn post_in(&self, channel: &str, message: &Message, thread: Option<&str>) -> Result<SlackMessage, DeliveryError> {
        let posted = self.client.post_message(channel, message, thread).await.map_err(failed)?;
        Ok(SlackMessage { channel: posted.channel, ts: Some(posted.ts) })
    }
}

fn failed(error: SlackError) -> DeliveryError {
    DeliveryError::Slack(Cause::new(error))
}
