//! The kill switch's note in the table, and who turned it before.

use super::keys::{switch_key, switch_log_key};
use super::{CaseError, Cases, put};
use crate::ports::Condition;
use crate::switch::Note;

impl Cases<'_> {
    /// The last turn of the switch; `None` where it was never turned.
    pub async fn switch(&self) -> Result<Option<Note>, CaseError> {
        self.get(&switch_key()).await
    }

    /// Why nothing may be changed now, in a sentence; `None` where it may.
    pub async fn stopped(&self) -> Result<Option<String>, CaseError> {
        Ok(self.switch().await?.filter(|note| note.stopped).map(|note| note.said()))
    }

    /// Turns the switch. The last one who turns it wins.
    pub async fn set_switch(&self, note: &Note) -> Result<(), CaseError> {
        let writes = [(switch_key(), Condition::Always), (switch_log_key(note.at), Condition::Always)];
        let writes = writes.into_iter().map(|(key, condition)| put(key, note, condition)).collect::<Result<_, _>>()?;
        Ok(self.store.write(writes).await?)
    }
}
