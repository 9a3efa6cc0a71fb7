//! Decides which route an incident takes, from facts that others have read.
//!
//! INVARIANT: a read that failed never exempts and never acts: it asks. Nothing but `Mode::Enforce`, a trusted origin, a plan
//! that survived the scope, an event of this day, and no valid exception leads to `Ask` or `Act`. Whatever keeps a change from
//! being made without asking makes every automatic route ask.

use serde::{Deserialize, Serialize};

use crate::config::Mode;
use crate::detection::{Gate, Level};
use crate::ids::RuleId;

/// The way that an incident takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// A valid exception covers it: recorded, and nothing more.
    Exempt,
    /// People are told, and nothing is changed.
    Alert,
    /// People are asked before anything is changed.
    Ask,
    /// The reversible containment goes ahead of the question.
    ContainThenAsk,
    /// The plan is carried out at once.
    Act,
}

impl Route {
    /// True where something is changed before anybody was asked.
    #[must_use]
    pub fn is_automatic(self) -> bool {
        match self {
            Self::Act | Self::ContainThenAsk => true,
            Self::Exempt | Self::Alert | Self::Ask => false,
        }
    }
}

/// A route with the reason that people are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The way that the incident takes.
    pub route: Route,
    /// True where the plan would be carried out if somebody approved, or if the mode were `enforce`.
    pub approved_for_remediation: bool,
    /// Why, in a sentence.
    pub decision_reason: String,
    /// True in mode `dry-run`: nothing is changed.
    pub dry_run: bool,
}

/// The result of looking for exceptions from one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// A valid exception.
    Exempt(Exemption),
    /// No exception applies.
    Caught,
    /// A read that decides failed, in a sentence.
    Unknown(String),
}

/// A valid exception from a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exemption {
    /// What it is, in a sentence.
    pub reason: String,
    /// Which rules it is from.
    pub from: ExemptFrom,
}

/// The rules that an exception is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExemptFrom {
    /// Every rule: a tag, a group, and whatever was given for all rules.
    Every,
    /// The rules that it names.
    Named,
}

impl Exemption {
    /// Whether a rule of level `own` that this exempts may take a rule that only alerts along. A softer rule often reports the
    /// same call as the grave one does; a graver one reports something that nobody has exempted.
    fn takes_along(&self, own: Level, alerting: Level) -> bool {
        match self.from {
            ExemptFrom::Every => alerting <= own,
            ExemptFrom::Named => alerting < own,
        }
    }
}

/// One matched rule with a response, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The rule.
    pub rule: RuleId,
    /// How grave it is.
    pub level: Level,
    /// How it releases its remedies, as far as `cordon.toml` allows.
    pub gate: Gate,
    /// Whether an exception covers it.
    pub verdict: Verdict,
}

/// One matched rule without a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alerting {
    /// The rule.
    pub rule: RuleId,
    /// How grave it is.
    pub level: Level,
    /// True where an exception names this rule.
    pub exempt: bool,
}

/// Everything the decision rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The mode of `cordon.toml`.
    pub mode: Mode,
    /// Whether a dry run asks for real.
    pub rehearse: bool,
    /// Why the event may not lead to a change, in a sentence; `None` where it may.
    pub not_believed: Option<String>,
    /// Rules that carry a response, each judged. Rules that only alert are not among them.
    pub judged: Vec<Judged>,
    /// Those that only alert.
    pub alerting: Vec<Alerting>,
    /// Steps that are in scope and possible.
    pub planned_steps: usize,
    /// Those of them that stop the actor and can be taken back.
    pub containing_steps: usize,
    /// Why steps were left out, in sentences.
    pub left_out: Vec<String>,
    /// A failed read while planning, in a sentence.
    pub planning_failed: Option<String>,
    /// Why a person has to decide on the plan as it is, in a sentence: something came to its name or path lately.
    pub doubt: Option<String>,
    /// Why the event is too old to be answered by a change, in a sentence.
    pub too_old: Option<String>,
    /// Why nothing may be changed without asking, in a sentence: the budget is used up.
    pub only_by_asking: Option<String>,
}

