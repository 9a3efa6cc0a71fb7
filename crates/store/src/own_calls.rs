//! Calls that an undo is about to make, so that their events open no incident.
//!
//! A call is identified by its action and by the parameters that name its target, however the plan or the event spells them.

use std::collections::BTreeSet;

use cordon_core::json::at;
use cordon_core::{Call, Event};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::table::{Condition, Key, Write};
use crate::{Store, StoreError, keys, put};

/// An undo is over, or its state has timed out, long before this. CloudTrail's time is the call's, however late it comes.
const ANNOUNCED_FOR: SignedDuration = SignedDuration::from_hours(1);
/// The parameters that name what a call is about. Documents are left out: they are the snapshot's, and long.
const NAMING: [&str; 10] = [
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
];

/// A call that an undo is about to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Announced {
    at: Timestamp,
    /// When DynamoDB may delete the item, in Unix seconds.
    expires_at: i64,
}

impl Announced {
    fn now(now: Timestamp) -> Self {
        Self { at: now, expires_at: now.as_second() + 2 * ANNOUNCED_FOR.as_secs() }
    }

    /// Whether a call of this time is the one that was announced. Clocks may differ by a minute.
    fn covers(self, made_at: Timestamp) -> bool {
        let since = made_at.duration_since(self.at);
        since >= -SignedDuration::from_mins(1) && since <= ANNOUNCED_FOR
    }
}

/// The action and the naming parameters of a planned call.
pub(crate) fn identity_of_call(call: &Call) -> (String, Vec<String>) {
    let named =
        |name: &str| call.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
    (call.action.rsplit(':').next().unwrap_or_default().to_owned(), naming(named))
}

/// The same of a call that was made.
pub(crate) fn identity_of_event(event: &Event) -> (String, Vec<String>) {
    let asked = at(&event.record, "/requestParameters");
    (event.name.clone(), naming(|name| asked.get(name).and_then(Value::as_str).map(str::to_owned)))
}

fn naming(named: impl Fn(&str) -> Option<String>) -> Vec<String> {
    NAMING.iter().filter_map(|name| named(name).map(|value| format!("{name}={value}"))).collect()
}

impl Store<'_> {
    /// Says that an undo is about to make these calls, so that their events open no incident.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn announce(&self, calls: impl Iterator<Item = &Call> + Send, now: Timestamp) -> Result<(), StoreError> {
        let announced = Announced::now(now);
        let keys: BTreeSet<Key> = calls.map(keys::planned_call).collect();
        let writes: Vec<Write> = keys.into_iter().map(|key| put(key, &announced, Condition::Always)).collect::<Result<_, _>>()?;
        // DynamoDB takes 100 writes in a transaction; a plan has far fewer calls.
        if writes.is_empty() { Ok(()) } else { self.write(writes).await }
    }

    /// Whether an undo had said that it would make this call.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn is_announced(&self, event: &Event) -> Result<bool, StoreError> {
        let Some(made_at) = event.time else { return Ok(false) };
        let announced: Option<Announced> = self.get(&keys::made_call(event)).await?;
        Ok(announced.is_some_and(|announced| announced.covers(made_at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_planned_call_and_its_event_have_one_item_and_another_call_has_another() {
        let event = |name: &str, parameters: Value| {
            let envelope = json!({"source": "aws.iam", "detail": {"eventID": "e", "eventName": name, "eventVersion": "1.11",
                "eventSource": "iam.amazonaws.com", "userIdentity": {"type": "Root"}, "requestParameters": parameters}});
            Event::from_envelope(&envelope, None).unwrap()
        };
        let call = Call::new("iam:AttachUserPolicy", [("UserName", "u"), ("PolicyArn", "arn:aws:iam::aws:policy/A")]);
        let made = |policy: &str| event("AttachUserPolicy", json!({"userName": "u", "policyArn": policy}));
        assert_eq!(keys::planned_call(&call), keys::made_call(&made("arn:aws:iam::aws:policy/A")));
        assert_ne!(keys::planned_call(&call), keys::made_call(&made("arn:aws:iam::aws:policy/B")));
        let detach = Call { action: "iam:DetachUserPolicy".to_owned(), ..call.clone() };
        assert_ne!(keys::planned_call(&detach), keys::planned_call(&call));
        let put = Call::new("iam:PutUserPolicy", [("UserName", "u"), ("PolicyName", "p"), ("PolicyDocument", "{ }")]);
        let written = event("PutUserPolicy", json!({"userName": "u", "policyName": "p", "policyDocument": "{}"}));
        assert_eq!(keys::planned_call(&put), keys::made_call(&written));
    }

    #[test]
    fn an_announcement_covers_the_call_that_follows_and_none_of_tomorrow() {
        let at: Timestamp = "2026-01-02T03:00:00Z".parse().unwrap();
        let announced = Announced::now(at);
        assert!(announced.covers(at) && announced.covers("2026-01-02T03:20:00Z".parse().unwrap()));
        assert!(!announced.covers("2026-01-02T02:50:00Z".parse().unwrap()));
        assert!(!announced.covers("2026-01-03T03:00:00Z".parse().unwrap()));
    }
}
