//! The ARN that a principal had before, from the changes of names and paths that were seen.

use async_trait::async_trait;
use cordon_core::{Arn, Principal};
use cordon_respond::{ArnBefore, Arns, IamError, IamErrorKind, Since};
use jiff::Timestamp;

use crate::parts::Grant;
use crate::provenance::{Change, Moved, Provenance};
use crate::{Store, StoreError};

/// More names in a row are not followed: then the ARN is not known.
const NAMES_MAX: usize = 8;

impl Store<'_> {
    /// The ARN of a principal before the changes that are not believed. `now` has the ARN that IAM gives.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn arn_before(&self, now: &Principal, since: &Since<'_>) -> Result<ArnBefore, StoreError> {
        let Some(arn) = now.known_arn.as_ref() else { return Ok(ArnBefore::Same) };
        let mut whom = now.clone();
        let mut path = arn.path();
        let mut how: Option<String> = None;
        // Whoever is renamed has the events of the earlier name up to that moment.
        let mut by: Option<(Option<Timestamp>, String)> = None;
        let mut is_seen = false;
        for _ in 0..NAMES_MAX {
            let mut went_on = false;
            for change in self.changes(&whom).await? {
                let is_later = by.as_ref().is_some_and(|(at, event)| change.event == *event || change.at > *at);
                if is_later {
                    continue;
                }
                if is_believed(&change, since) {
                    return Ok(settled(now, &whom, change.moved.as_ref(), path, how));
                }
                is_seen = true;
                how.get_or_insert_with(|| told(now, &change));
                match (change.change, &change.moved) {
                    (Change::Given, _) => return Ok(ArnBefore::Made { how: how.unwrap_or_default() }),
                    // The name stands although it was given up: by an event that nobody saw.
                    (Change::TakenAway, _) | (Change::Renamed, None) => {
                        return Ok(ArnBefore::Unknown { how: how.unwrap_or_default() });
                    }
                    (Change::Renamed, Some(moved)) => {
                        // A new name alone leaves the path.
                        if moved.to_path.is_some() || moved.from_path.is_some() {
                            path.clone_from(&moved.from_path);
                        }
                        let name = moved.from_name.clone().filter(|name| whom.name != name.as_str());
                        if let Some(name) = name {
                            whom = Principal::new(now.kind, now.account.clone(), &name);
                            by = Some((change.at, change.event));
                            went_on = true;
                            break;
                        }
                    }
                }
            }
            if !went_on {
                return Ok(if is_seen { settled(now, &whom, None, path, how) } else { ArnBefore::Same });
            }
        }
        Ok(ArnBefore::Unknown { how: how.unwrap_or_default() })
    }

    /// The changes of a name's ARN, the newest first.
    async fn changes(&self, principal: &Principal) -> Result<Vec<Provenance>, StoreError> {
        let Some(newest) = self.provenance(principal, Grant::Arn).await? else { return Ok(Vec::new()) };
        let earlier = newest.earlier.clone();
        let is_full = earlier.len() >= Provenance::EARLIER_MAX;
        let mut changes: Vec<Provenance> = std::iter::once(newest).chain(earlier).collect();
        if is_full && let Some(oldest) = changes.last_mut() {
            // What was before it was not kept.
            oldest.moved = None;
        }
        Ok(changes)
    }
}

#[async_trait]
impl Arns for Store<'_> {
    async fn before(&self, now: &Principal, since: &Since<'_>) -> Result<ArnBefore, IamError> {
        self.arn_before(now, since).await.map_err(|error| {
            let kind = if error.is_transient() { IamErrorKind::Transient } else { IamErrorKind::Other };
            IamError::new(kind, "dynamodb:GetItem", &error.to_string()).caused_by(error)
        })
    }
}

/// Whether a change is old enough, and not the actor's own.
fn is_believed(change: &Provenance, since: &Since<'_>) -> bool {
    let by_actor = since.actor.is_some_and(|actor| actor.has_arn(&change.by));
    !by_actor && change.at.is_some_and(|at| at <= since.believed_until)
}

/// What stood after a change that is believed, or before all that were seen.
fn settled(now: &Principal, whom: &Principal, by: Option<&Moved>, path: Option<String>, how: Option<String>) -> ArnBefore {
    let Some(how) = how else { return ArnBefore::Same };
    let path = path.or_else(|| by.and_then(|moved| moved.to_path.clone()));
    let partition = now.known_arn.as_ref().map_or("aws", Arn::partition);
    let before =
        path.and_then(|path| format!("arn:{partition}:iam::{}:{}{path}{}", now.account, now.kind, whom.name).parse::<Arn>().ok());
    match before {
        Some(arn) if Some(&arn) == now.known_arn.as_ref() => ArnBefore::Same,
        Some(arn) => ArnBefore::Was { arn, how },
        None => ArnBefore::Unknown { how },
    }
}

fn told(now: &Principal, change: &Provenance) -> String {
    let when = change.at.map_or_else(|| "at an unknown time".to_owned(), |at| format!("at {at}"));
    let did = match change.change {
        Change::Given => "made it",
        Change::TakenAway => "gave its name up or deleted it",
        Change::Renamed => "gave it this name or path",
    };
    format!("`{}` {did} {when}, and `{now}` is not judged by that alone", change.by)
}
