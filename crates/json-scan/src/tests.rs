#![expect(clippy::cast_possible_truncation, clippy::string_slice, reason = "the texts are short, and a wrong cut fails the test")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn keys() -> KeySet {
    KeySet::new(&BTreeSet::from(["name", "type", "a.b"]))
}

/// A [`Scan`] without its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Unfinished,
    Unproven(usize),
    Valid(usize),
}

fn verdict(scanner: &mut Scanner<'_>, text: &[u8]) -> (Verdict, Vec<FoundKey>) {
    match scanner.scan(text) {
        Scan::Unfinished => (Verdict::Unfinished, Vec::new()),
        Scan::Unproven { len } => (Verdict::Unproven(len), Vec::new()),
        Scan::Valid { len, keys } => (Verdict::Valid(len), keys.to_vec()),
    }
}

/// Scans with every instruction set of this machine: all of them have to say the same.
fn scan_for(keys: &KeySet, text: &[u8]) -> (Verdict, Vec<FoundKey>) {
    let mut scanned = levels().into_iter().map(|level| (level, verdict(&mut Scanner::with_level(keys, level), text)));
    let (_, expected) = scanned.next().unwrap();
    for (level, verdict) in scanned {
        assert_eq!(verdict, expected, "{level:?}: {}", String::from_utf8_lossy(text));
    }
    expected
}

fn scan_bytes(text: &[u8]) -> Verdict {
    scan_for(&keys(), text).0
}

fn scan_text(text: &str) -> Verdict {
    scan_bytes(text.as_bytes())
}

#[track_caller]
fn check(text: &str, valid: bool) {
    // At every distance from the border of a block.
    for padding in 0..70 {
        let padded = format!("{{\"{}\":{text}}}", "x".repeat(padding));
        let expected = if valid { Verdict::Valid(padded.len()) } else { Verdict::Unproven(padded.len()) };
        assert_eq!(scan_text(&padded), expected, "{padded}");
        assert_eq!(serde_json::from_str::<Value>(&padded).is_ok(), valid, "{padded}");
    }
}

#[test]
fn the_scalar_code_and_the_best_instruction_set_are_both_tried() {
    let levels = levels();
    assert!(levels[0].is_fallback() || matches!(levels[0], Level::Fallback(_)));
    assert_eq!(format!("{:?}", levels.last()), format!("{:?}", Some(Level::new())));
    println!("instruction sets: {levels:?}");
}

#[test]
fn json_is_valid_at_every_offset() {
    for text in [
        r#"{"a":1,"b":[1,2.5,-0,0.10],"c":{}}"#,
        r#"{"a":true,"b":false,"c":null}"#,
        r#"[[],[[]],{},{"a":[]},"",[""]]"#,
        r#"{ "a": 1, "b": [ 1 , 2 ], "c": { }, "d": [ ] }"#,
        "{\n\t\"a\": [\r\n  1\n  ]\n}",
        r#"{"a":"\"b\"\\","c":"\\\\\"","d":"\n\/"}"#,
        r#"{"{\"a\":[":"}]","b":"a:b,c"}"#,
        r#""text, {with} [brackets]: and more""#,
        "-12.5",
    ] {
        check(text, true);
    }
}

#[test]
fn no_invalid_json_is_called_valid() {
    for text in [
        r#"{"a":1,}"#,
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1 "b":2}"#,
        r#"{"a":1,"b"}"#,
        r#"{"a":"b":1}"#,
        r#"{"a","b":1}"#,
        r#"{"a":1:2}"#,
        r#"{1:2}"#,
        r#"{true:1}"#,
        r#"{[]:1}"#,
        r#"{"a":[1,]}"#,
        r#"{"a":[,1]}"#,
        r#"{"a":[1 2]}"#,
        r#"["a":1]"#,
        r#"["a" "b"]"#,
        r#"[1}"#,
        r#"{"a":1]"#,
        r#"{"a":[]{}}"#,
        r#"{"a":{}[]}"#,
        r#"{,"a":1}"#,
        r#"{"a":{"b"},"c":1}"#,
        r#"nope"#,
        r#"truth"#,
        r#"01"#,
        r#"1."#,
        r#".5"#,
        r#"+1"#,
        r#"- 1"#,
        r#"1x"#,
        r#""a"b"#,
        r#""a\x""#,
        "\"a\tb\"",
        "\"a\nb\"",
        "[1,\u{b}2]",
        r#""a"  "b""#,
        r#"tru e"#,
        r#"{"a":"b""c"}"#,
        r#"{"a":1"b"}"#,
        r#"{"a":"b"1}"#,
        r#"{"a":"b"{}}"#,
        r#"{"a":{}"b"}"#,
        r#"{"a":tr"b"ue}"#,
        r#"{"a""b":1}"#,
        r#"{"a":1,"b""c":2}"#,
        r#"["a""b"]"#,
        r#"["a"1]"#,
        r#"[1"a"]"#,
    ] {
        check(text, false);
    }
}

