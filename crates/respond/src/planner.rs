//! Which remedies fit an incident, on whom, and what is left to a person.
//!
//! Contain steps come first: an actor who is stopped cannot undo the rest. Every target is looked up in IAM before the scope is
//! asked, because an event's name may lack the path and its ARN is somebody else's text: the scope judges the ARN that IAM gives.
//! Nothing is written here, and a read that fails is an error, never a smaller plan.

mod actor;

use cordon_core::pattern::Pattern;
use cordon_core::{
    AccountId, Actor, Arn, Config, Detection, IncidentId, Plan, PlannedStep, Principal, PrincipalKind, Purpose, RemedyKind,
    Subject,
};

use crate::port::{Iam, IamError, IamErrorKind, PrincipalFacts};
use crate::remedies;
use crate::remedy::{ByHand, Planned, Request};

/// What the plan is made for.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    pub incident: &'a IncidentId,
    /// The account in which the call took effect, and over which the port must be.
    pub account: Option<&'a AccountId>,
    pub actor: &'a Actor,
    pub subject: &'a Subject,
    /// The rules that no exception covers. Those without a response add nothing.
    pub detections: &'a [Detection],
    /// The managed policy that the event named.
    pub policy_arn: Option<&'a str>,
}

/// A plan, and why it holds no more than it does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Planning {
    pub plan: Plan,
    /// Why steps were left out, in sentences, each one once.
    pub left_out: Vec<String>,
}

/// Makes the plan. `never` holds ARN patterns that are refused whatever the configuration says: Cordon's own roles.
///
/// # Errors
/// The first read that IAM refused.
pub async fn plan(iam: &dyn Iam, config: &Config, never: &[Pattern], case: &Case<'_>) -> Result<Planning, IamError> {
    let mut planner = Planner { iam, config, never, case, found: Vec::new(), planning: Planning::default() };
    for purpose in [Purpose::Contain, Purpose::Revert] {
        for remedy in wanted(case.detections, purpose) {
            planner.add(purpose, remedy).await?;
        }
    }
    Ok(planner.planning)
}

/// The remedies of all rules for a purpose, each once, in the order in which the rules name them.
fn wanted(detections: &[Detection], purpose: Purpose) -> Vec<RemedyKind> {
    let mut wanted = Vec::new();
    for response in detections.iter().filter_map(|detection| detection.response.as_ref()) {
        let remedies = match purpose {
            Purpose::Contain => &response.contain,
            Purpose::Revert => &response.revert,
        };
        for remedy in remedies {
            if !wanted.contains(remedy) {
                wanted.push(*remedy);
            }
        }
    }
    wanted
}

struct Planner<'a> {
    iam: &'a dyn Iam,
    config: &'a Config,
    never: &'a [Pattern],
    case: &'a Case<'a>,
    /// What IAM said about the principals that were already looked up.
    found: Vec<(Principal, Option<PrincipalFacts>)>,
    planning: Planning,
}

