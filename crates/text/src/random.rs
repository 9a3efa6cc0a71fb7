//! Finds runs that look as if they were drawn by lot, such as a secret access key: 40 characters of base64.
//!
//! A name has words, and so long runs of small letters; a hash has no capitals. A key changes between capitals, small letters and
//! digits all the time.

/// A secret access key has 40 characters; longer keys and tokens have such a stretch.
const WINDOW: usize = 40;
/// Of 39 neighbours, random ones are of different kinds 23 times, give or take 3. A stretch that is a part of its own has to have
/// fewer: AWS's example of a key has 12.
const CHANGES_MIN: usize = 15;
const CHANGES_MIN_OF_A_PART: usize = 10;
/// Of 40 random characters of 64, about 30 are different ones.
const DISTINCT_MIN: usize = 20;
/// Small letters in a row that make a word.
const WORD: usize = 4;
/// Of 40 random characters, 3 stand in such words, give or take 3; of a name in `CamelCase`, most.
const IN_WORDS_MAX: usize = 18;

/// The text with each such run replaced; `None` where there is none.
pub(crate) fn cut_random_runs(text: &str, replacement: &str) -> Option<String> {
    let mut out = String::new();
    let (mut copied, mut begin) = (0, None);
    let ends = text.bytes().enumerate().chain([(text.len(), b' ')]);
    for (n, byte) in ends {
        match (is_in_run(byte), begin) {
            (true, None) => begin = Some(n),
            (false, Some(start)) => {
                if text.get(start..n).is_some_and(is_random) {
                    out.push_str(text.get(copied..start).unwrap_or_default());
                    out.push_str(replacement);
                    copied = n;
                }
                begin = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
    if copied == 0 {
        return None;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Some(out)
}

pub(crate) fn has_digit(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

fn is_in_run(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'_' | b'-' | b'=')
}

fn is_random(run: &str) -> bool {
    let run = run.as_bytes();
    let parts = |at: usize| run.get(at).is_none_or(|byte| !byte.is_ascii_alphanumeric());
    run.windows(WINDOW).enumerate().any(|(start, window)| {
        let is_part = (start == 0 || parts(start - 1)) && parts(start + WINDOW);
        is_random_window(window, if is_part { CHANGES_MIN_OF_A_PART } else { CHANGES_MIN })
    })
}

fn is_random_window(window: &[u8], changes_min: usize) -> bool {
    // One key in a thousand has no digit.
    let has = |class: fn(&u8) -> bool| window.iter().any(class);
    if !(has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase)) {
        return false;
    }
    let mut distinct = window.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < DISTINCT_MIN {
        return false;
    }
    let (mut changes, mut in_words) = (0, 0);
    for segment in window.split(|byte| !byte.is_ascii_alphanumeric()) {
        if segment.len() >= WORD && segment.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            // A hash or a part of a UUID.
            in_words += segment.len();
            continue;
        }
        for stretch in segment.chunk_by(|a, b| class(*a) == class(*b)) {
            changes += 1;
            if stretch.len() >= WORD && stretch.iter().all(u8::is_ascii_lowercase) {
                in_words += stretch.len();
            }
        }
        changes -= usize::from(!segment.is_empty());
    }
    changes >= changes_min && in_words <= IN_WORDS_MAX
}

fn class(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' => 0,
        b'a'..=b'z' => 1,
        _ => 2,
    }
}
