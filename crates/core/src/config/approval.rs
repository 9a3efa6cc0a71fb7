//! `[approval]`: who may approve or deny, how many of them it takes, and what happens where nobody answers.

use serde::{Deserialize, Serialize};

use crate::detection::Level;
use crate::pattern::Pattern;
use crate::principal::Actor;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    #[serde(default)]
    pub approvers: Vec<Approver>,
    #[serde(default)]
    pub groups: Vec<ApproverGroup>,
    #[serde(default)]
    pub quorum: Quorum,
    #[serde(default)]
    pub on_timeout: OnTimeout,
    #[serde(default)]
    pub escalation: Option<Escalation>,
    /// Whether one approver may approve alone, with a stated reason, where the quorum wants more.
    #[serde(default)]
    pub break_glass: bool,
    /// In a dry run: ask for real, and change nothing.
    #[serde(default)]
    pub rehearse: bool,
}

/// A person who may approve or deny.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approver {
    pub name: String,
    pub slack_user_id: String,
    /// ARN patterns of the AWS principals that are the same person: they cannot decide their own incident.
    pub principals: Vec<Pattern>,
}

/// A Slack user group whose members may approve or deny.
///
/// INVARIANT: Cordon cannot know which AWS principal a member is, so the group's patterns stand for every member at once: where
/// the actor matches one of them, no member decides by the group. A member who is listed as an [`Approver`] too is judged by
/// that entry alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApproverGroup {
    pub name: String,
    /// `S…`
    pub slack_user_group: String,
    /// ARN patterns of the AWS principals that any member may be.
    pub principals: Vec<Pattern>,
}

/// How many people have to approve, by the incident's severity. One person's denial is enough at every severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quorum {
    pub informational: u32,
    pub low: u32,
    pub medium: u32,
    pub high: u32,
    pub critical: u32,
}

impl Default for Quorum {
    fn default() -> Self {
        Self { informational: 1, low: 1, medium: 1, high: 1, critical: 1 }
    }
}

impl Quorum {
    #[must_use]
    pub fn of(&self, severity: Level) -> u32 {
        match severity {
            Level::Informational => self.informational,
            Level::Low => self.low,
            Level::Medium => self.medium,
            Level::High => self.high,
            Level::Critical => self.critical,
        }
    }

    pub(super) fn by_name(&self) -> [(&'static str, u32); 5] {
        [
            ("informational", self.informational),
            ("low", self.low),
            ("medium", self.medium),
            ("high", self.high),
            ("critical", self.critical),
        ]
    }
}

/// What happens where nobody has decided by the last deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnTimeout {
    /// The incident expires and nothing stays changed: a containment that went ahead of the question is taken back.
    #[default]
    Close,
    /// A containment that went ahead of the question stays; the incident expires.
    HoldContainment,
    /// The reversible containment is applied, or stays, and is verified.
    Contain,
}

/// Who is called where nobody answered the first time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Escalation {
    /// `C…` or `G…`; needs a bot token.
    #[serde(default)]
    pub slack_channel: Option<String>,
    /// The ARN of an SNS topic.
    #[serde(default)]
    pub topic: Option<String>,
}

impl Approver {
    /// True where the incident's actor is this person, by the actor's own ARN or by the role or user behind a session.
    #[must_use]
    pub fn is_actor(&self, actor: &Actor) -> bool {
        is_any_of(&self.principals, actor)
    }
}

impl ApproverGroup {
    /// True where the incident's actor may be a member.
    #[must_use]
    pub fn may_be_actor(&self, actor: &Actor) -> bool {
        is_any_of(&self.principals, actor)
    }
}

fn is_any_of(patterns: &[Pattern], actor: &Actor) -> bool {
    let principal = actor.principal().map(|principal| principal.arn());
    [actor.arn.as_deref(), actor.issuer_arn.as_deref(), principal.as_deref()]
        .into_iter()
        .flatten()
        .any(|arn| patterns.iter().any(|pattern| pattern.matches(arn)))
}

impl Approval {
    /// Everybody who may approve, as people are named.
    #[must_use]
    pub fn everybody(&self) -> Vec<String> {
        let groups = self.groups.iter().map(|group| format!("the group {}", group.name));
        self.approvers.iter().map(|approver| approver.name.clone()).chain(groups).collect()
    }

    /// What can be wrong: the text to look for in the file, and the sentence.
    pub(super) fn fault(&self) -> Option<(String, String)> {
        self.approver_fault().or_else(|| self.group_fault()).or_else(|| self.quorum_fault()).or_else(|| self.escalation_fault())
    }

    fn approver_fault(&self) -> Option<(String, String)> {
        let mut seen = std::collections::BTreeSet::new();
        for Approver { name, slack_user_id: id, principals } in &self.approvers {
            let fault = if !(is_slack_id(id, 'U') || is_slack_id(id, 'W')) {
                format!("approval.approvers: `{id}` is not a Slack member id; copy it from the member's profile (`U…` or `W…`)")
            } else if principals.is_empty() {
                format!(
                    "approval.approvers: `{name}` has no `principals`; name the AWS principals of this person, so that they cannot approve their own incident"
                )
            } else if !seen.insert(id) {
                format!("approval.approvers: `{id}` is listed twice; one person is one entry, with all of their `principals`")
            } else {
                continue;
            };
            return Some((id.clone(), fault));
        }
        None
    }

