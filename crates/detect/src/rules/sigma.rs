//! The part of a Sigma rule that decides a match, and its form in packed rules.
//!
//! `rsigma-parser` writes its types but does not read them back, so these mirror them. Nothing is matched by `_`: a kind of
//! detection that only a newer parser knows does not compile here, rather than being left out of what is deployed.

use std::collections::{BTreeMap, HashMap};

use rsigma_parser::{
    ArrayQuantifier, ConditionExpr, Detection, DetectionItem, Detections, FieldSpec, LogSource, Modifier, SigmaRule, SigmaString,
    SigmaValue,
};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// The rule without what people know it by, which is in [`super::About`].
pub(super) fn bare(logsource: LogSource, detection: Detections, sigma_version: Option<u32>) -> SigmaRule {
    SigmaRule {
        title: String::new(),
        logsource,
        detection: Detections { condition_strings: Vec::new(), timeframe: None, ..detection },
        sigma_version,
        id: None,
        name: None,
        related: Vec::new(),
        taxonomy: None,
        status: None,
        description: None,
        license: None,
        author: None,
        references: Vec::new(),
        date: None,
        modified: None,
        fields: Vec::new(),
        falsepositives: Vec::new(),
        level: None,
        tags: Vec::new(),
        scope: Vec::new(),
        custom_attributes: HashMap::new(),
    }
}

/// What a rule looks for. Names are in order, so that the same rule is packed into the same bytes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PackedSigma {
    logsource: PackedSource,
    sigma_version: Option<u32>,
    named: BTreeMap<String, PackedDetection>,
    conditions: Vec<ConditionExpr>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PackedSource {
    category: Option<String>,
    product: Option<String>,
    service: Option<String>,
    definition: Option<String>,
    custom: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
enum PackedDetection {
    AllOf(Vec<PackedItem>),
    AnyOf(Vec<Self>),
    Keywords(Vec<PackedValue>),
    ArrayMatch { field: String, quantifier: ArrayQuantifier, body: Box<Self> },
    And(Vec<Self>),
    Conditional { named: BTreeMap<String, Self>, condition: ConditionExpr },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PackedItem {
    field: Option<String>,
    modifiers: Vec<PackedModifier>,
    values: Vec<PackedValue>,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(transparent)]
struct PackedModifier(Modifier);

impl<'de> Deserialize<'de> for PackedModifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map(Self).map_err(|()| D::Error::custom(format!("`{name}` is no modifier")))
    }
}

#[derive(Debug, Serialize, Deserialize)]
enum PackedValue {
    /// With `*`, `?` and `\` as Sigma means them.
    Text(String),
    /// As it stands: a regular expression.
    Raw(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    Null,
}

impl From<&SigmaRule> for PackedSigma {
    fn from(rule: &SigmaRule) -> Self {
        let LogSource { category, product, service, definition, custom } = rule.logsource.clone();
        let logsource = PackedSource { category, product, service, definition, custom: custom.into_iter().collect() };
        Self {
            logsource,
            sigma_version: rule.sigma_version,
            named: pack_named(&rule.detection.named),
            conditions: rule.detection.conditions.clone(),
        }
    }
}

impl From<PackedSigma> for SigmaRule {
    fn from(packed: PackedSigma) -> Self {
        let PackedSource { category, product, service, definition, custom } = packed.logsource;
        let logsource = LogSource { category, product, service, definition, custom: custom.into_iter().collect() };
        let detection = Detections {
            named: unpack_named(packed.named),
            conditions: packed.conditions,
            condition_strings: Vec::new(),
            timeframe: None,
        };
        bare(logsource, detection, packed.sigma_version)
    }
}

fn pack_named(named: &HashMap<String, Detection>) -> BTreeMap<String, PackedDetection> {
    named.iter().map(|(name, detection)| (name.clone(), detection.into())).collect()
}

fn unpack_named(named: BTreeMap<String, PackedDetection>) -> HashMap<String, Detection> {
    named.into_iter().map(|(name, detection)| (name, detection.into())).collect()
}

impl From<&Detection> for PackedDetection {
    fn from(detection: &Detection) -> Self {
        match detection {
            Detection::AllOf(items) => Self::AllOf(items.iter().map(Into::into).collect()),
            Detection::AnyOf(parts) => Self::AnyOf(parts.iter().map(Into::into).collect()),
            Detection::Keywords(values) => Self::Keywords(values.iter().map(Into::into).collect()),
            Detection::ArrayMatch { field, quantifier, body } => {
                Self::ArrayMatch { field: field.clone(), quantifier: *quantifier, body: Box::new(body.as_ref().into()) }
            }
            Detection::And(parts) => Self::And(parts.iter().map(Into::into).collect()),
            Detection::Conditional { named, condition } => {
                Self::Conditional { named: pack_named(named), condition: condition.clone() }
            }
        }
    }
}

impl From<PackedDetection> for Detection {
    fn from(packed: PackedDetection) -> Self {
        match packed {
            PackedDetection::AllOf(items) => Self::AllOf(items.into_iter().map(Into::into).collect()),
            PackedDetection::AnyOf(parts) => Self::AnyOf(parts.into_iter().map(Into::into).collect()),
            PackedDetection::Keywords(values) => Self::Keywords(values.into_iter().map(Into::into).collect()),
            PackedDetection::ArrayMatch { field, quantifier, body } => {
                Self::ArrayMatch { field, quantifier, body: Box::new((*body).into()) }
            }
            PackedDetection::And(parts) => Self::And(parts.into_iter().map(Into::into).collect()),
            PackedDetection::Conditional { named, condition } => Self::Conditional { named: unpack_named(named), condition },
        }
    }
}

impl From<&DetectionItem> for PackedItem {
    fn from(item: &DetectionItem) -> Self {
        Self {
            field: item.field.name.clone(),
            modifiers: item.field.modifiers.iter().copied().map(PackedModifier).collect(),
            values: item.values.iter().map(Into::into).collect(),
        }
    }
}

impl From<PackedItem> for DetectionItem {
    fn from(packed: PackedItem) -> Self {
        let modifiers = packed.modifiers.into_iter().map(|PackedModifier(modifier)| modifier).collect();
        Self { field: FieldSpec::new(packed.field, modifiers), values: packed.values.into_iter().map(Into::into).collect() }
    }
}

impl From<&SigmaValue> for PackedValue {
    fn from(value: &SigmaValue) -> Self {
        match value {
            SigmaValue::String(text) if *text == SigmaString::new(&text.original) => Self::Text(text.original.clone()),
            SigmaValue::String(text) => Self::Raw(text.original.clone()),
            SigmaValue::Integer(number) => Self::Integer(*number),
            SigmaValue::Float(number) => Self::Float(*number),
            SigmaValue::Bool(truth) => Self::Bool(*truth),
            SigmaValue::Null => Self::Null,
        }
    }
}

impl From<PackedValue> for SigmaValue {
    fn from(packed: PackedValue) -> Self {
        match packed {
            PackedValue::Text(text) => Self::String(SigmaString::new(&text)),
            PackedValue::Raw(text) => Self::from_raw_string(&text),
            PackedValue::Integer(number) => Self::Integer(number),
            PackedValue::Float(number) => Self::Float(number),
            PackedValue::Bool(truth) => Self::Bool(truth),
            PackedValue::Null => Self::Null,
        }
    }
}
