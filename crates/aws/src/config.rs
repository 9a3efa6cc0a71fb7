//! The SDK's configuration: TLS with rustls and ring, timeouts shorter than a state's own, the SDK's standard retries.

use std::time::Duration;

pub use aws_config::SdkConfig;
use aws_config::{BehaviorVersion, timeout::TimeoutConfig};
use aws_smithy_http_client::tls;

/// A call that takes longer has failed: the longest chain of calls in a state still ends inside its time-out.
const CALL_TIMEOUT: Duration = Duration::from_secs(8);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Loads credentials and region from the environment, as Lambda and the command line give them.
pub async fn load() -> SdkConfig {
    loader().load().await
}

/// The loader, for callers that choose their credentials.
#[must_use]
pub fn loader() -> aws_config::ConfigLoader {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(TimeoutConfig::builder().operation_timeout(CALL_TIMEOUT).connect_timeout(CONNECT_TIMEOUT).build())
}
