//! Undo: reverts an incident's plan, the last step first, and refuses if someone changed the target since; and an approver's
//! request for it in Slack.
//!
//! A click must be answered within three seconds and an undo can take longer, so a click only writes the request and starts an
//! execution. INVARIANT: an execution undoes nothing without a request in the table, and only an approver's click writes one.

use cordon_core::incident::Incident;
use cordon_core::timeline::{Kind, NewEntry};
use cordon_core::{Config, IncidentId};
use cordon_respond::IamError;
use cordon_respond::runner::RunError;
use cordon_respond::runner::{self, PlanResult, RevertResult, StepOutcome, StepState};
use cordon_store::{Store, StoreError, TableError, UndoRequest, UndoState};
use jiff::SignedDuration;
use serde_json::json;

use crate::accounts::{self, Accounts, SessionError};
use crate::approver::{Person, Voter, entitled};
use crate::ports::{Channel, Clock, DeliveryError, Executions};

/// What undoing is given.
pub struct Undo<'a> {
    /// What is kept.
    pub store: Store<'a>,
    /// IAM, account by account.
    pub accounts: &'a dyn Accounts,
    /// The time.
    pub clock: &'a dyn Clock,
}

/// Why nothing could be undone now.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// IAM of the event's account does not answer at the moment.
    #[error(transparent)]
    Busy(IamError),
    /// IAM of the event's account cannot be opened.
    #[error("nothing was undone: {0}")]
    NoSession(#[source] SessionError),
    /// The run stopped short.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Undo<'_> {
    /// Undoes the whole plan, or only one step of it, counted from 1. A dry run reads and says.
    pub async fn run(
        &self,
        id: &IncidentId,
        by: &str,
        only: Option<usize>,
        dry_run: bool,
    ) -> Result<PlanResult<RevertResult>, UndoError> {
        let incident = self.store.incident(id).await?;
        let iam = accounts::open(self.accounts, &incident).await.map_err(|error| match error {
            SessionError(error) if error.retryable() => UndoError::Busy(error),
            error => UndoError::NoSession(error),
        })?;
        if !dry_run {
            self.store.announce(incident.assessment.plan.steps.iter().flat_map(|step| &step.undo), self.clock.now()).await?;
        }
        let result =
            runner::revert_plan(&*iam, &incident.assessment.plan, &self.store.steps(id, self.clock.now()), only, dry_run).await?;
        let tried = |step: &StepOutcome<RevertResult>| match step.result {
            RevertResult::Reverted { .. } | RevertResult::Drift { .. } | RevertResult::Failed { .. } => true,
            RevertResult::Would { .. } | RevertResult::Nothing { .. } => false,
        };
        // What changed nothing and refused nothing is no part of the incident's story.
        if result.steps.iter().any(tried) || (!dry_run && self.was_undone_untold(id, &result).await?) {
            let kind = if result.complete { Kind::Undone } else { Kind::UndoRefused };
            let data = json!({"complete": result.complete, "steps": result.steps});
            self.store.commit(id, self.clock.now(), |_| Some(vec![NewEntry::by(kind, by, data.clone())])).await?;
        }
        Ok(result)
    }

    /// An earlier run undid it and died before it could tell.
    async fn was_undone_untold(&self, id: &IncidentId, result: &PlanResult<RevertResult>) -> Result<bool, UndoError> {
        let mut undone = false;
        for step in &result.steps {
            undone |= self.store.step(id, step.n).await?.is_some_and(|record| record.state == StepState::Reverted);
        }
        Ok(undone && !self.store.timeline(id).await?.iter().any(|entry| entry.kind == Kind::Undone))
    }
}

/// What became of each step, for people.
#[must_use]
pub fn sentences(result: &PlanResult<RevertResult>) -> Vec<String> {
    let calls = |calls: &[cordon_core::Call]| calls.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let sentence = |step: &StepOutcome<RevertResult>| {
        let n = step.n;
        match &step.result {
            RevertResult::Reverted { calls: made } => format!("step {n}: undone by {}", calls(made)),
            RevertResult::Would { calls: would } => format!("step {n}: would be undone by {}", calls(would)),
            RevertResult::Nothing { reason } => format!("step {n}: nothing to do, {reason}"),
            RevertResult::Drift { expected, found } => {
                format!("step {n}: not undone, because it was changed since (expected {expected}, found {found})")
            }
            RevertResult::Failed { reason } => format!("step {n}: not undone, {reason}"),
        }
    };
    result.steps.iter().map(sentence).collect()
}

/// A wish to undo, from Slack.
pub struct AskUndo<'a> {
    /// What is kept.
    pub store: Store<'a>,
    /// The policy: `cordon.toml`.
    pub config: &'a Config,
    /// For the members of user groups.
    pub channel: Option<&'a dyn Channel>,
    /// Starts the execution that carries the wish out.
    pub executions: &'a dyn Executions,
    /// The time.
    pub clock: &'a dyn Clock,
}

