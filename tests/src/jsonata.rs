//! The small part of JSONata that the state machine uses, evaluated as Step Functions evaluates it.
//!
//! It never guesses: an expression outside this part is an error. That keeps the definition readable, too. What is known:
//! paths (`$states.input.outcome`, `$incident`), texts, numbers, `null`, `=`, `&`, `? :`, `$exists`, `$string`, `$substring`.
//! Grammar and meaning: <https://docs.jsonata.org>.

use serde_json::{Map, Value};

/// What an expression can see: `$states` and the assigned variables, without the dollar sign.
pub type Scope = Map<String, Value>;

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonataError {
    /// It is outside the part of JSONata that is known here.
    #[error(
        "`{expression}` is more JSONata than the tests know, from `{rest}` on: say it more simply, or teach tests/src/jsonata.rs"
    )]
    Unknown {
        /// The whole expression.
        expression: String,
        /// Where reading it stopped.
        rest: String,
    },
    /// It names a variable that no state before has assigned.
    #[error("`${name}` in `{expression}` is not assigned on this way")]
    Unassigned {
        /// The variable, without its dollar sign.
        name: String,
        /// The whole expression.
        expression: String,
    },
    /// It is JSONata's "nothing" where a field needs a value.
    #[error("`{0}` yields nothing, which fails an execution")]
    Nothing(String),
}

/// The expression of a field, where the field holds one: `{% … %}`.
#[must_use]
pub fn expression(text: &str) -> Option<&str> {
    text.strip_prefix("{%")?.strip_suffix("%}").map(str::trim)
}

/// Fills in every expression of a field, however deep.
///
/// # Errors
/// [`JsonataError`] for an expression that is not known here, or that yields nothing: Step Functions fails the execution then.
pub fn fill_in(template: &Value, scope: &Scope) -> Result<Value, JsonataError> {
    match template {
        Value::String(text) => match expression(text) {
            Some(found) => evaluate(found, scope)?.ok_or_else(|| JsonataError::Nothing(found.to_owned())),
            None => Ok(template.clone()),
        },
        Value::Array(items) => items.iter().map(|item| fill_in(item, scope)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, field)| Ok((key.clone(), fill_in(field, scope)?)))
            .collect::<Result<Map<_, _>, JsonataError>>()
            .map(Value::Object),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(template.clone()),
    }
}

/// Evaluates an expression; `None` is JSONata's "nothing".
///
/// # Errors
/// [`JsonataError`] for what cannot be read, or a variable that is not assigned.
pub fn evaluate(text: &str, scope: &Scope) -> Result<Option<Value>, JsonataError> {
    let mut reader = Reader { text, rest: text, scope };
    let value = reader.condition()?;
    if reader.rest.trim().is_empty() { Ok(value) } else { Err(reader.unknown()) }
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
    scope: &'a Scope,
}

