//! Remedies on the emulator with enforced IAM: a real attack with the attacker's own credentials, contained, refused, undone.
//!
//! Not here, because the emulator cannot show it: `SetDefaultPolicyVersion` (it has no such call), a deny on
//! `aws:TokenIssueTime` (a condition that it does not know), `AWSDenyAll` and with it the places for a deny that finds no room
//! inline (it has no such policy). The laws and scenarios of `respond` and `flow` have them on a fake.

use aws_sdk_iam::types::Tag;
use serde_json::Value;

use super::Test;
use super::deployment::{APPROVER, Deployment, ENFORCE, Person};

const ADMIN: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// Approves the card about a call, and waits for the end.
async fn contained(deployment: &Deployment, actor: &Person, event: &str) -> Value {
    let card = deployment.card(&actor.name, event).await;
    let answer = deployment.approve(&card, APPROVER).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let incident = deployment.closed(&actor.name, event).await;
    assert_eq!(incident["head"]["outcome"], "contained", "{incident:#}");
    incident
}

#[tokio::test]
async fn an_inline_policy_that_allows_everything_is_taken_off_and_comes_back_with_undo() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-inline").await;
    attacker.iam.put_user_policy().user_name("iam-test-inline").policy_name("extra").policy_document(ADMIN).send().await?;
    let incident = contained(&deployment, &attacker, "PutUserPolicy").await;
    attacker.is_refused("iam-test-inline-after").await;
    assert!(!deployment.inline_policies("iam-test-inline").await.contains(&"extra".to_owned()));
    deployment.undoes(&incident).await;
    let mut inline = deployment.inline_policies("iam-test-inline").await;
    inline.sort();
    assert_eq!(inline, ["extra", "sandbox"]);
    let back = deployment.operator().get_user_policy().user_name("iam-test-inline").policy_name("extra").send().await?;
    assert!(back.policy_document().contains("Allow"));
    attacker.creates_user("iam-test-inline-again").await?;
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
    session.iam.update_assume_role_policy().role_name("iam-test-trust-role").policy_document(&opened).send().await?;
    let trust = async || {
        let role = deployment.operator().get_role().role_name("iam-test-trust-role").send().await.unwrap();
        role.role().unwrap().assume_role_policy_document().unwrap().to_owned()
    };
    let opened_as_read = trust().await;
    let incident = contained(&deployment, &session, "UpdateAssumeRolePolicy").await;
    session.is_refused("iam-test-trust-after").await;
    let closed = trust().await;
    assert!(!closed.contains("999999999999") && closed.contains("iam-test-trust-user"), "{closed}");
    deployment.undoes(&incident).await;
    assert_eq!(trust().await, opened_as_read);
    session.creates_user("iam-test-trust-again").await?;
    Ok(())
}

#[tokio::test]
async fn a_member_of_a_group_of_administrators_is_out_again() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-joiner").await;
    deployment.operator().create_group().group_name("iam-test-administrators").send().await?;
    let joins = attacker.iam.add_user_to_group().user_name("iam-test-joiner").group_name("iam-test-administrators");
    joins.send().await?;
    let groups = async || {
        let listed = deployment.operator().list_groups_for_user().user_name("iam-test-joiner").send().await.unwrap();
        listed.groups().len()
    };
    let incident = contained(&deployment, &attacker, "AddUserToGroup").await;
    attacker.is_refused("iam-test-joiner-after").await;
    assert_eq!(groups().await, 0);
    deployment.undoes(&incident).await;
    assert_eq!(groups().await, 1);
    attacker.creates_user("iam-test-joiner-again").await?;
    Ok(())
}

#[tokio::test]
async fn a_key_for_somebody_else_is_turned_off_and_not_deleted() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-keymaker").await;
    deployment.operator().create_user().user_name("iam-test-keyholder").send().await?;
    attacker.iam.create_access_key().user_name("iam-test-keyholder").send().await?;
    let statuses = async || {
        let listed = deployment.operator().list_access_keys().user_name("iam-test-keyholder").send().await.unwrap();
        let keys = listed.access_key_metadata().iter();
        keys.map(|key| key.status().unwrap().as_str().to_owned()).collect::<Vec<_>>()
    };
    let incident = contained(&deployment, &attacker, "CreateAccessKey").await;
    attacker.is_refused("iam-test-keymaker-after").await;
    assert_eq!(statuses().await, ["Inactive"]);
    deployment.undoes(&incident).await;
    assert_eq!(statuses().await, ["Active"]);
    Ok(())
}

#[tokio::test]
async fn an_exception_tag_that_somebody_gave_themself_is_taken_off() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-tagger").await;
    let tag = Tag::builder().key("SecurityApproved").value("true").build()?;
    attacker.iam.tag_user().user_name("iam-test-tagger").tags(tag).send().await?;
    let tags = async || {
        let listed = deployment.operator().list_user_tags().user_name("iam-test-tagger").send().await.unwrap();
        listed.tags().iter().filter(|tag| tag.key() == "SecurityApproved").count()
    };
    let incident = contained(&deployment, &attacker, "TagUser").await;
    attacker.is_refused("iam-test-tagger-after").await;
    assert_eq!(tags().await, 0);
    deployment.undoes(&incident).await;
    assert_eq!(tags().await, 1);
    Ok(())
}
