//! The card at its end: what became of the incident, by whom, which calls held, and how long it took; and the notice of a failure.
//!
//! "Contained" is said only when the caller's verdict says so; this module never infers it from the steps.

use jiff::Timestamp;

use super::layout::{CALLS, counted, lead, took, utc, with_full_stop};
use super::{Ahead, Card, Message};
use crate::blocks::Block;
use crate::text::{code, link, mention, plain, sentence, unformatted};

const STEP: usize = 1_200;

/// How an incident ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Exempt,
    Alerted,
    Denied,
    Expired,
    Contained,
    Partial,
    Failed,
    NeedsPerson,
}

/// Who decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decider {
    /// A person in Slack; the name is what they call themself.
    Slack { user_id: String, name: Option<String> },
    /// An AWS principal, by the command line.
    Principal(String),
    /// Nobody: the configuration names the rule as automatic.
    Configuration,
}

/// What became of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// Made, and seen to hold at both reads.
    Verified,
    /// Made, but not seen to hold.
    Unverified,
    NotMade,
    Failed,
}

/// One call of the plan and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepLine {
    pub state: StepState,
    pub call: String,
    /// Why it failed, was not made, or did not hold. One sentence.
    pub detail: Option<String>,
}

/// When what happened; each is shown as the time since the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    pub detected: Option<Timestamp>,
    pub asked: Option<Timestamp>,
    pub decided: Option<Timestamp>,
    pub contained: Option<Timestamp>,
}

/// The end of an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub verdict: Verdict,
    pub decided_by: Option<Decider>,
    pub steps: Vec<StepLine>,
    pub times: Times,
    /// Whether something stands that the Undo button takes back.
    pub undoable: bool,
    pub ahead: Ahead,
    /// What else the reader must know. Sentences.
    pub note: Option<String>,
}

impl Decider {
    /// For a `mrkdwn` text.
    pub(super) fn marked_up(&self) -> String {
        match self {
            Self::Slack { user_id, .. } => mention(user_id),
            Self::Principal(arn) => code(arn, 120),
            Self::Configuration => "the configuration".to_owned(),
        }
    }

    /// For a notification, which shows no mention.
    pub(super) fn spoken(&self) -> String {
        match self {
            Self::Slack { user_id, name: Some(name) } => format!("{} ({})", plain(name, 80), plain(user_id, 40)),
            Self::Slack { user_id, name: None } => plain(user_id, 40),
            Self::Principal(arn) => plain(arn, 120),
            Self::Configuration => "the configuration".to_owned(),
        }
    }
}

impl StepState {
    /// A sign and a word: nobody has to know the sign.
    fn said(self) -> (&'static str, &'static str) {
        match self {
            Self::Verified => ("✅", "verified"),
            Self::Unverified => ("⚠", "made, but not seen to hold"),
            Self::NotMade => ("➖", "not made"),
            Self::Failed => ("❌", "failed"),
        }
    }
}

impl StepLine {
    fn line(&self) -> String {
        let (sign, word) = self.state.said();
        let detail = self.detail.as_deref().map(|detail| format!(": {}", sentence(detail, 300))).unwrap_or_default();
        format!("{sign} {} {word}{detail}", code(&self.call, STEP))
    }
}

impl Verdict {
    fn headline(self, dry_run: bool, ahead: Ahead) -> &'static str {
        match self {
            Self::Denied if ahead == Ahead::TakenBack => "Denied: the containment was taken back.",
            Self::Expired if ahead == Ahead::TakenBack => "Expired: nobody answered in time, and the containment was taken back.",
            Self::Expired if ahead == Ahead::Stands => "Expired: nobody answered in time. The containment stays.",
            Self::Exempt => "Exempt: nothing was changed.",
            Self::Alerted if dry_run => "Dry run: nothing was changed.",
            Self::Alerted => "Alert only: nothing was changed.",
            Self::Denied => "Denied: nothing was changed.",
            Self::Expired => "Expired: nobody answered in time, and nothing was changed.",
            Self::Contained => "Contained.",
            Self::Partial => "Partial: not contained. A person must look now.",
            Self::Failed => "Failed. A person must look now.",
            Self::NeedsPerson => "A person must look. Cordon changed nothing.",
        }
    }

    fn changed_something(self) -> bool {
        match self {
            Self::Contained | Self::Partial | Self::Failed => true,
            Self::Exempt | Self::Alerted | Self::Denied | Self::Expired | Self::NeedsPerson => false,
        }
    }

    /// Whether the policy decided, not a person or what happened; then its reason is the news.
    fn is_policys(self) -> bool {
        match self {
            Self::Exempt | Self::Alerted | Self::NeedsPerson => true,
            Self::Denied | Self::Expired | Self::Contained | Self::Partial | Self::Failed => false,
        }
    }

    /// What to call the plan's calls where no step was tried.
    fn calls_title(self) -> Option<&'static str> {
        match self {
            Self::Alerted => Some("What would have been done"),
            Self::Denied | Self::Expired => Some("Calls that were not made"),
            Self::Contained | Self::Partial | Self::Failed => Some("Calls of the plan"),
            Self::Exempt | Self::NeedsPerson => None,
        }
    }
}

