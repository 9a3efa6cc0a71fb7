//! The facts that the remedies need of an event, read from its record once and in this one place.
//!
//! Every field is somebody else's text: it names what is looked up, and never says what is true of it now. What is missing, of
//! another type or too long is `None`, never a guess.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::Event;
use crate::fingerprint::Fingerprint;
use crate::json::at;
use crate::redact;

/// The state before the event, as an earlier event set it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    /// `None`: it is known that there was nothing.
    #[serde(default)]
    pub value: Option<String>,
    /// The ARN of the principal who set it, or how the actor is shown where there is none.
    pub by: String,
    /// When.
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// The id of the event that set it.
    pub event: String,
}

/// A state that stood before the event, or that somebody had made ready, and that is never gone back to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedFormer {
    /// The version of a managed policy; `None` for a document or anything else that is long.
    #[serde(default)]
    pub value: Option<String>,
    /// Why it is not gone back to, in a clause that names who set it: `... set it at ..., and ...`.
    pub why: String,
}

/// The names, values and things that the event named, set and made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Touched {
    /// Of an inline policy.
    pub policy_name: Option<String>,
    /// The policy or trust policy that was set, as JSON text.
    pub document: Option<String>,
    /// The version of a managed policy that was made or chosen.
    pub version_id: Option<String>,
    /// The access key that was made or changed.
    pub access_key_id: Option<String>,
    /// The group that a user was put into or taken out of.
    pub group: Option<String>,
    /// The permissions boundary that was set.
    pub boundary_arn: Option<String>,
    /// The trail of CloudTrail that was changed.
    pub trail_arn: Option<String>,
    /// The event selectors that were set on the trail, as CloudTrail's JSON.
    pub selectors: Option<String>,
    /// Tags that were set, with their values.
    pub tags_set: BTreeMap<String, String>,
    /// Keys of tags that were taken off.
    pub tags_removed: Vec<String>,
    /// `AIDA…`, `AROA…` of the user or role that was made.
    pub created_id: Option<String>,
    /// The statements of `document`, counted from 0, that let somebody outside of the account in. Found by policy analysis.
    pub outside_statements: Vec<usize>,
    /// The state to go back to: the newest one before the event that can be trusted.
    pub former: Option<Former>,
    /// What the call did and to what. `None` in incidents of older versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// The newer states than that, which cannot.
    pub former_refused: Vec<RefusedFormer>,
}

impl Touched {
    /// IAM's longest document is an inline policy of 10,240 characters without white space.
    const DOCUMENT_MAX_BYTES: usize = 24_000;
    const TEXT_MAX_BYTES: usize = 1_024;
    const TAGS_MAX: usize = 50;

    /// Reads what a call names and answers.
    #[must_use]
    pub fn from_event(event: &Event) -> Self {
        let parameters = at(&event.record, "/requestParameters");
        let response = at(&event.record, "/responseElements");
        let asked = |key: &str| text(&parameters[key]);
        let first = |values: [&Value; 2]| values.into_iter().find_map(text);
        Self {
            policy_name: asked("policyName"),
            document: document(&parameters["policyDocument"]).or_else(|| document(&parameters["assumeRolePolicyDocument"])),
            version_id: first([&parameters["versionId"], at(response, "/policyVersion/versionId")]),
            access_key_id: first([&parameters["accessKeyId"], at(response, "/accessKey/accessKeyId")]),
            group: asked("groupName"),
            boundary_arn: asked("permissionsBoundary"),
            trail_arn: trail_arn(event),
            selectors: selectors(parameters),
            tags_set: tags(&parameters["tags"]),
            tags_removed: list(&parameters["tagKeys"]),
            created_id: first([at(response, "/user/userId"), at(response, "/role/roleId")]),
            outside_statements: Vec::new(),
            former: None,
            fingerprint: Some(Fingerprint::of(event)),
            former_refused: Vec::new(),
        }
    }
}

impl Touched {
    /// Cuts what looks like a secret, once nothing needs the exact values any more: the remedies compare a document without its
    /// secrets ([`redact::document`]), and what a former state is restored from is kept elsewhere.
    pub fn cut_secrets(&mut self) {
        let cut = |text: &mut Option<String>| *text = text.take().map(|text| redact::document(&text));
        cut(&mut self.document);
        cut(&mut self.selectors);
        for (key, value) in &mut self.tags_set {
            *value = redact::tag(key, value);
        }
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty() && text.len() <= Touched::TEXT_MAX_BYTES).map(str::to_owned)
}

