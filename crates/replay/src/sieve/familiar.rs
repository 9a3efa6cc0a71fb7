//! Texts that were held against the patterns of their key not long ago and passed none of them.
//!
//! User agents and the like are the same few texts over and over. What is remembered depends on the key and the text alone,
//! never on the record around them. It is a fixed number of places: a new text takes that of an old one.

use crate::scan::KeyId;

const PLACES: usize = 128;
/// A longer text is seldom seen twice.
const MAX_TEXT_BYTES: usize = 256;

#[derive(Debug)]
pub(crate) struct Familiar {
    places: Vec<(KeyId, Vec<u8>)>,
}

impl Familiar {
    pub(crate) fn new() -> Self {
        Self { places: vec![(KeyId::MAX, Vec::new()); PLACES] }
    }

    pub(super) fn knows(&self, key: KeyId, text: &[u8]) -> bool {
        self.places.get(place(key, text)).is_some_and(|(known, there)| *known == key && there == text)
    }

    pub(super) fn learn(&mut self, key: KeyId, text: &[u8]) {
        if text.len() <= MAX_TEXT_BYTES
            && let Some((known, there)) = self.places.get_mut(place(key, text))
        {
            *known = key;
            there.clear();
            there.extend_from_slice(text);
        }
    }
}

/// From the length and both ends of a text.
fn place(key: KeyId, text: &[u8]) -> usize {
    let first = text.first_chunk::<8>().map_or(0, |chunk| u64::from_le_bytes(*chunk));
    let last = text.last_chunk::<8>().map_or(0, |chunk| u64::from_le_bytes(*chunk));
    let mixed = (first ^ last.rotate_left(23) ^ text.len() as u64 ^ u64::from(key) << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 57) as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_text_of_the_same_key_is_known() {
        let mut familiar = Familiar::new();
        assert!(!familiar.knows(1, b""));
        familiar.learn(1, b"aws-cli/2.31.4");
        assert!(familiar.knows(1, b"aws-cli/2.31.4"));
        assert!(!familiar.knows(2, b"aws-cli/2.31.4"));
        assert!(!familiar.knows(1, b"aws-cli/2.31.5"));
        familiar.learn(1, &[b'x'; MAX_TEXT_BYTES + 1]);
        assert!(!familiar.knows(1, &[b'x'; MAX_TEXT_BYTES + 1]));
        for n in 0..10_000 {
            familiar.learn(1, format!("agent {n}").as_bytes());
        }
        assert!(familiar.knows(1, b"agent 9999"));
        assert_eq!(familiar.places.len(), PLACES);
    }
}
