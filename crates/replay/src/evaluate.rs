//! One event of a log: which rules match it, what is counted of it, and what would have been done about it.
//!
//! The production detection decides ([`RuleBook::matching`], [`RuleBook::tallies`]), and the production decision ([`decide`]) says
//! what follows. Nothing is guessed that only IAM could tell: exceptions, what a policy grants that is only named, and whether the
//! principals still exist. A route is that of an incident that nothing exempts; the routes of which that is not known are counted.

use cordon_core::config::Mode;
use cordon_core::decision::{self, Facts, Verdict, decide};
use cordon_core::event::{Event, Log, OMITTED, Origin, Standing, Trust, Unreadable, omits_parameters};
use cordon_core::json::at;
use cordon_core::principal::recipient;
use cordon_core::record::{Field, Record};
use cordon_core::{AccountId, Config, EventId, Level, Principal, Route, RuleId, Subject};
use cordon_detect::enrich::{Enriched, policy_to_read};
use cordon_detect::prefilter::matching_among;
use cordon_detect::{About, Rule, RuleBook};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::burst::{Burst, Counted, CountedCall};
use crate::lazy::LazyRecord;

/// An event that rules match, or a burst with the event that completed it.
#[derive(Debug)]
pub(crate) struct RuleMatch<'r> {
    event_id: Option<&'r str>,
    event_name: Option<&'r str>,
    /// As it is written in the record.
    event_time: Option<&'r str>,
    /// The account in which the call took effect.
    account: Option<AccountId>,
    actor: String,
    /// The user or role behind the actor; the actor if there is none.
    pub(crate) principal: String,
    subject: String,
    /// The gravest first.
    pub(crate) rules: Vec<&'r About>,
    /// With the configuration as it is.
    pub(crate) route: Route,
    /// In mode `enforce`.
    pub(crate) enforced_route: Route,
    /// An exception in IAM could change the route.
    pub(crate) exceptions_unknown: bool,
}

/// A JSON value of a log.
pub(crate) enum Decoded {
    /// An event in EventBridge's envelope, its record below `detail`.
    Event(Value),
    /// A record as a trail writes it into its files, in an envelope of ours.
    Record(Value),
    /// `{"Records": […]}`.
    Records(Vec<Value>),
    /// Something else, with the reason in words.
    Neither(&'static str),
}

/// Tells what a JSON value of a log is. A bare record gets an envelope.
pub(crate) fn decode(value: Value) -> Decoded {
    let Value::Object(mut fields) = value else { return Decoded::Neither("is JSON, but no CloudTrail record") };
    if fields.get("detail").is_some_and(Value::is_object) && fields.contains_key("source") {
        return Decoded::Event(Value::Object(fields));
    }
    if fields.contains_key("eventName") || fields.contains_key("eventSource") {
        let mut envelope = Map::new();
        envelope.insert("detail".to_owned(), Value::Object(fields));
        return Decoded::Record(Value::Object(envelope));
    }
    match fields.remove("Records") {
        Some(Value::Array(records)) => Decoded::Records(records),
        Some(_) | None => Decoded::Neither("is JSON, but neither a CloudTrail record nor an event of EventBridge"),
    }
}

/// What the rules and correlations say of one event.
pub(crate) struct Evaluated<'r> {
    pub(crate) matched: Option<RuleMatch<'r>>,
    /// Why the deployed function could not evaluate it and would ask a person.
    pub(crate) undecidable: Option<String>,
    /// The call grants what stands in a policy that the record only names.
    pub(crate) policy_unknown: bool,
    pub(crate) counting: Counting,
}

/// What correlations count of an event.
pub(crate) enum Counting {
    Nothing,
    /// It would be counted if it had a time.
    Untimed,
    Counted(Box<Counted>),
}

