//! One document of a rule file, from text to [`Rule`] or [`Correlation`].
//!
//! Sigma's part is parsed by `rsigma-parser`, ours strictly: an unknown key in `response` or in a case is an error, and so is a
//! top-level key that is one slip away from ours, because a rule whose `respones` is ignored would quietly only alert.

use std::fmt;

use cordon_core::{Level, Log, Response, RuleId};
use rsigma_parser::{ConditionExpr, CorrelationRule, SelectorPattern, SigmaCollection, SigmaRule};
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::places::{line_of_key, line_of_word};
use super::sigma::bare;
use super::{About, Case, Correlation, Expected, Rule, RuleError, RuleSource, Series};

/// Our keys beside Sigma's.
const OUR_KEYS: [&str; 4] = ["response", "guide", "cases", "only-new"];

/// Sigma's top-level keys of a detection rule or a correlation.
const SIGMA_KEYS: [&str; 23] = [
    "correlation",
    "generate",
    "title",
    "id",
    "name",
    "related",
    "taxonomy",
    "status",
    "description",
    "license",
    "references",
    "author",
    "date",
    "modified",
    "tags",
    "logsource",
    "detection",
    "fields",
    "falsepositives",
    "level",
    "scope",
    "sigma-version",
    "custom_attributes",
];

/// Our part of a rule file, and the names of all of its keys. Parsed from the text itself, so that an error knows its line.
#[derive(Debug, Default)]
struct OurBlocks {
    response: Option<Response>,
    guide: Option<String>,
    cases: Vec<Given>,
    only_new: Option<bool>,
    keys: Vec<String>,
    /// Ours that have no value.
    empty: Vec<String>,
}

impl<'de> Deserialize<'de> for OurBlocks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Blocks)
    }
}

/// Reads a rule file's mapping in one pass: ours by their types, the rest only by name.
struct Blocks;

impl<'de> Visitor<'de> for Blocks {
    type Value = OurBlocks;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping of Sigma's keys")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OurBlocks, A::Error> {
        let mut blocks = OurBlocks::default();
        while let Some(key) = map.next_key::<String>()? {
            if blocks.keys.contains(&key) {
                return Err(A::Error::custom(format!("`{key}` is there twice")));
            }
            let empty = match key.as_str() {
                "response" => {
                    blocks.response = map.next_value()?;
                    blocks.response.is_none()
                }
                "guide" => {
                    blocks.guide = map.next_value()?;
                    blocks.guide.is_none()
                }
                "cases" => {
                    blocks.cases = map.next_value::<Option<_>>()?.unwrap_or_default();
                    blocks.cases.is_empty()
                }
                "only-new" => {
                    blocks.only_new = map.next_value()?;
                    blocks.only_new.is_none()
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    false
                }
            };
            if empty {
                blocks.empty.push(key.clone());
            }
            blocks.keys.push(key);
        }
        Ok(blocks)
    }
}

/// A case as it is written: `hit` or `miss`, and why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseBlock {
    hit: Option<Value>,
    miss: Option<Value>,
    why: Option<String>,
}

/// A case before it is known whether it is about one event or several.
#[derive(Debug, Deserialize)]
#[serde(try_from = "CaseBlock")]
struct Given {
    expected: Expected,
    what: Value,
    why: Option<String>,
}

impl TryFrom<CaseBlock> for Given {
    type Error = &'static str;

    fn try_from(block: CaseBlock) -> Result<Self, Self::Error> {
        let (expected, what) = match (block.hit, block.miss) {
            (Some(event), None) => (Expected::Hit, event),
            (None, Some(event)) => (Expected::Miss, event),
            (Some(_), Some(_)) | (None, None) => return Err("a case is either a `hit` or a `miss`"),
        };
        if what.is_object() || what.is_array() {
            Ok(Self { expected, what, why: block.why })
        } else {
            Err("the event of a case is a mapping of fields; that of a correlation, a list of events")
        }
    }
}

/// Why a case cannot be read.
#[derive(Debug, thiserror::Error)]
enum CaseError {
    #[error("the event of a case is a mapping of fields")]
    NoMapping,
    #[error("a case of a correlation is a list of `event`, with `repeat` and `after`: {0}")]
    NoSteps(#[source] serde_json::Error),
    #[error("`event` has to be a mapping, `repeat` 1 to 1000, `after` like `90s`, `10m` or `1h`: {0:?}")]
    BadStep(Box<super::Step>),
}

impl Given {
    fn of_rule(self) -> Result<Case, CaseError> {
        if self.what.is_object() {
            Ok(Case { expected: self.expected, event: self.what, why: self.why })
        } else {
            Err(CaseError::NoMapping)
        }
    }

