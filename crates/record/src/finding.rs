//! The facts of a finding, for both formats: its activity, its actor and resources, and its severity.
//!
//! A finding is the same one from its first publication to its last: its id is the incident's.

use cordon_core::incident::{Incident, Outcome};
use cordon_core::{ActorKind, PrincipalKind, Subject};

use crate::text::line;

/// The reason for publishing a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// The incident is open.
    Create,
    /// The incident has ended, and somebody still has to look.
    Update,
    /// Nothing is left to do: contained, allowed, or denied by a person.
    Close,
}

/// How a finding stands, in words that both formats have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Just opened.
    New,
    /// Decided, asked or being remediated.
    InProgress,
    /// Somebody allowed it: an exception, or a person who denied the change.
    Suppressed,
    /// Closed.
    Resolved,
}

/// An incident, on its way to other tools.
#[derive(Debug, Clone, Copy)]
pub struct Finding<'a> {
    /// The incident.
    pub incident: &'a Incident,
}

impl Finding<'_> {
    /// Whether the finding is new, changed or closed.
    #[must_use]
    pub fn activity(&self) -> Activity {
        match self.incident.outcome {
            None => Activity::Create,
            Some(Outcome::Contained | Outcome::Exempt | Outcome::Denied) => Activity::Close,
            Some(Outcome::Alerted | Outcome::Expired | Outcome::Partial | Outcome::Failed | Outcome::NeedsPerson) => {
                Activity::Update
            }
        }
    }

    /// How the incident stands, in a sentence or two for people.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match self.incident.outcome {
            None | Some(Outcome::Alerted | Outcome::Expired | Outcome::NeedsPerson) => Standing::New,
            Some(Outcome::Partial | Outcome::Failed) => Standing::InProgress,
            Some(Outcome::Exempt | Outcome::Denied) => Standing::Suppressed,
            Some(Outcome::Contained) => Standing::Resolved,
        }
    }

    pub(crate) fn title(&self, max_units: usize) -> String {
        let incident = self.incident;
        match (incident.primary_rule(), &incident.unreadable) {
            (Some(rule), _) => line(&format!("{}: {} on {}", rule.title, incident.actor.display(), incident.subject), max_units),
            (None, Some(_)) => line("An event that Cordon could not judge needs a person", max_units),
            (None, None) => line(&incident.event.name, max_units),
        }
    }

    /// Why it is dangerous, what was decided, and how it ended.
    pub(crate) fn description(&self, max_units: usize) -> String {
        let incident = self.incident;
        let mut sentences: Vec<String> = incident.detections.iter().map(|detection| detection.description.clone()).collect();
        sentences.extend(incident.unreadable.clone());
        if let Some(decision) = &incident.assessment.decision {
            let mode = if decision.dry_run { " (dry run: nothing is changed)" } else { "" };
            sentences.push(format!("{}{mode}", decision.decision_reason));
        }
        if let Some(outcome) = incident.outcome {
            sentences.push(format!("Outcome: {}", outcome.as_str().replace('_', " ")));
        }
        let text: Vec<&str> =
            sentences.iter().map(|text| text.trim().trim_end_matches('.')).filter(|text| !text.is_empty()).collect();
        line(&format!("{}.", text.join(". ")), max_units)
    }

    /// The planned calls, what stands although they were made, and the work that is left to a person.
    pub(crate) fn remediation(&self, max_units: usize) -> Option<String> {
        let assessment = &self.incident.assessment;
        let plan = &assessment.plan;
        let effects = assessment.stays.iter().filter(|stays| stays.is_effect()).map(ToString::to_string);
        let mut parts: Vec<String> = effects.chain(assessment.remaining.iter().chain(&plan.by_hand).cloned()).collect();
        if !plan.steps.is_empty() {
            parts.push(format!("Planned: {}", plan.calls().join("; ")));
        }
        if parts.is_empty() { None } else { Some(line(&parts.join(". "), max_units)) }
    }

    /// The ATT&CK tactics and techniques of the rules' tags, each once, in their order.
    pub(crate) fn attacks(&self) -> Vec<Attack> {
        let mut attacks = Vec::new();
        for tag in self.incident.detections.iter().flat_map(|detection| &detection.tags) {
            if let Some(attack) = Attack::from_tag(tag)
                && !attacks.contains(&attack)
            {
                attacks.push(attack);
            }
        }
        attacks
    }

    pub(crate) fn resources(&self) -> Vec<Resource> {
        let incident = self.incident;
        let mut resources = vec![];
        if let Some(subject) = Resource::of_subject(&incident.subject) {
            resources.push(subject);
        }
        if let Some(actor) = self.actor_resource()
            && !resources.iter().any(|resource| resource.id == actor.id)
        {
            resources.push(actor);
        }
        resources
    }

    fn actor_resource(&self) -> Option<Resource> {
        let actor = &self.incident.actor;
        if let Some(principal) = actor.principal() {
            return Some(Resource::principal(principal.kind, principal.arn(), principal.name.into(), Role::Actor));
        }
        match (actor.kind, &actor.account) {
            (ActorKind::Root, Some(account)) => Some(Resource::account(account.as_str(), Role::Actor)),
            _ => None,
        }
    }
}

/// One ATT&CK tag of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Attack {
    Tactic { uid: &'static str, name: &'static str },
    Technique { uid: String, sub: Option<String> },
}

