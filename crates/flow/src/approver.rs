//! Resolves a Slack member or an AWS principal to one person on the list of approvers.

use cordon_core::config::{Approval, Approver};
use cordon_core::pattern::NamePattern;
use cordon_core::{Actor, Arn, Config, Incident, PrincipalKind, chain, same_arn};

use crate::ports::Channel;

/// The names of Identity Center's roles begin so.
const IDENTITY_CENTER: &str = "AWSReservedSSO_";

/// Who says that they decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voter<'a> {
    /// A Slack member, whose click was verified.
    Slack(&'a str),
    /// The ARN that STS gave for the caller's credentials.
    Principal(&'a str),
}

/// What somebody wants to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// That the plan is carried out, as one of those who have to approve it.
    Approve,
    /// Anything else: what stops Cordon, or takes a change back.
    Other,
}

impl Voter<'_> {
    /// As the timeline names them.
    #[must_use]
    pub fn by(&self) -> &str {
        match self {
            Self::Slack(id) | Self::Principal(id) => id,
        }
    }
}

/// One person who may decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The Slack id: by it, a person counts once, wherever they spoke.
    pub id: String,
    /// The name that `cordon.toml` gives them.
    pub name: String,
    /// As the timeline names them.
    pub by: String,
}

/// Why somebody may not decide, in a sentence for them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotEntitled {
    /// The incident is about them.
    #[error("You are the actor of this incident, so another approver has to decide it. Nothing was changed.")]
    Actor,
    /// The incident may be about them: its actor is a role that this group shares.
    #[error("The actor of this incident may be any member of `{0}`, so somebody else has to decide it. Nothing was changed.")]
    GroupOfActor(String),
    /// The AWS identity is a session of the very role that acted, under a name that its caller chose.
    #[error(
        "`{0}` is a session of the role that acted in this incident, and whoever takes on a role chooses the session's name, so it does not tell you from the actor. Decide in Slack, or use credentials of your own. Nothing was changed."
    )]
    ActorsRole(String),
    /// The actor came to their name lately.
    #[error(
        "The actor came to a name of yours only lately. So you may approve this incident, but you can neither deny nor undo it, take it on, nor approve it alone. Nothing was changed."
    )]
    OnlyApproves,
    /// Nobody lists them.
    #[error("You are not on the list of approvers, so nothing was changed. Please ask one of them.")]
    NotListed,
    /// Nobody lists them, and this group could not be read.
    #[error(
        "You are not on the list of approvers, and Slack does not say who is in `{0}`, so nothing was changed. Please ask somebody on the list."
    )]
    GroupUnread(String),
    /// The AWS identity is nobody's.
    #[error("`{0}` is no approver's: no [[approval.approvers]] lists it in `principals`. Nothing was changed.")]
    NobodysPrincipal(String),
    /// The AWS identity comes from a role that a group shares.
    #[error(
        "`{arn}` comes from a role that the members of `{group}` share, so it does not tell who you are. Use credentials of your own. Nothing was changed."
    )]
    SharedRole {
        /// The identity.
        arn: String,
        /// The group's name.
        group: String,
    },
    /// The AWS identity fits several people.
    #[error(
        "`{arn}` fits several approvers ({names}), so it does not tell who you are. Use credentials of your own, or list each one's sessions. Nothing was changed."
    )]
    Several {
        /// The identity.
        arn: String,
        /// Theirs, for people.
        names: String,
    },
}

/// The person behind a voter, or why they may not decide an incident of this actor.
///
/// # Errors
/// [`NotEntitled`].
pub async fn entitled(
    config: &Config,
    channel: Option<&dyn Channel>,
    voter: Voter<'_>,
    incident: &Incident,
    wish: Wish,
) -> Result<Person, NotEntitled> {
    let actor = &incident.actor;
    let may_approve = |id: &str| incident.approval.electorate.as_ref().is_some_and(|electorate| electorate.may_approve(id));
    let barred = |id: &str, refusal: NotEntitled| match (may_approve(id), wish) {
        (true, Wish::Approve) => Ok(()),
        (true, Wish::Other) => Err(NotEntitled::OnlyApproves),
        (false, Wish::Approve | Wish::Other) => Err(refusal),
    };
    match voter {
        Voter::Slack(id) => match config.approver(id) {
            Some(approver) => as_approver(approver, id, actor, barred),
            None => as_member(config, channel, id, actor, barred).await,
        },
        Voter::Principal(arn) => as_approver(of_principal(config, arn)?, arn, actor, barred).and_then(|person| {
            // Whatever the patterns say: the very same session is the very same person.
            if actor.arn.as_deref().is_some_and(|actor| same_arn(actor, arn)) {
                return Err(NotEntitled::Actor);
            }
            if names_itself(arn) && is_of_actors_role(arn, actor) {
                return Err(NotEntitled::ActorsRole(arn.to_owned()));
            }
            Ok(person)
        }),
    }
}