/// Evaluates a parsed event, whose origin its envelope tells.
pub(crate) fn evaluate<'r>(envelope: &'r Value, book: &'r RuleBook, config: &Config) -> Evaluated<'r> {
    let trust = Trust { relay_source: None, organization: Some(&config.organization) };
    evaluate_from(Standing::of(envelope, trust), envelope, book, config)
}

/// Evaluates a parsed record of a trail's file, which is read as what AWS wrote.
pub(crate) fn evaluate_recorded<'r>(envelope: &'r Value, book: &'r RuleBook, config: &Config) -> Evaluated<'r> {
    evaluate_from(Standing::AWS, envelope, book, config)
}

fn evaluate_from<'r>(standing: Standing, envelope: &'r Value, book: &'r RuleBook, config: &Config) -> Evaluated<'r> {
    let record = &envelope["detail"];
    let origin = standing.origin;
    let outline = || Event::outline(envelope, standing.clone());
    let undecidable = if is_usual(record) { None } else { outline().err().map(|Unreadable { reason, .. }| reason) };
    let head = EventHead {
        id: record["eventID"].as_str().or_else(|| envelope["id"].as_str()),
        name: record["eventName"].as_str(),
        time: record["eventTime"].as_str().or_else(|| envelope["time"].as_str()),
        account: envelope["account"].as_str(),
        origin,
    };
    // What the deployed function cannot read is not counted either.
    let event = || outline().ok();
    let (matched, counting) = match Log::of(envelope) {
        Log::CloudTrail => evaluate_record(&head, &Enriched::new(record), book, config, None, || event().map(CountedCall::from)),
        // A notice names the holder of the credentials elsewhere; the decoded event has it where the rules look.
        log @ (Log::Health | Log::GuardDuty | Log::AccessAnalyzer) => match event() {
            None => (None, Counting::Nothing),
            Some(event) => {
                let record = event.record.clone();
                evaluate_record(&head, &Enriched::of(log, &record, None), book, config, None, || Some(CountedCall::from(event)))
            }
        },
    };
    // As the deployed function does: a call that wrote what nobody could read, and that no rule is about.
    let unread = || omits_parameters(record) && at(record, "/errorCode").is_null();
    let undecidable = undecidable.or_else(|| (matched.is_none() && unread()).then(|| OMITTED.to_owned()));
    Evaluated { matched, undecidable, policy_unknown: policy_to_read(record).is_some(), counting }
}

/// Evaluates a record that the prefilter has found complete. `candidates`: the rules that can match it, by their places in the book.
/// `None` if it has no valid id: then its id is worked out from its whole content.
pub(crate) fn evaluate_lazy<'r>(
    record: &'r LazyRecord<'r>,
    book: &'r RuleBook,
    config: &Config,
    candidates: &[usize],
) -> Option<Evaluated<'r>> {
    let id = record.text(Field::EventId).filter(|id| EventId::is_valid(id))?;
    let (name, time) = (record.text(Field::EventName), record.text(Field::EventTime));
    let head = EventHead { id: Some(id), name, time, account: None, origin: Origin::Aws };
    let call = || {
        Some(CountedCall {
            id: id.parse().ok()?,
            at: time.and_then(|time| time.parse().ok()),
            name: name.unwrap_or_default().to_owned(),
            account: recipient(record).or_else(|| record.text(Field::ActorAccountId)?.parse().ok()),
            origin: Origin::Aws,
        })
    };
    let (matched, counting) = evaluate_record(&head, &Enriched::new(record), book, config, Some(candidates), call);
    Some(Evaluated { matched, undecidable: None, policy_unknown: policy_to_read(record).is_some(), counting })
}

/// What a match reports of an event as it came.
struct EventHead<'r> {
    id: Option<&'r str>,
    name: Option<&'r str>,
    time: Option<&'r str>,
    /// The account of the envelope.
    account: Option<&'r str>,
    origin: Origin,
}

