//! One CloudTrail record, or a notice from another AWS service, in its EventBridge envelope; and whether its source may start an
//! enforcing incident.
//!
//! [`Origin`] says what is trusted: what AWS alone can send, about the account that it names ([`believed`] is the table). A relay is
//! trusted if the deployment names it, which only the sandbox does.

pub mod believed;
mod distrust;
mod notice;
mod origin;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use distrust::Distrust;
pub use origin::{CLOUDTRAIL_DETAIL_TYPES, Origin, Standing, Trust};

use crate::ids::{AccountId, EventId};
use crate::json::at;

/// The kind of log that an event was taken from, which Sigma calls its log source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Log {
    /// A record of CloudTrail.
    CloudTrail,
    /// AWS Health: credentials that leaked, or are suspected to.
    Health,
    /// GuardDuty: credentials that are used as their holder would not.
    GuardDuty,
    /// IAM Access Analyzer: something that can be reached from outside.
    AccessAnalyzer,
}

impl Log {
    /// Those that are not CloudTrail.
    pub const NOTICES: [Self; 3] = [Self::Health, Self::GuardDuty, Self::AccessAnalyzer];

    /// The one source that AWS sends such events from; `None` where it is the service that was called.
    #[must_use]
    pub fn source(self) -> Option<&'static str> {
        match self {
            Self::CloudTrail => None,
            Self::Health => Some("aws.health"),
            Self::GuardDuty => Some("aws.guardduty"),
            Self::AccessAnalyzer => Some("aws.access-analyzer"),
        }
    }

    /// The values of EventBridge's `detail-type`. Those of CloudTrail are [`CLOUDTRAIL_DETAIL_TYPES`].
    #[must_use]
    pub fn detail_types(self) -> &'static [&'static str] {
        match self {
            Self::CloudTrail => &[],
            Self::Health => &["AWS Health Event", "AWS Health Abuse Event"],
            Self::GuardDuty => &["GuardDuty Finding"],
            Self::AccessAnalyzer => &["Access Analyzer Finding"],
        }
    }

    /// The key of `[organization]` in `cordon.toml` that names the account whose notices of this kind may be about others.
    #[must_use]
    pub fn administrator_key(self) -> Option<&'static str> {
        match self {
            Self::CloudTrail => None,
            Self::Health => Some("health_administrator"),
            Self::GuardDuty => Some("guardduty_administrator"),
            Self::AccessAnalyzer => Some("access_analyzer_administrator"),
        }
    }

    /// The kind of log in an envelope. Anything that is no known notice is taken for a record of CloudTrail.
    #[must_use]
    pub fn of(envelope: &Value) -> Self {
        let kind = envelope["detail-type"].as_str().unwrap_or_default();
        Self::NOTICES.into_iter().find(|log| log.detail_types().contains(&kind)).unwrap_or(Self::CloudTrail)
    }
}

/// A readable event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The `eventID` of a record, the `id` of a notice.
    pub id: EventId,
    /// The kind of log it was taken from.
    pub log: Log,
    /// Set where one call is recorded in two accounts; the same in both.
    pub shared_id: Option<EventId>,
    /// Its source, as far as trust goes.
    pub origin: Origin,
    /// Why it may change nothing, where that is so.
    pub distrust: Option<Distrust>,
    /// The account in which the call took effect.
    pub account: Option<AccountId>,
    /// The region that was called, such as `us-east-1`.
    pub region: Option<String>,
    /// When the call was made.
    pub time: Option<Timestamp>,
    /// CloudTrail's `eventName`, such as `AttachUserPolicy`.
    pub name: String,
    /// CloudTrail's `eventSource`, such as `iam.amazonaws.com`.
    pub service: String,
    /// CloudTrail's `errorCode`, where the call was refused.
    pub error_code: Option<String>,
    /// The whole record.
    pub record: Value,
}

/// An event that cannot be judged: a person has to look at it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{reason}")]
pub struct Unreadable {
    /// An id that is the same on every delivery.
    pub id: EventId,
    /// The account, as far as it can be told.
    pub account: Option<AccountId>,
    /// Its source, as far as trust goes.
    pub origin: Origin,
    /// Why it may change nothing, where that is so.
    pub distrust: Option<Distrust>,
    /// The part that cannot be read, in a few words.
    pub reason: String,
}

