//! Chooses where an incident is reported, by its account, severity and rules, as `cordon.toml` says.

use cordon_core::incident::Incident;
use cordon_core::{Destination, Notifications};

/// Where the configuration wants an incident to be told.
#[must_use]
pub fn destination<'a>(notifications: &'a Notifications, incident: &Incident) -> Destination<'a> {
    let rules = incident.detections.iter().map(|detection| &detection.rule);
    notifications.destination(incident.account.as_ref(), incident.severity, rules)
}
