//! Attacks with events that anybody may send: they neither complete nor take over what AWS's own events say.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::{CheckInput, ClassifyInput, ClassifyOutput};
use cordon_core::{Origin, Route};
use cordon_flow::classify::Classify;
use cordon_testkit::run;
use serde_json::{Value, json};
use support::shipped::shipped;
use support::{World, attach, event};

/// Eight calls, which together are a burst of refused ones.
const CALLS: [&str; 8] =
    ["GetUser", "ListUsers", "CreateUser", "ListRoles", "CreateRole", "ListPolicies", "CreatePolicy", "ListGroups"];

fn refused(id: &str, call: &str) -> Value {
    let mut event = event(id, call, json!({}));
    event["detail"]["errorCode"] = json!("AccessDenied");
    event
}

/// As a partner of AWS could send it, whose sources begin with `aws.` too.
fn forged(mut event: Value) -> Value {
    event["source"] = json!("aws.partner/example.com/iam");
    event
}

fn classified(world: &World, event: Value) -> ClassifyOutput {
    let execution = format!("x-{}-{}", event["source"], event["detail"]["eventID"]);
    run(Classify { rules: shipped(), ..world.classify() }.run(ClassifyInput { event, execution })).unwrap()
}

#[test]
fn attack_forged_refusals_do_not_make_one_true_refusal_a_burst() {
    let world = World::new();
    for (n, call) in CALLS.iter().enumerate().skip(1) {
        classified(&world, forged(refused(&format!("forged{n}"), call)));
    }
    assert_eq!(classified(&world, refused("true", CALLS[0])), ClassifyOutput::Ignored);
}

#[test]
fn attack_a_forged_burst_does_not_take_a_true_one_in() {
    let world = World::new();
    for (n, call) in CALLS.iter().enumerate() {
        classified(&world, forged(refused(&format!("forged{n}"), call)));
    }
    let mut opened = None;
    for (n, call) in CALLS.iter().enumerate() {
        if let ClassifyOutput::Opened { incident } = classified(&world, refused(&format!("true{n}"), call)) {
            opened = Some(incident);
        }
    }
    let opened = opened.unwrap();
    assert_eq!(world.stored(&opened).event.origin, Origin::Aws);
    assert_eq!(run(world.check().run(CheckInput { incident: opened })).unwrap().route, Route::Ask);
}

#[test]
fn attack_a_forged_event_does_not_claim_the_id_of_a_true_one() {
    let world = World::new();
    let mut first = forged(attach("e"));
    first["detail"]["sharedEventID"] = json!("shared");
    assert!(matches!(world.classified(first, "forged"), ClassifyOutput::Opened { .. }));
    let mut second = attach("e");
    second["detail"]["sharedEventID"] = json!("shared");
    let ClassifyOutput::Opened { incident } = world.classified(second, "true") else { panic!("the true one is lost") };
    assert_eq!(world.stored(&incident).event.origin, Origin::Aws);
}
