//! An execution that no event started: an approver's undo, or a vote on the command line that the card is to show.
//!
//! EventBridge's envelope has no field `cordon`, so only a caller of `states:StartExecution` can send one. It decides nothing:
//! the request itself has to be in the table.

use cordon_contract::ClassifyOutput;
use cordon_core::IncidentId;
use serde_json::Value;

/// The request of an execution's input; `None` for an event.
pub(super) fn of_input(input: &Value) -> Option<ClassifyOutput> {
    let incident: IncidentId = input.get("incident")?.as_str()?.parse().ok()?;
    match input.get("cordon")?.as_str()? {
        "undo" => Some(ClassifyOutput::Undo { incident }),
        "voted" => Some(ClassifyOutput::Voted { incident }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_names_itself_an_undo_or_a_vote_is_one_and_everything_else_is_an_event() {
        let id = "inc-0123456789abcdef0123";
        let incident: IncidentId = id.parse().unwrap();
        let of = |input: Value| of_input(&input);
        assert_eq!(
            of(json!({"cordon": "undo", "incident": id, "number": 1})),
            Some(ClassifyOutput::Undo { incident: incident.clone() })
        );
        assert_eq!(of(json!({"cordon": "voted", "incident": id})), Some(ClassifyOutput::Voted { incident }));
        for event in [
            json!({"source": "aws.iam", "detail": {"cordon": "undo", "incident": id}}),
            json!({"source": "undo", "detail-type": "undo", "incident": id}),
            json!({"cordon": "undone", "incident": id}),
            json!({"cordon": "undo"}),
            json!({"cordon": "undo", "incident": "../x"}),
            json!({}),
        ] {
            assert_eq!(of(event.clone()), None, "{event}");
        }
    }
}
