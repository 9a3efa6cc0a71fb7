//! A cache of texts that passed none of the tests of their key.
//!
//! Names of services and calls, user agents and the like are the same few texts over and over. An entry depends on the key and the
//! text alone, never on the record around them. The number of entries is fixed: a new one replaces an old one.

use cordon_json_scan::KeyId;

const ENTRIES: usize = 512;
/// A longer text seldom comes twice.
const MAX_TEXT_BYTES: usize = 256;

/// The texts with both quotes and without escapes, so that a value which begins with one is that text.
#[derive(Debug)]
pub(crate) struct Misses {
    entries: Vec<(KeyId, Vec<u8>)>,
}

impl Misses {
    pub(crate) fn new() -> Self {
        Self { entries: vec![(KeyId::MAX, Vec::new()); ENTRIES] }
    }

    /// True if `value` begins with a cached text of the key.
    #[inline]
    pub(super) fn contains(&self, key: KeyId, value: &[u8]) -> bool {
        self.entries.get(entry(key, value)).is_some_and(|(known, there)| *known == key && value.starts_with(there))
    }

    /// Adds the text with which `value` begins. `text` is without its quotes.
    pub(super) fn insert(&mut self, key: KeyId, value: &[u8], text: &[u8]) {
        if let Some(quoted) = value.get(..text.len() + 2).filter(|quoted| quoted.len() <= MAX_TEXT_BYTES)
            && let Some((known, there)) = self.entries.get_mut(entry(key, value))
        {
            *known = key;
            there.clear();
            there.extend_from_slice(quoted);
        }
    }
}

/// The entry of a text, by a hash of its first bytes. Behind a short text mostly the same key follows every time.
#[inline]
fn entry(key: KeyId, value: &[u8]) -> usize {
    let (chunks, _) = value.as_chunks::<8>();
    let mut chunks = chunks.iter().map(|chunk| u64::from_le_bytes(*chunk));
    let mut next = || chunks.next().unwrap_or_default();
    let mixed = (next() ^ u64::from(key) << 56).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ next().rotate_left(29) ^ next();
    (mixed.wrapping_mul(0xd6e8_feb8_6659_fd93) >> 55) as usize % ENTRIES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_text_of_the_same_key_is_known() {
        let mut misses = Misses::new();
        let insert =
            |misses: &mut Misses, key, text: &str| misses.insert(key, format!("\"{text}\",\"z\":1").as_bytes(), text.as_bytes());
        let contains = |misses: &Misses, key, text: &str| misses.contains(key, format!("\"{text}\",\"z\":1").as_bytes());
        assert!(!contains(&misses, 1, ""));
        insert(&mut misses, 1, "aws-cli/2.31.4");
        assert!(contains(&misses, 1, "aws-cli/2.31.4"));
        assert!(!contains(&misses, 2, "aws-cli/2.31.4"));
        assert!(!contains(&misses, 1, "aws-cli/2.31.5"));
        assert!(!contains(&misses, 1, "aws-cli/2.31.40"));
        assert!(!misses.contains(1, b"\"aws-cli/2.31.4"));
        let long = "x".repeat(MAX_TEXT_BYTES);
        insert(&mut misses, 1, &long);
        assert!(!contains(&misses, 1, &long));
        for n in 0..10_000 {
            insert(&mut misses, 1, &format!("agent {n}"));
        }
        assert!(contains(&misses, 1, "agent 9999"));
        assert_eq!(misses.entries.len(), ENTRIES);
    }
}
