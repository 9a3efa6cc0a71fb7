//! The card of an open incident, and of one that asks nobody: asking, decided, acting, alert, exempt, needs a person.

use cordon_core::incident::{Incident, State};
use cordon_core::{Question, Route, Vote};
use cordon_slack::Message;
use cordon_slack::blocks::Block;

use crate::card::Card;
use crate::electorate::spoken;
use crate::layout::{counted, lead, local, utc, with_full_stop};
use crate::people::{Decider, Place, names};

/// Puts the incident to people: the plan, how it is undone, and the buttons. `can_ask_why` says whether an approver may break the
/// glass here: `cordon.toml` allows it, and a dialog can ask for the reason.
#[must_use]
pub fn asking(incident: &Incident, question: &Question<'_>, can_ask_why: bool) -> Message {
    Card::of(incident).asking(question, can_ask_why)
}

/// The asking card after the word that decided, while its calls are being made, or wait because enforcement is `stopped`: the buttons are gone. `by` as the timeline names them.
#[must_use]
pub fn decided(incident: &Incident, approved: bool, by: &str, stopped: Option<&str>) -> Message {
    Card::of(incident).decided(approved, &Decider::among(&incident.approval.votes, by), stopped)
}

/// Tells that calls are being made without a question, because the configuration says so for this rule.
#[must_use]
pub fn acting(incident: &Incident) -> Message {
    Card::of(incident).acting()
}

/// Tells, and changes nothing. In dry run it also says what would have been done.
#[must_use]
pub fn alert(incident: &Incident) -> Message {
    Card::of(incident).alert()
}

/// Tells that somebody allowed this, and who or what says so.
#[must_use]
pub fn exempt(incident: &Incident) -> Message {
    Card::of(incident).exempt()
}

/// Says that Cordon could not judge this or must not touch it, and what a person should do.
#[must_use]
pub fn needs_person(incident: &Incident) -> Message {
    Card::of(incident).needs_person()
}

/// The card as it stands now, for when a fact of it has changed. `None` where none was posted, or the incident is over.
#[must_use]
pub fn current(incident: &Incident, question: Option<&Question<'_>>, can_ask_why: bool) -> Option<Message> {
    if incident.outcome.is_some() || incident.delivery.slack.is_none() {
        return None;
    }
    match (incident.state, question, incident.assessment.decision.as_ref().map(|decision| decision.route)) {
        (State::Opened | State::Closed, _, _) | (_, _, None) => None,
        (State::Asking, Some(question), _) if question.vote == Vote::Waiting => Some(asking(incident, question, can_ask_why)),
        (_, Some(question), _) => match question.vote {
            Vote::Approved | Vote::Denied => {
                Some(decided(incident, question.vote == Vote::Approved, question.by.unwrap_or_default(), question.stopped))
            }
            Vote::Waiting | Vote::Expired => None,
        },
        (_, None, Some(Route::Act)) => Some(acting(incident)),
        (_, None, Some(Route::Alert)) => Some(alert(incident)),
        (_, None, Some(Route::Exempt)) => Some(exempt(incident)),
        (_, None, Some(Route::Ask | Route::ContainThenAsk)) => None,
    }
}

