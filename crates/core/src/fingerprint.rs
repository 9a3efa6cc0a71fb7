//! What a call did and to what, as a short text: two calls with the same fingerprint did the same to the same thing, so that what
//! undoes the one undoes the other.
//!
//! INVARIANT: when in doubt, two calls differ. Then the second one opens an incident of its own, which costs a question; calls that
//! are taken for the same would leave the second one's effect behind. So a name is compared without regard to case only where IAM
//! is known to do so, and a text is compared whole, however long it is.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::event::Event;
use crate::json::{at, set};
use crate::timeline::canonical;

/// Two texts of different precision.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Fingerprint {
    /// The call, whether it was refused, and the things and values that a remedy could be about.
    pub effect: String,
    /// The same with every other parameter of the request.
    pub request: String,
}

/// The parameters that name a thing which a remedy could be about, or a value that it is set to.
const TOUCHED: [&str; 24] = [
    "accessKeyId",
    "assumeRolePolicyDocument",
    "certificateId",
    "groupName",
    "instanceProfileName",
    "name",
    "newGroupName",
    "newPath",
    "newUserName",
    "permissionsBoundary",
    "policyArn",
    "policyDocument",
    "policyName",
    "roleName",
    "serialNumber",
    "serviceName",
    "serviceSpecificCredentialId",
    "setAsDefault",
    "sSHPublicKeyId",
    "status",
    "tagKeys",
    "tags",
    "trailName",
    "userName",
];

/// The names that IAM finds in any case of letters. An inline policy's is not among them: nothing says that it is.
const IN_ANY_CASE: [&str; 6] = ["groupName", "instanceProfileName", "permissionsBoundary", "policyArn", "roleName", "userName"];

/// The parameters that differ from call to call and change nothing.
const NOISE: [&str; 4] = ["clientRequestToken", "clientToken", "idempotencyToken", "roleSessionName"];

impl Fingerprint {
    /// Of an event.
    #[must_use]
    pub fn of(event: &Event) -> Self {
        let parameters = at(&event.record, "/requestParameters");
        let (all, touched) = match parameters.as_object() {
            Some(parameters) => {
                let is_iam = event.service == "iam.amazonaws.com";
                let all: Map<String, Value> = parameters
                    .iter()
                    .filter(|(key, _)| !NOISE.contains(&key.as_str()))
                    .map(|(key, value)| (key.clone(), spelt(key, value, is_iam)))
                    .collect();
                let is_touched = |key: &str| TOUCHED.contains(&key);
                let touched: Map<String, Value> =
                    all.iter().filter(|(key, _)| is_touched(key)).map(|(key, value)| (key.clone(), value.clone())).collect();
                (Value::Object(all), Value::Object(touched))
            }
            None => (parameters.clone(), Value::Null),
        };
        let made = made(event);
        // Of two calls whose parameters CloudTrail left out, nothing says that they did the same.
        let is_left_out = |value: &Value| *at(value, "/omitted") == Value::Bool(true);
        let left_out = is_left_out(parameters) || parameters.as_object().is_some_and(|all| all.values().any(is_left_out));
        let unknown = left_out.then(|| event.id.to_string());
        let whole = |parameters: &Value| {
            let mut whole = json!({
                "service": event.service, "name": event.name, "refused": event.error_code.is_some(), "trusted": event.origin.may_enforce(),
                "version": at(&event.record, "/requestParameters/versionId"), "selectors": selectors(&event.record),
                "parameters": parameters, "made": made,
            });
            if let Some(event) = &unknown {
                set(&mut whole, "unknown", json!(event));
            }
            digest(&whole)
        };
        Self { effect: whole(&touched), request: whole(&all) }
    }
}

/// What the call made: each time another thing, so that two such calls are never the same. The answer says which thing; where
/// there is no answer, nothing tells the two apart but that they are two events.
fn made(event: &Event) -> Value {
    let makes = ["Create", "Upload", "Generate", "Import", "Issue"].iter().any(|verb| event.name.starts_with(verb));
    if !makes || event.error_code.is_some() {
        return Value::Null;
    }
    match at(&event.record, "/responseElements") {
        Value::Null => json!(event.id),
        response => response.clone(),
    }
}

/// CloudTrail's event selectors; null in every other call.
fn selectors(record: &Value) -> Value {
    let of = |key: &str| at(record, "/requestParameters")[key].clone();
    json!([of("eventSelectors"), of("advancedEventSelectors")])
}

/// A value as IAM compares it.
fn spelt(key: &str, value: &Value, is_iam: bool) -> Value {
    match value.as_str() {
        Some(text) if is_iam && IN_ANY_CASE.contains(&key) => Value::String(match text.rsplit_once('/') {
            Some((path, name)) => format!("{path}/{}", name.to_ascii_lowercase()),
            None => text.to_ascii_lowercase(),
        }),
        Some(_) | None => value.clone(),
    }
}

