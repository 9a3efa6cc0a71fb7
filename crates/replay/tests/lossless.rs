//! What is passed over unparsed changes nothing: the fast way says to the letter what a full parse of every record says.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test may fail by panicking")]

mod replayed;

use std::cell::Cell;
use std::path::PathBuf;

use cordon_core::Log;
use cordon_detect::RuleBook;
use cordon_replay::{Replay, Tally};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{TestCaseError, TestRunner};
use serde_json::json;

/// What both ways have to agree on; how many were passed over is what they differ in.
fn comparable(mut tally: Tally) -> Tally {
    tally.passed_over = 0;
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
    let passed_over = fast.passed_over;
    prop_assert_eq!(full.passed_over, 0);
    prop_assert_eq!(comparable(fast), comparable(full), "{}", String::from_utf8_lossy(text));
    prop_assert_eq!(fast_said, full_said, "{}", String::from_utf8_lossy(text));
    Ok(passed_over)
}

const KEYS: [&str; 16] = [
    "eventName",
    "eventSource",
    "eventVersion",
    "userIdentity",
    "userAgent",
    "errorCode",
    "requestParameters",
    "responseElements",
    "type",
    "userName",
    "userIdentity.type",
    "requestParameters.userName",
    "omitted",
    "detail",
    "Records",
    "source",
];

const TEXTS: [&str; 22] = [
    "GetObject",
    "DescribeInstances",
    "CreateUser",
    "createuser",
    "CreateUserX",
    "AttachUserPolicy",
    "ConsoleLogin",
    "iam.amazonaws.com",
    "s3.amazonaws.com",
    "signin.amazonaws.com",
    "Root",
    "IAMUser",
    "AssumedRole",
    "AccessDenied",
    "aws-cli/2.31.4",
    "Pacu/1.0",
    "[S3 Browser 9]",
    "arn:aws:iam::aws:policy/AdministratorAccess",
    "bob",
    "1.08",
    "2.0",
    "",
];

/// A text between quotes, as it reads or with some of its characters spelled by number.
fn spelled(text: &'static str) -> BoxedStrategy<Vec<u8>> {
    let escaped = vec(any::<bool>(), text.len()).prop_map(move |by_number| {
        let mut spelled = String::from("\"");
        for (c, by_number) in text.chars().zip(by_number) {
            if by_number { spelled += &format!("\\u{:04x}", c as u32) } else { spelled.push(c) }
        }
        spelled.push('"');
        spelled.into_bytes()
    });
    prop_oneof![60 => Just(format!("\"{text}\"").into_bytes()), 1 => escaped].boxed()
}

