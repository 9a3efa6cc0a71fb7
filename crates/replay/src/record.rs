//! Reads a record as far as anybody asks about it: its own keys that the rules or the code name, with all that is below them.
//!
//! INVARIANT: nothing that decides reads a key that is left out. A rule that may read any key keeps them all. The tests hold
//! every finding against that of the whole record.

use std::collections::BTreeSet;
use std::fmt;

use cordon_detect::{Correlation, Rule, RuleBook};
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

/// What enrichment and a finding read themselves.
const READ: [&str; 11] = [
    "errorCode",
    "errorMessage",
    "eventID",
    "eventName",
    "eventSource",
    "eventTime",
    "eventVersion",
    "recipientAccountId",
    "requestParameters",
    "responseElements",
    "userIdentity",
];

/// The keys of a record that are read; `None`: all.
#[derive(Debug)]
pub(crate) struct Kept(Option<BTreeSet<Box<str>>>);

impl Kept {
    pub(crate) fn new(book: &RuleBook) -> Self {
        let mut kept: BTreeSet<Box<str>> = READ.into_iter().map(Box::from).collect();
        let counted = book.correlations().iter().map(Correlation::fields);
        for fields in book.rules().iter().map(Rule::fields).chain(counted) {
            let Some(fields) = fields else { return Self(None) };
            for path in fields {
                // A rule's path is looked up as one key too.
                kept.insert(path.into());
                kept.extend(path.split('.').next().map(Box::from));
            }
        }
        Self(Some(kept))
    }

    /// Reads a record.
    ///
    /// # Errors
    /// What is no JSON object.
    pub(crate) fn read(&self, record: &[u8]) -> Result<Value, serde_json::Error> {
        let Some(kept) = &self.0 else { return serde_json::from_slice(record) };
        let mut from = serde_json::Deserializer::from_slice(record);
        let fields = from.deserialize_map(Fields(kept))?;
        from.end()?;
        Ok(Value::Object(fields))
    }
}

struct Fields<'k>(&'k BTreeSet<Box<str>>);

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = members.next_key_seed(Key(self.0))? {
            match key {
                Some(key) => {
                    fields.insert(key, members.next_value()?);
                }
                None => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(fields)
    }
}

/// A key, if it is one that is kept.
struct Key<'k>(&'k BTreeSet<Box<str>>);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.contains(key).then(|| key.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cordon_detect::RuleSource;
    use serde_json::json;

    fn kept(detection: &str) -> Kept {
        let text = format!("title: t\nname: r\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n{detection}\n");
        Kept::new(&RuleBook::load(vec![RuleSource::new("r.yml", text)]).map_err(|errors| format!("{errors:?}")).unwrap())
    }

    #[test]
    fn only_what_somebody_reads_is_kept() {
        let record =
            br#"{"eventName":"x","tlsDetails":{"a":[1]},"resources":[{"ARN":"b"}],"a":1,"a":{"b":2},"a.b":3,"re\u0073ources":4}"#;
        let read = kept("  s: {a.b: x}\n  condition: s").read(record).unwrap();
        assert_eq!(read, json!({"eventName": "x", "a": {"b": 2}, "a.b": 3}));
        let read = kept("  s: {resources.ARN: x}\n  condition: s").read(record).unwrap();
        assert_eq!(read, json!({"eventName": "x", "resources": 4}));
    }

    #[test]
    fn a_rule_that_looks_anywhere_keeps_everything() {
        let record = br#"{"eventName":"x","tlsDetails":{"a":[1]}}"#;
        assert_eq!(
            kept("  s: [word]\n  condition: s").read(record).unwrap(),
            json!({"eventName": "x", "tlsDetails": {"a": [1]}})
        );
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for bad in [&b"[]"[..], b"{", b"{}{}", b"{\"a\":}", b"1"] {
            assert!(kept("  s: {a: x}\n  condition: s").read(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
