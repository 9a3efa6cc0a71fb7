//! The cases that rules carry: each is run through the same decoding, enrichment and evaluation as an event that arrives, and
//! those of a correlation one after the other through the same counting.
//!
//! Decides whether a rule does what its author wrote it to do; never whether that is worth having.

use std::fmt;

use cordon_core::event::{CLOUDTRAIL_DETAIL_TYPES, Unreadable};
use cordon_core::{Event, EventId, Log, RuleId};
use serde_json::{Value, json};

use crate::counts::{Count, Counts, MemoryCounts};
use crate::enrich::Enriched;
use crate::rules::{About, Correlation, Expected, Rule, RuleBook, Series};

/// A case that did not turn out as its rule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseFailure {
    /// The rule or correlation.
    pub rule: RuleId,
    /// Its file.
    pub path: String,
    /// What did not hold.
    pub problem: CaseProblem,
}

/// What did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseProblem {
    /// The case, counted from 1, expected otherwise.
    Wrong {
        /// Its number.
        case: usize,
        /// What it expected.
        expected: Expected,
        /// What it is there to show.
        why: Option<String>,
    },
    /// The case, counted from 1, holds a notice that cannot be decoded.
    Unreadable {
        /// Its number.
        case: usize,
        /// Why.
        reason: String,
    },
    /// The rule has cases, but none of this kind: without a near miss nobody knows how wide it is.
    Lacks(Expected),
}

impl fmt::Display for CaseFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: rule `{}`: ", self.path, self.rule)?;
        match &self.problem {
            CaseProblem::Wrong { case, expected, why } => {
                let outcome = match expected {
                    Expected::Hit => "should match and does not",
                    Expected::Miss => "should not match and does",
                };
                write!(f, "case {case} {outcome}")?;
                why.as_ref().map_or(Ok(()), |why| write!(f, " ({why})"))
            }
            CaseProblem::Unreadable { case, reason } => write!(f, "case {case} cannot be read: {reason}"),
            CaseProblem::Lacks(Expected::Hit) => f.write_str("no case is a `hit`"),
            CaseProblem::Lacks(Expected::Miss) => f.write_str("no case is a `miss`"),
        }
    }
}

/// Runs every case of every rule and correlation. A rule without any case, as public rules are, is not a failure.
#[must_use]
pub fn check_cases(book: &RuleBook) -> Vec<CaseFailure> {
    let mut failures = Vec::new();
    for rule in book.rules() {
        let outcomes = rule.cases.iter().map(|case| (case.expected, &case.why, is_matched(book, rule, &case.event)));
        check(&rule.about, outcomes, &mut failures);
    }
    for correlation in book.correlations() {
        let outcomes =
            correlation.series.iter().map(|series| (series.expected, &series.why, is_reached(book, correlation, series)));
        check(&correlation.about, outcomes, &mut failures);
    }
    failures
}

fn check<'c>(
    about: &About,
    outcomes: impl Iterator<Item = (Expected, &'c Option<String>, Result<bool, Unreadable>)>,
    failures: &mut Vec<CaseFailure>,
) {
    let mut fail = |problem| failures.push(CaseFailure { rule: about.id.clone(), path: about.path.clone(), problem });
    let mut kinds = Vec::new();
    for (position, (expected, why, outcome)) in outcomes.enumerate() {
        kinds.push(expected);
        match outcome {
            Ok(matched) if matched == (expected == Expected::Hit) => {}
            Ok(_) => fail(CaseProblem::Wrong { case: position + 1, expected, why: why.clone() }),
            Err(unreadable) => fail(CaseProblem::Unreadable { case: position + 1, reason: unreadable.reason }),
        }
    }
    for kind in [Expected::Hit, Expected::Miss] {
        if !kinds.is_empty() && !kinds.contains(&kind) {
            fail(CaseProblem::Lacks(kind));
        }
    }
}

fn is_matched(book: &RuleBook, rule: &Rule, event: &Value) -> Result<bool, Unreadable> {
    let record = record(rule.log, event)?;
    let matching = book.matching(&Enriched::of(rule.log, &record, None));
    Ok(matching.iter().any(|found| found.about.id == rule.about.id))
}

