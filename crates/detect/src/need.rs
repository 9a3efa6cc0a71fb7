//! What a record must contain before a rule can match it: what lets `cordon replay` pass over most of a log without parsing it.
//!
//! INVARIANT: a need is never more than the rule asks for. A record that the rule matches meets the rule's need; what cannot be
//! said simply (a negation, a comparison of numbers, `cordon.*`, a keyword) is [`Need::Anything`].
//!
//! A need speaks about text values. Sigma also compares numbers, truth values and lists as text: whoever meets something else
//! than text below a named key has to take the need as met.

use rsigma_parser::value::{SpecialChar, StringPart};
use rsigma_parser::{ConditionExpr, Detection, DetectionItem, Modifier, Quantifier, SigmaRule, SigmaString, SigmaValue};

use crate::rules::Rule;

/// A condition that every record meets which a rule matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// Nothing is known about it.
    Anything,
    /// A field whose text passes a test.
    Field {
        path: String,
        test: Test,
    },
    All(Vec<Need>),
    /// No alternative at all can never be met.
    Any(Vec<Need>),
}

/// What a field's text has to be. Compared without case; the text here is ASCII in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    Equals(String),
    StartsWith(String),
    EndsWith(String),
    Contains(String),
    /// A regular expression with its flags, compared with the text as it is and in lower case.
    Regex(String),
}

impl Rule {
    /// What a record must contain before this rule can match it.
    #[must_use]
    pub fn need(&self) -> Need {
        // Sigma's conditions of one rule are alternatives.
        any(self.sigma.detection.conditions.iter().map(|condition| of_condition(condition, &self.sigma)))
    }
}

fn any(needs: impl Iterator<Item = Need>) -> Need {
    let needs: Vec<Need> = needs.collect();
    if needs.contains(&Need::Anything) { Need::Anything } else { Need::Any(needs) }
}

fn all(needs: impl Iterator<Item = Need>) -> Need {
    let needs: Vec<Need> = needs.filter(|need| *need != Need::Anything).collect();
    if needs.is_empty() { Need::Anything } else { Need::All(needs) }
}

fn of_condition(condition: &ConditionExpr, rule: &SigmaRule) -> Need {
    match condition {
        ConditionExpr::And(parts) => all(parts.iter().map(|part| of_condition(part, rule))),
        ConditionExpr::Or(parts) => any(parts.iter().map(|part| of_condition(part, rule))),
        ConditionExpr::Not(_) => Need::Anything,
        ConditionExpr::Identifier(name) => rule.detection.named.get(name).map_or(Need::Anything, of_detection),
        ConditionExpr::Selector { quantifier, pattern } => {
            // In a fixed order: the names are the keys of a hash map.
            let mut named: Vec<(&String, &Detection)> =
                rule.detection.named.iter().filter(|(name, _)| pattern.matches_detection_name(name)).collect();
            named.sort_by_key(|(name, _)| *name);
            let needs = named.into_iter().map(|(_, detection)| of_detection(detection));
            match quantifier {
                Quantifier::All => all(needs),
                Quantifier::Count(0) => Need::Anything,
                // "At least n of them" implies at least one of them.
                Quantifier::Any | Quantifier::Count(_) => any(needs),
            }
        }
    }
}

fn of_detection(detection: &Detection) -> Need {
    match detection {
        Detection::AllOf(items) => all(items.iter().map(of_item)),
        Detection::AnyOf(parts) => any(parts.iter().map(of_detection)),
        Detection::And(parts) => all(parts.iter().map(of_detection)),
        Detection::Keywords(_) | Detection::ArrayMatch { .. } | Detection::Conditional { .. } => Need::Anything,
    }
}

fn of_item(item: &DetectionItem) -> Need {
    let Some(path) = item.field.name.as_deref().filter(|path| is_of_the_record(path)) else { return Need::Anything };
    let tests: Option<Vec<Test>> = item.values.iter().map(|value| test(value, &item.field.modifiers)).collect();
    let Some(tests) = tests.filter(|tests| !tests.is_empty()) else { return Need::Anything };
    let needs = tests.into_iter().map(|test| Need::Field { path: path.to_owned(), test });
    if item.field.modifiers.contains(&Modifier::All) { all(needs) } else { any(needs) }
}

/// True for a path of plain keys into the record itself.
fn is_of_the_record(path: &str) -> bool {
    let plain =
        |key: &str| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    path.split('.').all(plain) && path.split('.').next() != Some("cordon")
}

