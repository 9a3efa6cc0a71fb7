//! The final card: the outcome of the incident, who decided it, which calls hold, and how long it took.
//!
//! It says "contained" only if the outcome is `contained`; it never infers that from the steps.

use cordon_core::config::OnTimeout;
use cordon_core::incident::Incident;
use cordon_core::{Call, Outcome, PlannedStep, Question, Route, Stays, Vote};
use cordon_respond::Kept;
use cordon_respond::runner::{StepRecord, StepState};
use cordon_slack::Message;
use cordon_slack::blocks::Block;
use cordon_slack::text::{code, sentence};
use jiff::Timestamp;

use crate::card::Card;
use crate::layout::{CALLS, counted, took, utc, with_full_stop};
use crate::people::{Decider, Place, names};

const STEP: usize = 1_200;

/// The card at the end of an incident. `steps` are the records of the plan's steps in order, `None` for one that was never begun;
/// `question` is the one that people were asked, if they were.
#[must_use]
pub fn outcome(incident: &Incident, outcome: Outcome, steps: &[Option<StepRecord>], question: Option<&Question<'_>>) -> Message {
    let ahead = Ahead::at_the_end(incident, outcome, steps, question);
    let (decided_by, mut note) = decision(incident, outcome, question);
    let carried_out = changes_something(outcome) || ahead != Ahead::Nothing;
    let plan = incident.assessment.plan.steps.iter().zip(0..).map(|(step, n)| (step, steps.get(n).and_then(Option::as_ref)));
    let undoable = carried_out && plan.clone().any(|(step, record)| !step.undo.is_empty() && stands(record));
    let tried: Vec<Tried<'_>> =
        if carried_out { plan.flat_map(|(step, record)| Tried::all(step, record)).collect() } else { Vec::new() };
    if outcome == Outcome::Failed {
        let said = [note, how_far(&tried)].into_iter().flatten().map(|said| with_full_stop(&said)).collect::<Vec<_>>();
        note = (!said.is_empty()).then(|| said.join(" "));
    }
    Card::of(incident).ending(&Ending { outcome, decided_by, tried, undoable, ahead, note })
}

/// What became of a containment that went ahead of its question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ahead {
    /// None did.
    Nothing,
    Stands,
    TakenBack,
    /// It was taken back but for what another incident still needs.
    TakenBackInPart,
}

impl Ahead {
    pub fn at_the_end(
        incident: &Incident,
        outcome: Outcome,
        steps: &[Option<StepRecord>],
        question: Option<&Question<'_>>,
    ) -> Self {
        let is_kept = steps.iter().flatten().any(|record| !record.kept.is_empty());
        let held = question.is_some_and(|question| question.vote == Vote::Expired && question.on_timeout != OnTimeout::Close);
        match outcome {
            Outcome::Denied | Outcome::Expired if !incident.went_ahead() => Self::Nothing,
            Outcome::Expired if held => Self::Stands,
            Outcome::Denied | Outcome::Expired if is_kept => Self::TakenBackInPart,
            Outcome::Denied | Outcome::Expired => Self::TakenBack,
            Outcome::Exempt
            | Outcome::Alerted
            | Outcome::Contained
            | Outcome::Partial
            | Outcome::Failed
            | Outcome::NeedsPerson => Self::Nothing,
        }
    }
}

/// One call of the plan, and the record of its step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tried<'a> {
    pub step: &'a PlannedStep,
    pub call: &'a Call,
    pub state: Option<&'a StepState>,
    /// What an undo left, because another incident still needs it.
    pub kept: &'a [Kept],
}

/// The end of an incident, as the card tells it.
#[derive(Clone, Debug)]
pub(crate) struct Ending<'a> {
    pub outcome: Outcome,
    pub decided_by: Option<Decider<'a>>,
    /// Empty where the plan was not carried out.
    pub tried: Vec<Tried<'a>>,
    /// Whether something stands that the Undo button takes back.
    pub undoable: bool,
    pub ahead: Ahead,
    /// What else the reader must know. Sentences.
    pub note: Option<String>,
}

impl<'a> Tried<'a> {
    pub fn all(step: &'a PlannedStep, record: Option<&'a StepRecord>) -> impl Iterator<Item = Self> {
        let kept = record.map_or(&[][..], |record| &record.kept);
        step.calls.iter().map(move |call| Self { step, call, state: record.map(|record| &record.state), kept })
    }

    fn is_verified(&self) -> bool {
        self.state == Some(&StepState::Verified)
    }

    /// A sign and a word, so that nobody has to know the sign; and a sentence more where there is one.
    fn said(&self) -> (&'static str, &'static str, Option<&'a str>) {
        let unverified = |detail| ("⚠", "made, but not seen to hold", detail);
        let not_made = |detail| ("➖", "not made", detail);
        match self.state {
            Some(StepState::Verified) => ("✅", "verified", self.step.note.as_deref()),
            Some(StepState::Applied) => unverified(None),
            Some(StepState::Stripped { missing }) => unverified(Some(missing)),
            Some(StepState::SnapshotTaken) => {
                ("❔", "not known", Some("Cordon stopped in the middle of it, so the call may have been made."))
            }
            Some(StepState::Failed { reason }) => ("❌", "failed", Some(reason)),
            Some(StepState::Reverting) => ("❔", "not known", Some("It was being undone when Cordon stopped.")),
            Some(StepState::Reverted) => not_made(Some("It was undone.")),
            Some(StepState::Planned) | None => not_made(None),
        }
    }

