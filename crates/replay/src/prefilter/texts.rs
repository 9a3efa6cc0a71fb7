//! The tests of one key's texts, arranged so that a text which passes none of them is refused quickly.

use std::str;

use cordon_detect::prefilter::TextTest;
use memchr::memmem::Finder;
use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use regex_syntax::hir::{Hir, HirKind};

use super::TestId;

/// How large the automaton of one key's patterns may be.
const MAX_PATTERNS_BYTES: usize = 4 << 20;

/// A text in lower case, and the tests for it.
type Whole = (Box<[u8]>, Vec<TestId>);

#[derive(Debug)]
struct Patterns {
    /// If there is only one pattern: a literal that every match contains.
    literal: Option<Finder<'static>>,
    /// All of them as one pattern: whether any matches is found sooner than which ones do.
    any: Regex,
    /// Tells which ones match; `None` if only `any` is asked.
    all: Option<RegexSet>,
}

/// The tests of the texts of one key.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// Whole texts, by [`hash_of`].
    whole: Vec<Vec<Whole>>,
    patterns: Option<Box<Patterns>>,
    /// Some pattern is case-sensitive.
    cased: bool,
    /// The test of each pattern.
    ids: Vec<TestId>,
    /// If every test is for a whole text.
    prefixes: Option<Box<Prefixes>>,
}

impl Texts {
    /// `None` if a pattern cannot be compiled within the limit.
    pub(super) fn new(tests: &[(&TextTest, TestId)]) -> Option<Self> {
        Self::compile(tests, true)
    }

    /// The same for a caller who only asks whether a text passes any test.
    pub(super) fn any_of(tests: &[&TextTest]) -> Option<Self> {
        let tests: Vec<(&TextTest, TestId)> = tests.iter().map(|test| (*test, 0)).collect();
        Self::compile(&tests, false)
    }

    fn compile(tests: &[(&TextTest, TestId)], which: bool) -> Option<Self> {
        let mut texts = Self::default();
        let mut patterns = Vec::new();
        texts.prefixes = Prefixes::of(tests).map(Box::new);
        for (test, id) in tests {
            if let TextTest::Equals(text) = test {
                texts.add_whole(text, *id);
            } else {
                texts.cased |= matches!(test, TextTest::Regex(_));
                patterns.push(pattern(test));
                texts.ids.push(*id);
            }
        }
        if !patterns.is_empty() {
            let any = format!("(?:{})", patterns.join(")|(?:"));
            let literal = match patterns.as_slice() {
                [pattern] => regex_syntax::parse(pattern).ok().and_then(|pattern| required(&pattern)),
                _ => None,
            };
            texts.patterns = Some(Box::new(Patterns {
                literal: literal.map(|literal| Finder::new(&literal).into_owned()),
                any: RegexBuilder::new(&any).size_limit(MAX_PATTERNS_BYTES).build().ok()?,
                all: which.then(|| RegexSetBuilder::new(patterns).size_limit(MAX_PATTERNS_BYTES).build()).transpose().ok()?,
            }));
        }
        Some(texts)
    }

    fn add_whole(&mut self, text: &str, id: TestId) {
        self.whole.resize_with(256, Vec::new);
        let Some(there) = self.whole.get_mut(hash_of(text.as_bytes())) else { return };
        match there.iter_mut().find(|(known, _)| **known == *text.as_bytes()) {
            Some((_, ids)) => ids.push(id),
            None => there.push((text.as_bytes().into(), vec![id])),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.ids.is_empty()
    }

    /// True if the first characters of a value show that it is a text which passes no test.
    #[inline]
    pub(super) fn excludes_prefix(&self, value: &[u8]) -> bool {
        self.prefixes.as_ref().is_some_and(|prefixes| prefixes.exclude(value))
    }

    /// True if the text passes some test.
    pub(super) fn passes_any(&self, text: &[u8]) -> bool {
        !self.all_passed(text, |_| false)
    }

    /// Calls `answer` for every test that the text passes, until it is false; true if it never was.
    pub(super) fn all_passed(&self, text: &[u8], mut answer: impl FnMut(TestId) -> bool) -> bool {
        let equal = self.whole.get(hash_of(text)).into_iter().flatten().find(|(whole, _)| whole.eq_ignore_ascii_case(text));
        if !equal.is_none_or(|(_, ids)| ids.iter().all(|id| answer(*id))) {
            return false;
        }
        let Some(patterns) = &self.patterns else { return true };
        let Ok(text) = str::from_utf8(text) else { return false };
        let mut all = |text: &str| {
            patterns.literal.as_ref().is_some_and(|literal| literal.find(text.as_bytes()).is_none())
                || !patterns.any.is_match(text)
                || patterns
                    .all
                    .as_ref()
                    .is_some_and(|all| all.matches(text).into_iter().all(|at| self.ids.get(at).is_some_and(|id| answer(*id))))
        };
        // Sigma compares some patterns with the text as it is and some with the text in lower case.
        let lower = self.cased && text.bytes().fold(false, |any, byte| any | byte.is_ascii_uppercase());
        all(text) && (!lower || all(&text.to_ascii_lowercase()))
    }
}

/// A filter over the first characters of texts, whatever their case.
#[derive(Debug)]
struct Prefixes {
    /// A mask of the first eight characters: as many as the shortest text has with its closing quote.
    mask: u64,
    /// A bit for each hash of a text's first characters.
    bits: [u64; 64],
}

impl Prefixes {
    /// `None` if some test is not for a whole text, or for a very short one.
    fn of(tests: &[(&TextTest, TestId)]) -> Option<Self> {
        let quoted = |(test, _): &(&TextTest, TestId)| match test {
            TextTest::Equals(text) => Some(format!("\"{text}\"{:8}", "")),
            TextTest::StartsWith(_) | TextTest::EndsWith(_) | TextTest::Contains(_) | TextTest::Regex(_) => None,
        };
        let texts: Vec<String> = tests.iter().map(quoted).collect::<Option<_>>()?;
        // Without one quote and the spaces.
        let shortest = texts.iter().map(|text| text.len() - 9).min()?.min(8);
        let mut prefixes = Self { mask: u64::MAX >> (64 - 8 * shortest), bits: [0; 64] };
        for text in texts {
            let place = prefixes.place(text.as_bytes())?;
            *prefixes.bits.get_mut(place / 64)? |= 1 << (place % 64);
        }
        (shortest >= 4).then_some(prefixes)
    }

