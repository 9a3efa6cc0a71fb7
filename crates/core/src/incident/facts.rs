//! What is kept of an event with its incident.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{Distrust, Event, Origin};
use crate::ids::EventId;
use crate::json::at;
use crate::touched::Touched;
use crate::{redact, request};

/// What the event said, as far as people and later states need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventFacts {
    /// The event's id.
    pub id: EventId,
    /// The id that records of the same call in other accounts share.
    #[serde(default)]
    pub shared_id: Option<EventId>,
    /// Who sent it.
    pub origin: Origin,
    /// Why it may change nothing, where that is so. `None` in older incidents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distrust: Option<Distrust>,
    /// The call.
    pub name: String,
    /// `iam.amazonaws.com`
    pub service: String,
    /// Where the call was made.
    #[serde(default)]
    pub region: Option<String>,
    /// When the call was made.
    #[serde(default)]
    pub time: Option<Timestamp>,
    /// From which address, or which service.
    #[serde(default)]
    pub source_ip: Option<String>,
    /// By which program, as it says itself.
    #[serde(default)]
    pub user_agent: Option<String>,
    /// The policy that the call names.
    #[serde(default)]
    pub policy_arn: Option<String>,
    /// Why AWS refused the call; `None` where it did not.
    #[serde(default)]
    pub error_code: Option<String>,
    /// The request as people may see it ([`request::shown`]), as JSON text, cut to [`EventFacts::PARAMETERS_MAX_BYTES`].
    #[serde(default)]
    pub parameters: String,
    /// What the remedies need of the record.
    #[serde(default)]
    pub touched: Touched,
}

impl EventFacts {
    /// Why the event may change nothing, in a sentence without a full stop; `None` where it may.
    #[must_use]
    pub fn not_believed(&self) -> Option<String> {
        if self.origin.may_enforce() {
            return None;
        }
        Some(match &self.distrust {
            Some(why) => format!("The event is not trusted to change anything: {why}"),
            None => "The event's source is not trusted to change anything".to_owned(),
        })
    }

    /// Keeps the header far below DynamoDB's 400 KiB an item.
    pub const PARAMETERS_MAX_BYTES: usize = 4_000;
    const TEXT_MAX_BYTES: usize = 1_024;

    /// What is kept of an event. What the remedies need of it is exact; [`Touched::cut_secrets`] cuts it.
    #[must_use]
    pub fn from_event(event: &Event) -> Self {
        let text = |value: &serde_json::Value| value.as_str().map(|text| cut(text, Self::TEXT_MAX_BYTES));
        let said = |value: &serde_json::Value| value.as_str().map(|text| cut(&redact::text(text), Self::TEXT_MAX_BYTES));
        let record = &event.record;
        let parameters = request::shown(&event.service, &event.name, &record["requestParameters"]);
        Self {
            id: event.id.clone(),
            shared_id: event.shared_id.clone(),
            origin: event.origin,
            distrust: event.distrust.clone(),
            name: cut(&redact::text(&event.name), Self::TEXT_MAX_BYTES),
            service: cut(&redact::text(&event.service), Self::TEXT_MAX_BYTES),
            region: event.region.clone(),
            time: event.time,
            source_ip: said(&record["sourceIPAddress"]),
            user_agent: said(&record["userAgent"]),
            policy_arn: text(at(record, "/requestParameters/policyArn")),
            error_code: event.error_code.as_deref().map(|code| redact::text(code).into_owned()),
            parameters: cut(&parameters, Self::PARAMETERS_MAX_BYTES),
            touched: Touched::from_event(event),
        }
    }
}

fn cut(text: &str, max_bytes: usize) -> String {
    let mut end = text.len().min(max_bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
