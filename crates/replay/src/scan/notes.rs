//! What is looked at one by one: the keys that may be wanted ones, and bare values.
//!
//! They are noted while blocks are gone over, and looked at some blocks later, all in a row. How many there are in a block
//! cannot be foreseen, and to go a different number of rounds in every block costs a processor more than the rounds.

use super::block::{below, positions};
use super::keys::Finds;

/// So many blocks are gone over before what was noted is looked at.
const BLOCKS: usize = 64;
const SPOTS: usize = 512;
/// A longer number is left uncertain: it may be too large for any type.
const MAX_NUMBER_LEN: usize = 40;

#[derive(Debug)]
pub(super) struct Notes {
    /// Colons behind what may be a wanted key, and the beginnings of bare values.
    spots: Spots,
    /// By block: its opening and closing brackets, and how many were open before it.
    brackets: [(u64, u64, u32); BLOCKS],
    blocks: usize,
    /// Where the first of these blocks begins.
    start: usize,
}

/// Offsets, of which the first `len` count.
#[derive(Debug)]
struct Spots {
    at: [u32; SPOTS],
    len: usize,
}

impl Spots {
    #[inline(always)]
    fn add(&mut self, start: usize, bits: u64) {
        let count = bits.count_ones() as usize;
        let start = start as u32;
        // The first two are written without asking whether they are there.
        if let Some([first, second]) = self.at.get_mut(self.len..).and_then(|rest| rest.first_chunk_mut::<2>()) {
            let more = bits & bits.wrapping_sub(1);
            *first = start + bits.trailing_zeros();
            *second = start + more.trailing_zeros();
        }
        if count > 2 {
            for (to, position) in self.at.iter_mut().skip(self.len).zip(positions(bits)) {
                *to = start + position as u32;
            }
        }
        self.len += count;
    }

    #[inline(always)]
    fn all(&self) -> &[u32] {
        self.at.get(..self.len).unwrap_or_default()
    }
}

impl Notes {
    pub(super) fn new() -> Self {
        Self { spots: Spots { at: [0; SPOTS], len: 0 }, brackets: [(0, 0, 0); BLOCKS], blocks: 0, start: 0 }
    }

    #[inline(always)]
    pub(super) fn clear(&mut self) {
        (self.spots.len, self.blocks, self.start) = (0, 0, 0);
    }

    /// Notes what is in the block at `at`: its brackets, and what is to be looked at.
    #[inline(always)]
    pub(super) fn add(&mut self, at: usize, depth: u32, open: u64, close: u64, spots: u64) {
        if let Some(brackets) = self.brackets.get_mut(self.blocks) {
            *brackets = (open, close, depth);
        }
        self.blocks += 1;
        self.spots.add(at, spots);
    }

    /// True where another block might not find room.
    #[inline(always)]
    pub(super) fn is_full(&self) -> bool {
        self.blocks == BLOCKS || self.spots.len > SPOTS - 64
    }

    /// Looks at everything that was noted, as far as it stands before `end`; false where a bare value is none.
    pub(super) fn settle(&mut self, value: &[u8], end: usize, finds: &mut Finds<'_>) -> bool {
        let mut fine = true;
        for spot in self.spots.all() {
            let spot = *spot as usize;
            if spot >= end {
                break;
            }
            let from = value.get(spot..).unwrap_or_default();
            if !from.starts_with(b":") {
                fine &= is_bare_value(from);
                continue;
            }
            let (open, close, depth) = self.brackets.get((spot - self.start) / 64).copied().unwrap_or_default();
            let left = below(1 << (spot % 64));
            finds.look(value, spot, || (depth + (open & left).count_ones()).wrapping_sub((close & left).count_ones()));
        }
        let start = self.start + 64 * self.blocks;
        self.clear();
        self.start = start;
        fine
    }
}

/// What follows behind `true`, `false`, `null` or a plain number, where the bytes begin with one.
#[inline(always)]
pub(super) fn after_bare_value(bytes: &[u8]) -> Option<&[u8]> {
    let Some((first, rest)) = bytes.split_first_chunk::<4>() else { return after_number(bytes) };
    // Which one it is cannot be foreseen, so that it is not asked one by one.
    let short = (first == b"true") | (first == b"null");
    let long = (first == b"fals") & (rest.first() == Some(&b'e'));
    if short | long { rest.get(usize::from(long)..) } else { after_number(bytes) }
}

/// True where the bytes begin with a bare value, and no more of the kind follows.
#[inline(always)]
fn is_bare_value(bytes: &[u8]) -> bool {
    let ends = |rest: &[u8]| rest.first().is_none_or(|byte| b",}] \t\n\r".contains(byte));
    after_bare_value(bytes).is_some_and(ends)
}

fn after_number(bytes: &[u8]) -> Option<&[u8]> {
    let rest = after_any_number(bytes)?;
    (bytes.len() - rest.len() <= MAX_NUMBER_LEN).then_some(rest)
}

fn after_any_number(bytes: &[u8]) -> Option<&[u8]> {
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
