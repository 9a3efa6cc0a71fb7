//! The two records of one call, where it was made from one account on a thing of another (`sharedEventID`).
//!
//! INVARIANT: each record is answered in its own account alone: the caller on the record of theirs, the thing on the record of its
//! account's. So one that can have something done in its account joins no incident of the other's. Any other does.
//!
//! The shape: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/shared-event-ID.html>.

use cordon_core::incident::Incident;
use cordon_core::{EventId, Response};

/// What a record claims of its call: the call, or its own account's part of it where something can be done about it there.
pub(super) fn claimed(shared: &EventId, incident: &Incident) -> Option<EventId> {
    let account = incident.account.as_ref();
    // A caller from outside cannot be stopped here.
    let is_own = account.is_none_or(|account| !incident.actor.is_foreign_to(account));
    let is_answered = |response: &Response| !response.revert.is_empty() || (is_own && !response.contain.is_empty());
    let wants = incident.detections.iter().any(|detection| detection.response.as_ref().is_some_and(is_answered));
    match account {
        Some(account) if wants => format!("{shared}@{account}").parse().ok(),
        Some(_) | None => Some(shared.clone()),
    }
}
