//! The story that the sandbox plays: an attacker with real keys is detected, an approver decides, the change is reverted, and IAM
//! refuses the attacker's next call.
//!
//! It assumes nothing: it looks for each step where the step has to show, and every wait has a limit.

use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_sdk_iam::error::ProvideErrorMetadata as _;
use jiff::Timestamp;
use serde_json::Value;

use crate::error::{SandboxError, chain};
use crate::options::people;
use crate::progress::{Progress, Step, seconds};
use crate::slack::{Click, Message};
use crate::stack::{Sandbox, Stack};

/// The IAM user who attacks.
pub const ATTACKER: &str = "iam-test-mallory";
const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
const ATTACKER_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:*","Resource":"*"}]}"#;

/// How long the story waits for each thing before it says that it did not happen. It judges no machine's speed: what it
/// measures is printed beside [`TARGETS`].
const LIMIT: Duration = Duration::from_secs(90);

/// The design's targets for a machine with nothing else to do.
pub const TARGETS: Targets = Targets {
    attack_to_card: Duration::from_secs(5),
    click_to_answer: Duration::from_secs(3),
    click_to_refused: Duration::from_secs(5),
};

/// Times that the design aims at.
#[derive(Debug, Clone, Copy)]
pub struct Targets {
    /// From the attack to the card in the channel.
    pub attack_to_card: Duration,
    /// From the click to the callback's answer: Slack waits no longer.
    pub click_to_answer: Duration,
    /// From the click to IAM's first refusal.
    pub click_to_refused: Duration,
}

const POLL: Duration = Duration::from_millis(150);

/// One thing that had to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// A sentence that is true if it held, such as `its buttons are gone`.
    pub what: String,
    /// Whether it did.
    pub held: bool,
    /// What was seen, such as a time or IAM's words; may be empty.
    pub detail: String,
}

/// How the story went.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// In the order in which they were made; a story that broke off has fewer.
    pub checks: Vec<Check>,
    /// From the attack to the card in the channel; `None` if no card came.
    pub attack_to_card: Option<Duration>,
    /// From the click to the callback's answer; `None` if nothing was clicked.
    pub click_to_answer: Option<Duration>,
    /// From the click to IAM's first refusal; `None` if IAM never refused.
    pub click_to_refused: Option<Duration>,
    /// From the click to the incident closed as contained; `None` if it was not.
    pub click_to_contained: Option<Duration>,
    /// The incident's timeline entries, oldest first.
    pub timeline: Vec<Value>,
}

impl Report {
    /// Whether every check held. A report without checks did not.
    #[must_use]
    pub fn held(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.held)
    }

    /// The checks that failed, in their order.
    #[must_use]
    pub fn not_held(&self) -> Vec<&Check> {
        self.checks.iter().filter(|check| !check.held).collect()
    }

    fn check(&mut self, what: &str, held: bool, detail: impl Into<String>) -> bool {
        self.checks.push(Check { what: what.to_owned(), held, detail: detail.into() });
        held
    }
}

/// The attack, begun.
#[derive(Debug, Clone)]
pub struct Attack {
    attacker: SdkConfig,
    /// When the attacker's call was sent, by the wall clock.
    pub at: Timestamp,
    /// The same moment, by the monotonic clock.
    pub began: Instant,
}

/// Makes the attacker and lets them give themself administrator rights.
///
/// # Errors
/// [`SandboxError::Aws`] if the emulator refuses what it has to allow.
pub async fn attack(sandbox: &Sandbox, stack: &Stack) -> Result<Attack, SandboxError> {
    let keys = stack.create_user(ATTACKER, ATTACKER_POLICY).await?;
    let attacker = sandbox.client_for(&keys);
    let (at, began) = (Timestamp::now(), Instant::now());
    aws_sdk_iam::Client::new(&attacker)
        .attach_user_policy()
        .user_name(ATTACKER)
        .policy_arn(ADMINISTRATOR)
        .send()
        .await
        .map_err(SandboxError::aws("the attacker cannot attach a policy"))?;
    Ok(Attack { attacker, at, began })
}

