//! The environment of a function, read in one place into typed settings.

use std::path::PathBuf;

use cordon_aws::SpokeRole;
use cordon_contract::{ErrorName, StateError};
use cordon_core::pattern::Pattern;
use cordon_core::{AccountId, Arn};

/// What Terraform tells a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub table: String,
    pub topic_arn: String,
    /// `None`: Slack is not set up.
    pub slack_secret_arn: Option<String>,
    pub slack_api_url: String,
    pub state_machine_arn: String,
    /// The bus that findings are put on; `None`: none are.
    pub findings_bus: Option<String>,
    /// Whether Security Hub gets findings.
    pub security_hub: bool,
    /// A further source of events that may enforce; only the sandbox sets it.
    pub relay_source: Option<String>,
    /// ARN patterns of Cordon's own roles, separated by commas: no plan touches them.
    pub own_principals: Vec<Pattern>,
    /// The role that Cordon assumes in other accounts; `None`: it works in its own account only.
    pub spoke: Option<SpokeRole>,
    /// Where `cordon.toml` and `rules/` lie.
    pub root: PathBuf,
}

/// What the names of Cordon's parts begin with, in this deployment; `cordon` where nothing says otherwise.
#[must_use]
pub fn deployment_name() -> String {
    std::env::var("CORDON_NAME").ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "cordon".to_owned())
}

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// `BadConfig`, naming the variable that is missing.
    pub fn from_env() -> Result<Self, StateError> {
        Self::from(|name| std::env::var(name).ok())
    }

    /// Reads settings from anything that answers for a variable.
    ///
    /// # Errors
    /// `BadConfig`, naming the variable that is missing.
    pub fn from(variable: impl Fn(&str) -> Option<String>) -> Result<Self, StateError> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let required = |name: &str| {
            given(name).ok_or_else(|| {
                StateError::new(
                    ErrorName::BadConfig,
                    format!("the environment variable `{name}` is not set; deploy with the Terraform module, which sets it"),
                )
            })
        };
        Ok(Self {
            table: required("CORDON_TABLE")?,
            topic_arn: required("CORDON_TOPIC_ARN")?,
            slack_secret_arn: given("CORDON_SLACK_SECRET_ARN"),
            slack_api_url: given("CORDON_SLACK_API_URL").unwrap_or_else(|| "https://slack.com/api".to_owned()),
            state_machine_arn: given("CORDON_STATE_MACHINE_ARN").unwrap_or_default(),
            findings_bus: given("CORDON_FINDINGS_BUS"),
            security_hub: given("CORDON_SECURITY_HUB").is_some_and(|value| value == "true"),
            relay_source: given("CORDON_RELAY_SOURCE"),
            own_principals: required("CORDON_OWN_PRINCIPALS")?.split(',').map(|pattern| Pattern::new(pattern.trim())).collect(),
            spoke: given("CORDON_SPOKE_ROLE").map(|name| SpokeRole { name, external_id: given("CORDON_EXTERNAL_ID") }),
            root: PathBuf::from(required("LAMBDA_TASK_ROOT")?),
        })
    }
}

impl Settings {
    /// The account and the partition that the function runs in: those of its topic.
    ///
    /// # Errors
    /// `BadConfig` where `CORDON_TOPIC_ARN` is no ARN.
    pub fn account(&self) -> Result<(AccountId, String), StateError> {
        let arn = self.topic_arn.parse::<Arn>().ok();
        arn.and_then(|arn| Some((arn.account()?, arn.partition().to_owned()))).ok_or_else(|| {
            StateError::new(ErrorName::BadConfig, format!("`CORDON_TOPIC_ARN` is `{}`, which is no topic's ARN", self.topic_arn))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_variable_is_named_and_an_empty_one_counts_as_missing() {
        let error = Settings::from(|name| (name != "CORDON_TOPIC_ARN").then(|| "x".to_owned())).unwrap_err();
        assert!(error.message.contains("`CORDON_TOPIC_ARN`"), "{error}");
        let settings =
            Settings::from(|name| Some(if name == "CORDON_RELAY_SOURCE" { String::new() } else { "x".to_owned() })).unwrap();
        assert_eq!(settings.relay_source, None);
        assert!(!settings.security_hub, "`x` switches nothing on");
    }

    #[test]
    fn the_account_is_the_topics_and_another_one_is_reached_only_where_a_role_is_named() {
        let with = |spoke: &str, topic: &str| {
            Settings::from(|name| {
                Some(match name {
                    "CORDON_SPOKE_ROLE" | "CORDON_EXTERNAL_ID" => spoke.to_owned(),
                    "CORDON_TOPIC_ARN" => topic.to_owned(),
                    _ => "x".to_owned(),
                })
            })
            .unwrap()
        };
        let settings = with("", "arn:aws-cn:sns:cn-north-1:111122223333:cordon-alerts");
        assert_eq!(settings.spoke, None);
        assert_eq!(settings.account().unwrap(), ("111122223333".parse().unwrap(), "aws-cn".to_owned()));
        assert!(with("", "cordon-alerts").account().is_err());
        let spoke = with("cordon-spoke", "x").spoke.unwrap();
        assert_eq!((spoke.name.as_str(), spoke.external_id.as_deref()), ("cordon-spoke", Some("cordon-spoke")));
    }
}
