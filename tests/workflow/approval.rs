//! Approval on the real functions and state machine: several people, containment ahead of the question, escalation, the command
//! line's identity, and the button that undoes.

use cordon_flow::decide::{Answer, Choice};
use cordon_sandbox::slack::Message;
use serde_json::Value;

use super::deployment::{ADMINISTRATOR, APPROVAL, APPROVER, BRIEF, Deployment, ENFORCE, LIMIT, LOUD, STRANGER};
use super::{Test, kinds};

/// In the deployment of these tests, an approver like the other.
const SECOND: &str = STRANGER;

#[tokio::test]
async fn two_people_have_to_approve_what_is_critical() -> Test {
    let deployment = Deployment::get(APPROVAL);
    let attacker = deployment.user("iam-test-quorum").await;
    attacker.attaches_administrator_to("iam-test-quorum").await;
    let card = deployment.card("iam-test-quorum", "AttachUserPolicy").await;
    for _ in 0..2 {
        let first = deployment.approve(&card, APPROVER).await;
        assert!(first.body.contains("1 of 2"), "{}", first.body);
    }
    assert_eq!(deployment.attached("iam-test-quorum").await, [ADMINISTRATOR]);
    let counted = |message: &Message| message.everything().contains("1 of 2 approvals");
    deployment.message_once(&card.ts, "the first of two approvals", counted).await;
    deployment.approve(&card, SECOND).await;
    attacker.is_refused("iam-test-quorum-after").await;
    let incident = deployment.closed("iam-test-quorum", "AttachUserPolicy").await;
    assert_eq!(incident["head"]["outcome"], "contained");
    let said = kinds(&incident);
    assert_eq!((count(&said, "voted"), count(&said, "approved")), (1, 1), "{said:?}");
    Ok(())
}

#[tokio::test]
async fn a_containment_that_went_ahead_is_taken_back_by_a_denial() -> Test {
    let deployment = Deployment::get(APPROVAL);
    let somebody = deployment.user("iam-test-ahead").await;
    somebody.creates_user("iam-test-ahead-made").await?;
    let card = deployment.card("iam-test-ahead", "CreateUser").await;
    // Before anybody has answered.
    assert_eq!(somebody.creates_user("iam-test-ahead-refused").await, Err("AccessDenied".to_owned()));
    assert!(card.everything().contains("contained for now"), "{}", card.everything());
    deployment.deny(&card, SECOND).await;
    let incident = deployment.closed("iam-test-ahead", "CreateUser").await;
    assert_eq!(incident["head"]["outcome"], "denied");
    assert_eq!(deployment.inline_policies("iam-test-ahead").await, ["sandbox"]);
    somebody.creates_user("iam-test-ahead-again").await?;
    let taken_back = |message: &Message| message.everything().contains("the containment was taken back");
    deployment.message_once(&card.ts, "the containment taken back", taken_back).await;
    Ok(())
}

#[tokio::test]
async fn where_nobody_answers_more_people_are_called_before_it_expires() -> Test {
    let deployment = Deployment::get(BRIEF);
    let attacker = deployment.user("iam-test-escalated").await;
    attacker.attaches_administrator_to("iam-test-escalated").await;
    let incident = deployment.closed("iam-test-escalated", "AttachUserPolicy").await;
    assert_eq!(incident["head"]["outcome"], "expired");
    let said = kinds(&incident);
    assert_eq!((count(&said, "asked"), count(&said, "escalated"), count(&said, "expired")), (2, 1, 1), "{said:?}");
    let alert = deployment
        .alert("somebody was called", |alert| {
            alert["message"] == "escalated" && alert["actor_arn"].to_string().contains("iam-test-escalated")
        })
        .await;
    assert_eq!(alert.message["route"], "ask");
    // The second channel has heard, by name.
    let loud = deployment
        .slack()
        .wait_for_message(BRIEF, LIMIT, |message| message.channel == LOUD && message.everything().contains("iam-test-escalated"))
        .await
        .expect("a message in the second channel");
    assert!(loud.everything().contains("<@U0ALICE001>") && loud.buttons().is_empty(), "{}", loud.everything());
    Ok(())
}

