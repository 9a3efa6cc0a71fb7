//! A finding as an OCSF Detection Finding (class 2004), with the profile `cloud`.
//!
//! Source: <https://schema.ocsf.io/1.6.0/classes/detection_finding?profiles=cloud>. What OCSF has no place for stands below
//! `unmapped.cordon`, with the timeline's last hash: an archive of findings is an anchor of every chain.

use std::net::IpAddr;

use cordon_core::json::{at, set};
use cordon_core::{ActorKind, Level, redact};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::finding::{Activity, Attack, Finding, Resource, Role, Standing, execution_url};
use crate::text::line;

/// The version of OCSF that is kept to.
pub const VERSION: &str = "1.6.0";
/// EventBridge takes 256 KiB an event, with its envelope.
const MAX_BYTES: usize = 200 * 1024;
const NAME_MAX: usize = 2_048;
const TEXT_MAX: usize = 4_096;

impl Finding<'_> {
    /// The finding's JSON.
    #[must_use]
    pub fn ocsf(&self) -> Value {
        let incident = self.incident;
        let (activity_id, activity) = match self.activity() {
            Activity::Create => (1, "Create"),
            Activity::Update => (2, "Update"),
            Activity::Close => (3, "Close"),
        };
        let (status_id, status) = match self.standing() {
            Standing::New => (1, "New"),
            Standing::InProgress => (2, "In Progress"),
            Standing::Suppressed => (3, "Suppressed"),
            Standing::Resolved => (4, "Resolved"),
        };
        let (severity_id, severity) = severity(incident.severity);
        let allowed = self.standing() == Standing::Suppressed;
        let mut finding = json!({
            "category_uid": 2,
            "category_name": "Findings",
            "class_uid": 2004,
            "class_name": "Detection Finding",
            "activity_id": activity_id,
            "activity_name": activity,
            "type_uid": 200_400 + activity_id,
            "type_name": format!("Detection Finding: {activity}"),
            "time": incident.updated_at.as_millisecond(),
            "start_time": incident.event.time.map(Timestamp::as_millisecond),
            "severity_id": severity_id,
            "severity": severity,
            "status_id": status_id,
            "status": status,
            "status_code": incident.outcome.map(cordon_core::Outcome::as_str),
            "status_detail": incident.assessment.decision.as_ref().map(|decision| line(&decision.decision_reason, TEXT_MAX)),
            "message": self.title(TEXT_MAX),
            "is_alert": activity_id == 1 && !allowed,
            "count": incident.merges.merged.saturating_add(1),
            "metadata": self.metadata(activity_id),
            "finding_info": self.finding_info(),
            "cloud": self.cloud(),
            "api": self.api(),
            "evidences": self.evidences(),
            "resources": self.resources().iter().map(resource).collect::<Vec<_>>(),
            "observables": self.observables(),
            "remediation": self.remediation(TEXT_MAX).map(|desc| json!({"desc": desc})),
            "unmapped": {"cordon": self.unmapped()},
        });
        prune(&mut finding);
        if finding.to_string().len() > MAX_BYTES {
            shorten(&mut finding);
        }
        redact::json(&finding)
    }

    fn metadata(&self, activity_id: u32) -> Value {
        let incident = self.incident;
        json!({
            "version": VERSION,
            "product": {"name": "Cordon", "vendor_name": "Cordon", "version": env!("CARGO_PKG_VERSION")},
            "profiles": ["cloud"],
            // The same for a publication that is tried again.
            "uid": format!("{}-{}-{activity_id}", incident.id, incident.log_seq),
            "correlation_uid": incident.id,
            "sequence": incident.log_seq,
            "log_name": "Cordon Detection Finding",
            "log_provider": "Cordon",
            "original_time": incident.event.time,
        })
    }

    fn finding_info(&self) -> Value {
        let incident = self.incident;
        let seen = incident.event.time.unwrap_or(incident.opened_at).as_millisecond();
        let analytics: Vec<Value> = incident
            .detections
            .iter()
            .map(|detection| {
                json!({
                    "type_id": 1, "type": "Rule", "category": "Sigma", "uid": detection.rule,
                    "name": line(&detection.title, NAME_MAX), "desc": line(&detection.description, TEXT_MAX),
                })
            })
            .collect();
        let unreadable = || json!({"type_id": 1, "type": "Rule", "uid": "unreadable", "name": "An event that cannot be judged"});
        json!({
            "uid": incident.id,
            "title": self.title(TEXT_MAX),
            "desc": self.description(TEXT_MAX),
            "types": self.tactics(),
            "created_time": incident.opened_at.as_millisecond(),
            "modified_time": incident.updated_at.as_millisecond(),
            "first_seen_time": seen,
            "last_seen_time": if incident.merges.merged == 0 { seen } else { seen.max(incident.opened_at.as_millisecond()) },
            "analytic": analytics.first().cloned().unwrap_or_else(unreadable),
            "related_analytics": analytics.get(1..).unwrap_or_default(),
            "related_events": [{"uid": incident.event.id, "type": "AWS API Call via CloudTrail"}],
            "attacks": self.attacks().iter().map(attack).collect::<Vec<_>>(),
            "data_sources": ["AWS CloudTrail"],
            "src_url": execution_url(&incident.execution),
        })
    }

    fn tactics(&self) -> Vec<&'static str> {
        let attacks = self.attacks();
        attacks
            .iter()
            .filter_map(|attack| match attack {
                Attack::Tactic { name, .. } => Some(*name),
                Attack::Technique { .. } => None,
            })
            .collect()
    }

    fn cloud(&self) -> Value {
        let account = self.incident.account.as_ref().map(|id| json!({"uid": id, "type_id": 10, "type": "AWS Account"}));
        json!({"provider": "AWS", "region": self.incident.event.region.as_deref().map(|region| line(region, 64)), "account": account})
    }

    fn api(&self) -> Value {
        let event = &self.incident.event;
        if event.name.is_empty() {
            return Value::Null;
        }
        let service = (!event.service.is_empty()).then(|| json!({"name": line(&event.service, NAME_MAX)}));
        let response = event.error_code.as_ref().map(|code| json!({"error": line(code, NAME_MAX)}));
        json!({"operation": line(&event.name, NAME_MAX), "service": service, "response": response})
    }

    fn evidences(&self) -> Value {
        let event = &self.incident.event;
        let data = if event.parameters.is_empty() { Value::Null } else { json!({"requestParameters": event.parameters}) };
        json!([{
            "actor": self.actor(),
            "api": self.api(),
            "src_endpoint": event.source_ip.as_deref().filter(|source| !source.trim().is_empty()).map(endpoint),
            "http_request": event.user_agent.as_deref().map(|agent| json!({"user_agent": line(agent, NAME_MAX)})),
            "data": data,
        }])
    }

    fn actor(&self) -> Value {
        let actor = &self.incident.actor;
        let (type_id, kind) = match actor.kind {
            ActorKind::Root => (2, "Admin"),
            ActorKind::IamUser | ActorKind::AssumedRole | ActorKind::FederatedUser => (1, "User"),
            ActorKind::AwsService => (4, "Service"),
            ActorKind::AwsAccount => (99, "AWS account"),
            ActorKind::Unknown => (0, "Unknown"),
        };
        let name = actor.name.clone().unwrap_or_else(|| actor.display());
        let key = actor.access_key_id.as_deref().map(|id| json!([{"uid": line(id, NAME_MAX)}]));
        let session = actor.session.as_ref().map(|session| {
            json!({"uid": line(session, NAME_MAX), "issuer": actor.issuer_arn.as_deref().map(|arn| line(arn, NAME_MAX))})
        });
        json!({
            "user": {
                "name": line(&name, NAME_MAX),
                "type_id": type_id,
                "type": kind,
                "uid": actor.arn.as_deref().map(|arn| line(arn, NAME_MAX)),
                "uid_alt": actor.unique_id.as_deref().map(|id| line(id, NAME_MAX)),
                "programmatic_credentials": key,
                "account": actor.account.as_ref().map(|id| json!({"uid": id, "type_id": 10, "type": "AWS Account"})),
            },
            "session": session,
        })
    }

    fn observables(&self) -> Vec<Value> {
        let incident = self.incident;
        let mut found = Vec::new();
        let mut add = |name: &str, type_id: u32, kind: &str, value: Option<&str>| {
            if let Some(value) = value.filter(|value| !value.trim().is_empty()) {
                found.push(json!({"name": name, "type_id": type_id, "type": kind, "value": line(value, NAME_MAX)}));
            }
        };
        let address = incident.event.source_ip.as_deref().filter(|source| source.parse::<IpAddr>().is_ok());
        add("evidences[0].src_endpoint.ip", 2, "IP Address", address);
        add("evidences[0].actor.user.name", 4, "User Name", incident.actor.name.as_deref());
        add("evidences[0].actor.user.uid", 31, "User Object: uid", incident.actor.arn.as_deref());
        add(
            "evidences[0].actor.user.programmatic_credentials[0].uid",
            19,
            "User Credential ID",
            incident.actor.access_key_id.as_deref(),
        );
        add("evidences[0].http_request.user_agent", 16, "HTTP User-Agent", incident.event.user_agent.as_deref());
        for (n, resource) in self.resources().iter().enumerate() {
            add(&format!("resources[{n}].uid"), 10, "Resource UID", Some(&resource.id));
        }
        found
    }

    fn unmapped(&self) -> Value {
        let incident = self.incident;
        json!({
            "incident": incident.id,
            "outcome": incident.outcome,
            "decision": incident.assessment.decision,
            "exceptions_checked": incident.assessment.exceptions_checked,
            "calls": incident.assessment.plan.calls(),
            "undo": incident.assessment.plan.undo(),
            "by_hand": incident.assessment.plan.by_hand,
            "stays": incident.assessment.stays.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "policy_arn": incident.event.policy_arn,
            "needs_person": incident.unreadable,
            "execution": incident.execution,
            "asked_at": incident.approval.asked_at,
            "decided_at": incident.approval.decided_at,
            "contained_at": incident.contained_at,
            "last_hash": incident.last_hash,
            "log_seq": incident.log_seq,
        })
    }
}

