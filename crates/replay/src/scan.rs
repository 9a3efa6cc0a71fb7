//! One JSON value, measured and checked sixty-four bytes at a time.
//!
//! Decides where an object ends, whether it is certainly JSON, and where in it the keys stand that somebody asked for. It
//! never calls certain what `serde_json` would refuse. It may leave good JSON uncertain, which then is parsed in full: escapes
//! by number, text beyond ASCII, numbers with exponents, very deep nesting.
//!
//! The masks are those of Langdale and Lemire, "Parsing Gigabytes of JSON per Second" (VLDB Journal 28, 2019): one bit a byte
//! for quotes, brackets and separators, and a running exclusive or over the quotes for what lies inside a text. Unlike there,
//! no list of tokens is made: the grammar is checked on the masks, and only brackets, keys and bare values are looked at.

mod block;
mod grammar;
mod keys;
mod nest;
#[cfg(test)]
mod tests;

use fearless_simd::{Level, Simd, dispatch};

use self::grammar::Walk;
use self::keys::Finds;
pub(crate) use self::keys::{KeyId, Keys};

/// A longer number is left uncertain: it may be too large for any type.
const MAX_NUMBER_LEN: usize = 40;

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
    keys: &'k Keys,
    found: Vec<Found>,
}

impl<'k> Scanner<'k> {
    pub(crate) fn new(keys: &'k Keys) -> Self {
        Self { level: Level::new(), keys, found: Vec::new() }
    }

    /// Measures the object or list that the bytes begin with; they have to begin with its bracket.
    pub(crate) fn measure(&mut self, bytes: &[u8]) -> Extent {
        self.found.clear();
        let mut finds = Finds { keys: self.keys, found: &mut self.found };
        dispatch!(self.level, simd => measure(simd, bytes, &mut finds))
    }

    /// The wanted keys of the value that was measured last, in their order. Only of a certain one are they all there.
    pub(crate) fn found(&self) -> &[Found] {
        &self.found
    }
}

#[inline(always)]
fn measure<S: Simd>(simd: S, bytes: &[u8], finds: &mut Finds<'_>) -> Extent {
    let mut walk = Walk::new();
    let (blocks, rest) = bytes.as_chunks::<64>();
    let mut end = walk.over(simd, blocks, bytes, finds);
    if end.is_none() {
        let mut last = [b' '; 64];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        end = walk.over(simd, &[last], bytes, finds);
    }
    let Some(len) = end else { return Extent::Unfinished };
    while finds.found.last().is_some_and(|found| found.value > len) {
        finds.found.pop();
    }
    Extent::Whole { len, certain: walk.is_certain() }
}

/// True where the bytes begin with `true`, `false`, `null` or a plain number, and no more of the kind follows.
#[inline(always)]
fn is_bare_value(bytes: &[u8]) -> bool {
    let rest = match bytes {
        [b't', b'r', b'u', b'e', rest @ ..] | [b'n', b'u', b'l', b'l', rest @ ..] => rest,
        [b'f', b'a', b'l', b's', b'e', rest @ ..] => rest,
        _ => match after_number(bytes) {
            Some(rest) if bytes.len() - rest.len() <= MAX_NUMBER_LEN => rest,
            Some(_) | None => return false,
        },
    };
    rest.first().is_none_or(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'))
}

fn after_number(bytes: &[u8]) -> Option<&[u8]> {
    let whole = match bytes.strip_prefix(b"-").unwrap_or(bytes) {
        [b'0', rest @ ..] => rest,
        [b'1'..=b'9', rest @ ..] => after_digits(rest),
        _ => return None,
    };
    match whole {
        [b'.', b'0'..=b'9', rest @ ..] => Some(after_digits(rest)),
        _ => Some(whole),
    }
}

fn after_digits(bytes: &[u8]) -> &[u8] {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    bytes.get(digits..).unwrap_or_default()
}
