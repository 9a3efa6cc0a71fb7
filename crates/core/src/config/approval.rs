//! `[approval]`: who may approve or deny, how many of them it takes, and what happens if nobody answers.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::error::Problem;
use super::notifications::{channel, topic};
use super::reader::Section;
use crate::detection::Level;
use crate::pattern::{NamePattern, NamedKind, is_identity_center_role};
use crate::principal::Actor;

/// Who decides, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Approval {
    /// The people who may decide.
    pub approvers: Vec<Approver>,
    /// The Slack user groups whose members may decide.
    pub groups: Vec<ApproverGroup>,
    /// How many have to approve.
    pub quorum: Quorum,
    /// What happens if nobody decides.
    pub on_timeout: OnTimeout,
    /// Who is called if nobody decides by the first deadline.
    pub escalation: Option<Escalation>,
    /// Whether one approver may approve alone, with a stated reason, although the quorum is higher.
    pub break_glass: bool,
    /// Whether one approver may undo a change that took more of them to approve.
    pub undo_by_one: bool,
    /// In a dry run: ask for real, and change nothing.
    pub rehearse: bool,
}

/// A person who may approve or deny.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approver {
    /// As people know them.
    pub name: String,
    /// `U…` or `W…`.
    pub slack_user_id: String,
    /// Patterns of the AWS principals that are the same person: they cannot decide their own incident.
    pub principals: Vec<NamePattern>,
}

/// A Slack user group whose members may approve or deny.
///
/// INVARIANT: Cordon cannot know which AWS principal a member is, so the group's patterns stand for every member at once: if
/// the actor matches one of them, no member decides by the group. A member who is listed as an [`Approver`] too is judged by
/// that entry alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApproverGroup {
    /// As people know it.
    pub name: String,
    /// `S…`
    pub slack_user_group: String,
    /// Patterns of the AWS principals that any member may be.
    pub principals: Vec<NamePattern>,
}

/// How many people have to approve, by the incident's severity. One person's denial is enough at every severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quorum {
    /// For [`Level::Informational`].
    pub informational: u32,
    /// For [`Level::Low`].
    pub low: u32,
    /// For [`Level::Medium`].
    pub medium: u32,
    /// For [`Level::High`].
    pub high: u32,
    /// For [`Level::Critical`].
    pub critical: u32,
}

impl Default for Quorum {
    fn default() -> Self {
        Self { informational: 1, low: 1, medium: 1, high: 1, critical: 1 }
    }
}

impl Quorum {
    /// `approvers` is how many there are, if that is known.
    fn read(section: &mut Section<'_, '_>, approvers: Option<usize>) -> Self {
        let default = Self::default();
        let mut level = |level: &'static str, default: u32| {
            let Some(wanted) = section.get::<u32>(level) else { return default };
            let (span, wanted) = (wanted.span(), wanted.into_inner());
            if wanted == 0 {
                section.fault(span, Problem::NoQuorum { level });
            } else if let Some(approvers) = approvers.filter(|&approvers| wanted > 1 && is_more(wanted, approvers)) {
                section.fault(span, Problem::QuorumTooHigh { level, wanted, approvers });
            }
            wanted
        };
        Self {
            informational: level("informational", default.informational),
            low: level("low", default.low),
            medium: level("medium", default.medium),
            high: level("high", default.high),
            critical: level("critical", default.critical),
        }
    }

    /// The highest quorum of any severity.
    #[must_use]
    pub fn highest(&self) -> u32 {
        let Self { informational, low, medium, high, critical } = *self;
        [informational, low, medium, high, critical].into_iter().fold(0, u32::max)
    }

    /// The quorum for a severity.
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
}

/// What happens if nobody has decided by the last deadline.
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

/// Who is called if nobody decides by the first deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// `C…` or `G…`; needs a bot token.
    pub slack_channel: Option<String>,
    /// The ARN of an SNS topic.
    pub topic: Option<String>,
}

impl Escalation {
    fn read(section: &mut Section<'_, '_>) -> Self {
        if !section.has("slack_channel") && !section.has("topic") {
            section.fault(section.span(), Problem::EscalationToNobody);
        }
        let (channel, topic) = (channel(section, "slack_channel"), topic(section, "topic"));
        Self { slack_channel: channel.map(Spanned::into_inner), topic: topic.map(Spanned::into_inner) }
    }
}

