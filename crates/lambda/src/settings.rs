//! The environment of a function, read in one place into typed settings.

use std::path::PathBuf;

use cordon_aws::{HandFunctions, SpokeRoles, Spokes};
use cordon_core::pattern::Pattern;
use cordon_core::{AccountId, Arn};
use cordon_respond::powers::Power;

/// The settings that Terraform gives a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `CORDON_NAME`: the names of the deployment's parts begin with it; `cordon` by default.
    pub name: String,
    /// `CORDON_TABLE`: the name of the DynamoDB table.
    pub table: String,
    /// `CORDON_TOPIC_ARN`: the SNS topic for alerts.
    pub topic_arn: String,
    /// `CORDON_SLACK_SECRET_ARN`; `None` if Slack is not set up.
    pub slack_secret_arn: Option<String>,
    /// `CORDON_SLACK_API_URL`: Slack's own by default; the sandbox names its stand-in.
    pub slack_api_url: String,
    /// `CORDON_STATE_MACHINE_ARN`; empty in the functions that start no execution.
    pub state_machine_arn: String,
    /// `CORDON_FINDINGS_BUS`: the event bus for findings; `None` publishes none.
    pub findings_bus: Option<String>,
    /// `CORDON_SECURITY_HUB`: whether Security Hub gets findings.
    pub security_hub: bool,
    /// `CORDON_RELAY_SOURCE`: one more event source that may enforce; only the sandbox sets it.
    pub relay_source: Option<String>,
    /// `CORDON_OWN_PRINCIPALS`: ARN patterns of Cordon's own roles, separated by commas. No plan touches them.
    pub own_principals: Vec<Pattern>,
    /// `CORDON_SPOKE_PREFIX` and `CORDON_EXTERNAL_ID`: the roles to assume in other accounts; `None` limits Cordon to its own.
    /// `CORDON_DOCUMENTS_FUNCTION` and `CORDON_RESTORATION_FUNCTION`: the functions that two of them stand behind.
    pub spokes: Option<Spokes>,
    /// `CORDON_POWER`: the role that this function stands before, where it makes calls for others.
    pub power: Option<Power>,
    /// `LAMBDA_TASK_ROOT`: the folder with `cordon.toml` and the rules.
    pub root: PathBuf,
}

/// An environment that a function cannot work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A variable that every deployment sets.
    #[error("the environment variable `{0}` is not set; deploy with the Terraform module, which sets it")]
    Missing(&'static str),
    /// The topic's ARN tells a function its account and partition.
    #[error("`CORDON_TOPIC_ARN` is `{0}`, which is not the ARN of a topic; deploy with the Terraform module, which sets it")]
    TopicArn(String),
}

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`SettingsError::Missing`].
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::from(|name| std::env::var(name).ok())
    }

    /// Reads settings from anything that answers for a variable.
    ///
    /// # Errors
    /// [`SettingsError::Missing`].
    pub fn from(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let required = |name: &'static str| given(name).ok_or(SettingsError::Missing(name));
        Ok(Self {
            name: given("CORDON_NAME").unwrap_or_else(|| "cordon".to_owned()),
            table: required("CORDON_TABLE")?,
            topic_arn: required("CORDON_TOPIC_ARN")?,
            slack_secret_arn: given("CORDON_SLACK_SECRET_ARN"),
            slack_api_url: given("CORDON_SLACK_API_URL").unwrap_or_else(|| "https://slack.com/api".to_owned()),
            state_machine_arn: given("CORDON_STATE_MACHINE_ARN").unwrap_or_default(),
            findings_bus: given("CORDON_FINDINGS_BUS"),
            security_hub: given("CORDON_SECURITY_HUB").is_some_and(|value| value == "true"),
            relay_source: given("CORDON_RELAY_SOURCE"),
            own_principals: required("CORDON_OWN_PRINCIPALS")?.split(',').map(|pattern| Pattern::new(pattern.trim())).collect(),
            spokes: given("CORDON_SPOKE_PREFIX").map(|prefix| {
                let functions = given("CORDON_DOCUMENTS_FUNCTION").zip(given("CORDON_RESTORATION_FUNCTION")).map(
                    |(documents, restoration)| HandFunctions {
                        documents,
                        restoration,
                        region: given("AWS_REGION").unwrap_or_else(|| "us-east-1".to_owned()),
                    },
                );
                Spokes::Divided(SpokeRoles { prefix, external_id: given("CORDON_EXTERNAL_ID"), functions })
            }),
            power: given("CORDON_POWER").and_then(|word| Power::ALL.into_iter().find(|power| power.name() == word)),
            root: PathBuf::from(required("LAMBDA_TASK_ROOT")?),
        })
    }
}

