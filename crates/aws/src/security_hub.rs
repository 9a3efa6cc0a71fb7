//! Security Hub as a destination for ASFF findings.
//!
//! It signs and sends a single operation itself, because the SDK's crate for Security Hub takes minutes to compile and would
//! outweigh the rest of the function. It follows no redirect. Its errors carry no header and nothing of the answer but the error
//! code.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use cordon_core::Cause;
use cordon_flow::ports::{DeliveryError, Findings};
use cordon_record::{Finding, Hub};
use reqwest::redirect::Policy;
use serde_json::{Value, json};

const TIMEOUT: Duration = Duration::from_secs(4);
const SERVICE: &str = "securityhub";
/// `BatchImportFindings`.
const PATH: &str = "/findings/import";
/// An error's text, for the timeline.
const ERROR_MAX_CHARS: usize = 300;

/// The Security Hub of the account and region that Cordon stands in.
pub struct SecurityHub {
    http: reqwest::Client,
    credentials: SharedCredentialsProvider,
    hub: Hub,
    url: String,
}

impl SecurityHub {
    /// The Security Hub of `hub`, which gets four seconds to take a finding.
    ///
    /// # Errors
    /// There are no credentials to sign with, or no TLS.
    pub fn new(sdk: &SdkConfig, hub: Hub) -> Result<Self, DeliveryError> {
        Self::with_timeout(sdk, hub, TIMEOUT)
    }

    /// [`SecurityHub::new`] with another limit for one finding.
    ///
    /// # Errors
    /// As [`SecurityHub::new`] has them.
    pub fn with_timeout(sdk: &SdkConfig, hub: Hub, timeout: Duration) -> Result<Self, DeliveryError> {
        let url = match sdk.endpoint_url() {
            Some(base) => format!("{}{PATH}", base.trim_end_matches('/')),
            None => format!("https://{SERVICE}.{}.amazonaws.com{PATH}", hub.region),
        };
        let credentials = sdk.credentials_provider().ok_or_else(|| failed("there are no credentials to sign with"))?;
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // An error means that another thread was faster, which is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let http = reqwest::Client::builder()
            .timeout(timeout)
            .redirect(Policy::none())
            .build()
            .map_err(|_| failed("no usable certificate store or TLS provider"))?;
        Ok(Self { http, credentials, hub, url })
    }

    async fn signed(&self, body: &str) -> Result<reqwest::Request, DeliveryError> {
        let unsigned = |_| failed("the request could not be signed");
        let identity =
            self.credentials.provide_credentials().await.map_err(|_| failed("there are no credentials to sign with"))?;
        let identity = identity.into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.hub.region)
            .name(SERVICE)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| failed("the request could not be signed"))?;
        let headers = std::iter::once(("content-type", "application/json"));
        let signable =
            SignableRequest::new("POST", &self.url, headers, SignableBody::Bytes(body.as_bytes())).map_err(unsigned)?;
        let (instructions, _) = sign(signable, &params.into()).map_err(unsigned)?.into_parts();
        let mut request = self.http.post(&self.url).header("content-type", "application/json").body(body.to_owned());
        for (name, value) in instructions.headers() {
            request = request.header(name, value);
        }
        request.build().map_err(|_| failed("the request could not be made"))
    }
}

#[async_trait]
impl Findings for SecurityHub {
    fn name(&self) -> &'static str {
        "Security Hub"
    }

    async fn publish(&self, finding: &Finding<'_>) -> Result<(), DeliveryError> {
        let request = self.signed(&json!({"Findings": [finding.asff(&self.hub)]}).to_string()).await?;
        let answer = self.http.execute(request).await.map_err(|error| failed(reason(&error)))?;
        let status = answer.status();
        let body: Value = answer.json().await.unwrap_or_default();
        if !status.is_success() {
            let text = body.get("Message").or_else(|| body.get("message")).and_then(Value::as_str).unwrap_or("no reason given");
            return Err(failed(&format!("status {}, {text}", status.as_u16())));
        }
        // One that is refused is told of in an answer that succeeded.
        let refused = body.pointer("/FailedFindings/0");
        if let Some(refused) = refused {
            let field = |name: &str| refused.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            return Err(failed(&format!("{} {}", field("ErrorCode"), field("ErrorMessage"))));
        }
        if body.get("SuccessCount").and_then(Value::as_u64) == Some(1) {
            return Ok(());
        }
        Err(failed("the answer does not say that the finding was taken"))
    }
}

fn reason(error: &reqwest::Error) -> &'static str {
    match () {
        () if error.is_timeout() => "it did not answer in time",
        () if error.is_connect() => "it is out of reach",
        () => "the request broke off",
    }
}

fn failed(reason: &str) -> DeliveryError {
    let reason: String = reason.chars().take(ERROR_MAX_CHARS).collect();
    DeliveryError::NotTaken { what: "Security Hub did not take the finding", cause: Cause::new(reason) }
}
