//! Collects what approvers say to an undo, and starts it once enough of them want it.
//!
//! An undo gives rights back or lifts a deny, so it takes as many people as the approval of the change.

use cordon_core::approval::Ballot;
use cordon_core::incident::{Incident, Skipped, UndoVotes};
use cordon_core::timeline::{Kind, NewEntry};
use cordon_core::{Config, IncidentId};
use cordon_store::{Approval, Store, StoreError, UndoRequest, UndoState};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::approver::{Person, Voter, Wish, entitled};
use crate::electorate::skipped;
use crate::ports::{Channel, Clock, DeliveryError, Executions};

/// An execution that has not carried a wish out by then, with all its retries, never will; the next click may start another.
const CARRIED_OUT_WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// A wish that is older counts no more: who wants an undo today does not join what somebody wanted last month.
const WISHES_COUNT_FOR: SignedDuration = SignedDuration::from_hours(24);
/// How often a wish is counted against others before the caller has to try again.
const TRIES: u32 = 5;

/// What asking for an undo is given.
pub struct AskUndo<'a> {
    /// What is kept.
    pub store: Store<'a>,
    /// The policy: `cordon.toml`.
    pub config: &'a Config,
    /// For the members of user groups.
    pub channel: Option<&'a dyn Channel>,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Whether the changes of an open incident may be undone: by whoever carries it out with their own credentials, for instance
    /// where an execution was stopped. An execution undoes those of a closed one only.
    pub while_open: bool,
}

/// What came of one approver's wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UndoVote {
    /// As many as it takes want it: it is to be carried out.
    Enough(UndoRequest),
    /// It counts, and more have to want it.
    Counted {
        /// How many want it.
        so_far: usize,
        /// How many it takes.
        wanted: u32,
        /// Who else may say so.
        others: Vec<Skipped>,
    },
    /// A sentence: nothing is undone by this.
    No(String),
}

/// What the person is told who wishes to undo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UndoAnswer {
    /// It is being carried out.
    Started,
    /// It counts, and more have to want it.
    Counted {
        /// How many want it.
        so_far: usize,
        /// How many it takes.
        wanted: u32,
        /// Who else may say so.
        others: Vec<Skipped>,
    },
    /// A sentence: nothing is undone by this.
    No(String),
}

impl UndoAnswer {
    /// Whether the person's wish stands.
    #[must_use]
    pub fn counts(&self) -> bool {
        match self {
            Self::Started | Self::Counted { .. } => true,
            Self::No(_) => false,
        }
    }

    /// As plain text.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Started => "The changes are being undone; the incident's thread will show what came of it.".to_owned(),
            Self::Counted { so_far, wanted, others } => counted(*so_far, *wanted, others),
            Self::No(sentence) => sentence.clone(),
        }
    }
}

/// What a wish comes to that is not yet enough.
fn counted(so_far: usize, wanted: u32, others: &[Skipped]) -> String {
    let names: Vec<&str> = others.iter().map(|person| person.name.as_str()).collect();
    let others = if names.is_empty() { "nobody is left who may".to_owned() } else { format!("who may: {}", names.join(", ")) };
    format!(
        "Your wish counts: {so_far} of {wanted} want to undo it. Nothing is undone before the others ask for it too, within a day; {others}."
    )
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
    /// Others were faster each time.
    #[error("others kept asking at the same moment")]
    Crowded,
}

/// Whether a voter may have an incident undone.
enum May {
    Yes(Box<Incident>, Person),
    No(String),
}

/// How many approvers have to want an undo: as many as had to approve the change, by the question or by the policy of today.
#[must_use]
pub fn wanted(config: &Config, incident: &Incident, question: Option<&Approval>) -> u32 {
    if config.approval.undo_by_one {
        return 1;
    }
    let asked = question.map_or(1, |question| question.quorum);
    config.approval.quorum.of(incident.severity).max(asked).max(1)
}

