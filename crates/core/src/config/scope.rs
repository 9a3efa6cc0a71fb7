//! `[scope]`: the principals, policies and trails that may be changed.

use super::Config;
use super::error::Problem;
use super::reader::{List, Section};
use crate::ids::AccountId;
use crate::pattern::{NamePattern, NamedKind, Pattern};
use crate::principal::Principal;

/// The principals, policies and trails that Cordon may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Account ids, or the one entry `*`.
    pub accounts: Vec<Pattern>,
    /// ARN patterns of users, roles and groups.
    pub principals: Vec<Pattern>,
    /// ARN patterns of the account's own managed policies.
    pub policies: Vec<Pattern>,
    /// ARN patterns of trails.
    pub trails: Vec<Pattern>,
    /// Patterns of what Cordon never changes. They win over every other list.
    pub never_touch: Vec<NamePattern>,
    /// The organization's management account, in which Cordon changes nothing: no control policy could undo a mistake there.
    pub management_account: Option<AccountId>,
}

impl Scope {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let default = Self::default();
        let accounts = section.list::<Pattern>("accounts");
        for account in accounts.iter().flat_map(|accounts| &accounts.entries) {
            let text = account.get_ref().as_str();
            if text != "*" && !AccountId::is_valid(text) {
                section.fault(account.span(), Problem::NotAnAccount(text.to_owned()));
            }
        }
        Self {
            accounts: accounts.map_or(default.accounts, List::plain),
            principals: section.arn_patterns("principals").map_or(default.principals, List::plain),
            policies: section.arn_patterns("policies").map_or(default.policies, List::plain),
            trails: section.arn_patterns("trails").map_or(default.trails, List::plain),
            never_touch: section.name_patterns("never_touch", NamedKind::CHANGED).map_or(default.never_touch, List::plain),
            management_account: section.or("management_account", None),
        }
    }
}

impl Default for Scope {
    fn default() -> Self {
        Self {
            accounts: vec![Pattern::new("*")],
            principals: ["user", "role", "group"]
                .iter()
                .map(|kind| Pattern::new(&format!("arn:aws:iam::*:{kind}/iam-test-*")))
                .collect(),
            policies: vec![Pattern::new("arn:aws:iam::*:policy/iam-test-*")],
            trails: vec![Pattern::new("arn:aws:cloudtrail:*:*:trail/iam-test-*")],
            never_touch: Vec::new(),
            management_account: None,
        }
    }
}

impl Config {
    /// Why a principal must not be changed, in a sentence; `None` if it may.
    #[must_use]
    pub fn out_of_scope(&self, principal: &Principal) -> Option<String> {
        self.out_of("principals", &self.scope.principals, &principal.arn(), &principal.account)
    }

    /// The same as if `never_touch` were empty.
    #[must_use]
    pub fn out_of_scope_but_for_never_touch(&self, principal: &Principal) -> Option<String> {
        let arn = principal.arn();
        self.account_out_of_scope(&arn, &principal.account).or_else(|| not_in("principals", &self.scope.principals, &arn))
    }

    /// Why nothing of an account may be changed, whatever its name and path, in a sentence; `None` if it may.
    #[must_use]
    pub fn account_out_of_scope(&self, arn: &str, account: &AccountId) -> Option<String> {
        if self.scope.management_account.as_ref() == Some(account) {
            return Some(format!(
                "`{arn}` is in the organization's management account, where Cordon changes nothing: sign in there with an \
                 administrator of the organization, and contain it by hand"
            ));
        }
        let is_in = self.scope.accounts.iter().any(|pattern| pattern.matches(account.as_str()));
        (!is_in).then(|| format!("account `{account}` is not in scope.accounts"))
    }

    /// Why a managed policy must not be changed, in a sentence; `None` if it may.
    #[must_use]
    pub fn policy_out_of_scope(&self, arn: &str, account: &AccountId) -> Option<String> {
        self.out_of("policies", &self.scope.policies, arn, account)
    }

    /// Why a trail must not be changed, in a sentence; `None` if it may.
    #[must_use]
    pub fn trail_out_of_scope(&self, arn: &str, account: &AccountId) -> Option<String> {
        self.out_of("trails", &self.scope.trails, arn, account)
    }

    fn out_of(&self, list: &str, patterns: &[Pattern], arn: &str, account: &AccountId) -> Option<String> {
        if let Some(pattern) = self.scope.never_touch.iter().find(|pattern| pattern.matches_any_spelling(arn)) {
            return Some(format!("`{arn}` is never changed: it matches `{pattern}` of scope.never_touch"));
        }
        self.account_out_of_scope(arn, account).or_else(|| not_in(list, patterns, arn))
    }
}

fn not_in(list: &str, patterns: &[Pattern], arn: &str) -> Option<String> {
    let is_in = patterns.iter().any(|pattern| pattern.matches(arn));
    (!is_in).then(|| format!("`{arn}` matches no pattern of scope.{list}"))
}
