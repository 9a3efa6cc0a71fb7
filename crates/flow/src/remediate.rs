//! Remediate and Verify: carry out the released part of the stored plan, and read it back. Revert: reverts a containment that
//! preceded its question. Undo: reverts everything, at an approver's request in Slack.
//!
//! INVARIANT: nothing is planned here. Only steps of the stored plan are carried out, and only those that are released: by an
//! approval in the table, by a gate that the policy names, or by `on_timeout` for a question that nobody answered. In a dry run
//! nothing is written.

pub mod hold;
mod part;

use std::sync::Arc;

use cordon_contract::{RemediateInput, RemediateOutput, StateError};
use cordon_core::approval::Vote;
use cordon_core::config::{Mode, OnTimeout};
use cordon_core::incident::{Incident, State};
use cordon_core::pattern::Pattern;
use cordon_core::timeline::{Kind, NewEntry};
use cordon_core::{Config, Detection, IncidentId, Route, Stays};
use cordon_respond::planner::{self, Case};
use cordon_respond::port::Account;
use cordon_respond::runner::{self, ApplyResult, RunError, VerifyResult};
use cordon_respond::stays::stays;
use cordon_respond::{Bounds, IamError};
use cordon_store::{Store, StoreError, UndoState};
use serde_json::json;

use crate::accounts::{self, Accounts, SessionError};
use crate::ports::Clock;
use crate::switch;
use crate::undo::{self, Undo, UndoError};
use part::{Part, Released};

/// What carrying out is given.
pub struct Remediate<'a> {
    /// What is kept.
    pub store: Store<'a>,
    /// The policy: `cordon.toml`.
    pub config: &'a Config,
    /// IAM, account by account.
    pub accounts: &'a dyn Accounts,
    /// Cordon's own roles, which no step may touch.
    pub own: &'a [Pattern],
    /// The time.
    pub clock: &'a dyn Clock,
}

