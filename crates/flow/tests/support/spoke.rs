//! An organisation with two accounts: one of the attacker's, and somebody else's.

use cordon_contract::{CheckInput, ClassifyInput, ClassifyOutput};
use cordon_core::incident::Incident;
use cordon_core::{IncidentId, Route};
use cordon_flow::classify::{Classify, Rules};
use cordon_testkit::{FakeIam, run};
use serde_json::{Value, json};

use super::{ADMIN_POLICY, CONFIG, World};

/// The attacker's own account. [`super::ACCOUNT`] is somebody else's.
pub const SPOKE: &str = "222222222222";
pub const HUB: &str = "999999999999";
pub const FORWARDER: &str = "arn:aws:iam::222222222222:role/cordon-forwarder";

/// Everything that can act does so at once.
pub const AUTO: &str = "[gates]\nauto = [\"admin-attached\", \"iam-write\", \"undoing\", \"identity-calls-probed\", \
     \"guardduty-credentials-stolen\"]\n";

pub fn world() -> World {
    World::with(&format!("{CONFIG}\n{AUTO}"))
}

/// The attacker's account has an IAM of its own, in which the same names exist.
pub fn with_spoke(world: &World) -> FakeIam {
    let iam = FakeIam::new(SPOKE.parse().unwrap());
    let namesake = iam.add_user("iam-test-mallory");
    iam.attach(&namesake, ADMIN_POLICY);
    world.accounts.others.lock().unwrap().insert(SPOKE.to_owned(), iam.clone());
    iam
}

pub fn output(world: &World, rules: &dyn Rules, event: Value) -> ClassifyOutput {
    let execution = format!("x-{}", event["detail"]["eventID"].as_str().or(event["id"].as_str()).unwrap());
    run(Classify { rules, ..world.classify() }.run(ClassifyInput { event, execution })).unwrap()
}

#[track_caller]
pub fn opened(output: ClassifyOutput) -> IncidentId {
    let ClassifyOutput::Opened { incident } = output else { panic!("not an incident of its own: {output:?}") };
    incident
}

pub fn checked(world: &World, incident: &IncidentId) -> (Route, Incident) {
    let route = run(world.check().run(CheckInput { incident: incident.clone() })).unwrap().route;
    (route, world.stored(incident))
}

/// As the spoke's own trail has it: AWS wrote it, and the spoke's administrator arranged for it.
pub fn seen_in_spoke(mut event: Value) -> Value {
    event["account"] = json!(SPOKE);
    event["detail"]["recipientAccountId"] = json!(SPOKE);
    event
}
