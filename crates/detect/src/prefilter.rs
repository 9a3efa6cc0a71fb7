//! What a record must contain before a rule can match it. For `cordon replay` alone, which leaves most records of a log unparsed;
//! the deployed functions evaluate every rule on every event.
//!
//! INVARIANT: a requirement never asks more than its rule. Every record that the rule matches meets it. A negation, a comparison
//! of numbers, a `cordon.*` field or a keyword becomes [`Requirement::Anything`].
//!
//! A requirement speaks about texts. Sigma also compares numbers, truth values and lists as text: a caller who finds anything but a
//! text below a named key has to take the requirement as met.

mod fields;

use rsigma_parser::value::{SpecialChar, StringPart};
use rsigma_parser::{ConditionExpr, Detection, DetectionItem, Modifier, Quantifier, SigmaRule, SigmaString, SigmaValue};

pub use self::fields::fields;
pub(crate) use self::fields::is_plain;
use crate::enrich::Enriched;
use crate::rules::{Rule, RuleBook};

/// A condition that every record meets which a rule matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirement {
    /// Nothing is required.
    Anything,
    /// A field has a text that passes a test.
    Field {
        /// The field's names from object to object, joined by dots, or one key that reads so.
        path: String,
        /// What its text has to be.
        test: TextTest,
    },
    /// Every one is met.
    All(Vec<Requirement>),
    /// At least one is met. Without alternatives, it is never met.
    Any(Vec<Requirement>),
}

/// What a text has to be. Compared without case: all but a pattern is ASCII in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextTest {
    /// This text.
    Equals(String),
    /// A text that begins so.
    StartsWith(String),
    /// A text that ends so.
    EndsWith(String),
    /// A text with this in it.
    Contains(String),
    /// A text that a regular expression with its flags matches, as it is or in lower case.
    Regex(String),
}

/// What a record must contain before the rule can match it.
#[must_use]
pub fn requirement(rule: &Rule) -> Requirement {
    // Sigma's conditions of one rule are alternatives.
    any(rule.sigma.detection.conditions.iter().map(|condition| of_condition(condition, &rule.sigma)))
}

/// The rules that match an enriched record, for a caller who knows that no others can than those at these places in
/// [`RuleBook::rules`]. In the order of [`RuleBook::matching`].
#[must_use]
pub fn matching_among<'b>(book: &'b RuleBook, record: &Enriched<'_>, candidates: &[usize]) -> Vec<&'b Rule> {
    book.matching_with(record, |matcher| matcher.matches_among(record, candidates))
}

fn any(needs: impl Iterator<Item = Requirement>) -> Requirement {
    let needs: Vec<Requirement> = needs.collect();
    if needs.contains(&Requirement::Anything) { Requirement::Anything } else { Requirement::Any(needs) }
}

fn all(needs: impl Iterator<Item = Requirement>) -> Requirement {
    let needs: Vec<Requirement> = needs.filter(|need| *need != Requirement::Anything).collect();
    if needs.is_empty() { Requirement::Anything } else { Requirement::All(needs) }
}

fn of_condition(condition: &ConditionExpr, rule: &SigmaRule) -> Requirement {
    match condition {
        ConditionExpr::And(parts) => all(parts.iter().map(|part| of_condition(part, rule))),
        ConditionExpr::Or(parts) => any(parts.iter().map(|part| of_condition(part, rule))),
        ConditionExpr::Not(_) => Requirement::Anything,
        ConditionExpr::Identifier(name) => rule.detection.named.get(name).map_or(Requirement::Anything, of_detection),
        ConditionExpr::Selector { quantifier, pattern } => {
            // In a fixed order: the names are the keys of a hash map.
            let mut named: Vec<(&String, &Detection)> =
                rule.detection.named.iter().filter(|(name, _)| pattern.matches_detection_name(name)).collect();
            named.sort_by_key(|(name, _)| *name);
            let needs = named.into_iter().map(|(_, detection)| of_detection(detection));
            match quantifier {
                Quantifier::All => all(needs),
                Quantifier::Count(0) => Requirement::Anything,
                // "At least n of them" implies at least one of them.
                Quantifier::Any | Quantifier::Count(_) => any(needs),
            }
        }
    }
}

