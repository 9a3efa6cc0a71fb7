//! Where an event comes from, as far as trust goes.
//!
//! INVARIANT: trusted is what AWS alone can send, about the account that it may speak of, and nothing else is by looking like it. The
//! table of what is believed is [`super::believed`]; here an envelope is held against it. A partner's event source begins with
//! `aws.` too (`aws.partner/…`), and so could the source of an event that somebody else may fill, so nothing is believed by a
//! prefix. Neither the name of a role or rule that forwarded an event nor anything else in `detail` makes it trusted.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::believed::{Line, Sender, Source};
use super::{Distrust, Log};
use crate::config::Organization;
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
    /// A source that only AWS can use, about an account that it may speak of.
    Aws,
    /// The relay that this deployment names as trusted. It stands for AWS, about every account.
    TrustedRelay,
    /// Everything else: at most an alert. [`Distrust`] says why.
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
}

/// What a deployment believes beside what AWS sends about the sender's own account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trust<'a> {
    /// The one further source that may start an enforcing incident; the sandbox's.
    pub relay_source: Option<&'a str>,
    /// The accounts whose notices may be about others. Without it there are none.
    pub organization: Option<&'a Organization>,
}

/// A relay and no organisation.
impl<'a> From<Option<&'a str>> for Trust<'a> {
    fn from(relay_source: Option<&'a str>) -> Self {
        Self { relay_source, organization: None }
    }
}

impl Trust<'_> {
    fn is_relay(&self, source: &str) -> bool {
        self.relay_source.is_some_and(|trusted| !trusted.is_empty() && trusted == source)
    }

    fn is_administrator(&self, log: Log, account: &AccountId) -> bool {
        self.organization.and_then(|organization| organization.administrator(log)) == Some(account)
    }
}

/// Whether an event is believed, and why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its source, as far as trust goes.
    pub origin: Origin,
    /// Why it may change nothing. Set where the origin is [`Origin::Untrusted`], and only there.
    pub distrust: Option<Distrust>,
}

impl Standing {
    /// What AWS wrote, as a trail's own file has it.
    pub const AWS: Self = Self { origin: Origin::Aws, distrust: None };

    /// The standing of an event in EventBridge's envelope.
    #[must_use]
    pub fn of<'a>(envelope: &Value, trust: impl Into<Trust<'a>>) -> Self {
        match judge(envelope, &trust.into()) {
            Ok(origin) => Self { origin, distrust: None },
            Err(distrust) => Self { origin: Origin::Untrusted, distrust: Some(distrust) },
        }
    }
}

fn judge(envelope: &Value, trust: &Trust<'_>) -> Result<Origin, Distrust> {
    // A replay's name is its starter's text, so a replay of the hub's own archive cannot be told from one that a spoke's
    // administrator started on an archive of theirs.
    if let Some(name) = envelope.get("replay-name") {
        return Err(Distrust::Replayed { name: Distrust::text(name) });
    }
    if is_sample(envelope) {
        return Err(Distrust::Sample);
    }
    let (source, detail_type) = (&envelope["source"], &envelope["detail-type"]);
    let said = source.as_str().unwrap_or_default();
    if trust.is_relay(said) {
        return Ok(Origin::TrustedRelay);
    }
    if said.starts_with("aws.partner") {
        return Err(Distrust::Partner);
    }
    if said.starts_with("cordon") {
        return Err(Distrust::OwnSource);
    }
    if !said.starts_with("aws.") {
        return Err(Distrust::NotAws { source: Distrust::text(source) });
    }
    let Some(line) = detail_type.as_str().and_then(Line::of) else {
        return Err(match detail_type.as_str() {
            Some(kind) if kind.starts_with("Security Hub Findings - ") => Distrust::Imported,
            Some(_) | None => Distrust::NotInTable { source: Distrust::text(source), detail_type: Distrust::text(detail_type) },
        });
    };
    let is_from_its_service = match line.source {
        Source::Exactly(own) => own == said,
        Source::CalledService => {
            let called = at(envelope, "/detail/eventSource").as_str().and_then(service_of);
            called.is_some() && said.strip_prefix("aws.") == called
        }
    };
    if !is_from_its_service {
        return Err(Distrust::OtherService { source: Distrust::text(source) });
    }
    of_account(line, envelope, trust)
}

