//! The walk over a value that has no space outside of its texts, as CloudTrail writes it, on processors with AVX-512.
//!
//! Every byte is of one of eight classes, and of two bytes side by side a table says whether they may stand so, for sixty-four
//! pairs at once. What neighbours do not tell is checked as in [`super::grammar`]: that colons and commas take turns in an
//! object, that brackets fit, and what a bare value is. A value with spaces is left uncertain; `grammar` walks over it then.

use std::arch::x86_64::{
    __m512i, _mm_clmulepi64_si128, _mm_cvtsi64_si128, _mm_cvtsi128_si64, _mm_set1_epi8, _mm512_cmpeq_epi8_mask,
    _mm512_cmplt_epi8_mask, _mm512_mask_mov_epi8, _mm512_mask_test_epi8_mask, _mm512_maskz_mov_epi8, _mm512_movepi8_mask,
    _mm512_or_si512, _mm512_permutex2var_epi8, _mm512_permutexvar_epi8, _mm512_set1_epi8, _mm512_setzero_si512,
    _mm512_slli_epi16, _mm512_ternarylogic_epi64, _mm512_testn_epi8_mask,
};

use fearless_simd::{Avx512, prelude::*, u8x64};

use super::Extent;
use super::block::{below, blocks};
use super::grammar::{escapes, skip, unusual};
use super::keys::{Finds, LOOKS};
use super::nest::{MAX_DEPTH, Nest, Stretch};
use super::notes::Notes;

/// Inside of a text.
const TEXT: u8 = 0;
/// The quote that ends a text.
const ENDS: u8 = 1;
/// The quote that begins one.
const BEGINS: u8 = 2;
const COLON: u8 = 3;
const COMMA: u8 = 4;
const OPEN: u8 = 5;
const CLOSE: u8 = 6;
/// What `true`, `false`, `null` and numbers are made of.
const BARE: u8 = 7;
/// Of a byte that is of no class, and of a pair that cannot be.
const FAULT: u8 = 0x80;

/// The pairs that can be, as classes.
const PAIRS: [(u8, &[u8]); 8] = [
    (TEXT, &[TEXT, ENDS]),
    (ENDS, &[COLON, COMMA, CLOSE]),
    (BEGINS, &[TEXT, ENDS]),
    (COLON, &[BEGINS, OPEN, BARE]),
    (COMMA, &[BEGINS, OPEN, BARE]),
    (OPEN, &[BEGINS, OPEN, CLOSE, BARE]),
    (CLOSE, &[COMMA, CLOSE]),
    (BARE, &[COMMA, CLOSE, BARE]),
];

/// What is looked up.
#[derive(Debug)]
pub(super) struct Tight {
    avx512: Avx512,
    /// The class of an ASCII byte outside of texts, a quote taken to end one.
    classes: [[u8; 64]; 2],
    /// By the class of a byte, and eight times that of the one before.
    pairs: [u8; 64],
    /// Where in two blocks the byte stands that is one, or so many of [`LOOKS`], before each byte of the second.
    before: [u8; 64],
    looks: [[u8; 64]; LOOKS.len()],
}

impl Tight {
    pub(super) fn new(avx512: Avx512) -> Self {
        let class = |byte: u8| match byte {
            b'"' => ENDS,
            b':' => COLON,
            b',' => COMMA,
            b'{' | b'[' => OPEN,
            b'}' | b']' => CLOSE,
            b'0'..=b'9' | b'-' | b'.' => BARE,
            byte if b"truefalsn".contains(&byte) => BARE,
            _ => FAULT,
        };
        let classes = [0u8, 64].map(|from| table(|at| class(from + at)));
        let pairs = table(|pair| {
            let fits = PAIRS.iter().any(|(before, after)| *before == pair >> 3 && after.contains(&(pair & 7)));
            if fits { 0 } else { FAULT }
        });
        let back = |bytes: usize| table(|at| 64 + at - bytes as u8);
        Self { avx512, classes, pairs, before: back(1), looks: LOOKS.map(back) }
    }

    /// As [`super::measure`]. What it leaves uncertain may still be JSON.
    pub(super) fn measure(&self, bytes: &[u8], notes: &mut Notes, finds: &mut Finds<'_>) -> Extent {
        notes.clear();
        let (blocks, last) = blocks(bytes);
        let end = over(self.avx512, self, blocks, &last, bytes, notes, finds);
        let Some((len, certain)) = end.filter(|(len, _)| *len <= bytes.len()) else { return Extent::Unfinished };
        let certain = notes.settle(bytes, len, finds) && certain;
        Extent::Whole { len, certain }
    }
}

fn table(entry: impl Fn(u8) -> u8) -> [u8; 64] {
    let mut table = [0; 64];
    for (at, there) in (0..).zip(&mut table) {
        *there = entry(at);
    }
    table
}

/// What carries over from block to block.
struct Carry {
    text: __m512i,
    classes: __m512i,
    /// All ones inside a text.
    in_text: u64,
    /// 1: the next character is escaped.
    escaped: u64,
    /// 1: the next character may go on with a bare value.
    in_bare: u64,
}

/// The masks of a block, of what lies outside of texts.
struct Masks {
    colon: u64,
    comma: u64,
    open: u64,
    close: u64,
    /// `[` and `]`.
    square: u64,
    /// Colons behind what may be a wanted key, and the beginnings of bare values.
    spots: u64,
    /// What is not JSON, or could not be judged.
    doubt: u64,
}

/// What is looked up, where it is looked up from.
struct Tables {
    classes: [__m512i; 2],
    pairs: __m512i,
    before: __m512i,
    looks: [__m512i; LOOKS.len()],
    letters: [__m512i; LOOKS.len()],
}

