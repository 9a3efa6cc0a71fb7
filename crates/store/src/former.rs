//! Former values: what the settings that remedies restore were set to by the last events.
//!
//! CloudTrail says what a call sets and never what it replaced, so the value that an event before set is the former one. Nothing
//! here is believed further than that: a call that CloudTrail did not deliver leaves an older value, which the plan shows in full,
//! and a value that could not be read makes the former one unknown instead of an older one.
//!
//! INVARIANT: a value that somebody could have prepared is never the former one, whoever they say they are: one whose own event was
//! dangerous, one that is dangerous by its content, and one that is too young. The next older value that none of this is said of is
//! taken, or none.

use cordon_core::{Former, RefusedFormer};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::parts::Setting;
use crate::table::Condition;
use crate::{Store, StoreError, keys, put};

/// What an event set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedSetting {
    /// The ARN of what it was set on. Without a path for users and roles: an event gives none.
    pub on: String,
    /// Which setting.
    pub setting: Setting,
    /// To what, by whom, when.
    pub value: Former,
    /// False where the event did not say what it set, or too much of it.
    pub readable: bool,
    /// False for what was only made ready: a version of a policy that did not become the default.
    pub in_force: bool,
    /// Why it is never gone back to, in a clause.
    pub doubt: Option<String>,
}

/// What stood before an event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Before {
    /// The newest value that can be trusted, where one is known.
    pub former: Option<Former>,
    /// The newer ones, the newest first.
    pub refused: Vec<RefusedFormer>,
}

/// One of the values, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    #[serde(flatten)]
    set: Former,
    readable: bool,
    #[serde(default = "yes")]
    in_force: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    doubt: Option<String>,
}

fn yes() -> bool {
    true
}

impl Seen {
    /// Why it is not gone back to from an event, in a clause.
    fn refused(&self, new: &Self, min_age: SignedDuration) -> Option<String> {
        let at = |at: Option<Timestamp>| at.map_or_else(|| "at an unknown time".to_owned(), |at| format!("at {at}"));
        let set = format!("`{}` set it {}", self.set.by, at(self.set.at));
        if let Some(doubt) = &self.doubt {
            return Some(format!("{set}, and {doubt}"));
        }
        if self.set.by == new.set.by {
            return Some(format!("{set}, and is the actor"));
        }
        match (self.set.at, new.set.at) {
            (Some(set_at), Some(now)) if now.duration_since(set_at) >= min_age => None,
            (Some(_), Some(_)) => Some(format!("{set}, less than {} hours before the event", min_age.as_hours())),
            (None, _) | (_, None) => Some(format!("{set}, and its age is not known")),
        }
    }

    /// What a person is told of a refused one: a version by its id, a document not at all.
    fn short(&self) -> Option<String> {
        self.set.value.clone().filter(|value| value.len() <= SHORT_BYTES)
    }
}

/// The values that are known of a setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FormerValues {
    version: u64,
    last: Seen,
    #[serde(default)]
    previous: Option<Seen>,
    /// Those before, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    older: Vec<Seen>,
}

/// So many values of a setting are kept, and so many bytes of them: DynamoDB takes 400 KB an item.
const KEPT_MAX: usize = 10;
const KEPT_MAX_BYTES: usize = 200_000;
const SHORT_BYTES: usize = 64;

impl FormerValues {
    /// All of them, the newest first.
    fn newest_first(&self) -> impl Iterator<Item = &Seen> {
        std::iter::once(&self.last).chain(&self.previous).chain(&self.older)
    }

    /// What stood before an event, as far as it is known.
    fn before(found: Option<&Self>, new: &Seen, setting: &Setting, min_age: SignedDuration) -> Before {
        let Some(found) = found else { return Before::default() };
        let earlier = || found.newest_first().filter(|seen| seen.set.event != new.set.event);
        // An event that comes late was not made on what came after it.
        if earlier().next().is_none_or(|newest| newest.set.at > new.set.at) {
            return Before::default();
        }
        let mut before = Before::default();
        for seen in earlier() {
            // To take off what the event put there gives nobody anything.
            let takes_off = seen.set.value.is_none() && matches!(setting, Setting::InlinePolicy(_) | Setting::Tag(_));
            match seen.refused(new, min_age).filter(|_| !(takes_off && seen.readable)) {
                Some(why) => before.refused.push(RefusedFormer { value: seen.short(), why }),
                None if !seen.in_force => {}
                None => {
                    before.former = seen.readable.then(|| seen.set.clone());
                    break;
                }
            }
        }
        before
    }