/// Holds the account of the envelope against the one that the event is about.
fn of_account(line: &Line, envelope: &Value, trust: &Trust<'_>) -> Result<Origin, Distrust> {
    let account = |value: &Value| value.as_str()?.parse::<AccountId>().ok();
    let sent_by = account(&envelope["account"]).ok_or(Distrust::NoAccount)?;
    let detail = at(envelope, "/detail");
    // A sign-in of an older form names the caller's account alone; a notice that names none is about the account that got it.
    let instead = match line.log {
        Log::CloudTrail => at(detail, "/userIdentity/accountId"),
        Log::Health | Log::GuardDuty | Log::AccessAnalyzer => &envelope["account"],
    };
    let named = [&detail[line.named_by], instead].into_iter().find(|value| !value.is_null());
    let about = named.and_then(account).ok_or(Distrust::NoAccount)?;
    match line.account {
        _ if sent_by == about => Ok(Origin::Aws),
        Sender::Named => Err(Distrust::OtherAccount { sent_by, about }),
        Sender::NamedOrAdministrator if trust.is_administrator(line.log, &sent_by) => Ok(Origin::Aws),
        Sender::NamedOrAdministrator => Err(Distrust::NotAdministrator { log: line.log, sent_by, about }),
    }
}

/// `CreateSampleFindings` makes findings up, with the names of real types. GuardDuty marks them in one of three places.
fn is_sample(envelope: &Value) -> bool {
    if Log::of(envelope) != Log::GuardDuty {
        return false;
    }
    let marked = |info: &Value| match at(info, "/sample") {
        Value::Bool(sample) => *sample,
        Value::String(sample) => sample.eq_ignore_ascii_case("true"),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
    };
    let info = at(envelope, "/detail/service/additionalInfo");
    let in_value = || match at(info, "/value") {
        Value::String(text) => serde_json::from_str::<Value>(text).is_ok_and(|value| marked(&value)),
        other => marked(other),
    };
    let titled = || at(envelope, "/detail/title").as_str().is_some_and(|title| title.trim_start().starts_with("[SAMPLE]"));
    marked(info) || in_value() || titled()
}

