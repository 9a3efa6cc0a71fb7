//! Evaluation of Sigma rules, behind a trait of ours: what is beneath it can be replaced without touching rules or callers.
//!
//! Decides which rules match one enriched record; never orders, groups or judges the matches.

use std::borrow::Cow;

use rsigma_eval::{Engine, Event, EventValue, JsonEvent};
use rsigma_parser::SigmaRule;
use serde_json::Value;

use crate::enrich::Enriched;

/// A compiled set of rules.
pub trait Matcher: Send + Sync {
    /// The positions of the rules that match, in no particular order.
    fn matches(&self, record: &Enriched<'_>) -> Vec<usize>;
}

/// [`Matcher`] over `rsigma-eval`.
pub(crate) struct SigmaMatcher {
    engine: Engine,
}

impl SigmaMatcher {
    /// Compiles rules, each known by a position.
    ///
    /// # Errors
    /// The position of every rule that cannot be compiled, with the reason.
    pub(crate) fn compile(rules: &[(usize, &SigmaRule)]) -> Result<Self, Vec<(usize, String)>> {
        // The engine names a match by the rule's id, which Sigma makes optional: the position stands in for it. What the
        // engine would only copy into every match is left out.
        let numbered: Vec<SigmaRule> = rules
            .iter()
            .map(|(position, rule)| SigmaRule {
                id: Some(position.to_string()),
                title: String::new(),
                description: None,
                falsepositives: Vec::new(),
                references: Vec::new(),
                tags: Vec::new(),
                custom_attributes: std::collections::HashMap::new(),
                ..(*rule).clone()
            })
            .collect();
        let mut engine = Engine::new();
        let errors = engine.add_rules(&numbered);
        if errors.is_empty() {
            Ok(Self { engine })
        } else {
            let position = |at: usize| rules.get(at).map_or(at, |(position, _)| *position);
            Err(errors.into_iter().map(|(at, error)| (position(at), error.to_string())).collect())
        }
    }
}

impl Matcher for SigmaMatcher {
    fn matches(&self, record: &Enriched<'_>) -> Vec<usize> {
        let matched = self.engine.evaluate(&RecordEvent::new(record));
        matched.into_iter().filter_map(|result| result.header.rule_id?.parse().ok()).collect()
    }
}

/// The text of a field, as Sigma compares it; `None` where it is absent, null, a list or an object.
pub(crate) fn field_text(record: &Enriched<'_>, path: &str) -> Option<String> {
    let event = RecordEvent::new(record);
    let value = if is_added(path) { event.added.get_field(path) } else { event.record.get_field(path) }?;
    match value {
        EventValue::Str(text) => Some(text.into_owned()),
        EventValue::Int(number) => Some(number.to_string()),
        EventValue::Float(number) => Some(number.to_string()),
        EventValue::Bool(truth) => Some(truth.to_string()),
        EventValue::Null | EventValue::Array(_) | EventValue::Map(_) => None,
    }
}

/// A record as Sigma's fields see it. Differs from plain JSON in two ways: `cordon.*` is answered from what enrichment added,
/// and a field that holds an object (`requestParameters|contains: …`, as public rules write it) is its text.
struct RecordEvent<'a> {
    record: JsonEvent<'a>,
    added: JsonEvent<'a>,
}

impl<'a> RecordEvent<'a> {
    fn new(enriched: &'a Enriched<'_>) -> Self {
        Self { record: JsonEvent::borrow(enriched.record()), added: JsonEvent::borrow(enriched.added()) }
    }
}

/// True for a path, or a flat key, that only enrichment may answer.
fn is_added(path: &str) -> bool {
    path == "cordon" || path.starts_with("cordon.")
}

impl Event for RecordEvent<'_> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        let value = if is_added(path) { self.added.get_field(path) } else { self.record.get_field(path) }?;
        Some(match value {
            EventValue::Map(_) => EventValue::Str(Cow::Owned(readable(&value.to_json()))),
            EventValue::Str(_)
            | EventValue::Int(_)
            | EventValue::Float(_)
            | EventValue::Bool(_)
            | EventValue::Null
            | EventValue::Array(_) => value,
        })
    }

    fn any_string_value(&self, pred: &dyn Fn(&str) -> bool) -> bool {
        self.record.any_string_value(pred)
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        self.record.all_string_values()
    }

    fn visit_string_values(&self, visit: &mut dyn FnMut(&str)) {
        self.record.visit_string_values(visit);
    }

    fn to_json(&self) -> Value {
        self.record.to_json()
    }

    fn top_level_keys(&self) -> Option<Vec<Cow<'_, str>>> {
        let mut keys = self.record.top_level_keys()?;
        keys.push(Cow::Borrowed("cordon"));
        Some(keys)
    }
}

