//! What somebody did with a card: pressed a button, or sent off the dialog that asked for a reason.
//!
//! Whether it really came from Slack, and from the right place there, has been checked before; who may do it is asked here, for
//! every button and every dialog, also for those that decide nothing. Only the incident's id and a written reason come out of what
//! was sent; everything else is read from the table.

use cordon_cards::{self as cards, Answer, Button, Dialog, DialogKind, Message, Press, Pressed, Prose};
use cordon_core::incident::SlackMessage;
use cordon_core::timeline::{Kind, NewEntry};
use cordon_core::{Choice, IncidentId, chain};
use cordon_store::StoreError;
use serde_json::json;

use crate::approver::Voter;
use crate::decide::{Decide, DecideError};
use crate::ports::{Channel, Executions, Presser};
use crate::question;
use crate::switch;
use crate::undo::{AskUndo, AskUndoError, UndoAnswer};

/// What is told to the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Whether their word stands, or a dialog now asks them for the reason.
    pub counts: bool,
    /// Empty where a dialog asks.
    pub sentence: String,
    /// Whether they see it: by a message of their own, on the card, or by the dialog.
    pub told: bool,
}

/// Where a press came from that does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elsewhere<'a> {
    /// The workspace.
    pub team: &'a str,
    /// The channel, where one is named.
    pub channel: Option<&'a str>,
    /// Why it does not count, in a sentence for the person.
    pub reason: &'static str,
}

/// Why a press could not be answered now. Whoever presses again finishes the same decision.
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

/// Answers what was done with cards.
pub struct Callback<'a> {
    /// Takes the votes.
    pub decide: Decide<'a>,
    /// Starts the execution that carries an undo out.
    pub executions: &'a dyn Executions,
    /// Where the cards are updated.
    pub channel: &'a dyn Channel,
}

/// One press, by whom, and how they are answered.
#[derive(Clone, Copy)]
struct Pressing<'a> {
    id: &'a IncidentId,
    by: &'a str,
    presser: &'a dyn Presser,
}

impl Pressing<'_> {
    fn voter(&self) -> Voter<'_> {
        Voter::Slack(self.by)
    }

    /// Whether they could be told.
    async fn whisper(&self, prose: &Prose) -> bool {
        let said = self.presser.whisper(prose).await;
        if let Err(error) = &said {
            tracing::warn!(reason = chain(&error), "a click could not be answered");
        }
        said.is_ok()
    }
}

