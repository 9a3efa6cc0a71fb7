//! The SDK's configuration: TLS with rustls and ring, timeouts shorter than a state's own, the SDK's standard retries.

use std::time::Duration;

pub use aws_config::SdkConfig;
use aws_config::{BehaviorVersion, timeout::TimeoutConfig};
use aws_smithy_http_client::tls;

/// A call that takes longer has failed, its retries included: the longest chain of calls in a state still ends inside its time-out.
const CALL_TIMEOUT: Duration = Duration::from_secs(8);
/// One try of a call: a connection that hangs leaves time for another try.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

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
    aws_config::defaults(BehaviorVersion::latest()).http_client(http).timeout_config(timeouts())
}

/// The limits of every call of every client: all clients are made from what [`loader`] gives.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_timeout(CALL_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn attack_20_every_call_has_a_limit_for_a_try_and_one_for_all_of_them() {
        let sdk = loader().no_credentials().region("us-east-1").load().await;
        let limits = sdk.timeout_config().unwrap();
        assert_eq!(limits.operation_timeout(), Some(CALL_TIMEOUT));
        assert_eq!(limits.operation_attempt_timeout(), Some(ATTEMPT_TIMEOUT));
        assert!(
            ATTEMPT_TIMEOUT * 2 < CALL_TIMEOUT && CONNECT_TIMEOUT < ATTEMPT_TIMEOUT,
            "a try that hangs leaves time for another"
        );
    }
}
