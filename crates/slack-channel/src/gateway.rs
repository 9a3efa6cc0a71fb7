//! Requests and answers of the HTTP API: bytes in as they were sent, a small text out.

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use aws_lambda_events::encodings::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cordon_slack::interaction::MAX_BODY_BYTES;
use cordon_slack::signature::{SIGNATURE_HEADER, TIMESTAMP_HEADER};
use cordon_slack::{HttpResponse, Request};

pub use aws_lambda_events::apigw::ApiGatewayV2httpRequest;

/// A header's value; `None` where it is missing or not text.
fn header<'a>(request: &'a ApiGatewayV2httpRequest, name: &str) -> Option<&'a str> {
    request.headers.get(name).and_then(|value| value.to_str().ok())
}

/// The bytes as they were sent and signed. `None` where the gateway's base64 is broken or the body is larger than any click.
#[must_use]
pub fn raw_body(request: &ApiGatewayV2httpRequest) -> Option<Vec<u8>> {
    let body = request.body.as_deref().unwrap_or_default();
    if body.len() > MAX_BODY_BYTES * 2 {
        return None;
    }
    if request.is_base64_encoded { STANDARD.decode(body).ok() } else { Some(body.as_bytes().to_vec()) }
}

/// The request as Slack signed it, with the bytes that [`raw_body`] gave.
#[must_use]
pub fn signed<'a>(request: &'a ApiGatewayV2httpRequest, body: &'a [u8]) -> Request<'a> {
    Request { timestamp: header(request, TIMESTAMP_HEADER), signature: header(request, SIGNATURE_HEADER), body }
}

/// The answer, as plain text or JSON.
#[must_use]
pub fn response(reply: HttpResponse) -> ApiGatewayV2httpResponse {
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = i64::from(reply.status);
    let content_type = if reply.is_json { "application/json" } else { "text/plain; charset=utf-8" };
    response.headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response.body = Some(Body::Text(reply.text));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(body: &str, is_base64_encoded: bool) -> ApiGatewayV2httpRequest {
        let mut request = ApiGatewayV2httpRequest::default();
        request.body = Some(body.to_owned());
        request.is_base64_encoded = is_base64_encoded;
        request
    }

    #[test]
    fn the_body_is_what_was_sent_whether_the_gateway_encoded_it_or_not() {
        assert_eq!(raw_body(&request("payload=x", false)).unwrap(), b"payload=x");
        assert_eq!(raw_body(&request("cGF5bG9hZD14", true)).unwrap(), b"payload=x");
        assert_eq!(raw_body(&request("/w==", true)).unwrap(), [0xff]);
        assert_eq!(raw_body(&ApiGatewayV2httpRequest::default()).unwrap(), b"");
    }

    #[test]
    fn scenario_10_broken_base64_and_a_body_larger_than_any_click_are_refused_before_they_are_read() {
        assert_eq!(raw_body(&request("%%%", true)), None);
        assert_eq!(raw_body(&request(&"x".repeat(2 * MAX_BODY_BYTES + 1), false)), None);
    }
}
