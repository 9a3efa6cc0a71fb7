//! The rule book: Sigma rules, with our `response`, `guide` and `cases` beside Sigma's own keys.
//!
//! Decides whether a set of rule files can be used at all, and which of its rules an event matches. One bad file refuses the
//! set, with every fault named by file, line and reason: a detection that silently is not there is worse than one that fails.

mod parse;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use cordon_core::{Detection, Level, Response, RuleId};
use rsigma_parser::SigmaRule;
use serde::Deserialize;
use serde_json::Value;

use crate::engine::{Matcher, SigmaMatcher};
use crate::enrich::{Enriched, Facts};

/// The text of one rule file, with the path by which people know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSource {
    pub path: String,
    pub text: String,
}

impl RuleSource {
    #[must_use]
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// The same rule without its cases, which are most of its text. They are proven before a rule is deployed; what only
    /// evaluates rules starts sooner without them.
    #[must_use]
    pub fn without_cases(&self) -> Self {
        Self { path: self.path.clone(), text: parse::without_blocks(&self.text, &["cases"]) }
    }
}

/// What is wrong with a rule file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub struct RuleError {
    pub path: String,
    /// Counted from 1; `None` where the fault is that something is missing.
    pub line: Option<usize>,
    pub reason: String,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.reason),
            None => write!(f, "{}: {}", self.path, self.reason),
        }
    }
}

/// What a case says about its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expected {
    Hit,
    Miss,
}

/// An example that a rule carries: an event, whole or in part, and whether the rule matches it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "parse::CaseBlock")]
pub struct Case {
    pub expected: Expected,
    pub event: Value,
    /// What the case is there to show.
    pub why: Option<String>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Sigma's `name`, else its `id`, else the file's name without its extension.
    pub id: RuleId,
    /// Sigma's `id`, a UUID.
    pub sigma_id: Option<String>,
    pub path: String,
    pub title: String,
    /// `unknown` where the file names none.
    pub author: String,
    /// `medium` where the file names none.
    pub level: Level,
    pub tags: Vec<String>,
    /// Why it is dangerous.
    pub description: String,
    pub falsepositives: Vec<String>,
    pub references: Vec<String>,
    /// What a responder should look at and do.
    pub guide: Option<String>,
    /// `None`: the rule only alerts.
    pub response: Option<Response>,
    pub cases: Vec<Case>,
    pub(crate) sigma: SigmaRule,
}

impl Rule {
    /// What a match of this rule is reported as.
    #[must_use]
    pub fn detection(&self) -> Detection {
        Detection {
            rule: self.id.clone(),
            title: self.title.clone(),
            author: self.author.clone(),
            level: self.level,
            description: self.description.clone(),
            tags: self.tags.clone(),
            response: self.response.clone(),
        }
    }
}

/// Rules that were loaded together, in the order of their ids.
pub struct RuleBook {
    rules: Vec<Rule>,
    matcher: Box<dyn Matcher>,
}

impl fmt::Debug for RuleBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.rules.iter().map(|rule| &rule.id)).finish()
    }
}

impl RuleBook {
    /// Loads rule files.
    ///
    /// # Errors
    /// Every fault of every file, in the order of their paths and lines.
    pub fn load(sources: Vec<RuleSource>) -> Result<Self, Vec<RuleError>> {
        let mut rules = Vec::with_capacity(sources.len());
        let mut errors = Vec::new();
        for source in &sources {
            match parse::parse(source) {
                Ok(rule) => rules.push(rule),
                Err(faults) => errors.extend(faults),
            }
        }
        rules.sort_by(|a: &Rule, b: &Rule| a.id.cmp(&b.id).then_with(|| a.path.cmp(&b.path)));
        errors.extend(duplicates(&rules));
        let compiled = SigmaMatcher::compile(rules.iter().map(|rule| &rule.sigma));
        match compiled {
            Ok(matcher) if errors.is_empty() => Ok(Self { rules, matcher: Box::new(matcher) }),
            Ok(_) => Err(in_order(errors)),
            Err(faults) => {
                for (position, reason) in faults {
                    if let Some(rule) = rules.get(position) {
                        let text =
                            sources.iter().find(|source| source.path == rule.path).map_or("", |source| source.text.as_str());
                        errors.push(parse::detection_error(&rule.path, text, &reason));
                    }
                }
                Err(in_order(errors))
            }
        }
    }