/// Whether a request stands, and as many approvers as it takes want it. One of an earlier deployment names one person only.
pub(crate) fn has_enough(config: &Config, incident: &Incident, question: Option<&Approval>, request: &UndoRequest) -> bool {
    let wishes = u32::try_from(request.ballots.len().max(1)).unwrap_or(u32::MAX);
    request.state == UndoState::Requested && wishes >= wanted(config, incident, question)
}

impl AskUndo<'_> {
    /// Takes an approver's wish, and starts the execution that carries it out once enough of them want it.
    ///
    /// # Errors
    /// [`AskUndoError`].
    pub async fn run(
        &self,
        executions: &dyn Executions,
        id: &IncidentId,
        voter: Voter<'_>,
        reason: Option<&str>,
    ) -> Result<UndoAnswer, AskUndoError> {
        Ok(match self.vote(id, voter, reason, None).await? {
            UndoVote::Enough(wish) => {
                let input = json!({"cordon": "undo", "incident": id, "number": wish.number});
                executions.start(&format!("undo-{id}-{}", wish.number), &input).await?;
                UndoAnswer::Started
            }
            UndoVote::Counted { so_far, wanted, others } => UndoAnswer::Counted { so_far, wanted, others },
            UndoVote::No(sentence) => UndoAnswer::No(sentence),
        })
    }

    /// Takes an approver's wish to undo the whole plan, or only one step of it, counted from 1.
    ///
    /// # Errors
    /// [`AskUndoError`].
    pub async fn vote(
        &self,
        id: &IncidentId,
        voter: Voter<'_>,
        reason: Option<&str>,
        only: Option<usize>,
    ) -> Result<UndoVote, AskUndoError> {
        let (incident, person) = match self.may(id, voter).await? {
            May::Yes(incident, person) => (incident, person),
            May::No(sentence) => return Ok(UndoVote::No(sentence)),
        };
        let steps = incident.assessment.plan.steps.len();
        if let Some(n) = only.filter(|n| !(1..=steps).contains(n)) {
            return Ok(UndoVote::No(format!("The plan has no step {n}, only {steps}.")));
        }
        for _ in 0..TRIES {
            if let Some(vote) = self.attempt(&incident, &person, reason, only).await? {
                return Ok(vote);
            }
        }
        Err(AskUndoError::Crowded)
    }

    /// Why this voter's wish would not count; `None` where it would. For asking for a reason only then.
    ///
    /// # Errors
    /// [`AskUndoError`].
    pub async fn refusal(&self, id: &IncidentId, voter: Voter<'_>) -> Result<Option<UndoAnswer>, AskUndoError> {
        Ok(match self.may(id, voter).await? {
            May::Yes(..) => None,
            May::No(sentence) => Some(UndoAnswer::No(sentence)),
        })
    }

    /// Who else has to want it, in a sentence for whoever is about to ask; empty where one is enough.
    ///
    /// # Errors
    /// [`AskUndoError`].
    pub async fn standing(&self, id: &IncidentId) -> Result<String, AskUndoError> {
        let incident = self.store.incident(id).await?;
        let wanted = wanted(self.config, &incident, self.store.approval(id).await?.as_ref());
        if wanted < 2 {
            return Ok(String::new());
        }
        let found = self.store.undo_request(id).await?;
        let ballots = found.map(|found| standing_ballots(&found, None, self.clock.now())).unwrap_or_default();
        let names: Vec<&str> = ballots.iter().map(|ballot| ballot.name.as_str()).collect();
        let by = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
        Ok(format!("It takes {wanted} approvers; {} so far{by}.", ballots.len()))
    }

    async fn may(&self, id: &IncidentId, voter: Voter<'_>) -> Result<May, AskUndoError> {
        let no = |sentence: &str| Ok(May::No(sentence.to_owned()));
        let incident = match self.store.incident(id).await {
            Ok(incident) => incident,
            Err(StoreError::NotFound(_)) => return no("There is no such incident."),
            Err(error) => return Err(error.into()),
        };
        let person = match entitled(self.config, self.channel, voter, &incident, Wish::Other).await {
            Ok(person) => person,
            Err(refusal) => {
                let refusal = refusal.to_string();
                let data = json!({"choice": "undo", "reason": refusal});
                let entry = NewEntry::by(Kind::Refused, voter.by(), data);
                self.store.commit(id, self.clock.now(), |_| Some(vec![entry.clone()])).await?;
                return no(&refusal);
            }
        };
        if !incident.is_closed() && !self.while_open {
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

    /// One try; `None` where somebody else wrote in the same moment. A wish that is being carried out stays: a double click starts
    /// nothing twice.
    async fn attempt(
        &self,
        incident: &Incident,
        person: &Person,
        reason: Option<&str>,
        only: Option<usize>,
    ) -> Result<Option<UndoVote>, AskUndoError> {
        let now = self.clock.now();
        let found = self.store.undo_request(&incident.id).await?;
        if let Some(found) = &found
            && found.state == UndoState::Requested
            && found.only == only
            && now.duration_since(found.at) < CARRIED_OUT_WITHIN
        {
            return Ok(Some(UndoVote::Enough(found.clone())));
        }
        let question = self.store.approval(&incident.id).await?;
        let wanted = wanted(self.config, incident, question.as_ref());
        let reason = reason.map(str::trim).filter(|reason| !reason.is_empty()).map(str::to_owned);
        let mut ballots = found.as_ref().map(|found| standing_ballots(found, only, now)).unwrap_or_default();
        let is_new = !ballots.iter().any(|ballot| ballot.person == person.id);
        if is_new {
            let (name, by) = (person.name.clone(), person.by.clone());
            ballots.push(Ballot { person: person.id.clone(), name, by, at: now, reason: reason.clone() });
        }
        let so_far = ballots.len();
        let is_enough = u32::try_from(so_far).unwrap_or(u32::MAX) >= wanted;
        let counted = UndoVote::Counted { so_far, wanted, others: skipped(&self.config.approval, incident, &ballots) };
        if !is_enough && !is_new {
            return Ok(Some(counted));
        }
        let goes_on = found.as_ref().is_some_and(|found| found.state == UndoState::Voting && found.only == only);
        let number = found.as_ref().map_or(1, |found| if goes_on { found.number } else { found.number + 1 });
        let wish = UndoRequest {
            version: found.map_or(1, |found| found.version + 1),
            number,
            state: if is_enough { UndoState::Requested } else { UndoState::Voting },
            by: person.by.clone(),
            at: now,
            reason,
            result: Vec::new(),
            complete: false,
            ballots,
            wanted,
            only,
        };
        Ok(if self.write(incident, person, &wish).await? {
            Some(if is_enough { UndoVote::Enough(wish) } else { counted })
        } else {
            None
        })
    }

    /// `false` where somebody else wrote in the same moment.
    async fn write(&self, incident: &Incident, person: &Person, wish: &UndoRequest) -> Result<bool, AskUndoError> {
        let write = Store::undo_write(&incident.id, wish)?;
        let data = json!({
            "name": person.name, "reason": wish.reason, "so_far": wish.ballots.len(), "wanted": wish.wanted, "step": wish.only,
        });
        let kind = match wish.state {
            UndoState::Voting => Kind::Voted,
            UndoState::Requested | UndoState::Done => Kind::UndoRequested,
        };
        let entry = NewEntry::by(kind, &person.by, data);
        let shown = (wish.state == UndoState::Voting)
            .then(|| UndoVotes { wanted: wish.wanted, votes: wish.ballots.iter().map(|ballot| ballot.shown(true)).collect() });
        let written = self
            .store
            .commit_with(&incident.id, self.clock.now(), |incident| {
                incident.approval.undo_votes.clone_from(&shown);
                Some((vec![entry.clone()], vec![write.clone()]))
            })
            .await;
        match written {
            Ok(_) => Ok(true),
            Err(error) if error.is_conflict() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// The wishes that still count, for the same steps.
fn standing_ballots(found: &UndoRequest, only: Option<usize>, now: Timestamp) -> Vec<Ballot> {
    if found.state != UndoState::Voting || found.only != only {
        return Vec::new();
    }
    let counts = |ballot: &&Ballot| now.duration_since(ballot.at) < WISHES_COUNT_FOR;
    found.ballots.iter().filter(counts).cloned().collect()
}
