//! One actor–subject–rule case: its header, as it stands in the table and as every state reads it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::blast_radius::BlastRadius;
use crate::decision::{Decision, Route};
use crate::detection::{Detection, Level};
use crate::event::{Event, Origin};
use crate::ids::{AccountId, EventId, IncidentId};
use crate::json::at;
use crate::plan::Plan;
use crate::principal::{Actor, Subject};
use crate::timeline;
use crate::touched::Touched;

/// How far an incident has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Detected; exceptions not yet looked at.
    Opened,
    /// The route is decided.
    Decided,
    /// A person is asked.
    Asking,
    /// The plan is being carried out, or its result verified.
    Remediating,
    Closed,
}

/// How an incident ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Exempt,
    Alerted,
    Denied,
    Expired,
    Contained,
    Partial,
    Failed,
    NeedsPerson,
}

impl Outcome {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exempt => "exempt",
            Self::Alerted => "alerted",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Contained => "contained",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::NeedsPerson => "needs_person",
        }
    }
}

/// What the event said, as far as people and later states need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventFacts {
    pub id: EventId,
    #[serde(default)]
    pub shared_id: Option<EventId>,
    pub origin: Origin,
    pub name: String,
    /// `iam.amazonaws.com`
    pub service: String,
    #[serde(default)]
    pub region: Option<String>,
    #[serde(default)]
    pub time: Option<Timestamp>,
    #[serde(default)]
    pub source_ip: Option<String>,
    #[serde(default)]
    pub user_agent: Option<String>,
    #[serde(default)]
    pub policy_arn: Option<String>,
    #[serde(default)]
    pub error_code: Option<String>,
    /// The request's parameters as JSON text, cut to [`EventFacts::PARAMETERS_MAX_BYTES`].
    #[serde(default)]
    pub parameters: String,
    /// What the remedies need of the record.
    #[serde(default)]
    pub touched: Touched,
}

impl EventFacts {
    /// Keeps the header far below DynamoDB's 400 KiB an item.
    pub const PARAMETERS_MAX_BYTES: usize = 4_000;
    const TEXT_MAX_BYTES: usize = 1_024;

    #[must_use]
    pub fn from_event(event: &Event) -> Self {
        let text = |value: &serde_json::Value| value.as_str().map(|text| cut(text, Self::TEXT_MAX_BYTES));
        let record = &event.record;
        let parameters = match &record["requestParameters"] {
            serde_json::Value::Null => String::new(),
            parameters => cut(&parameters.to_string(), Self::PARAMETERS_MAX_BYTES),
        };
        Self {
            id: event.id.clone(),
            shared_id: event.shared_id.clone(),
            origin: event.origin,
            name: cut(&event.name, Self::TEXT_MAX_BYTES),
            service: cut(&event.service, Self::TEXT_MAX_BYTES),
            region: event.region.clone(),
            time: event.time,
            source_ip: text(&record["sourceIPAddress"]),
            user_agent: text(&record["userAgent"]),
            policy_arn: text(at(record, "/requestParameters/policyArn")),
            error_code: event.error_code.clone(),
            parameters,
            touched: Touched::from_event(event),
        }
    }
}

/// Where the incident's Slack message stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlackMessage {
    pub channel: String,
    /// Slack's message id; `None` where an incoming webhook posted it, which gives none.
    #[serde(default)]
    pub ts: Option<String>,
}

/// What somebody said to the question, as people are shown it. The vote that counts stands with the approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownVote {
    /// A Slack id, or an ARN where it was said on the command line.
    pub by: String,
    pub name: String,
    pub approves: bool,
    pub at: Timestamp,
    #[serde(default)]
    pub reason: Option<String>,
}

/// Who looks into an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looking {
    pub by: String,
    pub name: String,
    pub at: Timestamp,
}

/// An approval of one person, where more were wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenGlass {
    pub by: String,
    pub reason: String,
    /// Who was not waited for.
    pub skipped: Vec<Skipped>,
}

/// An approver, or a group of them, whose word was not waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// `U…`, `W…`, or `S…` for a user group.
    pub slack_id: String,
    pub name: String,
}

/// A later event of the same case, as far as people are told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergedEvent {
    pub name: String,
    #[serde(default)]
    pub time: Option<Timestamp>,
    #[serde(default)]
    pub source_ip: Option<String>,
}

/// How many merged events people have heard of, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergedTold {
    pub count: u32,
    pub at: Timestamp,
}

/// What an event comes to, before it is an incident.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub account: Option<AccountId>,
    pub actor: Actor,
    pub subject: Subject,
    pub detections: Vec<Detection>,
    pub event: EventFacts,
}

