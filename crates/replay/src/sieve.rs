//! Which records no rule can match, told from a few of their keys and texts without a parse.
//!
//! INVARIANT: a record that is passed over is one that a full parse would find readable and no rule would match. For every rule
//! a few tests are chosen of which at least one holds in every record that the rule matches. A record in which none of the
//! chosen tests holds is passed over; one in which some hold is held against the whole need of their rules, and those whose need
//! is met are the only ones that can match it. Where a rule has no such tests, every record is parsed, and the rule is named.
//!
//! Keys are looked for wherever they stand, by the last name of a field's path and by the whole path as one key, which is where
//! Sigma looks for it. Whatever is not a plain text below such a key counts as passing.

mod choice;
mod familiar;
mod texts;

use std::collections::BTreeSet;

use cordon_core::{Log, RuleId};
use cordon_detect::{Need, Rule, RuleBook, Test};
use cordon_json_scan::{FoundKey, KeyId, KeySet};

use self::choice::{Choice, cover, keys_of};
pub(crate) use self::familiar::Familiar;
use self::texts::Texts;

/// A chosen test, in the order of their choice.
type Probe = u32;

/// What is known of a record before it is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sifted {
    /// It can be judged, and no rule can match it.
    PassedOver,
    /// It can be judged, and only the rules that were listed can match it.
    Among,
    /// Only a parse can tell.
    Unknown,
}

/// What a rule book lets through.
#[derive(Debug)]
pub(crate) struct Sieve {
    keys: KeySet,
    /// By key.
    wanted: Vec<Wanted>,
    /// By probe: what has to be met beside it.
    needs: Vec<usize>,
    /// By rule.
    conditions: Vec<Condition>,
    unserved: Vec<RuleId>,
}

#[derive(Debug)]
struct Wanted {
    role: Role,
    texts: Texts,
}

/// What a key says about whether a record can be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// A part of every record; `place` is its own among them.
    Part {
        place: usize,
        begins: Beginning,
    },
    /// A record with this key is always parsed.
    Parse,
    None,
}

/// The first characters of a value: those of four that count, and what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Beginning(u32, u32);

impl Beginning {
    const fn new(first: [u8; 4], count: u32) -> Self {
        let counts = u32::MAX >> (32 - 8 * count);
        Self(counts, u32::from_le_bytes(first) & counts)
    }

    fn is_of(self, value: &[u8]) -> bool {
        let Self(counts, first) = self;
        value.first_chunk().is_some_and(|value| u32::from_le_bytes(*value) & counts == first)
    }
}

const ROLES: [(&str, Role); 6] = [
    ("eventName", Role::Part { place: 0, begins: Beginning::new(*b"\"   ", 1) }),
    ("eventSource", Role::Part { place: 1, begins: Beginning::new(*b"\"   ", 1) }),
    ("userIdentity", Role::Part { place: 2, begins: Beginning::new(*b"{   ", 1) }),
    ("eventVersion", Role::Part { place: 3, begins: Beginning::new(*b"\"1. ", 3) }),
    // What stands for parameters that CloudTrail left out, and an envelope's record.
    ("omitted", Role::Parse),
    ("detail", Role::Parse),
];

/// A need in terms of keys.
#[derive(Debug)]
enum Condition {
    Anything,
    /// One of these keys has a text that passes.
    Field(Vec<KeyId>, Texts),
    All(Vec<Condition>),
    Any(Vec<Condition>),
}

impl Sieve {
    pub(crate) fn new(book: &RuleBook) -> Self {
        // A rule that is only counted is one of them: whether a correlation is reached is known by the records that it matches.
        // A rule about notices is none: they come in an envelope, which is always parsed.
        let never = || Need::Any(Vec::new());
        let need = |rule: &Rule| if rule.log == Log::CloudTrail { rule.need() } else { never() };
        let needs: Vec<Need> = book.rules().iter().map(need).collect();
        let covers: Vec<Option<Vec<Choice<'_>>>> = needs.iter().map(cover).collect();
        let mut names: BTreeSet<&str> = ROLES.iter().map(|(name, _)| *name).collect();
        names.extend(covers.iter().flatten().flatten().flat_map(|choice| keys_of(choice.path)));
        let id = |name: &str| names.iter().position(|known| *known == name).and_then(|at| KeyId::try_from(at).ok());

        let mut tests: Vec<Vec<_>> = names.iter().map(|_| Vec::new()).collect();
        let mut rules = Vec::new();
        for (rule, cover) in covers.iter().enumerate() {
            for choice in cover.iter().flatten() {
                let probe = Probe::try_from(rules.len()).unwrap_or(Probe::MAX);
                for key in keys_of(choice.path).filter_map(id) {
                    if let Some(tests) = tests.get_mut(usize::from(key)) {
                        tests.push((choice.test, probe));
                    }
                }
                rules.push(rule);
            }
        }
        let unserved = |(rule, cover): (&Rule, &Option<_>)| cover.is_none().then(|| rule.id.clone());
        let mut unserved: Vec<RuleId> = book.rules().iter().zip(&covers).filter_map(unserved).collect();
        let mut wanted = Vec::new();
        for (name, tests) in names.iter().zip(&tests) {
            let role = ROLES.iter().find(|(known, _)| known == name).map_or(Role::None, |(_, role)| *role);
            let texts = Texts::new(tests).unwrap_or_else(|| {
                let rules = tests.iter().filter_map(|(_, probe)| rules.get(*probe as usize));
                unserved.extend(rules.filter_map(|rule| book.rules().get(*rule)).map(|rule| rule.id.clone()));
                Texts::default()
            });
            wanted.push(Wanted { role, texts });
        }
        unserved.sort();
        unserved.dedup();
        let conditions = needs.iter().map(|need| Condition::new(need, &id)).collect();
        Self { keys: KeySet::new(&names), wanted, needs: rules, conditions, unserved }
    }

