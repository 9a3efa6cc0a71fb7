//! The insides of texts, left out of a value a block at a time. What remains of a text is its closing quote.

use std::arch::x86_64::{
    __m512i, _mm_clmulepi64_si128, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_set1_epi8, _mm512_cmpeq_epi8_mask,
    _mm512_cmplt_epi8_mask, _mm512_mask_mov_epi8, _mm512_maskz_compress_epi8, _mm512_movepi8_mask, _mm512_permutexvar_epi8,
    _mm512_set1_epi8, _mm512_ternarylogic_epi64, _mm512_test_epi8_mask,
};

use fearless_simd::{Avx512, prelude::*, u8x64};

use super::tape::{GROUP, MARK, Tape};
use crate::scan::block::blocks;
use crate::scan::grammar::{escapes, unusual};
use crate::scan::keys::{Keys, LOOKS};

/// What carries over from block to block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Texts {
    /// All ones inside a text.
    inside: u64,
    /// 1: the next character is escaped.
    escaped: u64,
    /// Where in the window the first character stands that gave rise to doubt.
    doubt_at: usize,
}

impl Default for Texts {
    fn default() -> Self {
        Self { inside: 0, escaped: 0, doubt_at: usize::MAX }
    }
}

impl Texts {
    /// True where nothing gave rise to doubt before `end`.
    pub(super) fn are_fine(&self, end: usize) -> bool {
        self.doubt_at >= end
    }

    #[cold]
    fn doubt(&mut self, at: usize, doubt: u64) {
        if doubt != 0 && self.doubt_at == usize::MAX {
            self.doubt_at = at + doubt.trailing_zeros() as usize;
        }
    }
}

/// By what letters keys are told apart.
pub(super) struct Letters([__m512i; LOOKS.len()]);

impl Letters {
    #[inline(always)]
    pub(super) fn of(avx512: Avx512, keys: &Keys) -> Self {
        Self(keys.looks().each_ref().map(|table| u8x64::from_slice(avx512, table).into()))
    }
}

/// The farthest of [`LOOKS`], at least.
const BACK: usize = 16;

fearless_simd::kernel!(
    /// Skims the next group of a window.
    #[inline]
    pub(super) fn skim(avx512: Avx512, letters: &Letters, texts: &mut Texts, window: &[u8], tape: &mut Tape) {
        let at = tape.end();
        let mut end = tape.ending();
        let mut state = *texts;
        let around = window.get(at.wrapping_sub(BACK)..).and_then(|rest| rest.first_chunk::<{ BACK + 64 * GROUP }>());
        if let Some(around) = around {
            for block in 0..GROUP {
                let Some(around) = around.get(64 * block..).and_then(|rest| rest.first_chunk::<{ BACK + 64 }>()) else {
                    continue;
                };
                let bytes = around.last_chunk::<64>().unwrap_or(&[0; 64]);
                let endings = endings(avx512, letters, around);
                let (remain, packed) = block_of(avx512, &mut state, bytes, endings, at + 64 * block);
                tape.put(&mut end, remain, &packed);
            }
        } else {
            // Near the ends of the window all colons are looked at.
            let unread = window.get(at..).unwrap_or_default();
            let (blocks, last) = blocks(unread);
            for (block, bytes) in blocks.iter().take(GROUP).enumerate() {
                let (remain, packed) = block_of(avx512, &mut state, bytes, !0, at + 64 * block);
                tape.put(&mut end, remain, &packed);
            }
            if blocks.len() < GROUP {
                let (remain, packed) = block_of(avx512, &mut state, &last, !0, at + 64 * blocks.len());
                tape.put(&mut end, remain, &packed);
            }
        }
        *texts = state;
        tape.set_ending(end);
    }
);

fearless_simd::kernel!(
    /// What remains of a block, as bits and one behind the other. `endings`: where a colon is to be marked.
    #[inline]
    fn block_of(avx512: Avx512, texts: &mut Texts, bytes: &[u8; 64], endings: u64, at: usize) -> (u64, [u8; 64]) {
        let each = |byte: u8| _mm512_set1_epi8(byte as i8);
        let text: __m512i = u8x64::from_slice(avx512, bytes).into();
        let is = |byte: u8| _mm512_cmpeq_epi8_mask(text, each(byte));
        let (quotes, backslashes) = (is(b'"'), is(b'\\'));
        // Below 0x20 as a number with a sign: control characters, and all that is beyond ASCII.
        let others = _mm512_cmplt_epi8_mask(text, each(0x20));
        let mut escaped = 0;
        let seldom = backslashes | others | texts.escaped != 0;
        if seldom {
            (escaped, texts.escaped) = escapes(backslashes, texts.escaped);
        }
        let quotes = quotes & !escaped;
        let inside = parity(avx512, quotes) ^ texts.inside;
        texts.inside = (inside as i64 >> 63) as u64;
        if seldom {
            let beyond = _mm512_movepi8_mask(text);
            texts.doubt(at, unusual(bytes, beyond, others & !beyond, inside, escaped));
        }
        // An opening quote counts as inside, a closing one does not.
        let remain = !inside;
        let marked = _mm512_mask_mov_epi8(text, is(b':') & !inside & endings, each(MARK));
        let packed: u8x64<Avx512> = _mm512_maskz_compress_epi8(remain, marked).simd_into(avx512);
        (remain, packed.into())
    }
);

fearless_simd::kernel!(
    /// The positions in a block before which, but for a quote, the ending of what may be a wanted key stands.
    #[inline]
    fn endings(avx512: Avx512, letters: &Letters, around: &[u8; BACK + 64]) -> u64 {
        let groups = |(look, groups): (usize, __m512i)| -> __m512i {
            let letters = around.get(BACK - look..).and_then(|rest| rest.first_chunk::<64>()).unwrap_or(&[0; 64]);
            _mm512_permutexvar_epi8(u8x64::from_slice(avx512, letters).into(), groups)
        };
        let ([a, b, c], [by_a, by_b, by_c]) = (LOOKS, letters.0);
        let groups = _mm512_ternarylogic_epi64::<0x80>(groups((a, by_a)), groups((b, by_b)), groups((c, by_c)));
        _mm512_test_epi8_mask(groups, groups)
    }
);

fearless_simd::kernel!(
    /// For each bit the parity of the bits up to and with it.
    #[inline]
    fn parity(_avx512: Avx512, bits: u64) -> u64 {
        let product = _mm_clmulepi64_si128::<0>(_mm_cvtsi64_si128(bits as i64), _mm_set1_epi8(-1));
        _mm_cvtsi128_si64(product) as u64
    }
);
