//! What is said below a card, or in another channel about it: a few sentences of ours, and whom they call.
//!
//! Names and Slack ids come from `cordon.toml`. Reasons that a person wrote are prose like any other and cannot mention.

use cordon_core::incident::{BrokenGlass, Electorate, Incident, Skipped};
use cordon_core::{Outcome, Question, Stays};
use cordon_respond::runner::StepRecord;
use cordon_slack::blocks::Block;
use cordon_slack::text::{sentence, unformatted};
use cordon_slack::{Message, Prose};
use serde_json::json;

use crate::card::Card;
use crate::ending::Ahead;
use crate::layout::{utc, with_full_stop};

/// The longest note, in Slack's characters.
const NOTE: usize = 1_500;

/// A few sentences of ours about an incident, for its thread or for another channel. Values in them stand in backticks.
#[must_use]
pub fn note(incident: &Incident, prose: &str) -> Message {
    Card::of(incident).note(prose)
}

/// What the thread gets when further events have joined.
#[must_use]
pub fn joined(incident: &Incident) -> Message {
    let (have, events) = if incident.merges.merged == 1 { ("has", "further event") } else { ("have", "further events") };
    let newest = incident.merges.last_merged.as_ref().map(|event| {
        let at = event.time.map(|at| format!(" at `{}`", utc(at))).unwrap_or_default();
        let from = event.source_ip.as_ref().map(|ip| format!(" from `{ip}`")).unwrap_or_default();
        format!(" The newest: `{}`{at}{from}.", event.name)
    });
    let newest = newest.unwrap_or_default();
    let (count, id) = (incident.merges.merged, &incident.id);
    note(incident, &format!("{count} {events} of this case {have} joined.{newest} `cordon incident show {id}` lists them."))
}

/// What the thread gets at the end, because an edited card makes no sound.
#[must_use]
pub fn ended(incident: &Incident, outcome: Outcome, steps: &[Option<StepRecord>], question: Option<&Question<'_>>) -> Message {
    let stays = &incident.assessment.stays;
    let effect_stays = stays.iter().any(Stays::is_effect);
    let said = match (outcome, Ahead::at_the_end(incident, outcome, steps, question)) {
        (Outcome::Denied, Ahead::TakenBack) => "Denied: the containment was taken back.",
        (Outcome::Denied, Ahead::TakenBackInPart) => {
            "Denied: the containment was taken back, but for what another incident needs."
        }
        (Outcome::Expired, Ahead::TakenBack) => "Expired: nobody answered in time, and the containment was taken back.",
        (Outcome::Expired, Ahead::TakenBackInPart) => {
            "Expired: nobody answered in time, and the containment was taken back, but for what another incident needs."
        }
        (Outcome::Expired, Ahead::Stands) => "Expired: nobody answered in time. The containment stays.",
        (Outcome::Exempt, _) => "Over: this was allowed, and nothing was changed.",
        (Outcome::Alerted, _) => "Over: nothing was changed.",
        (Outcome::Denied, _) => "Denied: nothing was changed.",
        (Outcome::Expired, _) => "Expired: nobody answered in time, and nothing was changed.",
        (Outcome::Contained | Outcome::Partial, _) if effect_stays => {
            "Partial: what was done stays. The card lists what stays. A person must look now."
        }
        (Outcome::Contained, _) if stays.is_empty() => "Contained: every call of the plan was seen to hold twice.",
        (Outcome::Contained, _) => {
            "Contained: every call of the plan was seen to hold twice. The card lists what this does not stop."
        }
        (Outcome::Partial, _) => "Partial: not contained. A person must look now.",
        (Outcome::Failed, _) => "Failed. A person must look now.",
        (Outcome::NeedsPerson, _) => "A person must look. Cordon changed nothing.",
    };
    note(incident, said)
}

/// Calls everybody who may decide, because nobody has.
#[must_use]
pub fn escalated(incident: &Incident, everybody: &[Skipped]) -> Message {
    let approved = incident.approval.votes.iter().filter(|vote| vote.approves).count();
    let so_far =
        if approved > 0 { format!(" {approved} of {} have approved so far.", incident.approval.quorum) } else { String::new() };
    let id = &incident.id;
    let prose = format!(
        "{} incident: `{}` by `{}` waits for a decision.{so_far} Without Slack: `cordon incident approve {id}`, `cordon incident deny {id}`.",
        incident.severity,
        incident.event.name,
        incident.actor.display()
    );
    calling(incident, "Nobody has answered. Please decide:", everybody, &prose)
}

