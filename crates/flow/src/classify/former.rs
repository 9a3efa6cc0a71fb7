//! The values that an event sets, as far as remedies restore them. They are stored from every event, so that the previous value
//! is known at the next one.

use cordon_core::{Actor, Config, Event, Former, Subject, Touched};
use cordon_store::{ObservedSetting, Setting};

/// What an event sets, and on what. The former value that counts is that of the first.
#[must_use]
pub fn observed(event: &Event, config: &Config) -> Vec<ObservedSetting> {
    if event.error_code.is_some() {
        return Vec::new();
    }
    let touched = Touched::from_event(event);
    let subject = Subject::from_record(&event.record);
    let on = match (event.service.as_str(), &subject) {
        ("cloudtrail.amazonaws.com", _) => touched.trail_arn.clone(),
        // Names are unique in an account whatever the path, and an event gives no path.
        ("iam.amazonaws.com", Subject::Principal { principal }) => {
            Some(cordon_core::Principal { known_arn: None, ..principal.clone() }.arn())
        }
        ("iam.amazonaws.com", Subject::Policy { arn }) => Some(arn.clone()),
        _ => None,
    };
    let Some(on) = on else { return Vec::new() };
    let actor = Actor::from_record(&event.record);
    let by = actor.principal().map_or_else(|| actor.display(), |principal| principal.arn());
    let observed = |(setting, value, readable): Set| {
        let value = Former { value, by: by.clone(), at: event.time, event: event.id.to_string() };
        ObservedSetting { on: on.clone(), setting, value, readable }
    };
    settings(event, &touched, &config.exceptions.tag_key).into_iter().map(observed).collect()
}

/// What is set, to what, and whether that could be read.
type Set = (Setting, Option<String>, bool);

