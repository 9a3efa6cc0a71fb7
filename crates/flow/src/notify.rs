//! Notify: tells people by SNS and Slack, and closes the incident.
//!
//! A channel that does not take the message never stops an incident: what could not be delivered stands on the timeline. Only
//! where every configured channel failed is the state itself retried, because then nobody would know.

use cordon_contract::{Delivery, ErrorName, NotifyInput, NotifyOutput, StateError};
use cordon_core::incident::{Head, Outcome, SlackMessage, State};
use cordon_core::json::set;
use cordon_core::timeline::{Kind, NewEntry};
use cordon_core::{IncidentId, Level};
use cordon_respond::runner::StepRecord;
use cordon_slack::Message;
use serde_json::json;

use crate::cases::{CaseError, Cases};
use crate::messages;
use crate::ports::{Channel, Clock, DeliveryError, Findings, Publisher};

pub struct Notify<'a> {
    pub cases: Cases<'a>,
    pub publisher: &'a dyn Publisher,
    /// `None`: Slack is not set up.
    pub channel: Option<&'a dyn Channel>,
    /// Where findings go; see [`crate::findings`].
    pub findings: &'a [Box<dyn Findings>],
    /// Alerts and exemptions below this level are not posted to Slack.
    pub slack_min_level: Level,
    pub clock: &'a dyn Clock,
}

/// What is said in Slack on the way.
enum InSlack {
    Post(Box<Message>),
    Nothing,
}

