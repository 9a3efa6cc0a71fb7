//! The values that an event sets, as far as remedies restore them. They are stored from every event, so that the previous value
//! is known at the next one.
//!
//! INVARIANT: a value that is dangerous, or that a dangerous event set, is stored with that doubt and never restored, whoever set it:
//! an attacker has more than one identity.

use cordon_core::json::at;
use cordon_core::{AccountId, Actor, ArnParts, Config, Detection, Event, Former, Level, Subject, Touched};
use cordon_detect::managed_grants;
use cordon_detect::policy::{Answer, Document, Grants, grants, trusts};
use cordon_store::{ObservedSetting, Setting};

/// What an event sets, and on what. The former value that counts is that of the first. `detections`: what the event itself is
/// reported for.
#[must_use]
pub fn observed(event: &Event, config: &Config, detections: &[Detection]) -> Vec<ObservedSetting> {
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
        ("iam.amazonaws.com", _) if event.name == "CreatePolicy" => {
            at(&event.record, "/responseElements/policy/arn").as_str().map(str::to_owned)
        }
        _ => None,
    };
    // A call names a thing of another account in its caller's words alone.
    let is_elsewhere = |on: &String| ArnParts::of(on).and_then(ArnParts::account) != event.account;
    let Some(on) = on.filter(|on| !is_elsewhere(on)) else { return Vec::new() };
    let actor = Actor::from_record(&event.record);
    let by = actor.principal().map_or_else(|| actor.display(), |principal| principal.arn());
    let observed = |(setting, value, readable): Set| {
        let doubt =
            doubt_of_event(detections).or_else(|| doubt_of_value(&setting, value.as_deref(), &touched, event.account.as_ref()));
        let value = Former { value, by: by.clone(), at: event.time, event: event.id.to_string() };
        let in_force = event.name != "CreatePolicyVersion" || sets_default(event);
        ObservedSetting { on: on.clone(), setting, value, readable, in_force, doubt }
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
        // What a new principal lacks needs no item of its own: one says that it is new.
        "CreateUser" => {
            let given = [boundary(), tag()].into_iter().filter(|(_, value, _)| value.is_some());
            given.chain([(Setting::Created, None, true)]).collect()
        }
        "CreateRole" => {
            let given = [boundary(), tag()].into_iter().filter(|(_, value, _)| value.is_some());
            std::iter::once(document(Setting::Trust)).chain(given).chain([(Setting::Created, None, true)]).collect()
        }
        "CreateGroup" => vec![(Setting::Created, None, true)],
        "UpdateAssumeRolePolicy" => vec![document(Setting::Trust)],
        "PutUserPermissionsBoundary"
        | "PutRolePermissionsBoundary"
        | "DeleteUserPermissionsBoundary"
        | "DeleteRolePermissionsBoundary" => vec![boundary()],
        "PutUserPolicy" | "PutRolePolicy" | "PutGroupPolicy" => vec![document(inline())],
        "DeleteUserPolicy" | "DeleteRolePolicy" | "DeleteGroupPolicy" => vec![(inline(), None, true)],
        "TagUser" | "TagRole" if touched.tags_set.contains_key(tag_key) => vec![tag()],
        "UntagUser" | "UntagRole" if touched.tags_removed.iter().any(|key| key == tag_key) => vec![tag()],
        "CreatePolicy" => vec![(Setting::DefaultVersion, Some("v1".to_owned()), true)],
        "CreatePolicyVersion" | "SetDefaultPolicyVersion" => vec![version()],
        "PutEventSelectors" => vec![(Setting::EventSelectors, touched.selectors.clone(), touched.selectors.is_some())],
        _ => Vec::new(),
    }
}

/// Why what an event set is never gone back to, in a clause: it was reported as an attack. What alerts alone at a lower level is
/// mostly a change like any other, and is judged by its content and its age.
fn doubt_of_event(detections: &[Detection]) -> Option<String> {
    let grave = detections.iter().find(|detection| detection.response.is_some() || detection.level >= Level::High)?;
    Some(format!("that event itself matched the rule `{}`", grave.rule))
}

/// The same by what was set.
fn doubt_of_value(setting: &Setting, value: Option<&str>, touched: &Touched, account: Option<&AccountId>) -> Option<String> {
    match setting {
        Setting::Trust => {
            let trust = Document::parse_text(value?).ok()?;
            trusts(&trust)
                .iter()
                .any(|way| way.is_outside(account))
                .then(|| "it lets somebody outside of the account in".to_owned())
        }
        Setting::InlinePolicy(_) => doubt_of_grants(&grants(&Document::parse_text(value?).ok()?)),
        Setting::DefaultVersion => doubt_of_grants(&grants(&Document::parse_text(touched.document.as_deref()?).ok()?)),
        // A boundary that allows this is none.
        Setting::Boundary => doubt_of_grants(managed_grants(value?)?),
        Setting::Tag(_) | Setting::EventSelectors | Setting::Created => None,
    }
}

fn doubt_of_grants(grants: &Grants) -> Option<String> {
    let dangerous = [Answer::Yes, Answer::Limited].into_iter().find_map(|answer| grants.names(answer).next())?;
    Some(format!("it grants `{dangerous}`"))
}

