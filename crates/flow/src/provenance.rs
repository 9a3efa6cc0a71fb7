//! Who gave whom an exception, and when: kept from the events that classify sees, so that an exception which an attacker gave
//! themself, or which is suspiciously fresh, does not count.
//!
//! What is not recorded here was done before Cordon watched, or by a call that CloudTrail has not delivered yet. It counts,
//! and the card says that nobody knows who did it.

use cordon_core::json::at;
use cordon_core::principal::recipient;
use cordon_core::{Actor, Config, Event, Principal, PrincipalKind, Subject};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ports::Key;

/// What gives a principal an exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant<'a> {
    Tag(&'a str),
    Group(&'a str),
}

/// The last event that gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The ARN of the user or role who did it, or how the actor is shown where there is none.
    pub by: String,
    pub at: Option<Timestamp>,
    pub event: String,
}

/// The item that a grant's provenance is kept under.
#[must_use]
pub fn key(principal: &Principal, grant: Grant<'_>) -> Key {
    // Names are unique in an account whatever the path, and an event gives no path.
    let whom = format!("{}#{}#{}", principal.account, principal.kind, principal.name);
    match grant {
        Grant::Tag(tag) => Key::new(format!("TAG#{whom}#{tag}"), "TAG"),
        Grant::Group(group) => Key::new(format!("GROUP#{whom}#{group}"), "GROUP"),
    }
}

/// The exceptions which an event gave; none where it gave none, or failed.
#[must_use]
pub fn observed(event: &Event, config: &Config) -> Vec<(Key, Provenance)> {
    if event.error_code.is_some() || event.service != "iam.amazonaws.com" {
        return Vec::new();
    }
    let parameters = at(&event.record, "/requestParameters");
    let actor = Actor::from_record(&event.record);
    let provenance = Provenance {
        by: actor.principal().map_or_else(|| actor.display(), |principal| principal.arn()),
        at: event.time,
        event: event.id.to_string(),
    };
    let write = |principal: &Principal, grant| (key(principal, grant), provenance.clone());
    match event.name.as_str() {
        "TagUser" | "TagRole" | "CreateUser" | "CreateRole" if sets_tag(&parameters["tags"], &config.exceptions.tag_key) => {
            match Subject::from_record(&event.record) {
                Subject::Principal { principal } => vec![write(&principal, Grant::Tag(&config.exceptions.tag_key))],
                Subject::Policy { .. } | Subject::AccessKey { .. } | Subject::Account { .. } | Subject::Unknown => Vec::new(),
            }
        }
        "AddUserToGroup" => {
            let (Some(user), Some(group)) = (parameters["userName"].as_str(), parameters["groupName"].as_str()) else {
                return Vec::new();
            };
            let Some(account) = recipient(&event.record).or(actor.account) else { return Vec::new() };
            let principal = Principal::new(PrincipalKind::User, account, user);
            let exempt = config.exceptions.exempt_groups.iter().any(|name| name == group);
            if exempt { vec![write(&principal, Grant::Group(group))] } else { Vec::new() }
        }
        _ => Vec::new(),
    }
}

fn sets_tag(tags: &Value, key: &str) -> bool {
    tags.as_array().is_some_and(|tags| tags.iter().any(|tag| tag["key"].as_str() == Some(key)))
}

/// Why a grant does not count for an incident of `actor` at `event_time`, in a sentence; `None` where it counts.
#[must_use]
pub fn objection(
    provenance: &Provenance,
    what: &str,
    actor: Option<&Principal>,
    event_time: Timestamp,
    min_age_hours: u32,
) -> Option<String> {
    if actor.is_some_and(|actor| actor.arn() == provenance.by) {
        return Some(format!("{what} was given by the actor, so it does not count"));
    }
    let Some(at) = provenance.at else { return Some(format!("nobody knows since when {what} stands, so it does not count")) };
    let age_hours = event_time.duration_since(at).as_secs_f64() / 3_600.0;
    if age_hours < f64::from(min_age_hours) {
        return Some(format!(
            "{what} was given by `{}` at {at}, less than {min_age_hours} hours before the event, so it does not count",
            provenance.by
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(name: &str, parameters: Value) -> Event {
        let envelope = json!({"source": "aws.iam", "detail": {
            "eventID": "e", "eventName": name, "eventSource": "iam.amazonaws.com", "eventTime": "2026-01-02T03:00:00Z", "recipientAccountId": "111111111111",
            "userIdentity": {"type": "IAMUser", "userName": "mallory", "accountId": "111111111111", "arn": "arn:aws:iam::111111111111:user/mallory"},
            "requestParameters": parameters}});
        Event::from_envelope(&envelope, None).unwrap()
    }

    fn keys(event: &Event) -> Vec<String> {
        observed(event, &Config::default()).into_iter().map(|(key, _)| key.pk).collect()
    }

    #[test]
    fn every_way_to_set_the_exception_tag_or_join_an_exempt_group_is_remembered() {
        let tag = json!([{"key": "SecurityApproved", "value": "true"}]);
        assert_eq!(
            keys(&event("TagUser", json!({"userName": "bob", "tags": tag}))),
            ["TAG#111111111111#user#bob#SecurityApproved"]
        );
        assert_eq!(
            keys(&event("CreateUser", json!({"userName": "bob", "tags": tag}))),
            ["TAG#111111111111#user#bob#SecurityApproved"]
        );
        assert_eq!(keys(&event("TagRole", json!({"roleName": "r", "tags": tag}))), ["TAG#111111111111#role#r#SecurityApproved"]);
        assert_eq!(
            keys(&event("AddUserToGroup", json!({"userName": "bob", "groupName": "admins"}))),
            ["GROUP#111111111111#user#bob#admins"]
        );
        assert!(keys(&event("AddUserToGroup", json!({"userName": "bob", "groupName": "admins2"}))).is_empty());
        assert!(keys(&event("TagUser", json!({"userName": "bob", "tags": [{"key": "Other", "value": "true"}]}))).is_empty());
        let mut failed = event("TagUser", json!({"userName": "bob", "tags": tag}));
        failed.error_code = Some("AccessDenied".to_owned());
        assert!(keys(&failed).is_empty());
    }

    #[test]
    fn a_grant_by_the_actor_or_a_fresh_one_does_not_count() {
        let mallory = Principal::new(PrincipalKind::User, "111111111111".parse().unwrap(), "mallory");
        let at: Timestamp = "2026-01-02T03:00:00Z".parse().unwrap();
        let later: Timestamp = "2026-01-03T04:00:00Z".parse().unwrap();
        let by = |by: &str| Provenance { by: by.to_owned(), at: Some(at), event: "e".to_owned() };
        let check = |provenance: &Provenance, time| objection(provenance, "the tag", Some(&mallory), time, 24);
        assert!(check(&by(&mallory.arn()), later).unwrap().contains("by the actor"));
        assert!(check(&by("arn:aws:iam::111111111111:user/alice"), at).unwrap().contains("less than 24 hours"));
        assert_eq!(check(&by("arn:aws:iam::111111111111:user/alice"), later), None);
        assert!(check(&Provenance { at: None, ..by("x") }, later).is_some());
    }
}