#[test]
fn some_valid_json_is_left_unproven() {
    for text in ["{\"a\":\"\\u0041\"}", "{\"a\":\"ä\"}", "{\"a\":1e5}", "{\"a\" :1}"] {
        assert_eq!(scan_text(text), Verdict::Unproven(text.len()), "{text}");
    }
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    assert_eq!(scan_text(&deep), Verdict::Unproven(200));
}

#[test]
fn brackets_beyond_what_is_kept_do_not_pass_for_others() {
    // A list at one depth, and an object 64 deeper: a mask of 64 bits cannot tell the two apart.
    let all = (1..10).flat_map(|list| (0..64).flat_map(move |before| [0, 1, 2, 5].map(|members| (list, before, members))));
    for (list, before, members) in all {
        let object = list + 64;
        let opening = |depth| {
            if depth == list {
                "["
            } else {
                ["{\"a\":", "{\"b\":1,\"a\":", "{\"b\":1,\"b\":2,\"a\":", "{\"b\":1,\"b\":2,\"b\":3,\"b\":4,\"b\":5,\"a\":"]
                    [members.min(3)]
            }
        };
        let closing = |depth| if depth == object { "]" } else { "}" };
        let text: String = (1..=object).map(opening).chain(["1"]).chain((1..=object).rev().map(closing)).collect();
        let text = format!("{{\"{}\":{text}}}", "x".repeat(before));
        assert_eq!(scan_text(&text), Verdict::Unproven(text.len()), "{text}");
    }
}

#[test]
fn a_value_that_is_cut_off_is_unfinished() {
    let text = r#"{"a":[1,{"b":"c\"d"}],"e":"a long text that goes over the border of a block, for sure"}"#;
    for cut in 1..text.len() {
        assert_eq!(scan_text(&text[..cut]), Verdict::Unfinished, "{}", &text[..cut]);
    }
    assert_eq!(scan_text(&format!("{text},{{")), Verdict::Valid(text.len()));
    assert_eq!(scan_text(&format!("{text}]}}junk\u{1}")), Verdict::Valid(text.len()));
}

/// The wanted keys of a valid text, each with the two characters behind its colon.
fn found<'t>(keys: &KeySet, text: &'t str) -> Vec<(KeyId, u32, &'t str)> {
    let (verdict, found) = scan_for(keys, text.as_bytes());
    assert_eq!(verdict, Verdict::Valid(text.len()), "{text}");
    found.iter().map(|found| (found.key, found.depth, &text[found.value..found.value + 2])).collect()
}

#[test]
fn wanted_keys_are_found_with_their_depth() {
    let text = r#"{"name":"x","o":{"type":"name\":","a.b":{"name":1}},"l":[{"type":2}],"names":3,"z":"\"name\":"}"#;
    assert_eq!(found(&keys(), text), [(1, 1, "\"x"), (2, 2, "\"n"), (0, 2, "{\""), (1, 3, "1}"), (2, 3, "2}")]);
}

#[test]
fn a_wanted_key_of_any_length_is_found_behind_all_that_may_stand_before_it() {
    for len in 1..20 {
        let name: String = ('a'..).take(len).collect();
        let keys = KeySet::new(&BTreeSet::from([name.as_str()]));
        for before in ["", " ", "\t", "\r", "\n"] {
            // Not only near the ends, where every key is looked at.
            let padding = "x".repeat(200);
            let text = format!("{{\"{padding}\":0,{before}\"{name}\":1,{before}\"{name}\":2,\"{}\":3}}", "x".repeat(1_000));
            assert_eq!(found(&keys, &text).len(), 2, "{text}");
            let text = format!("{{{before}\"{name}\":1,\"{padding}\":{{{before}\"{name}\":2}},\"{padding}\":0}}");
            assert_eq!(found(&keys, &text).len(), 2, "{text}");
        }
    }
}