/// An object's text: JSON, but with strings as they are, so that a policy document that travels as a string inside
/// `requestParameters` can be searched for `"Allow"` rather than `\"Allow\"`.
fn readable(value: &Value) -> String {
    let mut text = String::new();
    write_readable(value, &mut text);
    text
}

fn write_readable(value: &Value, out: &mut String) {
    let mut first = true;
    let mut separate = |out: &mut String| {
        if !std::mem::take(&mut first) {
            out.push(',');
        }
    };
    match value {
        Value::String(text) => {
            out.push('"');
            out.push_str(text);
            out.push('"');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                separate(out);
                write_readable(item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (key, field) in fields {
                separate(out);
                out.push('"');
                out.push_str(key);
                out.push_str("\":");
                write_readable(field, out);
            }
            out.push('}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(detection: &str, record: Value, expected: bool) {
        let text = format!("title: t\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n{detection}\n");
        let parsed = rsigma_parser::parse_sigma_yaml(&text).unwrap();
        assert_eq!(parsed.errors, Vec::<String>::new());
        let numbered: Vec<_> = parsed.rules.iter().enumerate().collect();
        let matcher = SigmaMatcher::compile(&numbered).map_err(|errors| format!("{errors:?}")).unwrap();
        assert_eq!(!matcher.matches(&Enriched::new(&record)).is_empty(), expected, "{detection}\n{record}");
    }

    #[test]
    fn a_missing_error_code_is_null_and_a_present_one_is_not() {
        let rule = "  a: {eventName: CreateUser}\n  b: {errorCode: null}\n  condition: a and b";
        check(rule, json!({"eventName": "CreateUser"}), true);
        check(rule, json!({"eventName": "CreateUser", "errorCode": null}), true);
        check(rule, json!({"eventName": "CreateUser", "errorCode": "AccessDenied"}), false);
    }

    #[test]
    fn an_object_is_searched_as_text_with_its_strings_unescaped() {
        let document = r#"{"Statement":[{"Effect":"Allow","Action":"s3:GetObject"}]}"#;
        let record = json!({"requestParameters": {"userName": "bob", "policyDocument": document}});
        check(
            "  a:\n    requestParameters|contains|all: ['\"Allow\"', '\"s3:GetObject\"']\n  condition: a",
            record.clone(),
            true,
        );
        check("  a: {requestParameters|contains: '\"userName\":\"bob\"'}\n  condition: a", record.clone(), true);
        check("  a: {requestParameters|contains: 'Deny'}\n  condition: a", record, false);
    }

    #[test]
    fn a_list_matches_by_any_of_its_members() {
        let rule = "  a: {cordon.policy.grants: admin}\n  condition: a";
        check(rule, json!({"requestParameters": {"policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}}), true);
        check(rule, json!({"requestParameters": {"policyArn": "arn:aws:iam::aws:policy/IAMFullAccess"}}), false);
    }

    #[test]
    fn a_record_cannot_bring_its_own_cordon_fields() {
        let rule = "  a: {cordon.policy.grants: admin}\n  condition: a";
        check(rule, json!({"cordon": {"policy": {"grants": ["admin"]}}}), false);
        check(rule, json!({"cordon.policy.grants": "admin"}), false);
        check("  a: {cordon.failed: true}\n  condition: a", json!({"cordon.failed": true, "cordon": {"failed": true}}), false);
    }

    #[test]
    fn a_field_can_be_compared_with_another() {
        let rule = "  a: {userIdentity.userName|fieldref: requestParameters.userName}\n  condition: a";
        check(rule, json!({"userIdentity": {"userName": "bob"}, "requestParameters": {"userName": "bob"}}), true);
        check(rule, json!({"userIdentity": {"userName": "bob"}, "requestParameters": {"userName": "eve"}}), false);
        check(rule, json!({"userIdentity": {"userName": "bob"}, "requestParameters": null}), false);
    }
}
