//! Approval that does not come by a click of the wanted people: nobody answers, one answers for all, Slack takes nothing, or it
//! is only a rehearsal.

use std::time::{Duration, Instant};

use cordon_flow::decide::{Answer, Choice};
use cordon_sandbox::slack::Fault;
use serde_json::{Value, json};

use super::deployment::{
    ADMINISTRATOR, APPROVAL, APPROVAL_TIMEOUTS, APPROVER, BRIEF, Deployment, ENFORCE, LIMIT, POLL, REHEARSAL, STRANGER,
};
use super::{Test, kinds};

/// In the deployment [`APPROVAL`], an approver like the other.
const SECOND: &str = STRANGER;

/// What the timeline says of messages that did not get through.
fn undelivered(incident: &Value) -> Vec<String> {
    let log = incident["log"].as_array().unwrap().iter();
    log.filter(|entry| entry["data"]["slack"] == "failed").map(|entry| entry["data"].to_string()).collect()
}

async fn asking(deployment: &Deployment, actor: &str) -> Value {
    let waits = |incident: &Value| incident["head"]["actor"]["name"] == actor && incident["head"]["state"] == "asking";
    deployment.incident_where(&format!("question about {actor}"), waits).await
}

#[tokio::test]
async fn a_rehearsal_asks_for_real_and_an_approval_changes_nothing_and_says_so() -> Test {
    let deployment = Deployment::get(REHEARSAL);
    let attacker = deployment.user("iam-test-rehearsed").await;
    attacker.attaches_administrator_to("iam-test-rehearsed").await;
    let card = deployment.card("iam-test-rehearsed", "AttachUserPolicy").await;
    assert!(card.everything().contains("Rehearsal: decide this as if it were real."), "{}", card.everything());
    let refused = deployment.approve(&card, STRANGER).await;
    assert!(refused.body.contains("not on the list"), "{}", refused.body);
    let answer = deployment.approve(&card, APPROVER).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let incident = deployment.closed("iam-test-rehearsed", "AttachUserPolicy").await;
    assert_eq!(incident["head"]["outcome"], "alerted");
    let said = kinds(&incident);
    assert!(said.contains(&"approved") && !said.contains(&"applied"), "{said:?}");
    let told = deployment
        .alert("the rehearsal's outcome", |alert| {
            alert["message"] == "outcome" && alert["actor_arn"].to_string().contains("iam-test-rehearsed")
        })
        .await;
    assert_eq!((&told.message["dry_run"], &told.message["outcome"]), (&json!(true), &json!("alerted")));
    shows(&deployment, &card.ts, &["Dry run: nothing was changed.", "What would have been done"]).await;
    assert_eq!(deployment.attached("iam-test-rehearsed").await, [ADMINISTRATOR]);
    assert_eq!(deployment.inline_policies("iam-test-rehearsed").await, ["sandbox"]);
    attacker.creates_user("iam-test-rehearsed-after").await?;
    Ok(())
}

/// Waits until a message says all of this.
async fn shows(deployment: &Deployment, ts: &str, parts: &[&str]) {
    let began = Instant::now();
    loop {
        let shown = deployment.message_now(ts).everything();
        if parts.iter().all(|part| shown.contains(part)) {
            return;
        }
        assert!(began.elapsed() < LIMIT, "{parts:?} are not all in {shown}");
        tokio::time::sleep(POLL).await;
    }
}

#[tokio::test]
async fn a_containment_that_went_ahead_is_held_where_nobody_answers_and_the_policy_says_so() -> Test {
    let deployment = Deployment::get(BRIEF);
    let somebody = deployment.user("iam-test-held").await;
    deployment.user("iam-test-held-victim").await;
    somebody.iam.create_access_key().user_name("iam-test-held-victim").send().await?;
    let card = deployment.card("iam-test-held", "CreateAccessKey").await;
    assert!(card.everything().contains("contained for now"), "{}", card.everything());
    let incident = deployment.closed("iam-test-held", "CreateAccessKey").await;
    assert_eq!(incident["head"]["outcome"], "expired");
    let said = kinds(&incident);
    assert!(said.contains(&"escalated") && said.contains(&"expired") && !said.contains(&"reverted"), "{said:?}");
    assert_eq!(somebody.creates_user("iam-test-held-after").await, Err("AccessDenied".to_owned()));
    shows(&deployment, &card.ts, &["nobody answered in time. The containment stays."]).await;
    Ok(())
}

