//! One parsed record: what it is, which rules match it, what is counted of it, and what would have been done about it.
//!
//! The production detection decides ([`RuleBook::matching`], [`RuleBook::tallies`]), and the production decision ([`decide`])
//! says what follows. What only IAM could tell is not guessed: exceptions, what a policy grants that is only named, and whether
//! the principals still exist. A route is that of an incident that nothing exempts; how many there are of which that is not
//! known is counted.

use cordon_core::config::Mode;
use cordon_core::decision::{self, Facts, Verdict, decide};
use cordon_core::event::{Event, Log, Origin, Unreadable};
use cordon_core::json::at;
use cordon_core::principal::recipient;
use cordon_core::{AccountId, Config, EventId, Field, Level, Principal, Record, Route, Subject};
use cordon_detect::enrich::{Enriched, policy_to_read};
use cordon_detect::{About, Rule, RuleBook};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::burst::{Burst, Call, Counted};
use crate::outline::Outline;

/// A record that some rule matches, or a burst that it completes.
#[derive(Debug)]
pub(crate) struct Finding<'r> {
    event_id: Option<&'r str>,
    event_name: Option<&'r str>,
    /// As the record has it.
    event_time: Option<&'r str>,
    /// The account in which the call took effect.
    account: Option<AccountId>,
    actor: String,
    /// The user or role behind the actor, where there is one.
    pub(crate) principal: String,
    subject: String,
    /// The gravest first.
    pub(crate) rules: Vec<&'r About>,
    /// What would have happened with the configuration as it is.
    pub(crate) route: Route,
    /// What would have happened in mode `enforce`.
    pub(crate) enforced: Route,
    /// An exception that IAM would have told about could have let it pass.
    pub(crate) exceptions_unknown: bool,
}

/// What a JSON value is, as far as a log goes.
pub(crate) enum Read {
    /// An event as EventBridge has it, its record below `detail`.
    Event(Value),
    /// `{"Records": […]}`.
    Records(Vec<Value>),
    Neither(&'static str),
}

/// Reads a JSON value of a log.
pub(crate) fn read(value: Value) -> Read {
    let Value::Object(mut fields) = value else { return Read::Neither("is JSON, but no CloudTrail record") };
    if fields.get("detail").is_some_and(Value::is_object) && fields.contains_key("source") {
        return Read::Event(Value::Object(fields));
    }
    if fields.contains_key("eventName") || fields.contains_key("eventSource") {
        let mut envelope = Map::new();
        envelope.insert("source".to_owned(), Value::String("aws.cloudtrail".to_owned()));
        envelope.insert("detail".to_owned(), Value::Object(fields));
        return Read::Event(Value::Object(envelope));
    }
    match fields.remove("Records") {
        Some(Value::Array(records)) => Read::Records(records),
        Some(_) | None => Read::Neither("is JSON, but neither a CloudTrail record nor an event of EventBridge"),
    }
}

/// What became of one event.
pub(crate) struct Judged<'r> {
    pub(crate) finding: Option<Finding<'r>>,
    /// Why the deployed function could not have judged it and would have asked a person.
    pub(crate) unjudged: Option<String>,
    /// What the call grants stands in a policy that the record only names.
    pub(crate) policy_unknown: bool,
    pub(crate) counting: Counting,
}

/// What correlations make of an event.
pub(crate) enum Counting {
    Nothing,
    /// It would be counted if it said when it was.
    Untimed,
    Counted(Box<Counted>),
}

/// Judges an event.
pub(crate) fn judge<'r>(envelope: &'r Value, book: &'r RuleBook, config: &Config) -> Judged<'r> {
    let record = &envelope["detail"];
    let unjudged =
        if is_plain(record) { None } else { Event::outline(envelope, None).err().map(|Unreadable { reason, .. }| reason) };
    let told = Told {
        id: record["eventID"].as_str().or_else(|| envelope["id"].as_str()),
        name: record["eventName"].as_str(),
        time: record["eventTime"].as_str().or_else(|| envelope["time"].as_str()),
        account: envelope["account"].as_str(),
        origin: match envelope["source"].as_str() {
            Some(source) if source.starts_with("aws.") => Origin::Aws,
            Some(_) | None => Origin::Untrusted,
        },
    };
    // What the deployed function cannot read is not counted either.
    let event = || Event::outline(envelope, None).ok();
    let (finding, counting) = match Log::of(envelope) {
        Log::CloudTrail => look(&told, &Enriched::new(record), book, config, None, || event().map(Call::from)),
        // A notice names its holder of credentials elsewhere; the event has it where the rules look.
        log @ (Log::Health | Log::GuardDuty | Log::AccessAnalyzer) => match event() {
            None => (None, Counting::Nothing),
            Some(event) => {
                let record = event.record.clone();
                look(&told, &Enriched::of(log, &record, None), book, config, None, || Some(Call::from(event)))
            }
        },
    };
    Judged { finding, unjudged, policy_unknown: policy_to_read(record).is_some(), counting }
}