    /// The book without the named rules, as `[rules] disabled` in `cordon.toml` asks for.
    ///
    /// # Errors
    /// The names that no rule has, so that a typing error does not leave a rule on.
    pub fn without(self, disabled: &[RuleId]) -> Result<Self, Vec<RuleId>> {
        let unknown: Vec<RuleId> = disabled.iter().filter(|id| self.rule(id).is_none()).cloned().collect();
        if !unknown.is_empty() {
            return Err(unknown);
        }
        if disabled.is_empty() {
            return Ok(self);
        }
        let off: BTreeSet<&RuleId> = disabled.iter().collect();
        let rules: Vec<Rule> = self.rules.into_iter().filter(|rule| !off.contains(&rule.id)).collect();
        // INVARIANT: these rules compiled when the book was loaded, so they compile again.
        let matcher = SigmaMatcher::compile(rules.iter().map(|rule| &rule.sigma)).map_err(|faults| {
            faults.into_iter().filter_map(|(position, _)| rules.get(position).map(|rule| rule.id.clone())).collect::<Vec<_>>()
        })?;
        Ok(Self { rules, matcher: Box::new(matcher) })
    }

    /// The rules, in the order of their ids.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    #[must_use]
    pub fn rule(&self, id: &RuleId) -> Option<&Rule> {
        self.rules.binary_search_by(|rule| rule.id.cmp(id)).ok().and_then(|at| self.rules.get(at))
    }

    /// The rules that match an enriched record: the worst first, then by id.
    #[must_use]
    pub fn matching(&self, record: &Enriched<'_>) -> Vec<&Rule> {
        let mut matched: Vec<&Rule> =
            self.matcher.matches(record).into_iter().filter_map(|position| self.rules.get(position)).collect();
        matched.sort_by(|a, b| b.level.cmp(&a.level).then_with(|| a.id.cmp(&b.id)));
        matched
    }

    /// Enriches a CloudTrail record and reports the rules that match it: the worst first, then by id.
    #[must_use]
    pub fn evaluate(&self, record: &Value) -> Vec<Detection> {
        self.evaluate_with(record, &Facts::default())
    }

    /// As [`Self::evaluate`], with what was read because the record only names it ([`crate::enrich::policy_to_read`]).
    #[must_use]
    pub fn evaluate_with(&self, record: &Value, facts: &Facts) -> Vec<Detection> {
        self.matching(&Enriched::with(record, facts)).into_iter().map(Rule::detection).collect()
    }
}

/// Rules that cannot be told apart. Sigma's `id` has to be unique too: other tools know a rule by it.
fn duplicates(rules: &[Rule]) -> Vec<RuleError> {
    let mut seen: BTreeMap<&str, &Rule> = BTreeMap::new();
    let mut errors = Vec::new();
    for rule in rules {
        let uuid = rule.sigma_id.as_deref().filter(|uuid| *uuid != rule.id.as_str());
        for key in [Some(rule.id.as_str()), uuid].into_iter().flatten() {
            match seen.get(key) {
                Some(first) => errors.push(RuleError {
                    path: rule.path.clone(),
                    line: None,
                    reason: format!("`{key}` is also the id of `{}`", first.path),
                }),
                None => {
                    seen.insert(key, rule);
                }
            }
        }
    }
    errors
}

fn in_order(mut errors: Vec<RuleError>) -> Vec<RuleError> {
    errors.sort();
    errors.dedup();
    errors
}

#[cfg(test)]
mod tests;