    fn of_correlation(self) -> Result<Series, CaseError> {
        let steps: Vec<super::Step> = serde_json::from_value(self.what).map_err(CaseError::NoSteps)?;
        let is_bad = |step: &&super::Step| {
            step.pause_seconds().is_none() || !step.event.is_object() || !(1..=1_000).contains(&step.repeat)
        };
        match steps.iter().find(is_bad) {
            Some(step) => Err(CaseError::BadStep(Box::new(step.clone()))),
            None => Ok(Series { expected: self.expected, steps, why: self.why }),
        }
    }
}

/// What a document holds.
pub(super) enum Parsed {
    Rule(Box<Rule>),
    Correlation(Box<Correlation>),
}

/// What Sigma's part of a document is.
enum Sigma {
    Rule(Box<SigmaRule>, Log),
    Correlation(Box<CorrelationRule>),
}

/// What both kinds of document say of themselves.
struct Head<'s> {
    id: &'s Option<String>,
    name: &'s Option<String>,
    title: &'s str,
    author: &'s Option<String>,
    description: &'s Option<String>,
    level: Option<rsigma_parser::Level>,
    tags: &'s [String],
    falsepositives: &'s [String],
    references: &'s [String],
}

impl Sigma {
    fn head(&self) -> Head<'_> {
        macro_rules! head {
            ($of:expr) => {
                Head {
                    id: &$of.id,
                    name: &$of.name,
                    title: &$of.title,
                    author: &$of.author,
                    description: &$of.description,
                    level: $of.level,
                    tags: &$of.tags,
                    falsepositives: &$of.falsepositives,
                    references: &$of.references,
                }
            };
        }
        match self {
            Self::Rule(rule, _) => head!(rule),
            Self::Correlation(rule) => head!(rule),
        }
    }
}

/// The documents of a file, each with as many empty lines before it as keep its own lines where they are.
pub(super) fn documents(source: &RuleSource) -> Vec<RuleSource> {
    let mut documents = vec![String::new()];
    for (at, line) in source.text.lines().enumerate() {
        if line.trim_end() == "---" {
            documents.push("\n".repeat(at + 1));
        } else if let Some(document) = documents.last_mut() {
            document.push_str(line);
            document.push('\n');
        }
    }
    let says_nothing = |text: &str| text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
    if documents.len() > 1 {
        documents.retain(|text| !says_nothing(text));
    }
    documents.into_iter().map(|text| RuleSource::new(source.path.clone(), text)).collect()
}

/// Parses one document.
pub(super) fn parse(source: &RuleSource) -> Result<Parsed, Vec<RuleError>> {
    let fault = |line: Option<usize>, reason: String| RuleError { path: source.path.clone(), line, reason };
    let blocks: OurBlocks =
        yaml_serde::from_str(&source.text).map_err(|error| vec![fault(line_of_yaml(&error), without_place(&error))])?;
    let mut errors = key_errors(source, &blocks);
    if blocks.response.as_ref().is_some_and(|response| response.revert.is_empty() && response.contain.is_empty()) {
        errors.push(fault(
            line_of_key(&source.text, "response"),
            "`response` names no remedy: leave it out where the rule only alerts".to_owned(),
        ));
    }
    let sigma = match sigma_part(source) {
        Ok(sigma) => Some(sigma),
        Err(faults) => {
            errors.extend(faults);
            None
        }
    };
    let id = match sigma.as_ref().map(|sigma| rule_id(&source.path, &sigma.head())) {
        Some(Ok(id)) => Some(id),
        Some(Err(error)) => {
            errors.push(fault(line_of_key(&source.text, "name").or_else(|| line_of_key(&source.text, "id")), error.to_string()));
            None
        }
        None => None,
    };
    match (sigma, id) {
        (Some(sigma), Some(id)) if errors.is_empty() => assemble(source, id, sigma, blocks).map_err(|fault| vec![fault]),
        _ => Err(errors),
    }
}

