//! The masks of one block of sixty-four bytes: one bit a byte, the first byte lowest.

use fearless_simd::{Simd, i8x64, prelude::*, u8x64};

#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) quote: u64,
    /// `{` and `[`.
    pub(super) open: u64,
    /// `}` and `]`.
    pub(super) close: u64,
    /// `[` and `]`.
    pub(super) square: u64,
    pub(super) comma: u64,
    pub(super) colon: u64,
    pub(super) space: u64,
    pub(super) backslash: u64,
    /// Bytes below 0x20.
    pub(super) control: u64,
    /// Bytes beyond ASCII.
    pub(super) beyond: u64,
}

impl Block {
    #[inline(always)]
    pub(super) fn read<S: Simd>(simd: S, bytes: &[u8; 64]) -> Self {
        let text = u8x64::from_slice(simd, bytes);
        let is = |byte: u8| text.simd_eq(u8x64::splat(simd, byte)).to_bitmask();
        let backslashes = text.simd_eq(u8x64::splat(simd, b'\\'));
        // Below 0x20 as a number with a sign: control characters, and all that is beyond ASCII.
        let others = text.bitcast::<i8x64<S>>().simd_lt(i8x64::splat(simd, 0x20));
        let (mut backslash, mut control, mut beyond) = (0, 0, 0);
        if (backslashes | others).any_true() {
            seldom();
            beyond = text.simd_ge(u8x64::splat(simd, 0x80)).to_bitmask();
            (backslash, control) = (backslashes.to_bitmask(), others.to_bitmask() & !beyond);
        }
        // A bit tells square brackets from curly ones.
        let bit = u8x64::splat(simd, 0x20);
        let curly = text | bit;
        let open = curly.simd_eq(u8x64::splat(simd, b'{')).to_bitmask();
        let close = curly.simd_eq(u8x64::splat(simd, b'}')).to_bitmask();
        Self {
            quote: is(b'"'),
            open,
            close,
            square: (open | close) & (text & bit).simd_eq(u8x64::splat(simd, 0)).to_bitmask(),
            comma: is(b','),
            colon: is(b':'),
            space: is(b' '),
            backslash,
            control,
            beyond,
        }
    }
}

/// A value's blocks, and behind them what is left, filled up with spaces.
#[inline(always)]
pub(super) fn blocks(value: &[u8]) -> (&[[u8; 64]], [u8; 64]) {
    let (blocks, rest) = value.as_chunks::<64>();
    let mut last = [b' '; 64];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    (blocks, last)
}

/// Tells the compiler that a branch is seldom taken.
#[cold]
fn seldom() {}

/// For each bit the parity of the bits up to and with it.
#[inline(always)]
pub(super) fn running_parity(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// All bits below the given one; all where none is given.
#[inline(always)]
pub(super) fn below(bit: u64) -> u64 {
    bit.wrapping_sub(1)
}

/// The lowest bit that is set, or none.
#[inline(always)]
pub(super) fn lowest(bits: u64) -> u64 {
    bits & bits.wrapping_neg()
}

/// The positions of the bits that are set.
#[inline(always)]
pub(super) fn positions(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parity_runs_over_all_bits() {
        assert_eq!(running_parity(0b1001_0010), !0 << 7 | 0b1110);
        assert_eq!(running_parity(0), 0);
        assert_eq!(running_parity(1), !0);
    }

    #[test]
    fn bits_are_taken_from_the_lowest() {
        assert_eq!(positions(1 << 63 | 0b101).collect::<Vec<_>>(), [0, 2, 63]);
        assert_eq!((lowest(0b1100), lowest(0), below(0b100), below(0)), (0b100, 0, 0b11, !0));
    }
}
