//! EventBridge's matching, as far as our patterns use it. The tests compare every rule's hits with it.
//!
//! An unknown operator matches nothing, so a pattern that uses one fails a test.

use serde_json::Value;

/// True where the event fits the pattern. Fields of one level have to fit together, the values of a field are alternatives, and
/// `$or` lists alternatives of fields.
#[must_use]
pub fn matches(pattern: &Value, event: &Value) -> bool {
    let Value::Object(fields) = pattern else { return false };
    !fields.is_empty()
        && fields.iter().all(|(key, wanted)| match (key.as_str(), wanted) {
            ("$or", Value::Array(alternatives)) => alternatives.iter().any(|alternative| matches(alternative, event)),
            (key, Value::Object(_)) => matches(wanted, event.get(key).unwrap_or(&Value::Null)),
            (key, Value::Array(values)) => leaf(values, event.get(key)),
            _ => false,
        })
}

fn leaf(wanted: &[Value], found: Option<&Value>) -> bool {
    // A field that holds an object is no leaf: EventBridge takes it as absent.
    let found = found.filter(|value| !value.is_object());
    match found {
        Some(Value::Array(members)) => wanted.iter().any(|want| members.iter().any(|member| compare(want, Some(member)))),
        found => wanted.iter().any(|want| compare(want, found)),
    }
}

fn compare(want: &Value, found: Option<&Value>) -> bool {
    let Value::Object(operator) = want else { return found == Some(want) };
    let mut operators = operator.iter();
    let (Some((name, operand)), None) = (operators.next(), operators.next()) else { return false };
    let text = found.and_then(Value::as_str);
    match (name.as_str(), operand, found) {
        ("exists", Value::Bool(expected), found) => found.is_some() == *expected,
        ("prefix", Value::String(start), _) => text.is_some_and(|text| text.starts_with(start.as_str())),
        ("suffix", Value::String(end), _) => text.is_some_and(|text| text.ends_with(end.as_str())),
        ("equals-ignore-case", Value::String(other), _) => text.is_some_and(|text| text.eq_ignore_ascii_case(other)),
        ("anything-but", Value::String(other), Some(_)) => text != Some(other.as_str()),
        ("anything-but", Value::Array(others), Some(found)) => !others.contains(found),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(pattern: Value, event: Value, expected: bool) {
        assert_eq!(matches(&pattern, &event), expected, "{pattern} against {event}");
    }

    #[test]
    fn fields_fit_together_and_values_are_alternatives() {
        let pattern = json!({"a": ["x", "y"], "b": {"c": ["z"]}});
        check(pattern.clone(), json!({"a": "y", "b": {"c": "z"}}), true);
        check(pattern.clone(), json!({"a": "y", "b": {"c": "Z"}}), false);
        check(pattern.clone(), json!({"a": ["q", "x"], "b": {"c": "z"}}), true);
        check(pattern, json!({"a": "x"}), false);
        check(json!({}), json!({"a": "x"}), false);
    }

    #[test]
    fn alternatives_of_fields_stand_below_or() {
        let pattern = json!({"$or": [{"a": ["x"]}, {"b": ["y"], "c": ["z"]}]});
        check(pattern.clone(), json!({"a": "x"}), true);
        check(pattern.clone(), json!({"b": "y", "c": "z"}), true);
        check(pattern, json!({"b": "y"}), false);
    }

    #[test]
    fn absent_null_and_an_object_differ() {
        let absent = json!({"a": [{"exists": false}]});
        check(absent.clone(), json!({}), true);
        check(absent.clone(), json!({"a": {"b": 1}}), true);
        check(absent, json!({"a": null}), false);
        check(json!({"a": [null]}), json!({"a": null}), true);
        check(json!({"a": [null]}), json!({}), false);
        check(json!({"a": [{"exists": true}]}), json!({"a": "x"}), true);
    }

    #[test]
    fn comparisons_keep_the_case_unless_they_say_otherwise() {
        check(json!({"a": [{"prefix": "Del"}]}), json!({"a": "DeleteUser"}), true);
        check(json!({"a": [{"prefix": "del"}]}), json!({"a": "DeleteUser"}), false);
        check(json!({"a": [{"suffix": "User"}]}), json!({"a": "DeleteUser"}), true);
        check(json!({"a": [{"equals-ignore-case": "DELETEUSER"}]}), json!({"a": "DeleteUser"}), true);
        check(json!({"a": [{"anything-but": ["x", "y"]}]}), json!({"a": "z"}), true);
        check(json!({"a": [{"anything-but": ["x", "y"]}]}), json!({"a": "y"}), false);
        check(json!({"a": [{"anything-but": "x"}]}), json!({}), false);
        check(json!({"a": [{"regex": ".*"}]}), json!({"a": "x"}), false);
        check(json!({"a": [{"exists": true, "prefix": "x"}]}), json!({"a": "x"}), false);
    }
}
