//! The grammar of JSON on what remains of a value without the insides of its texts, where a text is its closing quote.
//!
//! Whether a key, a value or neither has to come next follows from what stands before, where it is known which commas lie in lists.
//! That is checked for sixty-four bytes at once. Where only objects are open, no comma does; elsewhere the brackets are gone
//! through one by one.

use std::arch::x86_64::{__m512i, _mm512_cmpeq_epi8_mask, _mm512_or_si512, _mm512_set1_epi8, _mm512_testn_epi8_mask, _pext_u64};

use fearless_simd::{Avx512, prelude::*, u8x64};

use super::tape::{MARK, Tape};
use super::{nth, offsets};
use crate::scan::block::{below, lowest};
use crate::scan::nest::MAX_DEPTH;

/// What carries over from stretch to stretch: 1 where it is true of the last character.
#[derive(Debug, Default)]
struct Carry {
    /// A key comes next, or the end of an empty object.
    key_due: u64,
    /// A value comes next, or the end of an empty list.
    value_due: u64,
    /// An opening bracket.
    opened: u64,
    /// A key.
    key: u64,
    /// Of a bare value.
    bare: u64,
}

#[derive(Debug)]
pub(super) struct Grammar {
    /// What is not JSON, or could not be judged.
    doubt: u64,
    carry: Carry,
    brackets: Brackets,
}

impl Grammar {
    /// Behind the first bracket of a value.
    pub(super) fn behind(bracket: u8) -> Self {
        let list = u64::from(bracket == b'[');
        Self {
            doubt: 0,
            carry: Carry { key_due: list ^ 1, value_due: list, opened: 1, ..Carry::default() },
            brackets: Brackets { depth: 1, lists: list << 1 },
        }
    }

    /// False where something is not JSON, or could not be judged, in what was gone over.
    pub(super) fn is_fine(&self) -> bool {
        self.doubt == 0
    }

    /// Goes over the remains at `at`, of which so many count; gives the position of the one that ends the value.
    #[inline(always)]
    pub(super) fn stretch(
        &mut self,
        avx512: Avx512,
        bytes: &[u8; 64],
        count: usize,
        at: usize,
        tape: &mut Tape,
    ) -> Option<usize> {
        // Nearly all of them are whole.
        if count == 64 { self.over(avx512, bytes, 64, at, tape) } else { self.part(avx512, bytes, count, at, tape) }
    }

    #[cold]
    fn part(&mut self, avx512: Avx512, bytes: &[u8; 64], count: usize, at: usize, tape: &mut Tape) -> Option<usize> {
        let mut part = [0; 64];
        part.iter_mut().zip(bytes).take(count).for_each(|(to, from)| *to = *from);
        self.over(avx512, &part, count, at, tape)
    }

    #[inline(always)]
    fn over(&mut self, avx512: Avx512, bytes: &[u8; 64], count: usize, at: usize, tape: &mut Tape) -> Option<usize> {
        let Masks { quote, marked, colon, comma, open, close, square } = read(avx512, bytes);
        let colon = colon | marked;
        let (last, valid) = (count - 1, below(2 << (count - 1)));
        let depth = self.brackets.depth;
        let Passed { lists, mut doubt, end } = self.brackets.over(avx512, open, close, square & (open | close));

        let behind = |bits: u64, carry: &mut u64| {
            let behind = (bits << 1 | *carry) & valid;
            *carry = bits >> last & 1;
            behind
        };
        let carry = &mut self.carry;
        let key_due = behind(open & !square | comma & !lists, &mut carry.key_due);
        let value_due = behind(colon | open & square | comma & lists, &mut carry.value_due);
        let due = key_due | value_due;
        let bare = valid & !(quote | colon | comma | open | close);
        let bare_start = bare & !behind(bare, &mut carry.bare);
        let starts = open | bare_start;
        doubt |= quote & !due;
        doubt |= colon ^ behind(quote & key_due, &mut carry.key);
        doubt |= starts & !value_due;
        doubt |= due & !(quote | starts | close & behind(open, &mut carry.opened));
        // What follows the value is not its own.
        self.doubt |= doubt & (below(end) | end);
        let spots = bare_start | marked;
        tape.add_stretch(at, open, close, depth, spots, &offsets(avx512, at, spots));
        (end != 0).then(|| end.trailing_zeros() as usize)
    }
}

/// The open brackets.
#[derive(Debug)]
struct Brackets {
    depth: u32,
    /// The depths at which a list lies, as bits.
    lists: u64,
}

/// What going over a stretch's brackets came to.
struct Passed {
    /// What lies in a list and in nothing else that is in that list.
    lists: u64,
    /// Brackets that do not fit.
    doubt: u64,
    /// The bracket that ends the value, or none.
    end: u64,
}

