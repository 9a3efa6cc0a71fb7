//! Texts that were held against the tests of their key not long ago and passed none of them.
//!
//! Names of services and calls, user agents and the like are the same few texts over and over. What is remembered depends on the
//! key and the text alone, never on the record around them. It is a fixed number of places: a new text takes that of an old one.

use cordon_json_scan::KeyId;

const PLACES: usize = 512;
/// A longer text is seldom seen twice.
const MAX_TEXT_BYTES: usize = 256;

/// Texts as JSON has them, with both quotes and no escape between: what begins with one is that text.
#[derive(Debug)]
pub(crate) struct Familiar {
    places: Vec<(KeyId, Vec<u8>)>,
}

impl Familiar {
    pub(crate) fn new() -> Self {
        Self { places: vec![(KeyId::MAX, Vec::new()); PLACES] }
    }

    /// True where the value that the bytes begin with is a text that is known.
    #[inline]
    pub(super) fn knows(&self, key: KeyId, value: &[u8]) -> bool {
        self.places.get(place(key, value)).is_some_and(|(known, there)| *known == key && value.starts_with(there))
    }

    /// `text`: without its quotes, which stand around it at the beginning of `value`.
    pub(super) fn learn(&mut self, key: KeyId, value: &[u8], text: &[u8]) {
        if let Some(quoted) = value.get(..text.len() + 2).filter(|quoted| quoted.len() <= MAX_TEXT_BYTES)
            && let Some((known, there)) = self.places.get_mut(place(key, value))
        {
            *known = key;
            there.clear();
            there.extend_from_slice(quoted);
        }
    }
}

/// From the first bytes. Those behind a short text are mostly the next key, the same one every time.
#[inline]
fn place(key: KeyId, value: &[u8]) -> usize {
    let (chunks, _) = value.as_chunks::<8>();
    let mut chunks = chunks.iter().map(|chunk| u64::from_le_bytes(*chunk));
    let mut next = || chunks.next().unwrap_or_default();
    let mixed = (next() ^ u64::from(key) << 56).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ next().rotate_left(29) ^ next();
    (mixed.wrapping_mul(0xd6e8_feb8_6659_fd93) >> 55) as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_text_of_the_same_key_is_known() {
        let mut familiar = Familiar::new();
        let learn = |familiar: &mut Familiar, key, text: &str| {
            familiar.learn(key, format!("\"{text}\",\"z\":1").as_bytes(), text.as_bytes())
        };
        let knows = |familiar: &Familiar, key, text: &str| familiar.knows(key, format!("\"{text}\",\"z\":1").as_bytes());
        assert!(!knows(&familiar, 1, ""));
        learn(&mut familiar, 1, "aws-cli/2.31.4");
        assert!(knows(&familiar, 1, "aws-cli/2.31.4"));
        assert!(!knows(&familiar, 2, "aws-cli/2.31.4"));
        assert!(!knows(&familiar, 1, "aws-cli/2.31.5"));
        assert!(!knows(&familiar, 1, "aws-cli/2.31.40"));
        assert!(!familiar.knows(1, b"\"aws-cli/2.31.4"));
        let long = "x".repeat(MAX_TEXT_BYTES);
        learn(&mut familiar, 1, &long);
        assert!(!knows(&familiar, 1, &long));
        for n in 0..10_000 {
            learn(&mut familiar, 1, &format!("agent {n}"));
        }
        assert!(knows(&familiar, 1, "agent 9999"));
        assert_eq!(familiar.places.len(), PLACES);
    }
}
