//! The state machine's definition: the template filled in, its ways, and one step of an execution.
//!
//! A step does what Step Functions does with arguments, variables, outputs, catchers and choices. Waiting, timing out and
//! retrying are left out: they never choose a way by themselves.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::jsonata::{self, Scope};
use crate::repository;

pub const DEFINITION: &str = "statemachine/incident-response.asl.json";
/// How long a sample deployment waits for an approver. Unlike any other number in the definition, so that it can be told apart.
pub const APPROVAL_TIMEOUT_SECONDS: u32 = 4_711;
/// How long it waits once more after calling more people.
pub const ESCALATION_TIMEOUT_SECONDS: u32 = 1_812;
const SETTLE_SECONDS: u32 = 17;

pub const EXECUTION: &str = "arn:aws:states:us-east-1:111111111111:execution:cordon:sample";
const TASK_TOKEN: &str = "sample-task-token";

/// How one state leads to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    Next,
    Choice,
    Default,
    Catch,
}

/// A definition.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    pub definition: Value,
    states: BTreeMap<String, Value>,
}

/// An execution, about to enter a state.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub state: String,
    pub input: Value,
    pub variables: Map<String, Value>,
}

/// The placeholders of a template: `${name}`.
#[must_use]
pub fn placeholders(template: &str) -> BTreeSet<String> {
    template.split("${").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name.to_owned()).collect()
}

/// The definition as Terraform would write it for a sample deployment.
///
/// # Errors
/// Where it is no JSON, or names a state twice.
pub fn sample() -> Result<Machine, String> {
    let mut text = repository::read(DEFINITION)?;
    for name in placeholders(&text) {
        let value = match name.strip_suffix("_arn") {
            Some(function) => format!("arn:aws:lambda:us-east-1:111111111111:function:cordon-{}:1", function.replace('_', "-")),
            None if name == "approval_timeout_seconds" => APPROVAL_TIMEOUT_SECONDS.to_string(),
            None if name == "escalation_timeout_seconds" => ESCALATION_TIMEOUT_SECONDS.to_string(),
            None if name == "settle_seconds" => SETTLE_SECONDS.to_string(),
            None => return Err(format!("`${{{name}}}` is a new placeholder: give it a sample value in tests/src/machine.rs")),
        };
        text = text.replace(&format!("${{{name}}}"), &value);
    }
    // JSON takes a key twice and keeps the last one. YAML, of which it is a part, refuses.
    yaml_serde::from_str::<yaml_serde::Value>(&text).map_err(|error| format!("`{DEFINITION}` is not well formed: {error}"))?;
    let definition = serde_json::from_str(&text).map_err(|error| format!("`{DEFINITION}` is no JSON: {error}"))?;
    Ok(Machine::new(definition))
}

impl Machine {
    #[must_use]
    pub fn new(definition: Value) -> Self {
        let states = definition["States"].as_object().cloned().unwrap_or_default().into_iter().collect();
        Self { definition, states }
    }

    #[must_use]
    pub fn states(&self) -> &BTreeMap<String, Value> {
        &self.states
    }

    /// The states of a type, such as `Task`.
    pub fn of_type(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.states.iter().filter(move |(_, state)| state["Type"] == kind).map(|(name, state)| (name.as_str(), state))
    }

    #[must_use]
    pub fn start(&self) -> &str {
        self.definition["StartAt"].as_str().unwrap_or_default()
    }

    fn state(&self, name: &str) -> Result<&Value, String> {
        self.states.get(name).ok_or_else(|| format!("there is no state `{name}`"))
    }

    /// Where a state leads, and how.
    #[must_use]
    pub fn ways(&self, state: &Value) -> Vec<(Way, String)> {
        let listed = |field: &str, way: Way| {
            let targets = state[field].as_array().cloned().unwrap_or_default();
            targets.into_iter().map(move |target| (way, target["Next"].as_str().unwrap_or_default().to_owned()))
        };
        let named = |field: &str, way: Way| state[field].as_str().map(|target| (way, target.to_owned()));
        let mut ways: Vec<(Way, String)> = named("Next", Way::Next).into_iter().chain(named("Default", Way::Default)).collect();
        ways.extend(listed("Choices", Way::Choice).chain(listed("Catch", Way::Catch)));
        ways
    }

    /// The function that a task calls, as its folder is named.
    #[must_use]
    pub fn function(&self, state: &Value) -> Option<String> {
        let arn = state["Arguments"]["FunctionName"].as_str()?;
        Some(arn.strip_prefix("arn:aws:lambda:us-east-1:111111111111:function:cordon-")?.strip_suffix(":1")?.to_owned())
    }

    /// Whether a task waits for somebody to answer with its token.
    #[must_use]
    pub fn waits_for_a_token(state: &Value) -> bool {
        state["Resource"].as_str().is_some_and(|resource| resource.ends_with(".waitForTaskToken"))
    }