fn of_detection(detection: &Detection) -> Requirement {
    match detection {
        Detection::AllOf(items) => all(items.iter().map(of_item)),
        Detection::AnyOf(parts) => any(parts.iter().map(of_detection)),
        Detection::And(parts) => all(parts.iter().map(of_detection)),
        Detection::Keywords(_) | Detection::ArrayMatch { .. } | Detection::Conditional { .. } => Requirement::Anything,
    }
}

fn of_item(item: &DetectionItem) -> Requirement {
    let Some(path) = item.field.name.as_deref().filter(|path| is_of_the_record(path)) else { return Requirement::Anything };
    let tests: Option<Vec<TextTest>> = item.values.iter().map(|value| test(value, &item.field.modifiers)).collect();
    let Some(tests) = tests.filter(|tests| !tests.is_empty()) else { return Requirement::Anything };
    let needs = tests.into_iter().map(|test| Requirement::Field { path: path.to_owned(), test });
    if item.field.modifiers.contains(&Modifier::All) { all(needs) } else { any(needs) }
}

/// True for a path of plain keys into the record itself.
fn is_of_the_record(path: &str) -> bool {
    let plain =
        |key: &str| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    path.split('.').all(plain) && path.split('.').next() != Some("cordon")
}

/// The test of one value; `None` where it is none of text, or has modifiers that change what is compared.
fn test(value: &SigmaValue, modifiers: &[Modifier]) -> Option<TextTest> {
    let SigmaValue::String(string) = value else { return None };
    let modifiers: Vec<Modifier> =
        modifiers.iter().copied().filter(|modifier| !matches!(modifier, Modifier::Cased | Modifier::All)).collect();
    match modifiers.as_slice() {
        [] => text_test(string),
        [Modifier::StartsWith] if string.is_plain() => text_test(&with_wildcards(string, false, true)),
        [Modifier::EndsWith] if string.is_plain() => text_test(&with_wildcards(string, true, false)),
        // With a wildcard beside these modifiers, the engine lets the text begin and end anywhere.
        [Modifier::StartsWith | Modifier::EndsWith] => text_test(&with_wildcards(string, true, true)),
        [Modifier::Contains] => text_test(&with_wildcards(string, true, true)),
        [Modifier::Re, flags @ ..] => regex_test(string, flags),
        _ => None,
    }
}

fn with_wildcards(string: &SigmaString, before: bool, after: bool) -> SigmaString {
    let any = |wanted: bool| wanted.then_some(StringPart::Special(SpecialChar::WildcardMulti));
    let parts = any(before).into_iter().chain(string.parts.iter().cloned()).chain(any(after)).collect();
    SigmaString { parts, original: String::new() }
}

/// The most telling part of a text with wildcards.
fn text_test(string: &SigmaString) -> Option<TextTest> {
    let plain = |part: &StringPart| match part {
        StringPart::Plain(text) if !text.is_empty() && text.is_ascii() => Some(text.to_ascii_lowercase()),
        StringPart::Plain(_) | StringPart::Special(_) => None,
    };
    match string.parts.as_slice() {
        [part] => plain(part).map(TextTest::Equals),
        [first @ StringPart::Plain(_), ..] => plain(first).map(TextTest::StartsWith),
        [.., last @ StringPart::Plain(_)] => plain(last).map(TextTest::EndsWith),
        parts => parts.iter().filter_map(plain).max_by_key(String::len).map(TextTest::Contains),
    }
}

