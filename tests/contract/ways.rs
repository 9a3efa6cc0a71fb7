//! The definition against the Rust types: every payload decodes, and every answer that a function can give goes its way.
//!
//! The answers are made from the types, and each type's list stands beside a `match` without `_`: a new variant does not
//! compile until its way is written here.

use std::collections::BTreeSet;

use cordon_contract::{
    CheckInput, CheckOutput, ClassifyInput, ClassifyOutput, Delivery, ErrorName, NotifyInput, NotifyOutput, RemediateInput,
    RemediateOutput, WaitInput, WaitOutput,
};
use cordon_core::{IncidentId, Outcome, Route};
use cordon_tests::machine::{EXECUTION, Machine, Run, StepError};
use cordon_tests::sentence;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

pub const INCIDENT: &str = "inc-0123456789abcdef0123";

/// `variants!(Type: pattern => value, …)`: the values, beside a `match` that has to name every variant.
macro_rules! variants {
    ($type:ty: $($pattern:pat => $value:expr),+ $(,)?) => {{
        let _every_variant_is_listed = |value: &$type| match value { $($pattern => ()),+ };
        vec![$($value),+]
    }};
}

/// Why the definition and the Rust types do not fit, or a sample could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// The execution itself cannot go on.
    #[error(transparent)]
    Step(#[from] StepError),
    /// An answer is no JSON.
    #[error("an answer cannot be written")]
    Wire(#[from] serde_json::Error),
    #[error("`{state}` sends {payload}, which its function cannot read: change one of them")]
    Unreadable { state: String, payload: Value, source: serde_json::Error },
    #[error("`{state}` sends {lost:?}, which its function does not read: correct the name, or send it no more")]
    Lost { state: String, lost: Vec<String> },
    #[error("`{state}` calls `{function}`: say in tests/contract/ways.rs what it takes and answers")]
    UnknownFunction { state: String, function: String },
    #[error("`{state}` must close the incident as `{outcome}`, and sends {payload}")]
    Outcome { state: &'static str, outcome: &'static str, payload: Value },
    #[error("`{state}` must lead to `{end}`, not to `{reached}`")]
    End { state: &'static str, end: &'static str, reached: String },
    #[error("`{state}` must give `incident` and `outcome` as the output of the execution, not {output}")]
    Output { state: &'static str, output: Value },
    #[error("`RecordFailure` must say the execution and the state that failed, not `{execution}` and `{state}`")]
    FailureWithoutPlace { execution: String, state: String },
    #[error("`RecordFailure` must name the incident when `{0}` has failed")]
    FailureWithoutIncident(String),
    #[error("`{0}` must cut the cause of a failure to 2000 characters: a message has to hold it")]
    LongCause(String),
}

fn incident() -> IncidentId {
    INCIDENT.parse().unwrap()
}

fn wire(value: impl Serialize) -> Result<Value, ContractError> {
    Ok(serde_json::to_value(value)?)
}

/// An answer, and the state that does something about it.
pub type Answer = (Value, &'static str);

pub fn of_classify() -> Result<Vec<Answer>, ContractError> {
    let incident = incident();
    let id = || incident.clone();
    variants!(ClassifyOutput:
        ClassifyOutput::Ignored => (ClassifyOutput::Ignored, "Ignored"),
        ClassifyOutput::Duplicate { .. } => (ClassifyOutput::Duplicate { incident: id() }, "Duplicate"),
        ClassifyOutput::Merged { .. } => (ClassifyOutput::Merged { incident: id() }, "NotifyMerged"),
        ClassifyOutput::Opened { .. } => (ClassifyOutput::Opened { incident: id() }, "CheckExceptions"),
        ClassifyOutput::NeedsPerson { .. } => (ClassifyOutput::NeedsPerson { incident: id() }, "NotifyNeedsPerson"),
        ClassifyOutput::Undo { .. } => (ClassifyOutput::Undo { incident: id() }, "Undo"),
        ClassifyOutput::Voted { .. } => (ClassifyOutput::Voted { incident: id() }, "NotifyVoted"),
    )
    .into_iter()
    .map(|(answer, way)| Ok((wire(answer)?, way)))
    .collect()
}

pub fn of_check() -> Result<Vec<Answer>, ContractError> {
    variants!(Route:
        Route::Exempt => (Route::Exempt, "NotifyExempt"),
        Route::Alert => (Route::Alert, "NotifyAlert"),
        Route::Ask => (Route::Ask, "NotifyAsked"),
        Route::ContainThenAsk => (Route::ContainThenAsk, "NotifyContaining"),
        Route::Act => (Route::Act, "NotifyActing"),
    )
    .into_iter()
    .map(|(route, way)| Ok((wire(CheckOutput { route })?, way)))
    .collect()
}

/// What `wait-for-approval` and the callback answer: the way after a wait or the last deadline, and after the first deadline.
/// `None` where that is never answered.
fn of_question() -> Vec<(WaitOutput, Option<&'static str>, Option<&'static str>)> {
    let by = || "U0123ABCD".to_owned();
    let both = |way: &'static str| (Some(way), Some(way));
    let rows = variants!(WaitOutput:
        WaitOutput::Approved { .. } => (WaitOutput::Approved { by: by() }, both("Remediate")),
        WaitOutput::BreakGlass { .. } => (WaitOutput::BreakGlass { by: by() }, both("NotifyBreakGlass")),
        WaitOutput::Rehearsed { .. } => (WaitOutput::Rehearsed { by: by() }, both("CloseAlerted")),
        WaitOutput::Denied { .. } => (WaitOutput::Denied { by: by() }, both("CloseDenied")),
        WaitOutput::DeniedContained { .. } => (WaitOutput::DeniedContained { by: by() }, both("RevertDenied")),
        WaitOutput::Expired => (WaitOutput::Expired, (Some("CloseExpired"), None)),
        WaitOutput::ExpiredContained => (WaitOutput::ExpiredContained, (Some("RevertExpired"), None)),
        WaitOutput::Contain => (WaitOutput::Contain, (Some("Remediate"), None)),
        WaitOutput::Escalate => (WaitOutput::Escalate, (None, Some("NotifyEscalated"))),
        WaitOutput::Looking => (WaitOutput::Looking, (None, Some("WaitForApproval"))),
    );
    rows.into_iter().map(|(answer, (last, first))| (answer, last, first)).collect()
}

/// Of the callback, and of `Expire`, which both can say what was decided in time.
pub fn of_wait() -> Result<Vec<Answer>, ContractError> {
    let ways = of_question().into_iter().filter_map(|(answer, way, _)| Some((answer, way?)));
    ways.map(|(answer, way)| Ok((wire(answer)?, way))).collect()
}

/// Of `Escalate`.
pub fn of_escalate() -> Result<Vec<Answer>, ContractError> {
    let ways = of_question().into_iter().filter_map(|(answer, _, way)| Some((answer, way?)));
    ways.map(|(answer, way)| Ok((wire(answer)?, way))).collect()
}

/// What `remediate` may be asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Apply,
    Verify,
    Revert,
    Undo,
}

/// What `remediate` answers to whom, and the way from there.
fn of_remediate() -> Vec<(RemediateOutput, Vec<(Asked, &'static str)>)> {
    use Asked::{Apply, Revert, Undo, Verify};
    variants!(RemediateOutput:
        RemediateOutput::Applied => (RemediateOutput::Applied, vec![(Apply, "Settle")]),
        RemediateOutput::Partial => (RemediateOutput::Partial, vec![(Apply, "Settle"), (Verify, "ClosePartial")]),
        RemediateOutput::Contained => (RemediateOutput::Contained, vec![(Verify, "CloseContained")]),
        RemediateOutput::Again => (RemediateOutput::Again, vec![(Verify, "Settle")]),
        RemediateOutput::Stopped { .. } => (
            RemediateOutput::Stopped { wait_seconds: 60 },
            vec![(Apply, "Settle"), (Verify, "NotifyHeld")],
        ),
        RemediateOutput::Held { .. } => (RemediateOutput::Held { wait_seconds: 3_600 }, vec![(Verify, "Held")]),
        RemediateOutput::Resumed => (RemediateOutput::Resumed, vec![(Verify, "Remediate")]),
        RemediateOutput::Reverted => (RemediateOutput::Reverted, vec![(Revert, "CloseDenied")]),
        RemediateOutput::RevertRefused => (RemediateOutput::RevertRefused, vec![(Revert, "ClosePartial")]),
        RemediateOutput::Undone => (RemediateOutput::Undone, vec![(Undo, "NotifyUndone")]),
        RemediateOutput::UndoRefused => (RemediateOutput::UndoRefused, vec![(Undo, "NotifyUndoRefused")]),
    )
}

pub fn answers_to(asked: Asked) -> Result<Vec<Answer>, ContractError> {
    let answer = |(answer, ways): (RemediateOutput, Vec<(Asked, &'static str)>)| {
        ways.into_iter().find(|(to, _)| *to == asked).map(|(_, way)| Ok((wire(answer)?, way)))
    };
    of_remediate().into_iter().filter_map(answer).collect()
}

/// The same answers where they lead elsewhere: `(answer's result, way)`.
pub fn answers_with<const N: usize>(
    asked: Asked,
    elsewhere: [(&'static str, &'static str); N],
) -> Result<Vec<Answer>, ContractError> {
    let way = |result: &Value, way| elsewhere.iter().find(|(name, _)| result == name).map_or(way, |(_, way)| *way);
    Ok(answers_to(asked)?.into_iter().map(|(answer, usual)| (answer.clone(), way(&answer["result"], usual))).collect())
}

fn of_notify() -> Result<Vec<Value>, ContractError> {
    let fates = variants!(Delivery:
        Delivery::Sent => Delivery::Sent,
        Delivery::Skipped => Delivery::Skipped,
        Delivery::Summarised => Delivery::Summarised,
        Delivery::Failed => Delivery::Failed,
    );
    // Nothing depends on what became of a message, so each fate once is enough.
    fates.into_iter().map(|fate| wire(NotifyOutput { sns: fate, slack: fate })).collect()
}

/// What a task asks of its function.
enum Call {
    Classify,
    Check,
    Notify(NotifyInput),
    Wait(WaitInput),
    Remediate(RemediateInput),
}

/// The Rust type that a function takes, by its folder.
pub const INPUTS: [(&str, &str); 5] = [
    ("check-exceptions", "CheckInput"),
    ("classify", "ClassifyInput"),
    ("notify", "NotifyInput"),
    ("remediate", "RemediateInput"),
    ("wait-for-approval", "WaitInput"),
];

impl Call {
    fn decode(state: &str, function: &str, payload: &Value) -> Result<Self, ContractError> {
        fn as_input<T: Serialize + DeserializeOwned>(state: &str, payload: &Value) -> Result<T, ContractError> {
            let unreadable = |source| ContractError::Unreadable { state: state.to_owned(), payload: payload.clone(), source };
            let input: T = serde_json::from_value(payload.clone()).map_err(unreadable)?;
            let read = wire(&input)?;
            let sent = payload.as_object().into_iter().flat_map(Map::keys);
            let lost: Vec<String> = sent.filter(|key| read.get(key).is_none()).cloned().collect();
            if lost.is_empty() { Ok(input) } else { Err(ContractError::Lost { state: state.to_owned(), lost }) }
        }
        match function {
            "classify" => as_input::<ClassifyInput>(state, payload).map(|_| Self::Classify),
            "check-exceptions" => as_input::<CheckInput>(state, payload).map(|_| Self::Check),
            "notify" => as_input(state, payload).map(Self::Notify),
            "wait-for-approval" => as_input(state, payload).map(Self::Wait),
            "remediate" => as_input(state, payload).map(Self::Remediate),
            other => Err(ContractError::UnknownFunction { state: state.to_owned(), function: other.to_owned() }),
        }
    }

    /// Every answer that this call can have.
    fn answers(&self) -> Result<Vec<Value>, ContractError> {
        let answers = |answers: Result<Vec<Answer>, ContractError>| Ok(answers?.into_iter().map(|(answer, _)| answer).collect());
        match self {
            Self::Classify => answers(of_classify()),
            Self::Check => answers(of_check()),
            Self::Notify(_) => of_notify(),
            Self::Wait(WaitInput::Ask { .. } | WaitInput::Expire { .. }) => answers(of_wait()),
            Self::Wait(WaitInput::Escalate { .. }) => answers(of_escalate()),
            Self::Remediate(RemediateInput::Apply { .. }) => answers(answers_to(Asked::Apply)),
            Self::Remediate(RemediateInput::Verify { .. }) => answers(answers_to(Asked::Verify)),
            Self::Remediate(RemediateInput::Revert { .. }) => answers(answers_to(Asked::Revert)),
            Self::Remediate(RemediateInput::Undo { .. }) => answers(answers_to(Asked::Undo)),
        }
    }
}

/// An execution that stands before a state, its incident known.
pub fn before(state: &str) -> Run {
    let mut variables = Map::new();
    variables.insert("incident".to_owned(), json!(INCIDENT));
    variables.insert("answered".to_owned(), json!(state));
    variables.insert("failure".to_owned(), json!({"state": "Remediate", "error": "Refused", "cause": "sample"}));
    Run { state: state.to_owned(), input: json!({"sample": "event"}), variables }
}

/// Where an answer leads, where it should lead elsewhere.
pub fn astray(machine: &Machine, state: &str, answers: Result<Vec<Answer>, ContractError>) -> Vec<String> {
    let answers = match answers {
        Ok(answers) => answers,
        Err(error) => return vec![sentence(&error)],
    };
    let way = |(answer, wanted): &Answer| {
        let reached = machine.succeed(&before(state), answer).and_then(|run| machine.past_choices(run));
        match reached {
            Ok(run) if run.state == *wanted => None,
            Ok(run) => Some(format!(
                "{answer} from `{state}` leads to `{}`, and should to `{wanted}`: correct the choice after it",
                run.state
            )),
            Err(error) => Some(sentence(&error)),
        }
    };
    answers.iter().filter_map(way).collect()
}

/// How each outcome is written down, and the end that bears its name.
pub fn outcomes() -> Vec<(Outcome, &'static str, &'static str)> {
    variants!(Outcome:
        Outcome::Exempt => (Outcome::Exempt, "CloseExempt", "Exempt"),
        Outcome::Alerted => (Outcome::Alerted, "CloseAlerted", "Alerted"),
        Outcome::Denied => (Outcome::Denied, "CloseDenied", "Denied"),
        Outcome::Expired => (Outcome::Expired, "CloseExpired", "Expired"),
        Outcome::Contained => (Outcome::Contained, "CloseContained", "Contained"),
        Outcome::Partial => (Outcome::Partial, "ClosePartial", "Partial"),
        Outcome::Failed => (Outcome::Failed, "RecordFailure", "Failed"),
        Outcome::NeedsPerson => (Outcome::NeedsPerson, "CloseNeedsPerson", "NeedsPerson"),
    )
}

/// The ends at which no incident was opened.
pub const WITHOUT_INCIDENT: [&str; 3] = ["Ignored", "Duplicate", "Merged"];
/// The ends that decide nothing of an incident: of an undo, whose incident is closed already and keeps its outcome, and of a
/// card that was brought up to date.
const BESIDE: [&str; 3] = ["Undone", "UndoRefused", "CardShown"];

/// Each outcome is written by its state, which leads to the end of its name and shows it there.
pub fn closings(machine: &Machine) -> Vec<String> {
    let mut faults = Vec::new();
    for (outcome, state, end) in outcomes() {
        let check = || {
            let payload = machine.payload(&before(state))?;
            let function = machine.states().get(state).and_then(|state| machine.function(state)).unwrap_or_default();
            let call = Call::decode(state, &function, &payload)?;
            let answers = call.answers()?;
            match call {
                Call::Notify(NotifyInput::Outcome { outcome: said, .. }) if said == outcome => {}
                Call::Notify(NotifyInput::Failure { .. }) if outcome == Outcome::Failed => {}
                _ => return Err(ContractError::Outcome { state, outcome: outcome.as_str(), payload }),
            }
            for answer in answers {
                let run = machine.succeed(&before(state), &answer)?;
                if run.state != end {
                    return Err(ContractError::End { state, end, reached: run.state });
                }
                if outcome != Outcome::Failed && (run.input["outcome"] != wire(outcome)? || run.input["incident"] != INCIDENT) {
                    return Err(ContractError::Output { state, output: run.input });
                }
            }
            Ok(())
        };
        faults.extend(check().err().map(|error| sentence(&error)));
    }
    let ends: BTreeSet<&str> = machine.of_type("Succeed").chain(machine.of_type("Fail")).map(|(name, _)| name).collect();
    let named: BTreeSet<&str> = outcomes().into_iter().map(|(_, _, end)| end).chain(WITHOUT_INCIDENT).chain(BESIDE).collect();
    faults.extend(
        ends.symmetric_difference(&named)
            .map(|end| format!("`{end}` is an end of the machine or an outcome, and not the other: name ends for outcomes")),
    );
    let failing: Vec<&str> = machine.of_type("Fail").map(|(name, _)| name).collect();
    if failing != ["Failed"] {
        faults.push(format!("`Failed` alone counts as a failed execution, and raises the alarm; here it is {failing:?}"));
    }
    faults
}

/// Where all the ways together lead.
#[derive(Debug, Default)]
pub struct Walk {
    pub faults: BTreeSet<String>,
    pub visited: BTreeSet<String>,
}

/// Walks every way through the machine: every answer of every function, and every error of every function.
pub fn walk(machine: &Machine) -> Walk {
    let mut walk = Walk::default();
    let event =
        json!({"version": "0", "id": "sample", "detail-type": "AWS API Call via CloudTrail", "source": "aws.iam", "detail": {}});
    let mut open = vec![Run { state: machine.start().to_owned(), input: event, variables: Map::new() }];
    // Two executions that stand before the same state with the same knowledge go on in the same way.
    let mut known = BTreeSet::new();
    while let Some(run) = open.pop() {
        let is_end = machine.states().get(&run.state).is_some_and(|state| machine.ways(state).is_empty());
        let input = if is_end { &Value::Null } else { &run.input };
        if !known.insert(json!([run.state, input, run.variables]).to_string()) {
            continue;
        }
        walk.visited.insert(run.state.clone());
        for next in steps(machine, &run) {
            match next {
                Ok(next) if next.state == "UnexpectedAnswer" => {
                    walk.faults
                        .insert(format!("`{}` has no way for {}, which a function answers: add a choice", run.state, run.input));
                }
                Ok(next) => open.push(next),
                Err(error) => {
                    walk.faults.insert(sentence(&error));
                }
            }
        }
    }
    walk
}

/// Every step that can follow.
fn steps(machine: &Machine, run: &Run) -> Vec<Result<Run, ContractError>> {
    if machine.states().get(&run.state).is_none_or(|state| state["Type"] != "Task") {
        return machine.go_on(run).transpose().map(|next| next.map_err(ContractError::from)).into_iter().collect();
    }
    let function = machine.states().get(&run.state).and_then(|state| machine.function(state)).unwrap_or_default();
    let answers = || {
        let call = Call::decode(&run.state, &function, &machine.payload(run)?)?;
        tells_the_whole_failure(machine, &call)?;
        call.answers()
    };
    let mut steps: Vec<Result<Run, ContractError>> = match answers() {
        Ok(answers) => answers.iter().map(|answer| Ok(machine.succeed(run, answer)?)).collect(),
        Err(error) => vec![Err(error)],
    };
    let names = ErrorName::ALL.into_iter().map(ErrorName::as_str).chain(["States.Timeout", "Lambda.Unknown"]);
    steps.extend(names.map(|error| Ok(machine.fail(run, error, None)?)));
    steps.push(machine.fail(run, ErrorName::Internal.as_str(), Some(&"ä".repeat(2_001))).map_err(ContractError::from));
    steps
}

fn tells_the_whole_failure(machine: &Machine, call: &Call) -> Result<(), ContractError> {
    let Call::Notify(NotifyInput::Failure { incident, execution, state, cause, .. }) = call else { return Ok(()) };
    if execution != EXECUTION || !machine.states().contains_key(state) {
        return Err(ContractError::FailureWithoutPlace { execution: execution.clone(), state: state.clone() });
    }
    if incident.is_none() && state != "Classify" {
        return Err(ContractError::FailureWithoutIncident(state.clone()));
    }
    if cause.chars().count() > 2_000 {
        return Err(ContractError::LongCause(state.clone()));
    }
    Ok(())
}
