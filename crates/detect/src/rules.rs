//! The rule book: Sigma rules, with our `response`, `guide` and `cases` beside Sigma's own keys.
//!
//! Decides whether a set of rule files can be used at all, and which of its rules an event matches. One bad file refuses the
//! set, with every fault named by file, line and reason: a detection that silently is not there is worse than one that fails.
//!
//! A correlation counts the events that other rules match. A rule that is counted is not reported by itself, unless the
//! correlation says `generate: true`, as Sigma defines it.

mod correlation;
mod packed;
mod parse;
mod placeholders;
mod places;
mod sigma;
mod whose;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Deref;

use cordon_core::{Detection, EventId, Level, Log, Response, RuleId};
use rsigma_parser::SigmaRule;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::correlation::{Correlation, Series, Step};
pub use self::packed::pack;
pub use self::placeholders::{PlaceholderError, Placeholders};
use crate::counts::{Count, Counts, Tally};
use crate::engine::Matcher;
use crate::enrich::{Documents, Enriched};

/// The text of one rule file, with the path by which people know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSource {
    /// The file's path, for messages.
    pub path: String,
    /// YAML, with one or several documents.
    pub text: String,
}

impl RuleSource {
    /// A rule file with this path and text.
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
    /// The rule file.
    pub path: String,
    /// Counted from 1; `None` where something is missing, or the name of the file itself is at fault.
    pub line: Option<usize>,
    /// What is wrong, in a sentence.
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
    /// The rule matches the event.
    Hit,
    /// The rule does not match the event: a near miss.
    Miss,
}

/// An example that a rule carries: an event, whole or in part, and whether the rule matches it. Of a notice, its `detail`.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Whether the rule matches.
    pub expected: Expected,
    /// The event.
    pub event: Value,
    /// What the case is there to show.
    pub why: Option<String>,
}

/// By what people know a rule or a correlation, and what is done when it matches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Sigma's `name`, else its `id`, else the file's name without its extension.
    pub id: RuleId,
    /// Sigma's `id`, a UUID.
    pub sigma_id: Option<String>,
    /// The rule file.
    pub path: String,
    /// Sigma's `title`.
    pub title: String,
    /// `unknown` where the file names none.
    pub author: String,
    /// `medium` where the file names none.
    pub level: Level,
    /// Sigma's `tags`, ATT&CK techniques among them.
    pub tags: Vec<String>,
    /// Why it is dangerous.
    pub description: String,
    /// Sigma's `falsepositives`.
    pub falsepositives: Vec<String>,
    /// Sigma's `references`.
    pub references: Vec<String>,
    /// What a responder should look at and do.
    pub guide: Option<String>,
    /// `None`: the rule only alerts.
    pub response: Option<Response>,
}

impl About {
    /// What a match is reported as.
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

    /// True for one of the names by which a correlation refers to a rule.
    fn is_called(&self, name: &str) -> bool {
        self.id.as_str() == name || self.sigma_id.as_ref().is_some_and(|id| id.eq_ignore_ascii_case(name))
    }
}

/// One rule about one event.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its names, texts and response.
    pub about: About,
    /// Which events it is about.
    pub log: Log,
    /// Its examples.
    pub cases: Vec<Case>,
    /// True where it is only counted by a correlation, and not reported by itself.
    pub only_counted: bool,
    pub(crate) sigma: SigmaRule,
}

impl Deref for Rule {
    type Target = About;

    fn deref(&self) -> &About {
        &self.about
    }
}

/// What the rules say of one event.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Judgement {
    /// The gravest first.
    pub detections: Vec<Detection>,
    /// What has to be counted before it is known whether a correlation is reached.
    pub tallies: Vec<Tally>,
}

type Matchers = Vec<(Log, Matcher)>;

/// Rules that were loaded together, in the order of their ids.
pub struct RuleBook {
    rules: Vec<Rule>,
    correlations: Vec<Correlation>,
    /// For each log that a rule is about, the rules about it.
    matchers: Matchers,
}

impl fmt::Debug for RuleBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all().map(|about| &about.id)).finish()
    }
}

impl RuleBook {
    /// Loads rule files, with the placeholders of a deployment as it is shipped.
    ///
    /// # Errors
    /// Every fault of every file, in the order of their paths and lines.
    pub fn load(sources: Vec<RuleSource>) -> Result<Self, Vec<RuleError>> {
        Self::load_for(sources, &Placeholders::default())
    }

