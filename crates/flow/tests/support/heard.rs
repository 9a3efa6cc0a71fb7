//! Slack, the topic and Step Functions, as lists of what they were told.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use cordon_cards::{Alert, Dialog, Message, Prose};
use cordon_core::Cause;
use cordon_core::document::Written;
use cordon_core::incident::SlackMessage;
use cordon_flow::ports::{Channel, Completion, DeliveryError, Executions, Policies, Presser, Publisher, Tasks};
use cordon_respond::{IamError, IamErrorKind};
use cordon_testkit::Faults;
use serde_json::Value;

/// Slack, the topic and Step Functions, as lists of what they were told.
#[derive(Default)]
pub struct Heard {
    pub(super) faults: Faults,
    pub posts: Mutex<Vec<Message>>,
    /// Posts into a channel that was named, and which.
    pub posts_elsewhere: Mutex<Vec<(String, Message)>>,
    /// Replies in a thread: the `ts` above, and what was said.
    pub replies: Mutex<Vec<(String, Message)>>,
    pub updates: Mutex<Vec<Message>>,
    pub dialogs: Mutex<Vec<Dialog>>,
    /// As with an incoming webhook.
    pub has_no_dialogs: Mutex<bool>,
    /// The user groups that there are.
    pub groups: Mutex<BTreeMap<String, Vec<String>>>,
    pub whispers: Mutex<Vec<String>>,
    pub published: Mutex<Vec<(String, Value)>>,
    /// The executions that were started: name and input.
    pub started: Mutex<Vec<(String, Value)>>,
    /// The same with topics and attributes.
    pub alerts: Mutex<Vec<Alert>>,
    pub completed: Mutex<Vec<(String, Value)>>,
    /// Tokens whose task has timed out.
    pub gone: Mutex<Vec<String>>,
    pub policies_read: Mutex<Vec<String>>,
    /// What IAM has of a document that a record lacks.
    pub written: Mutex<Option<Result<&'static str, IamErrorKind>>>,
    pub slack_is_down: Mutex<bool>,
    /// Posts and updates that hold this text fail.
    pub slack_refuses: Mutex<Option<&'static str>>,
    pub sns_is_down: Mutex<bool>,
    pub tasks_are_down: Mutex<bool>,
}

impl Heard {
    fn answer(down: &Mutex<bool>) -> Result<(), DeliveryError> {
        if *down.lock().unwrap() { Err(DeliveryError::Slack(Cause::new("out of reach"))) } else { Ok(()) }
    }

    fn takes(&self, message: &Message) -> Result<(), DeliveryError> {
        Self::answer(&self.slack_is_down)?;
        match *self.slack_refuses.lock().unwrap() {
            Some(text) if message.to_value().to_string().contains(text) => Err(DeliveryError::Slack(Cause::new("refused"))),
            Some(_) | None => Ok(()),
        }
    }
}

#[async_trait]
impl Channel for Heard {
    async fn post(&self, message: &Message) -> Result<SlackMessage, DeliveryError> {
        let heard = || {
            self.takes(message)?;
            let mut posts = self.posts.lock().unwrap();
            posts.push(message.clone());
            Ok(SlackMessage { channel: "C0TEST".to_owned(), ts: Some(format!("1.{}", posts.len())) })
        };
        self.faults.killable("slack", heard).await
    }

    async fn update(&self, _at: &SlackMessage, message: &Message) -> Result<(), DeliveryError> {
        let heard = || {
            self.takes(message)?;
            self.updates.lock().unwrap().push(message.clone());
            Ok(())
        };
        self.faults.killable("slack", heard).await
    }

    async fn post_to(&self, channel: &str, message: &Message) -> Result<SlackMessage, DeliveryError> {
        let heard = || {
            self.takes(message)?;
            let mut posts = self.posts_elsewhere.lock().unwrap();
            posts.push((channel.to_owned(), message.clone()));
            Ok(SlackMessage { channel: channel.to_owned(), ts: Some(format!("2.{}", posts.len())) })
        };
        self.faults.killable("slack", heard).await
    }

