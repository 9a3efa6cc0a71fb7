//! Classify: is this event dangerous, has it been seen before, and which incident does it belong to.
//!
//! It never drops an event: what cannot be judged becomes an incident that asks for a person. It never judges by what a
//! caller could have chosen (a user agent, a session's name) unless a rule says so.

use cordon_contract::{ClassifyInput, ClassifyOutput, ErrorName, StateError};
use cordon_core::event::{Event, Unreadable};
use cordon_core::incident::{EventFacts, Found, Head, State};
use cordon_core::json::{at, set};
use cordon_core::pattern::Pattern;
use cordon_core::timeline::{Kind, NewEntry};
use cordon_core::{Actor, ActorKind, Config, Detection, Subject};
use cordon_detect::enrich::{self, Facts};
use cordon_detect::policy::{Document, trusts};
use cordon_respond::deny;
use serde_json::json;

use crate::cases::{CaseError, Cases, Claim, Opening};
use crate::ports::{Clock, Policies, StoreError};
use crate::{known, provenance};

/// The rules, as classify needs them.
pub trait Rules: Send + Sync {
    /// The detections of a CloudTrail record, the gravest first. `facts` is what the record itself could not say.
    fn evaluate(&self, record: &serde_json::Value, facts: &Facts) -> Vec<Detection>;
}

/// What classify is given at start-up.
pub struct Classify<'a> {
    pub cases: Cases<'a>,
    pub rules: &'a dyn Rules,
    pub policies: &'a dyn Policies,
    pub config: &'a Config,
    /// Cordon's own roles.
    pub own: &'a [Pattern],
    pub clock: &'a dyn Clock,
    /// The one source beside AWS's own that may start an enforcing incident; the sandbox's.
    pub relay_source: Option<&'a str>,
}

/// How often opening is tried against other executions of the same case.
const OPEN_TRIES: u32 = 5;