    /// Loads rule files for a deployment.
    ///
    /// # Errors
    /// Every fault of every file, in the order of their paths and lines.
    pub fn load_for(sources: Vec<RuleSource>, placeholders: &Placeholders) -> Result<Self, Vec<RuleError>> {
        let sources: Vec<RuleSource> = sources.into_iter().map(|source| placeholders.fill(source)).collect();
        let mut parsed = Vec::with_capacity(sources.len());
        let mut errors = Vec::new();
        for document in sources.iter().flat_map(parse::documents) {
            match parse::parse(&document) {
                Ok(found) => parsed.push(found),
                Err(faults) => errors.extend(faults),
            }
        }
        Self::of(parsed, errors, |path| sources.iter().find(|source| source.path == path).map(|source| source.text.as_str()))
    }

    /// Loads what [`pack`] made of rule files, for a deployment. It has no cases.
    ///
    /// # Errors
    /// What is wrong with the packed rules: they were changed, or another version packed them.
    pub fn load_packed(packed: &RuleSource, placeholders: &Placeholders) -> Result<Self, Vec<RuleError>> {
        let parsed = packed::unpack(packed, placeholders).map_err(|error| vec![error])?;
        Self::of(parsed, Vec::new(), |_| None)
    }

    /// The book of some documents, unless there is any fault.
    fn of<'t>(
        parsed: Vec<parse::Parsed>,
        mut errors: Vec<RuleError>,
        text: impl Fn(&str) -> Option<&'t str>,
    ) -> Result<Self, Vec<RuleError>> {
        let mut rules = Vec::with_capacity(parsed.len());
        let mut correlations = Vec::new();
        for document in parsed {
            match document {
                parse::Parsed::Rule(rule) => rules.push(*rule),
                parse::Parsed::Correlation(correlation) => correlations.push(*correlation),
            }
        }
        rules.sort_by(|a: &Rule, b: &Rule| a.id.cmp(&b.id).then_with(|| a.path.cmp(&b.path)));
        correlations.sort_by(|a: &Correlation, b| a.about.id.cmp(&b.about.id).then_with(|| a.about.path.cmp(&b.about.path)));
        let all = rules.iter().map(|rule| &rule.about).chain(correlations.iter().map(|found| &found.about));
        errors.extend(duplicates(all, &text));
        if errors.is_empty() {
            errors.extend(correlation::resolve(&mut rules, &mut correlations, &text));
        }
        match compile(&rules) {
            Ok(matchers) if errors.is_empty() => Ok(Self { rules, correlations, matchers }),
            Ok(_) => Err(in_order(errors)),
            Err(faults) => {
                let rule_of = |(position, reason)| Some((rules.get(position)?, reason));
                errors.extend(faults.into_iter().filter_map(rule_of).map(|(rule, reason): (&Rule, String)| {
                    parse::detection_error(&rule.path, text(&rule.path).unwrap_or_default(), &reason)
                }));
                Err(in_order(errors))
            }
        }
    }

    /// The book without the named rules, as `[rules] disabled` in `cordon.toml` asks for. A rule that an enabled correlation
    /// counts is still counted.
    ///
    /// # Errors
    /// The names that no rule has, so that a typing error does not leave a rule on.
    pub fn without(mut self, disabled: &[RuleId]) -> Result<Self, Vec<RuleId>> {
        let unknown: Vec<RuleId> = disabled.iter().filter(|id| self.about(id).is_none()).cloned().collect();
        if !unknown.is_empty() {
            return Err(unknown);
        }
        if disabled.is_empty() {
            return Ok(self);
        }
        let off: BTreeSet<&RuleId> = disabled.iter().collect();
        self.correlations.retain(|correlation| !off.contains(&correlation.about.id));
        let counted: BTreeSet<&RuleId> = self.correlations.iter().flat_map(|correlation| &correlation.rules).collect();
        for rule in self.rules.iter_mut().filter(|rule| off.contains(&rule.about.id)) {
            rule.only_counted = true;
        }
        self.rules.retain(|rule| counted.contains(&rule.about.id) || !(off.contains(&rule.about.id) || rule.only_counted));
        // INVARIANT: these rules compiled when the book was loaded, so they compile again.
        self.matchers = compile(&self.rules).map_err(|faults| {
            faults
                .into_iter()
                .filter_map(|(position, _)| self.rules.get(position).map(|rule| rule.id.clone()))
                .collect::<Vec<_>>()
        })?;
        Ok(self)
    }

    /// The rules about one event, in the order of their ids.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rules about several events, in the order of their ids.
    #[must_use]
    pub fn correlations(&self) -> &[Correlation] {
        &self.correlations
    }

    /// What people know every rule and correlation by.
    pub fn all(&self) -> impl Iterator<Item = &About> {
        self.rules.iter().map(|rule| &rule.about).chain(self.correlations.iter().map(|correlation| &correlation.about))
    }

    /// What people know a rule or correlation by.
    #[must_use]
    pub fn about(&self, id: &RuleId) -> Option<&About> {
        self.all().find(|about| about.id == *id)
    }

    /// The rule with this id.
    #[must_use]
    pub fn rule(&self, id: &RuleId) -> Option<&Rule> {
        self.rules.binary_search_by(|rule| rule.id.cmp(id)).ok().and_then(|at| self.rules.get(at))
    }

    /// The rules that match an enriched record, those that are only counted among them: the worst first, then by id.
    #[must_use]
    pub fn matching(&self, record: &Enriched<'_>) -> Vec<&Rule> {
        self.matching_with(record, |matcher| matcher.matches(record))
    }

    pub(crate) fn matching_with(&self, record: &Enriched<'_>, matches: impl Fn(&Matcher) -> Vec<usize>) -> Vec<&Rule> {
        let matchers = self.matchers.iter().filter(|(log, _)| *log == record.log());
        let mut matched: Vec<&Rule> =
            matchers.flat_map(|(_, matcher)| matches(matcher)).filter_map(|position| self.rules.get(position)).collect();
        matched.sort_by(|a, b| b.level.cmp(&a.level).then_with(|| a.id.cmp(&b.id)));
        matched
    }

    /// What an enriched record is reported as, and what has to be counted of it.
    #[must_use]
    pub fn judge(&self, record: &Enriched<'_>) -> Judgement {
        let matched = self.matching(record);
        let detections = matched.iter().filter(|rule| !rule.only_counted).map(|rule| rule.detection()).collect();
        Judgement { detections, tallies: self.tallies(&matched, record) }
    }

    /// What has to be counted of a record that these rules match ([`Self::matching`]).
    #[must_use]
    pub fn tallies(&self, matched: &[&Rule], record: &Enriched<'_>) -> Vec<Tally> {
        self.correlations.iter().filter_map(|correlation| correlation.tally(matched, record)).collect()
    }

    /// The correlations that an event of `at`, in Unix seconds, is the first to reach: once a burst. For a log that is read from
    /// its beginning, in the order of its times.
    pub fn correlate(&self, record: &Enriched<'_>, event: &EventId, at: i64, counts: &mut dyn Counts) -> Vec<Detection> {
        let tallies = self.judge(record).tallies;
        tallies
            .into_iter()
            .filter(|tally| counts.count(tally, event, at) == Count::Opened)
            .map(|tally| Detection::clone(&tally.detection))
            .collect()
    }

    /// Enriches a CloudTrail record and reports the rules that match it: the worst first, then by id.
    #[must_use]
    pub fn evaluate(&self, record: &Value) -> Vec<Detection> {
        self.evaluate_with(record, &Documents::default())
    }

    /// As [`Self::evaluate`], with what was read because the record only names it ([`crate::enrich::policy_to_read`]).
    #[must_use]
    pub fn evaluate_with(&self, record: &Value, documents: &Documents) -> Vec<Detection> {
        let matched = self.matching(&Enriched::with(record, documents));
        matched.into_iter().filter(|rule| !rule.only_counted).map(|rule| rule.detection()).collect()
    }
}

