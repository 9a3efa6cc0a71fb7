//! The structural index of a value's keys: where each key stands, and how many brackets are open around it. Nothing is checked.

use fearless_simd::{Level, Simd, dispatch};

use crate::masks::{Masks, StringCarry, Strings, below, blocks, positions};

/// A key of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPosition {
    /// The offset of the key's first character, behind its opening quote.
    pub start: usize,
    /// The offset of its colon. The closing quote stands right before it.
    pub colon: usize,
    /// How many brackets are open around it: 1 for a key of the value itself.
    pub depth: usize,
}

impl KeyPosition {
    /// The key as it is written in `value`, with its escapes and without its quotes.
    #[inline]
    #[must_use]
    pub fn name<'v>(&self, value: &'v [u8]) -> Option<&'v [u8]> {
        value.get(self.start..self.colon.checked_sub(1)?)
    }

    /// The text behind the key's colon.
    #[inline]
    #[must_use]
    pub fn behind<'v>(&self, value: &'v [u8]) -> Option<&'v [u8]> {
        value.get(self.colon + 1..)
    }
}

/// Lists every key of a JSON value in its order, whatever its name. `keys` is emptied first.
///
/// The value has to be one that [`Scanner::scan`](crate::Scanner::scan) called valid; of any other text the positions mean
/// nothing.
pub fn index_keys(level: Level, value: &[u8], keys: &mut Vec<KeyPosition>) {
    keys.clear();
    dispatch!(level, simd => index(simd, value, keys));
}

#[inline(always)]
fn index<S: Simd>(simd: S, value: &[u8], keys: &mut Vec<KeyPosition>) {
    let (blocks, last) = blocks(value);
    let (mut carry, mut depth) = (StringCarry::default(), 0);
    // Where the last string before the block begins.
    let mut string_start = 0;
    for (base, block) in (0..).step_by(64).zip(blocks.iter().chain([&last])) {
        let masks = Masks::of(simd, block);
        let strings = Strings::of(&masks, &mut carry);
        let outside = strings.outside();
        let (open, close, string_starts) = (masks.open & outside, masks.close & outside, strings.quote & strings.inside);
        // Of what is not JSON, the depth may be below 0: it means nothing then.
        let depth_at = |left: u64| {
            usize::wrapping_add(depth, (open & left).count_ones() as usize).wrapping_sub((close & left).count_ones() as usize)
        };
        let start_before = |left: u64| match string_starts & left {
            0 => string_start,
            starts => base + 64 - starts.leading_zeros() as usize,
        };
        keys.extend(positions(masks.colon & outside).map(|bit| {
            let left = below(1 << bit);
            KeyPosition { start: start_before(left), colon: base + bit, depth: depth_at(left) }
        }));
        (depth, string_start) = (depth_at(!0), start_before(!0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::levels;

    #[test]
    fn no_text_causes_a_panic() {
        for level in levels() {
            for text in ["X\"\"]", "]]]:", "\"", ":", "}:", ""] {
                index_keys(level, text.as_bytes(), &mut Vec::new());
            }
        }
    }

    #[test]
    fn keys_are_listed_with_their_depth() {
        for (level, padding) in levels().into_iter().flat_map(|level| (0..130).map(move |padding| (level, padding))) {
            let padding = "x:{".repeat(padding);
            let text = format!(r#"{{"{padding}":1,"a":{{"b\":":[{{"c":"}}:"}}],"d":{{}}}},"e":null}}"#);
            let mut keys = Vec::new();
            index_keys(level, text.as_bytes(), &mut keys);
            let found: Vec<(&[u8], usize)> = keys.iter().map(|key| (key.name(text.as_bytes()).unwrap(), key.depth)).collect();
            let expected: [(&[u8], usize); 6] =
                [(padding.as_bytes(), 1), (b"a", 1), (br#"b\":"#, 2), (b"c", 4), (b"d", 2), (b"e", 1)];
            assert_eq!(found, expected, "{text}");
            assert!(keys.last().unwrap().behind(text.as_bytes()).unwrap().starts_with(b"null"));
        }
    }
}
