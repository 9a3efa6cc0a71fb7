//! Who gave or took away whose exception, and when: kept from the events that classify sees, so that an exception which an
//! attacker gave themself, or which is suspiciously fresh, does not count.
//!
//! What is not recorded here was done before Cordon watched, or by a call that CloudTrail has not delivered yet. Unless
//! `require_provenance` is set it counts, and the card says that nobody knows who did it.

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
    /// The exception tag, or the one that says until when it counts.
    Tag(&'a str),
    Group(&'a str),
}

/// What was done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    #[default]
    Given,
    TakenAway,
    /// The principal got its name, and with it whatever had been given under another one.
    Renamed,
}

/// The last event that changed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The ARN of the user or role who did it, or how the actor is shown where there is none.
    pub by: String,
    pub at: Option<Timestamp>,
    pub event: String,
    #[serde(default)]
    pub change: Change,
    /// What the tag was set to, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What the tag was set to before, where Cordon saw that: what an undoing would put back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<String>,
    /// Counts the writes of the item: each is conditional on the one that was read.
    #[serde(default)]
    pub version: u64,
}

impl Provenance {
    /// What stands after this event, where `known` stood before; `None` where nothing has to be written: events come late and
    /// twice, and the newest stands.
    #[must_use]
    pub fn after(mut self, known: Option<&Self>) -> Option<Self> {
        let Some(known) = known else {
            self.version = 1;
            return Some(self);
        };
        if known.event == self.event || known.at > self.at {
            return None;
        }
        self.version = known.version + 1;
        self.former = match known.change {
            Change::Given => known.value.clone(),
            Change::TakenAway => None,
            Change::Renamed => known.former.clone(),
        };
        Some(self)
    }

    /// `changed by … at …`, for a sentence.
    #[must_use]
    pub fn said(&self) -> String {
        let what = match self.change {
            Change::Given => "given",
            Change::TakenAway => "taken away",
            Change::Renamed => "brought along under a new name",
        };
        let when = self.at.map_or_else(|| "at an unknown time".to_owned(), |at| format!("at {at}"));
        format!("{what} by `{}` {when}", self.by)
    }
}

/// The item that a grant's provenance is kept under.
#[must_use]
pub fn key(principal: &Principal, grant: Grant<'_>) -> Key {
    // Names are unique in an account whatever the path, and an event gives no path. IAM finds names and tag keys in any case of
    // letters, so an event may spell them as the caller likes.
    let name = principal.name.to_ascii_lowercase();
    let whom = format!("{}#{}#{name}", principal.account, principal.kind);
    match grant {
        Grant::Tag(tag) => Key::new(format!("TAG#{whom}#{}", tag.to_ascii_lowercase()), "TAG"),
        Grant::Group(group) => Key::new(format!("GROUP#{whom}#{}", group.to_ascii_lowercase()), "GROUP"),
    }
}

/// The exceptions which an event gave or took away; none where it did neither, or failed.
#[must_use]
pub fn observed(event: &Event, config: &Config) -> Vec<(Key, Provenance)> {
    if event.error_code.is_some() || event.service != "iam.amazonaws.com" {
        return Vec::new();
    }
    let observer = Observer { event, config, parameters: at(&event.record, "/requestParameters") };
    match event.name.as_str() {
        "TagUser" | "TagRole" | "CreateUser" | "CreateRole" => observer.tags_set(),
        "UntagUser" | "UntagRole" => observer.tags_removed(),
        "AddUserToGroup" => observer.membership(Change::Given),
        "RemoveUserFromGroup" => observer.membership(Change::TakenAway),
        "UpdateUser" => observer.renamed(),
        _ => Vec::new(),
    }
}

struct Observer<'a> {
    event: &'a Event,
    config: &'a Config,
    parameters: &'a Value,
}