impl Card {
    /// The same card, the buttons gone, with what became of the incident.
    pub fn outcome(&self, report: &Report) -> Message {
        let headline = report.verdict.headline(self.dry_run, report.ahead);
        let note = report.note.as_deref().map(with_full_stop).unwrap_or_default();
        let reason = if report.verdict.is_policys() {
            with_full_stop(&format!("Decision: {}", self.decision_reason.trim()))
        } else {
            String::new()
        };
        let mut first = format!("*{headline}*");
        for said in [sentence(&reason, 300), decided(report, Decider::marked_up), sentence(&note, 500)] {
            if !said.is_empty() {
                first.push(' ');
                first.push_str(&said);
            }
        }
        let mut blocks = self.opening(first);
        if report.steps.is_empty() {
            blocks.extend(report.verdict.calls_title().and_then(|title| self.calls_section(title)));
        } else {
            blocks.extend(self.section("Calls", report.steps.iter().map(StepLine::line).collect(), CALLS).map(Block::kept));
        }
        if report.verdict.changed_something() || report.ahead == Ahead::Stands {
            blocks.extend(self.undo_section(&format!("To undo: {}", self.command("undo"))));
            blocks.extend(report.undoable.then(|| self.undo_button()));
        }
        blocks.extend(self.by_hand_section());
        blocks.extend(self.exceptions_section());
        blocks.extend(report.times.line().map(|line| Block::Context(vec![line])));
        blocks.push(self.footer());
        self.message(&format!("{headline} {}", decided(report, Decider::spoken)), blocks)
    }
}

/// "Approved by …; 2 of 2 calls verified.", as far as it applies.
fn decided(report: &Report, name: fn(&Decider) -> String) -> String {
    let word = if report.verdict == Verdict::Denied { "Denied" } else { "Approved" };
    let by = report.decided_by.as_ref().map(|decider| format!("{word} by {}", name(decider)));
    let verified = report.steps.iter().filter(|step| step.state == StepState::Verified).count();
    let held =
        (!report.steps.is_empty()).then(|| format!("{verified} of {} verified", counted(report.steps.len(), "call", "calls")));
    let said: Vec<String> = by.into_iter().chain(held).collect();
    with_full_stop(&said.join("; "))
}

impl Times {
    fn line(&self) -> Option<String> {
        let named =
            [("Detected", self.detected), ("asked", self.asked), ("decided", self.decided), ("contained", self.contained)];
        let mut previous: Option<Timestamp> = None;
        let mut parts = Vec::new();
        for (name, at) in named {
            let Some(at) = at else { continue };
            parts.push(match previous {
                None => format!("{name} {}", utc(at)),
                Some(before) => format!("{name} {} later", took(before, at)),
            });
            previous = Some(at);
        }
        (!parts.is_empty()).then(|| parts.join(" · "))
    }
}

/// A state of the machine gave up. There may be no incident yet, and so no card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub incident: Option<String>,
    /// The state's name.
    pub state: String,
    pub error: String,
    pub cause: String,
    pub execution_url: Option<String>,
}

impl Failure {
    pub fn message(&self) -> Message {
        let what = "Cordon could not finish an incident";
        let prose = format!("State `{}` gave up with `{}`. Treat the event as not contained.", self.state, self.error);
        let mut blocks = vec![
            Block::Header(format!("🔴 {what}")),
            Block::Section(lead("A person must look now.", &prose)),
            Block::Section(format!("*Cause*\n{}", code(&self.cause, 1_500))),
        ];
        let mut last = vec![match &self.incident {
            Some(incident) => {
                format!("Incident {}: {}", code(incident, 80), code(&format!("cordon incident show {incident}"), 110))
            }
            None => "No incident had been opened".to_owned(),
        }];
        last.extend(self.execution_url.as_deref().map(|url| link(url, "Open the execution")));
        blocks.push(Block::Context(last));
        let incident = self.incident.as_deref().map(|id| format!(" Incident {id}.")).unwrap_or_default();
        let text = format!("{what}: {prose} A person must look now.{incident}").replace('`', "");
        Message { text: unformatted(&text, 1_000), blocks: blocks.iter().map(Block::to_value).collect() }
    }
}
