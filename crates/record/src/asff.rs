//! A finding in the AWS Security Finding Format, for Security Hub's `BatchImportFindings`.
//!
//! It keeps the limits of the API's model. It never writes the fields of Security Hub's users: `Workflow`, `Note`,
//! `UserDefinedFields`, `VerificationState`. Only a new finding has `Severity` and `Types` at the top; later they are given as
//! `FindingProviderFields`, as AWS asks of providers.
//!
//! Source: <https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFinding.html>

use std::net::{IpAddr, Ipv4Addr};

use cordon_core::json::set;
use cordon_core::redact;
use cordon_core::{ActorKind, Level};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::finding::{Activity, Attack, Finding, Resource, Role, Standing, execution_url};
use crate::text::line;

const TITLE_MAX: usize = 256;
const DESCRIPTION_MAX: usize = 1_024;
const GENERATOR_MAX: usize = 512;
const RECOMMENDATION_MAX: usize = 512;
const FIELD_MAX: usize = 2_048;
const API_MAX: usize = 128;
const REGION_MAX: usize = 16;
/// The model states none; ARNs are shorter.
const RESOURCE_ID_MAX: usize = 2_048;

/// The Security Hub that takes the findings: the one of Cordon's own account, even if the incident is about another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hub {
    /// The account that the findings are imported into.
    pub account: String,
    /// Its region, such as `us-east-1`.
    pub region: String,
}

impl Hub {
    /// Reads account and region off the ARN of something that stands there, such as the state machine.
    #[must_use]
    pub fn of(arn: &str) -> Option<Self> {
        let mut parts = arn.split(':').skip(3);
        let region = parts.next().filter(|region| (1..=REGION_MAX).contains(&region.len()))?;
        let account = parts.next().filter(|id| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit()))?;
        Some(Self { account: account.to_owned(), region: region.to_owned() })
    }
}