#[test]
fn the_end_of_an_object_in_a_list_is_not_that_of_the_value() {
    for (before, members) in (0..70).flat_map(|before| (1..12).map(move |members| (before, members))) {
        let member = vec![r#""k":"v""#; members].join(",");
        let item = format!("{{{member},\"o\":{{\"p\":{{{member}}}}}}}");
        let text = format!(r#"{{"{}":[{item},{item},{item},{item}],"z":{item}}}"#, "x".repeat(before));
        assert_eq!(scan_text(&format!("{text},{text}")), Verdict::Valid(text.len()), "{text}");
    }
}

#[test]
fn wanted_keys_are_found_wherever_they_stand_in_a_long_value() {
    let keys = KeySet::new(&BTreeSet::from(["a.b", "eventName", "n", "name", "type"]));
    for padding in 0..200 {
        let text = format!(
            r#"{{"{}":[1,true,{{"type":"x"}}],"eventName":1,"userName":2,"n":null,"rename":"name","o":{{"name":"z","a.b":""}},"{}":0}}"#,
            "y".repeat(padding),
            "z".repeat(1_000)
        );
        let expected = [(4, 3, "\"x"), (1, 1, "1,"), (2, 1, "nu"), (3, 2, "\"z"), (0, 2, "\"\"")];
        assert_eq!(found(&keys, &text), expected, "{padding}");
    }
}

/// JSON in any spelling: white space, escapes, repeated keys.
fn json_text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        4 => "[a-z ,:{}\\[\\]]{0,12}",
        1 => Just(r#"\"\\"#.to_owned()),
        1 => Just(r"\u0041".to_owned()),
        1 => Just("name".to_owned()),
        1 => "[äλ]{1,3}",
        1 => "[x]{40,80}",
    ];
    let gap = prop_oneof![25 => Just(""), 1 => Just(" "), 1 => Just("\n\t "), 1 => Just("                      ")];
    let leaf = prop_oneof![
        word.clone().prop_map(|text| format!("\"{text}\"")),
        "-?(0|[1-9][0-9]{0,4})(\\.[0-9]{1,3})?(e-?[0-9])?",
        Just("true".to_owned()),
        Just("null".to_owned()),
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        let gap = gap.clone();
        let key = word.clone();
        prop_oneof![
            (proptest::collection::vec(inner.clone(), 0..6), gap.clone())
                .prop_map(|(items, gap)| format!("[{gap}{}{gap}]", items.join(&format!("{gap},{gap}")))),
            (proptest::collection::vec((key, inner), 0..6), gap).prop_map(|(members, gap)| {
                let members: Vec<String> = members.into_iter().map(|(key, value)| format!("\"{key}\":{gap}{value}")).collect();
                format!("{{{gap}{}{gap}}}", members.join(&format!("{gap},{gap}")))
            }),
        ]
    })
}

/// Objects with more blocks, strings or candidates than are collected at once.
fn long_text() -> impl Strategy<Value = String> {
    let many = |each: &str, count: usize| vec![each; count].join(",");
    prop_oneof![
        (1usize..30_000).prop_map(|len| format!("{{\"a\":\"{}\",\"name\":1}}", "x".repeat(len))),
        (1usize..4_000, "true|-1.5|null|truth|\\[\\]|\"\"")
            .prop_map(move |(count, each)| { format!("{{\"name\":[{}],\"type\":{{}}}}", many(&each, count)) }),
        (1usize..2_000, "name|type|a.b|other")
            .prop_map(move |(count, key)| { format!("{{\"o\":{{{}}}}}", many(&format!("\"{key}\":{{\"k\":\"\"}}"), count)) }),
        (1usize..9_000).prop_map(|count| format!("{{\"a\"{}1}}", ":".repeat(count))),
        (1usize..9_000).prop_map(|count| format!("{{\"{}\":0,\"name\":0}}", "\\\"name\\\":".repeat(count))),
    ]
}

