//! IAM's wildcards: `*` is any run of characters, `?` any single one.

/// True when the whole text fits the pattern. At most the product of both lengths, without recursion.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    run(pattern.as_bytes(), text.as_bytes(), |want, have| want == have)
}

/// As [`matches`], but the case of ASCII letters does not count: for actions.
pub(super) fn matches_any_case(pattern: &str, text: &str) -> bool {
    run(pattern.as_bytes(), text.as_bytes(), |want, have| want.eq_ignore_ascii_case(&have))
}

fn run(pattern: &[u8], text: &[u8], same: impl Fn(u8, u8) -> bool) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where the last `*` stands, and up to where it has eaten so far.
    let mut last: Option<(usize, usize)> = None;
    while let Some(have) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                last = Some((p, t));
                p += 1;
                if p == pattern.len() {
                    return true;
                }
            }
            Some(b'?') => {
                p += 1;
                t = next_char(text, t);
            }
            Some(want) if same(*want, *have) => {
                p += 1;
                t += 1;
            }
            _ => match last {
                Some((star, eaten)) => {
                    p = star + 1;
                    t = next_char(text, eaten);
                    last = Some((star, t));
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|rest| *rest == b'*')
}

/// Where the next character begins: `?` is a character, however many bytes it has.
fn next_char(text: &[u8], at: usize) -> usize {
    let mut next = at + 1;
    while text.get(next).is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000) {
        next += 1;
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(matches(pattern, text), expected, "`{pattern}` against `{text}`");
    }

    #[test]
    fn wildcards_match_as_in_iam() {
        check("*", "", true);
        check("", "", true);
        check("", "a", false);
        check("a*", "abc", true);
        check("*c", "abc", true);
        check("a?c", "abc", true);
        check("a?c", "ac", false);
        check("a*b*c", "aXbYbZc", true);
        check("a*b*c", "aXbYbZd", false);
        check("**", "x", true);
        check("?*", "", false);
        check("a", "A", false);
        check("ü?", "üß", true);
        assert!(matches_any_case("IAM:Put*", "iam:PutUserPolicy"));
    }

    /// The definition, slow and obvious.
    fn slow(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), None) => slow(rest, text),
            (Some(('*', rest)), Some((_, tail))) => slow(rest, text) || slow(pattern, tail),
            (Some((want, rest)), Some((have, tail))) => (*want == '?' || want == have) && slow(rest, tail),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    proptest! {
        #[test]
        fn the_quick_way_agrees_with_the_definition(pattern in "[abü*?]{0,8}", text in "[abcü]{0,8}") {
            let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(matches(&pattern, &text), slow(&p, &t), "`{}` `{}`", pattern, text);
        }
    }
}
