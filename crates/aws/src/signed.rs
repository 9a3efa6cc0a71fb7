//! One signed request to a service whose SDK crate would outweigh what it is needed for.
//!
//! It follows no redirect. Its errors carry no header and nothing of an answer.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use reqwest::redirect::Policy;
use serde_json::Value;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignedError {
    /// The configuration has no credentials, or they cannot be loaded.
    #[error("there are no credentials to sign with")]
    NoCredentials,
    /// The request could not be made or signed.
    #[error("the request could not be signed")]
    Unsigned,
    /// The machine has no certificates.
    #[error("no usable certificate store or TLS provider")]
    NoTls,
    /// The time was up.
    #[error("it did not answer in time")]
    TimedOut,
    /// No connection.
    #[error("it is out of reach")]
    OutOfReach,
    /// The connection ended before the answer.
    #[error("the request broke off")]
    BrokeOff,
}

/// What a service answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    /// `Null` where the body is no JSON.
    pub body: Value,
}

/// A client of one service in one Region.
pub(crate) struct SignedClient {
    http: reqwest::Client,
    credentials: SharedCredentialsProvider,
    service: &'static str,
    region: String,
    base: String,
}

impl SignedClient {
    /// A client whose requests get `timeout` to be answered.
    pub(crate) fn new(sdk: &SdkConfig, service: &'static str, region: &str, timeout: Duration) -> Result<Self, SignedError> {
        let base = match sdk.endpoint_url() {
            Some(base) => base.trim_end_matches('/').to_owned(),
            None => format!("https://{service}.{region}.{}", domain(region)),
        };
        let credentials = sdk.credentials_provider().ok_or(SignedError::NoCredentials)?;
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // An error means that another thread was faster, which is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let http =
            reqwest::Client::builder().timeout(timeout).redirect(Policy::none()).build().map_err(|_| SignedError::NoTls)?;
        Ok(Self { http, credentials, service, region: region.to_owned(), base })
    }

    /// Posts JSON to a path, which begins with `/`.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Answer, SignedError> {
        let request = self.signed(&format!("{}{path}", self.base), &body.to_string()).await?;
        let answer = self.http.execute(request).await.map_err(|error| match () {
            () if error.is_timeout() => SignedError::TimedOut,
            () if error.is_connect() => SignedError::OutOfReach,
            () => SignedError::BrokeOff,
        })?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Answer { status, headers, body: answer.json().await.unwrap_or_default() })
    }

    async fn signed(&self, url: &str, body: &str) -> Result<reqwest::Request, SignedError> {
        let identity = self.credentials.provide_credentials().await.map_err(|_| SignedError::NoCredentials)?.into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| SignedError::Unsigned)?;
        let headers = std::iter::once(("content-type", "application/json"));
        let signable = SignableRequest::new("POST", url, headers, SignableBody::Bytes(body.as_bytes()))
            .map_err(|_| SignedError::Unsigned)?;
        let (instructions, _) = sign(signable, &params.into()).map_err(|_| SignedError::Unsigned)?.into_parts();
        let mut request = self.http.post(url).header("content-type", "application/json").body(body.to_owned());
        for (name, value) in instructions.headers() {
            request = request.header(name, value);
        }
        request.build().map_err(|_| SignedError::Unsigned)
    }
}

/// Source: "AWS service endpoints", AWS general reference.
fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}
