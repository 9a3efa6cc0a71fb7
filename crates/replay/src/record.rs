//! Reads a record as far as anybody asks about it: the fields that the rules or the code name, with all that is below them.
//!
//! INVARIANT: nothing that decides reads a field that is left out. Where a rule may read any, all of them are kept. The tests
//! hold every finding against that of the whole record.

use std::fmt;

use cordon_detect::{Correlation, Rule, RuleBook};
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// What enrichment and a finding read themselves.
const READ: [&str; 29] = [
    "errorCode",
    "errorMessage",
    "eventID",
    "eventName",
    "eventSource",
    "eventTime",
    "eventVersion",
    "recipientAccountId",
    "requestParameters.accessKeyId",
    "requestParameters.assumeRolePolicyDocument",
    "requestParameters.groupName",
    "requestParameters.inlinePolicy",
    "requestParameters.managedPolicyArn",
    "requestParameters.omitted",
    "requestParameters.policyArn",
    "requestParameters.policyDocument",
    "requestParameters.roleName",
    "requestParameters.userName",
    // Of the member that is called as the call is.
    "responseElements",
    "userAgent",
    "userIdentity.accessKeyId",
    "userIdentity.accountId",
    "userIdentity.arn",
    "userIdentity.principalId",
    "userIdentity.sessionContext.sessionIssuer.arn",
    "userIdentity.sessionContext.sessionIssuer.principalId",
    "userIdentity.sessionContext.sessionIssuer.userName",
    "userIdentity.type",
    "userIdentity.userName",
];

/// What is kept of a value.
#[derive(Debug)]
pub(crate) enum Kept {
    All,
    /// Of an object these members, of a list the same of every item; anything else is kept.
    Fields(Members),
}

/// Members of an object by their names, which are few and looked up for every key of a record.
#[derive(Debug, Default)]
pub(crate) struct Members {
    /// By [`place`].
    places: Vec<Vec<(Box<str>, Kept)>>,
}

impl Members {
    fn get(&self, name: &str) -> Option<&Kept> {
        self.places.get(place(name))?.iter().find(|(known, _)| **known == *name).map(|(_, kept)| kept)
    }

    fn entry(&mut self, name: &str, new: impl FnOnce() -> Kept) -> Option<&mut Kept> {
        self.places.resize_with(PLACES, Vec::new);
        let there = self.places.get_mut(place(name))?;
        let at = there.iter().position(|(known, _)| **known == *name).unwrap_or_else(|| {
            there.push((name.into(), new()));
            there.len() - 1
        });
        there.get_mut(at).map(|(_, kept)| kept)
    }
}

const PLACES: usize = 64;

/// A small number of a name.
fn place(name: &str) -> usize {
    let letter = |byte: Option<&u8>| usize::from(byte.copied().unwrap_or_default());
    let bytes = name.as_bytes();
    (bytes.len() * 5 + letter(bytes.first()) + letter(bytes.last()) * 7 + letter(bytes.get(bytes.len() / 2)) * 3) % PLACES
}

impl Kept {
    pub(crate) fn new(book: &RuleBook) -> Self {
        let mut kept = Self::Fields(Members::default());
        READ.into_iter().for_each(|path| kept.add(path));
        let counted = book.correlations().iter().map(Correlation::fields);
        for fields in book.rules().iter().map(Rule::fields).chain(counted) {
            let Some(fields) = fields else { return Self::All };
            for path in fields {
                kept.add(path);
                // A rule's path is looked up as one key too.
                if let Self::Fields(fields) = &mut kept {
                    fields.entry(path, || Self::All);
                }
            }
        }
        kept
    }

    fn add(&mut self, path: &str) {
        let Self::Fields(fields) = self else { return };
        let (name, below) = path.split_once('.').map_or((path, None), |(name, below)| (name, Some(below)));
        let Some(member) = fields.entry(name, || Self::Fields(Members::default())) else { return };
        match below {
            Some(below) => member.add(below),
            None => *member = Self::All,
        }
    }

    /// Reads a record.
    ///
    /// # Errors
    /// What is not JSON.
    pub(crate) fn read(&self, record: &[u8]) -> Result<Value, serde_json::Error> {
        // To look once whether all of it is UTF-8 is quicker than to look at every text.
        match str::from_utf8(record) {
            Ok(text) => self.read_from(serde_json::Deserializer::from_str(text)),
            Err(_) => self.read_from(serde_json::Deserializer::from_slice(record)),
        }
    }

    fn read_from<'de, R: serde_json::de::Read<'de>>(
        &self,
        mut from: serde_json::Deserializer<R>,
    ) -> Result<Value, serde_json::Error> {
        let value = self.deserialize(&mut from)?;
        from.end()?;
        Ok(value)
    }
}

impl<'de> DeserializeSeed<'de> for &Kept {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        match self {
            Kept::All => Value::deserialize(from),
            Kept::Fields(fields) => from.deserialize_any(Fields(fields)),
        }
    }
}

#[derive(Clone, Copy)]
struct Fields<'k>(&'k Members);

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = members.next_key_seed(Key(self.0))? {
            match key {
                Some((key, kept)) => {
                    fields.insert(key, members.next_value_seed(kept)?);
                }
                None => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Value::Object(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut kept = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            kept.push(item);
        }
        Ok(Value::Array(kept))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

/// A key with what is kept below it, if anything is.
struct Key<'k>(&'k Members);

impl<'de, 'k> DeserializeSeed<'de> for Key<'k> {
    type Value = Option<(String, &'k Kept)>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'k> Visitor<'_> for Key<'k> {
    type Value = Option<(String, &'k Kept)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.get(key).map(|kept| (key.to_owned(), kept)))
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
        let kept = kept("  s: {a.b: x, resources.ARN: y, c: z}\n  condition: s");
        let check = |record: &str, expected: Value| assert_eq!(kept.read(record.as_bytes()).unwrap(), expected, "{record}");
        check(r#"{"eventName":"x","tlsDetails":{"a":[1]},"eventType":true}"#, json!({"eventName": "x"}));
        check(r#"{"a":1,"a":{"b":{"c":2},"d":3},"a.b":4,"a.c":5}"#, json!({"a": {"b": {"c": 2}}, "a.b": 4}));
        check(
            r#"{"re\u0073ources":[{"ARN":"b","type":"c"},[{"type":1}],-2,1.5,true,null,"t"]}"#,
            json!({"resources": [{"ARN": "b"}, [{}], -2, 1.5, true, null, "t"]}),
        );
        check(
            r#"{"userIdentity":{"sessionContext":{"sessionIssuer":{"arn":"r","type":"Role"},"attributes":{}},"arn":"a"}}"#,
            json!({"userIdentity": {"sessionContext": {"sessionIssuer": {"arn": "r"}}, "arn": "a"}}),
        );
        check(
            r#"{"c":{"all":[{"of":"it"}]},"userIdentity":"text"}"#,
            json!({"c": {"all": [{"of": "it"}]}, "userIdentity": "text"}),
        );
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
    fn what_is_not_json_is_refused() {
        for bad in [&b"{"[..], b"{}{}", b"{\"a\":}", b"{\"eventName\":1e999}", b"{\"x\":[}"] {
            assert!(kept("  s: {a: x}\n  condition: s").read(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
