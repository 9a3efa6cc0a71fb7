//! The `[notifications]` part of `cordon.toml`: which incident is told where, and how many messages a channel bears.
//!
//! It never silences an incident: one that matches no route goes to the default topic and channel.

use toml::Spanned;

use super::error::Problem;
use super::reader::Section;
use crate::detection::Level;
use crate::ids::{AccountId, RuleId};
use crate::pattern::Pattern;

/// Which incidents are told where, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notifications {
    /// Alerts below this level go to SNS only. A question to a person, a change and a failure are always told in Slack.
    pub slack_min_level: Level,
    /// The first one that matches decides.
    pub routes: Vec<NotificationRoute>,
    /// So many cards a minute go into one channel; the rest of that minute is one message with a count.
    pub cards_per_minute: u32,
    /// The same for questions, and for incidents that need a person now.
    pub questions_per_minute: u32,
}

impl Default for Notifications {
    fn default() -> Self {
        Self { slack_min_level: Level::Low, routes: Vec::new(), cards_per_minute: 10, questions_per_minute: 30 }
    }
}

/// The incidents that go to another place than the default, and that place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationRoute {
    /// Patterns of account ids.
    pub accounts: Vec<Pattern>,
    /// The lowest severity that matches.
    pub min_level: Level,
    /// Patterns of rule ids; one of the incident's rules is enough.
    pub rules: Vec<Pattern>,
    /// A Slack channel's id instead of the secret's channel.
    pub channel: Option<String>,
    /// An SNS topic's ARN instead of the deployment's topic.
    pub topic: Option<String>,
}

/// Where an incident is told; `None` is the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Destination<'a> {
    /// The id of a Slack channel.
    pub channel: Option<&'a str>,
    /// The ARN of an SNS topic.
    pub topic: Option<&'a str>,
}

impl Notifications {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let default = Self::default();
        Self {
            slack_min_level: section.or("slack_min_level", default.slack_min_level),
            routes: section.sections("routes").into_iter().map(|section| section.read(NotificationRoute::read)).collect(),
            cards_per_minute: section.within("cards_per_minute", default.cards_per_minute, 1..=u32::MAX),
            questions_per_minute: section.within("questions_per_minute", default.questions_per_minute, 1..=u32::MAX),
        }
    }

    /// Where an incident with these rules is told.
    #[must_use]
    pub fn destination<'r>(
        &self,
        account: Option<&AccountId>,
        level: Level,
        rules: impl Iterator<Item = &'r RuleId> + Clone,
    ) -> Destination<'_> {
        let found = self.routes.iter().find(|route| route.matches(account, level, rules.clone()));
        found.map_or_else(Destination::default, |route| Destination {
            channel: route.channel.as_deref(),
            topic: route.topic.as_deref(),
        })
    }

    /// Every channel that a route names. Clicks are accepted from these and from the secret's channel.
    pub fn channels(&self) -> impl Iterator<Item = &str> {
        self.routes.iter().filter_map(|route| route.channel.as_deref())
    }
}

impl NotificationRoute {
    /// An incident without an account, or without a rule because its event could not be judged, matches `*` alone.
    fn matches<'r>(&self, account: Option<&AccountId>, level: Level, mut rules: impl Iterator<Item = &'r RuleId>) -> bool {
        let everything = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.as_str() == "*");
        let account = account.is_some_and(|account| self.accounts.iter().any(|pattern| pattern.matches(account.as_str())));
        let rule = rules.any(|rule| self.rules.iter().any(|pattern| pattern.matches(rule.as_str())));
        level >= self.min_level && (account || everything(&self.accounts)) && (rule || everything(&self.rules))
    }

    fn read(section: &mut Section<'_, '_>) -> Self {
        if !section.has("channel") && !section.has("topic") {
            section.fault(section.span(), Problem::RouteToNowhere);
        }
        let (channel, topic) = (channel(section, "channel"), topic(section, "topic"));
        let mut patterns = |key: &'static str| {
            let Some(list) = section.list::<Pattern>(key) else { return vec![Pattern::new("*")] };
            if list.is_empty {
                section.fault(list.span.clone(), Problem::EmptyRouteList { key: section.path(key) });
            }
            list.plain()
        };
        let (accounts, rules) = (patterns("accounts"), patterns("rules"));
        Self {
            accounts,
            min_level: section.or("min_level", Level::Informational),
            rules,
            channel: channel.map(Spanned::into_inner),
            topic: topic.map(Spanned::into_inner),
        }
    }
}

