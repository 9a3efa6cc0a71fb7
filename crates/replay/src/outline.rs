//! A record of which only the fields are looked up that somebody asks about: those that rules name, and those that the code does.
//!
//! INVARIANT: what it says of a field is what the parsed record says. Where that is more than to look at the field's first
//! characters, it says that it does not know, and whoever asks has the record parsed.

use std::cell::OnceCell;

use cordon_core::record::{Field, Known, Record};
use cordon_detect::{Correlation, Rule, RuleBook};
use cordon_json_scan::{KeyPosition, Level, index_keys};
use hashbrown::HashTable;
use serde_json::Value;

/// The fields that are looked up.
#[derive(Debug)]
pub(crate) struct Index {
    /// How many there are; the first ones are [`Field::ALL`].
    slots: usize,
    /// By path.
    paths: Names<usize>,
    /// Objects with fields; the first one is the record.
    nodes: Vec<Names<Member>>,
}

/// A member of an object.
#[derive(Debug, Default)]
struct Member {
    /// Where it is a field itself.
    slot: Option<usize>,
    /// Where fields are below it: its node, and all of them.
    node: Option<usize>,
    below: Vec<usize>,
    /// Its name is a whole path, which Sigma finds before what the path leads to.
    is_path: bool,
}

/// Few names, of which one is looked up for every key of a record.
#[derive(Debug)]
struct Names<T>(HashTable<Named<T>>);

#[derive(Debug)]
struct Named<T> {
    digest: Digest,
    name: Box<[u8]>,
    what: T,
}

/// A name's length, its first and its last eight bytes: up to sixteen bytes, all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Digest(usize, u64, u64);

impl Digest {
    #[inline]
    fn of(name: &[u8]) -> Self {
        match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
            (Some(first), Some(last)) => Self(name.len(), u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            (None, _) | (_, None) => Self(name.len(), name.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)), 0),
        }
    }

    /// The names are those of rules: nobody who writes records chooses which ones share a place.
    #[inline]
    fn hash(self) -> u64 {
        let Self(len, first, last) = self;
        let mixed = (first ^ last.rotate_left(23) ^ len as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ mixed >> 32
    }
}

impl<T> Names<T> {
    fn new() -> Self {
        Self(HashTable::new())
    }

    #[inline]
    fn get(&self, name: &[u8]) -> Option<&T> {
        let digest = Digest::of(name);
        let is_it = |known: &Named<T>| known.digest == digest && (name.len() <= 16 || *known.name == *name);
        self.0.find(digest.hash(), is_it).map(|known| &known.what)
    }

    /// What there is under the name, or something new.
    fn entry(&mut self, name: &str, new: T) -> &mut T {
        let name = name.as_bytes();
        let digest = Digest::of(name);
        let entry = self.0.entry(digest.hash(), |known| *known.name == *name, |known| known.digest.hash());
        &mut entry.or_insert_with(|| Named { digest, name: name.into(), what: new }).into_mut().what
    }
}

impl Index {
    pub(crate) fn new(book: &RuleBook) -> Self {
        let mut index = Self { slots: 0, paths: Names::new(), nodes: vec![Names::new()] };
        Field::ALL.into_iter().for_each(|field| index.add(field.path()));
        let counted = book.correlations().iter().map(Correlation::fields);
        for path in book.rules().iter().map(Rule::fields).chain(counted).flatten().flatten() {
            index.add(path);
            if path.contains('.')
                && let Some(root) = index.nodes.first_mut()
            {
                root.entry(path, Member::default()).is_path = true;
            }
        }
        index
    }

    fn add(&mut self, path: &str) {
        let slot = self.slots;
        if *self.paths.entry(path, slot) != slot {
            return;
        }
        self.slots += 1;
        let mut node = 0;
        let mut path = path.split('.').peekable();
        while let Some(name) = path.next() {
            let next = self.nodes.len();
            let Some(names) = self.nodes.get_mut(node) else { return };
            let member = names.entry(name, Member::default());
            if path.peek().is_none() {
                member.slot = Some(slot);
                return;
            }
            member.below.push(slot);
            node = *member.node.get_or_insert(next);
            if node == next {
                self.nodes.push(Names::new());
            }
        }
    }
}

/// What was found of a field; a text by its place in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Text { from: usize, to: usize },
    Null,
    Absent,
    Unknown,
}

/// Looks fields up, in one record after the other.
#[derive(Debug)]
pub(crate) struct Outliner<'i> {
    index: &'i Index,
    level: Level,
    keys: Vec<KeyPosition>,
    slots: Vec<Slot>,
    /// By how many brackets are open: in which node the keys are.
    stack: Vec<Option<usize>>,
    /// Whether an object of a node was there before.
    seen: Vec<bool>,
}

