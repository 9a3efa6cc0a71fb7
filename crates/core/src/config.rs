//! `cordon.toml`: the one file in which an operator says what may be changed, for whom exceptions hold, and who may approve.
//!
//! It is packed with the functions and read once at start-up. Unknown keys, bad patterns and missing approvers are errors
//! that name the file, the line and the fix; nothing is ever filled in silently that would widen what may be changed.

use serde::{Deserialize, Serialize};

use crate::detection::{Gate, Level};
use crate::ids::{AccountId, RuleId};
use crate::pattern::Pattern;
use crate::principal::{Actor, Principal};

/// Whether anything is changed at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Everything but the change: the alert says what would have been done.
    #[default]
    DryRun,
    Enforce,
}

/// The operator's policy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    pub mode: Mode,
    #[serde(default)]
    pub scope: Scope,
    #[serde(default)]
    pub exceptions: Exceptions,
    #[serde(default)]
    pub approval: Approval,
    #[serde(default)]
    pub gates: Gates,
    #[serde(default)]
    pub rules: Rules,
    #[serde(default)]
    pub notifications: Notifications,
}

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

/// What lets an incident pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exceptions {
    #[serde(default = "tag_key")]
    pub tag_key: String,
    #[serde(default = "tag_value")]
    pub tag_value: String,
    #[serde(default = "admins")]
    pub exempt_groups: Vec<String>,
    /// A tag or membership that Cordon saw being given counts only after so many hours.
    #[serde(default = "a_day")]
    pub min_age_hours: u32,
}

impl Default for Exceptions {
    fn default() -> Self {
        Self { tag_key: tag_key(), tag_value: tag_value(), exempt_groups: admins(), min_age_hours: a_day() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    #[serde(default)]
    pub approvers: Vec<Approver>,
}

/// A person who may approve or deny.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approver {
    pub name: String,
    pub slack_user_id: String,
    /// ARN patterns of the AWS principals that are the same person: they cannot decide their own incident.
    pub principals: Vec<Pattern>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gates {
    /// Rules whose remedies are applied without asking.
    #[serde(default)]
    pub auto: Vec<RuleId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Rules that are loaded and checked but never match.
    #[serde(default)]
    pub disabled: Vec<RuleId>,
}

/// Who is told of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notifications {
    /// Alerts below this level go to SNS only. A question to a person, a change and a failure are always told in Slack.
    #[serde(default = "low")]
    pub slack_min_level: Level,
}

impl Default for Notifications {
    fn default() -> Self {
        Self { slack_min_level: low() }
    }
}

/// A `cordon.toml` that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {reason}", line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct ConfigError {
    file: String,
    line: Option<usize>,
    reason: String,
}

impl Config {
    /// Reads and checks a configuration; `file` is only used to name it.
    ///
    /// # Errors
    /// [`ConfigError`] with the line where the parser or the check can tell it.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| ConfigError {
            file: file.to_owned(),
            line: error.span().map(|span| line_of(text, span.start)),
            reason: error.message().replace('\n', " "),
        })?;
        config.check(file, text)?;
        Ok(config)
    }

    fn check(&self, file: &str, text: &str) -> Result<(), ConfigError> {
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
        let approver_patterns = self
            .approval
            .approvers
            .iter()
            .flat_map(|approver| approver.principals.iter().map(|p| ("approval.approvers.principals", p)));
        let scope_patterns = self.scope.principals.iter().map(|p| ("scope.principals", p));
        let never = self.scope.never_touch.iter().map(|p| ("scope.never_touch", p));
        let policies = self.scope.policies.iter().map(|p| ("scope.policies", p));
        let trails = self.scope.trails.iter().map(|p| ("scope.trails", p));
        for (key, pattern) in scope_patterns.chain(policies).chain(trails).chain(never).chain(approver_patterns) {
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
        for approver in &self.approval.approvers {
            let id = approver.slack_user_id.as_str();
            if !(id.starts_with('U') || id.starts_with('W'))
                || id.len() < 3
                || !id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
            {
                return fail(
                    id,
                    format!(
                        "approval.approvers: `{id}` is not a Slack member id; copy it from the member's profile (`U…` or `W…`)"
                    ),
                );
            }
            if approver.principals.is_empty() {
                return fail(
                    id,
                    format!(
                        "approval.approvers: `{}` has no `principals`; name the AWS principals of this person, so that they cannot approve their own incident",
                        approver.name
                    ),
                );
            }
        }
        if self.mode == Mode::Enforce && self.approval.approvers.is_empty() {
            return fail("mode", "approval.approvers is empty, so nobody could approve; add at least one [[approval.approvers]], or set mode = \"dry-run\"".to_owned());
        }
        Ok(())
    }

    /// A rule's gate, which only becomes automatic where this file names the rule.
    #[must_use]
    pub fn gate(&self, rule: &RuleId) -> Gate {
        if self.gates.auto.contains(rule) { Gate::Auto } else { Gate::Ask }
    }

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

    #[must_use]
    pub fn approver(&self, slack_user_id: &str) -> Option<&Approver> {
        self.approval.approvers.iter().find(|approver| approver.slack_user_id == slack_user_id)
    }
}

