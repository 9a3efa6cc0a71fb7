//! What is kept of an event with its incident.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{Distrust, Event, Log, Origin};
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
    /// Whether the call changed something, or opened a session. `None` in incidents of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<bool>,
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
            effect: Some(has_effect(event)),
            parameters: cut(&parameters, Self::PARAMETERS_MAX_BYTES),
            touched: Touched::from_event(event),
        }
    }

    /// Whether something may stand that the call did. Where that is not known, it may.
    #[must_use]
    pub fn had_effect(&self) -> bool {
        self.effect.unwrap_or(self.error_code.is_none())
    }
}

/// A refused call did nothing, a notice is none, and a call that CloudTrail says only read changed nothing; but for those that hand
/// out a session, some of which it counts as reading.
fn has_effect(event: &Event) -> bool {
    let is_failure = || {
        let said = |key: &str| at(&event.record, "/responseElements")[key].as_str() == Some("Failure");
        let is_fault = |message: &str| !message.is_empty() && !message.eq_ignore_ascii_case("success");
        at(&event.record, "/errorMessage").as_str().is_some_and(is_fault) || said(&event.name)
    };
    let opens_session = || {
        let sts = ["Assume", "GetSessionToken", "GetFederationToken", "GetWebIdentityToken"];
        event.service == "sts.amazonaws.com" && sts.iter().any(|prefix| event.name.starts_with(prefix))
    };
    let reads_by_name = || ["Describe", "Get", "List", "Simulate"].iter().any(|prefix| event.name.starts_with(prefix));
    let only_read = || at(&event.record, "/readOnly").as_bool().unwrap_or_else(reads_by_name);
    event.log == Log::CloudTrail && event.error_code.is_none() && !is_failure() && (!only_read() || opens_session())
}

fn cut(text: &str, max_bytes: usize) -> String {
    let mut end = text.len().min(max_bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
