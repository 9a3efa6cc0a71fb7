//! The positions that are checked one by one: colons behind a key that may be wanted, and the first characters of scalars.
//!
//! They are collected while blocks are scanned, and checked many blocks later in one loop. How many there are in a block is
//! unpredictable: a loop in every block would cost more in mispredicted branches than the checks themselves.

use crate::FoundKey;
use crate::keys::KeySet;
use crate::masks::{below, positions};

/// How many blocks are collected before their candidates are checked.
const MAX_BLOCKS: usize = 64;
const MAX_POSITIONS: usize = 512;
/// A longer number is left unproven: `serde_json` may refuse it as out of range.
const MAX_NUMBER_LEN: usize = 40;

/// The candidates of consecutive blocks, and what their depth is worked out from.
#[derive(Debug)]
pub(crate) struct Candidates {
    /// The first `len` are in use.
    positions: [u32; MAX_POSITIONS],
    len: usize,
    /// For each block its opening and closing brackets, and how many brackets are open before it.
    brackets: [(u64, u64, u32); MAX_BLOCKS],
    blocks: usize,
    /// The offset of the first of these blocks.
    base: usize,
}

impl Candidates {
    pub(crate) fn new() -> Self {
        Self { positions: [0; MAX_POSITIONS], len: 0, brackets: [(0, 0, 0); MAX_BLOCKS], blocks: 0, base: 0 }
    }

    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        (self.len, self.blocks, self.base) = (0, 0, 0);
    }

    /// Adds the block at `base`: its brackets, the depth before it, and its candidates.
    #[inline(always)]
    pub(crate) fn add(&mut self, base: usize, depth: u32, open: u64, close: u64, candidates: u64) {
        if let Some(brackets) = self.brackets.get_mut(self.blocks) {
            *brackets = (open, close, depth);
        }
        self.blocks += 1;
        self.add_positions(base, candidates);
    }

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "`Scanner::scan` takes less than 4 GiB, and a position is below 64")]
    fn add_positions(&mut self, base: usize, bits: u64) {
        let count = bits.count_ones() as usize;
        let base = base as u32;
        // Two are written whether or not there are any: most blocks have no more, and a branch would be unpredictable.
        if let Some([first, second]) = self.positions.get_mut(self.len..).and_then(|rest| rest.first_chunk_mut::<2>()) {
            let more = bits & bits.wrapping_sub(1);
            *first = base + bits.trailing_zeros();
            *second = base + more.trailing_zeros();
        }
        if count > 2 {
            for (to, position) in self.positions.iter_mut().skip(self.len).zip(positions(bits)) {
                *to = base + position as u32;
            }
        }
        self.len += count;
    }

    /// True if the next block may not fit.
    #[inline(always)]
    pub(crate) fn is_full(&self) -> bool {
        self.blocks == MAX_BLOCKS || self.len > MAX_POSITIONS - 64
    }

    /// Checks all candidates before `end` and makes room for more: wanted keys are added to `found`. False if some scalar is
    /// not proven to be one.
    pub(crate) fn check(&mut self, text: &[u8], end: usize, keys: &KeySet, found: &mut Vec<FoundKey>) -> bool {
        let mut proven = true;
        for position in self.positions.get(..self.len).unwrap_or_default() {
            let position = *position as usize;
            if position >= end {
                break;
            }
            let from = text.get(position..).unwrap_or_default();
            if !from.starts_with(b":") {
                proven &= starts_with_scalar(from);
            } else if let Some(key) = text.get(..position).and_then(|before| keys.at_end_of(before)) {
                found.push(FoundKey { key, depth: self.depth(position), value: position + 1 });
            }
        }
        let base = self.base + 64 * self.blocks;
        self.clear();
        self.base = base;
        proven
    }

    #[inline(always)]
    fn depth(&self, position: usize) -> u32 {
        let (open, close, depth) = self.brackets.get((position - self.base) / 64).copied().unwrap_or_default();
        let left = below(1 << (position % 64));
        (depth + (open & left).count_ones()).wrapping_sub((close & left).count_ones())
    }
}

/// True if the text starts with `true`, `false`, `null` or a number, and that scalar ends there.
#[inline(always)]
fn starts_with_scalar(text: &[u8]) -> bool {
    let ends = |rest: &[u8]| rest.first().is_none_or(|byte| b",}] \t\n\r".contains(byte));
    behind_scalar(text).is_some_and(ends)
}

#[inline(always)]
fn behind_scalar(text: &[u8]) -> Option<&[u8]> {
    let Some((first, rest)) = text.split_first_chunk::<4>() else { return behind_number(text) };
    // Which of the three it is, is unpredictable: compare with all of them and branch once.
    let short = (first == b"true") | (first == b"null");
    let long = (first == b"fals") & (rest.first() == Some(&b'e'));
    if short | long { rest.get(usize::from(long)..) } else { behind_number(text) }
}

fn behind_number(text: &[u8]) -> Option<&[u8]> {
    let rest = behind_fraction(text)?;
    (text.len() - rest.len() <= MAX_NUMBER_LEN).then_some(rest)
}

/// Behind an integer and its fraction. A number with an exponent is left unproven: it may be out of range.
fn behind_fraction(text: &[u8]) -> Option<&[u8]> {
    let integer = match text.strip_prefix(b"-").unwrap_or(text) {
        [b'0', rest @ ..] => rest,
        [b'1'..=b'9', rest @ ..] => behind_digits(rest),
        _ => return None,
    };
    match integer {
        [b'.', b'0'..=b'9', rest @ ..] => Some(behind_digits(rest)),
        _ => Some(integer),
    }
}

fn behind_digits(text: &[u8]) -> &[u8] {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.get(digits..).unwrap_or_default()
}
