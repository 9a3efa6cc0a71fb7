//! Tests of a key's text, so arranged that a text which passes none of them is known quickly.

use std::str;

use cordon_detect::Test;
use memchr::memmem::Finder;
use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use regex_syntax::hir::{Hir, HirKind};

use super::Probe;

/// How many bytes the automaton of one key's patterns may take.
const MAX_PATTERNS_BYTES: usize = 4 << 20;

/// A text in lower case with the probes that it is of.
type Whole = (Box<[u8]>, Vec<Probe>);

#[derive(Debug)]
struct Patterns {
    /// Where there is one pattern: what a text has to contain.
    needs: Option<Finder<'static>>,
    /// Whether any matches, which is known sooner than which ones do.
    any: Regex,
    /// Which ones do; `None` where nobody asks.
    all: Option<RegexSet>,
}

/// The tests of the texts of one key.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// By [`place`].
    whole: Vec<Vec<Whole>>,
    patterns: Option<Box<Patterns>>,
    /// Some pattern distinguishes upper from lower case.
    cased: bool,
    /// By pattern.
    probes: Vec<Probe>,
    /// Where all tests are whole texts.
    beginnings: Option<Box<Beginnings>>,
}

impl Texts {
    /// `None` where a pattern cannot be compiled in reasonable size.
    pub(super) fn new(tests: &[(&Test, Probe)]) -> Option<Self> {
        Self::compile(tests, true)
    }

    /// The same for a caller who only asks whether a text passes any test.
    pub(super) fn any_of(tests: &[&Test]) -> Option<Self> {
        let tests: Vec<(&Test, Probe)> = tests.iter().map(|test| (*test, 0)).collect();
        Self::compile(&tests, false)
    }

    fn compile(tests: &[(&Test, Probe)], which: bool) -> Option<Self> {
        let mut texts = Self::default();
        let mut patterns = Vec::new();
        texts.beginnings = Beginnings::of(tests).map(Box::new);
        for (test, probe) in tests {
            if let Test::Equals(text) = test {
                texts.add_whole(text, *probe);
            } else {
                texts.cased |= matches!(test, Test::Regex(_));
                patterns.push(pattern(test));
                texts.probes.push(*probe);
            }
        }
        if !patterns.is_empty() {
            let any = format!("(?:{})", patterns.join(")|(?:"));
            let needs = match patterns.as_slice() {
                [pattern] => regex_syntax::parse(pattern).ok().and_then(|pattern| required(&pattern)),
                _ => None,
            };
            texts.patterns = Some(Box::new(Patterns {
                needs: needs.map(|needs| Finder::new(&needs).into_owned()),
                any: RegexBuilder::new(&any).size_limit(MAX_PATTERNS_BYTES).build().ok()?,
                all: which.then(|| RegexSetBuilder::new(patterns).size_limit(MAX_PATTERNS_BYTES).build()).transpose().ok()?,
            }));
        }
        Some(texts)
    }

