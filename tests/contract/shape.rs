//! Checks of the definition alone: its paths, timeouts, retries and catchers, and where the task token and the event may go.
//!
//! Each check returns its faults as sentences that say what to do.

use std::collections::{BTreeMap, BTreeSet};

use cordon_contract::ErrorName;
use cordon_tests::machine::{APPROVAL_TIMEOUT_SECONDS, ESCALATION_TIMEOUT_SECONDS, Machine, Way};
use cordon_tests::terraform::{self, TerraformError};
use cordon_tests::{jsonata, sentence};
use hcl::eval::{Context, Evaluate as _};
use serde_json::Value;

/// Step Functions' names for a call of a function that did not come about. Every task tries these again.
const NOT_CALLED: [&str; 4] =
    ["Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException", "Lambda.TooManyRequestsException"];
/// The names for a function that died, or of which nobody knows how far it came.
pub const DIED: [&str; 5] =
    ["Lambda.Unknown", "Lambda.ClientExecutionTimeoutException", "Sandbox.Timedout", "Runtime.ExitError", TIMEOUT];
pub const TIMEOUT: &str = "States.Timeout";
const EVERYTHING: &str = "States.ALL";

/// Announcements that nothing waits for: where one fails, the next state counts for more than the failure.
const MAY_FAIL: [&str; 8] = [
    "NotifyHeld",
    "NotifyMerged",
    "NotifyVoted",
    "NotifyAsked",
    "NotifyActing",
    "NotifyContaining",
    "NotifyEscalated",
    "NotifyBreakGlass",
];
/// The states that wait for a person: how long, as the template says it, and where their time-out leads.
const WAITS: [(&str, u32, &str, &str); 2] = [
    ("WaitForApproval", APPROVAL_TIMEOUT_SECONDS, "approval_timeout_seconds", "Escalate"),
    ("WaitAfterEscalation", ESCALATION_TIMEOUT_SECONDS, "escalation_timeout_seconds", "Expire"),
];
/// Terraform's file with the functions' own timeouts.
const FUNCTIONS: &str = "infra/modules/cordon/functions.tf";

/// Whether the state machine tries again on one of our own errors. No `_`: a new name has to be thought about here.
fn is_retried(name: ErrorName) -> bool {
    match name {
        ErrorName::Transient => true,
        ErrorName::BadInput | ErrorName::BadConfig | ErrorName::NotFound | ErrorName::Refused | ErrorName::Internal => false,
    }
}

pub fn items<'a>(state: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    state[field].as_array().into_iter().flatten()
}

fn error_names(entry: &Value) -> Vec<&str> {
    items(entry, "ErrorEquals").filter_map(Value::as_str).collect()
}

pub fn ways(machine: &Machine) -> Vec<String> {
    let mut faults = Vec::new();
    let mut reached = BTreeSet::from([machine.start().to_owned()]);
    let mut open = vec![machine.start().to_owned()];
    while let Some(name) = open.pop() {
        let Some(state) = machine.states().get(&name) else {
            faults.push(format!("something leads to `{name}`, which is no state: correct the name, or define the state"));
            continue;
        };
        let ways = machine.ways(state);
        let ends = matches!(state["Type"].as_str(), Some("Succeed" | "Fail"));
        if ends != ways.is_empty() {
            faults.push(format!("`{name}` must either be an end (Succeed, Fail) or lead somewhere (`Next`)"));
        }
        for (_, target) in ways {
            if reached.insert(target.clone()) {
                open.push(target);
            }
        }
    }
    let lost = machine.states().keys().filter(|name| !reached.contains(*name));
    faults.extend(lost.map(|name| format!("nothing leads to `{name}`: lead a way to it, or take it out")));
    faults
}

/// The fields that states have in the other query language do nothing in this one, without a word.
pub fn query_language(machine: &Machine) -> Vec<String> {
    let mut faults = Vec::new();
    if machine.definition["QueryLanguage"] != "JSONata" {
        faults.push("the definition must say `\"QueryLanguage\": \"JSONata\"`".to_owned());
    }
    for (name, state) in machine.states() {
        for field in [
            "Parameters",
            "ResultPath",
            "InputPath",
            "OutputPath",
            "ResultSelector",
            "TimeoutSecondsPath",
            "SecondsPath",
            "QueryLanguage",
        ] {
            if state.get(field).is_some() {
                faults
                    .push(format!("`{name}` has `{field}`, which JSONata does not know: use `Arguments`, `Assign` and `Output`"));
            }
        }
    }
    faults
}

