//! A record whose fields are looked up in its text: those that rules name, and those that the code asks for.
//!
//! INVARIANT: a lookup says what the parsed record says, or that the record has to be parsed.

use std::cell::OnceCell;

use cordon_core::record::{Field, Lookup, Record};
use cordon_detect::{Correlation, RuleBook, prefilter};
use cordon_json_scan::{KeyPosition, Level, index_keys};
use hashbrown::HashTable;
use serde_json::Value;

/// The fields that are looked up, as a tree of names.
#[derive(Debug)]
pub(crate) struct FieldIndex {
    /// How many there are; the first ones are [`Field::ALL`].
    slots: usize,
    /// The slot of each path.
    paths: Names<usize>,
    /// Objects in which fields stand; the first one is the record.
    nodes: Vec<Names<Member>>,
}

/// A member of an object.
#[derive(Debug, Default)]
struct Member {
    /// Its slot if it is a field itself.
    slot: Option<usize>,
    /// Its node if fields stand below it.
    node: Option<usize>,
    /// The slots of all fields below it.
    below: Vec<usize>,
    /// Its name reads like a whole path: Sigma prefers such a key.
    is_path: bool,
}

/// A map with few names, in which every key of a record is looked up.
#[derive(Debug)]
struct Names<T>(HashTable<Named<T>>);

#[derive(Debug)]
struct Named<T> {
    digest: Digest,
    name: Box<[u8]>,
    value: T,
}

/// A name's length, its first and its last eight bytes. Up to sixteen bytes, that is the parsed name.
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

    /// A weak hash suffices: the names come from rules, so the author of a record cannot make them collide.
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
        let is_it = |named: &Named<T>| named.digest == digest && (name.len() <= 16 || *named.name == *name);
        self.0.find(digest.hash(), is_it).map(|named| &named.value)
    }

    /// The value under a name; `new` if it has none.
    fn entry(&mut self, name: &str, new: T) -> &mut T {
        let name = name.as_bytes();
        let digest = Digest::of(name);
        let entry = self.0.entry(digest.hash(), |named| *named.name == *name, |named| named.digest.hash());
        &mut entry.or_insert_with(|| Named { digest, name: name.into(), value: new }).into_mut().value
    }
}

impl FieldIndex {
    pub(crate) fn new(book: &RuleBook) -> Self {
        let mut index = Self { slots: 0, paths: Names::new(), nodes: vec![Names::new()] };
        Field::ALL.into_iter().for_each(|field| index.add(field.path()));
        let counted = book.correlations().iter().map(Correlation::fields);
        for path in book.rules().iter().map(prefilter::fields).chain(counted).flatten().flatten() {
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

/// The lookup of a field; a text by its offsets in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Text { from: usize, to: usize },
    Null,
    Absent,
    Unparsed,
}

/// Looks fields up, in one record after the other.
#[derive(Debug)]
pub(crate) struct FieldFinder<'i> {
    index: &'i FieldIndex,
    level: Level,
    keys: Vec<KeyPosition>,
    slots: Vec<Slot>,
    /// For each depth, the node whose keys stand there.
    stack: Vec<Option<usize>>,
    /// For each node, whether the record has had an object for it.
    seen: Vec<bool>,
}

impl<'i> FieldFinder<'i> {
    pub(crate) fn new(index: &'i FieldIndex, level: Level) -> Self {
        Self { index, level, keys: Vec::new(), slots: Vec::new(), stack: Vec::new(), seen: Vec::new() }
    }

    /// Looks up the fields of a valid record; `None` if it is so unusual that it has to be parsed.
    pub(crate) fn find<'r>(&'r mut self, record: &'r [u8]) -> Option<LazyRecord<'r>> {
        let text = simdutf8::basic::from_utf8(record).ok()?;
        index_keys(self.level, record, &mut self.keys);
        self.slots.clear();
        self.slots.resize(self.index.slots, Slot::Absent);
        self.seen.clear();
        self.seen.resize(self.index.nodes.len(), false);
        self.stack.clear();
        self.stack.push(Some(0));
        let is_usual = (0..self.keys.len()).all(|at| self.take(record, at).is_some());
        is_usual.then_some(LazyRecord { index: self.index, record: text, slots: &self.slots, parsed: OnceCell::new() })
    }

    /// Takes a key; `None` if it makes the record unusual.
    fn take(&mut self, record: &[u8], key: usize) -> Option<()> {
        let key = *self.keys.get(key)?;
        // Keys in a list, or below a key that no field's path has, are in no node.
        self.stack.resize(key.depth, None);
        let Some(node) = self.stack.last().copied().flatten() else { return Some(()) };
        let Some(member) = self.index.nodes.get(node)?.get(key.name(record)?) else { return Some(()) };
        // Of two objects under the same key the parser keeps the second one alone.
        if member.is_path || member.node.is_some_and(|node| self.seen.get(node) == Some(&true)) {
            return None;
        }
        let value = key.behind(record)?.trim_ascii_start();
        let from = record.len() - value.len();
        let slot = match value.first()? {
            b'"' => match memchr::memchr2(b'"', b'\\', value.get(1..)?) {
                Some(len) if value.get(len + 1) == Some(&b'"') => Slot::Text { from: from + 1, to: from + 1 + len },
                Some(_) | None => Slot::Unparsed,
            },
            b'n' => Slot::Null,
            b'{' => {
                if let Some(node) = member.node {
                    *self.seen.get_mut(node)? = true;
                    self.stack.push(Some(node));
                }
                Slot::Unparsed
            }
            b'[' => {
                for slot in &member.below {
                    *self.slots.get_mut(*slot)? = Slot::Unparsed;
                }
                Slot::Unparsed
            }
            _ => Slot::Unparsed,
        };
        if let Some(there) = member.slot {
            *self.slots.get_mut(there)? = slot;
        }
        Some(())
    }
}

/// A record whose fields were looked up. It is parsed the first time that somebody asks for more.
#[derive(Debug)]
pub(crate) struct LazyRecord<'r> {
    index: &'r FieldIndex,
    record: &'r str,
    slots: &'r [Slot],
    parsed: OnceCell<Value>,
}

