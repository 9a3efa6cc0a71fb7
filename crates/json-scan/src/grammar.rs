//! The grammar of JSON, checked on the character masks of whole blocks.
//!
//! A value is a sequence of tokens: brackets, commas, colons, and the first characters of strings and scalars. Whether a string,
//! a scalar or an opening bracket may stand somewhere follows from the token before it. As long as only objects are open and none
//! is empty, the rest follows from the last structural character: a colon comes next behind a comma or an opening bracket, and
//! nowhere else. Both are checked for a block at once; blocks with lists or empty objects go through [`Nesting`] bracket by
//! bracket. Two checks remain for later: a key is a string (its colon has to stand right behind a closing quote), and a scalar
//! is `true`, `false`, `null` or a number ([`Candidates`]).

use fearless_simd::Simd;

use crate::FoundKey;
use crate::candidates::Candidates;
use crate::keys::{KeyFilter, KeySet};
use crate::masks::{Masks, StringCarry, Strings, below, positions};
use crate::nesting::{MAX_DEPTH, Nesting, Structurals};

/// What one block leaves to the next.
#[derive(Debug, Clone, Copy)]
struct Carry {
    /// The offset of the next block.
    base: usize,
    /// Characters that break the grammar, or are not proven to keep it. Only whether there are any counts.
    unproven: u64,
    strings: StringCarry,
    /// 1 if the last character belongs to a scalar.
    in_scalar: u64,
    /// 1 if the last character closed a string.
    string_closed: u64,
    /// 1 if the last token was a colon, a comma or an opening bracket: a value or a key is expected.
    expected: u64,
    /// 1 if the last structural character was a comma or an opening bracket: in an object a colon is expected.
    colon_expected: u64,
    /// How many brackets are open.
    depth: u32,
}

/// The tokens of one block, by their first characters.
#[derive(Debug, Clone, Copy)]
struct Tokens {
    scalar: u64,
    /// Strings and scalars.
    string_or_scalar: u64,
    open: u64,
    close: u64,
    comma: u64,
    colon: u64,
    /// Colons that do not stand right behind a string.
    stray_colon: u64,
}

impl Tokens {
    #[inline(always)]
    fn of(masks: &Masks, strings: Strings, carry: &mut Carry) -> Self {
        let outside = strings.outside();
        let structural = masks.open | masks.close | masks.comma | masks.colon;
        let in_scalar = outside & !(structural | masks.space | masks.control);
        let scalar = in_scalar & !(in_scalar << 1 | carry.in_scalar);
        carry.in_scalar = in_scalar >> 63;
        let string_closed = strings.quote & !strings.inside;
        let colon = masks.colon & outside;
        let tokens = Self {
            scalar,
            string_or_scalar: strings.quote & strings.inside | scalar,
            open: masks.open & outside,
            close: masks.close & outside,
            comma: masks.comma & outside,
            colon,
            stray_colon: colon & !(string_closed << 1 | carry.string_closed),
        };
        carry.string_closed = string_closed >> 63;
        tokens
    }

    #[inline(always)]
    fn structural(self) -> u64 {
        self.open | self.close | self.comma | self.colon
    }

    /// The characters before which the last token is a colon, a comma or an opening bracket, and the carry into the next block.
    #[inline(always)]
    fn expected(self, carry: u64) -> (u64, u64) {
        next_beyond(self.open | self.comma | self.colon, carry, !(self.string_or_scalar | self.structural()))
    }
}

/// Checks a value block by block.
#[derive(Debug)]
pub(crate) struct Validator {
    carry: Carry,
    nesting: Nesting,
}