pub fn timeouts(machine: &Machine) -> Vec<String> {
    let mut faults = Vec::new();
    let functions = match function_timeouts() {
        Ok(functions) => functions,
        Err(error) => return vec![sentence(&error)],
    };
    for (name, task) in machine.of_type("Task") {
        let Some(seconds) = task["TimeoutSeconds"].as_u64() else {
            faults.push(format!("`{name}` needs `TimeoutSeconds`, a whole number: without it a lost answer hangs for a year"));
            continue;
        };
        if Machine::waits_for_a_token(task) {
            let told = &task["Arguments"]["Payload"]["timeout_seconds"];
            match WAITS.iter().find(|(state, ..)| *state == name) {
                Some((_, wanted, ..)) if seconds == u64::from(*wanted) && told.as_u64() == Some(seconds) => {}
                Some((_, _, placeholder, _)) => {
                    faults.push(format!("`{name}` must wait, and tell its function that it waits, `${{{placeholder}}}`"));
                }
                None => faults.push(format!("`{name}` waits for a person: say in WAITS how long, and what follows")),
            }
        } else {
            let function = machine.function(task).unwrap_or_default();
            match functions.get(&function) {
                Some(own) if seconds >= own * 2 => {}
                Some(own) => faults.push(format!(
                    "`{name}` gives up after {seconds} s, but `{function}` may run for {own} s ({FUNCTIONS}): a retry could run beside it. Give it {} s",
                    own * 2
                )),
                None => faults.push(format!("`{name}` calls `{function}`, for which {FUNCTIONS} has no timeout: add it there")),
            }
        }
    }
    faults
}

/// The seconds that Terraform gives each function.
fn function_timeouts() -> Result<BTreeMap<String, u64>, TerraformError> {
    let module = terraform::parse(FUNCTIONS)?;
    let functions = terraform::local(&module, "functions").and_then(|functions| functions.evaluate(&Context::new()).ok());
    let seconds =
        |(name, function): (&String, &hcl::Value)| Some((name.clone(), function.as_object()?.get("timeout")?.as_u64()?));
    Ok(functions.as_ref().and_then(hcl::Value::as_object).into_iter().flatten().filter_map(seconds).collect())
}

pub fn retries(machine: &Machine) -> Vec<String> {
    let own: BTreeMap<&str, bool> = ErrorName::ALL.into_iter().map(|name| (name.as_str(), is_retried(name))).collect();
    let mut faults = Vec::new();
    for (name, task) in machine.of_type("Task") {
        let mut retried = BTreeSet::new();
        for retrier in items(task, "Retry") {
            let number = |field: &str| retrier[field].as_u64().unwrap_or_default();
            if retrier["JitterStrategy"] != "FULL" {
                faults.push(format!("`{name}` retries without `\"JitterStrategy\": \"FULL\"`: executions that failed together would come back together"));
            }
            if number("MaxDelaySeconds") <= number("IntervalSeconds") || number("IntervalSeconds") == 0 {
                faults.push(format!("`{name}` retries without an `IntervalSeconds` and a longer `MaxDelaySeconds`"));
            }
            if !(1..=20).contains(&number("MaxAttempts")) {
                faults.push(format!("`{name}` must retry once to twenty times (`MaxAttempts`), not {}", retrier["MaxAttempts"]));
            }
            for error in error_names(retrier) {
                let known = NOT_CALLED.contains(&error) || DIED.contains(&error) || own.get(error) == Some(&true);
                if !known {
                    faults.push(format!(
                        "`{name}` retries on `{error}`, which is not worth another try or is nobody's name: only `Transient`, Lambda's names and `{TIMEOUT}` are retried"
                    ));
                }
                if !retried.insert(error) {
                    faults.push(format!("`{name}` retries on `{error}` twice, of which the second never counts: take it out"));
                }
            }
        }
        let wanted = own.iter().filter(|(_, retried)| **retried).map(|(name, _)| *name).chain(NOT_CALLED);
        faults.extend(
            wanted.filter(|error| !retried.contains(error)).map(|error| format!("`{name}` does not retry on `{error}`: add it")),
        );
        if Machine::waits_for_a_token(task) && retried.contains(TIMEOUT) {
            faults.push(format!("`{name}` retries on its timeout, which is an answer: take `{TIMEOUT}` out of its `Retry`"));
        }
    }
    faults
}

