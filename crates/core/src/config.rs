//! `cordon.toml`: the one file in which an operator says what may be changed, for whom exceptions hold, and who may approve.
//!
//! It is packed with the functions and read once at start-up. Unknown keys, bad patterns and missing approvers are errors
//! that name the file, the line and the fix; nothing is ever filled in silently that would widen what may be changed.

mod approval;
mod check;
mod exceptions;
mod limits;
mod notifications;
mod scope;

use serde::{Deserialize, Serialize};

pub use approval::{Approval, Approver, ApproverGroup, Escalation, OnTimeout, Quorum};
pub use exceptions::{Automation, Exceptions, end};
pub use limits::Limits;
pub use notifications::{Destination, Notifications};
pub use scope::Scope;

use crate::detection::Gate;
use crate::ids::RuleId;
use check::line_of;

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
    #[serde(default)]
    pub limits: Limits,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gates {
    /// Rules whose remedies are applied without asking.
    #[serde(default)]
    pub auto: Vec<RuleId>,
    /// Rules whose reversible containment is applied at once, and the rest on approval. A denial takes it back.
    #[serde(default)]
    pub contain_then_ask: Vec<RuleId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Rules that are loaded and checked but never match.
    #[serde(default)]
    pub disabled: Vec<RuleId>,
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

    /// A rule's gate. Whatever the rule's own file says, only this file releases anything without asking: it has to name the
    /// rule, and a rule that is named nowhere asks.
    #[must_use]
    pub fn gate(&self, rule: &RuleId) -> Gate {
        if self.gates.auto.contains(rule) {
            Gate::Auto
        } else if self.gates.contain_then_ask.contains(rule) {
            Gate::ContainThenAsk
        } else {
            Gate::Ask
        }
    }

    #[must_use]
    pub fn approver(&self, slack_user_id: &str) -> Option<&Approver> {
        self.approval.approvers.iter().find(|approver| approver.slack_user_id == slack_user_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AccountId;
    use crate::pattern::Pattern;
    use crate::principal::{Actor, Principal, PrincipalKind};

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
    fn the_shipped_file_says_what_holds_without_it() {
        let shipped = Config::parse("cordon.toml", include_str!("../../../cordon.toml")).unwrap();
        assert_eq!(shipped, Config::default());
    }

    #[test]
    fn errors_name_the_file_the_line_and_the_fix() {
        assert!(error("mode = \"dry-run\"\nmood = 1").starts_with("cordon.toml:2: unknown field `mood`"));
        assert!(error("mode = \"maybe\"").contains("dry-run"));
        assert!(error("[scope]\naccounts = [\"12\"]").starts_with("cordon.toml:2: scope.accounts: `12`"));
        assert!(error("[scope]\n\nprincipals = [\"iam-test-*\"]").starts_with("cordon.toml:3: scope.principals"));
        assert!(error("[exceptions]\ntag_value = \"\"").contains("must not be empty"));
        assert!(error("mode = \"enforce\"").contains("nobody could approve"));
        assert!(error("[exceptions]\nuntil_key = \"SecurityApproved\"").starts_with("cordon.toml:2: exceptions.until_key"));
        assert!(error("[exceptions]\nmax_days = 4000").contains("between 1 and 366"));
        assert!(error("[exceptions]\nexempt_groups = [\"\"]").contains("exempt_groups"));
        let automation = |roles: &str, more: &str| format!("[[exceptions.automation]]\nname = \"CI\"\nroles = [{roles}]\n{more}");
        assert!(error(&automation("\"arn:aws:iam::*:user/ci\"", "")).starts_with("cordon.toml:3: exceptions.automation.roles"));
        assert!(error(&automation("\"arn:aws:iam::*:role/*\"", "")).contains("every role"));
        assert!(error(&automation("\"ci\"", "")).contains("is not an ARN pattern"));
        assert!(error(&automation("", "")).contains("names no role"));
        assert!(error(&automation("\"arn:aws:iam::*:role/ci\"", "rules = []")).contains("leave `rules` out"));
        assert!(
            error(&automation("\"arn:aws:iam::*:role/ci\"", "user_agent = \"x\"")).starts_with("cordon.toml:4: unknown field")
        );
        assert!(Config::parse("cordon.toml", &automation("\"arn:aws:iam::*:role/ci-*\"", "rules = [\"a\"]")).is_ok());
        assert!(error("[limits]\nenforcements_per_hour = 5000").starts_with("cordon.toml:2: limits.enforcements_per_hour"));
        assert!(error("[limits]\n\nmax_event_age_minutes = 0").starts_with("cordon.toml:3: limits.max_event_age_minutes"));
        assert!(error("[limits]\nper_hour = 1").starts_with("cordon.toml:2: unknown field `per_hour`"));
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
