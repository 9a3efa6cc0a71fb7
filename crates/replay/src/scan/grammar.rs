//! The grammar of JSON on the masks of blocks, from one block to the next.
//!
//! A value is a row of items: brackets, commas, colons, and the beginnings of texts and of bare values. Whether something has to
//! begin or something is over follows from the item before. Where there are only objects, and none is empty, the rest follows
//! from the punctuation before: a colon comes next behind a comma or an opening bracket, and nowhere else. Both are checked for a
//! whole block at once; a block with lists or empty objects is gone through from bracket to bracket. What is left for the end: a
//! key is a text, and a bare value is `true`, `false`, `null` or a number.

use fearless_simd::Simd;

use super::block::{Block, below, positions, running_parity};
use super::keys::{Endings, Finds};
use super::nest::{MAX_DEPTH, Nest, Stretch};
use super::notes::Notes;

const EVEN: u64 = 0x5555_5555_5555_5555;

/// What carries over from block to block.
#[derive(Debug, Clone, Copy)]
struct Carry {
    /// Where the next block begins.
    at: usize,
    /// What is not JSON, or could not be judged.
    doubt: u64,
    /// All ones inside a text.
    in_text: u64,
    /// 1: the next character may go on with a bare value.
    in_bare: u64,
    /// 1: the last character ended a text.
    text_over: u64,
    /// 1: the last item was a colon, a comma or an opening bracket, so a value or a key comes next.
    due: u64,
    /// 1: the last punctuation was a comma or an opening bracket, so in an object a colon comes next.
    colon_due: u64,
    /// How many brackets are open.
    depth: u32,
}

/// The items of one block.
#[derive(Debug, Clone, Copy)]
struct Items {
    /// Beginnings of texts and of bare values.
    plain: u64,
    /// Of these, the bare values.
    bare: u64,
    open: u64,
    close: u64,
    comma: u64,
    colon: u64,
    /// Colons that do not stand right behind a text.
    stray: u64,
}

impl Items {
    /// Also gives what lies inside of texts.
    #[inline(always)]
    fn of(block: &Block, escaped: u64, carry: &mut Carry) -> (Self, u64) {
        let quote = block.quote & !escaped;
        let text = running_parity(quote) ^ carry.in_text;
        carry.in_text = (text >> 63).wrapping_neg();
        let outside = !(text | quote);
        let punctuation = block.open | block.close | block.comma | block.colon;
        let bare = outside & !(punctuation | block.space | block.control);
        let bare_start = bare & !(bare << 1 | carry.in_bare);
        carry.in_bare = bare >> 63;
        let text_end = quote & !text;
        let items = Self {
            plain: quote & text | bare_start,
            bare: bare_start,
            open: block.open & outside,
            close: block.close & outside,
            comma: block.comma & outside,
            colon: block.colon & outside,
            stray: block.colon & outside & !(text_end << 1 | carry.text_over),
        };
        carry.text_over = text_end >> 63;
        (items, text)
    }

    #[inline(always)]
    fn punctuation(self) -> u64 {
        self.open | self.close | self.comma | self.colon
    }

    /// Where the item before is a colon, a comma or an opening bracket; and whether the last one is.
    #[inline(always)]
    fn due(self, carry: u64) -> (u64, u64) {
        skip(self.open | self.comma | self.colon, carry, !(self.plain | self.punctuation()))
    }
}

/// How far a walk over blocks came.
#[derive(Debug)]
pub(super) struct Walk {
    carry: Carry,
    /// 1: the next character is escaped.
    escaped: u64,
    nest: Nest,
}