impl Callback<'_> {
    /// Does what a member of Slack wants, if they may.
    pub async fn run(&self, press: &Press, by: &str, presser: &dyn Presser) -> Result<Said, CallbackError> {
        let pressing = Pressing { id: &press.incident, by, presser };
        match &press.pressed {
            Pressed::Button(button) => self.button(pressing, *button).await,
            Pressed::Dialog { kind, reason } => self.dialog(pressing, *kind, reason).await,
        }
    }

    /// Turns away what comes from elsewhere, and keeps on the timeline that it came.
    pub async fn turn_away(
        &self,
        press: &Press,
        by: &str,
        from: &Elsewhere<'_>,
        presser: &dyn Presser,
    ) -> Result<Said, CallbackError> {
        let data = json!({"reason": from.reason, "team": from.team, "channel": from.channel});
        let now = self.decide.clock.now();
        let entry = || Some(vec![NewEntry::by(Kind::Refused, by, data.clone())]);
        match self.decide.store.commit(&press.incident, now, |_| entry()).await {
            Ok(_) | Err(StoreError::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let told = match press.pressed {
            Pressed::Button(_) => Pressing { id: &press.incident, by, presser }.whisper(&Prose::new(from.reason)).await,
            Pressed::Dialog { .. } => true,
        };
        Ok(Said { counts: false, sentence: from.reason.to_owned(), told })
    }

    async fn button(&self, pressing: Pressing<'_>, button: Button) -> Result<Said, CallbackError> {
        match button {
            Button::Approve => self.decided(pressing, Choice::Approve).await,
            Button::Looking => self.decided(pressing, Choice::Looking).await,
            Button::Deny => match self.asks_why(pressing, DialogKind::Deny, Choice::Deny).await? {
                Some(said) => Ok(said),
                None => self.decided(pressing, Choice::Deny).await,
            },
            Button::BreakGlass => match self.asks_why(pressing, DialogKind::BreakGlass, Choice::BreakGlass).await? {
                Some(said) => Ok(said),
                None => {
                    let sentence = format!(
                        "Slack cannot ask for the reason. Use `cordon incident approve {} --break-glass --reason …`.",
                        pressing.id
                    );
                    let told = pressing.whisper(&Prose::new(&sentence)).await;
                    Ok(Said { counts: false, sentence, told })
                }
            },
            Button::Undo => self.undo(pressing).await,
        }
    }

    async fn decided(&self, pressing: Pressing<'_>, choice: Choice) -> Result<Said, CallbackError> {
        let answer = self.decide.run(pressing.id, pressing.voter(), choice, None).await?;
        if answer.counts() {
            self.show(pressing, &answer).await?;
        }
        // A decision is shown to everybody; what is only counted, or refused, is told to the one who pressed.
        let told = matches!(answer, Answer::Accepted(_)) || pressing.whisper(&answer.prose()).await;
        // Somebody whose word counts sees that on the card, now or a little later.
        Ok(Said { counts: answer.counts(), sentence: answer.sentence(), told: told || answer.counts() })
    }

    /// Opens the dialog for somebody whose answer would count. `None` where no dialog can be opened.
    async fn asks_why(&self, pressing: Pressing<'_>, kind: DialogKind, choice: Choice) -> Result<Option<Said>, CallbackError> {
        if let Some(refused) = self.decide.refusal(pressing.id, pressing.voter(), choice).await? {
            let told = pressing.whisper(&refused.prose()).await;
            return Ok(Some(Said { counts: false, sentence: refused.sentence(), told }));
        }
        Ok(self.opens(pressing, kind).await?.then(|| Said { counts: true, sentence: String::new(), told: true }))
    }

    async fn opens(&self, pressing: Pressing<'_>, kind: DialogKind) -> Result<bool, CallbackError> {
        let standing = match kind {
            DialogKind::Undo => self.ask_undo().standing(pressing.id).await?,
            DialogKind::Deny | DialogKind::BreakGlass => String::new(),
        };
        let subject = match self.decide.store.incident(pressing.id).await {
            Ok(incident) => incident.subject.to_string(),
            Err(StoreError::NotFound(_)) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        match pressing.presser.ask(&Dialog { kind, incident: pressing.id.clone(), subject, standing }).await {
            Ok(opened) => Ok(opened),
            Err(error) => {
                tracing::warn!(reason = chain(&error), "a dialog could not be opened");
                Ok(false)
            }
        }
    }

    async fn dialog(&self, pressing: Pressing<'_>, kind: DialogKind, reason: &str) -> Result<Said, CallbackError> {
        let choice = match kind {
            DialogKind::Deny => Choice::Deny,
            DialogKind::BreakGlass => Choice::BreakGlass,
            DialogKind::Undo => {
                let answer = self.wishes_undo(pressing, Some(reason)).await?;
                let sentence = if answer.counts() { String::new() } else { answer.sentence() };
                return Ok(Said { counts: answer.counts(), sentence, told: true });
            }
        };
        let answer = self.decide.run(pressing.id, pressing.voter(), choice, Some(reason)).await?;
        if answer.counts() {
            self.show(pressing, &answer).await?;
        }
        Ok(Said { counts: answer.counts(), sentence: answer.sentence(), told: true })
    }

    fn ask_undo(&self) -> AskUndo<'_> {
        let Decide { store, config, clock, .. } = self.decide;
        AskUndo { store, config, channel: Some(self.channel), clock, while_open: false }
    }

    /// Asks for the reason where a dialog can be opened; else the click is enough.
    async fn undo(&self, pressing: Pressing<'_>) -> Result<Said, CallbackError> {
        let answer = match self.ask_undo().refusal(pressing.id, pressing.voter()).await? {
            Some(no) => no,
            None if self.opens(pressing, DialogKind::Undo).await? => {
                return Ok(Said { counts: true, sentence: String::new(), told: true });
            }
            None => self.wishes_undo(pressing, None).await?,
        };
        let told = pressing.whisper(&Prose::new(&answer.sentence())).await;
        Ok(Said { counts: answer.counts(), sentence: answer.sentence(), told })
    }

    /// Takes the wish, and where more people have to have it, calls them in the thread of the card.
    async fn wishes_undo(&self, pressing: Pressing<'_>, reason: Option<&str>) -> Result<UndoAnswer, CallbackError> {
        let answer = self.ask_undo().run(self.executions, pressing.id, pressing.voter(), reason).await?;
        if let UndoAnswer::Counted { others, .. } = &answer {
            let incident = self.decide.store.incident(pressing.id).await?;
            if let Some(at) = incident.thread()
                && let Err(error) = self.channel.reply(at, &cards::undo_wanted(&incident, others)).await
            {
                tracing::warn!(reason = chain(&error), "the others could not be told that somebody wants an undo");
            }
        }
        Ok(answer)
    }

    /// Shows on the card what counts now: the buttons gone and who decided, or who has approved so far and who is looking. It
    /// counts whether or not Slack takes this.
    async fn show(&self, pressing: Pressing<'_>, answer: &Answer) -> Result<(), CallbackError> {
        let incident = self.decide.store.incident(pressing.id).await?;
        let stopped = switch::stopped(self.decide.store).await?;
        let card: Message = match answer {
            Answer::Accepted(choice) => cards::decided(&incident, *choice != Choice::Deny, pressing.by, stopped.as_deref()),
            Answer::Counted { .. }
            | Answer::Looking { .. }
            | Answer::LookingAlready { .. }
            | Answer::Already { .. }
            | Answer::Expired(_)
            | Answer::Refused(_)
            | Answer::NotFound => match self.decide.store.approval(pressing.id).await? {
                Some(approval) => {
                    let glass = question::has_glass(&self.decide.config.approval, self.channel);
                    cards::asking(&incident, &approval.question().while_stopped(stopped.as_deref()), glass)
                }
                None => return Ok(()),
            },
        };
        let shown = match &incident.delivery.slack {
            Some(at @ SlackMessage { ts: Some(_), .. }) => self.channel.update(at, &card).await,
            Some(SlackMessage { ts: None, .. }) | None => pressing.presser.replace(&card).await,
        };
        if let Err(error) = shown {
            tracing::warn!(reason = chain(&error), "the card could not be updated after a click, and is left to an execution");
            let input = json!({"cordon": "voted", "incident": incident.id});
            let name = format!("voted-{}-click-{}", incident.id, incident.version);
            if let Err(error) = self.executions.start(&name, &input).await {
                tracing::warn!(reason = chain(&error), "the card stays as it is until the next update");
            }
        }
        Ok(())
    }
}
