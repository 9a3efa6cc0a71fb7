//! Correlations in a replay: bursts are found wherever their events lie, once, and as the deployed functions would find them.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test may fail by panicking")]

mod replayed;

use std::path::PathBuf;

use cordon_core::{Config, Log};
use cordon_detect::cases::envelope;
use cordon_detect::{Correlation, Enriched, Expected, MemoryCounts, RuleBook, RuleSource, Series};
use cordon_replay::{Replay, Totals};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::replayed::{Said, gzip};

/// Three calls refused to one user within a minute.
const RULES: &str = "
title: Refused
name: refused
level: low
logsource: {product: aws, service: cloudtrail}
detection:
    s: {eventSource: iam.amazonaws.com, errorCode: AccessDenied}
    condition: s
---
title: Many refused
name: many-refused
level: high
correlation:
    type: event_count
    rules: [refused]
    group-by: [userIdentity.userName]
    timespan: 1m
    condition: {gte: 3}
";

fn book(text: &str) -> RuleBook {
    RuleBook::load(vec![RuleSource::new("r.yml", text)]).map_err(|errors| format!("{errors:?}")).unwrap()
}

fn call(user: &str, id: &str, time: &str) -> Value {
    json!({
        "eventVersion": "1.08", "eventName": "CreateUser", "eventSource": "iam.amazonaws.com", "errorCode": "AccessDenied",
        "userIdentity": {"type": "IAMUser", "userName": user, "accountId": "111111111111", "arn": format!("arn:aws:iam::111111111111:user/{user}")},
        "recipientAccountId": "111111111111", "eventID": id, "eventTime": time, "sourceIPAddress": "203.0.113.9",
    })
}

fn lines(records: &[Value]) -> Vec<u8> {
    records.iter().map(|record| format!("{record}\n")).collect::<String>().into_bytes()
}

/// Files of a folder that lives as long as they are read.
struct Files {
    _folder: tempfile::TempDir,
    paths: Vec<PathBuf>,
}

impl Files {
    fn with(texts: &[Vec<u8>]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |(n, text): (usize, &Vec<u8>)| {
            let path = folder.path().join(format!("{n}.json"));
            std::fs::write(&path, text).unwrap();
            path
        };
        let paths = texts.iter().enumerate().map(write).collect();
        Self { _folder: folder, paths }
    }

    fn replay(&self, book: &RuleBook, config: &Config, threads: usize) -> (Totals, Said) {
        replayed::replay(&Replay::new(book, config), &self.paths, threads, false)
    }
}

/// Replays one file of these records both ways, which have to agree.
fn replay(book: &RuleBook, records: &[Value]) -> (Totals, Vec<Value>) {
    let (files, config) = (Files::with(&[lines(records)]), replayed::config());
    let (mut full, full_said) = replayed::replay(&Replay::new(book, &config).parse_all(), &files.paths, 1, false);
    let (tally, said) = files.replay(book, &config, 1);
    full.unparsed = tally.unparsed;
    assert_eq!((&tally, &said), (&full, &full_said));
    (tally, said.matches())
}

