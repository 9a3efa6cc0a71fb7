//! An interactivity request, from bytes to what a person did; and the HTTP response that it deserves.
//!
//! INVARIANT: the signature is checked over the raw bytes before anything of them is read. A response never repeats anything of a
//! request.

use serde_json::json;

use crate::interaction::{self, Interaction, InteractionError};
use crate::secret::Secret;
use crate::signature::{self, SignatureError};
use crate::text::plain;

/// The longest fault under a text area, by our own measure.
const MAX_FAULT: usize = 300;

/// A request as bytes: after the gateway's base64 was taken off, before anything else.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The header [`signature::TIMESTAMP_HEADER`].
    pub timestamp: Option<&'a str>,
    /// The header [`signature::SIGNATURE_HEADER`].
    pub signature: Option<&'a str>,
    /// The body as it was sent.
    pub body: &'a [u8],
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// It does not come from Slack, or too late: 401.
    #[error("the request is not signed by Slack")]
    Signature(#[source] SignatureError),
    /// It comes from Slack, and is neither a click nor a dialog that was sent off: 400.
    #[error("the request is neither a click nor a dialog that was sent off")]
    Interaction(#[source] InteractionError),
}

/// A response. A click takes any text with status 200; a dialog takes an empty one, which closes it, or JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub text: String,
    /// Whether the body is JSON, and not plain text.
    pub is_json: bool,
}

/// Reads a request, once its signature proves that Slack sent it at about this time.
///
/// # Errors
/// The signature's fault, or else the body's.
pub fn receive(signing_secret: &Secret, request: &Request<'_>, now_epoch_seconds: i64) -> Result<Interaction, RequestError> {
    signature::verify(signing_secret, request.timestamp, request.signature, request.body, now_epoch_seconds)
        .map_err(RequestError::Signature)?;
    interaction::parse(request.body).map_err(RequestError::Interaction)
}

impl RequestError {
    /// The response, which tells a forger nothing.
    #[must_use]
    pub fn response(&self) -> HttpResponse {
        match self {
            Self::Signature(_) => HttpResponse::text(401, "The request is not signed by Slack."),
            Self::Interaction(_) => HttpResponse::text(400, "The request is not a click on one of Cordon's buttons."),
        }
    }
}

impl HttpResponse {
    /// A sentence as plain text.
    #[must_use]
    pub fn text(status: u16, text: &str) -> Self {
        Self { status, text: text.to_owned(), is_json: false }
    }

    /// Closes the dialog that was sent off.
    #[must_use]
    pub fn closes_dialog() -> Self {
        Self::text(200, "")
    }

    /// Keeps the dialog open and shows a fault under a field of it.
    #[must_use]
    pub fn fault(field: &str, text: &str) -> Self {
        let faults = json!({"response_action": "errors", "errors": {field: plain(text, MAX_FAULT)}});
        Self { status: 200, text: faults.to_string(), is_json: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_531_420_618;

    fn sent(body: &[u8], sign_as: &str) -> Result<Interaction, RequestError> {
        let secret = Secret::new("a-signing-secret-of-a-test");
        let signature = signature::sign(&Secret::new(sign_as), NOW, body).unwrap();
        let timestamp = NOW.to_string();
        receive(&secret, &Request { timestamp: Some(&timestamp), signature: Some(&signature), body }, NOW)
    }

    #[test]
    fn scenario_08_the_signature_is_asked_for_before_the_body() {
        let forged = sent(b"payload=[]", "another-signing-secret").unwrap_err();
        assert_eq!(forged, RequestError::Signature(SignatureError::Mismatch));
        assert_eq!(forged.response().status, 401);
        let nonsense = sent(b"payload=[]", "a-signing-secret-of-a-test").unwrap_err();
        assert_eq!(nonsense, RequestError::Interaction(InteractionError::NotPayload));
        assert_eq!(nonsense.response().status, 400);
    }

    #[test]
    fn a_fault_stands_under_its_field_and_is_cut() {
        let response = HttpResponse::fault("reason", &"x".repeat(900));
        let answer: serde_json::Value = serde_json::from_str(&response.text).unwrap();
        assert!(response.is_json && response.status == 200);
        assert_eq!(answer["response_action"], "errors");
        assert_eq!(answer["errors"]["reason"].as_str().unwrap().chars().count(), MAX_FAULT);
    }
}
