//! Takes the one `payload` field out of an `application/x-www-form-urlencoded` body.
//!
//! Stricter than a browser's form: two fields of the name, half an escape, or bytes that are not UTF-8 are refused, because what
//! reads a body differently from whoever signed it is how a signature gets to cover something else.

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

/// Form decoding that refuses what `form_urlencoded` would paper over: half an escape, and bytes that are not UTF-8.
fn decode(encoded: &[u8]) -> Result<String, InteractionError> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.iter().copied();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (Some(high), Some(low)) = (bytes.next(), bytes.next()) else { return Err(InteractionError::NotForm) };
                let mut one = [0];
                hex::decode_to_slice([high, low], &mut one).map_err(|_| InteractionError::NotForm)?;
                let [one] = one;
                one
            }
            _ => byte,
        });
    }
    String::from_utf8(decoded).map_err(|_| InteractionError::NotForm)
}