fn as_approver(
    approver: &Approver,
    by: &str,
    actor: &Actor,
    barred: impl Fn(&str, NotEntitled) -> Result<(), NotEntitled>,
) -> Result<Person, NotEntitled> {
    if approver.is_actor(actor) {
        barred(&approver.slack_user_id, NotEntitled::Actor)?;
    }
    Ok(Person { id: approver.slack_user_id.clone(), name: approver.name.clone(), by: by.to_owned() })
}

async fn as_member(
    config: &Config,
    channel: Option<&dyn Channel>,
    id: &str,
    actor: &Actor,
    barred: impl Fn(&str, NotEntitled) -> Result<(), NotEntitled>,
) -> Result<Person, NotEntitled> {
    let mut unreadable = None;
    for group in &config.approval.groups {
        let Some(channel) = channel else { break };
        let members = match channel.group_members(&group.slack_user_group).await {
            Ok(members) => members,
            Err(error) => {
                tracing::warn!(group = group.name, reason = chain(&error), "the members of an approver group cannot be read");
                unreadable = Some(group);
                continue;
            }
        };
        if !members.iter().any(|member| member == id) {
            continue;
        }
        if group.may_be_actor(actor) {
            barred(&group.slack_user_group, NotEntitled::GroupOfActor(group.name.clone()))?;
        }
        let name = format!("{id} of {}", group.name);
        return Ok(Person { id: id.to_owned(), name, by: id.to_owned() });
    }
    Err(unreadable.map_or(NotEntitled::NotListed, |group| NotEntitled::GroupUnread(group.name.clone())))
}

/// The one approver whose principals name an AWS identity: a user, a session by its own ARN or by the role behind it, or a role.
///
/// # Errors
/// [`NotEntitled`]: nobody's, or shared, so that it does not tell who somebody is.
pub(crate) fn of_principal<'a>(config: &'a Config, arn: &str) -> Result<&'a Approver, NotEntitled> {
    let role = roles_of(arn, &config.approval);
    let names =
        |patterns: &[NamePattern], arns: &[String]| arns.iter().any(|arn| patterns.iter().any(|pattern| pattern.matches(arn)));
    // A role is nobody's own; who acts with it is only known by the session.
    let own = if role.iter().any(|role| role == arn) { Vec::new() } else { vec![arn.to_owned()] };
    let found: Vec<&Approver> = config
        .approval
        .approvers
        .iter()
        .filter(|approver| names(&approver.principals, &own) || names(&approver.principals, &role))
        .collect();
    match found.as_slice() {
        [] => Err(NotEntitled::NobodysPrincipal(arn.to_owned())),
        [approver] => {
            let shared = config.approval.groups.iter().find(|group| names(&group.principals, &role));
            match shared.filter(|_| !names(&approver.principals, &own)) {
                None => Ok(approver),
                Some(group) => Err(NotEntitled::SharedRole { arn: arn.to_owned(), group: group.name.clone() }),
            }
        }
        several => {
            let names: Vec<&str> = several.iter().map(|approver| approver.name.as_str()).collect();
            Err(NotEntitled::Several { arn: arn.to_owned(), names: names.join(", ") })
        }
    }
}

/// Whether an ARN is of a session whose name its caller chose. Identity Center names its sessions itself.
fn names_itself(arn: &str) -> bool {
    let role = arn.parse::<Arn>().ok().and_then(|arn| Some(arn.resource().strip_prefix("assumed-role/")?.to_owned()));
    role.is_some_and(|role| !role.starts_with(IDENTITY_CENTER))
}

/// Whether the role behind a session is the one that acted. STS leaves its path away, and names are unique whatever the path.
fn is_of_actors_role(arn: &str, actor: &Actor) -> bool {
    let acted = actor.principal().filter(|acted| acted.kind == PrincipalKind::Role);
    let role = session_role(arn).map_or_else(|| arn.to_owned(), |(account, name)| format!("{account}role/{name}"));
    acted.is_some_and(|acted| acted.has_arn(&role))
}

/// The beginning of the ARNs in the account of a session, and the name of its role.
fn session_role(arn: &str) -> Option<(String, String)> {
    let parsed = arn.parse::<Arn>().ok()?;
    let name = parsed.resource().strip_prefix("assumed-role/")?.split('/').next().filter(|name| !name.is_empty())?;
    Some((format!("arn:{}:iam::{}:", parsed.partition(), parsed.account()?), name.to_owned()))
}

/// The ARNs that the role behind a session can have, or the role itself: STS leaves its path away, and Identity Center's roles have
/// the one of their region, which the list of approvers writes out.
fn roles_of(arn: &str, approval: &Approval) -> Vec<String> {
    if arn.parse::<Arn>().is_ok_and(|arn| arn.resource().starts_with("role/")) {
        return vec![arn.to_owned()];
    }
    let Some((account, name)) = session_role(arn) else { return Vec::new() };
    let approvers = approval.approvers.iter().flat_map(|approver| &approver.principals);
    let listed = approvers.chain(approval.groups.iter().flat_map(|group| &group.principals));
    // The path of a pattern, in the account of the session alone.
    let reserved = listed.filter_map(|pattern| pattern.identity_center_role(&name)).filter(|role| role.starts_with(&account));
    reserved.chain([format!("{account}role/{name}")]).collect()
}
