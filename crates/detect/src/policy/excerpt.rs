//! The dangerous statements of a document, as text for people.
//!
//! It decides nothing; [`super::grants`] does. The text is generated from the parsed document, so that two spellings of the same
//! statement read alike.

use cordon_core::redact;
use serde_json::{Map, Value, json};

use super::document::{Document, Effect, Selection, Statement};
use super::grants::grants;

/// A few statements say enough; the document itself is in IAM and in the record.
const STATEMENTS_MAX: usize = 3;
const CHARS_MAX: usize = 700;

impl Document {
    /// The statements that grant something dangerous by themselves; all that allow where only several together do. Cut to a few,
    /// and each to a length.
    #[must_use]
    pub fn dangerous_statements(&self) -> Vec<String> {
        let allows: Vec<&Statement> = self.statements.iter().filter(|statement| statement.effect == Effect::Allow).collect();
        let alone: Vec<&Statement> = allows.iter().copied().filter(|statement| is_dangerous(statement)).collect();
        let chosen = if alone.is_empty() { allows } else { alone };
        chosen.into_iter().take(STATEMENTS_MAX).map(text).collect()
    }

    /// The statements that let somebody in.
    #[must_use]
    pub fn trusting_statements(&self) -> Vec<String> {
        self.statements
            .iter()
            .filter(|statement| statement.effect == Effect::Allow && statement.principal.is_some())
            .take(STATEMENTS_MAX)
            .map(text)
            .collect()
    }
}

fn is_dangerous(statement: &Statement) -> bool {
    let alone = grants(&Document { statements: vec![statement.clone()] });
    alone.names(super::Answer::Yes).chain(alone.names(super::Answer::Limited)).next().is_some()
}

fn text(statement: &Statement) -> String {
    let mut fields = Map::new();
    fields.insert("Effect".to_owned(), json!(if statement.effect == Effect::Allow { "Allow" } else { "Deny" }));
    if let Some(principals) = &statement.principal {
        let mut kinds = Map::new();
        for (kind, value) in &principals.named {
            let values = kinds.entry(kind.clone()).or_insert_with(|| json!([]));
            if let Some(values) = values.as_array_mut() {
                values.push(json!(value));
            }
        }
        fields.insert(if principals.all_but { "NotPrincipal" } else { "Principal" }.to_owned(), Value::Object(kinds));
    }
    selection(&mut fields, ["Action", "NotAction"], &statement.actions);
    selection(&mut fields, ["Resource", "NotResource"], &statement.resources);
    if !statement.conditions.is_empty() {
        let mut operators = Map::new();
        for condition in &statement.conditions {
            let keys = operators.entry(condition.operator.clone()).or_insert_with(|| json!({}));
            if let Some(keys) = keys.as_object_mut() {
                keys.insert(condition.key.clone(), json!(condition.values));
            }
        }
        fields.insert("Condition".to_owned(), Value::Object(operators));
    }
    // Before it is cut: half a key has no shape.
    let text = redact::json(&Value::Object(fields)).to_string();
    if text.chars().count() <= CHARS_MAX { text } else { text.chars().take(CHARS_MAX - 1).chain(['…']).collect() }
}

fn selection(fields: &mut Map<String, Value>, [only, all_but]: [&str; 2], selection: &Selection) {
    let (name, patterns) = match selection {
        Selection::Only(patterns) => (only, patterns),
        Selection::AllBut(patterns) => (all_but, patterns),
    };
    match patterns.as_slice() {
        [] => {}
        [one] => {
            fields.insert(name.to_owned(), json!(one));
        }
        several => {
            fields.insert(name.to_owned(), json!(several));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(statements: Value) -> Document {
        Document::parse(&json!({"Version": "2012-10-17", "Statement": statements})).unwrap()
    }

    #[test]
    fn the_dangerous_statement_is_picked_out_of_a_long_document() {
        let found = document(json!([
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"},
            {"Effect": "Deny", "Action": "ec2:*", "Resource": "*"},
            {"Effect": "Allow", "Action": ["iam:PutUserPolicy", "iam:List*"], "Resource": ["*"],
             "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}},
        ]))
        .dangerous_statements();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(r#""Action":["iam:PutUserPolicy","iam:List*"]"#), "{found:?}");
        assert!(found[0].contains("aws:MultiFactorAuthPresent"), "{found:?}");
    }

    #[test]
    fn where_only_several_statements_together_are_dangerous_all_that_allow_are_shown() {
        let found = document(json!([
            {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*"},
            {"Effect": "Allow", "Action": ["lambda:CreateFunction", "lambda:InvokeFunction"], "Resource": "*"},
        ]))
        .dangerous_statements();
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn who_is_let_in_is_shown_of_a_trust_policy() {
        let trust = document(json!([
            {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::222222222222:root"}, "Action": "sts:AssumeRole"},
            {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"},
        ]));
        let found = trust.trusting_statements();
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("222222222222") && found[0].contains("sts:AssumeRole"), "{found:?}");
    }

    #[test]
    fn a_statement_of_any_length_is_cut() {
        let long: Vec<String> = (0..500).map(|n| format!("iam:Put*{n}*")).chain(["iam:*".to_owned()]).collect();
        let found = document(json!({"Effect": "Allow", "Action": long, "Resource": "*"})).dangerous_statements();
        assert_eq!(found[0].chars().count(), CHARS_MAX);
        assert!(found[0].ends_with('…'));
    }
}
