//! Recorded exceptions in the table: one partition, never rewritten but to be ended.

use cordon_core::ExceptionId;
use jiff::Timestamp;

use super::keys::{EXCEPTION_PREFIX, EXCEPTIONS, exception_key};
use super::{CaseError, Cases, decode, put};
use crate::exceptions::{ExceptionRefused, Recorded};
use crate::ports::Condition;

impl Cases<'_> {
    /// All that the table still knows, ended ones too. One that cannot be read is an error: it could be the one that counts.
    pub async fn exceptions(&self) -> Result<Vec<Recorded>, CaseError> {
        self.store.list(EXCEPTIONS, EXCEPTION_PREFIX).await?.into_iter().map(decode).collect()
    }

    pub async fn exception(&self, id: &ExceptionId) -> Result<Option<Recorded>, CaseError> {
        self.get(&exception_key(id)).await
    }

    /// Records an exception, unless too many stand.
    pub async fn add_exception(&self, recorded: &Recorded, now: Timestamp) -> Result<Result<(), ExceptionRefused>, CaseError> {
        let standing = self.exceptions().await?.iter().filter(|known| known.stands(now)).count();
        if standing >= Recorded::STANDING_MAX {
            return Ok(Err(ExceptionRefused::TooMany(standing)));
        }
        self.store.write(vec![put(exception_key(&recorded.id), recorded, Condition::Absent)?]).await?;
        Ok(Ok(()))
    }

    /// Keeps an exception that was ended, unless somebody else ended it meanwhile.
    pub async fn end_exception(&self, ended: &Recorded) -> Result<(), CaseError> {
        let condition = Condition::Version(ended.version - 1);
        Ok(self.store.write(vec![put(exception_key(&ended.id), ended, condition)?]).await?)
    }
}
