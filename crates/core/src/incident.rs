//! One actor–subject–rule case: its header, as it stands in the table and as every state reads it.

mod facts;
mod merges;
mod people;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::blast_radius::BlastRadius;
use crate::decision::{Decision, Route};
use crate::detection::{Detection, Level, RemedyKind};

use crate::ids::{AccountId, EventId, IncidentId, RuleId};
use crate::plan::Plan;
use crate::principal::{Actor, Subject};
use crate::stays::Stays;
use crate::timeline;

pub use facts::EventFacts;
pub use merges::{MergedCalls, Merges};
pub use people::{BrokenGlass, Electorate, Held, Looking, ShownVote, ShutOut, Skipped, UndoVotes};

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
    /// It is over.
    Closed,
}

/// How an incident ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// An exception allowed it.
    Exempt,
    /// People were told, and nothing was changed.
    Alerted,
    /// A person denied it.
    Denied,
    /// Nobody answered in time.
    Expired,
    /// Every call of the plan was seen to hold twice, and no effect of the incident's events stands.
    Contained,
    /// Not everything was done, or seen to hold, or an effect stands.
    Partial,
    /// A state gave up.
    Failed,
    /// It could not be judged.
    NeedsPerson,
}

impl Outcome {
    /// As it is stored.
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

/// Where the incident's Slack message stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlackMessage {
    /// The channel's id.
    pub channel: String,
    /// Slack's message id; `None` where an incoming webhook posted it, which gives none.
    #[serde(default)]
    pub ts: Option<String>,
}

/// A later event of the same case, as far as people are told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergedEvent {
    /// The call.
    pub name: String,
    /// When it was made.
    #[serde(default)]
    pub time: Option<Timestamp>,
    /// From which address, or which service.
    #[serde(default)]
    pub source_ip: Option<String>,
}

/// A later event that an incident took in, with all that is kept of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinedEvent {
    /// The event's id.
    pub event: EventId,
    /// The call.
    pub name: String,
    /// When it was made.
    #[serde(default)]
    pub time: Option<Timestamp>,
    /// Who made it, as people are shown it.
    pub actor: String,
    /// From which address, or which service.
    #[serde(default)]
    pub source_ip: Option<String>,
    /// The execution that the event started.
    pub execution: String,
    /// Whether it changed something. False in items of older versions.
    #[serde(default, skip_serializing_if = "is_false")]
    pub had_effect: bool,
    /// When it joined.
    pub joined_at: Timestamp,
    /// The incident that answers it instead: this one could no longer.
    #[serde(default)]
    pub answered_by: Option<IncidentId>,
}

impl From<&JoinedEvent> for MergedEvent {
    fn from(joined: &JoinedEvent) -> Self {
        Self { name: joined.name.clone(), time: joined.time, source_ip: joined.source_ip.clone() }
    }
}

/// How many merged events people have heard of, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergedTold {
    /// So many.
    pub count: u32,
    /// When that was told.
    pub at: Timestamp,
}

/// What an event comes to, before it is an incident.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The account that the call took effect in.
    pub account: Option<AccountId>,
    /// Who made the call.
    pub actor: Actor,
    /// What the call touched.
    pub subject: Subject,
    /// The rules that matched, the gravest first.
    pub detections: Vec<Detection>,
    /// The event.
    pub event: EventFacts,
}

/// What was found out about an incident, and what is to be done about it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// The route, and why. `None` until it is decided.
    #[serde(default)]
    pub decision: Option<Decision>,
    /// What was looked at before the decision, in sentences.
    #[serde(default)]
    pub exceptions_checked: Vec<String>,
    /// The calls that would answer it, as people are shown them.
    #[serde(default)]
    pub plan: Plan,
    /// The rules that no exception covers. `None` before the decision, and in older incidents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caught: Option<Vec<RuleId>>,
    /// The remedies that found nothing to undo when the plan was made. Whether that still holds is read again at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nothing_to_undo: Vec<RemedyKind>,
    /// Whether the decision answers the events alone that had come before it: a later one opens an incident of its own.
    #[serde(default, skip_serializing_if = "is_false")]
    pub takes_no_more: bool,
    /// The effects of its events that stood at the end, in sentences: they make it partial.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remaining: Vec<String>,
    /// What stays although the plan is carried out: computed with the plan, and again at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stays: Vec<Stays>,
    /// What the subject, or else the actor, could do; gathered for the card and never decided on.
    #[serde(default)]
    pub blast_radius: Option<BlastRadius>,
}