impl Event {
    /// Decodes an envelope as EventBridge delivers it. `trust`: what is believed beside AWS's events about the sender's account.
    ///
    /// # Errors
    /// [`Unreadable`], which still carries an id to claim, where a field that a judgement rests on is missing.
    pub fn from_envelope<'a>(envelope: &Value, trust: impl Into<Trust<'a>>) -> Result<Self, Unreadable> {
        let mut event = Self::outline(envelope, Standing::of(envelope, trust))?;
        if event.log == Log::CloudTrail {
            event.record = envelope["detail"].clone();
        }
        Ok(event)
    }

    /// The same without a copy of CloudTrail's record, for a caller that has it, knows whether it is believed, and decodes many. A
    /// notice has its own all the same.
    ///
    /// # Errors
    /// As [`Self::from_envelope`].
    pub fn outline(envelope: &Value, standing: Standing) -> Result<Self, Unreadable> {
        let record = &envelope["detail"];
        let log = Log::of(envelope);
        let id = identify(envelope);
        let account = [&record["recipientAccountId"], &envelope["account"], at(record, "/userIdentity/accountId")]
            .into_iter()
            .find_map(|value| value.as_str()?.parse().ok());
        let unreadable = |reason: &str| Unreadable {
            id: id.clone(),
            account: account.clone(),
            origin: standing.origin,
            distrust: standing.distrust.clone(),
            reason: reason.to_owned(),
        };

        if !record.is_object() {
            return Err(unreadable("the event carries no CloudTrail record in `detail`"));
        }
        if log != Log::CloudTrail {
            return notice::decode(log, envelope, standing);
        }
        let Some(name) = record["eventName"].as_str() else {
            return Err(unreadable("the record has no `eventName`"));
        };
        let Some(service) = record["eventSource"].as_str() else {
            return Err(unreadable("the record has no `eventSource`"));
        };
        if !record["userIdentity"].is_object() {
            return Err(unreadable("the record does not say who made the call (`userIdentity`)"));
        }
        if record["eventVersion"].as_str().is_some_and(|version| !version.starts_with("1.")) {
            return Err(unreadable("the record has an `eventVersion` that Cordon does not know"));
        }
        if omits_parameters(record) && !writes_document(service, name) {
            return Err(unreadable(OMITTED));
        }
        Ok(Self {
            id: id.clone(),
            log,
            shared_id: record["sharedEventID"].as_str().and_then(|id| id.parse().ok()),
            origin: standing.origin,
            distrust: standing.distrust.clone(),
            account: account.clone(),
            region: record["awsRegion"].as_str().or(envelope["region"].as_str()).map(str::to_owned),
            time: record["eventTime"].as_str().or(envelope["time"].as_str()).and_then(|time| time.parse().ok()),
            name: name.to_owned(),
            service: service.to_owned(),
            error_code: record["errorCode"].as_str().map(str::to_owned),
            record: Value::Null,
        })
    }
}

/// Why a record without its parameters cannot be judged by them.
pub const OMITTED: &str = "CloudTrail omitted the request's parameters";

/// True where CloudTrail left the request's parameters out, as it does above about 100 KB: white space in a document is enough.
#[must_use]
pub fn omits_parameters(record: &Value) -> bool {
    at(record, "/requestParameters/omitted").as_bool() == Some(true)
}

/// The calls that write a policy document, which can be too large for a record. Such a call is judged by its name and what remains.
#[must_use]
pub fn writes_document(service: &str, name: &str) -> bool {
    match service {
        "iam.amazonaws.com" => matches!(
            name,
            "PutUserPolicy"
                | "PutRolePolicy"
                | "PutGroupPolicy"
                | "CreatePolicy"
                | "CreatePolicyVersion"
                | "CreateRole"
                | "UpdateAssumeRolePolicy"
        ),
        "sso.amazonaws.com" => name == "PutInlinePolicyToPermissionSet",
        _ => false,
    }
}

