//! What people are told: the card for Slack and the structured alert for SNS, both from the incident's header.
//!
//! Texts of the event are an attacker's; the card escapes them, the alert carries them as JSON strings.

mod alert;

use cordon_core::config::OnTimeout;
use cordon_core::incident::{Head, Outcome, State};
use cordon_core::{BlastRadius, KeyUse, Level, Route};
use cordon_respond::runner::{StepRecord, StepState};
use cordon_slack::card::{Decider, Failure, Report, StepLine, StepState as Shown, Times, Verdict};
use cordon_slack::{Ahead, Card, Merged, Message, Question, RuleLine, Severity};
use jiff::Timestamp;

pub use alert::{ALERT_SCHEMA, Alert, structured};

use crate::cases::{Approval, Vote};
use crate::wait;

/// The card with buttons. `glass`: see [`wait::has_glass`].
#[must_use]
pub fn asking(head: &Head, approval: &Approval, glass: bool) -> Message {
    card(head).asking(&question(head, approval, glass))
}

/// How the question stands, as the table has it.
fn question(head: &Head, approval: &Approval, glass: bool) -> Question {
    // Where one approval is enough there is none to break, and a rehearsal tells nobody that they were skipped.
    let is_dry_run = head.decision.as_ref().is_some_and(|decision| decision.dry_run);
    Question {
        deadline: Some(approval.deadline),
        needed: usize::try_from(approval.quorum).unwrap_or(usize::MAX),
        approved_by: approval.ballots.iter().map(|ballot| decider(&ballot.by)).collect(),
        looking: head.looking.iter().map(|looking| decider(&looking.by)).collect(),
        break_glass: glass && approval.quorum > 1 && !is_dry_run,
        ahead: if wait::went_ahead(head) { Ahead::Stands } else { Ahead::Nothing },
    }
}

/// Who decided: a Slack member by the id, an AWS principal by the ARN.
#[must_use]
pub fn decider(by: &str) -> Decider {
    if by.starts_with("arn:") { Decider::Principal(by.to_owned()) } else { Decider::Slack { user_id: by.to_owned(), name: None } }
}

#[must_use]
pub fn alert(head: &Head) -> Message {
    card(head).alert()
}

#[must_use]
pub fn exempt(head: &Head) -> Message {
    card(head).exempt()
}

#[must_use]
pub fn acting(head: &Head) -> Message {
    card(head).acting()
}

#[must_use]
pub fn needs_person(head: &Head) -> Message {
    card(head).needs_person()
}

/// The card while the approved remedies are being applied, or after a denial.
#[must_use]
pub fn decided(head: &Head, approved: bool, by: &str) -> Message {
    let ahead = if wait::went_ahead(head) { Ahead::Stands } else { Ahead::Nothing };
    card(head).decided(approved, &decider(by), ahead)
}

/// A few sentences about an incident, for its thread or for another channel.
#[must_use]
pub fn note(head: &Head, prose: &str) -> Message {
    card(head).note(prose)
}

/// The card at its end.
#[must_use]
pub fn outcome(head: &Head, outcome: Outcome, steps: &[Option<StepRecord>], approval: Option<&Approval>) -> Message {
    let verdict = match outcome {
        Outcome::Exempt => Verdict::Exempt,
        Outcome::Alerted => Verdict::Alerted,
        Outcome::Denied => Verdict::Denied,
        Outcome::Expired => Verdict::Expired,
        Outcome::Contained => Verdict::Contained,
        Outcome::Partial => Verdict::Partial,
        Outcome::Failed => Verdict::Failed,
        Outcome::NeedsPerson => Verdict::NeedsPerson,
    };
    let ahead = ahead_at_the_end(head, outcome, approval);
    let (decided_by, note) = decision(head, outcome, approval);
    let carried_out = matches!(outcome, Outcome::Contained | Outcome::Partial | Outcome::Failed) || ahead != Ahead::Nothing;
    let undoable =
        carried_out && head.plan.steps.iter().zip(steps).any(|(step, record)| !step.undo.is_empty() && stands(record.as_ref()));
    let steps = if carried_out { step_lines(head, steps) } else { Vec::new() };
    let times =
        Times { detected: Some(head.opened_at), asked: head.asked_at, decided: head.decided_at, contained: head.contained_at };
    card(head).outcome(&Report { verdict, decided_by, steps, times, undoable, ahead, note })
}