    fn scope(&self, run: &Run, extra: Option<(&str, Value)>) -> Result<Scope, String> {
        let mut states = json!({
            "input": run.input,
            "context": {
                "Execution": {"Id": EXECUTION, "StartTime": "2026-01-02T03:04:05.678Z"},
                "State": {"Name": run.state, "EnteredTime": "2026-01-02T03:04:06.789Z", "RetryCount": 0},
            },
        });
        if Self::waits_for_a_token(self.state(&run.state)?) {
            states["context"]["Task"] = json!({"Token": TASK_TOKEN});
        }
        if let Some((name, value)) = extra {
            states[name] = value;
        }
        let mut scope = run.variables.clone();
        scope.insert("states".to_owned(), states);
        Ok(scope)
    }

    /// What a task sends to its function.
    ///
    /// # Errors
    /// An expression that would fail the execution.
    pub fn payload(&self, run: &Run) -> Result<Value, String> {
        let payload = &self.state(&run.state)?["Arguments"]["Payload"];
        jsonata::fill_in(payload, &self.scope(run, None)?)
            .map_err(|fault| format!("`{}` cannot make its payload: {fault}", run.state))
    }

    /// Goes on from a task whose function, or whose callback, answered.
    ///
    /// # Errors
    /// An expression that would fail the execution, or a way that leads nowhere.
    pub fn succeed(&self, run: &Run, answer: &Value) -> Result<Run, String> {
        let state = self.state(&run.state)?;
        let waits = Self::waits_for_a_token(state);
        let result = if waits { answer.clone() } else { json!({"ExecutedVersion": "1", "StatusCode": 200, "Payload": answer}) };
        self.leave(run, state, "Next", Some(("result", result.clone())), &result)
    }

    /// Goes on from a task that failed, after its retries.
    ///
    /// # Errors
    /// As [`Self::succeed`], and where nothing catches the error.
    pub fn fail(&self, run: &Run, error: &str, cause: Option<&str>) -> Result<Run, String> {
        let state = self.state(&run.state)?;
        let mut output = json!({"Error": error});
        if let Some(cause) = cause {
            output["Cause"] = json!(cause);
        }
        let catches = |catcher: &&Value| {
            catcher["ErrorEquals"].as_array().is_some_and(|names| names.iter().any(|name| name == error || name == "States.ALL"))
        };
        let catcher = state["Catch"].as_array().and_then(|catchers| catchers.iter().find(catches));
        let catcher =
            catcher.ok_or_else(|| format!("`{}` does not catch `{error}`: add `States.ALL` as its last catcher", run.state))?;
        self.leave(run, catcher, "Next", Some(("errorOutput", output.clone())), &output)
    }

    /// Goes on from a state that calls nobody; `None` at an end.
    ///
    /// # Errors
    /// As [`Self::succeed`].
    pub fn go_on(&self, run: &Run) -> Result<Option<Run>, String> {
        let state = self.state(&run.state)?;
        match state["Type"].as_str() {
            Some("Succeed") => Ok(None),
            Some("Fail") => jsonata::fill_in(&state["Cause"], &self.scope(run, None)?).map(|_| None),
            Some("Pass" | "Wait") => self.leave(run, state, "Next", None, &run.input).map(Some),
            Some("Choice") => {
                for rule in state["Choices"].as_array().into_iter().flatten() {
                    if jsonata::fill_in(&rule["Condition"], &self.scope(run, None)?)? == Value::Bool(true) {
                        return self.leave(run, rule, "Next", None, &run.input).map(Some);
                    }
                }
                self.leave(run, state, "Default", None, &run.input).map(Some)
            }
            _ => Err(format!("`{}` is no state that goes on by itself", run.state)),
        }
    }

    /// Past all choices, to the next state that does something.
    ///
    /// # Errors
    /// As [`Self::succeed`].
    pub fn past_choices(&self, mut run: Run) -> Result<Run, String> {
        while self.state(&run.state)?["Type"] == "Choice" {
            match self.go_on(&run)? {
                Some(next) => run = next,
                None => break,
            }
        }
        Ok(run)
    }

    fn leave(&self, run: &Run, by: &Value, way: &str, extra: Option<(&str, Value)>, otherwise: &Value) -> Result<Run, String> {
        let scope = self.scope(run, extra)?;
        let place = |fault: String| format!("on the way out of `{}`: {fault}", run.state);
        let mut variables = run.variables.clone();
        if let Value::Object(assigned) = jsonata::fill_in(&by["Assign"], &scope).map_err(place)? {
            variables.extend(assigned);
        }
        let output = match by.get("Output") {
            Some(output) => jsonata::fill_in(output, &scope).map_err(place)?,
            None => otherwise.clone(),
        };
        let target = by[way].as_str().ok_or_else(|| format!("`{}` has no `{way}`, which it needs", run.state))?;
        Ok(Run { state: target.to_owned(), input: output, variables })
    }
}
