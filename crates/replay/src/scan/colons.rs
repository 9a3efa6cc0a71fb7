//! The keys of a value that is known to be JSON, each with the number of brackets that are open around it. Nothing is checked here.

use fearless_simd::{Level, Simd, dispatch};

use super::block::{Block, below, blocks, positions, running_parity};
use super::grammar::escapes;

/// A key of an object, by its colon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Colon {
    pub(crate) at: usize,
    /// 1 for a key of the object itself.
    pub(crate) depth: usize,
    /// Where the key begins, behind its quote.
    pub(crate) key: usize,
}

/// Finds all of them, in their order.
pub(crate) fn colons(level: Level, value: &[u8], found: &mut Vec<Colon>) {
    found.clear();
    dispatch!(level, simd => over(simd, value, found));
}

#[inline(always)]
fn over<S: Simd>(simd: S, value: &[u8], found: &mut Vec<Colon>) {
    let (blocks, last) = blocks(value);
    let (mut in_text, mut escaped_next, mut depth) = (0, 0, 0);
    // Where the last text before the block begins.
    let mut begun = 0;
    for (at, bytes) in (0..).step_by(64).zip(blocks.iter().chain([&last])) {
        let block = Block::read(simd, bytes);
        let mut escaped = 0;
        if block.backslash | escaped_next != 0 {
            (escaped, escaped_next) = escapes(block.backslash, escaped_next);
        }
        let quote = block.quote & !escaped;
        let text = running_parity(quote) ^ in_text;
        in_text = (text >> 63).wrapping_neg();
        let outside = !(text | quote);
        let (open, close, begins) = (block.open & outside, block.close & outside, quote & text);
        let so_far = |left: u64| depth + (open & left).count_ones() as usize - (close & left).count_ones() as usize;
        let key = |left: u64| match begins & left {
            0 => begun,
            begins => at + 64 - begins.leading_zeros() as usize,
        };
        found.extend(positions(block.colon & outside).map(|bit| {
            let left = below(1 << bit);
            Colon { at: at + bit, depth: so_far(left), key: key(left) }
        }));
        (depth, begun) = (so_far(!0), key(!0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colons_outside_of_texts_are_found_with_their_depth() {
        for before in 0..130 {
            let pad = "x:{".repeat(before);
            let text = format!(r#"{{"{pad}":1,"a":{{"b\":":[{{"c":"}}:"}}],"d":{{}}}},"e":null}}"#);
            let mut found = Vec::new();
            colons(Level::new(), text.as_bytes(), &mut found);
            let keys: Vec<(&str, usize)> = found.iter().map(|colon| (&text[colon.key..colon.at - 1], colon.depth)).collect();
            let expected = [(pad.as_str(), 1), ("a", 1), (r#"b\":"#, 2), ("c", 4), ("d", 2), ("e", 1)];
            assert_eq!(keys, expected, "{text}");
        }
    }
}