    fn line(&self) -> String {
        if self.state == Some(&StepState::Reverted) && !self.kept.is_empty() {
            let kept = self.kept.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            return format!("➖ {} undone, and left in part: {}", code(&self.call.to_string(), STEP), sentence(&kept, 300));
        }
        let (sign, word, detail) = self.said();
        let detail = detail.map(|detail| format!(": {}", sentence(detail, 300))).unwrap_or_default();
        format!("{sign} {} {word}{detail}", code(&self.call.to_string(), STEP))
    }
}

/// Who decided, and what else has to be said of it.
fn decision<'a>(
    incident: &'a Incident,
    outcome: Outcome,
    question: Option<&Question<'a>>,
) -> (Option<Decider<'a>>, Option<String>) {
    match question {
        Some(question) if outcome == Outcome::Partial && question.vote == Vote::Denied => {
            let by = question.by.unwrap_or("unknown");
            (None, Some(format!("Denied by `{by}`, and not everything that was done ahead could be taken back")))
        }
        Some(question) if question.vote == Vote::Expired && question.on_timeout == OnTimeout::Contain => {
            (None, Some("Nobody decided in time, so only the containment was made, as configured".to_owned()))
        }
        Some(question) if matches!(question.vote, Vote::Approved | Vote::Denied) => {
            let alone =
                incident.approval.break_glass.as_ref().map(|glass| format!("Approved alone, past the quorum: {}", glass.reason));
            (question.by.map(|by| Decider::among(&incident.approval.votes, by)), alone)
        }
        Some(_) => (None, None),
        None => {
            let decision = incident.assessment.decision.as_ref().filter(|decision| decision.route == Route::Act);
            (decision.map(|_| Decider::Configuration), None)
        }
    }
}

/// Whether a step left something that can be taken back, or may have: of a step that failed, a call may have been made before.
fn stands(record: Option<&StepRecord>) -> bool {
    record.is_some_and(|record| match record.state {
        StepState::Applied | StepState::Verified | StepState::Stripped { .. } => true,
        StepState::SnapshotTaken | StepState::Failed { .. } | StepState::Reverting => record.snapshot.is_some(),
        StepState::Planned | StepState::Reverted => false,
    })
}

/// How far an incident came whose execution failed; `None` where there was nothing to do.
fn how_far(tried: &[Tried<'_>]) -> Option<String> {
    let count = |is: fn(&StepState) -> bool| tried.iter().filter(|tried| tried.state.is_some_and(is)).count();
    let made = count(|state| matches!(state, StepState::Applied | StepState::Verified | StepState::Stripped { .. }));
    let unknown = count(|state| matches!(state, StepState::SnapshotTaken | StepState::Reverting));
    let not_made = tried.len() - made - unknown;
    (!tried.is_empty()).then(|| {
        let calls = counted(tried.len(), "call", "calls");
        format!("Of {calls}, {made} made, {not_made} not made, {unknown} not known. Make by hand what is not marked as made")
    })
}

/// `contained` is not said without what stays, nor at all where the effect of an event does.
pub(crate) fn headline(outcome: Outcome, dry_run: bool, ahead: Ahead, stays: &[Stays]) -> &'static str {
    let effect_stays = stays.iter().any(Stays::is_effect);
    match (outcome, ahead) {
        (Outcome::Denied, Ahead::TakenBack) => "Denied: the containment was taken back.",
        (Outcome::Denied, Ahead::TakenBackInPart) => {
            "Denied: the containment was taken back, but for what another incident needs."
        }
        (Outcome::Expired, Ahead::TakenBack) => "Expired: nobody answered in time, and the containment was taken back.",
        (Outcome::Expired, Ahead::TakenBackInPart) => {
            "Expired: nobody answered in time, and the containment was taken back, but for what another incident needs."
        }
        (Outcome::Expired, Ahead::Stands) => "Expired: nobody answered in time. The containment stays.",
        (Outcome::Exempt, _) => "Exempt: nothing was changed.",
        (Outcome::Alerted, _) if dry_run => "Dry run: nothing was changed.",
        (Outcome::Alerted, _) => "Alert only: nothing was changed.",
        (Outcome::Denied, _) => "Denied: nothing was changed.",
        (Outcome::Expired, _) => "Expired: nobody answered in time, and nothing was changed.",
        (Outcome::Contained | Outcome::Partial, _) if effect_stays => {
            "Partial: what was done stays, as listed below. A person must look now."
        }
        (Outcome::Contained, _) if stays.is_empty() => "Contained.",
        (Outcome::Contained, _) => "Contained. What this does not stop is listed below.",
        (Outcome::Partial, _) => "Partial: not contained. A person must look now.",
        (Outcome::Failed, _) => "Failed. A person must look now.",
        (Outcome::NeedsPerson, _) => "A person must look. Cordon changed nothing.",
    }
}

