//! One parsed record: what it is, which rules match it, and what would have been done about it.
//!
//! The production detection decides ([`RuleBook::evaluate`]), and the production decision ([`decide`]) says what follows. What
//! only IAM could tell is not guessed: exceptions, what a policy grants that is only named, and whether the principals still
//! exist. A route is that of an incident that nothing exempts; how many there are of which that is not known is counted.

use cordon_core::config::Mode;
use cordon_core::decision::{Facts, Judged, Verdict, decide};
use cordon_core::event::{Event, Log, Origin, Unreadable};
use cordon_core::json::at;
use cordon_core::principal::recipient;
use cordon_core::{AccountId, Actor, Config, Detection, Level, Principal, Route, Subject};
use cordon_detect::RuleBook;
use cordon_detect::enrich::{self, Enriched, policy_to_read};
use serde::Serialize;
use serde_json::{Value, json};

/// A record that some rule matches.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    pub event_id: Option<String>,
    pub event_name: Option<String>,
    /// As the record has it.
    pub event_time: Option<String>,
    /// The account in which the call took effect.
    pub account: Option<AccountId>,
    pub actor: String,
    /// The user or role behind the actor, where there is one.
    pub principal: String,
    pub subject: String,
    /// The gravest first.
    pub detections: Vec<Detection>,
    /// What would have happened with the configuration as it is.
    pub route: Route,
    /// What would have happened in mode `enforce`.
    pub enforced: Route,
    /// An exception that IAM would have told about could have let it pass.
    pub exceptions_unknown: bool,
}

impl Finding {
    /// The level of the gravest detection.
    #[must_use]
    pub fn severity(&self) -> Level {
        self.detections.iter().map(|detection| detection.level).max().unwrap_or(Level::Informational)
    }
}