impl Card<'_> {
    pub(crate) fn asking(&self, question: &Question<'_>, can_ask_why: bool) -> Message {
        let (bold, prose, news) = self.what_is_asked();
        let mut first = lead(bold, prose);
        first.push_str(&format!(" Answer before {}.", local(question.deadline)));
        if let Some(standing) = self.standing(question, Place::Block) {
            first.push('\n');
            first.push_str(&standing);
        }
        let stopped = question.stopped.filter(|_| !self.incident.is_dry_run());
        let mut blocks = self.opening(first);
        blocks.extend(
            stopped
                .map(|reason| Block::Section(lead("⏸ Enforcement is stopped: nothing would be done now.", &held_prose(reason)))),
        );
        blocks.extend(self.electorate_section());
        let none = || Block::Section("*What Approve does*\nNo call: there is nothing here that Cordon may change.".into());
        blocks.extend(self.reach_section());
        let title = format!("What Approve does: {}", counted(self.incident.assessment.plan.calls().len(), "call", "calls"));
        blocks.push(self.calls_section(&title).unwrap_or_else(none));
        blocks.extend(self.stays_section("What Approve does not stop"));
        blocks.extend(self.notes_section());
        blocks.extend(self.undo_section("How it is undone"));
        blocks.extend(self.by_hand_section());
        blocks.extend(self.exceptions_section());
        // Where one approval is enough there is no glass to break, and a rehearsal tells nobody that they were skipped.
        let break_glass = can_ask_why && question.quorum > 1 && !self.incident.is_dry_run();
        blocks.extend([self.buttons(break_glass, stopped.is_some()), self.footer()]);
        let standing = self.standing(question, Place::Notification).map(|said| format!(" {said}")).unwrap_or_default();
        let shut_out = self.incident.approval.electorate.as_ref().map(spoken).unwrap_or_default();
        let stopped = if stopped.is_some() { " Enforcement is stopped: nothing would be done now." } else { "" };
        self.message(&format!("Approve or deny before {}. {news}{stopped}{standing}{shut_out}", utc(question.deadline)), blocks)
    }

    /// In bold, in prose, and in a notification.
    fn what_is_asked(&self) -> (&'static str, &'static str, &'static str) {
        if self.incident.is_dry_run() {
            return (
                "Rehearsal: decide this as if it were real.",
                "Nothing is changed, whatever you press. In earnest, Approve would make the calls below.",
                "This is a rehearsal: nothing is changed, whatever you press.",
            );
        }
        if self.incident.went_ahead() {
            return (
                "Decide: the actor is contained for now.",
                "What can be taken back has been done. Approve makes the rest of the calls below. Deny takes it back and closes the incident.",
                "The actor is contained for now; a denial takes that back.",
            );
        }
        (
            "Decide: contain this, or leave it?",
            "Nothing has been changed yet. Approve makes the calls below. Deny changes nothing and closes the incident.",
            "Nothing has been changed yet.",
        )
    }

    /// Who has approved so far, how many that takes, and who is looking.
    fn standing(&self, question: &Question<'_>, place: Place) -> Option<String> {
        let mut said = Vec::new();
        if question.quorum > 1 || !question.ballots.is_empty() {
            let of = format!("{} of {} approvals", question.ballots.len(), question.quorum.max(1));
            said.push(match names(question.ballots.iter().map(Decider::from), place) {
                Some(by) => format!("{of} so far, by {by}."),
                None => format!("{of} so far."),
            });
        }
        said.extend(
            self.incident.approval.looking.as_ref().map(|looking| format!("Looking: {}.", Decider::from(looking).named(place))),
        );
        (!said.is_empty()).then(|| said.join(" "))
    }

    pub(crate) fn decided(&self, approved: bool, by: &Decider<'_>, stopped: Option<&str>) -> Message {
        let calls = counted(self.incident.assessment.plan.calls().len(), "call", "calls");
        let (word, what) = match (approved, self.incident.went_ahead()) {
            (true, _) if self.incident.is_dry_run() => ("Approved", "It is a rehearsal, so nothing is changed.".to_owned()),
            (true, _) if stopped.is_some() => {
                ("Approved", format!("⏸ Enforcement is stopped, so {calls} wait for `cordon resume`; the outcome follows here."))
            }
            (true, true) => ("Approved", format!("The rest of {calls} to make; the outcome follows here.")),
            (true, false) => ("Approved", format!("{calls} to make; the outcome follows here.")),
            (false, true) => ("Denied", "The containment is being taken back; the outcome follows here.".to_owned()),
            (false, false) => ("Denied", "Nothing is changed.".to_owned()),
        };
        let mut blocks = self.opening(format!("*{word}* by {}. {what}", by.named(Place::Block)));
        let title = match (approved, stopped) {
            (true, None) => "Calls being made",
            (true, Some(_)) => "Calls that wait",
            (false, _) => "Calls that are not made",
        };
        blocks.extend(self.calls_section(title));
        if approved {
            blocks.extend(self.stays_section("What they do not stop"));
            blocks.extend(self.notes_section());
            blocks.extend(self.undo_section("How it is undone"));
            blocks.extend(self.by_hand_section());
        }
        blocks.push(self.footer());
        self.message(&format!("{word} by {}. {what}", by.named(Place::Notification)), blocks)
    }

    pub(crate) fn acting(&self) -> Message {
        let reason = with_full_stop(self.reason());
        let (bold, title) = match self.incident.approval.held {
            None => ("Acting without asking.", "Calls being made"),
            Some(_) => ("⏸ Waiting: enforcement is stopped, and nothing is done before `cordon resume`.", "Calls that wait"),
        };
        let mut blocks = self.opening(lead(bold, &format!("{reason} The outcome follows here.")));
        blocks.extend(self.calls_section(title));
        blocks.extend(self.stays_section("What they do not stop"));
        blocks.extend(self.notes_section());
        blocks.extend(self.undo_section("How it is undone"));
        blocks.extend(self.by_hand_section());
        blocks.extend(self.exceptions_section());
        blocks.push(self.footer());
        self.message("Acting without asking, as configured for this rule.", blocks)
    }

    pub(crate) fn alert(&self) -> Message {
        let (bold, calls, stays, undo, news) = if self.incident.is_dry_run() {
            (
                "Dry run: nothing was changed.",
                "What would have been done",
                "What it would not have stopped",
                "How it would have been undone",
                "Dry run: nothing was changed.",
            )
        } else {
            (
                "Alert: nothing was changed.",
                "What could be done",
                "What it would not stop",
                "How it would be undone",
                "Nothing was changed.",
            )
        };
        let mut blocks = self.opening(lead(bold, &with_full_stop(&format!("Decision: {}", self.reason().trim()))));
        blocks.extend(self.reach_section());
        blocks.extend(self.calls_section(calls));
        blocks.extend(self.stays_section(stays));
        blocks.extend(self.notes_section());
        blocks.extend(self.undo_section(undo));
        blocks.extend(self.by_hand_section());
        blocks.extend(self.exceptions_section());
        blocks.push(self.footer());
        self.message(news, blocks)
    }

    pub(crate) fn exempt(&self) -> Message {
        let reason = with_full_stop(self.reason());
        let mut blocks = self.opening(lead("Exempt: this was allowed, and nothing was changed.", &reason));
        blocks.extend(self.exceptions_section());
        blocks.push(self.footer());
        self.message(&format!("Exempt, and nothing was changed: {reason}"), blocks)
    }

    pub(crate) fn needs_person(&self) -> Message {
        let reason = with_full_stop(self.reason());
        let mut blocks = self.opening(lead("A person must look. Cordon changed nothing.", &reason));
        blocks.extend(self.reach_section());
        blocks.extend(self.by_hand_section());
        blocks.extend(self.exceptions_section());
        blocks.push(self.footer());
        self.message(&format!("A person must look: {reason}"), blocks)
    }
}

/// What an approval comes to while enforcement is stopped.
fn held_prose(reason: &str) -> String {
    let mut chars = reason.chars();
    let reason: String = chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect();
    format!("{} An approval given now is kept, and carried out after that.", with_full_stop(&reason))
}
