use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn keys() -> Keys {
    Keys::new(&BTreeSet::from(["name", "type", "a.b"]))
}

/// Measures in every way that this processor has; they say the same.
fn measure_bytes(bytes: &[u8]) -> Extent {
    let keys = keys();
    let (mut scanner, mut general) = (Scanner::new(&keys), Scanner::new(&keys).general());
    let (extent, expected) = (scanner.measure(bytes, 0, bytes.len()), general.measure(bytes, 0, bytes.len()));
    assert_eq!(extent, expected, "{}", String::from_utf8_lossy(bytes));
    if matches!(extent, Extent::Whole { certain: true, .. }) {
        assert_eq!(scanner.found(), general.found(), "{}", String::from_utf8_lossy(bytes));
    }
    extent
}

fn measure(text: &str) -> Extent {
    measure_bytes(text.as_bytes())
}

#[track_caller]
fn check(text: &str, certain: bool) {
    // At every distance from the border of a block.
    for spaces in 0..70 {
        let padded = format!("{{\"{}\":{text}}}", "x".repeat(spaces));
        assert_eq!(measure(&padded), Extent::Whole { len: padded.len(), certain }, "{padded}");
        assert_eq!(serde_json::from_str::<Value>(&padded).is_ok(), certain, "{padded}");
    }
}