impl Classify<'_> {
    pub async fn run(&self, input: ClassifyInput) -> Result<ClassifyOutput, StateError> {
        match Event::from_envelope(&input.event, self.relay_source) {
            Ok(event) => self.judge(&event, &input.execution).await,
            Err(unreadable) => self.needs_person(&unreadable, &input).await,
        }
    }

    async fn judge(&self, event: &Event, execution: &str) -> Result<ClassifyOutput, StateError> {
        let mut former = None;
        if event.origin.may_enforce() {
            self.cases.remember(provenance::observed(event, self.config)).await?;
            former = self.cases.observe(known::observed(event, self.config)).await?;
        }
        if self.is_own_change(event) {
            return Ok(ClassifyOutput::Ignored);
        }
        let facts = self.facts(event).await?;
        let detections = self.rules.evaluate(&event.record, &facts);
        if detections.is_empty() {
            return Ok(ClassifyOutput::Ignored);
        }
        let actor = Actor::from_record(&event.record);
        let subject = Subject::from_record(&event.record);
        let id = cordon_core::IncidentId::derive(event.account.as_ref(), &event.id);
        let now = self.clock.now();
        let mut facts = EventFacts::from_event(event);
        facts.touched.former = former;
        if event.name == "UpdateAssumeRolePolicy" {
            facts.touched.outside_statements = outside_statements(facts.touched.document.as_deref(), event.account.as_ref());
        }
        let found = Found { account: event.account.clone(), actor, subject, detections, event: facts };
        let head = Head::open(id, found, execution.to_owned(), now);
        self.claim_and_open(head, event.shared_id.as_ref()).await
    }

    /// The document of a managed policy that the call only names. What IAM does not give away stays unknown, and the rules say
    /// so; what it may give in a moment is waited for.
    async fn facts(&self, event: &Event) -> Result<Facts, StateError> {
        let mut facts = Facts::default();
        let Some(arn) = enrich::policy_to_read(&event.record) else { return Ok(facts) };
        match self.policies.document(arn).await {
            Ok(Some(text)) => match Document::parse_text(&text) {
                Ok(document) => {
                    facts.policies.insert(arn.to_owned(), document);
                }
                Err(error) => tracing::warn!(policy = arn, %error, "a policy's document cannot be read"),
            },
            Ok(None) => tracing::info!(policy = arn, "the policy is gone"),
            Err(error) if error.retryable() => return Err(StateError::new(ErrorName::Transient, error.to_string())),
            Err(error) => tracing::warn!(policy = arn, %error, "a policy cannot be read"),
        }
        Ok(facts)
    }

    /// The very calls that the remediator makes, made by one of Cordon's own roles: no incident about our own answer to one.
    fn is_own_change(&self, event: &Event) -> bool {
        let own = Actor::from_record(&event.record)
            .principal()
            .is_some_and(|actor| self.own.iter().any(|pattern| pattern.matches(&actor.arn())));
        own && is_remedys_call(event)
    }

    async fn needs_person(&self, unreadable: &Unreadable, input: &ClassifyInput) -> Result<ClassifyOutput, StateError> {
        let record = at(&input.event, "/detail");
        let text = |value: &serde_json::Value| value.as_str().unwrap_or("unknown").chars().take(200).collect::<String>();
        let facts = EventFacts {
            id: unreadable.id.clone(),
            shared_id: None,
            origin: unreadable.origin,
            name: text(&record["eventName"]),
            service: text(&record["eventSource"]),
            region: None,
            time: None,
            source_ip: None,
            user_agent: None,
            policy_arn: None,
            error_code: None,
            parameters: input.event.to_string().chars().take(1_000).collect(),
            touched: cordon_core::Touched::default(),
        };
        let id = cordon_core::IncidentId::derive(unreadable.account.as_ref(), &unreadable.id);
        let (actor, subject) = (Actor::from_record(record), Subject::from_record(record));
        let found = Found { account: unreadable.account.clone(), actor, subject, detections: Vec::new(), event: facts };
        let mut head = Head::open(id, found, input.execution.clone(), self.clock.now());
        head.unreadable = Some(unreadable.reason.clone());
        match self.claim_and_open(head, None).await? {
            ClassifyOutput::Opened { incident } => Ok(ClassifyOutput::NeedsPerson { incident }),
            other => Ok(other),
        }
    }

    async fn claim_and_open(&self, head: Head, shared: Option<&cordon_core::EventId>) -> Result<ClassifyOutput, StateError> {
        let now = self.clock.now();
        match self.cases.claim(&head.event.id, shared, &head.id, &head.execution, now).await? {
            Claim::Taken(incident) => return Ok(ClassifyOutput::Duplicate { incident }),
            Claim::SharedWith(incident) => {
                self.join(&incident, &head, true).await?;
                return Ok(ClassifyOutput::Merged { incident });
            }
            Claim::Mine => {}
        }
        let mut tries = 0;
        loop {
            let mut opened = head.clone();
            match self.cases.open(&mut opened, detected(&head), now).await {
                Ok(Opening::Opened) => return Ok(ClassifyOutput::Opened { incident: opened.id }),
                // Closed in this very moment: then this event opens the next incident.
                Ok(Opening::Joined(incident)) => match self.join(&incident, &head, false).await? {
                    true => return Ok(ClassifyOutput::Merged { incident }),
                    false if tries < OPEN_TRIES => tries += 1,
                    false => return Err(StateError::new(ErrorName::Transient, "the incident to join closes and opens again")),
                },
                Err(CaseError::Store(StoreError::Condition)) if tries < OPEN_TRIES => tries += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Adds the event to an incident's timeline, once however often this is retried; `false` where it is closed and must not be.
    async fn join(&self, incident: &cordon_core::IncidentId, head: &Head, even_closed: bool) -> Result<bool, StateError> {
        let known = self.cases.timeline(incident).await?;
        let event = json!(head.event.id);
        if known.iter().any(|entry| entry.kind == Kind::Merged && *at(&entry.data, "/event") == event) {
            return Ok(true);
        }
        let joined = self
            .cases
            .commit(incident, self.clock.now(), |open| {
                if open.state == State::Closed && !even_closed {
                    return None;
                }
                open.merged += 1;
                let data = json!({"event": head.event.id, "event_name": head.event.name, "event_time": head.event.time, "actor": head.actor.display(), "execution": head.execution});
                Some(vec![NewEntry::cordon(Kind::Merged, data)])
            })
            .await;
        match joined {
            Ok(open) => Ok(open.state != State::Closed || even_closed),
            // The call shared its id with one that has claimed the event and not yet opened its incident.
            Err(CaseError::NotFound(_)) => Err(StateError::new(ErrorName::Transient, "the incident to join is not open yet")),
            Err(error) => Err(error.into()),
        }
    }
}

/// A call that a remedy makes, with the parameters that it makes it with. Undo is the command line's, with its caller's rights,
/// so what takes a remedy back is none of ours.
fn is_remedys_call(event: &Event) -> bool {
    let asked = |key: &str| at(&event.record, "/requestParameters")[key].as_str().unwrap_or_default();
    match (event.service.as_str(), event.name.as_str()) {
        // Our denies, and a former document that comes back over the attacker's: that one has no name of ours, and is judged.
        ("iam.amazonaws.com", "PutUserPolicy" | "PutRolePolicy") => deny::is_own_policy(asked("policyName")),
        ("iam.amazonaws.com", "AttachUserPolicy" | "AttachRolePolicy") => asked("policyArn") == deny::AWS_DENY_ALL,
        ("iam.amazonaws.com", "UpdateAccessKey") => asked("status") == "Inactive",
        (
            "iam.amazonaws.com",
            "DetachUserPolicy"
            | "DetachRolePolicy"
            | "DetachGroupPolicy"
            | "DeleteUserPolicy"
            | "DeleteRolePolicy"
            | "DeleteGroupPolicy"
            | "SetDefaultPolicyVersion"
            | "DeletePolicyVersion"
            | "UpdateAssumeRolePolicy"
            | "RemoveUserFromGroup"
            | "DeleteLoginProfile"
            | "PutUserPermissionsBoundary"
            | "PutRolePermissionsBoundary"
            | "DeleteUserPermissionsBoundary"
            | "DeleteRolePermissionsBoundary"
            | "TagUser"
            | "TagRole"
            | "UntagUser"
            | "UntagRole",
        )
        | ("cloudtrail.amazonaws.com", "StartLogging" | "PutEventSelectors") => true,
        _ => false,
    }
}

/// The statements of a trust policy that let somebody outside of the account in.
fn outside_statements(document: Option<&str>, account: Option<&cordon_core::AccountId>) -> Vec<usize> {
    let document: serde_json::Value = document.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let Some(statements) = at(&document, "/Statement").as_array() else { return Vec::new() };
    let is_outside = |statement: &serde_json::Value| {
        let alone = json!({"Version": at(&document, "/Version"), "Statement": [statement]});
        Document::parse(&alone).is_ok_and(|alone| trusts(&alone).iter().any(|way| way.is_outside(account)))
    };
    statements.iter().enumerate().filter(|(_, statement)| is_outside(statement)).map(|(n, _)| n).collect()
}

fn detected(head: &Head) -> NewEntry {
    let rules: Vec<_> = head.detections.iter().map(|d| json!({"id": d.rule, "title": d.title, "level": d.level})).collect();
    let mut data = json!({
        "event": head.event.id, "event_name": head.event.name, "event_time": head.event.time, "actor": head.actor.display(),
        "subject": head.subject.to_string(), "source_ip": head.event.source_ip, "user_agent": head.event.user_agent,
        "policy_arn": head.event.policy_arn, "origin": head.event.origin, "rules": rules, "execution": head.execution,
    });
    if head.actor.kind == ActorKind::Unknown {
        set(&mut data, "actor", json!("unknown"));
    }
    match &head.unreadable {
        Some(reason) => {
            set(&mut data, "reason", json!(reason));
            NewEntry::cordon(Kind::NeedsPerson, data)
        }
        None => NewEntry::cordon(Kind::Detected, data),
    }
}
