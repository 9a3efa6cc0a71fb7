//! Remedies on the emulator with enforced IAM: a real attack with the attacker's own credentials, contained, refused, undone.
//!
//! What the emulator lacks: `SetDefaultPolicyVersion`, for which `versions` runs on another one. It enforces no quota, so that a
//! deny finds no room only by what the planner counts.

mod boundaries;
mod created;
mod quarantine;
mod sessions;
mod versions;

use aws_sdk_iam::types::Tag;
use serde_json::{Value, json};

use super::Test;
use super::deployment::{ADMINISTRATOR, APPROVER, Deployment, ENFORCE};
use super::person::{EVERYTHING, Person};

/// Approves the card about a call, and waits for the end.
pub async fn contained(deployment: &Deployment, actor: &Person, event: &str) -> Value {
    approved(deployment, actor, event, "contained").await
}

/// The same where it ends otherwise: the actor is stopped, and what no matched rule undoes is left to a person.
pub async fn approved(deployment: &Deployment, actor: &Person, event: &str, outcome: &str) -> Value {
    let card = deployment.card(&actor.name, event).await;
    let answer = deployment.approve(&card, APPROVER).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let incident = deployment.closed(&actor.name, event).await;
    assert_eq!(incident["head"]["outcome"], outcome, "{incident:#}");
    incident
}

/// Puts CloudTrail's record of a call that the pipeline's role made two days ago on the bus, and waits until it is handled. What a
/// user of IAM sets, or somebody sets on the day itself, is never restored. The test makes the call itself as the operator.
pub async fn set_long_ago(deployment: &Deployment, service: &str, event: &str, id: &str, parameters: Value) {
    let account = &deployment.stack.spec.account;
    let role = format!("arn:aws:iam::{account}:role/pipeline");
    let record = json!({"eventVersion": "1.11", "eventID": id, "eventName": event, "eventSource": service,
        "eventTime": jiff::Timestamp::now() - jiff::SignedDuration::from_hours(48), "awsRegion": "us-east-1",
        "sourceIPAddress": "203.0.113.7", "readOnly": false, "eventType": "AwsApiCall", "recipientAccountId": account,
        "userIdentity": {"type": "AssumedRole", "accountId": account, "principalId": "AROAPIPELINE0000000A:deploy",
            "arn": format!("arn:aws:sts::{account}:assumed-role/pipeline/deploy"),
            "sessionContext": {"sessionIssuer": {"type": "Role", "principalId": "AROAPIPELINE0000000A", "arn": role,
                "accountId": account, "userName": "pipeline"}}},
        "requestParameters": parameters});
    deployment.stack.put_event(&record).await.unwrap();
    deployment.handled(id).await;
}