/// Waits for the card of an attack: the message with buttons that names the policy.
pub async fn card(sandbox: &Sandbox, stack: &Stack) -> Option<Message> {
    let wanted = |message: &Message| {
        let text = message.everything();
        text.contains(ATTACKER) && text.contains("AdministratorAccess") && approve_button(message).is_some()
    };
    sandbox.slack().wait_for_message(&stack.spec.name, LIMIT, wanted).await
}

/// Plays the whole of it. What did not hold is in the report; an error is what kept it from being played.
///
/// # Errors
/// [`SandboxError`] if the emulator does not answer.
pub async fn play(sandbox: &Sandbox, stack: &Stack, progress: &Progress) -> Result<Report, SandboxError> {
    let mut report = Report::default();
    let step = progress.step("attack: AdministratorAccess for oneself");
    let attack = attack(sandbox, stack).await?;
    let created = create_user(&attack.attacker, "iam-test-made-before").await;
    report.check("before, the attacker's iam:CreateUser works", created.is_ok(), created.err().unwrap_or_default());
    step.done("iam:CreateUser works");

    let step = progress.step("card in the channel");
    let Some(card) = card(sandbox, stack).await else {
        let posted = sandbox.slack().messages(&stack.spec.name).len();
        report.check("a card with buttons stands in the channel", false, format!("{posted} messages, none of them it"));
        return Ok(report);
    };
    let to_card = duration_between(attack.at, card.posted_at);
    report.attack_to_card = Some(to_card);
    step.done(&format!("{} after the attack", seconds(to_card)));
    check_card(&mut report, &card, stack);
    check_alert(&mut report, sandbox, stack).await;

    let step = progress.step("Approve, signed as Slack signs");
    let clicked = Instant::now();
    if !approve(&mut report, sandbox, &card, step).await {
        return Ok(report);
    }
    let step = progress.step("the attacker's next iam:CreateUser");
    let refused = wait_until_refused(&attack.attacker).await;
    let to_refused = clicked.elapsed();
    report.check("after, IAM refuses the attacker's iam:CreateUser", refused.is_ok(), refused.clone().unwrap_or_else(|why| why));
    if refused.is_ok() {
        report.click_to_refused = Some(to_refused);
        step.done(&format!("AccessDenied, {} after the click", seconds(to_refused)));
    } else {
        drop(step);
    }
    let step = progress.step("verified, and the incident closed");
    finish(&mut report, stack, clicked, step).await?;
    check_iam(&mut report, stack).await?;
    check_outcome_message(&mut report, sandbox, stack, &card).await;
    Ok(report)
}

fn check_card(report: &mut Report, card: &Message, stack: &Stack) {
    let text = card.everything();
    let wanted = [
        ("who", ATTACKER),
        ("what", "AttachUserPolicy"),
        ("which policy", "AdministratorAccess"),
        ("which account", stack.spec.account.as_str()),
        ("from where", "127.0.0.1"),
        ("the call that reverts it", "DetachUserPolicy"),
        ("the call that contains it", "PutUserPolicy"),
        ("how the deny is undone", "DeleteUserPolicy"),
    ];
    for (what, part) in wanted {
        report.check(&format!("the card says {what} (`{part}`)"), text.contains(part), "");
    }
    let token_like = text.contains("task_token") || text.contains("taskToken");
    report.check("the card carries no task token", !token_like, "");
}

async fn check_alert(report: &mut Report, sandbox: &Sandbox, stack: &Stack) {
    let alert = sandbox
        .slack()
        .wait_for_alert(&stack.spec.name, LIMIT, |alert| {
            alert.message.is_object() && alert.message.to_string().contains("AdministratorAccess")
        })
        .await;
    let subject = alert.as_ref().map(|alert| alert.subject.clone()).unwrap_or_default();
    report.check("SNS got the structured alert with a subject", !subject.is_empty(), subject);
}

