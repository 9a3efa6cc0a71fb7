//! `[exceptions]`: who is exempt from which rules, and for how long.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use toml::Spanned;

use super::error::Problem;
use super::reader::{List, Section};
use crate::ids::RuleId;
use crate::pattern::{NamePattern, NamedKind};
use crate::principal::{Actor, ActorKind};

/// The exceptions that let an incident pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exceptions {
    /// The key of the tag that exempts a principal.
    pub tag_key: String,
    /// The value that the tag must have.
    pub tag_value: String,
    /// The key of the tag that says until when the exception tag counts.
    pub until_key: String,
    /// True: an exception tag without an end does not count.
    pub require_until: bool,
    /// Groups whose members are exempt.
    pub exempt_groups: Vec<String>,
    /// The age in hours from which a tag or membership counts, if Cordon saw it being given.
    pub min_age_hours: u32,
    /// True: a tag or membership counts only if Cordon saw who gave it.
    pub require_provenance: bool,
    /// The longest that a recorded exception may last, in days.
    pub max_days: u32,
    /// Roles that are exempt as automation.
    pub automation: Vec<Automation>,
}

/// Roles whose sessions do, as their work, what the rules catch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Automation {
    /// Whose automation it is, for the card.
    pub name: String,
    /// Patterns of roles, matched on the role behind a session: never on a session's name or a user agent, which the
    /// caller chooses.
    pub roles: Vec<NamePattern>,
    /// The rules that it is exempt from; `None` means all that honour automation.
    pub rules: Option<Vec<RuleId>>,
}

impl Default for Exceptions {
    fn default() -> Self {
        Self {
            tag_key: "SecurityApproved".to_owned(),
            tag_value: "true".to_owned(),
            until_key: "SecurityApprovedUntil".to_owned(),
            require_until: false,
            exempt_groups: vec!["admins".to_owned()],
            min_age_hours: 24,
            require_provenance: false,
            max_days: 90,
            automation: Vec::new(),
        }
    }
}

impl Exceptions {
    /// The largest `max_days`.
    pub const DAYS_MAX: u32 = 366;

    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let default = Self::default();
        let key = tag_text(section, "tag_key");
        let value = tag_text(section, "tag_value");
        let until = tag_text(section, "until_key");
        // IAM does not tell keys apart by their case.
        let same = |a: &Option<Spanned<String>>, b: &Option<Spanned<String>>| {
            let text = |found: &Option<Spanned<String>>, default: &str| {
                found.as_ref().map_or_else(|| default.to_owned(), |text| text.get_ref().clone())
            };
            text(a, &default.tag_key).eq_ignore_ascii_case(&text(b, &default.until_key))
        };
        if let Some(place) = until.as_ref().or(key.as_ref()).filter(|_| same(&key, &until)) {
            section.fault(place.span(), Problem::UntilKey);
        }
        let groups = section.list::<String>("exempt_groups");
        for group in groups.iter().flat_map(|groups| &groups.entries) {
            let name = group.get_ref();
            if name.is_empty() {
                section.fault(group.span(), Problem::EmptyGroup);
            } else if name.contains(['*', '?', '/', ':']) {
                section.fault(group.span(), Problem::NotAGroupName(name.clone()));
            }
        }
        Self {
            tag_key: key.map_or(default.tag_key, Spanned::into_inner),
            tag_value: value.map_or(default.tag_value, Spanned::into_inner),
            until_key: until.map_or(default.until_key, Spanned::into_inner),
            require_until: section.or("require_until", default.require_until),
            exempt_groups: groups.map_or(default.exempt_groups, List::plain),
            min_age_hours: section.or("min_age_hours", default.min_age_hours),
            require_provenance: section.or("require_provenance", default.require_provenance),
            max_days: section.within("max_days", default.max_days, 1..=Self::DAYS_MAX),
            automation: section.sections("automation").into_iter().filter_map(|section| section.read(Automation::read)).collect(),
        }
    }

    /// The automation that exempts an actor from a rule; `None` if there is none.
    #[must_use]
    pub fn automation(&self, actor: &Actor, rule: &RuleId) -> Option<&Automation> {
        self.automation.iter().find(|automation| automation.is(actor) && automation.covers(rule))
    }
}

/// A key or value of a tag: some of [what AWS allows](https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html), because it
/// is filled into rules.
fn tag_text(section: &mut Section<'_, '_>, key: &'static str) -> Option<Spanned<String>> {
    let found = section.get::<String>(key)?;
    let text = found.get_ref();
    if text.trim().is_empty() {
        section.fault(found.span(), Problem::EmptyTag { key: section.path(key) });
    } else if !text.chars().all(|c| c.is_alphanumeric() || " _.:/=+-@".contains(c)) {
        section.fault(found.span(), Problem::TagText { key: section.path(key), value: text.clone() });
    }
    Some(found)
}

impl Automation {
    fn read(section: &mut Section<'_, '_>) -> Option<Self> {
        let name = section.required::<String>("name");
        section.require("roles");
        let roles = section.name_patterns("roles", NamedKind::AUTOMATION);
        let rules = section.rules("rules");
        let shown = name.as_ref().map_or_else(|| "automation".to_owned(), |name| name.get_ref().clone());
        if let Some(name) = name.as_ref().filter(|name| name.get_ref().trim().is_empty()) {
            section.fault(name.span(), Problem::AutomationWithoutName);
        }
        if let Some(roles) = roles.as_ref().filter(|roles| roles.is_empty) {
            section.fault(roles.span.clone(), Problem::AutomationWithoutRoles(shown.clone()));
        }
        if let Some(rules) = rules.as_ref().filter(|rules| rules.is_empty) {
            section.fault(rules.span.clone(), Problem::AutomationWithoutRules(shown));
        }
        Some(Self { name: name?.into_inner(), roles: roles?.plain(), rules: rules.map(List::plain) })
    }

    fn is(&self, actor: &Actor) -> bool {
        let role = actor.issuer_arn.as_deref().filter(|_| actor.kind == ActorKind::AssumedRole);
        role.is_some_and(|role| self.roles.iter().any(|pattern| pattern.matches(role)))
    }

    fn covers(&self, rule: &RuleId) -> bool {
        self.rules.as_ref().is_none_or(|rules| rules.contains(rule))
    }
}

/// When an exception ends: a date, which lasts to its end in UTC, or an RFC 3339 time. `None` for any other text.
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
            roles: vec!["arn:aws:iam::111111111111:role/ci/deploy".parse().unwrap()],
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