impl Approver {
    /// True where the incident's actor is this person, by the actor's own ARN or by the role or user behind a session.
    #[must_use]
    pub fn is_actor(&self, actor: &Actor) -> bool {
        let principal = actor.principal().map(|principal| principal.arn());
        [actor.arn.as_deref(), actor.issuer_arn.as_deref(), principal.as_deref()]
            .into_iter()
            .flatten()
            .any(|arn| self.principals.iter().any(|pattern| pattern.matches(arn)))
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or_default().matches('\n').count() + 1
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

fn tag_key() -> String {
    "SecurityApproved".to_owned()
}

fn tag_value() -> String {
    "true".to_owned()
}

fn low() -> Level {
    Level::Low
}

fn a_day() -> u32 {
    24
}

fn admins() -> Vec<String> {
    vec!["admins".to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principal::PrincipalKind;

    fn error(text: &str) -> String {
        Config::parse("cordon.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn an_empty_file_is_the_safe_default() {
        let config = Config::parse("cordon.toml", "").unwrap();
        assert_eq!(config.mode, Mode::DryRun);
        assert_eq!(config.exceptions.exempt_groups, ["admins"]);
        let account: AccountId = "111111111111".parse().unwrap();
        let principal = |name| Principal::new(PrincipalKind::User, account.clone(), name);
        assert_eq!(config.out_of_scope(&principal("iam-test-a")), None);
        assert!(config.out_of_scope(&principal("prod")).unwrap().contains("scope.principals"));
    }

    #[test]
    fn errors_name_the_file_the_line_and_the_fix() {
        assert!(error("mode = \"dry-run\"\nmood = 1").starts_with("cordon.toml:2: unknown field `mood`"));
        assert!(error("mode = \"maybe\"").contains("dry-run"));
        assert!(error("[scope]\naccounts = [\"12\"]").starts_with("cordon.toml:2: scope.accounts: `12`"));
        assert!(error("[scope]\n\nprincipals = [\"iam-test-*\"]").starts_with("cordon.toml:3: scope.principals"));
        assert!(error("[exceptions]\ntag_value = \"\"").contains("must not be empty"));
        assert!(error("mode = \"enforce\"").contains("nobody could approve"));
        let approver = |id: &str, principals: &str| {
            format!("[[approval.approvers]]\nname = \"A\"\nslack_user_id = \"{id}\"\nprincipals = [{principals}]")
        };
        assert!(
            error(&approver("alice", "\"arn:aws:iam::*:user/alice\"")).starts_with("cordon.toml:3: approval.approvers: `alice`")
        );
        assert!(error(&approver("U0A", "")).contains("has no `principals`"));
        assert!(Config::parse("cordon.toml", &approver("U0A", "\"arn:aws:iam::*:user/alice\"")).is_ok());
    }

    #[test]
    fn policies_and_trails_have_a_scope_of_their_own_and_nothing_is_changed_in_the_management_account() {
        let account: AccountId = "111111111111".parse().unwrap();
        let mut config = Config::default();
        let policy = |config: &Config, name: &str| {
            config.policy_out_of_scope(&format!("arn:aws:iam::111111111111:policy/{name}"), &account)
        };
        assert_eq!(policy(&config, "iam-test-a"), None);
        assert!(policy(&config, "prod").unwrap().contains("scope.policies"));
        let trail = |config: &Config| config.trail_out_of_scope("arn:aws:cloudtrail:us-east-1:111111111111:trail/prod", &account);
        assert!(trail(&config).unwrap().contains("scope.trails"));
        config.scope.trails = vec![Pattern::new("arn:aws:cloudtrail:*")];
        assert_eq!(trail(&config), None);
        config.scope.management_account = Some(account.clone());
        assert!(policy(&config, "iam-test-a").unwrap().contains("management account"));
        let user = Principal::new(PrincipalKind::User, account.clone(), "iam-test-a");
        assert!(config.out_of_scope(&user).unwrap().contains("by hand"));
    }

    #[test]
    fn never_touch_wins_over_the_scope() {
        let text = "[scope]\nprincipals = [\"arn:aws:iam::*:user/*\"]\nnever_touch = [\"arn:aws:iam::*:user/break-glass\"]\naccounts = [\"111111111111\"]";
        let config = Config::parse("cordon.toml", text).unwrap();
        let out =
            |account: &str, name: &str| config.out_of_scope(&Principal::new(PrincipalKind::User, account.parse().unwrap(), name));
        assert_eq!(out("111111111111", "a"), None);
        assert!(out("111111111111", "break-glass").unwrap().contains("never_touch"));
        assert!(out("222222222222", "a").unwrap().contains("scope.accounts"));
    }

    #[test]
    fn an_approver_is_recognised_as_the_actor_also_behind_a_session() {
        let approver = Approver {
            name: "A".into(),
            slack_user_id: "U0A".into(),
            principals: vec![Pattern::new("arn:aws:iam::*:role/alice")],
        };
        let session = serde_json::json!({"userIdentity": {"type": "AssumedRole", "accountId": "111111111111", "arn": "arn:aws:sts::111111111111:assumed-role/alice/x",
            "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::111111111111:role/alice", "userName": "alice"}}}});
        assert!(approver.is_actor(&Actor::from_record(&session)));
        let other = serde_json::json!({"userIdentity": {"type": "IAMUser", "accountId": "111111111111", "arn": "arn:aws:iam::111111111111:user/bob", "userName": "bob"}});
        assert!(!approver.is_actor(&Actor::from_record(&other)));
    }
}
