//! Bursts: the events of a whole log that correlations count.
//!
//! Decides which events reach a correlation, as the deployed function would if the events came in the order of their times. A ledger
//! keeps them while the files are read, in any order; when all are there, the deployed function's own [`Window`] counts them. Never
//! makes up a time, and never drops an event in silence: events that do not fit are counted and reported.

mod numbered;

use std::collections::BTreeSet;
use std::sync::Arc;

use cordon_core::event::{Event, Origin};
use cordon_core::{AccountId, Actor, EventId, Principal};
use cordon_detect::{Correlation, Count, RuleBook, Tally, Window};
use jiff::Timestamp;
use uuid::Uuid;

use self::numbered::Numbered;
use crate::input::Source;

/// How much memory the ledger may use.
pub const MAX_LEDGER_BYTES: usize = 12 << 20;
/// A longer key of a group is replaced by its hash, as the deployed function does: it is somebody else's text.
const MAX_GROUP_BYTES: usize = 1_500;
/// How much memory a text uses beside its characters.
const TEXT_BYTES: usize = 64;

/// The event of a call that a correlation counts.
#[derive(Debug)]
pub(crate) struct CountedCall {
    pub(crate) id: EventId,
    pub(crate) at: Option<Timestamp>,
    pub(crate) name: String,
    /// The account in which the call took effect.
    pub(crate) account: Option<AccountId>,
    pub(crate) origin: Origin,
}

impl From<Event> for CountedCall {
    fn from(event: Event) -> Self {
        Self { id: event.id, at: event.time, name: event.name, account: event.account, origin: event.origin }
    }
}

/// The caller of a counted call, as far as a burst reports it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Caller {
    pub(crate) actor: String,
    pub(crate) principal: Option<Principal>,
    /// The account in which the call took effect.
    pub(crate) account: Option<AccountId>,
    pub(crate) origin: Origin,
}

/// An event with its additions to correlations.
#[derive(Debug)]
pub(crate) struct Counted {
    id: EventId,
    at: Timestamp,
    name: String,
    caller: Caller,
    additions: Vec<Addition>,
}

/// What an event adds to one correlation.
#[derive(Debug)]
struct Addition {
    group: Group,
    value: Option<String>,
}

/// Events that are counted together: the correlation, by its place in the book, and the key of the group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Group {
    correlation: usize,
    key: String,
    /// Whether nobody is stopped for it, whatever the correlation says: another account has a part in it.
    only_alerts: bool,
}

impl Counted {
    /// `None` if the call has no time.
    pub(crate) fn new(book: &RuleBook, call: CountedCall, actor: &Actor, tallies: Vec<Tally>) -> Option<Self> {
        let place = |tally: &Tally| book.correlations().iter().position(|known| known.id == tally.detection.rule);
        let additions = tallies.into_iter().filter_map(|tally| {
            let correlation = place(&tally)?;
            let has_response = book.correlations().get(correlation).is_some_and(|known| known.response.is_some());
            let only_alerts = has_response && tally.detection.response.is_none();
            let long = tally.key.len() > MAX_GROUP_BYTES;
            let key = if long { EventId::from_content(tally.key.as_bytes()).to_string() } else { tally.key };
            Some(Addition { group: Group { correlation, key, only_alerts }, value: tally.value })
        });
        let caller = Caller {
            actor: actor.display(),
            principal: actor.principal(),
            account: call.account.or_else(|| actor.account.clone()),
            origin: call.origin,
        };
        Some(Self { at: call.at?, additions: additions.collect(), id: call.id, name: call.name, caller })
    }

    /// Roughly how much memory it uses until it is in the ledger.
    pub(crate) fn weight(&self) -> usize {
        let additions = self
            .additions
            .iter()
            .map(|addition| addition.group.key.len() + addition.value.as_ref().map_or(0, String::len) + TEXT_BYTES);
        size_of::<Self>() + self.name.len() + self.caller.weight() + additions.sum::<usize>()
    }
}

impl Caller {
    fn weight(&self) -> usize {
        let principal = self.principal.as_ref();
        let principal =
            principal.map_or(0, |known| known.name.len() + known.known_arn.as_ref().map_or(0, |arn| arn.as_str().len()));
        size_of::<Self>() + self.actor.len() + principal + TEXT_BYTES
    }
}

/// An event's id in as little memory as possible: CloudTrail's ids are UUIDs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Id {
    Uuid(Uuid),
    Other(EventId),
}

impl Id {
    fn new(id: EventId) -> Self {
        // The same UUID in another spelling is another id.
        let is_same = |uuid: &Uuid| *uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == *id.as_str();
        Uuid::try_parse(id.as_str()).ok().filter(is_same).map_or(Self::Other(id), Self::Uuid)
    }

    fn event_id(&self) -> EventId {
        match self {
            Self::Uuid(uuid) => {
                let mut text = Uuid::encode_buffer();
                let text = uuid.hyphenated().encode_lower(&mut text);
                // INVARIANT: digits and hyphens are an event's id.
                text.parse().unwrap_or_else(|_| EventId::from_content(text.as_bytes()))
            }
            Self::Other(id) => id.clone(),
        }
    }
}

/// A counted event in the ledger. Names and texts are numbers into its tables.
#[derive(Debug)]
struct LedgerEvent {
    at: Timestamp,
    id: Id,
    file: usize,
    record: u64,
    name: u32,
    caller: u32,
}

/// One addition of an event in the ledger.
#[derive(Debug)]
struct LedgerEntry {
    event: u32,
    group: u32,
    value: Option<u32>,
}