impl Notify<'_> {
    pub async fn run(&self, input: NotifyInput) -> Result<NotifyOutput, StateError> {
        match input {
            NotifyInput::Alert { incident } => {
                self.tell(&incident, "alert", |head| InSlack::Post(Box::new(messages::alert(head)))).await
            }
            NotifyInput::Exempt { incident } => {
                self.tell(&incident, "exempt", |head| InSlack::Post(Box::new(messages::exempt(head)))).await
            }
            NotifyInput::Asked { incident } => self.tell(&incident, "asked", |_| InSlack::Nothing).await,
            NotifyInput::Acting { incident } => {
                self.tell(&incident, "acting", |head| InSlack::Post(Box::new(messages::acting(head)))).await
            }
            NotifyInput::NeedsPerson { incident } => {
                self.tell(&incident, "needs_person", |head| InSlack::Post(Box::new(messages::needs_person(head)))).await
            }
            NotifyInput::Outcome { incident, outcome } => self.close(&incident, outcome).await,
            NotifyInput::Failure { incident, execution, state, error, cause } => {
                self.failure(incident.as_ref(), &execution, &state, &error, &cause).await
            }
        }
    }

    async fn tell(&self, id: &IncidentId, message: &str, in_slack: fn(&Head) -> InSlack) -> Result<NotifyOutput, StateError> {
        let head = self.cases.head(id).await?;
        let (subject, alert) = messages::structured(&head, message);
        let sns = self.publisher.publish(&subject, &alert).await;
        let slack = match (in_slack(&head), self.channel) {
            (InSlack::Post(card), Some(channel)) if head.slack.is_none() && !self.is_too_quiet(&head, message) => {
                Some(channel.post(&card).await)
            }
            _ => None,
        };
        let output = NotifyOutput { sns: delivery(&sns), slack: slack.as_ref().map_or(Delivery::Skipped, delivery) };
        let posted = slack.as_ref().and_then(|result| result.as_ref().ok()).cloned();
        self.record(id, output, posted, &[sns.err(), slack.and_then(Result::err)]).await?;
        self.publish_finding(&head).await;
        nobody_told(output)
    }

    fn is_too_quiet(&self, head: &Head, message: &str) -> bool {
        matches!(message, "alert" | "exempt") && head.severity < self.slack_min_level
    }

    async fn record(
        &self,
        id: &IncidentId,
        output: NotifyOutput,
        posted: Option<SlackMessage>,
        failures: &[Option<DeliveryError>],
    ) -> Result<(), StateError> {
        let reasons: Vec<&str> = failures.iter().flatten().map(|error| error.message.as_str()).collect();
        let mut data = json!({"sns": output.sns, "slack": output.slack});
        if !reasons.is_empty() {
            set(&mut data, "reasons", json!(reasons));
        }
        self.cases
            .commit(id, self.clock.now(), |head| {
                if let Some(message) = &posted {
                    head.slack = Some(message.clone());
                }
                Some(vec![NewEntry::cordon(Kind::Notified, data.clone())])
            })
            .await?;
        Ok(())
    }

    async fn close(&self, id: &IncidentId, outcome: Outcome) -> Result<NotifyOutput, StateError> {
        let now = self.clock.now();
        let data = json!({"outcome": outcome});
        let head = self
            .cases
            .close(id, now, |head| {
                if head.state == State::Closed {
                    return None;
                }
                head.outcome = Some(outcome);
                if outcome == Outcome::Contained {
                    head.contained_at = Some(head.contained_at.unwrap_or(now));
                }
                Some(vec![NewEntry::cordon(Kind::Closed, data.clone())])
            })
            .await?;
        // Of these, people have heard a moment ago, in the same words.
        if matches!(outcome, Outcome::Exempt | Outcome::Alerted | Outcome::NeedsPerson) {
            self.publish_finding(&head).await;
            return Ok(NotifyOutput { sns: Delivery::Skipped, slack: Delivery::Skipped });
        }
        let (subject, alert) = messages::structured(&head, "outcome");
        let sns = self.publisher.publish(&subject, &alert).await;
        let slack = match self.channel {
            Some(channel) => Some(self.show_outcome(channel, &head, outcome).await?),
            None => None,
        };
        let output = NotifyOutput { sns: delivery(&sns), slack: slack.as_ref().map_or(Delivery::Skipped, delivery) };
        if output.sns == Delivery::Failed || output.slack == Delivery::Failed {
            self.record(id, output, None, &[sns.err(), slack.and_then(Result::err)]).await?;
        }
        self.publish_finding(&head).await;
        nobody_told(output)
    }

    async fn show_outcome(
        &self,
        channel: &dyn Channel,
        head: &Head,
        outcome: Outcome,
    ) -> Result<Result<(), DeliveryError>, StateError> {
        let mut steps: Vec<Option<StepRecord>> = Vec::with_capacity(head.plan.steps.len());
        for n in 1..=head.plan.steps.len() {
            steps.push(self.cases.step(&head.id, n).await?);
        }
        let approval = self.cases.approval(&head.id).await?;
        let card = messages::outcome(head, outcome, &steps, approval.as_ref());
        Ok(match &head.slack {
            Some(message) => channel.update(message, &card).await,
            None => channel.post(&card).await.map(|_| ()),
        })
    }

    async fn failure(
        &self,
        id: Option<&IncidentId>,
        execution: &str,
        state: &str,
        error: &str,
        cause: &str,
    ) -> Result<NotifyOutput, StateError> {
        let found = match id {
            Some(id) => match self.record_failure(id, state, error, cause).await {
                Ok(head) => Some(head),
                Err(CaseError::NotFound(_)) => None,
                Err(error) => return Err(error.into()),
            },
            None => None,
        };
        let notice = messages::failure(id.map(IncidentId::as_str), execution, state, error, cause);
        let (subject, alert) = match &found {
            Some(head) => messages::structured(head, "failure"),
            None => (
                messages::line(&format!("[Cordon] FAILED in {state}: {error}")),
                json!({"schema": messages::ALERT_SCHEMA, "message": "failure"}),
            ),
        };
        let mut alert = alert;
        set(&mut alert, "execution", json!(execution));
        set(&mut alert, "failure", json!({"state": state, "error": error, "cause": cause}));
        let sns = self.publisher.publish(&subject, &alert).await;
        let slack = match self.channel {
            Some(channel) => Some(channel.post(&notice).await),
            None => None,
        };
        if let Some(head) = &found {
            self.publish_finding(head).await;
        }
        nobody_told(NotifyOutput { sns: delivery(&sns), slack: slack.as_ref().map_or(Delivery::Skipped, delivery) })
    }

    async fn record_failure(&self, id: &IncidentId, state: &str, error: &str, cause: &str) -> Result<Head, CaseError> {
        let data = json!({"state": state, "error": error, "cause": cause});
        self.cases
            .close(id, self.clock.now(), |head| {
                if head.state == State::Closed {
                    return None;
                }
                head.outcome = Some(Outcome::Failed);
                Some(vec![
                    NewEntry::cordon(Kind::Failure, data.clone()),
                    NewEntry::cordon(Kind::Closed, json!({"outcome": Outcome::Failed})),
                ])
            })
            .await
    }
}

fn delivery<T>(result: &Result<T, DeliveryError>) -> Delivery {
    match result {
        Ok(_) => Delivery::Sent,
        Err(_) => Delivery::Failed,
    }
}

/// One channel that took the message is enough; none is worth another try.
fn nobody_told(output: NotifyOutput) -> Result<NotifyOutput, StateError> {
    if output.sns == Delivery::Failed && output.slack != Delivery::Sent {
        return Err(StateError::new(
            ErrorName::Transient,
            "neither SNS nor Slack took the message; the reasons are on the timeline",
        ));
    }
    Ok(output)
}
