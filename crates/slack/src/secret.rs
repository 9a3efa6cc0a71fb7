//! The Slack secret as it lies in Secrets Manager, and the type that keeps it out of logs.
//!
//! An error names the key that is wrong and what is expected there; it never repeats a value, nor a piece of the JSON.

use std::fmt;

use serde_json::{Map, Value};
use url::Url;

const KEYS: [&str; 6] = ["signing_secret", "bot_token", "channel", "webhook_url", "team_id", "app_id"];
const SIGNING_SECRET_MIN: usize = 16;

/// A value that prints as `[redacted]`, whatever prints it. `Display` is absent on purpose.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one place that sends it or computes with it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

/// How messages reach Slack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// `chat.postMessage` and `chat.update`: the message can be updated and has a thread.
    Bot {
        /// `xoxb-…`
        token: Secret,
        /// The default channel's id.
        channel: String,
    },
    /// An incoming webhook: it can only post; a click is answered through its `response_url`.
    Webhook {
        /// The webhook's address.
        url: Secret,
    },
}

/// What the secret holds: the key that proves a click, and one way of delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlackSecret {
    /// The key that Slack signs requests with.
    pub signing_secret: Secret,
    /// The way of messages to Slack.
    pub credential: Credential,
    /// Only clicks from this workspace count, if given.
    pub team_id: Option<String>,
    /// Only clicks on this app's messages count, if given.
    pub app_id: Option<String>,
}

/// What is wrong with the secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Not a JSON object.
    #[error("the Slack secret is not a JSON object (line {line}, column {column})")]
    NotJson {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// A key that must be there; named.
    #[error("the Slack secret has no `{0}`")]
    Missing(&'static str),
    /// A value of another shape.
    #[error("`{key}` in the Slack secret must be {expected}")]
    Bad {
        /// The key.
        key: &'static str,
        /// The shape that it must have, in words.
        expected: &'static str,
    },
    /// No way of delivery, or two; which of the keys there are.
    #[error("the Slack secret needs either `bot_token` with `channel`, or `webhook_url`; it has {0}")]
    Credential(&'static str),
    /// A key that means nothing, with its name where it looks like one.
    #[error("the Slack secret has a key that is not known{0}; known are {known}", known = KEYS.join(", "))]
    UnknownKey(String),
}

impl SlackSecret {
    /// Reads the secret string. Keys: `signing_secret`; `bot_token` and `channel`, or `webhook_url`; optionally `team_id`, `app_id`.
    ///
    /// # Errors
    /// The first key that is missing, unknown or malformed. No error repeats a value.
    pub fn parse(json: &str) -> Result<Self, SecretError> {
        // serde's own message can quote the value it stumbled over, so only the place is kept.
        let keys: Map<String, Value> =
            serde_json::from_str(json).map_err(|error| SecretError::NotJson { line: error.line(), column: error.column() })?;
        if let Some(unknown) = keys.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(SecretError::UnknownKey(nameable(unknown)));
        }
        let signing_secret = text(&keys, "signing_secret")?.ok_or(SecretError::Missing("signing_secret"))?;
        if signing_secret.len() < SIGNING_SECRET_MIN || !signing_secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SecretError::Bad {
                key: "signing_secret",
                expected: "the app's signing secret, at least 16 visible ASCII characters",
            });
        }
        Ok(Self {
            signing_secret: Secret::new(signing_secret),
            credential: credential(&keys)?,
            team_id: id(&keys, "team_id", &['T', 'E'], "a team's id, like T0123ABCD")?,
            app_id: id(&keys, "app_id", &['A'], "an app's id, like A0123ABCD")?,
        })
    }
}

fn credential(keys: &Map<String, Value>) -> Result<Credential, SecretError> {
    let channel = id(keys, "channel", &['C', 'D', 'G'], "a channel's id, like C0123ABCD (not its name)")?;
    match (text(keys, "bot_token")?, channel, text(keys, "webhook_url")?) {
        (Some(token), Some(channel), None) => {
            let known = token.starts_with("xoxb-") || token.starts_with("xoxe.xoxb-");
            if !known || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(SecretError::Bad { key: "bot_token", expected: "a bot token, which begins with `xoxb-`" });
            }
            Ok(Credential::Bot { token: Secret::new(token), channel })
        }
        (None, None, Some(url)) => {
            let scheme = Url::parse(url).map(|url| url.scheme().to_owned());
            if !matches!(scheme.as_deref(), Ok("https" | "http")) {
                return Err(SecretError::Bad {
                    key: "webhook_url",
                    expected: "the address of an incoming webhook, https://hooks.slack.com/…",
                });
            }
            Ok(Credential::Webhook { url: Secret::new(url) })
        }
        (Some(_), _, Some(_)) => Err(SecretError::Credential("both")),
        (Some(_), None, None) => Err(SecretError::Credential("`bot_token` without `channel`")),
        (None, Some(_), None) => Err(SecretError::Credential("`channel` without `bot_token`")),
        (None, Some(_), Some(_)) => Err(SecretError::Credential("`channel` beside `webhook_url`, whose channel is fixed")),
        (None, None, None) => Err(SecretError::Credential("neither")),
    }
}