    async fn reply(&self, under: &SlackMessage, message: &Message) -> Result<SlackMessage, DeliveryError> {
        let heard = || {
            Self::answer(&self.slack_is_down)?;
            let Some(ts) = &under.ts else { return Err(DeliveryError::Slack(Cause::new("no thread"))) };
            let mut replies = self.replies.lock().unwrap();
            replies.push((ts.clone(), message.clone()));
            Ok(SlackMessage { channel: under.channel.clone(), ts: Some(format!("3.{}", replies.len())) })
        };
        self.faults.killable("slack", heard).await
    }

    fn has_dialogs(&self) -> bool {
        !*self.has_no_dialogs.lock().unwrap()
    }

    async fn group_members(&self, group: &str) -> Result<Vec<String>, DeliveryError> {
        Self::answer(&self.slack_is_down)?;
        let groups = self.groups.lock().unwrap();
        groups.get(group).cloned().ok_or_else(|| DeliveryError::Slack(Cause::new("no_such_subteam")))
    }
}

#[async_trait]
impl Presser for Heard {
    async fn whisper(&self, prose: &Prose) -> Result<(), DeliveryError> {
        self.whispers.lock().unwrap().push(prose.as_str().to_owned());
        Ok(())
    }

    async fn replace(&self, message: &Message) -> Result<(), DeliveryError> {
        self.updates.lock().unwrap().push(message.clone());
        Ok(())
    }

    async fn ask(&self, dialog: &Dialog) -> Result<bool, DeliveryError> {
        Self::answer(&self.slack_is_down)?;
        self.dialogs.lock().unwrap().push(dialog.clone());
        Ok(true)
    }
}

#[async_trait]
impl Publisher for Heard {
    async fn publish(&self, alert: &Alert) -> Result<(), DeliveryError> {
        let heard = || {
            Self::answer(&self.sns_is_down)?;
            self.published.lock().unwrap().push((alert.subject.clone(), alert.body.clone()));
            self.alerts.lock().unwrap().push(alert.clone());
            Ok(())
        };
        self.faults.killable("sns", heard).await
    }
}

#[async_trait]
impl Policies for Heard {
    async fn document(&self, policy_arn: &str) -> Result<Option<String>, IamError> {
        self.policies_read.lock().unwrap().push(policy_arn.to_owned());
        Ok(None)
    }

    async fn written(&self, written: &Written) -> Result<Option<String>, IamError> {
        self.policies_read.lock().unwrap().push(format!("{written:?}"));
        match *self.written.lock().unwrap() {
            Some(Err(kind)) => Err(IamError::new(kind, "iam:GetUserPolicy", "")),
            Some(Ok(document)) => Ok(Some(document.to_owned())),
            None => Ok(None),
        }
    }
}

#[async_trait]
impl Tasks for Heard {
    async fn succeed(&self, token: &str, output: &Value) -> Result<Completion, DeliveryError> {
        let heard = || {
            Self::answer(&self.tasks_are_down)?;
            let mut completed = self.completed.lock().unwrap();
            if completed.iter().any(|(known, _)| known == token) || self.gone.lock().unwrap().iter().any(|gone| gone == token) {
                return Ok(Completion::Gone);
            }
            completed.push((token.to_owned(), output.clone()));
            Ok(Completion::Delivered)
        };
        self.faults.killable("tasks", heard).await
    }
}

#[async_trait]
impl Executions for Heard {
    async fn start(&self, name: &str, input: &Value) -> Result<(), DeliveryError> {
        let heard = || {
            Self::answer(&self.tasks_are_down)?;
            let mut started = self.started.lock().unwrap();
            if !started.iter().any(|(known, _)| known == name) {
                started.push((name.to_owned(), input.clone()));
            }
            Ok(())
        };
        self.faults.killable("tasks", heard).await
    }
}