/// The header of an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    pub id: IncidentId,
    /// Counts the commits: each one is conditional on the version it read.
    pub version: u64,
    pub state: State,
    #[serde(default)]
    pub outcome: Option<Outcome>,
    pub severity: Level,
    #[serde(default)]
    pub account: Option<AccountId>,
    pub actor: Actor,
    pub subject: Subject,
    /// The rules that matched, the gravest first. Empty where the event could not be judged.
    pub detections: Vec<Detection>,
    /// Why a person has to look, where the event could not be judged.
    #[serde(default)]
    pub unreadable: Option<String>,
    pub event: EventFacts,
    /// The ARN of the state machine's execution.
    pub execution: String,
    pub opened_at: Timestamp,
    pub updated_at: Timestamp,
    #[serde(default)]
    pub asked_at: Option<Timestamp>,
    #[serde(default)]
    pub decided_at: Option<Timestamp>,
    #[serde(default)]
    pub contained_at: Option<Timestamp>,
    #[serde(default)]
    pub decision: Option<Decision>,
    /// What was looked at before the decision, in sentences.
    #[serde(default)]
    pub exceptions_checked: Vec<String>,
    #[serde(default)]
    pub plan: Plan,
    #[serde(default)]
    pub slack: Option<SlackMessage>,
    /// How many people have to approve. 0 where nobody was asked.
    #[serde(default)]
    pub quorum: u32,
    /// What has been said so far, a person's last word only.
    #[serde(default)]
    pub votes: Vec<ShownVote>,
    /// The deadline that the card shows.
    #[serde(default)]
    pub deadline: Option<Timestamp>,
    #[serde(default)]
    pub looking: Option<Looking>,
    #[serde(default)]
    pub escalated_at: Option<Timestamp>,
    #[serde(default)]
    pub break_glass: Option<BrokenGlass>,
    /// How many later events of the same case joined.
    #[serde(default)]
    pub merged: u32,
    /// The newest of them.
    #[serde(default)]
    pub last_merged: Option<MergedEvent>,
    /// Whether people have been told of the end.
    #[serde(default)]
    pub outcome_told: bool,
    /// What people have been told of them.
    #[serde(default)]
    pub merged_told: Option<MergedTold>,
    /// The dangerous statements of the policy that the event is about, as text, cut.
    #[serde(default)]
    pub statements: Vec<String>,
    /// What the subject, or else the actor, could do; gathered for the card and never decided on.
    #[serde(default)]
    pub blast_radius: Option<BlastRadius>,
    /// The correlation and the group that it counted, where the case is a burst and not one event.
    #[serde(default)]
    pub group: Option<String>,
    pub log_seq: u64,
    pub last_hash: String,
}

impl Head {
    /// A fresh incident.
    #[must_use]
    pub fn open(id: IncidentId, found: Found, execution: String, now: Timestamp) -> Self {
        let Found { account, actor, subject, detections, event } = found;
        Self {
            id,
            version: 0,
            state: State::Opened,
            outcome: None,
            severity: detections.iter().map(|d| d.level).max().unwrap_or(Level::High),
            account,
            actor,
            subject,
            detections,
            unreadable: None,
            event,
            execution,
            opened_at: now,
            updated_at: now,
            asked_at: None,
            decided_at: None,
            contained_at: None,
            decision: None,
            exceptions_checked: Vec::new(),
            plan: Plan::default(),
            slack: None,
            quorum: 0,
            votes: Vec::new(),
            deadline: None,
            looking: None,
            escalated_at: None,
            break_glass: None,
            merged: 0,
            last_merged: None,
            outcome_told: false,
            merged_told: None,
            statements: Vec::new(),
            blast_radius: None,
            group: None,
            log_seq: 0,
            last_hash: timeline::GENESIS.to_owned(),
        }
    }

    /// Whether nothing is changed, whatever is decided. False before the decision.
    #[must_use]
    pub fn is_dry_run(&self) -> bool {
        self.decision.as_ref().is_some_and(|decision| decision.dry_run)
    }

    /// Whether a containment went ahead of the question.
    #[must_use]
    pub fn went_ahead(&self) -> bool {
        self.decision.as_ref().is_some_and(|decision| decision.route == Route::ContainThenAsk)
    }

    /// The rule that names the case: the gravest that matched.
    #[must_use]
    pub fn primary_rule(&self) -> Option<&Detection> {
        self.detections.first()
    }
}

fn cut(text: &str, max_bytes: usize) -> String {
    let mut end = text.len().min(max_bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