/// Who decided, and what else has to be said of it.
fn decision(head: &Head, outcome: Outcome, approval: Option<&Approval>) -> (Option<Decider>, Option<String>) {
    match approval {
        Some(approval) if outcome == Outcome::Partial && approval.vote == Vote::Denied => {
            let by = approval.by.as_deref().unwrap_or("unknown");
            (None, Some(format!("Denied by `{by}`, and not everything that was done ahead could be taken back")))
        }
        Some(approval) if approval.vote == Vote::Expired && approval.on_timeout == OnTimeout::Contain => {
            (None, Some("Nobody decided in time, so only the containment was made, as configured".to_owned()))
        }
        Some(approval) if matches!(approval.vote, Vote::Approved | Vote::Denied) => {
            let alone = head.break_glass.as_ref().map(|glass| format!("Approved alone, past the quorum: {}", glass.reason));
            (approval.by.as_deref().map(decider), alone)
        }
        Some(_) => (None, None),
        None => (head.decision.as_ref().filter(|decision| decision.route == Route::Act).map(|_| Decider::Configuration), None),
    }
}

/// What became of a containment that went ahead of its question.
fn ahead_at_the_end(head: &Head, outcome: Outcome, approval: Option<&Approval>) -> Ahead {
    let held = approval.is_some_and(|approval| approval.vote == Vote::Expired && approval.on_timeout != OnTimeout::Close);
    match outcome {
        Outcome::Denied | Outcome::Expired if !wait::went_ahead(head) => Ahead::Nothing,
        Outcome::Expired if held => Ahead::Stands,
        Outcome::Denied | Outcome::Expired => Ahead::TakenBack,
        Outcome::Exempt | Outcome::Alerted | Outcome::Contained | Outcome::Partial | Outcome::Failed | Outcome::NeedsPerson => {
            Ahead::Nothing
        }
    }
}

/// Whether a step left something that can be taken back.
fn stands(record: Option<&StepRecord>) -> bool {
    match record.map(|record| &record.state) {
        Some(StepState::Applied | StepState::Verified | StepState::Stripped { .. }) => true,
        Some(StepState::Planned | StepState::SnapshotTaken | StepState::Failed { .. }) => false,
        Some(StepState::Reverting | StepState::Reverted) | None => false,
    }
}

/// The card as it stands now, for when a fact of it has changed. `None` where none was posted, or the incident is over.
#[must_use]
pub fn current(head: &Head, approval: Option<&Approval>, glass: bool) -> Option<Message> {
    if head.outcome.is_some() || head.slack.is_none() {
        return None;
    }
    match (head.state, approval, head.decision.as_ref().map(|decision| decision.route)) {
        (State::Opened | State::Closed, _, _) | (_, _, None) => None,
        (State::Asking, Some(approval), _) if approval.vote == Vote::Waiting => Some(asking(head, approval, glass)),
        (_, Some(approval), _) => match approval.vote {
            Vote::Approved | Vote::Denied => {
                Some(decided(head, approval.vote == Vote::Approved, approval.by.as_deref().unwrap_or_default()))
            }
            Vote::Waiting | Vote::Expired => None,
        },
        (_, None, Some(Route::Act)) => Some(acting(head)),
        (_, None, Some(Route::Alert)) => Some(alert(head)),
        (_, None, Some(Route::Exempt)) => Some(exempt(head)),
        (_, None, Some(Route::Ask | Route::ContainThenAsk)) => None,
    }
}

