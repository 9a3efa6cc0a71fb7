//! The state machine's definition: the template filled in, its ways, and one step of an execution.
//!
//! A step does what Step Functions does with arguments, variables, outputs, catchers and choices. Waiting, timing out and
//! retrying are left out: they never choose a way by themselves.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::jsonata::{self, JsonataError, Scope};
use crate::repository::{self, ReadError};

/// The template of the definition, from the root.
pub const DEFINITION: &str = "statemachine/incident-response.asl.json";
/// How long a sample deployment waits for an approver. Unlike any other number in the definition, so that it can be told apart.
pub const APPROVAL_TIMEOUT_SECONDS: u32 = 4_711;
/// How long it waits once more after calling more people.
pub const ESCALATION_TIMEOUT_SECONDS: u32 = 1_812;
const SETTLE_SECONDS: u32 = 17;

/// The ARN of every execution here.
pub const EXECUTION: &str = "arn:aws:states:us-east-1:111111111111:execution:cordon:sample";
const TASK_TOKEN: &str = "sample-task-token";

/// How one state leads to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// `Next` of the state itself.
    Next,
    /// `Next` of one of its choices.
    Choice,
    /// Its `Default`, where no choice holds.
    Default,
    /// `Next` of one of its catchers.
    Catch,
}

/// Why there is no definition.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// The template itself.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A placeholder that Terraform fills in and this does not.
    #[error("`${{{0}}}` is a new placeholder: give it a sample value in tests/src/machine.rs")]
    Placeholder(String),
    /// Not well formed, or a key twice in one object.
    #[error("`{DEFINITION}` is not well formed")]
    Malformed(#[source] yaml_serde::Error),
    /// Well formed as YAML only.
    #[error("`{DEFINITION}` is no JSON")]
    NoJson(#[source] serde_json::Error),
}

/// Why an execution cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// Something leads to a state that the definition lacks.
    #[error("there is no state `{0}`")]
    NoState(String),
    /// A payload, an output, a variable or a condition has no value.
    #[error("`{state}` cannot make its {part}")]
    Expression {
        /// The state that it belongs to.
        state: String,
        /// `payload`, `output`, and so on.
        part: &'static str,
        /// The fault of the expression.
        #[source]
        source: JsonataError,
    },
    /// A failure that no catcher names.
    #[error("`{state}` does not catch `{error}`: add `States.ALL` as its last catcher")]
    Uncaught {
        /// The task that failed.
        state: String,
        /// The error's name.
        error: String,
    },
    /// A state, choice or catcher without its target.
    #[error("`{state}` has no `{way}`, which it needs")]
    NoWay {
        /// The state.
        state: String,
        /// `Next` or `Default`.
        way: &'static str,
    },
    /// A state that waits for an answer.
    #[error("`{0}` is no state that goes on by itself")]
    Waits(String),
}

/// A definition.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// All of it, as JSON.
    pub definition: Value,
    states: BTreeMap<String, Value>,
}

/// An execution, about to enter a state.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The state that comes next.
    pub state: String,
    /// Its input.
    pub input: Value,
    /// The variables that states before have assigned, without the dollar sign.
    pub variables: Map<String, Value>,
}

impl Run {
    fn cannot_make(&self, part: &'static str) -> impl Fn(JsonataError) -> StepError {
        move |source| StepError::Expression { state: self.state.clone(), part, source }
    }
}

/// The placeholders of a template: `${name}`.
#[must_use]
pub fn placeholders(template: &str) -> BTreeSet<String> {
    template.split("${").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name.to_owned()).collect()
}

/// The definition as Terraform would write it for a sample deployment.
///
/// # Errors
/// [`DefinitionError`] where it is no JSON, names a state twice, or has a placeholder without a sample.
pub fn sample() -> Result<Machine, DefinitionError> {
    let mut text = repository::read(DEFINITION)?;
    for name in placeholders(&text) {
        let value = match name.strip_suffix("_arn") {
            Some(function) => format!("arn:aws:lambda:us-east-1:111111111111:function:cordon-{}:1", function.replace('_', "-")),
            None if name == "approval_timeout_seconds" => APPROVAL_TIMEOUT_SECONDS.to_string(),
            None if name == "escalation_timeout_seconds" => ESCALATION_TIMEOUT_SECONDS.to_string(),
            None if name == "settle_seconds" => SETTLE_SECONDS.to_string(),
            None => return Err(DefinitionError::Placeholder(name)),
        };
        text = text.replace(&format!("${{{name}}}"), &value);
    }
    // JSON takes a key twice and keeps the last one. YAML, of which it is a part, refuses.
    yaml_serde::from_str::<yaml_serde::Value>(&text).map_err(DefinitionError::Malformed)?;
    let definition = serde_json::from_str(&text).map_err(DefinitionError::NoJson)?;
    Ok(Machine::new(definition))
}

impl Machine {
    /// A definition without placeholders.
    #[must_use]
    pub fn new(definition: Value) -> Self {
        let states = definition["States"].as_object().cloned().unwrap_or_default().into_iter().collect();
        Self { definition, states }
    }

