//! The state machine's definition against the Rust types of `cordon-contract`.
//!
//! Neither the emulator nor a validator sees most of this: what JSONata hands a function, which answers a choice knows, what
//! becomes of an error. Here every way is walked, with values made from the types.

#![cfg(test)]

mod effort;
mod faults;
mod shape;
mod ways;

use std::collections::BTreeSet;

use cordon_contract::ErrorName;
use cordon_tests::machine::{self, Machine};
use cordon_tests::{repository, sentence, terraform};
use hcl::Expression;
use serde_json::json;
use ways::Asked;

/// The definition of a sample deployment.
fn sample() -> Machine {
    machine::sample().unwrap_or_else(|error| panic!("{}", sentence(&error)))
}

fn assert_none(faults: impl IntoIterator<Item = String>) {
    let faults: Vec<String> = faults.into_iter().collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn terraform_fills_in_every_placeholder_and_knows_no_other() {
    let module = terraform::parse("infra/modules/cordon/state_machine.tf").unwrap();
    let machine = terraform::block(&module, "resource", &["aws_sfn_state_machine", "incident_response"]).unwrap();
    let Some(Expression::FuncCall(call)) = terraform::attribute(machine.body(), "definition") else {
        panic!("state_machine.tf must fill in the definition with `templatefile`");
    };
    assert_eq!(call.name.name.as_str(), "templatefile");
    let Some(Expression::Object(given)) = call.args.get(1) else { panic!("`templatefile` gets an object of values") };
    let given: Vec<(String, String)> = given.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let names: BTreeSet<String> = given.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(
        names,
        machine::placeholders(&repository::read(machine::DEFINITION).unwrap()),
        "state_machine.tf, against the definition"
    );
    for (name, value) in given {
        if let Some(function) = name.strip_suffix("_arn") {
            let wanted = format!("local.published_arns[\"{}\"]", function.replace('_', "-"));
            assert_eq!(value, wanted, "`{name}` must be the published version of its function");
        }
    }
}

#[test]
fn every_way_leads_to_a_state_and_every_state_has_a_way_to_it() {
    assert_none(shape::ways(&sample()));
}

#[test]
fn no_state_uses_a_field_of_the_other_query_language() {
    assert_none(shape::query_language(&sample()));
}

#[test]
fn every_task_gives_up_in_time_but_never_while_its_function_may_still_run() {
    assert_none(shape::timeouts(&sample()));
}

#[test]
fn only_what_is_worth_another_try_is_retried_and_with_jitter() {
    assert_none(shape::retries(&sample()));
}

#[test]
fn every_error_is_caught_and_recorded_but_for_announcements_that_nothing_waits_for() {
    assert_none(shape::catchers(&sample()));
}

#[test]
fn the_task_token_goes_to_one_function_and_the_event_to_another_and_neither_anywhere_else() {
    assert_none(shape::secrets(&sample()));
}

#[test]
fn choices_test_the_tag_of_an_answer_and_nothing_else() {
    assert_none(shape::choices(&sample()));
}

#[test]
fn only_a_change_that_was_stripped_and_somebody_who_is_looking_lead_back() {
    assert_none(shape::loops(&sample()));
}

#[test]
fn every_answer_of_classify_goes_its_own_way() {
    assert_none(ways::astray(&sample(), "Classify", ways::of_classify()));
}

#[test]
fn every_route_goes_its_own_way() {
    assert_none(ways::astray(&sample(), "CheckExceptions", ways::of_check()));
}

#[test]
fn a_decision_goes_the_same_way_by_the_callback_and_by_every_time_out() {
    for state in ["WaitForApproval", "WaitAfterEscalation", "Expire"] {
        assert_none(ways::astray(&sample(), state, ways::of_wait()));
    }
    assert_none(ways::astray(&sample(), "Escalate", ways::of_escalate()));
}

#[test]
fn what_was_changed_is_always_verified_and_only_verify_decides_the_end() {
    assert_none(ways::astray(&sample(), "Remediate", ways::answers_to(Asked::Apply)));
    assert_none(ways::astray(&sample(), "Verify", ways::answers_to(Asked::Verify)));
}

#[test]
fn a_containment_that_goes_ahead_is_verified_and_asked_about_whether_it_holds_or_not() {
    let settle = ways::answers_with(
        Asked::Apply,
        [("applied", "SettleContainment"), ("partial", "SettleContainment"), ("stopped", "SettleContainment")],
    );
    assert_none(ways::astray(&sample(), "Contain", settle));
    let asked = ways::answers_with(
        Asked::Verify,
        [
            ("contained", "NotifyAsked"),
            ("partial", "NotifyAsked"),
            ("again", "SettleContainment"),
            ("stopped", "NotifyAsked"),
            ("held", "NotifyAsked"),
            ("resumed", "NotifyAsked"),
        ],
    );
    assert_none(ways::astray(&sample(), "VerifyContainment", asked));
}

#[test]
fn what_is_taken_back_ends_as_what_was_decided_and_what_is_not_as_partial() {
    assert_none(ways::astray(&sample(), "RevertDenied", ways::answers_to(Asked::Revert)));
    let expired = ways::answers_with(Asked::Revert, [("reverted", "CloseExpired")]);
    assert_none(ways::astray(&sample(), "RevertExpired", expired));
    assert_none(ways::astray(&sample(), "Undo", ways::answers_to(Asked::Undo)));
}

#[test]
fn every_outcome_is_written_by_a_state_of_its_own_and_ends_in_the_state_of_its_name() {
    assert_none(ways::closings(&sample()));
}

#[test]
fn on_every_way_through_the_machine_every_payload_is_one_that_its_function_can_read() {
    let machine = sample();
    let walk = ways::walk(&machine);
    assert_none(walk.faults);
    let all: BTreeSet<String> = machine.states().keys().cloned().collect();
    let missed: Vec<&String> = all.difference(&walk.visited).collect();
    assert_eq!(missed, ["UnexpectedAnswer"], "these states no answer and no error leads to");
}

#[test]
fn an_answer_that_nobody_knows_is_recorded_as_a_failure() {
    let machine = sample();
    let answer = json!({"outcome": "new", "route": "new", "decision": "new", "result": "new", "incident": ways::INCIDENT});
    for state in [
        "Classify",
        "CheckExceptions",
        "VerifyContainment",
        "WaitForApproval",
        "Escalate",
        "WaitAfterEscalation",
        "Expire",
        "RevertDenied",
        "RevertExpired",
        "Verify",
        "Undo",
    ] {
        let run = machine.past_choices(machine.succeed(&ways::before(state), &answer).unwrap()).unwrap();
        assert_eq!(run.state, "UnexpectedAnswer", "after `{state}`");
        let run = machine.go_on(&run).unwrap().unwrap();
        assert_eq!(run.state, "RecordFailure");
        let payload = machine.payload(&run).unwrap();
        assert_eq!(payload["incident"], ways::INCIDENT);
        assert_eq!(payload["state"], state, "the failure must name the state that answered");
        assert!(payload["cause"].as_str().unwrap().contains("new"), "the failure must quote the answer: {payload}");
        let end = machine.succeed(&run, &json!({"sns": "sent", "slack": "sent"})).unwrap();
        assert_eq!(end.state, "Failed");
    }
}

#[test]
fn each_function_decodes_the_type_that_these_tests_take_for_its_own() {
    for (function, input) in ways::INPUTS {
        let main = repository::read(&format!("functions/{function}/src/main.rs")).unwrap();
        assert!(
            main.contains(&format!("input: {input}|")),
            "`{function}` does not take `{input}`: change INPUTS in tests/contract/ways.rs"
        );
    }
}

#[test]
fn the_readme_tells_of_every_state_what_it_calls_and_of_every_error_what_happens() {
    assert_none(readme_faults(&sample(), &repository::read("statemachine/README.md").unwrap()));
}

/// What the page does not tell, or tells wrongly.
fn readme_faults(machine: &Machine, page: &str) -> Vec<String> {
    let section = |title: &str| page.split_once(title).map_or("", |(_, rest)| rest.split("\n## ").next().unwrap_or_default());
    let quoted = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let states = section("\n## States\n");
    let mut faults = Vec::new();
    let mut told = BTreeSet::new();
    for row in states.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        for name in quoted(cells[1]) {
            let meant = |state: &&String| name.strip_suffix('…').map_or(**state == name, |start| state.starts_with(start));
            let found: Vec<&String> = machine.states().keys().filter(meant).collect();
            if found.is_empty() {
                faults.push(format!("the table of statemachine/README.md names `{name}`, which is no state"));
            }
            for state in found {
                let function = machine.function(&machine.states()[state]).unwrap_or_else(|| "–".to_owned());
                if !cells[2].starts_with(&function) && cells[2] != "the same" {
                    faults.push(format!(
                        "`{state}` calls `{function}`, and the table of statemachine/README.md says `{}`",
                        cells[2]
                    ));
                }
                told.insert(state.clone());
            }
        }
    }
    told.extend(quoted(states.rsplit("\n\n").find(|text| text.starts_with("An execution ends")).unwrap_or_default()));
    let untold = machine.states().iter().filter(|(name, state)| state["Type"] != "Choice" && !told.contains(*name));
    faults.extend(
        untold.map(|(name, _)| format!("the section `States` of statemachine/README.md does not tell of `{name}`: add it")),
    );
    let choices = machine.of_type("Choice").filter(|(name, _)| !page.contains(name));
    faults.extend(choices.map(|(name, _)| format!("the picture in statemachine/README.md lacks the choice `{name}`")));
    faults.extend(errors_told_wrongly(machine, section("\n## Errors\n")));
    faults
}

fn errors_told_wrongly(machine: &Machine, section: &str) -> Vec<String> {
    let retriers = machine.of_type("Task").flat_map(|(_, task)| task["Retry"].as_array().into_iter().flatten());
    let names = retriers.flat_map(|retrier| retrier["ErrorEquals"].as_array().into_iter().flatten());
    let retried: BTreeSet<&str> = names.filter_map(|name| name.as_str()).collect();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.split('|').next());
    let told: BTreeSet<&str> = rows.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    let untold =
        retried.difference(&told).map(|name| format!("the table of errors in statemachine/README.md lacks `{name}`: add it"));
    let is_ours = |name: &&&str| ErrorName::ALL.iter().any(|ours| ours.as_str() == **name);
    let unknown = told.difference(&retried).filter(|name| !is_ours(name));
    let unknown = unknown.map(|name| {
        format!("the table of errors in statemachine/README.md names `{name}`, which nothing fails with: take it out")
    });
    untold.chain(unknown).collect()
}
