//! Character masks of a block of 64 bytes: one bit a byte, the first byte lowest.

use fearless_simd::{Simd, i8x64, prelude::*, u8x64};

/// Where in a block each class of characters stands, inside of strings as well as outside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Masks {
    pub(crate) quote: u64,
    /// `{` and `[`.
    pub(crate) open: u64,
    /// `}` and `]`.
    pub(crate) close: u64,
    /// `[` and `]`.
    pub(crate) square: u64,
    pub(crate) comma: u64,
    pub(crate) colon: u64,
    pub(crate) space: u64,
    pub(crate) backslash: u64,
    /// Bytes below 0x20.
    pub(crate) control: u64,
    /// Bytes from 0x80.
    pub(crate) non_ascii: u64,
}

impl Masks {
    #[inline(always)]
    pub(crate) fn of<S: Simd>(simd: S, block: &[u8; 64]) -> Self {
        let bytes = u8x64::from_slice(simd, block);
        let is = |byte: u8| bytes.simd_eq(u8x64::splat(simd, byte)).to_bitmask();
        let backslashes = bytes.simd_eq(u8x64::splat(simd, b'\\'));
        // As signed numbers, control characters and all non-ASCII bytes are below 0x20.
        let control_or_non_ascii = bytes.bitcast::<i8x64<S>>().simd_lt(i8x64::splat(simd, 0x20));
        let (mut backslash, mut control, mut non_ascii) = (0, 0, 0);
        if (backslashes | control_or_non_ascii).any_true() {
            unlikely();
            non_ascii = bytes.simd_ge(u8x64::splat(simd, 0x80)).to_bitmask();
            (backslash, control) = (backslashes.to_bitmask(), control_or_non_ascii.to_bitmask() & !non_ascii);
        }
        // Square and curly brackets differ in this one bit.
        let curly_bit = u8x64::splat(simd, 0x20);
        let curly = bytes | curly_bit;
        let open = curly.simd_eq(u8x64::splat(simd, b'{')).to_bitmask();
        let close = curly.simd_eq(u8x64::splat(simd, b'}')).to_bitmask();
        Self {
            quote: is(b'"'),
            open,
            close,
            square: (open | close) & (bytes & curly_bit).simd_eq(u8x64::splat(simd, 0)).to_bitmask(),
            comma: is(b','),
            colon: is(b':'),
            space: is(b' '),
            backslash,
            control,
            non_ascii,
        }
    }
}

/// The string mask of a block: which quotes delimit strings, and what lies between them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Strings {
    /// Quotes that are not escaped.
    pub(crate) quote: u64,
    /// From each opening quote up to the byte before its closing quote.
    pub(crate) inside: u64,
    /// Characters that a backslash escapes.
    pub(crate) escaped: u64,
}

/// What the string mask of the next block depends on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct StringCarry {
    /// All ones if the last block ended inside a string.
    inside: u64,
    /// 1 if the last block ended in a backslash that escapes the next character.
    escaped: u64,
}

impl Strings {
    #[inline(always)]
    pub(crate) fn of(masks: &Masks, carry: &mut StringCarry) -> Self {
        let mut escaped = 0;
        if masks.backslash | carry.escaped != 0 {
            (escaped, carry.escaped) = escaped_characters(masks.backslash, carry.escaped);
        }
        let quote = masks.quote & !escaped;
        let inside = prefix_xor(quote) ^ carry.inside;
        carry.inside = (inside >> 63).wrapping_neg();
        Self { quote, inside, escaped }
    }

    /// Everything that is neither a quote nor inside a string.
    #[inline(always)]
    pub(crate) fn outside(self) -> u64 {
        !(self.inside | self.quote)
    }
}

const EVEN_BITS: u64 = 0x5555_5555_5555_5555;

/// The characters behind backslash sequences of odd length, and the carry into the next block. `carry` is 1 if the first
/// character is escaped by the block before.
#[cold]
fn escaped_characters(backslash: u64, carry: u64) -> (u64, u64) {
    let backslash = backslash & !carry;
    let follows = backslash << 1 | carry;
    let odd_starts = backslash & !EVEN_BITS & !follows;
    let (sequences, overflow) = odd_starts.overflowing_add(backslash);
    ((EVEN_BITS ^ (sequences << 1)) & follows, u64::from(overflow))
}

/// Splits text into blocks, and gives the remainder as a last block that is padded with spaces.
#[inline(always)]
pub(crate) fn blocks(text: &[u8]) -> (&[[u8; 64]], [u8; 64]) {
    let (blocks, remainder) = text.as_chunks::<64>();
    let mut last = [b' '; 64];
    for (to, from) in last.iter_mut().zip(remainder) {
        *to = *from;
    }
    (blocks, last)
}

/// Tells the compiler that a branch is rarely taken.
#[cold]
fn unlikely() {}

/// For each bit the exclusive or of all bits up to and including it.
#[inline(always)]
pub(crate) fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// All bits below a single bit; all 64 if `bit` is 0.
#[inline(always)]
pub(crate) fn below(bit: u64) -> u64 {
    bit.wrapping_sub(1)
}

/// The lowest bit that is set, or 0.
#[inline(always)]
pub(crate) fn lowest(bits: u64) -> u64 {
    bits & bits.wrapping_neg()
}

/// The positions of the bits that are set, in ascending order.
#[inline(always)]
pub(crate) fn positions(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let position = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(position)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_xor_runs_over_all_bits() {
        assert_eq!(prefix_xor(0b1001_0010), !0 << 7 | 0b1110);
        assert_eq!(prefix_xor(0), 0);
        assert_eq!(prefix_xor(1), !0);
    }

    #[test]
    fn bits_are_taken_from_the_lowest() {
        assert_eq!(positions(1 << 63 | 0b101).collect::<Vec<_>>(), [0, 2, 63]);
        assert_eq!((lowest(0b1100), lowest(0), below(0b100), below(0)), (0b100, 0, 0b11, !0));
    }

    /// The escaped characters of a text, found one by one.
    fn escaped_one_by_one(text: &[u8]) -> Vec<usize> {
        let (mut escaped, mut found) = (false, Vec::new());
        for (at, byte) in text.iter().enumerate() {
            if escaped {
                found.push(at);
            }
            escaped = *byte == b'\\' && !escaped;
        }
        found
    }

    #[test]
    fn backslashes_escape_across_the_border_of_a_block() {
        for start in 50..70 {
            for len in 0..20 {
                let text: Vec<u8> = (0..192).map(|at| if (start..start + len).contains(&at) { b'\\' } else { b'x' }).collect();
                let mut carry = 0;
                let mut found = Vec::new();
                for (base, block) in (0..).step_by(64).zip(text.as_chunks::<64>().0) {
                    let backslash = block.iter().rev().fold(0, |mask, byte| mask << 1 | u64::from(*byte == b'\\'));
                    let (escaped, next) = escaped_characters(backslash, carry);
                    found.extend(positions(escaped).map(|at| base + at));
                    carry = next;
                }
                assert_eq!(found, escaped_one_by_one(&text), "{len} backslashes from {start}");
            }
        }
    }
}
