//! How hard the state machine tries, and how many transitions each outcome costs.

use std::collections::{BTreeMap, BTreeSet};

use cordon_tests::machine::{Machine, Run};
use cordon_tests::{repository, sentence};
use serde_json::{Map, Value, json};

use crate::shape::{DIED, TIMEOUT, items};
use crate::ways::INCIDENT;
use crate::{assert_none, sample};

const THROTTLED: &str = "Lambda.TooManyRequestsException";
/// A burst that takes all of an account's concurrency lasts minutes.
const OUTLASTS_SECONDS: f64 = 120.0;
/// Where a state is that keeps failing, people have to be told before long.
const GIVES_UP_SECONDS: f64 = 600.0;

/// How a task meets an error: its tries and the pauses between them, in seconds, at the longest.
fn pauses(task: &Value, error: &str) -> Vec<f64> {
    let retriers = || items(task, "Retry");
    let Some(retrier) = retriers().find(|retrier| items(retrier, "ErrorEquals").any(|name| name == error)) else {
        return Vec::new();
    };
    let number = |field: &str| retrier[field].as_f64().unwrap_or_default();
    let tries = retrier["MaxAttempts"].as_u64().unwrap_or_default();
    let pause = |pause: &f64| Some((pause * number("BackoffRate")).min(number("MaxDelaySeconds")));
    std::iter::successors(Some(number("IntervalSeconds")), pause).take(usize::try_from(tries).unwrap_or_default()).collect()
}

/// With full jitter a pause is half as long on average.
fn on_average(pauses: &[f64]) -> f64 {
    pauses.iter().sum::<f64>() / 2.0
}

/// Errors after which a task is to be tried for minutes, and is not.
pub fn patience(machine: &Machine) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, task) in machine.of_type("Task") {
        let throttle = pauses(task, THROTTLED);
        // The time-out of a question is its answer.
        let deaths = DIED.iter().copied().filter(|error| !(*error == TIMEOUT && Machine::waits_for_a_token(task)));
        for error in deaths.chain([THROTTLED, "Lambda.ServiceException", "Transient"]) {
            let pauses = pauses(task, error);
            if pauses.len() < throttle.len() {
                faults.push(format!(
                    "`{name}` tries {} times after `{error}`, and {} after a throttle",
                    pauses.len(),
                    throttle.len()
                ));
            }
            let average = on_average(&pauses);
            if !(OUTLASTS_SECONDS..=GIVES_UP_SECONDS).contains(&average) {
                faults.push(format!("`{name}` gives up {average} s after `{error}`, and should after minutes"));
            }
            if !pauses.is_sorted() || pauses.first() >= pauses.last() {
                faults.push(format!("`{name}` does not pause longer each time after `{error}`"));
            }
        }
        let own = |error: &str| items(task, "Retry").find(|retrier| items(retrier, "ErrorEquals").any(|name| name == error));
        if own(THROTTLED) == own("Lambda.Unknown") || own(THROTTLED) == own("Transient") {
            faults.push(format!("`{name}` counts throttles with other errors, so that a burst uses up their tries"));
        }
    }
    faults
}

#[test]
fn attack_27_a_function_that_dies_gets_as_many_tries_as_a_throttle_and_both_are_outlasted_for_minutes() {
    assert_none(patience(&sample()));
}

#[test]
fn a_task_that_gives_up_too_soon_is_noticed() {
    crate::faults::notices(
        patience,
        [
            ("Verify/Retry/2/MaxAttempts", json!(1), "`Verify` tries 1 times after `Lambda.Unknown`"),
            ("Verify/Retry/1/MaxAttempts", json!(4), "s after `Lambda.TooManyRequestsException`"),
            ("Verify/Retry/2/BackoffRate", json!(1), "does not pause longer each time after `Lambda.Unknown`"),
            ("Verify/Retry/1", Value::Null, "does not pause longer each time after `Lambda.TooManyRequestsException`"),
            ("Verify/Retry/0/MaxDelaySeconds", json!(900), "should after minutes"),
        ],
    );
}