fn changes_something(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Contained | Outcome::Partial | Outcome::Failed => true,
        Outcome::Exempt | Outcome::Alerted | Outcome::Denied | Outcome::Expired | Outcome::NeedsPerson => false,
    }
}

/// Whether the configuration decided, not a person or the course of events; then its reason is the news.
fn is_by_configuration(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Exempt | Outcome::Alerted | Outcome::NeedsPerson => true,
        Outcome::Denied | Outcome::Expired | Outcome::Contained | Outcome::Partial | Outcome::Failed => false,
    }
}

/// The title of the plan's calls where no step was tried.
fn calls_title(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Alerted => Some("What would have been done"),
        Outcome::Denied | Outcome::Expired => Some("Calls that were not made"),
        Outcome::Contained | Outcome::Partial | Outcome::Failed => Some("Calls of the plan"),
        Outcome::Exempt | Outcome::NeedsPerson => None,
    }
}

/// The title of what stays.
fn stays_title(ending: &Ending<'_>) -> Option<&'static str> {
    match ending.outcome {
        Outcome::Contained | Outcome::Partial | Outcome::Failed => Some("What this does not stop"),
        Outcome::Denied | Outcome::Expired if ending.ahead == Ahead::Stands => Some("What this does not stop"),
        Outcome::Alerted => Some("What it would not have stopped"),
        Outcome::Denied | Outcome::Expired | Outcome::Exempt | Outcome::NeedsPerson => None,
    }
}

impl Card<'_> {
    /// The same card, the buttons gone, with what became of the incident.
    pub(crate) fn ending(&self, ending: &Ending<'_>) -> Message {
        let headline = headline(ending.outcome, self.incident.is_dry_run(), ending.ahead, &self.incident.assessment.stays);
        let note = ending.note.as_deref().map(with_full_stop).unwrap_or_default();
        let reason = if is_by_configuration(ending.outcome) {
            with_full_stop(&format!("Decision: {}", self.reason().trim()))
        } else {
            String::new()
        };
        let mut first = format!("*{headline}*");
        for said in [sentence(&reason, 300), ending.decided(Place::Block), sentence(&note, 500)] {
            if !said.is_empty() {
                first.push(' ');
                first.push_str(&said);
            }
        }
        let mut blocks = self.opening(first);
        if ending.tried.is_empty() {
            blocks.extend(calls_title(ending.outcome).and_then(|title| self.calls_section(title)));
        } else {
            blocks.extend(self.section("Calls", ending.tried.iter().map(Tried::line).collect(), CALLS).map(Block::kept));
        }
        if let Some(title) = stays_title(ending) {
            blocks.extend(self.stays_section(title));
        }
        blocks.extend(self.undo_standing().map(Block::Section));
        if changes_something(ending.outcome) || ending.ahead == Ahead::Stands {
            blocks.extend(self.undo_section(&format!("To undo: {}", self.command("undo"))));
            blocks.extend(ending.undoable.then(|| self.undo_button()));
        }
        blocks.extend(self.by_hand_section());
        blocks.extend(self.exceptions_section());
        blocks.push(Block::Context(vec![self.times()]));
        blocks.push(self.footer());
        self.message(&format!("{headline} {}", ending.decided(Place::Notification)), blocks)
    }

    /// Who wants it undone, where that is not yet enough.
    fn undo_standing(&self) -> Option<String> {
        let votes = self.incident.approval.undo_votes.as_ref()?;
        let by = names(votes.votes.iter().map(|vote| Decider::Person { by: &vote.by, name: Some(&vote.name) }), Place::Block)?;
        let (so_far, wanted) = (votes.votes.len(), votes.wanted);
        Some(format!("*Undo*\n{so_far} of {wanted} approvers want it, by {by}. Nothing is undone before the others do."))
    }

    /// When what happened; each as the time since the one before.
    fn times(&self) -> String {
        let Incident { opened_at, contained_at, approval, .. } = self.incident;
        let mut said = format!("Detected {}", utc(*opened_at));
        let mut previous: Timestamp = *opened_at;
        for (name, at) in [("asked", &approval.asked_at), ("decided", &approval.decided_at), ("contained", contained_at)] {
            let Some(at) = *at else { continue };
            said.push_str(&format!(" · {name} {} later", took(previous, at)));
            previous = at;
        }
        said
    }
}

impl Ending<'_> {
    /// "Approved by …; 2 of 2 calls verified.", as far as it applies.
    fn decided(&self, place: Place) -> String {
        let word = if self.outcome == Outcome::Denied { "Denied" } else { "Approved" };
        let by = self.decided_by.as_ref().map(|decider| format!("{word} by {}", decider.named(place)));
        let verified = self.tried.iter().filter(|tried| tried.is_verified()).count();
        let held =
            (!self.tried.is_empty()).then(|| format!("{verified} of {} verified", counted(self.tried.len(), "call", "calls")));
        let said: Vec<String> = by.into_iter().chain(held).collect();
        with_full_stop(&said.join("; "))
    }
}
