//! What is passed over unparsed changes nothing: the fast way says to the letter what a full parse of every record says.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test may fail by panicking")]

mod replayed;
mod thrown;

use std::cell::Cell;
use std::path::PathBuf;

use cordon_core::Log;
use cordon_detect::RuleBook;
use cordon_replay::{Replay, Totals};
use cordon_testkit::Need;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use serde_json::json;

use crate::thrown::{correlation, counted, detection, log};

/// What both ways have to agree on; how many were passed over is what they differ in.
fn comparable(mut tally: Totals) -> Totals {
    tally.unparsed = 0;
    // Counted where a record is parsed, and only then of interest.
    tally.policies_unknown = 0;
    tally
}

/// Replays both ways; gives how many records were passed over.
fn agree(book: &RuleBook, text: &[u8]) -> Result<u64, TestCaseError> {
    let config = replayed::config();
    both_agree(&Replay::new(book, &config), &Replay::new(book, &config).parse_all(), text)
}

fn both_agree(fast: &Replay<'_>, full: &Replay<'_>, text: &[u8]) -> Result<u64, TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.json");
    std::fs::write(&path, text).unwrap();
    let paths: [PathBuf; 1] = [path];
    let (fast, fast_said) = replayed::replay(fast, &paths, 1, false);
    let (full, full_said) = replayed::replay(full, &paths, 1, false);
    let unparsed = fast.unparsed;
    prop_assert_eq!(full.unparsed, 0);
    prop_assert_eq!(comparable(fast), comparable(full), "{}", String::from_utf8_lossy(text));
    prop_assert_eq!(fast_said, full_said, "{}", String::from_utf8_lossy(text));
    Ok(unparsed)
}

/// So many cases; more with `PROPTEST_CASES`.
fn runner(cases: u32) -> TestRunner {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(asked.unwrap_or(cases)) })
}

