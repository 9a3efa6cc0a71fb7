//! Evaluation of Sigma rules. Only this module knows `rsigma-eval`, so that the engine can be replaced without touching rules or
//! callers.
//!
//! Decides which rules match one enriched record; never orders, groups or reports the matches.

use std::borrow::Cow;
use std::cell::OnceCell;

use cordon_core::record::Lookup;
use rsigma_eval::compiler::eval_condition;
use rsigma_eval::{CompiledRule, Engine, Event, EventValue, JsonEvent};
use rsigma_parser::SigmaRule;
use serde_json::Value;

use crate::enrich::Enriched;

/// A compiled set of rules.
pub(crate) struct Matcher {
    engine: Engine,
    /// Of the engine's rules in their order, ascending.
    positions: Vec<usize>,
}

impl Matcher {
    /// Compiles rules, each known by a position; the positions ascend.
    ///
    /// # Errors
    /// The position of every rule that cannot be compiled, with the reason.
    pub(crate) fn compile(rules: &[(usize, &SigmaRule)]) -> Result<Self, Vec<(usize, String)>> {
        // The engine names a match by the rule's id, which Sigma makes optional: the position stands in for it.
        let numbered: Vec<SigmaRule> =
            rules.iter().map(|(position, rule)| SigmaRule { id: Some(position.to_string()), ..(*rule).clone() }).collect();
        let mut engine = Engine::new();
        let errors = engine.add_rules(&numbered);
        if errors.is_empty() {
            Ok(Self { engine, positions: rules.iter().map(|(position, _)| *position).collect() })
        } else {
            let position = |at: usize| rules.get(at).map_or(at, |(position, _)| *position);
            Err(errors.into_iter().map(|(at, error)| (position(at), error.to_string())).collect())
        }
    }

    /// The positions of the rules that match, in no particular order.
    pub(crate) fn matches(&self, record: &Enriched<'_>) -> Vec<usize> {
        let matched = self.engine.evaluate(&RecordEvent::new(record));
        matched.into_iter().filter_map(|result| result.header.rule_id?.parse().ok()).collect()
    }

    /// The same, of the rules at these positions only. Positions of other sets are ignored.
    pub(crate) fn matches_among(&self, record: &Enriched<'_>, among: &[usize]) -> Vec<usize> {
        let event = RecordEvent::new(record);
        let compiled = |position: &usize| self.engine.rules().get(self.positions.binary_search(position).ok()?);
        let mut selections = Vec::new();
        let mut matches = |rule: &CompiledRule| {
            // The engine's own way to evaluate a rule also tells which fields matched, which takes longer than to find out whether.
            selections.clear();
            rule.conditions.iter().any(|condition| eval_condition(condition, &rule.detections, &event, &mut selections))
        };
        among.iter().filter(|position| compiled(position).is_some_and(&mut matches)).copied().collect()
    }
}

/// The text of a field, as Sigma compares it; `None` where it is absent, null, a list or an object.
pub(crate) fn field_text(record: &Enriched<'_>, path: &str) -> Option<String> {
    let event;
    let value = match find(record, path) {
        Reached::Text(text) => return Some(text.to_owned()),
        Reached::Value(value) => EventValue::from(value),
        Reached::Nothing => return None,
        Reached::Several => {
            event = JsonEvent::borrow(if is_added(path) { record.added() } else { record.record().value() });
            event.get_field(path)?
        }
    };
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
    enriched: &'a Enriched<'a>,
    record: OnceCell<JsonEvent<'a>>,
    added: OnceCell<JsonEvent<'a>>,
}

impl<'a> RecordEvent<'a> {
    fn new(enriched: &'a Enriched<'_>) -> Self {
        Self { enriched, record: OnceCell::new(), added: OnceCell::new() }
    }

    fn record(&self) -> &JsonEvent<'a> {
        self.record.get_or_init(|| JsonEvent::borrow(self.enriched.record().value()))
    }
}

/// Where a field's path leads.
enum Reached<'v> {
    Text(&'v str),
    Value(&'v Value),
    Nothing,
    /// It may lead to several values: through a list, or by an index.
    Several,
}

/// Where a field is: in what enrichment added, or in the record.
fn find<'v>(record: &'v Enriched<'_>, path: &str) -> Reached<'v> {
    if is_added(path) {
        return find_added(record, path);
    }
    let record = record.record();
    match record.lookup_path(path) {
        Lookup::Text(text) => Reached::Text(text),
        Lookup::Null => Reached::Value(&Value::Null),
        Lookup::Absent => Reached::Nothing,
        Lookup::Unparsed => reach(record.value(), path),
    }
}

/// Follows a path through what enrichment added, of which only the part on the way is worked out.
fn find_added<'v>(record: &'v Enriched<'_>, path: &str) -> Reached<'v> {
    let Some(below) = path.strip_prefix("cordon.").filter(|below| !below.contains(['[', '\\'])) else {
        return reach(record.added(), path);
    };
    let (name, rest) = below.split_once('.').map_or((below, None), |(name, rest)| (name, Some(rest)));
    match (record.part(name), rest) {
        (None, _) => Reached::Nothing,
        (Some(part), None) => Reached::Value(part),
        (Some(Value::Object(fields)), Some(rest)) if !rest.contains('.') => {
            fields.get(rest).map_or(Reached::Nothing, Reached::Value)
        }
        (Some(_), Some(_)) => reach(record.added(), path),
    }
}

/// Follows a path from object to object. As the engine does: first as a key of the root, then from key to key.
fn reach<'v>(root: &'v Value, path: &str) -> Reached<'v> {
    if path.contains(['[', '\\']) || !root.is_object() {
        return Reached::Several;
    }
    if let Some(value) = root.get(path) {
        return Reached::Value(value);
    }
    let mut value = root;
    for key in path.split('.') {
        match value {
            Value::Object(fields) => match fields.get(key) {
                Some(next) => value = next,
                None => return Reached::Nothing,
            },
            Value::Array(_) => return Reached::Several,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Reached::Nothing,
        }
    }
    Reached::Value(value)
}