#[test]
fn a_burst_over_several_files_is_found_once_in_any_order_and_by_any_number_of_threads() {
    let (book, config) = (book(RULES), replayed::config());
    // The last one in time comes first, and one of them twice.
    let files = Files::with(&[
        lines(&[call("bob", "x-1", "2026-01-01T00:00:00Z"), call("eve", "e-3", "2026-01-01T00:00:50Z")]),
        gzip(&lines(&[call("eve", "e-1", "2026-01-01T00:00:00Z"), call("eve", "e-4", "2026-01-01T00:01:30Z")])),
        format!(r#"{{"Records":[{}]}}"#, call("eve", "e-2", "2026-01-01T00:00:20Z")).into_bytes(),
        lines(&[call("eve", "e-3", "2026-01-01T00:00:50Z"), call("bob", "x-2", "2026-01-01T00:09:00Z")]),
    ]);
    let (tally, said) = files.replay(&book, &config, 1);
    assert_eq!((tally.matches, tally.bursts, tally.untimed, tally.uncounted), (0, 1, 0, 0));
    let id = "many-refused".parse().unwrap();
    assert_eq!(tally.rules.keys().collect::<Vec<_>>(), [&id]);
    assert_eq!(tally.rules[&id].events, 1);
    assert_eq!(tally.noisiest(), [("arn:aws:iam::111111111111:user/eve", 1)]);
    assert_eq!((tally.routes.alerted, tally.routes.would_ask), (1, 0));
    let eve = "arn:aws:iam::111111111111:user/eve";
    assert_eq!(
        said.matches(),
        [json!({
            "file": files.paths[0], "record": 1, "event_id": "e-3", "event_name": "CreateUser", "event_time": "2026-01-01T00:00:50Z",
            "account": "111111111111", "actor": eve, "subject": eve, "severity": "high", "route": "alert",
            "rules": [{"id": "many-refused", "title": "Many refused", "level": "high"}],
        })]
    );
    for threads in [1, 2, 8] {
        for turn in 0..files.paths.len() {
            let mut paths = files.paths.clone();
            paths.rotate_left(turn);
            for paths in [paths.clone(), paths.into_iter().rev().collect()] {
                let again = replayed::replay(&Replay::new(&book, &config), &paths, threads, false);
                assert_eq!(again, (tally.clone(), said.clone()), "{threads} {turn}");
            }
        }
    }
}

#[test]
fn bursts_come_behind_the_events_in_the_order_of_their_times() {
    let book = book(&RULES.replace("correlation:", "generate: true\ncorrelation:"));
    let of = |user: &str, minute: u32| {
        (0..3).map(|n| call(user, &format!("{user}-{n}"), &format!("2026-01-01T00:{minute:02}:0{n}Z"))).collect::<Vec<_>>()
    };
    let (tally, found) = replay(&book, &[of("zoe", 30), of("ann", 10), of("ben", 20)].concat());
    assert_eq!((tally.matches, tally.bursts), (9, 3));
    let ids: Vec<&str> = found.iter().map(|line| line["event_id"].as_str().unwrap()).collect();
    assert_eq!(ids[9..], ["ann-2", "ben-2", "zoe-2"]);
    assert!(found[..9].iter().all(|line| line["rules"][0]["id"] == "refused"));
    assert!(found[9..].iter().all(|line| line["rules"][0]["id"] == "many-refused"));
}

#[test]
fn only_what_a_counted_rule_may_match_is_parsed() {
    let mut quiet = call("eve", "q-1", "2026-01-01T00:00:00Z");
    quiet["eventSource"] = json!("s3.amazonaws.com");
    let mut done = call("eve", "q-2", "2026-01-01T00:00:00Z");
    done.as_object_mut().unwrap().remove("errorCode");
    let (tally, _) = replay(&book(RULES), &[quiet, done, call("eve", "e-1", "2026-01-01T00:00:00Z")]);
    assert_eq!((tally.events, tally.unparsed), (3, 2));
}

#[test]
fn a_correlation_that_is_disabled_is_not_counted_and_its_rule_needs_nothing() {
    let records: Vec<Value> = (0..3).map(|n| call("eve", &format!("e-{n}"), "2026-01-01T00:00:00Z")).collect();
    assert_eq!(replay(&book(RULES), &records).0.bursts, 1);
    let off = book(RULES).without(&["many-refused".parse().unwrap()]).unwrap();
    let (tally, _) = replay(&off, &records);
    assert_eq!((tally.bursts, tally.unparsed), (0, 3));
}

#[test]
fn what_is_not_known_to_be_of_a_time_or_cannot_be_read_is_not_counted_and_told() {
    let mut records: Vec<Value> = (0..4).map(|n| call("eve", &format!("e-{n}"), "2026-01-01T00:00:00Z")).collect();
    records[0]["eventTime"] = json!("yesterday");
    records[1].as_object_mut().unwrap().remove("eventTime");
    // The deployed function asks a person about this one, and counts nothing.
    records[2]["requestParameters"] = json!({"omitted": true});
    let (tally, found) = replay(&book(RULES), &records);
    assert_eq!((tally.bursts, tally.untimed, tally.uncounted, tally.faults()), (0, 2, 0, 0));
    assert_eq!(found, [json!({"not_counted": {"too_many": 0, "without_time": 2}})]);
    assert_eq!(tally.undecidable.values().sum::<u64>(), 1);
}

#[test]
fn events_without_an_id_are_told_apart_by_all_of_their_content() {
    let records: Vec<Value> = (0..3)
        .map(|n| {
            let mut record = call("eve", "", "2026-01-01T00:00:00Z");
            record["requestID"] = json!(n);
            record
        })
        .collect();
    assert_eq!(replay(&book(RULES), &records).0.bursts, 1);
    assert_eq!(replay(&book(RULES), &vec![records[0].clone(); 3]).0.bursts, 0, "one event, three times");
}

#[test]
fn an_event_of_eventbridge_is_counted_like_its_record_and_a_notice_like_an_event() {
    let envelope_of = |n: u32| {
        let mut envelope = envelope(Log::CloudTrail, &call("eve", &format!("e-{n}"), "2026-01-01T00:00:00Z"));
        envelope["source"] = json!("aws.iam");
        envelope
    };
    let (tally, found) = replay(&book(RULES), &[envelope_of(0), envelope_of(1), call("eve", "e-2", "2026-01-01T00:00:01Z")]);
    assert_eq!((tally.bursts, &found[0]["event_id"]), (1, &json!("e-2")));

    let notices = book(
        "title: n\nname: n\nlevel: low\nlogsource: {product: aws, service: guardduty}\ndetection: {s: {type|startswith: 'Stealth:'}, condition: s}\n---\n\
         title: many\nname: many\nlevel: high\ncorrelation: {type: value_count, rules: [n], group-by: [accountId], timespan: 1h, condition: {gte: 2, field: type}}\n",
    );
    let notice = |n: u32| {
        let mut notice = envelope(
            Log::GuardDuty,
            &json!({"type": format!("Stealth:IAMUser/{n}"), "id": format!("f-{n}"), "severity": 5, "accountId": "111111111111", "region": "us-east-1",
                "service": {"eventFirstSeen": "2026-01-01T00:00:00Z", "count": 1}}),
        );
        notice["time"] = json!("2026-01-01T00:00:00Z");
        notice
    };
    assert_eq!(replay(&notices, &[notice(1), notice(1)]).0.bursts, 0);
    let (tally, found) = replay(&notices, &[notice(1), notice(2)]);
    assert_eq!((tally.bursts, &found[0]["account"]), (1, &json!("111111111111")));
}

#[test]
fn a_correlation_with_a_response_asks_where_an_event_of_its_actor_would() {
    let book = book(&RULES.replace("level: high\n", "level: high\nresponse: {contain: [deny-iam]}\n"));
    let records: Vec<Value> = (0..3).map(|n| call("eve", &format!("e-{n}"), "2026-01-01T00:00:00Z")).collect();
    let files = Files::with(&[lines(&records)]);
    let routes = |config: &str| {
        let (tally, said) = files.replay(&book, &Config::parse("cordon.toml", config).unwrap(), 1);
        assert_eq!(said.matches().len(), 1);
        (tally.routes, said.matches()[0]["route"].clone())
    };
    let scope = "[scope]\naccounts = ['*']\nprincipals = ['arn:aws:iam::*:user/*']\n";
    let (routes_of, route) = routes(scope);
    assert_eq!((routes_of.alerted, routes_of.would_ask, routes_of.exceptions_unknown, route), (1, 1, 1, json!("alert")));
    let approvers = "[[approval.approvers]]\nname = 'dana'\nslack_user_id = 'U012AB3CD'\nprincipals = ['arn:aws:iam::111111111111:role/security']\n";
    let (routes_of, route) = routes(&format!("mode = 'enforce'\n{scope}{approvers}"));
    assert_eq!((routes_of.asked, routes_of.would_ask, route), (1, 1, json!("ask")));
    let (routes_of, route) = routes("");
    assert_eq!((routes_of.would_ask, route), (0, json!("alert")), "nobody is in scope");
}

#[test]
fn what_is_too_much_to_be_counted_is_told_and_the_same_for_any_number_of_threads() {
    let (book, config) = (book(RULES), replayed::config());
    // Groups that share nothing, so that few events fill the room.
    let many: Vec<Vec<u8>> = (0..6)
        .map(|file| {
            let user = |n: u32| format!("{file}-{n}-{}", "x".repeat(1_400));
            lines(&(0..800).map(|n| call(&user(n), &format!("e-{file}-{n}"), "2026-01-01T00:00:00Z")).collect::<Vec<_>>())
        })
        .collect();
    let early = lines(&(0..3).map(|n| call("eve", &format!("e-{n}"), "2026-01-01T00:00:00Z")).collect::<Vec<_>>());
    let late = lines(&(0..3).map(|n| call("bob", &format!("b-{n}"), "2026-01-01T00:00:00Z")).collect::<Vec<_>>());
    let files = Files::with(&[vec![early], many, vec![late]].concat());
    let (tally, said) = files.replay(&book, &config, 1);
    assert_eq!((tally.bursts, tally.untimed, tally.faults()), (1, 0, 0));
    assert!((1_000..4_000).contains(&tally.uncounted), "{}", tally.uncounted);
    let found = said.matches();
    assert_eq!((found.len(), &found[0]["event_id"]), (2, &json!("e-2")));
    assert_eq!(found[1], json!({"not_counted": {"too_many": tally.uncounted, "without_time": 0}}));
    for threads in [2, 8] {
        assert_eq!(files.replay(&book, &config, threads), (tally.clone(), said.clone()), "{threads} threads");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    /// Whatever file an event lies in, the bursts are those of the deployed functions' counting, had the events come in order.
    #[test]
    fn bursts_are_those_of_counting_in_the_order_of_time(events in vec((select(vec!["ann", "ben"]), 0_i64..400, 0..3_usize), 0..40)) {
        let (book, config) = (book(RULES), replayed::config());
        let mut texts = vec![Vec::new(); 3];
        let mut in_order = Vec::new();
        for (n, (user, at, file)) in events.iter().enumerate() {
            let id = format!("e-{n:02}");
            let record = call(user, &id, &jiff::Timestamp::from_second(*at).unwrap().to_string());
            texts[*file].extend(lines(std::slice::from_ref(&record)));
            in_order.push((*at, id, record));
        }
        in_order.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        let mut counts = MemoryCounts::default();
        let opens = |(at, id, record): &(i64, String, Value)| {
            !book.correlate(&Enriched::new(record), &id.parse().unwrap(), *at, &mut counts).is_empty()
        };
        let mut expected: Vec<String> = in_order.into_iter().filter(opens).map(|(_, id, _)| id).collect();
        let (tally, said) = Files::with(&texts).replay(&book, &config, 2);
        let mut found: Vec<String> = said.matches().iter().map(|line| line["event_id"].as_str().unwrap().to_owned()).collect();
        prop_assert_eq!(tally.bursts, found.len() as u64);
        expected.sort();
        found.sort();
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn the_cases_of_the_shipped_correlations_say_the_same_as_logs() {
    let book = replayed::catalogue();
    let mut kinds = Vec::new();
    for correlation in book.correlations() {
        for series in &correlation.series {
            let (tally, _) = replay(&book, &log_of(&book, correlation, series));
            let bursts = tally.rules.get(&correlation.id).map_or(0, |detected| detected.events);
            assert_eq!(bursts > 0, series.expected == Expected::Hit, "{}: {:?}", correlation.id, series.why);
            kinds.push(series.expected);
        }
    }
    assert!(kinds.contains(&Expected::Hit) && kinds.contains(&Expected::Miss));
}

/// The events of a case, as the log that they would stand in.
fn log_of(book: &RuleBook, correlation: &Correlation, series: &Series) -> Vec<Value> {
    let start: i64 = 1_767_225_600;
    let (mut at, mut records) = (0, Vec::new());
    for step in &series.steps {
        at += step.pause_seconds().unwrap();
        for _ in 0..step.repeat {
            at += 1;
            let mut record = step.event.clone();
            record["eventID"] = json!(format!("00000000-0000-4000-8000-{:012x}", records.len()));
            record["eventTime"] = json!(jiff::Timestamp::from_second(start + at).unwrap().to_string());
            records.push(record);
        }
    }
    let log = book.rule(&correlation.rules[0]).unwrap().log;
    assert_eq!(log, Log::CloudTrail, "{}: a notice would need its envelope", correlation.id);
    records
}