#[test]
fn json_is_certain_at_every_offset() {
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
#[cfg(target_arch = "x86_64")]
fn json_without_spaces_is_certain_at_the_first_look() {
    let keys = keys();
    let mut scanner = Scanner::new(&keys);
    let Some(mut tight) = scanner.tight.take() else { return println!("skipped: this processor has no AVX-512") };
    for before in 0..130 {
        let text = format!(
            r#"{{"{}":"a: {{b}}, [c]","\"":[{{"n":[1,-2.5,true]}},[],{{}},"",[[null]]],"m":{{"o":{{"p":false}}}}}}"#,
            "x".repeat(before)
        );
        let mut look = |text: &str| {
            let mut finds = Finds { keys: &keys, from: 0, found: &mut Vec::new() };
            tight.forget();
            tight.measure(text.as_bytes(), 0, text.len(), &mut finds)
        };
        assert_eq!(look(&text), Extent::Whole { len: text.len(), certain: true }, "{text}");
        let spaced = text.replace("\"m\":", "\"m\": ");
        assert_eq!(look(&spaced), Extent::Whole { len: spaced.len(), certain: false }, "{spaced}");
    }
}

#[test]
fn what_is_not_json_is_never_certain() {
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
fn good_json_may_be_left_uncertain() {
    for text in ["{\"a\":\"\\u0041\"}", "{\"a\":\"ä\"}", "{\"a\":1e5}", "{\"a\" :1}"] {
        assert_eq!(measure(text), Extent::Whole { len: text.len(), certain: false }, "{text}");
    }
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    assert_eq!(measure(&deep), Extent::Whole { len: 200, certain: false });
}

#[test]
fn brackets_beyond_what_is_kept_do_not_pass_for_others() {
    // A list at one depth, and an object so much deeper that the two are the same to whoever counts to sixty-four.
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
        assert_eq!(measure(&text), Extent::Whole { len: text.len(), certain: false }, "{text}");
    }
}

#[test]
fn a_value_that_is_cut_off_is_unfinished() {
    let text = r#"{"a":[1,{"b":"c\"d"}],"e":"a long text that goes over the border of a block, for sure"}"#;
    for cut in 1..text.len() {
        assert_eq!(measure(&text[..cut]), Extent::Unfinished, "{}", &text[..cut]);
    }
    assert_eq!(measure(&format!("{text},{{")), Extent::Whole { len: text.len(), certain: true });
    assert_eq!(measure(&format!("{text}]}}junk\u{1}")), Extent::Whole { len: text.len(), certain: true });
}

#[test]
fn wanted_keys_are_found_with_their_depth() {
    let keys = keys();
    for mut scanner in [Scanner::new(&keys), Scanner::new(&keys).general()] {
        let text = r#"{"name":"x","o":{"type":"name\":","a.b":{"name":1}},"l":[{"type":2}],"names":3,"z":"\"name\":"}"#;
        assert_eq!(scanner.measure(text.as_bytes(), 0, text.len()), Extent::Whole { len: text.len(), certain: true });
        let found: Vec<(KeyId, u32, &str)> =
            scanner.found().iter().map(|found| (found.key, found.depth, &text[found.value..found.value + 2])).collect();
        assert_eq!(found, [(1, 1, "\"x"), (2, 2, "\"n"), (0, 2, "{\""), (1, 3, "1}"), (2, 3, "2}")]);
    }
}

#[test]
fn a_wanted_key_of_any_length_is_found_behind_all_that_may_stand_before_it() {
    for len in 1..20 {
        let name: String = ('a'..).take(len).collect();
        let keys = Keys::new(&BTreeSet::from([name.as_str()]));
        for (mut scanner, spaces) in [(Scanner::new(&keys), ""), (Scanner::new(&keys).general(), " \t\r\n")] {
            for before in std::iter::once(String::new()).chain(spaces.chars().map(String::from)) {
                let text = format!("{{{before}\"{name}\":1,{before}\"{name}\":2,\"{}\":3}}", "x".repeat(1_000));
                // Not near the ends, where all keys are looked at.
                let window = format!("{}{text}", " ".repeat(100));
                scanner.forget();
                assert_eq!(
                    scanner.measure(window.as_bytes(), 100, window.len()),
                    Extent::Whole { len: text.len(), certain: true }
                );
                assert_eq!(scanner.found().len(), 2, "{text}");
            }
        }
    }
}

#[test]
fn the_end_of_an_object_in_a_list_is_not_that_of_the_value() {
    for (before, members) in (0..70).flat_map(|before| (1..12).map(move |members| (before, members))) {
        let member = vec![r#""k":"v""#; members].join(",");
        let item = format!("{{{member},\"o\":{{\"p\":{{{member}}}}}}}");
        let text = format!(r#"{{"{}":[{item},{item},{item},{item}],"z":{item}}}"#, "x".repeat(before));
        assert_eq!(measure(&format!("{text},{text}")), Extent::Whole { len: text.len(), certain: true }, "{text}");
    }
}

#[test]
fn wanted_keys_are_found_wherever_they_stand_in_a_long_value() {
    let keys = Keys::new(&BTreeSet::from(["a.b", "eventName", "n", "name", "type"]));
    for (before, mut scanner) in
        (0..200).flat_map(|before| [Scanner::new(&keys), Scanner::new(&keys).general()].map(|scanner| (before, scanner)))
    {
        let text = format!(
            r#"{{"{}":[1,true,{{"type":"x"}}],"eventName":1,"userName":2,"n":null,"rename":"name","o":{{"name":"z","a.b":""}},"{}":0}}"#,
            "y".repeat(before),
            "z".repeat(1_000)
        );
        assert_eq!(scanner.measure(text.as_bytes(), 0, text.len()), Extent::Whole { len: text.len(), certain: true });
        let found: Vec<(KeyId, u32, &str)> =
            scanner.found().iter().map(|found| (found.key, found.depth, &text[found.value..found.value + 2])).collect();
        assert_eq!(found, [(4, 3, "\"x"), (1, 1, "1,"), (2, 1, "nu"), (3, 2, "\"z"), (0, 2, "\"\"")], "{before}");
    }
}

/// JSON values and their text in any spelling: spaces, escapes and keys that are there twice.
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

/// Objects that take up much of what is kept of a window, or all of it and more.
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
    fn good_json_is_measured_and_plain_json_is_certain(text in object_text(), tail in "[ ,\\]}\na\"]{0,70}") {
        let plain = text.is_ascii() && !text.contains("\\u") && !text.contains('e');
        match measure(&format!("{text}{tail}")) {
            Extent::Whole { len, certain } => {
                prop_assert_eq!(len, text.len());
                prop_assert!(certain || !plain || text.contains("name"), "{}", text);
            }
            Extent::Unfinished => prop_assert!(false, "{}", text),
        }
    }

    /// The invariant of the whole crate: what is passed over unparsed is JSON.
    #[test]
    fn what_is_certain_is_json(text in object_text(), changes in proptest::collection::vec((any::<prop::sample::Index>(), "[\\[\\]{}\",: 1a\\\\\n]?"), 0..4)) {
        let mut bytes = text.into_bytes();
        for (at, with) in changes {
            if bytes.len() > 1 {
                let at = 1 + at.index(bytes.len() - 1);
                bytes.splice(at..=at, with.into_bytes());
            }
        }
        if let Extent::Whole { len, certain: true } = measure_bytes(&bytes) {
            let parsed: Result<Value, _> = serde_json::from_slice(&bytes[..len]);
            prop_assert!(parsed.is_ok(), "{}: {:?}", String::from_utf8_lossy(&bytes[..len]), parsed);
        }
    }

    /// Values of one window, whatever lies between them: each is measured as though it were alone.
    #[test]
    fn what_was_seen_of_a_window_before_changes_nothing(
        values in proptest::collection::vec(
            (prop_oneof![6 => object_text(), 1 => long_text()], "[,\n]|,|\n|\\]\\}\n|\"|\\\\|\\\\\"|ä|\u{1}| x ", any::<prop::sample::Index>(), 0usize..9),
            1..12,
        ),
    ) {
        let (mut window, mut places) = (String::new(), Vec::new());
        for (value, between, cut, how) in values {
            // Some are cut off, and some have to end before they do.
            let value = if how == 0 { &value[..value.floor_char_boundary(1 + cut.index(value.len() - 1))] } else { &value };
            let from = window.len();
            window.push_str(value);
            places.push((from, if how == 1 { from + 1 + cut.index(value.len()) } else { window.len() }, how == 2));
            window.push_str(&between);
        }
        let (keys, bytes) = (keys(), window.as_bytes());
        let (mut scanner, mut general) = (Scanner::new(&keys), Scanner::new(&keys).general());
        scanner.forget();
        for (from, to, to_the_end) in places {
            let to = if to_the_end { bytes.len() } else { to };
            scanner.loose = 0;
            let (extent, expected) = (scanner.measure(bytes, from, to), general.measure(bytes, from, to));
            // What only one way is certain of is JSON all the same.
            match (extent, expected) {
                (Extent::Whole { len, certain }, Extent::Whole { len: other, certain: as_well }) => {
                    prop_assert_eq!(len, other, "{}..{} of {}", from, to, window);
                    if certain {
                        let parsed: Result<Value, _> = serde_json::from_slice(&bytes[from..from + len]);
                        prop_assert!(parsed.is_ok(), "{}..{} of {}: {:?}", from, to, window, parsed);
                    }
                    if certain && as_well {
                        prop_assert_eq!(scanner.found(), general.found(), "{}..{} of {}", from, to, window);
                    }
                }
                (extent, expected) => prop_assert_eq!(extent, expected, "{}..{} of {}", from, to, window),
            }
        }
    }
}