/// ATT&CK's tactics for enterprises. Source: <https://attack.mitre.org/tactics/enterprise/>
const TACTICS: [(&str, &str); 14] = [
    ("TA0043", "Reconnaissance"),
    ("TA0042", "Resource Development"),
    ("TA0001", "Initial Access"),
    ("TA0002", "Execution"),
    ("TA0003", "Persistence"),
    ("TA0004", "Privilege Escalation"),
    ("TA0005", "Defense Evasion"),
    ("TA0006", "Credential Access"),
    ("TA0007", "Discovery"),
    ("TA0008", "Lateral Movement"),
    ("TA0009", "Collection"),
    ("TA0011", "Command and Control"),
    ("TA0010", "Exfiltration"),
    ("TA0040", "Impact"),
];

impl Attack {
    /// Reads `attack.persistence` and `attack.t1098.003`; other tags are nobody's technique.
    fn from_tag(tag: &str) -> Option<Self> {
        let tag = tag.strip_prefix("attack.")?;
        let named = tag.replace(['-', '_'], " ");
        if let Some((uid, name)) = TACTICS.iter().find(|(_, name)| name.eq_ignore_ascii_case(&named)) {
            return Some(Self::Tactic { uid, name });
        }
        let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let technique = tag.strip_prefix('t')?;
        let (technique, sub) = technique.split_once('.').map_or((technique, None), |(incident, sub)| (incident, Some(sub)));
        (technique.len() == 4 && number(technique) && sub.is_none_or(|sub| sub.len() == 3 && number(sub)))
            .then(|| Self::Technique { uid: format!("T{technique}"), sub: sub.map(|sub| format!("T{technique}.{sub}")) })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Target,
    Actor,
}

/// A thing that a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resource {
    /// CloudFormation's name of the type.
    pub cloudformation: &'static str,
    /// ASFF's.
    pub asff: &'static str,
    /// An ARN, or an id where there is no ARN.
    pub id: String,
    /// A name for people.
    pub name: String,
    /// The part that it plays in the incident.
    pub role: Role,
}

impl Resource {
    fn principal(kind: PrincipalKind, id: String, name: String, role: Role) -> Self {
        let (cloudformation, asff) = match kind {
            PrincipalKind::User => ("AWS::IAM::User", "AwsIamUser"),
            PrincipalKind::Role => ("AWS::IAM::Role", "AwsIamRole"),
            PrincipalKind::Group => ("AWS::IAM::Group", "AwsIamGroup"),
        };
        Self { cloudformation, asff, id, name, role }
    }

    pub(crate) fn account(account: &str, role: Role) -> Self {
        Self {
            cloudformation: "AWS::::Account",
            asff: "AwsAccount",
            id: format!("AWS::::Account:{account}"),
            name: account.to_owned(),
            role,
        }
    }

    fn of_subject(subject: &Subject) -> Option<Self> {
        let plain = |cloudformation, asff, id: &str| Self {
            cloudformation,
            asff,
            id: id.to_owned(),
            name: id.rsplit('/').next().unwrap_or(id).to_owned(),
            role: Role::Target,
        };
        match subject {
            Subject::Principal { principal } => {
                Some(Self::principal(principal.kind, principal.arn(), principal.name.to_string(), Role::Target))
            }
            Subject::Policy { arn } => Some(plain("AWS::IAM::ManagedPolicy", "AwsIamPolicy", arn)),
            Subject::AccessKey { id, .. } => Some(plain("AWS::IAM::AccessKey", "AwsIamAccessKey", id)),
            Subject::Account { account } => Some(Self::account(account.as_str(), Role::Target)),
            Subject::Unknown => None,
        }
    }
}

/// An incident's execution in the state machine's console.
pub(crate) fn execution_url(execution: &str) -> Option<String> {
    let mut parts = execution.split(':');
    let region =
        parts.nth(3).filter(|region| !region.is_empty() && region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b':' | b'-' | b'_' | b'.');
    execution.bytes().all(plain).then(|| {
        format!("https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details/{execution}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_attack_tags_are_read_and_each_as_what_it_is() {
        assert_eq!(
            Attack::from_tag("attack.privilege-escalation"),
            Some(Attack::Tactic { uid: "TA0004", name: "Privilege Escalation" })
        );
        assert_eq!(Attack::from_tag("attack.defense_evasion"), Some(Attack::Tactic { uid: "TA0005", name: "Defense Evasion" }));
        assert_eq!(Attack::from_tag("attack.t1078"), Some(Attack::Technique { uid: "T1078".to_owned(), sub: None }));
        assert_eq!(
            Attack::from_tag("attack.t1098.003"),
            Some(Attack::Technique { uid: "T1098".to_owned(), sub: Some("T1098.003".to_owned()) })
        );
        for other in ["cve.2024-1", "attack.", "attack.t10", "attack.t1098.3", "attack.g0001", "detection.emerging-threats"] {
            assert_eq!(Attack::from_tag(other), None, "{other}");
        }
    }

    #[test]
    fn an_execution_that_is_no_plain_name_makes_no_link() {
        let url = execution_url("arn:aws:states:us-east-1:111111111111:execution:cordon:x").unwrap();
        assert!(url.starts_with("https://us-east-1.console.aws.amazon.com/"), "{url}");
        assert_eq!(execution_url("arn:aws:states:us-east-1:1:execution:cordon:x\"><script>"), None);
        assert_eq!(execution_url("execution-1"), None);
    }
}