/// Decides the route.
#[must_use]
pub fn decide(facts: &Facts) -> Decision {
    let dry_run = facts.mode == Mode::DryRun;
    let alert =
        |reason: String| Decision { route: Route::Alert, approved_for_remediation: false, decision_reason: reason, dry_run };
    if facts.judged.is_empty() {
        return alert("The rule only alerts: it has no response".to_owned());
    }
    let caught: Vec<&Judged> = facts.judged.iter().filter(|judged| !matches!(judged.verdict, Verdict::Exempt(_))).collect();
    if caught.is_empty() {
        let reason = exemptions(&facts.judged).next().map(|(_, exemption)| exemption.reason.clone()).unwrap_or_default();
        if let Some(alerting) = not_exempt(facts) {
            return alert(format!(
                "No exception is from the rule `{}` ({}), which only alerts. {reason}",
                alerting.rule, alerting.level
            ));
        }
        return Decision { route: Route::Exempt, approved_for_remediation: false, decision_reason: reason, dry_run };
    }
    if let Some(reason) = &facts.not_believed {
        return alert(reason.clone());
    }
    if let Some(reason) = &facts.too_old {
        return alert(format!("Not approved for remediation: {reason}"));
    }
    let unknown = facts.planning_failed.clone().or_else(|| facts.doubt.clone()).or_else(|| {
        caught.iter().find_map(|judged| match &judged.verdict {
            Verdict::Unknown(reason) => Some(reason.clone()),
            Verdict::Exempt(_) | Verdict::Caught => None,
        })
    });
    if facts.planned_steps == 0 && unknown.is_none() {
        let reason = facts.left_out.first().cloned().unwrap_or_else(|| "There is nothing left to undo or to contain".to_owned());
        return alert(format!("Not approved for remediation: {reason}"));
    }
    let reason = match (&unknown, &facts.only_by_asking) {
        (None, None) => "Approved for remediation".to_owned(),
        (Some(reason), _) | (None, Some(reason)) => format!("A person has to decide: {reason}"),
    };
    let held_back = unknown.is_some() || facts.only_by_asking.is_some();
    let gate = if held_back { Gate::Ask } else { strictest(&caught) };
    let route = match (dry_run, gate) {
        (true, _) if facts.rehearse => Route::Ask,
        (true, _) => Route::Alert,
        (false, Gate::Auto) => Route::Act,
        (false, Gate::ContainThenAsk) if facts.containing_steps > 0 => Route::ContainThenAsk,
        (false, Gate::ContainThenAsk | Gate::Ask) => Route::Ask,
    };
    Decision { route, approved_for_remediation: unknown.is_none(), decision_reason: reason, dry_run }
}

/// The exceptions that hold, each with the level of its rule.
fn exemptions(judged: &[Judged]) -> impl Iterator<Item = (Level, &Exemption)> {
    judged.iter().filter_map(|judged| match &judged.verdict {
        Verdict::Exempt(exemption) => Some((judged.level, exemption)),
        Verdict::Caught | Verdict::Unknown(_) => None,
    })
}

/// The gravest rule that only alerts and that no exception covers. What is informational is worth no alert of its own.
fn not_exempt(facts: &Facts) -> Option<&Alerting> {
    let is_covered = |alerting: &Alerting| {
        alerting.exempt
            || alerting.level == Level::Informational
            || exemptions(&facts.judged).any(|(own, exemption)| exemption.takes_along(own, alerting.level))
    };
    facts.alerting.iter().filter(|alerting| !is_covered(alerting)).max_by_key(|alerting| alerting.level)
}

