//! The first entry of an incident's timeline.

use cordon_core::ActorKind;
use cordon_core::incident::Incident;
use cordon_core::json::set;
use cordon_core::timeline::{Kind, NewEntry};
use jiff::Timestamp;
use serde_json::json;

use super::Burst;

/// How many of the counted events the timeline names, the newest of them.
const SHOWN: usize = 30;

/// What was detected, or why a person has to look.
pub fn detected(incident: &Incident, burst: Option<&Burst>) -> NewEntry {
    let rules: Vec<_> = incident.detections.iter().map(|d| json!({"id": d.rule, "title": d.title, "level": d.level})).collect();
    let mut data = json!({
        "event": incident.event.id, "event_name": incident.event.name, "event_time": incident.event.time, "actor": incident.actor.display(),
        "subject": incident.subject.to_string(), "source_ip": incident.event.source_ip, "user_agent": incident.event.user_agent,
        "policy_arn": incident.event.policy_arn, "origin": incident.event.origin, "rules": rules, "execution": incident.execution,
    });
    if let Some(sentence) = incident.event.not_believed() {
        set(&mut data, "not_believed", json!(sentence));
    }
    if let Some(burst) = burst {
        let seen = burst.seen.iter().rev().take(SHOWN);
        let seen: Vec<_> = seen.map(|(what, at)| json!({"what": what, "at": Timestamp::from_second(*at).ok()})).collect();
        set(
            &mut data,
            "burst",
            json!({"rule": burst.tally.detection.rule, "group": burst.tally.key, "counted": burst.seen.len(), "seen": seen}),
        );
    }
    if incident.actor.kind == ActorKind::Unknown {
        set(&mut data, "actor", json!("unknown"));
    }
    match &incident.unreadable {
        Some(reason) => {
            set(&mut data, "reason", json!(reason));
            NewEntry::cordon(Kind::NeedsPerson, data)
        }
        None => NewEntry::cordon(Kind::Detected, data),
    }
}
