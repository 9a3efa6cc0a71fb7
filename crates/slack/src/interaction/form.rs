//! Takes the one `payload` field out of an `application/x-www-form-urlencoded` body.
//!
//! Stricter than a browser's form: two fields of the name, half an escape, or bytes that are not UTF-8 are refused, because what
//! reads a body differently from whoever signed it is how a signature gets to cover something else.

use percent_encoding::percent_decode;

use super::InteractionError;

/// The one `payload` field, decoded.
pub(super) fn payload_field(body: &[u8]) -> Result<String, InteractionError> {
    let mut found = None;
    for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = decode(halves.next().unwrap_or_default())?;
        let value = decode(halves.next().unwrap_or_default())?;
        if name == "payload" && found.replace(value).is_some() {
            return Err(InteractionError::TwoPayloads);
        }
    }
    found.ok_or(InteractionError::NoPayload)
}

/// Form decoding that refuses what a browser's would paper over: half an escape, and bytes that are not UTF-8.
fn decode(encoded: &[u8]) -> Result<String, InteractionError> {
    let mut after_signs = encoded.split(|byte| *byte == b'%').skip(1);
    if !after_signs.all(|rest| matches!(rest, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())) {
        return Err(InteractionError::NotForm);
    }
    let spaced: Vec<u8> = encoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let decoded = percent_decode(&spaced).decode_utf8().map_err(|_| InteractionError::NotForm)?;
    Ok(decoded.into_owned())
}
