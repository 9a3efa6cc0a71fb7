//! Each check notices its fault: the definition is broken in one place at a time, and the check has to say so.

use cordon_tests::machine::Machine;
use serde_json::{Value, json};

use crate::{readme_faults, sample, shape, ways};

fn answers(machine: &Machine) -> Vec<String> {
    let classify = ways::astray(machine, "Classify", ways::of_classify());
    classify.into_iter().chain(ways::astray(machine, "Verify", ways::answers_to(ways::Asked::Verify))).collect()
}

fn walk(machine: &Machine) -> Vec<String> {
    ways::walk(machine).faults.into_iter().collect()
}

fn readme(machine: &Machine) -> Vec<String> {
    readme_faults(machine, &cordon_tests::repository::read("statemachine/README.md").unwrap_or_default())
}

fn retrier(error: &str) -> Value {
    json!({"ErrorEquals": [error], "IntervalSeconds": 1, "MaxAttempts": 1, "MaxDelaySeconds": 2, "JitterStrategy": "FULL"})
}

/// Where below the states, what stands there instead (`null`: nothing), and a part of what is said about it.
type Row = (&'static str, Value, &'static str);

pub fn notices<const N: usize>(check: fn(&Machine) -> Vec<String>, rows: [Row; N]) {
    let whole = sample();
    for (place, value, says) in rows {
        let mut definition = whole.definition.clone();
        set(&mut definition, place, value.clone());
        let faults = check(&Machine::new(definition));
        assert!(faults.iter().any(|fault| fault.contains(says)), "with {value} at {place} nobody says `{says}`, but: {faults:?}");
    }
}

fn set(definition: &mut Value, place: &str, value: Value) {
    let path = format!("/States/{place}");
    let (parent, key) = path.rsplit_once('/').unwrap();
    match definition.pointer_mut(parent).unwrap_or_else(|| panic!("`{parent}` is nowhere in the definition: correct this row")) {
        Value::Object(fields) if value.is_null() => {
            fields.remove(key);
        }
        Value::Object(fields) => {
            fields.insert(key.to_owned(), value);
        }
        Value::Array(items) if value.is_null() => {
            items.remove(key.parse().unwrap());
        }
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        other => panic!("`{parent}` holds nothing that could be changed: {other}"),
    }
}

#[test]
fn a_way_that_leads_nowhere_is_noticed() {
    notices(
        shape::ways,
        [
            ("Classified?/Choices/0/Next", json!("CheckExemptions"), "`CheckExemptions`, which is no state"),
            ("UnexpectedAnswer/Next", json!("Nowhere"), "`Nowhere`, which is no state"),
            ("Expire/Catch/0/Next", json!("Lost"), "`Lost`, which is no state"),
            ("Orphan", json!({"Type": "Succeed"}), "nothing leads to `Orphan`"),
            ("Settle/Next", Value::Null, "`Settle` must either be an end"),
        ],
    );
}

#[test]
fn a_field_of_the_other_query_language_is_noticed() {
    notices(shape::query_language, [("Verify/ResultPath", json!("$.x"), "`ResultPath`")]);
}

#[test]
fn a_timeout_that_is_missing_or_too_short_is_noticed() {
    notices(
        shape::timeouts,
        [
            ("Verify/TimeoutSeconds", Value::Null, "`Verify` needs `TimeoutSeconds`"),
            ("Verify/TimeoutSeconds", json!(59), "a retry could run beside it"),
            ("WaitForApproval/TimeoutSeconds", Value::Null, "`WaitForApproval` needs `TimeoutSeconds`"),
            ("WaitForApproval/TimeoutSeconds", json!(60), "`WaitForApproval` must wait"),
            ("WaitAfterEscalation/TimeoutSeconds", json!(4_711), "`${escalation_timeout_seconds}`"),
        ],
    );
}

#[test]
fn a_retry_that_is_missing_or_unwise_is_noticed() {
    notices(
        shape::retries,
        [
            ("Verify/Retry/0/JitterStrategy", json!("NONE"), "JitterStrategy"),
            ("Verify/Retry/0/MaxDelaySeconds", Value::Null, "MaxDelaySeconds"),
            ("Verify/Retry/0/MaxAttempts", json!(0), "MaxAttempts"),
            ("Verify/Retry/0/ErrorEquals/3", json!("Refused"), "`Verify` retries on `Refused`"),
            ("Verify/Retry/0/ErrorEquals/3", json!("Transiend"), "`Verify` does not retry on `Transient`"),
            ("Verify/Retry/0/ErrorEquals/0", json!("Transient"), "`Transient` twice"),
            ("Verify/Retry", Value::Null, "`Verify` does not retry"),
            ("WaitForApproval/Retry/2", retrier("States.Timeout"), "retries on its timeout"),
        ],
    );
}

#[test]
fn an_error_that_is_not_caught_or_not_recorded_is_noticed() {
    notices(
        shape::catchers,
        [
            ("Verify/Catch", Value::Null, "must end its `Catch` with `States.ALL`"),
            ("Verify/Catch/0/ErrorEquals", json!(["States.ALL", "Refused"]), "let it stand alone"),
            ("Verify/Retry/1", retrier("States.ALL"), "retries on `States.ALL`"),
            ("NotifyAlert/Catch/0/Next", json!("CloseAlerted"), "`NotifyAlert` must lead to `RecordFailure`"),
            ("NotifyActing/Catch/0/Next", json!("RecordFailure"), "`NotifyActing` must lead to `Remediate`"),
            ("WaitForApproval/Catch/0/Next", json!("RecordFailure"), "must lead to `Escalate`"),
            ("WaitAfterEscalation/Catch/0/Next", json!("Escalate"), "must lead to `Expire`"),
            ("Verify/Catch/0/Assign/failure/cause", Value::Null, "must assign `failure`"),
        ],
    );
}

