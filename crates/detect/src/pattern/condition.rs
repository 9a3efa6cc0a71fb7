//! From a rule's condition to what EventBridge can select on: the service, the call, the kind of caller and the error of a
//! record, the kind of a notice.
//!
//! Every step answers with a superset of what the rule matches. In doubt the answer is "anything".

use std::collections::BTreeSet;

use cordon_core::Log;
use rsigma_parser::{ConditionExpr, Detection, DetectionItem, Modifier, Quantifier, SigmaValue};

use crate::rules::Rule;

/// More alternatives than this in one rule, and its condition is not analysed further.
const MAX_ALTERNATIVES: usize = 128;

/// A comparison that EventBridge can make.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Text {
    Exact(String),
    AnyCase(String),
    Prefix(String),
    Suffix(String),
}

impl Text {
    /// True where everything that `other` matches, this matches.
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::AnyCase(a), Self::Exact(b) | Self::AnyCase(b)) => a.eq_ignore_ascii_case(b),
            (Self::Prefix(a), Self::Exact(b) | Self::Prefix(b)) => b.starts_with(a.as_str()),
            (Self::Suffix(a), Self::Exact(b) | Self::Suffix(b)) => b.ends_with(a.as_str()),
            _ => self == other,
        }
    }

    /// True where some text could match both, as Sigma compares: without case.
    fn meets(&self, other: &Self) -> bool {
        let low = |text: &String| text.to_lowercase();
        match (self, other) {
            (Self::Exact(a) | Self::AnyCase(a), Self::Exact(b) | Self::AnyCase(b)) => low(a) == low(b),
            (Self::Exact(a) | Self::AnyCase(a), Self::Prefix(b)) | (Self::Prefix(b), Self::Exact(a) | Self::AnyCase(a)) => {
                low(a).starts_with(&low(b))
            }
            (Self::Exact(a) | Self::AnyCase(a), Self::Suffix(b)) | (Self::Suffix(b), Self::Exact(a) | Self::AnyCase(a)) => {
                low(a).ends_with(&low(b))
            }
            (Self::Prefix(a), Self::Prefix(b)) => low(a).starts_with(&low(b)) || low(b).starts_with(&low(a)),
            (Self::Suffix(a), Self::Suffix(b)) => low(a).ends_with(&low(b)) || low(b).ends_with(&low(a)),
            (Self::Prefix(_), Self::Suffix(_)) | (Self::Suffix(_), Self::Prefix(_)) => true,
        }
    }
}

/// The values of one field; `None` is any value, or none at all.
pub(super) type Values = Option<BTreeSet<Text>>;

/// One alternative of what a rule can match: all of its fields have to fit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Selection {
    /// `eventSource`.
    pub(super) service: Values,
    /// `eventName`.
    pub(super) call: Values,
    /// `userIdentity.type`.
    pub(super) caller: Values,
    /// `errorCode`.
    pub(super) error: Values,
    /// The field by which notices of one log are told apart ([`kind_field`]).
    pub(super) kind: Values,
}

/// The field by which notices are told apart; none for records of CloudTrail.
pub(super) fn kind_field(log: Log) -> Option<&'static str> {
    match log {
        Log::CloudTrail => None,
        Log::Health => Some("eventTypeCode"),
        Log::GuardDuty => Some("type"),
        Log::AccessAnalyzer => Some("resourceType"),
    }
}

impl Selection {
    /// True where everything that `other` selects, this selects.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let covers = |ours: &Values, theirs: &Values| match (ours, theirs) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(ours), Some(theirs)) => theirs.iter().all(|text| ours.iter().any(|our| our.covers(text))),
        };
        covers(&self.service, &other.service)
            && covers(&self.call, &other.call)
            && covers(&self.caller, &other.caller)
            && covers(&self.error, &other.error)
            && covers(&self.kind, &other.kind)
    }

    /// What both select, or more; `None` where no event can be both.
    fn and(&self, other: &Self) -> Option<Self> {
        Some(Self {
            service: intersection(&self.service, &other.service)?,
            call: intersection(&self.call, &other.call)?,
            caller: intersection(&self.caller, &other.caller)?,
            error: intersection(&self.error, &other.error)?,
            kind: intersection(&self.kind, &other.kind)?,
        })
    }
}

/// The values of one side that meet some value of the other: the side with exact values, which is the narrower one.
fn intersection(a: &Values, b: &Values) -> Option<Values> {
    let (Some(left), Some(right)) = (a, b) else { return Some(a.clone().or_else(|| b.clone())) };
    let exact = |texts: &BTreeSet<Text>| texts.iter().all(|text| matches!(text, Text::Exact(_)));
    let (narrow, wide) = if exact(left) { (left, right) } else { (right, left) };
    let both: BTreeSet<Text> = narrow.iter().filter(|text| wide.iter().any(|other| text.meets(other))).cloned().collect();
    if both.is_empty() { None } else { Some(Some(both)) }
}

