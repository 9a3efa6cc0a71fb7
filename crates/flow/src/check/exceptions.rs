//! Whether an exception lets an incident pass, rule by rule.
//!
//! Each kind of exception that a rule honours is looked at until one holds. A read that failed is remembered: without an exception
//! that holds, it asks a person.

use cordon_core::decision::{Judged, Verdict};
use cordon_core::incident::Incident;
use cordon_core::{ExceptionKind, Response, RuleId};
use cordon_store::RecordedException;
use jiff::Timestamp;
use serde_json::json;

use super::checked::Checked;
use super::grants::Grants;
use super::{Check, CheckError, unreadable};
use crate::exceptions::{Bearing, bearing};

/// The recorded exceptions.
enum Listed {
    Read(Vec<RecordedException>),
    /// They cannot be read, in a sentence.
    Unread(String),
}

pub(super) struct ExceptionCheck<'a> {
    check: &'a Check<'a>,
    incident: &'a Incident,
    event_time: Timestamp,
    /// Read once, when the first rule asks.
    recorded: Option<Listed>,
    checked: Checked,
}

impl<'a> ExceptionCheck<'a> {
    pub fn new(check: &'a Check<'a>, incident: &'a Incident) -> Self {
        let event_time = incident.event.time.unwrap_or(incident.opened_at);
        Self { check, incident, event_time, recorded: None, checked: Checked::default() }
    }

    pub async fn run(mut self) -> Result<Checked, CheckError> {
        for detection in &self.incident.detections {
            let Some(response) = &detection.response else { continue };
            let verdict = self.exceptions(&detection.rule, response).await?;
            let gate = self.check.config.gate(&detection.rule);
            self.checked.judged.push(Judged { rule: detection.rule.clone(), gate, verdict });
        }
        Ok(self.checked)
    }

    async fn exceptions(&mut self, rule: &RuleId, response: &Response) -> Result<Verdict, CheckError> {
        let grants = Grants { check: self.check, incident: self.incident, event_time: self.event_time };
        let mut unknown = None;
        for kind in &response.exceptions {
            let verdict = match kind {
                ExceptionKind::Tag => grants.tag(response, &mut self.checked).await?,
                ExceptionKind::Group => grants.group(&mut self.checked).await?,
                ExceptionKind::Recorded => self.recorded(rule).await?,
                ExceptionKind::Automation => self.automation(rule),
            };
            match verdict {
                Verdict::Exempt(_) => return Ok(verdict),
                Verdict::Unknown(_) => unknown = Some(verdict),
                Verdict::Caught => {}
            }
        }
        if response.exceptions.is_empty() {
            self.checked.say(format!("The rule `{rule}` honours no exception."));
        }
        Ok(unknown.unwrap_or(Verdict::Caught))
    }

    fn automation(&mut self, rule: &RuleId) -> Verdict {
        let Some(automation) = self.check.config.exceptions.automation(&self.incident.actor, rule) else {
            return Verdict::Caught;
        };
        let role = self.incident.actor.issuer_arn.as_deref().unwrap_or_default();
        let sentence = format!("`{role}` is trusted automation of cordon.toml: {}", automation.name);
        self.checked.say(format!("{sentence}."));
        self.checked.exempted_by(json!({"automation": automation.name, "role": role}));
        Verdict::Exempt(sentence)
    }

    async fn recorded(&mut self, rule: &RuleId) -> Result<Verdict, CheckError> {
        if self.recorded.is_none() {
            self.recorded = Some(match self.check.store.exceptions().await {
                Ok(recorded) => Listed::Read(recorded),
                Err(error) => Listed::Unread(unreadable(error, "The recorded exceptions")?),
            });
        }
        let recorded = match &self.recorded {
            Some(Listed::Read(recorded)) => recorded,
            Some(Listed::Unread(sentence)) => return Ok(self.checked.unknown(sentence.clone())),
            None => return Ok(Verdict::Caught),
        };
        for exception in recorded {
            match bearing(exception, &self.incident.actor, rule, self.event_time, self.check.config) {
                Bearing::Covers(sentence) => {
                    self.checked.say(format!("{sentence}."));
                    self.checked.exempted_by(json!({
                        "exception": exception.id, "owner": exception.owner, "recorded_by": exception.created_by,
                        "until": exception.until, "reason": exception.reason, "rule": exception.rule,
                    }));
                    return Ok(Verdict::Exempt(sentence));
                }
                Bearing::Not(sentence) => self.checked.say(sentence),
                Bearing::None => {}
            }
        }
        Ok(Verdict::Caught)
    }
}