/// What was planned, in its order.
pub fn remedies_of(incident: &Value) -> Vec<&str> {
    let steps = incident["head"]["plan"]["steps"].as_array().unwrap();
    steps.iter().map(|step| step["remedy"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_inline_policy_that_allows_everything_is_taken_off_and_comes_back_with_undo() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-inline").await;
    // Cordon knows that no policy stood there before only where it saw the user being made.
    set_long_ago(&deployment, "iam.amazonaws.com", "CreateUser", "inline-user-made", json!({"userName": "iam-test-inline"}))
        .await;
    attacker.iam.put_user_policy().user_name("iam-test-inline").policy_name("extra").policy_document(EVERYTHING).send().await?;
    attacker.reads_trails().await?;
    let before = deployment.rights_of_user("iam-test-inline").await;
    let incident = contained(&deployment, &attacker, "PutUserPolicy").await;
    attacker.is_refused("iam-test-inline-after").await;
    // The deny is of IAM alone: this right went with the policy.
    assert_eq!(attacker.reads_trails().await, Err("AccessDeniedException".to_owned()));
    assert!(!deployment.inline_policies("iam-test-inline").await.contains(&"extra".to_owned()));
    deployment.undoes(&incident).await;
    assert_eq!(deployment.rights_of_user("iam-test-inline").await, before);
    attacker.creates_user("iam-test-inline-again").await?;
    attacker.reads_trails().await?;
    Ok(())
}

#[tokio::test]
async fn a_session_that_opens_a_role_to_outsiders_is_stopped_and_the_outsiders_are_out() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let somebody = deployment.user("iam-test-trust-user").await;
    let session = deployment.role_session("iam-test-trust-role", &somebody).await;
    let own = r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:user/iam-test-trust-user"},"Action":"sts:AssumeRole"}"#;
    let outside = r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999999999999:root"},"Action":"sts:AssumeRole"}"#;
    let opened = format!(r#"{{"Version":"2012-10-17","Statement":[{own},{outside}]}}"#);
    let closed = format!(r#"{{"Version":"2012-10-17","Statement":[{own}]}}"#);
    let made = json!({"roleName": "iam-test-trust-role", "assumeRolePolicyDocument": closed});
    set_long_ago(&deployment, "iam.amazonaws.com", "CreateRole", "trusted-role-made", made).await;
    session.iam.update_assume_role_policy().role_name("iam-test-trust-role").policy_document(&opened).send().await?;
    let outsider = deployment.outsider("999999999999", "iam-test-trust-outsider").await;
    deployment.assumes(&outsider, "iam-test-trust-role").await?;
    let before = deployment.rights_of_role("iam-test-trust-role").await;
    let incident = contained(&deployment, &session, "UpdateAssumeRolePolicy").await;
    session.is_refused("iam-test-trust-after").await;
    assert_eq!(deployment.assumes(&outsider, "iam-test-trust-role").await.err().as_deref(), Some("AccessDenied"));
    let closed = deployment.rights_of_role("iam-test-trust-role").await["trust"].clone();
    assert!(!closed.contains("999999999999") && closed.contains("iam-test-trust-user"), "{closed}");
    deployment.undoes(&incident).await;
    assert_eq!(deployment.rights_of_role("iam-test-trust-role").await, before);
    session.creates_user("iam-test-trust-again").await?;
    deployment.assumes(&outsider, "iam-test-trust-role").await?;
    Ok(())
}

#[tokio::test]
async fn a_member_of_a_group_of_administrators_is_out_again() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-joiner").await;
    let iam = deployment.operator();
    iam.create_group().group_name("iam-test-administrators").send().await?;
    iam.attach_group_policy().group_name("iam-test-administrators").policy_arn(ADMINISTRATOR).send().await?;
    let joins = attacker.iam.add_user_to_group().user_name("iam-test-joiner").group_name("iam-test-administrators");
    joins.send().await?;
    attacker.reads_trails().await?;
    let before = deployment.rights_of_user("iam-test-joiner").await;
    let incident = contained(&deployment, &attacker, "AddUserToGroup").await;
    attacker.is_refused("iam-test-joiner-after").await;
    assert_eq!(attacker.reads_trails().await, Err("AccessDeniedException".to_owned()));
    let group = "group iam-test-administrators";
    assert!(before.contains_key(group) && !deployment.rights_of_user("iam-test-joiner").await.contains_key(group));
    deployment.undoes(&incident).await;
    assert_eq!(deployment.rights_of_user("iam-test-joiner").await, before);
    attacker.creates_user("iam-test-joiner-again").await?;
    attacker.reads_trails().await?;
    Ok(())
}

#[tokio::test]
async fn a_key_for_somebody_else_is_turned_off_and_not_deleted() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-keymaker").await;
    deployment.operator().create_user().user_name("iam-test-keyholder").send().await?;
    let made = attacker.iam.create_access_key().user_name("iam-test-keyholder").send().await?;
    let key = made.access_key().unwrap();
    let thief = deployment.with_key("iam-test-keyholder", key.access_key_id(), key.secret_access_key());
    // Known, and without a right.
    assert_eq!(thief.creates_user("iam-test-keyholder-before").await, Err("AccessDenied".to_owned()));
    let before = deployment.rights_of_user("iam-test-keyholder").await;
    let rights_of_attacker = deployment.rights_of_user("iam-test-keymaker").await;
    let incident = contained(&deployment, &attacker, "CreateAccessKey").await;
    attacker.is_refused("iam-test-keymaker-after").await;
    assert_eq!(thief.creates_user("iam-test-keyholder-after").await, Err("InvalidClientTokenId".to_owned()));
    let status = format!("key {}", key.access_key_id());
    assert_eq!(deployment.rights_of_user("iam-test-keyholder").await[&status], "Inactive");
    deployment.undoes(&incident).await;
    assert_eq!(deployment.rights_of_user("iam-test-keyholder").await, before);
    assert_eq!(deployment.rights_of_user("iam-test-keymaker").await, rights_of_attacker);
    Ok(())
}

#[tokio::test]
async fn an_exception_tag_that_somebody_gave_themself_is_taken_off() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-tagger").await;
    set_long_ago(&deployment, "iam.amazonaws.com", "CreateUser", "tagger-made", json!({"userName": "iam-test-tagger"})).await;
    let tag = Tag::builder().key("SecurityApproved").value("true").build()?;
    attacker.iam.tag_user().user_name("iam-test-tagger").tags(tag).send().await?;
    let before = deployment.rights_of_user("iam-test-tagger").await;
    let incident = contained(&deployment, &attacker, "TagUser").await;
    attacker.is_refused("iam-test-tagger-after").await;
    assert!(!deployment.rights_of_user("iam-test-tagger").await.contains_key("tag SecurityApproved"));
    deployment.undoes(&incident).await;
    assert_eq!(deployment.rights_of_user("iam-test-tagger").await, before);
    Ok(())
}