impl Walk {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self {
            // As though the value stood behind a colon.
            carry: Carry { at: 0, doubt: 0, in_text: 0, in_bare: 0, text_over: 0, due: 1, colon_due: 0, depth: 0 },
            escaped: 0,
            nest: Nest::default(),
        }
    }

    /// False where something is not JSON, or could not be judged, in what was walked over.
    #[inline(always)]
    pub(super) fn is_certain(&self) -> bool {
        self.carry.doubt == 0
    }

    /// Takes the next blocks of `value`; gives the offset behind the value where it ends in them.
    #[inline(always)]
    pub(super) fn over<S: Simd>(
        &mut self,
        simd: S,
        blocks: &[[u8; 64]],
        value: &[u8],
        notes: &mut Notes,
        finds: &mut Finds<'_>,
    ) -> Option<usize> {
        let mut carry = self.carry;
        let endings = Endings::new(simd, finds.keys);
        for bytes in blocks {
            let block = Block::read(simd, bytes);
            let (mut escaped, mut doubt) = (0, 0);
            if block.backslash | self.escaped != 0 {
                (escaped, self.escaped) = escapes(block.backslash, self.escaped);
            }
            let (at, depth) = (carry.at, carry.depth);
            let (items, text) = Items::of(&block, escaped, &mut carry);
            if block.control | block.beyond | escaped != 0 {
                doubt = unusual(bytes, block.beyond, block.control, text, escaped);
            }
            doubt |= items.stray;
            let keys = items.colon & endings.before(simd, value, at);
            // Before this block, so that nothing is looked at behind the end of the value.
            if notes.is_full() {
                carry.doubt |= u64::from(!notes.settle(value, usize::MAX, finds));
            }
            notes.add(at, depth, items.open, items.close, keys | items.bare);
            carry.at += 64;
            let (due, due_next) = items.due(carry.due);
            carry.due = due_next;

            let closed = items.close.count_ones();
            let lists = block.square & (items.open | items.close);
            let opened = depth + items.open.count_ones();
            if lists | items.close & due == 0 && closed + self.nest.innermost_list() < depth && opened <= MAX_DEPTH {
                // Only objects, and none is empty.
                let opener = items.open | items.comma;
                let (colons, colon_due) = skip(opener, carry.colon_due, !items.punctuation());
                carry.colon_due = colon_due;
                carry.doubt |= doubt | due ^ (items.plain | items.open) | colons ^ items.colon;
                carry.depth = opened - closed;
                continue;
            }
            let beginnings = items.plain | items.open;
            doubt |= due & !(beginnings | items.close) | !due & beginnings;
            let Items { open, close, comma, colon, .. } = items;
            let stretch = Stretch { open, close, comma, colon, square: block.square, due, at, value };
            let passed = self.nest.brackets(&stretch, depth, carry.colon_due == 1);
            (carry.depth, carry.colon_due) = (passed.depth, u64::from(passed.colon_due));
            // What follows the value in this block is not its own.
            carry.doubt |= (doubt | passed.doubt) & (below(passed.end) | passed.end);
            if passed.end != 0 {
                self.carry = carry;
                return Some(at + passed.end.trailing_zeros() as usize + 1);
            }
        }
        self.carry = carry;
        None
    }
}

/// What comes behind each of the given bits, over the gaps. The carry stands for a bit before the block; also gives the next one.
#[inline(always)]
pub(super) fn skip(bits: u64, carry: u64, gap: u64) -> (u64, u64) {
    let next = bits << 1 | carry;
    let (moved, over) = (next & gap).overflowing_add(gap);
    ((next | moved) & !gap, bits >> 63 | u64::from(over))
}

/// The characters that are escaped, and whether the first one of the next block is.
#[cold]
pub(super) fn escapes(backslash: u64, first: u64) -> (u64, u64) {
    let backslash = backslash & !first;
    let follows = backslash << 1 | first;
    let odd_starts = backslash & !EVEN & !follows;
    let (runs, over) = odd_starts.overflowing_add(backslash);
    ((EVEN ^ (runs << 1)) & follows, u64::from(over))
}

/// Where characters stand of which only a full parse can judge.
#[cold]
pub(super) fn unusual(bytes: &[u8; 64], beyond: u64, control: u64, text: u64, escaped: u64) -> u64 {
    let at = |position: usize| bytes.get(position).copied().unwrap_or_default();
    let mut doubt = beyond | control & text;
    for position in positions(control & !text) {
        if !matches!(at(position), b'\t' | b'\n' | b'\r') {
            doubt |= 1 << position;
        }
    }
    for position in positions(escaped) {
        if !matches!(at(position), b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') {
            doubt |= 1 << position;
        }
    }
    doubt
}