/// The record of a case: CloudTrail's as it is, a notice's `detail` decoded as it would be from its envelope.
///
/// # Errors
/// Where the notice lacks what it is judged by.
pub fn record(log: Log, event: &Value) -> Result<Value, Unreadable> {
    match log {
        Log::CloudTrail => Ok(event.clone()),
        Log::Health | Log::GuardDuty | Log::AccessAnalyzer => {
            Event::from_envelope(&envelope(log, event), None).map(|event| event.record)
        }
    }
}

/// The envelope in which EventBridge would deliver the event of a case.
#[must_use]
pub fn envelope(log: Log, event: &Value) -> Value {
    let source = log.source().unwrap_or("aws.iam");
    let kind = log.detail_types().first().unwrap_or(&CLOUDTRAIL_DETAIL_TYPES[0]);
    json!({"id": "case", "source": source, "detail-type": kind, "account": "111111111111", "detail": event})
}

/// True where some event of the series reaches the correlation.
fn is_reached(book: &RuleBook, correlation: &Correlation, series: &Series) -> Result<bool, Unreadable> {
    let logs: Vec<Log> =
        book.rules().iter().filter(|rule| correlation.rules.contains(&rule.about.id)).map(|rule| rule.log).collect();
    let log = logs.first().copied().unwrap_or(Log::CloudTrail);
    let mut counts = MemoryCounts::default();
    let (mut at, mut number) = (0, 0_u32);
    for step in &series.steps {
        at += step.pause_seconds().unwrap_or_default();
        let record = record(log, &step.event)?;
        for _ in 0..step.repeat {
            at += 1;
            number += 1;
            let event = EventId::from_content(&number.to_be_bytes());
            let tallies = book.judge(&Enriched::of(log, &record, None)).tallies;
            let own = tallies.iter().filter(|tally| tally.detection.rule == correlation.about.id);
            for tally in own {
                if counts.count(tally, &event, at) != Count::Below {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RuleSource;

    fn check(cases: &str) -> Vec<String> {
        let text = format!(
            "title: t\nname: t\nlogsource: {{product: aws, service: cloudtrail}}\n\
             detection: {{a: {{eventName: CreateUser}}, condition: a}}\n{cases}"
        );
        let book = RuleBook::load(vec![RuleSource::new("t.yml", text)]).unwrap();
        check_cases(&book).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn cases_that_hold_are_silent() {
        assert!(check("cases: [{hit: {eventName: CreateUser}}, {miss: {eventName: CreateRole}}]").is_empty());
        assert!(check("").is_empty());
    }

    #[test]
    fn a_case_that_does_not_hold_is_named_with_its_number_and_purpose() {
        let failures = check("cases: [{hit: {eventName: CreateRole}, why: roles count}, {miss: {eventName: CreateUser}}]");
        assert_eq!(
            failures,
            [
                "t.yml: rule `t`: case 1 should match and does not (roles count)",
                "t.yml: rule `t`: case 2 should not match and does",
            ]
        );
    }

    #[test]
    fn a_notice_that_cannot_be_decoded_is_no_near_miss() {
        let text = "title: t\nname: t\nlogsource: {product: aws, service: guardduty}\n\
                    detection: {a: {type|startswith: 'Stealth:'}, condition: a}\n\
                    cases: [{hit: {type: 'Stealth:IAMUser/X'}}, {miss: {Type: 'Stealth:IAMUser/X'}}]\n";
        let book = RuleBook::load(vec![RuleSource::new("t.yml", text)]).unwrap();
        let failures: Vec<String> = check_cases(&book).iter().map(ToString::to_string).collect();
        assert_eq!(failures.len(), 1);
        assert!(failures[0].contains("case 2 cannot be read: "), "{failures:?}");
    }

    #[test]
    fn a_rule_with_hits_alone_lacks_a_near_miss() {
        assert_eq!(check("cases: [{hit: {eventName: CreateUser}}]"), ["t.yml: rule `t`: no case is a `miss`"]);
    }
}
