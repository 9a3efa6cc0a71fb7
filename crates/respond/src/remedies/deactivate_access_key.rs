//! deactivate-access-key: deactivates access keys of a user: the one that the event created or activated, or all of the actor's.
//!
//! It never deletes a key, and undo activates only the keys that it deactivated. An inactive key does not end sessions that were
//! made with it: to stop an actor, the planner puts `revoke-sessions` before it.

use async_trait::async_trait;
use cordon_core::{Change, PlannedStep, Principal, Purpose, RemedyKind, Setting};
use jiff::SignedDuration;

use super::revoke_sessions::FEDERATION_MAX_HOURS;
use crate::port::{AccessKey, Account, IamError};
use crate::remedy::{Answers, ByHand, Planned, Remedy, Request};
use crate::settings;

/// The remedy.
pub struct DeactivateAccessKey;

/// How far the clocks of CloudTrail and of IAM may be apart for a key to be the one that an event made.
const CLOCKS_DIFFER_SECONDS: i64 = 5;

#[async_trait]
impl Remedy for DeactivateAccessKey {
    fn kind(&self) -> RemedyKind {
        RemedyKind::DeactivateAccessKey
    }

    fn answers(&self) -> Answers {
        Answers::Calls(&["CreateAccessKey", "UpdateAccessKey"])
    }

    async fn plan(&self, account: &dyn Account, request: &Request<'_>) -> Result<Planned, IamError> {
        let Some((target, _)) = request.user() else {
            return Ok(request.does_not_fit(self.kind(), "a user with access keys"));
        };
        let keys = account.access_keys(&target.name).await?;
        let chosen = match request.purpose {
            Purpose::Contain => keys,
            Purpose::Revert => match of_event(&keys, request) {
                Some(key) => vec![key.clone()],
                None => return Ok(Planned::ByHand(unknown_key(target))),
            },
        };
        let changes: Vec<Change> = chosen.iter().map(off).collect();
        let note = note(account, &changes, request).await?;
        let step = PlannedStep { note, ..request.step(self.kind()) };
        Ok(settings::planned(request, step, changes, &format!("no access key of `{target}` that this is about is active")))
    }
}

/// The key turned off; a key that is off already is left out of the plan, unless another incident holds it.
pub(super) fn off(key: &AccessKey) -> Change {
    let from = Some(if key.active { Setting::ON } else { Setting::OFF }.to_owned());
    Change { setting: Setting::AccessKey { id: key.id.clone() }, from, to: Some(Setting::OFF.to_owned()) }
}

/// The key that the event named; where it named none, as a record without a response does, the one that was made in that very
/// moment.
fn of_event<'a>(keys: &'a [AccessKey], request: &Request<'_>) -> Option<&'a AccessKey> {
    if let Some(id) = &request.event.touched.access_key_id {
        return keys.iter().find(|key| key.id == *id);
    }
    let time = request.event.time.filter(|_| request.event.name == "CreateAccessKey")?;
    let near = SignedDuration::from_secs(CLOCKS_DIFFER_SECONDS);
    let mut made = keys.iter().filter(|key| key.created_at.is_some_and(|at| at.duration_since(time).abs() <= near));
    let key = made.next()?;
    made.next().is_none().then_some(key)
}

fn unknown_key(target: &Principal) -> ByHand {
    ByHand {
        reason: format!("no access key of `{target}` can be told to be the one of the event"),
        instruction: format!(
            "look at the keys (`aws iam list-access-keys --user-name {0}`), and turn off the one that nobody of yours made (`aws iam \
             update-access-key --user-name {0} --status Inactive --access-key-id …`)",
            target.name
        ),
    }
}

/// What is known of the last use of the keys, and what a used one leaves behind. IAM reports a use hours late, so a key without one
/// is taken for a used one.
async fn note(account: &dyn Account, changes: &[Change], request: &Request<'_>) -> Result<Option<String>, IamError> {
    let mut uses = Vec::new();
    for change in changes {
        let Setting::AccessKey { id } = &change.setting else { continue };
        if change.from.as_deref() == Some(Setting::OFF) && request.held(&change.setting).is_none() {
            continue;
        }
        uses.push(match account.access_key_last_used(id).await? {
            Some(last) => format!("`{id}` at {}", last.at),
            None => format!("`{id}` no use reported yet (AWS reports it hours late)"),
        });
    }
    if uses.is_empty() {
        return Ok(None);
    }
    let end = request.now.saturating_add(SignedDuration::from_hours(FEDERATION_MAX_HOURS)).unwrap_or(jiff::Timestamp::MAX);
    Ok(Some(format!(
        "Last reported use: {}. Sessions that were made with a key live on after it is off, federation tokens until {end} at the latest: only \
         a deny on the user ends them.",
        uses.join(", ")
    )))
}
