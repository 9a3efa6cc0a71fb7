use serde_json::{Value, json};

use super::*;
use crate::Event;

/// What the table held before the parts were structs of their own, with every field set.
fn stored() -> Value {
    json!({
        "id": "inc-0123456789abcdef0123", "version": 7, "state": "asking", "outcome": null, "severity": "high",
        "account": "111111111111", "actor": actor(), "subject": {"kind": "unknown"}, "detections": [], "unreadable": "no JSON",
        "event": event(), "execution": "arn:aws:states:us-east-1:111111111111:execution:cordon:a", "opened_at": "2026-01-02T03:04:05Z",
        "updated_at": "2026-01-02T03:04:06Z", "asked_at": "2026-01-02T03:04:07Z", "decided_at": "2026-01-02T03:04:08Z",
        "contained_at": "2026-01-02T03:04:09Z", "decision": null, "exceptions_checked": ["No tag."],
        "plan": json!(Plan { steps: Vec::new(), by_hand: vec!["Look.".to_owned()] }),
        "slack": {"channel": "C1", "ts": "1.2"}, "quorum": 2,
        "votes": [{"by": "U1", "name": "Ada", "approves": true, "at": "2026-01-02T03:04:07Z", "reason": null}],
        "deadline": "2026-01-02T04:04:07Z", "looking": {"by": "U1", "name": "Ada", "at": "2026-01-02T03:04:07Z"},
        "escalated_at": "2026-01-02T03:34:07Z", "break_glass": {"by": "U1", "reason": "on fire", "skipped": []}, "merged": 3,
        "last_merged": {"name": "CreateUser", "time": null, "source_ip": null}, "outcome_told": true,
        "merged_told": {"count": 2, "at": "2026-01-02T03:05:00Z"}, "statements": ["{}"], "blast_radius": null,
        "summarised": null, "group": "burst#ada", "log_seq": 9, "last_hash": "ab"
    })
}

fn actor() -> Value {
    json!(Actor::from_record(&json!({"userIdentity": {"type": "Root", "accountId": "111111111111"}})))
}

fn event() -> Value {
    let envelope = json!({"source": "aws.iam", "detail": {"eventID": "e", "eventName": "CreateUser", "eventVersion": "1.11",
        "eventSource": "iam.amazonaws.com", "userIdentity": {"type": "Root"}}});
    json!(EventFacts::from_event(&Event::from_envelope(&envelope, None).unwrap()))
}

#[test]
fn an_incident_is_stored_as_one_flat_object_and_comes_back_as_it_was() {
    let mut stored = stored();
    stored["subject"] = json!(Subject::Unknown);
    let incident: Incident = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!((incident.approval.quorum, incident.merges.merged), (2, 3));
    assert!(incident.delivery.outcome_told && incident.thread().is_some() && incident.is_escalated());
    assert_eq!(incident.assessment.exceptions_checked, ["No tag."]);
    assert_eq!(serde_json::to_value(&incident).unwrap(), stored);
}

#[test]
fn an_incident_of_the_first_version_has_defaults_for_all_that_came_later() {
    let mut first = json!({});
    let required = [
        "id",
        "version",
        "state",
        "severity",
        "actor",
        "subject",
        "detections",
        "event",
        "execution",
        "opened_at",
        "updated_at",
        "log_seq",
        "last_hash",
    ];
    for field in required {
        first[field] = stored()[field].clone();
    }
    first["subject"] = json!(Subject::Unknown);
    let incident: Incident = serde_json::from_value(first).unwrap();
    assert_eq!(incident.assessment, Assessment::default());
    assert_eq!(incident.approval, ApprovalStatus::default());
    assert_eq!(incident.delivery, DeliveryStatus::default());
    assert_eq!(incident.merges, Merges::default());
    assert!(!incident.is_decided() && !incident.is_closed() && !incident.went_ahead());
}
