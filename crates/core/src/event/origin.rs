//! Where an event comes from, as far as trust goes.
//!
//! INVARIANT: trusted is what AWS alone can send, and nothing else is by looking like it. `PutEvents` refuses a source that begins with
//! `aws.`, but a partner's event source begins so too (`aws.partner/…`), and so could the source of an event that somebody else may
//! fill. So the source has to be exactly the one of the service that was called, the detail type one of CloudTrail's, and the account
//! of the envelope the one of the record. Anything else at most alerts.
//!
//! The shapes: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html>.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Log;
use crate::ids::AccountId;
use crate::json::at;

/// The detail types under which EventBridge delivers CloudTrail's records.
pub const CLOUDTRAIL_DETAIL_TYPES: [&str; 4] = [
    "AWS API Call via CloudTrail",
    "AWS Console Sign In via CloudTrail",
    "AWS Console Action via CloudTrail",
    "AWS Service Event via CloudTrail",
];

/// The ends of `eventSource`.
const SERVICE_DOMAINS: [&str; 2] = [".amazonaws.com", ".amazonaws.com.cn"];

/// The source of an event, as far as trust goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A source that only AWS can use.
    Aws,
    /// The relay that this deployment names as trusted.
    TrustedRelay,
    /// Anybody who may put events on the bus: at most an alert.
    Untrusted,
}

impl Origin {
    /// True where an event of this origin may lead to a change.
    #[must_use]
    pub fn may_enforce(self) -> bool {
        match self {
            Self::Aws | Self::TrustedRelay => true,
            Self::Untrusted => false,
        }
    }

    /// The origin of an event in EventBridge's envelope. `relay_source` is the one further source that is trusted.
    #[must_use]
    pub fn of(envelope: &Value, relay_source: Option<&str>) -> Self {
        let source = envelope["source"].as_str().unwrap_or_default();
        let log = Log::of(envelope);
        let from_aws = match log.source() {
            Some(own) => own == source,
            None => is_cloudtrails(envelope, source),
        };
        if from_aws {
            Self::Aws
        } else if relay_source.is_some_and(|trusted| !trusted.is_empty() && trusted == source) {
            Self::TrustedRelay
        } else {
            Self::Untrusted
        }
    }
}

fn is_cloudtrails(envelope: &Value, source: &str) -> bool {
    let record = &envelope["detail"];
    let is_known_type = envelope["detail-type"].as_str().is_some_and(|kind| CLOUDTRAIL_DETAIL_TYPES.contains(&kind));
    let service = record["eventSource"].as_str().and_then(service_of);
    is_known_type && source.strip_prefix("aws.").is_some_and(|name| Some(name) == service) && is_of_its_account(envelope)
}

/// `iam` of `iam.amazonaws.com`.
fn service_of(event_source: &str) -> Option<&str> {
    let name = SERVICE_DOMAINS.into_iter().find_map(|domain| event_source.strip_suffix(domain))?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    is_name.then_some(name)
}

