//! The alert topic.

use async_trait::async_trait;
use aws_sdk_sns::error::DisplayErrorContext;
use cordon_flow::ports::{DeliveryError, Publisher};
use serde_json::Value;

/// An SNS topic.
pub struct Topic {
    client: aws_sdk_sns::Client,
    arn: String,
}

impl Topic {
    #[must_use]
    pub fn new(client: aws_sdk_sns::Client, arn: String) -> Self {
        Self { client, arn }
    }
}

#[async_trait]
impl Publisher for Topic {
    async fn publish(&self, subject: &str, message: &Value) -> Result<(), DeliveryError> {
        self.publish_to(&self.arn, subject, message).await
    }

    async fn publish_to(&self, topic: &str, subject: &str, message: &Value) -> Result<(), DeliveryError> {
        let sent = self.client.publish().topic_arn(topic).subject(subject).message(message.to_string()).send().await;
        sent.map(|_| ())
            .map_err(|error| DeliveryError { message: format!("SNS refused the alert: {}", DisplayErrorContext(error)) })
    }
}
