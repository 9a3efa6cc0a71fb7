//! `[exceptions]`: what lets an incident pass, and for how long.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::RuleId;
use crate::pattern::Pattern;
use crate::principal::{Actor, ActorKind};

/// What lets an incident pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exceptions {
    #[serde(default = "tag_key")]
    pub tag_key: String,
    #[serde(default = "tag_value")]
    pub tag_value: String,
    /// The tag that says until when the exception tag counts.
    #[serde(default = "until_key")]
    pub until_key: String,
    /// True: an exception tag without an end does not count.
    #[serde(default)]
    pub require_until: bool,
    #[serde(default = "admins")]
    pub exempt_groups: Vec<String>,
    /// A tag or membership that Cordon saw being given counts only after so many hours.
    #[serde(default = "a_day")]
    pub min_age_hours: u32,
    /// True: a tag or membership counts only where Cordon saw who gave it.
    #[serde(default)]
    pub require_provenance: bool,
    /// How long a recorded exception may last.
    #[serde(default = "three_months")]
    pub max_days: u32,
    #[serde(default)]
    pub automation: Vec<Automation>,
}

/// Roles whose sessions do what the rules catch, as their work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Automation {
    /// Whose it is, for the card.
    pub name: String,
    /// ARN patterns of roles, matched on the role behind a session: never on a session's name or a user agent, which the
    /// caller chooses.
    pub roles: Vec<Pattern>,
    /// The rules that it is exempt from; without this key, all that honour automation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<RuleId>>,
}

impl Default for Exceptions {
    fn default() -> Self {
        Self {
            tag_key: tag_key(),
            tag_value: tag_value(),
            until_key: until_key(),
            require_until: false,
            exempt_groups: admins(),
            min_age_hours: a_day(),
            require_provenance: false,
            max_days: three_months(),
            automation: Vec::new(),
        }
    }
}

impl Exceptions {
    /// The longest that `max_days` may say.
    pub const DAYS_MAX: u32 = 366;

    /// The trusted automation that the actor is, for a rule.
    #[must_use]
    pub fn automation(&self, actor: &Actor, rule: &RuleId) -> Option<&Automation> {
        self.automation.iter().find(|automation| automation.is(actor) && automation.covers(rule))
    }
}

impl Automation {
    fn is(&self, actor: &Actor) -> bool {
        let role = actor.issuer_arn.as_deref().filter(|_| actor.kind == ActorKind::AssumedRole);
        role.is_some_and(|role| self.roles.iter().any(|pattern| pattern.matches(role)))
    }

    fn covers(&self, rule: &RuleId) -> bool {
        self.rules.as_ref().is_none_or(|rules| rules.contains(rule))
    }
}

/// When an exception ends: a date, which lasts to its end in UTC, or an RFC 3339 time. `None` where the text is neither.
#[must_use]
pub fn end(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    // The parser of dates also takes a time of day, which without an offset could be anybody's.
    let date = text.parse::<Date>().ok().filter(|date| date.to_string() == text)?;
    let midnight = date.to_zoned(TimeZone::UTC).ok()?.timestamp();
    midnight.checked_add(SignedDuration::from_hours(24)).ok()
}

fn tag_key() -> String {
    "SecurityApproved".to_owned()
}

fn tag_value() -> String {
    "true".to_owned()
}

fn until_key() -> String {
    "SecurityApprovedUntil".to_owned()
}

fn a_day() -> u32 {
    24
}

fn three_months() -> u32 {
    90
}

fn admins() -> Vec<String> {
    vec!["admins".to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn an_end_is_a_whole_day_in_utc_or_a_time_with_its_offset() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(end(text), expected.map(|time| time.parse().unwrap()), "{text}");
        };
        check("2026-12-31", Some("2027-01-01T00:00:00Z"));
        check(" 2026-12-31 ", Some("2027-01-01T00:00:00Z"));
        check("2026-12-31T12:00:00Z", Some("2026-12-31T12:00:00Z"));
        check("2026-12-31T12:00:00+02:00", Some("2026-12-31T10:00:00Z"));
        for text in
            ["", "true", "never", "2026-12-31T12:00:00", "2026-13-01", "31.12.2026", "20261231", "12/31/2026", "9999-12-31x"]
        {
            check(text, None);
        }
    }

    fn actor(kind: &str, issuer: &str) -> Actor {
        let record: Value = json!({"userIdentity": {"type": kind, "accountId": "111111111111", "arn": "arn:aws:sts::111111111111:assumed-role/x/deploy",
            "sessionContext": {"sessionIssuer": {"arn": issuer, "userName": "x"}}}, "userAgent": "deploy"});
        Actor::from_record(&record)
    }

    #[test]
    fn automation_is_known_by_the_role_behind_its_session_alone() {
        let automation = Automation {
            name: "Deploy".to_owned(),
            roles: vec![Pattern::new("arn:aws:iam::111111111111:role/ci/deploy")],
            rules: Some(vec!["a".parse().unwrap()]),
        };
        let exceptions = Exceptions { automation: vec![automation], ..Exceptions::default() };
        let check = |kind: &str, issuer: &str, rule: &str, expected: bool| {
            let found = exceptions.automation(&actor(kind, issuer), &rule.parse().unwrap());
            assert_eq!(found.is_some(), expected, "{kind} {issuer} {rule}");
        };
        check("AssumedRole", "arn:aws:iam::111111111111:role/ci/deploy", "a", true);
        check("AssumedRole", "arn:aws:iam::111111111111:role/ci/deploy", "b", false);
        check("AssumedRole", "arn:aws:iam::111111111111:role/deploy", "a", false);
        check("AssumedRole", "arn:aws:iam::222222222222:role/ci/deploy", "a", false);
        check("AssumedRole", "arn:aws:iam::111111111111:role/ci/deploy2", "a", false);
        check("FederatedUser", "arn:aws:iam::111111111111:role/ci/deploy", "a", false);
    }
}