/// Tells at once that nobody, or not enough people, may approve an incident, and calls those who may at least say something.
#[must_use]
pub fn nobody_may_decide(incident: &Incident, electorate: &Electorate) -> Message {
    let out = electorate.shut_out.iter().map(|out| format!("`{}`: {}", out.name, out.why)).collect::<Vec<_>>().join("; ");
    let hopeless = electorate.hopeless.as_deref().unwrap_or("somebody may not approve this");
    let id = &incident.id;
    let prose = format!(
        "{} incident: `{}` by `{}`. The question expires unless somebody contains it by hand, or `approval.approvers` of cordon.toml gets another person: {hopeless}. {out}. `cordon incident show {id}` prints the calls.",
        incident.severity,
        incident.event.name,
        incident.actor.display()
    );
    calling(incident, "🚨 Cordon cannot get an approval:", &electorate.others, &prose)
}

/// Tells everybody who was not waited for that one person approved alone.
#[must_use]
pub fn glass_broken(incident: &Incident, glass: &BrokenGlass) -> Message {
    let BrokenGlass { by, reason, skipped } = glass;
    let prose = format!("`{by}` approved it alone, where {} had to approve. The reason: {reason}", incident.approval.quorum);
    calling(incident, "You were not waited for:", skipped, &prose)
}

/// Tells that what was released waits, and why.
#[must_use]
pub fn held(incident: &Incident, stopped: &str) -> Message {
    note(incident, &format!("⏸ Nothing is done now: {stopped}. What was released waits, and is carried out after that."))
}

/// Calls those who may still say that an incident is to be undone, after somebody did.
#[must_use]
pub fn undo_wanted(incident: &Incident, others: &[Skipped]) -> Message {
    let Some(votes) = &incident.approval.undo_votes else {
        return note(incident, "An undo was asked for.");
    };
    let said = votes.votes.iter().map(|vote| match &vote.reason {
        Some(reason) => format!("`{}` wants the changes undone: {}", vote.by, with_full_stop(reason)),
        None => format!("`{}` wants the changes undone.", vote.by),
    });
    let said = said.collect::<Vec<_>>().join(" ");
    let (so_far, wanted) = (votes.votes.len(), votes.wanted);
    let prose = format!(
        "{said} It takes {wanted} approvers, and {so_far} of them so far. Nothing is undone before; who agrees presses Undo within a day."
    );
    calling(incident, "An undo needs one of you, too:", others, &prose)
}

/// Tells what an undo came to that somebody asked for in Slack: `result` is a sentence for each step.
#[must_use]
pub fn undone(incident: &Incident, by: &str, complete: bool, result: &[String]) -> Message {
    let what = if complete { "Undone" } else { "Not everything could be undone" };
    note(incident, &format!("{what}, as `{by}` asked: {}", result.join("; ")))
}

/// A note that mentions people, so that it rings.
fn calling(incident: &Incident, lead: &str, people: &[Skipped], prose: &str) -> Message {
    if people.is_empty() {
        return note(incident, &format!("{lead} {prose}"));
    }
    let mentions = people.iter().fold(Prose::new(lead), |prose, person| prose.mention(&person.slack_id));
    let names: Vec<&str> = people.iter().map(|person| person.name.as_str()).collect();
    let mut message = note(incident, prose);
    message.text = format!("{lead} {}. {}", names.join(", "), message.text);
    message.blocks.insert(0, json!({"type": "section", "text": {"type": "mrkdwn", "text": mentions.as_str()}}));
    message
}

impl Card<'_> {
    fn note(&self, prose: &str) -> Message {
        let prose = if prose.trim().is_empty() { "There is news of this incident." } else { prose };
        let blocks = [Block::Section(sentence(prose, NOTE)), Block::Context(vec![self.named()])];
        Message {
            text: unformatted(&format!("{} {}", with_full_stop(prose), self.spoken_name()).replace('`', ""), NOTE),
            blocks: blocks.iter().map(Block::to_value).collect(),
        }
    }
}