pub fn catchers(machine: &Machine) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, task) in machine.of_type("Task") {
        let catchers: Vec<&Value> = items(task, "Catch").collect();
        if catchers.last().is_none_or(|last| error_names(last) != [EVERYTHING]) {
            faults.push(format!("`{name}` must end its `Catch` with `{EVERYTHING}`, alone"));
        }
        for catcher in &catchers {
            let names = error_names(catcher);
            if names.contains(&EVERYTHING) && names.len() > 1 {
                faults.push(format!(
                    "`{name}` names `{EVERYTHING}` beside other errors, which Step Functions refuses: let it stand alone"
                ));
            }
            let target = catcher["Next"].as_str().unwrap_or_default();
            let wanted = match name {
                _ if names == [TIMEOUT] && Machine::waits_for_a_token(task) => {
                    WAITS.iter().find(|(state, ..)| *state == name).map_or("Expire", |(.., next)| next)
                }
                "RecordFailure" => "Failed",
                _ if MAY_FAIL.contains(&name) => task["Next"].as_str().unwrap_or_default(),
                _ => "RecordFailure",
            };
            if target != wanted {
                faults.push(format!("`{name}` must lead to `{wanted}` on `{}`, not to `{target}`", names.join(", ")));
            }
            let failure = &catcher["Assign"]["failure"];
            if target == "RecordFailure" && ["state", "error", "cause"].iter().any(|field| failure[field].is_null()) {
                faults.push(format!(
                    "`{name}` must assign `failure` with `state`, `error` and `cause` where it leads to `RecordFailure`"
                ));
            }
        }
        if items(task, "Retry").any(|retrier| error_names(retrier).contains(&EVERYTHING)) {
            faults.push(format!("`{name}` retries on `{EVERYTHING}`: name the errors that are worth another try"));
        }
    }
    faults
}

