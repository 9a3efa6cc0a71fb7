//! A person's decision: who may make it, how many people it takes, and that it is made once.
//!
//! INVARIANT: nobody decides an incident in which they are the actor; nobody outside the list decides; a person counts once; the
//! first decision wins by a conditional write, and later voters are told who decided. One denial decides. A refusal changes
//! nothing.

use cordon_core::approval::{Ballot, Vote};
use cordon_core::incident::{BrokenGlass, Incident, Looking, State};
use cordon_core::timeline::{Kind, NewEntry};
use cordon_core::{Config, IncidentId};
use cordon_store::{Approval, Store, StoreError};
use serde_json::{Value, json};

pub use cordon_cards::Answer;
pub use cordon_core::Choice;

use crate::approver::{Person, Voter, Wish, entitled};
use crate::electorate::skipped;
use crate::ports::{Channel, Clock, Completion, DeliveryError, Tasks};
use crate::question;

/// How often a vote is counted against others before the caller has to try again.
const TRIES: u32 = 5;
const NO_GLASS: &str = "Approving alone is not allowed here (`break_glass` of [approval] in cordon.toml). Nothing was changed.";
/// The longest reason that is kept.
const REASON_MAX_CHARS: usize = 1_000;

/// What deciding is given.
pub struct Decide<'a> {
    /// What is kept.
    pub store: Store<'a>,
    /// The policy: `cordon.toml`.
    pub config: &'a Config,
    /// For the members of user groups; `None` where nobody can be asked.
    pub channel: Option<&'a dyn Channel>,
    /// Where a decision is delivered.
    pub tasks: &'a dyn Tasks,
    /// The time.
    pub clock: &'a dyn Clock,
}

/// Why a person's word could not be taken now. What was written is finished by the next one.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Step Functions did not take the decision, which is on record.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// Others were faster each time.
    #[error("others kept deciding at the same moment")]
    Crowded,
}

/// What comes of a vote, before it is written.
enum Counted {
    Write {
        next: Box<Approval>,
        kind: Kind,
        data: Value,
        glass: Option<BrokenGlass>,
    },
    /// The same person has said the same before.
    Nothing(Answer),
}

