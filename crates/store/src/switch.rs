//! The kill switch: its state, and every change of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::table::Condition;
use crate::{Store, StoreError, keys, put};

/// Who stopped or resumed last, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchNote {
    /// Whether changes are stopped.
    pub stopped: bool,
    /// The ARN of whoever turned it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why, in their words.
    pub reason: String,
}

impl Store<'_> {
    /// The last turn of the switch; `None` where it was never turned.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn switch(&self) -> Result<Option<SwitchNote>, StoreError> {
        self.get(&keys::switch()).await
    }

    /// Turns the switch. The last one who turns it wins.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_switch(&self, note: &SwitchNote) -> Result<(), StoreError> {
        let keys = [keys::switch(), keys::switch_log(note.at)];
        let writes = keys.into_iter().map(|key| put(key, note, Condition::Always)).collect::<Result<_, _>>()?;
        self.write(writes).await
    }
}
