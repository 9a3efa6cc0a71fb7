//! What a replay makes of files as they are found: whole, compressed, cut off, damaged, too long.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test may fail by panicking")]

mod replayed;

use std::path::{Path, PathBuf};

use cordon_detect::RuleBook;
use cordon_replay::{Replay, Totals};
use serde_json::json;

use crate::replayed::{Said, gzip};

const FOUND: &str = r#"{"eventVersion":"1.08","eventName":"CreateUser","eventSource":"iam.amazonaws.com","userIdentity":{"type":"IAMUser","userName":"eve","accountId":"111111111111","arn":"arn:aws:iam::111111111111:user/eve"},"requestParameters":{"userName":"bob"},"eventID":"e-1","eventTime":"2026-01-01T00:00:00Z","recipientAccountId":"111111111111"}"#;
const PASSED: &str =
    r#"{"eventVersion":"1.08","eventName":"GetObject","eventSource":"s3.amazonaws.com","userIdentity":{"type":"IAMUser"}}"#;

fn book() -> RuleBook {
    replayed::rule("user-created", "  a: {eventName: CreateUser}\n  condition: a").unwrap()
}

fn run(paths: &[PathBuf], threads: usize, strict: bool) -> (Totals, Said) {
    let (book, config) = (book(), replayed::config());
    replayed::replay(&Replay::new(&book, &config), paths, threads, strict)
}

/// Replays one file with this content; gives its tally, the numbers of the records that were found, and what could not be read.
fn read(bytes: &[u8]) -> (Totals, Vec<u64>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.json");
    std::fs::write(&path, bytes).unwrap();
    let (tally, said) = run(&[path], 1, false);
    let records = said.matches().iter().map(|line| line["record"].as_u64().unwrap()).collect();
    (tally, records, said.told(folder.path()))
}

#[track_caller]
fn check(bytes: &[u8], events: u64, found: &[u64], told: &[&str]) {
    let (tally, records, faults) = read(bytes);
    assert_eq!((tally.events, records.as_slice()), (events, found));
    assert_eq!(faults, told);
    assert_eq!(tally.faults(), told.len() as u64);
}

fn lines(lines: &[&str]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_bytes(), b"\n"]).collect::<Vec<_>>().concat()
}

fn list(records: &[&str]) -> Vec<u8> {
    format!("{{\"Records\":[{}]}}", records.join(",")).into_bytes()
}

#[test]
fn records_are_found_in_every_shape_a_log_has() {
    let records = [PASSED, FOUND, PASSED, FOUND];
    check(&lines(&records), 4, &[1, 3], &[]);
    check(&list(&records), 4, &[1, 3], &[]);
    check(&gzip(&lines(&records)), 4, &[1, 3], &[]);
    check(&gzip(&list(&records)), 4, &[1, 3], &[]);
    check(records.join("\n").as_bytes(), 4, &[1, 3], &[]);
    check(records.join("\r\n").as_bytes(), 4, &[1, 3], &[]);
    check(records.join("\n\n \n").as_bytes(), 4, &[1, 3], &[]);
    check(records.concat().as_bytes(), 4, &[1, 3], &[]);
    check(format!("\u{feff}{}", records.join("\n")).as_bytes(), 4, &[1, 3], &[]);
    check(format!("[{}]", records.join(",")).as_bytes(), 4, &[1, 3], &[]);
    check(format!(" {{ \"Records\" : [ {} ] }} ", records.join(" ,\n ")).as_bytes(), 4, &[1, 3], &[]);
    let pretty: serde_json::Value = serde_json::from_slice(&list(&records)).unwrap();
    check(serde_json::to_string_pretty(&pretty).unwrap().as_bytes(), 4, &[1, 3], &[]);
    check(serde_json::to_string_pretty(&pretty["Records"][1]).unwrap().as_bytes(), 1, &[0], &[]);
    check(&[list(&records), list(&records)].concat(), 8, &[1, 3, 5, 7], &[]);
    check(&format!("{{\"a\":1,\"Records\":[{FOUND},{FOUND}]}}").into_bytes(), 2, &[0, 1], &[]);
    check(format!("{{\"Records\":[{FOUND}],\"next\":{{\"a\":[\"]}}\"]}}}}\n{FOUND}").as_bytes(), 2, &[0, 1], &[]);
}