/// So many brackets are looked up at once.
const FEW: u32 = 8;

/// Of some brackets, by a bit each, the first one lowest, 1 for an opening one, and one more bit behind the last: by how many more
/// than before are closed, the one that does so first, counted from 0; `FEW` where none does. The first entry is for one more.
#[expect(clippy::indexing_slicing, reason = "worked out by the compiler, which refuses a wrong index")]
const DIPS: [[u8; FEW as usize]; 2 << FEW] = {
    let mut dips = [[FEW as u8; FEW as usize]; 2 << FEW];
    let mut row = 1;
    while row < dips.len() {
        let (mut rest, mut closed, mut deepest, mut at) = (row, 0i8, 0i8, 0);
        while rest > 1 {
            closed += if rest & 1 == 1 { -1 } else { 1 };
            if closed > deepest {
                deepest = closed;
                dips[row][deepest as usize - 1] = at;
            }
            rest >>= 1;
            at += 1;
        }
        row += 1;
    }
    dips
};

impl Brackets {
    #[inline(always)]
    fn over(&mut self, avx512: Avx512, open: u64, close: u64, square: u64) -> Passed {
        let brackets = open | close;
        let count = brackets.count_ones();
        let row = (1 << count.min(FEW)) | extract(avx512, open, brackets) as usize;
        let innermost_list = 63u32.saturating_sub(self.lists.leading_zeros());
        let opened = self.depth + open.count_ones();
        // So many may be closed without leaving the objects at hand.
        let within = self.depth.saturating_sub(innermost_list) as usize;
        if square == 0 && count <= FEW && opened <= MAX_DEPTH {
            let dip = DIPS.get(row).and_then(|dips| dips.get(within.wrapping_sub(1)));
            let leaves = dip.map_or(FEW, |dip| u32::from(*dip));
            if leaves == FEW && within > 0 {
                self.depth = opened - close.count_ones();
                return Passed { lists: 0, doubt: 0, end: 0 };
            }
            if innermost_list == 0 && within > 0 {
                return Passed { lists: 0, doubt: 0, end: nth(avx512, brackets, leaves as usize) };
            }
        }
        self.one_by_one(open, brackets, square)
    }

    fn in_list(&self) -> u64 {
        (self.lists >> (self.depth & 63) & 1).wrapping_neg()
    }

    fn one_by_one(&mut self, open: u64, mut brackets: u64, square: u64) -> Passed {
        let mut passed = Passed { lists: 0, doubt: 0, end: 0 };
        // What is behind the bracket before.
        let mut behind = !0;
        while brackets != 0 {
            let bracket = lowest(brackets);
            passed.lists |= behind & below(bracket) & self.in_list();
            behind = !(below(bracket) | bracket);
            let is_list = u64::from(square & bracket != 0);
            if open & bracket != 0 {
                self.depth += 1;
                self.lists |= is_list << (self.depth & 63);
                passed.doubt |= if self.depth > MAX_DEPTH { bracket } else { 0 };
            } else {
                passed.doubt |= if self.in_list() & 1 == is_list { 0 } else { bracket };
                self.lists &= !(1 << (self.depth & 63));
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    passed.end = bracket;
                    return passed;
                }
            }
            brackets ^= bracket;
        }
        passed.lists |= behind & self.in_list();
        passed
    }
}

/// The masks of a stretch.
struct Masks {
    quote: u64,
    /// Of the colons, those that stand behind what may be a wanted key, and the others.
    marked: u64,
    colon: u64,
    comma: u64,
    open: u64,
    close: u64,
    /// `[` and `]`, and others.
    square: u64,
}

fearless_simd::kernel!(
    #[inline]
    fn read(avx512: Avx512, bytes: &[u8; 64]) -> Masks {
        let each = |byte: u8| _mm512_set1_epi8(byte as i8);
        let text: __m512i = u8x64::from_slice(avx512, bytes).into();
        let is = |byte: u8| _mm512_cmpeq_epi8_mask(text, each(byte));
        // A bit tells square brackets from curly ones.
        let curly = _mm512_or_si512(text, each(0x20));
        Masks {
            quote: is(b'"'),
            marked: is(MARK),
            colon: is(b':'),
            comma: is(b','),
            open: _mm512_cmpeq_epi8_mask(curly, each(b'{')),
            close: _mm512_cmpeq_epi8_mask(curly, each(b'}')),
            square: _mm512_testn_epi8_mask(text, each(0x20)),
        }
    }
);

fearless_simd::kernel!(
    /// The bits that stand where `mask` has them, side by side.
    #[inline]
    fn extract(_avx512: Avx512, bits: u64, mask: u64) -> u64 {
        _pext_u64(bits, mask)
    }
);