/// An execution that has not carried a wish out by then, with all its retries, never will; the next click may start another.
const CARRIED_OUT_WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// What the person is told who wishes to undo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UndoAnswer {
    /// It is being carried out.
    Started,
    /// A sentence: nothing is undone by this.
    No(String),
}

impl UndoAnswer {
    /// As plain text.
    #[must_use]
    pub fn sentence(&self) -> &str {
        match self {
            Self::Started => "The changes are being undone; the incident's thread will show what came of it.",
            Self::No(sentence) => sentence,
        }
    }
}

/// Why a wish to undo could not be taken now.
#[derive(Debug, thiserror::Error)]
pub enum AskUndoError {
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The execution that carries it out could not be started.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
}

/// Whether a voter may have an incident undone.
enum May {
    Yes(Box<Incident>, Person),
    No(UndoAnswer),
}

impl AskUndo<'_> {
    /// Writes the wish and starts the execution that carries it out. One approver is enough, who is not the actor.
    pub async fn run(&self, id: &IncidentId, voter: Voter<'_>, reason: Option<&str>) -> Result<UndoAnswer, AskUndoError> {
        let (incident, person) = match self.may(id, voter).await? {
            May::Yes(incident, person) => (incident, person),
            May::No(answer) => return Ok(answer),
        };
        let wish = self.wish(&incident, &person, reason).await?;
        let input = json!({"cordon": "undo", "incident": id, "number": wish.number});
        self.executions.start(&format!("undo-{id}-{}", wish.number), &input).await?;
        Ok(UndoAnswer::Started)
    }

    /// Why this voter's wish would not count; `None` where it would. For asking for a reason only then.
    pub async fn refusal(&self, id: &IncidentId, voter: Voter<'_>) -> Result<Option<UndoAnswer>, AskUndoError> {
        Ok(match self.may(id, voter).await? {
            May::Yes(..) => None,
            May::No(answer) => Some(answer),
        })
    }

    async fn may(&self, id: &IncidentId, voter: Voter<'_>) -> Result<May, AskUndoError> {
        let no = |sentence: &str| Ok(May::No(UndoAnswer::No(sentence.to_owned())));
        let incident = match self.store.incident(id).await {
            Ok(incident) => incident,
            Err(StoreError::NotFound(_)) => return no("There is no such incident."),
            Err(error) => return Err(error.into()),
        };
        let person = match entitled(self.config, self.channel, voter, &incident.actor).await {
            Ok(person) => person,
            Err(refusal) => {
                let refusal = refusal.to_string();
                let data = json!({"choice": "undo", "reason": refusal});
                let entry = NewEntry::by(Kind::Refused, voter.by(), data);
                self.store.commit(id, self.clock.now(), |_| Some(vec![entry.clone()])).await?;
                return no(&refusal);
            }
        };
        if !incident.is_closed() {
            return no("This incident is still open, so there is nothing to undo yet.");
        }
        if !self.changed_something(&incident).await? {
            return no("Nothing was changed in this incident, so there is nothing to undo.");
        }
        Ok(May::Yes(Box::new(incident), person))
    }

    async fn changed_something(&self, incident: &Incident) -> Result<bool, AskUndoError> {
        for n in 1..=incident.assessment.plan.steps.len() {
            if self.store.step(&incident.id, n).await?.is_some_and(|record| record.snapshot.is_some()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The wish as it stands in the table. One that is being carried out stays: a double click starts nothing twice.
    async fn wish(&self, incident: &Incident, person: &Person, reason: Option<&str>) -> Result<UndoRequest, AskUndoError> {
        let now = self.clock.now();
        let found = self.store.undo_request(&incident.id).await?;
        if let Some(found) = &found
            && found.state == UndoState::Requested
            && now.duration_since(found.at) < CARRIED_OUT_WITHIN
        {
            return Ok(found.clone());
        }
        let (version, number) = found.map_or((1, 1), |found| (found.version + 1, found.number + 1));
        let reason = reason.map(str::to_owned).filter(|reason| !reason.is_empty());
        let wish = UndoRequest {
            version,
            number,
            state: UndoState::Requested,
            by: person.by.clone(),
            at: now,
            reason,
            result: Vec::new(),
            complete: false,
        };
        let write = Store::undo_write(&incident.id, &wish)?;
        let entry = NewEntry::by(Kind::UndoRequested, &person.by, json!({"name": person.name, "reason": wish.reason}));
        let written = self.store.commit_with(&incident.id, now, |_| Some((vec![entry.clone()], vec![write.clone()]))).await;
        match written {
            Ok(_) => Ok(wish),
            Err(error) if error.is_conflict() => {
                let other = self.store.undo_request(&incident.id).await?;
                other.ok_or_else(|| StoreError::from(TableError::Transient("a wish to undo vanished".to_owned())).into())
            }
            Err(error) => Err(error.into()),
        }
    }
}
