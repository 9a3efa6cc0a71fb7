//! What a replay counts, for one file and for all.
//!
//! Files are added in their order, so that the same files give the same summary with any number of threads.

use std::collections::{BTreeMap, HashMap};

use cordon_core::{Level, Route, RuleId};

use crate::judge::Finding;
use crate::unreadable::Fault;

/// More principals than this are counted together: their names are an attacker's to choose.
const MAX_PRINCIPALS: usize = 20_000;
/// How many of the noisiest are told.
const NOISIEST: usize = 10;

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub files: u64,
    /// Records that could be read.
    pub events: u64,
    /// Of these, how many were passed over because no rule could match them.
    pub passed_over: u64,
    /// Records that some rule matches.
    pub findings: u64,
    /// Bursts that correlations counted.
    pub bursts: u64,
    /// Events that a correlation counts and that do not say when they were: no burst has them.
    pub untimed: u64,
    /// Events that were too many to be counted.
    pub uncounted: u64,
    pub rules: BTreeMap<RuleId, Detected>,
    pub routes: Routes,
    /// Events that the deployed function could not have judged and would have put to a person, by the reason.
    pub unjudged: BTreeMap<String, u64>,
    /// Parsed events that name a managed policy whose document only IAM has, so that what they grant is not known.
    pub policies_unknown: u64,
    /// What could not be read, by the kind of fault.
    pub unreadable: BTreeMap<&'static str, u64>,
    principals: HashMap<String, u64>,
    /// Findings of principals beyond the limit.
    other_principals: u64,
}

/// One rule's detections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    pub title: String,
    pub level: Level,
    /// Of a correlation, its bursts.
    pub events: u64,
}

/// What findings would have come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Routes {
    /// With the configuration as it is.
    pub alerted: u64,
    pub asked: u64,
    pub acted: u64,
    /// In mode `enforce`.
    pub would_ask: u64,
    pub would_act: u64,
    /// Of all these, those that an exception in IAM could have let pass.
    pub exceptions_unknown: u64,
}

impl Tally {
    pub(crate) fn finding(&mut self, finding: &Finding<'_>) {
        self.findings += 1;
        self.reported(finding);
    }

    pub(crate) fn burst(&mut self, burst: &Finding<'_>) {
        self.bursts += 1;
        self.reported(burst);
    }

    fn reported(&mut self, finding: &Finding<'_>) {
        for rule in &finding.rules {
            match self.rules.get_mut(&rule.id) {
                Some(known) => known.events += 1,
                None => {
                    let detected = Detected { title: rule.title.clone(), level: rule.level, events: 1 };
                    self.rules.insert(rule.id.clone(), detected);
                }
            }
        }
        match finding.route {
            Route::Ask => self.routes.asked += 1,
            Route::Act | Route::ContainThenAsk => self.routes.acted += 1,
            Route::Alert | Route::Exempt => self.routes.alerted += 1,
        }
        self.routes.would_ask += u64::from(finding.enforced == Route::Ask);
        self.routes.would_act += u64::from(finding.enforced.is_automatic());
        self.routes.exceptions_unknown += u64::from(finding.exceptions_unknown);
        self.principal(&finding.principal, 1);
    }

    pub(crate) fn fault(&mut self, fault: &Fault) {
        *self.unreadable.entry(fault.kind()).or_default() += 1;
    }

    fn principal(&mut self, principal: &str, findings: u64) {
        if let Some(known) = self.principals.get_mut(principal) {
            *known += findings;
        } else if self.principals.len() < MAX_PRINCIPALS {
            self.principals.insert(principal.to_owned(), findings);
        } else {
            self.other_principals += findings;
        }
    }

    /// Adds what was counted in a later file.
    pub(crate) fn add(&mut self, other: Self) {
        self.files += other.files;
        self.events += other.events;
        self.passed_over += other.passed_over;
        self.findings += other.findings;
        self.bursts += other.bursts;
        self.untimed += other.untimed;
        self.uncounted += other.uncounted;
        for (rule, detected) in other.rules {
            let events = detected.events;
            self.rules.entry(rule).or_insert(Detected { events: 0, ..detected }).events += events;
        }
        self.routes.add(other.routes);
        self.policies_unknown += other.policies_unknown;
        for (reason, events) in other.unjudged {
            *self.unjudged.entry(reason).or_default() += events;
        }
        for (kind, faults) in other.unreadable {
            *self.unreadable.entry(kind).or_default() += faults;
        }
        let mut principals: Vec<(String, u64)> = other.principals.into_iter().collect();
        principals.sort_unstable();
        for (principal, findings) in principals {
            self.principal(&principal, findings);
        }
        self.other_principals += other.other_principals;
    }

    /// The principals with the most findings, the noisiest first.
    #[must_use]
    pub fn noisiest(&self) -> Vec<(&str, u64)> {
        let mut principals: Vec<(&str, u64)> =
            self.principals.iter().map(|(name, findings)| (name.as_str(), *findings)).collect();
        principals.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        principals.truncate(NOISIEST);
        principals
    }

    /// How many things could not be read.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.unreadable.values().sum()
    }

    /// Roughly how much memory it takes.
    pub(crate) fn weight(&self) -> usize {
        self.principals.keys().map(|name| name.len() + 64).sum::<usize>() + 256 * self.rules.len() + 1024
    }
}

impl Routes {
    fn add(&mut self, other: Self) {
        self.alerted += other.alerted;
        self.asked += other.asked;
        self.acted += other.acted;
        self.would_ask += other.would_ask;
        self.would_act += other.would_act;
        self.exceptions_unknown += other.exceptions_unknown;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_noisiest_come_first_and_names_without_end_are_counted_together() {
        let mut tally = Tally::default();
        for n in 0..MAX_PRINCIPALS + 5 {
            tally.principal(&format!("p{n:05}"), 1 + u64::from(n == 3));
        }
        assert_eq!(tally.noisiest().len(), NOISIEST);
        assert_eq!(tally.noisiest()[..2], [("p00003", 2), ("p00000", 1)]);
        assert_eq!((tally.principals.len(), tally.other_principals), (MAX_PRINCIPALS, 5));
    }

    #[test]
    fn the_parts_come_to_the_whole() {
        let part = |n: u64| {
            let mut tally = Tally { files: 1, events: n, ..Tally::default() };
            tally.fault(&Fault::TooLong);
            tally.principal("a", n);
            tally
        };
        let mut whole = part(1);
        whole.add(part(2));
        assert_eq!((whole.files, whole.events, whole.faults(), whole.noisiest()), (2, 3, 2, vec![("a", 3)]));
    }
}
