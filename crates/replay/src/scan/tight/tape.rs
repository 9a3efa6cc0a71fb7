//! What remains of a window without the insides of its texts, and where in the window it stood.

use fearless_simd::Avx512;

use super::nth;
use crate::scan::block::{below, positions};
use crate::scan::keys::Finds;
use crate::scan::notes::after_bare_value;

/// So many blocks are skimmed at once.
pub(super) const GROUP: usize = 8;
/// So many find room.
const BLOCKS: usize = 192;
// A hint is one byte.
const _: () = assert!(BLOCKS <= 256);
/// As many spots as this may come with a group.
const GROUP_SPOTS: usize = 64 * GROUP;
const SPOTS: usize = 4 * GROUP_SPOTS;

/// Stands for a colon behind what may be a wanted key. Where a value has it, it is not JSON.
pub(super) const MARK: u8 = 1;

#[derive(Debug)]
pub(super) struct Tape {
    /// Where the first block begins in the window.
    start: usize,
    /// By block: the bytes that remain of it, as bits, and how many there are before them.
    remain: [u64; BLOCKS],
    before: [u32; BLOCKS],
    block: usize,
    /// By every eighth of what remains: in which block it stood.
    hints: [u8; 8 * BLOCKS + 16],
    /// What remains, and room for a block behind it.
    rest: [u8; 64 * BLOCKS + 64],
    len: usize,
    /// Where in it the first stretch begins.
    first: usize,
    /// By stretch of sixty-four bytes of it: the opening and closing brackets, and how many are open before.
    stretches: [(u64, u64, u32); BLOCKS + 1],
    /// By their offset in it: colons behind what may be a wanted key, and the beginnings of bare values.
    spots: Spots,
}

/// Offsets, of which the first `len` count.
#[derive(Debug)]
struct Spots {
    at: [u32; SPOTS + 16],
    len: usize,
}

impl Spots {
    fn new() -> Self {
        Self { at: [0; _], len: 0 }
    }

    /// `first`: the offsets of the first sixteen.
    #[inline(always)]
    fn add(&mut self, start: usize, bits: u64, first: &[u32; 16]) {
        if let Some(to) = self.at.get_mut(self.len..).and_then(|rest| rest.first_chunk_mut()) {
            *to = *first;
        }
        let count = bits.count_ones() as usize;
        if count > 16 {
            for (to, position) in self.at.iter_mut().skip(self.len).zip(positions(bits)) {
                *to = (start + position) as u32;
            }
        }
        self.len += count;
    }

    /// Those before `end`; `None` where there were more than find room.
    #[inline(always)]
    fn before(&self, end: usize) -> Option<impl Iterator<Item = usize>> {
        let all = self.at.get(..self.len)?.iter().map(|at| *at as usize);
        Some(all.take_while(move |at| *at < end))
    }
}

impl Tape {
    pub(super) fn new() -> Self {
        Self {
            start: 0,
            remain: [0; _],
            before: [0; _],
            block: 0,
            hints: [0; _],
            rest: [0; _],
            len: 0,
            first: 0,
            stretches: [(0, 0, 0); _],
            spots: Spots::new(),
        }
    }

    /// Forgets all; the next block begins there in the window.
    pub(super) fn restart(&mut self, start: usize) {
        (self.start, self.block, self.len) = (start, 0, 0);
    }

    /// Where the next block begins in the window.
    #[inline(always)]
    pub(super) fn end(&self) -> usize {
        self.start + 64 * self.block
    }

    /// How much remains of the blocks so far.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// True where another group might not find room.
    #[inline(always)]
    pub(super) fn is_full(&self) -> bool {
        self.block > BLOCKS - GROUP || self.spots.len > SPOTS - GROUP_SPOTS
    }

    /// True where a byte of the window is on the tape, and not inside of a text.
    pub(super) fn has_outside(&self, offset: usize) -> bool {
        let Some(at) = offset.checked_sub(self.start).filter(|at| at / 64 < self.block) else { return false };
        self.remain.get(at / 64).is_some_and(|remain| remain >> (at % 64) & 1 == 1)
    }

    /// Drops what is before a byte of the window, where there is much of it.
    pub(super) fn make_room(&mut self, offset: usize) {
        if self.block > BLOCKS * 3 / 4 {
            self.drop_before(self.index(offset));
        }
    }

    /// Drops the blocks before something that remains; gives where it is then.
    pub(super) fn drop_before(&mut self, at: usize) -> usize {
        let first = self.block_of(at);
        let base = self.before.get(first).map_or(self.len, |before| *before as usize);
        self.remain.copy_within(first..self.block, 0);
        self.before.copy_within(first..self.block, 0);
        self.rest.copy_within(base..self.len, 0);
        (self.start, self.block, self.len) = (self.start + 64 * first, self.block - first, self.len - base);
        for block in 0..self.block {
            if let Some(before) = self.before.get_mut(block) {
                *before -= base as u32;
                let before = *before as usize;
                self.hint(block, before);
            }
        }
        self.begin_stretches(at - base)
    }