impl Observer<'_> {
    fn provenance(&self, change: Change, value: Option<&str>) -> Provenance {
        let actor = Actor::from_record(&self.event.record);
        Provenance {
            by: actor.principal().map_or_else(|| actor.display(), |principal| principal.arn()),
            at: self.event.time,
            event: self.event.id.to_string(),
            change,
            value: value.map(str::to_owned),
            former: None,
            version: 0,
        }
    }

    fn tag_keys(&self) -> [&str; 2] {
        [&self.config.exceptions.tag_key, &self.config.exceptions.until_key]
    }

    fn tags_set(&self) -> Vec<(Key, Provenance)> {
        let Some(principal) = self.subject() else { return Vec::new() };
        let tags = self.parameters["tags"].as_array().map(Vec::as_slice).unwrap_or_default();
        let set = |key: &str| tags.iter().find(|tag| tag["key"].as_str().is_some_and(|set| set.eq_ignore_ascii_case(key)));
        let keys = self.tag_keys().into_iter().filter_map(|tag| Some((tag, set(tag)?)));
        keys.map(|(tag, set)| (key(&principal, Grant::Tag(tag)), self.provenance(Change::Given, set["value"].as_str()))).collect()
    }

    fn tags_removed(&self) -> Vec<(Key, Provenance)> {
        let Some(principal) = self.subject() else { return Vec::new() };
        let removed = self.parameters["tagKeys"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_removed = |key: &str| removed.iter().any(|tag| tag.as_str().is_some_and(|tag| tag.eq_ignore_ascii_case(key)));
        let keys = self.tag_keys().into_iter().filter(|tag| is_removed(tag));
        keys.map(|tag| (key(&principal, Grant::Tag(tag)), self.provenance(Change::TakenAway, None))).collect()
    }

    fn membership(&self, change: Change) -> Vec<(Key, Provenance)> {
        let (Some(user), Some(group)) = (self.user("userName"), self.parameters["groupName"].as_str()) else {
            return Vec::new();
        };
        let exempt = self.config.exceptions.exempt_groups.iter().find(|name| name.eq_ignore_ascii_case(group));
        exempt.map(|group| (key(&user, Grant::Group(group)), self.provenance(change, None))).into_iter().collect()
    }

    /// Whatever the user had counts from now on, as if the one who renamed had given it.
    fn renamed(&self) -> Vec<(Key, Provenance)> {
        let Some(user) = self.user("newUserName") else { return Vec::new() };
        let tags = self.tag_keys().map(Grant::Tag).into_iter();
        let groups = self.config.exceptions.exempt_groups.iter().map(|group| Grant::Group(group));
        tags.chain(groups).map(|grant| (key(&user, grant), self.provenance(Change::Renamed, None))).collect()
    }

    fn user(&self, parameter: &str) -> Option<Principal> {
        let name = self.parameters[parameter].as_str()?;
        let account = recipient(&self.event.record).or(Actor::from_record(&self.event.record).account)?;
        Some(Principal::new(PrincipalKind::User, account, name))
    }

    fn subject(&self) -> Option<Principal> {
        match Subject::from_record(&self.event.record) {
            Subject::Principal { principal } => Some(principal),
            Subject::Policy { .. } | Subject::AccessKey { .. } | Subject::Account { .. } | Subject::Unknown => None,
        }
    }
}

/// Why what stands in IAM is not what the last known event left, in a sentence: then somebody whom nobody knows changed it since,
/// by a call that CloudTrail has not delivered yet or never will. `standing` is the tag's value; nothing for a membership.
#[must_use]
pub fn contradiction(provenance: &Provenance, what: &str, standing: Option<&str>) -> Option<String> {
    let (by, at) = (&provenance.by, provenance.at.map_or_else(|| "an unknown time".to_owned(), |at| at.to_string()));
    match (provenance.change, provenance.value.as_deref(), standing) {
        (Change::TakenAway, ..) => Some(format!(
            "{what} stands although `{by}` took it away at {at}, and nobody knows who gave it again, so it does not count"
        )),
        (Change::Given, Some(given), Some(standing)) if given != standing => {
            Some(format!("{what} is not what `{by}` set at {at}, and nobody knows who changed it since, so it does not count"))
        }
        (Change::Given | Change::Renamed, ..) => None,
    }
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
    let done = match provenance.change {
        Change::Given => "was given",
        Change::TakenAway => "was changed",
        Change::Renamed => "came under this name",
    };
    let by_actor = actor.is_some_and(|actor| actor.arn() == provenance.by || is_named(&provenance.by, actor));
    if by_actor {
        return Some(format!("{what} {done} by the actor, so it does not count"));
    }
    let Some(at) = provenance.at else { return Some(format!("nobody knows since when {what} stands, so it does not count")) };
    let age_hours = event_time.duration_since(at).as_secs_f64() / 3_600.0;
    if age_hours < f64::from(min_age_hours) {
        return Some(format!(
            "{what} {done} by `{}` at {at}, less than {min_age_hours} hours before the event, so it does not count",
            provenance.by
        ));
    }
    None
}

