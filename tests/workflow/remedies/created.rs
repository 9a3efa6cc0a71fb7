//! Users and roles that an attacker made to come back by.

use super::{contained, remedies_of};
use crate::Test;
use crate::deployment::{ALL_OF_IAM, Deployment, ENFORCE};
use crate::person::EVERYTHING;

#[tokio::test]
async fn a_role_that_was_made_for_an_outsider_stops_them_in_open_sessions_and_in_new_ones() -> Test {
    const ROLE: &str = "iam-test-back-door";
    const ELSEWHERE: &str = "999999999999";
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-door-maker").await;
    let outsider = deployment.outsider(ELSEWHERE, "outsider").await;
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{ELSEWHERE}:root"}},"Action":"sts:AssumeRole"}}]}}"#
    );
    attacker.iam.create_role().role_name(ROLE).assume_role_policy_document(trust).send().await?;
    attacker.iam.put_role_policy().role_name(ROLE).policy_name("all").policy_document(EVERYTHING).send().await?;
    let inside = deployment.assumes(&outsider, ROLE).await?;
    inside.creates_user("iam-test-door-used").await?;
    inside.reads_trails().await?;
    let before = (deployment.rights_of_role(ROLE).await, deployment.rights_of_user(&attacker.name).await);

    let incident = contained(&deployment, &attacker, "CreateRole").await;
    assert_eq!(remedies_of(&incident), ["deny-iam", "disable-created-principal"]);
    attacker.is_refused("iam-test-door-maker-after").await;
    inside.may_do_nothing().await;
    deployment.assumes(&outsider, ROLE).await?.may_do_nothing().await;

    deployment.undoes(&incident).await;
    assert_eq!((deployment.rights_of_role(ROLE).await, deployment.rights_of_user(&attacker.name).await), before);
    inside.creates_user("iam-test-door-again").await?;
    Ok(())
}

#[tokio::test]
async fn a_user_who_was_made_to_come_back_by_is_disabled_and_not_deleted() -> Test {
    const GUEST: &str = "iam-test-guest-door";
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-guest-maker").await;
    attacker.iam.create_user().user_name(GUEST).send().await?;
    let made = attacker.iam.create_access_key().user_name(GUEST).send().await?;
    attacker.iam.put_user_policy().user_name(GUEST).policy_name("all").policy_document(ALL_OF_IAM).send().await?;
    let key = made.access_key().unwrap();
    let guest = deployment.with_key(GUEST, key.access_key_id(), key.secret_access_key());
    guest.creates_user("iam-test-door-by-guest").await?;
    let session = guest.session().await;
    session.creates_user("iam-test-door-by-session").await?;
    let before = (deployment.rights_of_user(GUEST).await, deployment.rights_of_user(&attacker.name).await);

    let incident = contained(&deployment, &attacker, "CreateUser").await;
    assert_eq!(remedies_of(&incident), ["deny-iam", "disable-created-principal"]);
    attacker.is_refused("iam-test-guest-maker-after").await;
    session.may_do_nothing().await;
    // The key too is off where it was there when the plan was made, a moment after the user. Else the deny alone stops it.
    let planned = incident["head"]["plan"].to_string().contains(key.access_key_id());
    let (status, code) = if planned { ("Inactive", "InvalidClientTokenId") } else { ("Active", "AccessDenied") };
    assert_eq!(guest.creates_user("iam-test-door-after").await, Err(code.to_owned()));
    assert_eq!(deployment.rights_of_user(GUEST).await[&format!("key {}", key.access_key_id())], status);

    deployment.undoes(&incident).await;
    assert_eq!((deployment.rights_of_user(GUEST).await, deployment.rights_of_user(&attacker.name).await), before);
    guest.creates_user("iam-test-door-again-by-guest").await?;
    Ok(())
}
