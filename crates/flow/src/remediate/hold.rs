//! Enforcement is stopped while something is released: it waits until enforcement is resumed, instead of being lost.
//!
//! The state machine waits and asks again, so that `cordon resume` needs no right but its own. The longer it lasts, the longer the
//! pauses: an execution has at most 25,000 events in its history.

use cordon_contract::RemediateOutput;
use cordon_core::incident::{Held, Incident};
use cordon_core::timeline::{Kind, NewEntry};
use jiff::SignedDuration;
use serde_json::json;

use super::{Remediate, RemediateError};
use crate::switch;

const MINUTE: u32 = 60;

/// How long to wait before enforcement is looked at again, by how long it has been held. `None` after thirty days: then the
/// incident ends as partial, which says so to people.
#[must_use]
pub fn pause_after(held: SignedDuration) -> Option<u32> {
    match held.as_hours() {
        ..1 => Some(MINUTE),
        1..24 => Some(5 * MINUTE),
        24..720 => Some(60 * MINUTE),
        720.. => None,
    }
}

impl Remediate<'_> {
    /// Before a change: keeps it waiting where enforcement is stopped, and says for how long. `None` where it may be made, or has
    /// waited too long.
    pub(super) async fn hold(&self, incident: &Incident) -> Result<Option<RemediateOutput>, RemediateError> {
        let Some(reason) = switch::stopped(self.store).await? else { return Ok(None) };
        let now = self.clock.now();
        let since = incident.approval.held.map_or(now, |held| held.since);
        let Some(wait_seconds) = pause_after(now.duration_since(since)) else { return Ok(None) };
        let held = self
            .store
            .commit(&incident.id, now, |incident| {
                if incident.approval.held.is_some() {
                    return None;
                }
                incident.approval.held = Some(Held { since, told: false });
                Some(vec![NewEntry::cordon(Kind::Held, json!({"reason": reason}))])
            })
            .await?;
        Ok(Some(match held.approval.held {
            Some(held) if held.told => RemediateOutput::Held { wait_seconds },
            Some(_) | None => RemediateOutput::Stopped { wait_seconds },
        }))
    }

    /// Before a read of what was done: as [`Remediate::hold`], and where enforcement was resumed, that it is now to be carried out.
    pub(super) async fn hold_or_resume(&self, incident: &Incident) -> Result<Option<RemediateOutput>, RemediateError> {
        match (self.hold(incident).await?, incident.approval.held) {
            (Some(held), _) => Ok(Some(held)),
            (None, Some(_)) if switch::stopped(self.store).await?.is_none() => Ok(Some(RemediateOutput::Resumed)),
            (None, _) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_change_is_looked_at_less_and_less_often_and_ends_after_a_month() {
        let mut held = SignedDuration::ZERO;
        let (mut looked, mut last) = (0_u32, 0);
        while let Some(pause) = pause_after(held) {
            assert!(pause >= last, "never more often");
            held += SignedDuration::from_secs(i64::from(pause));
            (looked, last) = (looked + 1, pause);
        }
        assert_eq!(held.as_hours(), 720);
        // Wait, task and choice leave nine events in the history, and a history has 25,000 at most.
        assert!(looked * 9 < 25_000 / 2, "{looked}");
    }
}
