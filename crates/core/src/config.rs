//! `cordon.toml`: the one file in which an operator says what may be changed, who is exempt, and who may approve.
//!
//! It is packed with the functions and read once at start-up. Every fault is reported in one run, with its line, column and fix.
//! Nothing is ever filled in silently that would widen what may be changed.

mod approval;
mod error;
mod exceptions;
mod limits;
mod notifications;
mod organization;
mod reader;
mod scope;

use std::ops::Range;

use serde::{Deserialize, Serialize};
use toml::Spanned;

pub use approval::{Approval, Approver, ApproverGroup, Escalation, OnTimeout, Quorum};
pub use error::{ConfigError, Fault, Problem, nearest};
pub use exceptions::{Automation, Exceptions, end};
pub use limits::Limits;
pub use notifications::{Destination, NotificationRoute, Notifications};
pub use organization::Organization;
pub use reader::RuleReference;
pub use scope::Scope;

use crate::detection::Gate;
use crate::ids::RuleId;
use reader::{List, Reading, Section};

/// Whether anything is changed at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Everything but the change: the alert says what would have been done.
    #[default]
    DryRun,
    /// Changes are made, after the rule's gate.
    Enforce,
}

/// The operator's policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// `mode`
    pub mode: Mode,
    /// `[scope]`
    pub scope: Scope,
    /// `[exceptions]`
    pub exceptions: Exceptions,
    /// `[approval]`
    pub approval: Approval,
    /// `[gates]`
    pub gates: Gates,
    /// `[rules]`
    pub rules: Rules,
    /// `[notifications]`
    pub notifications: Notifications,
    /// `[limits]`
    pub limits: Limits,
    /// `[organization]`
    pub organization: Organization,
}

/// `[gates]`: the rules that do not wait for an approval.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gates {
    /// Rules whose remedies are applied without asking.
    pub auto: Vec<RuleId>,
    /// Rules whose reversible containment is applied at once, and the rest on approval. A denial reverts the containment.
    pub contain_then_ask: Vec<RuleId>,
}

/// `[rules]`: the rules that are off.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// Rules that are loaded and checked but never match.
    pub disabled: Vec<RuleId>,
}

/// A `cordon.toml` that was read, with everything that is wrong in it so far. Whoever knows the rules adds the faults of
/// [`ConfigFile::references`] before [`ConfigFile::finish`].
#[derive(Debug, Clone)]
pub struct ConfigFile {
    file: String,
    text: String,
    config: Config,
    references: Vec<RuleReference>,
    faults: Vec<Fault>,
}

impl ConfigFile {
    /// Reads and checks a configuration; `file` is only used to name it.
    #[must_use]
    pub fn read(file: &str, text: &str) -> Self {
        let reading = Reading::new(text);
        let config = reading.top().map(|section| section.read(Config::read)).unwrap_or_default();
        let (faults, references) = reading.finish();
        Self { file: file.to_owned(), text: text.to_owned(), config, references, faults }
    }

    /// The policy, with the default in place of each value that cannot be used. Not to be acted on before [`Self::finish`].
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Every rule that the policy names, in `gates`, `rules` and `exceptions.automation`.
    #[must_use]
    pub fn references(&self) -> &[RuleReference] {
        &self.references
    }

    /// Adds a fault at some bytes of the text.
    pub fn add(&mut self, span: Range<usize>, problem: Problem) {
        self.faults.push(Fault::new(&self.text, span, problem));
    }

    /// The policy, if nothing is wrong.
    ///
    /// # Errors
    /// [`ConfigError`] with every fault.
    pub fn finish(self) -> Result<Config, ConfigError> {
        match ConfigError::of(&self.file, &self.text, self.faults) {
            None => Ok(self.config),
            Some(error) => Err(error),
        }
    }
}

impl Config {
    /// Reads and checks a configuration; `file` is only used to name it. The rules that it names are not known here.
    ///
    /// # Errors
    /// [`ConfigError`] with every fault.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        ConfigFile::read(file, text).finish()
    }

    fn read(top: &mut Section<'_, '_>) -> Self {
        fn table<T: Default>(top: &mut Section<'_, '_>, key: &'static str, read: impl FnOnce(&mut Section<'_, '_>) -> T) -> T {
            top.section(key).map_or_else(T::default, |section| section.read(read))
        }
        let mode = top.get::<Mode>("mode");
        let mut anybody = false;
        let config = Self {
            mode: mode.as_ref().map_or_else(Mode::default, |mode| *mode.get_ref()),
            scope: table(top, "scope", Scope::read),
            exceptions: table(top, "exceptions", Exceptions::read),
            approval: table(top, "approval", |section| {
                let (approval, listed) = Approval::read(section);
                anybody = listed;
                approval
            }),
            gates: table(top, "gates", Gates::read),
            rules: table(top, "rules", Rules::read),
            notifications: table(top, "notifications", Notifications::read),
            limits: table(top, "limits", Limits::read),
            organization: table(top, "organization", Organization::read),
        };
        if let Some(mode) = mode.filter(|mode| *mode.get_ref() == Mode::Enforce && !anybody) {
            top.fault(mode.span(), Problem::NobodyApproves);
        }
        config
    }

    /// A rule's gate. Whatever the rule's own file says, only this file lets Cordon act without asking: it has to name the rule,
    /// and a rule that is named nowhere asks.
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

    /// The approver with a Slack member id.
    #[must_use]
    pub fn approver(&self, slack_user_id: &str) -> Option<&Approver> {
        self.approval.approvers.iter().find(|approver| approver.slack_user_id == slack_user_id)
    }
}