/// The id of a Slack channel, if one is written. Also one that is not valid, which is reported.
pub(super) fn channel(section: &mut Section<'_, '_>, key: &'static str) -> Option<Spanned<String>> {
    let found = section.get::<String>(key)?;
    if !is_channel(found.get_ref()) {
        section.fault(found.span(), Problem::NotAChannel { key: section.path(key), value: found.get_ref().clone() });
    }
    Some(found)
}

/// The ARN of an SNS topic, if one is written. Also one that is not valid, which is reported.
pub(super) fn topic(section: &mut Section<'_, '_>, key: &'static str) -> Option<Spanned<String>> {
    let found = section.get::<String>(key)?;
    if !is_topic(found.get_ref()) {
        section.fault(found.span(), Problem::NotATopic { key: section.path(key), value: found.get_ref().clone() });
    }
    Some(found)
}

fn is_channel(id: &str) -> bool {
    id.starts_with(['C', 'G']) && (3..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

fn is_topic(arn: &str) -> bool {
    let parts: Vec<&str> = arn.split(':').collect();
    matches!(parts.as_slice(), ["arn", partition, "sns", region, account, name]
        if !partition.is_empty() && !region.is_empty() && account.parse::<AccountId>().is_ok() && !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    fn routes(text: &str) -> Result<Notifications, String> {
        Config::parse("cordon.toml", text).map(|config| config.notifications).map_err(|error| error.to_string())
    }

    fn place<'a>(notifications: &'a Notifications, account: &str, level: Level, rule: &str) -> Destination<'a> {
        let rule: RuleId = rule.parse().unwrap();
        notifications.destination(account.parse().ok().as_ref(), level, std::iter::once(&rule))
    }

    #[test]
    fn the_first_route_that_matches_decides_and_what_matches_none_goes_to_the_default() {
        let notifications = routes(
            "[[notifications.routes]]\naccounts = [\"1111*\"]\nmin_level = \"critical\"\nchannel = \"C0LOUD\"\n\
             topic = \"arn:aws:sns:us-east-1:111122223333:pager\"\n\
             [[notifications.routes]]\nrules = [\"trail-*\"]\nchannel = \"C0TRAIL\"\n",
        )
        .unwrap();
        let loud = place(&notifications, "111122223333", Level::Critical, "trail-stopped");
        assert_eq!(loud.channel, Some("C0LOUD"));
        assert_eq!(loud.topic, Some("arn:aws:sns:us-east-1:111122223333:pager"));
        let trail = place(&notifications, "111122223333", Level::High, "trail-stopped");
        assert_eq!(trail, Destination { channel: Some("C0TRAIL"), topic: None });
        assert_eq!(place(&notifications, "222222222222", Level::Critical, "admin-attached"), Destination::default());
        assert_eq!(notifications.channels().collect::<Vec<_>>(), ["C0LOUD", "C0TRAIL"]);
    }

    #[test]
    fn an_incident_that_could_not_be_judged_matches_only_what_matches_everything() {
        let notifications =
            routes("[[notifications.routes]]\nrules = [\"a*\"]\nchannel = \"C0A\"\n[[notifications.routes]]\nchannel = \"C0B\"")
                .unwrap();
        assert_eq!(notifications.destination(None, Level::High, std::iter::empty()).channel, Some("C0B"));
    }

    #[test]
    fn a_route_that_cannot_be_used_names_the_line_and_the_fix() {
        let route = |rest: &str| routes(&format!("[[notifications.routes]]\n{rest}\n")).unwrap_err();
        assert!(
            route("channel = \"#alerts\"")
                .starts_with("cordon.toml:2:11: notifications.routes.channel: `#alerts` is not the id of a Slack")
        );
        assert!(
            route("topic = \"pager\"")
                .starts_with("cordon.toml:2:9: notifications.routes.topic: `pager` is not the ARN of an SNS")
        );
        assert!(route("min_level = \"high\"").starts_with("cordon.toml:1:1: notifications.routes: a route names neither"));
        assert!(route("accounts = []\nchannel = \"C0A\"").contains("must not be an empty list"));
        assert!(route("chanel = \"C0A\"").contains("unknown key `chanel` in `notifications.routes`; did you mean `channel`?"));
        assert!(routes("[notifications]\ncards_per_minute = 0").unwrap_err().contains("at least 1"));
    }
}
