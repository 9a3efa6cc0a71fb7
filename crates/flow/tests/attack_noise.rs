//! Attacks on attention: many mild incidents, so that a grave one is only counted in a message that stands for many.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::{ClassifyInput, ClassifyOutput, Delivery, NotifyInput, WaitInput};
use cordon_core::{Detection, IncidentId, Level};
use cordon_detect::enrich::Documents;
use cordon_flow::classify::{Classify, Rules};
use cordon_testkit::run;
use serde_json::{Value, json};
use support::{CONFIG, FakeRules, World, event};

/// The rules of the other tests, at another level.
struct At(Level);

impl Rules for At {
    fn evaluate(&self, record: &Value, facts: &Documents) -> Vec<Detection> {
        FakeRules.evaluate(record, facts).into_iter().map(|detection| Detection { level: self.0, ..detection }).collect()
    }
}

fn opened(world: &World, id: &str, level: Level) -> IncidentId {
    let event = event(id, "CreateUser", json!({"userName": id}));
    let classify = Classify { rules: &At(level), ..world.classify() };
    let output = run(classify.run(ClassifyInput { event, execution: id.to_owned() })).unwrap();
    let ClassifyOutput::Opened { incident } = output else { panic!("{output:?}") };
    incident
}

fn world() -> World {
    World::with(&format!("{CONFIG}\n[notifications]\ncards_per_minute = 3\nquestions_per_minute = 3\n"))
}

#[test]
fn attack_mild_alerts_do_not_bury_a_grave_one() {
    let world = world();
    let alert =
        |id: &str, level| run(world.notify().run(NotifyInput::Alert { incident: opened(&world, id, level) })).unwrap().slack;
    let mild: Vec<Delivery> = (0..6).map(|n| alert(&format!("mild{n}"), Level::Medium)).collect();
    assert_eq!(mild[5], Delivery::Summarised, "{mild:?}");
    assert_eq!(alert("grave", Level::Critical), Delivery::Sent);
}

#[test]
fn attack_mild_questions_do_not_take_the_buttons_from_a_grave_one() {
    let world = world();
    let asked = |id: &str, level| {
        let incident = opened(&world, id, level);
        let ask = WaitInput::Ask { incident: incident.clone(), task_token: format!("t-{id}"), timeout_seconds: 600, last: true };
        run(world.wait().run(ask)).unwrap();
        world.stored(&incident).delivery.slack.is_some()
    };
    let mild: Vec<bool> = (0..6).map(|n| asked(&format!("mild{n}"), Level::Medium)).collect();
    assert!(!mild[5], "{mild:?}");
    assert!(asked("grave", Level::High));
}
