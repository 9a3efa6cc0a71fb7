//! Makes text safe to put into a Slack message: it decides what each character may still do there.
//!
//! Names, user agents and policy documents are an attacker's to choose. They must not mention anybody, link anywhere, format, hide
//! or reorder what stands beside them, or push anything past Slack's limits. So there are three ways into a message, and no other:
//!
//! - [`code`], for a value: a code span, in which Slack formats nothing. A backtick inside, which would end the span, becomes `ˋ`.
//! - [`sentence`], for prose that may quote values in backticks: what stands between two backticks becomes a code span, the rest is
//!   neutralised by look-alikes (`∗ ˍ ∼ ˋ`), because Slack has no way to escape these characters. Shortcodes and addresses become
//!   code spans too: Slack turns `:name:` into an emoji even inside an ARN. An attacker's stray backtick can thus change which part
//!   is a span, and nothing else.
//! - [`plain`], for `plain_text` objects, which format nothing but may be decoded: `<` and `>` become `‹` and `›`. [`unformatted`] is
//!   the like for the fallback text, which is escaped.
//!
//! All of them first pass [`clean`]. Slack's own escaping (`&amp;`, `&lt;`, `&gt;`, these three and no others) is applied last, and a
//! cut never falls inside an escape: limits are kept while the text is built. Length is counted in UTF-16 units, the largest of the
//! counts that Slack's "characters" can mean for text.
//!
//! Source: <https://docs.slack.dev/messaging/formatting-message-text>

use cordon_text::{is_unseen, redact};

/// What marks text as cut.
pub const ELLIPSIS: char = '…';
/// What stands where a character was that would not be seen, or would change how its neighbours are read.
pub const REPLACEMENT: char = '\u{FFFD}';

const MAX_LINK: usize = 600;
const MARKS_IN_A_ROW: usize = 2;

/// Length as Slack's limits are counted here.
pub fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// At most `limit` units, cut between characters and marked with an ellipsis.
pub fn truncate(text: &str, limit: usize) -> String {
    if units(text) <= limit {
        return text.to_owned();
    }
    let mut out = Bounded::new(limit);
    for character in text.chars() {
        if !out.push(character.encode_utf8(&mut [0; 4])) {
            break;
        }
    }
    out.finish()
}

/// Slack's escaping: `&`, `<` and `>`, nothing else.
pub fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, character| {
        match escaped(character) {
            Some(entity) => out.push_str(entity),
            None => out.push(character),
        }
        out
    })
}

/// One line without anything invisible and without what looks like a secret: white space becomes a space; control, direction and zero-width characters become `�`, so that a
/// reader sees that something was there; variation selectors and stacked accents are dropped.
pub fn clean(text: &str) -> String {
    let mut marks = 0;
    redact(text)
        .chars()
        .filter_map(|character| {
            marks = if is_mark(character) { marks + 1 } else { 0 };
            match character {
                '\t' | '\n' | '\r' => Some(' '),
                _ if is_selector(character) || marks > MARKS_IN_A_ROW => None,
                _ if is_unseen(character) => Some(REPLACEMENT),
                _ if character.is_whitespace() => Some(' '),
                _ => Some(character),
            }
        })
        .collect()
}

/// A value as a code span of at most `limit` units, backticks included.
pub fn code(value: &str, limit: usize) -> String {
    span(value, limit).0
}

/// The code span, and whether the whole value is in it.
fn span(value: &str, limit: usize) -> (String, bool) {
    let cleaned = clean(value);
    let inner = cleaned.trim();
    let mut out = Bounded::new(limit.saturating_sub(2));
    for character in if inner.is_empty() { "(empty)" } else { inner }.chars() {
        let character = if character == '`' { 'ˋ' } else { character };
        if !out.push(escaped(character).unwrap_or(character.encode_utf8(&mut [0; 4]))) {
            break;
        }
    }
    let whole = !out.cut;
    (format!("`{}`", out.finish()), whole)
}

/// Prose for a `mrkdwn` object, of at most `limit` units. Values in backticks become code spans; nothing else formats.
pub fn sentence(text: &str, limit: usize) -> String {
    let cleaned = clean(text);
    let mut pieces: Vec<&str> = cleaned.trim().split('`').collect();
    // With an odd number of backticks the last one opens nothing.
    let lone = if pieces.len().is_multiple_of(2) { pieces.pop() } else { None };
    let mut out = Bounded::new(limit);
    for (index, piece) in pieces.iter().enumerate() {
        let fits = if index.is_multiple_of(2) { push_prose(&mut out, piece) } else { push_code(&mut out, piece) };
        if !fits {
            return out.finish();
        }
    }
    if let Some(rest) = lone {
        let _ = out.push("ˋ") && push_prose(&mut out, rest);
    }
    out.finish()
}

/// Prose for where nothing is to format, not even values: the fallback that notifications show and screen readers say.
pub fn unformatted(text: &str, limit: usize) -> String {
    let cleaned = clean(text);
    let mut out = Bounded::new(limit);
    push_neutral(&mut out, cleaned.trim());
    out.finish()
}

