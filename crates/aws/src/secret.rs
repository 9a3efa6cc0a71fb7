//! The Slack secret's text. It is read at start-up and never logged.

use aws_sdk_secretsmanager::error::DisplayErrorContext;

/// A secret that could not be read. Names the secret, never its value.
#[derive(Debug, thiserror::Error)]
#[error("the secret `{arn}` cannot be read: {reason}; put its value as docs/operating.md says, or remove it from the deployment")]
pub struct SecretError {
    arn: String,
    reason: String,
}

/// Reads the current value.
///
/// # Errors
/// [`SecretError`] where it has no value yet, or the role may not read it.
pub async fn read(client: &aws_sdk_secretsmanager::Client, arn: &str) -> Result<String, SecretError> {
    let fail = |reason: String| SecretError { arn: arn.to_owned(), reason };
    let value =
        client.get_secret_value().secret_id(arn).send().await.map_err(|error| fail(DisplayErrorContext(error).to_string()))?;
    value.secret_string().map(str::to_owned).ok_or_else(|| fail("it holds no text".to_owned()))
}
