//! The HTTP client for this machine's own servers: no proxy, and limits that only a hung server exceeds, however busy the machine.

use std::time::Duration;

use crate::error::SandboxError;

/// A client with a connection pool of its own.
pub(crate) fn client() -> Result<reqwest::Client, SandboxError> {
    // A provider that is already installed stays; it is only needed for a client to be built, nothing here speaks TLS.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .connect_timeout(Duration::from_secs(20))
        .timeout(Duration::from_secs(60))
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| SandboxError::unexpected("cannot make an HTTP client", error))
}