    /// Its states, by name.
    #[must_use]
    pub fn states(&self) -> &BTreeMap<String, Value> {
        &self.states
    }

    /// The states of a type, such as `Task`.
    pub fn of_type(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.states.iter().filter(move |(_, state)| state["Type"] == kind).map(|(name, state)| (name.as_str(), state))
    }

    /// The state that an execution begins with.
    #[must_use]
    pub fn start(&self) -> &str {
        self.definition["StartAt"].as_str().unwrap_or_default()
    }

    fn state(&self, name: &str) -> Result<&Value, StepError> {
        self.states.get(name).ok_or_else(|| StepError::NoState(name.to_owned()))
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

    fn scope(&self, run: &Run, extra: Option<(&str, Value)>) -> Result<Scope, StepError> {
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

    /// The payload that a task sends to its function.
    ///
    /// # Errors
    /// [`StepError`] for an expression that would fail the execution.
    pub fn payload(&self, run: &Run) -> Result<Value, StepError> {
        let payload = &self.state(&run.state)?["Arguments"]["Payload"];
        jsonata::fill_in(payload, &self.scope(run, None)?).map_err(run.cannot_make("payload"))
    }

    /// Goes on from a task whose function, or whose callback, answered.
    ///
    /// # Errors
    /// [`StepError`] for an expression that would fail the execution, or a way that leads nowhere.
    pub fn succeed(&self, run: &Run, answer: &Value) -> Result<Run, StepError> {
        let state = self.state(&run.state)?;
        let waits = Self::waits_for_a_token(state);
        let result = if waits { answer.clone() } else { json!({"ExecutedVersion": "1", "StatusCode": 200, "Payload": answer}) };
        self.leave(run, state, "Next", Some(("result", result.clone())), &result)
    }

    /// Goes on from a task that failed, after its retries.
    ///
    /// # Errors
    /// As [`Self::succeed`], and where nothing catches the error.
    pub fn fail(&self, run: &Run, error: &str, cause: Option<&str>) -> Result<Run, StepError> {
        let state = self.state(&run.state)?;
        let mut output = json!({"Error": error});
        if let Some(cause) = cause {
            output["Cause"] = json!(cause);
        }
        let catches = |catcher: &&Value| {
            catcher["ErrorEquals"].as_array().is_some_and(|names| names.iter().any(|name| name == error || name == "States.ALL"))
        };
        let catcher = state["Catch"].as_array().and_then(|catchers| catchers.iter().find(catches));
        let uncaught = || StepError::Uncaught { state: run.state.clone(), error: error.to_owned() };
        let catcher = catcher.ok_or_else(uncaught)?;
        self.leave(run, catcher, "Next", Some(("errorOutput", output.clone())), &output)
    }

    /// Goes on from a state that calls nobody; `None` at an end.
    ///
    /// # Errors
    /// As [`Self::succeed`].
    pub fn go_on(&self, run: &Run) -> Result<Option<Run>, StepError> {
        let state = self.state(&run.state)?;
        match state["Type"].as_str() {
            Some("Succeed") => Ok(None),
            Some("Fail") => match jsonata::fill_in(&state["Cause"], &self.scope(run, None)?) {
                Ok(_) => Ok(None),
                Err(source) => Err(run.cannot_make("cause")(source)),
            },
            Some("Pass" | "Wait") => self.leave(run, state, "Next", None, &run.input).map(Some),
            Some("Choice") => {
                for rule in state["Choices"].as_array().into_iter().flatten() {
                    let holds =
                        jsonata::fill_in(&rule["Condition"], &self.scope(run, None)?).map_err(run.cannot_make("condition"))?;
                    if holds == Value::Bool(true) {
                        return self.leave(run, rule, "Next", None, &run.input).map(Some);
                    }
                }
                self.leave(run, state, "Default", None, &run.input).map(Some)
            }
            _ => Err(StepError::Waits(run.state.clone())),
        }
    }

    /// Past all choices, to the next state that does something.
    ///
    /// # Errors
    /// As [`Self::succeed`].
    pub fn past_choices(&self, mut run: Run) -> Result<Run, StepError> {
        while self.state(&run.state)?["Type"] == "Choice" {
            match self.go_on(&run)? {
                Some(next) => run = next,
                None => break,
            }
        }
        Ok(run)
    }

    fn leave(
        &self,
        run: &Run,
        by: &Value,
        way: &'static str,
        extra: Option<(&str, Value)>,
        otherwise: &Value,
    ) -> Result<Run, StepError> {
        let scope = self.scope(run, extra)?;
        let mut variables = run.variables.clone();
        if let Value::Object(assigned) = jsonata::fill_in(&by["Assign"], &scope).map_err(run.cannot_make("variables"))? {
            variables.extend(assigned);
        }
        let output = match by.get("Output") {
            Some(output) => jsonata::fill_in(output, &scope).map_err(run.cannot_make("output"))?,
            None => otherwise.clone(),
        };
        let target = by[way].as_str().ok_or_else(|| StepError::NoWay { state: run.state.clone(), way })?;
        Ok(Run { state: target.to_owned(), input: output, variables })
    }
}
