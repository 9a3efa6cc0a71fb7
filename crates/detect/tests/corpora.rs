//! Published CloudTrail records that others labelled: what they report, one of our rules reports; what they leave alone, ours does.
//!
//! The records are not ours to ship: the folder is named by the environment, and here stand only the names of the publishers'
//! rules. `corpora/answers.toml` says which of our rules answers which of theirs, `corpora/exceptions.toml` where we differ, and
//! why. An exception that no longer holds fails.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail by panicking too")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use cordon_core::{EventId, Level};
use cordon_detect::{Count, Counts, Enriched, MemoryCounts, RuleBook, RuleSource};
use cordon_testkit::Need;
use serde::Deserialize;
use serde_json::Value;

/// A line of a file, as the folder's description defines it.
#[derive(Debug, Deserialize)]
struct Labelled {
    #[serde(default)]
    rule: Option<String>,
    expected: Option<bool>,
    #[serde(default)]
    identity: bool,
    #[serde(default)]
    needs_lookup: bool,
    #[serde(default)]
    stateful: bool,
    event: Value,
    /// The file and the line, counted from 1.
    #[serde(skip)]
    place: String,
}

impl Labelled {
    fn publishers_rule(&self) -> &str {
        self.rule.as_deref().unwrap_or_default()
    }

    fn event_name(&self) -> &str {
        self.event.get("eventName").and_then(Value::as_str).unwrap_or_default()
    }

    /// True where the record is about identities, and alone says whether something is wrong.
    fn is_ours_to_decide(&self) -> bool {
        self.identity && !self.needs_lookup && !self.stateful
    }
}

/// How we differ from a publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Difference {
    /// They report it, none of our rules does.
    Missed,
    /// They leave it alone, and the rule of ours that answers theirs reports it.
    Reported,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    difference: Difference,
    /// The publisher's.
    rule: String,
    /// The record's `eventName`.
    event: String,
    /// How many records it is about, exactly.
    records: usize,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exceptions {
    exception: Vec<Exception>,
}

type Answers = BTreeMap<String, BTreeSet<String>>;

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn shipped() -> RuleBook {
    let sources = files(&here("../../rules"), "yml")
        .into_iter()
        .map(|path| RuleSource::new(path.to_string_lossy(), std::fs::read_to_string(&path).unwrap()));
    RuleBook::load(sources.collect()).map_err(|errors| format!("{errors:#?}")).unwrap()
}

fn records(file: &Path) -> Vec<Labelled> {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| {
            let place = format!("{name}:{}", at + 1);
            let record: Labelled = serde_json::from_str(line).unwrap_or_else(|error| panic!("{place}: {error}"));
            Labelled { place, ..record }
        })
        .collect()
}

/// The folder's files with their records; `None` where the environment names no folder.
fn corpora() -> Option<Vec<(PathBuf, Vec<Labelled>)>> {
    let folder = Need::Corpora.folder_or_skip()?;
    let found: Vec<_> = files(&folder, "jsonl").into_iter().map(|file| (file.clone(), records(&file))).collect();
    assert!(!found.is_empty(), "{} holds no .jsonl", folder.display());
    Some(found)
}

fn answers() -> Answers {
    toml::from_str(&std::fs::read_to_string(here("tests/corpora/answers.toml")).unwrap()).unwrap()
}

fn exceptions() -> Vec<Exception> {
    let read: Exceptions = toml::from_str(&std::fs::read_to_string(here("tests/corpora/exceptions.toml")).unwrap()).unwrap();
    read.exception
}

fn detected(book: &RuleBook, record: &Labelled) -> BTreeSet<String> {
    book.evaluate(&record.event).into_iter().map(|detection| detection.rule.to_string()).collect()
}

/// The records that each difference is about, by the publisher's rule and the name of the event.
fn differences(book: &RuleBook, answers: &Answers, all: &[&Labelled]) -> BTreeMap<(Difference, String, String), Vec<String>> {
    let mut found: BTreeMap<(Difference, String, String), Vec<String>> = BTreeMap::new();
    for record in all {
        let ours = detected(book, record);
        let difference = match record.expected {
            Some(true) if record.is_ours_to_decide() && ours.is_empty() => Difference::Missed,
            Some(false) if answers.get(record.publishers_rule()).is_some_and(|answers| !answers.is_disjoint(&ours)) => {
                Difference::Reported
            }
            Some(_) | None => continue,
        };
        let key = (difference, record.publishers_rule().to_owned(), record.event_name().to_owned());
        found.entry(key).or_default().push(record.place.clone());
    }
    found
}