fn severity(level: Level) -> (u32, &'static str) {
    match level {
        Level::Informational => (1, "Informational"),
        Level::Low => (2, "Low"),
        Level::Medium => (3, "Medium"),
        Level::High => (4, "High"),
        Level::Critical => (5, "Critical"),
    }
}

fn attack(attack: &Attack) -> Value {
    match attack {
        Attack::Tactic { uid, name } => json!({"tactic": {"uid": uid, "name": name}}),
        Attack::Technique { uid, sub } => {
            json!({"technique": {"uid": uid}, "sub_technique": sub.as_ref().map(|uid| json!({"uid": uid}))})
        }
    }
}

fn resource(resource: &Resource) -> Value {
    let (role_id, role) = match resource.role {
        Role::Target => (1, "Target"),
        Role::Actor => (2, "Actor"),
    };
    json!({
        "uid": line(&resource.id, NAME_MAX), "name": line(&resource.name, NAME_MAX), "type": resource.cloudformation,
        "role_id": role_id, "role": role, "cloud_partition": "aws",
    })
}

/// CloudTrail's `sourceIPAddress` is an address, or the name of an AWS service.
fn endpoint(source: &str) -> Value {
    match source.parse::<IpAddr>() {
        Ok(address) => json!({"ip": address.to_string()}),
        Err(_) => json!({"svc_name": line(source, NAME_MAX)}),
    }
}

/// Takes out what has no value: OCSF knows no null.
fn prune(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(prune);
            map.retain(|_, value| !is_nothing(value));
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Leaves the lists of sentences to the record, and says so.
fn shorten(finding: &mut Value) {
    let long = at(finding, "/unmapped/cordon").clone();
    let mut short = json!({});
    for key in ["incident", "outcome", "execution", "last_hash", "log_seq"] {
        if let Some(value) = long.get(key) {
            set(&mut short, key, value.clone());
        }
    }
    set(finding, "unmapped", json!({"cordon": short}));
    if let Some(metadata) = finding.get_mut("metadata") {
        set(metadata, "is_truncated", json!(true));
    }
    if let Some(info) = finding.get_mut("finding_info").and_then(Value::as_object_mut) {
        info.remove("related_analytics");
    }
}