    fn group_fault(&self) -> Option<(String, String)> {
        let mut seen = std::collections::BTreeSet::new();
        for ApproverGroup { name, slack_user_group: id, principals } in &self.groups {
            let fault = if !is_slack_id(id, 'S') {
                format!("approval.groups: `{id}` is not the id of a Slack user group; copy it from the group's menu (`S…`)")
            } else if principals.is_empty() {
                format!(
                    "approval.groups: `{name}` has no `principals`; name the AWS principals that any member may be, so that none of them approves their own incident"
                )
            } else if !seen.insert(id) {
                format!("approval.groups: `{id}` is listed twice; take one out")
            } else {
                continue;
            };
            return Some((id.clone(), fault));
        }
        None
    }

    fn quorum_fault(&self) -> Option<(String, String)> {
        let people = self.approvers.len();
        self.quorum.by_name().into_iter().find_map(|(level, wanted)| {
            if wanted == 0 {
                return Some((level.to_owned(), format!("approval.quorum: `{level}` is 0; it takes at least 1 person to approve")));
            }
            // How many members a group has is not known here.
            let too_many = self.groups.is_empty() && wanted > 1 && usize::try_from(wanted).is_ok_and(|wanted| wanted > people);
            too_many.then(|| {
                (level.to_owned(), format!("approval.quorum: `{level}` wants {wanted} people and there are {people} approvers; add [[approval.approvers]], or lower it"))
            })
        })
    }

    fn escalation_fault(&self) -> Option<(String, String)> {
        let Escalation { slack_channel, topic } = self.escalation.as_ref()?;
        let at = |text: &Option<String>| text.clone().unwrap_or_else(|| "[approval.escalation]".to_owned());
        if slack_channel.is_none() && topic.is_none() {
            return Some((
                at(&None),
                "approval.escalation names nobody to call; give it a `slack_channel`, a `topic`, or both, or leave it out"
                    .to_owned(),
            ));
        }
        if slack_channel.as_ref().is_some_and(|id| !(is_slack_id(id, 'C') || is_slack_id(id, 'G'))) {
            let reason =
                "approval.escalation: `slack_channel` is not the id of a channel; copy it from the channel's details (`C…`)";
            return Some((at(slack_channel), reason.to_owned()));
        }
        let is_topic =
            |arn: &String| arn.starts_with("arn:") && arn.split(':').nth(2) == Some("sns") && arn.split(':').count() == 6;
        if topic.as_ref().is_some_and(|arn| !is_topic(arn)) {
            let reason = "approval.escalation: `topic` is not the ARN of an SNS topic; write it like `arn:aws:sns:us-east-1:111122223333:on-call`";
            return Some((at(topic), reason.to_owned()));
        }
        None
    }
}

fn is_slack_id(id: &str, first: char) -> bool {
    id.starts_with(first) && id.len() >= 3 && id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    const TWO: &str = "[[approval.approvers]]\nname = \"A\"\nslack_user_id = \"U0A\"\nprincipals = [\"arn:aws:iam::*:user/a\"]\n\
        [[approval.approvers]]\nname = \"B\"\nslack_user_id = \"U0B\"\nprincipals = [\"arn:aws:iam::*:user/b\"]\n";

    fn check(section: &str, says: &str) {
        let parsed = Config::parse("cordon.toml", &format!("{section}\n{TWO}"));
        match parsed {
            Ok(_) => assert_eq!(says, "", "{section}"),
            Err(error) => assert!(!says.is_empty() && error.to_string().contains(says), "{section}: {error}"),
        }
    }

    #[test]
    fn what_cannot_work_is_an_error_that_names_the_line_and_the_fix() {
        check("[approval.quorum]\ncritical = 2", "");
        check("[approval.quorum]\ncritical = 3", "cordon.toml:2: approval.quorum: `critical` wants 3 people and there are 2");
        check("[approval.quorum]\nhigh = 0", "at least 1 person");
        check("[approval.quorum]\nhuge = 1", "unknown field `huge`");
        check("[approval]\non_timeout = \"hold-containment\"", "");
        check("[approval]\non_timeout = \"panic\"", "hold-containment");
        check("[approval.escalation]", "cordon.toml:1: approval.escalation names nobody");
        check("[approval.escalation]\nslack_channel = \"#alerts\"", "cordon.toml:2: approval.escalation: `slack_channel`");
        check("[approval.escalation]\ntopic = \"on-call\"", "is not the ARN of an SNS topic");
        check("[approval.escalation]\nslack_channel = \"C0LOUD\"\ntopic = \"arn:aws:sns:us-east-1:111122223333:on-call\"", "");
        let group = |id: &str, principals: &str| {
            format!("[[approval.groups]]\nname = \"Security\"\nslack_user_group = \"{id}\"\nprincipals = [{principals}]")
        };
        check(&group("S0SEC", "\"arn:aws:iam::*:user/sec-*\""), "");
        check(&group("U0SEC", "\"arn:aws:iam::*:user/sec-*\""), "is not the id of a Slack user group");
        check(&group("S0SEC", ""), "`Security` has no `principals`");
        check(&group("S0SEC", "\"sec-*\""), "is not an ARN pattern");
        check(&TWO.replace("U0A", "U0B"), "is listed twice");
    }

    #[test]
    fn a_group_makes_any_quorum_possible() {
        let group =
            "[[approval.groups]]\nname = \"S\"\nslack_user_group = \"S0SEC\"\nprincipals = [\"arn:aws:iam::*:user/s-*\"]\n";
        check(&format!("{group}[approval.quorum]\ncritical = 5"), "");
    }
}
