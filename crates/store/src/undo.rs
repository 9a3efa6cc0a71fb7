//! Stored requests to undo. Without one in the table, no execution undoes anything.

use cordon_core::{Ballot, IncidentId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::table::Write;
use crate::{Store, StoreError, follows, keys, put};

/// Where a wish to undo stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UndoState {
    /// Not enough approvers want it yet.
    Voting,
    /// It waits for an execution, or is being carried out.
    Requested,
    /// It was carried out, as far as that went.
    Done,
}

/// Approvers' wish to undo an incident's changes. Without it in the table, no execution undoes anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoRequest {
    /// Counts the writes: each is conditional on the one that was read.
    pub version: u64,
    /// Counts the wishes: an undo can be run again.
    pub number: u32,
    /// Where it stands.
    pub state: UndoState,
    /// As the timeline names whose wish it is.
    pub by: String,
    /// When it was asked for.
    pub at: Timestamp,
    /// Why, in their words.
    #[serde(default)]
    pub reason: Option<String>,
    /// What came of it, in sentences.
    #[serde(default)]
    pub result: Vec<String>,
    /// Whether everything was undone.
    #[serde(default)]
    pub complete: bool,
    /// Who wants it.
    #[serde(default)]
    pub ballots: Vec<Ballot>,
    /// How many have to want it.
    #[serde(default = "one")]
    pub wanted: u32,
    /// Only this step of the plan, counted from 1.
    #[serde(default)]
    pub only: Option<usize>,
}

fn one() -> u32 {
    1
}

impl Store<'_> {
    /// The wish to undo an incident.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn undo_request(&self, id: &IncidentId) -> Result<Option<UndoRequest>, StoreError> {
        self.get(&keys::undo(id)).await
    }

    /// Stores what came of a wish to undo.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn write_undo(&self, id: &IncidentId, request: &UndoRequest) -> Result<(), StoreError> {
        self.write(vec![Self::undo_write(id, request)?]).await
    }

    /// The write that stores a wish to undo, conditional on the one that was read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn undo_write(id: &IncidentId, request: &UndoRequest) -> Result<Write, StoreError> {
        put(keys::undo(id), request, follows(request.version))
    }
}