#[test]
fn a_task_token_or_an_event_on_the_wrong_way_is_noticed() {
    notices(
        shape::secrets,
        [
            ("WaitForApproval/Output", json!("{% $states.context.Task.Token %}"), "the context holds the task token"),
            ("WaitForApproval/Assign", json!({"task_token": "{% $states.result %}"}), "names the task token in its `Assign`"),
            ("Remediate/Arguments/Payload/context", json!("{% $states.context %}"), "`Remediate` reads"),
            ("Remediate/Arguments/Payload/event", json!("{% $states.context.Execution.Input %}"), "`Remediate` reads"),
            ("CheckExceptions/Arguments/Payload/event", json!("{% $states.input %}"), "hands on its input"),
        ],
    );
}

#[test]
fn a_choice_that_tests_anything_but_a_tag_is_noticed() {
    notices(
        shape::choices,
        [
            ("Route?/Choices/0/Condition", json!("{% $contains($states.input.route, 'exempt') %}"), "must test a tag"),
            ("Route?/Choices/0/Condition", json!("{% $states.input.message = 'exempt' %}"), "must test a tag"),
            ("Route?/Choices/0/Condition", json!("{% $states.input.outcome = 'exempt' %}"), "must test one tag"),
            ("Route?/Choices/0/Condition", json!("{% $states.input.route = 'act' %}"), "asks for `act` twice"),
            ("Route?/Default", json!("NotifyAlert"), "`UnexpectedAnswer` as its `Default`"),
        ],
    );
}

#[test]
fn a_way_back_is_noticed() {
    notices(
        shape::loops,
        [
            ("Contained?/Choices/2/Next", json!("Remediate"), "leads back to itself"),
            ("Contained?/Choices/1/Next", json!("Settle"), "leads back to itself"),
            ("Escalated?/Choices/5/Next", json!("WaitForApproval"), "leads back to itself"),
            ("Decided?/Choices/5/Next", json!("WaitAfterEscalation"), "leads back to itself"),
        ],
    );
}

#[test]
fn an_answer_that_goes_astray_is_noticed() {
    notices(
        answers,
        [
            ("Classified?/Choices/3", Value::Null, "leads to `UnexpectedAnswer`, and should to `NotifyMerged`"),
            ("Contained?/Choices/1/Next", json!("CloseContained"), "should to `ClosePartial`"),
        ],
    );
}

#[test]
fn an_end_that_is_not_what_was_written_is_noticed() {
    notices(
        ways::closings,
        [
            ("CloseDenied/Arguments/Payload/outcome", json!("expired"), "must close the incident as `denied`"),
            ("CloseDenied/Arguments/Payload/outcome", json!("refused"), "cannot read"),
            ("CloseDenied/Next", json!("Expired"), "must lead to `Denied`"),
            ("CloseDenied/Output", json!("{% $states.result.Payload %}"), "as the output of the execution"),
            ("Duplicate/Type", json!("Fail"), "`Failed` alone"),
            ("Stopped", json!({"Type": "Succeed"}), "`Stopped` is an end of the machine or an outcome"),
        ],
    );
}

#[test]
fn a_payload_that_a_function_cannot_read_is_noticed() {
    notices(
        walk,
        [
            ("Verify/Arguments/Payload/action", json!("check"), "cannot read"),
            ("Verify/Arguments/Payload/incident", json!("{% $case %}"), "`$case`"),
            ("Verify/Arguments/Payload/incidnet", json!("x"), "\"incidnet\""),
            (
                "Verify/Arguments/FunctionName",
                json!("arn:aws:lambda:us-east-1:111111111111:function:cordon-notify:1"),
                "cannot read",
            ),
            ("Verify/Output", json!("{% $states.result.payload %}"), "yields nothing"),
            ("WaitForApproval/Output", json!("{% $states.result.Payload %}"), "yields nothing"),
            ("Route?/Choices/1", Value::Null, "`Route?` has no way for"),
            ("Classify/Assign", Value::Null, "`$incident`"),
            ("Classify/Catch/0/Assign/incident", Value::Null, "`$incident`"),
            ("Verify/Catch/0/ErrorEquals/0", json!("States.TaskFailed"), "does not catch"),
            ("Verify/Catch/0/Assign/failure/cause", json!("{% $states.errorOutput.Cause %}"), "yields nothing"),
            ("Verify/Catch/0/Assign/failure/cause", json!("{% '' & $states.errorOutput.Cause %}"), "cut the cause"),
            ("Verify/Catch/0/Assign/failure/state", json!("Elsewhere"), "must say the execution and the state"),
            ("Verify/Catch/0/Assign/incident", json!("{% null %}"), "must name the incident when `Verify`"),
        ],
    );
}

#[test]
fn a_page_that_tells_something_else_is_noticed() {
    notices(
        readme,
        [
            ("Renamed", json!({"Type": "Succeed"}), "does not tell of `Renamed`"),
            ("Settle", Value::Null, "names `Settle`, which is no state"),
            ("Sure?", json!({"Type": "Choice"}), "lacks the choice `Sure?`"),
            ("Verify/Retry/0/ErrorEquals/0", json!("Lambda.New"), "lacks `Lambda.New`"),
            ("Verify/Retry/0/ErrorEquals/3", json!("Transiend"), "lacks `Transiend`"),
        ],
    );
}
