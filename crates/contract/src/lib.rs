//! The contract between the state machine and the functions: the input and output of every state, and the error names that
//! `Retry` and `Catch` use.
//!
//! States pass each other the incident's id and a small tagged outcome, never the event. An execution can wait for days and cross
//! deployments, so fields are only ever added, with a default, and unknown ones are ignored. No type here holds a secret, except
//! the task token that Step Functions gives to `WaitForApproval` alone.

use std::error::Error;
use std::fmt;

use cordon_core::{IncidentId, Outcome, chain, redact};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `Classify` gets the event as EventBridge delivered it, or the request of a person that started an execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassifyInput {
    /// The envelope, as it came.
    pub event: Value,
    /// The execution's ARN: the claim on the event is made in its name.
    pub execution: String,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum ClassifyOutput {
    /// No rule matched.
    Ignored,
    /// Another execution has claimed the event.
    Duplicate {
        /// The incident.
        incident: IncidentId,
    },
    /// The event joined an open incident of the same case.
    Merged {
        /// The incident.
        incident: IncidentId,
    },
    /// The event opened an incident.
    Opened {
        /// The incident.
        incident: IncidentId,
    },
    /// The event could not be judged.
    NeedsPerson {
        /// The incident.
        incident: IncidentId,
    },
    /// No event: an approver wants an incident undone. The table has to hold the request.
    Undo {
        /// The incident.
        incident: IncidentId,
    },
    /// No event: a vote was given on the command line, and the card is to show it.
    Voted {
        /// The incident.
        incident: IncidentId,
    },
}

/// `CheckExceptions` gets the incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckInput {
    /// Which one.
    pub incident: IncidentId,
}

/// The way that the incident takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckOutput {
    /// What is done about it.
    pub route: cordon_core::Route,
}

/// `notify` tells people, closes the incident, and records a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum NotifyInput {
    /// What was found, and in a dry run what would have been done.
    Alert {
        /// The incident.
        incident: IncidentId,
    },
    /// What was found, and the exception that allows it.
    Exempt {
        /// The incident.
        incident: IncidentId,
    },
    /// A decision is wanted. To SNS only: in Slack, the card with the buttons is the message.
    Asked {
        /// The incident.
        incident: IncidentId,
    },
    /// A change that needs no approval is about to be made.
    Acting {
        /// The incident.
        incident: IncidentId,
    },
    /// The containment goes ahead of the question. To SNS only: the card with the buttons follows within seconds.
    Containing {
        /// The incident.
        incident: IncidentId,
    },
    /// What was released waits, because enforcement is stopped.
    Held {
        /// The incident.
        incident: IncidentId,
    },
    /// Nobody answered by the first deadline.
    Escalated {
        /// The incident.
        incident: IncidentId,
    },
    /// One person approved where more were wanted: the skipped ones are told.
    BreakGlass {
        /// The incident.
        incident: IncidentId,
    },
    /// A vote was given on the command line, which cannot post: the card shows it.
    Voted {
        /// The incident.
        incident: IncidentId,
    },
    /// What was changed was undone from Slack, or could not be.
    Undone {
        /// The incident.
        incident: IncidentId,
    },
    /// The event could not be judged.
    NeedsPerson {
        /// The incident.
        incident: IncidentId,
    },
    /// A later event joined the open incident.
    Merged {
        /// The incident.
        incident: IncidentId,
    },
    /// The end: writes the outcome, and where people have not heard of it yet, tells them.
    Outcome {
        /// The incident.
        incident: IncidentId,
        /// How it ended.
        outcome: Outcome,
    },
    /// A state failed for good. The incident is not known where `Classify` itself failed.
    Failure {
        /// The incident, where it is known.
        #[serde(default)]
        incident: Option<IncidentId>,
        /// The id of the event, where `Classify` failed: it may have opened an incident before.
        #[serde(default)]
        event: Option<String>,
        /// The ARN of the execution.
        execution: String,
        /// The state that gave up.
        state: String,
        /// The error's name.
        #[serde(default)]
        error: String,
        /// What it said.
        #[serde(default)]
        cause: String,
    },
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// It was taken.
    Sent,
    /// Not configured, or not wanted for this route.
    Skipped,
    /// Counted in the one message that stands for a burst of them.
    Summarised,
    /// Tried, and said so on the timeline. The incident goes on.
    Failed,
}

/// What became of the message on each way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifyOutput {
    /// By SNS.
    pub sns: Delivery,
    /// By Slack.
    pub slack: Delivery,
}

