//! The text of the Slack secret. It is read at start-up and never logged.

use aws_sdk_secretsmanager::error::SdkError;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;

/// Why the secret has no text. Names the secret, never its value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It has no value yet, the role may not read it, or Secrets Manager did not answer.
    #[error("the secret `{arn}` cannot be read; put its value as docs/operating.md says, or remove it from the deployment")]
    Unreadable {
        /// The secret's ARN.
        arn: String,
        /// The call's own error.
        #[source]
        source: Box<SdkError<GetSecretValueError>>,
    },
    /// It holds bytes instead of a text.
    #[error("the secret `{arn}` holds no text; put its value as docs/operating.md says")]
    NoText {
        /// The secret's ARN.
        arn: String,
    },
}

/// Reads the current value of a secret, by its ARN.
///
/// # Errors
/// [`SecretError`] with Secrets Manager's own error as its source.
pub async fn read(client: &aws_sdk_secretsmanager::Client, arn: &str) -> Result<String, SecretError> {
    let unreadable = |error| SecretError::Unreadable { arn: arn.to_owned(), source: Box::new(error) };
    let value = client.get_secret_value().secret_id(arn).send().await.map_err(unreadable)?;
    value.secret_string.ok_or_else(|| SecretError::NoText { arn: arn.to_owned() })
}
