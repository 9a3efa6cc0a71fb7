//! Decides which remedies fit an incident, on which targets, and what is left to a person.
//!
//! Contain steps come first: an actor who is stopped cannot undo the rest. Every target is looked up before the scope is asked,
//! because an event's name may lack the path and its ARN is somebody else's text: the scope judges the ARN that AWS gives.
//! Nothing is written here, a read that fails is an error and never a smaller plan, and a call that failed is answered by
//! nothing: what did not happen is not undone, and nobody is stopped for it. A burst of calls is about who makes them: its actor is
//! stopped whatever became of the last one.

mod actor;
mod standing;
mod targets;

use cordon_core::incident::EventFacts;
use cordon_core::pattern::Pattern;
use cordon_core::{AccountId, Actor, Config, Detection, IncidentId, Plan, PlannedStep, Purpose, RemedyKind, RuleId, Subject};
use jiff::{SignedDuration, Timestamp};

use crate::arns::{Arns, Known, Since};
use crate::bounds::{Bounds, Past};
use crate::holds::Holds;
use crate::port::{Account, IamError};
use crate::quarantine;
use crate::remedies;
use crate::remedy::{ByHand, Planned, Request};
use crate::sessions::{Sessions, sessions};
pub use standing::{remaining, renamed};
use targets::{Resolved, Seen, TargetError};

/// The incident that a plan is made for.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The incident, which names the policies that are put on.
    pub incident: &'a IncidentId,
    /// The account in which the call took effect, and over which the port must be.
    pub account: Option<&'a AccountId>,
    /// The principal that made the call.
    pub actor: &'a Actor,
    /// The thing that the call touched.
    pub subject: &'a Subject,
    /// The rules that no exception covers. Those without a response add nothing.
    pub detections: &'a [Detection],
    /// The facts of the event.
    pub event: &'a EventFacts,
    /// The time of planning.
    pub now: Timestamp,
}

/// A plan, and why it holds no more than it does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Planning {
    /// The steps, and what is left to a person.
    pub plan: Plan,
    /// Why steps were left out, in sentences, each one once.
    pub left_out: Vec<String>,
    /// The remedies that were to undo the call and found nothing to undo.
    pub nothing_to_undo: Vec<RemedyKind>,
    /// Whether the same call might be undone a moment later, as things stand in AWS then: a remedy found nothing, or not what the
    /// event had left.
    pub may_change: bool,
    /// Why a person has to decide, in sentences without a full stop: something came to its name or path lately.
    pub doubts: Vec<String>,
}

/// Makes the plan. `holds` tells what other incidents need of the same targets, and what was seen of their ARNs. `never` holds ARN patterns that are refused
/// whatever the configuration says: Cordon's own roles.
///
/// # Errors
/// The first read that was refused, of the account or of the holds.
pub async fn plan(
    account: &dyn Account,
    holds: &dyn Known,
    config: &Config,
    never: &[Pattern],
    case: &Case<'_>,
) -> Result<Planning, IamError> {
    plan_with_bursts(account, holds, config, never, case, &[]).await
}

/// As [`plan`], where some of the rules (`bursts`) count several events. Those are about the actor: a call that was refused is one
/// of their events all the same, and the actor is stopped.
///
/// # Errors
/// As [`plan`].
pub async fn plan_with_bursts(
    account: &dyn Account,
    holds: &dyn Known,
    config: &Config,
    never: &[Pattern],
    case: &Case<'_>,
    bursts: &[RuleId],
) -> Result<Planning, IamError> {
    let planning = Planning::default();
    let mut planner = Planner {
        account,
        holds,
        arns: holds,
        config,
        never,
        case,
        actor: case.actor.principal(),
        seen: Seen::default(),
        planning,
        is_last_read: false,
    };
    if let Some(code) = &case.event.error_code {
        let (of_bursts, of_call): (Vec<Detection>, Vec<Detection>) =
            case.detections.iter().cloned().partition(|detection| bursts.contains(&detection.rule));
        if of_call.iter().any(has_response) {
            planner.leave_out(format!("The call failed (`{code}`), so there is nothing to undo, and nobody is stopped for it"));
        }
        for remedy in wanted(&of_bursts, Purpose::Contain, &case.event.name) {
            planner.add(Purpose::Contain, remedy).await?;
        }
        return Ok(planner.planning);
    }
    for purpose in [Purpose::Contain, Purpose::Revert] {
        for remedy in wanted(case.detections, purpose, &case.event.name) {
            planner.add(purpose, remedy).await?;
        }
    }
    planner.add_what_nothing_undoes(bursts);
    Ok(planner.planning)
}

fn has_response(detection: &Detection) -> bool {
    detection.response.as_ref().is_some_and(|response| !response.revert.is_empty() || !response.contain.is_empty())
}