/// Judges a record that is known to be one that can be judged. `among`: the rules that can match it, by their places in the
/// book. `None` where its id is none: then only all of its content tells it from others.
pub(crate) fn judge_outline<'r>(
    record: &'r Outline<'r>,
    book: &'r RuleBook,
    config: &Config,
    among: &[usize],
) -> Option<Judged<'r>> {
    let id = record.text(Field::EventId).filter(|id| EventId::is_valid(id))?;
    let (name, time) = (record.text(Field::EventName), record.text(Field::EventTime));
    let told = Told { id: Some(id), name, time, account: None, origin: Origin::Aws };
    let call = || {
        Some(Call {
            id: id.parse().ok()?,
            at: time.and_then(|time| time.parse().ok()),
            name: name.unwrap_or_default().to_owned(),
            account: recipient(record).or_else(|| record.text(Field::ActorAccountId)?.parse().ok()),
            origin: Origin::Aws,
        })
    };
    let (finding, counting) = look(&told, &Enriched::new(record), book, config, Some(among), call);
    Some(Judged { finding, unjudged: None, policy_unknown: policy_to_read(record).is_some(), counting })
}

/// What a finding says of an event as it came.
struct Told<'r> {
    id: Option<&'r str>,
    name: Option<&'r str>,
    time: Option<&'r str>,
    /// The envelope's.
    account: Option<&'r str>,
    origin: Origin,
}

/// What the rules make of an event. `call`: what is counted of it, `None` where it cannot be read.
fn look<'r>(
    told: &Told<'r>,
    enriched: &Enriched<'_>,
    book: &'r RuleBook,
    config: &Config,
    among: Option<&[usize]>,
    call: impl FnOnce() -> Option<Call>,
) -> (Option<Finding<'r>>, Counting) {
    let matching = match among {
        Some(among) => book.matching_among(enriched, among),
        None => book.matching(enriched),
    };
    let tallies = book.tallies(&matching, enriched);
    let reported = |rule: &&'r Rule| !rule.only_counted;
    let rules: Vec<&'r About> = matching.into_iter().filter(reported).map(|rule| &rule.about).collect();
    let finding = (!rules.is_empty()).then(|| finding(told, enriched, rules, config));
    let call = if tallies.is_empty() { None } else { call() };
    let counting = call.map_or(Counting::Nothing, |call| {
        Counted::new(book, call, enriched.actor(), tallies)
            .map_or(Counting::Untimed, |counted| Counting::Counted(Box::new(counted)))
    });
    (finding, counting)
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

fn finding<'r>(told: &Told<'r>, enriched: &Enriched<'_>, rules: Vec<&'r About>, config: &Config) -> Finding<'r> {
    let (actor, subject) = (enriched.actor(), enriched.subject());
    let account = recipient(enriched.record())
        .or_else(|| told.account.and_then(|account| account.parse().ok()))
        .or_else(|| actor.account.clone());
    let principal = actor.principal();
    let (route, enforced) = routes(config, told.origin, &rules, account.as_ref(), principal.as_ref(), subject);
    Finding {
        event_id: told.id,
        event_name: told.name,
        event_time: told.time,
        principal: principal.map_or_else(|| actor.display(), |principal| principal.arn()),
        actor: actor.display(),
        subject: subject.to_string(),
        exceptions_unknown: can_be_exempt(enforced),
        account,
        rules,
        route,
        enforced,
    }
}