/// What a task comes to.
enum Answer {
    Gives(Value),
    Fails(&'static str),
}

/// The usual way to each end, by what each function answers; nothing is retried on it.
fn usual_ways() -> Vec<(&'static str, Vec<Answer>)> {
    use Answer::{Fails, Gives};
    let classified = |outcome: &str| Gives(json!({"outcome": outcome, "incident": INCIDENT}));
    let opened = || classified("opened");
    let route = |route: &str| Gives(json!({"route": route}));
    let told = || Gives(json!({"sns": "sent", "slack": "sent"}));
    let decision = |decision: &str| Gives(json!({"decision": decision, "by": "U0A"}));
    let result = |result: &str| Gives(json!({"result": result}));
    vec![
        ("Ignored", vec![Gives(json!({"outcome": "ignored"}))]),
        ("Duplicate", vec![classified("duplicate")]),
        ("Merged", vec![classified("merged"), told()]),
        ("NeedsPerson", vec![classified("needs_person"), told(), told()]),
        ("Exempt", vec![opened(), route("exempt"), told(), told()]),
        ("Alerted", vec![opened(), route("alert"), told(), told()]),
        ("Denied", vec![opened(), route("ask"), told(), decision("denied"), told()]),
        (
            "Expired",
            vec![
                opened(),
                route("ask"),
                told(),
                Fails(TIMEOUT),
                decision("escalate"),
                told(),
                Fails(TIMEOUT),
                decision("expired"),
                told(),
            ],
        ),
        ("Contained", vec![opened(), route("ask"), told(), decision("approved"), result("applied"), result("contained"), told()]),
        ("Partial", vec![opened(), route("ask"), told(), decision("approved"), result("partial"), result("partial"), told()]),
        ("Failed", vec![Fails("BadConfig"), told()]),
        ("Undone", vec![classified("undo"), result("undone"), told()]),
        ("UndoRefused", vec![classified("undo"), result("undo_refused"), told()]),
        ("CardShown", vec![classified("voted"), told()]),
    ]
}

/// The end of a way, and the states that were entered: Step Functions counts a transition each time a step is executed.
fn transitions(machine: &Machine, answers: Vec<Answer>) -> (String, usize) {
    let mut answers = answers.into_iter();
    let mut run = Run { state: machine.start().to_owned(), input: json!({"detail": {"eventID": "e"}}), variables: Map::new() };
    let mut entered = 1;
    loop {
        let is_task = machine.states().get(&run.state).is_some_and(|state| state["Type"] == "Task");
        let next = match is_task.then(|| answers.next()) {
            None => machine.go_on(&run),
            Some(Some(Answer::Gives(answer))) => machine.succeed(&run, &answer).map(Some),
            Some(Some(Answer::Fails(error))) => machine.fail(&run, error, Some("sample")).map(Some),
            Some(None) => panic!("`{}` needs one more answer", run.state),
        };
        match next.unwrap_or_else(|error| panic!("{}", sentence(&error))) {
            Some(next) => run = next,
            None => break,
        }
        entered += 1;
    }
    assert_eq!(answers.count(), 0, "`{}` was reached with answers to spare", run.state);
    (run.state, entered)
}

/// The rows of the page's table: the end and its transitions.
fn told_by_the_page(page: &str) -> BTreeMap<String, usize> {
    let section = page.split_once("\n## Transitions\n").map_or("", |(_, rest)| rest.split("\n## ").next().unwrap_or_default());
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| Some((row.split('`').next()?.to_owned(), row.split('|').nth(1)?.trim().parse().ok()?))).collect()
}

#[test]
fn attack_28_the_page_tells_the_transitions_of_every_outcome_and_an_ignored_event_costs_three() {
    let machine = sample();
    let counted: BTreeMap<String, usize> = usual_ways()
        .into_iter()
        .map(|(end, answers)| {
            let (reached, entered) = transitions(&machine, answers);
            assert_eq!(reached, end);
            (reached, entered)
        })
        .collect();
    let ends: BTreeSet<String> =
        machine.of_type("Succeed").chain(machine.of_type("Fail")).map(|(name, _)| name.to_owned()).collect();
    assert_eq!(counted.keys().cloned().collect::<BTreeSet<_>>(), ends, "every end has its usual way");
    assert_eq!(told_by_the_page(&repository::read("statemachine/README.md").unwrap()), counted, "statemachine/README.md");
    assert_eq!(counted["Ignored"], 3);
    assert_eq!(counted["Duplicate"], 3);
}

#[test]
fn attack_26_what_was_approved_while_enforcement_is_stopped_waits_and_goes_back_to_remediate() {
    let machine = sample();
    let step = |run: &Run, answer: Value| {
        let next = machine.succeed(run, &answer).and_then(|run| machine.past_choices(run));
        next.unwrap_or_else(|error| panic!("{}", sentence(&error)))
    };
    let told = step(&crate::ways::before("Verify"), json!({"result": "stopped", "wait_seconds": 60}));
    assert_eq!((told.state.as_str(), &told.variables["held_seconds"]), ("NotifyHeld", &json!(60)));
    let held = step(&told, json!({"sns": "sent", "slack": "sent"}));
    assert_eq!((held.state.as_str(), &machine.states()["Held"]["Seconds"]), ("Held", &json!("{% $held_seconds %}")));
    let looks = machine.go_on(&held).unwrap_or_else(|error| panic!("{}", sentence(&error))).expect("a wait goes on");
    assert_eq!(looks.state, "Verify");
    let on = step(&looks, json!({"result": "held", "wait_seconds": 3_600}));
    assert_eq!((on.state.as_str(), &on.variables["held_seconds"]), ("Held", &json!(3_600)), "told once");
    assert_eq!(step(&looks, json!({"result": "resumed"})).state, "Remediate");
}
