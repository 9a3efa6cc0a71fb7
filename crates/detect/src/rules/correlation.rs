//! Sigma's correlations, as far as they count: so many events, or so many distinct values, of one group within a timespan.
//!
//! A correlation of another type, or with a condition that is not a lower bound, is refused: counting forward, nobody knows that
//! something did not happen. What was refused did not happen either, so a correlation has nothing to undo.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use cordon_core::{AccountId, Detection, RuleId};
use rsigma_parser::{ConditionOperator, CorrelationCondition, CorrelationRule, CorrelationType, WindowMode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::places::line_of_word;
use super::whose::{Whose, whose};
use super::{About, Expected, Rule, RuleError};
use crate::counts::{MAX_AT_LEAST, Tally};
use crate::engine::field_text;
use crate::enrich::Enriched;
use crate::prefilter::is_plain;

/// A week: what a window remembers has to stay small, and bursts are short.
const MAX_SPAN_SECONDS: i64 = 7 * 24 * 3600;

/// Events in the order in which they come.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Whether the correlation is reached.
    pub expected: Expected,
    /// The events, in their order.
    pub steps: Vec<Step>,
    /// What the case is there to show.
    pub why: Option<String>,
}

/// One event of a series, or several that are alike but for their ids. A second passes between two events.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The event.
    pub event: Value,
    /// How many events like it there are.
    #[serde(default = "once")]
    pub repeat: u32,
    /// How long nothing happens before: `90s`, `10m`, `1h`.
    #[serde(default)]
    pub after: Option<String>,
}

fn once() -> u32 {
    1
}

impl Step {
    /// How long nothing happens before, in seconds; `None` where it cannot be read.
    #[must_use]
    pub fn pause_seconds(&self) -> Option<i64> {
        let Some(after) = &self.after else { return Some(0) };
        let (count, unit) = after.split_at_checked(after.len().checked_sub(1)?)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            _ => return None,
        };
        count.parse::<u32>().ok().map(|count| i64::from(count) * seconds)
    }
}

/// A rule about several events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correlation {
    /// Its names, texts and response.
    pub about: About,
    /// What it is reported as, made once: every event that is counted carries it.
    #[serde(skip)]
    reported: OnceLock<Arc<Detection>>,
    /// The rules whose events are counted.
    #[serde(skip)]
    pub rules: Vec<RuleId>,
    /// The fields by which events are grouped.
    pub group_by: Vec<String>,
    /// The timespan, in seconds.
    pub span_seconds: i64,
    /// How many events or values reach it.
    pub at_least: usize,
    /// The field whose distinct values are counted; `None`: the events are.
    pub distinct: Option<String>,
    /// Its examples.
    #[serde(skip)]
    pub series: Vec<Series>,
    /// The rules by the names under which the file has them, until they are found.
    named: Vec<String>,
    /// Fields that have another name in the events of some rules: by alias, then by the rule's name.
    aliases: BTreeMap<String, BTreeMap<String, String>>,
    generate: bool,
    /// Reached only by a value that was not counted within the timespan before.
    pub only_new: bool,
}

impl Deref for Correlation {
    type Target = About;

    fn deref(&self) -> &About {
        &self.about
    }
}

