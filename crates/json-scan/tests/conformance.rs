//! The public conformance cases for JSON parsers, <https://github.com/nst/JSONTestSuite>.
//!
//! `CORDON_JSON_TEST_SUITE` names a folder with them (its `test_parsing`, or the folder above). Without it, this test is
//! skipped.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;

use cordon_json_scan::{KeySet, Scan, Scanner, levels};
use cordon_testkit::Need;
use serde_json::Value;

/// What the name of a case asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Accepted,
    Refused,
    Either,
}

fn cases() -> Option<Vec<(String, Expected, Vec<u8>)>> {
    let folder = Need::JsonTestSuite.folder_or_skip()?;
    let below = folder.join("test_parsing");
    let folder = if below.is_dir() { below } else { folder };
    let mut cases = Vec::new();
    for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let expected = match name.get(..2) {
            Some("y_") => Expected::Accepted,
            Some("n_") => Expected::Refused,
            Some("i_") => Expected::Either,
            _ => continue,
        };
        cases.push((name, expected, fs::read(path).unwrap()));
    }
    Some(cases)
}

/// The verdict on a text that is one value and nothing else: `None` if the scanner leaves it to a parser.
fn is_valid(scanner: &mut Scanner<'_>, text: &[u8]) -> Option<bool> {
    let start = text.len() - text.trim_ascii_start().len();
    match scanner.scan(&text[start..]) {
        Scan::Valid { len, .. } => Some(text[start + len..].trim_ascii().is_empty()),
        Scan::Unfinished => Some(false),
        Scan::Unproven { .. } => None,
    }
}

#[test]
fn the_public_conformance_cases_are_kept() {
    let Some(cases) = cases() else { return };
    assert!(cases.len() > 300, "only {} cases", cases.len());
    let keys = KeySet::new(&BTreeSet::from(["a", "b", "key"]));
    let mut proven = 0;
    for (name, expected, text) in &cases {
        // Each as it is, if it is an object or a list, and each as the value of a key, at several distances from a block's border.
        let bracket = matches!(text.trim_ascii_start().first(), Some(b'{' | b'['));
        let member = |padding: usize| [b"{\"", "k".repeat(padding).as_bytes(), b"\":", text, b"}"].concat();
        let texts = bracket.then(|| text.clone()).into_iter().chain((0..64).step_by(7).map(member));
        for text in texts {
            let parsed = serde_json::from_slice::<Value>(&text).is_ok();
            for level in levels() {
                let verdict = is_valid(&mut Scanner::with_level(&keys, level), &text);
                let shown = || format!("{name}, {level:?}: {}", String::from_utf8_lossy(&text));
                match expected {
                    // A parser reads it where the scanner does not prove it.
                    Expected::Accepted => assert!(verdict != Some(false) && parsed, "{}", shown()),
                    Expected::Refused => assert!(verdict != Some(true) && !parsed, "{}", shown()),
                    Expected::Either => assert!(verdict != Some(true) || parsed, "{}", shown()),
                }
                // Escapes by number, space before a colon, and exponents are left to a parser.
                let plain = text.is_ascii() && !text.windows(2).any(|pair| matches!(pair, b"\\u" | b"\" " | b"0e" | b"0E"));
                if *expected == Expected::Accepted && plain && !name.starts_with("y_number") {
                    assert_eq!(verdict, Some(true), "{}", shown());
                }
                proven += usize::from(verdict == Some(true));
            }
        }
    }
    println!("{} cases; {proven} texts were proven to be JSON", cases.len());
}