async fn approve(report: &mut Report, sandbox: &Sandbox, card: &Message, step: Step) -> bool {
    let Some(action_id) = approve_button(card) else {
        return report.check("the card has an Approve button", false, "");
    };
    let click = Click { ts: card.ts.clone(), action_id, user: people::APPROVER.to_owned() };
    match sandbox.slack().click(&click).await {
        Ok(answer) => {
            let held = answer.status == 200;
            report.click_to_answer = Some(answer.took);
            report.check("the click is answered with 200", held, format!("HTTP {}: {}", answer.status, answer.body));
            step.done(&format!("HTTP {} in {} ms", answer.status, answer.took.as_millis()));
            held
        }
        Err(error) => report.check("the click reaches the callback", false, error.to_string()),
    }
}

/// `Ok` with IAM's words once it refuses, `Err` with what it said last.
async fn wait_until_refused(attacker: &SdkConfig) -> Result<String, String> {
    let began = Instant::now();
    let mut made = 0;
    while began.elapsed() < LIMIT {
        match create_user(attacker, &format!("iam-test-made-after-{made}")).await {
            Ok(()) => made += 1,
            Err(why) if why.contains("AccessDenied") => return Ok(why),
            Err(why) => return Err(why),
        }
        tokio::time::sleep(POLL).await;
    }
    Err(format!("still allowed after {}", seconds(LIMIT)))
}

async fn create_user(as_whom: &SdkConfig, name: &str) -> Result<(), String> {
    let answer = aws_sdk_iam::Client::new(as_whom).create_user().user_name(name).send().await;
    match answer {
        Ok(_) => Ok(()),
        Err(error) => {
            let code = error.code().unwrap_or_default().to_owned();
            Err(format!("{code}: {}", error.message().map_or_else(|| chain(&error), str::to_owned)))
        }
    }
}

/// Waits until the incident is closed, and takes its timeline.
async fn finish(report: &mut Report, stack: &Stack, clicked: Instant, step: Step) -> Result<(), SandboxError> {
    let began = Instant::now();
    let mut outcome = String::new();
    while began.elapsed() < LIMIT {
        if let Some(incident) = incident(stack).await? {
            report.timeline = incident.get("log").and_then(Value::as_array).cloned().unwrap_or_default();
            outcome = incident.pointer("/head/outcome").and_then(Value::as_str).unwrap_or_default().to_owned();
            if !outcome.is_empty() {
                break;
            }
        }
        tokio::time::sleep(POLL).await;
    }
    let took = clicked.elapsed();
    let contained = report.check("the incident ended as contained", outcome == "contained", format!("outcome `{outcome}`"));
    if contained {
        report.click_to_contained = Some(took);
        step.done(&format!("{} after the click", seconds(took)));
    }
    Ok(())
}

/// The incident of the attack itself, not those of the attacker's other calls.
async fn incident(stack: &Stack) -> Result<Option<Value>, SandboxError> {
    Ok(stack.incidents().await?.into_iter().find(|incident| {
        let head = incident.get("head").map(Value::to_string).unwrap_or_default();
        head.contains(ATTACKER) && head.contains("AttachUserPolicy") && head.contains("AdministratorAccess")
    }))
}

async fn check_iam(report: &mut Report, stack: &Stack) -> Result<(), SandboxError> {
    let iam = aws_sdk_iam::Client::new(&stack.operator());
    let attached = iam
        .list_attached_user_policies()
        .user_name(ATTACKER)
        .send()
        .await
        .map_err(SandboxError::aws("cannot list the attacker's policies"))?;
    let administrator = attached.attached_policies().iter().any(|policy| policy.policy_arn() == Some(ADMINISTRATOR));
    report.check("AdministratorAccess is detached", !administrator, "");
    let names = iam
        .list_user_policies()
        .user_name(ATTACKER)
        .send()
        .await
        .map_err(SandboxError::aws("cannot list the attacker's inline policies"))?;
    let mut deny = None;
    for name in names.policy_names() {
        let policy = iam
            .get_user_policy()
            .user_name(ATTACKER)
            .policy_name(name)
            .send()
            .await
            .map_err(SandboxError::aws("cannot read the attacker's inline policy"))?;
        if policy.policy_document().contains("Deny") {
            deny = Some(name.clone());
        }
    }
    report.check("a deny policy stands on the attacker", deny.is_some(), deny.unwrap_or_default());
    Ok(())
}

