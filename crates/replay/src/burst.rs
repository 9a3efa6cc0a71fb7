//! Bursts: what correlations count over the whole log.
//!
//! Decides which events reached a correlation, as the deployed functions would if the events came in the order of their times:
//! they are noted while the files are read, in any order, and counted by the very [`Window`] of the deployed function when all
//! are there. It never takes a time that an event does not have, and never forgets an event in silence: what is too much to be
//! noted is counted and told.

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

/// How much memory the noted events may take.
pub const MAX_NOTED_BYTES: usize = 12 << 20;
/// The deployed function knows a longer group by its hash, too: it is somebody else's text.
const MAX_GROUP_BYTES: usize = 1_500;
/// What a text takes beside its characters.
const TEXT_BYTES: usize = 64;

/// A call that is counted.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: EventId,
    pub(crate) at: Option<Timestamp>,
    pub(crate) name: String,
    /// The account in which the call took effect.
    pub(crate) account: Option<AccountId>,
    pub(crate) origin: Origin,
}

impl From<Event> for Call {
    fn from(event: Event) -> Self {
        Self { id: event.id, at: event.time, name: event.name, account: event.account, origin: event.origin }
    }
}

/// Who made a counted call, as far as a burst tells it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Who {
    pub(crate) actor: String,
    pub(crate) principal: Option<Principal>,
    /// The account in which the call took effect.
    pub(crate) account: Option<AccountId>,
    pub(crate) origin: Origin,
}

/// What one event adds to the correlations.
#[derive(Debug)]
pub(crate) struct Counted {
    id: EventId,
    at: Timestamp,
    name: String,
    who: Who,
    adds: Vec<Adds>,
}

/// What it adds to one of them.
#[derive(Debug)]
struct Adds {
    group: Group,
    value: Option<String>,
}

/// What is counted together: the correlation, by its place in the book, and the key of its group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Group {
    correlation: usize,
    key: String,
}

impl Counted {
    /// `None`: the call does not say when it was.
    pub(crate) fn new(book: &RuleBook, call: Call, actor: &Actor, tallies: Vec<Tally>) -> Option<Self> {
        let place = |tally: &Tally| book.correlations().iter().position(|known| known.id == tally.detection.rule);
        let adds = tallies.into_iter().filter_map(|tally| {
            let correlation = place(&tally)?;
            let long = tally.key.len() > MAX_GROUP_BYTES;
            let key = if long { EventId::from_content(tally.key.as_bytes()).to_string() } else { tally.key };
            Some(Adds { group: Group { correlation, key }, value: tally.value })
        });
        let who = Who {
            actor: actor.display(),
            principal: actor.principal(),
            account: call.account.or_else(|| actor.account.clone()),
            origin: call.origin,
        };
        Some(Self { at: call.at?, adds: adds.collect(), id: call.id, name: call.name, who })
    }

    /// Roughly how much memory it takes until it is noted.
    pub(crate) fn weight(&self) -> usize {
        let adds = self.adds.iter().map(|adds| adds.group.key.len() + adds.value.as_ref().map_or(0, String::len) + TEXT_BYTES);
        size_of::<Self>() + self.name.len() + self.who.weight() + adds.sum::<usize>()
    }
}

impl Who {
    fn weight(&self) -> usize {
        let principal = self.principal.as_ref();
        let principal =
            principal.map_or(0, |known| known.name.len() + known.known_arn.as_ref().map_or(0, |arn| arn.as_str().len()));
        size_of::<Self>() + self.actor.len() + principal + TEXT_BYTES
    }
}

/// An event's id in as little memory as it needs: CloudTrail's are UUIDs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Id {
    Uuid(Uuid),
    Other(EventId),
}

impl Id {
    fn new(id: EventId) -> Self {
        // However else it may be spelled, it is another id.
        let is_it = |uuid: &Uuid| *uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == *id.as_str();
        Uuid::try_parse(id.as_str()).ok().filter(is_it).map_or(Self::Other(id), Self::Uuid)
    }

    fn whole(&self) -> EventId {
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

/// A counted event as it is noted; names and texts by their numbers.
#[derive(Debug)]
struct Noted {
    at: Timestamp,
    id: Id,
    file: usize,
    record: u64,
    name: u32,
    who: u32,
}

/// One addition of a noted event.
#[derive(Debug)]
struct Note {
    event: u32,
    group: u32,
    value: Option<u32>,
}

/// The events that are counted, noted in the order of the files.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    events: Vec<Noted>,
    notes: Vec<Note>,
    groups: Numbered<Group>,
    texts: Numbered<String>,
    whos: Numbered<Who>,
    bytes: usize,
    left_out: u64,
}

/// The event that reached a correlation.
#[derive(Debug)]
pub(crate) struct Burst<'b> {
    pub(crate) correlation: &'b Correlation,
    pub(crate) id: EventId,
    pub(crate) at: Timestamp,
    pub(crate) name: String,
    pub(crate) who: Who,
    pub(crate) file: usize,
    pub(crate) record: u64,
}

