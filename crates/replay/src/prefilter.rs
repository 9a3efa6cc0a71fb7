//! Tells from a few keys and texts of a record, without parsing it, that no rule can match it.
//!
//! INVARIANT: [`Verdict::NoMatch`] means that a parser would read the record, that it is complete, and that no rule matches it. From
//! what each rule requires (`cordon_detect::prefilter`), a few tests are chosen of which at least one passes in every record that
//! the rule matches. If none of a record's texts passes any of them, no rule matches. Otherwise the record is compared with the whole
//! requirement of each rule whose test passed; the rules that are left are the candidates. If a rule has no such tests, every record
//! is parsed, and the rule is named.
//!
//! Keys count at any depth: by the last name of a field's path, and by the whole path as one key, for Sigma finds a field either way.
//! Any value but a plain text counts as passing.

mod cover;
mod misses;
mod texts;

use std::collections::BTreeSet;

use cordon_core::{Log, RuleId};
use cordon_detect::prefilter::{Requirement, TextTest, requirement};
use cordon_detect::{Rule, RuleBook};
use cordon_json_scan::{FoundKey, KeyId, KeySet};

use self::cover::{FieldTest, cover, keys_of};
pub(crate) use self::misses::Misses;
use self::texts::Texts;

/// The place of a test among those that were chosen.
type TestId = u32;

/// What the prefilter says of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The record is complete, and no rule can match it.
    NoMatch,
    /// The record is complete, and only the rules that were listed can match it.
    Candidates,
    /// The record has to be parsed.
    Unknown,
}

/// The tests of a rule book.
#[derive(Debug)]
pub(crate) struct Prefilter {
    keys: KeySet,
    /// The tests of each key.
    tests: Vec<KeyTests>,
    /// The rule of each test.
    rules: Vec<usize>,
    /// The requirement of each rule.
    checks: Vec<Check>,
    unfiltered: Vec<RuleId>,
}

#[derive(Debug)]
struct KeyTests {
    role: Role,
    texts: Texts,
}

/// What a key means for whether a record is complete, so that the deployed function could evaluate it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Every record has it, with a value that begins so. `place` counts the required keys.
    Required {
        place: usize,
        prefix: Prefix,
    },
    /// A record with this key is always parsed.
    Parse,
    None,
}

/// Up to four characters with which a value begins: a mask of those that count, and the characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Prefix(u32, u32);

impl Prefix {
    const fn new(characters: [u8; 4], len: u32) -> Self {
        let mask = u32::MAX >> (32 - 8 * len);
        Self(mask, u32::from_le_bytes(characters) & mask)
    }

    fn begins(self, value: &[u8]) -> bool {
        let Self(mask, characters) = self;
        value.first_chunk().is_some_and(|value| u32::from_le_bytes(*value) & mask == characters)
    }
}

const ROLES: [(&str, Role); 6] = [
    ("eventName", Role::Required { place: 0, prefix: Prefix::new(*b"\"   ", 1) }),
    ("eventSource", Role::Required { place: 1, prefix: Prefix::new(*b"\"   ", 1) }),
    ("userIdentity", Role::Required { place: 2, prefix: Prefix::new(*b"{   ", 1) }),
    ("eventVersion", Role::Required { place: 3, prefix: Prefix::new(*b"\"1. ", 3) }),
    // CloudTrail writes `omitted` in place of parameters that it left out; `detail` is the record in an envelope.
    ("omitted", Role::Parse),
    ("detail", Role::Parse),
];

/// A requirement in terms of keys.
#[derive(Debug)]
enum Check {
    Anything,
    /// One of these keys has a text that passes a test.
    Field(Vec<KeyId>, Texts),
    All(Vec<Check>),
    Any(Vec<Check>),
}

impl Prefilter {
    pub(crate) fn new(book: &RuleBook) -> Self {
        // Rules that only a correlation counts are among them. Rules about notices need no tests: notices come in an envelope, which
        // is always parsed.
        let never = || Requirement::Any(Vec::new());
        let required = |rule: &Rule| if rule.log == Log::CloudTrail { requirement(rule) } else { never() };
        let requirements: Vec<Requirement> = book.rules().iter().map(required).collect();
        let covers: Vec<Option<Vec<FieldTest<'_>>>> = requirements.iter().map(cover).collect();
        let mut names: BTreeSet<&str> = ROLES.iter().map(|(name, _)| *name).collect();
        names.extend(covers.iter().flatten().flatten().flat_map(|field_test| keys_of(field_test.path)));
        let id = |name: &str| names.iter().position(|known| *known == name).and_then(|at| KeyId::try_from(at).ok());

        let mut tests: Vec<Vec<_>> = names.iter().map(|_| Vec::new()).collect();
        let mut rules = Vec::new();
        for (rule, cover) in covers.iter().enumerate() {
            for field_test in cover.iter().flatten() {
                let test = TestId::try_from(rules.len()).unwrap_or(TestId::MAX);
                for key in keys_of(field_test.path).filter_map(id) {
                    if let Some(tests) = tests.get_mut(usize::from(key)) {
                        tests.push((field_test.test, test));
                    }
                }
                rules.push(rule);
            }
        }
        let unfiltered = |(rule, cover): (&Rule, &Option<_>)| cover.is_none().then(|| rule.id.clone());
        let mut unfiltered: Vec<RuleId> = book.rules().iter().zip(&covers).filter_map(unfiltered).collect();
        let mut key_tests = Vec::new();
        for (name, tests) in names.iter().zip(&tests) {
            let role = ROLES.iter().find(|(known, _)| known == name).map_or(Role::None, |(_, role)| *role);
            let texts = Texts::new(tests).unwrap_or_else(|| {
                let rules = tests.iter().filter_map(|(_, test)| rules.get(*test as usize));
                unfiltered.extend(rules.filter_map(|rule| book.rules().get(*rule)).map(|rule| rule.id.clone()));
                Texts::default()
            });
            key_tests.push(KeyTests { role, texts });
        }
        unfiltered.sort();
        unfiltered.dedup();
        let checks = requirements.iter().map(|requirement| Check::new(requirement, &id)).collect();
        Self { keys: KeySet::new(&names), tests: key_tests, rules, checks, unfiltered }
    }

