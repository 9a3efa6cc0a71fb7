//! Cuts what looks like a secret out of a text, for every place that an attacker's text can leave by.
//!
//! It goes by the shape of a value (keys, tokens, private keys, credentials in an address) and by the name beside it
//! (`password=…`, `"token": "…"`). A secret without a known shape and without such a name stays: who shows a request therefore
//! chooses which of its parameters to show, and this is the second line.
//!
//! INVARIANT: a text that went through once is left as it is. Cut texts to a length only after this: half a key has no shape.
//!
//! Ids of access keys, ARNs, ids and hashes in hexadecimal are no secrets and stay.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::random::{cut_random_runs, has_digit};

/// What stands where a secret stood.
pub const REDACTED: &str = "[redacted]";

/// Words in the name of a secret, without separators and in lower case.
const SECRET_WORDS: [&str; 22] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "masterkey",
    "sharedkey",
    "sessionkey",
    "authkey",
    "credential",
    "authorization",
    "connectionstring",
    "authenticationcode",
    "xamzsignature",
    "cookie",
];
/// The last word of a name that has a word of the above and yet is no secret's: `secretArn`, `accessKeyId`, `TokenIssueTime`.
const HARMLESS_ENDINGS: [&str; 33] = [
    "id",
    "ids",
    "uid",
    "arn",
    "arns",
    "name",
    "names",
    "type",
    "types",
    "time",
    "at",
    "age",
    "length",
    "required",
    "prevention",
    "policy",
    "duration",
    "expiry",
    "expiration",
    "expires",
    "status",
    "version",
    "enabled",
    "usage",
    "spec",
    "algorithm",
    "count",
    "mode",
    "used",
    "manager",
    "rotation",
    "endpoint",
    "url",
];

/// True for the name of a field, variable or tag whose value is a secret: `DB_PASSWORD`, `clientSecret`, `x-api-key`.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let words = words(name);
    if words.first().is_some_and(|word| is_id(&word.to_ascii_uppercase())) {
        return false;
    }
    if words.last().is_some_and(|word| HARMLESS_ENDINGS.contains(&word.as_str())) {
        return false;
    }
    let joined = words.concat();
    SECRET_WORDS.iter().any(|word| joined.contains(word)) || words.iter().any(|word| word == "pass")
}

/// True for a value that tells nothing, whatever it is called: empty, a truth value, an ARN, an id of IAM, a reference.
#[must_use]
pub fn is_harmless_value(value: &str) -> bool {
    let value = value.trim();
    let is_word = ["true", "false", "null", "none", "*"].iter().any(|word| value.eq_ignore_ascii_case(word));
    let is_reference = (value.starts_with("${") && value.ends_with('}')) || value.starts_with("{{resolve:");
    value.is_empty()
        || is_word
        || is_reference
        || value == REDACTED
        || (value.starts_with("arn:") && redact_shapes(value) == value)
        || is_id(value)
}

/// True for a field that names something, beside which another has its value: `{"name": "DB_PASSWORD", "value": "…"}`.
#[must_use]
pub fn is_name_field(field: &str) -> bool {
    ["name", "key", "parametername", "parameterkey"].iter().any(|name| field.eq_ignore_ascii_case(name))
}

/// True for the field with the value of what another names.
#[must_use]
pub fn is_value_field(field: &str) -> bool {
    ["value", "values", "parametervalue", "stringvalue"].iter().any(|name| field.eq_ignore_ascii_case(name))
}

/// The text without what looks like a secret in it.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    match redact_shapes(text) {
        Cow::Borrowed(whole) => redact_assignments(whole),
        Cow::Owned(cut) => Cow::Owned(redact_assignments(&cut).into_owned()),
    }
}

/// What is recognised by its own shape.
fn redact_shapes(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for (pattern, replace) in SHAPES.iter() {
        if let Cow::Owned(cut) = pattern.replace_all(&text, *replace) {
            text = Cow::Owned(cut);
        }
    }
    match cut_random_runs(&text, REDACTED) {
        Some(cut) => Cow::Owned(cut),
        None => text,
    }
}