fn digest(value: &Value) -> String {
    let mut content = String::new();
    canonical(value, &mut content);
    hex::encode(Sha256::digest(content.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivered(source: &str, record: Value) -> Value {
        json!({"source": source, "detail-type": "AWS API Call via CloudTrail", "account": "111111111111", "detail": record})
    }

    fn of(name: &str, parameters: Value, change: fn(&mut Value)) -> Fingerprint {
        let mut record = json!({"eventID": "e", "eventName": name, "eventSource": "iam.amazonaws.com", "userIdentity": {},
            "recipientAccountId": "111111111111", "requestParameters": parameters});
        change(&mut record);
        Fingerprint::of(&Event::from_envelope(&delivered("aws.iam", record), None).unwrap())
    }

    fn same(name: &str, a: Value, b: Value) -> bool {
        of(name, a, |_| {}).effect == of(name, b, |_| {}).effect
    }

    #[test]
    fn every_difference_in_what_was_touched_or_set_makes_another_fingerprint() {
        let base = || json!({"roleName": "r", "policyName": "p", "policyDocument": "{}"});
        for (key, value) in [
            ("roleName", json!("r2")),
            ("policyName", json!("p2")),
            ("policyName", json!("P")),
            ("policyDocument", json!("{ }")),
            ("policyDocument", json!("x".repeat(90_000))),
            ("tags", json!([{"key": "a", "value": "b"}])),
            ("versionId", json!("v2")),
            ("status", json!("Active")),
        ] {
            let mut other = base();
            other[key] = value;
            assert!(!same("PutRolePolicy", base(), other), "{key}");
        }
        assert!(same("PutRolePolicy", base(), base()));
        let long = |tail: &str| json!({"policyDocument": format!("{}{tail}", "x".repeat(90_000))});
        assert!(!same("PutRolePolicy", long("a"), long("b")), "a long document is compared to its end");
    }

    #[test]
    fn a_refused_call_did_not_do_what_a_granted_one_did_nor_a_forged_one_what_a_true_one_did() {
        let granted = of("CreateUser", json!({"userName": "u"}), |_| {});
        let refused = of("CreateUser", json!({"userName": "u"}), |record| record["errorCode"] = json!("AccessDenied"));
        assert_ne!(granted.effect, refused.effect);
        let made = of("CreateAccessKey", json!({"userName": "u"}), |record| {
            record["responseElements"] = json!({"accessKey": {"accessKeyId": "AKIA1"}});
        });
        assert_ne!(made.effect, of("CreateAccessKey", json!({"userName": "u"}), |_| {}).effect);
        let record = json!({"eventID": "e", "eventName": "CreateUser", "eventSource": "iam.amazonaws.com", "userIdentity": {},
            "recipientAccountId": "111111111111", "requestParameters": {"userName": "u"}});
        let forged = Event::from_envelope(&delivered("somebody", record), None).unwrap();
        assert_ne!(granted.effect, Fingerprint::of(&forged).effect);
    }

    #[test]
    fn two_calls_that_make_something_are_never_the_same() {
        let key = |event: &'static str, answer: Value| {
            let record = json!({"eventID": event, "eventName": "CreateAccessKey", "eventSource": "iam.amazonaws.com",
                "userIdentity": {}, "recipientAccountId": "111111111111", "requestParameters": {"userName": "u"},
                "responseElements": answer});
            Fingerprint::of(&Event::from_envelope(&delivered("aws.iam", record), None).unwrap())
        };
        let made = |id: &str| json!({"accessKey": {"accessKeyId": id}});
        assert_ne!(key("a", made("AKIA1")).effect, key("b", made("AKIA2")).effect);
        assert_ne!(key("a", Value::Null).effect, key("b", Value::Null).effect, "CloudTrail left the answer out");
        assert_eq!(key("a", made("AKIA1")), key("a", made("AKIA1")));
    }

    #[test]
    fn names_are_the_same_in_any_case_where_iam_finds_them_so() {
        assert!(same(
            "AddUserToGroup",
            json!({"userName": "Bob", "groupName": "ADMINS"}),
            json!({"userName": "bob", "groupName": "Admins"})
        ));
        let policy = |arn: &str| json!({"userName": "u", "policyArn": arn});
        assert!(same("AttachUserPolicy", policy("arn:aws:iam::aws:policy/Admin"), policy("arn:aws:iam::aws:policy/ADMIN")));
        assert!(
            !same("AttachUserPolicy", policy("arn:aws:iam::1:policy/a/P"), policy("arn:aws:iam::1:policy/A/P")),
            "a path is not a name"
        );
    }

    #[test]
    fn the_request_as_a_whole_counts_every_parameter_but_what_only_numbers_the_call() {
        let of = |parameters: Value| of("X", parameters, |_| {});
        let (one, other) = (of(json!({"colour": 1, "clientToken": "a"})), of(json!({"colour": 2, "clientToken": "a"})));
        assert_eq!(one.effect, other.effect);
        assert_ne!(one.request, other.request);
        assert_eq!(one, of(json!({"clientToken": "b", "colour": 1})));
    }
}
