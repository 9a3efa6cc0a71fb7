//! Chooses where an incident is reported, by its account, severity and rules, as `cordon.toml` says.

use cordon_core::incident::Incident;
use cordon_core::{Destination, Notifications};

/// Where the configuration wants an incident to be told.
#[must_use]
pub fn destination<'a>(notifications: &'a Notifications, head: &Incident) -> Destination<'a> {
    let rules = head.detections.iter().map(|detection| &detection.rule);
    notifications.destination(head.account.as_ref(), head.severity, rules)
}
