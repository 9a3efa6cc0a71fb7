//! Recorded exceptions: an approver lets a principal do what a rule catches, until a day, for a reason.
//!
//! INVARIANT: an exception names an account and a path. One that was stored with a wildcard there exempts nobody: where it would have,
//! a person is asked.
//!
//! INVARIANT: nobody exempts themself, and only an approver exempts. Both are asked when an exception is recorded and again
//! when it would count, for the table is not the place that decides who an approver is.

use cordon_core::config::{Approver, end as parse_end};
use cordon_core::pattern::{NamePattern, NamePatternError, NamedKind, Pattern};
use cordon_core::{Actor, Config, ExceptionId, RuleId};
use cordon_store::{EndedException, RecordedException, RuleScope};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::approver::{NotEntitled, of_principal};

/// What somebody wants to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// A pattern of users or roles that names account and path.
    pub principal: String,
    /// From which rule.
    pub rule: RuleScope,
    /// A date or a time.
    pub until: String,
    /// Why.
    pub reason: String,
    /// Whoever answers for it; the caller without it.
    pub owner: Option<String>,
}

/// Why an exception is not recorded, or not ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExceptionRefused {
    /// The caller is nobody who may.
    #[error("only approvers record and end exceptions: {0}")]
    NotAnApprover(#[source] NotEntitled),
    /// It would exempt the caller.
    #[error("`{0}` fits a principal of your own, and nobody exempts themself: ask another approver")]
    OwnPrincipal(String),
    /// The pattern does not name the account and the path of users or roles.
    #[error("`{pattern}` {why}; {}", why.fix(pattern))]
    NotNamed {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        why: NamePatternError,
    },
    /// The end cannot be read.
    #[error("`{0}` is neither a date like `2026-12-31` nor an RFC 3339 time")]
    NoEnd(String),
    /// The end is over.
    #[error("`{0}` has passed already")]
    Past(String),
    /// It would last too long.
    #[error("`{until}` is more than {days} days away, the most that exceptions.max_days allows")]
    TooLong {
        /// As it was written.
        until: String,
        /// The most that `cordon.toml` allows.
        days: u32,
    },
    /// A text is empty, too long, or has lines.
    #[error("the {0} of an exception has 1 to {1} characters, on one line")]
    Text(&'static str, usize),
    /// Somebody has ended it.
    #[error("it was ended by `{0}` at {1}")]
    AlreadyEnded(String, Timestamp),
}

/// How an exception bears on an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bearing {
    /// It lets the event pass, in a sentence.
    Covers(String),
    /// It would, but does not count, in a sentence.
    Not(String),
    /// It would, but its pattern could be fitted by anybody, in a sentence: a person has to look.
    Refused(String),
    /// It is about somebody or something else, or long over.
    None,
}

const REASON_MAX_CHARS: usize = 500;
const OWNER_MAX_CHARS: usize = 200;
/// How long after its end an exception is still told of, to somebody who may believe that it stands.
const TOLD_DAYS: i64 = 30;
const KEPT_DAYS: i64 = 400;

/// A new exception, to be kept. `caller` holds the ARNs that the caller is known by, the one that IAM gives first.
///
/// # Errors
/// [`ExceptionRefused`], which says what to do instead.
pub fn record(
    wanted: &Wanted,
    caller: &[String],
    config: &Config,
    now: Timestamp,
) -> Result<RecordedException, ExceptionRefused> {
    let (by, approver) = approver(caller, config)?;
    let not_named = |why| ExceptionRefused::NotNamed { pattern: wanted.principal.clone(), why };
    let principal = principals(&wanted.principal).map_err(not_named)?;
    let fits_caller = caller.iter().any(|arn| principal.matches_any_spelling(arn));
    if fits_caller || approver.principals.iter().any(|own| principal.overlaps(own)) {
        return Err(ExceptionRefused::OwnPrincipal(wanted.principal.clone()));
    }
    let until = parse_end(&wanted.until).ok_or_else(|| ExceptionRefused::NoEnd(wanted.until.clone()))?;
    if until <= now {
        return Err(ExceptionRefused::Past(wanted.until.clone()));
    }
    let days = config.exceptions.max_days;
    if is_too_long(now, until, days) {
        return Err(ExceptionRefused::TooLong { until: wanted.until.clone(), days });
    }
    let reason = text(&wanted.reason, "reason", REASON_MAX_CHARS)?;
    let owner = text(wanted.owner.as_deref().unwrap_or(&by), "owner", OWNER_MAX_CHARS)?;
    let content = json!([wanted.principal, wanted.rule, until, reason, owner, by, now]);
    Ok(RecordedException {
        id: ExceptionId::derive(content.to_string().as_bytes()),
        version: 1,
        principal: Pattern::new(principal.as_str()),
        rule: wanted.rule.clone(),
        owner,
        created_by: by,
        created_at: now,
        until,
        reason,
        ended: None,
        expires_at: until.as_second() + KEPT_DAYS * 24 * 3_600,
    })
}

