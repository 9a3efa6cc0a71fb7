//! Sets things, each with one value, and puts their former values back. Most remedies need no more.
//!
//! A remedy plans [`Change`]s; everything after the plan is here, so that all of them keep the same promises. It never writes a
//! value that is not in the stored plan or, on undo, in the stored snapshot, and never over a value that is neither.
//!
//! INVARIANT: the target's unique id is compared before every single write.

mod values;

use std::borrow::Cow;

use cordon_core::{Call, Change, PlannedStep, Principal, RemedyKind, Setting, Target, same_arn, same_name};
use serde::{Deserialize, Serialize};

use crate::call;
use crate::holds;
use crate::port::{Account, IamError, IamErrorKind};
use crate::remedy::{Applied, Attempt, Identity, Planned, Request, Reverted, Snapshot, StepError, Verified};

/// The snapshot: the values before, in the order of the step's changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// The unique id of the target, as in the step.
    pub target_unique_id: String,
    /// One for each change; `None` where there was no such thing.
    pub values: Vec<Option<String>>,
}

/// Fills a step's calls in from its changes. Changes whose value already holds are left out, unless it holds for another incident:
/// then this one needs it as well, and an undo of the other must not take it away. If none remains, there is no step, for the
/// `reason`.
pub(crate) fn planned(request: &Request<'_>, mut step: PlannedStep, changes: Vec<Change>, reason: &str) -> Planned {
    let mut notes: Vec<String> = step.note.take().into_iter().collect();
    let mut undo = Vec::new();
    for mut change in changes {
        let mut back = change.from.clone();
        if let Some(held) = request.held(&change.setting) {
            if holds::is_deny(&change.setting, held.to) && !same(&change.setting, held.to, change.to.as_deref()) {
                change.to = held.to.map(str::to_owned);
            }
            back = held.before.map(str::to_owned);
            if values::holds(&change, change.from.as_deref()) {
                // Where the first incident changed nothing, there is nothing that its undo would take away.
                change.from = back.clone();
            }
            if !values::holds(&change, change.from.as_deref()) {
                notes.push(format!(
                    "The incident `{}` needs this too: what was before comes back only when neither needs it any more.",
                    held.incident
                ));
            }
        }
        if values::holds(&change, change.from.as_deref()) {
            continue;
        }
        undo.extend(call(&step.target, &change.setting, back.as_deref()));
        step.calls.extend(call(&step.target, &change.setting, change.to.as_deref()));
        step.changes.push(change);
    }
    if step.changes.is_empty() {
        return Planned::Nothing(reason.to_owned());
    }
    undo.reverse();
    let note = (!notes.is_empty()).then(|| notes.join(" "));
    PlannedStep { undo, note, ..step }.into()
}

/// True where two values of a setting mean the same.
pub(crate) fn same(setting: &Setting, a: Option<&str>, b: Option<&str>) -> bool {
    values::same(setting, a, b)
}

/// The calls that give a step's settings their values.
pub(crate) fn calls(step: &PlannedStep) -> Vec<Call> {
    step.changes.iter().filter_map(|change| call(&step.target, &change.setting, change.to.as_deref())).collect()
}

pub(crate) async fn snapshot(account: &dyn Account, step: &PlannedStep) -> Result<Snapshot, StepError> {
    Identity::of(account, step).await?.required(step)?;
    let changes = changes_of(step);
    let mut values = Vec::with_capacity(changes.len());
    for change in changes.iter() {
        let now = read(account, &step.target, &change.setting).await?;
        if !values::same(&change.setting, now.as_deref(), change.from.as_deref()) && !values::holds(change, now.as_deref()) {
            return Err(conflict(change, change.from.as_deref(), now.as_deref()));
        }
        values.push(now);
    }
    Ok(Snapshot::Settings(Before { target_unique_id: step.target_unique_id.clone(), values }))
}

