//! Things that incidents hold: what each wants a setting to be, and what it was before the first of them.
//!
//! Two incidents can contain one principal: both want its key off, or its boundary to allow nothing. Undoing one must leave what
//! the other needs. So every step registers a [`Layer`] on each thing before it sets it, and takes its own layer away when it is
//! undone. The last layer says what stands; under the first one is the value before all of them, which only the last undo gives
//! back.
//!
//! INVARIANT: no write to AWS precedes its layer, and a layer goes only after what it held was given back or left to another.

use std::fmt;

use async_trait::async_trait;
use cordon_core::incident::EventFacts;
use cordon_core::{IncidentId, PlannedStep, Principal, RemedyKind, Setting, Target, same_arn};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::call;
use crate::deny;
use crate::port::IamError;
use crate::remedies::{delete_policy_version, deny_iam, restore_policy_version};
use crate::remedy::{Snapshot, StepError};
use crate::settings;

/// What an incident wants a thing to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// The incident.
    pub incident: IncidentId,
    /// The value that it sets; `None`: there is to be no such thing.
    #[serde(default)]
    pub to: Option<String>,
    /// When it was registered.
    pub at: Timestamp,
}

/// A thing that incidents hold. Fields are only ever added, with defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Each save is one higher.
    pub version: u64,
    /// Which thing of the target, such as `key#AKIA…`.
    pub what: String,
    /// The target's unique id: one that was made again is not held.
    pub target_unique_id: String,
    /// The value before the first layer.
    #[serde(default)]
    pub before: Option<String>,
    /// The oldest first; none where nothing is held any more.
    #[serde(default)]
    pub layers: Vec<Layer>,
}

impl Hold {
    /// The layer that stands, apart from those of one incident.
    #[must_use]
    pub fn standing_for_others(&self, incident: &IncidentId) -> Option<&Layer> {
        self.layers.iter().rev().find(|layer| layer.incident != *incident)
    }
}

/// A thing of a target that can be held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thing {
    /// The target.
    pub target: Target,
    /// As [`Hold::what`].
    pub what: String,
}

/// Reads what incidents hold, for planning.
#[async_trait]
pub trait Holds: Send + Sync {
    /// Every hold of a target. An error means that it is not known.
    async fn of(&self, target: &Target) -> Result<Vec<Hold>, IamError>;

    /// Who gave the name of a user or group to another one, or another name to it, after an event, where Cordon saw that.
    async fn renamed_since(&self, _named: &Principal, _event: &EventFacts) -> Result<Option<Renaming>, IamError> {
        Ok(None)
    }
}

/// A user or group got or lost its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renaming {
    /// The ARN of whoever did it, or how the actor is shown where there is none.
    pub by: String,
    /// When.
    pub at: Option<Timestamp>,
    /// The id of the event that recorded it.
    pub event: String,
}

/// Nothing is held by anybody.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHolds;

#[async_trait]
impl Holds for NoHolds {
    async fn of(&self, _: &Target) -> Result<Vec<Hold>, IamError> {
        Ok(Vec::new())
    }
}

/// What an undo left, because another incident still needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// What stays, in a few words.
    pub what: String,
    /// The incident that needs it.
    pub needed_by: IncidentId,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, because the incident `{}` still needs it", self.what, self.needed_by)
    }
}

/// The thing of a setting.
pub(crate) fn what(setting: &Setting) -> String {
    match setting {
        Setting::AttachedPolicy { arn } => format!("attached#{arn}"),
        Setting::InlinePolicy { name } => format!("inline#{name}"),
        Setting::TrustPolicy => "trust".to_owned(),
        Setting::Boundary => "boundary".to_owned(),
        Setting::Group { name } => format!("group#{name}"),
        Setting::AccessKey { id } => format!("key#{id}"),
        Setting::LoginProfile => "password".to_owned(),
        Setting::Tag { key } => format!("tag#{key}"),
        Setting::Logging => "logging".to_owned(),
        Setting::EventSelectors => "selectors".to_owned(),
    }
}