fn text<'a>(keys: &'a Map<String, Value>, key: &'static str) -> Result<Option<&'a str>, SecretError> {
    match keys.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(value)) if !value.is_empty() => Ok(Some(value)),
        Some(_) => Err(SecretError::Bad { key, expected: "a string that is not empty" }),
    }
}

fn id(
    keys: &Map<String, Value>,
    key: &'static str,
    first: &[char],
    expected: &'static str,
) -> Result<Option<String>, SecretError> {
    let Some(value) = text(keys, key)? else { return Ok(None) };
    let plain = value.len() <= 32 && value.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if plain && value.starts_with(first) { Ok(Some(value.to_owned())) } else { Err(SecretError::Bad { key, expected }) }
}

/// A key is repeated only when it looks like a name: somebody may have pasted the token where the key belongs.
fn nameable(key: &str) -> String {
    let is_name = key.len() <= 24 && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_name { format!(" (`{key}`)") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNING: &str = "0123456789abcdef0123456789abcdef";

    fn parse(rest: &str) -> Result<SlackSecret, SecretError> {
        SlackSecret::parse(&format!(r#"{{"signing_secret":"{SIGNING}"{rest}}}"#))
    }

    #[test]
    fn a_bot_token_with_a_channel_is_read() {
        let secret = parse(r#","bot_token":"xoxb-1-a","channel":"C0SANDBOX","team_id":"T01","app_id":"A01""#).unwrap();
        assert_eq!(secret.credential, Credential::Bot { token: Secret::new("xoxb-1-a"), channel: "C0SANDBOX".into() });
        assert_eq!((secret.team_id.as_deref(), secret.app_id.as_deref()), (Some("T01"), Some("A01")));
    }

    #[test]
    fn a_webhook_is_read() {
        let secret = parse(r#","webhook_url":"https://hooks.slack.com/services/T/B/x""#).unwrap();
        assert_eq!(secret.credential, Credential::Webhook { url: Secret::new("https://hooks.slack.com/services/T/B/x") });
    }

    #[test]
    fn every_fault_names_its_key() {
        for (rest, needle) in [
            ("", "it has neither"),
            (r#","bot_token":"xoxb-1""#, "`bot_token` without `channel`"),
            (r#","bot_token":"xoxp-1","channel":"C1""#, "`bot_token`"),
            (r##","bot_token":"xoxb-1","channel":"#alerts""##, "`channel`"),
            (r#","bot_token":7,"channel":"C1""#, "`bot_token`"),
            (r#","webhook_url":"hooks.slack.com""#, "`webhook_url`"),
            (r#","webhook_url":"https://hooks.slack.com/x","bot_token":"xoxb-1","channel":"C1""#, "it has both"),
            (r#","webhook_url":"https://hooks.slack.com/x","channel":"C1""#, "beside"),
            (r#","webhook_url":"https://hooks.slack.com/x","chanel":"C1""#, "(`chanel`)"),
            (r#","webhook_url":"https://hooks.slack.com/x","team_id":"acme""#, "`team_id`"),
        ] {
            let said = parse(rest).unwrap_err().to_string();
            assert!(said.contains(needle), "{rest}: {said}");
        }
        assert_eq!(SlackSecret::parse("{}").unwrap_err(), SecretError::Missing("signing_secret"));
        assert!(matches!(
            SlackSecret::parse(r#"{"signing_secret":"short"}"#),
            Err(SecretError::Bad { key: "signing_secret", .. })
        ));
    }

    #[test]
    fn no_fault_repeats_a_value() {
        for json in [
            r#""HUNTER2""#.to_owned(),
            r#"{"signing_secret": HUNTER2}"#.to_owned(),
            r#"{"signing_secret":"HUNTER2"}"#.to_owned(),
            r#"{"xoxb-HUNTER2":"HUNTER2"}"#.to_owned(),
            format!(r#"{{"signing_secret":"{SIGNING}","bot_token":"HUNTER2","channel":"C1"}}"#),
            format!(r#"{{"signing_secret":"{SIGNING}","webhook_url":"HUNTER2"}}"#),
            format!(r#"{{"signing_secret":"{SIGNING}","webhook_url":["HUNTER2"]}}"#),
        ] {
            let error = SlackSecret::parse(&json).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("HUNTER2"), "{error:?}");
        }
    }

    #[test]
    fn printing_the_secret_shows_none_of_it() {
        let secret = parse(r#","bot_token":"xoxb-HUNTER2","channel":"C1""#).unwrap();
        let printed = format!("{secret:?}");
        assert!(!printed.contains("HUNTER2") && !printed.contains(SIGNING), "{printed}");
    }
}
