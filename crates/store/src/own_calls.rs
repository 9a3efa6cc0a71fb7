//! Calls that Cordon is about to make for a stored plan, so that their events open no incident.
//!
//! INVARIANT: a call is identified by its account, its action, the parameters that name its target, and its documents, however the
//! plan or the event spells them. The same call with another document is another call.

use std::borrow::Cow;
use std::collections::BTreeSet;

use cordon_core::json::at;
use cordon_core::touched::canonical_selectors;
use cordon_core::{AccountId, Call, Event, EventId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::table::{Condition, Key, Write};
use crate::{Store, StoreError, keys, put};

/// A state has timed out, with all its retries, long before this. CloudTrail's time is the call's, however late it comes.
const ANNOUNCED_FOR: SignedDuration = SignedDuration::from_hours(1);
/// The event of a call may come much later than the call: EventBridge tries for a day, and a queue keeps it for two weeks.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24 * 30);
/// The parameters that name what a call is about.
const NAMING: [&str; 14] = [
    "userName",
    "roleName",
    "groupName",
    "policyArn",
    "policyName",
    "versionId",
    "accessKeyId",
    "status",
    "permissionsBoundary",
    "trailName",
    "name",
    "key",
    "value",
    "setAsDefault",
];
/// Those that are documents: compared by what they say, not by how it is written.
const DOCUMENTS: [&str; 2] = ["policyDocument", "selectors"];

/// A call that is about to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Announced {
    at: Timestamp,
    /// When DynamoDB may delete the item, in Unix seconds.
    expires_at: i64,
}

impl Announced {
    fn now(now: Timestamp) -> Self {
        Self { at: now, expires_at: now.as_second() + KEPT_FOR.as_secs() }
    }

    /// Whether a call of this time is the one that was announced. The same call may have been announced again since, by a retry.
    fn covers(self, made_at: Timestamp) -> bool {
        made_at.duration_since(self.at).abs() <= ANNOUNCED_FOR
    }
}

/// A call that is about to be made in an account.
fn planned_call(account: &AccountId, call: &Call) -> Key {
    let (action, parts) = identity_of_call(call);
    keys::own_call(account, &action, &parts)
}

/// A call that was made.
fn made_call(account: &AccountId, event: &Event) -> Key {
    let (action, parts) = identity_of_event(event);
    keys::own_call(account, &action, &parts)
}

/// The action, the naming parameters and the documents of a planned call.
fn identity_of_call(call: &Call) -> (String, Vec<String>) {
    let named =
        |name: &str| call.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
    (call.action.rsplit(':').next().unwrap_or_default().to_owned(), parts(&named))
}

/// The same of a call that was made.
fn identity_of_event(event: &Event) -> (String, Vec<String>) {
    let asked = at(&event.record, "/requestParameters");
    let named = |name: &str| match name {
        "selectors" => canonical_selectors(asked),
        // A call of ours sets or takes off one tag at a time.
        "key" => only(&asked["tags"]).map_or_else(|| only(&asked["tagKeys"]), |tag| tag.get("key")).and_then(text),
        "value" => only(&asked["tags"]).and_then(|tag| tag.get("value")).and_then(text),
        // CloudTrail leaves out what is false by default.
        "setAsDefault" if event.name == "CreatePolicyVersion" => text(&asked[name]).or_else(|| Some("false".to_owned())),
        _ => asked.get(name).and_then(text),
    };
    let mut parts = parts(&named);
    // More than one tag is none of ours.
    let tags = ["tags", "tagKeys"].into_iter().filter_map(|list| asked[list].as_array()).map(Vec::len).sum::<usize>();
    if tags > 1 {
        parts.push(format!("tags={tags}"));
    }
    (event.name.clone(), parts)
}

fn only(list: &Value) -> Option<&Value> {
    list.as_array().filter(|list| list.len() == 1)?.first()
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(is) => Some(is.to_string()),
        Value::Object(_) => Some(value.to_string()),
        Value::Null | Value::Number(_) | Value::Array(_) => None,
    }
}

fn parts(named: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let names = NAMING.iter().filter_map(|name| Some(format!("{name}={}", named(name)?)));
    let documents = DOCUMENTS.iter().filter_map(|name| Some(format!("{name}={}", hash_of_document(&named(name)?))));
    names.chain(documents).collect()
}

/// The same for every way to write a document.
fn hash_of_document(document: &str) -> String {
    let plain = cordon_core::document::decode(document).map_or_else(|_| document.to_owned(), Cow::into_owned);
    let canonical = serde_json::from_str::<Value>(&plain).map_or(plain, |value| value.to_string());
    EventId::from_content(canonical.as_bytes()).to_string()
}

