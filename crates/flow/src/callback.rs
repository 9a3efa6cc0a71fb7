//! The HTTP side of a decision: is this click or dialog Slack's, is it about us, and what is answered.
//!
//! The signature is checked over the raw bytes before anything of them is read. Only the incident's id and a written reason come
//! out of what was sent; everything else is read from the table. Who may do it is asked for every button and every dialog, also
//! for those that decide nothing. The answer is always small and never repeats what was sent.

use cordon_cards::{self as cards, Message, Notice};
use cordon_core::IncidentId;
use cordon_core::incident::SlackMessage;
use cordon_core::timeline::{Kind, NewEntry};
use cordon_slack::interaction::{self, Action, Click, Interaction, Sender, Submission};
use cordon_slack::modal::{self, Modal, ModalKind};
use cordon_slack::secret::{Delivery, SlackSecret};
use cordon_slack::signature;
use cordon_store::StoreError;
use serde_json::json;

use crate::approver::Voter;
use crate::decide::{Answer, Choice, Decide, DecideError};
use crate::ports::{Channel, Executions};
use crate::question;
use crate::undo::{AskUndo, AskUndoError, UndoAnswer};

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
    /// Whether the text is JSON, as a dialog takes its faults.
    pub is_json: bool,
}

impl Reply {
    #[must_use]
    pub fn text(status: u16, text: &str) -> Self {
        Self { status, text: text.to_owned(), is_json: false }
    }
}

/// Why a click could not be handled now. Whoever clicks again finishes the same decision.
#[derive(Debug, thiserror::Error)]
pub enum CallbackError {
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The decision.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// The wish to undo.
    #[error(transparent)]
    Undo(#[from] AskUndoError),
}

pub struct Callback<'a> {
    pub decide: Decide<'a>,
    pub executions: &'a dyn Executions,
    pub secret: &'a SlackSecret,
    pub channel: &'a dyn Channel,
}

