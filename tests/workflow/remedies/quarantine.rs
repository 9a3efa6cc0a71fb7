//! The quarantine and what comes with it: a trail that was stopped or narrowed logs again, and whoever did it may do nothing.
//!
//! The emulator records no call to CloudTrail itself. The trail is really stopped, with the attacker's own credentials; the
//! record of it is put on the bus as the relay would.

use aws_sdk_cloudtrail::types::{EventSelector, ReadWriteType};
use serde_json::{Value, json};

use super::{contained, remedies_of, set_long_ago};
use crate::Test;
use crate::deployment::{ALL_OF_IAM, Deployment, ENFORCE};
use crate::person::{EVERYTHING, Person};

const REFUSED: &str = "AccessDenied";
const CLOUDTRAIL: &str = "cloudtrail.amazonaws.com";
const DENY_ALL: &str = "arn:aws:iam::aws:policy/AWSDenyAll";

/// A trail that logs.
struct Trail {
    client: aws_sdk_cloudtrail::Client,
    arn: String,
}

impl Trail {
    async fn of(deployment: &Deployment, name: &str) -> Self {
        let client = aws_sdk_cloudtrail::Client::new(&deployment.stack.operator());
        let made = client.create_trail().name(name).s3_bucket_name("logs").send().await.unwrap();
        let trail = Self { client, arn: made.trail_arn().unwrap().to_owned() };
        trail.client.start_logging().name(&trail.arn).send().await.unwrap();
        trail
    }

    /// Whether it logs, and what.
    async fn state(&self) -> (bool, String) {
        let status = self.client.get_trail_status().name(&self.arn).send().await.unwrap();
        let selectors = self.client.get_event_selectors().trail_name(&self.arn).send().await.unwrap();
        (status.is_logging().unwrap(), format!("{:?} {:?}", selectors.event_selectors(), selectors.advanced_event_selectors()))
    }

    /// Stops it as `person`, and tells Cordon.
    async fn stopped_by(&self, deployment: &Deployment, person: &Person, identity: &Value) {
        person.trails.stop_logging().name(&self.arn).send().await.unwrap();
        assert!(!self.state().await.0);
        tell(deployment, identity, "StopLogging", &format!("stop-{}", person.name), json!({"name": self.arn})).await;
    }

    /// Sets what it logs, and gives back the parameters of the call.
    async fn set(&self, client: &aws_sdk_cloudtrail::Client, of: ReadWriteType) -> Value {
        let selector = EventSelector::builder().read_write_type(of.clone()).include_management_events(true).build();
        client.put_event_selectors().trail_name(&self.arn).event_selectors(selector).send().await.unwrap();
        let selectors = json!([{"readWriteType": of.as_str(), "includeManagementEvents": true}]);
        json!({"trailName": self.arn, "eventSelectors": selectors})
    }

    /// Sets what it logs, as `person`, and tells Cordon.
    async fn logs(&self, deployment: &Deployment, person: &Person, identity: &Value, of: ReadWriteType) {
        let parameters = self.set(&person.trails, of).await;
        tell(deployment, identity, "PutEventSelectors", &format!("selectors-{}", person.name), parameters).await;
    }
}

/// Puts CloudTrail's record of a call on the bus.
async fn tell(deployment: &Deployment, identity: &Value, event: &str, id: &str, parameters: Value) {
    let record = json!({"eventVersion": "1.11", "eventID": id, "eventName": event, "eventSource": CLOUDTRAIL,
        "eventTime": jiff::Timestamp::now(), "awsRegion": "us-east-1", "sourceIPAddress": "203.0.113.7", "readOnly": false,
        "eventType": "AwsApiCall", "recipientAccountId": deployment.stack.spec.account, "userIdentity": identity,
        "requestParameters": parameters});
    deployment.stack.put_event(&record).await.unwrap();
}

