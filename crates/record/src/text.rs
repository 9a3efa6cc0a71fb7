//! Makes an attacker's text harmless where plain text is shown, hides what looks like a secret in it, and cuts it to the length that a format takes.

use cordon_text::{is_unseen, redact};

/// The text with U+FFFD for each character that a reader does not see, so that it neither steers a terminal nor hides or
/// reorders what stands beside it, and a reader sees that something was there; and without what looks like a secret.
#[must_use]
pub fn visible(text: &str) -> String {
    redact(text).chars().map(|c| if is_unseen(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// One visible line of at most `max_units` UTF-16 units, as AWS and browsers count characters. Never empty: a format that
/// requires a text refuses an empty one.
#[must_use]
pub fn line(text: &str, max_units: usize) -> String {
    let text = visible(text.trim());
    if text.is_empty() {
        return "-".to_owned();
    }
    if text.encode_utf16().count() <= max_units {
        return text;
    }
    let mut units = 0;
    let mut cut: String = text
        .chars()
        .take_while(|c| {
            units += c.len_utf16();
            units < max_units
        })
        .collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_and_a_line_is_never_empty_or_too_long() {
        assert_eq!(visible("a\u{1b}[31m\u{202e}b\nc\u{200b}"), "a\u{fffd}[31m\u{fffd}b\u{fffd}c\u{fffd}");
        assert_eq!(line(" \u{0}x\n", 10), "\u{fffd}x");
        assert_eq!(line("  ", 10), "-");
        assert_eq!(line("abcdef", 6), "abcdef");
        assert_eq!(line("abcdefg", 6), "abcde…");
        for max in 1..8 {
            assert!(line("\u{1f600}\u{1f600}\u{1f600}\u{1f600}", max).encode_utf16().count() <= max, "{max}");
        }
    }
}