impl Store<'_> {
    /// Says that these calls are about to be made in an account, so that their events open no incident.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn announce(&self, account: Option<&AccountId>, calls: &[Call], now: Timestamp) -> Result<(), StoreError> {
        let Some(account) = account else { return Ok(()) };
        let announced = Announced::now(now);
        let keys: BTreeSet<Key> = calls.iter().map(|call| planned_call(account, call)).collect();
        let writes: Vec<Write> = keys.into_iter().map(|key| put(key, &announced, Condition::Always)).collect::<Result<_, _>>()?;
        // DynamoDB takes 100 writes in a transaction; a step has far fewer calls.
        if writes.is_empty() { Ok(()) } else { self.write(writes).await }
    }

    /// Whether a step of a stored plan has said within the hour that it would make this call.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_call_announced(&self, account: &AccountId, call: &Call, now: Timestamp) -> Result<bool, StoreError> {
        let announced: Option<Announced> = self.get(&planned_call(account, call)).await?;
        Ok(announced.is_some_and(|announced| announced.covers(now)))
    }

    /// Whether a step of a stored plan had said that it would make the call of this event.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_announced(&self, event: &Event) -> Result<bool, StoreError> {
        let (Some(made_at), Some(account)) = (event.time, &event.account) else { return Ok(false) };
        let announced: Option<Announced> = self.get(&made_call(account, event)).await?;
        Ok(announced.is_some_and(|announced| announced.covers(made_at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn attack_14_a_planned_call_and_its_event_have_one_item_and_another_call_target_or_document_has_another() {
        let event = |name: &str, parameters: Value| {
            let envelope = json!({"source": "aws.iam", "account": "111111111111", "detail": {"recipientAccountId": "111111111111", "eventID": "e", "eventName": name, "eventVersion": "1.11",
                "eventSource": "iam.amazonaws.com", "userIdentity": {"type": "Root"}, "requestParameters": parameters}});
            Event::from_envelope(&envelope, None).unwrap()
        };
        let account: AccountId = "111111111111".parse().unwrap();
        let planned = |call: &Call| planned_call(&account, call);
        let made_call = |event: &Event| made_call(&account, event);
        let call = Call::new("iam:AttachUserPolicy", [("UserName", "u"), ("PolicyArn", "arn:aws:iam::aws:policy/A")]);
        let made = |policy: &str| event("AttachUserPolicy", json!({"userName": "u", "policyArn": policy}));
        assert_eq!(planned(&call), made_call(&made("arn:aws:iam::aws:policy/A")));
        assert_ne!(planned(&call), made_call(&made("arn:aws:iam::aws:policy/B")));
        let detach = Call { action: "iam:DetachUserPolicy".to_owned(), ..call.clone() };
        assert_ne!(planned(&detach), planned(&call));
        let put = Call::new("iam:PutUserPolicy", [("UserName", "u"), ("PolicyName", "p"), ("PolicyDocument", "{ }")]);
        let written = event("PutUserPolicy", json!({"userName": "u", "policyName": "p", "policyDocument": "{}"}));
        let other = event("PutUserPolicy", json!({"userName": "u", "policyName": "p", "policyDocument": "{\"Statement\":[]}"}));
        assert_ne!(planned(&put), made_call(&other));
        let elsewhere: AccountId = "222222222222".parse().unwrap();
        assert_ne!(planned(&put), super::made_call(&elsewhere, &written));
        let tag = Call::new("iam:TagUser", [("UserName", "u"), ("Key", "k"), ("Value", "v")]);
        let tagged = |tags: Value| made_call(&event("TagUser", json!({"userName": "u", "tags": tags})));
        assert_eq!(planned(&tag), tagged(json!([{"key": "k", "value": "v"}])));
        assert_ne!(planned(&tag), tagged(json!([{"key": "k", "value": "w"}])));
        assert_ne!(planned(&tag), tagged(json!([{"key": "k", "value": "v"}, {"key": "l", "value": "v"}])));
        let untag = Call::new("iam:UntagUser", [("UserName", "u"), ("Key", "k")]);
        assert_eq!(planned(&untag), made_call(&event("UntagUser", json!({"userName": "u", "tagKeys": ["k"]}))));
        assert_ne!(planned(&untag), made_call(&event("UntagUser", json!({"userName": "u", "tagKeys": ["k", "l"]}))));
        let back =
            Call::new("iam:CreatePolicyVersion", [("PolicyArn", "p"), ("PolicyDocument", "{}"), ("SetAsDefault", "false")]);
        let version = |default: Value| {
            made_call(&event("CreatePolicyVersion", json!({"policyArn": "p", "policyDocument": "{}", "setAsDefault": default})))
        };
        assert_eq!((planned(&back), planned(&back)), (version(json!(false)), version(json!(null))));
        assert_ne!(planned(&back), version(json!(true)));
        assert_eq!(planned(&put), made_call(&written));
    }

    #[test]
    fn an_announcement_covers_the_call_of_that_hour_and_none_of_tomorrow() {
        let at: Timestamp = "2026-01-02T03:00:00Z".parse().unwrap();
        let announced = Announced::now(at);
        assert!(announced.covers(at) && announced.covers("2026-01-02T03:20:00Z".parse().unwrap()));
        assert!(announced.covers("2026-01-02T02:50:00Z".parse().unwrap()), "announced again by a retry");
        assert!(!announced.covers("2026-01-02T01:50:00Z".parse().unwrap()));
        assert!(!announced.covers("2026-01-03T03:00:00Z".parse().unwrap()));
    }
}
