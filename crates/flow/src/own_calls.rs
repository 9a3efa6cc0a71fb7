//! Which calls are Cordon's own answer to an incident, so that no incident is opened about them.
//!
//! A call counts only where one of Cordon's own roles made it, which the caller of this module checks. What a remedy does is told
//! from the call itself. What takes a remedy back looks like an attack (it attaches the policy again), so it counts only where an
//! undo that was about to make this very call had said so in the table: whoever takes over Cordon's role is seen all the same.

use cordon_core::Call;
use cordon_core::event::Event;
use cordon_core::json::at;
use cordon_respond::deny;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ports::Key;

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
pub(crate) struct Announced {
    pub at: Timestamp,
    /// When DynamoDB may delete the item, in Unix seconds.
    pub expires_at: i64,
}

impl Announced {
    pub fn now(now: Timestamp) -> Self {
        Self { at: now, expires_at: now.as_second() + 2 * ANNOUNCED_FOR.as_secs() }
    }

    /// Whether a call of this time is the one that was announced. Clocks may differ by a minute.
    pub fn covers(self, made_at: Timestamp) -> bool {
        let since = made_at.duration_since(self.at);
        since >= -SignedDuration::from_mins(1) && since <= ANNOUNCED_FOR
    }
}

/// The item of a planned call.
pub(crate) fn key_of_call(call: &Call) -> Key {
    let named =
        |name: &str| call.parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
    key(call.action.rsplit(':').next().unwrap_or_default(), named)
}

/// The item of a call that was made.
pub(crate) fn key_of_event(event: &Event) -> Key {
    let asked = at(&event.record, "/requestParameters");
    key(&event.name, |name| asked.get(name).and_then(serde_json::Value::as_str).map(str::to_owned))
}

fn key(action: &str, named: impl Fn(&str) -> Option<String>) -> Key {
    let parts: Vec<String> = NAMING.iter().filter_map(|name| named(name).map(|value| format!("{name}={value}"))).collect();
    Key::new(format!("OWN#{action}#{}", parts.join("#")), "OWN")
}

/// A call that a remedy makes, with the parameters that it makes it with.
pub(crate) fn is_remedys(event: &Event) -> bool {
    let asked = |key: &str| at(&event.record, "/requestParameters")[key].as_str().unwrap_or_default();
    match (event.service.as_str(), event.name.as_str()) {
        // Our denies. A former document that comes back over the attacker's has no name of ours, and is judged.
        ("iam.amazonaws.com", "PutUserPolicy" | "PutRolePolicy") => deny::is_own_policy(asked("policyName")),
        ("iam.amazonaws.com", "AttachUserPolicy" | "AttachRolePolicy") => asked("policyArn") == deny::AWS_DENY_ALL,
        ("iam.amazonaws.com", "UpdateAccessKey") => asked("status") == "Inactive",
        (
            "iam.amazonaws.com",
            "DetachUserPolicy"
            | "DetachRolePolicy"
            | "DetachGroupPolicy"
            | "DeleteUserPolicy"
            | "DeleteRolePolicy"
            | "DeleteGroupPolicy"
            | "SetDefaultPolicyVersion"
            | "DeletePolicyVersion"
            | "UpdateAssumeRolePolicy"
            | "RemoveUserFromGroup"
            | "DeleteLoginProfile"
            | "PutUserPermissionsBoundary"
            | "PutRolePermissionsBoundary"
            | "DeleteUserPermissionsBoundary"
            | "DeleteRolePermissionsBoundary"
            | "TagUser"
            | "TagRole"
            | "UntagUser"
            | "UntagRole",
        )
        | ("cloudtrail.amazonaws.com", "StartLogging" | "PutEventSelectors") => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_planned_call_and_its_event_have_one_item_and_another_call_has_another() {
        let event = |name: &str, parameters: serde_json::Value| {
            let envelope = json!({"source": "aws.iam", "detail": {"eventID": "e", "eventName": name, "eventVersion": "1.11",
                "eventSource": "iam.amazonaws.com", "userIdentity": {"type": "Root"}, "requestParameters": parameters}});
            Event::from_envelope(&envelope, None).unwrap()
        };
        let call = Call::new("iam:AttachUserPolicy", [("UserName", "u"), ("PolicyArn", "arn:aws:iam::aws:policy/A")]);
        let made = |policy: &str| event("AttachUserPolicy", json!({"userName": "u", "policyArn": policy}));
        assert_eq!(key_of_call(&call), key_of_event(&made("arn:aws:iam::aws:policy/A")));
        assert_ne!(key_of_call(&call), key_of_event(&made("arn:aws:iam::aws:policy/B")));
        let detach = Call { action: "iam:DetachUserPolicy".to_owned(), ..call.clone() };
        assert_ne!(key_of_call(&detach), key_of_call(&call));
        let put = Call::new("iam:PutUserPolicy", [("UserName", "u"), ("PolicyName", "p"), ("PolicyDocument", "{ }")]);
        let written = event("PutUserPolicy", json!({"userName": "u", "policyName": "p", "policyDocument": "{}"}));
        assert_eq!(key_of_call(&put), key_of_event(&written));
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
