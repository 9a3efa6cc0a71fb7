//! The totals of a replay, for one file and for all.
//!
//! Files are added in their order, so that the same files give the same totals with any number of threads.

use std::collections::BTreeMap;

use cordon_core::{Level, Route, RuleId};
use hashbrown::HashMap;

use crate::evaluate::RuleMatch;
use crate::unreadable::Fault;

/// Further principals are counted together: their names are an attacker's to choose.
const MAX_PRINCIPALS: usize = 20_000;
/// How many of the noisiest principals are reported.
const NOISIEST: usize = 10;

/// What a replay counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Files that were read, wholly or in part.
    pub files: u64,
    /// Records that could be read.
    pub events: u64,
    /// Of these, how many no rule can match, so that they were not parsed.
    pub unparsed: u64,
    /// Records that some rule matches.
    pub matches: u64,
    /// Bursts that correlations counted.
    pub bursts: u64,
    /// Events that a correlation counts and that have no time: they are in no burst.
    pub untimed: u64,
    /// Events that were not counted because [`MAX_LEDGER_BYTES`](crate::MAX_LEDGER_BYTES) was used up.
    pub uncounted: u64,
    /// What each rule matched.
    pub rules: BTreeMap<RuleId, Detected>,
    /// What would have followed.
    pub routes: Routes,
    /// Events that the deployed function could not evaluate and would put to a person, by the reason.
    pub undecidable: BTreeMap<String, u64>,
    /// Events that name a managed policy whose document only IAM has, so that it is not known what they grant.
    pub policies_unknown: u64,
    /// What could not be read, by [`Fault::kind`].
    pub unreadable: BTreeMap<&'static str, u64>,
    principals: HashMap<String, u64>,
    /// Matches of the principals beyond the limit.
    other_principals: u64,
}

/// What one rule matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    /// The rule's title.
    pub title: String,
    /// The rule's level.
    pub level: Level,
    /// Events that it matches; of a correlation, its bursts.
    pub events: u64,
}

/// How many matches and bursts would have taken each route.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Routes {
    /// Alerted, with the configuration as it is.
    pub alerted: u64,
    /// Asked a person, with the configuration as it is.
    pub asked: u64,
    /// Acted at once, with the configuration as it is.
    pub acted: u64,
    /// Asked a person, in mode `enforce`.
    pub would_ask: u64,
    /// Acted at once, in mode `enforce`.
    pub would_act: u64,
    /// Of all these, how many an exception in IAM could have exempted.
    pub exceptions_unknown: u64,
}

impl Totals {
    pub(crate) fn add_match(&mut self, matched: &RuleMatch<'_>) {
        self.matches += 1;
        self.add_rules_and_route(matched);
    }

    pub(crate) fn add_burst(&mut self, burst: &RuleMatch<'_>) {
        self.bursts += 1;
        self.add_rules_and_route(burst);
    }

    fn add_rules_and_route(&mut self, matched: &RuleMatch<'_>) {
        for rule in &matched.rules {
            match self.rules.get_mut(&rule.id) {
                Some(detected) => detected.events += 1,
                None => {
                    let detected = Detected { title: rule.title.clone(), level: rule.level, events: 1 };
                    self.rules.insert(rule.id.clone(), detected);
                }
            }
        }
        match matched.route {
            Route::Ask => self.routes.asked += 1,
            Route::Act | Route::ContainThenAsk => self.routes.acted += 1,
            Route::Alert | Route::Exempt => self.routes.alerted += 1,
        }
        self.routes.would_ask += u64::from(matched.enforced_route == Route::Ask);
        self.routes.would_act += u64::from(matched.enforced_route.is_automatic());
        self.routes.exceptions_unknown += u64::from(matched.exceptions_unknown);
        self.add_principal(&matched.principal, 1);
    }

    pub(crate) fn add_fault(&mut self, fault: &Fault) {
        *self.unreadable.entry(fault.kind()).or_default() += 1;
    }

    fn add_principal(&mut self, principal: &str, matches: u64) {
        if let Some(known) = self.principals.get_mut(principal) {
            *known += matches;
        } else if self.principals.len() < MAX_PRINCIPALS {
            self.principals.insert(principal.to_owned(), matches);
        } else {
            self.other_principals += matches;
        }
    }

    /// Adds the totals of a later file.
    pub(crate) fn add(&mut self, other: Self) {
        self.files += other.files;
        self.events += other.events;
        self.unparsed += other.unparsed;
        self.matches += other.matches;
        self.bursts += other.bursts;
        self.untimed += other.untimed;
        self.uncounted += other.uncounted;
        for (rule, detected) in other.rules {
            let events = detected.events;
            self.rules.entry(rule).or_insert(Detected { events: 0, ..detected }).events += events;
        }
        self.routes.add(other.routes);
        self.policies_unknown += other.policies_unknown;
        for (reason, events) in other.undecidable {
            *self.undecidable.entry(reason).or_default() += events;
        }
        for (kind, faults) in other.unreadable {
            *self.unreadable.entry(kind).or_default() += faults;
        }
        let mut principals: Vec<(String, u64)> = other.principals.into_iter().collect();
        principals.sort_unstable();
        for (principal, matches) in principals {
            self.add_principal(&principal, matches);
        }
        self.other_principals += other.other_principals;
    }

    /// The principals with the most matches and bursts, with their number, the noisiest first.
    #[must_use]
    pub fn noisiest(&self) -> Vec<(&str, u64)> {
        let mut principals: Vec<(&str, u64)> = self.principals.iter().map(|(name, matches)| (name.as_str(), *matches)).collect();
        principals.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        principals.truncate(NOISIEST);
        principals
    }

    /// How many faults there were.
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
        let mut totals = Totals::default();
        for n in 0..MAX_PRINCIPALS + 5 {
            totals.add_principal(&format!("p{n:05}"), 1 + u64::from(n == 3));
        }
        assert_eq!(totals.noisiest().len(), NOISIEST);
        assert_eq!(totals.noisiest()[..2], [("p00003", 2), ("p00000", 1)]);
        assert_eq!((totals.principals.len(), totals.other_principals), (MAX_PRINCIPALS, 5));
    }

    #[test]
    fn the_parts_come_to_the_whole() {
        let part = |n: u64| {
            let mut totals = Totals { files: 1, events: n, ..Totals::default() };
            totals.add_fault(&Fault::TooLong);
            totals.add_principal("a", n);
            totals
        };
        let mut whole = part(1);
        whole.add(part(2));
        assert_eq!((whole.files, whole.events, whole.faults(), whole.noisiest()), (2, 3, 2, vec![("a", 3)]));
    }
}
