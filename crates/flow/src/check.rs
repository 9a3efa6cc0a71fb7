//! CheckExceptions: may this have happened, what would be done about it, and does somebody have to be asked first.
//!
//! Later events of the case may join while this goes on. What they did is undone by the same plan, unless the plan found nothing to
//! undo, or the event was too old: then whoever came before the decision is judged by a second one, before anybody hears of the
//! first, and whoever comes after it opens an incident of its own.
//!
//! INVARIANT: a read that fails leads to a person. An exception counts only by what IAM, the table and `cordon.toml` say now,
//! never by what the event says, and not where the actor gave it. Nothing is changed without asking beyond the hour's budget.

mod blast_radius;
mod checked;
mod exceptions;
mod grants;
mod objections;

use std::sync::Arc;

use cordon_contract::{CheckInput, CheckOutput, StateError};
use cordon_core::decision::{Facts, decide};
use cordon_core::incident::{Incident, State};
use cordon_core::json::set;
use cordon_core::pattern::Pattern;
use cordon_core::timeline::{Kind, NewEntry};
use cordon_core::{AccountId, Config, Decision, Detection, IncidentId, Plan, Route, RuleId, chain};
use cordon_respond::planner::{self, Case, Planning};
use cordon_respond::port::{Account, IamError};
use cordon_respond::stays::stays;
use serde_json::json;

use crate::accounts::{Accounts, unknown_account};
use crate::electorate::electorate;
use crate::ports::Clock;
use crate::switch;
use checked::Checked;
use cordon_store::{Budget, Joined, Store, StoreError};
use exceptions::ExceptionCheck;

/// What checking is given.
pub struct Check<'a> {
    /// What is kept.
    pub store: Store<'a>,
    /// The policy: `cordon.toml`.
    pub config: &'a Config,
    /// IAM, account by account.
    pub accounts: &'a dyn Accounts,
    /// Cordon's own roles, which no plan may touch.
    pub own: &'a [Pattern],
    /// The time.
    pub clock: &'a dyn Clock,
}