fn assemble(source: &RuleSource, id: RuleId, sigma: Sigma, blocks: OurBlocks) -> Result<Parsed, RuleError> {
    let about = about(source, id, &sigma.head(), blocks.guide, blocks.response);
    let fault = |key: &str, reason: String| RuleError { path: source.path.clone(), line: line_of_key(&source.text, key), reason };
    match sigma {
        Sigma::Rule(..) if blocks.only_new.is_some() => {
            Err(fault("only-new", "`only-new` is about what was counted: it stands beside `correlation`".to_owned()))
        }
        Sigma::Rule(sigma, log) => {
            let cases = blocks.cases.into_iter().map(Given::of_rule).collect::<Result<_, _>>();
            let cases = cases.map_err(|error: CaseError| fault("cases", error.to_string()))?;
            let sigma = bare(sigma.logsource, sigma.detection, sigma.sigma_version);
            Ok(Parsed::Rule(Box::new(Rule { about, log, cases, only_counted: false, sigma })))
        }
        Sigma::Correlation(sigma) => {
            let series = blocks.cases.into_iter().map(Given::of_correlation).collect::<Result<_, _>>();
            let series = series.map_err(|error: CaseError| fault("cases", error.to_string()))?;
            let correlation = Correlation::new(about, &sigma, blocks.only_new.unwrap_or_default(), series)
                .map_err(|error| fault("correlation", error.to_string()))?;
            Ok(Parsed::Correlation(Box::new(correlation)))
        }
    }
}

fn about(source: &RuleSource, id: RuleId, head: &Head<'_>, guide: Option<String>, response: Option<Response>) -> About {
    About {
        id,
        sigma_id: head.id.clone(),
        path: source.path.clone(),
        title: head.title.to_owned(),
        author: head.author.clone().unwrap_or_else(|| "unknown".to_owned()),
        level: head.level.map_or(Level::Medium, level),
        tags: head.tags.to_vec(),
        description: head.description.as_deref().unwrap_or_default().trim().to_owned(),
        falsepositives: head.falsepositives.to_vec(),
        references: head.references.to_vec(),
        guide: guide.map(|guide| guide.trim().to_owned()),
        response,
    }
}

/// Sigma's part of a document: one rule for a log that Cordon reads, or one correlation.
fn sigma_part(source: &RuleSource) -> Result<Sigma, Vec<RuleError>> {
    let fault = |line: Option<usize>, reason: &str| RuleError { path: source.path.clone(), line, reason: reason.to_owned() };
    let parsed = rsigma_parser::parse_sigma_yaml(&without_blocks(&source.text, &OUR_KEYS))
        .map_err(|error| vec![detection_error(&source.path, &source.text, &error.to_string())])?;
    let SigmaCollection { rules, correlations, filters, errors, .. } = parsed;
    if !errors.is_empty() {
        return Err(errors.iter().map(|reason| detection_error(&source.path, &source.text, reason)).collect());
    }
    if !filters.is_empty() {
        return Err(vec![fault(
            line_of_key(&source.text, "filter"),
            "filters are not supported: write the exclusion into the rule",
        )]);
    }
    let rule = match (<[SigmaRule; 1]>::try_from(rules), <[CorrelationRule; 1]>::try_from(correlations)) {
        (Ok([rule]), Err(_)) => rule,
        (Err(_), Ok([correlation])) => return Ok(Sigma::Correlation(Box::new(correlation))),
        _ => return Err(vec![fault(None, "a document of a rule file holds exactly one rule")]),
    };
    let Some(log) = log_of(&rule) else {
        let reason = "the logsource has to be product `aws` and service `cloudtrail`, `health`, `guardduty` or `accessanalyzer`: \
                      Cordon reads no other log";
        return Err(vec![fault(line_of_key(&source.text, "logsource"), reason)]);
    };
    for condition in &rule.detection.conditions {
        if let Some(pattern) = empty_selector(condition, &rule) {
            let reason = format!("`{pattern}` in the condition names no detection of this rule");
            return Err(vec![detection_error(&source.path, &source.text, &reason)]);
        }
    }
    Ok(Sigma::Rule(Box::new(rule), log))
}

/// The log that a rule is about; CloudTrail where it names only the product.
fn log_of(rule: &SigmaRule) -> Option<Log> {
    let product = rule.logsource.product.as_deref()?;
    if !product.eq_ignore_ascii_case("aws") {
        return None;
    }
    match rule.logsource.service.as_deref().unwrap_or("cloudtrail").to_ascii_lowercase().as_str() {
        "cloudtrail" => Some(Log::CloudTrail),
        "health" => Some(Log::Health),
        "guardduty" => Some(Log::GuardDuty),
        "accessanalyzer" => Some(Log::AccessAnalyzer),
        _ => None,
    }
}