/// The alternatives of a rule. Sigma's conditions of one rule are alternatives of each other.
pub(super) fn selections(rule: &Rule) -> Vec<Selection> {
    let found: Vec<Selection> =
        rule.sigma.detection.conditions.iter().flat_map(|condition| of_condition(condition, rule)).collect();
    bounded(found)
}

fn anything() -> Vec<Selection> {
    vec![Selection::default()]
}

fn bounded(found: Vec<Selection>) -> Vec<Selection> {
    if found.len() > MAX_ALTERNATIVES { anything() } else { found }
}

fn of_condition(condition: &ConditionExpr, rule: &Rule) -> Vec<Selection> {
    match condition {
        ConditionExpr::And(parts) => all_of(parts.iter().map(|part| of_condition(part, rule))),
        ConditionExpr::Or(parts) => bounded(parts.iter().flat_map(|part| of_condition(part, rule)).collect()),
        // What a negation leaves is nearly everything.
        ConditionExpr::Not(_) => anything(),
        ConditionExpr::Identifier(name) => {
            rule.sigma.detection.named.get(name).map_or_else(anything, |found| of_detection(found, rule.log))
        }
        ConditionExpr::Selector { quantifier, pattern } => {
            let named = || {
                rule.sigma
                    .detection
                    .named
                    .iter()
                    .filter(|(name, _)| pattern.matches_detection_name(name))
                    .map(|(_, found)| of_detection(found, rule.log))
            };
            match quantifier {
                Quantifier::All => all_of(named()),
                // "At least n of them" implies at least one of them; "0 of them" implies nothing.
                Quantifier::Any => bounded(named().flatten().collect()),
                Quantifier::Count(0) => anything(),
                Quantifier::Count(_) => bounded(named().flatten().collect()),
            }
        }
    }
}

fn all_of(parts: impl Iterator<Item = Vec<Selection>>) -> Vec<Selection> {
    parts.fold(anything(), |so_far, part| {
        if so_far.len().saturating_mul(part.len()) > MAX_ALTERNATIVES {
            // Leaving one side of an AND out widens it.
            return so_far;
        }
        so_far.iter().flat_map(|left| part.iter().filter_map(|right| left.and(right))).collect()
    })
}

fn of_detection(detection: &Detection, log: Log) -> Vec<Selection> {
    match detection {
        Detection::AllOf(items) => all_of(items.iter().map(|item| vec![of_item(item, log)])),
        Detection::AnyOf(parts) => bounded(parts.iter().flat_map(|part| of_detection(part, log)).collect()),
        Detection::And(parts) => all_of(parts.iter().map(|part| of_detection(part, log))),
        Detection::Keywords(_) | Detection::ArrayMatch { .. } | Detection::Conditional { .. } => anything(),
    }
}

fn of_item(item: &DetectionItem, log: Log) -> Selection {
    let mut selection = Selection::default();
    let capital: fn(&str) -> bool = |text| text.starts_with(|c: char| c.is_uppercase());
    let small: fn(&str) -> bool = |text| !text.contains(|c: char| c.is_uppercase());
    let Some(name) = item.field.name.as_deref() else { return selection };
    let (slot, as_aws_spells) = match (kind_field(log), name) {
        (Some(field), name) if field == name => (&mut selection.kind, capital),
        (Some(_), _) => return selection,
        (None, "eventSource") => (&mut selection.service, small),
        (None, "eventName") => (&mut selection.call, capital),
        (None, "userIdentity.type") => (&mut selection.caller, capital),
        (None, "errorCode") => (&mut selection.error, capital),
        (None, _) => return selection,
    };
    let values =
        item.values.iter().map(|value| text_of(value, &item.field.modifiers, as_aws_spells)).collect::<Option<BTreeSet<Text>>>();
    *slot = values.filter(|values| !values.is_empty());
    selection
}

/// The comparison of one value; `None` where EventBridge has none for it.
fn text_of(value: &SigmaValue, modifiers: &[Modifier], as_aws_spells: fn(&str) -> bool) -> Option<Text> {
    let SigmaValue::String(string) = value else { return None };
    let plain = string.as_plain().filter(|text| !text.is_empty());
    match modifiers {
        [] | [Modifier::Cased] => match plain {
            Some(text) if as_aws_spells(&text) => Some(Text::Exact(text)),
            Some(text) => Some(Text::AnyCase(text)),
            None => wildcard(&string.original, as_aws_spells),
        },
        [Modifier::StartsWith] => plain.filter(|text| as_aws_spells(text)).map(Text::Prefix),
        [Modifier::EndsWith] => plain.map(Text::Suffix),
        _ => None,
    }
}

/// `Text*` and `*text`: one wildcard at one end, and nothing that could be an escape.
fn wildcard(text: &str, as_aws_spells: fn(&str) -> bool) -> Option<Text> {
    let plain = |part: &str| !part.is_empty() && !part.contains(['*', '?', '\\']);
    match (text.strip_suffix('*'), text.strip_prefix('*')) {
        (Some(start), _) if plain(start) && as_aws_spells(start) => Some(Text::Prefix(start.to_owned())),
        (_, Some(end)) if plain(end) => Some(Text::Suffix(end.to_owned())),
        _ => None,
    }
}
