//! A deployment's policy and rules, checked against each other.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use cordon_core::config::{ConfigError, ConfigFile, Exceptions, Problem, RuleReference, nearest};
use cordon_core::{Config, RuleId};
use cordon_detect::{Placeholders, RuleBook, RuleError, RuleSource};

use crate::files::{ReadError, read_config_file, read_rules};

/// The policy file, in every folder that is loaded.
const CONFIG: &str = "cordon.toml";
/// The folder of rule files.
const RULES: &str = "rules";
/// A function has this file in place of the folder: made by [`cordon_detect::pack`], put there by [`crate::package()`].
pub(crate) const PACKED_RULES: &str = "rules.json";

/// A policy and rules that cannot be used together.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file is missing or unreadable.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The deployment's name cannot be filled into the rules.
    #[error("the name of the deployment, `CORDON_NAME`, cannot be `{0}`; use letters, digits, spaces and `_.:/=+-@`")]
    Name(String),
    /// Packed rules beside rule files: one of them would not count, and nobody would see which.
    #[error("`{PACKED_RULES}` and `{RULES}/` are both there, and only one can count; deploy what `cordon package` made as it is")]
    PackedAndFiles,
    /// Everything that is wrong in the policy and in the rules.
    #[error(transparent)]
    Faults(#[from] Faults),
}

/// What is wrong in a policy and in rules, each with its file and line. At least one of the two has something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    /// The faults of the policy; with those of the rules that it names, if the rules load.
    pub config: Option<ConfigError>,
    /// The faults of the rules. One bad rule refuses the whole set: left out, it would be an attack that nobody sees.
    pub rules: Vec<RuleError>,
}

impl std::error::Error for Faults {}

/// A line a fault.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = self.config.iter().map(ToString::to_string);
        let lines: Vec<String> = config.chain(self.rules.iter().map(ToString::to_string)).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// The rules of a deployment, all that load but those that the policy disables, with that policy.
#[derive(Debug)]
pub struct Bundle {
    book: RuleBook,
    config: Config,
}

impl Bundle {
    /// Loads `cordon.toml` and every rule file with its cases from a folder. `deployment` is what the names of the deployment's
    /// parts begin with, `cordon` as a rule: rules can refer to it.
    ///
    /// # Errors
    /// [`BundleError`], with every file that cannot be used.
    pub fn load(root: &Path, deployment: &str) -> Result<Self, BundleError> {
        Self::of(read_config_file(&root.join(CONFIG))?, read_rules(&root.join(RULES))?, deployment)
    }

    /// Loads as [`Bundle::load`] does, for a caller that only evaluates rules: from the packed rules if they are there, else from
    /// the rule files without their cases.
    ///
    /// # Errors
    /// [`BundleError`], also if the packed rules were changed, are of another version, or lie beside rule files.
    pub fn load_packed(root: &Path, deployment: &str) -> Result<Self, BundleError> {
        let path = root.join(PACKED_RULES);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let files = read_rules(&root.join(RULES))?;
                return Self::of(
                    read_config_file(&root.join(CONFIG))?,
                    files.iter().map(RuleSource::without_cases).collect(),
                    deployment,
                );
            }
            Err(error) => return Err(ReadError::io(&path)(error).into()),
        };
        if root.join(RULES).exists() {
            return Err(BundleError::PackedAndFiles);
        }
        let config = read_config_file(&root.join(CONFIG))?;
        let book = RuleBook::load_packed(&RuleSource::new(PACKED_RULES, text), &placeholders(config.config(), deployment)?);
        Self::for_policy(config, book)
    }

    /// Loads rule files that were read already, under a policy.
    ///
    /// # Errors
    /// As [`Bundle::load`].
    pub fn of(config: ConfigFile, sources: Vec<RuleSource>, deployment: &str) -> Result<Self, BundleError> {
        let book = RuleBook::load_for(sources, &placeholders(config.config(), deployment)?);
        Self::for_policy(config, book)
    }

    fn for_policy(mut config: ConfigFile, book: Result<RuleBook, Vec<RuleError>>) -> Result<Self, BundleError> {
        let faults = |config, rules| BundleError::Faults(Faults { config, rules });
        let book = match book {
            Ok(book) => book,
            Err(rules) => return Err(faults(config.finish().err(), rules)),
        };
        let known: Vec<RuleId> = config.config().rules.disabled.iter().filter(|id| book.about(id).is_some()).cloned().collect();
        let ids: Vec<String> = book.all().map(|about| about.id.to_string()).collect();
        // INVARIANT: the book has every rule that it is asked to switch off.
        let Ok(book) = book.without(&known) else { return Err(faults(config.finish().err(), Vec::new())) };
        for named in config.references().to_vec() {
            if let Some(problem) = problem(&named, &ids, &book) {
                config.add(named.span, problem);
            }
        }
        match config.finish() {
            Ok(config) => Ok(Self { book, config }),
            Err(error) => Err(faults(Some(error), Vec::new())),
        }
    }

    /// The policy.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The rules that are on.
    #[must_use]
    pub fn book(&self) -> &RuleBook {
        &self.book
    }
}

/// What is wrong with a rule that the policy names. `all` are the rules before `rules.disabled` switched some off.
fn problem(named: &RuleReference, all: &[String], book: &RuleBook) -> Option<Problem> {
    let RuleReference { key, rule, .. } = named.clone();
    if !all.iter().any(|id| id == rule.as_str()) {
        let similar = nearest(rule.as_str(), all.iter().map(String::as_str)).and_then(|id| id.parse().ok());
        return Some(Problem::UnknownRule { key, rule, similar });
    }
    match key.as_str() {
        "rules.disabled" => None,
        _ if book.about(&rule).is_none() => Some(Problem::DisabledRule { key, rule }),
        "exceptions.automation.rules" if book.rule(&rule).is_none() => Some(Problem::CorrelationNotExempt { key, rule }),
        _ => None,
    }
}

