//! The way of an event from a real call to IAM's own answer, on the emulator with enforced IAM.
//!
//! Every test ends with what IAM then allows, not with what the table says.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod approval;
mod browser;
mod decoys;
mod deployment;
mod findings;
mod intake;
mod organization;
mod person;
mod remedies;
mod rights;
mod unanswered;

use cordon_sandbox::slack::Message;
use deployment::{ADMINISTRATOR, APPROVER, BRIEF, Deployment, ENFORCE, SHIPPED, STRANGER};
use serde_json::{Value, json};

type Test = Result<(), Box<dyn std::error::Error>>;

fn kinds(incident: &Value) -> Vec<&str> {
    incident["log"].as_array().unwrap().iter().map(|entry| entry["kind"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_approved_incident_ends_contained_and_iam_refuses_the_attacker() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-approved").await;
    attacker.attaches_administrator_to("iam-test-approved").await;
    attacker.creates_user("iam-test-approved-before").await?;
    let card = deployment.card("iam-test-approved", "AttachUserPolicy").await;
    let answer = deployment.approve(&card, APPROVER).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    attacker.is_refused("iam-test-approved-after").await;
    let incident = deployment.closed("iam-test-approved", "AttachUserPolicy").await;
    assert_eq!(incident["head"]["outcome"], "contained");
    assert!(deployment.attached("iam-test-approved").await.is_empty());
    // That people were told of the end may or may not stand there yet.
    assert_eq!(
        kinds(&incident)[..9],
        ["detected", "decided", "notified", "asked", "notified", "approved", "applied", "verified", "closed"]
    );
    let ended = |message: &Message| message.edits > 0 && message.buttons().iter().all(|(action, _)| action == "cordon_undo");
    deployment.message_once(&card.ts, "the outcome with Undo alone", ended).await;
    Ok(())
}

#[tokio::test]
async fn a_denied_incident_changes_nothing() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-denied").await;
    attacker.attaches_administrator_to("iam-test-denied").await;
    let card = deployment.card("iam-test-denied", "AttachUserPolicy").await;
    let answer = deployment.deny(&card, APPROVER).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let incident = deployment.closed("iam-test-denied", "AttachUserPolicy").await;
    assert_eq!(incident["head"]["outcome"], "denied");
    assert_eq!(deployment.attached("iam-test-denied").await, [ADMINISTRATOR]);
    attacker.creates_user("iam-test-denied-after").await?;
    Ok(())
}

#[tokio::test]
async fn an_incident_that_nobody_answers_expires_and_changes_nothing() -> Test {
    let deployment = Deployment::get(BRIEF);
    let attacker = deployment.user("iam-test-unanswered").await;
    attacker.attaches_administrator_to("iam-test-unanswered").await;
    let card = deployment.card("iam-test-unanswered", "AttachUserPolicy").await;
    let incident = deployment.closed("iam-test-unanswered", "AttachUserPolicy").await;
    assert_eq!(incident["head"]["outcome"], "expired");
    assert_eq!(deployment.attached("iam-test-unanswered").await, [ADMINISTRATOR]);
    attacker.creates_user("iam-test-unanswered-after").await?;
    deployment.message_once(&card.ts, "the end without buttons", |message| message.buttons().is_empty()).await;
    Ok(())
}

#[tokio::test]
async fn the_exception_tag_exempts_and_says_so() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-tagged").await;
    let tag = aws_sdk_iam::types::Tag::builder().key("SecurityApproved").value("true").build()?;
    deployment.operator().tag_user().user_name("iam-test-tagged").tags(tag).send().await?;
    attacker.attaches_administrator_to("iam-test-tagged").await;
    let incident = deployment.closed("iam-test-tagged", "AttachUserPolicy").await;
    assert_eq!(incident["head"]["outcome"], "exempt");
    let alert = deployment
        .alert("the tagged user is exempt", |alert| {
            alert["message"] == "exempt" && alert["subject"].to_string().contains("iam-test-tagged")
        })
        .await;
    assert_eq!(alert.message["decision_reason"], "User has approved exception tag: SecurityApproved=true");
    assert_eq!(alert.message["approved_for_remediation"], false);
    assert_eq!(deployment.attached("iam-test-tagged").await, [ADMINISTRATOR]);
    attacker.creates_user("iam-test-tagged-after").await?;
    Ok(())
}

