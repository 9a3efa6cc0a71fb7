//! The brackets of a value one by one, where looking at a whole block at once does not do.

use super::block::{below, lowest, running_parity};

/// Nesting beyond this is left uncertain.
pub(super) const MAX_DEPTH: u32 = 60;

/// Which of the open brackets are lists; the others are objects. How many are open is counted elsewhere.
#[derive(Debug, Default)]
pub(super) struct Nest {
    /// The depths at which a list lies, as bits.
    lists: u64,
}

/// One block, with what its brackets are judged by.
pub(super) struct Stretch<'a> {
    pub(super) open: u64,
    pub(super) close: u64,
    pub(super) comma: u64,
    pub(super) colon: u64,
    /// `[` and `]`, also those inside of texts.
    pub(super) square: u64,
    /// Where a value has to begin, or an empty bracket to end.
    pub(super) due: u64,
    /// Where the block begins in the value.
    pub(super) at: usize,
    pub(super) value: &'a [u8],
}

/// What going through a block came to.
pub(super) struct Passed {
    /// The bit of the bracket that ends the value, or none.
    pub(super) end: u64,
    /// What does not belong where it is.
    pub(super) doubt: u64,
    pub(super) depth: u32,
    pub(super) colon_due: bool,
}

impl Nest {
    /// The depth of the innermost list; 0 where there is none.
    #[inline(always)]
    pub(super) fn innermost_list(&self) -> u32 {
        63u32.saturating_sub(self.lists.leading_zeros())
    }

    fn in_list(&self, depth: u32) -> bool {
        self.lists >> (depth & 63) & 1 == 1
    }

    /// Goes through a block from bracket to bracket. `colon_due`: where an object is innermost, its next separator is a colon.
    pub(super) fn brackets(&mut self, stretch: &Stretch<'_>, mut depth: u32, mut colon_due: bool) -> Passed {
        let Stretch { open, close, comma, colon, .. } = *stretch;
        let separators = comma | colon;
        let parity = running_parity(separators);
        let mut brackets = open | close;
        let mut doubt = 0;
        // The bits that are done with, and the parity behind them in every bit.
        let (mut done, mut before) = (0, 0);
        loop {
            let bracket = lowest(brackets);
            let here = separators & below(bracket) & !done;
            // In an object colons and commas take turns; in a list there are no colons.
            doubt |= match (self.in_list(depth), colon_due) {
                (true, _) => colon,
                (false, true) => parity ^ before ^ colon,
                (false, false) => !(parity ^ before) ^ colon,
            } & here;
            let behind = if bracket == 0 { parity >> 63 } else { u64::from(parity & bracket != 0) }.wrapping_neg();
            colon_due ^= behind != before;
            if bracket == 0 {
                return Passed { end: 0, doubt, depth, colon_due };
            }
            let opens = open & bracket != 0;
            let fits = if opens {
                self.open(stretch.square & bracket != 0, &mut depth, colon_due)
            } else {
                self.close(stretch, bracket, &mut depth, colon_due)
            };
            if !fits {
                doubt |= bracket;
            }
            colon_due = opens;
            if depth == 0 {
                return Passed { end: bracket, doubt, depth, colon_due };
            }
            (done, before) = (below(bracket) | bracket, behind);
            brackets ^= bracket;
        }
    }

    /// Opens a bracket; false where none can stand: in an object it stands behind a colon.
    fn open(&mut self, list: bool, depth: &mut u32, colon_due: bool) -> bool {
        let fits = (self.in_list(*depth) || !colon_due) && *depth < MAX_DEPTH;
        *depth += 1;
        if list {
            self.lists |= 1 << (*depth & 63);
        }
        fits
    }

    /// Closes a bracket; false where it is of another kind than what was opened, or cuts something off.
    fn close(&mut self, stretch: &Stretch<'_>, bracket: u64, depth: &mut u32, colon_due: bool) -> bool {
        let list = self.in_list(*depth);
        self.lists &= !(1 << (*depth & 63));
        *depth = depth.saturating_sub(1);
        let complete = if stretch.due & bracket == 0 {
            list || !colon_due
        } else {
            let end = stretch.at + bracket.trailing_zeros() as usize;
            let inside = stretch.value.get(..end).unwrap_or_default().trim_ascii_end();
            matches!(inside.last(), Some(b'{' | b'['))
        };
        complete && list == (stretch.square & bracket != 0)
    }
}