#[tokio::test]
async fn where_nobody_answers_and_the_policy_says_contain_only_the_actor_is_stopped() -> Test {
    let deployment = Deployment::get(APPROVAL);
    let attacker = deployment.user("iam-test-nobody").await;
    attacker.attaches_administrator_to("iam-test-nobody").await;
    let card = deployment.card("iam-test-nobody", "AttachUserPolicy").await;
    attacker.creates_user("iam-test-nobody-before").await?;
    let incident =
        deployment.closed_within(APPROVAL_TIMEOUTS.iter().sum::<Duration>() + LIMIT, "iam-test-nobody", "AttachUserPolicy").await;
    assert_eq!(incident["head"]["outcome"], "partial", "the policy still stands");
    let said = kinds(&incident);
    assert!(said.contains(&"escalated") && said.contains(&"expired") && said.contains(&"applied"), "{said:?}");
    assert_eq!(attacker.creates_user("iam-test-nobody-after").await, Err("AccessDenied".to_owned()));
    assert_eq!(deployment.attached("iam-test-nobody").await, [ADMINISTRATOR]);
    shows(&deployment, &card.ts, &["only the containment was made, as configured", "cordon_undo"]).await;
    Ok(())
}

#[tokio::test]
async fn one_who_breaks_the_glass_is_enough_and_everybody_else_hears_of_it() -> Test {
    let deployment = Deployment::get(APPROVAL);
    let attacker = deployment.user("iam-test-alone").await;
    attacker.attaches_administrator_to("iam-test-alone").await;
    let card = deployment.card("iam-test-alone", "AttachUserPolicy").await;
    let refused = deployment.breaks_the_glass(&card, "U0NOBODY01").await;
    assert!(refused.body.contains("not on the list"), "{}", refused.body);
    let broken = deployment.breaks_the_glass(&card, SECOND).await;
    assert_eq!((broken.status, broken.body.as_str()), (200, ""));
    attacker.is_refused("iam-test-alone-after").await;
    let incident = deployment.closed("iam-test-alone", "AttachUserPolicy").await;
    assert_eq!(incident["head"]["outcome"], "contained");
    assert_eq!(incident["head"]["break_glass"]["reason"], "It was planned.");
    let told = deployment
        .alert("somebody broke the glass", |alert| {
            alert["message"] == "break_glass" && alert["actor_arn"].to_string().contains("user/iam-test-alone\"")
        })
        .await;
    assert_eq!(told.message["break_glass"]["skipped"], json!([{"slack_id": APPROVER, "name": "Alice"}]));
    let thread = |message: &cordon_sandbox::slack::Message| message.thread_ts.as_deref() == Some(&card.ts);
    let said = deployment
        .slack()
        .wait_for_message(APPROVAL, LIMIT, |message| thread(message) && message.everything().contains("not waited for"))
        .await
        .expect("a message to those who were not waited for")
        .everything();
    assert!(said.contains("<@U0ALICE001>") && said.contains("It was planned."), "{said}");
    // Where one approval is enough, there is no glass.
    let enforce = Deployment::get(ENFORCE);
    enforce.user("iam-test-no-glass").await.attaches_administrator_to("iam-test-no-glass").await;
    let card = enforce.card("iam-test-no-glass", "AttachUserPolicy").await;
    assert!(card.buttons().iter().all(|(action, _)| action != "cordon_break_glass"), "{}", card.everything());
    Ok(())
}