pub(crate) async fn apply(
    account: &dyn Account,
    step: &PlannedStep,
    snapshot: &Snapshot,
    attempt: Attempt,
) -> Result<Applied, StepError> {
    let mut applied = Applied::AlreadyHeld;
    for (change, before) in &with_former(step, snapshot)? {
        let before = before.as_deref();
        Identity::of(account, step).await?.required(step)?;
        let now = read(account, &step.target, &change.setting).await?;
        if values::holds(change, now.as_deref()) {
            continue;
        }
        if attempt == Attempt::First && !values::same(&change.setting, now.as_deref(), before) {
            return Err(conflict(change, before, now.as_deref()));
        }
        match write(account, &step.target, &change.setting, change.to.as_deref()).await {
            Ok(()) => applied = Applied::Changed,
            // Somebody was faster by one call, and removed it.
            Err(error) if error.kind() == IamErrorKind::NotFound && change.to.is_none() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(applied)
}

pub(crate) async fn verify(account: &dyn Account, step: &PlannedStep) -> Result<Verified, StepError> {
    if let Some((expected, found)) = Identity::of(account, step).await?.difference(step) {
        return Ok(Verified::Missing(format!("expected {expected}, found {found}")));
    }
    for change in changes_of(step).iter() {
        let now = read(account, &step.target, &change.setting).await?;
        if !values::holds(change, now.as_deref()) {
            let (expected, found) =
                (values::shown(&change.setting, change.to.as_deref()), values::shown(&change.setting, now.as_deref()));
            return Ok(Verified::Missing(format!("on `{}`: expected {expected}, found {found}", step.target)));
        }
    }
    Ok(Verified::Holds)
}

pub(crate) async fn revert(
    account: &dyn Account,
    step: &PlannedStep,
    snapshot: &Snapshot,
    dry_run: bool,
) -> Result<Reverted, StepError> {
    let changes = with_former(step, snapshot)?;
    // A policy that was not attached before is not attached by undo, even if somebody attached it since.
    if let [(change, before)] = changes.as_slice()
        && let Some(arn) = values::took_nothing_off(change, before.as_deref())
    {
        return Ok(Reverted::Nothing(format!("`{arn}` was not attached to `{}` before", step.target)));
    }
    match Identity::of(account, step).await? {
        Identity::Gone if changes.iter().all(|(_, before)| before.is_none()) => {
            return Ok(Reverted::Nothing(format!("`{}` no longer exists, nor does what was put on it", step.target)));
        }
        identity => {
            if let Some((expected, found)) = identity.difference(step) {
                return Ok(Reverted::Drift { expected, found });
            }
        }
    }
    let mut back = Vec::new();
    for (change, before) in changes.iter().rev() {
        let before = before.as_deref();
        let now = read(account, &step.target, &change.setting).await?;
        if values::same(&change.setting, now.as_deref(), before) {
            continue;
        }
        // A key that was deleted since is off, and cannot be turned on again.
        let gone = now.is_none() && change.to.is_some();
        if gone || !values::holds(change, now.as_deref()) {
            return Ok(Reverted::Drift {
                expected: values::shown(&change.setting, change.to.as_deref()),
                found: values::shown(&change.setting, now.as_deref()),
            });
        }
        let Some(call) = call(&step.target, &change.setting, before) else {
            return Err(StepError::Irreversible(step.irreversible.clone().unwrap_or_else(|| "this cannot be undone".to_owned())));
        };
        back.push((change, before, call));
    }
    if back.is_empty() {
        return Ok(Reverted::Nothing(format!("`{}` is as it was before", step.target)));
    }
    let calls: Vec<Call> = back.iter().map(|(.., call)| call.clone()).collect();
    if dry_run {
        return Ok(Reverted::Would(calls));
    }
    for (change, before, _) in back {
        if let Some((expected, found)) = Identity::of(account, step).await?.difference(step) {
            return Ok(Reverted::Drift { expected, found });
        }
        match write(account, &step.target, &change.setting, before).await {
            Ok(()) => {}
            Err(error) if error.kind() == IamErrorKind::NotFound && before.is_none() => {}
            Err(error) if error.kind() == IamErrorKind::NotFound => {
                return Ok(Reverted::Drift {
                    expected: values::shown(&change.setting, before),
                    found: values::missing(&change.setting).to_owned(),
                });
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Reverted::Done(calls))
}

/// The changes of a step. A detach-policy step that was stored before detaching was a setting only names its policy.
fn changes_of(step: &PlannedStep) -> Cow<'_, [Change]> {
    match &step.policy_arn {
        Some(arn) if step.remedy == RemedyKind::DetachPolicy && step.changes.is_empty() => {
            let setting = Setting::AttachedPolicy { arn: arn.clone() };
            Cow::Owned(vec![Change { setting, from: Some(Setting::ON.to_owned()), to: None }])
        }
        Some(_) | None => Cow::Borrowed(&step.changes),
    }
}

/// The changes with their values before.
pub(crate) fn with_former(step: &PlannedStep, snapshot: &Snapshot) -> Result<Vec<(Change, Option<String>)>, StepError> {
    let changes = changes_of(step).into_owned();
    let values = match snapshot {
        Snapshot::Settings(before) => before.values.clone(),
        Snapshot::DetachPolicy(before) if step.remedy == RemedyKind::DetachPolicy => {
            vec![before.attached.then(|| Setting::ON.to_owned())]
        }
        Snapshot::DetachPolicy(_)
        | Snapshot::DenyIam(_)
        | Snapshot::RestorePolicyVersion(_)
        | Snapshot::DeletePolicyVersion(_) => Vec::new(),
    };
    if changes.is_empty() || values.len() != changes.len() {
        return Err(StepError::Mismatch(step.remedy));
    }
    Ok(changes.into_iter().zip(values).collect())
}

fn conflict(change: &Change, expected: Option<&str>, found: Option<&str>) -> StepError {
    StepError::Conflict { expected: values::shown(&change.setting, expected), found: values::shown(&change.setting, found) }
}

/// The current value of a setting.
pub(crate) async fn read(account: &dyn Account, target: &Target, setting: &Setting) -> Result<Option<String>, IamError> {
    let on = |is: bool| is.then(|| Setting::ON.to_owned());
    let switch = |is: bool| Some(if is { Setting::ON } else { Setting::OFF }.to_owned());
    match (target, setting) {
        (Target::Principal(principal), setting) => match setting {
            Setting::AttachedPolicy { arn } => {
                Ok(on(account.attached_policies(principal).await?.iter().any(|attached| same_arn(attached, arn))))
            }
            Setting::InlinePolicy { name } => account.inline_policy(principal, name).await,
            Setting::TrustPolicy => Ok(account.principal(principal).await?.and_then(|facts| facts.trust)),
            Setting::Boundary => Ok(account.principal(principal).await?.and_then(|facts| facts.boundary)),
            Setting::Group { name } => {
                Ok(on(account.groups_of_user(&principal.name).await?.iter().any(|group| same_name(group, name))))
            }
            Setting::AccessKey { id } => {
                let keys = account.access_keys(&principal.name).await?;
                Ok(keys.iter().find(|key| key.id == *id).and_then(|key| switch(key.active)))
            }
            Setting::LoginProfile => Ok(on(account.has_login_profile(&principal.name).await?)),
            Setting::Tag { key } => {
                let tags = account.tags(principal).await?;
                Ok(tags.into_iter().find(|(tag, _)| same_name(tag, key)).map(|(_, value)| value))
            }
            Setting::Logging | Setting::EventSelectors => Err(no_such_setting(target)),
        },
        (Target::Trail { trail }, Setting::Logging) => {
            Ok(account.trail(trail.as_str()).await?.and_then(|facts| switch(facts.logging)))
        }
        (Target::Trail { trail }, Setting::EventSelectors) => {
            Ok(account.trail(trail.as_str()).await?.and_then(|facts| facts.selectors))
        }
        (Target::Trail { .. } | Target::Policy { .. }, _) => Err(no_such_setting(target)),
    }
}

async fn write(account: &dyn Account, target: &Target, setting: &Setting, to: Option<&str>) -> Result<(), IamError> {
    match (target, setting) {
        (Target::Principal(principal), setting) => write_to_principal(account, principal, setting, to).await,
        (Target::Trail { trail }, Setting::Logging) if to == Some(Setting::ON) => account.start_logging(trail.as_str()).await,
        (Target::Trail { trail }, Setting::Logging) => account.stop_logging(trail.as_str()).await,
        (Target::Trail { trail }, Setting::EventSelectors) => match to {
            Some(selectors) => account.put_event_selectors(trail.as_str(), selectors).await,
            None => Err(no_such_setting(target)),
        },
        (Target::Trail { .. } | Target::Policy { .. }, _) => Err(no_such_setting(target)),
    }
}

async fn write_to_principal(
    account: &dyn Account,
    principal: &Principal,
    setting: &Setting,
    to: Option<&str>,
) -> Result<(), IamError> {
    let name = principal.name.as_str();
    match (setting, to) {
        (Setting::AttachedPolicy { arn }, Some(_)) => account.attach_policy(principal, arn).await,
        (Setting::AttachedPolicy { arn }, None) => account.detach_policy(principal, arn).await,
        (Setting::InlinePolicy { name }, Some(document)) => account.put_inline_policy(principal, name, document).await,
        (Setting::InlinePolicy { name }, None) => account.delete_inline_policy(principal, name).await,
        (Setting::TrustPolicy, Some(document)) => account.set_trust_policy(name, document).await,
        (Setting::Boundary, Some(arn)) => account.set_boundary(principal, arn).await,
        (Setting::Boundary, None) => account.delete_boundary(principal).await,
        (Setting::Group { name: group }, Some(_)) => account.add_to_group(name, group).await,
        (Setting::Group { name: group }, None) => account.remove_from_group(name, group).await,
        (Setting::AccessKey { id }, Some(to)) => account.set_access_key(name, id, to == Setting::ON).await,
        (Setting::LoginProfile, None) => account.delete_login_profile(name).await,
        (Setting::Tag { key }, Some(value)) => account.tag(principal, key, value).await,
        (Setting::Tag { key }, None) => account.untag(principal, key).await,
        (Setting::TrustPolicy | Setting::AccessKey { .. }, None)
        | (Setting::LoginProfile, Some(_))
        | (Setting::Logging | Setting::EventSelectors, _) => Err(no_such_setting(&Target::Principal(principal.clone()))),
    }
}

/// The call that gives a setting its value, as it is shown; `None` where AWS has none.
fn call(target: &Target, setting: &Setting, to: Option<&str>) -> Option<Call> {
    let principal = match target {
        Target::Principal(principal) => principal,
        Target::Trail { trail } => {
            return match (setting, to) {
                (Setting::Logging, Some(Setting::ON)) => Some(call::start_logging(trail.as_str())),
                (Setting::Logging, _) => Some(call::stop_logging(trail.as_str())),
                (Setting::EventSelectors, Some(selectors)) => Some(call::put_event_selectors(trail.as_str(), selectors)),
                _ => None,
            };
        }
        Target::Policy { .. } => return None,
    };
    let name = principal.name.as_str();
    match (setting, to) {
        (Setting::AttachedPolicy { arn }, Some(_)) => Some(call::attach_policy(principal, arn)),
        (Setting::AttachedPolicy { arn }, None) => Some(call::detach_policy(principal, arn)),
        (Setting::InlinePolicy { name }, Some(document)) => Some(call::put_inline_policy(principal, name, document)),
        (Setting::InlinePolicy { name }, None) => Some(call::delete_inline_policy(principal, name)),
        (Setting::TrustPolicy, Some(document)) => Some(call::set_trust_policy(name, document)),
        (Setting::Boundary, Some(arn)) => Some(call::set_boundary(principal, arn)),
        (Setting::Boundary, None) => Some(call::delete_boundary(principal)),
        (Setting::Group { name: group }, Some(_)) => Some(call::add_to_group(name, group)),
        (Setting::Group { name: group }, None) => Some(call::remove_from_group(name, group)),
        (Setting::AccessKey { id }, Some(to)) => Some(call::set_access_key(name, id, to == Setting::ON)),
        (Setting::LoginProfile, None) => Some(call::delete_login_profile(name)),
        (Setting::Tag { key }, Some(value)) => Some(call::tag(principal, key, value)),
        (Setting::Tag { key }, None) => Some(call::untag(principal, key)),
        (Setting::TrustPolicy | Setting::AccessKey { .. }, None)
        | (Setting::LoginProfile, Some(_))
        | (Setting::Logging | Setting::EventSelectors, _) => None,
    }
}

fn no_such_setting(target: &Target) -> IamError {
    IamError::new(IamErrorKind::Other, "plan", &format!("`{target}` has nothing like what the stored step sets"))
}
