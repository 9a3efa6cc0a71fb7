//! How the values of a setting are compared, and how they read in a sentence.

use cordon_core::{Change, Setting, same_arn};

use crate::deny::same_document;

/// True where two values mean the same. Documents are compared as JSON.
pub(super) fn same(setting: &Setting, a: Option<&str>, b: Option<&str>) -> bool {
    match (setting, a, b) {
        (Setting::InlinePolicy { .. } | Setting::TrustPolicy | Setting::EventSelectors, Some(a), Some(b)) => same_document(a, b),
        (Setting::Boundary, Some(a), Some(b)) => same_arn(a, b),
        _ => a == b,
    }
}

/// True where a value does what the wanted one does.
pub(super) fn holds(change: &Change, now: Option<&str>) -> bool {
    // A key that was deleted is as good as one that is off.
    let off = matches!(change.setting, Setting::AccessKey { .. }) && change.to.as_deref() == Some(Setting::OFF);
    (off && now.is_none()) || same(&change.setting, now, change.to.as_deref())
}

/// The policy that a change was to detach, where it was not attached before.
pub(super) fn took_nothing_off<'a>(change: &'a Change, before: Option<&str>) -> Option<&'a str> {
    match &change.setting {
        Setting::AttachedPolicy { arn } if before.is_none() && change.to.is_none() => Some(arn),
        _ => None,
    }
}

/// A value as part of a sentence: "expected …, found …".
pub(super) fn shown(setting: &Setting, value: Option<&str>) -> String {
    let what = match setting {
        Setting::AttachedPolicy { arn } => {
            return format!("`{arn}` {}", if value.is_some() { "attached" } else { "not attached" });
        }
        Setting::InlinePolicy { name } => format!("the inline policy `{name}`"),
        Setting::TrustPolicy => "the trust policy".to_owned(),
        Setting::Boundary => "the permissions boundary".to_owned(),
        Setting::Group { name } => format!("the membership of `{name}`"),
        Setting::AccessKey { id } => format!("the access key `{id}`"),
        Setting::LoginProfile => "the console password".to_owned(),
        Setting::Tag { key } => format!("the tag `{key}`"),
        Setting::Logging => "logging".to_owned(),
        Setting::EventSelectors => "the event selectors".to_owned(),
    };
    match value {
        None => format!("{what} not there"),
        Some(Setting::ON) => format!("{what} there and on"),
        Some(Setting::OFF) => format!("{what} off"),
        Some(value) => format!("{what} to be {value}"),
    }
}

/// IAM's `NoSuchEntity` as part of a sentence.
pub(super) fn missing(setting: &Setting) -> &'static str {
    match setting {
        Setting::AttachedPolicy { .. } => "that IAM knows no such policy",
        Setting::InlinePolicy { .. }
        | Setting::TrustPolicy
        | Setting::Boundary
        | Setting::Group { .. }
        | Setting::AccessKey { .. }
        | Setting::LoginProfile
        | Setting::Tag { .. }
        | Setting::Logging
        | Setting::EventSelectors => "that it no longer exists",
    }
}