/// The events that correlations count, in the order of the files.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    events: Vec<LedgerEvent>,
    entries: Vec<LedgerEntry>,
    groups: Numbered<Group>,
    texts: Numbered<String>,
    callers: Numbered<Caller>,
    bytes: usize,
    left_out: u64,
}

/// An event that reached a correlation, and so opened a burst.
#[derive(Debug)]
pub(crate) struct Burst<'b> {
    pub(crate) correlation: &'b Correlation,
    /// Whether nobody is stopped for it, whatever the correlation says.
    pub(crate) only_alerts: bool,
    pub(crate) id: EventId,
    pub(crate) at: Timestamp,
    pub(crate) name: String,
    pub(crate) caller: Caller,
    pub(crate) file: usize,
    pub(crate) record: u64,
}

impl Ledger {
    /// Adds the event of a record. Once the memory is used up, it and all later events are left out.
    pub(crate) fn add(&mut self, file: usize, record: u64, counted: Counted) {
        if self.bytes >= MAX_LEDGER_BYTES || self.left_out > 0 {
            self.left_out += 1;
            return;
        }
        let Counted { id, at, name, caller, additions } = counted;
        let event = u32::try_from(self.events.len()).unwrap_or(u32::MAX);
        for Addition { group, value } in additions {
            let (group_weight, value_weight) = (group.key.len(), value.as_ref().map_or(0, String::len));
            let (group, is_new) = self.groups.number(group);
            self.bytes += size_of::<LedgerEntry>() + if is_new { group_weight + TEXT_BYTES } else { 0 };
            let value = value.map(|value| self.texts.number(value));
            self.bytes += if value.is_some_and(|(_, is_new)| is_new) { value_weight + TEXT_BYTES } else { 0 };
            self.entries.push(LedgerEntry { event, group, value: value.map(|(value, _)| value) });
        }
        let (name_weight, caller_weight) = (name.len() + TEXT_BYTES, caller.weight());
        let (name, new_name) = self.texts.number(name);
        let (caller, new_caller) = self.callers.number(caller);
        self.bytes += if new_name { name_weight } else { 0 } + if new_caller { caller_weight } else { 0 };
        let id = Id::new(id);
        let id_weight = if let Id::Other(id) = &id { id.as_str().len() + TEXT_BYTES } else { 0 };
        self.bytes += size_of::<LedgerEvent>() + id_weight;
        self.events.push(LedgerEvent { at, id, file, record, name, caller });
    }

    /// How many events were left out.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Counts the events. Gives the bursts in the order of their times.
    pub(crate) fn bursts<'b>(mut self, book: &'b RuleBook, sources: &[Source]) -> Vec<Burst<'b>> {
        let mut entries = std::mem::take(&mut self.entries);
        let name_of = |event: &LedgerEvent| sources.get(event.file).map(Source::name);
        let (groups, texts, callers) = (self.groups.in_order(), self.texts.in_order(), self.callers.in_order());
        // The order in which the files were read must not matter: of two copies of an event, the one in the first file by name counts.
        entries.sort_unstable_by(|a, b| {
            let both = self.events.get(a.event as usize).zip(self.events.get(b.event as usize));
            a.group.cmp(&b.group).then_with(|| {
                both.map_or(std::cmp::Ordering::Equal, |(one, other)| {
                    let first = (one.at, &one.id).cmp(&(other.at, &other.id));
                    first.then_with(|| name_of(one).cmp(&name_of(other))).then(one.record.cmp(&other.record))
                })
            })
        });
        let mut bursts = Vec::new();
        for entries in entries.chunk_by(|a, b| a.group == b.group) {
            let group = entries.first().and_then(|entry| groups.get(entry.group as usize).copied());
            let Some(group) = group else { continue };
            let Some(correlation) = book.correlations().get(group.correlation) else { continue };
            if entries.len() < correlation.at_least {
                continue;
            }
            let counted = entries.iter().filter_map(|entry| {
                let value = entry.value.and_then(|value| texts.get(value as usize)).map(|value| (*value).clone());
                Some((self.events.get(entry.event as usize)?, value))
            });
            for event in openers(correlation, &group.key, counted) {
                let (Some(name), Some(caller)) = (texts.get(event.name as usize), callers.get(event.caller as usize)) else {
                    continue;
                };
                let (name, caller) = ((*name).clone(), (*caller).clone());
                let burst = Burst {
                    correlation,
                    only_alerts: group.only_alerts,
                    id: event.id.event_id(),
                    at: event.at,
                    name,
                    caller,
                    file: event.file,
                    record: event.record,
                };
                bursts.push((group, burst));
            }
        }
        bursts.sort_by(|(a, one), (b, other)| (one.at, a, &one.id).cmp(&(other.at, b, &other.id)));
        bursts.into_iter().map(|(_, burst)| burst).collect()
    }
}

/// The events that open a burst, of the events of a group in the order of their times.
fn openers<'e>(
    correlation: &Correlation,
    key: &str,
    events: impl Iterator<Item = (&'e LedgerEvent, Option<String>)>,
) -> Vec<&'e LedgerEvent> {
    let mut tally = Tally {
        detection: Arc::new(correlation.detection()),
        key: key.to_owned(),
        value: None,
        what: String::new(),
        at_least: correlation.at_least,
        span_seconds: correlation.span_seconds,
        only_new: correlation.only_new,
    };
    let (mut window, mut opened, mut openers) = (Window::default(), BTreeSet::new(), Vec::new());
    for (event, value) in events {
        let id = event.id.event_id();
        tally.value = value;
        // A copy of the event that opened a burst opens it again, which is no news.
        if window.add(&tally, &id, event.at.as_second(), id.as_str()) == Count::Opened && opened.insert(&event.id) {
            openers.push(event);
        }
    }
    openers
}

#[cfg(test)]
mod tests;