/// Text for a `plain_text` object, of at most `limit` units; never empty.
pub fn plain(text: &str, limit: usize) -> String {
    let cleaned = clean(text).replace('<', "‹").replace('>', "›");
    let trimmed = cleaned.trim();
    truncate(if trimmed.is_empty() { "-" } else { trimmed }, limit)
}

/// A mention of a Slack user (`U…`, `W…`) or user group (`S…`), if `user_id` is one; a code span otherwise.
pub fn mention(user_id: &str) -> String {
    let is_id = user_id.starts_with(['U', 'W', 'S'])
        && (2..=32).contains(&user_id.len())
        && user_id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    match is_id {
        true if user_id.starts_with('S') => format!("<!subteam^{user_id}>"),
        true => format!("<@{user_id}>"),
        false => code(user_id, 64),
    }
}

/// A link, if `address` is one that a browser opens over http or https; the label alone otherwise.
pub fn link(address: &str, label: &str) -> String {
    let label = sentence(label, 120).replace('|', "ˌ");
    let url = url::Url::parse(address).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
    let target = url.map(|url| escape(&url.as_str().replace('|', "%7C"))).filter(|target| target.len() <= MAX_LINK);
    target.map(|target| format!("<{target}|{label}>")).unwrap_or(label)
}

fn push_code(out: &mut Bounded, value: &str) -> bool {
    // Slack reads a span only between word boundaries; without one its content would format after all.
    if !out.text.is_empty() && !out.text.ends_with([' ', '(']) && !out.push(" ") {
        return false;
    }
    // A span needs its backticks and a character; when they no longer fit, the ellipsis alone says so.
    let (span, whole) = span(value, out.room().max(3));
    out.push(&span) && whole
}

fn push_prose(out: &mut Bounded, prose: &str) -> bool {
    let closes = prose.is_empty() || prose.starts_with([' ', '.', ',', ';', ':', ')', '!', '?']);
    if !closes && out.text.ends_with('`') && !out.push(" ") {
        return false;
    }
    for (index, token) in prose.split(' ').enumerate() {
        if index > 0 && !out.push(" ") {
            return false;
        }
        let fits = if is_address(token) {
            let value = token.trim_end_matches(['.', ',', ';', ')']);
            let tail = token.strip_prefix(value).unwrap_or_default();
            push_code(out, value) && push_neutral(out, tail)
        } else {
            push_neutral(out, token)
        };
        if !fits {
            return false;
        }
    }
    true
}

fn push_neutral(out: &mut Bounded, token: &str) -> bool {
    let mut previous = None;
    let mut characters = token.chars().peekable();
    while let Some(character) = characters.next() {
        // Slack leaves an underscore inside a word alone, and names are full of them.
        let within = previous.is_some_and(char::is_alphanumeric) && characters.peek().is_some_and(|next| next.is_alphanumeric());
        let harmless = match character {
            '*' => '∗',
            '~' => '∼',
            '`' => 'ˋ',
            '_' if !within => 'ˍ',
            _ => character,
        };
        previous = Some(character);
        if !out.push(escaped(harmless).unwrap_or(harmless.encode_utf8(&mut [0; 4]))) {
            return false;
        }
    }
    true
}

/// What Slack would read as a shortcode or an address: an ARN, a URL, `:emoji:`.
fn is_address(token: &str) -> bool {
    token.matches(':').count() > 1 || token.contains("://")
}

fn escaped(character: char) -> Option<&'static str> {
    match character {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    }
}

fn is_selector(character: char) -> bool {
    matches!(character, '\u{180B}'..='\u{180D}' | '\u{FE00}'..='\u{FE0F}')
}

fn is_mark(character: char) -> bool {
    matches!(character,
        '\u{300}'..='\u{36F}' | '\u{483}'..='\u{489}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}'
        | '\u{20D0}'..='\u{20FF}' | '\u{FE20}'..='\u{FE2F}')
}

/// Text that never exceeds its limit, and keeps room for the ellipsis that says that it was cut.
struct Bounded {
    text: String,
    used: usize,
    limit: usize,
    /// Where to go back to if the ellipsis needs the room of the last piece: its start in bytes and in units.
    last: (usize, usize),
    cut: bool,
}

impl Bounded {
    fn new(limit: usize) -> Self {
        Self { text: String::new(), used: 0, limit, last: (0, 0), cut: false }
    }

    fn room(&self) -> usize {
        self.limit.saturating_sub(self.used)
    }

    /// Appends the whole piece, or nothing of it: then the text counts as cut.
    fn push(&mut self, piece: &str) -> bool {
        let length = units(piece);
        if self.cut || length > self.room() {
            self.cut = true;
            return false;
        }
        if length > 0 {
            self.last = (self.text.len(), self.used);
            self.text.push_str(piece);
            self.used += length;
        }
        true
    }

