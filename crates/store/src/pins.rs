//! The unique id of the principal that a recorded exception was seen with first. One that was deleted and made again has the same ARN
//! and another id.

use cordon_core::{ExceptionId, Principal};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::table::Condition;
use crate::{Store, StoreError, keys, put};

/// The principal that an exception is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// `AIDA…` or `AROA…`.
    pub unique_id: String,
    /// When it was first seen.
    pub since: Timestamp,
    /// When the table forgets it: with the exception.
    pub expires_at: i64,
}

impl Store<'_> {
    /// Pins an exception to the unique id of a principal, if it is not pinned for that name yet. Gives the id that stands.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn pin(&self, exception: &ExceptionId, principal: &Principal, pin: &Pin) -> Result<Pin, StoreError> {
        let key = keys::pin(exception, principal);
        if let Some(found) = self.get(&key).await? {
            return Ok(found);
        }
        match self.write(vec![put(key.clone(), pin, Condition::Absent)?]).await {
            Ok(()) => Ok(pin.clone()),
            Err(error) if error.is_conflict() => self.get(&key).await?.ok_or(error),
            Err(error) => Err(error),
        }
    }
}
