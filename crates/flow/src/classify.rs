//! Classify: is this event dangerous, has it been seen before, and which incident does it belong to.
//!
//! It never drops an event: what cannot be judged becomes an incident that asks for a person. It never judges by what a
//! caller could have chosen (a user agent, a session's name) unless a rule says so.
//!
//! Where a correlation is reached, the burst is one incident: the first event to reach it opens it, later ones join it, even
//! after it was closed, until the burst pauses for its timespan or a day is over.

mod apart;
mod burst;
mod detected;
mod former;
mod opening;
mod own_calls;
mod provenance;
mod request;
mod two_records;

use std::cmp::Reverse;

use cordon_contract::{ClassifyInput, ClassifyOutput, StateError};
use cordon_core::event::{Event, Trust, Unreadable};
use cordon_core::incident::{EventFacts, Found, Incident};
use cordon_core::json::at;
use cordon_core::pattern::Pattern;
use cordon_core::{Actor, ActorKind, Config, Detection, IncidentId, Subject, chain, redact, request as shown_request};
use cordon_detect::enrich::{self, Documents, Enriched};
use cordon_detect::policy::{Document, trusts};
use cordon_detect::{Count, Judgement, RuleBook, Tally};
use jiff::SignedDuration;
use serde_json::json;

use crate::ports::{Clock, Policies};
use cordon_respond::IamError;
use cordon_store::{Before, Store, StoreError};

/// The rules, as classify needs them.
pub trait Rules: Send + Sync {
    /// The detections of a CloudTrail record, the gravest first. `facts` is what the record itself could not say.
    fn evaluate(&self, record: &serde_json::Value, facts: &Documents) -> Vec<Detection>;

    /// As [`Rules::evaluate`], for an event of any log, and with what correlations count of it.
    fn judge(&self, event: &Event, facts: &Documents) -> Judgement {
        Judgement { detections: self.evaluate(&event.record, facts), tallies: Vec::new() }
    }
}

impl Rules for RuleBook {
    fn evaluate(&self, record: &serde_json::Value, facts: &Documents) -> Vec<Detection> {
        self.evaluate_with(record, facts)
    }

    fn judge(&self, event: &Event, facts: &Documents) -> Judgement {
        RuleBook::judge(self, &Enriched::of(event.log, &event.record, Some(facts)))
    }
}

/// Why an event could not be classified now. Another try can help in every case but a refusal of the table.
#[derive(Debug, thiserror::Error)]
pub enum ClassifyError {
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A policy's document cannot be read at the moment.
    #[error(transparent)]
    Policy(IamError),
    /// Another execution has claimed the event and has yet to open its incident.
    #[error("the incident to join is not open yet")]
    NotOpenYet,
    /// Others open and close the same case faster.
    #[error("the incident to join closes and opens again")]
    OpensAndCloses,
}

/// What classify is given at start-up.
pub struct Classify<'a> {
    /// What is kept.
    pub store: Store<'a>,
    /// What is dangerous.
    pub rules: &'a dyn Rules,
    /// Documents of managed policies.
    pub policies: &'a dyn Policies,
    /// The policy: `cordon.toml`.
    pub config: &'a Config,
    /// Cordon's own roles.
    pub own: &'a [Pattern],
    /// The time.
    pub clock: &'a dyn Clock,
    /// The one source beside AWS's own that may start an enforcing incident; the sandbox's.
    pub relay_source: Option<&'a str>,
}

