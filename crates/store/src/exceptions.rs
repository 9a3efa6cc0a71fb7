//! Recorded exceptions: one partition, never rewritten but to be ended.

use std::fmt;

use cordon_core::pattern::Pattern;
use cordon_core::{ExceptionId, RuleId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::table::Condition;
use crate::{Store, StoreError, decode, follows, keys, put};

/// The rule that an exception is from, or every rule that honours recorded ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RuleScope {
    /// Every rule that honours recorded exceptions. Written `*`.
    Any,
    /// One rule.
    Rule(RuleId),
}

impl TryFrom<String> for RuleScope {
    type Error = cordon_core::ids::InvalidId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == "*" { Ok(Self::Any) } else { text.parse().map(Self::Rule) }
    }
}

impl From<RuleScope> for String {
    fn from(scope: RuleScope) -> Self {
        scope.to_string()
    }
}

impl fmt::Display for RuleScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Rule(rule) => write!(f, "{rule}"),
        }
    }
}

/// An exception as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedException {
    /// Derived from its content.
    pub id: ExceptionId,
    /// Counts the writes: each is conditional on the one that was read.
    pub version: u64,
    /// An ARN pattern of the users or roles that may.
    pub principal: Pattern,
    /// What they may.
    pub rule: RuleScope,
    /// Whoever answers for it.
    pub owner: String,
    /// The ARN of the approver who recorded it.
    pub created_by: String,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
    /// How it was ended before its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<EndedException>,
    /// When the table forgets it.
    pub expires_at: i64,
}

/// How an exception was ended before its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedException {
    /// When.
    pub at: Timestamp,
    /// The ARN of the approver who ended it.
    pub by: String,
    /// Why it was ended.
    pub reason: String,
}

impl RecordedException {
    /// More that stand at a time are not recorded: every check reads them all.
    pub const STANDING_MAX: usize = 500;

    /// Whether it holds now, as far as the table says.
    #[must_use]
    pub fn stands(&self, now: Timestamp) -> bool {
        self.ended.is_none() && now < self.until
    }
}

/// Why an exception was not kept.
#[derive(Debug, thiserror::Error)]
pub enum AddExceptionError {
    /// So many stand already.
    #[error("{0} exceptions stand already; end the ones that nobody needs")]
    TooMany(usize),
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store<'_> {
    /// All that the table still knows, ended ones too. One that cannot be read is an error: it could be the one that counts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn exceptions(&self) -> Result<Vec<RecordedException>, StoreError> {
        self.table.list(keys::EXCEPTIONS, keys::EXCEPTION).await?.into_iter().map(decode).collect()
    }

    /// One of them, by its id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn exception(&self, id: &ExceptionId) -> Result<Option<RecordedException>, StoreError> {
        self.get(&keys::exception(id)).await
    }

    /// Keeps a new exception.
    ///
    /// # Errors
    /// [`AddExceptionError::TooMany`] where too many stand, or the table's.
    pub async fn add_exception(&self, recorded: &RecordedException, now: Timestamp) -> Result<(), AddExceptionError> {
        let standing = self.exceptions().await?.iter().filter(|found| found.stands(now)).count();
        if standing >= RecordedException::STANDING_MAX {
            return Err(AddExceptionError::TooMany(standing));
        }
        Ok(self.write(vec![put(keys::exception(&recorded.id), recorded, Condition::Absent)?]).await?)
    }

    /// Keeps an exception that was ended.
    ///
    /// # Errors
    /// [`StoreError`]; a conflict where somebody else ended it meanwhile.
    pub async fn end_exception(&self, ended: &RecordedException) -> Result<(), StoreError> {
        self.write(vec![put(keys::exception(&ended.id), ended, follows(ended.version))?]).await
    }
}