impl Reader<'_> {
    fn unknown(&self) -> JsonataError {
        JsonataError::Unknown { expression: self.text.to_owned(), rest: self.rest.to_owned() }
    }

    fn takes(&mut self, token: &str) -> bool {
        let found = self.rest.trim_start().strip_prefix(token);
        if let Some(rest) = found {
            self.rest = rest;
        }
        found.is_some()
    }

    fn must_take(&mut self, token: &str) -> Result<(), JsonataError> {
        if self.takes(token) { Ok(()) } else { Err(self.unknown()) }
    }

    fn condition(&mut self) -> Result<Option<Value>, JsonataError> {
        let value = self.comparison()?;
        if !self.takes("?") {
            return Ok(value);
        }
        let yes = self.condition()?;
        self.must_take(":")?;
        let no = self.condition()?;
        Ok(if value == Some(Value::Bool(true)) { yes } else { no })
    }

    fn comparison(&mut self) -> Result<Option<Value>, JsonataError> {
        let left = self.joined()?;
        if !self.takes("=") {
            return Ok(left);
        }
        let right = self.joined()?;
        Ok(Some(Value::Bool(left.is_some() && left == right)))
    }

    fn joined(&mut self) -> Result<Option<Value>, JsonataError> {
        let mut value = self.term()?;
        while self.takes("&") {
            value = Some(Value::String(as_text(value.as_ref()) + &as_text(self.term()?.as_ref())));
        }
        Ok(value)
    }

    fn term(&mut self) -> Result<Option<Value>, JsonataError> {
        if self.takes("'") {
            let (text, rest) = self.rest.split_once('\'').ok_or_else(|| self.unknown())?;
            self.rest = rest;
            return Ok(Some(Value::String(text.to_owned())));
        }
        if self.takes("null") {
            return Ok(Some(Value::Null));
        }
        if self.takes("$") {
            let name = self.word();
            return if self.takes("(") { self.call(&name) } else { self.path(&name) };
        }
        let digits = self.word();
        digits.parse::<u64>().map(|number| Some(number.into())).map_err(|_| self.unknown())
    }

    fn word(&mut self) -> String {
        let rest = self.rest.trim_start();
        let end = rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_')).unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        self.rest = rest;
        word.to_owned()
    }

    fn path(&mut self, name: &str) -> Result<Option<Value>, JsonataError> {
        let known = self
            .scope
            .get(name)
            .ok_or_else(|| JsonataError::Unassigned { name: name.to_owned(), expression: self.text.to_owned() })?;
        let mut value = Some(known.clone());
        while self.takes(".") {
            let field = self.word();
            value = value.and_then(|value| value.get(&field).cloned());
        }
        Ok(value)
    }

    fn call(&mut self, name: &str) -> Result<Option<Value>, JsonataError> {
        let mut arguments = vec![self.condition()?];
        while self.takes(",") {
            arguments.push(self.condition()?);
        }
        self.must_take(")")?;
        match (name, arguments.as_slice()) {
            ("exists", [value]) => Ok(Some(Value::Bool(value.is_some()))),
            ("string", [value]) => Ok(value.as_ref().map(|value| Value::String(as_text(Some(value))))),
            ("substring", [Some(Value::String(text)), Some(Value::Number(start)), Some(Value::Number(length))]) => {
                let count =
                    |number: &serde_json::Number| number.as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
                Ok(Some(Value::String(text.chars().skip(count(start)).take(count(length)).collect())))
            }
            _ => Err(self.unknown()),
        }
    }
}

/// A value as `&` and `$string` write it; nothing is written as nothing.
fn as_text(value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(text: &str, expected: Option<Value>) {
        let scope = json!({"incident": null, "states": {"deep": {"a": [1]}, "input": {"route": "ask", "n": 7}}});
        assert_eq!(evaluate(text, scope.as_object().unwrap()).unwrap(), expected, "{text}");
    }

    fn is_refused(text: &str) {
        let scope = json!({"states": {"input": {"route": "ask"}}});
        let value = evaluate(text, scope.as_object().unwrap());
        assert!(matches!(value, Err(JsonataError::Unknown { .. } | JsonataError::Unassigned { .. })), "{text}: {value:?}");
    }

    #[test]
    fn what_the_state_machine_uses_has_jsonatas_meaning() {
        check("$states.input.route = 'ask'", Some(json!(true)));
        check("$states.input.route = 'act'", Some(json!(false)));
        check("$states.input.missing = 'act'", Some(json!(false)));
        check("$states.input.missing.deeper", None);
        check("$incident", Some(json!(null)));
        check("$exists($states.input.route) ? $states.input.route : null", Some(json!("ask")));
        check("$exists($states.input.missing) ? $states.input.missing : null", Some(json!(null)));
        check("$substring('' & $states.input.missing, 0, 2000)", Some(json!("")));
        check("$substring($states.input.route, 1, 1)", Some(json!("s")));
        check("$states.input.route & ' in ' & $states.input.n", Some(json!("ask in 7")));
        check("$string($states.deep)", Some(json!(r#"{"a":[1]}"#)));
    }

    #[test]
    fn what_is_not_known_is_refused_and_not_guessed() {
        is_refused("$states.input.route = 'ask' or true");
        is_refused("$contains($states.input.route, 'a')");
        is_refused("$failure.state");
        is_refused("$states.input[0]");
        is_refused("'open");
        is_refused("");
    }
}
