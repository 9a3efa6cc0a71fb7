//! The card while the incident is open, and where nobody is asked: asking, decided, acting, alert, exempt, needs a person.

use super::layout::{counted, lead, local, utc, with_full_stop};
use super::{Ahead, Card, Decider, Message, Question};
use crate::blocks::Block;
use crate::text::{sentence, unformatted};

impl Card {
    /// Puts the incident to a person: the plan, how it is undone, and the buttons.
    pub fn asking(&self, question: &Question) -> Message {
        let (bold, prose, news) = self.what_is_asked(question.ahead);
        let mut first = lead(bold, prose);
        if let Some(deadline) = question.deadline {
            first.push_str(&format!(" Answer before {}.", local(deadline)));
        }
        if let Some(standing) = question.standing(Decider::marked_up) {
            first.push('\n');
            first.push_str(&standing);
        }
        let mut blocks = self.opening(first);
        let none = || Block::Section("*What Approve does*\nNo call: there is nothing here that Cordon may change.".into());
        blocks.extend(self.reach_section());
        let title = format!("What Approve does: {}", counted(self.calls.len(), "call", "calls"));
        blocks.push(self.calls_section(&title).unwrap_or_else(none));
        blocks.extend(self.notes_section());
        blocks.extend(self.undo_section("How it is undone"));
        blocks.extend(self.by_hand_section());
        blocks.extend(self.exceptions_section());
        blocks.extend([self.buttons(question.break_glass), self.footer()]);
        let by = question.deadline.map(|deadline| format!(" before {}", utc(deadline))).unwrap_or_default();
        let standing = question.standing(Decider::spoken).map(|said| format!(" {said}")).unwrap_or_default();
        self.message(&format!("Approve or deny{by}. {news}{standing}"), blocks)
    }

    /// In bold, in prose, and in a notification.
    fn what_is_asked(&self, ahead: Ahead) -> (&'static str, &'static str, &'static str) {
        match ahead {
            _ if self.dry_run => (
                "Rehearsal: decide this as if it were real.",
                "Nothing is changed, whatever you press. In earnest, Approve would make the calls below.",
                "This is a rehearsal: nothing is changed, whatever you press.",
            ),
            Ahead::Stands => (
                "Decide: the actor is contained for now.",
                "What can be taken back has been done. Approve makes the rest of the calls below. Deny takes it back and closes the incident.",
                "The actor is contained for now; a denial takes that back.",
            ),
            Ahead::Nothing | Ahead::TakenBack => (
                "Decide: contain this, or leave it?",
                "Nothing has been changed yet. Approve makes the calls below. Deny changes nothing and closes the incident.",
                "Nothing has been changed yet.",
            ),
        }
    }

    /// The asking card after the click that counted, while its calls are being made: the buttons are gone.
    pub fn decided(&self, approved: bool, by: &Decider, ahead: Ahead) -> Message {
        let calls = counted(self.calls.len(), "call", "calls");
        let (word, what) = match (approved, ahead) {
            (true, _) if self.dry_run => ("Approved", "It is a rehearsal, so nothing is changed.".to_owned()),
            (true, Ahead::Stands) => ("Approved", format!("The rest of {calls} to make; the outcome follows here.")),
            (true, Ahead::Nothing | Ahead::TakenBack) => ("Approved", format!("{calls} to make; the outcome follows here.")),
            (false, Ahead::Stands) => ("Denied", "The containment is being taken back; the outcome follows here.".to_owned()),
            (false, Ahead::Nothing | Ahead::TakenBack) => ("Denied", "Nothing is changed.".to_owned()),
        };
        let mut blocks = self.opening(format!("*{word}* by {}. {what}", by.marked_up()));
        blocks.extend(self.calls_section(if approved { "Calls being made" } else { "Calls that are not made" }));
        if approved {
            blocks.extend(self.notes_section());
            blocks.extend(self.undo_section("How it is undone"));
        }
        blocks.push(self.footer());
        self.message(&format!("{word} by {}. {what}", by.spoken()), blocks)
    }