impl Approver {
    /// Whether the incident's actor is this person, by the actor's own ARN or by the role or user behind a session.
    #[must_use]
    pub fn is_actor(&self, actor: &Actor) -> bool {
        self.fit(actor).is_some()
    }

    /// The pattern by which the actor is this person, and the actor's ARN that fits it.
    #[must_use]
    pub fn fit(&self, actor: &Actor) -> Option<(&NamePattern, String)> {
        fit(&self.principals, actor)
    }
}

impl ApproverGroup {
    /// Whether the incident's actor may be a member.
    #[must_use]
    pub fn may_be_actor(&self, actor: &Actor) -> bool {
        self.fit(actor).is_some()
    }

    /// The pattern by which the actor may be a member, and the actor's ARN that fits it.
    #[must_use]
    pub fn fit(&self, actor: &Actor) -> Option<(&NamePattern, String)> {
        fit(&self.principals, actor)
    }
}

fn fit<'a>(patterns: &'a [NamePattern], actor: &Actor) -> Option<(&'a NamePattern, String)> {
    let principal = actor.principal().map(|principal| principal.arn());
    // Whoever makes a role can call it like one of Identity Center's, and then chooses the session's name; only its path tells.
    let names_session = actor.issuer_arn.as_deref().is_none_or(is_identity_center_role);
    let may_fit = |pattern: &&NamePattern| names_session || pattern.kind() != NamedKind::Session;
    [actor.arn.as_deref(), actor.issuer_arn.as_deref(), principal.as_deref()].into_iter().flatten().find_map(|arn| {
        let pattern = patterns.iter().filter(may_fit).find(|pattern| pattern.matches_any_spelling(arn))?;
        Some((pattern, arn.to_owned()))
    })
}

impl Approval {
    /// The names of the approvers and groups, for people.
    #[must_use]
    pub fn everybody(&self) -> Vec<String> {
        let groups = self.groups.iter().map(|group| format!("the group {}", group.name));
        self.approvers.iter().map(|approver| approver.name.clone()).chain(groups).collect()
    }

    /// With whether anybody is listed who may approve.
    pub(super) fn read(section: &mut Section<'_, '_>) -> (Self, bool) {
        let (approvers, groups) = (section.sections("approvers"), section.sections("groups"));
        let anybody = !approvers.is_empty() || !groups.is_empty();
        // The number of members of a group is not known here.
        let people = groups.is_empty().then_some(approvers.len());
        let approval = Self {
            approvers: people_of(approvers, "slack_user_id", is_member_id, Problem::NotAMemberId)
                .map(|(name, slack_user_id, principals)| Approver { name, slack_user_id, principals })
                .collect(),
            groups: people_of(groups, "slack_user_group", |id| is_slack_id(id, 'S'), Problem::NotAUserGroupId)
                .map(|(name, slack_user_group, principals)| ApproverGroup { name, slack_user_group, principals })
                .collect(),
            quorum: section
                .section("quorum")
                .map_or_else(Quorum::default, |section| section.read(|section| Quorum::read(section, people))),
            on_timeout: section.or("on_timeout", OnTimeout::default()),
            escalation: section.section("escalation").map(|section| section.read(Escalation::read)),
            break_glass: section.or("break_glass", false),
            undo_by_one: section.or("undo_by_one", false),
            rehearse: Self::rehearse(section, anybody),
        };
        (approval, anybody)
    }

    fn rehearse(section: &mut Section<'_, '_>, anybody: bool) -> bool {
        let Some(rehearse) = section.get::<bool>("rehearse") else { return false };
        if *rehearse.get_ref() && !anybody {
            section.fault(rehearse.span(), Problem::NobodyRehearses);
        }
        rehearse.into_inner()
    }
}