fn key() -> BoxedStrategy<Vec<u8>> {
    prop_oneof![
        40 => select(KEYS.as_slice()).prop_flat_map(spelled),
        1 => Just(br#""event\/Name""#.to_vec()),
        1 => Just(br#""\"eventName""#.to_vec()),
        1 => Just(b"\"\xff\"".to_vec()),
        2 => "[a-z]{1,9}".prop_map(|text| format!("\"{text}\"").into_bytes()),
    ]
    .boxed()
}

fn leaf() -> BoxedStrategy<Vec<u8>> {
    let bytes = |text: &str| text.as_bytes().to_vec();
    prop_oneof![
        40 => select(TEXTS.as_slice()).prop_flat_map(spelled),
        8 => select(["null", "true", "17", "1.5"].as_slice()).prop_map(bytes),
        2 => select(["null", "true", "false", "0", "-0", "17", "1.5", "1e3", "1E400", "-12.75e-2", "01", "1.", "99999999999999999999"].as_slice()).prop_map(bytes),
        1 => Just(b"\"\xc3\x28\"".to_vec()),
        1 => Just("\"Ünïcode\u{2028}\"".as_bytes().to_vec()),
        1 => Just(br#""\"eventName\":\"CreateUser\"""#.to_vec()),
        1 => Just(br#""\ud800""#.to_vec()),
        1 => "[ -~]{0,80}".prop_map(|text| format!("\"{}\"", text.replace(['"', '\\'], "'")).into_bytes()),
    ]
    .boxed()
}

fn gap() -> BoxedStrategy<&'static str> {
    prop_oneof![12 => Just(""), 2 => Just(" "), 1 => Just("\t"), 1 => Just("\r"), 1 => Just("                                   ")].boxed()
}

fn object(members: Vec<(Vec<u8>, Vec<u8>)>, gap: &str) -> Vec<u8> {
    let gap = gap.as_bytes();
    let members: Vec<Vec<u8>> = members.into_iter().map(|(key, value)| [&key, gap, b":", gap, &value].concat()).collect();
    [b"{", gap, &members.join([gap, b",", gap].concat().as_slice()), gap, b"}"].concat()
}

fn value() -> BoxedStrategy<Vec<u8>> {
    leaf()
        .prop_recursive(3, 24, 5, |inner| {
            prop_oneof![
                (vec((key(), inner.clone()), 0..5), gap()).prop_map(|(members, gap)| object(members, gap)),
                (vec(inner, 0..4), gap()).prop_map(|(items, gap)| {
                    [b"[", gap.as_bytes(), &items.join(b",".as_slice()), gap.as_bytes(), b"]"].concat()
                }),
            ]
        })
        .boxed()
}

/// A record that looks like CloudTrail's, with further members before and behind, which may repeat its own keys.
fn record() -> BoxedStrategy<Vec<u8>> {
    let text = |from: &'static [&'static str]| select(from).prop_flat_map(spelled);
    let own = |key: &'static str, value: BoxedStrategy<Vec<u8>>| prop_oneof![60 => (spelled(key), value).prop_map(Some), 1 => (key_only(key), self::value()).prop_map(Some), 1 => Just(None)];
    let identity = (text(&TEXTS[10..13]), vec((key(), leaf()), 0..2)).prop_map(|(kind, mut members)| {
        members.push((b"\"type\"".to_vec(), kind));
        object(members, "")
    });
    let kernel = (
        own("eventVersion", Just(b"\"1.08\"".to_vec()).boxed()),
        own("userIdentity", identity.boxed()),
        own("eventSource", text(&TEXTS[7..10]).boxed()),
        own("eventName", text(&TEXTS[0..7]).boxed()),
        own("userAgent", text(&TEXTS[14..17]).boxed()),
    );
    let more = || vec((key(), value()), 0..2);
    let other =
        || vec(("[a-d]{1,3}".prop_map(|key| format!("\"{key}\"").into_bytes()), prop_oneof![4 => leaf(), 1 => value()]), 0..3);
    (other(), kernel, prop_oneof![8 => other(), 1 => more()], gap())
        .prop_map(|(before, (a, b, c, d, e), behind, gap)| {
            let members = before.into_iter().chain([a, b, c, d, e].into_iter().flatten()).chain(behind);
            object(members.collect(), gap)
        })
        .boxed()
}

fn key_only(key: &'static str) -> BoxedStrategy<Vec<u8>> {
    Just(format!("\"{key}\"").into_bytes()).boxed()
}

/// A log of records, lines or a list; some with bytes that do not belong.
fn log() -> BoxedStrategy<Vec<u8>> {
    let broken = (record(), any::<Index>(), select([",", "}", "{", "\"", "x", "\u{1}", "[", "\\", ""].as_slice())).prop_map(
        |(mut record, at, with)| {
            let at = at.index(record.len());
            record.splice(at..=at, with.bytes());
            record
        },
    );
    let any_record = prop_oneof![18 => record(), 1 => broken, 1 => value()];
    (vec(any_record, 1..12), any::<bool>())
        .prop_map(|(records, list)| {
            if list {
                [b"{\"Records\":[", records.join(b",".as_slice()).as_slice(), b"]}"].concat()
            } else {
                records.join(b"\n".as_slice())
            }
        })
        .boxed()
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
    assert_eq!(fast.unserved(), []);
    let passed_over = Cell::new(0);
    runner(400)
        .run(&log(), |text| {
            passed_over.set(passed_over.get() + both_agree(&fast, &full, &text)?);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(passed_over.get() > 100, "only {} records were passed over: the property shows little", passed_over.get());
}

/// One selection of a rule.
fn selection() -> BoxedStrategy<String> {
    let field = select(
        [
            "eventName",
            "eventSource",
            "userAgent",
            "errorCode",
            "type",
            "userIdentity.type",
            "requestParameters.userName",
            "a.b",
            "a",
        ]
        .as_slice(),
    );
    let modifier = select(
        [
            "",
            "",
            "",
            "|contains",
            "|startswith",
            "|endswith",
            "|cased",
            "|contains|cased",
            "|re",
            "|re|i",
            "|contains|all",
            "|exists",
            "|gt",
            "|fieldref",
        ]
        .as_slice(),
    );
    let text = select(
        [
            "CreateUser",
            "Create*",
            "*user",
            "*o*e*",
            "createuser",
            "C?eateUser",
            "iam*",
            "root",
            "IAMUser",
            "bob",
            "AccessDenied",
            "pacu",
            "*",
            "1.08",
            "Ünïcode",
        ]
        .as_slice(),
    );
    (field, modifier, vec(text, 1..3), 0..12u8)
        .prop_map(|(field, modifier, texts, odd)| match (modifier, odd) {
            ("|exists", _) => format!("{{'{field}|exists': true}}"),
            ("|gt", _) => format!("{{'{field}|gt': 5}}"),
            ("|fieldref", _) => format!("{{'{field}|fieldref': errorCode}}"),
            ("", 0) => format!("{{'{field}': null}}"),
            ("", 1) => format!("{{'{field}': 17}}"),
            ("", 2) => format!("{{'{field}': true}}"),
            ("|re" | "|re|i", _) => format!("{{'{field}{modifier}': '^[Cc]reate.*r$'}}"),
            _ => format!(
                "{{'{field}{modifier}': [{}]}}",
                texts.iter().map(|text| format!("'{text}'")).collect::<Vec<_>>().join(", ")
            ),
        })
        .boxed()
}

/// The detection of a rule.
fn detection() -> BoxedStrategy<String> {
    let condition = select(
        [
            "s_a",
            "s_a",
            "s_a and s_b",
            "s_a or s_b",
            "s_a and not s_b",
            "not s_a",
            "s_a or not s_b",
            "1 of s_*",
            "all of s_*",
            "2 of s_*",
            "1 of them",
            "s_a and (s_b or s_c)",
            "(s_a and s_b) or s_c",
            "not (s_a or s_b)",
            "s_a and words",
        ]
        .as_slice(),
    );
    (selection(), selection(), selection(), condition)
        .prop_map(|(a, b, c, condition)| {
            let words = if condition.contains("words") { "  words: [CreateUser]\n" } else { "" };
            format!("  s_a: {a}\n  s_b: [{b}, {c}]\n  s_c: {c}\n{words}  condition: {condition}")
        })
        .boxed()
}

#[test]
fn any_rule_finds_the_same_with_and_without_parsing_everything() {
    let (passed_over, served, found) = (Cell::new(0), Cell::new(0), Cell::new(0u64));
    runner(800)
        .run(&(detection(), log()), |(detection, text)| {
            // Not every rule that is thrown together is one.
            let Ok(book) = replayed::rule("thrown-together", &detection) else { return Ok(()) };
            let config = replayed::config();
            served.set(served.get() + u64::from(Replay::new(&book, &config).unserved().is_empty()));
            passed_over.set(
                passed_over.get() + agree(&book, &text).map_err(|error| TestCaseError::fail(format!("{detection}\n{error}")))?,
            );
            found.set(found.get() + 1);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(found.get() > 500, "only {} rules could be loaded", found.get());
    assert!(served.get() > 200, "only {} rules were served", served.get());
    assert!(passed_over.get() > 150, "only {} records were passed over", passed_over.get());
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
        assert_eq!(replay.unserved().len(), usize::from(!served), "{detection}");
        assert!(replay.unserved().iter().all(|id| id.as_str() == "some-rule"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        std::fs::write(&path, &text).unwrap();
        let (tally, _) = replayed::replay(&replay, &[path], 1, false);
        assert_eq!((tally.events, tally.passed_over), (1, u64::from(served)), "{detection}");
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
        assert_eq!(replayed::replay(&Replay::new(&book, &config), &[path], 1, false).0.findings, expected, "{names}");
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
    let passed_over = agree(&book, &records.join(b"\n".as_slice())).unwrap_or_else(|error| panic!("{error}"));
    assert!(records.len() > 300 && passed_over > 10, "{} cases, {passed_over} passed over", records.len());
}

#[test]
fn recorded_events_are_found_the_same_with_and_without_parsing_everything() {
    let Some(folder) = std::env::var_os("CORDON_CORPORA").map(PathBuf::from) else {
        println!("skipped: CORDON_CORPORA names no folder of recorded events");
        return;
    };
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
        let passed_over = agree(book, &lines).unwrap_or_else(|error| panic!("{error}"));
        assert!(passed_over > 0);
        let list = [b"{\"Records\":[", records.join(b",".as_slice()).as_slice(), b"]}"].concat();
        agree(book, &list).unwrap_or_else(|error| panic!("{error}"));
    }
}