/// `wait-for-approval` asks with a token, decides at the first deadline whether to escalate, and closes the question at the last.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum WaitInput {
    /// Puts the question.
    Ask {
        /// The incident.
        incident: IncidentId,
        /// Step Functions' task token.
        task_token: String,
        /// How long this wait takes.
        timeout_seconds: u32,
        /// Whether the deadline of this wait is the last one.
        #[serde(default)]
        last: bool,
    },
    /// The first deadline passed.
    Escalate {
        /// The incident.
        incident: IncidentId,
        /// Always true; it tells this input from the others.
        escalate: bool,
    },
    /// The last deadline passed.
    Expire {
        /// The incident.
        incident: IncidentId,
        /// Always true; it tells this input from the others.
        expire: bool,
    },
}

impl fmt::Debug for WaitInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask { incident, timeout_seconds, last, .. } => f
                .debug_struct("Ask")
                .field("incident", incident)
                .field("timeout_seconds", timeout_seconds)
                .field("last", last)
                .finish_non_exhaustive(),
            Self::Escalate { incident, .. } => f.debug_struct("Escalate").field("incident", incident).finish_non_exhaustive(),
            Self::Expire { incident, .. } => f.debug_struct("Expire").field("incident", incident).finish_non_exhaustive(),
        }
    }
}

/// What was decided, by whom. The callback sends it with the task token; `Escalate` and `Expire` return it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum WaitOutput {
    /// As many as it takes have approved.
    Approved {
        /// Who, as the timeline names them.
        by: String,
    },
    /// By one person where more were wanted: the others are told before anything is done.
    BreakGlass {
        /// Who, as the timeline names them.
        by: String,
    },
    /// In a dry run: nothing is to be done.
    Rehearsed {
        /// Who, as the timeline names them.
        by: String,
    },
    /// One person has denied.
    Denied {
        /// Who, as the timeline names them.
        by: String,
    },
    /// Denied after the containment went ahead: it is taken back.
    DeniedContained {
        /// Who, as the timeline names them.
        by: String,
    },
    /// Nobody decided, and what stands stays.
    Expired,
    /// Nobody decided, and the containment that went ahead is taken back.
    ExpiredContained,
    /// Nobody decided, and the policy says to contain.
    Contain,
    /// The first deadline passed: more people are called, and asked again.
    Escalate,
    /// The first deadline passed while somebody was looking: one more wait.
    Looking,
}

/// What `remediate` is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum RemediateInput {
    /// Carries out what is released: all of the plan, or only the containment that may go ahead.
    Apply {
        /// The incident.
        incident: IncidentId,
    },
    /// Reads back what is released.
    Verify {
        /// The incident.
        incident: IncidentId,
    },
    /// Takes a containment back that went ahead of the question.
    Revert {
        /// The incident.
        incident: IncidentId,
    },
    /// Undoes everything, as an approver asked for in Slack.
    Undo {
        /// The incident.
        incident: IncidentId,
    },
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum RemediateOutput {
    /// Every step was carried out and read back once.
    Applied,
    /// At least one step was not carried out.
    Partial,
    /// Every step was read back a second time.
    Contained,
    /// A step was stripped and put back, or seen once only: another pause, another read.
    Again,
    /// Enforcement is stopped, so nothing was done now: people are to be told, and it waits.
    Stopped {
        /// How long, before it is looked at again.
        wait_seconds: u32,
    },
    /// Enforcement is still stopped, and people know: it goes on waiting.
    Held {
        /// How long, before it is looked at again.
        wait_seconds: u32,
    },
    /// Enforcement was resumed: what was held is to be carried out.
    Resumed,
    /// The containment was taken back.
    Reverted,
    /// Somebody changed it since, or IAM refused: at least one step still stands.
    RevertRefused,
    /// Everything was undone.
    Undone,
    /// Somebody changed it since, or IAM refused: at least one step still stands.
    UndoRefused,
}

/// Why a function gave up: the names that the state machine knows. Only `Transient` is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ErrorName {
    /// Throttling, a time-out, a conflict of two writers: worth another try.
    Transient,
    /// The input of the state is not what the contract says.
    BadInput,
    /// `cordon.toml`, a rule or an environment variable cannot be used.
    BadConfig,
    /// The incident is not in the table.
    NotFound,
    /// AWS refused the call.
    Refused,
    /// A fault of ours, or an item that cannot be read.
    Internal,
}

impl ErrorName {
    /// Every name.
    pub const ALL: [Self; 6] = [Self::Transient, Self::BadInput, Self::BadConfig, Self::NotFound, Self::Refused, Self::Internal];