/// The incident closes in the table before its message is updated, so the message is waited for.
async fn check_outcome_message(report: &mut Report, sandbox: &Sandbox, stack: &Stack, card: &Message) {
    let is_updated = |message: &Message| {
        message.ts == card.ts && message.edits > 0 && message.everything().to_lowercase().contains("contained")
    };
    let updated = sandbox.slack().wait_for_message(&stack.spec.name, LIMIT, is_updated).await;
    report.check("the same message now says that it is contained", updated.is_some(), "");
    let gone = updated.is_some_and(|message| approve_button(&message).is_none());
    report.check("its buttons are gone", gone, "");
}

/// The `action_id` of the button that approves.
#[must_use]
pub fn approve_button(message: &Message) -> Option<String> {
    message.buttons().into_iter().map(|(id, _)| id).find(|id| id.to_lowercase().contains("approve"))
}

fn duration_between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// The timeline as lines to print.
#[must_use]
pub fn timeline_lines(timeline: &[Value]) -> Vec<String> {
    timeline
        .iter()
        .map(|entry| {
            let field = |name: &str| match entry.get(name) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Null) | None => String::new(),
                Some(other) => other.to_string(),
            };
            let at = field("at");
            let clock = at.split_once('T').map_or(at.as_str(), |(_, time)| time);
            let clock: String = clock.chars().take(12).collect();
            format!("{:>3}  {clock:<12}  {:<10}  {:<11} {}", field("seq"), field("kind"), field("by"), brief(entry.get("data")))
        })
        .map(|line| line.trim_end().to_owned())
        .collect()
}

/// What an entry says, as far as one line holds it; the whole of it is in the table and on the page.
fn brief(data: Option<&Value>) -> String {
    const TELLING: [&str; 11] = [
        "event_name",
        "source_ip",
        "route",
        "decision_reason",
        "reason",
        "slack",
        "sns",
        "deadline",
        "missing",
        "outcome",
        "error",
    ];
    const MAX_CHARS: usize = 120;
    let Some(data) = data.and_then(Value::as_object) else { return String::new() };
    let mut parts: Vec<String> = TELLING
        .iter()
        .filter_map(|name| {
            let value = data.get(*name).filter(|value| !value.is_null())?;
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Some(format!("{}: {text}", name.replace('_', " ")))
        })
        .collect();
    for step in data.get("steps").and_then(Value::as_array).into_iter().flatten() {
        let part = |pointer: &str| step.pointer(pointer).and_then(Value::as_str);
        if let (Some(remedy), Some(result)) = (part("/remedy"), part("/result/name").or_else(|| part("/result"))) {
            parts.push(format!("{remedy}: {}", result.replace('_', " ")));
        }
    }
    let text = parts.join(", ");
    if text.chars().count() <= MAX_CHARS { text } else { format!("{}…", text.chars().take(MAX_CHARS).collect::<String>()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_story_of_which_nothing_was_checked_did_not_hold() {
        let mut report = Report::default();
        assert!(!report.held());
        report.check("one", true, "");
        assert!(report.held());
        report.check("two", false, "why");
        assert!(!report.held());
        assert_eq!(report.not_held()[0].what, "two");
    }

    #[test]
    fn a_timeline_is_one_line_an_entry_with_what_is_worth_telling() {
        let entries = [
            json!({"seq": 1, "at": "2025-01-02T03:04:05.678901Z", "kind": "decided", "by": "cordon",
                   "data": {"route": "ask", "calls": ["long"], "reason": null}}),
            json!({"seq": 10, "at": "2025-01-02T03:04:06Z", "kind": "applied", "by": "cordon",
                   "data": {"steps": [{"remedy": "deny-iam", "result": {"name": "already_applied"}}]}}),
            json!({"seq": 11, "at": "2025-01-02T03:04:06Z", "kind": "approved", "by": "U0ALICE001", "data": {}}),
        ];
        assert_eq!(
            timeline_lines(&entries),
            [
                "  1  03:04:05.678  decided     cordon      route: ask",
                " 10  03:04:06Z     applied     cordon      deny-iam: already applied",
                " 11  03:04:06Z     approved    U0ALICE001",
            ]
        );
    }
}