#[tokio::test]
async fn the_command_line_decides_by_the_same_rules_without_slack() -> Test {
    let deployment = Deployment::get(APPROVAL);
    let alice = deployment.user("alice").await;
    let stranger = deployment.user("somebody").await;
    let somebody = deployment.user("iam-test-no-click").await;
    somebody.creates_user("iam-test-no-click-made").await?;
    let asking = deployment
        .incident_where("question", |incident| {
            incident["head"]["actor"]["name"] == "iam-test-no-click" && incident["head"]["state"] == "asking"
        })
        .await;
    for (person, counts) in [(&stranger, false), (&somebody, false), (&alice, true)] {
        let answer = deployment.types(person, &asking, Choice::Approve).await;
        assert_eq!(matches!(answer, Answer::Accepted(Choice::Approve)), counts, "{}: {answer:?}", person.name);
    }
    let incident = deployment.closed("iam-test-no-click", "CreateUser").await;
    // No rule undoes the call: the user that was made is left to a person.
    assert_eq!(incident["head"]["outcome"], "partial");
    Ok(())
}

#[tokio::test]
async fn the_undo_button_restores_what_was_there_and_says_so() -> Test {
    let deployment = Deployment::get(ENFORCE);
    let attacker = deployment.user("iam-test-undo-button").await;
    attacker.attaches_administrator_to("iam-test-undo-button").await;
    let card = deployment.card("iam-test-undo-button", "AttachUserPolicy").await;
    deployment.approve(&card, APPROVER).await;
    deployment.closed("iam-test-undo-button", "AttachUserPolicy").await;
    let has_undo = |message: &Message| message.buttons().iter().any(|(action, _)| action == "cordon_undo");
    deployment.message_once(&card.ts, "the button that undoes", has_undo).await;
    let refused = deployment.undo(&card, STRANGER).await;
    assert!(refused.body.contains("not on the list"), "{}", refused.body);
    deployment.undo(&card, APPROVER).await;
    let undone = deployment
        .incident_where("undone incident", |incident| {
            incident["head"]["actor"]["name"] == "iam-test-undo-button" && kinds(incident).contains(&"undone")
        })
        .await;
    assert_eq!(count(&kinds(&undone), "undo_requested"), 1);
    assert_eq!(deployment.attached("iam-test-undo-button").await, [ADMINISTRATOR]);
    assert_eq!(deployment.inline_policies("iam-test-undo-button").await, ["sandbox"]);
    attacker.creates_user("iam-test-undo-button-again").await?;
    let told = deployment.alert("the undo is done", |alert: &Value| alert["message"] == "undone").await;
    assert_eq!(told.message["undo_result"]["complete"], true);
    Ok(())
}

fn count(kinds: &[&str], kind: &str) -> usize {
    kinds.iter().filter(|other| **other == kind).count()
}

/// Ends the processes of a deployment's callback function, as AWS does with one that was idle: the next click starts it anew.
fn ends_the_callbacks_processes(deployment: &Deployment) {
    let machine = format!("CORDON_STATE_MACHINE_ARN={}", deployment.stack.outputs.state_machine_arn);
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
        let is = |wanted: &dyn Fn(&str) -> bool| {
            environment.split(|byte| *byte == 0).any(|pair| wanted(&String::from_utf8_lossy(pair)))
        };
        let of_callback = |pair: &str| pair.starts_with("AWS_LAMBDA_FUNCTION_NAME=") && pair.ends_with("-slack-callback");
        if is(&of_callback) && is(&|pair| pair == machine) {
            let pid = process.file_name().to_string_lossy().into_owned();
            assert!(std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
        }
    }
}

/// How long it took is printed, for docs/benchmarks.md; that an answer is ready in Slack's three seconds whatever is slow is a
/// test of the callback's budget.
#[tokio::test]
async fn scenario_15_a_click_that_starts_the_callback_cold_is_answered() -> Test {
    let deployment = Deployment::get(BRIEF);
    let attacker = deployment.user("iam-test-cold").await;
    attacker.attaches_administrator_to("iam-test-cold").await;
    let card = deployment.card("iam-test-cold", "AttachUserPolicy").await;
    ends_the_callbacks_processes(&deployment);
    let answer = deployment.approve(&card, STRANGER).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.contains("not on the list"), "{}", answer.body);
    eprintln!("a cold callback answered in {:?}", answer.took);
    Ok(())
}
