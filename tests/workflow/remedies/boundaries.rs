//! Permissions boundaries: put back where an attacker took one off, and set on an attacker.

use serde_json::json;

use super::{approved, contained, remedies_of, set_long_ago};
use crate::Test;
use crate::deployment::{Deployment, ENFORCE};
use crate::person::EVERYTHING;

const NO_USERS: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"iam:CreateUser","Resource":"*"}]}"#;
const REFUSED: &str = "AccessDenied";
const IAM: &str = "iam.amazonaws.com";
const DENY_ALL: &str = "arn:aws:iam::aws:policy/AWSDenyAll";

async fn policy(deployment: &Deployment, name: &str) -> String {
    let made = deployment.operator().create_policy().policy_name(name).policy_document(NO_USERS).send().await.unwrap();
    made.policy().and_then(|policy| policy.arn()).unwrap().to_owned()
}

#[tokio::test]
async fn a_boundary_that_was_taken_off_a_user_binds_again() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let boundary = policy(&deployment, "boundary-of-a-user").await;
    let bound = deployment.user("iam-test-accomplice").await;
    let given = deployment.operator().put_user_permissions_boundary().user_name(&bound.name).permissions_boundary(&boundary);
    given.send().await?;
    let parameters = json!({"userName": bound.name, "permissionsBoundary": boundary});
    set_long_ago(&deployment, IAM, "PutUserPermissionsBoundary", "boundary-of-a-user", parameters).await;
    assert_eq!(bound.creates_user("iam-test-accomplice-bound").await, Err(REFUSED.to_owned()));

    let attacker = deployment.user("iam-test-loosener").await;
    attacker.iam.delete_user_permissions_boundary().user_name(&bound.name).send().await?;
    bound.creates_user("iam-test-accomplice-loose").await?;
    let before = (deployment.rights_of_user(&bound.name).await, deployment.rights_of_user(&attacker.name).await);
    let incident = contained(&deployment, &attacker, "DeleteUserPermissionsBoundary").await;
    assert_eq!(remedies_of(&incident), ["deny-iam", "restore-permissions-boundary"]);
    attacker.is_refused("iam-test-loosener-after").await;
    // Nothing but the boundary holds the other one.
    assert_eq!(bound.creates_user("iam-test-accomplice-after").await, Err(REFUSED.to_owned()));
    assert_eq!(deployment.rights_of_user(&bound.name).await["boundary"], boundary);

    deployment.undoes(&incident).await;
    let after = (deployment.rights_of_user(&bound.name).await, deployment.rights_of_user(&attacker.name).await);
    assert_eq!(after, before);
    bound.creates_user("iam-test-accomplice-again").await?;
    Ok(())
}

#[tokio::test]
async fn a_boundary_that_a_session_took_off_its_own_role_binds_again() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let boundary = policy(&deployment, "boundary-of-a-role").await;
    let somebody = deployment.user("iam-test-bounded-user").await;
    let session = deployment.role_session("iam-test-bounded-role", &somebody).await;
    let given = deployment.operator().put_role_permissions_boundary().role_name(&session.name).permissions_boundary(&boundary);
    given.send().await?;
    let parameters = json!({"roleName": session.name, "permissionsBoundary": boundary});
    set_long_ago(&deployment, IAM, "PutRolePermissionsBoundary", "boundary-of-a-role", parameters).await;
    assert_eq!(session.creates_user("iam-test-bounded-before").await, Err(REFUSED.to_owned()));

    session.iam.delete_role_permissions_boundary().role_name(&session.name).send().await?;
    session.creates_user("iam-test-bounded-loose").await?;
    let before = deployment.rights_of_role(&session.name).await;
    let incident = contained(&deployment, &session, "DeleteRolePermissionsBoundary").await;
    assert_eq!(remedies_of(&incident), ["deny-iam", "restore-permissions-boundary"]);
    session.is_refused("iam-test-bounded-after").await;
    let another = deployment.assumes(&somebody, &session.name).await?;
    assert_eq!(another.creates_user("iam-test-bounded-another").await, Err(REFUSED.to_owned()));
    assert_eq!(deployment.rights_of_role(&session.name).await["boundary"], boundary);

    deployment.undoes(&incident).await;
    assert_eq!(deployment.rights_of_role(&session.name).await, before);
    session.creates_user("iam-test-bounded-again").await?;
    Ok(())
}

#[tokio::test]
async fn a_boundary_set_on_a_user_stops_everything_and_the_former_one_comes_back() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-set-bound").await;
    deployment.may_do_anything(&attacker).await;
    let made = deployment.operator().create_policy().policy_name("open-boundary").policy_document(EVERYTHING).send().await?;
    let former = made.policy().and_then(|policy| policy.arn()).unwrap();
    deployment.operator().put_user_permissions_boundary().user_name(&attacker.name).permissions_boundary(former).send().await?;
    let before = deployment.rights_of_user(&attacker.name).await;
    let federated = attacker.federated().await;
    federated.reads_trails().await?;

    attacker.creates_user("iam-test-bound-by-user").await?;
    let incident = approved(&deployment, &attacker, "CreateUser", "partial").await;
    // The wider one leaves nothing for the deny of IAM that another rule asks for.
    assert_eq!(remedies_of(&incident), ["set-permissions-boundary"]);
    for person in [&attacker, &federated, &attacker.session().await] {
        person.may_do_nothing().await;
    }
    assert_eq!(deployment.rights_of_user(&attacker.name).await["boundary"], DENY_ALL);

    deployment.undoes(&incident).await;
    assert_eq!(deployment.rights_of_user(&attacker.name).await, before);
    attacker.creates_user("iam-test-free-again").await?;
    federated.reads_trails().await?;
    Ok(())
}

#[tokio::test]
async fn a_boundary_set_on_a_role_stops_its_sessions_and_is_taken_off_where_there_was_none() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let somebody = deployment.user("iam-test-limited-user").await;
    let session = deployment.role_session("iam-test-limited-role", &somebody).await;
    deployment.role_may_do_anything(&session).await;
    session.reads_trails().await?;
    let before = deployment.rights_of_role(&session.name).await;
    session.creates_user("iam-test-bound-by-role").await?;
    let incident = approved(&deployment, &session, "CreateUser", "partial").await;
    assert_eq!(remedies_of(&incident), ["set-permissions-boundary"]);
    session.may_do_nothing().await;
    deployment.assumes(&somebody, &session.name).await?.may_do_nothing().await;

    deployment.undoes(&incident).await;
    assert_eq!(deployment.rights_of_role(&session.name).await, before);
    session.creates_user("iam-test-role-free-again").await?;
    Ok(())
}