/// `iam` of `iam.amazonaws.com`.
fn service_of(event_source: &str) -> Option<&str> {
    let name = SERVICE_DOMAINS.into_iter().find_map(|domain| event_source.strip_suffix(domain))?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    is_name.then_some(name)
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
        assert_eq!(Standing::of(&envelope, Some("cordon.sandbox")).origin, expected, "{envelope}");
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
            let event = json!({"source": source, "detail-type": kind, "account": "111111111111", "detail": {}});
            Standing::of(&event, None).origin
        };
        assert_eq!(notice("aws.guardduty", "GuardDuty Finding"), Origin::Aws);
        for source in ["aws.partner/guardduty", "aws.health", "aws.iam", "guardduty"] {
            assert_eq!(notice(source, "GuardDuty Finding"), Origin::Untrusted, "{source}");
        }
    }

    #[track_caller]
    fn refused(envelope: &Value, organization: &Organization) -> Distrust {
        let trust = Trust { relay_source: Some("cordon.sandbox"), organization: Some(organization) };
        let standing = Standing::of(envelope, trust);
        assert_eq!(standing.origin, Origin::Untrusted, "{envelope}");
        standing.distrust.unwrap()
    }

    #[test]
    fn each_reason_is_told_apart_and_is_a_sentence() {
        let check = |change: &dyn Fn(&mut Value), expected: &Distrust, said: &str| {
            let mut envelope = delivered();
            change(&mut envelope);
            let reason = refused(&envelope, &Organization::default());
            assert_eq!(&reason, expected);
            assert!(reason.to_string().contains(said), "{reason}");
        };
        let text = |text: &str| text.to_owned();
        let set = |key: &'static str, value: Value| move |event: &mut Value| event[key] = value.clone();
        check(&set("source", json!("com.example")), &Distrust::NotAws { source: text("com.example") }, "`com.example`");
        check(&set("source", Value::Null), &Distrust::NotAws { source: text("none") }, "put events");
        check(&set("source", json!("aws.partner/example.com/iam")), &Distrust::Partner, "partner");
        check(&set("source", json!("cordon")), &Distrust::OwnSource, "Cordon's own");
        check(&set("source", json!("cordon.drill")), &Distrust::OwnSource, "Cordon's own");
        check(&set("source", json!("aws.s3")), &Distrust::OtherService { source: text("aws.s3") }, "`aws.s3`");
        check(&set("account", json!("x")), &Distrust::NoAccount, "which account");
        let (sent_by, about) = ("222222222222".parse().unwrap(), "111111111111".parse().unwrap());
        check(&set("account", json!("222222222222")), &Distrust::OtherAccount { sent_by, about }, "account 222222222222 sent it");
        check(&set("replay-name", json!("nightly")), &Distrust::Replayed { name: text("nightly") }, "replay `nightly`");
        check(&set("replay-name", Value::Null), &Distrust::Replayed { name: text("none") }, "replay");
        let unknown = Distrust::NotInTable { source: text("aws.iam"), detail_type: text("Object Created") };
        check(&set("detail-type", json!("Object Created")), &unknown, "`Object Created`");
        check(&set("detail-type", json!("Security Hub Findings - Imported")), &Distrust::Imported, "imported");
    }

    fn finding(sent_by: &str, about: Value) -> Value {
        json!({"source": "aws.guardduty", "detail-type": "GuardDuty Finding", "account": sent_by, "detail": {"accountId": about}})
    }

    #[test]
    fn a_notice_about_another_account_is_believed_from_that_services_administrator_alone() {
        let administrator: AccountId = "999999999999".parse().unwrap();
        let kinds = [
            ("aws.guardduty", "GuardDuty Finding", "accountId"),
            ("aws.access-analyzer", "Access Analyzer Finding", "accountId"),
            ("aws.health", "AWS Health Event", "affectedAccount"),
            ("aws.health", "AWS Health Abuse Event", "affectedAccount"),
        ];
        for (source, kind, field) in kinds {
            let notice = |sent_by: &str, about: Value| json!({"source": source, "detail-type": kind, "account": sent_by, "detail": {field: about}});
            let log = Log::of(&notice("", Value::Null));
            for named in Log::NOTICES {
                let organization = Organization::with(named, administrator.clone());
                let standing =
                    |envelope: &Value| Standing::of(envelope, Trust { relay_source: None, organization: Some(&organization) });
                let from_administrator = standing(&notice("999999999999", json!("111111111111")));
                assert_eq!(from_administrator.origin.may_enforce(), named == log, "{kind}, {named:?} named");
                let own = standing(&notice("111111111111", json!("111111111111")));
                assert_eq!((own.origin, standing(&notice("111111111111", Value::Null)).origin), (Origin::Aws, Origin::Aws));
                let other = refused(&notice("222222222222", json!("111111111111")), &organization);
                assert!(matches!(other, Distrust::NotAdministrator { .. }), "{other:?}");
                assert!(other.to_string().contains("organization."), "{other}");
                assert_eq!(refused(&notice("999999999999", json!("everybody")), &organization), Distrust::NoAccount);
            }
        }
    }

    #[test]
    fn a_record_of_another_account_is_not_believed_from_any_administrator() {
        let mut envelope = delivered();
        envelope["account"] = json!("999999999999");
        let organization = Organization::with(Log::GuardDuty, "999999999999".parse().unwrap());
        assert!(matches!(refused(&envelope, &organization), Distrust::OtherAccount { .. }));
    }

    #[test]
    fn a_sample_is_never_believed_wherever_it_is_marked() {
        let mark = |service: Value, title: &str| {
            let mut envelope = finding("111111111111", json!("111111111111"));
            envelope["detail"]["service"] = service;
            envelope["detail"]["title"] = json!(title);
            envelope
        };
        let organization = Organization::default();
        for service in [
            json!({"additionalInfo": {"sample": true}}),
            json!({"additionalInfo": {"sample": "true"}}),
            json!({"additionalInfo": {"type": "default", "value": "{\"sample\":true}"}}),
            json!({"additionalInfo": {"type": "default", "value": {"sample": true}}}),
        ] {
            assert_eq!(refused(&mark(service, "API call"), &organization), Distrust::Sample);
        }
        assert_eq!(refused(&mark(Value::Null, "[SAMPLE] API call"), &organization), Distrust::Sample);
        let mut relayed = mark(json!({"additionalInfo": {"sample": true}}), "");
        relayed["source"] = json!("cordon.sandbox");
        assert_eq!(refused(&relayed, &organization), Distrust::Sample);
        let real = mark(json!({"additionalInfo": {"sample": false, "value": "{}"}}), "API call");
        assert_eq!(Standing::of(&real, None), Standing::AWS);
    }
}
