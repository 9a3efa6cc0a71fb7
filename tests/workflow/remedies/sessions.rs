//! Sessions, which outlive a key or a password; and the passwords themselves.
//!
//! The emulator has no console to sign in to. A session of `GetSessionToken` stands for one: both are temporary credentials of
//! the user, and the deny applies to those.

use serde_json::json;

use super::{contained, remedies_of};
use crate::Test;
use crate::deployment::{Deployment, ENFORCE, LIMIT, POLL};

const REFUSED: &str = "AccessDeniedException";

#[tokio::test]
async fn a_stolen_session_of_a_role_ends_and_one_that_begins_later_may_do_all_but_iam() -> Test {
    const FINDING: &str = "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.OutsideAWS";
    let deployment = Deployment::get(ENFORCE);
    let machine = deployment.user("iam-test-machine").await;
    let stolen = deployment.role_session("iam-test-stolen-role", &machine).await;
    deployment.role_may_do_anything(&stolen).await;
    stolen.reads_trails().await?;
    let role = deployment.operator().get_role().role_name(&stolen.name).send().await?.role.unwrap();
    let before = deployment.rights_of_role(&stolen.name).await;
    // The deny is on what began before the second of the plan.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let notice = json!({"schemaVersion": "2.0", "accountId": deployment.stack.spec.account, "id": "stolen-1", "type": FINDING,
        "updatedAt": jiff::Timestamp::now(), "severity": 8, "service": {"archived": false, "count": 1},
        "resource": {"resourceType": "AccessKey", "accessKeyDetails": {"accessKeyId": "ASIAEXAMPLEKEY000001",
            "principalId": format!("{}:night-shift", role.role_id()), "userName": stolen.name, "userType": "AssumedRole"}}});
    deployment.stack.put_notice("GuardDuty Finding", &notice).await?;
    let incident = contained(&deployment, &stolen, FINDING).await;
    assert_eq!(remedies_of(&incident), ["deny-iam", "revoke-sessions"]);
    stolen.may_do_nothing().await;
    let began = std::time::Instant::now();
    // The deny counts from a minute after it was put on: sessions of the seconds in between are stopped too.
    let later = loop {
        let later = deployment.assumes(&machine, &stolen.name).await?;
        if later.reads_trails().await.is_ok() {
            break later;
        }
        assert!(began.elapsed() < LIMIT, "no later session may do anything");
        tokio::time::sleep(POLL).await;
    };
    assert_eq!(later.creates_user("iam-test-stolen-later").await, Err("AccessDenied".to_owned()));

    deployment.undoes(&incident).await;
    assert_eq!(deployment.rights_of_role(&stolen.name).await, before);
    stolen.reads_trails().await?;
    stolen.creates_user("iam-test-stolen-again").await?;
    Ok(())
}

#[tokio::test]
async fn sessions_that_were_made_with_a_leaked_key_end_with_it() -> Test {
    const NOTICE: &str = "AWS_RISK_CREDENTIALS_EXPOSED";
    let deployment = Deployment::get(ENFORCE);
    let holder = deployment.user("iam-test-outlived").await;
    deployment.may_do_anything(&holder).await;
    let sessions = [holder.session().await, holder.federated().await];
    for session in &sessions {
        session.reads_trails().await?;
    }
    let before = deployment.rights_of_user(&holder.name).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let notice = json!({"service": "RISK", "eventTypeCode": NOTICE, "eventTypeCategory": "issue", "statusCode": "open",
        "communicationId": "outlived-1", "page": "1", "affectedAccount": deployment.stack.spec.account,
        "eventMetadata": {"userName": holder.name}});
    deployment.stack.put_notice("AWS Health Event", &notice).await?;
    let incident = contained(&deployment, &holder, NOTICE).await;
    assert_eq!(remedies_of(&incident), ["deny-iam", "revoke-sessions", "deactivate-access-key"]);
    assert_eq!(holder.creates_user("iam-test-outlived-after").await, Err("InvalidClientTokenId".to_owned()));
    // They live on without their key, and only the deny on the user ends them.
    for session in &sessions {
        session.may_do_nothing().await;
    }

    deployment.undoes(&incident).await;
    assert_eq!(deployment.rights_of_user(&holder.name).await, before);
    holder.creates_user("iam-test-outlived-again").await?;
    for session in &sessions {
        session.reads_trails().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_password_that_was_made_for_somebody_else_is_useless_and_stays_and_their_key_goes_on() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-passworder").await;
    let owner = deployment.user("iam-test-password-owner").await;
    deployment.may_do_anything(&owner).await;
    attacker.iam.create_login_profile().user_name(&owner.name).password("not-the-owners-2026").send().await?;
    let signed_in = owner.session().await;
    signed_in.reads_trails().await?;
    let before = (deployment.rights_of_user(&owner.name).await, deployment.rights_of_user(&attacker.name).await);
    assert!(before.0.contains_key("password"));
    let incident = contained(&deployment, &attacker, "CreateLoginProfile").await;
    assert_eq!(remedies_of(&incident), ["deny-iam", "disable-login-profile"]);
    attacker.is_refused("iam-test-passworder-after").await;
    signed_in.may_do_nothing().await;
    owner.session().await.may_do_nothing().await;
    owner.reads_trails().await?;
    assert!(deployment.rights_of_user(&owner.name).await.contains_key("password"));

    deployment.undoes(&incident).await;
    assert_eq!((deployment.rights_of_user(&owner.name).await, deployment.rights_of_user(&attacker.name).await), before);
    signed_in.reads_trails().await?;
    attacker.creates_user("iam-test-passworder-again").await?;
    Ok(())
}

#[tokio::test]
async fn a_deleted_password_is_all_that_undo_does_not_bring_back_and_it_says_so() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-guestmaker").await;
    let guest = deployment.user("iam-test-guest-passworded").await;
    deployment.may_do_anything(&guest).await;
    attacker.iam.create_login_profile().user_name(&guest.name).password("not-the-owners-2026").send().await?;
    let signed_in = guest.session().await;
    let mut before = deployment.rights_of_user(&guest.name).await;
    let card = deployment.card(&attacker.name, "CreateLoginProfile").await;
    assert!(card.everything().contains("cannot be restored"), "{}", card.everything());
    let incident = contained(&deployment, &attacker, "CreateLoginProfile").await;
    assert_eq!(remedies_of(&incident), ["deny-iam", "disable-login-profile", "delete-login-profile"]);
    assert!(!deployment.rights_of_user(&guest.name).await.contains_key("password"));
    assert_eq!(signed_in.reads_trails().await, Err(REFUSED.to_owned()));

    let undone = deployment.undo_of(&incident).await;
    assert!(!undone.complete && format!("{undone:?}").contains("cannot be restored"), "{undone:?}");
    before.remove("password");
    assert_eq!(deployment.rights_of_user(&guest.name).await, before);
    signed_in.reads_trails().await?;
    attacker.creates_user("iam-test-guestmaker-again").await?;
    Ok(())
}
