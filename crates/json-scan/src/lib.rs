//! A scanner for JSON: it finds where a value ends, proves that it is JSON, and finds a few known keys in it, without parsing it.
//!
//! Decides for the text of an object or a list whether `serde_json` would read it. INVARIANT: what it calls [`Scan::Valid`],
//! `serde_json` reads, and the keys that were found are all that there are. It never guesses: valid JSON that it cannot prove to
//! be JSON is [`Scan::Unproven`], and a parser has to look. That concerns escapes by number, non-ASCII text, numbers with an
//! exponent or of more than 40 characters, space between a key and its colon, and nesting deeper than 60.
//!
//! The text is read in blocks of 64 bytes, each turned into bit masks: quotes, structural characters, white space. A prefix
//! exclusive-or over the unescaped quotes gives the string mask. That is the first stage of Langdale and Lemire, "Parsing
//! Gigabytes of JSON per Second" (The VLDB Journal 28, 2019, <https://arxiv.org/abs/1902.08318>). There, a structural index of all
//! tokens is written and walked over by a second stage. Here, the grammar is checked on the masks themselves (`grammar`), and
//! only brackets, possible keys and scalars are looked at one by one.
//!
//! The same code is compiled for every instruction set ([`Level`]), with a scalar one for all others; the tests force each.

mod candidates;
mod grammar;
mod index;
mod keys;
mod masks;
mod nesting;
#[cfg(test)]
mod tests;

pub use fearless_simd::Level;
use fearless_simd::{Simd, dispatch};

use self::candidates::Candidates;
use self::grammar::Validator;
pub use self::index::{KeyPosition, index_keys};
pub use self::keys::{KeyId, KeySet};
use self::masks::blocks;

/// A wanted key of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundKey {
    /// Which key it is.
    pub key: KeyId,
    /// How many brackets are open around it: 1 for a key of the value itself.
    pub depth: u32,
    /// The offset behind its colon, where its value begins or white space before it.
    pub value: usize,
}

/// What a scan tells of the value with which a text begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scan<'s> {
    /// The text ends inside the value.
    Unfinished,
    /// The value is `len` bytes long if it is JSON, which only a parser can tell.
    Unproven {
        /// In bytes.
        len: usize,
    },
    /// The value is JSON.
    Valid {
        /// In bytes.
        len: usize,
        /// Every wanted key in it, in the order of their places.
        keys: &'s [FoundKey],
    },
}

/// Scans values, one after the other, for the same keys.
#[derive(Debug)]
pub struct Scanner<'k> {
    level: Level,
    keys: &'k KeySet,
    found: Vec<FoundKey>,
    candidates: Candidates,
}

impl<'k> Scanner<'k> {
    /// A scanner with the best instruction set of this machine.
    #[must_use]
    pub fn new(keys: &'k KeySet) -> Self {
        Self::with_level(keys, Level::new())
    }

    /// A scanner with a given instruction set, for tests and measurements.
    #[must_use]
    pub fn with_level(keys: &'k KeySet, level: Level) -> Self {
        Self { level, keys, found: Vec::new(), candidates: Candidates::new() }
    }

    /// Scans the object or list with whose bracket the text begins. Whatever stands behind the value does not matter.
    ///
    /// A text that begins with anything else is never valid. Offsets are worked out in 32 bits: of a text longer than 4 GiB, only
    /// that much is scanned.
    pub fn scan(&mut self, text: &[u8]) -> Scan<'_> {
        let text = text.get(..u32::MAX as usize).unwrap_or(text);
        self.found.clear();
        let Self { level, keys, found, candidates } = self;
        let Some((len, proven)) = dispatch!(*level, simd => scan(simd, text, keys, candidates, found)) else {
            return Scan::Unfinished;
        };
        if proven && matches!(text, [b'{' | b'[', ..]) { Scan::Valid { len, keys: &self.found } } else { Scan::Unproven { len } }
    }
}

/// The length of the value, and whether it is proven; `None` if its end is not there.
#[inline(always)]
fn scan<S: Simd>(
    simd: S,
    text: &[u8],
    keys: &KeySet,
    candidates: &mut Candidates,
    found: &mut Vec<FoundKey>,
) -> Option<(usize, bool)> {
    candidates.clear();
    let mut validator = Validator::new();
    let (blocks, last) = blocks(text);
    let mut take = |blocks: &[[u8; 64]]| validator.take(simd, blocks, text, candidates, keys, found);
    let len = take(blocks).or_else(|| take(&[last]))?;
    let proven = candidates.check(text, len, keys, found) && validator.is_proven();
    Some((len, proven))
}

/// The instruction sets of this machine, the scalar one first: what a test has to try.
#[must_use]
pub fn levels() -> Vec<Level> {
    let mut levels = vec![Level::fallback()];
    let best = Level::new();
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        levels.extend(best.as_sse2().map(Level::Sse2));
        levels.extend(best.as_sse4_2().map(Level::Sse4_2));
        levels.extend(best.as_avx2().map(Level::Avx2));
        levels.extend(best.as_avx512().map(Level::Avx512));
    }
    #[cfg(target_arch = "aarch64")]
    levels.extend(best.as_neon().map(Level::Neon));
    levels
}
