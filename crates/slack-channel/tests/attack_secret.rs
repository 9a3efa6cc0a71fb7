//! One failed read of the Slack secret silences Slack for one invocation, and the timeline says so. Only a value that is not there
//! means that Slack is not set up.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../flow/tests/support/mod.rs"]
mod support;

use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use cordon_contract::{Delivery, NotifyInput, WaitInput};
use cordon_core::{IncidentId, Outcome, chain};
use cordon_flow::notify::Notify;
use cordon_flow::ports::DeliveryError;
use cordon_flow::wait::Wait;
use cordon_slack_channel::connection::{Connection, Secrets, Slack};
use cordon_slack_channel::haste::Stopwatch;
use cordon_testkit::run;
use serde_json::json;
use support::{World, attach};

const REFUSED: &str = "the Slack secret cannot be read: AccessDeniedException";

type Answer = Result<Option<String>, DeliveryError>;

/// Secrets Manager, with an answer for each read, the last one first. A read without an answer never ends.
#[derive(Clone, Default)]
struct Fake {
    answers: Arc<Mutex<Vec<Answer>>>,
}

impl Fake {
    fn left(&self) -> usize {
        self.answers.lock().unwrap().len()
    }
}

#[async_trait]
impl Secrets for Fake {
    async fn read(&self) -> Answer {
        let answer = self.answers.lock().unwrap().pop();
        match answer {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }
}

fn fake(mut answers: Vec<Answer>) -> (Fake, Connection) {
    answers.reverse();
    let fake = Fake { answers: Arc::new(Mutex::new(answers)) };
    (fake.clone(), Connection::new(Some(Box::new(fake)), "https://slack.com/api".to_owned()))
}

fn refused() -> Answer {
    Err(DeliveryError::SecretUnread(REFUSED.to_owned()))
}

fn value() -> Answer {
    let text = json!({"signing_secret": "0123456789abcdef0123456789abcdef", "bot_token": "xoxb-1", "channel": "C0TEST"});
    Ok(Some(text.to_string()))
}

fn text(text: &str) -> Answer {
    Ok(Some(text.to_owned()))
}

/// A watch that says at once that the time is over.
struct Over;

#[async_trait]
impl Stopwatch for Over {
    async fn reaches(&self, _: Duration) {
        ready(()).await;
    }
}

/// What an invocation of `notify` does with that secret.
fn notified(world: &World, connection: &Connection, input: NotifyInput) -> Delivery {
    let slack = run(connection.slack());
    let notify = Notify { channel: slack.channel(), ..world.notify() };
    run(notify.run(input)).unwrap().slack
}

fn on_timeline(world: &World, incident: &IncidentId) -> String {
    let entries = run(world.store().timeline(incident)).unwrap();
    entries.iter().map(|entry| format!("{entry:?}\n")).collect()
}

#[test]
fn attack_18_a_failed_read_is_tried_again_at_the_next_invocation_and_a_success_is_kept() {
    let (fake, connection) = fake(vec![refused(), refused(), value(), refused()]);
    for _ in 0..2 {
        assert!(matches!(run(connection.slack()), Slack::Failed(why) if why.reason.to_string() == REFUSED));
    }
    for _ in 0..3 {
        assert!(matches!(run(connection.slack()), Slack::Ready(_)));
    }
    assert_eq!(fake.left(), 1, "what was read once is not read again");
}

#[test]
fn attack_18_a_failed_read_stands_on_the_timeline_of_the_question() {
    let world = World::new();
    let (_, connection) = fake(vec![refused()]);
    let (incident, _) = world.checked(attach("e"));
    let ask = WaitInput::Ask { incident: incident.clone(), task_token: "token-1".to_owned(), timeout_seconds: 600, last: true };
    let slack = run(connection.slack());
    let wait = Wait { channel: slack.channel(), ..world.wait() };
    assert_eq!(run(wait.run(ask)).unwrap(), None, "the question stands all the same");
    let told = on_timeline(&world, &incident);
    assert!(told.contains("failed") && told.contains(REFUSED), "{told}");
}

#[test]
fn attack_18_a_failed_read_stands_on_the_timeline_of_the_outcome_and_sns_is_told() {
    let world = World::new();
    let (_, connection) = fake(vec![refused()]);
    let (incident, _) = world.checked(attach("e"));
    let outcome = NotifyInput::Outcome { incident: incident.clone(), outcome: Outcome::Partial };
    assert_eq!(notified(&world, &connection, outcome), Delivery::Failed);
    let told = on_timeline(&world, &incident);
    assert!(told.contains(REFUSED), "{told}");
    assert_eq!(world.heard.alerts.lock().unwrap().len(), 1);
}

#[test]
fn attack_18_no_value_means_that_slack_is_not_set_up_and_a_value_that_is_put_later_is_found() {
    let empty = ["", " \n", "{}", "null", "\"\"", r#"{"signing_secret":"","bot_token":null}"#].map(text);
    let count = empty.len() + 1;
    let (_, connection) = fake([Ok(None)].into_iter().chain(empty).chain([value()]).collect());
    for _ in 0..count {
        let slack = run(connection.slack());
        assert!(matches!(slack, Slack::Unset) && slack.channel().is_none());
    }
    assert!(matches!(run(connection.slack()), Slack::Ready(_)));
    assert!(matches!(run(Connection::new(None, String::new()).slack()), Slack::Unset));
}

#[test]
fn attack_18_a_value_that_cannot_be_used_is_a_failure_with_its_reason_and_without_the_value() {
    for (given, reason) in [("HUNTER2", "not a JSON object"), (r#"{"signing_secret":"HUNTER2"}"#, "`signing_secret`")] {
        let (_, connection) = fake(vec![text(given), value()]);
        let Slack::Failed(why) = run(connection.slack()) else { panic!("{given} counts as unset or as usable") };
        assert!(chain(&why.reason).contains(reason) && !chain(&why.reason).contains("HUNTER2"), "{}", why.reason);
        assert!(matches!(run(connection.slack()), Slack::Ready(_)), "it was mended");
    }
}

#[test]
fn attack_18_a_click_tells_unset_from_failed_and_the_next_click_is_verified() {
    let (_, connection) = fake(vec![Ok(None), refused(), value()]);
    let unset = run(connection.slack()).verifier().err().unwrap();
    let failed = run(connection.slack()).verifier().err().unwrap();
    assert_eq!((unset.status, failed.status), (503, 503));
    assert!(unset.text.contains("not set up") && failed.text.contains("click again"), "{unset:?} {failed:?}");
    assert!(!failed.text.contains("AccessDenied"), "anybody can ask");
    assert!(run(connection.slack()).verifier().is_ok());
}

#[test]
fn attack_18_a_click_does_not_wait_for_a_secret_that_does_not_come() {
    let (_, connection) = fake(Vec::new());
    assert!(matches!(run(connection.slack_in_time(&Over)), Slack::Failed(why) if why.reason.to_string().contains("in time")));
}
