//! The state machine as far as tests need it: who calls, how often a state runs again, and an automatic incident's way.

use cordon_contract::{ErrorName, NotifyInput, RemediateInput, RemediateOutput, StateError};
use cordon_core::{IncidentId, Outcome};
use cordon_testkit::run;
use serde_json::{Value, json};

use super::{ACCOUNT, World};

impl World {
    /// Runs a state as the state machine does: again, as often as its definition says, where it answers `Transient`.
    pub fn retried<T>(&self, state: impl Fn(&Self) -> Result<T, StateError>) -> Result<T, StateError> {
        let mut left = transient_retries();
        loop {
            match state(self) {
                Err(error) if error.name == ErrorName::Transient && left > 0 => left -= 1,
                result => return result,
            }
        }
    }

    /// An automatic incident from the check to its end.
    pub fn carried_out(&self, incident: &IncidentId) -> Outcome {
        let id = || incident.clone();
        self.retried(|world| run(world.notify().run(NotifyInput::Acting { incident: id() }))).unwrap();
        self.retried(|world| run(world.remediate().run(RemediateInput::Apply { incident: id() }))).unwrap();
        let verified = self.retried(|world| run(world.remediate().run(RemediateInput::Verify { incident: id() }))).unwrap();
        let outcome = if verified == RemediateOutput::Contained { Outcome::Contained } else { Outcome::Partial };
        self.retried(|world| run(world.notify().run(NotifyInput::Outcome { incident: id(), outcome }))).unwrap();
        outcome
    }
}

/// How often the deployed state machine runs a state again that answered `Transient`: the same in every state, with jitter.
pub fn transient_retries() -> u64 {
    // Terraform fills its template in; what it puts there does not matter here.
    let mut pieces = include_str!("../../../../statemachine/incident-response.asl.json").split("${");
    let mut definition = pieces.next().unwrap().to_owned();
    for piece in pieces {
        definition.push('1');
        definition.push_str(piece.split_once('}').unwrap().1);
    }
    let machine: Value = serde_json::from_str(&definition).unwrap();
    let states = machine["States"].as_object().unwrap().values().filter(|state| state["Type"] == "Task");
    let retries: Vec<u64> = states
        .map(|state| {
            let retriers = state["Retry"].as_array().unwrap();
            let on_transient = |retrier: &&Value| retrier["ErrorEquals"].as_array().unwrap().contains(&json!("Transient"));
            let retrier = retriers.iter().find(on_transient).unwrap();
            assert_eq!(retrier["JitterStrategy"], "FULL");
            retrier["MaxAttempts"].as_u64().unwrap()
        })
        .collect();
    assert!(retries.iter().all(|other| *other == retries[0]), "{retries:?}");
    retries[0]
}

/// A user makes the call.
pub fn by(user: &str, mut event: Value) -> Value {
    event["detail"]["userIdentity"]["userName"] = json!(user);
    event["detail"]["userIdentity"]["arn"] = json!(format!("arn:aws:iam::{ACCOUNT}:user/{user}"));
    event
}

/// A session of a role makes the call.
pub fn by_role(role: &str, session: &str, mut event: Value) -> Value {
    event["detail"]["userIdentity"] = json!({"type": "AssumedRole", "accountId": ACCOUNT,
        "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}"),
        "sessionContext": {"sessionIssuer": {"type": "Role", "userName": role, "arn": format!("arn:aws:iam::{ACCOUNT}:role/{role}")}}});
    event
}

/// The call was made at another time than [`event`] says.
pub fn made_at(time: &str, mut event: Value) -> Value {
    event["detail"]["eventTime"] = json!(time);
    event
}