fn regex_test(string: &SigmaString, flags: &[Modifier]) -> Option<TextTest> {
    let mut inline = String::new();
    for flag in flags {
        inline.push(match flag {
            Modifier::IgnoreCase => 'i',
            Modifier::Multiline => 'm',
            Modifier::DotAll => 's',
            _ => return None,
        });
    }
    let pattern = &string.original;
    Some(TextTest::Regex(if inline.is_empty() { pattern.clone() } else { format!("(?{inline}){pattern}") }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RuleSource;

    fn required(detection: &str) -> Requirement {
        let text =
            format!("title: t\nname: r\nlevel: low\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n{detection}\n");
        let book = RuleBook::load(vec![RuleSource::new("r.yml", text)]).map_err(|errors| format!("{errors:?}")).unwrap();
        requirement(&book.rules()[0])
    }

    fn field(path: &str, test: TextTest) -> Requirement {
        Requirement::Field { path: path.to_owned(), test }
    }

    #[track_caller]
    fn check_item(item: &str, expected: Option<TextTest>) {
        let needed = required(&format!("  s:\n    {item}\n  condition: s"));
        let expected = expected.map_or(Requirement::Anything, |test| {
            Requirement::Any(vec![Requirement::All(vec![Requirement::Any(vec![field("f", test)])])])
        });
        assert_eq!(needed, expected, "{item}");
    }

    #[test]
    fn a_text_is_needed_as_far_as_it_is_certain() {
        check_item("f: CreateUser", Some(TextTest::Equals("createuser".into())));
        check_item("f|cased: CreateUser", Some(TextTest::Equals("createuser".into())));
        check_item("f: Create*", Some(TextTest::StartsWith("create".into())));
        check_item("f: '*User'", Some(TextTest::EndsWith("user".into())));
        check_item("f: '*a*longer*'", Some(TextTest::Contains("longer".into())));
        check_item("f|startswith: Create", Some(TextTest::StartsWith("create".into())));
        check_item("f|endswith: 'a*User'", Some(TextTest::Contains("user".into())));
        check_item("f|startswith: 'Create*'", Some(TextTest::Contains("create".into())));
        check_item("f|contains: S3 Browser", Some(TextTest::Contains("s3 browser".into())));
        check_item("f|re: '^a+B'", Some(TextTest::Regex("^a+B".into())));
        check_item("f|re|i: '^a+B'", Some(TextTest::Regex("(?i)^a+B".into())));
    }

    #[test]
    fn what_is_no_plain_text_needs_nothing() {
        for item in [
            "f: null",
            "f: 5",
            "f: true",
            "f: '*'",
            "f: ''",
            "f: [a, null]",
            "f: Ümlaut",
            "f|contains: '*'",
            "f|exists: true",
            "f|fieldref: g",
            "f|gt: 5",
            "f|neq: a",
            "f|cidr: 10.0.0.0/8",
            "f|base64: a",
            "cordon.failed: 'true'",
        ] {
            check_item(item, None);
        }
    }

    #[test]
    fn conditions_combine_needs_and_negations_need_nothing() {
        let eq = |path: &str, text: &str| Requirement::Any(vec![field(path, TextTest::Equals(text.to_owned()))]);
        let selections = "  s_a: {f: x}\n  s_b: {g: y}\n  n: {h: null}\n";
        let one = |need: Requirement| Requirement::Any(vec![need]);
        let (a, b) = (Requirement::All(vec![eq("f", "x")]), Requirement::All(vec![eq("g", "y")]));
        let check = |condition: &str, expected: Requirement| {
            assert_eq!(required(&format!("{selections}  condition: {condition}")), expected);
        };
        check("s_a and not s_b", one(Requirement::All(vec![a.clone()])));
        check("s_a or s_b", one(Requirement::Any(vec![a.clone(), b.clone()])));
        check("1 of s_*", one(Requirement::Any(vec![a.clone(), b.clone()])));
        check("all of s_*", one(Requirement::All(vec![a, b])));
        check("s_a or not s_b", Requirement::Anything);
        check("s_a or n", Requirement::Anything);
    }

    #[test]
    fn values_are_alternatives_unless_all_are_asked_for() {
        let tests = || vec![field("f", TextTest::Contains("a".into())), field("f", TextTest::Contains("b".into()))];
        let whole = |inner: Requirement| Requirement::Any(vec![Requirement::All(vec![inner])]);
        assert_eq!(required("  s: {'f|contains': [a, b]}\n  condition: s"), whole(Requirement::Any(tests())));
        assert_eq!(required("  s: {'f|contains|all': [a, b]}\n  condition: s"), whole(Requirement::All(tests())));
    }
}
