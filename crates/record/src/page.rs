//! The record as sections of labelled texts, which the page and the Markdown file both show: what is said is decided here,
//! how it is escaped there.

use cordon_core::incident::Head;
use cordon_core::json::at;
use cordon_respond::runner::StepRecord;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::record::{Record, brief, kind, status, step_state};

/// A piece of text, by whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Text {
    /// Cordon's own words.
    Ours(String),
    /// Somebody else's name, request, document.
    Theirs(String),
    /// A sentence in which somebody else's names may be woven.
    Said(String),
}

pub(crate) enum Block {
    /// A label and what it stands for.
    Facts(Vec<(String, Text)>),
    /// A heading inside the section.
    Title(String),
    Note(String),
    Table {
        columns: Vec<&'static str>,
        rows: Vec<Vec<Text>>,
    },
}

pub(crate) struct Section {
    pub title: &'static str,
    pub blocks: Vec<Block>,
}

pub(crate) struct Page {
    pub incident: String,
    pub severity: String,
    pub status: String,
    /// What happened, in a sentence of the event's own words.
    pub headline: String,
    pub intact: bool,
    pub verdict: String,
    pub exported: String,
    pub sections: Vec<Section>,
}

fn ours(text: impl Into<String>) -> Text {
    Text::Ours(text.into())
}

fn theirs(text: impl Into<String>) -> Text {
    Text::Theirs(text.into())
}

fn said(text: impl Into<String>) -> Text {
    Text::Said(text.into())
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S%.3f UTC").to_string()
}

pub(crate) fn page(record: &Record) -> Page {
    let head = &record.head;
    let verdict = record.verify();
    let sections = vec![what(head), rules(head), decision(record), plan(record), times(head), chain(record)];
    Page {
        incident: head.id.to_string(),
        severity: head.severity.to_string(),
        status: status(head),
        headline: format!("{} by {} on {}", head.event.name, head.actor.display(), head.subject),
        intact: verdict.is_ok(),
        verdict: match verdict {
            Ok(()) => {
                format!("The chain of hashes is intact: {} entries, the last hash is {}.", record.timeline.len(), head.last_hash)
            }
            Err(broken) => format!("THE CHAIN OF HASHES IS BROKEN: {broken}."),
        },
        exported: format!("Exported {} by cordon {}.", time(record.exported_at), env!("CARGO_PKG_VERSION")),
        sections: sections.into_iter().filter(|section| !section.blocks.is_empty()).collect(),
    }
}

fn what(head: &Head) -> Section {
    let event = &head.event;
    let mut facts = vec![
        ("Event".to_owned(), theirs(format!("{} ({})", event.name, event.service))),
        ("Event id".to_owned(), theirs(event.id.to_string())),
        ("Account".to_owned(), ours(head.account.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string))),
        ("Actor".to_owned(), theirs(head.actor.display())),
        ("Subject".to_owned(), theirs(head.subject.to_string())),
    ];
    let mut optional = |label: &str, text: Option<&str>| {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            facts.push((label.to_owned(), theirs(text)));
        }
    };
    optional("Actor's role or user", head.actor.issuer_arn.as_deref());
    optional("Actor's unique id", head.actor.unique_id.as_deref());
    optional("Access key", head.actor.access_key_id.as_deref());
    optional("Policy", event.policy_arn.as_deref());
    optional("Source address", event.source_ip.as_deref());
    optional("User agent", event.user_agent.as_deref());
    optional("Region", event.region.as_deref());
    optional("Refused with", event.error_code.as_deref());
    optional("Request", Some(&event.parameters));
    facts.extend(head.unreadable.iter().map(|reason| ("Needs a person".to_owned(), said(reason))));
    facts.push(("Later events that joined".to_owned(), ours(head.merged.to_string())));
    facts.push(("Execution".to_owned(), theirs(&head.execution)));
    Section { title: "What happened", blocks: vec![Block::Facts(facts)] }
}

