//! Other accounts of an organisation: their events reach the hub by their own rules, and the hub acts there by its roles.

use aws_sdk_eventbridge::types::{PutEventsRequestEntry, Target};
use cordon_sandbox::slack::Message;
use serde_json::{Value, json};

use super::person::EVERYTHING;
use super::{Test, kinds};
use crate::deployment::{ADMINISTRATOR, ALL_OF_IAM, APPROVER, Deployment, ENFORCE, LIMIT, OTHER_SPOKE, SPOKE};

async fn attached_in(deployment: &Deployment, account: &str, user: &str) -> Vec<String> {
    let listed = deployment.operator_in(account).list_attached_user_policies().user_name(user).send().await.unwrap();
    listed.attached_policies().iter().filter_map(|policy| policy.policy_arn().map(str::to_owned)).collect()
}

#[tokio::test]
async fn an_attack_in_another_account_is_contained_there_by_the_roles_and_undone_by_them() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user_in(SPOKE, "iam-test-spoke", ALL_OF_IAM).await;
    attacker.attaches_administrator_to("iam-test-spoke").await;
    attacker.creates_user("iam-test-spoke-before").await?;
    attacker.reads_trails().await?;
    let card = deployment.card("iam-test-spoke", "AttachUserPolicy").await;
    assert!(card.everything().contains(SPOKE), "{}", card.everything());
    deployment.approve(&card, APPROVER).await;
    attacker.is_refused("iam-test-spoke-after").await;
    let incident = deployment.closed("iam-test-spoke", "AttachUserPolicy").await;
    assert_eq!((&incident["head"]["outcome"], &incident["head"]["account"]), (&json!("contained"), &json!(SPOKE)));
    assert!(attached_in(&deployment, SPOKE, "iam-test-spoke").await.is_empty());
    assert_eq!(attacker.reads_trails().await, Err("AccessDeniedException".to_owned()));

    let has_undo = |message: &Message| message.buttons().iter().any(|(action, _)| action == "cordon_undo");
    deployment.message_once(&card.ts, "the button that undoes", has_undo).await;
    deployment.undo(&card, APPROVER).await;
    deployment
        .incident_where("undone incident in the other account", |incident| {
            incident["head"]["actor"]["name"] == "iam-test-spoke" && kinds(incident).contains(&"undone")
        })
        .await;
    assert_eq!(attached_in(&deployment, SPOKE, "iam-test-spoke").await, [ADMINISTRATOR]);
    attacker.creates_user("iam-test-spoke-again").await?;
    attacker.reads_trails().await?;
    Ok(())
}

#[tokio::test]
async fn origin_4_roots_use_in_another_account_of_the_organisation_is_told() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let arn = format!("arn:aws:iam::{OTHER_SPOKE}:root");
    deployment.happens(&json!({
        "eventVersion": "1.11", "eventID": "origin4-root", "eventName": "DeleteBucket", "eventSource": "s3.amazonaws.com",
        "eventTime": jiff::Timestamp::now(), "awsRegion": "us-east-1", "sourceIPAddress": "203.0.113.7", "userAgent": "aws-cli/2",
        "readOnly": false, "eventType": "AwsApiCall", "recipientAccountId": OTHER_SPOKE,
        "userIdentity": {"type": "Root", "accountId": OTHER_SPOKE, "principalId": OTHER_SPOKE, "arn": arn},
        "requestParameters": {"bucketName": "origin4"}}));
    let is_told = |alert: &Value| alert["event_name"] == "DeleteBucket" && alert["actor_arn"] == json!(arn);
    let alert = deployment.alert("root was used in another account", is_told).await;
    assert!(alert.subject.contains("DeleteBucket"), "{}", alert.subject);
    let message = deployment.message(&["DeleteBucket", OTHER_SPOKE]).await;
    assert!(message.everything().contains("203.0.113.7"), "{}", message.everything());
    let told = deployment
        .incident_where("incident about root in another account", |incident| incident["head"]["account"] == json!(OTHER_SPOKE))
        .await;
    assert_eq!(told["head"]["detections"][0]["rule"], "root-activity");
    Ok(())
}