impl Planner<'_> {
    async fn add(&mut self, purpose: Purpose, remedy: RemedyKind) -> Result<(), IamError> {
        let target = match self.target(purpose, remedy) {
            Ok(target) => target,
            Err(by_hand) => {
                self.by_hand(by_hand);
                return Ok(());
            }
        };
        let (target, facts) = match self.resolve(&target).await? {
            Ok(resolved) => resolved,
            Err(reason) => {
                let instruction = match purpose {
                    Purpose::Contain => "the actor is not stopped; decide yourself whether to stop them, and how",
                    Purpose::Revert => "the call is not undone; decide yourself whether to undo it",
                };
                self.by_hand(ByHand { reason, instruction: instruction.to_owned() });
                return Ok(());
            }
        };
        let request =
            Request { incident: self.case.incident, purpose, target: &target, facts: &facts, policy_arn: self.case.policy_arn };
        match remedies::remedy(remedy).plan(self.iam, &request).await? {
            Planned::Step(step) if self.is_planned(&step) => {}
            Planned::Step(step) => self.planning.plan.steps.push(step),
            Planned::Nothing(reason) => self.leave_out(reason),
            Planned::ByHand(by_hand) => self.by_hand(by_hand),
        }
        Ok(())
    }

    /// Whom the remedy is for, by name.
    fn target(&self, purpose: Purpose, remedy: RemedyKind) -> Result<Principal, ByHand> {
        match purpose {
            Purpose::Contain => self.case.actor.principal().ok_or_else(|| actor::by_hand(self.case.actor)),
            Purpose::Revert => self.case.subject.principal().cloned().ok_or_else(|| ByHand {
                reason: format!("`{remedy}` works on a user, role or group, and the event touched {}", self.case.subject),
                instruction: "look at the request's parameters on the incident and undo the call by hand".to_owned(),
            }),
        }
    }

    /// The principal as IAM knows it, or why it must not be changed.
    async fn resolve(&mut self, target: &Principal) -> Result<Result<(Principal, PrincipalFacts), String>, IamError> {
        let Some(account) = self.case.account else {
            return Ok(Err(format!("The event does not say in which account `{target}` was touched")));
        };
        if target.account != *account {
            return Ok(Err(format!(
                "`{target}` belongs to account {}, and the event took effect in {account}: tell the owner of that account, and \
                 cut the trust that let it in",
                target.account
            )));
        }
        let Some(facts) = self.look_up(target).await? else {
            return Ok(Err(format!("`{target}` no longer exists")));
        };
        let known = known(target, &facts)?;
        if known.account != *account {
            return Ok(Err(format!("IAM answered for account {}, and the event took effect in {account}", known.account)));
        }
        if let Some(unique_id) = self.id_in_event(&known).filter(|id| *id != facts.unique_id) {
            return Ok(Err(format!(
                "`{known}` was deleted and made again since the event: its unique id was `{unique_id}` and is `{}`",
                facts.unique_id
            )));
        }
        let arn = known.arn();
        if self.never.iter().any(|pattern| pattern.matches(&arn)) {
            return Ok(Err(format!("`{arn}` is Cordon's own and is never changed")));
        }
        if let Some(reason) = self.config.out_of_scope(&known) {
            return Ok(Err(reason));
        }
        Ok(Ok((known, facts)))
    }

    async fn look_up(&mut self, target: &Principal) -> Result<Option<PrincipalFacts>, IamError> {
        if let Some((_, facts)) = self.found.iter().find(|(known, _)| same(known, target)) {
            return Ok(facts.clone());
        }
        let facts = self.iam.principal(target).await?;
        self.found.push((target.clone(), facts.clone()));
        Ok(facts)
    }

    /// The unique id that the event gave for this principal. Only the actor's is in a record.
    fn id_in_event(&self, target: &Principal) -> Option<&str> {
        let actor = self.case.actor.principal().filter(|actor| same(actor, target))?;
        let prefix = match actor.kind {
            PrincipalKind::User => "AIDA",
            PrincipalKind::Role => "AROA",
            PrincipalKind::Group => "AGPA",
        };
        self.case.actor.unique_id.as_deref().filter(|id| id.starts_with(prefix))
    }

    /// True where an earlier step already does the same to the same principal.
    fn is_planned(&self, step: &PlannedStep) -> bool {
        self.planning.plan.steps.iter().any(|planned| {
            planned.remedy == step.remedy && same(&planned.target, &step.target) && planned.policy_arn == step.policy_arn
        })
    }

    fn leave_out(&mut self, reason: String) {
        if !self.planning.left_out.contains(&reason) {
            self.planning.left_out.push(reason);
        }
    }

    fn by_hand(&mut self, by_hand: ByHand) {
        let sentence = format!("{}: {}", by_hand.reason, by_hand.instruction);
        if !self.planning.plan.by_hand.contains(&sentence) {
            self.planning.plan.by_hand.push(sentence);
        }
        self.leave_out(by_hand.reason);
    }
}

/// The principal with the ARN, account and spelling that IAM gives.
fn known(target: &Principal, facts: &PrincipalFacts) -> Result<Principal, IamError> {
    let unreadable = || IamError::new(IamErrorKind::Other, "iam:Get*", &format!("IAM gave `{target}` an ARN that is none"));
    let arn: Arn = facts.arn.parse().map_err(|_| unreadable())?;
    let account = arn.account().ok_or_else(unreadable)?;
    let name = arn.resource().rsplit('/').next().ok_or_else(unreadable)?.to_owned();
    Ok(Principal { kind: target.kind, account, name, known_arn: Some(arn) })
}

/// The same principal, whatever is known of its path.
fn same(a: &Principal, b: &Principal) -> bool {
    a.kind == b.kind && a.account == b.account && a.name == b.name
}