#[tokio::test]
async fn a_tag_that_the_actor_has_just_set_does_not_exempt() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-selftag").await;
    let tag = aws_sdk_iam::types::Tag::builder().key("SecurityApproved").value("true").build()?;
    attacker.iam.tag_user().user_name("iam-test-selftag").tags(tag).send().await?;
    let tagging = deployment.card("iam-test-selftag", "TagUser").await;
    attacker.attaches_administrator_to("iam-test-selftag").await;
    let card = deployment.card("iam-test-selftag", "AttachUserPolicy").await;
    assert!(card.everything().contains("does not count"), "{}", card.everything());
    deployment.approve(&card, APPROVER).await;
    attacker.is_refused("iam-test-selftag-after").await;
    deployment.deny(&tagging, APPROVER).await;
    Ok(())
}

#[tokio::test]
async fn members_of_the_exempt_group_are_exempt() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let admin = deployment.user("iam-test-admin").await;
    let iam = deployment.operator();
    iam.create_group().group_name("admins").send().await?;
    iam.add_user_to_group().group_name("admins").user_name("iam-test-admin").send().await?;
    admin.creates_user("iam-test-admin-made").await?;
    let incident = deployment.closed("iam-test-admin", "CreateUser").await;
    assert_eq!(incident["head"]["outcome"], "exempt");
    assert_eq!(incident["head"]["decision"]["decision_reason"], "Actor is in the exempt group: admins");
    admin.creates_user("iam-test-admin-made-too").await?;
    Ok(())
}

#[tokio::test]
async fn a_dry_run_tells_everything_and_changes_nothing() -> Test {
    let deployment = Deployment::get(SHIPPED);
    let attacker = deployment.user("iam-test-dry").await;
    attacker.attaches_administrator_to("iam-test-dry").await;
    let incident = deployment.closed("iam-test-dry", "AttachUserPolicy").await;
    assert_eq!(incident["head"]["outcome"], "alerted");
    let decided = incident["log"].as_array().unwrap().iter().find(|entry| entry["kind"] == "decided").unwrap().clone();
    let alert = deployment
        .alert("the dry run's decision", |alert| {
            alert["actor_arn"].to_string().contains("iam-test-dry") && alert["event_name"] == "AttachUserPolicy"
        })
        .await;
    for told in [&decided["data"], &alert.message] {
        assert_eq!(told["approved_for_remediation"], true, "{told}");
        assert_eq!(told["decision_reason"], "Approved for remediation");
        assert_eq!(told["dry_run"], true);
        assert_eq!(told["event_name"], "AttachUserPolicy");
        assert_eq!(told["actor_arn"], "arn:aws:iam::222222222222:user/iam-test-dry");
        assert_eq!(told["subject"], "arn:aws:iam::222222222222:user/iam-test-dry");
        assert_eq!(told["policy_arn"], ADMINISTRATOR);
        assert!(told["calls"].to_string().contains("iam:DetachUserPolicy"), "{told}");
    }
    let message = deployment.message(&["iam-test-dry", "AttachUserPolicy"]).await;
    assert!(message.buttons().is_empty() && message.everything().contains("DetachUserPolicy"));
    assert_eq!(deployment.attached("iam-test-dry").await, [ADMINISTRATOR]);
    assert_eq!(deployment.inline_policies("iam-test-dry").await, ["sandbox"]);
    attacker.creates_user("iam-test-dry-after").await?;
    Ok(())
}

#[tokio::test]
async fn a_principal_outside_the_scope_is_told_of_and_left_alone() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("production-user").await;
    attacker.attaches_administrator_to("production-user").await;
    let incident = deployment.closed("production-user", "AttachUserPolicy").await;
    assert_eq!(incident["head"]["outcome"], "alerted");
    let reason = incident["head"]["decision"]["decision_reason"].as_str().unwrap();
    assert!(reason.contains("scope.principals"), "{reason}");
    assert_eq!(deployment.attached("production-user").await, [ADMINISTRATOR]);
    attacker.creates_user("production-user-after").await?;
    Ok(())
}

