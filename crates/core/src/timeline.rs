//! The incident's append-only timeline. Each entry carries the hash of the previous one.
//!
//! The chain shows that no entry was changed, removed or inserted without rewriting every later entry and the incident's last
//! hash. It does not stop someone who can write to the table from rewriting all of it; an export that is kept elsewhere does.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::redact;

/// The `previous_hash` of an incident's first entry.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The kind of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The incident was opened.
    Detected,
    /// A later event joined it.
    Merged,
    /// An event that cannot be judged opened it.
    NeedsPerson,
    /// The route was decided.
    Decided,
    /// People were told.
    Notified,
    /// People were asked.
    Asked,
    /// Somebody looks into it: the escalation waits once.
    Acknowledged,
    /// Nobody answered in time, and more people were called.
    Escalated,
    /// A vote was refused: the person may not decide.
    Refused,
    /// An approval that alone is not enough.
    Voted,
    /// The plan was approved.
    Approved,
    /// An approval of one person where more were wanted.
    BreakGlass,
    /// The plan was denied.
    Denied,
    /// Nobody answered.
    Expired,
    /// The state before a change was stored.
    Snapshot,
    /// Enforcement is stopped, so that what was released waits until it is resumed.
    Held,
    /// The plan was carried out.
    Applied,
    /// A step could not be carried out.
    StepFailed,
    /// The changes were read again.
    Verified,
    /// A change had been stripped, and was made once more.
    Reapplied,
    /// A change was stripped again.
    Stripped,
    /// An approver asked to undo the changes.
    UndoRequested,
    /// The changes were undone.
    Undone,
    /// The changes could not be undone.
    UndoRefused,
    /// A state of the execution failed.
    Failure,
    /// The incident was closed.
    Closed,
}

/// An entry before it has a place in the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEntry {
    /// The kind of entry.
    pub kind: Kind,
    /// The author: `cordon`, or a person's Slack id or ARN.
    pub by: String,
    /// The details, as JSON.
    pub data: Value,
}

impl NewEntry {
    /// An entry of what Cordon did by itself.
    #[must_use]
    pub fn cordon(kind: Kind, data: Value) -> Self {
        Self { kind, by: "cordon".to_owned(), data }
    }

    /// An entry of what a person did.
    #[must_use]
    pub fn by(kind: Kind, by: &str, data: Value) -> Self {
        Self { kind, by: by.to_owned(), data }
    }
}

/// An entry in its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// From 1, without gaps.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// The kind of entry.
    pub kind: Kind,
    /// The author: `cordon`, or a person's Slack id or ARN.
    pub by: String,
    /// The details, as JSON.
    pub data: Value,
    /// The hash of the entry before it, or [`GENESIS`].
    pub previous_hash: String,
    /// SHA-256 over everything else, in hexadecimal.
    pub hash: String,
}

impl Entry {
    /// Places an entry after the one whose hash is `previous_hash`. What looks like a secret is cut before it is hashed, so that no
    /// later reader has to.
    #[must_use]
    pub fn chain(new: NewEntry, seq: u64, at: Timestamp, previous_hash: &str) -> Self {
        let mut entry = Self {
            seq,
            at,
            kind: new.kind,
            by: redact::text(&new.by).into_owned(),
            data: redact::json(&new.data),
            previous_hash: previous_hash.to_owned(),
            hash: String::new(),
        };
        entry.hash = entry.computed_hash();
        entry
    }

    /// SHA-256 over the canonical JSON of everything but the hash itself: keys sorted, no white space.
    fn computed_hash(&self) -> String {
        let mut content = String::new();
        let value = serde_json::json!({
            "seq": self.seq, "at": self.at.to_string(), "kind": self.kind, "by": self.by,
            "data": self.data, "previous_hash": self.previous_hash,
        });
        canonical(&value, &mut content);
        hex::encode(Sha256::digest(content.as_bytes()))
    }
}

/// The place where a chain breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the timeline breaks at entry {seq}: {reason}")]
pub struct Broken {
    /// The number of the entry.
    pub seq: u64,
    /// The fault, in a few words.
    pub reason: &'static str,
}

/// Checks a whole timeline against the header's last hash.
///
/// # Errors
/// [`Broken`] at the first entry that does not follow.
pub fn verify(entries: &[Entry], last_hash: &str) -> Result<(), Broken> {
    let mut previous = GENESIS;
    for (expected, entry) in (1..).zip(entries) {
        let broken = |reason| Broken { seq: expected, reason };
        if entry.seq != expected {
            return Err(broken("an entry is missing or out of order"));
        }
        if entry.previous_hash != previous {
            return Err(broken("it does not carry the hash of the entry before it"));
        }
        if entry.hash != entry.computed_hash() {
            return Err(broken("its content does not have the hash that it carries"));
        }
        previous = &entry.hash;
    }
    if previous != last_hash {
        return Err(Broken { seq: entries.len() as u64 + 1, reason: "entries at the end are missing" });
    }
    Ok(())
}

/// Writes JSON with sorted keys, whatever order the parser kept them in.
pub(crate) fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (n, (key, value)) in keys.into_iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        // DynamoDB gives back a whole number where a float of the same value was stored: one spelling for both.
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9e15 => out.push_str(&format!("{float:.0}")),
            _ => out.push_str(&number.to_string()),
        },
        Value::Null | Value::Bool(_) | Value::String(_) => out.push_str(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn chain(n: u64) -> Vec<Entry> {
        let mut previous = GENESIS.to_owned();
        (1..=n)
            .map(|seq| {
                let entry = Entry::chain(
                    NewEntry::cordon(Kind::Detected, json!({"b": seq, "a": [1.0, null]})),
                    seq,
                    Timestamp::UNIX_EPOCH,
                    &previous,
                );
                previous.clone_from(&entry.hash);
                entry
            })
            .collect()
    }

    #[test]
    fn an_untouched_chain_holds() {
        let entries = chain(4);
        assert_eq!(verify(&entries, &entries[3].hash), Ok(()));
        assert_eq!(verify(&[], GENESIS), Ok(()));
    }

    #[test]
    fn every_kind_of_tampering_is_seen_where_it_is() {
        let good = chain(4);
        let last = good[3].hash.clone();
        let broken = |entries: &[Entry]| verify(entries, &last).unwrap_err().seq;
        let mut changed = good.clone();
        changed[1].data = json!({});
        assert_eq!(broken(&changed), 2);
        let mut by = good.clone();
        by[2].by = "somebody".to_owned();
        assert_eq!(broken(&by), 3);
        let mut removed = good.clone();
        removed.remove(1);
        assert_eq!(broken(&removed), 2);
        assert_eq!(broken(&good[..3]), 4);
        let mut swapped = good;
        swapped.swap(0, 1);
        assert_eq!(broken(&swapped), 1);
    }

    #[test]
    fn the_hash_does_not_depend_on_how_the_store_spells_numbers_or_orders_keys() {
        let entry = |data: &str| {
            Entry::chain(NewEntry::cordon(Kind::Detected, serde_json::from_str(data).unwrap()), 1, Timestamp::UNIX_EPOCH, GENESIS)
                .hash
        };
        assert_eq!(entry(r#"{"a": 1, "b": {"d": 2, "c": 3}}"#), entry(r#"{"b": {"c": 3.0, "d": 2}, "a": 1.0}"#));
    }
}
