//! SDK configurations that reach the emulator and nothing else: plain HTTP, no credential chain, no profile, no proxy.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::Builder as HttpBuilder;

/// IAM's API events exist in this region only.
pub const REGION: &str = "us-east-1";

/// What the emulator takes as the secret of an account's own root key.
const OPERATOR_SECRET: &str = "test";

/// Long-term keys of somebody in the sandbox. `Debug` leaves the secret out.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// An access key id; for the account's own root key it is the account's 12 digits.
    pub access_key_id: String,
    /// The secret half of the key, in clear text.
    pub secret_access_key: String,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

impl Keys {
    /// Keys as given; neither part is checked.
    #[must_use]
    pub fn new(access_key_id: impl Into<String>, secret_access_key: impl Into<String>) -> Self {
        Self { access_key_id: access_key_id.into(), secret_access_key: secret_access_key.into() }
    }

    /// The account's own root key, which sets things up and which the relay therefore passes over.
    #[must_use]
    pub fn operator(account: &str) -> Self {
        Self::new(account, OPERATOR_SECRET)
    }
}

/// A configuration with a connection pool of its own, so that it can be made and used inside any runtime.
#[must_use]
pub fn sdk_config(endpoint: &str, keys: &Keys) -> SdkConfig {
    let credentials = Credentials::new(&keys.access_key_id, &keys.secret_access_key, None, None, "cordon-sandbox");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(HttpBuilder::new().build_http())
        .timeout_config(TimeoutConfig::builder().operation_timeout(Duration::from_secs(60)).build())
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_key_is_not_printed() {
        let text = format!("{:?}", Keys::new("AKIAEXAMPLE", "hush"));
        assert!(text.contains("AKIAEXAMPLE") && !text.contains("hush"), "{text}");
    }
}