/// What the thread of the card gets when further events have joined.
#[must_use]
pub fn joined(head: &Head) -> Message {
    let (have, events) = if head.merged == 1 { ("has", "further event") } else { ("have", "further events") };
    let newest = head.last_merged.as_ref().map(|event| {
        let at = event.time.map(|at| format!(" at `{}`", utc(at))).unwrap_or_default();
        let from = event.source_ip.as_ref().map(|ip| format!(" from `{ip}`")).unwrap_or_default();
        format!(" The newest: `{}`{at}{from}.", event.name)
    });
    let newest = newest.unwrap_or_default();
    note(
        head,
        &format!("{} {events} of this case {have} joined.{newest} `cordon incident show {}` lists them.", head.merged, head.id),
    )
}

/// What the thread of the card gets at the end, because an edited card makes no sound.
#[must_use]
pub fn ended(head: &Head, outcome: Outcome, approval: Option<&Approval>) -> Message {
    let said = match (outcome, ahead_at_the_end(head, outcome, approval)) {
        (Outcome::Denied, Ahead::TakenBack) => "Denied: the containment was taken back.",
        (Outcome::Expired, Ahead::TakenBack) => "Expired: nobody answered in time, and the containment was taken back.",
        (Outcome::Expired, Ahead::Stands) => "Expired: nobody answered in time. The containment stays.",
        (Outcome::Exempt, _) => "Over: this was allowed, and nothing was changed.",
        (Outcome::Alerted, _) => "Over: nothing was changed.",
        (Outcome::Denied, _) => "Denied: nothing was changed.",
        (Outcome::Expired, _) => "Expired: nobody answered in time, and nothing was changed.",
        (Outcome::Contained, _) => "Contained: every call of the plan was seen to hold twice.",
        (Outcome::Partial, _) => "Partial: not contained. A person must look now.",
        (Outcome::Failed, _) => "Failed. A person must look now.",
        (Outcome::NeedsPerson, _) => "A person must look. Cordon changed nothing.",
    };
    note(head, said)
}

/// The notice that a state failed for good.
#[must_use]
pub fn failure(incident: Option<&str>, execution: &str, state: &str, error: &str, cause: &str) -> Message {
    let failure = Failure {
        incident: incident.map(str::to_owned),
        state: state.to_owned(),
        error: error.to_owned(),
        cause: cause.to_owned(),
        execution_url: execution_url(execution),
    };
    failure.message()
}

fn card(head: &Head) -> Card {
    let decision = head.decision.as_ref();
    let mut why: Vec<String> = head.detections.iter().map(|detection| detection.description.clone()).collect();
    why.extend(head.unreadable.iter().cloned());
    Card {
        incident: head.id.to_string(),
        severity: match head.severity {
            Level::Informational => Severity::Informational,
            Level::Low => Severity::Low,
            Level::Medium => Severity::Medium,
            Level::High => Severity::High,
            Level::Critical => Severity::Critical,
        },
        rules: head.detections.iter().map(|d| RuleLine { title: d.title.clone(), author: d.author.clone() }).collect(),
        event_name: head.event.name.clone(),
        actor: head.actor.display(),
        subject: head.subject.to_string(),
        account: head.account.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string),
        source_ip: head.event.source_ip.clone(),
        user_agent: head.event.user_agent.clone(),
        event_time: head.event.time,
        detected: Some(head.opened_at),
        request: Some(head.event.parameters.clone()).filter(|parameters| !parameters.is_empty()),
        why,
        policy_arn: head.event.policy_arn.clone(),
        statements: head.statements.clone(),
        reach: head.blast_radius.as_ref().map(reach).unwrap_or_default(),
        merged: merged(head),
        calls: head.plan.calls(),
        undo: head.plan.undo(),
        cannot_undo: cannot_undo(head),
        by_hand: head.plan.by_hand.clone(),
        notes: head.plan.notes(),
        exceptions_checked: head.exceptions_checked.clone(),
        execution_url: execution_url(&head.execution),
        event_url: event_url(head),
        dry_run: decision.is_some_and(|decision| decision.dry_run),
        approved_for_remediation: decision.is_some_and(|decision| decision.approved_for_remediation),
        decision_reason: decision.map(|decision| decision.decision_reason.clone()).unwrap_or_default(),
    }
}

