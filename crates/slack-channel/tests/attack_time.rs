//! A click is answered below Slack's three seconds, whatever Slack's own API does meanwhile. The time here stands, and goes on only
//! where somebody waits for it.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../flow/tests/support/mod.rs"]
mod support;

use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use cordon_cards::{Dialog, Message, Prose};
use cordon_core::IncidentId;
use cordon_core::incident::SlackMessage;
use cordon_flow::callback::Callback;
use cordon_flow::decide::Decide;
use cordon_flow::ports::{Channel, Completion, DeliveryError, Presser, Tasks};
use cordon_slack::{HttpResponse, Request, SlackSecret, sign};
use cordon_slack_channel::Clicks;
use cordon_slack_channel::haste::Stopwatch;
use serde_json::{Value, json};
use support::asking::asked_last;
use support::{APPROVER, CONFIG, World};

const SIGNING_SECRET: &str = "0123456789abcdef0123456789abcdef";
const SLACK_WAITS: Duration = Duration::from_secs(3);
const FOREVER: Duration = Duration::from_secs(3_600);

/// Virtual time: it goes on to the next thing that somebody waits for.
#[derive(Default)]
struct Time {
    now: Mutex<Duration>,
    next: Mutex<Option<Duration>>,
}

impl Time {
    fn now(&self) -> Duration {
        *self.now.lock().unwrap()
    }

    async fn until(&self, at: Duration) {
        std::future::poll_fn(|_| {
            if self.now() >= at {
                return Poll::Ready(());
            }
            let mut next = self.next.lock().unwrap();
            *next = Some(next.map_or(at, |next| next.min(at)));
            Poll::Pending
        })
        .await;
    }

    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            *self.next.lock().unwrap() = None;
            if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return done;
            }
            let next = self.next.lock().unwrap().expect("something waits, but not for time");
            *self.now.lock().unwrap() = next;
        }
    }
}

#[async_trait]
impl Stopwatch for Time {
    async fn reaches(&self, since_the_click: Duration) {
        self.until(since_the_click).await;
    }
}

/// Slack and Step Functions, each of whose calls takes its time.
struct Slow<'a> {
    world: &'a World,
    time: &'a Time,
    slack: Duration,
    tasks: Duration,
}

impl Slow<'_> {
    async fn pause(&self, takes: Duration) {
        self.time.until(self.time.now() + takes).await;
    }
}

#[async_trait]
impl Channel for Slow<'_> {
    async fn post(&self, message: &Message) -> Result<SlackMessage, DeliveryError> {
        self.pause(self.slack).await;
        self.world.heard.post(message).await
    }
    async fn post_to(&self, channel: &str, message: &Message) -> Result<SlackMessage, DeliveryError> {
        self.pause(self.slack).await;
        self.world.heard.post_to(channel, message).await
    }
    async fn reply(&self, under: &SlackMessage, message: &Message) -> Result<SlackMessage, DeliveryError> {
        self.pause(self.slack).await;
        self.world.heard.reply(under, message).await
    }
    async fn update(&self, at: &SlackMessage, message: &Message) -> Result<(), DeliveryError> {
        self.pause(self.slack).await;
        self.world.heard.update(at, message).await
    }
    fn has_dialogs(&self) -> bool {
        true
    }
    async fn group_members(&self, group: &str) -> Result<Vec<String>, DeliveryError> {
        self.pause(self.slack).await;
        self.world.heard.group_members(group).await
    }
}

#[async_trait]
impl Presser for Slow<'_> {
    async fn whisper(&self, prose: &Prose) -> Result<(), DeliveryError> {
        self.pause(self.slack).await;
        self.world.heard.whisper(prose).await
    }
    async fn replace(&self, message: &Message) -> Result<(), DeliveryError> {
        self.pause(self.slack).await;
        self.world.heard.replace(message).await
    }
    async fn ask(&self, dialog: &Dialog) -> Result<bool, DeliveryError> {
        self.pause(self.slack).await;
        self.world.heard.ask(dialog).await
    }
}

#[async_trait]
impl Tasks for Slow<'_> {
    async fn succeed(&self, token: &str, output: &Value) -> Result<Completion, DeliveryError> {
        self.pause(self.tasks).await;
        self.world.heard.succeed(token, output).await
    }
}