impl Classify<'_> {
    /// Judges an event as EventBridge delivered it.
    ///
    /// # Errors
    /// [`ClassifyError`], under the contract's names.
    pub async fn run(&self, input: ClassifyInput) -> Result<ClassifyOutput, StateError> {
        self.answer(&input).await.map_err(|error| {
            let StateError { name, message } = error.into();
            // Where this is the end of it, no incident tells people what the event was.
            StateError::new(name, format!("{}: {message}", named(&input.event)))
        })
    }

    async fn answer(&self, input: &ClassifyInput) -> Result<ClassifyOutput, ClassifyError> {
        if let Some(asked) = request::of_input(&input.event) {
            return Ok(asked);
        }
        let trust = Trust { relay_source: self.relay_source, organization: Some(&self.config.organization) };
        match Event::from_envelope(&input.event, trust) {
            Ok(event) => self.judge(&apart::event(event), input).await,
            Err(unreadable) => self.needs_person(&apart::unreadable(unreadable), input).await,
        }
    }

    async fn judge(&self, event: &Event, input: &ClassifyInput) -> Result<ClassifyOutput, ClassifyError> {
        if event.origin.may_enforce() {
            self.store.remember(provenance::observed(event, self.config)).await?;
        }
        let by_own_role = event.origin.may_enforce() && self.is_by_own_role(event);
        if by_own_role && self.store.is_announced(event).await? {
            self.observe(event, &[]).await?;
            return Ok(ClassifyOutput::Ignored);
        }
        let (facts, written) = self.facts(event).await?;
        let Judgement { mut detections, tallies } = self.rules.judge(event, &facts);
        if by_own_role {
            detections.extend(own_calls::misused(event, !detections.is_empty()));
        }
        let before = self.observe(event, &detections).await?;
        let id = IncidentId::derive(event.account.as_ref(), &event.id);
        let now = self.clock.now();
        let mut bursts = self.count(apart::tallies(tallies, event.origin), event, &id).await?;
        // What the event wants for itself and no burst gives it, it gets by an incident of its own; the burst only counts it.
        let wants_more = |burst: &Burst| burst::wants_more(&detections, &burst.tally.detection);
        let stays_alone = event.error_code.is_none() && bursts.iter().any(wants_more);
        if stays_alone {
            bursts = self.not_answered_elsewhere(bursts, &id).await?;
        }
        detections.extend(bursts.iter().map(|burst| Detection::clone(&burst.tally.detection)));
        // What one event is reported for goes before the burst that it is part of, where both are as grave: a stable sort.
        detections.sort_by_key(|detection| Reverse(detection.level));
        let Some(gravest) = detections.first().map(|detection| detection.rule.clone()) else {
            // No rule says that nothing has to be done about what nobody could read.
            if event.omits_parameters() && event.error_code.is_none() {
                return self.needs_person(&omitted(event), input).await;
            }
            return Ok(ClassifyOutput::Ignored);
        };
        let leading = bursts.iter().find(|burst| !stays_alone && burst.tally.detection.rule == gravest);
        let actor = Actor::from_record(&event.record);
        let subject = match leading {
            // A burst touches many; it is about who makes the calls.
            Some(_) => actor.principal().map_or_else(|| account_of(event), |principal| Subject::Principal { principal }),
            None => Subject::from_record(&event.record),
        };
        let mut of_event = EventFacts::from_event(event);
        of_event.touched.former = before.former;
        of_event.touched.former_refused = before.refused;
        of_event.touched.document = of_event.touched.document.or(written);
        if event.name == "UpdateAssumeRolePolicy" {
            of_event.touched.outside_statements =
                outside_statements(of_event.touched.document.as_deref(), event.account.as_ref());
        }
        of_event.touched.cut_secrets();
        let found = Found { account: event.account.clone(), actor, subject, detections, event: of_event };
        let own = id.to_string();
        let mut incident = Incident::open(id, found, input.execution.clone(), now);
        incident.statements = enrich::dangerous_statements(&event.record, &facts);
        incident.group = leading.map(|burst| burst.tally.key.clone());
        incident.bursts = bursts.iter().map(|burst| burst.tally.detection.rule.clone()).collect();
        let output = self.open(event, incident, leading).await?;
        // A burst that this event opened, or whose incident never came to be, is told where it ended up.
        for burst in &bursts {
            if burst.name == own || leading.is_some_and(|leading| leading.tally.key == burst.tally.key) {
                self.point(burst, &output).await?;
            }
        }
        Ok(output)
    }

    /// Keeps what the event set, and gives what stood before.
    async fn observe(&self, event: &Event, detections: &[Detection]) -> Result<Before, ClassifyError> {
        if !event.origin.may_enforce() {
            return Ok(Before::default());
        }
        let min_age = SignedDuration::from_hours(i64::from(self.config.exceptions.min_age_hours));
        Ok(self.store.observe(former::observed(event, self.config, detections), min_age).await?)
    }

    /// Counts the event, and gives back the correlations that it reached.
    async fn count(&self, tallies: Vec<Tally>, event: &Event, own: &IncidentId) -> Result<Vec<Burst>, ClassifyError> {
        let now = self.clock.now();
        let mut reached = Vec::new();
        for tally in tallies {
            let counted = self.store.count(&tally, &event.id, event.time.unwrap_or(now), own, now).await?;
            let name = match counted.count {
                Count::Below => continue,
                Count::Opened => own.to_string(),
                Count::Joined(name) => name,
            };
            reached.push(Burst { tally, name, seen: counted.seen });
        }
        Ok(reached)
    }

    /// The bursts without those that another event's incident answers already.
    async fn not_answered_elsewhere(&self, bursts: Vec<Burst>, own: &IncidentId) -> Result<Vec<Burst>, ClassifyError> {
        let mut left = Vec::with_capacity(bursts.len());
        for burst in bursts {
            let named = burst.name.parse::<IncidentId>().ok().filter(|named| named != own);
            let is_answered = match named {
                Some(named) if burst.tally.detection.response.is_some() => self.store.find(&named).await?.is_some(),
                Some(_) | None => false,
            };
            if !is_answered {
                left.push(burst);
            }
        }
        Ok(left)
    }

    /// Tells a burst which incident it became part of.
    async fn point(&self, burst: &Burst, output: &ClassifyOutput) -> Result<(), ClassifyError> {
        match output {
            ClassifyOutput::Opened { incident } | ClassifyOutput::Merged { incident } if burst.name != incident.as_str() => {
                Ok(self.store.point_burst(&burst.tally, &burst.name, incident, self.clock.now()).await?)
            }
            // A duplicate's incident is the one that it would have opened, and was told already.
            ClassifyOutput::Opened { .. }
            | ClassifyOutput::Merged { .. }
            | ClassifyOutput::Duplicate { .. }
            | ClassifyOutput::NeedsPerson { .. }
            | ClassifyOutput::Undo { .. }
            | ClassifyOutput::Voted { .. }
            | ClassifyOutput::Ignored => Ok(()),
        }
    }

    /// The document of a managed policy that the call only names, and the one that the call wrote and the record lacks, also as
    /// text. What IAM does not give away stays unknown, and the rules say so; what it may give in a moment is waited for.
    async fn facts(&self, event: &Event) -> Result<(Documents, Option<String>), ClassifyError> {
        let mut facts = self.named_policy(event).await?;
        let is_lacking = event.log == cordon_core::Log::CloudTrail && event.origin.may_enforce() && event.error_code.is_none();
        let Some(written) = enrich::document_to_read(&event.record).filter(|_| is_lacking) else { return Ok((facts, None)) };
        match self.policies.written(&written).await {
            Ok(Some(text)) => match Document::parse_text(&text) {
                Ok(document) => {
                    facts.written = Some(document);
                    return Ok((facts, Some(text)));
                }
                Err(error) => tracing::warn!(?written, error = chain(&error), "the document that was written cannot be read"),
            },
            Ok(None) => tracing::info!(?written, "the document that was written is gone"),
            Err(error) if error.retryable() => return Err(ClassifyError::Policy(error)),
            Err(error) => tracing::warn!(?written, error = chain(&error), "the document that was written cannot be read"),
        }
        Ok((facts, None))
    }

    async fn named_policy(&self, event: &Event) -> Result<Documents, ClassifyError> {
        let mut facts = Documents::default();
        let Some(arn) = enrich::policy_to_read(&event.record) else { return Ok(facts) };
        match self.policies.document(arn).await {
            Ok(Some(text)) => match Document::parse_text(&text) {
                Ok(document) => {
                    facts.policies.insert(arn.to_owned(), document);
                }
                Err(error) => {
                    tracing::warn!(policy = %redact::text(arn), error = chain(&error), "a policy's document cannot be read");
                }
            },
            Ok(None) => tracing::info!(policy = %redact::text(arn), "the policy is gone"),
            Err(error) if error.retryable() => return Err(ClassifyError::Policy(error)),
            Err(error) => tracing::warn!(policy = %redact::text(arn), error = chain(&error), "a policy cannot be read"),
        }
        Ok(facts)
    }

    /// Whether a session of one of Cordon's own roles made the call, by the role's whole ARN.
    fn is_by_own_role(&self, event: &Event) -> bool {
        let actor = Actor::from_record(&event.record);
        let role = actor.principal().filter(|_| actor.kind == ActorKind::AssumedRole);
        role.is_some_and(|role| self.own.iter().any(|pattern| pattern.matches(&role.arn())))
    }

    async fn needs_person(&self, unreadable: &Unreadable, input: &ClassifyInput) -> Result<ClassifyOutput, ClassifyError> {
        let record = at(&input.event, "/detail");
        let text =
            |value: &serde_json::Value| redact::text(value.as_str().unwrap_or("unknown")).chars().take(200).collect::<String>();
        let facts = EventFacts {
            id: unreadable.id.clone(),
            shared_id: None,
            origin: unreadable.origin,
            distrust: unreadable.distrust.clone(),
            name: text(&record["eventName"]),
            service: text(&record["eventSource"]),
            region: None,
            time: None,
            source_ip: None,
            user_agent: None,
            policy_arn: None,
            error_code: None,
            effect: None,
            parameters: shown_request::shown(
                &text(&record["eventSource"]),
                &text(&record["eventName"]),
                &record["requestParameters"],
            ),
            touched: cordon_core::Touched::default(),
        };
        let id = IncidentId::derive(unreadable.account.as_ref(), &unreadable.id);
        let (actor, subject) = (Actor::from_record(record), Subject::from_record(record));
        let found = Found { account: unreadable.account.clone(), actor, subject, detections: Vec::new(), event: facts };
        let mut incident = Incident::open(id, found, input.execution.clone(), self.clock.now());
        incident.unreadable = Some(match incident.event.not_believed() {
            Some(sentence) => format!("{}. {sentence}", unreadable.reason),
            None => unreadable.reason.clone(),
        });
        match self.claim_and_open(incident, None, None).await? {
            ClassifyOutput::Opened { incident } => Ok(ClassifyOutput::NeedsPerson { incident }),
            other => Ok(other),
        }
    }
}