    /// True if the value is a text that begins unlike all of these.
    #[inline]
    fn exclude(&self, value: &[u8]) -> bool {
        let Some(place) = self.place(value) else { return false };
        self.bits.get(place / 64).is_some_and(|bits| bits >> (place % 64) & 1 == 0)
    }

    /// The bit of a quoted text; `None` if one of the characters may be part of an escape.
    #[inline]
    fn place(&self, value: &[u8]) -> Option<usize> {
        let [b'"', first @ ..] = value.first_chunk::<9>()? else { return None };
        let first = u64::from_le_bytes(*first);
        let escapes = (first ^ u64::from_le_bytes([b'\\'; 8])) | !self.mask;
        // True if some byte is zero.
        if escapes.wrapping_sub(0x0101_0101_0101_0101) & !escapes & 0x8080_8080_8080_8080 != 0 {
            return None;
        }
        let first = (first | 0x2020_2020_2020_2020) & self.mask;
        Some((first.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52) as usize)
    }
}

/// A hash of a text, whatever its case.
fn hash_of(text: &[u8]) -> usize {
    let letter = |byte: Option<&u8>| usize::from(byte.copied().unwrap_or_default() | 0x20);
    (text.len() * 7 + letter(text.first()) * 3 + letter(text.last()) * 5 + letter(text.get(text.len() / 2)) * 11) & 255
}

/// The longest literal that every match of a pattern contains.
fn required(pattern: &Hir) -> Option<Vec<u8>> {
    match pattern.kind() {
        HirKind::Literal(literal) => Some(literal.0.to_vec()),
        HirKind::Concat(parts) => parts.iter().filter_map(required).max_by_key(Vec::len),
        HirKind::Capture(group) => required(&group.sub),
        HirKind::Repetition(repeated) if repeated.min > 0 => required(&repeated.sub),
        HirKind::Repetition(_) | HirKind::Alternation(_) | HirKind::Class(_) | HirKind::Look(_) | HirKind::Empty => None,
    }
}

/// A test as a regular expression.
fn pattern(test: &TextTest) -> String {
    match test {
        TextTest::Equals(text) => format!(r"(?i)\A{}\z", regex::escape(text)),
        TextTest::StartsWith(text) => format!(r"(?i)\A{}", regex::escape(text)),
        TextTest::EndsWith(text) => format!(r"(?i){}\z", regex::escape(text)),
        TextTest::Contains(text) => format!("(?i){}", regex::escape(text)),
        TextTest::Regex(pattern) => pattern.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_passes_what_sigma_would_let_it_pass() {
        let tests = [
            TextTest::Equals("createuser".into()),
            TextTest::Equals("createuser".into()),
            TextTest::StartsWith("cre".into()),
            TextTest::EndsWith("r.".into()),
            TextTest::Contains("s3 b".into()),
            TextTest::Regex("^a+B".into()),
            TextTest::Regex("^x[a-z]$".into()),
        ];
        let numbered: Vec<(&TextTest, TestId)> = tests.iter().zip(0..).collect();
        let texts = Texts::new(&numbered).unwrap();
        let any_of = Texts::any_of(&tests.each_ref()).unwrap();
        let check = |text: &str, expected: &[TestId]| {
            let mut passed = Vec::new();
            assert!(texts.all_passed(text.as_bytes(), |id| {
                passed.push(id);
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
        let texts = |tests: &[TextTest]| Texts::new(&tests.iter().zip(0..).collect::<Vec<_>>()).unwrap();
        let few = texts(&[TextTest::Equals("root".into()), TextTest::Equals("abcdefgh".into())]);
        let check = |value: &str, expected: bool| assert_eq!(few.excludes_prefix(value.as_bytes()), expected, "{value}");
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
        for others in [[TextTest::Equals("abc".into())], [TextTest::StartsWith("root".into())]] {
            assert_eq!(
                texts(&others).excludes_prefix(br#""IAMUser","a":1"#),
                matches!(others[0], TextTest::Equals(_)),
                "{others:?}"
            );
        }
        assert!(!texts(&[TextTest::Equals("ab".into())]).excludes_prefix(br#""IAMUser","a":1"#));
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
        let lone = Texts::new(&[(&TextTest::Regex(".+:Role/x".into()), 0)]).unwrap();
        let passes = |text: &str| lone.passes_any(text.as_bytes());
        assert!(passes("a:Role/x") && !passes(":Role/x") && !passes("a:role/x"));
        let lower = Texts::new(&[(&TextTest::Regex(".+:role/x".into()), 0)]).unwrap();
        assert!(lower.passes_any(b"A:ROLE/X"));
    }

    #[test]
    fn a_pattern_that_grows_too_large_is_refused() {
        assert!(Texts::new(&[(&TextTest::Regex(r"(\w{1000}){1000}".into()), 0)]).is_none());
    }
}