#[test]
fn the_catalogue_finds_the_same_with_and_without_parsing_everything() {
    let book = replayed::catalogue();
    let config = replayed::config();
    let (fast, full) = (Replay::new(&book, &config), Replay::new(&book, &config).parse_all());
    assert_eq!(fast.unfiltered(), []);
    let unparsed = Cell::new(0);
    runner(400)
        .run(&log(), |text| {
            unparsed.set(unparsed.get() + both_agree(&fast, &full, &text)?);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(unparsed.get() > 100, "only {} records were passed over: the property shows little", unparsed.get());
}

#[test]
fn any_rule_finds_the_same_with_and_without_parsing_everything() {
    let (unparsed, served, found) = (Cell::new(0), Cell::new(0), Cell::new(0u64));
    runner(800)
        .run(&(detection(), log()), |(detection, text)| {
            // Not every rule that is thrown together is one.
            let Ok(book) = replayed::rule("thrown-together", &detection) else { return Ok(()) };
            let config = replayed::config();
            served.set(served.get() + u64::from(Replay::new(&book, &config).unfiltered().is_empty()));
            unparsed
                .set(unparsed.get() + agree(&book, &text).map_err(|error| TestCaseError::fail(format!("{detection}\n{error}")))?);
            found.set(found.get() + 1);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(found.get() > 500, "only {} rules could be loaded", found.get());
    assert!(served.get() > 200, "only {} rules were served", served.get());
    assert!(unparsed.get() > 150, "only {} records were passed over", unparsed.get());
}

#[test]
fn any_correlation_counts_the_same_with_and_without_parsing_everything() {
    let (unparsed, bursts, untimed) = (Cell::new(0), Cell::new(0), Cell::new(0));
    runner(800)
        .run(&(counted(), correlation(), log()), |(detection, correlation, text)| {
            // Not every rule that is thrown together is one.
            let Ok(book) = replayed::counted("thrown-together", &detection, &correlation) else { return Ok(()) };
            let said = agree(&book, &text);
            unparsed
                .set(unparsed.get() + said.map_err(|error| TestCaseError::fail(format!("{detection}\n{correlation}\n{error}")))?);
            let config = replayed::config();
            let halves = in_two_files(&Replay::new(&book, &config), &text)?;
            bursts.set(bursts.get() + halves.bursts);
            untimed.set(untimed.get() + halves.untimed);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(unparsed.get() > 100, "only {} records were passed over", unparsed.get());
    assert!(bursts.get() > 150, "only {} bursts were found", bursts.get());
    assert!(untimed.get() > 20, "only {} events had no time", untimed.get());
}

/// The log in two files: whatever the order and the number of threads, it is counted the same.
fn in_two_files(replay: &Replay<'_>, text: &[u8]) -> Result<Totals, TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = ["a.json", "b.json"].map(|name| folder.path().join(name)).into();
    let half = text.len() / 2;
    let cut = memchr::memchr(b'\n', &text[half..]).map_or(text.len(), |at| half + at + 1);
    std::fs::write(&paths[0], &text[..cut]).unwrap();
    std::fs::write(&paths[1], &text[cut..]).unwrap();
    let bursts = |said: replayed::Said, bursts: u64| {
        let mut findings: Vec<String> = said.matches().iter().map(ToString::to_string).collect();
        let behind = findings.iter().rposition(|line| line.contains("not_counted")).map(|at| findings.remove(at));
        (findings.split_off(findings.len() - usize::try_from(bursts).unwrap()), behind)
    };
    let (tally, said) = replayed::replay(replay, &paths, 1, false);
    let one = bursts(said, tally.bursts);
    for (threads, turned) in [(8, false), (1, true), (8, true)] {
        let mut paths = paths.clone();
        if turned {
            paths.reverse();
        }
        let (again, said) = replayed::replay(replay, &paths, threads, false);
        prop_assert_eq!(&again, &tally);
        prop_assert_eq!(&bursts(said, again.bursts), &one, "{} {}", threads, String::from_utf8_lossy(text));
    }
    Ok(tally)
}

#[test]
fn a_rule_that_cannot_be_told_from_bytes_switches_passing_over_off_and_is_named() {
    let text = format!(
        "{}\n",
        r#"{"eventVersion":"1.08","eventName":"GetObject","eventSource":"s3.amazonaws.com","userIdentity":{"type":"IAMUser"}}"#
    );
    let config = replayed::config();
    for (detection, served) in [
        ("  a: {eventName: CreateUser}\n  condition: a", true),
        ("  a: {eventName: CreateUser}\n  condition: not a", false),
        ("  a: {errorCode: null}\n  condition: a", false),
        ("  a: {cordon.failed: true}\n  condition: a", false),
        ("  words: [CreateUser]\n  condition: words", false),
        ("  a: {eventName: CreateUser}\n  b: {errorCode: null}\n  condition: a or b", false),
    ] {
        let book = replayed::rule("some-rule", detection).unwrap();
        let replay = Replay::new(&book, &config);
        assert_eq!(replay.unfiltered().len(), usize::from(!served), "{detection}");
        assert!(replay.unfiltered().iter().all(|id| id.as_str() == "some-rule"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        std::fs::write(&path, &text).unwrap();
        let (tally, _) = replayed::replay(&replay, &[path], 1, false);
        assert_eq!((tally.events, tally.unparsed), (1, u64::from(served)), "{detection}");
    }
}

/// Found by the test above: the engine lets a wildcard beside `endswith` match in the middle.
#[test]
fn a_wildcard_beside_a_modifier_matches_anywhere() {
    let record =
        r#"{"eventVersion":"1.08","userIdentity":{"type":"Root"},"eventSource":"iam.amazonaws.com","eventName":"CreateUserX"}"#;
    for item in ["eventName|endswith: '*user'", "eventName|startswith: 'user*'"] {
        let book = replayed::rule("r", &format!("  a: {{{item}}}\n  condition: a")).unwrap();
        agree(&book, record.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn the_last_of_two_keys_of_a_name_counts() {
    let book = replayed::rule("r", "  a: {eventName: CreateUser}\n  condition: a").unwrap();
    for (names, expected) in [
        (r#""eventName":"CreateUser","eventName":"GetObject""#, 0),
        (r#""eventName":"GetObject","eventName":"CreateUser""#, 1),
        (r#""\u0065ventName":"CreateUser","eventName":"GetObject""#, 0),
        (r#""eventName":"GetObject","\u0065ventName":"CreateUser""#, 1),
        (r#""eventName":"GetObject","requestParameters":{"eventName":"CreateUser"}"#, 0),
    ] {
        let text =
            format!(r#"{{"eventVersion":"1.08","eventSource":"iam.amazonaws.com","userIdentity":{{"type":"IAMUser"}},{names}}}"#);
        agree(&book, text.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        std::fs::write(&path, &text).unwrap();
        let config = replayed::config();
        assert_eq!(replayed::replay(&Replay::new(&book, &config), &[path], 1, false).0.matches, expected, "{names}");
    }
}

/// The cases of the rules are what every field that a rule or its enrichment reads was thought of with.
#[test]
fn the_cases_of_every_rule_are_found_the_same_with_and_without_parsing_everything() {
    let book = replayed::catalogue();
    let cases = book.rules().iter().filter(|rule| rule.log == Log::CloudTrail).flat_map(|rule| &rule.cases);
    let whole = |event: &serde_json::Value| {
        let mut record = json!({"eventVersion": "1.11", "eventSource": "s3.amazonaws.com", "eventName": "GetObject",
            "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111111111111:user/a", "accountId": "111111111111", "userName": "a"}});
        record.as_object_mut().unwrap().extend(event.as_object().unwrap().clone());
        serde_json::to_vec(&record).unwrap()
    };
    let records: Vec<Vec<u8>> = cases.map(|case| whole(&case.event)).collect();
    let unparsed = agree(&book, &records.join(b"\n".as_slice())).unwrap_or_else(|error| panic!("{error}"));
    assert!(records.len() > 300 && unparsed > 10, "{} cases, {unparsed} passed over", records.len());
}

#[test]
fn recorded_events_are_found_the_same_with_and_without_parsing_everything() {
    let Some(folder) = Need::Corpora.folder_or_skip() else { return };
    let mut books = vec![replayed::catalogue()];
    if let Some(rules) = std::env::var_os("CORDON_SIGMA_RULES") {
        books.push(replayed::book(&PathBuf::from(rules)));
    }
    let mut records = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            for line in std::fs::read_to_string(path).unwrap().lines() {
                let labelled: serde_json::Value = serde_json::from_str(line).unwrap();
                records.push(serde_json::to_vec(&labelled["event"]).unwrap());
            }
        }
    }
    assert!(records.len() > 500);
    for book in &books {
        let lines = records.join(b"\n".as_slice());
        let unparsed = agree(book, &lines).unwrap_or_else(|error| panic!("{error}"));
        assert!(unparsed > 0);
        let list = [b"{\"Records\":[", records.join(b",".as_slice()).as_slice(), b"]}"].concat();
        agree(book, &list).unwrap_or_else(|error| panic!("{error}"));
    }
}
