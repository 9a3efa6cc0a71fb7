//! Brackets one by one, for blocks in which lists or empty objects stand.

use crate::masks::{below, lowest, prefix_xor};

/// Deeper nesting is left unproven.
pub(crate) const MAX_DEPTH: u32 = 60;

/// Which of the open brackets are lists; the others are objects. The number of open brackets is counted elsewhere.
#[derive(Debug, Default)]
pub(crate) struct Nesting {
    /// A bit for each depth at which a list is open.
    lists: u64,
}

/// The structural characters of one block.
pub(crate) struct Structurals<'a> {
    pub(crate) open: u64,
    pub(crate) close: u64,
    pub(crate) comma: u64,
    pub(crate) colon: u64,
    /// `[` and `]`, also those inside of strings.
    pub(crate) square: u64,
    /// Where a value or a key is expected, or the end of an empty bracket.
    pub(crate) expected: u64,
    /// The offset of the block.
    pub(crate) base: usize,
    pub(crate) text: &'a [u8],
}

/// The state behind a block.
pub(crate) struct Behind {
    /// The bit of the bracket that closes the whole value, or 0.
    pub(crate) end: u64,
    /// Characters that break the grammar, or are not proven to keep it.
    pub(crate) unproven: u64,
    pub(crate) depth: u32,
    pub(crate) colon_expected: bool,
}

impl Nesting {
    /// The depth of the innermost list; 0 if none is open.
    #[inline(always)]
    pub(crate) fn innermost_list(&self) -> u32 {
        63u32.saturating_sub(self.lists.leading_zeros())
    }

    fn is_list(&self, depth: u32) -> bool {
        self.lists >> (depth & 63) & 1 == 1
    }

    /// Goes through a block from bracket to bracket. `colon_expected`: if an object is innermost, its next separator is a colon.
    pub(crate) fn walk(&mut self, block: &Structurals<'_>, mut depth: u32, mut colon_expected: bool) -> Behind {
        let Structurals { open, close, comma, colon, .. } = *block;
        let separators = comma | colon;
        // In an object colons and commas alternate, so the parity of the separators before one tells which it has to be.
        let parity = prefix_xor(separators);
        let mut brackets = open | close;
        let mut unproven = 0;
        // The bits up to the last bracket, and the parity there in every bit.
        let (mut done, mut parity_before) = (0, 0);
        loop {
            let bracket = lowest(brackets);
            let here = separators & below(bracket) & !done;
            unproven |= match (self.is_list(depth), colon_expected) {
                (true, _) => colon,
                (false, true) => parity ^ parity_before ^ colon,
                (false, false) => !(parity ^ parity_before) ^ colon,
            } & here;
            let parity_here = if bracket == 0 { parity >> 63 } else { u64::from(parity & bracket != 0) }.wrapping_neg();
            colon_expected ^= parity_here != parity_before;
            if bracket == 0 {
                return Behind { end: 0, unproven, depth, colon_expected };
            }
            let opens = open & bracket != 0;
            let fits = if opens {
                self.open(block.square & bracket != 0, &mut depth, colon_expected)
            } else {
                self.close(block, bracket, &mut depth, colon_expected)
            };
            if !fits {
                unproven |= bracket;
            }
            colon_expected = opens;
            if depth == 0 {
                return Behind { end: bracket, unproven, depth, colon_expected };
            }
            (done, parity_before) = (below(bracket) | bracket, parity_here);
            brackets ^= bracket;
        }
    }

    /// Opens a bracket. False if none may stand there: in an object it stands behind a colon.
    fn open(&mut self, list: bool, depth: &mut u32, colon_expected: bool) -> bool {
        let fits = (self.is_list(*depth) || !colon_expected) && *depth < MAX_DEPTH;
        *depth += 1;
        if list {
            self.lists |= 1 << (*depth & 63);
        }
        fits
    }

    /// Closes a bracket. False if it is of another kind than the one that was opened, or a member before it is incomplete.
    fn close(&mut self, block: &Structurals<'_>, bracket: u64, depth: &mut u32, colon_expected: bool) -> bool {
        let list = self.is_list(*depth);
        self.lists &= !(1 << (*depth & 63));
        *depth = depth.saturating_sub(1);
        let complete = if block.expected & bracket == 0 {
            list || !colon_expected
        } else {
            let end = block.base + bracket.trailing_zeros() as usize;
            let inside = block.text.get(..end).unwrap_or_default().trim_ascii_end();
            matches!(inside.last(), Some(b'{' | b'['))
        };
        complete && list == (block.square & bracket != 0)
    }
}