#[test]
fn an_event_of_eventbridge_says_the_same_as_its_record() {
    let envelope = format!(
        r#"{{"version":"0","id":"x","source":"aws.iam","account":"111111111111","detail-type":"AWS API Call via CloudTrail","detail":{FOUND}}}"#
    );
    let folder = tempfile::tempdir().unwrap();
    let line = |text: &str| {
        let path = folder.path().join("log.jsonl");
        std::fs::write(&path, text).unwrap();
        run(&[path], 1, false).1.matches()
    };
    assert_eq!(line(&envelope), line(FOUND));
    assert_eq!(line(&envelope).len(), 1);
}

#[test]
fn nothing_is_no_fault() {
    for empty in [&b""[..], b"\n\n", b"\xef\xbb\xbf", b"{\"Records\":[]}", b"[]"] {
        check(empty, 0, &[], &[]);
        check(&gzip(empty), 0, &[], &[]);
    }
}

#[test]
fn several_gzip_members_are_one_text() {
    let text = lines(&[PASSED, FOUND, FOUND]);
    let (a, b) = text.split_at(text.len() / 2);
    check(&[gzip(a), gzip(b)].concat(), 3, &[1, 2], &[]);
    check(&[gzip(b""), gzip(&text), gzip(b"")].concat(), 3, &[1, 2], &[]);
}