/// The thing of the version that is in force.
pub(crate) const DEFAULT_VERSION: &str = "default-version";

/// True where both name the same thing: IAM finds names in any case of letters.
pub(crate) fn is_same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// Whether a value denies its principal something: only the same deny may cover it.
pub(crate) fn is_deny(setting: &Setting, value: Option<&str>) -> bool {
    match setting {
        Setting::Boundary => value.is_some_and(|arn| same_arn(arn, deny::AWS_DENY_ALL)),
        Setting::AttachedPolicy { arn } => same_arn(arn, deny::AWS_DENY_ALL) && value.is_some(),
        Setting::InlinePolicy { name } => deny::is_own_policy(name) && value.is_some(),
        Setting::TrustPolicy
        | Setting::Group { .. }
        | Setting::AccessKey { .. }
        | Setting::LoginProfile
        | Setting::Tag { .. }
        | Setting::Logging
        | Setting::EventSelectors => false,
    }
}

/// One thing that a step sets.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub what: String,
    /// `None` for a version of a managed policy.
    pub setting: Option<Setting>,
    /// The value in the step's own snapshot.
    pub before: Option<String>,
    pub to: Option<String>,
}

impl Part {
    pub fn same(&self, a: Option<&str>, b: Option<&str>) -> bool {
        self.setting.as_ref().map_or(a == b, |setting| settings::same(setting, a, b))
    }

    pub fn is_deny(&self, value: Option<&str>) -> bool {
        self.setting.as_ref().is_some_and(|setting| is_deny(setting, value))
    }

    /// What stays where it is not given back, in a few words.
    pub fn stays(&self, value: Option<&str>) -> String {
        let Some(setting) = &self.setting else {
            return match value {
                Some(version) => format!("`{version}` stays the default version"),
                None => "the version stays deleted".to_owned(),
            };
        };
        match (setting, value.is_some()) {
            (Setting::AttachedPolicy { arn }, true) => format!("`{arn}` stays attached"),
            (Setting::AttachedPolicy { arn }, false) => format!("`{arn}` stays detached"),
            (Setting::InlinePolicy { name }, true) => format!("the inline policy `{name}` stays"),
            (Setting::InlinePolicy { name }, false) => format!("the inline policy `{name}` stays off"),
            (Setting::TrustPolicy, _) => "the trust policy stays".to_owned(),
            (Setting::Boundary, true) => format!("the permissions boundary stays `{}`", value.unwrap_or_default()),
            (Setting::Boundary, false) => "the permissions boundary stays off".to_owned(),
            (Setting::Group { name }, true) => format!("the user stays in the group `{name}`"),
            (Setting::Group { name }, false) => format!("the user stays out of the group `{name}`"),
            (Setting::AccessKey { id }, _) => format!("the access key `{id}` stays {}", value.unwrap_or(Setting::OFF)),
            (Setting::LoginProfile, _) => "the console password stays deleted".to_owned(),
            (Setting::Tag { key }, true) => format!("the tag `{key}` stays"),
            (Setting::Tag { key }, false) => format!("the tag `{key}` stays off"),
            (Setting::Logging, _) => "the trail goes on logging".to_owned(),
            (Setting::EventSelectors, _) => "the event selectors stay".to_owned(),
        }
    }
}

/// The things that a step sets, with the values of its snapshot.
pub(crate) fn parts(step: &PlannedStep, snapshot: &Snapshot) -> Result<Vec<Part>, StepError> {
    let one = |what: String, setting, before, to| Ok(vec![Part { what, setting, before, to }]);
    match snapshot {
        Snapshot::Settings(_) | Snapshot::DetachPolicy(_) => {
            let part = |(change, before): (cordon_core::Change, Option<String>)| Part {
                what: what(&change.setting),
                setting: Some(change.setting),
                before,
                to: change.to,
            };
            Ok(settings::with_former(step, snapshot)?.into_iter().map(part).collect())
        }
        Snapshot::DenyIam(before) => {
            let (name, document) = deny_iam::planned(step)?;
            let setting = Setting::InlinePolicy { name: name.to_owned() };
            one(what(&setting), Some(setting), before.document.clone(), Some(document.to_owned()))
        }
        Snapshot::RestorePolicyVersion(before) => {
            let (_, version) = restore_policy_version::planned(step, step.remedy)?;
            let before = serde_json::to_string(before).ok();
            one(DEFAULT_VERSION.to_owned(), None, before, Some(version.to_owned()))
        }
        Snapshot::DeletePolicyVersion(before) => {
            let (_, version) = restore_policy_version::planned(step, step.remedy)?;
            one(format!("version#{version}"), None, before.document.clone(), None)
        }
    }
}