/// A signed click, and when it was answered.
fn click(
    world: &World,
    incident: &IncidentId,
    user: &str,
    action: &str,
    slack: Duration,
    tasks: Duration,
) -> (HttpResponse, Duration) {
    let payload = json!({
        "type": "block_actions", "user": {"id": user, "team_id": "T0TEAM"}, "api_app_id": "A0APP", "team": {"id": "T0TEAM"},
        "channel": {"id": "C0TEST"}, "container": {"channel_id": "C0TEST", "message_ts": "1.1"}, "trigger_id": "1.2.3",
        "response_url": "https://hooks.slack.com/actions/T0TEAM/1/x",
        "actions": [{"action_id": action, "type": "button", "value": incident.as_str()}],
    });
    let encoded: String = payload.to_string().bytes().map(|byte| format!("%{byte:02x}")).collect();
    let body = format!("payload={encoded}").into_bytes();
    let secret = json!({"signing_secret": SIGNING_SECRET, "bot_token": "xoxb-1", "channel": "C0TEST", "team_id": "T0TEAM", "app_id": "A0APP"});
    let secret = SlackSecret::parse(&secret.to_string()).unwrap();
    let time = Time::default();
    let slow = Slow { world, time: &time, slack, tasks };
    let decide = Decide { store: world.store(), config: &world.config, channel: Some(&slow), tasks: &slow, clock: &world.clock };
    let clicks = Clicks { secret: &secret, callback: Callback { decide, executions: &world.heard, channel: &slow } };
    let at = cordon_flow::ports::Clock::now(&world.clock).as_second();
    let signature = sign(&secret.signing_secret, at, &body).unwrap();
    let request = Request { timestamp: Some(&at.to_string()), signature: Some(&signature), body: &body };
    let interaction = clicks.receive(&request).unwrap();
    let response = time.run(clicks.answer(&interaction, &slow, &time)).unwrap();
    (response, time.now())
}

const GROUPS: &str = r#"
[[approval.groups]]
name = "Security"
slack_user_group = "S0SEC"
principals = ["arn:aws:iam::111111111111:user/sec-*"]
[[approval.groups]]
name = "Platform"
slack_user_group = "S0PLAT"
principals = ["arn:aws:iam::111111111111:user/plat-*"]
"#;

#[test]
fn attack_20_every_button_is_answered_below_three_seconds_however_slow_slack_is() {
    for action in ["cordon_approve", "cordon_deny", "cordon_looking", "cordon_undo", "cordon_break_glass"] {
        for slack in [0, 300, 900, 1_100, 2_900, 3_600_000].map(Duration::from_millis) {
            for user in [APPROVER, "U0MEMBER", "U0MALLORY"] {
                let world = World::with(&format!("{CONFIG}{GROUPS}"));
                let incident = asked_last(&world);
                let (_, took) = click(&world, &incident, user, action, slack, Duration::ZERO);
                assert!(took < SLACK_WAITS - Duration::from_millis(700), "{action} by {user} with {slack:?}: {took:?}");
            }
        }
    }
}

#[test]
fn attack_20_an_approval_counts_and_is_answered_though_slack_does_not_answer_at_all() {
    let world = World::new();
    let incident = asked_last(&world);
    let (response, _) = click(&world, &incident, APPROVER, "cordon_approve", FOREVER, Duration::ZERO);
    assert_eq!(response.status, 200);
    assert_eq!(world.heard.completed.lock().unwrap()[0].1["decision"], "approved");
    let started = world.heard.started.lock().unwrap().clone();
    assert_eq!(started[0].1, json!({"cordon": "voted", "incident": incident.as_str()}), "the card is brought up to date later");
}

#[test]
fn attack_20_whoever_cannot_be_told_why_nothing_counts_sees_that_the_click_failed() {
    let world = World::with(&format!("{CONFIG}{GROUPS}"));
    let incident = asked_last(&world);
    let (response, _) = click(&world, &incident, "U0MEMBER", "cordon_approve", FOREVER, Duration::ZERO);
    assert_eq!(response.status, 503, "{response:?}");
    assert!(response.text.contains("Slack does not say who is in"), "{response:?}");
    assert!(world.heard.completed.lock().unwrap().is_empty());
}

#[test]
fn attack_20_a_decision_that_is_not_delivered_in_time_says_so_and_the_next_click_finishes_it() {
    let world = World::new();
    let incident = asked_last(&world);
    let (response, took) = click(&world, &incident, APPROVER, "cordon_approve", Duration::ZERO, FOREVER);
    assert_eq!(response.status, 503);
    assert!(response.text.contains("may count or not") && took < SLACK_WAITS, "{response:?} {took:?}");
    assert!(world.heard.completed.lock().unwrap().is_empty());
    click(&world, &incident, APPROVER, "cordon_approve", Duration::ZERO, Duration::ZERO);
    assert_eq!(world.heard.completed.lock().unwrap()[0].1["decision"], "approved");
}