#[test]
fn what_is_not_json_costs_its_line_and_is_told_with_its_place() {
    check(
        &lines(&[FOUND, "nonsense", "", FOUND, r#"{"eventName":}"#, r#"{"a":1}"#, "[1]", "\u{7}", FOUND]),
        3,
        &[0, 2, 7],
        &[
            &format!("log.json: line 2 (byte {}): is not JSON: expected ident at line 1 column 2", FOUND.len() + 1),
            &format!("log.json: line 5 (byte {}): is not JSON: expected value at line 1 column 14", 2 * FOUND.len() + 12),
            &format!(
                "log.json: line 6 (byte {}): is JSON, but neither a CloudTrail record nor an event of EventBridge",
                2 * FOUND.len() + 27
            ),
            &format!("log.json: line 7 (byte {}): is JSON, but no CloudTrail record", 2 * FOUND.len() + 35),
            &format!("log.json: line 8 (byte {}): is not JSON: expected value at line 1 column 1", 2 * FOUND.len() + 39),
        ],
    );
}

#[test]
fn a_fault_inside_a_list_is_told_by_record_and_the_list_goes_on() {
    let at = |records: usize| 12 + records * (FOUND.len() + 1);
    check(
        &list(&[FOUND, r#"{"a" 1}"#, "17", FOUND]),
        2,
        &[0, 3],
        &[
            &format!("log.json: record 1 (byte {}): is not JSON: expected `:` at line 1 column 6", at(1)),
            &format!("log.json: record 2 (byte {}): is JSON, but no CloudTrail record", at(1) + 8),
        ],
    );
    let broken = format!("{{\"Records\":[{FOUND}{FOUND}]}}\n{FOUND}");
    check(
        broken.as_bytes(),
        1,
        &[0],
        &[&format!(
            "log.json: record 1 (byte {}): is not JSON: a comma or `]` was expected; the rest of the file was not read",
            at(1) - 1
        )],
    );
}

#[test]
fn what_stands_behind_a_list_is_read_too() {
    let behind = |tail: &str| format!("{{\"Records\":[{PASSED}]{tail}").into_bytes();
    let byte = 12 + PASSED.len() + 1;
    let told = |what: &str| format!("log.json: record 1 (byte {byte}): {what}");
    check(&behind(",\"n\":1}"), 1, &[], &[]);
    check(
        &behind(&format!(",\"Records\":[{FOUND}]}}")),
        1,
        &[],
        &[&told("has a second list of records behind the one that was read")],
    );
    check(
        &behind(",nonsense}"),
        1,
        &[],
        &[&told("is not JSON: key must be a string at line 1 column 2, counted from the end of the list of records")],
    );
    check(&behind("x"), 1, &[], &[&told("is not JSON: a comma or `]` was expected; the rest of the file was not read")]);
    check(&behind(",\"a\":"), 1, &[], &[&told("the list of records breaks off")]);
    check(&behind(""), 1, &[], &[&told("the list of records breaks off")]);
}

#[test]
fn a_list_that_breaks_off_gives_what_came_before() {
    let text = list(&[FOUND, PASSED]);
    for cut in [text.len() - 2, text.len() - 30] {
        let (tally, records, told) = read(&text[..cut]);
        assert_eq!(records, [0]);
        assert_eq!((tally.faults(), told.len()), (1, 1));
        assert!(told[0].ends_with("the list of records breaks off"), "{told:?}");
    }
}

#[test]
fn compressed_data_that_breaks_off_or_is_damaged_gives_what_came_before() {
    // Numbers that do not repeat, so that the damage is far behind the first records.
    let mut text = lines(&[FOUND]);
    for n in 0u64..3_000 {
        let id = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        text.extend_from_slice(format!("{}\n", PASSED.replace("1.08", &format!("1.{id}"))).as_bytes());
    }
    let whole = gzip(&text);
    let (tally, records, told) = read(&whole[..whole.len() - 100]);
    assert_eq!(records, [0]);
    assert!(tally.events > 2_000 && tally.events < 3_001, "{}", tally.events);
    let place = format!("log.json: line {} (byte ", tally.events + 1);
    assert!(
        told[0].starts_with(&place) && told[0].ends_with("the compressed data breaks off; what came before was read"),
        "{told:?}"
    );
    assert_eq!(told.len(), 1);

    let mut damaged = whole.clone();
    let middle = whole.len() / 2;
    damaged[middle..middle + 64].fill(0xff);
    let (tally, records, told) = read(&damaged);
    assert_eq!(records, [0]);
    assert!(tally.events > 100 && tally.faults() >= 1, "{tally:?}");
    assert!(told.iter().any(|told| told.contains("the compressed data is damaged")), "{told:?}");

    let (_, _, told) = read(&whole[..5]);
    assert_eq!(told, ["log.json: line 1 (byte 0): the compressed data breaks off; what came before was read"]);
}

#[test]
fn a_line_of_a_hundred_megabytes_costs_that_line() {
    let long = format!(r#"{{"eventName":"{}"}}"#, "x".repeat(100_000_000));
    let text = lines(&[FOUND, &long, FOUND]);
    let told = format!("log.json: line 2 (byte {}): is longer than 4 MiB, which no CloudTrail record is", FOUND.len() + 1);
    check(&text, 2, &[0, 2], &[&told]);
    check(&gzip(&text), 2, &[0, 2], &[&told]);
    let told = format!("log.json: record 1 (byte {}): is longer than 4 MiB, which no CloudTrail record is", 12 + FOUND.len() + 1);
    check(&list(&[FOUND, &long, FOUND]), 2, &[0, 2], &[&told]);
    check(&list(&[FOUND, &long.replace('x', "{"), FOUND]), 2, &[0, 2], &[&told]);
    check(long.as_bytes(), 0, &[], &["log.json: line 1 (byte 0): is longer than 4 MiB, which no CloudTrail record is"]);
}

#[test]
fn only_the_first_faults_of_a_file_are_told_and_all_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    std::fs::write(&path, "x\n".repeat(1_000)).unwrap();
    let (tally, said) = run(&[path], 1, false);
    assert_eq!((tally.faults(), said.faults.len(), said.more), (1_000, 20, 980));
}

#[test]
fn a_strict_replay_ends_with_the_first_fault_in_the_order_of_the_files() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in
        [("a.jsonl", lines(&[FOUND])), ("b.jsonl", lines(&[FOUND, "x", FOUND])), ("c.jsonl", lines(&["y", FOUND]))]
    {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    for threads in [1, 4] {
        let (tally, said) = run(&[folder.path().to_owned()], threads, true);
        assert_eq!((tally.events, tally.faults(), said.matches().len()), (2, 1, 2));
        assert_eq!(said.told(folder.path()).len(), 1);
    }
    let (tally, _) = run(&[folder.path().to_owned()], 1, false);
    assert_eq!((tally.events, tally.faults()), (4, 2));
    let (tally, said) = run(&[folder.path().join("none"), folder.path().to_owned()], 2, true);
    assert_eq!((tally.events, tally.faults()), (0, 1));
    assert_eq!(said.told(folder.path()), ["none: there is no such file or folder"]);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..40 {
        let mut text = lines(&[PASSED, FOUND, "x"]).repeat(n % 7 * 40);
        if n % 5 == 0 {
            text = gzip(&text);
        }
        if n % 10 == 5 {
            text.truncate(text.len() / 2);
        }
        std::fs::write(folder.path().join(format!("{n:02}.jsonl")), text).unwrap();
    }
    let paths = [folder.path().to_owned()];
    let one = run(&paths, 1, false);
    assert!(one.0.matches > 1_000 && one.0.faults() > 1_000);
    for threads in [2, 3, 8, 50] {
        assert_eq!(run(&paths, threads, false), one, "{threads} threads");
    }
}

#[test]
fn a_line_has_exactly_the_documented_fields() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    std::fs::write(&path, lines(&[PASSED, FOUND, r#"{"eventName":"CreateUser","eventSource":null,"userIdentity":null}"#]))
        .unwrap();
    let (_, said) = run(std::slice::from_ref(&path), 1, false);
    let file = path.display().to_string();
    let rules = json!([{"id": "user-created", "title": "user-created", "level": "high"}]);
    let mut findings = said.matches();
    let last = findings.pop().unwrap();
    assert_eq!(
        findings,
        [json!({
            "file": file, "record": 1, "event_id": "e-1", "event_name": "CreateUser", "event_time": "2026-01-01T00:00:00Z",
            "account": "111111111111", "actor": "arn:aws:iam::111111111111:user/eve",
            "subject": "arn:aws:iam::111111111111:user/bob", "rules": rules, "severity": "high", "route": "alert",
        })]
    );
    assert_eq!(
        (&last["event_id"], &last["event_time"], &last["account"], &last["rules"], &last["route"]),
        (&json!(null), &json!(null), &json!(null), &rules, &json!("alert"))
    );
    let text = String::from_utf8(said.lines).unwrap();
    let line = text.lines().next().unwrap();
    let keys =
        ["file", "record", "event_id", "event_name", "event_time", "account", "actor", "subject", "rules", "severity", "route"];
    let places: Vec<usize> = keys.iter().map(|key| line.find(&format!("\"{key}\":")).unwrap()).collect();
    assert!(places.is_sorted(), "{line}");
}

#[test]
fn what_cannot_be_judged_is_counted_as_put_to_a_person() {
    let omitted = FOUND.replace(r#""requestParameters":{"userName":"bob"}"#, r#""requestParameters":{"omitted":true}"#);
    let (tally, _, told) = read(&lines(&[&omitted, r#"{"eventName":"GetObject"}"#, &PASSED.replace("1.08", "2.0")]));
    assert!(told.is_empty());
    let undecidable: Vec<(&str, u64)> = tally.undecidable.iter().map(|(reason, events)| (reason.as_str(), *events)).collect();
    assert_eq!(
        undecidable,
        [
            ("CloudTrail omitted the request's parameters", 1),
            ("the record has an `eventVersion` that Cordon does not know", 1),
            ("the record has no `eventSource`", 1),
        ]
    );
}

#[test]
fn a_folder_that_cannot_be_opened_is_told() {
    let (tally, said) = run(&[Path::new("/nowhere/at/all").to_owned()], 1, false);
    assert_eq!(tally.faults(), 1);
    assert_eq!(said.faults[0].to_string(), "/nowhere/at/all: there is no such file or folder");
}
