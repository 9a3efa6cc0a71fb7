//! Attacks with a harmless event before the harmful one: what people say to the first is no answer to the second.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::{ClassifyInput, ClassifyOutput};
use cordon_core::{Detection, Level, Response};
use cordon_detect::enrich::Documents;
use cordon_flow::classify::{Classify, Rules};
use cordon_testkit::run;
use serde_json::{Value, json};
use support::shipped::shipped;
use support::{FakeRules, World, attach, event};

fn classified(world: &World, rules: &dyn Rules, event: Value) -> ClassifyOutput {
    let execution = event["detail"]["eventID"].to_string();
    run(Classify { rules, ..world.classify() }.run(ClassifyInput { event, execution })).unwrap()
}

#[test]
fn attack_a_second_call_with_other_parameters_does_not_hide_behind_a_harmless_first_one() {
    let saml = "arn:aws:iam::111111111111:saml-provider/";
    for (call, first, second) in [
        (
            "UpdateSAMLProvider",
            json!({"sAMLProviderArn": format!("{saml}a"), "sAMLMetadataDocument": "honest"}),
            json!({"sAMLProviderArn": format!("{saml}a"), "sAMLMetadataDocument": "mallory's"}),
        ),
        (
            "AddClientIDToOpenIDConnectProvider",
            json!({"openIDConnectProviderArn": "a", "clientID": "x"}),
            json!({"openIDConnectProviderArn": "b", "clientID": "y"}),
        ),
        (
            "UpdateRole",
            json!({"roleName": "r", "maxSessionDuration": 3600}),
            json!({"roleName": "r", "maxSessionDuration": 43200}),
        ),
    ] {
        let world = World::new();
        let opened = classified(&world, shipped(), event("e1", call, first.clone()));
        assert!(matches!(opened, ClassifyOutput::Opened { .. }), "{call}: {opened:?}");
        let same = classified(&world, shipped(), event("e2", call, first));
        assert!(matches!(same, ClassifyOutput::Merged { .. }), "{call}: the very same call joins: {same:?}");
        let other = classified(&world, shipped(), event("e3", call, second));
        assert!(matches!(other, ClassifyOutput::Opened { .. }), "{call}: {other:?}");
    }
}

/// A rule about what a call looks like in the caller's account, which only alerts, and one about the account that it took effect in.
struct ByAccount;

impl Rules for ByAccount {
    fn evaluate(&self, record: &Value, facts: &Documents) -> Vec<Detection> {
        let mut found = FakeRules.evaluate(record, facts);
        if record["recipientAccountId"] == json!("222222222222") {
            for detection in &mut found {
                detection.rule = "seen-by-the-caller".parse().unwrap();
                detection.level = Level::Low;
                detection.response = None::<Response>;
            }
        }
        found
    }
}

#[test]
fn attack_the_record_of_the_callers_account_does_not_take_in_the_graver_one_of_the_other_account() {
    let world = World::new();
    let mut first = attach("e1");
    first["account"] = json!("222222222222");
    first["detail"]["recipientAccountId"] = json!("222222222222");
    first["detail"]["sharedEventID"] = json!("shared");
    let ClassifyOutput::Opened { incident } = classified(&world, &ByAccount, first.clone()) else { panic!("not opened") };
    let mut second = attach("e2");
    second["detail"]["sharedEventID"] = json!("shared");
    let graver = classified(&world, &ByAccount, second.clone());
    assert!(matches!(graver, ClassifyOutput::Opened { .. }), "{graver:?}");
    // A retry finds what it opened, and another record that says no more joins.
    assert_eq!(classified(&world, &ByAccount, second), graver);
    first["detail"]["eventID"] = json!("e3");
    assert_eq!(classified(&world, &ByAccount, first), ClassifyOutput::Merged { incident });
}
