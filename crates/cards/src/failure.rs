//! The notice that a state of the machine gave up for good. There may be no incident yet, and so no card.

use cordon_core::IncidentId;
use cordon_slack::Message;
use cordon_slack::blocks::Block;
use cordon_slack::text::{code, link, unformatted};

use crate::layout::lead;
use crate::links;

/// A state that gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure<'a> {
    /// The incident, if one had been opened.
    pub incident: Option<&'a IncidentId>,
    /// The ARN of the execution.
    pub execution: &'a str,
    /// The state's name.
    pub state: &'a str,
    /// The error's name, as the state machine knows it.
    pub error: &'a str,
    /// The error's message.
    pub cause: &'a str,
}

impl Failure<'_> {
    /// The message for the channel.
    #[must_use]
    pub fn message(&self) -> Message {
        let what = "Cordon could not finish an incident";
        let prose = format!("State `{}` gave up with `{}`. Treat the event as not contained.", self.state, self.error);
        let mut blocks = vec![
            Block::Header(format!("🔴 {what}")),
            Block::Section(lead("A person must look now.", &prose)),
            Block::Section(format!("*Cause*\n{}", code(self.cause, 1_500))),
        ];
        let mut last = vec![match self.incident {
            Some(incident) => {
                let id = incident.as_str();
                format!("Incident {}: {}", code(id, 80), code(&format!("cordon incident show {id}"), 110))
            }
            None => "No incident had been opened".to_owned(),
        }];
        last.extend(links::execution(self.execution).map(|url| link(&url, "Open the execution")));
        blocks.push(Block::Context(last));
        let incident = self.incident.map(|id| format!(" Incident {id}.")).unwrap_or_default();
        let text = format!("{what}: {prose} A person must look now.{incident}").replace('`', "");
        Message { text: unformatted(&text, 1_000), blocks: blocks.iter().map(Block::to_value).collect() }
    }
}
