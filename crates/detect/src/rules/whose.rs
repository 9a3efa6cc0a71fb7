//! Whose doing a counted event is, so that nobody fills another account's window.
//!
//! A burst may stop its actor, also for calls that were refused. Whoever administers an account decides what is refused there: to
//! a caller from outside, and to a role of another account that they make ask. So a window that can lead to a change holds what
//! callers did in their own account and their own account answered. Everything else is counted apart and only told.

use cordon_core::principal::recipient;
use cordon_core::record::Field;
use cordon_core::{AccountId, ArnParts};

use crate::engine::field_text;
use crate::enrich::Enriched;

/// Whose doing an event is.
pub(super) enum Whose {
    /// The caller's, in their own account, as far as that is known.
    Own(Option<AccountId>),
    /// Also another account's: the caller came from there, or that account may have refused the call. With the account whose record
    /// it is.
    Foreign(AccountId),
}

/// The services in which the account of the thing decides too, by its trust or resource policy, with the parameters that name the
/// thing. IAM, CloudTrail and the like are not among them: a caller could escape being counted by an ARN of their choice.
const DECIDED_ELSEWHERE: [(&str, &[&str]); 7] = [
    ("sts.amazonaws.com", &["roleArn", "targetPrincipal"]),
    ("secretsmanager.amazonaws.com", &["secretId"]),
    ("kms.amazonaws.com", &["keyId"]),
    ("lambda.amazonaws.com", &["functionName"]),
    ("sns.amazonaws.com", &["topicArn"]),
    ("sqs.amazonaws.com", &["queueUrl"]),
    ("events.amazonaws.com", &["eventBusName"]),
];

pub(super) fn whose(record: &Enriched<'_>) -> Whose {
    let actor = record.actor();
    let Some(account) = recipient(record.record()).or_else(|| actor.account.clone()) else { return Whose::Own(None) };
    if actor.is_foreign_to(&account) || refused_elsewhere(record, &account) {
        Whose::Foreign(account)
    } else {
        Whose::Own(Some(account))
    }
}

/// Whether another account than the caller's may be the one that refused the call.
fn refused_elsewhere(record: &Enriched<'_>, account: &AccountId) -> bool {
    if record.record().text(Field::ErrorCode).is_none() {
        return false;
    }
    // CloudTrail writes the id where it gave a record of the call to another account, too.
    if field_text(record, "sharedEventID").is_some() {
        return true;
    }
    let service = record.record().text(Field::EventSource).unwrap_or_default();
    let named = DECIDED_ELSEWHERE.iter().find(|(name, _)| *name == service).map_or(&[][..], |(_, parameters)| *parameters);
    named.iter().any(|parameter| {
        let text = field_text(record, &format!("requestParameters.{parameter}")).unwrap_or_default();
        account_in(&text).is_some_and(|owner| owner != *account)
    })
}

/// The account in an ARN, an account id, or a queue's address (`https://sqs.eu-west-1.amazonaws.com/111122223333/name`).
fn account_in(text: &str) -> Option<AccountId> {
    let of_arn = || ArnParts::of(text).and_then(ArnParts::account);
    let of_queue = || text.strip_prefix("https://")?.split('/').nth(1)?.parse().ok();
    of_arn().or_else(|| text.parse().ok()).or_else(of_queue)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn is_foreign(change: impl Fn(&mut Value)) -> bool {
        let mut record = json!({"eventSource": "sts.amazonaws.com", "eventName": "AssumeRole", "errorCode": "AccessDenied",
            "recipientAccountId": "111111111111", "requestParameters": {"roleArn": "arn:aws:iam::111111111111:role/own"},
            "userIdentity": {"type": "AssumedRole", "accountId": "111111111111", "arn": "arn:aws:sts::111111111111:assumed-role/app/s",
                "sessionContext": {"sessionIssuer": {"userName": "app", "arn": "arn:aws:iam::111111111111:role/app"}}}});
        change(&mut record);
        matches!(whose(&Enriched::new(&record)), Whose::Foreign(_))
    }

    fn asks(service: &str, parameter: &str, text: &str) -> impl Fn(&mut Value) {
        move |record| {
            record["eventSource"] = json!(service);
            record["requestParameters"] = json!({parameter: text});
        }
    }

    #[test]
    fn a_caller_in_their_own_account_is_counted_for_themself() {
        assert!(!is_foreign(|_| {}));
        assert!(!is_foreign(|record| record["recipientAccountId"] = Value::Null));
        assert!(!is_foreign(|record| {
            record["errorCode"] = Value::Null;
            record["requestParameters"]["roleArn"] = json!("arn:aws:iam::222222222222:role/trap");
        }));
    }

    #[test]
    fn attack_spoke_what_another_account_records_or_refuses_is_not_counted_against_the_caller() {
        assert!(is_foreign(|record| record["recipientAccountId"] = json!("222222222222")));
        assert!(is_foreign(|record| record["sharedEventID"] = json!("shared")));
        for (service, parameter, text) in [
            ("sts.amazonaws.com", "roleArn", "arn:aws:iam::222222222222:role/trap"),
            ("sts.amazonaws.com", "targetPrincipal", "222222222222"),
            ("secretsmanager.amazonaws.com", "secretId", "arn:aws:secretsmanager:us-east-1:222222222222:secret:trap"),
            ("kms.amazonaws.com", "keyId", "arn:aws:kms:us-east-1:222222222222:key/trap"),
            ("sqs.amazonaws.com", "queueUrl", "https://sqs.us-east-1.amazonaws.com/222222222222/trap"),
        ] {
            assert!(is_foreign(asks(service, parameter, text)), "{service}");
            assert!(!is_foreign(asks(service, parameter, &text.replace('2', "1"))), "{service}");
        }
    }

    #[test]
    fn attack_spoke_nobody_escapes_being_counted_by_naming_another_account_where_that_decides_nothing() {
        assert!(!is_foreign(asks("iam.amazonaws.com", "policyArn", "arn:aws:iam::222222222222:policy/x")));
        assert!(!is_foreign(asks("cloudtrail.amazonaws.com", "name", "arn:aws:cloudtrail:us-east-1:222222222222:trail/x")));
        assert!(!is_foreign(asks("secretsmanager.amazonaws.com", "secretId", "mine")));
    }
}