/// How far people have come with the question that was put to them, as they are shown it. The vote that counts stands with the
/// stored question.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ApprovalStatus {
    /// When the question was put first.
    #[serde(default)]
    pub asked_at: Option<Timestamp>,
    /// When it was decided.
    #[serde(default)]
    pub decided_at: Option<Timestamp>,
    /// Whether nobody decided in time, and the last deadline is over.
    #[serde(default, skip_serializing_if = "is_false")]
    pub expired: bool,
    /// How many people have to approve. 0 where nobody was asked.
    #[serde(default)]
    pub quorum: u32,
    /// What has been said so far, a person's last word only.
    #[serde(default)]
    pub votes: Vec<ShownVote>,
    /// The deadline that the card shows.
    #[serde(default)]
    pub deadline: Option<Timestamp>,
    /// Who looks into it, the first one.
    #[serde(default)]
    pub looking: Option<Looking>,
    /// When more people were called.
    #[serde(default)]
    pub escalated_at: Option<Timestamp>,
    /// Whose approval alone was enough, where more were wanted.
    #[serde(default)]
    pub break_glass: Option<BrokenGlass>,
    /// Since when enforcement has kept waiting what was released. `None` where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// Who may decide, where some of the approvers may not. `None` where all may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub electorate: Option<Electorate>,
    /// Who wants it undone, where that is not yet enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_votes: Option<UndoVotes>,
}

/// The summary that stands for an incident's question, which was not posted itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summarised {
    /// The channel's id; `None` for the secret's own.
    #[serde(default)]
    pub channel: Option<String>,
    /// The minute that the burst began in, since 1970.
    pub since: i64,
    /// Whether it stands for grave incidents, which are counted apart.
    #[serde(default)]
    pub grave: bool,
}

/// What people have been told, and where.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DeliveryStatus {
    /// The incident's card. `None` until it is posted.
    #[serde(default)]
    pub slack: Option<SlackMessage>,
    /// The summary that counts its question as one that waits.
    #[serde(default)]
    pub summarised: Option<Summarised>,
    /// Whether people have been told of the end.
    #[serde(default)]
    pub outcome_told: bool,
    /// What people have been told of later events.
    #[serde(default)]
    pub merged_told: Option<MergedTold>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

/// An incident, as it stands in the table. The parts are stored side by side, under the names of their fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Derived from the account and the event that opened it.
    pub id: IncidentId,
    /// Counts the commits: each one is conditional on the version it read.
    pub version: u64,
    /// How far it has come.
    pub state: State,
    /// How it ended. `None` while it is open.
    #[serde(default)]
    pub outcome: Option<Outcome>,
    /// The gravest of its detections'.
    pub severity: Level,
    /// The account that the call took effect in.
    #[serde(default)]
    pub account: Option<AccountId>,
    /// Who made the call.
    pub actor: Actor,
    /// What the call touched.
    pub subject: Subject,
    /// The rules that matched, the gravest first. Empty where the event could not be judged.
    pub detections: Vec<Detection>,
    /// Why a person has to look, where the event could not be judged.
    #[serde(default)]
    pub unreadable: Option<String>,
    /// The event that opened it.
    pub event: EventFacts,
    /// The dangerous statements of the policy that the event is about, as text, cut.
    #[serde(default)]
    pub statements: Vec<String>,
    /// The correlation and the group that it counted, where the case is a burst and not one event.
    #[serde(default)]
    pub group: Option<String>,
    /// The correlations that the event reached. They are about the actor, whatever became of the call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bursts: Vec<RuleId>,
    /// The ARN of the state machine's execution.
    pub execution: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// The last commit.
    pub updated_at: Timestamp,
    /// When every call of the plan had been seen to hold twice.
    #[serde(default)]
    pub contained_at: Option<Timestamp>,
    /// What was found out, and what is to be done.
    #[serde(flatten)]
    pub assessment: Assessment,
    /// How far the question to people has come.
    #[serde(flatten)]
    pub approval: ApprovalStatus,
    /// What people have been told.
    #[serde(flatten)]
    pub delivery: DeliveryStatus,
    /// The later events of the same case.
    #[serde(flatten)]
    pub merges: Merges,
    /// The number of the timeline's last entry.
    pub log_seq: u64,
    /// The hash of the timeline's last entry.
    pub last_hash: String,
}