#[tokio::test]
async fn the_same_event_many_times_is_one_incident_with_one_card() -> Test {
    let deployment = Deployment::get(ENFORCE);
    deployment.user("iam-test-twice").await;
    let arn = "arn:aws:iam::111111111111:user/iam-test-twice";
    // A made-up event of long ago would only be told of.
    let now = jiff::Timestamp::now();
    let record = json!({
        "eventVersion": "1.11", "eventID": "twice-0001", "eventName": "AttachUserPolicy", "eventSource": "iam.amazonaws.com",
        "eventTime": now, "awsRegion": "us-east-1", "sourceIPAddress": "203.0.113.7", "userAgent": "aws-cli/2", "readOnly": false,
        "eventType": "AwsApiCall", "recipientAccountId": "111111111111",
        "userIdentity": {"type": "IAMUser", "userName": "iam-test-twice", "accountId": "111111111111", "arn": arn},
        "requestParameters": {"userName": "iam-test-twice", "policyArn": ADMINISTRATOR}});
    deployment.operator().attach_user_policy().user_name("iam-test-twice").policy_arn(ADMINISTRATOR).send().await?;
    for _ in 0..5 {
        deployment.stack.put_event(&record).await?;
    }
    let card = deployment.card("iam-test-twice", "AttachUserPolicy").await;
    deployment.deny(&card, APPROVER).await;
    deployment.closed("iam-test-twice", "AttachUserPolicy").await;
    deployment.stack.put_event(&record).await?;
    let began = std::time::Instant::now();
    let executions = loop {
        let executions = deployment.executions("twice-0001").await;
        if executions.len() == 6 && executions.iter().all(|(status, _)| status == "SUCCEEDED") {
            break executions;
        }
        assert!(began.elapsed() < deployment::LIMIT, "the executions never end: {executions:?}");
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    };
    let duplicates = executions.iter().filter(|(_, output)| output.contains("duplicate")).count();
    assert_eq!(duplicates, 5, "{executions:?}");
    assert_eq!(deployment.incidents("iam-test-twice", "AttachUserPolicy").await.len(), 1);
    let cards = deployment
        .slack()
        .messages(ENFORCE)
        .into_iter()
        .filter(|message| message.everything().contains("iam-test-twice"))
        .count();
    assert_eq!(cards, 1);
    assert_eq!(deployment.attached("iam-test-twice").await, [ADMINISTRATOR]);
    Ok(())
}

#[tokio::test]
async fn forged_clicks_strangers_and_the_actor_decide_nothing() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-own-approver").await;
    attacker.attaches_administrator_to("iam-test-own-approver").await;
    let card = deployment.card("iam-test-own-approver", "AttachUserPolicy").await;

    let click =
        cordon_sandbox::slack::Click { ts: card.ts.clone(), action_id: "cordon_approve".to_owned(), user: APPROVER.to_owned() };
    let (_, body) = deployment.slack().click_body(&click)?;
    let now = jiff::Timestamp::now().as_second();
    let secret = deployment.slack().signing_secret(ENFORCE).unwrap();
    let sign = cordon_sandbox::slack::sign;
    let forged = [
        None,
        Some(sign("another-secret-of-16", now, &body)),
        Some(sign(&secret, now - 301, &body)),
        Some(sign(&secret, now + 400, &body)),
        Some(sign(&secret, now, b"another body")),
    ];
    for signature in forged {
        let answer = deployment.slack().post_callback(ENFORCE, body.clone(), signature.as_ref()).await?;
        assert_eq!(answer.status, 401, "{signature:?}");
        assert!(!answer.body.contains("v0="));
    }
    // A stranger, and an approver who is the actor: refused for both buttons, and told.
    for (user, said) in [(STRANGER, "not on the list"), ("U0MALLORY3", "You are the actor")] {
        for answer in [deployment.approve(&card, user).await, deployment.deny(&card, user).await] {
            assert_eq!(answer.status, 200);
            assert!(answer.body.contains(said), "{}", answer.body);
        }
    }
    let open = deployment
        .incident_where("refusals", |incident| {
            incident["head"]["actor"]["name"] == "iam-test-own-approver"
                && kinds(incident).iter().filter(|kind| **kind == "refused").count() == 4
        })
        .await;
    assert_eq!(open["head"]["state"], "asking");
    assert_eq!(deployment.attached("iam-test-own-approver").await, [ADMINISTRATOR]);
    assert!(!deployment.message_now(&card.ts).buttons().is_empty());

    deployment.approve(&card, APPROVER).await;
    attacker.is_refused("iam-test-own-approver-after").await;
    Ok(())
}

