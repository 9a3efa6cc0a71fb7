//! Notify: tells people by SNS and Slack, and closes the incident.
//!
//! A channel that rejects a message never stops an incident: the failure is on the timeline. The state is retried only if every
//! configured channel failed, because otherwise nobody would know.

mod card;
mod failure;
mod findings;
mod merged;
mod outcome;
mod paging;

use cordon_cards::{self as cards, Alert, Message, Occasion};
use cordon_contract::{Delivery, NotifyInput, NotifyOutput, StateError};
use cordon_core::incident::{Incident, SlackMessage};
use cordon_core::json::set;
use cordon_core::timeline::{Kind, NewEntry};
use cordon_core::{IncidentId, Notifications, chain, config};
use cordon_store::{Store, StoreError, Turn};
use serde_json::json;

use crate::destination::destination;
use crate::pace::{Pace, Posted};
use crate::ports::{Channel, Clock, DeliveryError, Findings, Publisher};

/// What telling people is given.
pub struct Notify<'a> {
    /// What is kept.
    pub store: Store<'a>,
    /// SNS.
    pub publisher: &'a dyn Publisher,
    /// `None`: Slack is not set up.
    pub channel: Option<&'a dyn Channel>,
    /// Where findings go, when an incident opens and when it ends.
    pub findings: &'a [Box<dyn Findings>],
    /// Where what is told.
    pub notifications: &'a Notifications,
    /// Who is called where nobody answers.
    pub approval: &'a config::Approval,
    /// The time.
    pub clock: &'a dyn Clock,
}

/// Why nobody could be told, or nothing written.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Every configured channel failed.
    #[error("neither SNS nor Slack took the message; the reasons are on the timeline")]
    NobodyTold,
}

/// Makes a card of a header.
type Draw = fn(&Incident) -> Message;

impl Notify<'_> {
    /// Tells people what the state machine wants to be told.
    ///
    /// # Errors
    /// [`NotifyError`], under the contract's names.
    pub async fn run(&self, input: NotifyInput) -> Result<NotifyOutput, StateError> {
        Ok(self.answer(input).await?)
    }

    async fn answer(&self, input: NotifyInput) -> Result<NotifyOutput, NotifyError> {
        match input {
            NotifyInput::Alert { incident } => self.tell(&incident, Occasion::Alert, Some((Turn::Told, cards::alert))).await,
            NotifyInput::Exempt { incident } => self.tell(&incident, Occasion::Exempt, Some((Turn::Told, cards::exempt))).await,
            NotifyInput::Asked { incident } => self.asked(&incident).await,
            NotifyInput::Acting { incident } => self.tell(&incident, Occasion::Acting, Some((Turn::Ended, cards::acting))).await,
            NotifyInput::NeedsPerson { incident } => {
                self.tell(&incident, Occasion::NeedsPerson, Some((Turn::Urgent, cards::needs_person))).await
            }
            NotifyInput::Merged { incident } => self.merged(&incident).await,
            NotifyInput::Containing { incident } => self.tell(&incident, Occasion::Containing, None).await,
            NotifyInput::Held { incident } => self.held(&incident).await,
            NotifyInput::Escalated { incident } => self.escalated(&incident).await,
            NotifyInput::BreakGlass { incident } => self.glass_broken(&incident).await,
            NotifyInput::Voted { incident } => self.voted(&incident).await,
            NotifyInput::Undone { incident } => self.undone(&incident).await,
            NotifyInput::Outcome { incident, outcome } => self.close(&incident, outcome).await,
            NotifyInput::Failure { incident, event, execution, state, error, cause } => {
                let incident = match incident {
                    Some(incident) => Some(incident),
                    None => self.opened_before_it_failed(event.as_deref(), &execution).await,
                };
                let cause = match event.filter(|event| incident.is_none() && !cause.contains(event.as_str())) {
                    Some(event) => format!("event {event}: {cause}"),
                    None => cause,
                };
                self.failure(incident.as_ref(), &execution, &state, &error, &cause).await
            }
        }
    }

    /// `card` is what Slack gets; nothing where the card with the buttons follows.
    async fn tell(&self, id: &IncidentId, occasion: Occasion, card: Option<(Turn, Draw)>) -> Result<NotifyOutput, NotifyError> {
        let incident = self.store.incident(id).await?;
        let sns = self.publish(&incident, Alert::of(&incident, occasion)).await;
        let posted = match (card, self.channel) {
            (Some((turn, card)), Some(channel))
                if incident.delivery.slack.is_none() && !self.is_too_quiet(&incident, occasion) =>
            {
                Some(self.post(channel, &incident, turn, &card(&incident)).await)
            }
            _ => None,
        };
        let told = Told::new(&sns, posted);
        self.record(id, &told).await?;
        self.publish_finding(&incident).await;
        told.or_nobody()
    }

    fn is_too_quiet(&self, incident: &Incident, occasion: Occasion) -> bool {
        matches!(occasion, Occasion::Alert | Occasion::Exempt) && incident.severity < self.notifications.slack_min_level
    }

    async fn publish(&self, incident: &Incident, alert: Alert) -> Result<(), DeliveryError> {
        let topic = destination(self.notifications, incident).topic.map(str::to_owned);
        self.publisher.publish(&Alert { topic, ..alert }).await
    }

    async fn post(&self, channel: &dyn Channel, incident: &Incident, turn: Turn, message: &Message) -> Posted {
        let place = destination(self.notifications, incident).channel;
        self.pace().post(channel, place, turn, incident.severity, message).await
    }

    fn pace(&self) -> Pace<'_> {
        Pace { store: self.store, notifications: self.notifications, clock: self.clock }
    }

    /// What became of a message, on the timeline.
    async fn record(&self, id: &IncidentId, told: &Told) -> Result<(), NotifyError> {
        let data = told.data();
        self.store
            .commit(id, self.clock.now(), |incident| {
                if let Some(message) = &told.message {
                    incident.delivery.slack = Some(message.clone());
                }
                Some(vec![NewEntry::cordon(Kind::Notified, data.clone())])
            })
            .await?;
        Ok(())
    }
}