/// An event in a few words, for whoever is told that it could not be classified.
fn named(event: &serde_json::Value) -> String {
    let text = |value: &serde_json::Value, unknown: &str| {
        value.as_str().map_or_else(|| unknown.to_owned(), |text| text.chars().take(300).collect::<String>())
    };
    let record = at(event, "/detail");
    let call = text(&record["eventName"], "an event");
    let actor = Actor::from_record(record);
    let actor = if actor.kind == ActorKind::Unknown { "an unknown actor".to_owned() } else { actor.display() };
    let actor: String = actor.chars().take(300).collect();
    format!("{call} by {actor} (event {})", text(&record["eventID"], "without an id"))
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

/// A correlation that an event reached.
struct Burst {
    tally: Tally,
    /// The incident that its first event would open, or that it became part of.
    name: String,
    seen: Vec<(String, i64)>,
}

fn omitted(event: &Event) -> Unreadable {
    let reason = cordon_core::event::OMITTED.to_owned();
    let (id, account, distrust) = (event.id.clone(), event.account.clone(), event.distrust.clone());
    Unreadable { id, account, origin: event.origin, distrust, reason }
}

fn account_of(event: &Event) -> Subject {
    event.account.clone().map_or(Subject::Unknown, |account| Subject::Account { account })
}
