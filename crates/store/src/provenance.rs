//! The last event that granted or withdrew an exception: one item for each tag, each group and the ARN of a principal, and for each
//! exempt group itself.

use cordon_core::Principal;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::parts::Grant;
use crate::table::Condition;
use crate::{Store, StoreError, TRIES, keys, put};

/// What was done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The tag was set, or the user put into the group.
    #[default]
    Given,
    /// The tag was removed, or the user taken out of the group.
    TakenAway,
    /// The principal got its name, and with it whatever had been given under another one.
    Renamed,
}

/// The last event that changed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The ARN of the user or role who did it, or how the actor is shown where there is none.
    pub by: String,
    /// The event's time.
    pub at: Option<Timestamp>,
    /// The event's id.
    pub event: String,
    /// What the event did.
    #[serde(default)]
    pub change: Change,
    /// What the tag was set to, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What the tag was set to before, where Cordon saw that: what an undoing would put back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<String>,
    /// Of an ARN, how it changed. `None` in older items, and for everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<Moved>,
    /// Of an ARN, the changes before this one, the newest first: the newest [`Provenance::EARLIER_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Provenance>,
    /// Counts the writes of the item: each is conditional on the one that was read.
    #[serde(default)]
    pub version: u64,
}

/// How the ARN of a name changed. A path is nothing where the event does not say it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The name before, in the spelling of the event; nothing where the principal was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_name: Option<String>,
    /// The path before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_path: Option<String>,
    /// The path that the event set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_path: Option<String>,
}

/// What an event did to one grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed<'a> {
    /// Whose grant.
    pub principal: Principal,
    /// Which one.
    pub grant: Grant<'a>,
    /// By whom, when, and what was done.
    pub provenance: Provenance,
}

impl Provenance {
    /// More changes of an ARN are not kept.
    pub const EARLIER_MAX: usize = 12;

    /// What stands after this event, where `found` stood before; `None` where nothing has to be written: events come late and
    /// twice, and the newest stands.
    #[must_use]
    pub fn after(mut self, found: Option<&Self>) -> Option<Self> {
        let Some(found) = found else {
            self.version = 1;
            return Some(self);
        };
        if found.event == self.event || found.earlier.iter().any(|earlier| earlier.event == self.event) {
            return None;
        }
        if found.at > self.at {
            // Events come out of order, and how a principal came to its ARN is told by all of them.
            return self.moved.is_some().then(|| found.with_earlier(self));
        }
        self.version = found.version + 1;
        if self.moved.is_some() {
            let newest = Self { earlier: Vec::new(), ..found.clone() };
            self.earlier = std::iter::once(newest).chain(found.earlier.iter().cloned()).take(Self::EARLIER_MAX).collect();
        }
        self.former = match found.change {
            Change::Given => found.value.clone(),
            Change::TakenAway => None,
            Change::Renamed => found.former.clone(),
        };
        Some(self)
    }

    fn with_earlier(&self, late: Self) -> Self {
        let mut next = self.clone();
        next.version += 1;
        next.earlier.push(late);
        next.earlier.sort_by_key(|earlier| std::cmp::Reverse(earlier.at));
        next.earlier.truncate(Self::EARLIER_MAX);
        next
    }
}

impl Store<'_> {
    /// Who gave a principal an exception, where Cordon saw it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn provenance(&self, principal: &Principal, grant: Grant<'_>) -> Result<Option<Provenance>, StoreError> {
        self.get(&keys::provenance(principal, grant)).await
    }

    /// Keeps what an event gave or took away, before anything is decided on it. Of two writers one starts over.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn remember(&self, observed: Vec<Observed<'_>>) -> Result<(), StoreError> {
        for Observed { principal, grant, provenance } in observed {
            let key = keys::provenance(&principal, grant);
            let mut tries = 0;
            loop {
                let found: Option<Provenance> = self.get(&key).await?;
                let Some(next) = provenance.clone().after(found.as_ref()) else { break };
                let condition = found.map_or(Condition::Absent, |found| Condition::Version(found.version));
                match self.write(vec![put(key.clone(), &next, condition)?]).await {
                    Ok(()) => break,
                    Err(error) if error.is_conflict() && tries < TRIES => {
                        tries += 1;
                        self.pause(tries).await;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(event: &str, value: &str) -> Provenance {
        Provenance {
            by: "arn:aws:iam::111111111111:user/alice".to_owned(),
            at: None,
            event: event.to_owned(),
            change: Change::Given,
            value: Some(value.to_owned()),
            former: None,
            moved: None,
            earlier: Vec::new(),
            version: 0,
        }
    }

    #[test]
    fn the_newest_event_stands_and_knows_the_value_that_it_replaced() {
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let first = Provenance { at: at("2026-01-02T03:00:00Z"), ..given("e1", "true") }.after(None).unwrap();
        let taken = Provenance { at: at("2026-01-02T04:00:00Z"), change: Change::TakenAway, value: None, ..given("e2", "") };
        let taken = taken.after(Some(&first)).unwrap();
        assert_eq!((taken.former.as_deref(), taken.version), (Some("true"), 2));
        assert_eq!(taken.clone().after(Some(&taken)), None, "the same event again");
        assert_eq!(first.clone().after(Some(&taken)), None, "an older event that came late");
        let again = Provenance { at: at("2026-01-02T05:00:00Z"), ..given("e3", "true") }.after(Some(&taken)).unwrap();
        assert_eq!(again.former, None, "nothing stood before");
    }
}