type Span = Range<usize>;
type Replace = fn(&Captures<'_>) -> String;

static SHAPES: LazyLock<Vec<(Regex, Replace)>> = LazyLock::new(|| {
    let all: Replace = |_| REDACTED.to_owned();
    let after_first: Replace = |found| format!("{}{REDACTED}", group(found, 1));
    let with_digit: Replace = |found| if has_digit(group(found, 0)) { REDACTED.to_owned() } else { group(found, 0).to_owned() };
    let scheme: Replace = |found| {
        let (scheme, value) = (group(found, 1), group(found, 2));
        let is_credential = has_digit(value) || value.contains('=');
        format!("{scheme}{}", if is_credential { REDACTED } else { value })
    };
    let in_address: Replace = |found| {
        let (before, password) = (group(found, 1), group(found, 2));
        let port = password.split('/').next().unwrap_or_default();
        let is_port = password.contains('/') && port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
        format!("{before}:{}@", if is_port { password } else { REDACTED })
    };
    [
        // A private key to its end; to the end of the text where that was cut off.
        (r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|\z)", all),
        // Of Slack and Discord, the secret of a webhook is its path.
        (r"(hooks\.slack(?:-gov)?\.com/)[A-Za-z0-9/_-]+", after_first),
        (r"(discord(?:app)?\.com/api/webhooks/)[A-Za-z0-9/_-]+", after_first),
        // JSON Web Tokens.
        (r"\beyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){1,4}", all),
        // Tokens with a known beginning: Slack, GitHub, GitLab, Google, npm, PyPI, SendGrid, Vault, DigitalOcean, age.
        (r"\b(?:xox[a-z](?:\.xox[a-z])?|xapp)-[A-Za-z0-9-]+", all),
        (r"\b(?:gh[oprsu]_|github_pat_|glpat-)[A-Za-z0-9_-]{12,}", all),
        (r"\b(?:AIza|ya29\.|npm_|pypi-|dop_v1_)[A-Za-z0-9_-]{16,}", with_digit),
        (r"\bSG\.[A-Za-z0-9_-]{12,}\.[A-Za-z0-9_-]{12,}", all),
        (r"\bhv[bs]\.[A-Za-z0-9_-]{16,}", all),
        (r"\bAGE-SECRET-KEY-[A-Z0-9]+", all),
        // Of Stripe, OpenAI and others.
        (r"\b(?:[rs]k_(?:live|test)_[A-Za-z0-9]{8,}|sk-[A-Za-z0-9_-]{16,})", with_digit),
        // Session tokens of AWS STS, and API keys of Bedrock.
        (r"\b(?:IQoJ|FwoG|FQoG|AQoD)[A-Za-z0-9+/=%_-]{20,}", all),
        (r"\bABSK[A-Za-z0-9+/=]{30,}", all),
        (r"(?i)\b(bearer\s+|basic\s+)([A-Za-z0-9+/=._~-]{6,})", scheme),
        // Credentials in an address.
        (r#"(?i)\b([a-z][a-z0-9+.-]*://[^\s/?#:@"'`]*):([^\s"'`<>]+)@"#, in_address),
    ]
    .into_iter()
    .filter_map(|(pattern, replace)| Some((Regex::new(pattern).ok()?, replace)))
    .collect()
});

/// A name, the quote that ends it, and what sets a value apart from it; or an option of a command line.
static ASSIGNMENT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?i)([a-z0-9_.\-]{2,80})(\\*["'`]?)(\s*(?:=>|:=|=|%3d)\s*|\s*:\s*|\s+)"#).ok());

/// What is recognised by the name beside it, or by the name in the field beside it.
fn redact_assignments(text: &str) -> Cow<'_, str> {
    let Some(pattern) = ASSIGNMENT.as_ref() else { return Cow::Borrowed(text) };
    let (mut cuts, mut names, mut values, mut at) = (Vec::new(), Vec::new(), Vec::new(), 0);
    while let Some(found) = pattern.captures_at(text, at) {
        let Some(whole) = found.get(0) else { break };
        at = whole.end();
        let (name, quote, separator) = (group(&found, 1), group(&found, 2), group(&found, 3));
        let Some(value) = value_at(text, at) else { continue };
        let said = text.get(value.clone()).unwrap_or_default();
        if assigns(name, quote, separator) && !is_harmless_value(said) && (is_secret_name(name) || is_keys_value(said)) {
            at = value.end;
            cuts.push(value);
        } else if is_name_field(name) && is_secret_name(said) {
            names.push(value);
        } else if is_value_field(name) && !is_harmless_value(said) {
            values.push(value);
        }
    }
    let is_beside = |value: &Span, name: &Span| {
        let between = if value.start < name.start { value.end..name.start } else { name.end..value.start };
        text.get(between).is_some_and(|between| !between.contains(['{', '}']))
    };
    cuts.extend(values.into_iter().filter(|value| names.iter().any(|name| is_beside(value, name))));
    if cuts.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(without(text, cuts)) }
}

fn without(text: &str, mut cuts: Vec<Span>) -> String {
    cuts.sort_unstable_by_key(|cut| cut.start);
    let (mut out, mut copied) = (String::new(), 0);
    for cut in cuts {
        if cut.start >= copied {
            out.push_str(text.get(copied..cut.start).unwrap_or_default());
            out.push_str(REDACTED);
        }
        copied = copied.max(cut.end);
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    out
}

/// Whether what follows is the value of a secret. A colon without a space and without a quoted name stands in ARNs and actions.
fn assigns(name: &str, quote: &str, separator: &str) -> bool {
    let is_name = is_secret_name(name) || is_key(name);
    let is_quoted = !quote.is_empty();
    match separator.trim() {
        "" => name.starts_with("--") && is_secret_name(name),
        ":" => is_secret_name(name) && (is_quoted || separator.ends_with(char::is_whitespace)),
        _ => is_name,
    }
}

/// `key=…`, which is as often the name of something: only its value can tell.
fn is_key(name: &str) -> bool {
    words(name).last().is_some_and(|word| word == "key")
}

/// Where the value of an assignment stands in the text, without its quotes. `None` for an object, whose fields are looked at.
fn value_at(text: &str, start: usize) -> Option<Span> {
    let rest = text.get(start..)?;
    let escapes = rest.bytes().take_while(|byte| *byte == b'\\').count();
    let quote = rest.as_bytes().get(escapes).copied().filter(|byte| matches!(byte, b'"' | b'\'' | b'`'));
    let (start, length) = match quote {
        Some(quote) => {
            let start = start + escapes + 1;
            (start, quoted(text.get(start..)?.as_bytes(), quote, escapes))
        }
        None if rest.starts_with(REDACTED) || rest.starts_with('{') => return None,
        None if rest.starts_with('[') => (start, rest.find(']').map_or(rest.len(), |end| end + 1)),
        None => {
            let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | '&' | '}' | ')' | ']' | '\\');
            (start, rest.find(ends).unwrap_or(rest.len()))
        }
    };
    Some(start..start + length)
}

/// The length of a text to the quote that ends it, which has as many backslashes before it as the one that began it.
fn quoted(text: &[u8], quote: u8, escapes: usize) -> usize {
    let mut backslashes = 0;
    for (n, byte) in text.iter().enumerate() {
        if *byte == quote && backslashes <= escapes {
            return n - backslashes;
        }
        backslashes = if *byte == b'\\' { backslashes + 1 } else { 0 };
    }
    text.len()
}

fn is_keys_value(value: &str) -> bool {
    (has_digit(value) && value.len() >= 6) || value.len() >= 24
}

/// Ids that IAM gives out: `AKIA…`, `ASIA…`, `AIDA…`, `AROA…` and so on.
fn is_id(value: &str) -> bool {
    let begins = ["AKIA", "ASIA", "AIDA", "AROA", "AGPA", "ANPA", "ANVA", "AIPA", "APKA"].iter().any(|id| value.starts_with(id));
    begins && value.len() <= 32 && value.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// The words of a name, in lower case: at separators, and where a capital begins one.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut previous = ' ';
    let mut rest = name.chars().peekable();
    while let Some(c) = rest.next() {
        let ends_capitals = previous.is_ascii_uppercase() && rest.peek().is_some_and(char::is_ascii_lowercase);
        let begins = c.is_ascii_uppercase() && (!previous.is_ascii_uppercase() || ends_capitals);
        if !c.is_ascii_alphabetic() || begins {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_ascii_alphabetic()) {
            word.push(c.to_ascii_lowercase());
        }
        previous = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

fn group<'a>(found: &'a Captures<'_>, n: usize) -> &'a str {
    found.get(n).map_or("", |group| group.as_str())
}

#[cfg(test)]
mod tests;