/// Evaluates an enriched record. `call`: what a correlation counts of it; `None` if it cannot be decoded.
fn evaluate_record<'r>(
    head: &EventHead<'r>,
    enriched: &Enriched<'_>,
    book: &'r RuleBook,
    config: &Config,
    candidates: Option<&[usize]>,
    call: impl FnOnce() -> Option<CountedCall>,
) -> (Option<RuleMatch<'r>>, Counting) {
    let matching = match candidates {
        Some(candidates) => matching_among(book, enriched, candidates),
        None => book.matching(enriched),
    };
    let tallies = book.tallies(&matching, enriched);
    let reported = |rule: &&'r Rule| !rule.only_counted;
    let rules: Vec<&'r About> = matching.into_iter().filter(reported).map(|rule| &rule.about).collect();
    let matched = (!rules.is_empty()).then(|| rule_match(head, enriched, rules, config));
    // As the deployed function does: what is not believed is not counted.
    let call = if tallies.is_empty() || !head.origin.may_enforce() { None } else { call() };
    let counting = call.map_or(Counting::Nothing, |call| {
        Counted::new(book, call, enriched.actor(), tallies)
            .map_or(Counting::Untimed, |counted| Counting::Counted(Box::new(counted)))
    });
    (matched, counting)
}

/// True for a record that the deployed function can certainly evaluate: a quick check, because nearly every record is one.
fn is_usual(record: &Value) -> bool {
    let version = record["eventVersion"].as_str();
    record["eventName"].is_string()
        && record["eventSource"].is_string()
        && record["userIdentity"].is_object()
        && version.is_some_and(|version| version.starts_with("1."))
        && at(record, "/requestParameters/omitted").is_null()
}

fn rule_match<'r>(head: &EventHead<'r>, enriched: &Enriched<'_>, rules: Vec<&'r About>, config: &Config) -> RuleMatch<'r> {
    let (actor, subject) = (enriched.actor(), enriched.subject());
    let account = recipient(enriched.record())
        .or_else(|| head.account.and_then(|account| account.parse().ok()))
        .or_else(|| actor.account.clone());
    let principal = actor.principal();
    let (route, enforced_route) = routes(config, head.origin, &rules, account.as_ref(), principal.as_ref(), subject);
    RuleMatch {
        event_id: head.id,
        event_name: head.name,
        event_time: head.time,
        principal: principal.map_or_else(|| actor.display(), |principal| principal.arn()),
        actor: actor.display(),
        subject: subject.to_string(),
        exceptions_unknown: can_be_exempt(enforced_route),
        account,
        rules,
        route,
        enforced_route,
    }
}

/// What the deployed function would open for a burst. Its subject is the caller, because a burst touches many. `time`: that of the
/// event which completed it.
pub(crate) fn burst<'b>(burst: &'b Burst<'_>, time: &'b str, config: &Config) -> RuleMatch<'b> {
    let caller = &burst.caller;
    let (principal, account) = (caller.principal.as_ref(), caller.account.as_ref());
    let subject = match (principal, account) {
        (Some(principal), _) => Subject::Principal { principal: principal.clone() },
        (None, Some(account)) => Subject::Account { account: account.clone() },
        (None, None) => Subject::Unknown,
    };
    let rules: Vec<&'b About> = vec![&burst.correlation.about];
    let answered: &[&About] = if burst.only_alerts { &[] } else { &rules };
    let (route, enforced_route) = routes(config, caller.origin, answered, account, principal, &subject);
    RuleMatch {
        event_id: Some(burst.id.as_str()),
        event_name: Some(&burst.name),
        event_time: Some(time),
        account: account.cloned(),
        actor: caller.actor.clone(),
        principal: principal.map_or_else(|| caller.actor.clone(), Principal::arn),
        subject: subject.to_string(),
        exceptions_unknown: can_be_exempt(enforced_route),
        rules,
        route,
        enforced_route,
    }
}

/// True for a route that an exception would change.
fn can_be_exempt(route: Route) -> bool {
    matches!(route, Route::Ask | Route::Act | Route::ContainThenAsk)
}