/// Why no route could be decided now.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Check<'_> {
    /// Decides the route of an incident. A retry keeps to the decision that stands.
    ///
    /// # Errors
    /// [`CheckError`], under the contract's names.
    pub async fn run(&self, input: CheckInput) -> Result<CheckOutput, StateError> {
        Ok(self.answer(&input).await?)
    }

    async fn answer(&self, input: &CheckInput) -> Result<CheckOutput, CheckError> {
        let incident = self.store.incident(&input.incident).await?;
        let joined = self.store.joined(&input.incident).await?;
        let decided = match &incident.assessment.decision {
            // A retry keeps to the decision that people may have read already.
            Some(_) => incident,
            None => self.judge(&incident, &joined).await?,
        };
        let decided = match self.came_before(&decided).await? {
            Some(joined) => self.judge(&decided, &joined).await?,
            None => decided,
        };
        let route = decided.assessment.decision.map_or(Route::Alert, |decision| decision.route);
        Ok(CheckOutput { route })
    }

    /// The events that joined before the decision and were not known to it, where it does not answer them. Once: the events that come
    /// after a decision which takes in no more do not join.
    async fn came_before(&self, decided: &Incident) -> Result<Option<Joined>, CheckError> {
        let may_still_change = decided.state == State::Decided && decided.delivery.slack.is_none();
        if !decided.assessment.takes_no_more || !may_still_change {
            return Ok(None);
        }
        let joined = self.store.joined(&decided.id).await?;
        Ok((joined.events.len() > usize::try_from(decided.merges.folded).unwrap_or(usize::MAX)).then_some(joined))
    }

    /// Makes the plan and the decision, for the incident's event and for those that have joined, and stores both.
    async fn judge(&self, incident: &Incident, joined: &Joined) -> Result<Incident, CheckError> {
        let newest = incident.event.time.map(|time| joined.newest().map_or(time, |newer| newer.max(time)));
        let checked = ExceptionCheck::new(self, incident).run().await?;
        let caught: Vec<Detection> =
            incident.detections.iter().filter(|detection| checked.is_caught(detection)).cloned().collect();
        let (planning, planning_failed) = self.plan(incident, &caught).await;
        let too_old = newest.and_then(|time| self.config.limits.too_old(time, self.clock.now()));
        let takes_no_more = planning.may_change || planning_failed.is_some() || too_old.is_some();
        let decision = self.decide(incident, &checked, &planning, planning_failed, too_old).await?;
        let takes_no_more = takes_no_more || decision.route == Route::Exempt;
        let stays = match planning.plan.steps.is_empty() {
            true => Vec::new(),
            false => stays(incident, &planning.plan, &planning.nothing_to_undo, &joined.events),
        };
        // Of somebody whom an event accuses that nobody believes, nothing is gathered.
        let blast_radius = match incident.event.origin.may_enforce() {
            true => blast_radius::gather(self.accounts, incident).await,
            false => None,
        };
        let quorum = self.config.approval.quorum.of(incident.severity);
        let electorate = electorate(self.store, self.config, incident, quorum).await?;
        let mut data = json!({
            "route": decision.route, "approved_for_remediation": decision.approved_for_remediation, "decision_reason": decision.decision_reason,
            "dry_run": decision.dry_run, "exceptions_checked": checked.sentences, "calls": planning.plan.calls(), "by_hand": planning.plan.by_hand,
            "left_out": planning.left_out, "doubts": planning.doubts, "event_name": incident.event.name, "actor_arn": incident.actor.arn, "subject": incident.subject.to_string(),
            "policy_arn": incident.event.policy_arn, "exempted_by": checked.exempted_by, "stays": stays,
        });
        if let Some(electorate) = &electorate {
            set(&mut data, "electorate", json!(electorate));
        }
        let caught: Vec<RuleId> = caught.into_iter().map(|detection| detection.rule).collect();
        let before = incident.assessment.decision.clone();
        let decided = self
            .store
            .commit(&incident.id, self.clock.now(), |incident| {
                if incident.assessment.decision != before {
                    return None;
                }
                incident.state = State::Decided;
                incident.assessment.decision = Some(decision.clone());
                incident.assessment.exceptions_checked.clone_from(&checked.sentences);
                incident.assessment.plan = planning.plan.clone();
                incident.assessment.caught = Some(caught.clone());
                incident.assessment.nothing_to_undo.clone_from(&planning.nothing_to_undo);
                incident.assessment.takes_no_more = takes_no_more;
                incident.assessment.stays.clone_from(&stays);
                incident.assessment.blast_radius.clone_from(&blast_radius);
                incident.approval.electorate.clone_from(&electorate);
                let folded = joined.fold_into(incident);
                Some(folded.into_iter().chain([NewEntry::cordon(Kind::Decided, data.clone())]).collect())
            })
            .await?;
        Ok(decided)
    }

    async fn decide(
        &self,
        incident: &Incident,
        checked: &Checked,
        planning: &Planning,
        planning_failed: Option<String>,
        too_old: Option<String>,
    ) -> Result<Decision, CheckError> {
        let undated = || incident.event.time.is_none().then(|| "the event does not say when the call was made".to_owned());
        let mut facts = Facts {
            mode: self.config.mode,
            rehearse: self.config.approval.rehearse,
            not_believed: incident.event.not_believed(),
            judged: checked.judged.clone(),
            alerting: checked.alerting.clone(),
            planned_steps: planning.plan.steps.len(),
            containing_steps: planning.plan.steps.iter().filter(|step| step.may_go_ahead()).count(),
            left_out: planning.left_out.clone(),
            planning_failed: planning_failed.or_else(undated),
            doubt: planning.doubts.first().cloned(),
            too_old,
            only_by_asking: self.stopped().await?,
        };
        let decision = decide(&facts);
        if !decision.route.is_automatic() {
            return Ok(decision);
        }
        facts.only_by_asking = self.over_budget(&incident.id).await?;
        Ok(decide(&facts))
    }

    /// Why nothing can be changed at the moment, in a sentence for whoever is asked.
    async fn stopped(&self) -> Result<Option<String>, CheckError> {
        match switch::stopped(self.store).await {
            Ok(stopped) => Ok(stopped),
            Err(error) => unreadable(error, "Whether enforcement is stopped").map(Some),
        }
    }

    /// Takes one of the hour's automatic enforcements; why there is none, in a sentence.
    async fn over_budget(&self, id: &IncidentId) -> Result<Option<String>, CheckError> {
        let per_hour = self.config.limits.enforcements_per_hour;
        match self.store.take_from_budget(id, per_hour, self.clock.now()).await {
            Ok(Budget::Taken) => Ok(None),
            Ok(Budget::UsedUp) => Ok(Some(format!(
                "the budget of {per_hour} automatic enforcements an hour is used up (limits.enforcements_per_hour)"
            ))),
            Ok(Budget::Contended) => {
                Ok(Some("too many incidents want an automatic enforcement at this moment to count them".to_owned()))
            }
            Err(error) => unreadable(error, "The budget of automatic enforcements").map(Some),
        }
    }

    /// IAM in an account, for one incident.
    async fn iam(&self, account: Option<&AccountId>, id: &IncidentId) -> Result<Arc<dyn Account>, IamError> {
        match account {
            Some(account) => self.accounts.iam(account, id).await,
            None => Err(unknown_account()),
        }
    }

    async fn plan(&self, incident: &Incident, caught: &[Detection]) -> (Planning, Option<String>) {
        if caught.is_empty() || !incident.event.origin.may_enforce() {
            return (Planning::default(), None);
        }
        let bursts = incident.burst_rules();
        let case = Case {
            incident: &incident.id,
            account: incident.account.as_ref(),
            actor: &incident.actor,
            subject: &incident.subject,
            detections: caught,
            event: &incident.event,
            now: self.clock.now(),
        };
        let planned = match self.iam(incident.account.as_ref(), &incident.id).await {
            Ok(iam) => planner::plan_with_bursts(&*iam, &self.store, self.config, self.own, &case, &bursts).await,
            Err(error) => Err(error),
        };
        match planned {
            Ok(planning) => (planning, None),
            Err(error) => {
                let reason = format!("IAM could not be read while planning ({error})");
                let by_hand = vec![format!("{reason}: look at the actor and the subject yourself, and contain them by hand.")];
                (Planning { plan: Plan { steps: Vec::new(), by_hand }, ..Planning::default() }, Some(reason))
            }
        }
    }
}

/// A read of the table that failed: tried again where that can help, and else a sentence for a person.
fn unreadable(error: StoreError, what: &str) -> Result<String, CheckError> {
    if error.is_transient() { Err(error.into()) } else { Ok(format!("{what} could not be read ({})", chain(&error))) }
}