    /// As the state machine spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "Transient",
            Self::BadInput => "BadInput",
            Self::BadConfig => "BadConfig",
            Self::NotFound => "NotFound",
            Self::Refused => "Refused",
            Self::Internal => "Internal",
        }
    }
}

/// A failure of a state, under one of the names: the last form of an error, as Lambda reports it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StateError {
    /// What the state machine goes by.
    pub name: ErrorName,
    /// For people and logs: one line, with every cause in it, because the execution's history keeps nothing else.
    pub message: String,
}

impl StateError {
    /// A failure under a name. The message stands in the execution's history, so what looks like a secret is cut.
    #[must_use]
    pub fn new(name: ErrorName, message: impl Into<String>) -> Self {
        let message: String = message.into();
        Self { name, message: redact::text(&message).into_owned() }
    }

    /// An error under a name, with its causes.
    #[must_use]
    pub fn of(name: ErrorName, error: &dyn Error) -> Self {
        Self::new(name, chain(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::DeserializeOwned;
    use serde_json::json;

    fn check<T: Serialize + DeserializeOwned + PartialEq + fmt::Debug>(value: &T, wire: Value) {
        assert_eq!(serde_json::to_value(value).unwrap(), wire);
        assert_eq!(&serde_json::from_value::<T>(wire).unwrap(), value);
    }

    #[test]
    fn payloads_look_on_the_wire_as_the_state_machine_expects_them() {
        let incident: IncidentId = "inc-0123456789abcdef0123".parse().unwrap();
        let id = incident.as_str();
        check(&ClassifyOutput::Ignored, json!({"outcome": "ignored"}));
        check(&ClassifyOutput::NeedsPerson { incident: incident.clone() }, json!({"outcome": "needs_person", "incident": id}));
        check(&ClassifyOutput::Undo { incident: incident.clone() }, json!({"outcome": "undo", "incident": id}));
        check(&CheckOutput { route: cordon_core::Route::Ask }, json!({"route": "ask"}));
        check(
            &NotifyInput::Outcome { incident: incident.clone(), outcome: Outcome::NeedsPerson },
            json!({"message": "outcome", "incident": id, "outcome": "needs_person"}),
        );
        check(&NotifyInput::Voted { incident: incident.clone() }, json!({"message": "voted", "incident": id}));
        check(&WaitInput::Expire { incident: incident.clone(), expire: true }, json!({"incident": id, "expire": true}));
        check(
            &WaitInput::Ask { incident: incident.clone(), task_token: "t".into(), timeout_seconds: 9, last: true },
            json!({"incident": id, "task_token": "t", "timeout_seconds": 9, "last": true}),
        );
        check(&WaitInput::Escalate { incident: incident.clone(), escalate: true }, json!({"incident": id, "escalate": true}));
        check(&WaitOutput::DeniedContained { by: "U1".into() }, json!({"decision": "denied_contained", "by": "U1"}));
        check(&WaitOutput::Expired, json!({"decision": "expired"}));
        check(&WaitOutput::Approved { by: "U1".into() }, json!({"decision": "approved", "by": "U1"}));
        check(&RemediateInput::Verify { incident: incident.clone() }, json!({"action": "verify", "incident": id}));
        check(&RemediateOutput::Contained, json!({"result": "contained"}));
        check(&RemediateOutput::Stopped { wait_seconds: 60 }, json!({"result": "stopped", "wait_seconds": 60}));
        check(&NotifyInput::Held { incident: incident.clone() }, json!({"message": "held", "incident": id}));
    }

    #[test]
    fn a_field_of_a_later_deployment_is_ignored() {
        let input: CheckInput =
            serde_json::from_value(json!({"incident": "inc-0123456789abcdef0123", "added_later": 1})).unwrap();
        assert_eq!(input.incident.as_str(), "inc-0123456789abcdef0123");
        let input: WaitInput =
            serde_json::from_value(json!({"incident": "inc-0123456789abcdef0123", "task_token": "t", "timeout_seconds": 9}))
                .unwrap();
        assert!(matches!(input, WaitInput::Ask { last: false, .. }), "as an execution of an earlier deployment sends it");
    }

    #[test]
    fn a_task_token_is_not_printed() {
        let incident = "inc-0123456789abcdef0123".parse().unwrap();
        let input = WaitInput::Ask { incident, task_token: "secret-token".into(), timeout_seconds: 9, last: false };
        assert!(!format!("{input:?}").contains("secret-token"));
    }
}
