//! The text of the Slack secret. It is never logged.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;

/// A state goes on without Slack rather than wait for its secret until its own time-out.
const TIMEOUT: Duration = Duration::from_secs(4);
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1_800);

/// Why the secret could not be read. Never has its value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The role may not read it, its key cannot be used, or Secrets Manager did not answer.
    #[error("the Slack secret cannot be read: {}", reason(source))]
    Unreadable {
        /// The call's own error.
        #[source]
        source: Box<SdkError<GetSecretValueError>>,
    },
    /// It holds bytes instead of a text.
    #[error("the Slack secret holds bytes instead of a text; put its value as docs/operating.md says")]
    NoText,
}

/// A secret of Secrets Manager.
pub struct StoredSecret {
    client: aws_sdk_secretsmanager::Client,
    arn: String,
}

impl StoredSecret {
    /// The secret of this ARN. A read takes four seconds at most.
    #[must_use]
    pub fn new(sdk: &SdkConfig, arn: String) -> Self {
        let timeouts = TimeoutConfig::builder().operation_timeout(TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
        let config = aws_sdk_secretsmanager::config::Builder::from(sdk).timeout_config(timeouts).build();
        Self { client: aws_sdk_secretsmanager::Client::from_conf(config), arn }
    }

    /// Reads the current value. `None` where Secrets Manager says that there is none, and only there.
    ///
    /// # Errors
    /// [`SecretError`] with Secrets Manager's own error as its source.
    pub async fn read(&self) -> Result<Option<String>, SecretError> {
        match self.client.get_secret_value().secret_id(&self.arn).send().await {
            Ok(value) => value.secret_string.map(Some).ok_or(SecretError::NoText),
            Err(error) if error.as_service_error().is_some_and(is_unset) => Ok(None),
            Err(error) => Err(SecretError::Unreadable { source: Box::new(error) }),
        }
    }
}

fn is_unset(error: &GetSecretValueError) -> bool {
    error.is_resource_not_found_exception()
}

/// Short, because it stands on the timeline: the service's code, or what became of the call.
fn reason(error: &SdkError<GetSecretValueError>) -> &str {
    match error {
        SdkError::ServiceError(answer) => answer.err().code().unwrap_or("Secrets Manager gave an error without a code"),
        SdkError::TimeoutError(_) => "Secrets Manager did not answer in time",
        SdkError::DispatchFailure(_) => "Secrets Manager was not reached",
        _ => "the call to Secrets Manager failed",
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_secretsmanager::error::ErrorMetadata;
    use aws_sdk_secretsmanager::types::error as refused;

    use super::*;

    #[test]
    fn attack_18_only_a_value_that_is_not_there_means_unset() {
        let code = |code: &str| GetSecretValueError::generic(ErrorMetadata::builder().code(code).build());
        assert!(is_unset(&GetSecretValueError::ResourceNotFoundException(refused::ResourceNotFoundException::builder().build())));
        for other in [
            GetSecretValueError::DecryptionFailure(refused::DecryptionFailure::builder().build()),
            GetSecretValueError::InternalServiceError(refused::InternalServiceError::builder().build()),
            GetSecretValueError::InvalidRequestException(refused::InvalidRequestException::builder().build()),
            GetSecretValueError::InvalidParameterException(refused::InvalidParameterException::builder().build()),
            code("AccessDeniedException"),
            code("ThrottlingException"),
        ] {
            assert!(!is_unset(&other), "{other:?}");
        }
    }
}