fn settings(event: &Event, touched: &Touched, tag_key: &str) -> Vec<Set> {
    let document = |setting: Setting| (setting, touched.document.clone(), touched.document.is_some());
    let boundary = || (Setting::Boundary, touched.boundary_arn.clone(), true);
    let tag = || (Setting::Tag(tag_key.to_owned()), touched.tags_set.get(tag_key).cloned(), true);
    let inline = || Setting::InlinePolicy(touched.policy_name.clone().unwrap_or_default());
    let version = || (Setting::DefaultVersion, touched.version_id.clone(), touched.version_id.is_some());
    match event.name.as_str() {
        // What a new principal lacks needs no item: unknown leads to a person, or to taking off.
        "CreateUser" => [boundary(), tag()].into_iter().filter(|(_, value, _)| value.is_some()).collect(),
        "CreateRole" => {
            let given = [boundary(), tag()].into_iter().filter(|(_, value, _)| value.is_some());
            std::iter::once(document(Setting::Trust)).chain(given).collect()
        }
        "UpdateAssumeRolePolicy" => vec![document(Setting::Trust)],
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
        "PutEventSelectors" => vec![(Setting::EventSelectors, touched.selectors.clone(), touched.selectors.is_some())],
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
    use cordon_store::Store;
    use cordon_testkit::{MemoryTable, run};
    use serde_json::{Value, json};

    fn event(id: &str, name: &str, minute: u32, parameters: Value) -> Event {
        let service = if name == "PutEventSelectors" { "cloudtrail.amazonaws.com" } else { "iam.amazonaws.com" };
        let envelope = json!({"source": "aws.iam", "detail-type": "AWS API Call via CloudTrail", "account": "111111111111", "detail": {
            "eventID": id, "eventName": name, "eventSource": service, "awsRegion": "us-east-1", "recipientAccountId": "111111111111",
            "eventTime": format!("2026-01-02T03:{minute:02}:00Z"),
            "userIdentity": {"type": "IAMUser", "userName": "ada", "accountId": "111111111111", "arn": "arn:aws:iam::111111111111:user/ada"},
            "requestParameters": parameters}});
        Event::from_envelope(&envelope, None).unwrap()
    }

    fn seen(event: &Event) -> ObservedSetting {
        observed(event, &Config::default()).remove(0)
    }

    #[test]
    fn every_setting_that_a_remedy_restores_has_a_key_of_its_own() {
        let check = |name: &str, parameters: Value, keys: &[&str]| {
            let (table, config) = (MemoryTable::default(), Config::default());
            run(Store::new(&table).observe(observed(&event("e", name, 1, parameters), &config))).unwrap();
            let found = table.keys();
            assert_eq!(found.iter().filter_map(|key| key.strip_suffix("/DOC")).collect::<Vec<_>>(), keys, "{name}");
        };
        let role = "DOC#arn:aws:iam::111111111111:role/r";
        check("UpdateAssumeRolePolicy", json!({"roleName": "r", "policyDocument": "{}"}), &[&format!("{role}#trust")]);
        check("PutRolePermissionsBoundary", json!({"roleName": "r"}), &[&format!("{role}#boundary")]);
        check("PutRolePolicy", json!({"roleName": "r", "policyName": "p"}), &[&format!("{role}#inline#p")]);
        let tags = json!([{"key": "SecurityApproved", "value": "true"}]);
        check("TagRole", json!({"roleName": "r", "tags": tags}), &[&format!("{role}#tag#securityapproved")]);
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
    fn attack_2_a_former_value_is_found_under_every_spelling_also_one_stored_before_names_had_one() {
        let (table, config) = (MemoryTable::default(), Config::default());
        let set = |id: &str, minute, role: &str, name: &str, document: &str| {
            let parameters = json!({"roleName": role, "policyName": name, "policyDocument": document});
            run(Store::new(&table).observe(observed(&event(id, "PutRolePolicy", minute, parameters), &config))).unwrap()
        };
        assert_eq!(set("e1", 1, "Deploy", "Own", "{\"a\":1}"), None);
        let former = set("e2", 2, "DEPLOY", "OWN", "{\"evil\":1}");
        assert_eq!(former.and_then(|former| former.value).as_deref(), Some("{\"a\":1}"));

        let value = json!({"version": 1, "last": {"value": "{\"b\":1}", "by": "ada", "at": "2026-01-02T03:00:00Z", "event": "e0", "readable": true}});
        table.put("DOC#arn:aws:iam::111111111111:role/Old#inline#Own", "DOC", value);
        let former = set("e3", 3, "Old", "Own", "{\"evil\":1}");
        assert_eq!(former.and_then(|former| former.value).as_deref(), Some("{\"b\":1}"));
        let former = set("e4", 4, "OLD", "OWN", "{\"evil\":2}");
        assert_eq!(former.map(|former| former.event).as_deref(), Some("e3"));
    }

    #[test]
    fn what_an_event_does_not_say_is_not_readable_and_what_it_took_off_is() {
        let unread = event("e1", "UpdateAssumeRolePolicy", 1, json!({"roleName": "r", "policyDocument": "no json"}));
        assert!(!seen(&unread).readable);
        let taken_off = seen(&event("e3", "DeleteRolePermissionsBoundary", 3, json!({"roleName": "r"})));
        assert!(taken_off.readable && taken_off.value.value.is_none());
    }

    #[test]
    fn the_former_value_is_that_of_the_event_before_and_none_where_that_could_not_be_read() {
        let (table, config) = (MemoryTable::default(), Config::default());
        let former = |id: &str, minute, document: &str| {
            let parameters = json!({"roleName": "r", "policyDocument": document});
            run(Store::new(&table).observe(observed(&event(id, "UpdateAssumeRolePolicy", minute, parameters), &config))).unwrap()
        };
        assert_eq!(former("e1", 1, "{\"a\":1}"), None);
        assert_eq!(former("e2", 2, "no json").and_then(|former| former.value).as_deref(), Some("{\"a\":1}"));
        assert_eq!(former("e3", 3, "{}"), None);
    }
}
