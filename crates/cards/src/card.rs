//! An incident as a card reads it: the few texts that are derived from it, and its severity in words.

use cordon_core::{Incident, Level};

use crate::links::Links;
use crate::reach;

/// What every form of the card is made from.
#[derive(Clone, Debug)]
pub(crate) struct Card<'a> {
    pub incident: &'a Incident,
    pub links: Links,
}

impl<'a> Card<'a> {
    pub fn of(incident: &'a Incident) -> Self {
        Self { incident, links: Links::of(incident) }
    }

    pub fn id(&self) -> &'a str {
        self.incident.id.as_str()
    }

    /// Why the event is dangerous: what the rules say, and what could not be judged.
    pub fn why(&self) -> Vec<String> {
        let described = self.incident.detections.iter().map(|detection| detection.description.clone());
        described.chain(self.incident.unreadable.clone()).collect()
    }

    /// What the subject's credentials reach.
    pub fn reach(&self) -> Vec<String> {
        self.incident.assessment.blast_radius.as_ref().map(reach::sentences).unwrap_or_default()
    }

    /// Calls of the plan for which there is no call that takes them back.
    pub fn cannot_undo(&self) -> Vec<String> {
        let final_steps = self.incident.assessment.plan.steps.iter().filter(|step| step.undo.is_empty());
        final_steps.flat_map(|step| &step.calls).map(|call| format!("No call takes `{}` back.", call.action)).collect()
    }

    /// What stays although the plan is carried out, in sentences; the effects first.
    pub fn stays(&self) -> Vec<String> {
        self.incident.assessment.stays.iter().map(ToString::to_string).collect()
    }

    pub fn account(&self) -> &'a str {
        self.incident.account.as_ref().map_or("unknown", |account| account.as_str())
    }

    /// The reason for the decision; empty before it.
    pub fn reason(&self) -> &'a str {
        self.incident.assessment.decision.as_ref().map_or("", |decision| decision.decision_reason.as_str())
    }

    pub fn is_approved_for_remediation(&self) -> bool {
        self.incident.assessment.decision.as_ref().is_some_and(|decision| decision.approved_for_remediation)
    }

    /// The severity as the headline says it: a colour beside the word, never instead of it.
    pub fn severity(&self) -> (&'static str, &'static str) {
        match self.incident.severity {
            Level::Informational => ("⚪", "Informational"),
            Level::Low => ("🔵", "Low"),
            Level::Medium => ("🟡", "Medium"),
            Level::High => ("🟠", "High"),
            Level::Critical => ("🔴", "Critical"),
        }
    }
}