impl Finding<'_> {
    /// The finding's JSON, as one of the request's `Findings`.
    #[must_use]
    pub fn asff(&self, hub: &Hub) -> Value {
        let incident = self.incident;
        let severity = json!({"Label": label(incident.severity), "Original": incident.severity.to_string()});
        let types = self.types();
        let rule = incident.primary_rule().map_or("unreadable", |detection| detection.rule.as_str());
        let mut finding = json!({
            "SchemaVersion": "2018-10-08",
            "Id": incident.id,
            "ProductArn": format!("arn:aws:securityhub:{0}:{1}:product/{1}/default", hub.region, hub.account),
            "ProductName": "Cordon",
            "CompanyName": "Cordon",
            "GeneratorId": line(&format!("cordon/{rule}"), GENERATOR_MAX),
            "AwsAccountId": hub.account,
            "FirstObservedAt": time(incident.event.time.unwrap_or(incident.opened_at)),
            "LastObservedAt": time(incident.event.time.unwrap_or(incident.opened_at).max(incident.opened_at)),
            "CreatedAt": time(incident.opened_at),
            "UpdatedAt": time(incident.updated_at),
            "Title": self.title(TITLE_MAX),
            "Description": self.description(DESCRIPTION_MAX),
            "ProductFields": self.product_fields(),
            "Resources": self.asff_resources(hub),
            "RecordState": if self.standing() == Standing::Suppressed { "ARCHIVED" } else { "ACTIVE" },
            "FindingProviderFields": {"Severity": severity, "Types": types},
        });
        if self.activity() == Activity::Create {
            set(&mut finding, "Severity", severity);
            set(&mut finding, "Types", json!(types));
        }
        if let Some(text) = self.remediation(RECOMMENDATION_MAX) {
            set(&mut finding, "Remediation", json!({"Recommendation": {"Text": text}}));
        }
        if let Some(url) = execution_url(&incident.execution) {
            set(&mut finding, "SourceUrl", json!(url));
        }
        if !incident.event.name.trim().is_empty() {
            set(&mut finding, "Action", json!({"ActionType": "AWS_API_CALL", "AwsApiCallAction": self.call()}));
        }
        redact::json(&finding)
    }

    /// ASFF's taxonomy has ATT&CK's tactics, but for those that are effects or come before an account is reached.
    fn types(&self) -> Vec<String> {
        let types: Vec<String> = self
            .attacks()
            .iter()
            .filter_map(|attack| match attack {
                Attack::Tactic { name: "Reconnaissance" | "Resource Development" | "Exfiltration" | "Impact", .. } => None,
                Attack::Tactic { name, .. } => Some(format!("TTPs/{name}")),
                Attack::Technique { .. } => None,
            })
            .collect();
        if types.is_empty() { vec!["Unusual Behaviors/User".to_owned()] } else { types }
    }

    fn asff_resources(&self, hub: &Hub) -> Vec<Value> {
        let mut resources = self.resources();
        if resources.is_empty() {
            let account = self.incident.account.as_ref().map_or(hub.account.as_str(), |account| account.as_str());
            resources.push(Resource::account(account, Role::Target));
        }
        resources
            .iter()
            .map(|resource| {
                json!({
                    "Type": resource.asff,
                    "Id": line(&resource.id, RESOURCE_ID_MAX),
                    "Partition": "aws",
                    "Region": hub.region,
                    "ResourceRole": match resource.role { Role::Target => "Target", Role::Actor => "Actor" },
                })
            })
            .collect()
    }

    fn call(&self) -> Value {
        let incident = self.incident;
        let event = &incident.event;
        let mut call = json!({
            "Api": line(&event.name, API_MAX),
            "FirstSeen": time(event.time.unwrap_or(incident.opened_at)),
            "LastSeen": time(event.time.unwrap_or(incident.opened_at)),
        });
        if !event.service.trim().is_empty() {
            set(&mut call, "ServiceName", json!(line(&event.service, API_MAX)));
        }
        match event.source_ip.as_deref().map(str::parse::<IpAddr>) {
            Some(Ok(IpAddr::V4(address))) => remote(&mut call, Some(address)),
            Some(Ok(IpAddr::V6(_))) => remote(&mut call, None),
            Some(Err(_)) if incident.actor.kind == ActorKind::AwsService => {
                set(&mut call, "CallerType", json!("domain"));
                let domain = line(event.source_ip.as_deref().unwrap_or_default(), 256);
                set(&mut call, "DomainDetails", json!({"Domain": domain}));
            }
            Some(Err(_)) | None => {}
        }
        call
    }

    fn product_fields(&self) -> Map<String, Value> {
        let incident = self.incident;
        let decision = incident.assessment.decision.as_ref();
        let rules: Vec<&str> = incident.detections.iter().map(|detection| detection.rule.as_str()).collect();
        let fields = [
            ("incident", Some(incident.id.to_string())),
            ("event_id", Some(incident.event.id.to_string())),
            ("actor", Some(incident.actor.display())),
            ("subject", Some(incident.subject.to_string())),
            ("rules", Some(rules.join(","))),
            ("policy_arn", incident.event.policy_arn.clone()),
            ("user_agent", incident.event.user_agent.clone()),
            ("outcome", incident.outcome.map(|outcome| outcome.as_str().to_owned())),
            ("route", decision.and_then(|decision| json!(decision.route).as_str().map(str::to_owned))),
            ("dry_run", decision.map(|decision| decision.dry_run.to_string())),
            ("calls", Some(incident.assessment.plan.calls().join("; "))),
            ("undo", Some(incident.assessment.plan.undo().join("; "))),
            ("by_hand", Some(incident.assessment.plan.by_hand.join(" "))),
            ("stays", Some(incident.assessment.stays.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))),
            ("execution", Some(incident.execution.clone())),
            ("log_seq", Some(incident.log_seq.to_string())),
            ("last_hash", Some(incident.last_hash.clone())),
        ];
        let given = fields.into_iter().filter_map(|(key, value)| Some((key, value.filter(|value| !value.trim().is_empty())?)));
        given.map(|(key, value)| (format!("cordon/{key}"), json!(line(&value, FIELD_MAX)))).collect()
    }
}

fn remote(call: &mut Value, address: Option<Ipv4Addr>) {
    set(call, "CallerType", json!("remoteIp"));
    // ASFF has no field for the caller's IPv6 address.
    if let Some(address) = address {
        set(call, "RemoteIpDetails", json!({"IpAddressV4": address.to_string()}));
    }
}

fn label(level: Level) -> &'static str {
    match level {
        Level::Informational => "INFORMATIONAL",
        Level::Low => "LOW",
        Level::Medium => "MEDIUM",
        Level::High => "HIGH",
        Level::Critical => "CRITICAL",
    }
}

/// RFC 3339 with milliseconds.
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