impl<'i> Outliner<'i> {
    pub(crate) fn new(index: &'i Index, level: Level) -> Self {
        Self { index, level, keys: Vec::new(), slots: Vec::new(), stack: Vec::new(), seen: Vec::new() }
    }

    /// Outlines a record that is JSON beyond doubt; `None` where it is so unusual that it has to be parsed.
    pub(crate) fn outline<'r>(&'r mut self, record: &'r [u8]) -> Option<Outline<'r>> {
        let text = simdutf8::basic::from_utf8(record).ok()?;
        index_keys(self.level, record, &mut self.keys);
        let absent = |slots: &mut Vec<Slot>| {
            slots.clear();
            slots.resize(self.index.slots, Slot::Absent);
        };
        absent(&mut self.slots);
        self.seen.clear();
        self.seen.resize(self.index.nodes.len(), false);
        self.stack.clear();
        self.stack.push(Some(0));
        let is_usual = (0..self.keys.len()).all(|at| self.look(record, at).is_some());
        is_usual.then_some(Outline { index: self.index, record: text, slots: &self.slots, whole: OnceCell::new() })
    }

    /// Looks at a key; `None` where the record is unusual.
    fn look(&mut self, record: &[u8], key: usize) -> Option<()> {
        let key = *self.keys.get(key)?;
        // What lies in a list, or below a key that nobody asks about, is in no node.
        self.stack.resize(key.depth, None);
        let Some(node) = self.stack.last().copied().flatten() else { return Some(()) };
        let Some(member) = self.index.nodes.get(node)?.get(key.name(record)?) else { return Some(()) };
        // An object that was there before is gone where the same key comes again.
        if member.is_path || member.node.is_some_and(|node| self.seen.get(node) == Some(&true)) {
            return None;
        }
        let value = key.behind(record)?.trim_ascii_start();
        let from = record.len() - value.len();
        let slot = match value.first()? {
            b'"' => match memchr::memchr2(b'"', b'\\', value.get(1..)?) {
                Some(len) if value.get(len + 1) == Some(&b'"') => Slot::Text { from: from + 1, to: from + 1 + len },
                Some(_) | None => Slot::Unknown,
            },
            b'n' => Slot::Null,
            b'{' => {
                if let Some(node) = member.node {
                    *self.seen.get_mut(node)? = true;
                    self.stack.push(Some(node));
                }
                Slot::Unknown
            }
            b'[' => {
                for slot in &member.below {
                    *self.slots.get_mut(*slot)? = Slot::Unknown;
                }
                Slot::Unknown
            }
            _ => Slot::Unknown,
        };
        if let Some(there) = member.slot {
            *self.slots.get_mut(there)? = slot;
        }
        Some(())
    }
}

/// What is known of a record.
#[derive(Debug)]
pub(crate) struct Outline<'r> {
    index: &'r Index,
    record: &'r str,
    slots: &'r [Slot],
    whole: OnceCell<Value>,
}

impl Record for Outline<'_> {
    fn value(&self) -> &Value {
        // INVARIANT: the record is JSON, so reading it does not fail.
        self.whole.get_or_init(|| serde_json::from_str(self.record).unwrap_or_default())
    }

    fn known(&self, field: Field) -> Known<'_> {
        self.slot(field as usize)
    }

    fn known_at(&self, path: &str) -> Known<'_> {
        self.index.paths.get(path.as_bytes()).map_or(Known::Unknown, |slot| self.slot(*slot))
    }
}

