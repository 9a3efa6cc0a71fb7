//! `[organization]`: the accounts whose notices are believed about other accounts.
//!
//! GuardDuty, IAM Access Analyzer and AWS Health tell one account of an organisation about all of them. Nobody but that account is
//! believed about others, because whoever administers an account can have a service of AWS say things about it.

use super::error::Problem;
use super::reader::Section;
use crate::event::Log;
use crate::ids::AccountId;

/// The administrator accounts of the services that send notices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Organization {
    /// GuardDuty's delegated administrator.
    pub guardduty_administrator: Option<AccountId>,
    /// IAM Access Analyzer's delegated administrator, or the management account: where an analyzer of the organisation is.
    pub access_analyzer_administrator: Option<AccountId>,
    /// AWS Health's delegated administrator, or the management account: where the organisational view is.
    pub health_administrator: Option<AccountId>,
}

impl Organization {
    /// The account whose notices of a kind may be about other accounts.
    #[must_use]
    pub fn administrator(&self, log: Log) -> Option<&AccountId> {
        match log {
            Log::CloudTrail => None,
            Log::Health => self.health_administrator.as_ref(),
            Log::GuardDuty => self.guardduty_administrator.as_ref(),
            Log::AccessAnalyzer => self.access_analyzer_administrator.as_ref(),
        }
    }

    /// An organisation in which one service has an administrator. None has for CloudTrail.
    #[must_use]
    pub fn with(log: Log, account: AccountId) -> Self {
        let mut organization = Self::default();
        match log {
            Log::CloudTrail => {}
            Log::Health => organization.health_administrator = Some(account),
            Log::GuardDuty => organization.guardduty_administrator = Some(account),
            Log::AccessAnalyzer => organization.access_analyzer_administrator = Some(account),
        }
        organization
    }

    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let mut account = |key: &'static str, service: &'static str| -> Option<AccountId> {
            let text = section.get::<String>(key)?;
            let account = text.get_ref().parse().ok();
            if account.is_none() {
                let problem = Problem::NotAnAdministrator { key: section.path(key), value: text.get_ref().clone(), service };
                section.fault(text.span(), problem);
            }
            account
        };
        Self {
            guardduty_administrator: account("guardduty_administrator", "guardduty.amazonaws.com"),
            access_analyzer_administrator: account("access_analyzer_administrator", "access-analyzer.amazonaws.com"),
            health_administrator: account("health_administrator", "health.amazonaws.com"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn an_administrator_is_one_account_and_nobody_is_by_default() {
        let text = "[organization]\nguardduty_administrator = \"999999999999\"";
        let config = Config::parse("cordon.toml", text).unwrap();
        assert_eq!(config.organization, Organization::with(Log::GuardDuty, "999999999999".parse().unwrap()));
        assert_eq!(Config::parse("cordon.toml", "").unwrap().organization, Organization::default());
        assert_eq!(config.organization.administrator(Log::Health), None);
    }

    #[test]
    fn a_fault_names_its_place_and_how_to_find_the_account() {
        let error = |text: &str| Config::parse("cordon.toml", text).unwrap_err().to_string();
        for key in Log::NOTICES.iter().filter_map(|log| log.administrator_key()) {
            for value in ["*", "12", "", "arn:aws:iam::999999999999:root"] {
                let said = error(&format!("[organization]\n{key} = \"{value}\""));
                assert!(said.starts_with("cordon.toml:2:"), "{said}");
                assert!(said.contains(&format!("organization.{key}: `{value}`")), "{said}");
                assert!(said.contains("aws organizations list-delegated-administrators --service-principal "), "{said}");
            }
        }
        assert!(error("[organization]\nguardduty_admin = \"999999999999\"").contains("unknown key `guardduty_admin`"));
        assert!(error("[organization]\nhealth_administrator = 999999999999").contains("organization.health_administrator"));
    }
}
