//! The keys that are looked for: few and known beforehand, so that nearly every other key is told apart by three of its last
//! letters, for a block of bytes at once.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use fearless_simd::{Simd, prelude::*, u8x64};

use super::Found;

/// A wanted key, by its place in the order of the names.
pub(crate) type KeyId = u16;

/// How far before the colon the letters stand by which keys are told apart: the last one, and such that `bucketName`, `eventName`
/// and `eventType` differ in one of them, and `tlsVersion` from `eventVersion`.
pub(super) const LOOKS: [usize; 3] = [2, 5, 9];
/// What may stand before a key's quote.
const BEFORE: &[u8] = b"{, \t\n\r";

/// The names of keys that are wanted, wherever in a record they stand.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    names: Vec<Name>,
    /// For each of [`LOOKS`], by the lower six bits of the character there: the groups of names that have it there, as bits.
    looks: [[u8; 64]; LOOKS.len()],
    /// By what the last two letters come to: the first name that ends so.
    first: [Option<KeyId>; 64],
}

#[derive(Debug, Clone)]
struct Name {
    /// The next name whose last letters come to the same.
    next: Option<KeyId>,
    quoted: Vec<u8>,
    /// Its last sixteen bytes, and which of them it has.
    tail: u128,
    mask: u128,
}

impl Keys {
    /// The names in order, each once. A name is letters, digits, `.`, `_` and `-`.
    pub(crate) fn new(names: &BTreeSet<&str>) -> Self {
        let mut keys = Self { names: Vec::new(), looks: [[0; 64]; LOOKS.len()], first: [None; 64] };
        for (id, name) in (0..KeyId::MAX).zip(names) {
            let quoted = format!("\"{name}\"").into_bytes();
            let unused = 16u32.saturating_sub(u32::try_from(quoted.len()).unwrap_or(16));
            let mask = u128::MAX << (8 * unused);
            for (back, groups) in LOOKS.into_iter().zip(&mut keys.looks) {
                let group = 1 << (id % 8);
                let mut letters = match quoted.len().checked_sub(back) {
                    Some(at) => quoted.get(at..=at).unwrap_or_default().to_vec(),
                    None if quoted.len() + 1 == back => BEFORE.to_vec(),
                    None => (0..64).collect(),
                };
                letters.iter_mut().for_each(|letter| *letter &= 63);
                for letter in letters {
                    groups.get_mut(usize::from(letter)).into_iter().for_each(|there| *there |= group);
                }
            }
            keys.names.push(Name { next: None, tail: tail(&quoted), quoted, mask });
        }
        // Of those that end alike, a short name is met most.
        let mut ids: Vec<KeyId> = (0..KeyId::MAX).take(keys.names.len()).collect();
        ids.sort_by_key(|id| keys.names.get(usize::from(*id)).map(|name| Reverse(name.quoted.len())));
        for id in ids {
            if let Some(name) = keys.names.get_mut(usize::from(id)) {
                name.next = keys.first.get_mut(letters(name.tail)).and_then(|first| first.replace(id));
            }
        }
        keys
    }

    pub(super) fn looks(&self) -> &[[u8; 64]; LOOKS.len()] {
        &self.looks
    }

    /// The key that ends where the bytes end, with its quote, if it is a wanted one.
    #[inline(always)]
    fn ending_in(&self, bytes: &[u8]) -> Option<KeyId> {
        let tail = tail(bytes);
        let mut next = self.first.get(letters(tail)).copied().flatten()?;
        loop {
            let name = self.names.get(usize::from(next))?;
            if tail & name.mask == name.tail && name.ends(bytes) {
                return Some(next);
            }
            next = name.next?;
        }
    }
}

impl Name {
    /// True where the bytes, whose tail is this name's, end in the whole of it. A quote inside of a text is escaped, so what
    /// stands before the first one tells whether it begins the key.
    #[inline(always)]
    fn ends(&self, bytes: &[u8]) -> bool {
        let Some((before, whole)) = bytes.split_at_checked(bytes.len().wrapping_sub(self.quoted.len())) else { return false };
        before.last() != Some(&b'\\') && (self.quoted.len() <= 16 || whole == self.quoted)
    }
}

/// The keys that are found, in their order.
pub(super) struct Finds<'a> {
    pub(super) keys: &'a Keys,
    /// Where the value begins in the bytes that are looked at.
    pub(super) from: usize,
    pub(super) found: &'a mut Vec<Found>,
}

impl Finds<'_> {
    /// Looks whether a wanted key stands before a colon, which itself has the depth that is told then.
    #[inline(always)]
    pub(super) fn look(&mut self, bytes: &[u8], colon: usize, depth: impl FnOnce() -> u32) {
        if let Some(key) = bytes.get(..colon).and_then(|before| self.keys.ending_in(before)) {
            self.found.push(Found { key, depth: depth(), value: colon + 1 - self.from });
        }
    }
}

/// Tells by three of its last letters whether a key may be a wanted one.
pub(super) struct Endings<S: Simd> {
    looks: [u8x64<S>; LOOKS.len()],
}

impl<S: Simd> Endings<S> {
    #[inline(always)]
    pub(super) fn new(simd: S, keys: &Keys) -> Self {
        let [a, b, c] = &keys.looks;
        Self { looks: [u8x64::from_slice(simd, a), u8x64::from_slice(simd, b), u8x64::from_slice(simd, c)] }
    }

    /// The positions in the block at `at` before which, but for a quote, such an ending stands. Near the ends of the value, all.
    #[inline(always)]
    pub(super) fn before(&self, simd: S, value: &[u8], at: usize) -> u64 {
        let back = |bytes: usize| value.get(at.wrapping_sub(bytes)..)?.first_chunk::<64>();
        let [a, b, c] = LOOKS;
        let (Some(a), Some(b), Some(c)) = (back(a), back(b), back(c)) else { return !0 };
        let groups =
            |look: &u8x64<S>, bytes: &[u8; 64]| look.swizzle_dyn(u8x64::from_slice(simd, bytes) & u8x64::splat(simd, 63));
        let [by_a, by_b, by_c] = &self.looks;
        !(groups(by_a, a) & groups(by_b, b) & groups(by_c, c)).simd_eq(u8x64::splat(simd, 0)).to_bitmask()
    }
}

/// The last sixteen bytes, the last one highest; zeros before fewer.
#[inline(always)]
fn tail(bytes: &[u8]) -> u128 {
    match bytes.last_chunk::<16>() {
        Some(chunk) => u128::from_le_bytes(*chunk),
        None => bytes.iter().fold(0, |tail, byte| tail >> 8 | u128::from(*byte) << 120),
    }
}

/// A small number from the letter before the quote and the one before that.
#[inline(always)]
fn letters(tail: u128) -> usize {
    (((tail >> 112) as usize) ^ ((tail >> 104) as usize) << 1) & 63
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_name_is_the_key() {
        let keys = Keys::new(&BTreeSet::from(["eventName", "type", "a.type", "x", "averyverylongname"]));
        let check = |text: &str, expected: Option<KeyId>| assert_eq!(keys.ending_in(text.as_bytes()), expected, "{text}");
        check(r#"{"eventName""#, Some(2));
        check(r#"{"type""#, Some(3));
        check(r#"{"a.type""#, Some(0));
        check(r#"{"x""#, Some(4));
        check(r#"{"myeventName""#, None);
        check(r#"{"say \"eventName""#, None);
        check(r#"{"EventName""#, None);
        check(r#"e""#, None);
        check(r#"{"a":1,"averyverylongname""#, Some(1));
        check(r#"{"a":1,"bveryverylongname""#, None);
    }
}
