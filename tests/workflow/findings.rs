//! The findings that other tools get, read from the deployed bus by a rule like theirs.

use aws_sdk_eventbridge::types::Target;
use cordon_record::verify::check;
use serde_json::{Value, json};

use super::Test;
use super::deployment::{APPROVER, Deployment, ENFORCE, REHEARSAL};

#[tokio::test]
async fn a_rule_on_the_bus_gets_a_finding_when_the_incident_opens_and_when_it_ends() -> Test {
    const ACTOR: &str = "iam-test-finding";
    let deployment = Deployment::get(ENFORCE);
    let outputs = &deployment.stack.outputs;
    let sdk = deployment.stack.operator();
    let bus = aws_sdk_eventbridge::Client::new(&sdk);
    let pattern = r#"{"source":["cordon"],"detail-type":["Cordon Detection Finding"]}"#;
    bus.put_rule().name("findings").event_bus_name(&outputs.bus_name).event_pattern(pattern).send().await?;
    admit_events(&aws_sdk_sns::Client::new(&sdk), &outputs.topic_arn).await?;
    let topic = Target::builder().id("topic").arn(&outputs.topic_arn).build()?;
    bus.put_targets().rule("findings").event_bus_name(&outputs.bus_name).targets(topic).send().await?;

    let attacker = deployment.user(ACTOR).await;
    attacker.attaches_administrator_to(ACTOR).await;
    let card = deployment.card(ACTOR, "AttachUserPolicy").await;
    deployment.approve(&card, APPROVER).await;
    let incident = deployment.closed(ACTOR, "AttachUserPolicy").await;
    let finding = async |activity: &str| {
        let wanted = |alert: &Value| {
            let detail = &alert["detail"];
            detail["activity_name"] == activity && detail["finding_info"]["uid"] == incident["id"]
        };
        deployment.alert(&format!("a finding with activity {activity}"), wanted).await.message["detail"].clone()
    };
    assert_eq!(finding("Create").await["class_uid"], 2004);
    let closed = finding("Close").await;
    assert_eq!(closed["status"], "Resolved");

    // What the bus kept proves the record that the table has.
    let table = cordon_aws::DynamoTable::new(aws_sdk_dynamodb::Client::new(&sdk), outputs.table_name.clone());
    let id = incident["id"].as_str().unwrap().parse()?;
    let record = cordon_flow::export::read(cordon_store::Store::new(&table), &id, "2026-01-02T03:04:05Z".parse()?).await?;
    let file = cordon_record::export::json(&record).to_string();
    let kept = closed["unmapped"]["cordon"]["last_hash"].as_str();
    assert_eq!(check(&file, kept)?.anchored_at, closed["unmapped"]["cordon"]["log_seq"].as_u64());
    Ok(())
}

/// EventBridge publishes to a topic only where the topic's own policy admits it, as AWS wants it of everybody who adds such a rule.
async fn admit_events(sns: &aws_sdk_sns::Client, topic: &str) -> Test {
    let attributes = sns.get_topic_attributes().topic_arn(topic).send().await?;
    let policy = attributes.attributes().and_then(|attributes| attributes.get("Policy")).unwrap();
    let mut policy: Value = serde_json::from_str(policy)?;
    policy["Statement"].as_array_mut().unwrap().push(json!({
        "Sid": "RuleOfTheTest", "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish", "Resource": topic,
    }));
    sns.set_topic_attributes().topic_arn(topic).attribute_name("Policy").attribute_value(policy.to_string()).send().await?;
    Ok(())
}

#[tokio::test]
async fn where_security_hub_takes_no_finding_the_timeline_says_so_and_the_incident_goes_on() -> Test {
    const ACTOR: &str = "iam-test-no-hub";
    let deployment = Deployment::get(REHEARSAL);
    let attacker = deployment.user(ACTOR).await;
    attacker.attaches_administrator_to(ACTOR).await;
    let card = deployment.card(ACTOR, "AttachUserPolicy").await;
    deployment.approve(&card, APPROVER).await;
    assert_eq!(deployment.closed(ACTOR, "AttachUserPolicy").await["head"]["outcome"], "alerted");
    // When it opens and when it ends; the bus takes both.
    let failed = |incident: &Value| -> Vec<Value> {
        let log = incident["log"].as_array().unwrap().iter();
        log.filter(|entry| entry["data"]["findings"] == "failed").map(|entry| entry["data"]["reasons"].clone()).collect()
    };
    let told = |incident: &Value| incident["head"]["actor"]["name"] == ACTOR && failed(incident).len() == 2;
    let incident = deployment.incident_where("two findings that were not taken", told).await;
    for reasons in failed(&incident) {
        let said = reasons["Security Hub"].as_str().unwrap();
        // Cordon waits four seconds for the answer, and a busy machine may take longer. `crates/aws` tests the refusals.
        let expected = ["did not take the finding: status 400", "it did not answer in time"];
        assert!(expected.iter().any(|reason| said.contains(reason)), "{said}");
        assert_eq!(reasons.as_object().unwrap().len(), 1, "{reasons}");
    }
    Ok(())
}