impl Callback<'_> {
    pub async fn run(&self, request: &Request<'_>) -> Result<Reply, CallbackError> {
        let now = self.decide.clock.now();
        let verified =
            signature::verify(&self.secret.signing_secret, request.timestamp, request.signature, request.body, now.as_second());
        if let Err(error) = verified {
            tracing::warn!(reason = %error, "a request without Slack's signature was refused");
            return Ok(Reply::text(401, "The request is not signed by Slack."));
        }
        let interaction = match interaction::parse(request.body) {
            Ok(interaction) => interaction,
            Err(error) => {
                tracing::warn!(reason = %error, "a signed request was neither a click nor a dialog of ours");
                return Ok(Reply::text(400, "The request is not a click on one of Cordon's buttons."));
            }
        };
        let Ok(incident) = interaction.incident().parse::<IncidentId>() else {
            return Ok(Reply::text(400, "The button names no incident."));
        };
        match interaction {
            Interaction::Click(click) => self.click(&incident, &click).await,
            Interaction::Submission(submission) => self.submission(&incident, &submission).await,
        }
    }

    async fn click(&self, id: &IncidentId, click: &Click) -> Result<Reply, CallbackError> {
        let channel = Some(click.channel_id.as_str());
        if let Some(reason) = self.comes_from_elsewhere(&click.sender, channel) {
            self.record_refusal(id, &click.sender, channel, reason).await?;
            self.whisper(click, &Notice::new(reason)).await;
            return Ok(Reply::text(200, reason));
        }
        match click.action {
            Action::Approve => self.decided(id, click, Choice::Approve).await,
            Action::Looking => self.decided(id, click, Choice::Looking).await,
            Action::Deny => match self.asks_for_a_reason(id, click, ModalKind::Deny, Choice::Deny).await? {
                Some(reply) => Ok(reply),
                None => self.decided(id, click, Choice::Deny).await,
            },
            Action::BreakGlass => match self.asks_for_a_reason(id, click, ModalKind::BreakGlass, Choice::BreakGlass).await? {
                Some(reply) => Ok(reply),
                None => {
                    let text =
                        format!("Slack cannot ask for the reason. Use `cordon incident approve {id} --break-glass --reason …`.");
                    self.whisper(click, &Notice::new(&text)).await;
                    Ok(Reply::text(200, &text))
                }
            },
            Action::Undo => self.undo_click(id, click).await,
        }
    }

    async fn decided(&self, id: &IncidentId, click: &Click, choice: Choice) -> Result<Reply, CallbackError> {
        let answer = self.decide.run(id, Voter::Slack(&click.sender.user_id), choice, None).await?;
        if answer.counts() {
            self.show(id, &answer, &click.sender.user_id, Some(click)).await?;
        }
        // A decision is shown to everybody; what is only counted, or refused, is told to the one who clicked.
        if !matches!(answer, Answer::Accepted(_)) {
            self.whisper(click, &answer.notice()).await;
        }
        Ok(Reply::text(200, &answer.sentence()))
    }

    /// Opens the dialog for somebody whose answer would count. `None` where no dialog can be opened.
    async fn asks_for_a_reason(
        &self,
        id: &IncidentId,
        click: &Click,
        kind: ModalKind,
        choice: Choice,
    ) -> Result<Option<Reply>, CallbackError> {
        if let Some(refused) = self.decide.refusal(id, Voter::Slack(&click.sender.user_id), choice).await? {
            self.whisper(click, &refused.notice()).await;
            return Ok(Some(Reply::text(200, &refused.sentence())));
        }
        Ok(self.opens(id, click, kind).await?.then(|| Reply::text(200, "")))
    }

    async fn opens(&self, id: &IncidentId, click: &Click, kind: ModalKind) -> Result<bool, CallbackError> {
        let (Delivery::Bot { .. }, Some(trigger)) = (&self.secret.delivery, &click.trigger_id) else { return Ok(false) };
        let subject = match self.decide.store.incident(id).await {
            Ok(head) => head.subject.to_string(),
            Err(StoreError::NotFound(_)) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let modal = Modal { kind, incident: id.to_string(), subject };
        match self.channel.open_modal(trigger, &modal).await {
            Ok(()) => Ok(true),
            Err(error) => {
                tracing::warn!(reason = %error, "a dialog could not be opened");
                Ok(false)
            }
        }
    }

    async fn submission(&self, id: &IncidentId, submission: &Submission) -> Result<Reply, CallbackError> {
        let fault = |text: &str| Ok(Reply { status: 200, text: modal::fault(text), is_json: true });
        if let Some(reason) = self.comes_from_elsewhere(&submission.sender, None) {
            self.record_refusal(id, &submission.sender, None, reason).await?;
            return fault(reason);
        }
        let user = &submission.sender.user_id;
        let choice = match submission.kind {
            ModalKind::Deny => Choice::Deny,
            ModalKind::BreakGlass => Choice::BreakGlass,
            ModalKind::Undo => {
                return match self.ask_undo().run(id, Voter::Slack(user), Some(&submission.reason)).await? {
                    UndoAnswer::Started => Ok(Reply::text(200, modal::CLOSED)),
                    UndoAnswer::No(sentence) => fault(&sentence),
                };
            }
        };
        let answer = self.decide.run(id, Voter::Slack(user), choice, Some(&submission.reason)).await?;
        if !answer.counts() {
            return fault(&answer.sentence());
        }
        self.show(id, &answer, user, None).await?;
        Ok(Reply::text(200, modal::CLOSED))
    }

    fn ask_undo(&self) -> AskUndo<'_> {
        let Decide { store, config, clock, .. } = self.decide;
        AskUndo { store, config, channel: Some(self.channel), executions: self.executions, clock }
    }

    /// Asks for the reason where a dialog can be opened; else the click is enough.
    async fn undo_click(&self, id: &IncidentId, click: &Click) -> Result<Reply, CallbackError> {
        let voter = Voter::Slack(&click.sender.user_id);
        let answer = match self.ask_undo().refusal(id, voter).await? {
            Some(no) => no,
            None if self.opens(id, click, ModalKind::Undo).await? => return Ok(Reply::text(200, "")),
            None => self.ask_undo().run(id, voter, None).await?,
        };
        self.whisper(click, &Notice::new(answer.sentence())).await;
        Ok(Reply::text(200, answer.sentence()))
    }

    /// A signed message can still come from another workspace, app or channel that shares the signing secret, or from somebody
    /// whom a workspace lets in without their being one of its people. A dialog names no channel: it was opened for a click that
    /// did.
    fn comes_from_elsewhere(&self, sender: &Sender, channel_id: Option<&str>) -> Option<&'static str> {
        let secret = self.secret;
        if secret.team_id.as_ref().is_some_and(|team| *team != sender.team_id) {
            return Some("This click comes from another Slack workspace, so nothing was changed.");
        }
        if secret.app_id.is_some() && secret.app_id != sender.app_id {
            return Some("This click comes from another Slack app, so nothing was changed.");
        }
        let is_ours = |own: &str, clicked: &str| {
            own == clicked || self.decide.config.notifications.channels().any(|channel| channel == clicked)
        };
        if let (Delivery::Bot { channel, .. }, Some(clicked)) = (&secret.delivery, channel_id)
            && !is_ours(channel, clicked)
        {
            return Some("This click comes from another channel, so nothing was changed.");
        }
        if sender.is_bot || sender.is_guest || sender.is_from_outside() {
            return Some("Bots and guests cannot decide, so nothing was changed.");
        }
        None
    }

    async fn record_refusal(
        &self,
        incident: &IncidentId,
        sender: &Sender,
        channel: Option<&str>,
        reason: &str,
    ) -> Result<(), CallbackError> {
        let data = json!({"reason": reason, "team": sender.team_id, "channel": channel});
        let now = self.decide.clock.now();
        let entry = || Some(vec![NewEntry::by(Kind::Refused, &sender.user_id, data.clone())]);
        match self.decide.store.commit(incident, now, |_| entry()).await {
            Ok(_) | Err(StoreError::NotFound(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Shows on the card what counts now: the buttons gone and who decided, or who has approved so far and who is looking. It
    /// counts whether or not Slack takes this.
    async fn show(&self, incident: &IncidentId, answer: &Answer, by: &str, click: Option<&Click>) -> Result<(), CallbackError> {
        let head = self.decide.store.incident(incident).await?;
        let card: Message = match answer {
            Answer::Accepted(choice) => cards::decided(&head, *choice != Choice::Deny, by),
            Answer::Counted { .. }
            | Answer::Looking { .. }
            | Answer::LookingAlready { .. }
            | Answer::Already { .. }
            | Answer::Expired(_)
            | Answer::Refused(_)
            | Answer::NotFound => match self.decide.store.approval(incident).await? {
                Some(approval) => {
                    let glass = question::has_glass(&self.decide.config.approval, self.channel);
                    cards::asking(&head, &approval.question(), glass)
                }
                None => return Ok(()),
            },
        };
        let url = click.and_then(|click| click.response_url.as_ref());
        let shown = match (&head.delivery.slack, url) {
            (Some(at @ SlackMessage { ts: Some(_), .. }), _) => self.channel.update(at, &card).await,
            (_, Some(url)) => self.channel.replace(url, &card).await,
            (_, None) => Ok(()),
        };
        if let Err(error) = shown {
            tracing::warn!(reason = %error, "the card could not be updated after a click");
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