impl Outline<'_> {
    #[inline]
    fn slot(&self, slot: usize) -> Known<'_> {
        match self.slots.get(slot) {
            Some(Slot::Text { from, to }) => self.record.get(*from..*to).map_or(Known::Unknown, Known::Text),
            Some(Slot::Null) => Known::Null,
            Some(Slot::Absent) => Known::Absent,
            Some(Slot::Unknown) | None => Known::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use cordon_detect::RuleSource;
    use proptest::prelude::*;

    use super::*;

    /// Looks up `c`, `o.a`, `o.p.a` and `o.p`, beside what the code asks for.
    fn index() -> Index {
        let rule = "title: t\nname: r\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n  s: {c: x, o.a: x, o.p.a: x, o.p: x}\n  condition: s\n";
        Index::new(&RuleBook::load(vec![RuleSource::new("r.yml", rule)]).map_err(|errors| format!("{errors:?}")).unwrap())
    }

    #[test]
    fn fields_are_found_where_they_are_and_the_rest_is_left_open() {
        let index = index();
        let mut outliner = Outliner::new(&index, Level::new());
        let mut check = |record: &str, path: &str, expected: Known<'_>| {
            let outline = outliner.outline(record.as_bytes()).unwrap();
            assert_eq!(outline.known_at(path), expected, "{path} of {record}");
        };
        check(r#"{"c":"x","d":"y"}"#, "c", Known::Text("x"));
        check(r#"{"c":"x","c":"y"}"#, "c", Known::Text("y"));
        check(r#"{"c":""}"#, "c", Known::Text(""));
        check(r#"{"c": "x" }"#, "c", Known::Text("x"));
        check(r#"{"c":null}"#, "c", Known::Null);
        check(r#"{"c":"a\"b"}"#, "c", Known::Unknown);
        check(r#"{"c":1}"#, "c", Known::Unknown);
        check(r#"{"c":{"c":"x"},"e":{"c":"y"},"f":[{"c":"z"}]}"#, "c", Known::Unknown);
        check(r#"{"e":{"c":"y"},"f":[{"c":"z"}],"g\"c":"z"}"#, "c", Known::Absent);
        check(r#"{"o":{"a":"x","p":{"a":"y"}},"a":"z"}"#, "o.a", Known::Text("x"));
        check(r#"{"o":{"a":"x","p":{"a":"y"}},"a":"z"}"#, "o.p.a", Known::Text("y"));
        check(r#"{"o":{"a":"x","p":{"a":"y"}}}"#, "o.p", Known::Unknown);
        check(r#"{"o":[{"a":"x"}]}"#, "o.a", Known::Unknown);
        check(r#"{"o":"text"}"#, "o.a", Known::Absent);
        check(r#"{"c":"x"}"#, "nobody.asks", Known::Unknown);
        check(
            r#"{"userIdentity":{"sessionContext":{"sessionIssuer":{"arn":"r"}},"arn":"a"}}"#,
            "userIdentity.arn",
            Known::Text("a"),
        );
        for unusual in [r#"{"o":{"a":"x"},"o":{}}"#, r#"{"o.a":"x"}"#] {
            assert!(outliner.outline(unusual.as_bytes()).is_none(), "{unusual}");
        }
    }

    /// What Sigma finds in the parsed record: first under the whole path. `None` where the path leads through a list.
    fn parsed<'v>(record: &'v Value, path: &str) -> Option<Known<'v>> {
        let found = match record.get(path) {
            Some(value) => Some(value),
            None => {
                let mut value = Some(record);
                for name in path.split('.') {
                    value = match value {
                        Some(Value::Object(fields)) => fields.get(name),
                        Some(Value::Array(_)) => return None,
                        Some(_) | None => None,
                    };
                }
                value
            }
        };
        Some(match found {
            None => Known::Absent,
            Some(Value::Null) => Known::Null,
            Some(Value::String(text)) => Known::Text(text),
            Some(_) => Known::Unknown,
        })
    }

    fn object() -> impl Strategy<Value = String> {
        let leaf =
            prop_oneof![Just(r#""x""#.to_owned()), Just(r#""y\"{""#.to_owned()), Just("null".to_owned()), Just("1".to_owned()),];
        let key = prop::sample::select(vec!["o", "p", "a", "c", "o.a", "o.p.a", "q"]);
        let value = leaf.prop_recursive(4, 30, 5, move |inner| {
            prop_oneof![
                3 => prop::collection::vec((key.clone(), inner.clone()), 0..5).prop_map(|members| {
                    let members: Vec<String> = members.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                    format!("{{{}}}", members.join(","))
                }),
                1 => prop::collection::vec(inner, 0..3).prop_map(|items| format!("[{}]", items.join(","))),
            ]
        });
        value.prop_filter("an object", |text| text.starts_with('{'))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3_000))]

        /// The invariant of this module.
        #[test]
        fn what_is_known_of_a_record_is_what_the_parsed_one_says(text in object()) {
            let index = index();
            let mut outliner = Outliner::new(&index, Level::new());
            let value: Value = serde_json::from_str(&text).unwrap();
            if let Some(outline) = outliner.outline(text.as_bytes()) {
                for path in ["c", "o.a", "o.p.a", "o.p", "eventName"] {
                    let known = outline.known_at(path);
                    prop_assert!(known == Known::Unknown || Some(known) == parsed(&value, path), "{} of {}: {:?}", path, text, known);
                }
                prop_assert_eq!(outline.value(), &value);
            }
        }
    }
}