    fn add_whole(&mut self, text: &str, probe: Probe) {
        self.whole.resize_with(256, Vec::new);
        let Some(there) = self.whole.get_mut(place(text.as_bytes())) else { return };
        match there.iter_mut().find(|(known, _)| **known == *text.as_bytes()) {
            Some((_, probes)) => probes.push(probe),
            None => there.push((text.as_bytes().into(), vec![probe])),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.probes.is_empty()
    }

    /// True where the first characters of a value tell that it is a text which passes no test.
    #[inline]
    pub(super) fn begins_otherwise(&self, value: &[u8]) -> bool {
        self.beginnings.as_ref().is_some_and(|beginnings| beginnings.lack(value))
    }

    /// True where the text passes some test.
    pub(super) fn passes_any(&self, text: &[u8]) -> bool {
        !self.all_passed(text, |_| false)
    }

    /// True where the probe of every test that the text passes is answered with true.
    pub(super) fn all_passed(&self, text: &[u8], mut answer: impl FnMut(Probe) -> bool) -> bool {
        let equal = self.whole.get(place(text)).into_iter().flatten().find(|(whole, _)| whole.eq_ignore_ascii_case(text));
        if !equal.is_none_or(|(_, probes)| probes.iter().all(|probe| answer(*probe))) {
            return false;
        }
        let Some(patterns) = &self.patterns else { return true };
        let Ok(text) = str::from_utf8(text) else { return false };
        let mut all = |text: &str| {
            patterns.needs.as_ref().is_some_and(|needs| needs.find(text.as_bytes()).is_none())
                || !patterns.any.is_match(text)
                || patterns.all.as_ref().is_some_and(|all| {
                    all.matches(text).into_iter().all(|at| self.probes.get(at).is_some_and(|probe| answer(*probe)))
                })
        };
        // Sigma compares some patterns with the text as it is and some with the text in lower case.
        let lower = self.cased && text.bytes().fold(false, |any, byte| any | byte.is_ascii_uppercase());
        all(text) && (!lower || all(&text.to_ascii_lowercase()))
    }
}

/// How texts begin, whatever their case.
#[derive(Debug)]
struct Beginnings {
    /// Which of the first eight characters count: as many as the shortest text has with its closing quote.
    counts: u64,
    /// By a digest of them, as bits.
    known: [u64; 64],
}

impl Beginnings {
    /// `None` where there is another test than that for a whole text, or one for a very short text.
    fn of(tests: &[(&Test, Probe)]) -> Option<Self> {
        let quoted = |(test, _): &(&Test, Probe)| match test {
            Test::Equals(text) => Some(format!("\"{text}\"{:8}", "")),
            Test::StartsWith(_) | Test::EndsWith(_) | Test::Contains(_) | Test::Regex(_) => None,
        };
        let texts: Vec<String> = tests.iter().map(quoted).collect::<Option<_>>()?;
        // With one quote and the spaces.
        let shortest = texts.iter().map(|text| text.len() - 9).min()?.min(8);
        let mut beginnings = Self { counts: u64::MAX >> (64 - 8 * shortest), known: [0; 64] };
        for text in texts {
            let place = beginnings.place(text.as_bytes())?;
            *beginnings.known.get_mut(place / 64)? |= 1 << (place % 64);
        }
        (shortest >= 4).then_some(beginnings)
    }

    /// True where the value is a text that begins unlike all of these.
    #[inline]
    fn lack(&self, value: &[u8]) -> bool {
        let Some(place) = self.place(value) else { return false };
        self.known.get(place / 64).is_some_and(|known| known >> (place % 64) & 1 == 0)
    }

