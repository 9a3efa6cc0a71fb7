//! One JSON value, measured and checked sixty-four bytes at a time.
//!
//! Decides where an object ends, whether it is certainly JSON, and where in it the keys stand that somebody asked for. It
//! never calls certain what `serde_json` would refuse. It may leave good JSON uncertain, which then is parsed in full: escapes
//! by number, text beyond ASCII, numbers with exponents, very deep nesting.
//!
//! The masks are those of Langdale and Lemire, "Parsing Gigabytes of JSON per Second" (VLDB Journal 28, 2019): one bit a byte
//! for quotes, brackets and separators, and a running exclusive or over the quotes for what lies inside a text. Unlike there,
//! no list of tokens is made: the grammar is checked on the masks, and only brackets, keys and bare values are looked at.
//!
//! There are two ways over a value: `grammar`, on every processor, and `tight`, with AVX-512 and where no space stands between
//! texts. Tests hold them against each other. Where the second leaves something uncertain, the first one looks again.

mod block;
mod colons;
mod grammar;
mod keys;
mod nest;
mod notes;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod tight;

use fearless_simd::{Level, Simd, dispatch};

use self::block::blocks;
pub(crate) use self::colons::{Colon, colons};
use self::grammar::Walk;
use self::keys::Finds;
pub(crate) use self::keys::{KeyId, Keys};
use self::notes::Notes;

/// Values with and without spaces seldom follow each other.
const LOOSE: u32 = 8;

/// Where a wanted key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) key: KeyId,
    /// How many brackets are open around it: 1 for a key of the object itself.
    pub(crate) depth: u32,
    /// The offset behind its colon.
    pub(crate) value: usize,
}

/// What a look at the bytes came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The value ends before this offset. Where it is certain, it is JSON and every wanted key was found.
    Whole { len: usize, certain: bool },
    /// The bytes end inside the value.
    Unfinished,
}

/// Looks at JSON values, one after the other.
#[derive(Debug)]
pub(crate) struct Scanner<'k> {
    level: Level,
    #[cfg(target_arch = "x86_64")]
    tight: Option<tight::Tight>,
    /// So many values are not looked at tightly, because the ones before had spaces.
    loose: u32,
    keys: &'k Keys,
    found: Vec<Found>,
    notes: Notes,
}

impl<'k> Scanner<'k> {
    pub(crate) fn new(keys: &'k Keys) -> Self {
        let level = Level::new();
        Self {
            level,
            #[cfg(target_arch = "x86_64")]
            tight: level.as_avx512().map(tight::Tight::new),
            loose: 0,
            keys,
            found: Vec::new(),
            notes: Notes::new(),
        }
    }

    /// The same without what only some processors have.
    #[cfg(test)]
    fn general(self) -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            tight: None,
            ..self
        }
    }

    /// Looks at other bytes than before from now on.
    pub(crate) fn forget(&mut self) {
        #[cfg(target_arch = "x86_64")]
        self.tight.iter_mut().for_each(tight::Tight::forget);
    }

    /// Measures the object or list in a window that begins with its bracket at `from`, and has to end before `to`. The bytes of the
    /// window are the same from call to call, or are forgotten.
    pub(crate) fn measure(&mut self, window: &[u8], from: usize, to: usize) -> Extent {
        self.found.clear();
        let mut finds = Finds { keys: self.keys, from, found: &mut self.found };
        #[cfg(target_arch = "x86_64")]
        if let Some(tight) = self.tight.as_mut().filter(|_| self.loose == 0) {
            let extent = tight.measure(window, from, to, &mut finds);
            if !matches!(extent, Extent::Whole { certain: false, .. }) {
                return extent;
            }
            finds.found.clear();
            self.loose = LOOSE;
        }
        self.loose = self.loose.saturating_sub(1);
        finds.from = 0;
        let bytes = window.get(from..to).unwrap_or_default();
        dispatch!(self.level, simd => measure(simd, bytes, &mut self.notes, &mut finds))
    }

    /// The wanted keys of the value that was measured last, in their order. Only of a certain one are they all there.
    pub(crate) fn found(&self) -> &[Found] {
        &self.found
    }
}

#[inline(always)]
fn measure<S: Simd>(simd: S, bytes: &[u8], notes: &mut Notes, finds: &mut Finds<'_>) -> Extent {
    notes.clear();
    let mut walk = Walk::new();
    let (blocks, last) = blocks(bytes);
    let end = walk.over(simd, blocks, bytes, notes, finds).or_else(|| walk.over(simd, &[last], bytes, notes, finds));
    let Some(len) = end else { return Extent::Unfinished };
    let certain = notes.settle(bytes, len, finds) && walk.is_certain();
    Extent::Whole { len, certain }
}
