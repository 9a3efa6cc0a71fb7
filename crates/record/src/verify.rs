//! Checks an exported record without AWS: its timeline must be a whole chain and, if somebody kept a hash elsewhere, contain
//! that hash.
//!
//! It believes nothing that the file says about itself. What stands beside the timeline (the header's part) is not hashed:
//! event, subject and outcome are compared with what the timeline says of them, the rest cannot be.

use cordon_core::EventId;
use cordon_core::incident::digest_of;
use cordon_core::json::at;
use cordon_core::timeline::{Broken, Entry, Kind, verify};
use serde_json::Value;

use crate::export::SCHEMA;

/// The fields of an entry. One more would be a text that no hash covers.
const ENTRY_FIELDS: [&str; 7] = ["at", "by", "data", "hash", "kind", "previous_hash", "seq"];

/// A chain that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intact {
    /// The incident's id.
    pub incident: String,
    /// How many entries the timeline has.
    pub entries: usize,
    /// The hash of the last entry, in hexadecimal.
    pub last_hash: String,
    /// The entry that carries the hash which was kept elsewhere: up to it, the timeline is the one of that time.
    pub anchored_at: Option<u64>,
}

/// Why a file is not proven.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not a file that can be checked at all.
    #[error("this is no export of an incident: {0}")]
    NotAnExport(String),
    /// The chain of hashes does not hold.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// No entry has the hash that was kept elsewhere.
    #[error("no entry carries the hash {0}: the timeline was written anew since that hash was kept, or it is another incident's")]
    NotAnchored(String),
    /// The file's summary says something else than its timeline.
    #[error("of the incident's {what} the file says `{said}`, its timeline says `{written}`")]
    Contradiction {
        /// The part of the summary, such as `outcome`.
        what: &'static str,
        /// Its value in the summary.
        said: String,
        /// Its value on the timeline.
        written: String,
    },
}

/// Checks the text of an export. `kept` is a hash that somebody has from elsewhere, such as an archived finding.
///
/// # Errors
/// [`Fault::NotAnExport`] where there is nothing to check; every other fault says that the record is not to be believed.
pub fn check(text: &str, kept: Option<&str>) -> Result<Intact, Fault> {
    let no_export = |reason: &str| Fault::NotAnExport(reason.to_owned());
    let file: Value = serde_json::from_str(text).map_err(|error| Fault::NotAnExport(error.to_string()))?;
    if file.get("schema").and_then(Value::as_str) != Some(SCHEMA) {
        return Err(no_export(&format!("its `schema` is not `{SCHEMA}`")));
    }
    let incident = at(&file, "/incident/id").as_str().ok_or_else(|| no_export("it names no incident"))?.to_owned();
    let last_hash = at(&file, "/chain/last_hash").as_str().ok_or_else(|| no_export("it has no `chain.last_hash`"))?;
    let entries = entries(file.get("timeline").and_then(Value::as_array).ok_or_else(|| no_export("it has no `timeline`"))?)?;
    if entries.is_empty() {
        return Err(Broken { seq: 1, reason: "there is no entry at all" }.into());
    }
    verify(&entries, last_hash)?;
    summary_fits(&file, &entries)?;
    joined_fits(&file, &entries)?;
    let anchored_at = match kept {
        None => None,
        Some(kept) => {
            let kept = kept.trim().to_ascii_lowercase();
            let found = entries.iter().find(|entry| entry.hash == kept).map(|entry| entry.seq);
            Some(found.ok_or(Fault::NotAnchored(kept))?)
        }
    };
    Ok(Intact { incident, entries: entries.len(), last_hash: last_hash.to_owned(), anchored_at })
}

fn entries(timeline: &[Value]) -> Result<Vec<Entry>, Fault> {
    (1..)
        .zip(timeline)
        .map(|(seq, value)| {
            let known = value.as_object().is_some_and(|map| map.keys().all(|key| ENTRY_FIELDS.contains(&key.as_str())));
            if !known {
                return Err(Broken { seq, reason: "it has fields that no hash covers" }.into());
            }
            serde_json::from_value(value.clone())
                .map_err(|_| Broken { seq, reason: "it is not an entry, or of a kind that this version does not know" }.into())
        })
        .collect()
}

/// Compares the file's summary with its timeline, for the facts that are in both.
fn summary_fits(file: &Value, entries: &[Entry]) -> Result<(), Fault> {
    let detected = entries.iter().find(|entry| matches!(entry.kind, Kind::Detected | Kind::NeedsPerson));
    for (what, said, written) in [
        ("event", "/incident/event/id", "/event"),
        ("event's name", "/incident/event/name", "/event_name"),
        ("subject", "/incident/subject/text", "/subject"),
    ] {
        if let Some(written) = detected.and_then(|entry| at(&entry.data, written).as_str()) {
            same(what, at(file, said).as_str().unwrap_or("nothing"), written)?;
        }
    }
    let closed = entries.iter().rev().find(|entry| entry.kind == Kind::Closed);
    let written = closed.and_then(|entry| at(&entry.data, "/outcome").as_str()).unwrap_or("still open");
    same("outcome", at(file, "/incident/outcome").as_str().unwrap_or("still open"), written)
}

/// Compares the later events with the number and the digest that the timeline holds of them. Where more have joined since, which ones
/// is not proven.
fn joined_fits(file: &Value, entries: &[Entry]) -> Result<(), Fault> {
    let folded = entries.iter().rev().find(|entry| entry.kind == Kind::Merged && at(&entry.data, "/digest").is_string());
    let Some(folded) = folded.filter(|entry| *at(&entry.data, "/more") != Value::Bool(true)) else { return Ok(()) };
    let count = at(&folded.data, "/count").as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
    let listed = at(file, "/joined").as_array().map(Vec::as_slice).unwrap_or_default();
    let ids: Vec<EventId> = listed.iter().filter_map(|joined| at(joined, "/event").as_str()?.parse().ok()).collect();
    if ids.len() > count {
        return Ok(());
    }
    let said = format!("{} events with the digest {}", ids.len(), digest_of(ids.iter()));
    let digest = at(&folded.data, "/digest").as_str().unwrap_or_default();
    same("later events", &said, &format!("{count} events with the digest {digest}"))
}

fn same(what: &'static str, said: &str, written: &str) -> Result<(), Fault> {
    if said == written {
        return Ok(());
    }
    Err(Fault::Contradiction { what, said: said.to_owned(), written: written.to_owned() })
}
