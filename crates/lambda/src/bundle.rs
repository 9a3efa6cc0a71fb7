//! The policy and the rules that were packed with a function, checked at start-up.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use cordon_contract::{ErrorName, StateError};
use cordon_core::{Config, Detection, Event, RuleId};
use cordon_detect::enrich::{Enriched, Facts};
use cordon_detect::{Judgement, Placeholders, RuleBook, RuleError, RuleSource};
use cordon_flow::classify::Rules;
use serde_json::Value;

use crate::settings::deployment_name;

/// The folder of rule files.
const RULES: &str = "rules";
/// What a function has in their place: made by [`cordon_detect::pack`], put there by `cordon package`.
const PACKED_RULES: &str = "rules.json";

/// Reads `cordon.toml` below a folder.
///
/// # Errors
/// `BadConfig`, naming the file, the line and the fix.
pub fn config(root: &Path) -> Result<Config, StateError> {
    let path = root.join("cordon.toml");
    let text = fs::read_to_string(&path).map_err(|error| bad_config(format!("`{}` cannot be read: {error}", path.display())))?;
    Config::parse("cordon.toml", &text).map_err(|error| bad_config(error.to_string()))
}

/// The rules that matter in a deployment: all that load, without those that the policy disables.
pub struct Bundle {
    book: RuleBook,
    config: Config,
}

impl Bundle {
    /// Loads the policy and every rule below a folder.
    ///
    /// # Errors
    /// `BadConfig`, naming each file that cannot be used: a rule that does not load would be an attack that nobody sees.
    pub fn load(root: &Path) -> Result<Self, StateError> {
        Self::of(config(root)?, rule_files(root)?)
    }

    /// As [`Bundle::load`], for who only evaluates rules: from the packed ones that `cordon package` put beside the policy, else
    /// from the rule files without their cases. Both together are refused, because one of them would not count and nobody would
    /// see which.
    ///
    /// # Errors
    /// As [`Bundle::load`], and where the packed rules were changed or are of another version.
    pub fn load_packed(root: &Path) -> Result<Self, StateError> {
        let path = root.join(PACKED_RULES);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Self::of(config(root)?, rule_files(root)?.iter().map(RuleSource::without_cases).collect());
            }
            Err(error) => return Err(bad_config(format!("`{}` cannot be read: {error}", path.display()))),
        };
        if root.join(RULES).exists() {
            return Err(bad_config(format!(
                "`{PACKED_RULES}` and `{RULES}/` are both there, and only one can count: deploy what `cordon package` made as it is"
            )));
        }
        let config = config(root)?;
        let book = RuleBook::load_packed(&RuleSource::new(PACKED_RULES, text), &placeholders(&config)?);
        Self::for_policy(config, book)
    }

    /// The rules of some files, under a policy.
    ///
    /// # Errors
    /// As [`Bundle::load`].
    pub fn of(config: Config, sources: Vec<RuleSource>) -> Result<Self, StateError> {
        let book = RuleBook::load_for(sources, &placeholders(&config)?);
        Self::for_policy(config, book)
    }

    fn for_policy(config: Config, book: Result<RuleBook, Vec<RuleError>>) -> Result<Self, StateError> {
        let book = book.map_err(|errors| bad_config(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))?;
        let book = book.without(&config.rules.disabled).map_err(|unknown| {
            let ids: Vec<&str> = unknown.iter().map(RuleId::as_str).collect();
            bad_config(format!(
                "cordon.toml: rules.disabled names no rule: `{}`; `cordon rule list` prints them",
                ids.join("`, `")
            ))
        })?;
        let gates = [("auto", &config.gates.auto), ("contain_then_ask", &config.gates.contain_then_ask)];
        for (gate, id) in gates.into_iter().flat_map(|(gate, ids)| ids.iter().map(move |id| (gate, id))) {
            if book.about(id).is_none() {
                let message = format!("cordon.toml: gates.{gate} names no enabled rule: `{id}`; `cordon rule list` prints them");
                return Err(bad_config(message));
            }
        }
        let exempt = config.exceptions.automation.iter().flat_map(|automation| automation.rules.iter().flatten());
        for id in exempt {
            if book.rule(id).is_none() {
                let message =
                    format!("cordon.toml: exceptions.automation names no enabled rule: `{id}`; `cordon rule list` prints them");
                return Err(bad_config(message));
            }
        }
        Ok(Self { book, config })
    }

    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    #[must_use]
    pub fn book(&self) -> &RuleBook {
        &self.book
    }
}

impl Rules for Bundle {
    fn evaluate(&self, record: &Value, facts: &Facts) -> Vec<Detection> {
        self.book.evaluate_with(record, facts)
    }

    fn judge(&self, event: &Event, facts: &Facts) -> Judgement {
        self.book.judge(&Enriched::of(event.log, &event.record, Some(facts)))
    }
}

/// What rules name that differs from deployment to deployment.
fn placeholders(config: &Config) -> Result<Placeholders, StateError> {
    let exceptions = &config.exceptions;
    Placeholders::new(&exceptions.tag_key, &exceptions.until_key, &exceptions.tag_value, &deployment_name())
        .map_err(|message| bad_config(format!("cordon.toml: {message}")))
}

fn rule_files(root: &Path) -> Result<Vec<RuleSource>, StateError> {
    read_rules(&root.join(RULES)).map_err(bad_config)
}

fn bad_config(message: String) -> StateError {
    StateError::new(ErrorName::BadConfig, message)
}

/// Every `.yml` and `.yaml` below a folder, in the order of their paths.
///
/// # Errors
/// A sentence that names the folder or file.
pub fn read_rules(folder: &Path) -> Result<Vec<RuleSource>, String> {
    let mut sources = Vec::new();
    collect(folder, folder, &mut sources)?;
    if sources.is_empty() {
        return Err(format!("`{}` holds no rule files (`.yml`)", folder.display()));
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<RuleSource>) -> Result<(), String> {
    let failed = |path: &Path, error: std::io::Error| format!("`{}` cannot be read: {error}", path.display());
    for entry in fs::read_dir(folder).map_err(|error| failed(folder, error))? {
        let path = entry.map_err(|error| failed(folder, error))?.path();
        if path.is_dir() {
            collect(root, &path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml") {
            let text = fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
            let shown = path.strip_prefix(root.parent().unwrap_or(root)).unwrap_or(&path);
            sources.push(RuleSource::new(shown.display().to_string(), text));
        }
    }
    Ok(())
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
        let bundle = Bundle::load_packed(folder.path()).map_err(|error| error.message)?;
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
        assert!(rules(&unpacked(&[policy])).unwrap_err().contains("cannot be read"));
    }

    #[test]
    fn packed_rules_that_were_changed_stop_the_start() {
        let packed = cordon_detect::pack(&[RuleSource::new("rules/x/user-made.yml", RULE)]).unwrap();
        let changed = packed.replace("CreateUser", "DeleteUser");
        let error = rules(&unpacked(&[("cordon.toml", POLICY), (PACKED_RULES, &changed)])).unwrap_err();
        assert!(error.starts_with("rules.json: the rules were changed after they were packed"), "{error}");
    }
}
