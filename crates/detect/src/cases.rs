//! The cases that rules carry: each is run through the same enrichment and evaluation as an event of CloudTrail.
//!
//! Decides whether a rule does what its author wrote it to do; never whether that is worth having.

use std::fmt;

use cordon_core::RuleId;

use crate::enrich::Enriched;
use crate::rules::{Expected, RuleBook};

/// A case that did not turn out as its rule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseFailure {
    pub rule: RuleId,
    pub path: String,
    pub problem: CaseProblem,
}

/// What did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseProblem {
    /// The case, counted from 1, expected otherwise.
    Wrong { case: usize, expected: Expected, why: Option<String> },
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
            CaseProblem::Lacks(Expected::Hit) => f.write_str("no case is a `hit`"),
            CaseProblem::Lacks(Expected::Miss) => f.write_str("no case is a `miss`"),
        }
    }
}

/// Runs every case of every rule. A rule without any case, as public rules are, is not a failure.
#[must_use]
pub fn check_cases(book: &RuleBook) -> Vec<CaseFailure> {
    let mut failures = Vec::new();
    for rule in book.rules() {
        let mut fail = |problem| failures.push(CaseFailure { rule: rule.id.clone(), path: rule.path.clone(), problem });
        for (position, case) in rule.cases.iter().enumerate() {
            let matched = book.matching(&Enriched::new(&case.event)).iter().any(|found| found.id == rule.id);
            if matched != (case.expected == Expected::Hit) {
                fail(CaseProblem::Wrong { case: position + 1, expected: case.expected, why: case.why.clone() });
            }
        }
        for kind in [Expected::Hit, Expected::Miss] {
            if !rule.cases.is_empty() && rule.cases.iter().all(|case| case.expected != kind) {
                fail(CaseProblem::Lacks(kind));
            }
        }
    }
    failures
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
    fn a_rule_with_hits_alone_lacks_a_near_miss() {
        assert_eq!(check("cases: [{hit: {eventName: CreateUser}}]"), ["t.yml: rule `t`: no case is a `miss`"]);
    }
}