impl Gates {
    fn read(section: &mut Section<'_, '_>) -> Self {
        let (auto, contain) = (section.rules("auto"), section.rules("contain_then_ask"));
        let in_auto =
            |rule: &Spanned<RuleId>| auto.iter().flat_map(|auto| &auto.entries).any(|other| other.get_ref() == rule.get_ref());
        for rule in contain.iter().flat_map(|contain| &contain.entries).filter(|rule| in_auto(rule)) {
            section.fault(rule.span(), Problem::InBothGates(rule.get_ref().clone()));
        }
        let plain = |list: Option<List<RuleId>>| list.map_or_else(Vec::new, List::plain);
        Self { auto: plain(auto), contain_then_ask: plain(contain) }
    }
}

impl Rules {
    fn read(section: &mut Section<'_, '_>) -> Self {
        Self { disabled: section.rules("disabled").map_or_else(Vec::new, List::plain) }
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
        assert!(error("mode = \"dry-run\"\nmood = 1").starts_with("cordon.toml:2:1: unknown key `mood`"));
        assert!(error("mode = \"maybe\"").contains("dry-run"));
        assert!(error("[scope]\naccounts = [\"12\"]").starts_with("cordon.toml:2:13: scope.accounts: `12`"));
        assert!(error("[scope]\n\nprincipals = [\"iam-test-*\"]").starts_with("cordon.toml:3:15: scope.principals"));
        assert!(error("[exceptions]\ntag_value = \"\"").contains("must not be empty"));
        assert!(error("mode = \"enforce\"").contains("nobody could approve"));
        assert!(error("[exceptions]\nuntil_key = \"SecurityApproved\"").starts_with("cordon.toml:2:13: exceptions.until_key"));
        assert!(error("[exceptions]\nmax_days = 4000").contains("between 1 and 366"));
        assert!(error("[exceptions]\nexempt_groups = [\"\"]").contains("exempt_groups"));
        let automation = |roles: &str, more: &str| format!("[[exceptions.automation]]\nname = \"CI\"\nroles = [{roles}]\n{more}");
        assert!(error(&automation("\"arn:aws:iam::111111111111:user/ci\"", "")).contains("does not name a role"));
        assert!(error(&automation("\"arn:aws:iam::111111111111:role/*\"", "")).contains("fits every name"));
        assert!(error(&automation("\"ci\"", "")).contains("is not an ARN pattern"));
        assert!(error(&automation("", "")).contains("names no role"));
        assert!(error(&automation("\"arn:aws:iam::111111111111:role/ci\"", "rules = []")).contains("leave `rules` out"));
        assert!(
            error(&automation("\"arn:aws:iam::111111111111:role/ci\"", "user_agent = \"x\""))
                .starts_with("cordon.toml:4:1: unknown key")
        );
        assert!(Config::parse("cordon.toml", &automation("\"arn:aws:iam::111111111111:role/ci-*\"", "rules = [\"a\"]")).is_ok());
        assert!(error("[limits]\nenforcements_per_hour = 5000").starts_with("cordon.toml:2:25: limits.enforcements_per_hour"));
        assert!(error("[limits]\n\nmax_event_age_minutes = 0").starts_with("cordon.toml:3:25: limits.max_event_age_minutes"));
        assert!(error("[limits]\nper_hour = 1").starts_with("cordon.toml:2:1: unknown key `per_hour`"));
        let approver = |id: &str, principals: &str| {
            format!("[[approval.approvers]]\nname = \"A\"\nslack_user_id = \"{id}\"\nprincipals = [{principals}]")
        };
        assert!(
            error(&approver("alice", "\"arn:aws:iam::111111111111:user/alice\""))
                .starts_with("cordon.toml:3:17: approval.approvers: `alice`")
        );
        assert!(error(&approver("U0A", "")).contains("has no `principals`"));
        assert!(Config::parse("cordon.toml", &approver("U0A", "\"arn:aws:iam::111111111111:user/alice\"")).is_ok());
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
        let text = "[scope]\nprincipals = [\"arn:aws:iam::*:user/*\"]\nnever_touch = [\"arn:aws:iam::111111111111:user/break-glass\"]\naccounts = [\"111111111111\"]";
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
            principals: vec!["arn:aws:iam::111111111111:role/alice".parse().unwrap()],
        };
        let session = serde_json::json!({"userIdentity": {"type": "AssumedRole", "accountId": "111111111111", "arn": "arn:aws:sts::111111111111:assumed-role/alice/x",
            "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::111111111111:role/alice", "userName": "alice"}}}});
        assert!(approver.is_actor(&Actor::from_record(&session)));
        let other = serde_json::json!({"userIdentity": {"type": "IAMUser", "accountId": "111111111111", "arn": "arn:aws:iam::111111111111:user/bob", "userName": "bob"}});
        assert!(!approver.is_actor(&Actor::from_record(&other)));
    }
}