/// The rules of each log, compiled.
fn compile(rules: &[Rule]) -> Result<Matchers, Vec<(usize, String)>> {
    let mut matchers: Matchers = Vec::new();
    let mut faults = Vec::new();
    for log in std::iter::once(Log::CloudTrail).chain(Log::NOTICES) {
        let of_log: Vec<(usize, &SigmaRule)> = rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| rule.log == log)
            .map(|(position, rule)| (position, &rule.sigma))
            .collect();
        match Matcher::compile(&of_log) {
            Ok(matcher) => matchers.push((log, matcher)),
            Err(errors) => faults.extend(errors),
        }
    }
    if faults.is_empty() { Ok(matchers) } else { Err(faults) }
}

/// Rules that cannot be told apart. Sigma's `id` has to be unique too: other tools know a rule by it.
fn duplicates<'r, 't>(rules: impl Iterator<Item = &'r About>, text: &impl Fn(&str) -> Option<&'t str>) -> Vec<RuleError> {
    let mut seen: BTreeMap<&str, &About> = BTreeMap::new();
    let mut errors = Vec::new();
    for rule in rules {
        let uuid = rule.sigma_id.as_deref().filter(|uuid| *uuid != rule.id.as_str());
        for key in [Some(rule.id.as_str()), uuid].into_iter().flatten() {
            match seen.get(key) {
                Some(first) => errors.push(RuleError {
                    path: rule.path.clone(),
                    line: text(&rule.path).and_then(|text| places::line_of_word(text, key)),
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