#[tokio::test]
async fn undo_restores_the_rights_and_stands_on_the_timeline() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-undone").await;
    attacker.attaches_administrator_to("iam-test-undone").await;
    attacker.reads_trails().await?;
    let before = deployment.rights_of_user("iam-test-undone").await;
    let card = deployment.card("iam-test-undone", "AttachUserPolicy").await;
    deployment.approve(&card, APPROVER).await;
    let incident = deployment.closed("iam-test-undone", "AttachUserPolicy").await;
    assert_eq!(incident["head"]["outcome"], "contained");
    assert_eq!(attacker.creates_user("iam-test-undone-refused").await, Err("AccessDenied".to_owned()));
    // What the administrator's policy gave beside IAM.
    assert_eq!(attacker.reads_trails().await, Err("AccessDeniedException".to_owned()));

    deployment.undoes(&incident).await;
    assert_eq!(deployment.rights_of_user("iam-test-undone").await, before);
    attacker.creates_user("iam-test-undone-again").await?;
    attacker.reads_trails().await?;

    let table = cordon_aws::DynamoTable::new(
        aws_sdk_dynamodb::Client::new(&deployment.stack.operator()),
        deployment.stack.outputs.table_name.clone(),
    );
    let id = incident["id"].as_str().unwrap().parse()?;
    let entries = cordon_store::Store::new(&table).timeline(&id).await?;
    let head = cordon_store::Store::new(&table).incident(&id).await?;
    cordon_core::timeline::verify(&entries, &head.last_hash)?;
    assert_eq!(serde_json::to_value(entries.last().unwrap().kind)?, "undone");
    Ok(())
}

#[tokio::test]
async fn a_role_session_is_contained_through_its_role() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let somebody = deployment.user("iam-test-role-user").await;
    let session = deployment.role_session("iam-test-night-role", &somebody).await;
    session.iam.attach_role_policy().role_name("iam-test-night-role").policy_arn(ADMINISTRATOR).send().await?;
    session.creates_user("iam-test-night-before").await?;
    let card = deployment.card("iam-test-night-role", "AttachRolePolicy").await;
    deployment.approve(&card, APPROVER).await;
    session.is_refused("iam-test-night-after").await;
    let incident = deployment.closed("iam-test-night-role", "AttachRolePolicy").await;
    assert_eq!(incident["head"]["outcome"], "contained");
    let listed = deployment.operator().list_attached_role_policies().role_name("iam-test-night-role").send().await?;
    assert!(listed.attached_policies().is_empty());
    Ok(())
}

#[tokio::test]
async fn an_administrator_policy_of_ones_own_is_read_recognised_and_detached() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-own-policy").await;
    let disguised =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotAction":"s3:DeleteBucketWebsite","Resource":"*"}}"#;
    let made = deployment.operator().create_policy().policy_name("team-reporting").policy_document(disguised).send().await?;
    let arn = made.policy().and_then(|policy| policy.arn()).unwrap().to_owned();
    attacker.iam.attach_user_policy().user_name("iam-test-own-policy").policy_arn(&arn).send().await?;
    let card = deployment.card("iam-test-own-policy", "AttachUserPolicy").await;
    assert!(card.everything().contains("DetachUserPolicy"), "{}", card.everything());
    deployment.approve(&card, APPROVER).await;
    attacker.is_refused("iam-test-own-policy-after").await;
    let incident = deployment.closed("iam-test-own-policy", "AttachUserPolicy").await;
    assert_eq!(incident["head"]["outcome"], "contained");
    assert!(deployment.attached("iam-test-own-policy").await.is_empty());
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_judged_becomes_an_incident_for_a_person() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let record = json!({"eventVersion": "1.11", "eventID": "unreadable-1", "eventName": "AttachUserPolicy", "eventSource": "iam.amazonaws.com",
        "recipientAccountId": "111111111111", "eventTime": "2026-01-02T03:04:05Z", "readOnly": false});
    deployment.stack.put_event(&record).await?;
    let incident =
        deployment.incident_where("incident for a person", |incident| incident["head"]["outcome"] == "needs_person").await;
    assert!(incident["head"]["unreadable"].as_str().unwrap().contains("userIdentity"));
    deployment.alert("an event needs a person", |alert| alert["message"] == "needs_person").await;
    Ok(())
}

