//! Everything that is stored about one incident, for `cordon incident show` and `export`.

use cordon_core::IncidentId;
use cordon_record::{IncidentReport, Question};
use cordon_store::{Approval, Store, StoreError};
use jiff::Timestamp;
use serde_json::json;

/// How often an incident is read again because somebody wrote to it.
const READ_TRIES: u32 = 4;

/// Everything but the task token. Read again where somebody wrote meanwhile: a header and a timeline of different moments
/// would look like a broken chain.
///
/// # Errors
/// [`StoreError::NotFound`] where there is no such incident, or [`StoreError`].
pub async fn read(store: Store<'_>, id: &IncidentId, now: Timestamp) -> Result<IncidentReport, StoreError> {
    let mut incident = store.incident(id).await?;
    let mut tries = 0;
    loop {
        let mut steps = Vec::with_capacity(incident.assessment.plan.steps.len());
        for n in 1..=incident.assessment.plan.steps.len() {
            steps.push(store.step(id, n).await?);
        }
        let questions = store.approval(id).await?.iter().map(question).collect();
        let timeline = store.timeline(id).await?;
        let after = store.incident(id).await?;
        if after.version == incident.version || tries == READ_TRIES {
            let joined = store.joined(id).await?.events;
            return Ok(IncidentReport { incident, steps, questions, timeline, joined, exported_at: now });
        }
        incident = after;
        tries += 1;
    }
}

fn question(approval: &Approval) -> Question {
    Question {
        vote: json!(approval.vote).as_str().unwrap_or_default().to_owned(),
        by: approval.by.clone(),
        deadline: approval.deadline,
    }
}
