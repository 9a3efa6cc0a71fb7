//! The walk over values that have no space outside of their texts, as CloudTrail writes them, on processors with AVX-512.
//!
//! Most of a record is the insides of texts, of which nothing matters but where they end. They are left out first, and the grammar
//! is checked on what remains, which is an eighth. That runs ahead of the value at hand, so that nothing has to be looked at twice
//! where the next one follows. A value with spaces is left uncertain; [`super::grammar`] walks over it then.

mod rest;
mod skim;
mod tape;

use std::arch::x86_64::{
    _mm512_add_epi32, _mm512_castsi512_si128, _mm512_cvtepu8_epi32, _mm512_maskz_compress_epi8, _mm512_set1_epi32, _pdep_u64,
};

use fearless_simd::{Avx512, prelude::*, u8x64, u32x16};

use self::rest::Grammar;
use self::skim::{Letters, Texts, skim};
use self::tape::{Tape, settle};
use super::Extent;
use super::keys::Finds;

/// So much is skimmed behind the end of what a value may be.
const AHEAD: usize = 1_024;
/// So many of the remains are left alone at first: what was written a moment ago is slow to read.
const FRESH: usize = 128;

/// Measures and checks the values of a window, one after the other.
#[derive(Debug)]
pub(super) struct Tight {
    avx512: Avx512,
    tape: Box<Tape>,
    texts: Texts,
    /// What is on the tape is of the window at hand, and nothing of it is in doubt that was looked at.
    holds: bool,
}

impl Tight {
    pub(super) fn new(avx512: Avx512) -> Self {
        Self { avx512, tape: Box::new(Tape::new()), texts: Texts::default(), holds: false }
    }

    /// Another window comes next.
    pub(super) fn forget(&mut self) {
        self.holds = false;
    }

    /// As [`super::Scanner::measure`]. What it leaves uncertain may still be JSON.
    pub(super) fn measure(&mut self, window: &[u8], from: usize, to: usize, finds: &mut Finds<'_>) -> Extent {
        if self.holds && self.texts.are_fine(from) && self.tape.has_outside(from) {
            self.tape.make_room(from);
        } else {
            self.tape.restart(from);
            self.texts = Texts::default();
        }
        let end = over(self.avx512, &mut self.tape, &mut self.texts, window, from, to, finds).filter(|(end, _)| *end <= to);
        self.holds = matches!(end, Some((_, true)));
        end.map_or(Extent::Unfinished, |(end, certain)| Extent::Whole { len: end - from, certain })
    }
}

fearless_simd::kernel!(
    /// The offset behind the value, and whether nothing in it gave rise to doubt; `None` where it does not end in time.
    fn over(
        avx512: Avx512,
        tape: &mut Tape,
        texts: &mut Texts,
        window: &[u8],
        from: usize,
        to: usize,
        finds: &mut Finds<'_>,
    ) -> Option<(usize, bool)> {
        let letters = Letters::of(avx512, finds.keys);
        let mut grammar = Grammar::behind(window.get(from).copied().unwrap_or_default());
        let mut fine = true;
        let stop = window.len().min(to.saturating_add(AHEAD));
        let mut at = tape.begin_behind(from);
        loop {
            while tape.len() < at + 64 + FRESH && tape.end() < stop && !tape.is_full() {
                skim(avx512, &letters, texts, window, tape);
            }
            if let Some((bytes, count)) = tape.rest(at) {
                let end = grammar.stretch(avx512, &{ *bytes }, count, at, tape);
                if let Some(end) = end.map(|end| at + end) {
                    let offset = tape.offset(avx512, end);
                    fine &= settle(avx512, tape, window, end, finds);
                    return Some((offset + 1, fine && grammar.is_fine() && texts.are_fine(offset + 1)));
                }
                at += count;
            } else if tape.is_full() {
                fine &= settle(avx512, tape, window, at, finds);
                at = tape.drop_before(at);
            } else {
                return None;
            }
        }
    }
);

fearless_simd::kernel!(
    /// The offsets of the first sixteen of these bits, in a block at `at`.
    #[inline]
    fn offsets(avx512: Avx512, at: usize, bits: u64) -> [u32; 16] {
        #[expect(clippy::indexing_slicing, reason = "worked out by the compiler, which refuses a wrong index")]
        const POSITIONS: [u8; 64] = {
            let mut positions = [0; 64];
            let mut at = 0;
            while at < 64 {
                positions[at] = at as u8;
                at += 1;
            }
            positions
        };
        let packed = _mm512_maskz_compress_epi8(bits, u8x64::from_slice(avx512, &POSITIONS).into());
        let positions = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(packed));
        let offsets: u32x16<Avx512> = _mm512_add_epi32(positions, _mm512_set1_epi32(at as i32)).simd_into(avx512);
        offsets.into()
    }
);

fearless_simd::kernel!(
    /// The bit of which so many others that are set stand before it.
    #[inline]
    fn nth(_avx512: Avx512, bits: u64, before: usize) -> u64 {
        _pdep_u64(1 << before, bits)
    }
);