/// Why nothing was done, or not all.
#[derive(Debug, thiserror::Error)]
pub enum RemediateError {
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// IAM of the event's account does not answer at the moment.
    #[error(transparent)]
    Busy(IamError),
    /// The run stopped short; the same run again goes on.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Nothing releases it, in a sentence.
    #[error("nothing was changed: {0}")]
    NotReleased(&'static str),
    /// It could not be taken back.
    #[error(transparent)]
    Undo(#[from] UndoError),
}

/// IAM of the event's account, or why nothing can be changed there.
enum Opened {
    Iam(Arc<dyn Account>),
    No(String),
}

impl Remediate<'_> {
    /// Does what the state machine wants done, as far as it is released.
    ///
    /// # Errors
    /// [`RemediateError`], under the contract's names.
    pub async fn run(&self, input: RemediateInput) -> Result<RemediateOutput, StateError> {
        Ok(self.answer(input).await?)
    }

    async fn answer(&self, input: RemediateInput) -> Result<RemediateOutput, RemediateError> {
        match input {
            RemediateInput::Apply { incident } => self.apply(&incident).await,
            RemediateInput::Verify { incident } => self.verify(&incident).await,
            RemediateInput::Revert { incident } => self.revert(&incident).await,
            RemediateInput::Undo { incident } => self.undo(&incident).await,
        }
    }

    async fn apply(&self, id: &IncidentId) -> Result<RemediateOutput, RemediateError> {
        let incident = self.store.incident(id).await?;
        let released = self.released(&incident).await?;
        // What goes ahead of its question does not hold the question up.
        if released != Released::Ahead
            && let Some(held) = self.hold(&incident).await?
        {
            return Ok(held);
        }
        let incident = self.begin(&incident, released).await?;
        let part = Part::of(&incident.assessment.plan, released, self.store.steps(id, self.clock.now()));
        let result = match self.open(&incident).await? {
            Opened::Iam(iam) => part.renumbered(runner::apply_plan(&*iam, &self.bounds(), &part.plan, &part).await?),
            Opened::No(reason) => accounts::none_of(&incident, || ApplyResult::Failed { reason: reason.clone() }),
        };
        let data = json!({"complete": result.complete, "part": word(released), "steps": result.steps});
        self.store.commit(id, self.clock.now(), |_| Some(vec![NewEntry::cordon(Kind::Applied, data.clone())])).await?;
        Ok(if result.complete { RemediateOutput::Applied } else { RemediateOutput::Partial })
    }

    /// Says that the plan is being carried out, before its first call: from here on no event joins. What joined before happened
    /// before the calls, which undo it. A containment ahead of the question undoes nothing, and events go on joining.
    async fn begin(&self, incident: &Incident, released: Released) -> Result<Incident, RemediateError> {
        match released {
            Released::Ahead => return Ok(incident.clone()),
            Released::All | Released::Containment => {}
        }
        let joined = self.store.joined(&incident.id).await?;
        let begun = self
            .store
            .commit(&incident.id, self.clock.now(), |incident| {
                let is_held = incident.approval.held.take().is_some();
                if incident.state == State::Remediating || incident.is_closed() {
                    return is_held.then(Vec::new);
                }
                incident.state = State::Remediating;
                Some(joined.fold_into(incident).into_iter().collect())
            })
            .await?;
        Ok(begun)
    }

    async fn verify(&self, id: &IncidentId) -> Result<RemediateOutput, RemediateError> {
        let incident = self.store.incident(id).await?;
        let released = self.released(&incident).await?;
        if released != Released::Ahead
            && let Some(held) = self.hold_or_resume(&incident).await?
        {
            return Ok(held);
        }
        let part = Part::of(&incident.assessment.plan, released, self.store.steps(id, self.clock.now()));
        let opened = self.open(&incident).await?;
        let result = match &opened {
            Opened::Iam(iam) => part.renumbered(runner::verify_plan(&**iam, &self.bounds(), &part.plan, &part).await?),
            Opened::No(reason) => accounts::none_of(&incident, || VerifyResult::Failed { reason: reason.clone() }),
        };
        let again = result.steps.iter().any(|step| step.result.wants_another_read());
        let stripped = result.steps.iter().any(|step| matches!(step.result, VerifyResult::Reapplied { .. }));
        let now = self.clock.now();
        // What was not released, or was left to a person, is not done because the rest is.
        let all_holds = result.complete && part.is_everything();
        let remaining = match &opened {
            Opened::Iam(iam) if all_holds => self.remaining(&**iam, &incident).await?,
            Opened::Iam(_) | Opened::No(_) => Vec::new(),
        };
        let assessment = &incident.assessment;
        let joined = self.store.joined(id).await?;
        let stays = stays(&incident, &assessment.plan, &assessment.nothing_to_undo, &joined.events);
        let contained = all_holds && remaining.is_empty() && !stays.iter().any(Stays::is_effect);
        let data = json!({
            "complete": result.complete, "part": word(released), "steps": result.steps, "by_hand": incident.assessment.plan.by_hand,
            "remaining": remaining, "stays": stays,
        });
        let kind = if stripped { Kind::Reapplied } else { Kind::Verified };
        self.store
            .commit(id, now, |incident| {
                incident.assessment.remaining.clone_from(&remaining);
                incident.assessment.stays.clone_from(&stays);
                if contained {
                    incident.contained_at = Some(incident.contained_at.unwrap_or(now));
                }
                Some(vec![NewEntry::cordon(kind, data.clone())])
            })
            .await?;
        Ok(match (contained, again) {
            (true, _) => RemediateOutput::Contained,
            (false, true) => RemediateOutput::Again,
            (false, false) => RemediateOutput::Partial,
        })
    }

    /// Asks for the effect of the incident's events, which all did the same to the same thing, whatever the plan holds: a remedy that
    /// had found nothing when the plan was made is asked again. A read that fails is tried again, or else is no containment.
    async fn remaining(&self, iam: &dyn Account, incident: &Incident) -> Result<Vec<String>, RemediateError> {
        let is_caught =
            |detection: &&Detection| incident.assessment.caught.as_ref().is_none_or(|caught| caught.contains(&detection.rule));
        let detections: Vec<Detection> = incident.detections.iter().filter(is_caught).cloned().collect();
        let case = Case {
            incident: &incident.id,
            account: incident.account.as_ref(),
            actor: &incident.actor,
            subject: &incident.subject,
            detections: &detections,
            event: &incident.event,
            now: self.clock.now(),
        };
        let read = match planner::renamed(&self.store, &case).await {
            Ok(Some(renamed)) => return Ok(vec![renamed.sentence()]),
            Ok(None) => planner::remaining(iam, &self.store, self.config, &case, &incident.assessment.plan).await,
            Err(error) => Err(error),
        };
        match read {
            Ok(remaining) => Ok(remaining),
            Err(error) if error.retryable() => Err(RemediateError::Busy(error)),
            Err(error) => Ok(vec![format!("whether the event's effect is gone could not be read: {error}")]),
        }
    }

    fn bounds(&self) -> Bounds<'_> {
        Bounds { config: self.config, never: self.own }
    }

