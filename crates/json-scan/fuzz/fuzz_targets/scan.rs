//! Holds the scanner to `serde_json`, with every instruction set of this machine.
//!
//! A value that the scanner calls valid has to parse, and its keys have to be those that `serde_json` sees, at the places where
//! they are. A value of which it says that the text breaks off must not parse.

#![no_main]

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use cordon_json_scan::{FoundKey, KeySet, Scan, Scanner, index_keys, levels};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;
use serde_json::{Deserializer, Value};

const NAMES: [&str; 4] = ["a", "a.b", "name", "requestParameters"];
static KEYS: LazyLock<KeySet> = LazyLock::new(|| KeySet::new(&BTreeSet::from(NAMES)));

fuzz_target!(|text: &[u8]| {
    let mut scanned = levels().into_iter().map(|level| (level, Owned::of(Scanner::with_level(&KEYS, level).scan(text))));
    let (_, scan) = scanned.next().expect("there is the scalar code");
    for (level, other) in scanned {
        assert_eq!(other, scan, "{level:?} and the scalar code differ");
    }
    match scan {
        Owned::Unfinished => {
            if matches!(text, [b'{' | b'[', ..]) {
                assert!(serde_json::from_slice::<Value>(text).is_err(), "whole, but called unfinished");
            }
        }
        Owned::Unproven(len) => assert!(len <= text.len()),
        Owned::Valid(len, found) => check(&text[..len], &found),
    }
    // What is not JSON has no meaning, but causes no panic either.
    for level in levels() {
        index_keys(level, text, &mut Vec::new());
    }
});

#[derive(Debug, PartialEq)]
enum Owned {
    Unfinished,
    Unproven(usize),
    Valid(usize, Vec<FoundKey>),
}

impl Owned {
    fn of(scan: Scan<'_>) -> Self {
        match scan {
            Scan::Unfinished => Self::Unfinished,
            Scan::Unproven { len } => Self::Unproven(len),
            Scan::Valid { len, keys } => Self::Valid(len, keys.to_vec()),
        }
    }
}

fn check(value: &[u8], found: &[FoundKey]) {
    let text = std::str::from_utf8(value).expect("valid JSON is UTF-8");
    serde_json::from_str::<Value>(text).unwrap_or_else(|error| panic!("called valid, but: {error}"));
    let mut keys = Vec::new();
    walk(text, 0, 0, &mut keys);
    for level in levels() {
        let mut indexed = Vec::new();
        index_keys(level, value, &mut indexed);
        let indexed: Vec<Key> = indexed
            .iter()
            .map(|key| Key { start: key.start, colon: key.colon, depth: key.depth })
            .collect();
        assert_eq!(indexed, keys, "{level:?}");
    }
    let wanted: Vec<(usize, usize, usize)> = keys
        .iter()
        .filter_map(|key| {
            let name = &text[key.start..key.colon - 1];
            Some((NAMES.iter().position(|known| *known == name)?, key.depth, key.colon + 1))
        })
        .collect();
    let found: Vec<(usize, usize, usize)> =
        found.iter().map(|found| (usize::from(found.key), found.depth as usize, found.value)).collect();
    assert_eq!(found, wanted);
}

#[derive(PartialEq, Eq)]
struct Key {
    start: usize,
    colon: usize,
    depth: usize,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{} at {}", self.start, self.colon, self.depth)
    }
}

/// Every key of a value that `serde_json` has read whole: where it stands follows from how many bytes `serde_json` takes for each
/// key and each value.
fn walk(text: &str, start: usize, depth: usize, keys: &mut Vec<Key>) {
    let mut at = start + space(&text[start..]);
    let close = match text.as_bytes()[at] {
        b'{' => b'}',
        b'[' => b']',
        _ => return,
    };
    at += 1;
    loop {
        at += space(&text[at..]);
        match text.as_bytes()[at] {
            byte if byte == close => return,
            b',' => at += 1 + space(&text[at + 1..]),
            _ => {}
        }
        if close == b'}' {
            let key_len = length(&text[at..]);
            let colon = at + key_len + space(&text[at + key_len..]);
            keys.push(Key { start: at + 1, colon, depth: depth + 1 });
            at = colon + 1;
            at += space(&text[at..]);
        }
        walk(text, at, depth + 1, keys);
        at += length(&text[at..]);
    }
}

fn space(text: &str) -> usize {
    text.len() - text.trim_start_matches([' ', '\t', '\n', '\r']).len()
}

/// How many bytes `serde_json` takes for the value with which the text begins.
fn length(text: &str) -> usize {
    let mut values = Deserializer::from_str(text).into_iter::<&RawValue>();
    values.next().expect("there is a value").expect("a part of valid JSON is valid");
    values.byte_offset()
}