    /// Where a quoted text is among the bits; `None` where one of the characters that count may be part of an escape.
    #[inline]
    fn place(&self, value: &[u8]) -> Option<usize> {
        let [b'"', first @ ..] = value.first_chunk::<9>()? else { return None };
        let first = u64::from_le_bytes(*first);
        let escapes = (first ^ u64::from_le_bytes([b'\\'; 8])) | !self.counts;
        // Some byte of it is zero.
        if escapes.wrapping_sub(0x0101_0101_0101_0101) & !escapes & 0x8080_8080_8080_8080 != 0 {
            return None;
        }
        let first = (first | 0x2020_2020_2020_2020) & self.counts;
        Some((first.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52) as usize)
    }
}

/// A small number of a text, whatever its case.
fn place(text: &[u8]) -> usize {
    let letter = |byte: Option<&u8>| usize::from(byte.copied().unwrap_or_default() | 0x20);
    (text.len() * 7 + letter(text.first()) * 3 + letter(text.last()) * 5 + letter(text.get(text.len() / 2)) * 11) & 255
}

/// The longest text that stands in whatever matches, if there is one.
fn required(pattern: &Hir) -> Option<Vec<u8>> {
    match pattern.kind() {
        HirKind::Literal(literal) => Some(literal.0.to_vec()),
        HirKind::Concat(parts) => parts.iter().filter_map(required).max_by_key(Vec::len),
        HirKind::Capture(group) => required(&group.sub),
        HirKind::Repetition(repeated) if repeated.min > 0 => required(&repeated.sub),
        HirKind::Repetition(_) | HirKind::Alternation(_) | HirKind::Class(_) | HirKind::Look(_) | HirKind::Empty => None,
    }
}

/// The regular expression of a test.
fn pattern(test: &Test) -> String {
    match test {
        Test::Equals(text) => format!(r"(?i)\A{}\z", regex::escape(text)),
        Test::StartsWith(text) => format!(r"(?i)\A{}", regex::escape(text)),
        Test::EndsWith(text) => format!(r"(?i){}\z", regex::escape(text)),
        Test::Contains(text) => format!("(?i){}", regex::escape(text)),
        Test::Regex(pattern) => pattern.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_passes_what_sigma_would_let_it_pass() {
        let tests = [
            Test::Equals("createuser".into()),
            Test::Equals("createuser".into()),
            Test::StartsWith("cre".into()),
            Test::EndsWith("r.".into()),
            Test::Contains("s3 b".into()),
            Test::Regex("^a+B".into()),
            Test::Regex("^x[a-z]$".into()),
        ];
        let numbered: Vec<(&Test, Probe)> = tests.iter().zip(0..).collect();
        let texts = Texts::new(&numbered).unwrap();
        let any_of = Texts::any_of(&tests.each_ref()).unwrap();
        let check = |text: &str, expected: &[Probe]| {
            let mut passed = Vec::new();
            assert!(texts.all_passed(text.as_bytes(), |probe| {
                passed.push(probe);
                true
            }));
            passed.sort_unstable();
            passed.dedup();
            assert_eq!(passed, expected, "{text}");
            for texts in [&texts, &any_of] {
                assert_eq!(texts.passes_any(text.as_bytes()), !expected.is_empty(), "{text}");
            }
        };
        check("CREATEuser", &[0, 1, 2]);
        check("CreateUsers", &[2]);
        check("xcreateUser", &[]);
        check("xR.", &[3]);
        check("rx", &[]);
        check("an S3 Browser", &[4]);
        check("aaB", &[5]);
        check("aab", &[]);
        check("XY", &[6]);
        check("", &[]);
    }

    #[test]
    fn whole_texts_are_told_by_what_they_begin_with() {
        let texts = |tests: &[Test]| Texts::new(&tests.iter().zip(0..).collect::<Vec<_>>()).unwrap();
        let few = texts(&[Test::Equals("root".into()), Test::Equals("abcdefgh".into())]);
        let check = |value: &str, expected: bool| assert_eq!(few.begins_otherwise(value.as_bytes()), expected, "{value}");
        check(r#""IAMUser","a":1"#, true);
        check(r#""abcd","a":1"#, true);
        check(r#""r","a":1"#, true);
        check(r#""rooted","a":1"#, true);
        check(r#""ROOT","a":1"#, false);
        check(r#""AbcdeXYZ","a":1"#, false);
        // May read like one of them.
        check(r#""\u0072oot","a":1"#, false);
        check(r#""r\u006fot","a":1"#, false);
        check(r#""roo\u0074","a":1"#, false);
        check(r#"null,"a":1,"b":2"#, false);
        check(r#"["root"],"a":1"#, false);
        check(r#""root"}"#, false);
        // An escape behind what counts changes nothing.
        check(r#""aaaaa\u0072","a":1"#, true);
        for others in [[Test::Equals("abc".into())], [Test::StartsWith("root".into())]] {
            assert_eq!(
                texts(&others).begins_otherwise(br#""IAMUser","a":1"#),
                matches!(others[0], Test::Equals(_)),
                "{others:?}"
            );
        }
        assert!(!texts(&[Test::Equals("ab".into())]).begins_otherwise(br#""IAMUser","a":1"#));
    }

    #[test]
    fn what_a_pattern_needs_stands_in_all_that_it_matches() {
        let check = |pattern: &str, expected: Option<&str>| {
            let needs = required(&regex_syntax::parse(pattern).unwrap()).map(|needs| String::from_utf8(needs).unwrap());
            assert_eq!(needs.as_deref(), expected, "{pattern}");
        };
        check(".+:assumed-role/aws:.+", Some(":assumed-role/aws:"));
        check("^a(bc)+d*e$", Some("bc"));
        check("(?i)abc", None);
        check("abc|xyz", None);
        check("(abc)?", None);
        check("a|bc", None);
        let lone = Texts::new(&[(&Test::Regex(".+:Role/x".into()), 0)]).unwrap();
        let passes = |text: &str| lone.passes_any(text.as_bytes());
        assert!(passes("a:Role/x") && !passes(":Role/x") && !passes("a:role/x"));
        let lower = Texts::new(&[(&Test::Regex(".+:role/x".into()), 0)]).unwrap();
        assert!(lower.passes_any(b"A:ROLE/X"));
    }

    #[test]
    fn a_pattern_that_grows_too_large_is_refused() {
        assert!(Texts::new(&[(&Test::Regex(r"(\w{1000}){1000}".into()), 0)]).is_none());
    }
}