impl Record for LazyRecord<'_> {
    fn value(&self) -> &Value {
        // INVARIANT: the record is valid JSON, so parsing it does not fail.
        self.parsed.get_or_init(|| serde_json::from_str(self.record).unwrap_or_default())
    }

    fn lookup(&self, field: Field) -> Lookup<'_> {
        self.slot(field as usize)
    }

    fn lookup_path(&self, path: &str) -> Lookup<'_> {
        self.index.paths.get(path.as_bytes()).map_or(Lookup::Unparsed, |slot| self.slot(*slot))
    }
}

impl LazyRecord<'_> {
    #[inline]
    fn slot(&self, slot: usize) -> Lookup<'_> {
        match self.slots.get(slot) {
            Some(Slot::Text { from, to }) => self.record.get(*from..*to).map_or(Lookup::Unparsed, Lookup::Text),
            Some(Slot::Null) => Lookup::Null,
            Some(Slot::Absent) => Lookup::Absent,
            Some(Slot::Unparsed) | None => Lookup::Unparsed,
        }
    }
}

#[cfg(test)]
mod tests {
    use cordon_detect::RuleSource;
    use proptest::prelude::*;

    use super::*;

    /// Looks up `c`, `o.a`, `o.p.a` and `o.p`, beside what the code asks for.
    fn index() -> FieldIndex {
        let rule = "title: t\nname: r\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n  s: {c: x, o.a: x, o.p.a: x, o.p: x}\n  condition: s\n";
        FieldIndex::new(&RuleBook::load(vec![RuleSource::new("r.yml", rule)]).map_err(|errors| format!("{errors:?}")).unwrap())
    }

    #[test]
    fn fields_are_found_where_they_are_and_the_rest_is_left_open() {
        let index = index();
        let mut finder = FieldFinder::new(&index, Level::new());
        let mut check = |record: &str, path: &str, expected: Lookup<'_>| {
            let found = finder.find(record.as_bytes()).unwrap();
            assert_eq!(found.lookup_path(path), expected, "{path} of {record}");
        };
        check(r#"{"c":"x","d":"y"}"#, "c", Lookup::Text("x"));
        check(r#"{"c":"x","c":"y"}"#, "c", Lookup::Text("y"));
        check(r#"{"c":""}"#, "c", Lookup::Text(""));
        check(r#"{"c": "x" }"#, "c", Lookup::Text("x"));
        check(r#"{"c":null}"#, "c", Lookup::Null);
        check(r#"{"c":"a\"b"}"#, "c", Lookup::Unparsed);
        check(r#"{"c":1}"#, "c", Lookup::Unparsed);
        check(r#"{"c":{"c":"x"},"e":{"c":"y"},"f":[{"c":"z"}]}"#, "c", Lookup::Unparsed);
        check(r#"{"e":{"c":"y"},"f":[{"c":"z"}],"g\"c":"z"}"#, "c", Lookup::Absent);
        check(r#"{"o":{"a":"x","p":{"a":"y"}},"a":"z"}"#, "o.a", Lookup::Text("x"));
        check(r#"{"o":{"a":"x","p":{"a":"y"}},"a":"z"}"#, "o.p.a", Lookup::Text("y"));
        check(r#"{"o":{"a":"x","p":{"a":"y"}}}"#, "o.p", Lookup::Unparsed);
        check(r#"{"o":[{"a":"x"}]}"#, "o.a", Lookup::Unparsed);
        check(r#"{"o":"text"}"#, "o.a", Lookup::Absent);
        check(r#"{"c":"x"}"#, "nobody.asks", Lookup::Unparsed);
        check(
            r#"{"userIdentity":{"sessionContext":{"sessionIssuer":{"arn":"r"}},"arn":"a"}}"#,
            "userIdentity.arn",
            Lookup::Text("a"),
        );
        for unusual in [r#"{"o":{"a":"x"},"o":{}}"#, r#"{"o.a":"x"}"#] {
            assert!(finder.find(unusual.as_bytes()).is_none(), "{unusual}");
        }
    }

    /// What Sigma finds in the parsed record: first under the whole path. `None` where the path leads through a list.
    fn parsed<'v>(record: &'v Value, path: &str) -> Option<Lookup<'v>> {
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
            None => Lookup::Absent,
            Some(Value::Null) => Lookup::Null,
            Some(Value::String(text)) => Lookup::Text(text),
            Some(_) => Lookup::Unparsed,
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
            let mut finder = FieldFinder::new(&index, Level::new());
            let value: Value = serde_json::from_str(&text).unwrap();
            if let Some(found) = finder.find(text.as_bytes()) {
                for path in ["c", "o.a", "o.p.a", "o.p", "eventName"] {
                    let lookup = found.lookup_path(path);
                    prop_assert!(lookup == Lookup::Unparsed || Some(lookup) == parsed(&value, path), "{} of {}: {:?}", path, text, lookup);
                }
                prop_assert_eq!(found.value(), &value);
            }
        }
    }
}