/// The name, the Slack id and the principals of each section that has all three.
fn people_of<'s>(
    sections: Vec<Section<'s, 's>>,
    id_key: &'static str,
    is_id: fn(&str) -> bool,
    not_an_id: fn(String) -> Problem,
) -> impl Iterator<Item = (String, String, Vec<NamePattern>)> {
    let mut seen = BTreeSet::new();
    sections.into_iter().filter_map(move |section| {
        section.read(|section| {
            let (name, id) = (section.required::<String>("name"), section.required::<String>(id_key));
            section.require("principals");
            let principals = section.name_patterns("principals", NamedKind::PEOPLE);
            if let Some(id) = &id {
                let text = id.get_ref();
                if !is_id(text) {
                    section.fault(id.span(), not_an_id(text.clone()));
                } else if !seen.insert(text.clone()) {
                    section.fault(id.span(), Problem::ListedTwice { section: section.name().to_owned(), id: text.clone() });
                }
            }
            let (name, principals) = (name?.into_inner(), principals?);
            if principals.is_empty {
                let problem = Problem::NoPrincipals { section: section.name().to_owned(), name: name.clone() };
                section.fault(principals.span.clone(), problem);
            }
            Some((name, id?.into_inner(), principals.plain()))
        })
    })
}

fn is_more(wanted: u32, people: usize) -> bool {
    usize::try_from(wanted).is_ok_and(|wanted| wanted > people)
}

fn is_member_id(id: &str) -> bool {
    is_slack_id(id, 'U') || is_slack_id(id, 'W')
}

fn is_slack_id(id: &str, first: char) -> bool {
    id.starts_with(first) && id.len() >= 3 && id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::Actor;
    use crate::config::Config;

    const TWO: &str = "[[approval.approvers]]\nname = \"A\"\nslack_user_id = \"U0A\"\nprincipals = [\"arn:aws:iam::111111111111:user/a\"]\n\
        [[approval.approvers]]\nname = \"B\"\nslack_user_id = \"U0B\"\nprincipals = [\"arn:aws:iam::111111111111:user/b\"]\n";

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
        check("[approval.quorum]\ncritical = 3", "cordon.toml:2:12: approval.quorum: `critical` wants 3 people and there are 2");
        check("[approval.quorum]\nhigh = 0", "at least 1 person");
        check("[approval.quorum]\nhuge = 1", "unknown key `huge`");
        check("[approval]\nundo_by_one = true", "");
        check("[approval]\nundo_by_one = 1", "undo_by_one");
        check("[approval]\non_timeout = \"hold-containment\"", "");
        check("[approval]\non_timeout = \"panic\"", "hold-containment");
        check("[approval.escalation]", "cordon.toml:1:1: approval.escalation names neither");
        check(
            "[approval.escalation]\nslack_channel = \"#alerts\"",
            "cordon.toml:2:17: approval.escalation.slack_channel: `#alerts`",
        );
        check("[approval.escalation]\ntopic = \"on-call\"", "is not the ARN of an SNS topic");
        check("[approval.escalation]\nslack_channel = \"C0LOUD\"\ntopic = \"arn:aws:sns:us-east-1:111122223333:on-call\"", "");
        let group = |id: &str, principals: &str| {
            format!("[[approval.groups]]\nname = \"Security\"\nslack_user_group = \"{id}\"\nprincipals = [{principals}]")
        };
        check(&group("S0SEC", "\"arn:aws:iam::111111111111:user/sec-*\""), "");
        check(&group("U0SEC", "\"arn:aws:iam::111111111111:user/sec-*\""), "is not the id of a Slack user group");
        check(&group("S0SEC", ""), "`Security` has no `principals`");
        check(&group("S0SEC", "\"sec-*\""), "is not an ARN pattern");
        check(&TWO.replace("U0A", "U0B"), "is listed twice");
    }

    #[test]
    fn attack_2_an_approver_is_the_actor_however_their_name_is_spelt() {
        let config = Config::parse("cordon.toml", TWO).unwrap();
        let barred = |name: &str| {
            let arn = format!("arn:aws:iam::111111111111:user/{name}");
            let identity = json!({"type": "IAMUser", "userName": name, "accountId": "111111111111", "arn": arn});
            let actor = Actor::from_record(&json!({"userIdentity": identity}));
            config.approval.approvers.iter().filter(|approver| approver.is_actor(&actor)).count()
        };
        assert_eq!([barred("a"), barred("A"), barred("ab")], [1, 1, 0]);
    }

    #[test]
    fn a_group_makes_any_quorum_possible() {
        let group = "[[approval.groups]]\nname = \"S\"\nslack_user_group = \"S0SEC\"\nprincipals = [\"arn:aws:iam::111111111111:user/s-*\"]\n";
        check(&format!("{group}[approval.quorum]\ncritical = 5"), "");
    }
}