fearless_simd::kernel!(
    #[inline]
    fn load(avx512: Avx512, bytes: &[u8; 64]) -> __m512i {
        u8x64::from_slice(avx512, bytes).into()
    }
);

fearless_simd::kernel!(
    #[inline]
    fn read(avx512: Avx512, tables: &Tables, carry: &mut Carry, bytes: &[u8; 64]) -> Masks {
        let each = |byte: u8| _mm512_set1_epi8(byte as i8);
        let text = load(avx512, bytes);
        let quotes = _mm512_cmpeq_epi8_mask(text, each(b'"'));
        let backslashes = _mm512_cmpeq_epi8_mask(text, each(b'\\'));
        // Below 0x20 as a number with a sign: control characters, and all that is beyond ASCII.
        let others = _mm512_cmplt_epi8_mask(text, each(0x20));
        let (mut escaped, mut doubt) = (0, 0);
        let seldom = backslashes | others | carry.escaped != 0;
        if seldom {
            (escaped, carry.escaped) = escapes(backslashes, carry.escaped);
        }
        let quotes = quotes & !escaped;
        let inside = parity(avx512, quotes) ^ carry.in_text;
        carry.in_text = (inside as i64 >> 63) as u64;
        if seldom {
            let beyond = _mm512_movepi8_mask(text);
            doubt = unusual(bytes, beyond, others & !beyond, inside, escaped);
        }

        let [low, high] = tables.classes;
        let classes = _mm512_maskz_mov_epi8(!(inside & !quotes), _mm512_permutex2var_epi8(low, text, high));
        let classes = _mm512_mask_mov_epi8(classes, inside & quotes, each(BEGINS));
        let before = _mm512_permutex2var_epi8(carry.classes, tables.before, classes);
        let pair = _mm512_or_si512(_mm512_slli_epi16::<3>(before), classes);
        let misfits = _mm512_or_si512(_mm512_permutexvar_epi8(pair, tables.pairs), classes);

        let is = |class: u8| _mm512_cmpeq_epi8_mask(classes, each(class));
        let (colon, open, close, bare) = (is(COLON), is(OPEN), is(CLOSE), is(BARE));
        let bare_start = bare & !(bare << 1 | carry.in_bare);
        let [a, b, c] = tables.looks.map(|back| _mm512_permutex2var_epi8(carry.text, back, text));
        let [by_a, by_b, by_c] = tables.letters;
        let groups = _mm512_ternarylogic_epi64::<0x80>(
            _mm512_permutexvar_epi8(a, by_a),
            _mm512_permutexvar_epi8(b, by_b),
            _mm512_permutexvar_epi8(c, by_c),
        );
        (carry.text, carry.classes, carry.in_bare) = (text, classes, bare >> 63);
        Masks {
            colon,
            comma: is(COMMA),
            open,
            close,
            // A bit tells square brackets from curly ones.
            square: _mm512_testn_epi8_mask(text, each(0x20)) & (open | close),
            spots: _mm512_mask_test_epi8_mask(colon, groups, groups) | bare_start,
            doubt: doubt | _mm512_movepi8_mask(misfits),
        }
    }
);

fearless_simd::kernel!(
    /// The offset behind the value, and whether nothing in it gave rise to doubt; `None` where the blocks end before it.
    fn over(
        avx512: Avx512,
        tight: &Tight,
        blocks: &[[u8; 64]],
        last: &[u8; 64],
        value: &[u8],
        notes: &mut Notes,
        finds: &mut Finds<'_>,
    ) -> Option<(usize, bool)> {
        let tables = Tables {
            classes: tight.classes.each_ref().map(|table| load(avx512, table)),
            pairs: load(avx512, &tight.pairs),
            before: load(avx512, &tight.before),
            looks: tight.looks.each_ref().map(|table| load(avx512, table)),
            letters: finds.keys.looks().each_ref().map(|table| load(avx512, table)),
        };
        // As though the value stood behind a colon.
        let colon = _mm512_set1_epi8(COLON as i8);
        let mut carry = Carry { text: _mm512_setzero_si512(), classes: colon, in_text: 0, escaped: 0, in_bare: 0 };
        let (mut at, mut depth, mut doubt) = (0, 0, 0);
        let (mut due_next, mut colon_due) = (1, 0);
        let mut nest = Nest::default();
        for bytes in blocks.iter().chain(std::iter::once(last)) {
            let Masks { colon, comma, open, close, square, spots, doubt: doubtful } = read(avx512, &tables, &mut carry, bytes);
            notes.add(at, depth, open, close, spots);
            if notes.is_full() {
                doubt |= u64::from(!notes.settle(value, usize::MAX, finds));
            }

            let opener = open | comma;
            let due = (opener | colon) << 1 | due_next;
            due_next = (opener | colon) >> 63;
            let closed = close.count_ones();
            if square | close & due == 0 && closed + nest.innermost_list() < depth && depth < MAX_DEPTH {
                // Only objects, and none is empty.
                let (colons, next) = skip(opener, colon_due, !(opener | colon | close));
                colon_due = next;
                doubt |= colons ^ colon | doubtful;
                depth = depth + open.count_ones() - closed;
                at += 64;
                continue;
            }
            let stretch = Stretch { open, close, comma, colon, square, due, at, value };
            let passed = nest.brackets(&stretch, depth, colon_due == 1);
            (depth, colon_due) = (passed.depth, u64::from(passed.colon_due));
            // What follows the value in this block is not its own.
            doubt |= (passed.doubt | doubtful) & (below(passed.end) | passed.end);
            if passed.end != 0 {
                return Some((at + passed.end.trailing_zeros() as usize + 1, doubt == 0));
            }
            at += 64;
        }
        None
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