    pub(crate) fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// The rules without tests. If there are any, every record has to be parsed.
    pub(crate) fn unfiltered(&self) -> &[RuleId] {
        &self.unfiltered
    }

    /// Checks a record that is valid JSON and has these wanted keys. `candidates` becomes the rules that can match it.
    pub(crate) fn check(&self, record: &[u8], found: &[FoundKey], misses: &mut Misses, candidates: &mut Vec<usize>) -> Verdict {
        candidates.clear();
        // How often each required key stands at the top of the record.
        let mut required = [0u32; 4];
        for key in found {
            let Some(tests) = self.tests.get(usize::from(key.key)) else { return Verdict::Unknown };
            let value = record.get(key.value..).unwrap_or_default();
            let value = if value.starts_with(b"\"") { value } else { value.trim_ascii_start() };
            match tests.role {
                Role::None => {}
                Role::Parse => return Verdict::Unknown,
                Role::Required { place, prefix } => {
                    if key.depth == 1 {
                        if !prefix.begins(value) {
                            return Verdict::Unknown;
                        }
                        required.get_mut(place).into_iter().for_each(|count| *count += 1);
                    }
                }
            }
            if !tests.texts.is_empty()
                && !tests.texts.excludes_prefix(value)
                && !misses.contains(key.key, value)
                && !self.try_tests(key.key, &tests.texts, value, record, found, misses, candidates)
            {
                return Verdict::Unknown;
            }
        }
        match required {
            [1, 1, 1, 0 | 1] if candidates.is_empty() => Verdict::NoMatch,
            [1, 1, 1, 0 | 1] => Verdict::Candidates,
            _ => Verdict::Unknown,
        }
    }

    /// Adds the rules of which the value passes a test and whose whole requirement the record may meet. False if the value is not a
    /// plain text.
    #[expect(clippy::too_many_arguments, reason = "the state of one check, which is the hottest loop after the scanner")]
    fn try_tests(
        &self,
        key: KeyId,
        texts: &Texts,
        value: &[u8],
        record: &[u8],
        found: &[FoundKey],
        misses: &mut Misses,
        candidates: &mut Vec<usize>,
    ) -> bool {
        let Some(text) = text(value) else { return false };
        let mut passed = false;
        let testable = texts.all_passed(text, |test| {
            passed = true;
            let Some(rule) = self.rules.get(test as usize) else { return false };
            if !candidates.contains(rule) && self.checks.get(*rule).is_none_or(|check| check.may_be_met(record, found)) {
                candidates.push(*rule);
            }
            true
        });
        if testable && !passed {
            misses.insert(key, value, text);
        }
        testable
    }
}

impl Check {
    fn new(requirement: &Requirement, id: &impl Fn(&str) -> Option<KeyId>) -> Self {
        match requirement {
            Requirement::Anything => Self::Anything,
            Requirement::Field { path, test } => Self::field(path, &[test], id),
            Requirement::All(parts) => Self::All(parts.iter().map(|part| Self::new(part, id)).collect()),
            Requirement::Any(parts) => Self::any(parts, id),
        }
    }

    fn field(path: &str, tests: &[&TextTest], id: &impl Fn(&str) -> Option<KeyId>) -> Self {
        let keys: Option<Vec<KeyId>> = keys_of(path).map(id).collect();
        // A key that the scanner does not look for tells nothing.
        match (keys, Texts::any_of(tests)) {
            (Some(keys), Some(texts)) => Self::Field(keys, texts),
            (None, _) | (_, None) => Self::Anything,
        }
    }

    /// The alternatives of one field are tested together.
    fn any(parts: &[Requirement], id: &impl Fn(&str) -> Option<KeyId>) -> Self {
        let mut fields: Vec<(&str, Vec<&TextTest>)> = Vec::new();
        let mut checks = Vec::new();
        for part in parts {
            match part {
                Requirement::Field { path, test } => match fields.iter_mut().find(|(known, _)| known == path) {
                    Some((_, tests)) => tests.push(test),
                    None => fields.push((path, vec![test])),
                },
                Requirement::Anything | Requirement::All(_) | Requirement::Any(_) => checks.push(Self::new(part, id)),
            }
        }
        checks.extend(fields.iter().map(|(path, tests)| Self::field(path, tests, id)));
        Self::Any(checks)
    }

    fn may_be_met(&self, record: &[u8], found: &[FoundKey]) -> bool {
        match self {
            Self::Anything => true,
            Self::Field(keys, texts) => found.iter().filter(|key| keys.contains(&key.key)).any(|key| {
                let value = record.get(key.value..).unwrap_or_default().trim_ascii_start();
                text(value).is_none_or(|text| texts.passes_any(text))
            }),
            Self::All(parts) => parts.iter().all(|part| part.may_be_met(record, found)),
            Self::Any(parts) => parts.iter().any(|part| part.may_be_met(record, found)),
        }
    }
}

/// The text of a value, if the value is a string without escapes.
fn text(value: &[u8]) -> Option<&[u8]> {
    let text = value.strip_prefix(b"\"")?;
    let end = memchr::memchr2(b'"', b'\\', text)?;
    text.split_at_checked(end).filter(|(_, behind)| behind.starts_with(b"\"")).map(|(text, _)| text)
}