/// Why Cordon cannot count what a Sigma correlation asks for.
#[derive(Debug, thiserror::Error)]
pub(super) enum CorrelationError {
    #[error("`condition` has to be a number of events: `gte` or `gt`")]
    ExtendedCondition,
    #[error("`event_count` counts events: its `condition` has no `field`")]
    FieldOfEvents,
    #[error("`value_count` needs one `field` in its `condition`")]
    NoField,
    #[error("`{0}` is not supported: Cordon counts, by `event_count` or `value_count`")]
    Type(&'static str),
    #[error("`only-new` is about values: it needs `value_count`")]
    OnlyNewEvents,
    #[error("`condition` has to be one lower bound, `gte` or `gt`: counting forward, nobody knows what does not come")]
    NoLowerBound,
    #[error("`condition` has to ask for 1 to {MAX_AT_LEAST}")]
    Bound,
    #[error("`timespan` has to be between a second and a week")]
    Timespan,
    #[error("`window: {0}` is not supported: the timespan slides")]
    Window(&'static str),
    #[error("`rules` names no rule to count")]
    NoRules,
    #[error("`revert` is not possible: a correlation is about many events, and changes of its own it has none")]
    Revert,
}

impl Correlation {
    /// Takes from Sigma's correlation what can be counted.
    pub(super) fn new(
        about: About,
        sigma: &CorrelationRule,
        only_new: bool,
        series: Vec<Series>,
    ) -> Result<Self, CorrelationError> {
        use CorrelationError as Fault;
        let (predicates, fields) = match &sigma.condition {
            CorrelationCondition::Threshold { predicates, field, percentile: _ } => {
                (predicates, field.as_deref().unwrap_or_default())
            }
            CorrelationCondition::Extended(_) => return Err(Fault::ExtendedCondition),
        };
        let distinct = match (sigma.correlation_type, fields) {
            (CorrelationType::EventCount, []) => None,
            (CorrelationType::EventCount, _) => return Err(Fault::FieldOfEvents),
            (CorrelationType::ValueCount, [field]) => Some(field.clone()),
            (CorrelationType::ValueCount, _) => return Err(Fault::NoField),
            (other, _) => return Err(Fault::Type(other.as_str())),
        };
        if only_new && distinct.is_none() {
            return Err(Fault::OnlyNewEvents);
        }
        let at_least = match predicates.as_slice() {
            [(ConditionOperator::Gte, count)] => *count,
            [(ConditionOperator::Gt, count)] => count.saturating_add(1),
            _ => return Err(Fault::NoLowerBound),
        };
        let at_least = usize::try_from(at_least).ok().filter(|count| (1..=MAX_AT_LEAST).contains(count));
        let at_least = at_least.ok_or(Fault::Bound)?;
        let span_seconds = i64::try_from(sigma.timespan.seconds).ok().filter(|span| (1..=MAX_SPAN_SECONDS).contains(span));
        let span_seconds = span_seconds.ok_or(Fault::Timespan)?;
        if sigma.window != WindowMode::Sliding {
            return Err(Fault::Window(sigma.window.as_str()));
        }
        if sigma.rules.is_empty() {
            return Err(Fault::NoRules);
        }
        if about.response.as_ref().is_some_and(|response| !response.revert.is_empty()) {
            return Err(Fault::Revert);
        }
        let aliases = sigma.aliases.iter().map(|alias| (alias.alias.clone(), alias.mapping.clone().into_iter().collect()));
        Ok(Self {
            about,
            reported: OnceLock::new(),
            rules: Vec::new(),
            group_by: sigma.group_by.clone(),
            span_seconds,
            at_least,
            distinct,
            series,
            named: sigma.rules.clone(),
            aliases: aliases.collect(),
            generate: sigma.generate,
            only_new,
        })
    }

    /// What the record adds to the count; `None` where none of the rules that are counted matched it, or where it lacks the
    /// value that is counted. Records that lack a field of the group are counted together. What another account has a part in is
    /// counted apart, and only told.
    pub(super) fn tally(&self, matched: &[&Rule], record: &Enriched<'_>) -> Option<Tally> {
        let rule = matched.iter().find(|rule| self.rules.contains(&rule.about.id))?;
        let value = match &self.distinct {
            Some(field) => Some(cut(&field_text(record, self.field(field, rule))?)),
            None => None,
        };
        let mut key = self.about.id.to_string();
        for field in &self.group_by {
            key.push('#');
            key.push_str(&field_text(record, self.field(field, rule)).unwrap_or_default());
        }
        let mut detection = Arc::clone(self.reported.get_or_init(|| Arc::new(self.about.detection())));
        match whose(record) {
            Whose::Own(account) if self.about.response.is_some() && !self.groups_by_account() => {
                key.push('@');
                key.push_str(account.as_ref().map_or("unknown", AccountId::as_str));
            }
            Whose::Own(_) => {}
            Whose::Foreign(account) => {
                key.push_str("@seen-by-");
                key.push_str(account.as_str());
                if detection.response.is_some() {
                    detection = Arc::new(Detection { response: None, ..Detection::clone(&detection) });
                }
            }
        }
        Some(Tally {
            detection,
            key,
            // Of values, people are shown these.
            what: value.clone().unwrap_or_else(|| cut(&field_text(record, "eventName").unwrap_or_default())),
            value,
            at_least: self.at_least,
            span_seconds: self.span_seconds,
            only_new: self.only_new,
        })
    }

    /// Whether a group is of one account by its fields: of callers in their own account, these name it.
    fn groups_by_account(&self) -> bool {
        let of_account = ["cordon.actor.identity", "cordon.actor.principal_arn", "recipientAccountId"];
        self.group_by.iter().any(|field| of_account.contains(&field.as_str()))
    }

    /// The paths of the fields that counting reads beside what the rules read; `None` where it may read any.
    #[must_use]
    pub fn fields(&self) -> Option<BTreeSet<&str>> {
        let named = self.group_by.iter().chain(&self.distinct).chain(self.aliases.values().flat_map(BTreeMap::values));
        named.map(|path| is_plain(path).then_some(path.as_str())).collect()
    }

    /// The name that a field has in the events of a rule.
    fn field<'f>(&'f self, field: &'f str, rule: &Rule) -> &'f str {
        let by_rule = self.aliases.get(field);
        by_rule.and_then(|names| names.iter().find(|(name, _)| rule.about.is_called(name))).map_or(field, |(_, name)| name)
    }
}

/// Names of calls and values are somebody else's text; two that differ only behind this count as one.
fn cut(text: &str) -> String {
    text.chars().take(128).collect()
}

/// Finds the rules that the correlations count. They are not reported by themselves, unless a correlation asks for it.
/// `text` gives the text of a rule file, for the lines of faults.
pub(super) fn resolve<'t>(
    rules: &mut [Rule],
    correlations: &mut [Correlation],
    text: &impl Fn(&str) -> Option<&'t str>,
) -> Vec<RuleError> {
    let mut errors = Vec::new();
    for correlation in &mut *correlations {
        let path = &correlation.about.path;
        for name in &correlation.named {
            let mut fault = |reason: String| {
                let line = text(path).and_then(|text| line_of_word(text, name));
                errors.push(RuleError { path: path.clone(), line, reason });
            };
            match rules.iter_mut().find(|rule| rule.about.is_called(name)) {
                Some(rule) if !correlation.generate && rule.about.response.is_some() => fault(format!(
                    "`{name}` has a `response`, and would not be answered any more: say `generate: true` beside `correlation`"
                )),
                Some(rule) => correlation.rules.push(rule.about.id.clone()),
                None => fault(format!("the correlation counts `{name}`, and no rule is called so")),
            }
        }
    }
    let counted: Vec<&Correlation> = correlations.iter().collect();
    for rule in rules {
        let counts = |correlation: &&&Correlation| correlation.rules.contains(&rule.about.id);
        rule.only_counted = counted.iter().any(|c| counts(&c)) && !counted.iter().filter(counts).any(|c| c.generate);
    }
    errors
}

#[cfg(test)]
mod tests;
