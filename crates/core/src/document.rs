//! The text of a policy document, as AWS hands it out.
//!
//! CloudTrail carries a document as JSON in a string; IAM's read calls percent-encode it, after
//! [RFC 3986](https://www.rfc-editor.org/rfc/rfc3986#section-2.1) ("`GetUserPolicy`", IAM API reference). Decoding is here and
//! nowhere else, so that detection, remedies and the IAM client read the same document.

use std::borrow::Cow;
use std::str::Utf8Error;

use percent_encoding::percent_decode_str;

use crate::principal::Principal;

/// A percent-encoded document whose bytes are not UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policy document is not UTF-8")]
pub struct NotUtf8(#[source] Utf8Error);

/// The document as JSON. A text that begins as JSON does (`{`, or `"` for JSON in a string) is kept as it is, so that a `%` inside
/// it stays; any other is decoded once. A `+` is a `+`, for this is no form, and a `%` that encodes nothing stays.
///
/// # Errors
/// [`NotUtf8`].
pub fn decode(text: &str) -> Result<Cow<'_, str>, NotUtf8> {
    if text.trim_start().starts_with(['{', '"']) {
        return Ok(Cow::Borrowed(text));
    }
    percent_decode_str(text).decode_utf8().map_err(NotUtf8)
}

/// Where a document stands in IAM that a record lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// An inline policy.
    Inline {
        /// Of this user, role or group.
        principal: Principal,
        /// Its name.
        name: String,
    },
    /// A version of a managed policy.
    Version {
        /// The policy's ARN.
        policy: String,
        /// The version; without one the default.
        version: Option<String>,
    },
    /// A trust policy.
    Trust {
        /// Of this role.
        role: Principal,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_decoded_once_and_a_plain_one_is_kept() {
        let plain = "{ \"Resource\": \"arn:aws:s3:::a%2Fb+c/ü\" }";
        let encoded = "%7B%20%22Resource%22%3A%20%22arn%3Aaws%3As3%3A%3A%3Aa%252Fb%2Bc%2F%C3%BC%22%20%7D";
        assert_eq!(decode(encoded).unwrap(), plain);
        assert_eq!(decode(plain).unwrap(), plain);
        assert_eq!(decode(" \n{\"a\": \"%7B\"}").unwrap(), " \n{\"a\": \"%7B\"}");
        assert_eq!(decode("\"{\\\"a\\\": \\\"%7B\\\"}\"").unwrap(), "\"{\\\"a\\\": \\\"%7B\\\"}\"");
        assert_eq!(decode("%7b%22a%22%7D").unwrap(), "{\"a\"}");
    }

    #[test]
    fn a_percent_sign_that_encodes_nothing_stays() {
        for (text, expected) in [("100%", "100%"), ("%zz%4", "%zz%4"), ("%7B%", "{%"), ("%%37B", "%7B"), ("", "")] {
            assert_eq!(decode(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn a_plus_is_no_space() {
        assert_eq!(decode("%7B%22a%22%3A%22b+c%2Bd%22%7D").unwrap(), "{\"a\":\"b+c+d\"}");
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_and_not_replaced() {
        for text in ["%FF", "%7B%22a%22%3A%22%C3%22%7D", "%ED%A0%80"] {
            assert!(decode(text).is_err(), "{text}");
        }
    }
}