/// The remedies of all rules for a purpose and a call, each once, in the order in which they have to be taken. A rule on several
/// calls names a remedy for each of them.
fn wanted(detections: &[Detection], purpose: Purpose, call: &str) -> Vec<RemedyKind> {
    let mut wanted = Vec::new();
    let mut want = |remedy: RemedyKind| {
        if !wanted.contains(&remedy) {
            wanted.push(remedy);
        }
    };
    for response in detections.iter().filter_map(|detection| detection.response.as_ref()) {
        let remedies = match purpose {
            Purpose::Contain => &response.contain,
            Purpose::Revert => &response.revert,
        };
        let answers = |remedy: &&RemedyKind| purpose == Purpose::Contain || remedies::remedy(**remedy).answers().to(call);
        for remedy in remedies.iter().filter(answers) {
            if let Sessions::DeniedBy(deny) = sessions(*remedy) {
                want(deny);
            }
            want(*remedy);
        }
    }
    wanted.sort_by_key(|remedy| rank(*remedy));
    wanted
}

/// The widest deny first, so that what it covers can be left out; what has to come before another before it. Equal ones stay in
/// the order in which the rules name them.
fn rank(remedy: RemedyKind) -> u8 {
    match remedy {
        RemedyKind::DenyAll | RemedyKind::DisableCreatedPrincipal => 0,
        RemedyKind::SetPermissionsBoundary => 1,
        RemedyKind::DenyIam => 2,
        RemedyKind::RevokeSessions | RemedyKind::DisableLoginProfile => 3,
        RemedyKind::DeactivateAccessKey | RemedyKind::DeleteLoginProfile => 4,
        RemedyKind::DetachPolicy
        | RemedyKind::RemoveInlinePolicy
        | RemedyKind::RestorePolicyVersion
        | RemedyKind::RestoreTrustPolicy
        | RemedyKind::RemoveFromGroup
        | RemedyKind::RestorePermissionsBoundary
        | RemedyKind::RestoreExceptionTag
        | RemedyKind::RestartLogging => 5,
        RemedyKind::DeletePolicyVersion => 6,
    }
}

struct Planner<'a> {
    account: &'a dyn Account,
    holds: &'a dyn Holds,
    arns: &'a dyn Arns,
    config: &'a Config,
    never: &'a [Pattern],
    case: &'a Case<'a>,
    actor: Option<cordon_core::Principal>,
    seen: Seen,
    planning: Planning,
    /// Whether this asks what is left, after the plan was carried out.
    is_last_read: bool,
}

