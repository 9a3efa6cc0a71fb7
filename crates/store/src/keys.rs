//! Every key of the table. No other module makes one.
//!
//! INVARIANT: a key never changes, so that items of an older version are found. Other people's texts are hashed if they could
//! exceed DynamoDB's limit.

use cordon_core::incident::{Incident, JoinedEvent, State};
use cordon_core::{AccountId, EventId, ExceptionId, IncidentId, Principal, Subject, Target, canonical_arn};
use cordon_detect::Tally;
use cordon_respond::Thing;
use jiff::Timestamp;

use crate::parts::{Grant, Minute, Setting};
use crate::table::Key;

/// DynamoDB takes 2,048 bytes of partition key.
const TEXT_MAX_BYTES: usize = 1_500;
/// It takes 1,024 bytes of sort key.
const SORT_MAX_BYTES: usize = 900;

/// The sort keys of what is held of a target begin so: DynamoDB takes no empty prefix.
pub(crate) const HELD: &str = "HELD#";
/// The sort keys of a timeline begin so.
pub(crate) const TIMELINE: &str = "LOG#";
/// The later events that joined an incident.
pub(crate) const JOINED: &str = "EVENT#";
/// All recorded exceptions stand in one partition: every check reads them all, by one query.
pub(crate) const EXCEPTIONS: &str = "EXCEPTIONS";
pub(crate) const EXCEPTION: &str = "EXCEPTION#";

pub(crate) fn incident_partition(id: &IncidentId) -> String {
    format!("INCIDENT#{id}")
}

pub(crate) fn incident(id: &IncidentId) -> Key {
    Key::new(incident_partition(id), "HEAD")
}

pub(crate) fn timeline(id: &IncidentId, seq: u64) -> Key {
    Key::new(incident_partition(id), format!("{TIMELINE}{seq:06}"))
}

pub(crate) fn approval(id: &IncidentId) -> Key {
    Key::new(incident_partition(id), "APPROVAL#1")
}

pub(crate) fn undo(id: &IncidentId) -> Key {
    Key::new(incident_partition(id), "UNDO")
}

pub(crate) fn step(id: &IncidentId, n: usize) -> Key {
    Key::new(incident_partition(id), format!("STEP#{n:03}"))
}

pub(crate) fn event(event: &EventId) -> Key {
    Key::new(format!("EVENT#{event}"), "CLAIM")
}

pub(crate) fn shared_event(shared: &EventId) -> Key {
    Key::new(format!("EVENT#shared#{shared}"), "CLAIM")
}