impl Incident {
    /// A state that did not go on for so long never will: its execution was stopped.
    const STATE_MAX: SignedDuration = SignedDuration::from_hours(1);

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
            statements: Vec::new(),
            group: None,
            bursts: Vec::new(),
            execution,
            opened_at: now,
            updated_at: now,
            contained_at: None,
            assessment: Assessment::default(),
            approval: ApprovalStatus::default(),
            delivery: DeliveryStatus::default(),
            merges: Merges::default(),
            log_seq: 0,
            last_hash: timeline::GENESIS.to_owned(),
        }
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Whether a later event that did the same to the same thing is answered by what answers this incident. Not once it was
    /// decided that there is nothing to undo (then the event did something after all), and not after the question was denied or
    /// expired or the plan is being carried out: the event opens an incident of its own.
    #[must_use]
    pub fn takes_more(&self, now: Timestamp) -> bool {
        let is_alive = |since: Timestamp| now.duration_since(since) < Self::STATE_MAX;
        match self.state {
            State::Opened => is_alive(self.opened_at),
            State::Decided => !self.assessment.takes_no_more && is_alive(self.opened_at),
            State::Asking => {
                let is_over = self.approval.expired || self.approval.votes.iter().any(|vote| !vote.approves);
                !self.assessment.takes_no_more && !is_over && self.approval.deadline.is_none_or(is_alive)
            }
            State::Remediating | State::Closed => false,
        }
    }

    /// Whether the route is decided.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        self.assessment.decision.is_some()
    }

    /// Whether more people have been called.
    #[must_use]
    pub fn is_escalated(&self) -> bool {
        self.approval.escalated_at.is_some()
    }

    /// The card, where it can be changed and has a thread; an incoming webhook's cannot and has none.
    #[must_use]
    pub fn thread(&self) -> Option<&SlackMessage> {
        self.delivery.slack.as_ref().filter(|at| at.ts.is_some())
    }

    /// Whether nothing is changed, whatever is decided. False before the decision.
    #[must_use]
    pub fn is_dry_run(&self) -> bool {
        self.assessment.decision.as_ref().is_some_and(|decision| decision.dry_run)
    }

    /// Whether a containment went ahead of the question.
    #[must_use]
    pub fn went_ahead(&self) -> bool {
        self.assessment.decision.as_ref().is_some_and(|decision| decision.route == Route::ContainThenAsk)
    }

    /// The correlations that the event reached. An older version stored only that the case is one.
    #[must_use]
    pub fn burst_rules(&self) -> Vec<RuleId> {
        match self.primary_rule() {
            Some(primary) if self.bursts.is_empty() && self.group.is_some() => vec![primary.rule.clone()],
            Some(_) | None => self.bursts.clone(),
        }
    }

    /// The rule that names the case: the gravest that matched.
    #[must_use]
    pub fn primary_rule(&self) -> Option<&Detection> {
        self.detections.first()
    }
}

/// SHA-256 over the ids of events, sorted, a line each: what an entry of the timeline says of the events that it does not name.
#[must_use]
pub fn digest_of<'a>(events: impl Iterator<Item = &'a EventId>) -> String {
    let mut ids: Vec<&str> = events.map(EventId::as_str).collect();
    ids.sort_unstable();
    hex::encode(Sha256::digest(ids.join("\n").as_bytes()))
}

#[cfg(test)]
mod tests;