    fn finish(mut self) -> String {
        if self.cut && self.limit > 0 {
            if self.room() == 0 {
                self.text.truncate(self.last.0);
            }
            self.text.push(ELLIPSIS);
        }
        self.text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_three_characters_that_slack_names_are_escaped() {
        assert_eq!(escape(r#"<!channel> & "you" 'too' *_~`"#), r#"&lt;!channel&gt; &amp; "you" 'too' *_~`"#);
    }

    #[test]
    fn a_value_cannot_leave_its_code_span() {
        assert_eq!(code("` *bold* <!channel> `", 200), "`ˋ *bold* &lt;!channel&gt; ˋ`");
        assert_eq!(code("two\nlines", 200), "`two lines`");
        assert_eq!(code(" \u{200B}".trim_end_matches('\u{200B}'), 200), "`(empty)`");
    }

    #[test]
    fn characters_that_hide_or_reorder_are_shown_as_replaced() {
        assert_eq!(clean("user\u{202E}nimda"), "user\u{FFFD}nimda");
        assert_eq!(clean("a\u{200B}b\u{7}c\u{2066}d\u{E0041}e"), "a\u{FFFD}b\u{FFFD}c\u{FFFD}d\u{FFFD}e");
        assert_eq!(clean(&format!("e{}", "\u{301}".repeat(500))), "e\u{301}\u{301}");
    }

    #[test]
    fn prose_keeps_its_quoted_values_and_formats_nothing_else() {
        for (given, expected) in [
            ("`AdministratorAccess` grants *everything*.", "`AdministratorAccess` grants ∗everything∗."),
            ("user iam_test_mallory _really_ ~did~ this", "user iam_test_mallory ˍreallyˍ ∼did∼ this"),
            ("ask <@U1> or <!here|x> & co", "ask &lt;@U1&gt; or &lt;!here|x&gt; &amp; co"),
            ("by arn:aws:iam::111122223333:user/x.", "by `arn:aws:iam::111122223333:user/x`."),
            (":siren: see https://evil.example, now", "`:siren:` see `https://evil.example`, now"),
            ("glued`*to*`words", "glued `*to*` words"),
            ("an ellipsis in a `value…` cuts nothing", "an ellipsis in a `value…` cuts nothing"),
            ("a lone ` backtick *here*", "a lone ˋ backtick ∗here∗"),
        ] {
            assert_eq!(sentence(given, 500), expected);
        }
    }

    #[test]
    fn a_cut_falls_between_characters_and_never_inside_an_escape() {
        assert_eq!(truncate("äöü", 2), "ä…");
        assert_eq!(truncate("ab😀", 3), "ab…");
        assert_eq!(truncate("abc", 3), "abc");
        assert_eq!(code("a&&&&", 10), "`a&amp;…`");
        assert_eq!(sentence("a && b", 8), "a &amp;…");
    }

    #[test]
    fn only_a_user_id_becomes_a_mention() {
        assert_eq!(mention("U0APPROVER"), "<@U0APPROVER>");
        assert_eq!(mention("!channel"), "`!channel`");
        assert_eq!(mention("U1> <!channel"), "`U1&gt; &lt;!channel`");
    }

    #[test]
    fn a_link_needs_a_web_address_and_cannot_be_broken_out_of() {
        assert_eq!(
            link("https://console.aws.amazon.com/a?b=1&c=2", "Execution"),
            "<https://console.aws.amazon.com/a?b=1&amp;c=2|Execution>"
        );
        assert_eq!(link("javascript:alert(1)", "Execution"), "Execution");
        let broken_out = link("https://x.example/|a>", "b|<!channel>");
        assert_eq!(broken_out.matches('|').count(), 1);
        assert_eq!(broken_out.matches('>').count(), 1);
        // As it is sent, with everything escaped.
        let (short, long) =
            (link("https://x.example/?&", "Execution"), link(&format!("https://x.example/?{}", "&".repeat(120)), "Execution"));
        assert_eq!((short.as_str(), long.as_str()), ("<https://x.example/?&amp;|Execution>", "Execution"));
    }

    proptest! {
        #[test]
        fn every_way_in_keeps_its_limit_and_lets_nothing_be_parsed(text in "\\PC*|[\\x00-\\x7f]*|[`*_~<>&:\u{202e} a]*", limit in 3_usize..200) {
            for made in [code(&text, limit), sentence(&text, limit), unformatted(&text, limit)] {
                prop_assert!(units(&made) <= limit, "{made}");
                prop_assert!(!made.contains(['<', '>', '\n', '\u{202E}']), "{made}");
                prop_assert!(made.matches('`').count().is_multiple_of(2), "{made}");
                let outside: String = made.split('`').step_by(2).collect();
                prop_assert!(!outside.contains(['*', '~']), "{made}");
            }
            prop_assert!(units(&plain(&text, limit)) <= limit);
            prop_assert!(!plain(&text, limit).is_empty());
        }
    }
}