fn list(values: &Value) -> Vec<String> {
    values.as_array().map(|values| values.iter().take(Touched::TAGS_MAX).filter_map(text).collect()).unwrap_or_default()
}

fn tags(tags: &Value) -> BTreeMap<String, String> {
    let pair = |tag: &Value| Some((text(&tag["key"])?, tag["value"].as_str()?.to_owned()));
    tags.as_array().map(|tags| tags.iter().take(Touched::TAGS_MAX).filter_map(pair).collect()).unwrap_or_default()
}

/// CloudTrail gives a document as JSON in a string, sometimes percent-encoded as IAM returns it, rarely as an object.
fn document(value: &Value) -> Option<String> {
    let plain = match value {
        Value::String(text) => crate::document::decode(text).ok()?.into_owned(),
        // CloudTrail left this one field out.
        Value::Object(fields) if fields.get("omitted").is_some_and(|omitted| *omitted == Value::Bool(true)) => return None,
        Value::Object(_) => value.to_string(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => return None,
    };
    let value = serde_json::from_str::<Value>(&plain).ok().filter(Value::is_object)?;
    // White space carries no meaning, and a caller can add a hundred kilobytes of it.
    let kept = if plain.len() <= Touched::DOCUMENT_MAX_BYTES { plain } else { value.to_string() };
    (kept.len() <= Touched::DOCUMENT_MAX_BYTES).then_some(kept)
}

/// CloudTrail's calls take a trail's name or its ARN.
fn trail_arn(event: &Event) -> Option<String> {
    if event.service != "cloudtrail.amazonaws.com" {
        return None;
    }
    let parameters = at(&event.record, "/requestParameters");
    let name = text(&parameters["name"]).or_else(|| text(&parameters["trailName"]))?;
    if name.starts_with("arn:") {
        return Some(name);
    }
    Some(format!("arn:aws:cloudtrail:{}:{}:trail/{name}", event.region.as_deref()?, event.account.as_ref()?))
}

fn selectors(parameters: &Value) -> Option<String> {
    let chosen = canonical_selectors(parameters)?;
    (chosen.len() <= Touched::DOCUMENT_MAX_BYTES).then_some(chosen)
}

/// The event selectors of a record or an answer, with CloudTrail's defaults and without what is empty, so that the same selectors
/// are the same JSON. `None` where there are none.
#[must_use]
pub fn canonical_selectors(value: &Value) -> Option<String> {
    let key = ["advancedEventSelectors", "eventSelectors"]
        .into_iter()
        .find(|key| value[*key].as_array().is_some_and(|selectors| !selectors.is_empty()))?;
    let mut selectors: Vec<Value> = value[key].as_array()?.iter().map(without_empty).collect();
    if key == "eventSelectors" {
        for selector in selectors.iter_mut().filter_map(Value::as_object_mut) {
            selector.entry("readWriteType").or_insert_with(|| "All".into());
            selector.entry("includeManagementEvents").or_insert(Value::Bool(true));
        }
    }
    Some(serde_json::json!({ key: selectors }).to_string())
}

fn without_empty(value: &Value) -> Value {
    let is_empty = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    match value {
        Value::Object(fields) => {
            fields.iter().filter(|(_, value)| !is_empty(value)).map(|(key, value)| (key.clone(), without_empty(value))).collect()
        }
        Value::Array(values) => values.iter().map(without_empty).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn touched(service: &str, parameters: Value, response: Value) -> Touched {
        let record = json!({"eventID": "e", "eventName": "X", "eventSource": service, "awsRegion": "eu-west-1", "recipientAccountId": "111111111111",
            "userIdentity": {}, "requestParameters": parameters, "responseElements": response});
        Touched::from_event(&Event::from_envelope(&json!({"source": "aws.iam", "detail": record}), None).unwrap())
    }

    fn iam(parameters: Value, response: Value) -> Touched {
        touched("iam.amazonaws.com", parameters, response)
    }

    #[test]
    fn what_a_call_made_is_in_its_response_and_what_it_named_in_its_request() {
        let made = iam(json!({"userName": "bob"}), json!({"accessKey": {"accessKeyId": "AKIA1"}}));
        assert_eq!(made.access_key_id.as_deref(), Some("AKIA1"));
        assert_eq!(iam(json!({"accessKeyId": "AKIA2"}), Value::Null).access_key_id.as_deref(), Some("AKIA2"));
        let version = json!({"policyVersion": {"versionId": "v4"}});
        assert_eq!(iam(json!({"policyArn": "p"}), version).version_id.as_deref(), Some("v4"));
        assert_eq!(iam(json!({"versionId": "v1"}), Value::Null).version_id.as_deref(), Some("v1"));
        assert_eq!(iam(json!({}), json!({"role": {"roleId": "AROA1"}})).created_id.as_deref(), Some("AROA1"));
    }

    #[test]
    fn documents_are_read_plain_and_encoded_and_nothing_else_is_one() {
        let plain = "{\"Statement\": [\"a%2Fb\"]}";
        assert_eq!(iam(json!({"policyDocument": plain}), Value::Null).document.as_deref(), Some(plain));
        assert_eq!(
            iam(json!({"assumeRolePolicyDocument": "%7B%22a%22%3A1%7D"}), Value::Null).document.as_deref(),
            Some("{\"a\":1}")
        );
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(30_000));
        for none in [json!("text"), json!("%7"), json!("%zz"), json!("[]"), json!(7), json!(long)] {
            assert_eq!(iam(json!({"policyDocument": none}), Value::Null).document, None, "{none}");
        }
    }

    #[test]
    fn attack_9_white_space_does_not_drop_a_document() {
        let padded = format!("{{\"Statement\":{}[]}}", " ".repeat(90_000));
        let kept = iam(json!({"policyDocument": padded}), Value::Null).document;
        assert_eq!(kept.as_deref(), Some("{\"Statement\":[]}"));
        assert_eq!(iam(json!({"policyDocument": {"omitted": true, "originalSize": 120_000}}), Value::Null).document, None);
    }

    #[test]
    fn tags_are_those_that_were_set_and_those_that_were_removed() {
        let set = iam(json!({"tags": [{"key": "a", "value": ""}, {"key": 1}, {"value": "b"}]}), Value::Null);
        assert_eq!(set.tags_set, BTreeMap::from([("a".to_owned(), String::new())]));
        assert_eq!(iam(json!({"tagKeys": ["a", 2]}), Value::Null).tags_removed, ["a"]);
    }

    #[test]
    fn a_trail_is_known_by_its_arn_also_where_it_was_only_named() {
        let check = |service: &str, parameters: Value, expected: Option<&str>| {
            assert_eq!(touched(service, parameters, Value::Null).trail_arn.as_deref(), expected);
        };
        let arn = "arn:aws:cloudtrail:eu-west-1:111111111111:trail/t";
        check("cloudtrail.amazonaws.com", json!({"name": "t"}), Some(arn));
        check("cloudtrail.amazonaws.com", json!({"trailName": "t"}), Some(arn));
        check("cloudtrail.amazonaws.com", json!({"name": arn}), Some(arn));
        check("iam.amazonaws.com", json!({"name": "t"}), None);
    }

    #[test]
    fn the_same_selectors_are_the_same_text_however_they_are_written() {
        let selectors = |parameters: Value| touched("cloudtrail.amazonaws.com", parameters, Value::Null).selectors;
        let short = selectors(json!({"trailName": "t", "eventSelectors": [{"includeManagementEvents": false}]}));
        let long = selectors(
            json!({"eventSelectors": [{"dataResources": [], "includeManagementEvents": false, "readWriteType": "All"}]}),
        );
        assert_eq!(short.as_deref(), Some(r#"{"eventSelectors":[{"includeManagementEvents":false,"readWriteType":"All"}]}"#));
        assert_eq!(short, long);
        assert_eq!(selectors(json!({"eventSelectors": []})), None);
        let advanced = json!({"advancedEventSelectors": [{"name": "a", "fieldSelectors": [{"field": "eventCategory", "equals": ["Management"], "notEquals": []}]}]});
        assert!(!selectors(advanced).unwrap().contains("notEquals"));
    }

    #[test]
    fn a_header_of_before_still_decodes() {
        assert_eq!(serde_json::from_str::<Touched>("{}").unwrap(), Touched::default());
    }
}
