//! The `[notifications]` part of `cordon.toml`: which incident is told where, and how many messages a channel bears.
//!
//! It never keeps an incident from being told: what matches no route goes to the default topic and channel.

use serde::{Deserialize, Serialize};

use crate::detection::Level;
use crate::ids::{AccountId, RuleId};
use crate::pattern::Pattern;

/// Who is told of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notifications {
    /// Alerts below this level go to SNS only. A question to a person, a change and a failure are always told in Slack.
    #[serde(default = "low")]
    pub slack_min_level: Level,
    /// The first one that matches decides.
    #[serde(default)]
    pub routes: Vec<NotificationRoute>,
    /// So many cards a minute go into one channel; the rest of that minute is one message with a count.
    #[serde(default = "ten")]
    pub cards_per_minute: u32,
    /// The same for questions, and for what a person has to look at now.
    #[serde(default = "thirty")]
    pub questions_per_minute: u32,
}

impl Default for Notifications {
    fn default() -> Self {
        Self { slack_min_level: low(), routes: Vec::new(), cards_per_minute: ten(), questions_per_minute: thirty() }
    }
}

/// Which incidents go to another place than the default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotificationRoute {
    /// Patterns of account ids.
    #[serde(default = "any")]
    pub accounts: Vec<Pattern>,
    #[serde(default = "informational")]
    pub min_level: Level,
    /// Patterns of rule ids; one of the incident's rules is enough.
    #[serde(default = "any")]
    pub rules: Vec<Pattern>,
    /// A Slack channel's id instead of the secret's channel.
    #[serde(default)]
    pub channel: Option<String>,
    /// An SNS topic's ARN instead of the deployment's topic.
    #[serde(default)]
    pub topic: Option<String>,
}

/// Where an incident is told; `None` is the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Destination<'a> {
    pub channel: Option<&'a str>,
    pub topic: Option<&'a str>,
}

impl Notifications {
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

    /// Every channel that a route names. Together with the secret's: where a click may come from.
    pub fn channels(&self) -> impl Iterator<Item = &str> {
        self.routes.iter().filter_map(|route| route.channel.as_deref())
    }

    /// What cannot be used: a piece of the file that shows the place, and the reason.
    pub(crate) fn fault(&self) -> Option<(String, String)> {
        if self.cards_per_minute == 0 || self.questions_per_minute == 0 {
            let reason = "notifications: `cards_per_minute` and `questions_per_minute` must be at least 1";
            return Some(("_per_minute".to_owned(), reason.to_owned()));
        }
        self.routes.iter().find_map(NotificationRoute::fault)
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

    fn fault(&self) -> Option<(String, String)> {
        let fault = |needle: &str, reason: String| Some((needle.to_owned(), format!("notifications.routes: {reason}")));
        if let Some(channel) = self.channel.as_deref().filter(|channel| !is_channel(channel)) {
            return fault(
                channel,
                format!(
                    "`{channel}` is not a Slack channel's id; copy it from the channel's details (`C…` or `G…`), not its name"
                ),
            );
        }
        if let Some(topic) = self.topic.as_deref().filter(|topic| !is_topic(topic)) {
            return fault(
                topic,
                format!("`{topic}` is not an SNS topic's ARN; write it like `arn:aws:sns:us-east-1:111122223333:name`"),
            );
        }
        if self.channel.is_none() && self.topic.is_none() {
            return fault(
                "notifications.routes",
                "a route names neither `channel` nor `topic`; name one, or remove it".to_owned(),
            );
        }
        if self.accounts.is_empty() || self.rules.is_empty() {
            return fault(
                "notifications.routes",
                "`accounts` and `rules` must not be empty lists; leave one out to match everything".to_owned(),
            );
        }
        None
    }
}

fn is_channel(id: &str) -> bool {
    id.starts_with(['C', 'G']) && (3..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

fn is_topic(arn: &str) -> bool {
    let parts: Vec<&str> = arn.split(':').collect();
    matches!(parts.as_slice(), ["arn", partition, "sns", region, account, name]
        if !partition.is_empty() && !region.is_empty() && account.parse::<AccountId>().is_ok() && !name.is_empty())
}

fn any() -> Vec<Pattern> {
    vec![Pattern::new("*")]
}

fn low() -> Level {
    Level::Low
}

fn informational() -> Level {
    Level::Informational
}

fn ten() -> u32 {
    10
}

fn thirty() -> u32 {
    30
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
        assert!(route("channel = \"#alerts\"").starts_with("cordon.toml:2: notifications.routes: `#alerts` is not a Slack"));
        assert!(route("topic = \"pager\"").starts_with("cordon.toml:2: notifications.routes: `pager` is not an SNS"));
        assert!(route("min_level = \"high\"").starts_with("cordon.toml:1: notifications.routes: a route names neither"));
        assert!(route("accounts = []\nchannel = \"C0A\"").contains("must not be empty lists"));
        assert!(route("chanel = \"C0A\"").contains("unknown field `chanel`"));
        assert!(routes("[notifications]\ncards_per_minute = 0").unwrap_err().contains("at least 1"));
    }
}
