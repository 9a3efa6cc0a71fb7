//! The alert topics: the deployment's own, and those that notification routes name.

use std::error::Error;

use async_trait::async_trait;
use aws_sdk_sns::types::MessageAttributeValue;
use cordon_cards::Alert;
use cordon_core::Cause;
use cordon_flow::ports::{DeliveryError, Publisher};

/// SNS, with the topic for what no route sends elsewhere.
pub struct Topic {
    client: aws_sdk_sns::Client,
    arn: String,
}

impl Topic {
    /// With the ARN of the topic for what no route sends elsewhere.
    #[must_use]
    pub fn new(client: aws_sdk_sns::Client, arn: String) -> Self {
        Self { client, arn }
    }
}

#[async_trait]
impl Publisher for Topic {
    async fn publish(&self, alert: &Alert) -> Result<(), DeliveryError> {
        let topic = alert.topic.as_deref().unwrap_or(&self.arn);
        let mut call = self.client.publish().topic_arn(topic).subject(&alert.subject).message(alert.body.to_string());
        for (name, value) in &alert.attributes {
            let attribute = MessageAttributeValue::builder().data_type("String").string_value(value).build();
            let attribute = attribute.map_err(|error| failed("an attribute cannot be sent", error))?;
            call = call.message_attributes(*name, attribute);
        }
        call.send().await.map(|_| ()).map_err(|error| failed("SNS refused the alert", error))
    }
}

fn failed(what: &'static str, error: impl Error + Send + Sync + 'static) -> DeliveryError {
    DeliveryError::NotTaken { what, cause: Cause::new(error) }
}
