//! Decides what the HTML page and the Markdown file both say of a record: sections of labelled texts. It never escapes; each
//! format does, for all of them.
//!
//! INVARIANT: every text from outside this file is a [`Shown`], so no format has to think of characters that nobody sees.

use std::fmt;
use std::ops::Deref;

use cordon_core::incident::{Incident, JoinedEvent};
use cordon_core::json::at;
use cordon_respond::runner::StepRecord;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::record::{IncidentReport, brief, kind, status, step_state};
use crate::text::visible;

/// Text without a character that a reader does not see ([`visible`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown(String);

impl Shown {
    fn new(text: impl AsRef<str>) -> Self {
        Self(visible(text.as_ref()))
    }
}

impl Deref for Shown {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A piece of text, by its author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Text {
    /// Cordon's own words.
    Ours(Shown),
    /// Somebody else's name, request or document.
    Theirs(Shown),
    /// A sentence that may contain somebody else's names.
    Said(Shown),
}

/// A part of a section.
pub(crate) enum Block {
    /// Labels with their values.
    Facts(Vec<Fact>),
    /// A heading inside the section.
    Title(Shown),
    /// A remark in small print.
    Note(&'static str),
    /// Rows of cells, one for each column.
    Table { columns: Vec<&'static str>, rows: Vec<Vec<Text>> },
}

/// A label and its value.
pub(crate) type Fact = (&'static str, Text);

/// A part of the page under a heading.
pub(crate) struct Section {
    pub title: &'static str,
    pub blocks: Vec<Block>,
}

/// The whole record, ready to be escaped and laid out.
pub(crate) struct Page {
    pub incident: Shown,
    pub severity: Shown,
    pub status: Shown,
    /// The event in one sentence, in its own words.
    pub headline: Shown,
    /// Whether the chain of hashes holds.
    pub intact: bool,
    /// The same as a sentence, with the place where the chain breaks.
    pub verdict: Shown,
    /// When and by which version.
    pub exported: Shown,
    pub sections: Vec<Section>,
}

fn ours(text: impl AsRef<str>) -> Text {
    Text::Ours(Shown::new(text))
}

fn theirs(text: impl AsRef<str>) -> Text {
    Text::Theirs(Shown::new(text))
}

fn said(text: impl AsRef<str>) -> Text {
    Text::Said(Shown::new(text))
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S%.3f UTC").to_string()
}

impl Page {
    /// The page of a record.
    pub(crate) fn of(record: &IncidentReport) -> Self {
        let incident = &record.incident;
        let verdict = record.verify();
        let sections =
            [event(record), rules(incident), decision(record), plan(record), times(incident), joined(record), chain(record)];
        Self {
            incident: Shown::new(incident.id.as_str()),
            severity: Shown::new(incident.severity.to_string()),
            status: Shown::new(status(incident)),
            headline: Shown::new(format!("{} by {} on {}", incident.event.name, incident.actor.display(), incident.subject)),
            intact: verdict.is_ok(),
            verdict: Shown::new(match verdict {
                Ok(()) => format!(
                    "The chain of hashes is intact: {} entries, the last hash is {}.",
                    record.timeline.len(),
                    incident.last_hash
                ),
                Err(broken) => format!("THE CHAIN OF HASHES IS BROKEN: {broken}."),
            }),
            exported: Shown::new(format!("Exported {} by cordon {}.", time(record.exported_at), env!("CARGO_PKG_VERSION"))),
            sections: sections.into_iter().filter(|section| !section.blocks.is_empty()).collect(),
        }
    }
}

fn event(record: &IncidentReport) -> Section {
    let incident = &record.incident;
    let event = &incident.event;
    let mut facts = vec![
        ("Event", theirs(format!("{} ({})", event.name, event.service))),
        ("Event id", theirs(event.id.to_string())),
        ("Account", ours(incident.account.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string))),
        ("Actor", theirs(incident.actor.display())),
        ("Subject", theirs(incident.subject.to_string())),
    ];
    let mut optional = |label: &'static str, text: Option<&str>| {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            facts.push((label, theirs(text)));
        }
    };
    optional("Actor's role or user", incident.actor.issuer_arn.as_deref());
    optional("Actor's unique id", incident.actor.unique_id.as_deref());
    optional("Access key", incident.actor.access_key_id.as_deref());
    optional("Policy", event.policy_arn.as_deref());
    optional("Source address", event.source_ip.as_deref());
    optional("User agent", event.user_agent.as_deref());
    optional("Region", event.region.as_deref());
    optional("Refused with", event.error_code.as_deref());
    optional("Request", Some(&event.parameters));
    facts.extend(incident.unreadable.iter().map(|reason| ("Needs a person", said(reason))));
    facts.push(("Later events that joined", ours(crate::export::merged(record).to_string())));
    facts.push(("Execution", theirs(&incident.execution)));
    Section { title: "What happened", blocks: vec![Block::Facts(facts)] }
}

fn rules(incident: &Incident) -> Section {
    let mut blocks = Vec::new();
    for detection in &incident.detections {
        blocks.push(Block::Facts(vec![
            ("Rule", said(&detection.title)),
            ("Id", theirs(detection.rule.to_string())),
            ("Author", said(&detection.author)),
            ("Level", ours(detection.level.to_string())),
            ("Why it is dangerous", said(&detection.description)),
            ("Tags", theirs(detection.tags.join(", "))),
        ]));
    }
    Section { title: "Rules that matched", blocks }
}

fn decision(record: &IncidentReport) -> Section {
    let incident = &record.incident;
    let mut facts = Vec::new();
    if let Some(decision) = &incident.assessment.decision {
        facts.push(("Route", ours(json!(decision.route).as_str().unwrap_or_default())));
        facts.push(("Reason", said(&decision.decision_reason)));
        facts.push(("Dry run", ours(if decision.dry_run { "yes: nothing is changed" } else { "no" })));
    }
    facts.extend(incident.assessment.exceptions_checked.iter().map(|sentence| ("Exception looked at", said(sentence))));
    for question in &record.questions {
        facts.push(("Question to people", ours(&question.vote)));
        if let Some(by) = &question.by {
            facts.push(("Decided by", theirs(by)));
        }
        facts.push(("Deadline", ours(time(question.deadline))));
    }
    Section { title: "Decision", blocks: if facts.is_empty() { Vec::new() } else { vec![Block::Facts(facts)] } }
}

fn plan(record: &IncidentReport) -> Section {
    let plan = &record.incident.assessment.plan;
    let mut blocks = Vec::new();
    for (n, step) in plan.steps.iter().enumerate() {
        let stored = record.steps.get(n).and_then(Option::as_ref);
        let (state, detail) = step_state(stored);
        let mut facts = vec![("State", ours(state))];
        facts.extend(detail.map(|detail| ("Detail", said(detail))));
        facts.push(("Target", theirs(step.target.arn())));
        facts.extend(step.calls.iter().map(|call| ("Call", theirs(call.to_string()))));
        facts.extend(step.undo.iter().map(|call| ("Undone by", theirs(call.to_string()))));
        facts.extend(snapshot(stored).map(|before| ("Before it", theirs(before))));
        if stored.is_some_and(|stored| stored.reapplied) {
            facts.push(("Put back", ours("once, after somebody had stripped it")));
        }
        blocks.push(Block::Title(Shown::new(format!("Step {}: {}", n + 1, step.remedy))));
        blocks.push(Block::Facts(facts));
    }
    let assessment = &record.incident.assessment;
    let stays = assessment.stays.iter().map(|stays| ("Stays", said(stays.to_string())));
    let remaining = assessment.remaining.iter().map(|sentence| ("Still there", said(sentence)));
    let not_stopped: Vec<_> = stays.chain(remaining).collect();
    if !not_stopped.is_empty() {
        blocks.push(Block::Title(Shown::new("Not stopped by it")));
        blocks.push(Block::Facts(not_stopped));
    }
    let by_hand: Vec<_> = plan.by_hand.iter().map(|sentence| ("By hand", said(sentence))).collect();
    if !by_hand.is_empty() {
        blocks.push(Block::Title(Shown::new("Left to a person")));
        blocks.push(Block::Facts(by_hand));
    }
    Section { title: "Plan and steps", blocks }
}

/// The stored snapshot on one line, without the name of its remedy.
fn snapshot(stored: Option<&StepRecord>) -> Option<String> {
    let stored = json!(stored?);
    let Value::Object(mut map) = at(&stored, "/snapshot").clone() else { return None };
    map.remove("remedy");
    Some(brief(&Value::Object(map)))
}

fn times(incident: &Incident) -> Section {
    let rows = [
        ("Event", incident.event.time),
        ("Detected", Some(incident.opened_at)),
        ("Asked", incident.approval.asked_at),
        ("Decided", incident.approval.decided_at),
        ("Contained", incident.contained_at),
        ("Last change", Some(incident.updated_at)),
    ];
    let facts = rows.into_iter().filter_map(|(label, at)| at.map(|at| (label, ours(time(at))))).collect();
    Section { title: "Times", blocks: vec![Block::Facts(facts)] }
}

/// The later events of the case. The timeline holds their number and a digest.
fn joined(record: &IncidentReport) -> Section {
    let row = |joined: &JoinedEvent| {
        vec![
            joined.time.map_or_else(|| ours("unknown"), |at| ours(time(at))),
            theirs(&joined.name),
            theirs(&joined.actor),
            theirs(joined.source_ip.as_deref().unwrap_or("unknown")),
            theirs(joined.event.to_string()),
        ]
    };
    let rows: Vec<_> = record.joined.iter().map(row).collect();
    let table = Block::Table { columns: vec!["At", "Event", "Actor", "Source address", "Event id"], rows };
    Section { title: "Later events that joined", blocks: if record.joined.is_empty() { vec![] } else { vec![table] } }
}

fn chain(record: &IncidentReport) -> Section {
    let rows = record
        .timeline
        .iter()
        .map(|entry| {
            vec![
                ours(entry.seq.to_string()),
                ours(time(entry.at)),
                ours(kind(entry)),
                theirs(&entry.by),
                theirs(brief(&entry.data)),
                ours(&entry.hash),
            ]
        })
        .collect();
    let note = "Each entry's hash covers the entry and the hash before it. What stands above is copied from the incident's \
                header, which no hash covers.";
    Section {
        title: "Timeline",
        blocks: vec![Block::Note(note), Block::Table { columns: vec!["", "At", "Kind", "By", "What", "Hash"], rows }],
    }
}
