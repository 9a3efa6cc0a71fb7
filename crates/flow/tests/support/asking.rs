//! A question, put and answered: the steps that the tests on approval share.

use cordon_contract::{ErrorName, NotifyInput, RemediateInput, RemediateOutput, WaitInput, WaitOutput};
use cordon_core::{IncidentId, Outcome, Principal, PrincipalKind, Route};
use cordon_flow::approver::Voter;
use cordon_flow::decide::{Answer, Choice};
use cordon_testkit::run;
use serde_json::Value;

use super::{ACCOUNT, APPROVER, CONFIG, World, attach};

pub const SECOND: &str = "U0SECOND";
pub const TWO: &str = "[approval.quorum]\nhigh = 2\n";
pub const AHEAD: &str = "[gates]\ncontain_then_ask = [\"admin-attached\"]\n";

pub fn with(extra: &str) -> World {
    World::with(&format!("{CONFIG}\n{extra}"))
}

pub fn mallory() -> Principal {
    Principal::new(PrincipalKind::User, ACCOUNT.parse().unwrap(), "iam-test-mallory")
}

pub fn ask(world: &World, incident: &IncidentId, token: &str, last: bool) {
    let ask = WaitInput::Ask { incident: incident.clone(), task_token: token.to_owned(), timeout_seconds: 600, last };
    assert_eq!(run(world.wait().run(ask)).unwrap(), None);
}

pub fn asked(world: &World) -> IncidentId {
    let (incident, route) = world.checked(attach("e"));
    assert_eq!(route, Route::Ask);
    ask(world, &incident, "token-1", false);
    incident
}

/// The same at the last deadline.
pub fn asked_last(world: &World) -> IncidentId {
    let (incident, route) = world.checked(attach("e"));
    assert_eq!(route, Route::Ask);
    ask(world, &incident, "token-1", true);
    incident
}

pub fn say(world: &World, incident: &IncidentId, voter: Voter<'_>, choice: Choice, reason: Option<&str>) -> Answer {
    run(world.decide().run(incident, voter, choice, reason)).unwrap()
}

pub fn click(world: &World, incident: &IncidentId, user: &str, choice: Choice) -> Answer {
    say(world, incident, Voter::Slack(user), choice, None)
}

pub fn escalate(world: &World, incident: &IncidentId) -> WaitOutput {
    run(world.wait().run(WaitInput::Escalate { incident: incident.clone(), escalate: true })).unwrap().unwrap()
}

pub fn expire(world: &World, incident: &IncidentId) -> WaitOutput {
    run(world.wait().run(WaitInput::Expire { incident: incident.clone(), expire: true })).unwrap().unwrap()
}

pub fn completed(world: &World) -> Vec<(String, Value)> {
    world.heard.completed.lock().unwrap().clone()
}

pub fn remediate(world: &World, input: RemediateInput) -> Result<RemediateOutput, ErrorName> {
    run(world.remediate().run(input)).map_err(|error| error.name)
}

pub fn apply(world: &World, incident: &IncidentId) -> Result<RemediateOutput, ErrorName> {
    remediate(world, RemediateInput::Apply { incident: incident.clone() })
}

pub fn verify(world: &World, incident: &IncidentId) -> Result<RemediateOutput, ErrorName> {
    remediate(world, RemediateInput::Verify { incident: incident.clone() })
}

pub fn revert(world: &World, incident: &IncidentId) -> Result<RemediateOutput, ErrorName> {
    remediate(world, RemediateInput::Revert { incident: incident.clone() })
}

pub fn close(world: &World, incident: &IncidentId, outcome: Outcome) {
    run(world.notify().run(NotifyInput::Outcome { incident: incident.clone(), outcome })).unwrap();
}

/// Contained, and closed.
pub fn contained(world: &World) -> IncidentId {
    let incident = asked(world);
    click(world, &incident, APPROVER, Choice::Approve);
    apply(world, &incident).unwrap();
    assert_eq!(verify(world, &incident), Ok(RemediateOutput::Contained));
    close(world, &incident, Outcome::Contained);
    incident
}
