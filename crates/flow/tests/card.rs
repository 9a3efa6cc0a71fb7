//! The card shows what was found, and says what could not be read.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_contract::WaitInput;
use cordon_respond::{IamErrorKind, KeyLastUse};
use cordon_testkit::fake_iam::Key;
use cordon_testkit::faults::{Failure, When};
use cordon_testkit::run;
use serde_json::json;
use support::{World, attach, event};

fn card(world: &World, given: serde_json::Value) -> String {
    let (incident, _) = world.checked(given);
    let ask = WaitInput::Ask { incident, task_token: "token".to_owned(), timeout_seconds: 600, last: true };
    run(world.wait().run(ask)).unwrap();
    world.heard.posts.lock().unwrap()[0].to_value().to_string()
}

fn mallory() -> cordon_core::Principal {
    cordon_core::Principal::new(cordon_core::PrincipalKind::User, support::ACCOUNT.parse().unwrap(), "iam-test-mallory")
}

#[test]
fn a_card_names_the_dangerous_statement_and_what_the_subjects_credentials_reach() {
    let world = World::new();
    world.iam.join(&mallory(), "developers");
    world.iam.change(&mallory(), |entity| {
        let at = "2026-01-02T03:03:58Z".parse().unwrap();
        let last = KeyLastUse { at, service: Some("iam".to_owned()), region: Some("us-east-1".to_owned()) };
        entity.keys.insert("AKIAIOSFODNN7EXAMPLE".to_owned(), Key { active: true, created_at: at, last_used: Some(last) });
        entity.keys.insert("AKIAI44QH8DHBEXAMPLE".to_owned(), Key { active: false, created_at: at, last_used: None });
    });
    let card = card(&world, attach("0a1b-2c3d"));
    for part in [
        r#"The policy's dangerous statement*\n`{\"Action\":\"*\",\"Effect\":\"Allow\",\"Resource\":\"*\"}`"#,
        "Access key `AKIAIOSFODNN7EXAMPLE`: active, last reported use at `2026-01-02 03:03:58 UTC` for `iam` in `us-east-1`.",
        "Access key `AKIAI44QH8DHBEXAMPLE`: inactive, no use reported yet (AWS reports it hours late).",
        "`arn:aws:iam::aws:policy/AdministratorAccess`.",
        "Groups: `developers`.",
        "https://us-east-1.console.aws.amazon.com/cloudtrailv2/home?region=us-east-1#/events/0a1b-2c3d|Open the event in CloudTrail",
        "seen 5.0 s later",
    ] {
        assert!(card.contains(part), "{part}\nis not in\n{card}");
    }
}

#[test]
fn a_statement_is_picked_out_of_the_document_that_the_call_carries() {
    let world = World::new();
    let document = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"},
        {"Effect": "Allow", "Action": "iam:*", "Resource": "*"}]});
    let parameters = json!({"userName": "iam-test-mallory", "policyName": "x", "policyDocument": document.to_string()});
    let mut given = event("e", "AttachUserPolicy", parameters);
    given["detail"]["requestParameters"]["policyArn"] = json!(support::ADMIN_POLICY);
    world.checked(given);
    let incident = world.table.keys().into_iter().find(|key| key.ends_with("/HEAD")).unwrap();
    let id = incident.trim_start_matches("INCIDENT#").trim_end_matches("/HEAD").parse().unwrap();
    assert_eq!(world.stored(&id).statements, [r#"{"Action":"iam:*","Effect":"Allow","Resource":"*"}"#]);
}

#[test]
fn a_reach_that_cannot_be_read_is_said_and_changes_no_decision() {
    let world = World::new();
    for action in ["iam:ListAccessKeys", "iam:ListGroupsForUser"] {
        world.iam.faults().strike_action(action, When::Before, Failure::Error(IamErrorKind::AccessDenied));
    }
    let (incident, route) = world.checked(attach("e"));
    assert_eq!(route, cordon_core::Route::Ask);
    let unknown = world.stored(&incident).assessment.blast_radius.unwrap().unknown;
    assert_eq!(unknown.len(), 2, "{unknown:?}");
    assert!(unknown.iter().any(|sentence| sentence.starts_with("The access keys could not be read")), "{unknown:?}");
}