async fn identity_of_user(deployment: &Deployment, name: &str) -> Value {
    let user = deployment.operator().get_user().user_name(name).send().await.unwrap().user.unwrap();
    json!({"type": "IAMUser", "userName": name, "accountId": deployment.stack.spec.account, "arn": user.arn(),
        "principalId": user.user_id()})
}

async fn identity_of_session(deployment: &Deployment, role: &str) -> Value {
    let account = &deployment.stack.spec.account;
    let role = deployment.operator().get_role().role_name(role).send().await.unwrap().role.unwrap();
    json!({"type": "AssumedRole", "accountId": account, "principalId": format!("{}:night-shift", role.role_id()),
        "arn": format!("arn:aws:sts::{account}:assumed-role/{}/night-shift", role.role_name()),
        "sessionContext": {"sessionIssuer": {"type": "Role", "principalId": role.role_id(), "arn": role.arn(),
            "accountId": account, "userName": role.role_name()}}})
}

#[tokio::test]
async fn a_user_who_stops_a_trail_is_quarantined_and_the_trail_logs_again() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let trail = Trail::of(&deployment, "iam-test-stopped").await;
    let attacker = deployment.user("iam-test-stopper").await;
    deployment.may_do_anything(&attacker).await;
    let (session, federated) = (attacker.session().await, attacker.federated().await);
    federated.reads_trails().await?;
    let before = deployment.rights_of_user(&attacker.name).await;
    trail.stopped_by(&deployment, &attacker, &identity_of_user(&deployment, &attacker.name).await).await;
    let stopped = trail.state().await;

    let incident = contained(&deployment, &attacker, "StopLogging").await;
    assert_eq!(remedies_of(&incident), ["deny-all", "restart-logging"]);
    for person in [&attacker, &session, &federated] {
        person.may_do_nothing().await;
    }
    // The way out of a quarantine that leaves IAM open.
    let ours = deployment.rights_of_user(&attacker.name).await;
    let ours = ours.keys().find_map(|name| name.strip_prefix("inline CordonDenyAll-")).unwrap().to_owned();
    let lift = attacker.iam.delete_user_policy().user_name(&attacker.name).policy_name(format!("CordonDenyAll-{ours}"));
    assert_eq!(lift.send().await.unwrap_err().into_service_error().meta().code(), Some(REFUSED));
    attacker.trails.stop_logging().name(&trail.arn).send().await.unwrap_err();
    assert!(trail.state().await.0);

    deployment.undoes(&incident).await;
    assert_eq!(trail.state().await, stopped);
    assert_eq!(deployment.rights_of_user(&attacker.name).await, before);
    attacker.creates_user("iam-test-stopper-again").await?;
    federated.reads_trails().await?;
    Ok(())
}

#[tokio::test]
async fn a_session_that_narrows_a_trail_is_quarantined_through_its_role_and_the_trail_logs_as_before() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let trail = Trail::of(&deployment, "iam-test-narrowed").await;
    let selectors = trail.set(&trail.client, ReadWriteType::WriteOnly).await;
    set_long_ago(&deployment, CLOUDTRAIL, "PutEventSelectors", "selectors-of-the-pipeline", selectors).await;
    let wide = trail.state().await;

    let somebody = deployment.user("iam-test-narrower-user").await;
    let session = deployment.role_session("iam-test-narrower", &somebody).await;
    deployment.role_may_do_anything(&session).await;
    let by_session = identity_of_session(&deployment, &session.name).await;
    trail.logs(&deployment, &session, &by_session, ReadWriteType::ReadOnly).await;
    let narrow = trail.state().await;
    let before = deployment.rights_of_role(&session.name).await;
    let incident = contained(&deployment, &session, "PutEventSelectors").await;
    assert_eq!(remedies_of(&incident), ["deny-all", "restart-logging"]);
    assert!(narrow != wide && trail.state().await == wide);
    session.may_do_nothing().await;
    deployment.assumes(&somebody, &session.name).await?.may_do_nothing().await;

    deployment.undoes(&incident).await;
    assert_eq!(trail.state().await, narrow);
    assert_eq!(deployment.rights_of_role(&session.name).await, before);
    session.creates_user("iam-test-narrower-again").await?;
    Ok(())
}