fn object_text() -> impl Strategy<Value = String> {
    json_text().prop_map(|text| format!("{{\"k\":{text}}}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn valid_json_is_measured_and_plain_json_is_called_valid(text in object_text(), tail in "[ ,\\]}\na\"]{0,70}") {
        let plain = text.is_ascii() && !text.contains("\\u") && !text.contains('e');
        match scan_text(&format!("{text}{tail}")) {
            Verdict::Valid(len) => prop_assert_eq!(len, text.len()),
            Verdict::Unproven(len) => {
                prop_assert_eq!(len, text.len());
                prop_assert!(!plain || text.contains("name"), "{}", text);
            }
            Verdict::Unfinished => prop_assert!(false, "{}", text),
        }
    }

    /// The invariant of the crate.
    #[test]
    fn what_is_called_valid_is_json(text in object_text(), changes in proptest::collection::vec((any::<prop::sample::Index>(), "[\\[\\]{}\",: 1a\\\\\n]?"), 0..4)) {
        let mut bytes = text.into_bytes();
        for (at, with) in changes {
            if bytes.len() > 1 {
                let at = 1 + at.index(bytes.len() - 1);
                bytes.splice(at..=at, with.into_bytes());
            }
        }
        if let Verdict::Valid(len) = scan_bytes(&bytes) {
            let parsed: Result<Value, _> = serde_json::from_slice(&bytes[..len]);
            prop_assert!(parsed.is_ok(), "{}: {:?}", String::from_utf8_lossy(&bytes[..len]), parsed);
        }
    }

    /// The keys of a valid value are those that a walk from character to character comes by.
    #[test]
    fn found_keys_are_those_of_a_walk_over_single_characters(text in prop_oneof![4 => object_text(), 1 => long_text()]) {
        let keys = keys();
        let (Verdict::Valid(_), found) = scan_for(&keys, text.as_bytes()) else { return Ok(()) };
        let walked = keys_one_by_one(&text);
        let named = |name: &str| ["a.b", "name", "type"].iter().position(|known| *known == name);
        let wanted: Vec<(usize, u32, usize)> =
            walked.iter().filter_map(|(name, depth, colon)| Some((named(name)?, *depth, colon + 1))).collect();
        let found: Vec<(usize, u32, usize)> =
            found.iter().map(|found| (usize::from(found.key), found.depth, found.value)).collect();
        prop_assert_eq!(found, wanted, "{}", text);
        for level in levels() {
            let mut indexed = Vec::new();
            index_keys(level, text.as_bytes(), &mut indexed);
            let indexed: Vec<(&str, u32, usize)> = indexed
                .iter()
                .map(|key| (std::str::from_utf8(key.name(text.as_bytes()).unwrap()).unwrap(), key.depth as u32, key.colon))
                .collect();
            prop_assert_eq!(&indexed, &walked, "{:?}: {}", level, text);
        }
    }
}

proptest! {
    // Each case is up to a dozen values, scanned twice with every instruction set.
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// A scanner remembers nothing of one value when it scans the next, whatever lies between them.
    #[test]
    fn what_was_scanned_before_changes_nothing(
        values in proptest::collection::vec(
            (prop_oneof![6 => object_text(), 1 => long_text()], "[,\n]|,|\n|\\]\\}\n|\"|\\\\|\\\\\"|ä|\u{1}| x ", any::<prop::sample::Index>(), 0usize..9),
            1..12,
        ),
    ) {
        let (mut text, mut places) = (String::new(), Vec::new());
        for (value, between, cut, how) in values {
            // Some are cut off, and some have to end before they do.
            let value = if how == 0 { &value[..value.floor_char_boundary(1 + cut.index(value.len() - 1))] } else { &value };
            let from = text.len();
            text.push_str(value);
            places.push((from, if how == 1 { from + 1 + cut.index(value.len()) } else { text.len() }, how == 2));
            text.push_str(&between);
        }
        let (keys, bytes) = (keys(), text.as_bytes());
        let mut used: Vec<_> = levels().into_iter().map(|level| Scanner::with_level(&keys, level)).collect();
        for (from, to, to_the_end) in places {
            let value = &bytes[from..if to_the_end { bytes.len() } else { to }];
            let expected = scan_for(&keys, value);
            for scanner in &mut used {
                prop_assert_eq!(&verdict(scanner, value), &expected, "{}..{} of {}", from, to, text);
            }
            if let (Verdict::Valid(len), _) = expected {
                let parsed: Result<Value, _> = serde_json::from_slice(&value[..len]);
                prop_assert!(parsed.is_ok(), "{}..{} of {}: {:?}", from, to, text, parsed);
            }
        }
    }
}

/// Every key of valid JSON: its name, its depth and the offset of its colon.
fn keys_one_by_one(text: &str) -> Vec<(&str, u32, usize)> {
    let (mut keys, mut depth, mut string) = (Vec::new(), 0, None);
    let mut last = "";
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match (string, byte) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(start), b'"') => (last, string) = (&text[start..at], None),
            (Some(_), _) => {}
            (None, b'"') => string = Some(at + 1),
            (None, b'{' | b'[') => depth += 1,
            (None, b'}' | b']') => depth -= 1,
            (None, b':') => keys.push((last, depth, at)),
            (None, _) => {}
        }
    }
    keys
}