/// The values that rules refer to and that differ from deployment to deployment. A tag that is faulty was reported as such, and
/// is not needed to see whether the rules load.
fn placeholders(config: &Config, deployment: &str) -> Result<Placeholders, BundleError> {
    let named = |tag_key: &str, until_key: &str, tag_value: &str| Placeholders::new(tag_key, until_key, tag_value, deployment);
    let (exceptions, default) = (&config.exceptions, Exceptions::default());
    named(&exceptions.tag_key, &exceptions.until_key, &exceptions.tag_value)
        .or_else(|_| named(&default.tag_key, &default.until_key, &default.tag_value))
        .map_err(|_| BundleError::Name(deployment.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = include_str!("../../../cordon.toml");
    const RULE: &str = "\
title: A user was made
name: user-made
logsource: {product: aws, service: cloudtrail}
detection:
    selection: {eventName: CreateUser}
    condition: selection
cases:
    - hit: {eventName: CreateUser}
";

    /// A folder as a function finds it, with these files.
    fn unpacked(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn rules(folder: &tempfile::TempDir) -> Result<Vec<String>, String> {
        let bundle = Bundle::load_packed(folder.path(), "cordon").map_err(|error| error.to_string())?;
        Ok(bundle.book().all().map(|about| about.id.to_string()).collect())
    }

    #[test]
    fn a_function_has_packed_rules_or_rule_files_and_never_both() {
        let packed = cordon_detect::pack(&[RuleSource::new("rules/x/user-made.yml", RULE)]).unwrap();
        let (policy, packed) = (("cordon.toml", "mode = \"dry-run\"\n"), (PACKED_RULES, packed.as_str()));
        let file = ("rules/x/user-made.yml", RULE);
        assert_eq!(rules(&unpacked(&[policy, packed])), Ok(vec!["user-made".to_owned()]));
        assert_eq!(rules(&unpacked(&[policy, file])), Ok(vec!["user-made".to_owned()]));
        assert!(rules(&unpacked(&[policy, packed, file])).unwrap_err().contains("only one can count"));
        assert!(rules(&unpacked(&[policy])).unwrap_err().starts_with("cannot read"));
    }

    #[test]
    fn packed_rules_that_were_changed_stop_the_start() {
        let packed = cordon_detect::pack(&[RuleSource::new("rules/x/user-made.yml", RULE)]).unwrap();
        let changed = packed.replace("CreateUser", "DeleteUser");
        let error = rules(&unpacked(&[("cordon.toml", POLICY), (PACKED_RULES, &changed)])).unwrap_err();
        assert!(error.starts_with("rules.json: the rules were changed after they were packed"), "{error}");
    }

    #[test]
    fn every_rule_that_the_policy_names_wrongly_is_reported_at_its_name() {
        let policy = "\
# user-made and user-mad
[rules]
disabled = [\"user-off\", \"user-gone\"]
[gates]
# auto = [\"user-off\"]
auto = [\"user-made\", \"user-off\"]
contain_then_ask = [
  \"user-mad\",                # not user-made
]
[[exceptions.automation]]
name = \"user-made\"
roles = [\"arn:aws:iam::111111111111:role/ci\"]
rules = [\"users-made\"]
";
        let off = RULE.replace("user-made", "user-off");
        let burst = "\
title: Users were made
name: users-made
correlation:
    type: event_count
    rules: [user-made]
    group-by: [recipientAccountId]
    timespan: 10m
    condition: {gte: 3}
";
        let folder = unpacked(&[("cordon.toml", policy), ("rules/a.yml", RULE), ("rules/b.yml", &off), ("rules/c.yml", burst)]);
        let error = Bundle::load_packed(folder.path(), "cordon").unwrap_err();
        let BundleError::Faults(Faults { config: Some(config), rules }) = error else { panic!("{error}") };
        assert_eq!(rules, []);
        let places: Vec<_> = config.faults().iter().map(|fault| (fault.line(), fault.column(), fault.to_string())).collect();
        let expected = [
            (3, 25, "rules.disabled: there is no rule `user-gone`; `cordon rule list` prints the rules"),
            (6, 22, "gates.auto: the rule `user-off` is disabled; remove it here, or from `rules.disabled`"),
            (8, 3, "gates.contain_then_ask: there is no rule `user-mad`; did you mean `user-made`?"),
            (
                13,
                10,
                "exceptions.automation.rules: `users-made` is a correlation, and no exception applies to one; remove it, or name the rules that it counts",
            ),
        ];
        assert_eq!(places, expected.map(|(line, column, told)| (line, column, told.to_owned())));
    }

    #[test]
    fn a_broken_policy_does_not_hide_a_broken_rule() {
        let policy = "[exceptions]\ntag_key = \"a*b\"\nmode = \"enforce\"\n";
        let broken = RULE.replace("condition: selection", "condition: nothing");
        let folder = unpacked(&[("cordon.toml", policy), ("rules/a.yml", RULE), ("rules/b.yml", &broken)]);
        let error = Bundle::load(folder.path(), "cordon").unwrap_err();
        let BundleError::Faults(faults) = &error else { panic!("{error}") };
        assert_eq!(faults.config.as_ref().map(|config| config.faults().len()), Some(2), "{error}");
        assert!(faults.rules.iter().any(|fault| fault.path == "rules/b.yml"), "{error}");
    }
}