/// The exception, ended.
///
/// # Errors
/// [`ExceptionRefused`] where it has ended already, without a reason, and for who is no approver.
pub fn end(
    mut recorded: RecordedException,
    caller: &[String],
    reason: &str,
    config: &Config,
    now: Timestamp,
) -> Result<RecordedException, ExceptionRefused> {
    let (by, _) = approver(caller, config)?;
    if let Some(ended) = &recorded.ended {
        return Err(ExceptionRefused::AlreadyEnded(ended.by.clone(), ended.at));
    }
    recorded.ended = Some(EndedException { at: now, by, reason: text(reason, "reason", REASON_MAX_CHARS)? });
    recorded.version += 1;
    Ok(recorded)
}

/// Why a recorded exception exempts nobody, and what to write in its place; `None` where its pattern names account and path.
#[must_use]
pub fn refusal(recorded: &RecordedException) -> Option<String> {
    let pattern = recorded.principal.as_str();
    principals(pattern).err().map(|why| format!("`{pattern}` {why}; end it and record it anew: {}", why.fix(pattern)))
}

/// Whether an exception lets an actor's event pass. Matched on the user or role that acted, as the record names it.
#[must_use]
pub fn bearing(recorded: &RecordedException, actor: &Actor, rule: &RuleId, event_time: Timestamp, config: &Config) -> Bearing {
    let concerns = match &recorded.rule {
        RuleScope::Any => true,
        RuleScope::Rule(own) => own == rule,
    };
    // One that is refused is looked at with the width that it was written with, to tell whoever relies on it.
    let named = principals(recorded.principal.as_str());
    let fits = |arn: &str| named.as_ref().map_or_else(|_| recorded.principal.matches(arn), |named| named.matches(arn));
    let Some(principal) = actor.principal().filter(|principal| concerns && fits(&principal.arn())) else {
        return Bearing::None;
    };
    let what = format!("The recorded exception `{}` of {} for `{principal}`", recorded.id, recorded.owner);
    let over = recorded.ended.as_ref().map_or(recorded.until, |ended| ended.at.min(recorded.until));
    if event_time.duration_since(over) > SignedDuration::from_hours(24 * TOLD_DAYS) {
        return Bearing::None;
    }
    let not = |why: String| Bearing::Not(format!("{what} {why}, so it does not count."));
    if let Some(ended) = &recorded.ended {
        return not(format!("was ended by `{}` at {}", ended.by, ended.at));
    }
    if event_time >= recorded.until {
        return not(format!("ended at {}", recorded.until));
    }
    if event_time < recorded.created_at {
        return not(format!("was recorded at {}, after the event", recorded.created_at));
    }
    if is_too_long(recorded.created_at, recorded.until, config.exceptions.max_days) {
        return not(format!("lasts longer than the {} days of exceptions.max_days", config.exceptions.max_days));
    }
    match of_principal(config, &recorded.created_by) {
        Err(_) => {
            not(format!("was recorded by `{}`, who is not an approver or cannot be told from another one", recorded.created_by))
        }
        Ok(approver) if approver.is_actor(actor) || principal.has_arn(&recorded.created_by) => {
            not(format!("was recorded by the actor, as `{}`", recorded.created_by))
        }
        Ok(_) if let Some(why) = refusal(recorded) => {
            Bearing::Refused(format!("{what} exempts nobody, so a person is asked: {why}"))
        }
        Ok(_) => Bearing::Covers(format!("{what} holds until {}: {}", recorded.until, recorded.reason)),
    }
}

/// The ARN by which the caller is an approver, and which one: nobody who could be two.
fn approver<'c>(caller: &[String], config: &'c Config) -> Result<(String, &'c Approver), ExceptionRefused> {
    let arn = caller.first().cloned().unwrap_or_default();
    let approver = of_principal(config, &arn).map_err(ExceptionRefused::NotAnApprover)?;
    Ok((arn, approver))
}

fn principals(text: &str) -> Result<NamePattern, NamePatternError> {
    NamePattern::parse(text.trim(), NamedKind::EXEMPT)
}

fn text(text: &str, what: &'static str, max_chars: usize) -> Result<String, ExceptionRefused> {
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().count() <= max_chars && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(ExceptionRefused::Text(what, max_chars)) }
}

/// A date lasts to its end, so a day of grace.
fn is_too_long(from: Timestamp, until: Timestamp, days: u32) -> bool {
    until.duration_since(from) > SignedDuration::from_hours(24 * (i64::from(days) + 1))
}

#[cfg(test)]
mod tests;
