//! What the keys of the table are made of, beside the ids of `core`.

use std::fmt;

/// A setting that a remedy can restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// A role's trust policy.
    Trust,
    /// A user's or role's permissions boundary, by its ARN.
    Boundary,
    /// An inline policy, by its name.
    InlinePolicy(String),
    /// A tag, by its key.
    Tag(String),
    /// The default version of a managed policy, by its id.
    DefaultVersion,
    /// A trail's event selectors.
    EventSelectors,
    /// That a user, group or role was made: it has no inline policy and no tag that no later event set.
    Created,
}

/// As the setting's key has it.
impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trust => f.write_str("trust"),
            Self::Boundary => f.write_str("boundary"),
            Self::InlinePolicy(name) => write!(f, "inline#{name}"),
            Self::Tag(key) => write!(f, "tag#{key}"),
            Self::DefaultVersion => f.write_str("default"),
            Self::EventSelectors => f.write_str("selectors"),
            Self::Created => f.write_str("created"),
        }
    }
}

/// What kind of message waits for its turn: each has a limit and a summary of its own, so that nothing crowds out questions, and
/// a summary counts one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It is told, and nothing is wanted.
    Told,
    /// It ended, or is being answered without a question.
    Ended,
    /// A person is asked.
    Wanted,
    /// A person has to look now: never counted, never left to a summary.
    Urgent,
}

impl Turn {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Told => "TOLD",
            Self::Ended => "ENDED",
            Self::Wanted => "WANTED",
            Self::Urgent => "URGENT",
        }
    }
}

/// One minute of one kind of message in one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minute<'a> {
    /// The channel's id; `None` for the secret's own.
    pub channel: Option<&'a str>,
    /// The kind of message.
    pub turn: Turn,
    /// Whether it is about a grave incident: these are counted apart, so that nobody buries one under many that are not.
    pub grave: bool,
    /// Minutes since 1970.
    pub number: i64,
}

impl Minute<'_> {
    /// The minute before.
    #[must_use]
    pub fn previous(self) -> Self {
        Self { number: self.number - 1, ..self }
    }
}

/// What gives a principal an exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant<'a> {
    /// The exception tag, or the one that says until when it counts, by its key.
    Tag(&'a str),
    /// An exempt group, by its name. Of a user, the membership; of the group, that it has this name.
    Group(&'a str),
    /// The principal's ARN: its path and name, on which the scope, recorded exceptions and automation match.
    Arn,
    /// The name alone of a user or group, which it got or lost by being renamed. It gives no exception.
    Name,
}