/// The test of one value; `None` where it is none of text, or has modifiers that change what is compared.
fn test(value: &SigmaValue, modifiers: &[Modifier]) -> Option<Test> {
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
fn text_test(string: &SigmaString) -> Option<Test> {
    let plain = |part: &StringPart| match part {
        StringPart::Plain(text) if !text.is_empty() && text.is_ascii() => Some(text.to_ascii_lowercase()),
        StringPart::Plain(_) | StringPart::Special(_) => None,
    };
    match string.parts.as_slice() {
        [part] => plain(part).map(Test::Equals),
        [first @ StringPart::Plain(_), ..] => plain(first).map(Test::StartsWith),
        [.., last @ StringPart::Plain(_)] => plain(last).map(Test::EndsWith),
        parts => parts.iter().filter_map(plain).max_by_key(String::len).map(Test::Contains),
    }
}

fn regex_test(string: &SigmaString, flags: &[Modifier]) -> Option<Test> {
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
    Some(Test::Regex(if inline.is_empty() { pattern.clone() } else { format!("(?{inline}){pattern}") }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{RuleBook, RuleSource};

    fn need(detection: &str) -> Need {
        let text =
            format!("title: t\nname: r\nlevel: low\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n{detection}\n");
        let book = RuleBook::load(vec![RuleSource::new("r.yml", text)]).map_err(|errors| format!("{errors:?}")).unwrap();
        book.rules()[0].need()
    }

    fn field(path: &str, test: Test) -> Need {
        Need::Field { path: path.to_owned(), test }
    }

    #[track_caller]
    fn check_item(item: &str, expected: Option<Test>) {
        let needed = need(&format!("  s:\n    {item}\n  condition: s"));
        let expected =
            expected.map_or(Need::Anything, |test| Need::Any(vec![Need::All(vec![Need::Any(vec![field("f", test)])])]));
        assert_eq!(needed, expected, "{item}");
    }

    #[test]
    fn a_text_is_needed_as_far_as_it_is_certain() {
        check_item("f: CreateUser", Some(Test::Equals("createuser".into())));
        check_item("f|cased: CreateUser", Some(Test::Equals("createuser".into())));
        check_item("f: Create*", Some(Test::StartsWith("create".into())));
        check_item("f: '*User'", Some(Test::EndsWith("user".into())));
        check_item("f: '*a*longer*'", Some(Test::Contains("longer".into())));
        check_item("f|startswith: Create", Some(Test::StartsWith("create".into())));
        check_item("f|endswith: 'a*User'", Some(Test::Contains("user".into())));
        check_item("f|startswith: 'Create*'", Some(Test::Contains("create".into())));
        check_item("f|contains: S3 Browser", Some(Test::Contains("s3 browser".into())));
        check_item("f|re: '^a+B'", Some(Test::Regex("^a+B".into())));
        check_item("f|re|i: '^a+B'", Some(Test::Regex("(?i)^a+B".into())));
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
        let eq = |path: &str, text: &str| Need::Any(vec![field(path, Test::Equals(text.to_owned()))]);
        let selections = "  s_a: {f: x}\n  s_b: {g: y}\n  n: {h: null}\n";
        let one = |need: Need| Need::Any(vec![need]);
        let (a, b) = (Need::All(vec![eq("f", "x")]), Need::All(vec![eq("g", "y")]));
        let check =
            |condition: &str, expected: Need| assert_eq!(need(&format!("{selections}  condition: {condition}")), expected);
        check("s_a and not s_b", one(Need::All(vec![a.clone()])));
        check("s_a or s_b", one(Need::Any(vec![a.clone(), b.clone()])));
        check("1 of s_*", one(Need::Any(vec![a.clone(), b.clone()])));
        check("all of s_*", one(Need::All(vec![a, b])));
        check("s_a or not s_b", Need::Anything);
        check("s_a or n", Need::Anything);
    }

    #[test]
    fn values_are_alternatives_unless_all_are_asked_for() {
        let tests = || vec![field("f", Test::Contains("a".into())), field("f", Test::Contains("b".into()))];
        let whole = |inner: Need| Need::Any(vec![Need::All(vec![inner])]);
        assert_eq!(need("  s: {'f|contains': [a, b]}\n  condition: s"), whole(Need::Any(tests())));
        assert_eq!(need("  s: {'f|contains|all': [a, b]}\n  condition: s"), whole(Need::All(tests())));
    }
}