impl Decide<'_> {
    /// Takes a person's word. Whether a click really came from Slack, or who the credentials belong to, has been checked before.
    pub async fn run(
        &self,
        id: &IncidentId,
        voter: Voter<'_>,
        choice: Choice,
        reason: Option<&str>,
    ) -> Result<Answer, DecideError> {
        let Some(incident) = self.find(id).await? else { return Ok(Answer::NotFound) };
        let person = match entitled(self.config, self.channel, voter, &incident, wish(choice)).await {
            Ok(person) => person,
            Err(refusal) => return self.refuse(id, voter.by(), choice, refusal.to_string()).await,
        };
        let reason =
            reason.map(|text| text.trim().chars().take(REASON_MAX_CHARS).collect::<String>()).filter(|text| !text.is_empty());
        if choice == Choice::BreakGlass
            && let Some(refusal) = self.glass_stays_whole(reason.as_deref())
        {
            return self.refuse(id, voter.by(), choice, refusal.to_owned()).await;
        }
        for tries in 1..=TRIES {
            if let Some(answer) = self.attempt(id, &person, choice, reason.as_deref()).await? {
                return Ok(answer);
            }
            self.store.pause(tries).await;
        }
        Err(DecideError::Crowded)
    }

    /// Why this voter may not decide the incident at all; `None` where they may. For asking somebody for a reason only where it
    /// would count.
    pub async fn refusal(&self, id: &IncidentId, voter: Voter<'_>, choice: Choice) -> Result<Option<Answer>, DecideError> {
        let Some(incident) = self.find(id).await? else { return Ok(Some(Answer::NotFound)) };
        let refusal = match entitled(self.config, self.channel, voter, &incident, wish(choice)).await {
            Ok(_) if choice == Choice::BreakGlass && !self.config.approval.break_glass => NO_GLASS.to_owned(),
            Ok(_) => return Ok(None),
            Err(refusal) => refusal.to_string(),
        };
        self.refuse(id, voter.by(), choice, refusal).await.map(Some)
    }

    async fn find(&self, id: &IncidentId) -> Result<Option<Incident>, DecideError> {
        match self.store.incident(id).await {
            Ok(incident) => Ok(Some(incident)),
            Err(StoreError::NotFound(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn refuse(&self, id: &IncidentId, by: &str, choice: Choice, reason: String) -> Result<Answer, DecideError> {
        let data = json!({"choice": choice.as_str(), "reason": reason});
        self.store.commit(id, self.clock.now(), |_| Some(vec![NewEntry::by(Kind::Refused, by, data.clone())])).await?;
        Ok(Answer::Refused(reason))
    }

    fn glass_stays_whole(&self, reason: Option<&str>) -> Option<&'static str> {
        if !self.config.approval.break_glass {
            return Some(NO_GLASS);
        }
        reason.is_none().then_some("Approving alone needs a reason. Nothing was changed.")
    }

    /// One try; `None` where somebody else wrote in the same moment.
    async fn attempt(
        &self,
        id: &IncidentId,
        person: &Person,
        choice: Choice,
        reason: Option<&str>,
    ) -> Result<Option<Answer>, DecideError> {
        let now = self.clock.now();
        let incident = self.store.incident(id).await?;
        let Some(found) = self.store.approval(id).await? else {
            return Ok(Some(Answer::Expired("This incident asks for no decision.".to_owned())));
        };
        match found.vote {
            Vote::Approved | Vote::Denied => return self.finish(&incident, &found).await.map(Some),
            Vote::Expired => return Ok(Some(Answer::late())),
            Vote::Waiting if incident.is_closed() => {
                return Ok(Some(Answer::Expired("This incident is over; nothing was changed by this.".to_owned())));
            }
            Vote::Waiting if !question::is_in_time(&found, now) => return Ok(Some(Answer::late())),
            Vote::Waiting => {}
        }
        let ballot = Ballot {
            person: person.id.clone(),
            name: person.name.clone(),
            by: person.by.clone(),
            at: now,
            reason: reason.map(str::to_owned),
        };
        let counted = match choice {
            Choice::Looking => return self.look(id, person).await.map(Some),
            Choice::Deny => deny(&found, &ballot),
            Choice::Approve => approve(&found, ballot.clone()),
            Choice::BreakGlass => self.break_glass(&incident, &found, ballot.clone()),
        };
        let (next, kind, data, glass) = match counted {
            Counted::Nothing(answer) => return Ok(Some(answer)),
            Counted::Write { next, kind, data, glass } => (*next, kind, data, glass),
        };
        let write = Store::approval_write(id, &next)?;
        let denial = (next.vote == Vote::Denied).then(|| ballot.shown(false));
        let written = self
            .store
            .commit_with(id, now, |incident| {
                if next.vote != Vote::Waiting {
                    incident.approval.decided_at = Some(now);
                }
                incident.approval.votes = next.ballots.iter().map(|ballot| ballot.shown(true)).chain(denial.clone()).collect();
                incident.approval.break_glass.clone_from(&glass);
                Some((vec![NewEntry::by(kind, &person.by, data.clone())], vec![write.clone()]))
            })
            .await;
        match written {
            Ok(incident) => self.answer(&incident, &next, choice).await.map(Some),
            Err(error) if error.is_conflict() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn answer(&self, incident: &Incident, written: &Approval, choice: Choice) -> Result<Answer, DecideError> {
        if written.vote == Vote::Waiting {
            return Ok(Answer::counted(&written.question()));
        }
        match question::deliver(self.tasks, incident, written).await? {
            Completion::Delivered => Ok(Answer::Accepted(choice)),
            // A time-out was a moment faster, and finishes this same decision; or the execution was stopped.
            Completion::Gone => Ok(Answer::Expired(
                "Your decision is on record, but the question had just ended; the incident's message shows what came of it."
                    .to_owned(),
            )),
        }
    }

    /// Takes the incident on. The first one stays.
    async fn look(&self, id: &IncidentId, person: &Person) -> Result<Answer, DecideError> {
        let now = self.clock.now();
        let looking = Looking { by: person.by.clone(), name: person.name.clone(), at: now };
        let incident = self
            .store
            .commit(id, now, |incident| {
                if incident.approval.looking.is_some() || incident.is_closed() {
                    return None;
                }
                incident.approval.looking = Some(looking.clone());
                Some(vec![NewEntry::by(Kind::Acknowledged, &person.by, json!({"name": person.name}))])
            })
            .await?;
        Ok(match &incident.approval.looking {
            Some(first) if first.by == person.by => Answer::Looking { escalated: incident.is_escalated() },
            Some(first) => Answer::LookingAlready { by: first.by.clone() },
            None => Answer::late(),
        })
    }

    /// Approves alone, where more people were wanted. Where this vote is enough anyway, no glass is broken.
    fn break_glass(&self, incident: &Incident, found: &Approval, ballot: Ballot) -> Counted {
        let with = approve_anew(found, ballot.clone());
        if with.ballots.len() >= quorum(&with) {
            return approve(found, ballot);
        }
        let reason = ballot.reason.unwrap_or_default();
        let skipped = skipped(&self.config.approval, incident, &with.ballots);
        let names: Vec<&str> = skipped.iter().map(|skipped| skipped.name.as_str()).collect();
        let data = json!({"name": ballot.name, "reason": reason, "approved": with.ballots.len(), "wanted": with.quorum, "skipped": names});
        let glass = BrokenGlass { by: ballot.by.clone(), reason: reason.clone(), skipped };
        let next = Approval { vote: Vote::Approved, by: Some(ballot.by), break_glass: Some(reason), ..with };
        Counted::Write { next: Box::new(next), kind: Kind::BreakGlass, data, glass: Some(glass) }
    }

    /// A decision stands already. It may have been written without being delivered, so it is delivered again: a task that has
    /// it answers that it is over.
    async fn finish(&self, incident: &Incident, decided: &Approval) -> Result<Answer, DecideError> {
        if incident.state == State::Asking {
            match question::deliver(self.tasks, incident, decided).await? {
                Completion::Delivered | Completion::Gone => {}
            }
        }
        Ok(Answer::Already { approved: decided.vote == Vote::Approved, by: decided.by.clone().unwrap_or_default() })
    }
}

fn wish(choice: Choice) -> Wish {
    match choice {
        Choice::Approve => Wish::Approve,
        Choice::Deny | Choice::BreakGlass | Choice::Looking => Wish::Other,
    }
}

fn quorum(approval: &Approval) -> usize {
    usize::try_from(approval.quorum).unwrap_or(usize::MAX).max(1)
}

/// The approval with one more ballot, or with the same person's again.
fn approve_anew(found: &Approval, ballot: Ballot) -> Approval {
    let mut next = found.next();
    next.ballots.retain(|other| other.person != ballot.person);
    next.ballots.push(ballot);
    next
}

fn approve(found: &Approval, ballot: Ballot) -> Counted {
    let next = approve_anew(found, ballot.clone());
    let data = json!({"name": ballot.name, "reason": ballot.reason, "approved": next.ballots.len(), "wanted": next.quorum});
    if next.ballots.len() >= quorum(&next) {
        let next = Approval { vote: Vote::Approved, by: Some(ballot.by), ..next };
        return Counted::Write { next: Box::new(next), kind: Kind::Approved, data, glass: None };
    }
    if found.ballots.iter().any(|other| other.person == ballot.person) {
        return Counted::Nothing(Answer::counted(&found.question()));
    }
    Counted::Write { next: Box::new(next), kind: Kind::Voted, data, glass: None }
}

/// One is enough: whoever sees a reason not to may stop it alone.
fn deny(found: &Approval, ballot: &Ballot) -> Counted {
    let mut next = found.next();
    next.ballots.retain(|other| other.person != ballot.person);
    let next = Approval { vote: Vote::Denied, by: Some(ballot.by.clone()), ..next };
    let data = json!({"name": ballot.name, "reason": ballot.reason});
    Counted::Write { next: Box::new(next), kind: Kind::Denied, data, glass: None }
}
