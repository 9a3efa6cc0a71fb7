//! Who may decide an incident, and who of the approvers may not.
//!
//! Nobody decides their own incident. But a name that the actor took lately shuts nobody out of approving: else an attacker who makes
//! a user with an approver's name, or takes that name on, takes the approver's vote away. Such an approver can neither deny nor undo,
//! so it frees nobody if the actor is that approver after all.

use cordon_core::approval::Ballot;
use cordon_core::config::Approval;
use cordon_core::incident::{Electorate, ShutOut, Skipped};
use cordon_core::pattern::NamePattern;
use cordon_core::{Actor, Arn, Config, Incident, Name, chain};
use cordon_respond::{ArnBefore, Since};
use cordon_store::{Store, StoreError};
use jiff::SignedDuration;

/// Who the actor was before the changes of their name and path that are not believed.
enum Before {
    /// The same, or nobody knows.
    Same,
    /// There was nobody.
    Nobody(String),
    /// Somebody with other ARNs, and how they changed.
    Was(Box<Actor>, String),
}

/// Who could have approved an incident and has not.
#[must_use]
pub fn skipped(approval: &Approval, incident: &Incident, ballots: &[Ballot]) -> Vec<Skipped> {
    let has_approved = |person: &Skipped| ballots.iter().any(|ballot| ballot.person == person.slack_id);
    everybody(approval, incident).into_iter().filter(|person| !has_approved(person)).collect()
}

/// Who may approve an incident.
#[must_use]
pub fn everybody(approval: &Approval, incident: &Incident) -> Vec<Skipped> {
    let may = |id: &str| incident.approval.electorate.as_ref().is_some_and(|electorate| electorate.may_approve(id));
    listed(approval, &incident.actor, may)
}

fn listed(approval: &Approval, actor: &Actor, may_approve: impl Fn(&str) -> bool) -> Vec<Skipped> {
    let people = approval.approvers.iter().filter(|approver| !approver.is_actor(actor) || may_approve(&approver.slack_user_id));
    let people = people.map(|approver| Skipped { slack_id: approver.slack_user_id.clone(), name: approver.name.clone() });
    let groups = approval.groups.iter().filter(|group| !group.may_be_actor(actor) || may_approve(&group.slack_user_group));
    let groups = groups.map(|group| Skipped { slack_id: group.slack_user_group.clone(), name: group.name.clone() });
    people.chain(groups).collect()
}

/// Who may decide an incident that takes `quorum` approvals, and who may not; `None` where all may.
///
/// # Errors
/// [`StoreError`], where it may go away. After any other, the actor has no other name than the one of now.
pub async fn electorate(
    store: Store<'_>,
    config: &Config,
    incident: &Incident,
    quorum: u32,
) -> Result<Option<Electorate>, StoreError> {
    let (approval, actor) = (&config.approval, &incident.actor);
    let barred = approval.approvers.iter().any(|approver| approver.is_actor(actor))
        || approval.groups.iter().any(|group| group.may_be_actor(actor));
    if !barred {
        return Ok(None);
    }
    let before = before(store, config, incident).await?;
    let shut = |slack_id: &str, name: &str, (pattern, arn): (&NamePattern, String), of: &str, by_old: &dyn Fn(&Actor) -> bool| {
        let fits = format!("the actor's ARN `{arn}` fits `{pattern}` of {of}");
        let lately = match &before {
            Before::Nobody(how) => Some(how),
            Before::Was(was, how) => Some(how).filter(|_| !by_old(was)),
            Before::Same => None,
        };
        let why = match lately {
            Some(how) => format!("may approve this, but neither deny nor undo it: {fits}, but {how}"),
            None => format!("{fits}, and nobody decides their own incident"),
        };
        ShutOut { slack_id: slack_id.to_owned(), name: name.to_owned(), why, may_approve: lately.is_some() }
    };
    let people = approval.approvers.iter().filter_map(|approver| {
        let fit = approver.fit(actor)?;
        Some(shut(&approver.slack_user_id, &approver.name, fit, "their principals", &|was| approver.is_actor(was)))
    });
    let groups = approval.groups.iter().filter_map(|group| {
        let fit = group.fit(actor)?;
        Some(shut(&group.slack_user_group, &group.name, fit, "the group's principals", &|was| group.may_be_actor(was)))
    });
    let shut_out: Vec<ShutOut> = people.chain(groups).collect();
    let approves = |id: &str| shut_out.iter().any(|out| out.slack_id == id && out.may_approve);
    let people_left =
        approval.approvers.iter().filter(|approver| !approver.is_actor(actor) || approves(&approver.slack_user_id)).count();
    // The number of members of a group is not known here.
    let has_group = listed(approval, actor, approves).len() > people_left;
    let enough = has_group || usize::try_from(quorum.max(1)).is_ok_and(|wanted| people_left >= wanted);
    let hopeless = (!enough).then(|| match people_left {
        0 => "nobody is left who may approve this".to_owned(),
        left => format!("{quorum} people have to approve this, and {left} of the approvers may"),
    });
    let others = listed(approval, actor, |_| false);
    Ok(Some(Electorate { shut_out, others, hopeless }))
}

async fn before(store: Store<'_>, config: &Config, incident: &Incident) -> Result<Before, StoreError> {
    let actor = &incident.actor;
    let Some(now) = actor.principal() else { return Ok(Before::Same) };
    let event_time = incident.event.time.unwrap_or(incident.opened_at);
    let min_age = SignedDuration::from_hours(i64::from(config.exceptions.min_age_hours));
    let since = Since { believed_until: event_time.checked_sub(min_age).unwrap_or(event_time), actor: Some(&now) };
    match store.arn_before(&now, &since).await {
        Ok(ArnBefore::Made { how }) => Ok(Before::Nobody(how)),
        Ok(ArnBefore::Was { arn, how }) => Ok(Before::Was(Box::new(with_arn(actor, &now.name, &arn)), how)),
        Ok(ArnBefore::Same | ArnBefore::Unknown { .. }) => Ok(Before::Same),
        Err(error) if error.is_transient() => Err(error),
        Err(error) => {
            tracing::warn!(reason = chain(&error), "how the actor came to their name cannot be read");
            Ok(Before::Same)
        }
    }
}

/// The actor as the record would name them with another ARN of their user or role.
fn with_arn(actor: &Actor, now: &Name, arn: &Arn) -> Actor {
    let name = arn.resource().rsplit('/').next().unwrap_or_default().to_owned();
    let own = actor.arn.as_deref().map(|own| match own.split_once(&format!(":assumed-role/{now}/")) {
        Some((account, session)) => format!("{account}:assumed-role/{name}/{session}"),
        None => arn.to_string(),
    });
    let issuer_arn = actor.issuer_arn.as_ref().map(|_| arn.to_string());
    Actor { name: Some(name), arn: own, issuer_arn, ..actor.clone() }
}
