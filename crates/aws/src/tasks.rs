//! Step Functions: completing a task by its token, and starting executions of our own.

use async_trait::async_trait;
use aws_sdk_sfn::operation::send_task_success::SendTaskSuccessError;
use aws_sdk_sfn::operation::start_execution::StartExecutionError;
use cordon_core::Cause;
use cordon_flow::ports::{Completion, DeliveryError, Executions, Tasks};
use serde_json::Value;

/// Answers the tasks of waiting executions.
pub struct StepFunctions {
    client: aws_sdk_sfn::Client,
}

impl StepFunctions {
    /// With the credentials of the client.
    #[must_use]
    pub fn new(client: aws_sdk_sfn::Client) -> Self {
        Self { client }
    }
}

#[async_trait]
impl Tasks for StepFunctions {
    async fn succeed(&self, token: &str, output: &Value) -> Result<Completion, DeliveryError> {
        match self.client.send_task_success().task_token(token).output(output.to_string()).send().await {
            Ok(_) => Ok(Completion::Delivered),
            Err(error) => match error.into_service_error() {
                SendTaskSuccessError::TaskTimedOut(_) | SendTaskSuccessError::TaskDoesNotExist(_) => Ok(Completion::Gone),
                // The message of the error is AWS's and carries no token; the request would.
                other => Err(DeliveryError::NotTaken {
                    what: "Step Functions did not take the decision",
                    cause: Cause::new(name(&other)),
                }),
            },
        }
    }
}

/// Our own state machine.
pub struct StateMachine {
    client: aws_sdk_sfn::Client,
    arn: String,
}

impl StateMachine {
    /// A state machine by its ARN.
    #[must_use]
    pub fn new(client: aws_sdk_sfn::Client, arn: String) -> Self {
        Self { client, arn }
    }
}

#[async_trait]
impl Executions for StateMachine {
    async fn start(&self, name: &str, input: &Value) -> Result<(), DeliveryError> {
        let sent = self.client.start_execution().state_machine_arn(&self.arn).name(name).input(input.to_string()).send().await;
        match sent.map_err(aws_sdk_sfn::error::SdkError::into_service_error) {
            // Started before, and over by now.
            Ok(_) | Err(StartExecutionError::ExecutionAlreadyExists(_)) => Ok(()),
            Err(error) => {
                Err(DeliveryError::NotTaken { what: "Step Functions did not start an execution", cause: Cause::new(error) })
            }
        }
    }
}

fn name(error: &SendTaskSuccessError) -> &'static str {
    match error {
        SendTaskSuccessError::InvalidOutput(_) => "InvalidOutput",
        SendTaskSuccessError::InvalidToken(_) => "InvalidToken",
        SendTaskSuccessError::KmsAccessDeniedException(_) => "KmsAccessDeniedException",
        SendTaskSuccessError::KmsInvalidStateException(_) => "KmsInvalidStateException",
        SendTaskSuccessError::KmsThrottlingException(_) => "KmsThrottlingException",
        _ => "no answer, or one that Cordon does not know",
    }
}
