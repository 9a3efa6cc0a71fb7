//! Intake of more than single calls: a notice that names leaked credentials, and a burst of refused calls.
//!
//! The emulator records neither, so the test puts the events on the bus as the relay would.

use serde_json::json;

use super::Test;
use crate::deployment::{APPROVER, Deployment, ENFORCE};

#[tokio::test]
async fn a_leaked_key_of_a_user_is_told_asked_for_and_stopped() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let holder = deployment.user("iam-test-leaked").await;
    holder.creates_user("iam-test-leaked-before").await?;
    let notice = json!({"service": "RISK", "eventTypeCode": "AWS_RISK_CREDENTIALS_EXPOSED", "eventTypeCategory": "issue", "statusCode": "open",
        "communicationId": "leaked-1", "page": "1", "affectedAccount": "111111111111",
        "eventMetadata": {"publicKey": "AKIAEXAMPLEKEY000001", "userName": "iam-test-leaked"}, "affectedEntities": [{"entityValue": "AKIAEXAMPLEKEY000001"}]});
    // Sent twice, as to a second Region: one incident.
    for _ in 0..2 {
        deployment.stack.put_notice("AWS Health Event", &notice).await?;
    }
    let card = deployment.card("iam-test-leaked", "AWS_RISK_CREDENTIALS_EXPOSED").await;
    deployment.approve(&card, APPROVER).await;
    let incident = deployment.closed("iam-test-leaked", "AWS_RISK_CREDENTIALS_EXPOSED").await;
    // The key is off last: until then it was the deny that refused.
    assert_eq!(holder.creates_user("iam-test-leaked-after").await, Err("InvalidClientTokenId".to_owned()));
    assert_eq!(incident["head"]["detections"][0]["rule"], "health-credentials-exposed");
    assert_eq!(deployment.incidents("iam-test-leaked", "AWS_RISK_CREDENTIALS_EXPOSED").await.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_burst_of_refused_calls_is_one_incident() -> Test {
    let deployment = Deployment::get(ENFORCE);
    deployment.user("iam-test-burst").await;
    let refused = |n: usize| {
        json!({"eventVersion": "1.11", "eventID": format!("burst-{n}"), "eventName": "CreateLoginProfile", "eventSource": "iam.amazonaws.com",
            "eventTime": format!("2026-01-02T03:04:{n:02}Z"), "awsRegion": "us-east-1", "sourceIPAddress": "203.0.113.7", "readOnly": false,
            "eventType": "AwsApiCall", "recipientAccountId": "111111111111", "errorCode": "AccessDenied",
            "userIdentity": {"type": "IAMUser", "userName": "iam-test-burst", "accountId": "111111111111", "arn": "arn:aws:iam::111111111111:user/iam-test-burst"},
            "requestParameters": {"userName": format!("iam-test-victim-{n}")}})
    };
    for n in 0..15 {
        deployment.stack.put_event(&refused(n)).await?;
    }
    let began = std::time::Instant::now();
    loop {
        let executions = deployment.executions("burst-").await;
        if executions.len() == 15 && executions.iter().all(|(status, _)| status == "SUCCEEDED") {
            break;
        }
        assert!(began.elapsed() < crate::deployment::LIMIT, "the executions never end: {executions:?}");
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    let incidents = deployment.incidents("iam-test-burst", "CreateLoginProfile").await;
    let [incident] = &incidents[..] else { panic!("{} incidents", incidents.len()) };
    assert_eq!(incident["head"]["detections"][0]["rule"], "identity-calls-refused");
    assert_eq!(incident["head"]["merged"], 5);
    assert_eq!(incident["head"]["outcome"], "alerted");
    Ok(())
}