/// The administrator of an account of the organisation has the forwarder's role and its name. What AWS keeps from them is its
/// sources: so nothing that they put starts an execution, and even where a rule of the hub took it, it would change nothing.
#[tokio::test]
async fn what_the_administrator_of_another_account_puts_on_the_hubs_bus_changes_nothing() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let administrator = deployment.user_in(SPOKE, "production-administrator", EVERYTHING).await;
    deployment.user_in(SPOKE, "iam-test-framed", ALL_OF_IAM).await;
    let framed = deployment.operator_in(SPOKE);
    framed.attach_user_policy().user_name("iam-test-framed").policy_arn(ADMINISTRATOR).send().await?;
    let record = json!({
        "eventVersion": "1.11", "eventID": "forged-in-a-spoke", "eventName": "AttachUserPolicy", "eventSource": "iam.amazonaws.com",
        "eventTime": jiff::Timestamp::now(), "awsRegion": "us-east-1", "sourceIPAddress": "203.0.113.7", "readOnly": false,
        "eventType": "AwsApiCall", "recipientAccountId": SPOKE,
        "userIdentity": {"type": "IAMUser", "userName": "iam-test-framed", "accountId": SPOKE,
            "arn": format!("arn:aws:iam::{SPOKE}:user/iam-test-framed")},
        "requestParameters": {"userName": "iam-test-framed", "policyArn": ADMINISTRATOR}});
    let outputs = &deployment.stack.outputs;
    let bus = outputs.all["bus_arn"].as_str().unwrap();
    let theirs = aws_sdk_eventbridge::Client::new(&administrator.config);
    let entry = |source: &str, bus: Option<&str>| {
        let entry = PutEventsRequestEntry::builder().source(source).detail_type("AWS API Call via CloudTrail");
        entry.detail(record.to_string()).set_event_bus_name(bus.map(str::to_owned)).build()
    };
    // Neither AWS's source nor the hub's bus is theirs to put on.
    for refused in [entry("aws.iam", None), entry("mine.iam", Some(bus))] {
        let answer = theirs.put_events().entries(refused).send().await;
        assert!(answer.is_err() || answer.is_ok_and(|answer| answer.failed_entry_count() == 1));
    }
    // A rule of theirs forwards it, by the forwarder's own role.
    let pattern = r#"{"source":["mine.iam"]}"#;
    theirs.put_rule().name("enforce-forward-mine").event_pattern(pattern).send().await?;
    let forwarder = format!("arn:aws:iam::{SPOKE}:role/cordon/enforce-forwarder");
    let target = Target::builder().id("hub").arn(bus).role_arn(forwarder).build()?;
    theirs.put_targets().rule("enforce-forward-mine").targets(target).send().await?;
    // The hub's rules take no such source. One that did would start the execution all the same.
    let ours = aws_sdk_eventbridge::Client::new(&deployment.stack.operator());
    ours.put_rule().name("too-wide").event_bus_name(&outputs.bus_name).event_pattern(pattern).send().await?;
    let role = outputs.all["role_arns"]["events"].as_str().unwrap();
    let target = Target::builder().id("machine").arn(&outputs.state_machine_arn).role_arn(role).build()?;
    ours.put_targets().rule("too-wide").event_bus_name(&outputs.bus_name).targets(target).send().await?;
    let answer = theirs.put_events().entries(entry("mine.iam", None)).send().await?;
    assert_eq!(answer.failed_entry_count(), 0);
    let incident = deployment.closed_within(LIMIT, "iam-test-framed", "AttachUserPolicy").await;
    assert_eq!(incident["head"]["outcome"], "alerted");
    assert_eq!(deployment.executions("forged-in-a-spoke").await.len(), 1, "by the rule that is too wide, and by no other");
    assert_eq!(attached_in(&deployment, SPOKE, "iam-test-framed").await, [ADMINISTRATOR]);
    Ok(())
}