#[tokio::test]
async fn origin_1_an_attached_administrator_policy_is_decided_on_told_and_detached() -> Test {
    // Dry run: the decision and its reason are told, with everything that the alert must carry; nothing is detached.
    let dry = Deployment::get(SHIPPED);
    let attacker = dry.user("iam-test-origin1-actor").await;
    dry.user("iam-test-origin1").await;
    attacker.attaches_administrator_to("iam-test-origin1").await;
    let alert = dry
        .alert("a policy was attached to another user", |alert| {
            alert["subject"] == "arn:aws:iam::222222222222:user/iam-test-origin1"
        })
        .await;
    let told = &alert.message;
    assert_eq!((&told["event_name"], &told["policy_arn"]), (&json!("AttachUserPolicy"), &json!(ADMINISTRATOR)));
    assert_eq!(told["actor_arn"], "arn:aws:iam::222222222222:user/iam-test-origin1-actor");
    assert_eq!((&told["dry_run"], &told["approved_for_remediation"]), (&json!(true), &json!(true)));
    assert_eq!(told["decision_reason"], "Approved for remediation");
    assert!(alert.subject.len() <= 100 && alert.subject.contains("AttachUserPolicy"), "{}", alert.subject);
    assert_eq!(dry.attached("iam-test-origin1").await, [ADMINISTRATOR]);

    // Enforcing: the same is detached from the other user, and only that policy.
    let enforce = Deployment::get(ENFORCE);
    let attacker = enforce.user("iam-test-origin1-actor").await;
    enforce.user("iam-test-origin1").await;
    let harmless = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    enforce.operator().attach_user_policy().user_name("iam-test-origin1").policy_arn(harmless).send().await?;
    attacker.attaches_administrator_to("iam-test-origin1").await;
    let card = enforce.card("iam-test-origin1-actor", "AttachUserPolicy").await;
    enforce.approve(&card, APPROVER).await;
    attacker.is_refused("iam-test-origin1-after").await;
    enforce.closed("iam-test-origin1-actor", "AttachUserPolicy").await;
    assert_eq!(enforce.attached("iam-test-origin1").await, [harmless]);
    Ok(())
}

#[tokio::test]
async fn origin_2_whoever_is_not_an_admin_and_changes_iam_is_denied_iam() -> Test {
    let deployment = Deployment::get(BRIEF);
    let somebody = deployment.user("iam-test-origin2").await;
    somebody.creates_user("iam-test-origin2-first").await?;
    somebody.is_refused("iam-test-origin2-second").await;
    let incident = deployment.closed("iam-test-origin2", "CreateUser").await;
    // No rule undoes the call: the user that was made is left to a person.
    assert_eq!(incident["head"]["outcome"], "partial");
    assert_eq!(incident["head"]["stays"][0]["event"], "CreateUser");
    assert!(deployment.inline_policies("iam-test-origin2").await.iter().any(|name| name.starts_with("CordonDenyIam")));

    let admin = deployment.user("iam-test-origin2-admin").await;
    let iam = deployment.operator();
    iam.create_group().group_name("admins").send().await?;
    iam.add_user_to_group().group_name("admins").user_name("iam-test-origin2-admin").send().await?;
    admin.creates_user("iam-test-origin2-third").await?;
    assert_eq!(deployment.closed("iam-test-origin2-admin", "CreateUser").await["head"]["outcome"], "exempt");
    admin.creates_user("iam-test-origin2-fourth").await?;
    Ok(())
}

#[tokio::test]
async fn origin_3_high_risk_calls_reach_slack_and_sns_with_who_where_and_what() -> Test {
    let deployment = Deployment::get(SHIPPED);
    let somebody = deployment.user("iam-test-origin3").await;
    let iam = &somebody.iam;
    iam.create_user().user_name("iam-test-origin3-new").send().await?;
    iam.create_access_key().user_name("iam-test-origin3-new").send().await?;
    deployment.operator().create_group().group_name("iam-test-origin3-group").send().await?;
    iam.add_user_to_group().group_name("iam-test-origin3-group").user_name("iam-test-origin3-new").send().await?;
    iam.remove_user_from_group().group_name("iam-test-origin3-group").user_name("iam-test-origin3-new").send().await?;
    for event in ["CreateUser", "CreateAccessKey", "AddUserToGroup", "RemoveUserFromGroup"] {
        let alert = deployment
            .alert(event, |alert| alert["event_name"] == event && alert["actor_arn"].to_string().contains("origin3"))
            .await;
        assert_eq!(alert.message["source_ip"], "127.0.0.1");
        let parameters: Value = serde_json::from_str(alert.message["request_parameters"].as_str().unwrap())?;
        assert_eq!(parameters["userName"], "iam-test-origin3-new");
        let message = deployment.message(&["iam-test-origin3", event]).await;
        assert!(message.everything().contains("127.0.0.1") && message.everything().contains("iam-test-origin3-new"));
    }
    // A call that is on no list leaves no trace.
    iam.list_users().send().await?;
    assert!(deployment.incidents("iam-test-origin3", "ListUsers").await.is_empty());
    Ok(())
}
