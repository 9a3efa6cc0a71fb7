//! What of an event stands although its plan is carried out: a call that no matched rule undoes, a name that somebody else has by now,
//! and whatever a second look finds at the end.

use cordon_core::incident::EventFacts;
use cordon_core::{Config, Detection, Plan, Principal, PrincipalKind, Purpose, RemedyKind, RuleId};

use super::targets::Seen;
use super::{Case, Planner, Planning, has_response, shown, wanted};
use crate::arns::Arns;
use crate::holds::{Holds, NoHolds};
use crate::port::{Account, IamError};
use crate::quarantine;
use crate::remedy::ByHand;

/// What is left of the event's effect beside what the steps of its plan have set, and what there is to stop the actor in beside them,
/// as sentences: it plans anew, as things stand now. Whether the steps themselves hold is for [`crate::verify_plan`] to say.
///
/// # Errors
/// The first read that was refused.
pub async fn remaining(
    account: &dyn Account,
    arns: &dyn Arns,
    config: &Config,
    case: &Case<'_>,
    plan: &Plan,
) -> Result<Vec<String>, IamError> {
    let planning = Planning { plan: Plan { steps: plan.steps.clone(), by_hand: plan.by_hand.clone() }, ..Planning::default() };
    let mut planner = Planner {
        account,
        holds: &NoHolds,
        arns,
        config,
        never: &[],
        case,
        actor: case.actor.principal(),
        seen: Seen::default(),
        planning,
        is_last_read: true,
    };
    let mut found = Vec::new();
    for purpose in [Purpose::Contain, Purpose::Revert] {
        if purpose == Purpose::Revert && case.event.error_code.is_some() {
            continue;
        }
        for remedy in wanted(case.detections, purpose, &case.event.name) {
            let is_planned = plan.steps.iter().any(|step| step.remedy == remedy && step.purpose == purpose);
            // A deny stands or not, which its own step reads. The actor's keys can be others by now.
            if is_planned && purpose == Purpose::Contain && remedy != RemedyKind::DeactivateAccessKey {
                continue;
            }
            let (steps, by_hand) = (planner.planning.plan.steps.len(), planner.planning.plan.by_hand.len());
            planner.add(purpose, remedy).await?;
            let plan = &planner.planning.plan;
            found.extend(plan.steps.iter().skip(steps).map(|step| {
                let (target, calls) = (&step.target, shown(step));
                let what = match purpose {
                    Purpose::Revert => "found the event's effect when it was read again",
                    Purpose::Contain => "found what it is to switch off when it was read again",
                };
                format!("`{remedy}` on `{target}` {what}, and is not in the plan: {calls}")
            }));
            // What a step of the plan has put right is no longer as the event made it, and the remedy says so.
            if !is_planned {
                found.extend(plan.by_hand.iter().skip(by_hand).cloned());
            }
        }
    }
    Ok(found)
}

impl Planner<'_> {
    /// Leaves the call to a person where a rule that matched wants something done, and none of them undoes this call: that the actor
    /// is stopped does not take back what the call did.
    pub(super) fn add_what_nothing_undoes(&mut self, bursts: &[RuleId]) {
        let of_call = |detection: &&Detection| !bursts.contains(&detection.rule) && has_response(detection);
        if !self.case.detections.iter().any(|detection| of_call(&detection))
            || !leaves_something(self.case.event)
            || !wanted(self.case.detections, Purpose::Revert, &self.case.event.name).is_empty()
            || self.is_covered_by_the_actors_deny()
        {
            return;
        }
        let (call, subject) = (&self.case.event.name, self.case.subject);
        self.by_hand(ByHand {
            reason: format!("No matched rule undoes `{call}` on {subject}: what it did stands"),
            instruction: "look at the request's parameters on the incident, and undo the call by hand unless it was right"
                .to_owned(),
        });
    }

    /// Whether the call was one on the actor, who is denied everything.
    fn is_covered_by_the_actors_deny(&self) -> bool {
        let Some(actor) = self.case.actor.principal().filter(|actor| self.case.subject.principal() == Some(actor)) else {
            return false;
        };
        let steps = self.planning.plan.steps.iter().filter(|step| step.target.principal() == Some(&actor));
        steps.flat_map(|step| &step.changes).any(quarantine::denies_everything)
    }
}

/// The work of a person where a user or group that the event names has another name since: whoever has the name now is somebody
/// else. IAM's calls and records know users and groups by their names alone.
///
/// # Errors
/// A read that was refused.
pub async fn renamed(holds: &dyn Holds, case: &Case<'_>) -> Result<Option<ByHand>, IamError> {
    if wanted(case.detections, Purpose::Revert, &case.event.name).is_empty() {
        return Ok(None);
    }
    let Some(account) = case.account else { return Ok(None) };
    let group = case.event.touched.group.as_deref();
    let group = group.map(|name| Principal::new(PrincipalKind::Group, account.clone(), name));
    for named in case.subject.principal().cloned().into_iter().chain(group) {
        if named.kind == PrincipalKind::Role {
            continue;
        }
        let Some(renaming) = holds.renamed_since(&named, case.event).await? else { continue };
        let (kind, name) = (named.kind, &named.name);
        return Ok(Some(ByHand {
            reason: format!(
                "The {kind} that was called `{name}` when the event was recorded may have another name now: `{}` renamed a {kind} \
                     {}",
                renaming.by,
                renaming.at.map_or_else(|| "at an unknown time".to_owned(), |at| format!("at {at}")),
            ),
            instruction: format!(
                "find it in CloudTrail by that call (event {}), look there for what `{}` did, and undo that by hand",
                renaming.event, case.event.name
            ),
        }));
    }
    Ok(None)
}

/// The calls that change nothing that could stand: those that read, and those that only make a session.
fn leaves_something(event: &EventFacts) -> bool {
    const READS: [&str; 11] =
        ["BatchGet", "Check", "Describe", "Generate", "Get", "Head", "List", "Lookup", "Search", "Simulate", "Validate"];
    const OF_SESSIONS_OR_NOTICES: [&str; 5] = [
        "access-analyzer.amazonaws.com",
        "guardduty.amazonaws.com",
        "health.amazonaws.com",
        "signin.amazonaws.com",
        "sts.amazonaws.com",
    ];
    !OF_SESSIONS_OR_NOTICES.contains(&event.service.as_str()) && !READS.iter().any(|verb| event.name.starts_with(verb))
}
