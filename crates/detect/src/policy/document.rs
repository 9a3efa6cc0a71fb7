//! A policy document, in any of the shapes that AWS and its users write.
//!
//! CloudTrail carries documents as JSON in a string. IAM's read calls percent-encode them. A list of one may be a single value. A
//! document that IAM would refuse is refused here too, with the reason, because it grants nothing.

use serde_json::{Map, Value};

/// Longer than any policy that IAM stores (10,240 characters without white space), with room for white space and encoding.
const MAX_CHARS: usize = 131_072;

/// Why a text is no policy document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It is longer than any document of IAM.
    #[error("the policy document has more than {MAX_CHARS} characters")]
    TooLong,
    /// It is not JSON, with the parser's message.
    #[error("the policy document is not JSON: {0}")]
    NotJson(String),
    /// It is JSON, but no policy, with the reason.
    #[error("the policy document is malformed: {0}")]
    Malformed(String),
}

/// A parsed policy document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document {
    pub(super) statements: Vec<Statement>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) effect: Effect,
    pub(super) principal: Option<Principals>,
    pub(super) actions: Selection,
    pub(super) resources: Selection,
    pub(super) conditions: Vec<Condition>,
    /// True where `${…}` in resources and conditions stands for a value: since version 2012-10-17.
    pub(super) variables: bool,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Selection {
    Only(Vec<String>),
    AllBut(Vec<String>),
}

impl Selection {
    pub(super) fn patterns(&self) -> &[String] {
        match self {
            Self::Only(patterns) | Self::AllBut(patterns) => patterns,
        }
    }

    /// True where the selection holds for something that `fits` says of its patterns.
    pub(super) fn holds(&self, fits: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Only(patterns) => patterns.iter().any(|pattern| fits(pattern)),
            Self::AllBut(patterns) => !patterns.iter().any(|pattern| fits(pattern)),
        }
    }
}

/// `Principal` or `NotPrincipal`: the kind (`AWS`, `Service`, `Federated`, `*`) and the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Principals {
    pub(super) all_but: bool,
    pub(super) named: Vec<(String, String)>,
}

/// One key of a `Condition` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) operator: String,
    pub(super) key: String,
    pub(super) values: Vec<String>,
}

impl Document {
    /// Parses a document that is JSON already, or a string that holds it.
    ///
    /// # Errors
    /// Where it is no policy document.
    pub fn parse(value: &Value) -> Result<Self, DocumentError> {
        match value {
            Value::String(text) => Self::parse_text(text),
            Value::Object(fields) => Self::from_fields(fields),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => Err(malformed("it is not an object")),
        }
    }

    /// Parses a document from text, plain or percent-encoded.
    ///
    /// # Errors
    /// Where it is no policy document.
    pub fn parse_text(text: &str) -> Result<Self, DocumentError> {
        if text.len() > MAX_CHARS {
            return Err(DocumentError::TooLong);
        }
        let decoded = cordon_core::document::decode(text).map_err(|error| DocumentError::NotJson(error.to_string()))?;
        match serde_json::from_str(&decoded).map_err(|error| DocumentError::NotJson(error.to_string()))? {
            // Encoded twice: as a JSON string inside a string.
            Value::String(inner) => match serde_json::from_str(&inner) {
                Ok(Value::Object(fields)) => Self::from_fields(&fields),
                _ => Err(malformed("it is a string that holds no object")),
            },
            value => Self::parse(&value),
        }
    }

    /// The documents of one holder as one: IAM judges all of them together.
    #[must_use]
    pub fn joined(documents: impl IntoIterator<Item = Self>) -> Self {
        Self { statements: documents.into_iter().flat_map(|document| document.statements).collect() }
    }

    fn from_fields(fields: &Map<String, Value>) -> Result<Self, DocumentError> {
        let variables = field(fields, "Version").and_then(Value::as_str) == Some("2012-10-17");
        let statements = field(fields, "Statement").ok_or_else(|| malformed("it has no `Statement`"))?;
        let statements = each(statements).map(|statement| parse_statement(statement, variables)).collect::<Result<_, _>>()?;
        Ok(Self { statements })
    }
}

