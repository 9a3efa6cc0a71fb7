//! Decides whether a request was signed by Slack (or whoever else holds the signing secret), over the raw bytes of its body.
//!
//! It must run before anything is parsed, and it must never say what the right signature would have been: neither an error nor a
//! log line of this module carries a computed value. A replay inside the five minutes passes here; that it has no second effect is
//! for the conditional write of the decision to ensure.
//!
//! Source: <https://docs.slack.dev/authentication/verifying-requests-from-slack>

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::secret::Secret;

/// The name of the header that carries the signature.
pub const SIGNATURE_HEADER: &str = "x-slack-signature";
/// The name of the header that carries the time of signing, in seconds since the epoch.
pub const TIMESTAMP_HEADER: &str = "x-slack-request-timestamp";
/// How far a timestamp may lie from now, either way.
pub const TOLERANCE_S: u64 = 300;

const VERSION: &str = "v0";
const DIGEST_BYTES: usize = 32;

/// Why a request is refused. None of them tells a forger anything but which header to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A header that is not there; named.
    #[error("the request has no `{0}` header")]
    Missing(&'static str),
    /// A timestamp that is not digits alone.
    #[error("the timestamp is not a number of seconds")]
    BadTimestamp,
    /// A request that is too old, or from the future: possibly a replay.
    #[error("the timestamp is more than {TOLERANCE_S} seconds away from now")]
    OutsideWindow,
    /// A signature of another shape or version.
    #[error("the signature is not `v0=` and 64 hexadecimal digits")]
    BadFormat,
    /// A signature of another secret, time or body.
    #[error("the signature does not match")]
    Mismatch,
    /// A secret that everybody knows.
    #[error("the signing secret is empty")]
    EmptySecret,
}

/// Checks a request as Slack documents it. `body` is what arrived, after base64 if the gateway applied that, before any decoding.
///
/// # Errors
/// The first check that the request does not pass.
pub fn verify(
    secret: &Secret,
    timestamp: Option<&str>,
    signature: Option<&str>,
    body: &[u8],
    now_epoch_seconds: i64,
) -> Result<(), SignatureError> {
    let timestamp = timestamp.ok_or(SignatureError::Missing(TIMESTAMP_HEADER))?;
    let signature = signature.ok_or(SignatureError::Missing(SIGNATURE_HEADER))?;
    if seconds(timestamp)?.abs_diff(now_epoch_seconds) > TOLERANCE_S {
        return Err(SignatureError::OutsideWindow);
    }
    let claimed = digest_of(signature)?;
    keyed(secret, timestamp, body)?.verify_slice(&claimed).map_err(|_| SignatureError::Mismatch)
}

/// Signs a body as Slack would: the value of the signature header. For stand-ins and for tests.
///
/// # Errors
/// Where the secret is empty.
pub fn sign(secret: &Secret, timestamp: i64, body: &[u8]) -> Result<String, SignatureError> {
    let digest = keyed(secret, &timestamp.to_string(), body)?.finalize().into_bytes();
    Ok(format!("{VERSION}={}", hex::encode(digest)))
}

/// Only digits: a sign, a space or a fraction would make two spellings of one second.
fn seconds(timestamp: &str) -> Result<i64, SignatureError> {
    if timestamp.is_empty() || !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(SignatureError::BadTimestamp);
    }
    timestamp.parse().map_err(|_| SignatureError::BadTimestamp)
}

fn digest_of(signature: &str) -> Result<[u8; DIGEST_BYTES], SignatureError> {
    let digits = signature.strip_prefix("v0=").ok_or(SignatureError::BadFormat)?;
    let mut digest = [0; DIGEST_BYTES];
    hex::decode_to_slice(digits, &mut digest).map_err(|_| SignatureError::BadFormat)?;
    Ok(digest)
}