impl Event {
    /// True where the record lacks its parameters.
    #[must_use]
    pub fn omits_parameters(&self) -> bool {
        self.log == Log::CloudTrail && omits_parameters(&self.record)
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The record's `eventID`, else the envelope's id, else the hash of the content.
fn identify(envelope: &Value) -> EventId {
    [at(envelope, "/detail/eventID"), &envelope["id"]]
        .into_iter()
        .find_map(|value| value.as_str()?.parse().ok())
        .unwrap_or_else(|| EventId::from_content(envelope.to_string().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn envelope(source: &str) -> Value {
        json!({"source": source, "id": "envelope-1", "account": "222222222222", "detail-type": "AWS API Call via CloudTrail", "detail": {
            "eventVersion": "1.11", "eventID": "event-1", "eventName": "CreateUser", "eventSource": "iam.amazonaws.com",
            "eventTime": "2026-01-02T03:04:05Z", "userIdentity": {"type": "IAMUser"}, "recipientAccountId": "222222222222"}})
    }

    #[test]
    fn only_aws_and_the_named_relay_may_enforce() {
        let origin = |source: &str, relay: Option<&str>| Event::from_envelope(&envelope(source), relay).unwrap().origin;
        assert!(origin("aws.iam", None).may_enforce());
        assert!(origin("cordon.sandbox", Some("cordon.sandbox")).may_enforce());
        for (source, relay) in [
            ("cordon.sandbox", None),
            ("cordon.drill", Some("cordon.sandbox")),
            ("aws", None),
            ("awsx.iam", None),
            ("", Some("")),
        ] {
            assert!(!origin(source, relay).may_enforce(), "{source} {relay:?}");
        }
    }

    #[test]
    fn the_account_is_the_one_in_which_the_call_took_effect() {
        let event = Event::from_envelope(&envelope("aws.iam"), None).unwrap();
        assert_eq!(event.account.unwrap().as_str(), "222222222222");
        assert_eq!(event.id.as_str(), "event-1");
    }

    #[test]
    fn what_cannot_be_judged_is_unreadable_and_keeps_an_id() {
        let check = |change: fn(&mut Value), reason: &str| {
            let mut value = envelope("aws.iam");
            change(&mut value);
            let error = Event::from_envelope(&value, None).unwrap_err();
            assert!(error.reason.contains(reason), "{error}");
        };
        check(|v| v["detail"] = json!(null), "no CloudTrail record");
        check(|v| v["detail"] = json!("text"), "no CloudTrail record");
        check(|v| v["detail"]["eventName"] = json!(1), "eventName");
        check(|v| v["detail"]["eventSource"] = json!(null), "eventSource");
        check(|v| v["detail"]["userIdentity"] = json!(null), "userIdentity");
        check(|v| v["detail"]["eventVersion"] = json!("2.0"), "eventVersion");
        check(|v| v["detail"]["requestParameters"] = json!({"omitted": true}), "omitted");
    }

    #[test]
    fn attack_9_a_call_that_writes_a_document_is_read_also_without_its_parameters() {
        let omitted = |service: &str, name: &str| {
            let mut value = envelope("aws.iam");
            value["detail"]["eventSource"] = json!(service);
            value["detail"]["eventName"] = json!(name);
            value["detail"]["requestParameters"] = json!({"omitted": true, "originalSize": 131_072, "reason": "too large"});
            Event::from_envelope(&value, None)
        };
        for name in ["PutUserPolicy", "PutRolePolicy", "PutGroupPolicy", "CreatePolicy", "CreatePolicyVersion", "CreateRole"] {
            assert!(omitted("iam.amazonaws.com", name).unwrap().omits_parameters(), "{name}");
        }
        assert!(omitted("iam.amazonaws.com", "UpdateAssumeRolePolicy").unwrap().omits_parameters());
        assert!(omitted("iam.amazonaws.com", "TagUser").is_err() && omitted("s3.amazonaws.com", "PutUserPolicy").is_err());
    }

    #[test]
    fn an_event_without_any_id_is_known_by_its_content() {
        let id = |value: &Value| Event::from_envelope(value, None).unwrap_err().id;
        assert_eq!(id(&json!([1])), id(&json!([1])));
        assert_ne!(id(&json!([1])), id(&json!([2])));
        assert!(id(&json!("not an envelope")).as_str().starts_with("sha256-"));
    }
}
