//! Logs, rules and correlations that are thrown together: like what is real, and like what somebody would try.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

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

/// Within minutes of each other, and one that is no time.
const TIMES: [&str; 6] = [
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:20Z",
    "2026-01-01T00:00:40Z",
    "2026-01-01T00:00:40.5Z",
    "2026-01-01T00:02:00Z",
    "yesterday",
];
/// Some of them meet in one log, and one is no id.
const IDS: [&str; 7] = [
    "0a1b2c3d-0000-4000-8000-000000000001",
    "0a1b2c3d-0000-4000-8000-000000000002",
    "0A1B2C3D-0000-4000-8000-000000000002",
    "e-1",
    "e-2",
    "e-3",
    "no id",
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
        own("eventTime", text(&TIMES).boxed()),
        own("eventID", text(&IDS).boxed()),
    );
    let more = || vec((key(), value()), 0..2);
    let other =
        || vec(("[a-d]{1,3}".prop_map(|key| format!("\"{key}\"").into_bytes()), prop_oneof![4 => leaf(), 1 => value()]), 0..3);
    (other(), kernel, prop_oneof![8 => other(), 1 => more()], gap())
        .prop_map(|(before, (a, b, c, d, e, f, g), behind, gap)| {
            let members = before.into_iter().chain([a, b, c, d, e, f, g].into_iter().flatten()).chain(behind);
            object(members.collect(), gap)
        })
        .boxed()
}

fn key_only(key: &'static str) -> BoxedStrategy<Vec<u8>> {
    Just(format!("\"{key}\"").into_bytes()).boxed()
}

/// A log of records, lines or a list; some with bytes that do not belong.
pub fn log() -> BoxedStrategy<Vec<u8>> {
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
pub fn detection() -> BoxedStrategy<String> {
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

/// The detection of a rule that is counted: any, or one that matches much.
pub fn counted() -> BoxedStrategy<String> {
    let much = "  s: {eventName: [CreateUser, AttachUserPolicy, ConsoleLogin, GetObject]}\n  condition: s";
    prop_oneof![1 => detection(), 1 => Just(much.to_owned())].boxed()
}

/// What a correlation counts, and how: with fields that few records have, and such as a path may not begin as it reads.
pub fn correlation() -> BoxedStrategy<String> {
    let field = || {
        select(
            [
                "userAgent",
                "eventName",
                "userIdentity.type",
                "cordon.actor.identity",
                "cordon.failed",
                "a",
                "a.b",
                "requestParameters.userName",
                "eventID",
                "renamed",
                "a[0]",
            ]
            .as_slice(),
        )
    };
    let at_least = select([1, 2, 2, 2, 3].as_slice());
    (vec(field(), 0..3), proptest::option::weighted(0.3, field()), at_least, select(["1s", "30s", "1m", "1h"].as_slice()), any::<bool>())
        .prop_map(|(group_by, distinct, at_least, timespan, generate)| {
            let (kind, distinct) = match distinct {
                Some(field) => ("value_count", format!(", field: '{field}'")),
                None => ("event_count", String::new()),
            };
            let group_by: Vec<String> = group_by.iter().map(|field| format!("'{field}'")).collect();
            let group_by = group_by.join(", ");
            format!(
                "title: counted\nname: counted\nlevel: high\ngenerate: {generate}\ncorrelation:\n  type: {kind}\n  rules: [thrown-together]\n  \
                 group-by: [{group_by}]\n  timespan: {timespan}\n  condition: {{gte: {at_least}{distinct}}}\n  \
                 aliases: {{renamed: {{thrown-together: eventSource}}}}\n"
            )
        })
        .boxed()
}
