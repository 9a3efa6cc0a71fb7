//! A CloudTrail record, however it is held: as a JSON value, or as text of which only some fields were looked up.
//!
//! Every field of a record is somebody else's text and may be absent, null or of another type.

use serde_json::Value;

/// What is known of a field without a look at the whole record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known<'r> {
    Text(&'r str),
    Null,
    Absent,
    /// It is something else, or nobody has looked: the value tells.
    Unknown,
}

/// A record whose fields are asked for by their paths of names, such as `userIdentity.sessionContext.sessionIssuer.arn`, which lead
/// from object to object only.
pub trait Record {
    /// All of it.
    fn value(&self) -> &Value;

    /// What is known of a field. A key of the record that reads like the whole path counts as well, which is how Sigma looks for
    /// fields: where there is one, the answer is [`Known::Unknown`].
    fn known(&self, path: &str) -> Known<'_> {
        let _ = path;
        Known::Unknown
    }

    /// The text of a field; `None` for anything else.
    fn text(&self, path: &str) -> Option<&str> {
        match self.known(path) {
            Known::Text(text) => Some(text),
            Known::Null | Known::Absent => None,
            Known::Unknown => field(self.value(), path).as_str(),
        }
    }
}

impl Record for Value {
    fn value(&self) -> &Value {
        self
    }
}

/// What stands at a path of names, or null.
#[must_use]
pub fn field<'r>(record: &'r Value, path: &str) -> &'r Value {
    let found = path.split('.').try_fold(record, |value, name| value.as_object()?.get(name));
    found.unwrap_or(&Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_leads_through_objects_and_to_texts_only() {
        let record = json!({"a": {"b": "x", "n": null, "l": [{"c": "y"}]}, "a.b": "flat", "l": ["z"]});
        let check = |path: &str, expected: Option<&str>| assert_eq!(record.text(path), expected, "{path}");
        check("a.b", Some("x"));
        check("a.n", None);
        check("a.l.c", None);
        check("a.l.0.c", None);
        check("l", None);
        check("a", None);
        check("a.b.c", None);
        check("z", None);
    }
}
