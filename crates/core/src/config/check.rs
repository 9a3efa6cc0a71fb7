//! What a `cordon.toml` that parses can still have wrong: each is an error with the file, the line and the fix.

use super::{Config, ConfigError, Mode};
use crate::ids::AccountId;

impl Config {
    pub(super) fn check(&self, file: &str, text: &str) -> Result<(), ConfigError> {
        let fail = |needle: &str, reason: String| {
            Err(ConfigError {
                file: file.to_owned(),
                line: text.find(needle).filter(|_| !needle.is_empty()).map(|at| line_of(text, at)),
                reason,
            })
        };
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
        for (key, pattern) in scope_patterns.chain(never).chain(approver_patterns).chain(group_patterns) {
            if !pattern.as_str().starts_with("arn:") || pattern.as_str().split(':').count() < 6 {
                return fail(
                    pattern.as_str(),
                    format!("{key}: `{pattern}` is not an ARN pattern; write it like `arn:aws:iam::*:user/iam-test-*`"),
                );
            }
        }
        if self.exceptions.tag_key.is_empty() || self.exceptions.tag_value.is_empty() {
            return fail(
                "tag_",
                "exceptions: `tag_key` and `tag_value` must not be empty; an empty value would exempt by accident".to_owned(),
            );
        }
        if let Some((needle, reason)) = self.notifications.fault().or_else(|| self.approval.fault()) {
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

pub(super) fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or_default().matches('\n').count() + 1
}