/// EventBridge writes the account of the bus that got the event from AWS, which is the account that the record was written for.
fn is_of_its_account(envelope: &Value) -> bool {
    let record = &envelope["detail"];
    let recorded =
        [&record["recipientAccountId"], at(record, "/userIdentity/accountId")].into_iter().find(|value| !value.is_null());
    let account = |value: &Value| value.as_str()?.parse::<AccountId>().ok();
    account(&envelope["account"]).is_some_and(|envelope| recorded.and_then(account) == Some(envelope))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What EventBridge delivers of a call in `iam`.
    fn delivered() -> Value {
        json!({"source": "aws.iam", "detail-type": "AWS API Call via CloudTrail", "account": "111111111111", "detail": {
            "eventSource": "iam.amazonaws.com", "recipientAccountId": "111111111111", "userIdentity": {"accountId": "222222222222"}}})
    }

    fn check(change: impl Fn(&mut Value), expected: Origin) {
        let mut envelope = delivered();
        change(&mut envelope);
        assert_eq!(Origin::of(&envelope, Some("cordon.sandbox")), expected, "{envelope}");
    }

    #[test]
    fn attack_15_a_source_that_only_looks_like_aws_is_not_aws() {
        check(|_| {}, Origin::Aws);
        let partners = [
            "aws.partner/example.com/iam/x",
            "aws.partner/iam",
            "aws.partner",
            "aws.iam/x",
            "aws.iam.",
            "aws.",
            "aws",
            "AWS.iam",
        ];
        for source in partners.into_iter().chain(["aws.iam ", " aws.iam", "aws.IAM", "aws.sts", "awsx.iam", "iam", ""]) {
            check(|event| event["source"] = json!(source), Origin::Untrusted);
        }
        check(|event| event["source"] = json!("cordon.sandbox"), Origin::TrustedRelay);
    }

    #[test]
    fn attack_15_the_source_is_that_of_the_service_which_was_called() {
        let call = |source: &'static str, service: &'static str| {
            move |event: &mut Value| {
                event["source"] = json!(source);
                event["detail"]["eventSource"] = json!(service);
            }
        };
        for (source, service) in [
            ("aws.signin", "signin.amazonaws.com"),
            ("aws.cloudtrail", "cloudtrail.amazonaws.com"),
            ("aws.iam", "iam.amazonaws.com.cn"),
            ("aws.sso-directory", "sso-directory.amazonaws.com"),
            ("aws.s3", "s3.amazonaws.com"),
        ] {
            check(call(source, service), Origin::Aws);
        }
        for (source, service) in [
            ("aws.s3", "iam.amazonaws.com"),
            ("aws.iam", "iam.example.com"),
            ("aws.iam", "iam"),
            ("aws.", ".amazonaws.com"),
            ("aws.partner/x", "partner/x.amazonaws.com"),
            ("aws.iam.amazonaws.com", "iam.amazonaws.com.amazonaws.com"),
        ] {
            check(call(source, service), Origin::Untrusted);
        }
        check(|event| event["detail"]["eventSource"] = json!(null), Origin::Untrusted);
        check(|event| event["detail"] = json!("text"), Origin::Untrusted);
    }

    #[test]
    fn attack_15_the_detail_type_is_one_of_cloudtrails() {
        for kind in CLOUDTRAIL_DETAIL_TYPES {
            check(|event| event["detail-type"] = json!(kind), Origin::Aws);
        }
        for kind in [json!("AWS API Call via cloudtrail"), json!("Object Created"), json!(""), json!(7), json!(null)] {
            check(|event| event["detail-type"] = kind.clone(), Origin::Untrusted);
        }
    }

    #[test]
    fn attack_15_the_account_is_known_and_the_one_of_the_record() {
        for account in [json!("222222222222"), json!("11111111111"), json!("x"), json!(111_111_111_111_u64), json!(null)] {
            check(|event| event["account"] = account.clone(), Origin::Untrusted);
        }
        // A sign-in of an older form names the caller's account alone.
        let without = |event: &mut Value| event["detail"]["recipientAccountId"] = json!(null);
        check(without, Origin::Untrusted);
        check(
            |event| {
                without(event);
                event["detail"]["userIdentity"]["accountId"] = json!("111111111111");
            },
            Origin::Aws,
        );
        check(
            |event| {
                without(event);
                event["detail"]["userIdentity"] = json!(null);
            },
            Origin::Untrusted,
        );
    }

    #[test]
    fn attack_15_a_notice_is_of_its_own_service_whatever_else_it_says() {
        let notice = |source: &str, kind: &str| {
            Origin::of(&json!({"source": source, "detail-type": kind, "account": "111111111111", "detail": {}}), None)
        };
        assert_eq!(notice("aws.guardduty", "GuardDuty Finding"), Origin::Aws);
        for source in ["aws.partner/guardduty", "aws.health", "aws.iam", "guardduty"] {
            assert_eq!(notice(source, "GuardDuty Finding"), Origin::Untrusted, "{source}");
        }
    }
}