    /// Begins a value with the one behind its first bracket; gives where that is in what remains.
    #[inline(always)]
    pub(super) fn begin_behind(&mut self, offset: usize) -> usize {
        let at = if self.block == 0 { 0 } else { self.index(offset) };
        self.begin_stretches(at + 1)
    }

    fn begin_stretches(&mut self, at: usize) -> usize {
        (self.first, self.spots.len) = (at, 0);
        at
    }

    /// Notes what is in a block, unless it is in one behind it.
    #[inline(always)]
    fn hint(&mut self, block: usize, before: usize) {
        if let Some(hints) = self.hints.get_mut(before.div_ceil(8)..).and_then(|hints| hints.first_chunk_mut::<16>()) {
            *hints = [block as u8; 16];
        }
    }

    /// How many blocks there are, and how much remains of them.
    #[inline(always)]
    pub(super) fn ending(&self) -> (usize, usize) {
        (self.block, self.len)
    }

    #[inline(always)]
    pub(super) fn set_ending(&mut self, (block, len): (usize, usize)) {
        (self.block, self.len) = (block, len);
    }

    /// Puts a block there, and moves on: the bytes that remain of it, as bits and one behind the other.
    #[inline(always)]
    pub(super) fn put(&mut self, (block, len): &mut (usize, usize), remain: u64, packed: &[u8; 64]) {
        if let (Some(there), Some(before)) = (self.remain.get_mut(*block), self.before.get_mut(*block)) {
            (*there, *before) = (remain, *len as u32);
        }
        self.hint(*block, *len);
        if let Some(to) = self.rest.get_mut(*len..).and_then(|rest| rest.first_chunk_mut()) {
            *to = *packed;
        }
        *block += 1;
        *len += remain.count_ones() as usize;
    }

    /// What remains, from there on: sixty-four bytes, of which so many count.
    #[inline(always)]
    pub(super) fn rest(&self, at: usize) -> Option<(&[u8; 64], usize)> {
        let count = self.len.checked_sub(at).filter(|count| *count > 0)?;
        Some((self.rest.get(at..)?.first_chunk()?, count.min(64)))
    }

    /// Adds what is known of the stretch of remains at `at`.
    #[inline(always)]
    pub(super) fn add_stretch(&mut self, at: usize, open: u64, close: u64, depth: u32, spots: u64, first: &[u32; 16]) {
        if let Some(stretch) = self.stretches.get_mut((at - self.first) / 64) {
            *stretch = (open, close, depth);
        }
        self.spots.add(at, spots, first);
    }

    /// In which block something stood that remains.
    #[inline(always)]
    fn block_of(&self, at: usize) -> usize {
        let passes = |block: usize| block < self.block && self.before.get(block).is_some_and(|before| *before as usize <= at);
        let mut block = self.hints.get(at / 8).map_or(0, |hint| usize::from(*hint));
        // Most often it is this one or the next, nobody knows which.
        block += usize::from(passes(block + 1));
        while passes(block + 1) {
            block += 1;
        }
        block
    }

    /// Where something that remains stood in the window.
    pub(super) fn offset(&self, avx512: Avx512, at: usize) -> usize {
        let block = self.block_of(at);
        self.offset_in(avx512, block, at)
    }

    /// The same, where the block is known.
    #[inline(always)]
    fn offset_in(&self, avx512: Avx512, block: usize, at: usize) -> usize {
        let (remain, before) = self.at_block(block);
        self.start + 64 * block + nth(avx512, remain, at - before).trailing_zeros() as usize
    }

    #[inline(always)]
    fn at_block(&self, block: usize) -> (u64, usize) {
        let before = self.before.get(block).map_or(0, |before| *before as usize);
        (self.remain.get(block).copied().unwrap_or_default(), before)
    }

    /// Where something of the window is in what remains.
    #[inline(always)]
    fn index(&self, offset: usize) -> usize {
        let at = offset - self.start;
        let (remain, before) = self.at_block(at / 64);
        before + (remain & below(1 << (at % 64))).count_ones() as usize
    }

    /// How many brackets are open at something that remains.
    #[inline(always)]
    fn depth(&self, at: usize) -> u32 {
        let at = at - self.first;
        let (open, close, depth) = self.stretches.get(at / 64).copied().unwrap_or_default();
        let left = below(1 << (at % 64));
        (depth + (open & left).count_ones()).wrapping_sub((close & left).count_ones())
    }
}

fearless_simd::kernel!(
    /// Looks at everything that was noted before `end` in what remains; false where a bare value is none.
    pub(super) fn settle(avx512: Avx512, tape: &Tape, window: &[u8], end: usize, finds: &mut Finds<'_>) -> bool {
        let rest = tape.rest.get(..tape.len).unwrap_or_default();
        let Some(spots) = tape.spots.before(end) else { return false };
        let mut fine = true;
        for at in spots {
            let from = rest.get(at..).unwrap_or_default();
            if from.first() == Some(&MARK) {
                finds.look(window, tape.offset_in(avx512, tape.block_of(at), at), || tape.depth(at));
            } else {
                let behind = after_bare_value(from).and_then(|behind| behind.first());
                fine &= matches!(behind, Some(b',' | b'}' | b']'));
            }
        }
        fine
    }
);