/// Fills what IAM allows a user who may do anything in inline policies, so that no deny fits beside them. The emulator itself would take more.
async fn fill_inline(deployment: &Deployment, user: &Person) {
    const QUOTA: usize = 2_048;
    let used = ALL_OF_IAM.len() + EVERYTHING.len();
    let filler = |sid: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"{sid}","Effect":"Allow","Action":"s3:List*","Resource":"*"}}]}}"#
        )
    };
    let sid = "x".repeat(QUOTA - used - filler("").len());
    let put = deployment.operator().put_user_policy().user_name(&user.name).policy_name("filler").policy_document(filler(&sid));
    put.send().await.unwrap();
}

async fn attach_ten(deployment: &Deployment, user: &Person) {
    let iam = deployment.operator();
    for n in 0..10 {
        let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:List*","Resource":"*"}]}"#;
        let made = iam.create_policy().policy_name(format!("{}-{n}", user.name)).policy_document(document).send().await.unwrap();
        let arn = made.policy().and_then(|policy| policy.arn()).unwrap();
        iam.attach_user_policy().user_name(&user.name).policy_arn(arn).send().await.unwrap();
    }
}

#[tokio::test]
async fn a_quarantine_that_finds_no_room_inline_is_attached_and_else_becomes_the_boundary() -> Test {
    let deployment = Deployment::get(ENFORCE);
    for (name, ten_attached, place) in
        [("iam-test-full-inline", false, format!("attached {DENY_ALL}")), ("iam-test-full-both", true, "boundary".to_owned())]
    {
        let trail = Trail::of(&deployment, name).await;
        let attacker = deployment.user(name).await;
        deployment.may_do_anything(&attacker).await;
        fill_inline(&deployment, &attacker).await;
        if ten_attached {
            attach_ten(&deployment, &attacker).await;
        }
        let before = deployment.rights_of_user(name).await;
        trail.stopped_by(&deployment, &attacker, &identity_of_user(&deployment, name).await).await;
        let incident = contained(&deployment, &attacker, "StopLogging").await;
        assert_eq!(remedies_of(&incident), ["deny-all", "restart-logging"]);
        let during = deployment.rights_of_user(name).await;
        let added: Vec<_> = during.keys().filter(|key| !before.contains_key(*key)).collect();
        assert_eq!(added, [&place]);
        attacker.may_do_nothing().await;

        deployment.undoes(&incident).await;
        assert_eq!(deployment.rights_of_user(name).await, before);
        attacker.creates_user(&format!("{name}-again")).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_deny_of_iam_that_finds_no_room_becomes_a_boundary_and_the_former_one_comes_back() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-full-iam").await;
    deployment.may_do_anything(&attacker).await;
    let everything = EVERYTHING;
    let made =
        deployment.operator().create_policy().policy_name("boundary-that-stood").policy_document(everything).send().await?;
    let former = made.policy().and_then(|policy| policy.arn()).unwrap();
    deployment.operator().put_user_permissions_boundary().user_name(&attacker.name).permissions_boundary(former).send().await?;
    fill_inline(&deployment, &attacker).await;
    attacker.attaches_administrator_to(&attacker.name).await;
    let before = deployment.rights_of_user(&attacker.name).await;
    let incident = contained(&deployment, &attacker, "AttachUserPolicy").await;
    assert_eq!(remedies_of(&incident), ["deny-iam", "detach-policy"]);
    attacker.may_do_nothing().await;
    assert_eq!(deployment.rights_of_user(&attacker.name).await["boundary"], DENY_ALL);

    deployment.undoes(&incident).await;
    assert_eq!(deployment.rights_of_user(&attacker.name).await, before);
    attacker.creates_user("iam-test-full-iam-again").await?;
    Ok(())
}
