//! Shows a vote from the command line on the card in Slack.
//!
//! The voter has no right to post and must have none: the secret with the bot token can also sign clicks as anyone. An execution
//! of the state machine therefore updates the card. It is started after the vote is written, and the vote counts even if it
//! fails.

use cordon_core::{Arn, IncidentId};
use cordon_store::{Store, StoreError};
use jiff::Timestamp;
use serde_json::json;

use crate::ports::{DeliveryError, Executions};

/// Why the card is not brought up to date. The vote counts all the same.
#[derive(Debug, thiserror::Error)]
pub enum VotedError {
    /// The table.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The execution could not be started.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
}

/// Asks for the card to be brought up to date. The same vote asks once.
///
/// # Errors
/// Where the table cannot be read, or no execution can be started.
pub async fn show_on_card(store: Store<'_>, executions: &dyn Executions, id: &IncidentId) -> Result<(), VotedError> {
    let Some(approval) = store.approval(id).await? else { return Ok(()) };
    let input = json!({"cordon": "voted", "incident": id});
    Ok(executions.start(&format!("voted-{id}-{}", approval.version), &input).await?)
}

/// Asks for the card of a closed incident to show who wants it undone. The same wish asks once.
///
/// # Errors
/// As [`show_on_card`].
pub async fn show_wish_on_card(store: Store<'_>, executions: &dyn Executions, id: &IncidentId) -> Result<(), VotedError> {
    let Some(request) = store.undo_request(id).await? else { return Ok(()) };
    let input = json!({"cordon": "voted", "incident": id});
    Ok(executions.start(&format!("voted-{id}-undo-{}", request.version), &input).await?)
}

/// Asks for the card of an open incident to say that enforcement was stopped, or that it was resumed. The same turn asks once.
///
/// # Errors
/// As [`show_on_card`].
pub async fn show_switch_on_card(executions: &dyn Executions, id: &IncidentId, turned: Timestamp) -> Result<(), VotedError> {
    let input = json!({"cordon": "voted", "incident": id});
    Ok(executions.start(&format!("voted-{id}-switch-{}", turned.as_millisecond()), &input).await?)
}

/// The state machine of an execution, by the execution's ARN.
#[must_use]
pub fn state_machine(execution: &str) -> Option<String> {
    let resource = execution.parse::<Arn>().ok()?.resource().to_owned();
    let name = resource.strip_prefix("execution:")?.split(':').next().filter(|name| !name.is_empty())?;
    Some(format!("{}stateMachine:{name}", execution.strip_suffix(&resource)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_names_its_state_machine() {
        let of = |arn: &str| state_machine(arn);
        let machine = "arn:aws-us-gov:states:us-gov-west-1:111111111111:stateMachine:cordon";
        assert_eq!(of("arn:aws-us-gov:states:us-gov-west-1:111111111111:execution:cordon:a-1").as_deref(), Some(machine));
        assert_eq!(of("execution"), None);
        assert_eq!(of("arn:aws:states:us-east-1:111111111111:express:cordon:a:b"), None);
        assert_eq!(of("arn:aws:states:us-east-1:111111111111:execution:"), None);
    }
}