impl Validator {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        let carry = Carry {
            base: 0,
            unproven: 0,
            strings: StringCarry::default(),
            in_scalar: 0,
            string_closed: 0,
            // The beginning of a text is like the place behind a colon.
            expected: 1,
            colon_expected: 0,
            depth: 0,
        };
        Self { carry, nesting: Nesting::default() }
    }

    /// True if everything so far is proven, but for the candidates that are not checked yet.
    #[inline(always)]
    pub(crate) fn is_proven(&self) -> bool {
        self.carry.unproven == 0
    }

    /// Takes the next blocks of `text`. Gives the offset behind the value if it ends in them.
    #[inline(always)]
    pub(crate) fn take<S: Simd>(
        &mut self,
        simd: S,
        blocks: &[[u8; 64]],
        text: &[u8],
        candidates: &mut Candidates,
        keys: &KeySet,
        found: &mut Vec<FoundKey>,
    ) -> Option<usize> {
        let mut carry = self.carry;
        let filter = KeyFilter::new(simd, keys);
        for block in blocks {
            let masks = Masks::of(simd, block);
            let (base, depth) = (carry.base, carry.depth);
            let strings = Strings::of(&masks, &mut carry.strings);
            let tokens = Tokens::of(&masks, strings, &mut carry);
            let mut unproven = tokens.stray_colon;
            if masks.control | masks.non_ascii | strings.escaped != 0 {
                unproven |= unproven_characters(block, &masks, strings);
            }
            let wanted = tokens.colon & filter.candidates(simd, text, base);
            // Checked before this block is added, so that no candidate behind the end of the value is among them.
            if candidates.is_full() {
                carry.unproven |= u64::from(!candidates.check(text, usize::MAX, keys, found));
            }
            candidates.add(base, depth, tokens.open, tokens.close, wanted | tokens.scalar);
            carry.base += 64;
            let (expected, expected_next) = tokens.expected(carry.expected);
            carry.expected = expected_next;

            let closed = tokens.close.count_ones();
            let opened = depth + tokens.open.count_ones();
            let lists = masks.square & (tokens.open | tokens.close);
            let only_objects = closed + self.nesting.innermost_list() < depth && lists == 0;
            if only_objects && tokens.close & expected == 0 && opened <= MAX_DEPTH {
                let openers = tokens.open | tokens.comma;
                let (colons, colon_expected) = next_beyond(openers, carry.colon_expected, !tokens.structural());
                carry.colon_expected = colon_expected;
                carry.unproven |= unproven | expected ^ (tokens.string_or_scalar | tokens.open) | colons ^ tokens.colon;
                carry.depth = opened - closed;
                continue;
            }
            let starts = tokens.string_or_scalar | tokens.open;
            unproven |= expected & !(starts | tokens.close) | !expected & starts;
            let Tokens { open, close, comma, colon, .. } = tokens;
            let block = Structurals { open, close, comma, colon, square: masks.square, expected, base, text };
            let behind = self.nesting.walk(&block, depth, carry.colon_expected == 1);
            (carry.depth, carry.colon_expected) = (behind.depth, u64::from(behind.colon_expected));
            // The characters behind the value's end belong to something else.
            carry.unproven |= (unproven | behind.unproven) & (below(behind.end) | behind.end);
            if behind.end != 0 {
                self.carry = carry;
                return Some(base + behind.end.trailing_zeros() as usize + 1);
            }
        }
        self.carry = carry;
        None
    }
}

/// For each bit the first position behind it that is not in the gap, and the carry into the next block. A carry of 1 stands for a
/// bit right before the block.
#[inline(always)]
fn next_beyond(bits: u64, carry: u64, gap: u64) -> (u64, u64) {
    let next = bits << 1 | carry;
    let (moved, overflow) = (next & gap).overflowing_add(gap);
    ((next | moved) & !gap, bits >> 63 | u64::from(overflow))
}

/// Characters that only a full parser can judge: non-ASCII, control characters that are no white space or stand in a string, and
/// escapes other than those of one letter.
#[cold]
fn unproven_characters(block: &[u8; 64], masks: &Masks, strings: Strings) -> u64 {
    let at = |position: usize| block.get(position).copied().unwrap_or_default();
    let mut unproven = masks.non_ascii | masks.control & strings.inside;
    for position in positions(masks.control & !strings.inside) {
        if !matches!(at(position), b'\t' | b'\n' | b'\r') {
            unproven |= 1 << position;
        }
    }
    for position in positions(strings.escaped) {
        if !matches!(at(position), b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') {
            unproven |= 1 << position;
        }
    }
    unproven
}
