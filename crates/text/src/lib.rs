//! Decides which characters a reader does not see, and which values nobody may see, for every format that shows an attacker's
//! text: Slack messages, alerts, findings, exports, logs and the terminal.
//!
//! Of characters it holds no list of its own: the Unicode Character Database says which characters are controls, formats, line breaks or
//! ignorable. It never decides what stands in their place; each format does.

mod random;
mod secrets;

pub use secrets::{REDACTED, is_harmless_value, is_name_field, is_secret_name, is_value_field, redact};

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};

/// Blank, though Unicode counts it as a symbol: the Braille pattern without dots.
const BLANK_BRAILLE: char = '\u{2800}';

/// True for a character that has no shape of its own: it hides, reorders or splits the text around it.
///
/// These are the general categories `Cc`, `Cf`, `Zl` and `Zp` (controls, direction, line and paragraph breaks), the default
/// ignorable code points (zero-width characters, fillers, variation selectors, tags from U+E0000 to U+E0FFF), and the blank
/// Braille pattern. Ordinary spaces are not among them.
///
/// Source: Unicode Standard Annex #44, "General Category Values" and "Default_Ignorable_Code_Point"; Unicode Technical
/// Report #36, "Unicode Security Considerations".
#[must_use]
pub fn is_unseen(character: char) -> bool {
    // Nearly every character is one of these, and the tables below are searched for each.
    if matches!(character, ' '..='~') {
        return false;
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(character);
    matches!(
        category,
        GeneralCategory::Control | GeneralCategory::Format | GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator
    ) || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
        || character == BLANK_BRAILLE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_reorders_or_splits_is_unseen() {
        let unseen: [(&str, &[char]); 8] = [
            ("controls", &['\0', '\t', '\n', '\r', '\u{1b}', '\u{7f}', '\u{85}', '\u{9b}']),
            ("direction", &['\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}']),
            ("line and paragraph breaks", &['\u{2028}', '\u{2029}']),
            ("zero width", &['\u{ad}', '\u{34f}', '\u{200b}', '\u{200d}', '\u{2060}', '\u{206f}', '\u{feff}']),
            ("fillers", &['\u{115f}', '\u{1160}', '\u{2800}', '\u{3164}', '\u{ffa0}']),
            ("variation selectors", &['\u{180b}', '\u{fe00}', '\u{fe0f}', '\u{e0100}', '\u{e01ef}']),
            ("tags", &['\u{e0000}', '\u{e0001}', '\u{e0020}', '\u{e0041}', '\u{e007f}', '\u{e0fff}']),
            ("other formats", &['\u{600}', '\u{6dd}', '\u{70f}', '\u{180e}', '\u{fff9}', '\u{13430}', '\u{1d173}']),
        ];
        for (what, characters) in unseen {
            for character in characters {
                assert!(is_unseen(*character), "{what}: {}", character.escape_unicode());
            }
        }
    }

    #[test]
    fn what_has_a_shape_or_is_a_space_is_seen() {
        for character in " aZ0~é中ع\u{301}\u{a0}\u{3000}😀�…".chars() {
            assert!(!is_unseen(character), "{}", character.escape_unicode());
        }
    }
}
