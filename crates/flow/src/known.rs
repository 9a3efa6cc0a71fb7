//! What the things that remedies restore were before an event: kept from the events that classify sees, because CloudTrail says
//! what a call sets and never what it replaced.
//!
//! The value that the last event before set is the former one. Nothing here is believed further than that: a call that CloudTrail
//! did not deliver leaves an older value, which the plan shows in full, and a value that could not be read makes the former one
//! unknown instead of an older one.

use cordon_core::{Actor, Config, Event, Former, Subject, Touched};
use serde::{Deserialize, Serialize};

use crate::ports::Key;

/// What an event set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    #[serde(flatten)]
    pub set: Former,
    /// False where the event did not say what it set, or too much of it.
    pub readable: bool,
}

/// The last two values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub version: u64,
    pub last: Seen,
    #[serde(default)]
    pub previous: Option<Seen>,
}

impl Known {
    /// What stood before an event, as far as it is known.
    #[must_use]
    pub fn before(known: Option<&Self>, new: &Seen) -> Option<Former> {
        let known = known?;
        let before = if known.last.set.event == new.set.event { known.previous.as_ref() } else { Some(&known.last) }?;
        // An event that comes late was not made on what came after it.
        let in_order = before.set.at <= new.set.at;
        (in_order && before.readable).then(|| before.set.clone())
    }

    /// The item after an event; `None` where it tells nothing new.
    #[must_use]
    pub fn after(known: Option<Self>, new: Seen) -> Option<Self> {
        match known {
            None => Some(Self { version: 1, last: new, previous: None }),
            Some(known) if known.last.set.event == new.set.event || known.last.set.at > new.set.at => None,
            Some(known) => Some(Self { version: known.version + 1, last: new, previous: Some(known.last) }),
        }
    }
}

/// What an event sets, under the keys of what it sets it on. The former value that counts is that of the first.
#[must_use]
pub fn observed(event: &Event, config: &Config) -> Vec<(Key, Seen)> {
    if event.error_code.is_some() {
        return Vec::new();
    }
    let touched = Touched::from_event(event);
    let subject = Subject::from_record(&event.record);
    let whose = match (event.service.as_str(), &subject) {
        ("cloudtrail.amazonaws.com", _) => touched.trail_arn.clone(),
        // Names are unique in an account whatever the path, and an event gives no path.
        ("iam.amazonaws.com", Subject::Principal { principal }) => {
            Some(cordon_core::Principal { known_arn: None, ..principal.clone() }.arn())
        }
        ("iam.amazonaws.com", Subject::Policy { arn }) => Some(arn.clone()),
        _ => None,
    };
    let Some(whose) = whose else { return Vec::new() };
    let actor = Actor::from_record(&event.record);
    let by = actor.principal().map_or_else(|| actor.display(), |principal| principal.arn());
    let seen = |(what, value, readable): (String, Option<String>, bool)| {
        let set = Former { value, by: by.clone(), at: event.time, event: event.id.to_string() };
        (Key::new(format!("DOC#{whose}#{what}"), "DOC"), Seen { set, readable })
    };
    settings(event, &touched, &config.exceptions.tag_key).into_iter().map(seen).collect()
}

/// What is set, to what, and whether that could be read.
fn settings(event: &Event, touched: &Touched, tag_key: &str) -> Vec<(String, Option<String>, bool)> {
    let document = |what: String| (what, touched.document.clone(), touched.document.is_some());
    let boundary = || ("boundary".to_owned(), touched.boundary_arn.clone(), true);
    let tag = || (format!("tag#{tag_key}"), touched.tags_set.get(tag_key).cloned(), true);
    let inline = || format!("inline#{}", touched.policy_name.as_deref().unwrap_or_default());
    let version = || ("default".to_owned(), touched.version_id.clone(), touched.version_id.is_some());
    match event.name.as_str() {
        // What a new principal lacks needs no item: unknown leads to a person, or to taking off.
        "CreateUser" => [boundary(), tag()].into_iter().filter(|(_, value, _)| value.is_some()).collect(),
        "CreateRole" => {
            let given = [boundary(), tag()].into_iter().filter(|(_, value, _)| value.is_some());
            std::iter::once(document("trust".to_owned())).chain(given).collect()
        }
        "UpdateAssumeRolePolicy" => vec![document("trust".to_owned())],
        "PutUserPermissionsBoundary"
        | "PutRolePermissionsBoundary"
        | "DeleteUserPermissionsBoundary"
        | "DeleteRolePermissionsBoundary" => vec![boundary()],
        "PutUserPolicy" | "PutRolePolicy" | "PutGroupPolicy" => vec![document(inline())],
        "DeleteUserPolicy" | "DeleteRolePolicy" | "DeleteGroupPolicy" => vec![(inline(), None, true)],
        "TagUser" | "TagRole" if touched.tags_set.contains_key(tag_key) => vec![tag()],
        "UntagUser" | "UntagRole" if touched.tags_removed.iter().any(|key| key == tag_key) => vec![tag()],
        "CreatePolicyVersion" if sets_default(event) => vec![version()],
        "SetDefaultPolicyVersion" => vec![version()],
        "PutEventSelectors" => vec![("selectors".to_owned(), touched.selectors.clone(), touched.selectors.is_some())],
        _ => Vec::new(),
    }
}