#[tokio::test]
async fn a_vote_on_the_command_line_shows_on_the_card_within_seconds() -> Test {
    let deployment = Deployment::get(APPROVAL);
    let ben = deployment.user("ben").await;
    let attacker = deployment.user("iam-test-typed").await;
    attacker.attaches_administrator_to("iam-test-typed").await;
    let card = deployment.card("iam-test-typed", "AttachUserPolicy").await;
    let incident = asking(&deployment, "iam-test-typed").await;
    let began = Instant::now();
    let answer = deployment.types(&ben, &incident, Choice::Approve).await;
    assert_eq!(answer, Answer::Counted { approved: 1, wanted: 2 });
    shows(&deployment, &card.ts, &["1 of 2 approvals so far, by `arn:aws:iam::444444444444:user/ben`", "cordon_approve"]).await;
    eprintln!("a vote of the command line stood on the card after {:?}", began.elapsed());
    let ended = deployment.executions("\"voted\"").await;
    assert!(ended.iter().all(|(status, _)| status != "FAILED"), "{ended:?}");
    deployment.approve(&card, APPROVER).await;
    attacker.is_refused("iam-test-typed-after").await;
    assert_eq!(deployment.closed("iam-test-typed", "AttachUserPolicy").await["head"]["outcome"], "contained");
    Ok(())
}

#[tokio::test]
async fn scenario_14_where_slack_takes_nothing_people_hear_by_sns_and_decide_on_the_command_line() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let alice = deployment.user("alice").await;
    let rows = [
        ("iam-test-slack-500", Fault::Unavailable, "a fault of its own"),
        ("iam-test-slack-429", Fault::RateLimited { retry_after_s: 30 }, "takes no `chat.postMessage` for 30 s"),
        ("iam-test-slack-not-ok", Fault::NotOk("channel_not_found".to_owned()), "channel_not_found"),
    ];
    for (name, fault, _) in &rows {
        deployment.slack().fail_next_about(ENFORCE, name, std::iter::repeat_n(fault.clone(), 100));
        deployment.user(name).await.attaches_administrator_to(name).await;
    }
    for (name, _, says) in &rows {
        let about = format!("arn:aws:iam::111111111111:user/{name}");
        let alert = deployment
            .alert(&format!("{name} is asked about"), |alert| alert["message"] == "asked" && alert["actor_arn"] == about.as_str())
            .await;
        assert_eq!(alert.message["route"], "ask");
        let incident = deployment
            .incident_where("question that Slack did not take", |incident| {
                incident["head"]["actor"]["name"] == *name && !undelivered(incident).is_empty()
            })
            .await;
        assert_eq!(incident["head"]["state"], "asking");
        assert!(undelivered(&incident)[0].contains(says), "{:?}", undelivered(&incident));
        let answer = deployment.types(&alice, &incident, Choice::Approve).await;
        assert_eq!(answer, Answer::Accepted(Choice::Approve));
        let ended = deployment.closed(name, "AttachUserPolicy").await;
        assert_eq!(ended["head"]["outcome"], "contained");
        assert!(deployment.attached(name).await.is_empty());
        deployment
            .alert(&format!("the outcome of {name}"), |alert| {
                alert["message"] == "outcome" && alert["actor_arn"] == about.as_str()
            })
            .await;
        let both = |incident: &Value| incident["head"]["actor"]["name"] == *name && undelivered(incident).len() >= 2;
        deployment.incident_where("outcome that Slack did not take", both).await;
        let shown = deployment.slack().messages(ENFORCE).into_iter().any(|message| message.everything().contains(name));
        assert!(!shown, "Slack took nothing about {name}");
    }
    Ok(())
}

#[tokio::test]
async fn scenario_14_where_slack_asks_to_wait_a_second_the_card_comes_after_it() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-slack-wait").await;
    deployment.slack().fail_next_about(ENFORCE, "iam-test-slack-wait", [Fault::RateLimited { retry_after_s: 2 }]);
    attacker.attaches_administrator_to("iam-test-slack-wait").await;
    let card = deployment.card("iam-test-slack-wait", "AttachUserPolicy").await;
    let incident = asking(&deployment, "iam-test-slack-wait").await;
    let asked: jiff::Timestamp = incident["head"]["asked_at"].as_str().unwrap().parse()?;
    let waited = card.posted_at.duration_since(asked);
    assert!(waited >= jiff::SignedDuration::try_from(Duration::from_secs(2))?, "{waited:?}");
    assert!(undelivered(&incident).is_empty(), "{incident:#}");
    deployment.deny(&card, APPROVER).await;
    Ok(())
}