/// What the deployed function would open for a burst. It is about who makes the calls, because a burst touches many.
/// `time`: when the event was that completed it.
pub(crate) fn burst<'b>(burst: &'b Burst<'_>, time: &'b str, config: &Config) -> Finding<'b> {
    let who = &burst.who;
    let (principal, account) = (who.principal.as_ref(), who.account.as_ref());
    let subject = match (principal, account) {
        (Some(principal), _) => Subject::Principal { principal: principal.clone() },
        (None, Some(account)) => Subject::Account { account: account.clone() },
        (None, None) => Subject::Unknown,
    };
    let rules: Vec<&'b About> = vec![&burst.correlation.about];
    let (route, enforced) = routes(config, who.origin, &rules, account, principal, &subject);
    Finding {
        event_id: Some(burst.id.as_str()),
        event_name: Some(&burst.name),
        event_time: Some(time),
        account: account.cloned(),
        actor: who.actor.clone(),
        principal: principal.map_or_else(|| who.actor.clone(), Principal::arn),
        subject: subject.to_string(),
        exceptions_unknown: can_be_exempt(enforced),
        rules,
        route,
        enforced,
    }
}

/// True for a route that an exception would change.
fn can_be_exempt(enforced: Route) -> bool {
    matches!(enforced, Route::Ask | Route::Act | Route::ContainThenAsk)
}

/// The route with the configuration as it is, and the one in mode `enforce`; every exception is taken not to hold, and every
/// principal in scope to exist.
fn routes(
    config: &Config,
    origin: Origin,
    rules: &[&About],
    account: Option<&AccountId>,
    actor: Option<&Principal>,
    subject: &Subject,
) -> (Route, Route) {
    let responses = || rules.iter().filter_map(|rule| Some((rule, rule.response.as_ref()?)));
    let judged = responses()
        .map(|(rule, _)| decision::Judged { rule: rule.id.clone(), gate: config.gate(&rule.id), verdict: Verdict::Caught })
        .collect();
    let in_reach = |target: Option<&Principal>| {
        target.is_some_and(|target| account == Some(&target.account) && config.out_of_scope(target).is_none())
    };
    let contained = responses().any(|(_, response)| !response.contain.is_empty()) && in_reach(actor);
    let reverted = responses().any(|(_, response)| !response.revert.is_empty()) && in_reach(subject.principal());
    let enforcing = Facts {
        mode: Mode::Enforce,
        // Nobody is asked by a replay, so what a rehearsal would ask is told as an alert.
        rehearse: false,
        origin,
        judged,
        planned_steps: usize::from(contained) + usize::from(reverted),
        containing_steps: usize::from(contained),
        // Only told to people.
        left_out: Vec::new(),
        planning_failed: None,
        // As if the log were read while it was written, with the hour's budget untouched.
        too_old: None,
        only_by_asking: None,
    };
    let enforced = decide(&enforcing).route;
    let route = if config.mode == Mode::Enforce { enforced } else { decide(&Facts { mode: config.mode, ..enforcing }).route };
    (route, enforced)
}

#[derive(Serialize)]
struct RuleLine<'a> {
    id: &'a str,
    title: &'a str,
    level: Level,
}

/// Writes an object of JSON, its names as they are: to escape them anew for every finding is a third of what a line takes.
macro_rules! object {
    ($out:expr, {$($name:literal: $value:expr),+ $(,)?}) => {{
        $out.push(b'{');
        $(
            $out.extend_from_slice(concat!('"', $name, "\":").as_bytes());
            // Writing to memory does not fail, and neither do texts, numbers and lists of them.
            let _ = serde_json::to_writer(&mut *$out, &$value);
            $out.push(b',');
        )+
        $out.pop();
        $out.push(b'}');
    }};
}

impl Finding<'_> {
    /// Appends the finding as one line of `--json`. `record` counts from 0 in its file.
    pub(crate) fn write_line(&self, file: &str, record: u64, out: &mut Vec<u8>) {
        let rules = self.rules.iter().map(|rule| RuleLine { id: rule.id.as_str(), title: &rule.title, level: rule.level });
        let rules: Vec<RuleLine<'_>> = rules.collect();
        object!(out, {
            "file": file,
            "record": record,
            "event_id": self.event_id,
            "event_name": self.event_name,
            "event_time": self.event_time,
            "account": self.account,
            "actor": self.actor,
            "subject": self.subject,
            "rules": rules,
            // INVARIANT: a finding has a rule, and the gravest comes first.
            "severity": self.rules.first().map_or(Level::Informational, |rule| rule.level),
            "route": self.route,
        });
        out.push(b'\n');
    }
}
