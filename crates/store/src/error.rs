//! The errors of reading and writing the table.

use cordon_core::IncidentId;

use crate::table::TableError;

/// Why something could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The table itself failed, or a condition did not hold.
    #[error(transparent)]
    Table(#[from] TableError),
    /// No incident has this id.
    #[error("there is no incident `{0}`")]
    NotFound(IncidentId),
    /// An item is not what this version writes: somebody changed it, or a newer version did.
    #[error("an item of the table cannot be read")]
    Unreadable(#[source] serde_json::Error),
    /// An item has no form that the table takes.
    #[error("an item of the table cannot be written")]
    Unwritable(#[source] serde_json::Error),
}

impl StoreError {
    /// Whether somebody else wrote first. Nothing was written then.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Table(TableError::Condition))
    }

    /// Whether another try can help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Table(TableError::Condition | TableError::Contended(_) | TableError::Transient(_)))
    }
}
