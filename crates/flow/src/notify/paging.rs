//! Calls people: when nobody answered, when one person approved alone, and when an undo has a result.
//!
//! A channel that rejects the call never stops an incident. Names come from `cordon.toml`. Texts that a person wrote are escaped
//! like any other and cannot mention.

use cordon_cards::{self as cards, Alert, Message, Occasion};
use cordon_contract::{Delivery, NotifyOutput};
use cordon_core::IncidentId;
use cordon_core::incident::{BrokenGlass, Electorate, Incident, Skipped};
use cordon_core::json::set;
use cordon_core::timeline::{Kind, NewEntry};
use serde_json::{Value, json};

use super::card::Refreshed;
use super::{Notify, NotifyError, Told, delivery};
use crate::ports::{Channel, DeliveryError};
use crate::switch;

/// What became of one call.
type Fate = Result<(), DeliveryError>;

impl Notify<'_> {
    /// More people are called: in the thread of the card, in the second channel, by the deployment's topic and the second one.
    pub(super) async fn escalated(&self, id: &IncidentId) -> Result<NotifyOutput, NotifyError> {
        let incident = self.store.incident(id).await?;
        let alert = Alert::of(&incident, Occasion::Escalated);
        let escalation = self.approval.escalation.as_ref();
        let mut sns = vec![self.publish(&incident, alert.clone()).await];
        if let Some(topic) = escalation.and_then(|escalation| escalation.topic.clone()) {
            sns.push(self.publisher.publish(&Alert { topic: Some(topic), ..alert }).await);
        }
        let everybody: Vec<Skipped> = crate::electorate::everybody(self.approval, &incident);
        let message = cards::escalated(&incident, &everybody);
        let mut slack = Vec::new();
        if let Some(channel) = self.channel {
            slack.push(in_thread(channel, &incident, &message).await);
            if let Some(second) = escalation.and_then(|escalation| escalation.slack_channel.as_deref()) {
                slack.push(channel.post_to(second, &message).await.map(|_| ()));
            }
        }
        self.told(id, "escalated", sns, slack).await
    }

    /// A decision is wanted. Where nobody may give it, more people are called at once, and not at the first deadline.
    pub(super) async fn asked(&self, id: &IncidentId) -> Result<NotifyOutput, NotifyError> {
        let told = self.tell(id, Occasion::Asked, None).await;
        let incident = self.store.incident(id).await?;
        let electorate = incident.approval.electorate.clone().filter(|_| !incident.is_escalated() && !incident.is_dry_run());
        let Some(electorate) = electorate.filter(|electorate| electorate.hopeless.is_some()) else { return told };
        let called = self.nobody_may_decide(&incident, &electorate).await;
        let now = self.clock.now();
        self.store
            .commit(id, now, |incident| {
                if incident.is_escalated() {
                    return None;
                }
                incident.approval.escalated_at = Some(now);
                Some(vec![NewEntry::cordon(Kind::Escalated, json!({"electorate": electorate}))])
            })
            .await?;
        called.and(told)
    }

    async fn nobody_may_decide(&self, incident: &Incident, electorate: &Electorate) -> Result<NotifyOutput, NotifyError> {
        let alert = Alert::of(incident, Occasion::NobodyMayDecide);
        let escalation = self.approval.escalation.as_ref();
        let mut sns = vec![self.publish(incident, alert.clone()).await];
        if let Some(topic) = escalation.and_then(|escalation| escalation.topic.clone()) {
            sns.push(self.publisher.publish(&Alert { topic: Some(topic), ..alert }).await);
        }
        let message = cards::nobody_may_decide(incident, electorate);
        let mut slack = Vec::new();
        if let Some(channel) = self.channel {
            slack.push(in_thread(channel, incident, &message).await);
            if let Some(second) = escalation.and_then(|escalation| escalation.slack_channel.as_deref()) {
                slack.push(channel.post_to(second, &message).await.map(|_| ()));
            }
        }
        self.told(&incident.id, "nobody_may_decide", sns, slack).await
    }

    /// Enforcement is stopped, so what was released waits: the card and its thread say so, and SNS.
    pub(super) async fn held(&self, id: &IncidentId) -> Result<NotifyOutput, NotifyError> {
        let incident = self.store.incident(id).await?;
        let Some(stopped) = switch::stopped(self.store).await? else {
            return Ok(NotifyOutput { sns: Delivery::Skipped, slack: Delivery::Skipped });
        };
        let mut alert = Alert::of(&incident, Occasion::Held);
        set(&mut alert.body, "held", json!({"reason": stopped}));
        let sns = vec![self.publish(&incident, alert).await];
        let mut slack = Vec::new();
        if let Some(channel) = self.channel {
            slack.push(in_thread(channel, &incident, &cards::held(&incident, &stopped)).await);
            if let Refreshed::Failed(error) = self.refresh(channel, &incident).await? {
                slack.push(Err(error));
            }
        }
        let told = self.told(id, "held", sns, slack).await?;
        self.store
            .commit(id, self.clock.now(), |incident| {
                let held = incident.approval.held.as_mut().filter(|held| !held.told)?;
                held.told = true;
                Some(Vec::new())
            })
            .await?;
        Ok(told)
    }

    /// Everybody who was not waited for is told, by name.
    pub(super) async fn glass_broken(&self, id: &IncidentId) -> Result<NotifyOutput, NotifyError> {
        let incident = self.store.incident(id).await?;
        let mut alert = Alert::of(&incident, Occasion::BreakGlass);
        let glass = incident.approval.break_glass.clone().unwrap_or_else(|| BrokenGlass {
            by: "unknown".to_owned(),
            reason: String::new(),
            skipped: Vec::new(),
        });
        alert.add("break_glass", &json!(glass));
        let sns = vec![self.publish(&incident, alert).await];
        let message = cards::glass_broken(&incident, &glass);
        let mut slack = Vec::new();
        if let Some(channel) = self.channel {
            slack.push(in_thread(channel, &incident, &message).await);
            if let Some(second) = self.approval.escalation.as_ref().and_then(|escalation| escalation.slack_channel.as_deref()) {
                slack.push(channel.post_to(second, &message).await.map(|_| ()));
            }
        }
        self.told(id, "break_glass", sns, slack).await
    }

    /// What an undo from Slack came to.
    pub(super) async fn undone(&self, id: &IncidentId) -> Result<NotifyOutput, NotifyError> {
        let incident = self.store.incident(id).await?;
        let request = self.store.undo_request(id).await?;
        let mut alert = Alert::of(&incident, Occasion::Undone);
        let (message, undo) = match &request {
            Some(request) => (
                cards::undone(&incident, &request.by, request.complete, &request.result),
                json!({"by": request.by, "reason": request.reason, "complete": request.complete, "steps": request.result}),
            ),
            None => (cards::note(&incident, "An undo ran that nobody is known to have asked for"), Value::Null),
        };
        alert.add("undo_result", &undo);
        let sns = vec![self.publish(&incident, alert).await];
        let mut slack = Vec::new();
        if let Some(channel) = self.channel {
            slack.push(in_thread(channel, &incident, &message).await);
        }
        self.told(id, "undone", sns, slack).await
    }

    async fn told(&self, id: &IncidentId, message: &str, sns: Vec<Fate>, slack: Vec<Fate>) -> Result<NotifyOutput, NotifyError> {
        let output = NotifyOutput { sns: best(&sns), slack: best(&slack) };
        let failures = sns.into_iter().chain(slack).filter_map(Result::err).collect();
        let told = Told { output, message: None, failures };
        let mut data = told.data();
        set(&mut data, "about", json!(message));
        let now = self.clock.now();
        self.store.commit(id, now, |_| Some(vec![NewEntry::cordon(Kind::Notified, data.clone())])).await?;
        told.or_nobody()
    }
}

/// Where one way was open, people have heard of it.
fn best(fates: &[Fate]) -> Delivery {
    match fates.iter().find(|fate| fate.is_ok()).or(fates.first()) {
        Some(fate) => delivery(fate),
        None => Delivery::Skipped,
    }
}

/// Below the card where it has a thread, else a message of its own.
async fn in_thread(channel: &dyn Channel, incident: &Incident, message: &Message) -> Fate {
    match incident.thread() {
        Some(at) => channel.reply(at, message).await.map(|_| ()),
        None => channel.post(message).await.map(|_| ()),
    }
}
