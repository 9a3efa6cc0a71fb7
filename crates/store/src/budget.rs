//! The budget of automatic enforcements: one item an hour, with the incidents that have taken from it.
//!
//! INVARIANT: no more incidents are in it than the budget allows, however many executions take at the same moment; and an
//! incident is in it once, however often it is retried.

use cordon_core::IncidentId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::table::Condition;
use crate::{Store, StoreError, in_days, keys, put};

/// How often taking is tried against other executions. Those who lose that often have a crowd before them, and ask.
const TAKE_TRIES: u32 = 10;

/// What came of taking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// It is within the budget.
    Taken,
    /// The hour has no more.
    UsedUp,
    /// Too many take at this moment to say.
    Contended,
}

#[derive(Serialize, Deserialize)]
struct BudgetItem {
    version: u64,
    incidents: Vec<IncidentId>,
    expires_at: i64,
}

impl Store<'_> {
    /// Takes one of the hour's enforcements for an incident.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take_from_budget(&self, id: &IncidentId, per_hour: u32, now: Timestamp) -> Result<Budget, StoreError> {
        let key = keys::budget(now);
        for tries in 1..=TAKE_TRIES {
            let found: Option<BudgetItem> = self.get(&key).await?;
            let condition = found.as_ref().map_or(Condition::Absent, |found| Condition::Version(found.version));
            let mut item = found.unwrap_or_else(|| BudgetItem { version: 0, incidents: Vec::new(), expires_at: in_days(now, 2) });
            if item.incidents.contains(id) {
                return Ok(Budget::Taken);
            }
            if item.incidents.len() >= per_hour as usize {
                return Ok(Budget::UsedUp);
            }
            item.version += 1;
            item.incidents.push(id.clone());
            match self.write(vec![put(key.clone(), &item, condition)?]).await {
                Ok(()) => return Ok(Budget::Taken),
                Err(error) if error.is_conflict() => self.pause(tries).await,
                Err(error) => return Err(error),
            }
        }
        Ok(Budget::Contended)
    }
}
