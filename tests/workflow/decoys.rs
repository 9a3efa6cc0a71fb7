//! Decoys, played with real credentials: the attacker does the same kind of thing twice, and hopes that the answer to the first
//! leaves the second standing. After every incident of theirs is contained, IAM refuses each way in.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Test;
use super::deployment::{ADMINISTRATOR, ALL_OF_IAM, APPROVER, Deployment, ENFORCE, LIMIT, POLL};
use super::person::{EVERYTHING, Person};
use super::remedies::set_long_ago;

/// Approves every question about an actor's calls of one name, until as many incidents as there were calls have ended.
async fn contains_all(deployment: &Deployment, actor: &Person, event: &str, calls: usize) -> Vec<Value> {
    let began = std::time::Instant::now();
    let mut approved = BTreeSet::new();
    loop {
        let incidents = deployment.incidents(&actor.name, event).await;
        for incident in incidents.iter().filter(|incident| incident["head"]["state"] == "asking") {
            let id = incident["id"].as_str().unwrap();
            if !approved.contains(id)
                && let Some(card) = deployment.card_of(id)
            {
                let answer = deployment.approve(&card, APPROVER).await;
                assert_eq!(answer.status, 200, "{}", answer.body);
                approved.insert(id.to_owned());
            }
        }
        let ended = incidents.iter().filter(|incident| incident["head"]["outcome"].is_string()).count();
        if ended == incidents.len() && ended >= calls {
            return incidents;
        }
        assert!(began.elapsed() < LIMIT, "{ended} of {calls} calls of {event} ended: {incidents:#?}");
        tokio::time::sleep(POLL).await;
    }
}

fn all_contained(incidents: &[Value]) {
    for incident in incidents {
        assert_eq!(incident["head"]["outcome"], "contained", "{incident:#}");
    }
}

#[tokio::test]
async fn attack_1_of_two_inline_policies_on_one_role_none_is_left() -> Test {
    const ROLE: &str = "iam-test-decoy-role";
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-decoy-writer").await;
    let friend = deployment.user("iam-test-decoy-friend").await;
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{}:user/{}"}},"Action":"sts:AssumeRole"}}]}}"#,
        deployment.stack.spec.account, friend.name
    );
    deployment.operator().create_role().role_name(ROLE).assume_role_policy_document(trust).send().await?;
    // Cordon knows that no policy stood there before only where it saw the role being made.
    let made = json!({"roleName": ROLE, "assumeRolePolicyDocument": "{}"});
    set_long_ago(&deployment, "iam.amazonaws.com", "CreateRole", "decoy-role-made", made).await;
    let put = || attacker.iam.put_role_policy().role_name(ROLE);
    put().policy_name("decoy").policy_document(ALL_OF_IAM).send().await?;
    put().policy_name("real").policy_document(EVERYTHING).send().await?;
    let inside = deployment.assumes(&friend, ROLE).await?;
    inside.reads_trails().await?;
    all_contained(&contains_all(&deployment, &attacker, "PutRolePolicy", 2).await);
    attacker.is_refused("iam-test-decoy-writer-after").await;
    inside.may_do_nothing().await;
    deployment.assumes(&friend, ROLE).await?.may_do_nothing().await;
    Ok(())
}

#[tokio::test]
async fn attack_1_of_two_keys_for_one_user_none_is_left() -> Test {
    const VICTIM: &str = "iam-test-decoy-holder";
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-decoy-keymaker").await;
    let iam = deployment.operator();
    iam.create_user().user_name(VICTIM).send().await?;
    iam.put_user_policy().user_name(VICTIM).policy_name("work").policy_document(ALL_OF_IAM).send().await?;
    let mut thieves = Vec::new();
    for _ in 0..2 {
        let made = attacker.iam.create_access_key().user_name(VICTIM).send().await?;
        let key = made.access_key().unwrap();
        thieves.push(deployment.with_key(VICTIM, key.access_key_id(), key.secret_access_key()));
    }
    thieves[1].creates_user("iam-test-decoy-by-thief").await?;
    all_contained(&contains_all(&deployment, &attacker, "CreateAccessKey", 2).await);
    attacker.is_refused("iam-test-decoy-keymaker-after").await;
    for thief in &thieves {
        assert_eq!(thief.creates_user("iam-test-decoy-after").await, Err("InvalidClientTokenId".to_owned()));
    }
    Ok(())
}

#[tokio::test]
async fn attack_1_of_two_groups_that_were_joined_none_is_left() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-decoy-joiner").await;
    let iam = deployment.operator();
    for group in ["iam-test-first-administrators", "iam-test-second-administrators"] {
        iam.create_group().group_name(group).send().await?;
        iam.attach_group_policy().group_name(group).policy_arn(ADMINISTRATOR).send().await?;
        attacker.iam.add_user_to_group().user_name(&attacker.name).group_name(group).send().await?;
    }
    attacker.reads_trails().await?;
    all_contained(&contains_all(&deployment, &attacker, "AddUserToGroup", 2).await);
    attacker.is_refused("iam-test-decoy-joiner-after").await;
    assert_eq!(attacker.reads_trails().await, Err("AccessDeniedException".to_owned()));
    assert!(deployment.rights_of_user(&attacker.name).await.keys().all(|right| !right.starts_with("group ")));
    Ok(())
}

/// The first attachment is gone when the plan is made, and back when it is carried out.
#[tokio::test]
async fn attack_1_attached_detached_and_attached_again_is_detached_in_the_end() -> Test {
    const FRIEND: &str = "iam-test-decoy-yoyo-friend";
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-decoy-yoyo").await;
    let friend = deployment.user(FRIEND).await;
    attacker.attaches_administrator_to(FRIEND).await;
    attacker.iam.detach_user_policy().user_name(FRIEND).policy_arn(ADMINISTRATOR).send().await?;
    attacker.attaches_administrator_to(FRIEND).await;
    friend.reads_trails().await?;
    contains_all(&deployment, &attacker, "AttachUserPolicy", 1).await;
    attacker.is_refused("iam-test-decoy-yoyo-after").await;
    assert!(deployment.attached(FRIEND).await.is_empty());
    assert_eq!(friend.reads_trails().await, Err("AccessDeniedException".to_owned()));
    Ok(())
}
