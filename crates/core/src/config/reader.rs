//! Reads TOML section by section, goes on after a fault, and remembers where each value stands.
//!
//! INVARIANT: a place comes from the parser, never from a search of the text, so a value that stands twice, or in a comment,
//! cannot be taken for another.

use std::cell::RefCell;
use std::ops::{Range, RangeInclusive};

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Fault, Problem};
use crate::ids::RuleId;
use crate::pattern::{NamePattern, NamedKind, Pattern};

/// The bytes of the text that something is written in.
pub(super) type Span = Range<usize>;

/// Syntax errors after which the parser still knows which key and section it is in. After any other it guesses.
const HARMLESS: [&str; 2] = ["duplicate key", "string values must be quoted"];

/// A rule that the policy names, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleReference {
    /// The key with its section, such as `gates.auto`.
    pub key: String,
    /// The rule.
    pub rule: RuleId,
    /// The bytes of the text that name it.
    pub span: Range<usize>,
}

/// A text while it is read, and what was found in it.
pub(super) struct Reading<'t> {
    text: &'t str,
    faults: RefCell<Vec<Fault>>,
    references: RefCell<Vec<RuleReference>>,
}

impl<'t> Reading<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, faults: RefCell::default(), references: RefCell::default() }
    }

    /// The top of the text; `None` if its syntax is too broken to go on. Then the first error is told alone: the others follow
    /// from it.
    pub(super) fn top(&self) -> Option<Section<'_, 't>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let message = error.message().replace('\n', " ");
            let harmless = HARMLESS.iter().any(|start| message.starts_with(start));
            self.fault(error.span().unwrap_or_default(), Problem::Syntax { message });
            if !harmless {
                return None;
            }
        }
        Some(Section { reading: self, name: String::new(), span: 0..0, table: table.into_inner(), known: Vec::new() })
    }

    pub(super) fn fault(&self, span: Span, problem: Problem) {
        self.faults.borrow_mut().push(Fault::new(self.text, span, problem));
    }

    /// The faults, and the rules that were named.
    pub(super) fn finish(self) -> (Vec<Fault>, Vec<RuleReference>) {
        (self.faults.into_inner(), self.references.into_inner())
    }
}

/// A table of the text, of which the known keys are taken one by one. What is left at the end is unknown.
pub(super) struct Section<'r, 't> {
    reading: &'r Reading<'t>,
    /// As people write it, such as `approval.approvers`; empty at the top.
    name: String,
    /// Its header, or the whole of an inline table.
    span: Span,
    table: DeTable<'t>,
    known: Vec<&'static str>,
}

impl<'r, 't> Section<'r, 't> {
    /// Reads the section, and reports the keys that nobody asked for.
    pub(super) fn read<R>(mut self, read: impl FnOnce(&mut Self) -> R) -> R {
        let result = read(&mut self);
        for key in self.table.keys() {
            let problem =
                Problem::UnknownKey { key: key.get_ref().to_string(), section: self.name.clone(), known: self.known.clone() };
            self.reading.fault(key.span(), problem);
        }
        result
    }

    /// The key with its section.
    pub(super) fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    pub(super) fn fault(&self, span: Span, problem: Problem) {
        self.reading.fault(span, problem);
    }

    /// The value of a key, if it is there and has its type.
    pub(super) fn get<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<Spanned<T>> {
        let value = self.take(key)?;
        self.value(key, value)
    }

    /// As [`Self::get`], without the place and with a default.
    pub(super) fn or<T: DeserializeOwned>(&mut self, key: &'static str, default: T) -> T {
        self.get(key).map_or(default, Spanned::into_inner)
    }

    /// Whether a key is written.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Reports a key that has to be there and is not.
    pub(super) fn require(&self, key: &'static str) {
        if !self.has(key) {
            self.fault(self.span(), Problem::Missing { section: self.name.clone(), key });
        }
    }

    /// The value of a key that has to be there.
    pub(super) fn required<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<Spanned<T>> {
        self.require(key);
        self.get(key)
    }

    /// A number within limits.
    pub(super) fn within(&mut self, key: &'static str, default: u32, limits: RangeInclusive<u32>) -> u32 {
        let Some(number) = self.get::<u32>(key) else { return default };
        if !limits.contains(number.get_ref()) {
            let problem = Problem::OutOfRange { key: self.path(key), min: *limits.start(), max: *limits.end() };
            self.fault(number.span(), problem);
        }
        number.into_inner()
    }

