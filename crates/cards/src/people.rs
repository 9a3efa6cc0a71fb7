//! Names people on a card: by a mention if Slack shows one, otherwise in words.

use cordon_core::Ballot;
use cordon_core::incident::{Looking, ShownVote};
use cordon_slack::text::{code, mention, plain};

/// Names in a row; the rest is counted.
const NAMED: usize = 3;

/// Where somebody is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a `mrkdwn` text, where a mention is shown.
    Block,
    /// In a notification, which shows none.
    Notification,
}

/// Who approved, denied or looks into an incident, or what did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decider<'a> {
    /// A Slack member by the id, or an AWS principal by the ARN; with the name that `cordon.toml` gives them, if it is known.
    Person { by: &'a str, name: Option<&'a str> },
    /// Nobody: the configuration names the rule as automatic.
    Configuration,
}

impl<'a> Decider<'a> {
    /// Somebody whose name may stand among the votes.
    pub fn among(votes: &'a [ShownVote], by: &'a str) -> Self {
        let name = votes.iter().find(|vote| vote.by == by).map(|vote| vote.name.as_str());
        Self::Person { by, name }
    }

    pub fn named(&self, place: Place) -> String {
        match (self, place) {
            (Self::Configuration, _) => "the configuration".to_owned(),
            (Self::Person { by, .. }, Place::Block) if is_arn(by) => code(by, 120),
            (Self::Person { by, .. }, Place::Block) => mention(by),
            (Self::Person { by, .. }, Place::Notification) if is_arn(by) => plain(by, 120),
            (Self::Person { by, name: Some(name) }, Place::Notification) => format!("{} ({})", plain(name, 80), plain(by, 40)),
            (Self::Person { by, name: None }, Place::Notification) => plain(by, 40),
        }
    }
}

impl<'a> From<&'a Ballot> for Decider<'a> {
    fn from(ballot: &'a Ballot) -> Self {
        Self::Person { by: &ballot.by, name: Some(&ballot.name) }
    }
}

impl<'a> From<&'a Looking> for Decider<'a> {
    fn from(looking: &'a Looking) -> Self {
        Self::Person { by: &looking.by, name: Some(&looking.name) }
    }
}

/// Somebody who spoke on the command line has no Slack id to mention.
pub(crate) fn is_arn(by: &str) -> bool {
    by.starts_with("arn:")
}

/// The first few by name, the rest counted; `None` for nobody.
pub(crate) fn names<'a>(people: impl ExactSizeIterator<Item = Decider<'a>>, place: Place) -> Option<String> {
    let more = people.len().saturating_sub(NAMED);
    let mut named: Vec<String> = people.take(NAMED).map(|person| person.named(place)).collect();
    if more > 0 {
        named.push(format!("{more} more"));
    }
    (!named.is_empty()).then(|| named.join(", "))
}