/// A `1 of …` that can never match because no detection has such a name.
fn empty_selector(condition: &ConditionExpr, rule: &SigmaRule) -> Option<String> {
    match condition {
        ConditionExpr::And(parts) | ConditionExpr::Or(parts) => parts.iter().find_map(|part| empty_selector(part, rule)),
        ConditionExpr::Not(part) => empty_selector(part, rule),
        ConditionExpr::Identifier(_) => None,
        ConditionExpr::Selector { pattern, .. } => {
            let found = rule.detection.named.keys().any(|name| pattern.matches_detection_name(name));
            match pattern {
                _ if found => None,
                SelectorPattern::Them => Some("them".to_owned()),
                SelectorPattern::Pattern(text) => Some(text.clone()),
            }
        }
    }
}

/// A name that cannot be a rule's id.
#[derive(Debug, thiserror::Error)]
#[error("the rule's {key} cannot be its id: {source}")]
struct IdError {
    key: &'static str,
    source: <RuleId as std::str::FromStr>::Err,
}

/// By what a rule is known: Sigma's `name` is meant for exactly that; public rules mostly have only the UUID.
fn rule_id(path: &str, head: &Head<'_>) -> Result<RuleId, IdError> {
    let stem = path.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
    let (key, text) = match (head.name, head.id) {
        (Some(name), _) => ("name", name.clone()),
        (None, Some(id)) => ("id", id.to_ascii_lowercase()),
        (None, None) => ("file name", stem.to_ascii_lowercase()),
    };
    text.parse().map_err(|source| IdError { key, source })
}

fn level(level: rsigma_parser::Level) -> Level {
    match level {
        rsigma_parser::Level::Informational => Level::Informational,
        rsigma_parser::Level::Low => Level::Low,
        rsigma_parser::Level::Medium => Level::Medium,
        rsigma_parser::Level::High => Level::High,
        rsigma_parser::Level::Critical => Level::Critical,
    }
}

/// Top-level keys that look like ours but are not, and ours with nothing in them. Other unknown keys pass: Sigma allows them,
/// and public rules carry some.
fn key_errors(source: &RuleSource, blocks: &OurBlocks) -> Vec<RuleError> {
    let fault = |key: &str, reason: String| RuleError { path: source.path.clone(), line: line_of_key(&source.text, key), reason };
    let empty = blocks.empty.iter().map(|key| fault(key, format!("`{key}` is empty")));
    let unknown = blocks.keys.iter().filter(|key| !OUR_KEYS.contains(&key.as_str()) && !SIGMA_KEYS.contains(&key.as_str()));
    let slips = unknown.filter_map(|key| {
        let ours = OUR_KEYS.iter().find(|ours| strsim::osa_distance(&key.to_lowercase(), ours) <= 2)?;
        Some(fault(key, format!("`{key}` is not a key of a rule: is `{ours}` meant?")))
    });
    empty.chain(slips).collect()
}

/// The text without some blocks, each from its key at the beginning of a line up to the next one. Their lines stay, empty, so
/// that an error still knows its own.
pub(super) fn without_blocks(text: &str, keys: &[&str]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut skipping = false;
    for line in text.lines() {
        if line.trim_end() == "---" {
            skipping = false;
        } else if let Some(key) = top_level_key(line) {
            skipping = keys.contains(&key);
        }
        if !skipping {
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}

fn top_level_key(line: &str) -> Option<&str> {
    let end = line.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-')?;
    let (key, rest) = line.split_at_checked(end)?;
    (!key.is_empty() && rest.trim_start().starts_with(':')).then_some(key)
}

/// An error of Sigma's part. Its parser knows no lines: the line is that of the word that the reason quotes, else of the
/// section. A reason that names the condition is about the condition.
pub(super) fn detection_error(path: &str, text: &str, reason: &str) -> RuleError {
    let condition = reason.to_lowercase().contains("condition").then(|| line_of_key(text, "condition")).flatten();
    let line = condition
        .or_else(|| quoted(reason).find_map(|word| line_of_word(text, word)))
        .or_else(|| line_of_key(text, "detection").filter(|_| !reason.starts_with("Missing")));
    RuleError { path: path.to_owned(), line, reason: reason.to_owned() }
}

/// What stands in quotes or backticks in a reason, and what follows its last colon.
fn quoted(reason: &str) -> impl Iterator<Item = &str> {
    let between = |mark: char| reason.split(mark).skip(1).step_by(2);
    between('`').chain(between('\'')).chain(reason.rsplit(": ").next()).filter(|word| !word.is_empty())
}

fn line_of_yaml(error: &yaml_serde::Error) -> Option<usize> {
    error.location().map(|place| place.line())
}

/// The message without the place, which is reported on its own.
fn without_place(error: &yaml_serde::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((message, _)) => message.to_owned(),
        None => text,
    }
}
