//! Whether an exception lets an incident pass, rule by rule.
//!
//! Each kind of exception that a rule honours is looked at until one holds. A read that failed is remembered: without an exception
//! that holds, it asks a person.

use cordon_core::decision::{Alerting, ExemptFrom, Exemption, Judged, Verdict};
use cordon_core::incident::Incident;
use cordon_core::{ExceptionKind, Response, RuleId};
use cordon_store::{RecordedException, RuleScope};
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
            let (rule, level) = (detection.rule.clone(), detection.level);
            let Some(response) = &detection.response else {
                let exempt = self.automation_names(&rule).await?;
                self.checked.alerting.push(Alerting { rule, level, exempt });
                continue;
            };
            let verdict = self.exceptions(&rule, response).await?;
            let gate = self.check.config.gate(&rule);
            self.checked.judged.push(Judged { rule, level, gate, verdict });
        }
        Ok(self.checked)
    }

    async fn exceptions(&mut self, rule: &RuleId, response: &Response) -> Result<Verdict, CheckError> {
        let grants = Grants { check: self.check, incident: self.incident, event_time: self.event_time };
        let (mut unknown, mut named) = (None, None);
        for kind in &response.exceptions {
            let verdict = match kind {
                ExceptionKind::Tag => grants.tag(response, &mut self.checked).await?,
                ExceptionKind::Group => grants.group(&mut self.checked).await?,
                ExceptionKind::Recorded => self.recorded(rule).await?,
                ExceptionKind::Automation => self.automation(rule).await?,
            };
            match verdict {
                Verdict::Exempt(Exemption { from: ExemptFrom::Every, .. }) => return Ok(verdict),
                // One that is from every rule may hold as well.
                Verdict::Exempt(Exemption { from: ExemptFrom::Named, .. }) => named = named.or(Some(verdict)),
                Verdict::Unknown(_) => unknown = Some(verdict),
                Verdict::Caught => {}
            }
        }
        if response.exceptions.is_empty() {
            self.checked.say(format!("The rule `{rule}` honours no exception."));
        }
        Ok(named.or(unknown).unwrap_or(Verdict::Caught))
    }

    /// Whether automation of `cordon.toml` is exempt from this very rule, by its name.
    async fn automation_names(&mut self, rule: &RuleId) -> Result<bool, CheckError> {
        let automation = self.check.config.exceptions.automation(&self.incident.actor, rule);
        let named = automation.is_some_and(|automation| automation.rules.is_some());
        Ok(named && self.came_by_arn().await?.is_none())
    }

    async fn automation(&mut self, rule: &RuleId) -> Result<Verdict, CheckError> {
        let Some(automation) = self.check.config.exceptions.automation(&self.incident.actor, rule) else {
            return Ok(Verdict::Caught);
        };
        if let Some(verdict) = self.came_by_arn().await? {
            return Ok(verdict);
        }
        let role = self.incident.actor.issuer_arn.as_deref().unwrap_or_default();
        let sentence = format!("`{role}` is trusted automation of cordon.toml: {}", automation.name);
        self.checked.say(format!("{sentence}."));
        self.checked.exempted_by(json!({"automation": automation.name, "role": role}));
        let from = if automation.rules.is_some() { ExemptFrom::Named } else { ExemptFrom::Every };
        Ok(Verdict::Exempt(Exemption { reason: sentence, from }))
    }

    /// Why nothing that matches the actor's ARN exempts, for how they came to it.
    async fn came_by_arn(&mut self) -> Result<Option<Verdict>, CheckError> {
        let grants = Grants { check: self.check, incident: self.incident, event_time: self.event_time };
        match self.incident.actor.principal() {
            Some(principal) => grants.arn(&principal, &mut self.checked).await,
            None => Ok(None),
        }
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
        // One from every rule first.
        let (every, named): (Vec<_>, Vec<_>) = recorded.iter().partition(|exception| exception.rule == RuleScope::Any);
        let mut covers = None;
        for exception in every.into_iter().chain(named) {
            match bearing(exception, &self.incident.actor, rule, self.event_time, self.check.config) {
                Bearing::Covers(sentence) => {
                    covers = Some((exception.clone(), sentence));
                    break;
                }
                Bearing::Not(sentence) => self.checked.say(sentence),
                Bearing::None => {}
            }
        }
        let Some((exception, sentence)) = covers else { return Ok(Verdict::Caught) };
        if let Some(verdict) = self.came_by_arn().await? {
            return Ok(verdict);
        }
        self.checked.say(format!("{sentence}."));
        self.checked.exempted_by(json!({
            "exception": exception.id, "owner": exception.owner, "recorded_by": exception.created_by,
            "until": exception.until, "reason": exception.reason, "rule": exception.rule,
        }));
        let from = match exception.rule {
            RuleScope::Any => ExemptFrom::Every,
            RuleScope::Rule(_) => ExemptFrom::Named,
        };
        Ok(Verdict::Exempt(Exemption { reason: sentence, from }))
    }
}
