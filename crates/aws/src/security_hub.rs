//! Security Hub as a destination for ASFF findings.
//!
//! It sends a single operation as one signed request, because the SDK's crate for Security Hub takes minutes to compile and would
//! outweigh the rest of the function. Its errors carry nothing of the answer but the service's reason.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use cordon_core::Cause;
use cordon_flow::ports::{DeliveryError, Findings};
use cordon_record::{Finding, Hub};
use serde_json::json;

use crate::signed::SignedClient;

const TIMEOUT: Duration = Duration::from_secs(4);
const SERVICE: &str = "securityhub";
/// `BatchImportFindings`.
const PATH: &str = "/findings/import";
/// An error's text, for the timeline.
const ERROR_MAX_CHARS: usize = 300;

/// The Security Hub of the account and region that Cordon stands in.
pub struct SecurityHub {
    client: SignedClient,
    hub: Hub,
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
        let client = SignedClient::new(sdk, SERVICE, &hub.region, timeout).map_err(|error| failed(&error.to_string()))?;
        Ok(Self { client, hub })
    }
}

#[async_trait]
impl Findings for SecurityHub {
    fn name(&self) -> &'static str {
        "Security Hub"
    }

    async fn publish(&self, finding: &Finding<'_>) -> Result<(), DeliveryError> {
        let findings = json!({"Findings": [finding.asff(&self.hub)]});
        let answer = self.client.post(PATH, &findings).await.map_err(|error| failed(&error.to_string()))?;
        let body = answer.body;
        if !(200..300).contains(&answer.status) {
            let text =
                body.get("Message").or_else(|| body.get("message")).and_then(|text| text.as_str()).unwrap_or("no reason given");
            return Err(failed(&format!("status {}, {text}", answer.status)));
        }
        // One that is refused is told of in an answer that succeeded.
        let refused = body.pointer("/FailedFindings/0");
        if let Some(refused) = refused {
            let field = |name: &str| refused.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
            return Err(failed(&format!("{} {}", field("ErrorCode"), field("ErrorMessage"))));
        }
        if body.get("SuccessCount").and_then(serde_json::Value::as_u64) == Some(1) {
            return Ok(());
        }
        Err(failed("the answer does not say that the finding was taken"))
    }
}

fn failed(reason: &str) -> DeliveryError {
    let reason: String = reason.chars().take(ERROR_MAX_CHARS).collect();
    DeliveryError::NotTaken { what: "Security Hub did not take the finding", cause: Cause::new(reason) }
}