/// Where each expression of a state stands, as `Arguments/Payload/incident`.
fn expressions(value: &Value, place: &str, found: &mut Vec<(String, String)>) {
    let deeper = |key: &str| if place.is_empty() { key.to_owned() } else { format!("{place}/{key}") };
    match value {
        Value::String(text) => {
            found.extend(jsonata::expression(text).map(|expression| (place.to_owned(), expression.to_owned())));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| expressions(item, &deeper(&index.to_string()), found));
        }
        Value::Object(fields) => fields.iter().for_each(|(key, field)| expressions(field, &deeper(key), found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The task token goes to `WaitForApproval`'s function and nowhere else; the event to `Classify`'s.
pub fn secrets(machine: &Machine) -> Vec<String> {
    const HARMLESS: [&str; 3] =
        ["$states.context.Execution.Id", "$states.context.Execution.StartTime", "$states.context.State.Name"];
    let mut faults = Vec::new();
    for (name, state) in machine.states() {
        let mut found = Vec::new();
        expressions(state, "", &mut found);
        for (place, expression) in found {
            let is_token = expression == "$states.context.Task.Token"
                && place == "Arguments/Payload/task_token"
                && WAITS.iter().any(|(state, ..)| *state == name);
            let harmless = HARMLESS.iter().fold(expression.clone(), |rest, field| rest.replace(field, ""));
            if harmless.contains("$states.context") && !is_token {
                faults.push(format!("`{name}` reads `{expression}` in {place}: the context holds the task token and the event. Only {HARMLESS:?} are harmless"));
            }
            // The event's id alone leaves `Classify` where it fails: with it, an incident that it had opened is found.
            let is_event = name == "Classify"
                && (place == "Arguments/Payload/event"
                    || place == "Catch/0/Assign/failure/event" && expression.contains("$states.input.detail.eventID"));
            if expression.contains("$states.input") && state["Type"] == "Task" && !is_event {
                faults.push(format!("`{name}` hands on its input in {place}: states share the incident's id (`$incident`) and the table, nothing else"));
            }
        }
        for field in ["Output", "Assign", "Catch"] {
            if state[field].to_string().to_lowercase().replace('_', "").contains("tasktoken") {
                faults.push(format!(
                    "`{name}` names the task token in its `{field}`: it must reach no state's output and no variable"
                ));
            }
        }
    }
    faults
}

/// `$states.input.<tag> = '<value>'`: the tag and the value.
fn tested_tag(condition: &str) -> Option<(&str, &str)> {
    let (path, value) = jsonata::expression(condition)?.split_once(" = ")?;
    let tag = path.strip_prefix("$states.input.")?;
    let value = value.strip_prefix('\'')?.strip_suffix('\'')?;
    let is_name = |text: &str| !text.is_empty() && text.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_');
    (is_name(tag) && is_name(value)).then_some((tag, value))
}

pub fn choices(machine: &Machine) -> Vec<String> {
    const TAGS: [&str; 4] = ["outcome", "route", "decision", "result"];
    let mut faults = Vec::new();
    for (name, choice) in machine.of_type("Choice") {
        let mut tags = BTreeSet::new();
        let mut values = BTreeSet::new();
        for rule in items(choice, "Choices") {
            match rule["Condition"].as_str().and_then(tested_tag) {
                Some((tag, value)) if TAGS.contains(&tag) => {
                    tags.insert(tag);
                    if !values.insert(value) {
                        faults.push(format!("`{name}` asks for `{value}` twice: take one out"));
                    }
                }
                _ => faults.push(format!(
                    "`{name}` must test a tag ({}) for one of its values, as `$states.input.route = 'ask'`, not {}",
                    TAGS.join(", "),
                    rule["Condition"]
                )),
            }
        }
        if tags.len() != 1 {
            faults.push(format!("`{name}` must test one tag, not {}: an answer has one", tags.len()));
        }
        if choice["Default"] != "UnexpectedAnswer" {
            faults
                .push(format!("`{name}` must have `UnexpectedAnswer` as its `Default`: an unknown answer is never passed over"));
        }
    }
    faults
}

/// The ways back: what waits for enforcement to be resumed, which `remediate` ends after some weeks; an `again` of a verification to its pause, which `remediate` counts, and one more wait where somebody was
/// looking, which `wait-for-approval` gives once.
const BACK: [(&str, &str, &str, &str); 6] = [
    ("Contained?", "result", "again", "Settle"),
    ("Contained?", "result", "stopped", "NotifyHeld"),
    ("Contained?", "result", "held", "Held"),
    ("Contained?", "result", "resumed", "Remediate"),
    ("Holding?", "result", "again", "SettleContainment"),
    ("Escalated?", "decision", "looking", "WaitForApproval"),
];

pub fn loops(machine: &Machine) -> Vec<String> {
    let back = |from: &str, to: &str| {
        let rules = machine.states().get(from).into_iter().flat_map(|state| items(state, "Choices"));
        let to_there: Vec<_> =
            rules.filter(|rule| rule["Next"] == to).filter_map(|rule| rule["Condition"].as_str().and_then(tested_tag)).collect();
        BACK.iter().any(|(choice, tag, value, target)| *choice == from && *target == to && to_there == [(*tag, *value)])
    };
    let mut faults = Vec::new();
    for start in machine.states().keys() {
        let mut seen = BTreeSet::new();
        let mut open = vec![start.clone()];
        while let Some(name) = open.pop() {
            for (way, target) in machine.states().get(&name).map(|state| machine.ways(state)).unwrap_or_default() {
                if way == Way::Choice && back(&name, &target) {
                    continue;
                }
                if target == *start {
                    faults
                        .push(format!("`{start}` leads back to itself through `{name}`: only what stands in BACK may lead back"));
                } else if seen.insert(target.clone()) {
                    open.push(target);
                }
            }
        }
    }
    faults
}
