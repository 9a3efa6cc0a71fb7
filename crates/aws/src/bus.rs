//! The event bus as a destination for OCSF findings.
//!
//! Their source is never one of AWS's own. Production rules select only those, so a finding never starts an incident.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use cordon_core::Cause;
use cordon_flow::ports::{DeliveryError, Findings};
use cordon_record::Finding;

/// The `source` by which an EventBridge rule selects findings.
pub const SOURCE: &str = "cordon";
/// The `detail-type` of a finding.
pub const DETAIL_TYPE: &str = "Cordon Detection Finding";
/// People have been told already: a bus that is slow is not waited for until the state's own time-out.
const TIMEOUT: Duration = Duration::from_secs(4);

/// A bus of EventBridge.
pub struct EventBus {
    client: aws_sdk_eventbridge::Client,
    name: String,
}

impl EventBus {
    /// The bus of this name or ARN, which gets four seconds to take a finding.
    #[must_use]
    pub fn new(sdk: &SdkConfig, name: String) -> Self {
        Self::with_timeout(sdk, name, TIMEOUT)
    }

    /// [`EventBus::new`] with another limit for one finding, retries included.
    #[must_use]
    pub fn with_timeout(sdk: &SdkConfig, name: String, timeout: Duration) -> Self {
        let timeouts = TimeoutConfig::builder().operation_timeout(timeout).operation_attempt_timeout(timeout).build();
        let config = aws_sdk_eventbridge::config::Builder::from(sdk).timeout_config(timeouts).build();
        Self { client: aws_sdk_eventbridge::Client::from_conf(config), name }
    }
}

#[async_trait]
impl Findings for EventBus {
    fn name(&self) -> &'static str {
        "event bus"
    }

    async fn publish(&self, finding: &Finding<'_>) -> Result<(), DeliveryError> {
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(DETAIL_TYPE)
            .detail(finding.ocsf().to_string())
            .build();
        let answer = self.client.put_events().entries(entry).send().await;
        let answer = answer.map_err(|error| refused(Cause::new(error)))?;
        // One that is refused is told of in an answer that succeeded.
        match answer.entries().iter().find_map(|entry| entry.error_code()) {
            Some(code) => Err(refused(Cause::new(code))),
            None => Ok(()),
        }
    }
}

fn refused(cause: Cause) -> DeliveryError {
    DeliveryError::NotTaken { what: "EventBridge refused the finding", cause }
}
