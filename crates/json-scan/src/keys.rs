//! The keys that are looked for. They are few and known beforehand, so three of a key's last characters tell nearly every other
//! key apart, for all keys of a block at once.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use fearless_simd::{Simd, prelude::*, u8x64};

/// A key of a [`KeySet`]: its place in the order of the names, from 0.
pub type KeyId = u16;

/// The distances from the colon of the three characters: the last one, and two at which `bucketName`, `eventName` and
/// `eventType` differ, and `tlsVersion` from `eventVersion`.
const DISTANCES: [usize; 3] = [2, 5, 9];
/// The characters that can stand before the opening quote of a key.
const BEFORE_KEY: &[u8] = b"{, \t\n\r";

/// The names of the keys that a [`Scanner`](crate::Scanner) looks for, at any depth.
#[derive(Debug, Clone)]
pub struct KeySet {
    names: Vec<Name>,
    /// For each distance and each value of the character's lower six bits: a bit for every group of names that have it there.
    /// A name's group is its id modulo 8.
    groups: [[u8; 64]; DISTANCES.len()],
    /// For each hash of the last two letters, the first name in a chain of those that have it.
    chains: [Option<KeyId>; 64],
}

#[derive(Debug, Clone)]
struct Name {
    /// The next name in the chain.
    next: Option<KeyId>,
    quoted: Vec<u8>,
    /// The last sixteen bytes of `quoted`, and a mask of those that it has.
    tail: u128,
    mask: u128,
}

impl KeySet {
    /// The id of a name is its place in the set. A name consists of letters, digits, `.`, `_` and `-`.
    #[must_use]
    pub fn new(names: &BTreeSet<&str>) -> Self {
        let mut keys = Self { names: Vec::new(), groups: [[0; 64]; DISTANCES.len()], chains: [None; 64] };
        for (id, name) in (0..KeyId::MAX).zip(names) {
            let quoted = format!("\"{name}\"").into_bytes();
            let unused = 16u32.saturating_sub(u32::try_from(quoted.len()).unwrap_or(16));
            let mask = u128::MAX << (8 * unused);
            for (distance, groups) in DISTANCES.into_iter().zip(&mut keys.groups) {
                for character in characters_at(&quoted, distance) {
                    groups.get_mut(usize::from(character & 63)).into_iter().for_each(|there| *there |= 1 << (id % 8));
                }
            }
            keys.names.push(Name { next: None, tail: tail(&quoted), quoted, mask });
        }
        // Within a chain the shortest name comes first: it is the most frequent one.
        let mut ids: Vec<KeyId> = (0..KeyId::MAX).take(keys.names.len()).collect();
        ids.sort_by_key(|id| keys.names.get(usize::from(*id)).map(|name| Reverse(name.quoted.len())));
        for id in ids {
            if let Some(name) = keys.names.get_mut(usize::from(id)) {
                name.next = keys.chains.get_mut(hash_of(name.tail)).and_then(|first| first.replace(id));
            }
        }
        keys
    }

    /// The wanted key with which the text ends, closing quote included.
    #[inline(always)]
    pub(crate) fn at_end_of(&self, text: &[u8]) -> Option<KeyId> {
        let tail = tail(text);
        let mut next = self.chains.get(hash_of(tail)).copied().flatten()?;
        loop {
            let name = self.names.get(usize::from(next))?;
            if tail & name.mask == name.tail && name.ends(text) {
                return Some(next);
            }
            next = name.next?;
        }
    }
}

/// The characters that can stand at a distance from the colon behind a quoted name.
fn characters_at(quoted: &[u8], distance: usize) -> Vec<u8> {
    match quoted.len().checked_sub(distance) {
        Some(at) => quoted.get(at..=at).unwrap_or_default().to_vec(),
        None if quoted.len() + 1 == distance => BEFORE_KEY.to_vec(),
        None => (0..64).collect(),
    }
}

impl Name {
    /// True if the text, which ends in this name's tail, ends in the whole name. A quote inside of a key is escaped, so the
    /// byte before the first quote tells whether the key begins there.
    #[inline(always)]
    fn ends(&self, text: &[u8]) -> bool {
        let Some((before, whole)) = text.split_at_checked(text.len().wrapping_sub(self.quoted.len())) else { return false };
        before.last() != Some(&b'\\') && (self.quoted.len() <= 16 || whole == self.quoted)
    }
}

/// Tells for a block of colons which of them may stand behind a wanted key.
pub(crate) struct KeyFilter<S: Simd> {
    groups: [u8x64<S>; DISTANCES.len()],
}

impl<S: Simd> KeyFilter<S> {
    #[inline(always)]
    pub(crate) fn new(simd: S, keys: &KeySet) -> Self {
        let [a, b, c] = &keys.groups;
        Self { groups: [u8x64::from_slice(simd, a), u8x64::from_slice(simd, b), u8x64::from_slice(simd, c)] }
    }

    /// The positions in the block at `base` at which a colon may stand behind a wanted key. All positions near the ends of the
    /// text.
    #[inline(always)]
    pub(crate) fn candidates(&self, simd: S, text: &[u8], base: usize) -> u64 {
        let shifted = |distance: usize| text.get(base.wrapping_sub(distance)..)?.first_chunk::<64>();
        let [a, b, c] = DISTANCES;
        let (Some(a), Some(b), Some(c)) = (shifted(a), shifted(b), shifted(c)) else { return !0 };
        let groups =
            |table: &u8x64<S>, bytes: &[u8; 64]| table.swizzle_dyn(u8x64::from_slice(simd, bytes) & u8x64::splat(simd, 63));
        let [by_a, by_b, by_c] = &self.groups;
        !(groups(by_a, a) & groups(by_b, b) & groups(by_c, c)).simd_eq(u8x64::splat(simd, 0)).to_bitmask()
    }
}

/// The last sixteen bytes, the last one highest; zeros stand before fewer.
#[inline(always)]
fn tail(text: &[u8]) -> u128 {
    match text.last_chunk::<16>() {
        Some(chunk) => u128::from_le_bytes(*chunk),
        None => text.iter().fold(0, |tail, byte| tail >> 8 | u128::from(*byte) << 120),
    }
}

/// A hash of the last two letters before the closing quote.
#[inline(always)]
fn hash_of(tail: u128) -> usize {
    (((tail >> 112) as usize) ^ ((tail >> 104) as usize) << 1) & 63
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_name_is_the_key() {
        let keys = KeySet::new(&BTreeSet::from(["eventName", "type", "a.type", "x", "averyverylongname"]));
        let check = |text: &str, expected: Option<KeyId>| assert_eq!(keys.at_end_of(text.as_bytes()), expected, "{text}");
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