fn sets_default(event: &Event) -> bool {
    let asked = at(&event.record, "/requestParameters/setAsDefault");
    asked.as_bool() == Some(true) || asked.as_str() == Some("true")
}

#[cfg(test)]
mod tests {
    use super::*;
    use cordon_store::Store;
    use cordon_testkit::{MemoryTable, run};
    use jiff::SignedDuration;
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
        observed(event, &Config::default(), &[]).remove(0)
    }

    #[test]
    fn every_setting_that_a_remedy_restores_has_a_key_of_its_own() {
        let check = |name: &str, parameters: Value, keys: &[&str]| {
            let (table, config) = (MemoryTable::default(), Config::default());
            let settings = observed(&event("e", name, 1, parameters), &config, &[]);
            run(Store::new(&table).observe(settings, SignedDuration::ZERO)).unwrap();
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
        check("CreatePolicyVersion", json!({"policyArn": policy, "setAsDefault": false}), &[&format!("DOC#{policy}#default")]);
        check(
            "PutEventSelectors",
            json!({"trailName": "t"}),
            &["DOC#arn:aws:cloudtrail:us-east-1:111111111111:trail/t#selectors"],
        );
        let mut failed = event("e", "UpdateAssumeRolePolicy", 1, json!({"roleName": "r"}));
        failed.error_code = Some("AccessDenied".to_owned());
        assert!(observed(&failed, &Config::default(), &[]).is_empty());
    }

    #[test]
    fn attack_2_a_former_value_is_found_under_every_spelling_also_one_stored_before_names_had_one() {
        let (table, config) = (MemoryTable::default(), Config::default());
        let set = |id: &str, minute, role: &str, name: &str, document: &str| {
            let parameters = json!({"roleName": role, "policyName": name, "policyDocument": document});
            let mut event = event(id, "PutRolePolicy", minute, parameters);
            event.record["userIdentity"]["arn"] = json!(format!("arn:aws:iam::111111111111:user/{id}"));
            run(Store::new(&table).observe(observed(&event, &config, &[]), SignedDuration::ZERO)).unwrap().former
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
            let mut event = event(id, "UpdateAssumeRolePolicy", minute, json!({"roleName": "r", "policyDocument": document}));
            event.record["userIdentity"]["arn"] = json!(format!("arn:aws:iam::111111111111:user/{id}"));
            run(Store::new(&table).observe(observed(&event, &config, &[]), SignedDuration::ZERO)).unwrap().former
        };
        assert_eq!(former("e1", 1, "{\"a\":1}"), None);
        assert_eq!(former("e2", 2, "no json").and_then(|former| former.value).as_deref(), Some("{\"a\":1}"));
        assert_eq!(former("e3", 3, "{}"), None);
    }

    #[test]
    fn attack_4_what_is_dangerous_by_its_content_is_stored_with_that_doubt() {
        let allow = |action: &str| json!({"Statement": {"Effect": "Allow", "Action": action, "Resource": "*"}}).to_string();
        let trust = |who: Value| {
            let statement = json!({"Effect": "Allow", "Principal": who, "Action": "sts:AssumeRole"});
            json!({"roleName": "r", "policyDocument": json!({"Statement": [statement]}).to_string()})
        };
        let check = |name: &str, parameters: Value, says: Option<&str>| {
            let doubt = seen(&event("e", name, 1, parameters.clone())).doubt;
            assert_eq!(doubt.is_some(), says.is_some(), "{name} {parameters}: {doubt:?}");
            assert!(doubt.unwrap_or_default().contains(says.unwrap_or_default()), "{name} {parameters}");
        };
        check("UpdateAssumeRolePolicy", trust(json!("*")), Some("outside of the account"));
        check("UpdateAssumeRolePolicy", trust(json!({"AWS": "arn:aws:iam::999999999999:root"})), Some("outside of the account"));
        check("UpdateAssumeRolePolicy", trust(json!({"AWS": "arn:aws:iam::111111111111:role/app"})), None);
        check("UpdateAssumeRolePolicy", trust(json!({"Service": "ec2.amazonaws.com"})), None);
        let inline = |document: String| json!({"roleName": "r", "policyName": "p", "policyDocument": document});
        check("PutRolePolicy", inline(allow("*")), Some("`admin`"));
        check("PutRolePolicy", inline(allow("iam:*")), Some("`iam-write`"));
        check("PutRolePolicy", inline(allow("s3:GetObject")), None);
        let version = |document: String| json!({"policyArn": "arn:aws:iam::111111111111:policy/p", "versionId": "v2", "policyDocument": document});
        check("CreatePolicyVersion", version(allow("*")), Some("`admin`"));
        check("CreatePolicyVersion", version(allow("s3:GetObject")), None);
        let boundary = |arn: &str| json!({"roleName": "r", "permissionsBoundary": arn});
        check("PutRolePermissionsBoundary", boundary("arn:aws:iam::aws:policy/AdministratorAccess"), Some("`admin`"));
        check("PutRolePermissionsBoundary", boundary("arn:aws:iam::111111111111:policy/limit"), None);
    }
}
