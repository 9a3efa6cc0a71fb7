//! `[scope]`: who may be changed.

use serde::{Deserialize, Serialize};

use super::Config;
use crate::ids::AccountId;
use crate::pattern::Pattern;
use crate::principal::Principal;

/// Who may be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Account ids, or the one entry `*`.
    #[serde(default = "any")]
    pub accounts: Vec<Pattern>,
    /// ARN patterns of users, roles and groups.
    #[serde(default = "test_principals")]
    pub principals: Vec<Pattern>,
    /// ARN patterns of the account's own managed policies.
    #[serde(default = "test_policies")]
    pub policies: Vec<Pattern>,
    /// ARN patterns of trails.
    #[serde(default = "test_trails")]
    pub trails: Vec<Pattern>,
    /// ARN patterns that are never changed, whatever else is said.
    #[serde(default)]
    pub never_touch: Vec<Pattern>,
    /// The organization's management account, in which nothing is changed: no control policy could take a mistake back there.
    #[serde(default)]
    pub management_account: Option<AccountId>,
}

impl Default for Scope {
    fn default() -> Self {
        Self {
            accounts: any(),
            principals: test_principals(),
            policies: test_policies(),
            trails: test_trails(),
            never_touch: Vec::new(),
            management_account: None,
        }
    }
}

fn any() -> Vec<Pattern> {
    vec![Pattern::new("*")]
}

fn test_principals() -> Vec<Pattern> {
    ["user", "role", "group"].iter().map(|kind| Pattern::new(&format!("arn:aws:iam::*:{kind}/iam-test-*"))).collect()
}

fn test_policies() -> Vec<Pattern> {
    vec![Pattern::new("arn:aws:iam::*:policy/iam-test-*")]
}

fn test_trails() -> Vec<Pattern> {
    vec![Pattern::new("arn:aws:cloudtrail:*:*:trail/iam-test-*")]
}

impl Config {
    /// Why a principal must not be changed, in a sentence; `None` where it may.
    #[must_use]
    pub fn out_of_scope(&self, principal: &Principal) -> Option<String> {
        self.out_of("principals", &self.scope.principals, &principal.arn(), &principal.account)
    }

    /// The same of a managed policy.
    #[must_use]
    pub fn policy_out_of_scope(&self, arn: &str, account: &AccountId) -> Option<String> {
        self.out_of("policies", &self.scope.policies, arn, account)
    }

    /// The same of a trail.
    #[must_use]
    pub fn trail_out_of_scope(&self, arn: &str, account: &AccountId) -> Option<String> {
        self.out_of("trails", &self.scope.trails, arn, account)
    }

    fn out_of(&self, list: &str, patterns: &[Pattern], arn: &str, account: &AccountId) -> Option<String> {
        if let Some(pattern) = self.scope.never_touch.iter().find(|pattern| pattern.matches(arn)) {
            return Some(format!("`{arn}` is never changed: it matches `{pattern}` of scope.never_touch"));
        }
        if self.scope.management_account.as_ref() == Some(account) {
            return Some(format!(
                "`{arn}` is in the organization's management account, where Cordon changes nothing: sign in there with an \
                 administrator of the organization, and contain it by hand"
            ));
        }
        if !self.scope.accounts.iter().any(|pattern| pattern.matches(account.as_str())) {
            return Some(format!("account `{account}` is not in scope.accounts"));
        }
        if !patterns.iter().any(|pattern| pattern.matches(arn)) {
            return Some(format!("`{arn}` matches no pattern of scope.{list}"));
        }
        None
    }
}