impl Settings {
    /// The policy file that was packed with the function.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.root.join("cordon.toml")
    }

    /// The account and the partition that the function runs in: those of its topic.
    ///
    /// # Errors
    /// [`SettingsError::TopicArn`].
    pub fn account(&self) -> Result<(AccountId, String), SettingsError> {
        let arn = self.topic_arn.parse::<Arn>().ok();
        arn.and_then(|arn| Some((arn.account()?, arn.partition().to_owned())))
            .ok_or_else(|| SettingsError::TopicArn(self.topic_arn.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_variable_is_named_and_an_empty_one_counts_as_missing() {
        let error = Settings::from(|name| (name != "CORDON_TOPIC_ARN").then(|| "x".to_owned())).unwrap_err();
        assert_eq!(error, SettingsError::Missing("CORDON_TOPIC_ARN"));
        let settings =
            Settings::from(|name| Some(if name == "CORDON_RELAY_SOURCE" { String::new() } else { "x".to_owned() })).unwrap();
        assert_eq!(settings.relay_source, None);
        assert!(!settings.security_hub, "`x` switches nothing on");
    }

    #[test]
    fn the_account_is_the_topics_and_another_one_is_reached_only_where_roles_are_named() {
        let with = |given: &'static [(&str, &str)]| {
            Settings::from(|name| {
                let value = given.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
                let unset = name.starts_with("CORDON_SPOKE") || name.ends_with("_FUNCTION") || name == "CORDON_POWER";
                value.or_else(|| (!unset).then(|| "x".to_owned()))
            })
            .unwrap()
        };
        let settings = with(&[("CORDON_TOPIC_ARN", "arn:aws-cn:sns:cn-north-1:111122223333:cordon-alerts")]);
        assert_eq!((settings.spokes.as_ref(), settings.power), (None, None));
        assert_eq!(settings.account().unwrap(), ("111122223333".parse().unwrap(), "aws-cn".to_owned()));
        assert!(with(&[("CORDON_TOPIC_ARN", "cordon-alerts")]).account().is_err());
        let reading = with(&[("CORDON_SPOKE_PREFIX", "cordon/cordon-"), ("CORDON_EXTERNAL_ID", "word")]);
        let roles = |functions| {
            let (prefix, external_id) = ("cordon/cordon-".to_owned(), Some("word".to_owned()));
            Some(Spokes::Divided(SpokeRoles { prefix, external_id, functions }))
        };
        assert_eq!(reading.spokes, roles(None));
        let changing = with(&[
            ("CORDON_SPOKE_PREFIX", "cordon/cordon-"),
            ("CORDON_EXTERNAL_ID", "word"),
            ("CORDON_DOCUMENTS_FUNCTION", "d"),
            ("CORDON_RESTORATION_FUNCTION", "r"),
            ("AWS_REGION", "eu-west-1"),
            ("CORDON_POWER", "documents"),
        ]);
        let functions = HandFunctions { documents: "d".to_owned(), restoration: "r".to_owned(), region: "eu-west-1".to_owned() };
        assert_eq!((changing.spokes, changing.power), (roles(Some(functions)), Some(Power::Documents)));
    }
}