/// What became of one message.
struct Told {
    output: NotifyOutput,
    /// The new card.
    message: Option<SlackMessage>,
    failures: Vec<DeliveryError>,
}

impl Told {
    fn new(sns: &Result<(), DeliveryError>, posted: Option<Posted>) -> Self {
        let mut failures: Vec<DeliveryError> = sns.as_ref().err().cloned().into_iter().collect();
        let (slack, message) = match posted {
            None => (Delivery::Skipped, None),
            Some(Posted::Card(message)) => (Delivery::Sent, Some(message)),
            Some(Posted::InSummary(_)) => (Delivery::Summarised, None),
            Some(Posted::Failed(error)) => {
                failures.push(error);
                (Delivery::Failed, None)
            }
        };
        Self { output: NotifyOutput { sns: delivery(sns), slack }, message, failures }
    }

    fn data(&self) -> serde_json::Value {
        let reasons: Vec<String> = self.failures.iter().map(|error| chain(error)).collect();
        let mut data = json!({"sns": self.output.sns, "slack": self.output.slack});
        if !reasons.is_empty() {
            set(&mut data, "reasons", json!(reasons));
        }
        data
    }

    fn failed(&self) -> bool {
        self.output.sns == Delivery::Failed || self.output.slack == Delivery::Failed
    }

    /// One channel that took the message is enough; none is worth another try.
    fn or_nobody(&self) -> Result<NotifyOutput, NotifyError> {
        if self.output.sns == Delivery::Failed && self.output.slack != Delivery::Sent {
            return Err(NotifyError::NobodyTold);
        }
        Ok(self.output)
    }
}

fn delivery<T>(result: &Result<T, DeliveryError>) -> Delivery {
    match result {
        Ok(_) => Delivery::Sent,
        Err(_) => Delivery::Failed,
    }
}
