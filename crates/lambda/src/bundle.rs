//! The policy and the rules that were packed with a function, checked at start-up.

use std::fs;
use std::path::Path;

use cordon_contract::{ErrorName, StateError};
use cordon_core::{Config, Detection, Event, RuleId};
use cordon_detect::enrich::{Enriched, Facts};
use cordon_detect::{Judgement, Placeholders, RuleBook, RuleSource};
use cordon_flow::classify::Rules;
use serde_json::Value;

use crate::settings::deployment_name;

/// Reads `cordon.toml` below a folder.
///
/// # Errors
/// `BadConfig`, naming the file, the line and the fix.
pub fn config(root: &Path) -> Result<Config, StateError> {
    let path = root.join("cordon.toml");
    let text = fs::read_to_string(&path)
        .map_err(|error| StateError::new(ErrorName::BadConfig, format!("`{}` cannot be read: {error}", path.display())))?;
    Config::parse("cordon.toml", &text).map_err(|error| StateError::new(ErrorName::BadConfig, error.to_string()))
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
        Self::with(root, |source| source)
    }

    /// As [`Bundle::load`], for a function: the rules' cases were proven when it was packed, and reading them takes longer than
    /// all the rest of its start.
    ///
    /// # Errors
    /// As [`Bundle::load`].
    pub fn load_without_cases(root: &Path) -> Result<Self, StateError> {
        Self::with(root, |source| source.without_cases())
    }

    fn with(root: &Path, prepare: fn(RuleSource) -> RuleSource) -> Result<Self, StateError> {
        let config = config(root)?;
        let sources = read_rules(&root.join("rules")).map_err(|message| StateError::new(ErrorName::BadConfig, message))?;
        let sources = sources.into_iter().map(prepare).collect();
        let exceptions = &config.exceptions;
        let placeholders =
            Placeholders::new(&exceptions.tag_key, &exceptions.until_key, &exceptions.tag_value, &deployment_name())
                .map_err(|message| StateError::new(ErrorName::BadConfig, format!("cordon.toml: {message}")))?;
        let book = RuleBook::load_for(sources, &placeholders).map_err(|errors| {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            StateError::new(ErrorName::BadConfig, lines.join("; "))
        })?;
        let book = book.without(&config.rules.disabled).map_err(|unknown| {
            let ids: Vec<&str> = unknown.iter().map(RuleId::as_str).collect();
            StateError::new(
                ErrorName::BadConfig,
                format!("cordon.toml: rules.disabled names no rule: `{}`; `cordon rule list` prints them", ids.join("`, `")),
            )
        })?;
        let gates = [("auto", &config.gates.auto), ("contain_then_ask", &config.gates.contain_then_ask)];
        for (gate, id) in gates.into_iter().flat_map(|(gate, ids)| ids.iter().map(move |id| (gate, id))) {
            if book.about(id).is_none() {
                let message = format!("cordon.toml: gates.{gate} names no enabled rule: `{id}`; `cordon rule list` prints them");
                return Err(StateError::new(ErrorName::BadConfig, message));
            }
        }
        let exempt = config.exceptions.automation.iter().flat_map(|automation| automation.rules.iter().flatten());
        for id in exempt {
            if book.rule(id).is_none() {
                let message =
                    format!("cordon.toml: exceptions.automation names no enabled rule: `{id}`; `cordon rule list` prints them");
                return Err(StateError::new(ErrorName::BadConfig, message));
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
