//! A message as Slack takes it.

use serde::Serialize;
use serde_json::Value;

/// A message as `chat.postMessage`, `chat.update` and a webhook take it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message {
    /// The text of the notification, and the one that a screen reader says: the whole news, in sentences.
    pub text: String,
    /// Block Kit's blocks, as JSON objects.
    pub blocks: Vec<Value>,
}

impl Message {
    /// `{"text": …, "blocks": […]}`.
    #[must_use]
    pub fn to_value(&self) -> Value {
        serde_json::json!({"text": self.text, "blocks": self.blocks})
    }
}