fn merged(head: &Head) -> Option<Merged> {
    let newest = head.last_merged.as_ref();
    (head.merged > 0).then(|| Merged {
        count: head.merged,
        event_name: newest.map(|event| event.name.clone()),
        time: newest.and_then(|event| event.time),
        source_ip: newest.and_then(|event| event.source_ip.clone()),
    })
}

/// What the subject's credentials reach, in sentences.
fn reach(found: &BlastRadius) -> Vec<String> {
    let mut said: Vec<String> = found.keys.iter().map(key_use).collect();
    let list = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if !found.policies.is_empty() {
        said.push(format!("Managed policies on `{}`: {}.", found.principal, list(&found.policies)));
    }
    if !found.groups.is_empty() {
        said.push(format!("Groups: {}.", list(&found.groups)));
    }
    if found.more > 0 {
        said.push(format!("{} more policies or groups.", found.more));
    }
    if said.is_empty() && found.unknown.is_empty() {
        said.push(format!("`{}` has no access key, no managed policy and no group now.", found.principal));
    }
    said.extend(found.unknown.iter().cloned());
    said
}

fn key_use(key: &KeyUse) -> String {
    let state = if key.active { "active" } else { "inactive" };
    let used = match key.last_used {
        None => "never used".to_owned(),
        Some(at) => {
            let service = key.service.as_ref().map(|service| format!(" for `{service}`")).unwrap_or_default();
            let region = key.region.as_ref().map(|region| format!(" in `{region}`")).unwrap_or_default();
            format!("last used at `{}`{service}{region}", utc(at))
        }
    };
    format!("Access key `{}`: {state}, {used}.", key.id)
}

fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Calls of the plan for which there is no call that takes them back.
fn cannot_undo(head: &Head) -> Vec<String> {
    let final_steps = head.plan.steps.iter().filter(|step| step.undo.is_empty());
    final_steps.flat_map(|step| &step.calls).map(|call| format!("No call takes `{}` back.", call.action)).collect()
}

fn step_lines(head: &Head, records: &[Option<StepRecord>]) -> Vec<StepLine> {
    let mut lines = Vec::new();
    for (n, step) in head.plan.steps.iter().enumerate() {
        let (state, detail) = match records.get(n).and_then(Option::as_ref).map(|record| &record.state) {
            Some(StepState::Verified) => (Shown::Verified, step.note.clone()),
            Some(StepState::Applied) => (Shown::Unverified, None),
            Some(StepState::Stripped { missing }) => (Shown::Unverified, Some(missing.clone())),
            Some(StepState::Failed { reason }) => (Shown::Failed, Some(reason.clone())),
            Some(StepState::Reverting | StepState::Reverted) => (Shown::NotMade, Some("It was undone.".to_owned())),
            Some(StepState::SnapshotTaken) => (Shown::Unverified, Some("It is not known whether the call was made.".to_owned())),
            Some(StepState::Planned) | None => (Shown::NotMade, None),
        };
        lines.extend(step.calls.iter().map(|call| StepLine { state, call: call.to_string(), detail: detail.clone() }));
    }
    lines
}

/// The execution in the state machine's console.
fn execution_url(execution: &str) -> Option<String> {
    let mut parts = execution.split(':');
    let region =
        parts.nth(3).filter(|region| !region.is_empty() && region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))?;
    Some(format!("https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details/{execution}"))
}

/// The event in CloudTrail's console, which is found there by its id in the region that recorded it.
fn event_url(head: &Head) -> Option<String> {
    let region = head.event.region.as_deref().unwrap_or("us-east-1");
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let id = head.event.id.as_str();
    (plain(region) && plain(id))
        .then(|| format!("https://{region}.console.aws.amazon.com/cloudtrailv2/home?region={region}#/events/{id}"))
}
