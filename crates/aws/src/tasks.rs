//! Step Functions' callback.

use async_trait::async_trait;
use aws_sdk_sfn::operation::send_task_success::SendTaskSuccessError;
use cordon_flow::ports::{Completion, DeliveryError, Tasks};
use serde_json::Value;

pub struct StepFunctions {
    client: aws_sdk_sfn::Client,
}

impl StepFunctions {
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
                other => Err(DeliveryError { message: format!("Step Functions did not take the decision: {}", name(&other)) }),
            },
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
