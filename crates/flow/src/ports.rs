//! The ports: everything that a state needs from outside. Each error says whether a retry can help.

use async_trait::async_trait;
use cordon_cards::{Alert, Dialog, Message, Prose};
use cordon_core::Cause;
use cordon_core::document::Written;
use cordon_core::incident::SlackMessage;
use cordon_record::Finding;
use cordon_respond::IamError;
use jiff::Timestamp;
use serde_json::Value;

/// Tells the time, so that tests can.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// Why a message, a decision or an execution did not get through. Another try can help. Neither it nor its causes say a token, an
/// address or a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// A service refused it, or did not answer.
    #[error("{what}")]
    NotTaken {
        /// Which service did not take what, for people.
        what: &'static str,
        /// The service's reason.
        #[source]
        cause: Cause,
    },
    /// Slack refused it, or did not answer; or its secret is no use. The cause says which call it was.
    #[error(transparent)]
    Slack(Cause),
    /// The secret of Slack was not read. Only the short reason is kept, because it is shown to people; the log has the causes.
    #[error("{0}")]
    SecretUnread(String),
    /// The answer to a click cannot wait for it.
    #[error("{0}")]
    TooSlow(&'static str),
    /// An incoming webhook cannot do it.
    #[error("{0}; put a bot token into the Slack secret for this")]
    NeedsToken(&'static str),
}

/// Where structured alerts go (SNS).
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Hands an alert over.
    async fn publish(&self, alert: &Alert) -> Result<(), DeliveryError>;
}

/// Slack, by bot token or incoming webhook.
#[async_trait]
pub trait Channel: Send + Sync {
    /// Posts into the secret's own channel.
    async fn post(&self, message: &Message) -> Result<SlackMessage, DeliveryError>;
    /// Posts into a channel by its id instead of the secret's. An incoming webhook has one channel only and refuses.
    async fn post_to(&self, channel: &str, message: &Message) -> Result<SlackMessage, DeliveryError>;
    /// Posts into the thread of a message. A message without `ts` has none: refused.
    async fn reply(&self, under: &SlackMessage, message: &Message) -> Result<SlackMessage, DeliveryError>;
    /// Replaces a posted message. A message without `ts` cannot be replaced: a new one is posted.
    async fn update(&self, at: &SlackMessage, message: &Message) -> Result<(), DeliveryError>;
    /// Whether a click can open a dialog here. An incoming webhook's cannot.
    fn has_dialogs(&self) -> bool;
    /// The ids of a user group's members. Needs a bot token; asked at most once a decision, so not kept here.
    async fn group_members(&self, group: &str) -> Result<Vec<String>, DeliveryError>;
}

/// Somebody who has just done something with a card, as far as they can be reached now.
#[async_trait]
pub trait Presser: Send + Sync {
    /// Says something that only they see. Nothing where they cannot be reached.
    async fn whisper(&self, prose: &Prose) -> Result<(), DeliveryError>;
    /// Replaces the message that they pressed on, where it cannot be replaced by its id. Nothing where it cannot be reached.
    async fn replace(&self, message: &Message) -> Result<(), DeliveryError>;
    /// Asks them for a reason. `false` where no dialog can be opened.
    async fn ask(&self, dialog: &Dialog) -> Result<bool, DeliveryError>;
}

/// A place that takes findings in for other tools: the event bus, Security Hub. It gets the same finding again at the end of
/// the incident, and may get it twice.
#[async_trait]
pub trait Findings: Send + Sync {
    /// How the timeline names the place.
    fn name(&self) -> &'static str;
    /// Hands a finding over.
    async fn publish(&self, finding: &Finding<'_>) -> Result<(), DeliveryError>;
}

/// The documents of an account's policies.
#[async_trait]
pub trait Policies: Send + Sync {
    /// The text of the default version; `None` where there is no such policy.
    async fn document(&self, policy_arn: &str) -> Result<Option<String>, IamError>;
    /// The text of a document that was written, as IAM has it now; `None` where there is none, or the principal that IAM answers
    /// for is of another account.
    async fn written(&self, written: &Written) -> Result<Option<String>, IamError>;
}

/// What became of a task's completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completion {
    /// The task has it.
    Delivered,
    /// The task is over: timed out or already completed. The time-out path finishes the written decision.
    Gone,
}

/// Step Functions' callback.
#[async_trait]
pub trait Tasks: Send + Sync {
    /// Completes the task of a token with an output.
    async fn succeed(&self, token: &str, output: &Value) -> Result<Completion, DeliveryError>;
}

/// Starts executions of our own state machine.
#[async_trait]
pub trait Executions: Send + Sync {
    /// The same name with the same input starts one execution, however often it is asked for.
    async fn start(&self, name: &str, input: &Value) -> Result<(), DeliveryError>;
}