fn rules(head: &Head) -> Section {
    let mut blocks = Vec::new();
    for detection in &head.detections {
        blocks.push(Block::Facts(vec![
            ("Rule".to_owned(), said(&detection.title)),
            ("Id".to_owned(), theirs(detection.rule.to_string())),
            ("Author".to_owned(), said(&detection.author)),
            ("Level".to_owned(), ours(detection.level.to_string())),
            ("Why it is dangerous".to_owned(), said(&detection.description)),
            ("Tags".to_owned(), theirs(detection.tags.join(", "))),
        ]));
    }
    Section { title: "Rules that matched", blocks }
}

fn decision(record: &Record) -> Section {
    let head = &record.head;
    let mut facts = Vec::new();
    if let Some(decision) = &head.decision {
        facts.push(("Route".to_owned(), ours(json!(decision.route).as_str().unwrap_or_default())));
        facts.push(("Reason".to_owned(), said(&decision.decision_reason)));
        facts.push(("Dry run".to_owned(), ours(if decision.dry_run { "yes: nothing is changed" } else { "no" })));
    }
    facts.extend(head.exceptions_checked.iter().map(|sentence| ("Exception looked at".to_owned(), said(sentence))));
    for question in &record.questions {
        facts.push(("Question to people".to_owned(), ours(&question.vote)));
        if let Some(by) = &question.by {
            facts.push(("Decided by".to_owned(), theirs(by)));
        }
        facts.push(("Deadline".to_owned(), ours(time(question.deadline))));
    }
    Section { title: "Decision", blocks: if facts.is_empty() { Vec::new() } else { vec![Block::Facts(facts)] } }
}

fn plan(record: &Record) -> Section {
    let plan = &record.head.plan;
    let mut blocks = Vec::new();
    for (n, step) in plan.steps.iter().enumerate() {
        let stored = record.steps.get(n).and_then(Option::as_ref);
        let (state, detail) = step_state(stored);
        let mut facts = vec![("State".to_owned(), ours(state))];
        facts.extend(detail.map(|detail| ("Detail".to_owned(), said(detail))));
        facts.push(("Target".to_owned(), theirs(step.target.arn())));
        facts.extend(step.calls.iter().map(|call| ("Call".to_owned(), theirs(call.to_string()))));
        facts.extend(step.undo.iter().map(|call| ("Undone by".to_owned(), theirs(call.to_string()))));
        facts.extend(snapshot(stored).map(|before| ("Before it".to_owned(), theirs(before))));
        if stored.is_some_and(|stored| stored.reapplied) {
            facts.push(("Put back".to_owned(), ours("once, after somebody had stripped it")));
        }
        blocks.push(Block::Title(format!("Step {}: {}", n + 1, step.remedy)));
        blocks.push(Block::Facts(facts));
    }
    let by_hand: Vec<_> = plan.by_hand.iter().map(|sentence| ("By hand".to_owned(), said(sentence))).collect();
    if !by_hand.is_empty() {
        blocks.push(Block::Title("Left to a person".to_owned()));
        blocks.push(Block::Facts(by_hand));
    }
    Section { title: "Plan and steps", blocks }
}

/// What the snapshot says, without the name of its remedy.
fn snapshot(stored: Option<&StepRecord>) -> Option<String> {
    let stored = json!(stored?);
    let Value::Object(mut map) = at(&stored, "/snapshot").clone() else { return None };
    map.remove("remedy");
    Some(brief(&Value::Object(map)))
}

fn times(head: &Head) -> Section {
    let rows = [
        ("Event", head.event.time),
        ("Detected", Some(head.opened_at)),
        ("Asked", head.asked_at),
        ("Decided", head.decided_at),
        ("Contained", head.contained_at),
        ("Last change", Some(head.updated_at)),
    ];
    let facts = rows.into_iter().filter_map(|(label, at)| at.map(|at| (label.to_owned(), ours(time(at))))).collect();
    Section { title: "Times", blocks: vec![Block::Facts(facts)] }
}

fn chain(record: &Record) -> Section {
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
        blocks: vec![Block::Note(note.to_owned()), Block::Table { columns: vec!["", "At", "Kind", "By", "What", "Hash"], rows }],
    }
}
