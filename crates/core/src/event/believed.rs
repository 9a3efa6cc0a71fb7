//! The events that may lead to a change, as a closed table: which source, which detail type, sent by which account, and of which
//! accounts the subject and the actor may then be. Everything that is not in it at most alerts.
//!
//! Why an account counts at all: `PutEvents` refuses a source that begins with `aws.`, a bus as a target takes no transformer, and
//! an event makes one hop from bus to bus. So an event of AWS arrives with the `account` that AWS wrote into it, whichever role or
//! rule forwarded it. Whoever administers that account can bring about events of AWS in it, about it. So an event is believed about
//! the account that it names, and about no other.
//!
//! Sources: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>,
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html>.

use super::Log;

/// The `source` that an event of a line has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `aws.` and the name of the service that was called, which the record's `eventSource` says too.
    CalledService,
    /// Exactly this one.
    Exactly(&'static str),
}

/// The `account` of the envelope, which AWS writes: the account in which the event arose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// It is the account that the field names.
    Named,
    /// The same, or the service's administrator account of `cordon.toml` (`[organization]`).
    NamedOrAdministrator,
}

/// The accounts of which somebody or something may be that a change is made to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// The account that the field names. What belongs to another one is left alone: a record's parameters are the caller's text,
    /// and a caller from outside is stopped on the record of their own account.
    Named,
    /// The service does not say who it was.
    Nobody,
}

/// One kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// The log.
    pub log: Log,
    /// The envelope's `source`.
    pub source: Source,
    /// The envelope's `detail-type`.
    pub detail_type: &'static str,
    /// The field of the event that names the account that it is about.
    pub named_by: &'static str,
    /// The envelope's `account`.
    pub account: Sender,
    /// The account of the subject.
    pub subject: Of,
    /// The account of the actor.
    pub actor: Of,
    /// AWS's page.
    pub page: &'static str,
}

/// The events that may lead to a change.
pub const BELIEVED: &[Line] = &[
    cloudtrail("AWS API Call via CloudTrail"),
    cloudtrail("AWS Console Sign In via CloudTrail"),
    cloudtrail("AWS Console Action via CloudTrail"),
    cloudtrail("AWS Service Event via CloudTrail"),
    // With the organisational view, the management or the delegated account gets the notices of all.
    notice(
        Log::Health,
        "AWS Health Event",
        "affectedAccount",
        Of::Named,
        "https://docs.aws.amazon.com/health/latest/ug/aggregate-events.html",
    ),
    notice(
        Log::Health,
        "AWS Health Abuse Event",
        "affectedAccount",
        Of::Named,
        "https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html",
    ),
    // The administrator's detector has the findings of its members.
    notice(
        Log::GuardDuty,
        "GuardDuty Finding",
        "accountId",
        Of::Named,
        "https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings_eventbridge.html",
    ),
    // An analyzer of the organisation has the findings of its members.
    notice(
        Log::AccessAnalyzer,
        "Access Analyzer Finding",
        "accountId",
        Of::Nobody,
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-eventbridge.html",
    ),
];

const fn cloudtrail(detail_type: &'static str) -> Line {
    Line {
        log: Log::CloudTrail,
        source: Source::CalledService,
        detail_type,
        named_by: "recipientAccountId",
        account: Sender::Named,
        subject: Of::Named,
        actor: Of::Named,
        page: "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html",
    }
}

const fn notice(log: Log, detail_type: &'static str, named_by: &'static str, actor: Of, page: &'static str) -> Line {
    let source = match log {
        Log::Health => "aws.health",
        Log::GuardDuty => "aws.guardduty",
        Log::AccessAnalyzer => "aws.access-analyzer",
        Log::CloudTrail => "",
    };
    let (source, account) = (Source::Exactly(source), Sender::NamedOrAdministrator);
    Line { log, source, detail_type, named_by, account, subject: Of::Named, actor, page }
}

impl Line {
    /// The line of a `detail-type`.
    #[must_use]
    pub fn of(detail_type: &str) -> Option<&'static Self> {
        BELIEVED.iter().find(|line| line.detail_type == detail_type)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::CLOUDTRAIL_DETAIL_TYPES;
    use super::*;

    #[test]
    fn the_table_has_each_detail_type_that_cordon_reads_once_and_no_other() {
        let lines: Vec<&str> = BELIEVED.iter().map(|line| line.detail_type).collect();
        let known: BTreeSet<&str> =
            Log::NOTICES.iter().flat_map(|log| log.detail_types()).chain(&CLOUDTRAIL_DETAIL_TYPES).copied().collect();
        assert_eq!(lines.len(), known.len(), "a line stands twice, or is missing");
        assert_eq!(lines.into_iter().collect::<BTreeSet<_>>(), known);
    }

    #[test]
    fn a_notices_line_has_the_source_of_its_service_and_every_line_has_its_page() {
        for line in BELIEVED {
            match line.log.source() {
                Some(source) => assert_eq!(line.source, Source::Exactly(source)),
                None => assert_eq!(line.source, Source::CalledService),
            }
            assert!(line.page.starts_with("https://docs.aws.amazon.com/"), "{}", line.detail_type);
        }
    }

    #[test]
    fn only_a_notice_may_speak_of_another_account_than_the_one_that_sent_it() {
        for line in BELIEVED {
            let by_administrator = line.account == Sender::NamedOrAdministrator;
            assert_eq!(by_administrator, line.log.administrator_key().is_some(), "{}", line.detail_type);
        }
    }
}