impl Planner<'_> {
    async fn add(&mut self, purpose: Purpose, remedy: RemedyKind) -> Result<(), IamError> {
        if purpose == Purpose::Revert
            && let Some(by_hand) = renamed(self.holds, self.case).await?
        {
            self.planning.may_change = true;
            self.by_hand(by_hand);
            return Ok(());
        }
        let target = match self.target(purpose, remedy) {
            Ok(target) => target,
            Err(by_hand) => {
                self.by_hand(by_hand);
                return Ok(());
            }
        };
        let resolved = match self.resolve(&target).await {
            Ok(resolved) => resolved,
            Err(TargetError::Iam(error)) => return Err(error),
            // The effect went with its subject, and an actor who is gone needs no stopping.
            Err(TargetError::Gone { .. }) if self.is_last_read => return Ok(()),
            Err(refused) => {
                let is_absent = matches!(refused, TargetError::Gone { .. } | TargetError::Recreated { .. });
                self.planning.may_change |= is_absent && purpose == Purpose::Revert;
                let instruction = match purpose {
                    Purpose::Contain => "the actor is not stopped; decide yourself whether to stop them, and how",
                    Purpose::Revert => "the call is not undone; decide yourself whether to undo it",
                };
                self.by_hand(ByHand { reason: refused.to_string(), instruction: instruction.to_owned() });
                return Ok(());
            }
        };
        let target = resolved.on().target();
        if self.planning.plan.steps.iter().any(|step| step.target.is(&target) && covers(step, remedy)) {
            return Ok(());
        }
        let actor = self.case.actor.principal();
        let held = self.holds.of(&target).await?;
        let request = Request {
            incident: self.case.incident,
            purpose,
            on: resolved.on(),
            event: self.case.event,
            actor: actor.as_ref(),
            exception_tag: &self.config.exceptions.tag_key,
            planned: &self.planning.plan.steps,
            held: &held,
            now: self.case.now,
        };
        match remedies::remedy(remedy).plan(self.account, &request).await? {
            Planned::Step(mut step) => {
                let past = self.past();
                let beside = self.bounds().beside_target(self.account, &step, Some(&past)).await?;
                beside.doubts.into_iter().for_each(|doubt| self.doubt(doubt));
                let Some(reason) = beside.refused else {
                    step.judged = resolved.judged().into_iter().chain(beside.judged).collect();
                    self.add_step(*step, &resolved);
                    return Ok(());
                };
                {
                    self.planning.may_change |= purpose == Purpose::Revert;
                    let calls = shown(&step);
                    let instruction = format!("decide yourself whether to make these calls, and make them by hand: {calls}");
                    self.by_hand(ByHand { reason, instruction });
                }
            }
            Planned::Nothing(reason) => {
                if purpose == Purpose::Revert {
                    self.planning.nothing_to_undo.push(remedy);
                    self.planning.may_change = true;
                }
                self.leave_out(reason);
            }
            Planned::ByHand(by_hand) => {
                self.planning.may_change |= purpose == Purpose::Revert;
                self.by_hand(by_hand);
            }
        }
        Ok(())
    }

    fn bounds(&self) -> Bounds<'_> {
        Bounds { config: self.config, never: self.never }
    }

    /// A name or path that somebody got within `exceptions.min_age_hours` before the event, or since, is not believed alone.
    fn past(&self) -> Past<'_> {
        let min_age = SignedDuration::from_hours(i64::from(self.config.exceptions.min_age_hours));
        let event_time = self.case.event.time.unwrap_or(self.case.now);
        let believed_until = event_time.checked_sub(min_age).unwrap_or(event_time);
        Past { arns: self.arns, since: Since { believed_until, actor: self.actor.as_ref() } }
    }

    /// A reason to ask a person, once.
    fn doubt(&mut self, doubt: String) {
        if !self.planning.doubts.contains(&doubt) {
            self.planning.doubts.push(doubt);
        }
    }

    fn add_step(&mut self, step: PlannedStep, resolved: &Resolved) {
        if step.remedy == RemedyKind::DeletePolicyVersion && self.would_delete_the_default(&step, resolved) {
            return self.by_hand(ByHand {
                reason: format!("the version that the event made is the default of `{}`, and stays", step.target),
                instruction: "make another version the default, then delete this one (`aws iam delete-policy-version`)"
                    .to_owned(),
            });
        }
        match self.overlap(&step) {
            Overlap::None => {
                if let Some(sentence) = step.unknown_before.clone().filter(|said| !self.planning.plan.by_hand.contains(said)) {
                    self.planning.plan.by_hand.push(sentence);
                }
                self.planning.plan.steps.push(step);
            }
            Overlap::Same => {}
            Overlap::Other => self.by_hand(ByHand {
                reason: format!("`{}` on `{}` would set what an earlier step sets to something else", step.remedy, step.target),
                instruction: format!("once that step is undone, make these calls by hand: {}", shown(&step)),
            }),
        }
    }

    fn would_delete_the_default(&self, step: &PlannedStep, resolved: &Resolved) -> bool {
        let Resolved::Policy(_, facts) = resolved else { return false };
        let restored =
            |planned: &PlannedStep| planned.remedy == RemedyKind::RestorePolicyVersion && planned.target.is(&step.target);
        step.version.as_ref() == Some(&facts.default_version) && !self.planning.plan.steps.iter().any(restored)
    }

    /// Compares a step with earlier steps on the same target.
    fn overlap(&self, step: &PlannedStep) -> Overlap {
        let earlier: Vec<_> = self.planning.plan.steps.iter().filter(|planned| planned.target.is(&step.target)).collect();
        if earlier
            .iter()
            .any(|planned| planned.remedy == step.remedy && planned.policy_arn == step.policy_arn && planned.calls == step.calls)
        {
            return Overlap::Same;
        }
        let set: Vec<_> = earlier.iter().flat_map(|planned| &planned.changes).collect();
        let of = |change: &cordon_core::Change| {
            set.iter().find(|earlier| earlier.setting == change.setting).map(|earlier| &earlier.to)
        };
        if step.changes.iter().any(|change| of(change).is_some_and(|to| *to != change.to)) {
            return Overlap::Other;
        }
        if !step.changes.is_empty() && step.changes.iter().all(|change| of(change).is_some()) {
            Overlap::Same
        } else {
            Overlap::None
        }
    }

    fn leave_out(&mut self, reason: String) {
        if !self.planning.left_out.contains(&reason) {
            self.planning.left_out.push(reason);
        }
    }

    fn by_hand(&mut self, by_hand: ByHand) {
        let sentence = by_hand.sentence();
        if !self.planning.plan.by_hand.contains(&sentence) {
            self.planning.plan.by_hand.push(sentence);
        }
        self.leave_out(by_hand.reason);
    }
}

enum Overlap {
    None,
    /// Everything that the step would do.
    Same,
    /// Something that the step would do otherwise.
    Other,
}

/// True where a step on a principal leaves nothing for a remedy on the same one to do.
fn covers(step: &PlannedStep, remedy: RemedyKind) -> bool {
    let denies_all = step.changes.iter().any(quarantine::denies_everything);
    let denies = matches!(
        remedy,
        RemedyKind::DenyAll
            | RemedyKind::DenyIam
            | RemedyKind::RevokeSessions
            | RemedyKind::DisableLoginProfile
            | RemedyKind::SetPermissionsBoundary
    );
    match (step.remedy, remedy) {
        (RemedyKind::DenyIam, RemedyKind::DenyIam) => true,
        // The console is denied as all that is done with temporary credentials.
        (RemedyKind::DisableLoginProfile, RemedyKind::RevokeSessions) => true,
        _ => denies_all && denies,
    }
}

fn shown(step: &PlannedStep) -> String {
    step.calls.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