    /// Tells that calls are being made without a question, because the configuration says so for this rule.
    pub fn acting(&self) -> Message {
        let reason = with_full_stop(&self.decision_reason);
        let mut blocks = self.opening(lead("Acting without asking.", &format!("{reason} The outcome follows here.")));
        blocks.extend(self.calls_section("Calls being made"));
        blocks.extend(self.notes_section());
        blocks.extend(self.undo_section("How it is undone"));
        blocks.extend(self.by_hand_section());
        blocks.extend(self.exceptions_section());
        blocks.push(self.footer());
        self.message("Acting without asking, as configured for this rule.", blocks)
    }

    /// Tells, and changes nothing. In dry run it also says what would have been done.
    pub fn alert(&self) -> Message {
        let (bold, calls, undo, news) = if self.dry_run {
            (
                "Dry run: nothing was changed.",
                "What would have been done",
                "How it would have been undone",
                "Dry run: nothing was changed.",
            )
        } else {
            ("Alert: nothing was changed.", "What could be done", "How it would be undone", "Nothing was changed.")
        };
        let mut blocks = self.opening(lead(bold, &with_full_stop(&format!("Decision: {}", self.decision_reason.trim()))));
        blocks.extend(self.reach_section());
        blocks.extend(self.calls_section(calls));
        blocks.extend(self.notes_section());
        blocks.extend(self.undo_section(undo));
        blocks.extend(self.by_hand_section());
        blocks.extend(self.exceptions_section());
        blocks.push(self.footer());
        self.message(news, blocks)
    }

    /// Tells that somebody allowed this, and who or what says so.
    pub fn exempt(&self) -> Message {
        let reason = with_full_stop(&self.decision_reason);
        let mut blocks = self.opening(lead("Exempt: this was allowed, and nothing was changed.", &reason));
        blocks.extend(self.exceptions_section());
        blocks.push(self.footer());
        self.message(&format!("Exempt, and nothing was changed: {reason}"), blocks)
    }

    /// A few sentences of ours about the incident: below its card, or in another channel. Values in them stand in backticks.
    pub fn note(&self, prose: &str) -> Message {
        let prose = if prose.trim().is_empty() { "There is news of this incident." } else { prose };
        let blocks = [Block::Section(sentence(prose, NOTE)), Block::Context(vec![self.named()])];
        Message {
            text: unformatted(&format!("{} {}", with_full_stop(prose), self.spoken_name()).replace('`', ""), NOTE),
            blocks: blocks.iter().map(Block::to_value).collect(),
        }
    }

    /// Says that Cordon could not judge this or must not touch it, and what a person should do.
    pub fn needs_person(&self) -> Message {
        let reason = with_full_stop(&self.decision_reason);
        let mut blocks = self.opening(lead("A person must look. Cordon changed nothing.", &reason));
        blocks.extend(self.reach_section());
        blocks.extend(self.by_hand_section());
        blocks.extend(self.exceptions_section());
        blocks.push(self.footer());
        self.message(&format!("A person must look: {reason}"), blocks)
    }
}

/// The longest note.
const NOTE: usize = 1_500;
/// Names in a row; the rest is counted.
const NAMED: usize = 3;

impl Question {
    /// Who has approved so far, how many that takes, and who is looking.
    fn standing(&self, name: fn(&Decider) -> String) -> Option<String> {
        let mut said = Vec::new();
        if self.needed > 1 || !self.approved_by.is_empty() {
            let of = format!("{} of {} approvals", self.approved_by.len(), self.needed.max(1));
            said.push(match names(&self.approved_by, name) {
                Some(by) => format!("{of} so far, by {by}."),
                None => format!("{of} so far."),
            });
        }
        said.extend(names(&self.looking, name).map(|who| format!("Looking: {who}.")));
        (!said.is_empty()).then(|| said.join(" "))
    }
}

fn names(people: &[Decider], name: fn(&Decider) -> String) -> Option<String> {
    let mut named: Vec<String> = people.iter().take(NAMED).map(name).collect();
    let more = people.len().saturating_sub(NAMED);
    if more > 0 {
        named.push(format!("{more} more"));
    }
    (!named.is_empty()).then(|| named.join(", "))
}