fn keyed(secret: &Secret, timestamp: &str, body: &[u8]) -> Result<Hmac<Sha256>, SignatureError> {
    // An empty key is a valid HMAC key, and one that everybody knows.
    if secret.expose().is_empty() {
        return Err(SignatureError::EmptySecret);
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).map_err(|_| SignatureError::EmptySecret)?;
    mac.update(VERSION.as_bytes());
    mac.update(b":");
    mac.update(timestamp.as_bytes());
    mac.update(b":");
    mac.update(body);
    Ok(mac)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_531_420_618;

    fn secret() -> Secret {
        Secret::new("a-signing-secret-of-a-test")
    }

    fn check(timestamp: &str, signature: &str, body: &[u8]) -> Result<(), SignatureError> {
        verify(&secret(), Some(timestamp), Some(signature), body, NOW)
    }

    #[test]
    fn the_example_of_slacks_own_documentation_verifies() {
        let secret = Secret::new("8f742231b10e8888abcd99yyyzzz85a5");
        let body = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
        let signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
        assert_eq!(verify(&secret, Some("1531420618"), Some(signature), body, NOW), Ok(()));
        assert_eq!(sign(&secret, NOW, body).as_deref(), Ok(signature));
    }

    #[test]
    fn scenario_09_the_window_is_300_seconds_either_way_and_no_more() {
        for (offset, expected) in
            [(-300, Ok(())), (300, Ok(())), (-301, Err(SignatureError::OutsideWindow)), (301, Err(SignatureError::OutsideWindow))]
        {
            let at = NOW + offset;
            let signature = sign(&secret(), at, b"body").unwrap();
            assert_eq!(check(&at.to_string(), &signature, b"body"), expected, "{offset}");
        }
    }

    #[test]
    fn scenario_09_a_timestamp_that_is_no_plain_number_is_refused_without_a_panic() {
        let signature = sign(&secret(), NOW, b"body").unwrap();
        let minimum = i64::MIN.to_string();
        for timestamp in ["", "abc", "-1", "+1531420618", " 1531420618", "1531420618.0", "١٥٣١", "99999999999999999999", &minimum]
        {
            assert_eq!(check(timestamp, &signature, b"body"), Err(SignatureError::BadTimestamp), "{timestamp}");
        }
        assert_eq!(check(&i64::MAX.to_string(), &signature, b"body"), Err(SignatureError::OutsideWindow));
        let at_minimum = verify(&secret(), Some("1531420618"), Some(&signature), b"body", i64::MIN);
        assert_eq!(at_minimum, Err(SignatureError::OutsideWindow));
    }

    #[test]
    fn scenario_08_a_signature_of_another_shape_is_refused() {
        let good = sign(&secret(), NOW, b"body").unwrap();
        let long = format!("{good}00");
        let short = good.get(..good.len() - 2).unwrap();
        let other_version = good.replace("v0=", "v1=");
        for signature in ["", "v0=", "v0=é", "ünlesbar", short, &long, &other_version, &"v0=g".repeat(40)] {
            assert_eq!(check("1531420618", signature, b"body"), Err(SignatureError::BadFormat), "{signature}");
        }
    }

    #[test]
    fn a_missing_header_is_named() {
        assert_eq!(verify(&secret(), None, Some("v0=00"), b"", NOW), Err(SignatureError::Missing(TIMESTAMP_HEADER)));
        assert_eq!(verify(&secret(), Some("1"), None, b"", NOW), Err(SignatureError::Missing(SIGNATURE_HEADER)));
    }

    #[test]
    fn an_empty_secret_verifies_nothing() {
        let empty = Secret::new("");
        let zeros = format!("v0={}", "0".repeat(64));
        assert_eq!(verify(&empty, Some("1531420618"), Some(&zeros), b"", NOW), Err(SignatureError::EmptySecret));
    }

    #[test]
    fn scenario_08_a_refusal_never_carries_the_right_signature() {
        let right = sign(&secret(), NOW, b"body").unwrap();
        let wrong = format!("v0={}", "0".repeat(64));
        let error = check("1531420618", &wrong, b"body").unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(!said.contains(right.trim_start_matches("v0=")));
    }

    proptest! {
        #[test]
        fn whatever_arrives_is_answered_without_a_panic(timestamp in ".*", signature in ".*", body: Vec<u8>, now: i64) {
            prop_assert!(verify(&secret(), Some(&timestamp), Some(&signature), &body, now).is_err());
        }

        #[test]
        fn what_was_signed_verifies_and_a_changed_body_does_not(body: Vec<u8>, at in 0_i64..i64::MAX) {
            let signature = sign(&secret(), at, &body).unwrap();
            let timestamp = at.to_string();
            prop_assert_eq!(verify(&secret(), Some(&timestamp), Some(&signature), &body, at), Ok(()));
            let mut changed = body;
            changed.push(0);
            prop_assert_eq!(
                verify(&secret(), Some(&timestamp), Some(&signature), &changed, at),
                Err(SignatureError::Mismatch)
            );
        }
    }
}