    /// The entries of a list, if it is there.
    pub(super) fn list<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<List<T>> {
        let value = self.take(key)?;
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(entries) => {
                let is_empty = entries.is_empty();
                Some(List { span, is_empty, entries: entries.into_iter().filter_map(|entry| self.value(key, entry)).collect() })
            }
            other => {
                let message = format!("invalid type: {}, expected a list", other.type_str());
                self.fault(span, Problem::Value { key: self.path(key), message });
                None
            }
        }
    }

    /// A list of ARN patterns.
    pub(super) fn arn_patterns(&mut self, key: &'static str) -> Option<List<Pattern>> {
        let patterns = self.list::<Pattern>(key)?;
        for pattern in patterns.entries.iter().filter(|pattern| !pattern.get_ref().is_arn()) {
            let problem = Problem::NotAnArnPattern { key: self.path(key), pattern: pattern.get_ref().to_string() };
            self.fault(pattern.span(), problem);
        }
        Some(patterns)
    }

    /// A list of patterns that name account and path, of some kinds.
    pub(super) fn name_patterns(&mut self, key: &'static str, kinds: &'static [NamedKind]) -> Option<List<NamePattern>> {
        let List { span, is_empty, entries } = self.list::<String>(key)?;
        let named = |entry: Spanned<String>| {
            let span = entry.span();
            match NamePattern::parse(entry.get_ref(), kinds) {
                Ok(pattern) => Some(Spanned::new(span, pattern)),
                Err(why) => {
                    self.fault(span, Problem::NotNamed { key: self.path(key), pattern: entry.into_inner(), why });
                    None
                }
            }
        };
        Some(List { span, is_empty, entries: entries.into_iter().filter_map(named).collect() })
    }

    /// A list of rules, which [`super::ConfigFile::references`] will have, too.
    pub(super) fn rules(&mut self, key: &'static str) -> Option<List<RuleId>> {
        let rules = self.list::<RuleId>(key)?;
        self.reading.references.borrow_mut().extend(rules.entries.iter().map(|rule| RuleReference {
            key: self.path(key),
            rule: rule.get_ref().clone(),
            span: rule.span(),
        }));
        Some(rules)
    }

    /// A table inside this one.
    pub(super) fn section(&mut self, key: &'static str) -> Option<Section<'r, 't>> {
        let value = self.take(key)?;
        self.as_section(key, value)
    }

    /// The tables of an array, without those that are none.
    pub(super) fn sections(&mut self, key: &'static str) -> Vec<Section<'r, 't>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(entries) => entries.into_iter().filter_map(|entry| self.as_section(key, entry)).collect(),
            other => {
                let message = format!("invalid type: {}, expected [[{}]]", other.type_str(), self.path(key));
                self.fault(span, Problem::Value { key: self.path(key), message });
                Vec::new()
            }
        }
    }

    fn as_section(&self, key: &'static str, value: Spanned<DeValue<'t>>) -> Option<Section<'r, 't>> {
        let (name, span) = (self.path(key), value.span());
        match value.into_inner() {
            DeValue::Table(table) => Some(Section { reading: self.reading, name, span, table, known: Vec::new() }),
            other => {
                let message = format!("invalid type: {}, expected a table", other.type_str());
                self.fault(span, Problem::Value { key: name, message });
                None
            }
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Spanned<DeValue<'t>>> {
        self.known.push(key);
        self.table.remove(key)
    }

    fn value<T: DeserializeOwned>(&self, key: &'static str, value: Spanned<DeValue<'t>>) -> Option<Spanned<T>> {
        let span = value.span();
        match T::deserialize(toml::de::ValueDeserializer::from(value)) {
            Ok(read) => Some(Spanned::new(span, read)),
            Err(error) => {
                let message = error.message().replace('\n', " ");
                self.fault(error.span().unwrap_or(span), Problem::Value { key: self.path(key), message });
                None
            }
        }
    }
}

/// A list of the text.
pub(super) struct List<T> {
    pub(super) span: Span,
    /// Whether nothing is written in it.
    pub(super) is_empty: bool,
    /// The entries that have their type.
    pub(super) entries: Vec<Spanned<T>>,
}

impl<T> List<T> {
    /// The entries without their places.
    pub(super) fn plain(self) -> Vec<T> {
        self.entries.into_iter().map(Spanned::into_inner).collect()
    }
}
