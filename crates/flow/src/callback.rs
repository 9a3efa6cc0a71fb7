//! The HTTP side of a decision: is this click Slack's, is it about us, and what is answered.
//!
//! The signature is checked over the raw bytes before anything of them is read. Only the incident's id comes out of the click;
//! everything else is read from the table. The answer is always small and never repeats what was sent.

use cordon_contract::StateError;
use cordon_core::IncidentId;
use cordon_core::incident::{Head, SlackMessage};
use cordon_core::timeline::{Kind, NewEntry};
use cordon_slack::Notice;
use cordon_slack::interaction::{self, Action, Click, Interaction};
use cordon_slack::secret::{Delivery, SlackSecret};
use cordon_slack::signature;
use serde_json::json;

use crate::cases::CaseError;
use crate::decide::{Answer, Choice, Decide};
use crate::messages;
use crate::ports::Channel;

/// What arrived, as bytes: after the gateway's base64 was taken off, before anything else.
pub struct Request<'a> {
    pub timestamp: Option<&'a str>,
    pub signature: Option<&'a str>,
    pub body: &'a [u8],
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub text: String,
}

pub struct Callback<'a> {
    pub decide: Decide<'a>,
    pub secret: &'a SlackSecret,
    pub channel: &'a dyn Channel,
}

impl Callback<'_> {
    pub async fn run(&self, request: &Request<'_>) -> Result<Reply, StateError> {
        let now = self.decide.clock.now();
        let verified =
            signature::verify(&self.secret.signing_secret, request.timestamp, request.signature, request.body, now.as_second());
        if let Err(error) = verified {
            tracing::warn!(reason = %error, "a request without Slack's signature was refused");
            return Ok(reply(401, "The request is not signed by Slack."));
        }
        let click = match interaction::parse(request.body) {
            Ok(Interaction::Click(click)) => click,
            Ok(Interaction::Submission(_)) => return Ok(reply(400, "Cordon opened no such dialog.")),
            Err(error) => {
                tracing::warn!(reason = %error, "a signed request was not a click on one of our buttons");
                return Ok(reply(400, "The request is not a click on one of Cordon's buttons."));
            }
        };
        let Ok(incident) = click.incident.parse::<IncidentId>() else { return Ok(reply(400, "The button names no incident.")) };
        if let Some(reason) = self.comes_from_elsewhere(&click) {
            self.record_refusal(&incident, &click, reason).await?;
            self.whisper(&click, &Notice::new(reason)).await;
            return Ok(reply(200, reason));
        }
        let choice = match click.action {
            Action::Approve => Choice::Approve,
            Action::Deny => Choice::Deny,
            Action::Looking | Action::Undo | Action::BreakGlass => return Ok(reply(400, "No card of Cordon has this button.")),
        };
        let answer = self.decide.run(&incident, &click.sender.user_id, choice).await?;
        if let Answer::Accepted(choice) = &answer {
            self.show_decision(&incident, &click, *choice).await?;
        } else {
            self.whisper(&click, &answer.notice()).await;
        }
        Ok(reply(200, &answer.sentence()))
    }

    /// A signed click can still come from another workspace, app or channel that shares the signing secret, or from somebody
    /// whom a workspace lets in without their being one of its people.
    fn comes_from_elsewhere(&self, click: &Click) -> Option<&'static str> {
        let secret = self.secret;
        if secret.team_id.as_ref().is_some_and(|team| *team != click.sender.team_id) {
            return Some("This click comes from another Slack workspace, so nothing was changed.");
        }
        if secret.app_id.is_some() && secret.app_id != click.sender.app_id {
            return Some("This click comes from another Slack app, so nothing was changed.");
        }
        if matches!(&secret.delivery, Delivery::Bot { channel, .. } if *channel != click.channel_id) {
            return Some("This click comes from another channel, so nothing was changed.");
        }
        if click.sender.is_bot || click.sender.is_guest || click.sender.is_from_outside() {
            return Some("Bots and guests cannot decide, so nothing was changed.");
        }
        None
    }

    async fn record_refusal(&self, incident: &IncidentId, click: &Click, reason: &str) -> Result<(), StateError> {
        let data = json!({"reason": reason, "team": click.sender.team_id, "channel": click.channel_id});
        let now = self.decide.clock.now();
        let entry = || Some(vec![NewEntry::by(Kind::Refused, &click.sender.user_id, data.clone())]);
        match self.decide.cases.commit(incident, now, |_| entry()).await {
            Ok(_) | Err(CaseError::NotFound(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the buttons away and names who decided. The decision stands whether or not Slack takes this.
    async fn show_decision(&self, incident: &IncidentId, click: &Click, choice: Choice) -> Result<(), StateError> {
        let head: Head = self.decide.cases.head(incident).await?;
        let card = messages::decided(&head, choice == Choice::Approve, &click.sender.user_id);
        let shown = match (&head.slack, &click.response_url) {
            (Some(at @ SlackMessage { ts: Some(_), .. }), _) => self.channel.update(at, &card).await,
            (_, Some(url)) => self.channel.replace(url, &card).await,
            (_, None) => Ok(()),
        };
        if let Err(error) = shown {
            tracing::warn!(reason = %error, "the card could not be updated after the decision");
        }
        Ok(())
    }

    async fn whisper(&self, click: &Click, notice: &Notice) {
        let Some(url) = &click.response_url else { return };
        if let Err(error) = self.channel.whisper(url, notice).await {
            tracing::warn!(reason = %error, "a click could not be answered");
        }
    }
}

fn reply(status: u16, text: &str) -> Reply {
    Reply { status, text: text.to_owned() }
}