fn sets_default(event: &Event) -> bool {
    let asked = cordon_core::json::at(&event.record, "/requestParameters/setAsDefault");
    asked.as_bool() == Some(true) || asked.as_str() == Some("true")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn event(id: &str, name: &str, minute: u32, parameters: Value) -> Event {
        let service = if name == "PutEventSelectors" { "cloudtrail.amazonaws.com" } else { "iam.amazonaws.com" };
        let envelope = json!({"source": "aws.iam", "detail": {
            "eventID": id, "eventName": name, "eventSource": service, "awsRegion": "us-east-1", "recipientAccountId": "111111111111",
            "eventTime": format!("2026-01-02T03:{minute:02}:00Z"),
            "userIdentity": {"type": "IAMUser", "userName": "ada", "accountId": "111111111111", "arn": "arn:aws:iam::111111111111:user/ada"},
            "requestParameters": parameters}});
        Event::from_envelope(&envelope, None).unwrap()
    }

    fn seen(event: &Event) -> Seen {
        observed(event, &Config::default()).remove(0).1
    }

    #[test]
    fn every_setting_that_a_remedy_restores_has_a_key_of_its_own() {
        let check = |name: &str, parameters: Value, keys: &[&str]| {
            let found = observed(&event("e", name, 1, parameters), &Config::default());
            assert_eq!(found.iter().map(|(key, _)| key.pk.as_str()).collect::<Vec<_>>(), keys, "{name}");
        };
        let role = "DOC#arn:aws:iam::111111111111:role/r";
        check("UpdateAssumeRolePolicy", json!({"roleName": "r", "policyDocument": "{}"}), &[&format!("{role}#trust")]);
        check("PutRolePermissionsBoundary", json!({"roleName": "r"}), &[&format!("{role}#boundary")]);
        check("PutRolePolicy", json!({"roleName": "r", "policyName": "p"}), &[&format!("{role}#inline#p")]);
        let tags = json!([{"key": "SecurityApproved", "value": "true"}]);
        check("TagRole", json!({"roleName": "r", "tags": tags}), &[&format!("{role}#tag#SecurityApproved")]);
        check("TagRole", json!({"roleName": "r", "tags": [{"key": "a", "value": "b"}]}), &[]);
        let policy = "arn:aws:iam::111111111111:policy/p";
        check("SetDefaultPolicyVersion", json!({"policyArn": policy, "versionId": "v1"}), &[&format!("DOC#{policy}#default")]);
        check("CreatePolicyVersion", json!({"policyArn": policy, "setAsDefault": false}), &[]);
        check(
            "PutEventSelectors",
            json!({"trailName": "t"}),
            &["DOC#arn:aws:cloudtrail:us-east-1:111111111111:trail/t#selectors"],
        );
        let mut failed = event("e", "UpdateAssumeRolePolicy", 1, json!({"roleName": "r"}));
        failed.error_code = Some("AccessDenied".to_owned());
        assert!(observed(&failed, &Config::default()).is_empty());
    }

    #[test]
    fn the_former_value_is_the_last_one_before_also_on_a_retry_and_never_a_later_one() {
        let trust = |id: &str, minute, document: &str| {
            seen(&event(id, "UpdateAssumeRolePolicy", minute, json!({"roleName": "r", "policyDocument": document})))
        };
        let (first, second) = (trust("e1", 1, "{\"a\":1}"), trust("e2", 5, "{\"a\":2}"));
        assert_eq!(Known::before(None, &first), None);
        let known = Known::after(None, first.clone()).unwrap();
        assert_eq!(Known::before(Some(&known), &second), Some(first.set.clone()));
        let known = Known::after(Some(known), second.clone()).unwrap();
        assert_eq!(Known::before(Some(&known), &second), Some(first.set), "a retry of the same event");
        assert_eq!(Known::after(Some(known.clone()), second), None);
        let late = trust("e0", 3, "{\"a\":0}");
        assert_eq!(Known::before(Some(&known), &late), None);
        assert_eq!(Known::after(Some(known), late), None);
    }

    #[test]
    fn a_value_that_could_not_be_read_makes_the_former_one_unknown() {
        let unread = seen(&event("e1", "UpdateAssumeRolePolicy", 1, json!({"roleName": "r", "policyDocument": "no json"})));
        let known = Known::after(None, unread).unwrap();
        let next = seen(&event("e2", "UpdateAssumeRolePolicy", 2, json!({"roleName": "r", "policyDocument": "{}"})));
        assert_eq!(Known::before(Some(&known), &next), None);
        let taken_off = seen(&event("e3", "DeleteRolePermissionsBoundary", 3, json!({"roleName": "r"})));
        assert!(taken_off.readable && taken_off.set.value.is_none());
    }
}
