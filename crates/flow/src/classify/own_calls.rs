//! Tells the calls by which Cordon itself answers an incident from everything else that one of its roles does.
//!
//! INVARIANT: neither a role's name nor the shape of a call makes a call ours. A call is ours if one of Cordon's own roles made it
//! and a step of a stored plan had announced this very call in this account: action, target and document. Whatever else such a
//! role changes is graver than usual, because its rights are Cordon's.

use cordon_core::event::Event;
use cordon_core::{Detection, Level, RuleId};

/// The services in which one of Cordon's roles changes something at all.
const CHANGED: [&str; 2] = ["iam.amazonaws.com", "cloudtrail.amazonaws.com"];

/// The detection of a call that one of Cordon's own roles made and that no step had announced; `None` where it changes nothing.
pub(crate) fn misused(event: &Event, is_detected: bool) -> Option<Detection> {
    let reads = match cordon_core::json::at(&event.record, "/readOnly") {
        serde_json::Value::Bool(reads) => *reads,
        other => other.as_str() == Some("true"),
    };
    if reads || !(is_detected || CHANGED.contains(&event.service.as_str())) {
        return None;
    }
    Some(Detection {
        rule: RuleId::role_misused(),
        title: "A role of Cordon made a call that Cordon had not announced".to_owned(),
        author: "The Cordon authors".to_owned(),
        level: Level::Critical,
        description:
            "Cordon writes down each of its calls before it makes it. Nobody wrote this one down, so somebody else uses the \
                      role, or its code was changed. Stop enforcement (`cordon stop`), deny the role, and look at who became it. \
                      Cordon does not change its own roles."
                .to_owned(),
        tags: vec!["attack.defense-evasion".to_owned(), "attack.t1078.004".to_owned()],
        response: None,
    })
}