/// What an undo does with a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Back {
    /// It gets this value.
    To(Option<String>),
    /// It stays, for another incident.
    Stays(Kept),
    /// An earlier run of the same undo saw to it.
    Done,
}

/// The part of a step that an undo gives back, with the values that it gives; `None` where all of it stays.
pub(crate) fn given_back(
    step: &PlannedStep,
    snapshot: &Snapshot,
    backs: &[Back],
) -> Result<Option<(PlannedStep, Snapshot)>, StepError> {
    let mut to = backs.iter().map(|back| match back {
        Back::To(value) => Some(value.clone()),
        Back::Stays(_) | Back::Done => None,
    });
    if let Snapshot::Settings(_) | Snapshot::DetachPolicy(_) = snapshot {
        let changes = settings::with_former(step, snapshot)?;
        let back: Vec<_> = changes.into_iter().zip(to).filter_map(|((change, _), to)| Some((change, to?))).collect();
        let (changes, values): (Vec<_>, Vec<_>) = back.into_iter().unzip();
        let before = settings::Before { target_unique_id: step.target_unique_id.clone(), values };
        let is_any = !changes.is_empty();
        return Ok(is_any.then(|| (PlannedStep { changes, ..step.clone() }, Snapshot::Settings(before))));
    }
    let Some(value) = to.next().flatten() else { return Ok(None) };
    let target_unique_id = step.target_unique_id.clone();
    let snapshot = match snapshot {
        Snapshot::Settings(_) | Snapshot::DetachPolicy(_) => return Err(StepError::Mismatch(step.remedy)),
        Snapshot::DenyIam(_) => Snapshot::DenyIam(deny_iam::Before { target_unique_id, document: value }),
        Snapshot::DeletePolicyVersion(_) => {
            Snapshot::DeletePolicyVersion(delete_policy_version::Before { target_unique_id, document: value })
        }
        Snapshot::RestorePolicyVersion(_) => {
            let value = value.ok_or(StepError::Mismatch(RemedyKind::RestorePolicyVersion))?;
            let by_id = || restore_policy_version::Before { target_unique_id, version: value.clone(), document: String::new() };
            Snapshot::RestorePolicyVersion(serde_json::from_str(&value).unwrap_or_else(|_| by_id()))
        }
    };
    Ok(Some((step.clone(), snapshot)))
}

/// The value of another incident's layer that lies over this one's.
pub(crate) struct Above {
    pub(crate) to: Option<String>,
}

/// The step as it has to stand, where another incident's layer lies over some of it: `above` has that layer for each thing.
pub(crate) fn aimed(step: &PlannedStep, above: Vec<Option<Above>>) -> PlannedStep {
    let mut step = step.clone();
    if step.changes.is_empty() {
        if let (Some(version), Some(Some(Above { to: Some(to) }))) = (&mut step.version, above.into_iter().next()) {
            *version = to;
            if let Target::Policy { policy } = &step.target {
                step.calls = vec![call::set_default_policy_version(policy.as_str(), version)];
            }
        }
        return step;
    }
    let mut differs = false;
    for (change, to) in step.changes.iter_mut().zip(above) {
        if let Some(Above { to }) = to {
            differs |= change.to != to;
            change.to = to;
        }
    }
    // The calls are announced before they are made: they are those that are made.
    if differs {
        step.calls = settings::calls(&step);
    }
    step
}