    pub(crate) fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// The rules of which only a parse can tell what they match. Where there are any, no record may be passed over.
    pub(crate) fn unserved(&self) -> &[RuleId] {
        &self.unserved
    }

    /// What is known of a record that is JSON and in which these are the wanted keys. `among` becomes the rules that can match
    /// it, where that is known.
    pub(crate) fn sift(&self, record: &[u8], found: &[FoundKey], familiar: &mut Familiar, among: &mut Vec<usize>) -> Sifted {
        among.clear();
        // How often each part was found where the record has it.
        let mut parts = [0u32; 4];
        for key in found {
            let Some(wanted) = self.wanted.get(usize::from(key.key)) else { return Sifted::Unknown };
            let value = record.get(key.value..).unwrap_or_default();
            let value = if value.starts_with(b"\"") { value } else { value.trim_ascii_start() };
            match wanted.role {
                Role::None => {}
                Role::Parse => return Sifted::Unknown,
                Role::Part { place, begins } => {
                    if key.depth == 1 {
                        if !begins.is_of(value) {
                            return Sifted::Unknown;
                        }
                        parts.get_mut(place).into_iter().for_each(|count| *count += 1);
                    }
                }
            }
            if !wanted.texts.is_empty()
                && !wanted.texts.begins_otherwise(value)
                && !familiar.knows(key.key, value)
                && !self.look(key.key, &wanted.texts, value, record, found, familiar, among)
            {
                return Sifted::Unknown;
            }
        }
        match parts {
            [1, 1, 1, 0 | 1] if among.is_empty() => Sifted::PassedOver,
            [1, 1, 1, 0 | 1] => Sifted::Among,
            _ => Sifted::Unknown,
        }
    }

    /// Adds the rules of which the value passes a chosen test, but for those that cannot match the record for another reason;
    /// false where the value is none that can be tested.
    #[expect(clippy::too_many_arguments, reason = "what is at hand for each of a record's texts")]
    fn look(
        &self,
        key: KeyId,
        texts: &Texts,
        value: &[u8],
        record: &[u8],
        found: &[FoundKey],
        familiar: &mut Familiar,
        among: &mut Vec<usize>,
    ) -> bool {
        let Some(text) = text(value) else { return false };
        let mut passed = false;
        let known = texts.all_passed(text, |probe| {
            passed = true;
            let Some(rule) = self.needs.get(probe as usize) else { return false };
            if !among.contains(rule) && self.conditions.get(*rule).is_none_or(|condition| condition.may_be_met(record, found)) {
                among.push(*rule);
            }
            true
        });
        if known && !passed {
            familiar.learn(key, value, text);
        }
        known
    }
}

impl Condition {
    fn new(need: &Need, id: &impl Fn(&str) -> Option<KeyId>) -> Self {
        match need {
            Need::Anything => Self::Anything,
            Need::Field { path, test } => Self::field(path, &[test], id),
            Need::All(parts) => Self::All(parts.iter().map(|part| Self::new(part, id)).collect()),
            Need::Any(parts) => Self::any(parts, id),
        }
    }

    fn field(path: &str, tests: &[&Test], id: &impl Fn(&str) -> Option<KeyId>) -> Self {
        let keys: Option<Vec<KeyId>> = keys_of(path).map(id).collect();
        // A key that is not looked for tells nothing.
        match (keys, Texts::any_of(tests)) {
            (Some(keys), Some(texts)) => Self::Field(keys, texts),
            (None, _) | (_, None) => Self::Anything,
        }
    }

    /// The alternatives of one field are looked up together.
    fn any(parts: &[Need], id: &impl Fn(&str) -> Option<KeyId>) -> Self {
        let mut fields: Vec<(&str, Vec<&Test>)> = Vec::new();
        let mut conditions = Vec::new();
        for part in parts {
            match part {
                Need::Field { path, test } => match fields.iter_mut().find(|(known, _)| known == path) {
                    Some((_, tests)) => tests.push(test),
                    None => fields.push((path, vec![test])),
                },
                Need::Anything | Need::All(_) | Need::Any(_) => conditions.push(Self::new(part, id)),
            }
        }
        conditions.extend(fields.iter().map(|(path, tests)| Self::field(path, tests, id)));
        Self::Any(conditions)
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

/// The text that a value is, if it is one that is spelled as it reads.
fn text(value: &[u8]) -> Option<&[u8]> {
    let text = value.strip_prefix(b"\"")?;
    let end = memchr::memchr2(b'"', b'\\', text)?;
    text.split_at_checked(end).filter(|(_, behind)| behind.starts_with(b"\"")).map(|(text, _)| text)
}
