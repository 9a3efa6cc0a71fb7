//! The content of findings, incident by incident. `published.rs` checks their shape.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use cordon_core::Outcome;
use cordon_record::{Finding, Hub};
use serde_json::{Value, json};
use support::{ACCOUNT, HOSTILE, OUTCOMES, closed, decided, hostile, opened, root, session, unreadable, user};

fn hub() -> Hub {
    Hub { account: ACCOUNT.to_owned(), region: "us-east-1".to_owned() }
}

fn open() -> cordon_core::Incident {
    decided(opened(user("iam-test-mallory"), "iam-test-mallory"))
}

#[test]
fn the_end_of_an_incident_ends_its_finding_only_where_nothing_is_left_to_do() {
    let table = OUTCOMES.map(|outcome| {
        let incident = closed(open(), outcome);
        let finding = Finding { incident: &incident };
        let (ocsf, asff) = (finding.ocsf(), finding.asff(&hub()));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (outcome.as_str(), text(&ocsf["activity_name"]), text(&ocsf["status"]), text(&asff["RecordState"]))
    });
    let expected = [
        ("exempt", "Close", "Suppressed", "ARCHIVED"),
        ("alerted", "Update", "New", "ACTIVE"),
        ("denied", "Close", "Suppressed", "ARCHIVED"),
        ("expired", "Update", "New", "ACTIVE"),
        ("contained", "Close", "Resolved", "ACTIVE"),
        ("partial", "Update", "In Progress", "ACTIVE"),
        ("failed", "Update", "In Progress", "ACTIVE"),
        ("needs_person", "Update", "New", "ACTIVE"),
    ];
    assert_eq!(table, expected.map(|(a, b, c, d)| (a, b.to_owned(), c.to_owned(), d.to_owned())));
}

#[test]
fn a_finding_is_the_same_one_from_open_to_closed_and_only_the_open_one_alerts() {
    let (before, after) = (open(), closed(open(), Outcome::Contained));
    let (opened, ended) = (Finding { incident: &before }, Finding { incident: &after });
    assert_eq!(opened.ocsf()["finding_info"]["uid"], ended.ocsf()["finding_info"]["uid"]);
    assert_eq!(opened.asff(&hub())["Id"], ended.asff(&hub())["Id"]);
    assert_ne!(opened.ocsf()["metadata"]["uid"], ended.ocsf()["metadata"]["uid"]);
    assert_eq!((&opened.ocsf()["is_alert"], &ended.ocsf()["is_alert"]), (&json!(true), &json!(false)));
    assert!(ended.asff(&hub())["UpdatedAt"].as_str() > opened.asff(&hub())["UpdatedAt"].as_str());
    // A provider gives severity and types once, then only as its own fields.
    assert_eq!(opened.asff(&hub())["Severity"]["Label"], "CRITICAL");
    assert_eq!(ended.asff(&hub()).get("Severity").or(ended.asff(&hub()).get("Types")), None);
    assert_eq!(ended.asff(&hub())["FindingProviderFields"]["Severity"]["Label"], "CRITICAL");
}

#[test]
fn both_formats_carry_the_timelines_last_hash() {
    let incident = support::record(open()).incident;
    let finding = Finding { incident: &incident };
    assert_eq!(finding.ocsf()["unmapped"]["cordon"]["last_hash"], json!(incident.last_hash));
    assert_eq!(finding.asff(&hub())["ProductFields"]["cordon/last_hash"], json!(incident.last_hash));
    let mut long = incident.clone();
    long.assessment.plan.by_hand = vec!["x".repeat(4_000); 100];
    let ocsf = Finding { incident: &long }.ocsf();
    assert_eq!(ocsf["metadata"]["is_truncated"], json!(true));
    assert_eq!(ocsf["unmapped"]["cordon"]["last_hash"], json!(incident.last_hash));
    assert!(ocsf.to_string().len() < 200 * 1024);
}

#[test]
fn the_actor_is_who_cloudtrail_says_it_was() {
    let user_of = |identity: Value| {
        let incident = opened(identity, "bob");
        let ocsf = Finding { incident: &incident }.ocsf();
        ocsf["evidences"][0]["actor"].clone()
    };
    let root = user_of(root());
    assert_eq!((&root["user"]["type"], &root["user"]["account"]["uid"]), (&json!("Admin"), &json!(ACCOUNT)));
    let session = user_of(session("mallory@example.com"));
    assert_eq!((&session["user"]["name"], &session["session"]["uid"]), (&json!("deploy"), &json!("mallory@example.com")));
    assert_eq!(session["session"]["issuer"], json!(format!("arn:aws:iam::{ACCOUNT}:role/ci/deploy")));
    let nobody = unreadable();
    let ocsf = Finding { incident: &nobody }.ocsf();
    assert_eq!(ocsf["evidences"][0]["actor"]["user"]["name"], "unknown");
    assert_eq!((ocsf.get("api"), ocsf.get("resources")), (None, None));
}

#[test]
fn security_hub_gets_findings_of_its_own_account_about_any() {
    let mut incident = open();
    incident.account = Some("999988887777".parse().unwrap());
    let asff = Finding { incident: &incident }.asff(&hub());
    assert_eq!(asff["AwsAccountId"], ACCOUNT);
    assert_eq!(asff["ProductArn"], format!("arn:aws:securityhub:us-east-1:{ACCOUNT}:product/{ACCOUNT}/default"));
    let asff = Finding { incident: &unreadable() }.asff(&hub());
    assert_eq!(asff["Resources"][0]["Id"], format!("AWS::::Account:{ACCOUNT}"));
    assert_eq!(asff.get("Action"), None);
}

#[test]
fn the_hub_is_read_off_an_arn_or_not_at_all() {
    let of = Hub::of("arn:aws:states:eu-west-1:111122223333:stateMachine:cordon").unwrap();
    assert_eq!((of.region.as_str(), of.account.as_str()), ("eu-west-1", ACCOUNT));
    for arn in ["", "arn:aws:states::111122223333:stateMachine:cordon", "arn:aws:states:eu-west-1:1:x", "cordon"] {
        assert_eq!(Hub::of(arn), None, "{arn}");
    }
}

#[test]
fn a_hostile_name_stays_one_line_of_its_field() {
    let incident = hostile();
    let finding = Finding { incident: &incident };
    let (ocsf, asff) = (finding.ocsf(), finding.asff(&hub()));
    for text in [&ocsf["message"], &ocsf["api"]["operation"], &asff["Title"], &asff["Description"]] {
        let text = text.as_str().unwrap();
        assert!(!text.contains(['\n', '\u{1b}', '\u{202e}']) && text.contains("<script>"), "{text}");
    }
    // What was asked for is evidence: it stays as it was.
    assert!(ocsf["evidences"][0]["data"]["requestParameters"].as_str().unwrap().contains(HOSTILE));
    assert_eq!(asff.get("SourceUrl").or(ocsf["finding_info"].get("src_url")), None);
}