fn parse_statement(value: &Value, variables: bool) -> Result<Statement, DocumentError> {
    let Value::Object(fields) = value else { return Err(malformed("a statement is not an object")) };
    let effect = match field(fields, "Effect").and_then(Value::as_str) {
        Some(effect) if effect.eq_ignore_ascii_case("allow") => Effect::Allow,
        Some(effect) if effect.eq_ignore_ascii_case("deny") => Effect::Deny,
        _ => return Err(malformed("a statement has no `Effect` of `Allow` or `Deny`")),
    };
    let actions = selection(fields, "Action", "NotAction")?.ok_or_else(|| malformed("a statement has no `Action`"))?;
    // A trust policy has no resource: it is about the one role that it belongs to.
    let resources = selection(fields, "Resource", "NotResource")?.unwrap_or_else(|| Selection::Only(vec!["*".to_owned()]));
    let principal = match (field(fields, "Principal"), field(fields, "NotPrincipal")) {
        (Some(value), None) => Some(Principals { all_but: false, named: principals(value)? }),
        (None, Some(value)) => Some(Principals { all_but: true, named: principals(value)? }),
        (None, None) => None,
        (Some(_), Some(_)) => return Err(malformed("a statement has both `Principal` and `NotPrincipal`")),
    };
    let conditions = field(fields, "Condition").map_or(Ok(Vec::new()), conditions)?;
    Ok(Statement { effect, principal, actions, resources, conditions, variables })
}

fn selection(fields: &Map<String, Value>, only: &str, all_but: &str) -> Result<Option<Selection>, DocumentError> {
    match (field(fields, only), field(fields, all_but)) {
        (Some(value), None) => Ok(Some(Selection::Only(texts(value, only)?))),
        (None, Some(value)) => Ok(Some(Selection::AllBut(texts(value, all_but)?))),
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(malformed(&format!("a statement has both `{only}` and `{all_but}`"))),
    }
}

fn principals(value: &Value) -> Result<Vec<(String, String)>, DocumentError> {
    match value {
        Value::String(any) if any == "*" => Ok(vec![("*".to_owned(), "*".to_owned())]),
        Value::Object(kinds) => {
            let mut named = Vec::new();
            for (kind, value) in kinds {
                named.extend(texts(value, "Principal")?.into_iter().map(|text| (kind.clone(), text)));
            }
            Ok(named)
        }
        _ => Err(malformed("a `Principal` is neither `*` nor an object")),
    }
}

fn conditions(value: &Value) -> Result<Vec<Condition>, DocumentError> {
    let Value::Object(operators) = value else { return Err(malformed("a `Condition` is not an object")) };
    let mut found = Vec::new();
    for (operator, keys) in operators {
        let Value::Object(keys) = keys else { return Err(malformed("an operator of a `Condition` is not an object")) };
        for (key, values) in keys {
            found.push(Condition { operator: operator.clone(), key: key.clone(), values: texts(values, "Condition")? });
        }
    }
    Ok(found)
}

/// A text or a list of texts. Numbers and booleans, which conditions may have, are their text.
fn texts(value: &Value, element: &str) -> Result<Vec<String>, DocumentError> {
    each(value)
        .map(|value| match value {
            Value::String(text) => Ok(text.clone()),
            Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => Err(malformed(&format!("a value of `{element}` is not a text"))),
        })
        .collect()
}

/// The members of a list, or the one value that stands for a list of one.
fn each(value: &Value) -> impl Iterator<Item = &Value> {
    let (list, alone) = match value {
        Value::Array(list) => (list.as_slice(), None),
        alone => (&[] as &[Value], Some(alone)),
    };
    list.iter().chain(alone)
}

/// An element by its name, whatever the case.
fn field<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    fields.get(name).or_else(|| fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

fn malformed(reason: &str) -> DocumentError {
    DocumentError::Malformed(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_spelling_of_a_document_is_the_same_document() {
        let plain = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
        let listed = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["*"], "Resource": ["*"]}]});
        let expected = Document::parse(&plain).unwrap();
        let encoded: String = plain.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
        for value in [
            listed,
            json!(plain.to_string()),
            json!(format!(" \n{plain}")),
            json!(encoded),
            json!(json!(plain.to_string()).to_string()),
        ] {
            assert_eq!(Document::parse(&value).as_ref(), Ok(&expected), "{value}");
        }
    }

    #[test]
    fn what_is_no_document_is_named() {
        let check = |value: Value, reason: &str| {
            let error = Document::parse(&value).unwrap_err().to_string();
            assert!(error.contains(reason), "{value}: {error}");
        };
        check(json!(null), "not an object");
        check(json!("{"), "not JSON");
        check(json!("not a policy"), "not JSON");
        check(json!({}), "no `Statement`");
        check(json!({"Statement": ["x"]}), "a statement is not an object");
        check(json!({"Statement": {"Effect": "Maybe", "Action": "*"}}), "`Effect`");
        check(json!({"Statement": {"Effect": "Allow"}}), "no `Action`");
        check(json!({"Statement": {"Effect": "Allow", "Action": "*", "NotAction": "*"}}), "both `Action` and `NotAction`");
        check(json!({"Statement": {"Effect": "Allow", "Action": [{}]}}), "not a text");
        check(json!({"Statement": {"Effect": "Allow", "Action": "*", "Condition": []}}), "`Condition`");
        check(json!({"Statement": {"Effect": "Allow", "Action": "*", "Principal": "me"}}), "`Principal`");
        check(json!("x".repeat(MAX_CHARS + 1)), "more than");
    }
}