/// True for a path, or a flat key, that only enrichment may answer.
fn is_added(path: &str) -> bool {
    path == "cordon" || path.starts_with("cordon.")
}

impl Event for RecordEvent<'_> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        let value = match find(self.enriched, path) {
            Reached::Text(text) => return Some(EventValue::Str(Cow::Borrowed(text))),
            Reached::Value(value @ Value::Object(_)) => return Some(EventValue::Str(Cow::Owned(readable(value)))),
            Reached::Value(value) => return Some(EventValue::from(value)),
            Reached::Nothing => return None,
            Reached::Several if is_added(path) => {
                self.added.get_or_init(|| JsonEvent::borrow(self.enriched.added())).get_field(path)?
            }
            Reached::Several => self.record().get_field(path)?,
        };
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
        self.record().any_string_value(pred)
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        self.record().all_string_values()
    }

    fn visit_string_values(&self, visit: &mut dyn FnMut(&str)) {
        self.record().visit_string_values(visit);
    }

    fn to_json(&self) -> Value {
        self.record().to_json()
    }

    fn top_level_keys(&self) -> Option<Vec<Cow<'_, str>>> {
        let mut keys = self.record().top_level_keys()?;
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
        let matcher = Matcher::compile(&numbered).map_err(|errors| format!("{errors:?}")).unwrap();
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
    fn a_path_leads_where_the_engine_says_it_leads() {
        let record = json!({
            "a": {"b": {"c": "deep"}, "n": null, "l": [{"c": 1}, {"c": 2}], "": "unnamed"},
            "a.b": "flat", "l": ["x", "y"], "t": "text", "": {"b": "nameless"},
        });
        let (enriched, plain) = (Enriched::new(&record), JsonEvent::borrow(&record));
        let event = RecordEvent::new(&enriched);
        for path in
            ["a.b", "a.b.c", "a.n", "a.n.c", "a.l.c", "a.l[1].c", "a.", "a.x", "l", "l[0]", "l[-1]", "l.x", "t", "t.x", ".b", "x"]
        {
            assert_eq!(event.get_field(path), plain.get_field(path), "{path}");
        }
    }

    #[test]
    fn what_is_added_is_the_same_part_by_part_and_as_a_whole() {
        let record = json!({
            "eventName": "AttachUserPolicy", "userAgent": "aws-cli/2.31.4", "recipientAccountId": "111111111111",
            "userIdentity": {"type": "IAMUser", "userName": "dana", "accountId": "111111111111", "arn": "arn:aws:iam::111111111111:user/dana"},
            "requestParameters": {"userName": "dana", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
        });
        for record in [record, json!({}), json!({"errorCode": "AccessDenied", "cordon": {"failed": false}})] {
            let (part, whole) = (Enriched::new(&record), Enriched::new(&record));
            let plain = JsonEvent::borrow(whole.added());
            let event = RecordEvent::new(&part);
            for path in [
                "cordon.failed",
                "cordon.failed.x",
                "cordon.actor_is_subject",
                "cordon.tool",
                "cordon.actor.arn",
                "cordon.actor.identity",
                "cordon.actor.arn.x",
                "cordon.actor.x",
                "cordon.subject.kind",
                "cordon.policy.grants",
                "cordon.policy.grants[0]",
                "cordon.policy.grants.x",
                "cordon.policy.arn",
                "cordon.",
                "cordon..x",
                "cordon.x",
                "cordon.x.y",
            ] {
                assert_eq!(event.get_field(path), plain.get_field(path), "{path} of {record}");
            }
        }
    }

    #[test]
    fn only_the_rules_that_are_asked_for_are_looked_at() {
        let text = "title: t\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n  a: {eventName: CreateUser}\n  condition: a\n";
        let parsed = rsigma_parser::parse_sigma_yaml(text).unwrap();
        let rule = &parsed.rules[0];
        let matcher = Matcher::compile(&[(2, rule), (5, rule), (9, rule)]).map_err(|errors| format!("{errors:?}")).unwrap();
        let record = json!({"eventName": "CreateUser"});
        assert_eq!(matcher.matches_among(&Enriched::new(&record), &[9, 3, 2]), [9, 2]);
        assert_eq!(matcher.matches_among(&Enriched::new(&json!({})), &[2, 5, 9]), [0usize; 0]);
    }

    #[test]
    fn a_field_can_be_compared_with_another() {
        let rule = "  a: {userIdentity.userName|fieldref: requestParameters.userName}\n  condition: a";
        check(rule, json!({"userIdentity": {"userName": "bob"}, "requestParameters": {"userName": "bob"}}), true);
        check(rule, json!({"userIdentity": {"userName": "bob"}, "requestParameters": {"userName": "eve"}}), false);
        check(rule, json!({"userIdentity": {"userName": "bob"}, "requestParameters": null}), false);
    }
}