/// What a JSON value is, as far as a log goes.
pub(crate) enum Read {
    Record {
        finding: Option<Box<Finding>>,
        /// Why the deployed function could not have judged it and would have asked a person.
        unjudged: Option<String>,
        /// What the call grants stands in a policy that the record only names.
        policy_unknown: bool,
    },
    /// `{"Records": […]}`.
    Records(Vec<Value>),
    Neither(&'static str),
}

/// Reads a JSON value of a log.
pub(crate) fn read(value: Value, book: &RuleBook, config: &Config) -> Read {
    let Value::Object(mut fields) = value else { return Read::Neither("is JSON, but no CloudTrail record") };
    if fields.get("detail").is_some_and(Value::is_object) && fields.contains_key("source") {
        return read_record(&Value::Object(fields), book, config);
    }
    if fields.contains_key("eventName") || fields.contains_key("eventSource") {
        let envelope = json!({"source": "aws.cloudtrail", "detail": fields});
        return read_record(&envelope, book, config);
    }
    match fields.remove("Records") {
        Some(Value::Array(records)) => Read::Records(records),
        Some(_) | None => Read::Neither("is JSON, but neither a CloudTrail record nor an event of EventBridge"),
    }
}

fn read_record(envelope: &Value, book: &RuleBook, config: &Config) -> Read {
    let record = &envelope["detail"];
    let unjudged =
        if is_plain(record) { None } else { Event::from_envelope(envelope, None).err().map(|Unreadable { reason, .. }| reason) };
    let detections = match Log::of(envelope) {
        Log::CloudTrail => book.evaluate(record),
        // A notice names its holder of credentials elsewhere; the event has it where the rules look.
        log @ (Log::Health | Log::GuardDuty | Log::AccessAnalyzer) => Event::from_envelope(envelope, None)
            .map(|event| book.judge(&Enriched::of(log, &event.record, &enrich::Facts::default())).detections)
            .unwrap_or_default(),
    };
    let finding = (!detections.is_empty()).then(|| Box::new(finding(envelope, detections, config)));
    Read::Record { finding, unjudged, policy_unknown: policy_to_read(record).is_some() }
}

/// True for a record that certainly can be judged: a quick look, because nearly every record is one.
fn is_plain(record: &Value) -> bool {
    let version = record["eventVersion"].as_str();
    record["eventName"].is_string()
        && record["eventSource"].is_string()
        && record["userIdentity"].is_object()
        && version.is_some_and(|version| version.starts_with("1."))
        && at(record, "/requestParameters/omitted").is_null()
}

fn finding(envelope: &Value, detections: Vec<Detection>, config: &Config) -> Finding {
    let record = &envelope["detail"];
    let actor = Actor::from_record(record);
    let subject = Subject::from_record(record);
    let account = recipient(record)
        .or_else(|| envelope["account"].as_str().and_then(|account| account.parse().ok()))
        .or_else(|| actor.account.clone());
    let origin = match envelope["source"].as_str() {
        Some(source) if source.starts_with("aws.") => Origin::Aws,
        Some(_) | None => Origin::Untrusted,
    };
    let principal = actor.principal();
    let facts = |mode| facts(mode, origin, &detections, account.as_ref(), principal.as_ref(), &subject, config);
    let route = decide(&facts(config.mode)).route;
    let enforced = decide(&facts(Mode::Enforce)).route;
    let text = |field: &Value| field.as_str().map(str::to_owned);
    Finding {
        event_id: text(&record["eventID"]).or_else(|| text(&envelope["id"])),
        event_name: text(&record["eventName"]),
        event_time: text(&record["eventTime"]).or_else(|| text(&envelope["time"])),
        account,
        principal: principal.map_or_else(|| actor.display(), |principal| principal.arn()),
        actor: actor.display(),
        subject: subject.to_string(),
        exceptions_unknown: matches!(enforced, Route::Ask | Route::Act | Route::ContainThenAsk),
        detections,
        route,
        enforced,
    }
}

/// What the decision rests on, with every exception taken not to hold and every principal in scope taken to exist.
fn facts(
    mode: Mode,
    origin: Origin,
    detections: &[Detection],
    account: Option<&AccountId>,
    actor: Option<&Principal>,
    subject: &Subject,
    config: &Config,
) -> Facts {
    let responses = || detections.iter().filter_map(|detection| Some((detection, detection.response.as_ref()?)));
    let judged = responses()
        .map(|(detection, _)| Judged {
            rule: detection.rule.clone(),
            gate: config.gate(&detection.rule),
            verdict: Verdict::Caught,
        })
        .collect();
    let in_reach = |target: Option<&Principal>| {
        target.is_some_and(|target| account == Some(&target.account) && config.out_of_scope(target).is_none())
    };
    let contained = responses().any(|(_, response)| !response.contain.is_empty()) && in_reach(actor);
    let reverted = responses().any(|(_, response)| !response.revert.is_empty()) && in_reach(subject.principal());
    Facts {
        mode,
        // Nobody is asked by a replay, so what a rehearsal would ask is told as an alert.
        rehearse: false,
        origin,
        judged,
        planned_steps: usize::from(contained) + usize::from(reverted),
        containing_steps: usize::from(contained),
        left_out: vec!["neither the actor nor the subject may be changed".to_owned()],
        planning_failed: None,
        // As if the log were read while it was written, with the hour's budget untouched.
        too_old: None,
        only_by_asking: None,
    }
}

/// The line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    file: &'a str,
    record: u64,
    event_id: Option<&'a str>,
    event_name: Option<&'a str>,
    event_time: Option<&'a str>,
    account: Option<&'a AccountId>,
    actor: &'a str,
    subject: &'a str,
    rules: Vec<RuleLine<'a>>,
    severity: Level,
    route: Route,
}

#[derive(Serialize)]
struct RuleLine<'a> {
    id: &'a str,
    title: &'a str,
    level: Level,
}

impl Finding {
    /// Appends the finding as one line of JSON. `record` counts from 0 in its file.
    pub(crate) fn write_line(&self, file: &str, record: u64, out: &mut Vec<u8>) {
        let rules = self.detections.iter();
        let line = Line {
            file,
            record,
            event_id: self.event_id.as_deref(),
            event_name: self.event_name.as_deref(),
            event_time: self.event_time.as_deref(),
            account: self.account.as_ref(),
            actor: &self.actor,
            subject: &self.subject,
            rules: rules.map(|rule| RuleLine { id: rule.rule.as_str(), title: &rule.title, level: rule.level }).collect(),
            severity: self.severity(),
            route: self.route,
        };
        // Writing to memory does not fail, and neither does a line of texts and numbers.
        if serde_json::to_writer(&mut *out, &line).is_ok() {
            out.push(b'\n');
        }
    }
}