/// The gate of several rules at once: nothing is released that one of them holds back.
fn strictest(caught: &[&Judged]) -> Gate {
    let any = |gate| caught.iter().any(|judged| judged.gate == gate);
    if any(Gate::Ask) {
        Gate::Ask
    } else if any(Gate::ContainThenAsk) {
        Gate::ContainThenAsk
    } else {
        Gate::Auto
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(verdict: Verdict, gate: Gate) -> Judged {
        Judged { rule: "r".parse().unwrap(), level: Level::Medium, gate, verdict }
    }

    fn facts() -> Facts {
        Facts {
            mode: Mode::Enforce,
            rehearse: false,
            not_believed: None,
            judged: vec![judged(Verdict::Caught, Gate::Ask)],
            alerting: vec![],
            planned_steps: 1,
            containing_steps: 1,
            left_out: vec![],
            planning_failed: None,
            doubt: None,
            too_old: None,
            only_by_asking: None,
        }
    }

    fn exempt() -> Judged {
        exempt_from(ExemptFrom::Every)
    }

    fn exempt_from(from: ExemptFrom) -> Judged {
        let reason = "User has approved exception tag: SecurityApproved=true".to_owned();
        judged(Verdict::Exempt(Exemption { reason, from }), Gate::Ask)
    }

    #[test]
    fn a_caught_rule_asks_and_only_a_named_one_acts() {
        assert_eq!(decide(&facts()).route, Route::Ask);
        let auto = Facts { judged: vec![judged(Verdict::Caught, Gate::Auto)], ..facts() };
        assert_eq!(decide(&auto).route, Route::Act);
        let mixed = Facts { judged: vec![judged(Verdict::Caught, Gate::Auto), judged(Verdict::Caught, Gate::Ask)], ..facts() };
        assert_eq!(decide(&mixed).route, Route::Ask);
    }

    #[test]
    fn containment_goes_ahead_only_where_every_rule_allows_it_and_it_can_be_taken_back() {
        let with =
            |gates: &[Gate]| Facts { judged: gates.iter().map(|gate| judged(Verdict::Caught, *gate)).collect(), ..facts() };
        assert_eq!(decide(&with(&[Gate::ContainThenAsk])).route, Route::ContainThenAsk);
        assert_eq!(decide(&with(&[Gate::ContainThenAsk, Gate::Auto])).route, Route::ContainThenAsk);
        assert_eq!(decide(&with(&[Gate::ContainThenAsk, Gate::Ask])).route, Route::Ask);
        assert_eq!(decide(&Facts { containing_steps: 0, ..with(&[Gate::ContainThenAsk]) }).route, Route::Ask);
        assert_eq!(decide(&Facts { mode: Mode::DryRun, ..with(&[Gate::ContainThenAsk]) }).route, Route::Alert);
        let unknown = Facts { planning_failed: Some("IAM did not answer".to_owned()), ..with(&[Gate::ContainThenAsk]) };
        assert_eq!(decide(&unknown).route, Route::Ask);
    }

    #[test]
    fn a_rehearsal_asks_whatever_the_gate_and_stays_a_dry_run() {
        for gate in [Gate::Ask, Gate::Auto, Gate::ContainThenAsk] {
            let rehearsal = Facts { mode: Mode::DryRun, rehearse: true, judged: vec![judged(Verdict::Caught, gate)], ..facts() };
            let decision = decide(&rehearsal);
            assert_eq!((decision.route, decision.dry_run), (Route::Ask, true), "{gate:?}");
            assert_eq!(decide(&Facts { not_believed: Some("Anybody can send it".to_owned()), ..rehearsal }).route, Route::Alert);
        }
    }

    #[test]
    fn a_failed_read_asks_and_never_exempts_or_acts() {
        for gate in [Gate::Ask, Gate::Auto] {
            let unknown = judged(Verdict::Unknown("the tags could not be read".to_owned()), gate);
            assert_eq!(decide(&Facts { judged: vec![unknown.clone(), exempt()], ..facts() }).route, Route::Ask);
            assert_eq!(decide(&Facts { judged: vec![unknown], planned_steps: 0, ..facts() }).route, Route::Ask);
        }
        let planning = Facts {
            planning_failed: Some("IAM did not answer".to_owned()),
            judged: vec![judged(Verdict::Caught, Gate::Auto)],
            ..facts()
        };
        let decision = decide(&planning);
        assert_eq!((decision.route, decision.approved_for_remediation), (Route::Ask, false));
    }

    #[test]
    fn every_rule_has_to_be_exempt_before_the_incident_is() {
        assert_eq!(decide(&Facts { judged: vec![exempt()], ..facts() }).route, Route::Exempt);
        assert_eq!(decide(&Facts { judged: vec![exempt(), judged(Verdict::Caught, Gate::Ask)], ..facts() }).route, Route::Ask);
    }

    #[test]
    fn attack_12_an_exemption_from_one_rule_swallows_no_graver_rule_that_only_alerts() {
        let alerting = |level, exempt| Alerting { rule: "widens-own-rights".parse().unwrap(), level, exempt };
        let check = |from, level, exempt, expected| {
            let facts = Facts { judged: vec![exempt_from(from)], alerting: vec![alerting(level, exempt)], ..facts() };
            let decision = decide(&facts);
            assert_eq!(decision.route, expected, "{from:?} {level}");
            assert_eq!(decision.decision_reason.contains("`widens-own-rights`"), expected == Route::Alert);
        };
        for from in [ExemptFrom::Every, ExemptFrom::Named] {
            check(from, Level::Critical, false, Route::Alert);
            check(from, Level::High, false, Route::Alert);
            check(from, Level::High, true, Route::Exempt);
            check(from, Level::Low, false, Route::Exempt);
            check(from, Level::Informational, false, Route::Exempt);
        }
        check(ExemptFrom::Every, Level::Medium, false, Route::Exempt);
        check(ExemptFrom::Named, Level::Medium, false, Route::Alert);
        let several =
            vec![alerting(Level::Low, false), Alerting { rule: "graver".parse().unwrap(), ..alerting(Level::High, false) }];
        let decision = decide(&Facts { judged: vec![exempt()], alerting: several, ..facts() });
        assert!(decision.decision_reason.contains("`graver` (high)"), "{}", decision.decision_reason);
    }

    #[test]
    fn dry_run_untrusted_sources_and_empty_plans_only_alert() {
        let dry = decide(&Facts { mode: Mode::DryRun, ..facts() });
        assert_eq!((dry.route, dry.approved_for_remediation, dry.dry_run), (Route::Alert, true, true));
        assert_eq!(decide(&Facts { not_believed: Some("Anybody can send it".to_owned()), ..facts() }).route, Route::Alert);
        let out = decide(&Facts { planned_steps: 0, left_out: vec!["`x` is outside the scope".to_owned()], ..facts() });
        assert_eq!((out.route, out.approved_for_remediation), (Route::Alert, false));
        assert!(out.decision_reason.contains("outside the scope"));
        assert_eq!(decide(&Facts { judged: vec![], ..facts() }).route, Route::Alert);
    }

    #[test]
    fn an_old_event_only_alerts_and_a_used_up_budget_asks() {
        let auto = Facts { judged: vec![judged(Verdict::Caught, Gate::Auto)], ..facts() };
        assert!(decide(&auto).route.is_automatic());
        let old = decide(&Facts { too_old: Some("it is two days old".to_owned()), ..auto.clone() });
        assert_eq!((old.route, old.approved_for_remediation), (Route::Alert, false));
        assert!(old.decision_reason.contains("two days old"));
        let over = decide(&Facts { only_by_asking: Some("the budget is used up".to_owned()), ..auto });
        assert_eq!((over.route, over.approved_for_remediation), (Route::Ask, true));
        assert!(over.decision_reason.contains("the budget is used up"));
    }
}