/// The same user or role where one of the two ARNs lacks the path.
fn is_named(arn: &str, principal: &Principal) -> bool {
    let kind = principal.kind.to_string();
    arn.parse::<cordon_core::Arn>().is_ok_and(|arn| {
        let mut parts = arn.resource().split('/');
        arn.account().as_ref() == Some(&principal.account)
            && parts.next() == Some(kind.as_str())
            && parts.next_back().is_some_and(|name| name.eq_ignore_ascii_case(&principal.name))
    })
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
            ["TAG#111111111111#user#bob#securityapproved"]
        );
        assert_eq!(
            keys(&event("CreateUser", json!({"userName": "bob", "tags": tag}))),
            ["TAG#111111111111#user#bob#securityapproved"]
        );
        assert_eq!(keys(&event("TagRole", json!({"roleName": "r", "tags": tag}))), ["TAG#111111111111#role#r#securityapproved"]);
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
    fn the_tag_with_the_end_a_removal_and_a_new_name_are_remembered_too_however_they_are_spelt() {
        let both = json!([{"key": "securityapproved", "value": "true"}, {"key": "SecurityApprovedUntil", "value": "2026-12-31"}]);
        let tag = "TAG#111111111111#user#bob#securityapproved";
        let until = "TAG#111111111111#user#bob#securityapproveduntil";
        assert_eq!(keys(&event("TagUser", json!({"userName": "BOB", "tags": both}))), [tag, until]);
        let untag = event("UntagUser", json!({"userName": "bob", "tagKeys": ["team", "SECURITYAPPROVEDUNTIL"]}));
        assert_eq!(keys(&untag), [until]);
        assert_eq!(observed(&untag, &Config::default())[0].1.change, Change::TakenAway);
        let group = "GROUP#111111111111#user#bob#admins";
        assert_eq!(keys(&event("AddUserToGroup", json!({"userName": "Bob", "groupName": "Admins"}))), [group]);
        assert_eq!(keys(&event("RemoveUserFromGroup", json!({"userName": "bob", "groupName": "admins"}))), [group]);
        assert_eq!(keys(&event("UpdateUser", json!({"userName": "eve", "newUserName": "bob"}))), [tag, until, group]);
        assert!(keys(&event("UpdateUser", json!({"userName": "eve", "newPath": "/x/"}))).is_empty());
    }

    fn given(event: &str, value: &str) -> Provenance {
        Provenance {
            by: "arn:aws:iam::111111111111:user/alice".to_owned(),
            at: None,
            event: event.to_owned(),
            change: Change::Given,
            value: Some(value.to_owned()),
            former: None,
            version: 0,
        }
    }

    #[test]
    fn the_newest_event_stands_and_knows_the_value_that_it_replaced() {
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let first = Provenance { at: at("2026-01-02T03:00:00Z"), ..given("e1", "true") }.after(None).unwrap();
        let taken = Provenance { at: at("2026-01-02T04:00:00Z"), change: Change::TakenAway, value: None, ..given("e2", "") };
        let taken = taken.after(Some(&first)).unwrap();
        assert_eq!((taken.former.as_deref(), taken.version), (Some("true"), 2));
        assert_eq!(taken.clone().after(Some(&taken)), None, "the same event again");
        assert_eq!(first.clone().after(Some(&taken)), None, "an older event that came late");
        let again = Provenance { at: at("2026-01-02T05:00:00Z"), ..given("e3", "true") }.after(Some(&taken)).unwrap();
        assert_eq!(again.former, None, "nothing stood before");
    }

    #[test]
    fn the_actor_is_known_with_and_without_a_path_and_in_any_spelling() {
        let mallory = Principal::new(PrincipalKind::User, "111111111111".parse().unwrap(), "mallory");
        let check = |arn: &str, expected: bool| assert_eq!(is_named(arn, &mallory), expected, "{arn}");
        check("arn:aws:iam::111111111111:user/mallory", true);
        check("arn:aws:iam::111111111111:user/ops/Mallory", true);
        check("arn:aws:iam::111111111111:user/mallory2", false);
        check("arn:aws:iam::111111111111:role/mallory", false);
        check("arn:aws:iam::222222222222:user/mallory", false);
        check("an AWS service", false);
    }

    #[test]
    fn a_grant_by_the_actor_or_a_fresh_one_does_not_count() {
        let mallory = Principal::new(PrincipalKind::User, "111111111111".parse().unwrap(), "mallory");
        let at: Timestamp = "2026-01-02T03:00:00Z".parse().unwrap();
        let later: Timestamp = "2026-01-03T04:00:00Z".parse().unwrap();
        let by = |by: &str| Provenance { by: by.to_owned(), at: Some(at), ..given("e", "x") };
        let check = |provenance: &Provenance, time| objection(provenance, "the tag", Some(&mallory), time, 24);
        assert!(check(&by(&mallory.arn()), later).unwrap().contains("by the actor"));
        assert!(check(&by("arn:aws:iam::111111111111:user/alice"), at).unwrap().contains("less than 24 hours"));
        assert_eq!(check(&by("arn:aws:iam::111111111111:user/alice"), later), None);
        assert!(check(&Provenance { at: None, ..by("x") }, later).is_some());
    }
}
