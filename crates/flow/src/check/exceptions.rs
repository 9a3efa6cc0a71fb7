//! Whether an exception lets an incident pass, rule by rule.
//!
//! Each kind of exception that a rule honours is looked at until one holds. A read that failed is remembered: without an exception
//! that holds, it asks a person.

use cordon_core::decision::{Alerting, ExemptFrom, Exemption, Judged, Verdict};
use cordon_core::incident::Incident;
use cordon_core::{ExceptionKind, Principal, PrincipalKind, Response, RuleId};
use cordon_store::{Grant, Pin, RecordedException, RuleScope};
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
        let (every, named): (Vec<_>, Vec<_>) = recorded.iter().cloned().partition(|exception| exception.rule == RuleScope::Any);
        let (mut covers, mut refused) = (None, None);
        for exception in every.into_iter().chain(named) {
            match bearing(&exception, &self.incident.actor, rule, self.event_time, self.check.config) {
                Bearing::Covers(sentence) => {
                    if let Some(verdict) = self.came_by_arn().await? {
                        return Ok(verdict);
                    }
                    match self.is_of_pinned(&exception).await? {
                        Pinned::Same => {
                            covers = Some((exception, sentence));
                            break;
                        }
                        Pinned::Another(why) => self.checked.say(format!("{sentence}, but {why}, so it does not count.")),
                        Pinned::Unknown(why) => return Ok(self.checked.unknown(why)),
                    }
                }
                Bearing::Not(sentence) => self.checked.say(sentence),
                Bearing::Refused(sentence) => refused = Some(sentence),
                Bearing::None => {}
            }
        }
        let Some((exception, sentence)) = covers else {
            return Ok(refused.map_or(Verdict::Caught, |sentence| self.checked.unknown(sentence)));
        };
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

    /// Whether the actor is the principal that an exception is for, by its unique id: the first that was seen.
    async fn is_of_pinned(&self, exception: &RecordedException) -> Result<Pinned, CheckError> {
        let Some(principal) = self.incident.actor.principal() else {
            return Ok(Pinned::Unknown("The event names no user or role that an exception could be for".to_owned()));
        };
        let unread = |error, what: &str| Ok(Pinned::Unknown(unreadable(error, what)?));
        match self.check.store.provenance(&principal, Grant::Arn).await {
            Ok(Some(came)) if came.at.is_none_or(|at| at >= exception.created_at) => {
                let why =
                    format!("`{}` changed who has this ARN after it was recorded, and nobody has recorded it again", came.by);
                return Ok(Pinned::Another(why));
            }
            Ok(_) => {}
            Err(error) => return unread(error, &format!("How `{principal}` came to its ARN")),
        }
        let Some(unique_id) = self.unique_id(&principal).await else {
            return Ok(Pinned::Unknown(format!(
                "The unique id of `{principal}` is not known, and exceptions are for a unique id"
            )));
        };
        let pin = Pin { unique_id, since: self.check.clock.now(), expires_at: exception.expires_at };
        match self.check.store.pin(&exception.id, &principal, &pin).await {
            Ok(found) if found.unique_id == pin.unique_id => Ok(Pinned::Same),
            Ok(found) => Ok(Pinned::Another(format!(
                "it is for `{}`, and this one was made again and is `{}`: an approver has to record it again",
                found.unique_id, pin.unique_id
            ))),
            Err(error) => unread(error, "The unique id that the exception is for"),
        }
    }

    /// The actor's unique id as the event gives it; else as IAM does: a name that has the pinned id now had it at the event, too.
    async fn unique_id(&self, principal: &Principal) -> Option<String> {
        let prefix = if principal.kind == PrincipalKind::Role { "AROA" } else { "AIDA" };
        if let Some(id) = self.incident.actor.unique_id.as_ref().filter(|id| id.starts_with(prefix)) {
            return Some(id.clone());
        }
        let iam = self.check.iam(Some(&principal.account), &self.incident.id).await.ok()?;
        iam.principal(principal).await.ok()?.map(|facts| facts.unique_id)
    }
}

/// Whether an exception is for this very principal.
enum Pinned {
    Same,
    /// It is for another one, in a clause.
    Another(String),
    /// A read that decides failed, in a sentence.
    Unknown(String),
}
