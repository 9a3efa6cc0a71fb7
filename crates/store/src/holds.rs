//! What incidents hold of a principal, a policy or a trail: one item for each thing that their containments set.

use async_trait::async_trait;
use cordon_core::incident::EventFacts;
use cordon_core::{Principal, Target};
use cordon_respond::{Hold, Holds, IamError, IamErrorKind, Renaming, Thing};
use jiff::Timestamp;
use serde::Serialize;

use crate::parts::Grant;
use crate::provenance::Provenance;
use crate::{Store, StoreError, decode, follows, in_days, keys, put};

/// What nobody holds any more is kept until no run of an older state can still write it.
const EMPTY_DAYS: i64 = 30;

#[derive(Serialize)]
struct Item<'a> {
    #[serde(flatten)]
    hold: &'a Hold,
    /// When DynamoDB may delete the item, in Unix seconds. None while an incident holds the thing.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

impl Store<'_> {
    /// What incidents hold of a thing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn hold(&self, thing: &Thing) -> Result<Option<Hold>, StoreError> {
        self.get(&keys::hold(thing)).await
    }

    /// Stores a hold, conditional on the version before it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn save_hold(&self, thing: &Thing, hold: &Hold, now: Timestamp) -> Result<(), StoreError> {
        let expires_at = hold.layers.is_empty().then(|| in_days(now, EMPTY_DAYS));
        self.write(vec![put(keys::hold(thing), &Item { hold, expires_at }, follows(hold.version))?]).await
    }

    /// Everything that incidents hold of a target.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn holds(&self, target: &Target) -> Result<Vec<Hold>, StoreError> {
        self.table.list(&keys::hold_partition(target), keys::HELD).await?.into_iter().map(decode).collect()
    }
}

#[async_trait]
impl Holds for Store<'_> {
    async fn of(&self, target: &Target) -> Result<Vec<Hold>, IamError> {
        self.holds(target).await.map_err(|error| unreadable("dynamodb:Query", error))
    }

    async fn renamed_since(&self, named: &Principal, event: &EventFacts) -> Result<Option<Renaming>, IamError> {
        let found = self.provenance(named, Grant::Name).await.map_err(|error| unreadable("dynamodb:GetItem", error))?;
        // Times are whole seconds: of two calls in the same one, nothing says which was first.
        let is_since = |found: &Provenance| found.at.is_none() || event.time.is_none() || found.at >= event.time;
        let found = found.filter(|found| found.event != event.id.as_str()).filter(is_since);
        Ok(found.map(|Provenance { by, at, event, .. }| Renaming { by, at, event }))
    }
}

fn unreadable(action: &str, error: StoreError) -> IamError {
    let kind = if error.is_transient() { IamErrorKind::Transient } else { IamErrorKind::Other };
    IamError::new(kind, action, &error.to_string()).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cordon_core::PrincipalKind;

    #[test]
    fn a_thing_has_one_item_however_its_names_are_spelt_and_whatever_the_path() {
        let user = |name: &str, path: &str| Principal {
            known_arn: format!("arn:aws:iam::111111111111:user{path}{name}").parse().ok(),
            ..Principal::new(PrincipalKind::User, "111111111111".parse().unwrap(), name)
        };
        let thing = |name: &str, path: &str, what: &str| Thing { target: user(name, path).into(), what: what.to_owned() };
        let key = keys::hold(&thing("Ada", "/", "inline#Backdoor"));
        assert_eq!(key, keys::hold(&thing("ADA", "/division/", "inline#backdoor")));
        assert_ne!(key, keys::hold(&thing("Ada", "/", "inline#other")));
        assert_ne!(key, keys::hold(&thing("Bob", "/", "inline#Backdoor")));
        assert_eq!((key.pk(), key.sk()), ("HOLD#111111111111#user#ada", "HELD#inline#backdoor"));
        let long = keys::hold(&thing("Ada", "/", &format!("attached#{}", "x".repeat(2_000))));
        assert!(long.sk().len() <= 1_024, "{long:?}");
    }
}