    /// The item after an event; `None` where it tells nothing new.
    fn after(found: Option<Self>, new: Seen) -> Option<Self> {
        let Some(found) = found else { return Some(Self { version: 1, last: new, previous: None, older: Vec::new() }) };
        let is_known = found.newest_first().any(|seen| seen.set.event == new.set.event);
        if is_known || found.last.set.at > new.set.at {
            return None;
        }
        let mut older: Vec<Seen> = std::iter::once(found.last).chain(found.previous).chain(found.older).collect();
        trim(&mut older, new.set.at);
        let previous = (!older.is_empty()).then(|| older.remove(0));
        Some(Self { version: found.version + 1, last: new, previous, older })
    }
}

/// Forgets what stood for the shortest time, so that nobody pushes an honest value out by many quick changes. The newest is kept.
fn trim(seen: &mut Vec<Seen>, until: Option<Timestamp>) {
    let bytes = |seen: &[Seen]| seen.iter().filter_map(|seen| seen.set.value.as_ref()).map(String::len).sum::<usize>();
    while seen.len() > 1 && (seen.len() > KEPT_MAX || bytes(seen) > KEPT_MAX_BYTES) {
        let ends = std::iter::once(until).chain(seen.iter().map(|seen| seen.set.at));
        let stood = seen.iter().zip(ends).map(|(seen, end)| match (seen.set.at, end) {
            (Some(from), Some(to)) if seen.in_force => to.duration_since(from),
            _ => SignedDuration::ZERO,
        });
        let Some((shortest, _)) = stood.enumerate().skip(1).min_by_key(|(_, stood)| *stood) else { return };
        seen.remove(shortest);
    }
}

impl Store<'_> {
    /// Keeps what an event set, and gives what stood there before, where that is known; of the first setting, which is what the
    /// event is about. A value counts that was set `min_age` before the event.
    ///
    /// # Errors
    /// [`StoreError`]; a conflict where another event of the same setting was written in this moment.
    pub async fn observe(&self, settings: Vec<ObservedSetting>, min_age: SignedDuration) -> Result<Before, StoreError> {
        let mut before = Before::default();
        for (n, ObservedSetting { on, setting, value, readable, in_force, doubt }) in settings.into_iter().enumerate() {
            let key = keys::former(&on, &setting);
            let seen = Seen { set: value, readable, in_force, doubt };
            let mut found: Option<FormerValues> = self.get(&key).await?;
            let condition = found.as_ref().map_or(Condition::Absent, |found| Condition::Version(found.version));
            let as_spelt = keys::former_as_spelt(&on, &setting);
            if found.is_none() && as_spelt != key {
                found = self.get(&as_spelt).await?;
            }
            if n == 0 {
                before = FormerValues::before(found.as_ref(), &seen, &setting, min_age);
                let is_first = found.as_ref().is_none_or(|found| found.newest_first().all(|old| old.set.event == seen.set.event));
                if is_first && matches!(setting, Setting::InlinePolicy(_) | Setting::Tag(_)) {
                    before.former = self.nothing_since_it_was_made(&on, &seen).await?;
                }
            }
            if let Some(next) = FormerValues::after(found, seen) {
                self.write(vec![put(key, &next, condition)?]).await?;
            }
        }
        Ok(before)
    }

    /// Nothing stood where an event set the first value, and the making of its principal had been seen before.
    async fn nothing_since_it_was_made(&self, on: &str, new: &Seen) -> Result<Option<Former>, StoreError> {
        let made: Option<FormerValues> = self.get(&keys::former(on, &Setting::Created)).await?;
        let before = |made: &FormerValues| made.last.set.at.is_some() && made.last.set.at <= new.set.at;
        Ok(made.filter(before).map(|made| Former { value: None, ..made.last.set }))
    }
}

#[cfg(test)]
mod tests;
