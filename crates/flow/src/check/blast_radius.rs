//! Gathers what the subject of an incident, or else its actor, could do: for the card.
//!
//! INVARIANT: nothing is decided on it. A read that fails becomes a sentence, never an error and never a reason.

use cordon_core::incident::Incident;
use cordon_core::{BlastRadius, KeyUse, Principal, PrincipalKind, Subject};
use cordon_respond::port::{Account, IamError};

use crate::accounts::Accounts;

/// IAM lets a user have two keys; more are not looked at.
const KEYS_MAX: usize = 4;

/// `None` where the event names no principal of the account that the incident is in.
pub async fn gather(accounts: &dyn Accounts, incident: &Incident) -> Option<BlastRadius> {
    let principal = of_whom(incident)?;
    let mut found = BlastRadius {
        principal: principal.clone(),
        keys: Vec::new(),
        policies: Vec::new(),
        groups: Vec::new(),
        more: 0,
        unknown: Vec::new(),
    };
    let iam = match accounts.iam(&principal.account, &incident.id).await {
        Ok(iam) => iam,
        Err(error) => {
            found.unknown.push(unread("account", &error));
            return Some(found);
        }
    };
    let policies = iam.attached_policies(&principal).await;
    found.policies = kept(policies, "attached policies", &mut found);
    if principal.kind == PrincipalKind::User {
        let groups = iam.groups_of_user(&principal.name).await;
        found.groups = kept(groups, "groups", &mut found);
        match keys(&*iam, &principal.name).await {
            Ok(keys) => found.keys = keys,
            Err(error) => found.unknown.push(unread("access keys", &error)),
        }
    }
    Some(found)
}

/// The user's keys, and what each was used for last.
async fn keys(iam: &dyn Account, user: &str) -> Result<Vec<KeyUse>, IamError> {
    let mut uses = Vec::new();
    for key in iam.access_keys(user).await?.into_iter().take(KEYS_MAX) {
        let (last_used, service, region) = match iam.access_key_last_used(&key.id).await? {
            Some(last) => (Some(last.at), last.service, last.region),
            None => (None, None, None),
        };
        uses.push(KeyUse { id: key.id, active: key.active, last_used, service, region });
    }
    Ok(uses)
}

fn of_whom(incident: &Incident) -> Option<Principal> {
    let subject = match &incident.subject {
        Subject::Principal { principal } => Some(principal.clone()),
        Subject::AccessKey { user: Some(user), .. } => {
            let account = incident.account.clone()?;
            Some(Principal::new(PrincipalKind::User, account, user))
        }
        Subject::AccessKey { user: None, .. } | Subject::Policy { .. } | Subject::Account { .. } | Subject::Unknown => None,
    };
    let principal = subject.or_else(|| incident.actor.principal())?;
    Some(principal).filter(|principal| incident.account.as_ref() == Some(&principal.account))
}

fn kept(read: Result<Vec<String>, IamError>, what: &str, found: &mut BlastRadius) -> Vec<String> {
    match read {
        Ok(mut names) => {
            let more = names.len().saturating_sub(BlastRadius::LISTED);
            found.more = found.more.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
            names.truncate(BlastRadius::LISTED);
            names
        }
        Err(error) => {
            found.unknown.push(unread(what, &error));
            Vec::new()
        }
    }
}

fn unread(what: &str, error: &IamError) -> String {
    format!("The {what} could not be read ({error}).")
}