#[test]
fn published_attacks_are_detected_and_what_their_rules_leave_alone_is_left_alone() {
    let Some(corpora) = corpora() else { return };
    let (book, answers) = (shipped(), answers());
    let all: Vec<&Labelled> = corpora.iter().flat_map(|(_, records)| records).collect();
    let mut found = differences(&book, &answers, &all);
    let mut problems = String::new();
    let mut excepted: BTreeMap<Difference, usize> = BTreeMap::new();
    for exception in exceptions() {
        assert!(exception.reason.len() > 40, "the exception for `{}` gives no reason", exception.rule);
        if !all.iter().any(|record| record.publishers_rule() == exception.rule) {
            continue; // A folder without that rule says nothing about it.
        }
        let places = found.remove(&(exception.difference, exception.rule.clone(), exception.event.clone())).unwrap_or_default();
        *excepted.entry(exception.difference).or_default() += places.len();
        if places.len() != exception.records {
            let Exception { difference, rule, event, records, .. } = &exception;
            let _ = writeln!(
                problems,
                "the exception for {event} of `{rule}` ({difference:?}) is for {records}, there are {}: {places:?}",
                places.len()
            );
        }
    }
    for ((difference, rule, event), places) in found {
        let _ = writeln!(problems, "{difference:?}: {event} of `{rule}` at {places:?}");
    }
    let ours = all.iter().filter(|record| record.expected == Some(true) && record.is_ours_to_decide()).count();
    let answered = all.iter().filter(|record| record.expected == Some(false) && answers.contains_key(record.publishers_rule()));
    println!("expected and ours to decide: {ours}; not expected and answered: {}; exceptions: {excepted:?}", answered.count());
    assert!(problems.is_empty(), "{problems}");
}

#[test]
fn each_answer_detects_something_that_its_publisher_reports() {
    let Some(corpora) = corpora() else { return };
    let book = shipped();
    let all: Vec<&Labelled> = corpora.iter().flat_map(|(_, records)| records).collect();
    for (publishers, ours) in answers() {
        for rule in &ours {
            assert!(book.rule(&rule.parse().unwrap()).is_some(), "`{rule}` answers `{publishers}` and is no rule of ours");
        }
        let reported: Vec<&&Labelled> =
            all.iter().filter(|record| record.expected == Some(true) && record.publishers_rule() == publishers).collect();
        for rule in ours.iter().filter(|_| !reported.is_empty()) {
            let useful = reported.iter().any(|record| detected(&book, record).contains(rule));
            assert!(useful, "`{rule}` detects nothing of what `{publishers}` reports");
        }
    }
}

#[test]
fn ordinary_traffic_pages_nobody() {
    let Some(corpora) = corpora() else { return };
    let book = shipped();
    let benign = corpora.iter().filter(|(file, _)| file.file_name().unwrap().to_string_lossy().starts_with("benign"));
    let (mut seen, mut reported) = (0, BTreeMap::<Level, usize>::new());
    let mut counts = MemoryCounts::default();
    for record in benign.flat_map(|(_, records)| records) {
        seen += 1;
        let time = record.event.get("eventTime").and_then(Value::as_str).and_then(|time| time.parse::<jiff::Timestamp>().ok());
        for tally in book.judge(&Enriched::new(&record.event)).tallies {
            let event = EventId::from_content(record.place.as_bytes());
            let reached = counts.count(&tally, &event, time.map_or(0, jiff::Timestamp::as_second)) != Count::Below;
            assert!(!reached || tally.detection.level < Level::High, "{}: `{}` is reached", record.place, tally.detection.rule);
        }
        for detection in book.evaluate(&record.event) {
            *reported.entry(detection.level).or_default() += 1;
            assert!(detection.level < Level::High, "{}: {} by `{}`", record.place, record.event_name(), detection.rule);
        }
    }
    println!("{seen} ordinary records, detections by level: {reported:?}");
}
