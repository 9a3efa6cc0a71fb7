//! What a `cordon.toml` that parses can still have wrong: each is an error with the file, the line and the fix.

use super::{Automation, Config, ConfigError, Exceptions, Limits, Mode};
use crate::ids::AccountId;

/// What is wrong, and a text of the file that stands where it is wrong.
type Fault = (String, String);

impl Config {
    pub(super) fn check(&self, file: &str, text: &str) -> Result<(), ConfigError> {
        let fail = |needle: &str, reason: String| {
            Err(ConfigError {
                file: file.to_owned(),
                line: text.find(needle).filter(|_| !needle.is_empty()).map(|at| line_of(text, at)),
                reason,
            })
        };
        if let Err((needle, reason)) = self.exceptions.check().and_then(|()| self.limits.check()) {
            return fail(&needle, reason);
        }
        for account in &self.scope.accounts {
            if account.as_str() != "*" && account.as_str().parse::<AccountId>().is_err() {
                return fail(
                    account.as_str(),
                    format!("scope.accounts: `{account}` is not an account id of twelve digits; write one, or `*` for all"),
                );
            }
        }
        let approvers = self.approval.approvers.iter().flat_map(|approver| &approver.principals);
        let approver_patterns = approvers.map(|p| ("approval.approvers.principals", p));
        let groups = self.approval.groups.iter().flat_map(|group| &group.principals);
        let group_patterns = groups.map(|p| ("approval.groups.principals", p));
        let scope_patterns = self.scope.principals.iter().map(|p| ("scope.principals", p));
        let never = self.scope.never_touch.iter().map(|p| ("scope.never_touch", p));
        let automation = self.exceptions.automation.iter().flat_map(|automation| &automation.roles);
        let automation = automation.map(|pattern| ("exceptions.automation.roles", pattern));
        let policies = self.scope.policies.iter().map(|p| ("scope.policies", p));
        let trails = self.scope.trails.iter().map(|p| ("scope.trails", p));
        let scope_patterns = scope_patterns.chain(policies).chain(trails);
        let approving = approver_patterns.chain(group_patterns);
        for (key, pattern) in scope_patterns.chain(never).chain(approving).chain(automation) {
            if !pattern.is_arn() {
                return fail(
                    pattern.as_str(),
                    format!("{key}: `{pattern}` is not an ARN pattern; write it like `arn:aws:iam::*:user/iam-test-*`"),
                );
            }
        }
        if let Some((needle, reason)) = self.approval.fault() {
            return fail(&needle, reason);
        }
        if let Some((needle, reason)) = self.notifications.fault() {
            return fail(&needle, reason);
        }
        if let Some(twice) = self.gates.auto.iter().find(|rule| self.gates.contain_then_ask.contains(rule)) {
            return fail(twice.as_str(), format!("gates: `{twice}` is in `auto` and in `contain_then_ask`; take it out of one"));
        }
        let nobody = self.approval.approvers.is_empty() && self.approval.groups.is_empty();
        if self.mode == Mode::Enforce && nobody {
            return fail("mode", "approval.approvers is empty, so nobody could approve; add at least one [[approval.approvers]], or set mode = \"dry-run\"".to_owned());
        }
        if self.approval.rehearse && nobody {
            return fail(
                "rehearse",
                "approval.approvers is empty, so nobody could answer a rehearsal; add at least one [[approval.approvers]]"
                    .to_owned(),
            );
        }
        Ok(())
    }
}

impl Exceptions {
    fn check(&self) -> Result<(), Fault> {
        let fail = |needle: &str, reason: &str| Err((needle.to_owned(), format!("exceptions{reason}")));
        if self.tag_key.is_empty() || self.tag_value.is_empty() {
            return fail("tag_", ": `tag_key` and `tag_value` must not be empty; an empty value would exempt by accident");
        }
        // IAM does not tell keys apart by their case.
        if self.until_key.is_empty() || self.until_key.eq_ignore_ascii_case(&self.tag_key) {
            return fail("until_key", ".until_key must be the key of a tag of its own, such as `SecurityApprovedUntil`");
        }
        if self.exempt_groups.iter().any(String::is_empty) {
            return fail("exempt_groups", ".exempt_groups: a group has a name; leave the list empty to exempt none");
        }
        if !(1..=Self::DAYS_MAX).contains(&self.max_days) {
            return fail("max_days", &format!(".max_days must be between 1 and {}", Self::DAYS_MAX));
        }
        self.automation.iter().try_for_each(Automation::check)
    }
}

impl Automation {
    fn check(&self) -> Result<(), Fault> {
        let name = &self.name;
        let fail = |needle: &str, reason: String| Err((needle.to_owned(), format!("exceptions.automation{reason}")));
        if name.trim().is_empty() {
            return fail("[[exceptions.automation]]", ": `name` says whose the automation is, and must not be empty".to_owned());
        }
        if self.roles.is_empty() {
            return fail(name, format!(": `{name}` names no role; write `roles = [\"arn:aws:iam::111122223333:role/deploy\"]`"));
        }
        if self.rules.as_ref().is_some_and(Vec::is_empty) {
            return fail(
                name,
                format!(": `{name}` is exempt from no rule; leave `rules` out to mean every rule that honours automation"),
            );
        }
        for role in self.roles.iter().filter(|role| role.is_arn()) {
            let Some(rest) = role.resource().strip_prefix("role/") else {
                return fail(
                    role.as_str(),
                    format!(
                        ".roles: `{role}` is no role; automation is known by the role behind its session, like `arn:aws:iam::111122223333:role/deploy`"
                    ),
                );
            };
            if rest.chars().all(|c| matches!(c, '*' | '/')) {
                return fail(role.as_str(), format!(".roles: `{role}` is every role; name the ones that may"));
            }
        }
        Ok(())
    }
}

impl Limits {
    fn check(&self) -> Result<(), Fault> {
        let fail = |key: &str, reason: String| Err((key.to_owned(), format!("limits.{key} {reason}")));
        if self.enforcements_per_hour > Self::ENFORCEMENTS_MAX {
            let reason = format!("must be at most {}; 0 asks before every change", Self::ENFORCEMENTS_MAX);
            return fail("enforcements_per_hour", reason);
        }
        if !(1..=Self::AGE_MAX_MINUTES).contains(&self.max_event_age_minutes) {
            let reason = format!("must be between 1 and {} (fourteen days)", Self::AGE_MAX_MINUTES);
            return fail("max_event_age_minutes", reason);
        }
        Ok(())
    }
}

pub(super) fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or_default().matches('\n').count() + 1
}