/// The route with the configuration as it is, and the one in mode `enforce`, if no exception holds and every principal in scope
/// exists.
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
        .map(|(rule, _)| decision::Judged {
            rule: rule.id.clone(),
            level: rule.level,
            gate: config.gate(&rule.id),
            verdict: Verdict::Caught,
        })
        .collect();
    let in_reach = |target: Option<&Principal>| {
        target.is_some_and(|target| account == Some(&target.account) && config.out_of_scope(target).is_none())
    };
    let contained = responses().any(|(_, response)| !response.contain.is_empty()) && in_reach(actor);
    let reverted = responses().any(|(_, response)| !response.revert.is_empty()) && in_reach(subject.principal());
    let enforcing = Facts {
        mode: Mode::Enforce,
        // A replay asks nobody, so what a rehearsal would ask is an alert.
        rehearse: false,
        not_believed: (!origin.may_enforce()).then(String::new),
        judged,
        // They tell only where every rule with a response is exempt, and here none is.
        alerting: Vec::new(),
        planned_steps: usize::from(contained) + usize::from(reverted),
        containing_steps: usize::from(contained),
        // Only shown to people.
        left_out: Vec::new(),
        planning_failed: None,
        doubt: None,
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

/// Writes a JSON object with its names as they are: escaping them for every line is a third of the time that a line takes.
macro_rules! object {
    ($out:expr, {$($name:literal: $value:expr),+ $(,)?}) => {{
        $out.push(b'{');
        $(
            $out.extend_from_slice(concat!('"', $name, "\":").as_bytes());
            $value.write_to(&mut *$out);
            $out.push(b',');
        )+
        $out.pop();
        $out.push(b'}');
    }};
}

/// A value of a line, as JSON.
trait WriteJson {
    fn write_to(&self, out: &mut Vec<u8>);
}

impl<T: Serialize> WriteJson for T {
    fn write_to(&self, out: &mut Vec<u8>) {
        // Writing to memory does not fail, and neither do texts, numbers and lists of them.
        let _ = serde_json::to_writer(out, self);
    }
}

/// JSON that is written already.
struct Written<'a>(&'a [u8]);

impl Written<'_> {
    fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0);
    }
}

/// Parts of a line that are the same on many lines of a file, as JSON: its name, and the rules of the line before.
#[derive(Debug, Default)]
pub(crate) struct LineParts {
    file: Vec<u8>,
    rules: Vec<RuleId>,
    rules_json: Vec<u8>,
}

impl LineParts {
    pub(crate) fn of(file: &str) -> Self {
        let mut parts = Self::default();
        file.write_to(&mut parts.file);
        parts
    }

    fn remember(&mut self, rules: &[&About]) {
        if self.rules.iter().eq(rules.iter().map(|rule| &rule.id)) {
            return;
        }
        self.rules = rules.iter().map(|rule| rule.id.clone()).collect();
        self.rules_json.clear();
        let lines = rules.iter().map(|rule| RuleLine { id: rule.id.as_str(), title: &rule.title, level: rule.level });
        lines.collect::<Vec<_>>().write_to(&mut self.rules_json);
    }
}

impl RuleMatch<'_> {
    /// Appends one line of `--json`. `record` counts from 0 in the file.
    pub(crate) fn write_line(&self, parts: &mut LineParts, record: u64, out: &mut Vec<u8>) {
        parts.remember(&self.rules);
        object!(out, {
            "file": Written(&parts.file),
            "record": record,
            "event_id": self.event_id,
            "event_name": self.event_name,
            "event_time": self.event_time,
            "account": self.account,
            "actor": self.actor,
            "subject": self.subject,
            "rules": Written(&parts.rules_json),
            // INVARIANT: a match has a rule, and the gravest comes first.
            "severity": self.rules.first().map_or(Level::Informational, |rule| rule.level),
            "route": self.route,
        });
        out.push(b'\n');
    }
}