    /// IAM of the event's account, or why nothing can be changed there.
    async fn open(&self, incident: &Incident) -> Result<Opened, RemediateError> {
        if let Some(stopped) = switch::stopped(self.store).await? {
            return Ok(Opened::No(stopped));
        }
        match accounts::open(self.accounts, incident).await {
            Ok(iam) => Ok(Opened::Iam(iam)),
            Err(SessionError(error)) if error.retryable() => Err(RemediateError::Busy(error)),
            Err(error) => Ok(Opened::No(error.to_string())),
        }
    }

    /// Takes the containment back, where the question it went ahead of was denied, or ended without an answer.
    async fn revert(&self, id: &IncidentId) -> Result<RemediateOutput, RemediateError> {
        let incident = self.store.incident(id).await?;
        self.may_write(&incident)?;
        let approval = self.store.approval(id).await?;
        let taken_back = approval.as_ref().is_some_and(|approval| match approval.vote {
            Vote::Denied => true,
            Vote::Expired => approval.on_timeout == OnTimeout::Close,
            Vote::Waiting | Vote::Approved => false,
        });
        if !taken_back {
            return refuse("nobody has denied it, and it has not expired");
        }
        let result = self.undoing().run(id, "cordon", None, false).await?;
        Ok(if result.complete { RemediateOutput::Reverted } else { RemediateOutput::RevertRefused })
    }

    async fn undo(&self, id: &IncidentId) -> Result<RemediateOutput, RemediateError> {
        let incident = self.store.incident(id).await?;
        let outcome = |complete| if complete { RemediateOutput::Undone } else { RemediateOutput::UndoRefused };
        let Some(request) = self.store.undo_request(id).await? else { return refuse("nobody has asked to undo it") };
        match request.state {
            // A retry, after the answer was lost.
            UndoState::Done => return Ok(outcome(request.complete)),
            UndoState::Requested => {}
            UndoState::Voting => return refuse("not enough approvers have asked to undo it"),
        }
        if !incident.is_closed() {
            return refuse("the incident is still open");
        }
        self.may_write(&incident)?;
        // Asked again here, as with an approval.
        if !undo::has_enough(self.config, &incident, self.store.approval(id).await?.as_ref(), &request) {
            return refuse("fewer approvers than it takes have asked to undo it");
        }
        Ok(outcome(self.undoing().carry_out(id, request).await?.complete))
    }

    fn undoing(&self) -> Undo<'_> {
        Undo { store: self.store, accounts: self.accounts, clock: self.clock }
    }

    fn may_write(&self, incident: &Incident) -> Result<(), RemediateError> {
        never_writes(self.config, incident).map_or(Ok(()), refuse)
    }

    /// Asked again here, whatever path the state machine took: the last gate before a write.
    async fn released(&self, incident: &Incident) -> Result<Released, RemediateError> {
        self.may_write(incident)?;
        let route = incident.assessment.decision.as_ref().map(|decision| decision.route);
        let goes_ahead = match route {
            Some(Route::Act) => return Ok(Released::All),
            Some(Route::Ask) => false,
            Some(Route::ContainThenAsk) => true,
            Some(Route::Exempt | Route::Alert) | None => return refuse("its route does not lead to a change"),
        };
        let approval = self.store.approval(&incident.id).await?;
        match approval.as_ref().map(|approval| (approval.vote, approval.on_timeout)) {
            Some((Vote::Approved, _)) => Ok(Released::All),
            Some((Vote::Expired, OnTimeout::Contain)) => Ok(Released::Containment),
            Some((Vote::Waiting, _)) | None if goes_ahead => Ok(Released::Ahead),
            Some((Vote::Waiting | Vote::Denied | Vote::Expired, _)) | None => refuse("nobody has approved it"),
        }
    }
}

/// Why this deployment and this event may change nothing at all; `None` where they may.
pub(crate) fn never_writes(config: &Config, incident: &Incident) -> Option<&'static str> {
    if config.mode != Mode::Enforce || incident.is_dry_run() {
        return Some("the mode is dry-run");
    }
    (!incident.event.origin.may_enforce()).then_some("the event's source is not trusted to change anything")
}

fn refuse<T>(reason: &'static str) -> Result<T, RemediateError> {
    Err(RemediateError::NotReleased(reason))
}

fn word(released: Released) -> &'static str {
    match released {
        Released::All => "all",
        Released::Containment | Released::Ahead => "containment",
    }
}