impl Ledger {
    /// Notes a record's event. Once there is no more room, none is noted any more.
    pub(crate) fn note(&mut self, file: usize, record: u64, counted: Counted) {
        if self.bytes >= MAX_NOTED_BYTES || self.left_out > 0 {
            self.left_out += 1;
            return;
        }
        let Counted { id, at, name, who, adds } = counted;
        let event = u32::try_from(self.events.len()).unwrap_or(u32::MAX);
        for Adds { group, value } in adds {
            let (group_weight, value_weight) = (group.key.len(), value.as_ref().map_or(0, String::len));
            let (group, is_new) = self.groups.number(group);
            self.bytes += size_of::<Note>() + if is_new { group_weight + TEXT_BYTES } else { 0 };
            let value = value.map(|value| self.texts.number(value));
            self.bytes += if value.is_some_and(|(_, is_new)| is_new) { value_weight + TEXT_BYTES } else { 0 };
            self.notes.push(Note { event, group, value: value.map(|(value, _)| value) });
        }
        let (name_weight, who_weight) = (name.len() + TEXT_BYTES, who.weight());
        let (name, new_name) = self.texts.number(name);
        let (who, new_who) = self.whos.number(who);
        self.bytes += if new_name { name_weight } else { 0 } + if new_who { who_weight } else { 0 };
        let id = Id::new(id);
        let id_weight = if let Id::Other(id) = &id { id.as_str().len() + TEXT_BYTES } else { 0 };
        self.bytes += size_of::<Noted>() + id_weight;
        self.events.push(Noted { at, id, file, record, name, who });
    }

    /// How many events were too many to be noted.
    pub(crate) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Counts what was noted; gives the bursts in the order of their times.
    pub(crate) fn bursts<'b>(mut self, book: &'b RuleBook, sources: &[Source]) -> Vec<Burst<'b>> {
        let mut notes = std::mem::take(&mut self.notes);
        let name_of = |event: &Noted| sources.get(event.file).map(Source::name);
        let (groups, texts, whos) = (self.groups.in_order(), self.texts.in_order(), self.whos.in_order());
        // The order in which the files were read must not matter: of two copies of an event, the one in the first file by name.
        notes.sort_unstable_by(|a, b| {
            let both = self.events.get(a.event as usize).zip(self.events.get(b.event as usize));
            a.group.cmp(&b.group).then_with(|| {
                both.map_or(std::cmp::Ordering::Equal, |(one, other)| {
                    let first = (one.at, &one.id).cmp(&(other.at, &other.id));
                    first.then_with(|| name_of(one).cmp(&name_of(other))).then(one.record.cmp(&other.record))
                })
            })
        });
        let mut bursts = Vec::new();
        for notes in notes.chunk_by(|a, b| a.group == b.group) {
            let group = notes.first().and_then(|note| groups.get(note.group as usize).copied());
            let Some(group) = group else { continue };
            let Some(correlation) = book.correlations().get(group.correlation) else { continue };
            if notes.len() < correlation.at_least {
                continue;
            }
            let counted = notes.iter().filter_map(|note| {
                let value = note.value.and_then(|value| texts.get(value as usize)).map(|value| (*value).clone());
                Some((self.events.get(note.event as usize)?, value))
            });
            for event in openers(correlation, &group.key, counted) {
                let (Some(name), Some(who)) = (texts.get(event.name as usize), whos.get(event.who as usize)) else { continue };
                let (name, who) = ((*name).clone(), (*who).clone());
                let burst =
                    Burst { correlation, id: event.id.whole(), at: event.at, name, who, file: event.file, record: event.record };
                bursts.push((group, burst));
            }
        }
        bursts.sort_by(|(a, one), (b, other)| (one.at, a, &one.id).cmp(&(other.at, b, &other.id)));
        bursts.into_iter().map(|(_, burst)| burst).collect()
    }
}

/// The events of a group, in the order of their times, that open a burst.
fn openers<'e>(
    correlation: &Correlation,
    key: &str,
    events: impl Iterator<Item = (&'e Noted, Option<String>)>,
) -> Vec<&'e Noted> {
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
        let id = event.id.whole();
        tally.value = value;
        // A copy of the event that opened a burst says so again, and is no news.
        if window.add(&tally, &id, event.at.as_second(), id.as_str()) == Count::Opened && opened.insert(&event.id) {
            openers.push(event);
        }
    }
    openers
}

#[cfg(test)]
mod tests;
