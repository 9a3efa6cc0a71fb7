//! A service control policy, asked as Organizations would be: does a deny apply to this call?
//!
//! It knows the operators that our policies use and no others, so that a new one is noticed rather than taken for granted.
//! Source: "IAM JSON policy elements: Condition operators", IAM user guide.

use std::collections::BTreeMap;

use cordon_core::pattern::Pattern;
use serde_json::Value;

/// A call and what AWS knows of it.
pub struct Call<'a> {
    pub action: &'a str,
    pub resource: &'a str,
    pub principal: &'a str,
    /// Condition keys beside the principal's, with their values.
    pub context: &'a [(&'a str, &'a [&'a str])],
}

/// The `Sid` of the statement that denies the call.
pub fn denied_by<'p>(policy: &'p Value, call: &Call<'_>) -> Option<&'p str> {
    let mut context: BTreeMap<String, Vec<&str>> = BTreeMap::from([("aws:principalarn".to_owned(), vec![call.principal])]);
    context.extend(call.context.iter().map(|(key, values)| (key.to_ascii_lowercase(), values.to_vec())));
    let statements = policy["Statement"].as_array().unwrap();
    let denies = statements.iter().find(|statement| {
        assert_eq!(statement["Effect"], "Deny", "a guardrail only takes away");
        let action =
            texts(&statement["Action"]).any(|pattern| fits(&pattern.to_ascii_lowercase(), &call.action.to_ascii_lowercase()));
        let resource = texts(&statement["Resource"]).any(|pattern| fits(pattern, call.resource));
        action && resource && holds(&statement["Condition"], &context)
    });
    denies.map(|statement| statement["Sid"].as_str().unwrap())
}

fn holds(condition: &Value, context: &BTreeMap<String, Vec<&str>>) -> bool {
    condition.as_object().unwrap().iter().all(|(operator, keys)| {
        keys.as_object().unwrap().iter().all(|(key, wanted)| {
            let found = context.get(&key.to_ascii_lowercase()).map(Vec::as_slice).unwrap_or_default();
            match operator.as_str() {
                "ArnLike" => found.iter().any(|value| texts(wanted).any(|pattern| fits(pattern, value))),
                // A key that is missing is unlike everything.
                "ArnNotLike" => !found.iter().any(|value| texts(wanted).any(|pattern| fits(pattern, value))),
                "ForAnyValue:StringEqualsIgnoreCase" => {
                    found.iter().any(|value| texts(wanted).any(|text| text.eq_ignore_ascii_case(value)))
                }
                "Null" => texts(wanted).any(|text| (text == "true") == found.is_empty()),
                other => panic!("the evaluator does not know `{other}`"),
            }
        })
    })
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let list = value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
    list.iter().map(|text| text.as_str().unwrap())
}

fn fits(pattern: &str, text: &str) -> bool {
    assert!(!pattern.contains('?'), "`{pattern}`: the evaluator knows `*` alone");
    Pattern::new(pattern).matches(text)
}
