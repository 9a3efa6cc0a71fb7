//! Former values: what the settings that remedies restore were set to by the last two events.
//!
//! CloudTrail says what a call sets and never what it replaced, so the value that the event before set is the former one. Nothing
//! here is believed further than that: a call that CloudTrail did not deliver leaves an older value, which the plan shows in full,
//! and a value that could not be read makes the former one unknown instead of an older one.

use std::fmt;

use cordon_core::Former;
use serde::{Deserialize, Serialize};

use crate::table::Condition;
use crate::{Store, StoreError, keys, put};

/// A setting that a remedy can restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// A role's trust policy.
    Trust,
    /// A user's or role's permissions boundary, by its ARN.
    Boundary,
    /// An inline policy, by its name.
    InlinePolicy(String),
    /// A tag, by its key.
    Tag(String),
    /// The default version of a managed policy, by its id.
    DefaultVersion,
    /// A trail's event selectors.
    EventSelectors,
}

/// As the setting's key has it.
impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trust => f.write_str("trust"),
            Self::Boundary => f.write_str("boundary"),
            Self::InlinePolicy(name) => write!(f, "inline#{name}"),
            Self::Tag(key) => write!(f, "tag#{key}"),
            Self::DefaultVersion => f.write_str("default"),
            Self::EventSelectors => f.write_str("selectors"),
        }
    }
}

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
}

/// One of the values, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    #[serde(flatten)]
    set: Former,
    readable: bool,
}

/// The last two values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FormerValues {
    version: u64,
    last: Seen,
    #[serde(default)]
    previous: Option<Seen>,
}

impl FormerValues {
    /// What stood before an event, as far as it is known.
    fn before(found: Option<&Self>, new: &Seen) -> Option<Former> {
        let found = found?;
        let before = if found.last.set.event == new.set.event { found.previous.as_ref() } else { Some(&found.last) }?;
        // An event that comes late was not made on what came after it.
        let in_order = before.set.at <= new.set.at;
        (in_order && before.readable).then(|| before.set.clone())
    }

    /// The item after an event; `None` where it tells nothing new.
    fn after(found: Option<Self>, new: Seen) -> Option<Self> {
        match found {
            None => Some(Self { version: 1, last: new, previous: None }),
            Some(found) if found.last.set.event == new.set.event || found.last.set.at > new.set.at => None,
            Some(found) => Some(Self { version: found.version + 1, last: new, previous: Some(found.last) }),
        }
    }
}

impl Store<'_> {
    /// Keeps what an event set, and gives what stood there before, where that is known; of the first setting, which is what the
    /// event is about.
    ///
    /// # Errors
    /// [`StoreError`]; a conflict where another event of the same setting was written in this moment.
    pub async fn observe(&self, settings: Vec<ObservedSetting>) -> Result<Option<Former>, StoreError> {
        let mut former = None;
        for (n, ObservedSetting { on, setting, value, readable }) in settings.into_iter().enumerate() {
            let key = keys::former(&on, &setting);
            let seen = Seen { set: value, readable };
            let mut found: Option<FormerValues> = self.get(&key).await?;
            let condition = found.as_ref().map_or(Condition::Absent, |found| Condition::Version(found.version));
            let as_spelt = keys::former_as_spelt(&on, &setting);
            if found.is_none() && as_spelt != key {
                found = self.get(&as_spelt).await?;
            }
            if n == 0 {
                former = FormerValues::before(found.as_ref(), &seen);
            }
            if let Some(next) = FormerValues::after(found, seen) {
                self.write(vec![put(key, &next, condition)?]).await?;
            }
        }
        Ok(former)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A trust policy that an event set. No document: it could not be read.
    fn trust(event: &str, minute: u32, document: Option<&str>) -> Seen {
        let set = Former {
            value: document.map(str::to_owned),
            by: "arn:aws:iam::111111111111:user/ada".to_owned(),
            at: format!("2026-01-02T03:{minute:02}:00Z").parse().ok(),
            event: event.to_owned(),
        };
        Seen { set, readable: document.is_some() }
    }

    #[test]
    fn the_former_value_is_the_last_one_before_also_on_a_retry_and_never_a_later_one() {
        let (first, second) = (trust("e1", 1, Some("{\"a\":1}")), trust("e2", 5, Some("{\"a\":2}")));
        assert_eq!(FormerValues::before(None, &first), None);
        let found = FormerValues::after(None, first.clone()).unwrap();
        assert_eq!(FormerValues::before(Some(&found), &second), Some(first.set.clone()));
        let found = FormerValues::after(Some(found), second.clone()).unwrap();
        assert_eq!(FormerValues::before(Some(&found), &second), Some(first.set), "a retry of the same event");
        assert_eq!(FormerValues::after(Some(found.clone()), second), None);
        let late = trust("e0", 3, Some("{\"a\":0}"));
        assert_eq!(FormerValues::before(Some(&found), &late), None);
        assert_eq!(FormerValues::after(Some(found), late), None);
    }

    #[test]
    fn a_value_that_could_not_be_read_makes_the_former_one_unknown() {
        let found = FormerValues::after(None, trust("e1", 1, None)).unwrap();
        let next = trust("e2", 2, Some("{}"));
        assert_eq!(FormerValues::before(Some(&found), &next), None);
    }
}