/// A later event that joined, in the order of the calls' times. A redelivered event has the same key.
pub(crate) fn joined(id: &IncidentId, joined: &JoinedEvent) -> Key {
    let time = joined.time.map_or_else(|| "-".to_owned(), |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    Key::new(incident_partition(id), format!("{JOINED}{time}#{}", joined.event))
}

pub(crate) fn joined_count(id: &IncidentId) -> Key {
    Key::new(incident_partition(id), "JOINED")
}

pub(crate) fn told(id: &IncidentId) -> Key {
    Key::new(incident_partition(id), "TOLD")
}

/// The case that later events join: the same account, actor and subject, the same rules, and a call that did the same to the same
/// thing. Any other event is another case, because the open incident's plan, which people see and approve, would not undo it. What
/// a correlation counted is one case for each of its groups.
pub(crate) fn open(incident: &Incident) -> Key {
    if let Some(group) = &incident.group {
        return hashed_if_long("OPEN", &format!("group#{group}"));
    }
    let account = incident.account.as_ref().map_or("unknown", |account| account.as_str());
    let rule = incident.primary_rule().map_or("unreadable", |detection| detection.rule.as_str());
    let subject = match &incident.subject {
        _ if incident.unreadable.is_some() => incident.event.id.to_string(),
        // A name is a principal's in any case of letters.
        Subject::Principal { principal } => principal.to_string().to_ascii_lowercase(),
        other => other.to_string(),
    };
    let did = EventId::from_content(did(incident).as_bytes());
    hashed_if_long("OPEN", &format!("{account}#{}#{subject}#{rule}#{did}", incident.actor.display()))
}

/// What the event did, and the rules that it broke. Every parameter of the request counts: what people say to one call is no answer
/// to another, also where nothing but its actor would be touched. Of a call that was refused, which did nothing, it is enough what it
/// was about. What an older version stored says too little: nothing joins it.
fn did(incident: &Incident) -> String {
    let mut rules: Vec<&str> = incident.detections.iter().map(|detection| detection.rule.as_str()).collect();
    rules.sort_unstable();
    let is_refused = incident.event.error_code.is_some();
    let did = match &incident.event.touched.fingerprint {
        Some(fingerprint) if is_refused => fingerprint.effect.as_str(),
        Some(fingerprint) => fingerprint.request.as_str(),
        None => incident.event.id.as_str(),
    };
    format!("{did}#{}", rules.join("#"))
}

pub(crate) fn count(tally: &Tally) -> Key {
    hashed_if_long("COUNT", &tally.key)
}

fn hashed_if_long(kind: &str, text: &str) -> Key {
    if text.len() > TEXT_MAX_BYTES {
        return Key::new(format!("{kind}#{}", EventId::from_content(text.as_bytes())), kind);
    }
    Key::new(format!("{kind}#{text}"), kind)
}

pub(crate) fn exception(id: &ExceptionId) -> Key {
    Key::new(EXCEPTIONS, format!("{EXCEPTION}{id}"))
}

/// The principal of a name that a recorded exception is for.
pub(crate) fn pin(exception: &ExceptionId, principal: &Principal) -> Key {
    let whom = format!("{}#{}#{}", principal.account, principal.kind, principal.name.canonical());
    Key::new(format!("PIN#{exception}"), whom)
}

/// The hour of the clock, in UTC.
pub(crate) fn budget(now: Timestamp) -> Key {
    Key::new(format!("RATE#{}", now.strftime("%Y-%m-%dT%H")), "BUDGET")
}

pub(crate) fn switch() -> Key {
    Key::new("SWITCH", "STATE")
}

pub(crate) fn switch_log(at: Timestamp) -> Key {
    Key::new("SWITCH", format!("{TIMELINE}{at}"))
}

pub(crate) fn messages_counted(minute: &Minute<'_>) -> Key {
    Key::new(pace_partition(minute), "COUNT")
}

pub(crate) fn burst_summary(minute: &Minute<'_>) -> Key {
    Key::new(pace_partition(minute), "SUMMARY")
}

pub(crate) fn left_to_summary(minute: &Minute<'_>) -> Key {
    Key::new(pace_partition(minute), "LEFT")
}

pub(crate) fn settled_in_summary(minute: &Minute<'_>) -> Key {
    Key::new(pace_partition(minute), "SETTLED")
}

fn pace_partition(minute: &Minute<'_>) -> String {
    let grade = if minute.grave { "GRAVE-" } else { "" };
    format!("PACE#{}#{grade}{}#{}", minute.channel.unwrap_or("default"), minute.turn.word(), minute.number)
}

/// Who gave a principal an exception. Names are unique in an account whatever the path, and an event gives no path. IAM finds
/// names and tag keys in any case of letters, so an event may spell them as the caller likes.
pub(crate) fn provenance(principal: &Principal, grant: Grant<'_>) -> Key {
    let name = principal.name.canonical();
    let whom = format!("{}#{}#{name}", principal.account, principal.kind);
    match grant {
        Grant::Tag(tag) => Key::new(format!("TAG#{whom}#{}", tag.to_ascii_lowercase()), "TAG"),
        Grant::Group(group) => Key::new(format!("GROUP#{whom}#{}", group.to_ascii_lowercase()), "GROUP"),
        Grant::Arn => Key::new(format!("ARN#{whom}"), "ARN"),
        Grant::Name => Key::new(format!("NAME#{whom}"), "NAME"),
    }
}

/// What a setting of a thing was set to. `arn` is the thing's. IAM finds the thing, its inline policy and its tag in any case of
/// letters.
pub(crate) fn former(arn: &str, setting: &Setting) -> Key {
    let setting = setting.to_string().to_ascii_lowercase();
    Key::new(format!("DOC#{}#{setting}", canonical_arn(arn)), "DOC")
}

/// The same as it was before names had one spelling: items of that time are still read.
pub(crate) fn former_as_spelt(arn: &str, setting: &Setting) -> Key {
    Key::new(format!("DOC#{arn}#{setting}"), "DOC")
}

/// A call of ours in an account, by its action and by what identifies it among the calls of that action.
pub(crate) fn own_call(account: &AccountId, action: &str, parts: &[String]) -> Key {
    let text = format!("{account}#{action}#{}", parts.join("#"));
    hashed_if_long("OWN", &text)
}

/// The things of a target that incidents hold. Names are unique in an account whatever the path, and IAM finds them in any case of
/// letters.
pub(crate) fn hold_partition(target: &Target) -> String {
    match target.principal() {
        Some(principal) => {
            format!("HOLD#{}#{}#{}", principal.account, principal.kind, principal.name.to_ascii_lowercase())
        }
        None => hashed_if_long("HOLD", &canonical_arn(&target.arn())).pk().to_owned(),
    }
}

/// What incidents hold of one thing.
pub(crate) fn hold(thing: &Thing) -> Key {
    let what = thing.what.to_ascii_lowercase();
    let what = if what.len() > SORT_MAX_BYTES { EventId::from_content(what.as_bytes()).to_string() } else { what };
    Key::new(hold_partition(&thing.target), format!("{HELD}{what}"))
}

/// The index `by_state`.
pub(crate) fn state_partition(state: State) -> String {
    let name = match state {
        State::Opened => "opened",
        State::Decided => "decided",
        State::Asking => "asking",
        State::Remediating => "remediating",
        State::Closed => "closed",
    };
    format!("STATE#{name}")
}

/// The place in the index `by_state`: in the order of opening.
pub(crate) fn state_order(incident: &Incident) -> String {
    format!("{}#{}", incident.opened_at, incident.id)
}

/// The index `by_principal`. `arn` is the actor's.
pub(crate) fn principal_partition(arn: &str) -> String {
    format!("PRINCIPAL#{arn}")
}
