//! A question to a person, as it is stored.

use cordon_core::IncidentId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::keys::approval_key;
use super::{CaseError, Cases, put};
use crate::ports::{Condition, Write};

/// How a question to a person stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vote {
    Waiting,
    Approved,
    Denied,
    Expired,
}

/// A question to a person.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    pub version: u64,
    /// Step Functions' task token. It leaves the table only towards Step Functions.
    pub token: String,
    pub vote: Vote,
    pub deadline: Timestamp,
    #[serde(default)]
    pub by: Option<String>,
}

impl Cases<'_> {
    pub async fn approval(&self, id: &IncidentId) -> Result<Option<Approval>, CaseError> {
        self.get(&approval_key(id)).await
    }

    /// The write that stores an approval, conditional on the one that was read.
    pub fn approval_write(id: &IncidentId, approval: &Approval) -> Result<Write, CaseError> {
        let condition = if approval.version == 1 { Condition::Absent } else { Condition::Version(approval.version - 1) };
        put(approval_key(id), approval, condition)
    }
}
