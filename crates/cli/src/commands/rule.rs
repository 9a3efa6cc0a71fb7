//! `cordon rule`: the detection rules, their cases, and the EventBridge patterns that follow from them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use cordon_bundle::read_rules;
use cordon_detect::{CaseFailure, RuleBook, RuleError, RuleSource};

use crate::failure::Failure;

#[derive(Subcommand)]
pub enum Command {
    /// Print a line for each rule: level, id, response, title.
    List {
        /// The folder of rule files.
        #[arg(long, default_value = "rules", value_name = "DIR")]
        rules: PathBuf,
    },
    /// Run the test cases of every rule.
    Test {
        /// The folder of rule files.
        #[arg(long, default_value = "rules", value_name = "DIR")]
        rules: PathBuf,
    },
    /// Print the EventBridge patterns that select the events for the rules.
    Pattern {
        /// The folder of rule files.
        #[arg(long, default_value = "rules", value_name = "DIR")]
        rules: PathBuf,
    },
}

/// Rules that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// Files that do not load, with every fault.
    #[error("{} in the rules:\n  {}\ncorrect them and run `cordon rule test`", count(.0.len(), "error"), lines(.0))]
    Unusable(Vec<RuleError>),
    /// Rules that do not do what their cases say.
    #[error("{} of the rules failed:\n  {}\ncorrect the rule or the case and run `cordon rule test`", count(.0.len(), "case"), lines(.0))]
    Cases(Vec<CaseFailure>),
}

/// A number with its noun.
pub fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn lines<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  ")
}

/// Runs one of the commands.
pub fn run(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::List { rules } => list(&load(rules)?),
        Command::Test { rules } => return test(&load(rules)?),
        Command::Pattern { rules } => {
            for pattern in cordon_detect::event_patterns(&load(rules)?) {
                println!("{pattern}");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Loads the rules of a folder.
pub fn load(folder: &Path) -> Result<RuleBook, Failure> {
    Ok(from(read_rules(folder)?)?)
}

/// Loads rule files that were read already.
pub fn from(sources: Vec<RuleSource>) -> Result<RuleBook, RulesError> {
    RuleBook::load(sources).map_err(RulesError::Unusable)
}

/// Packs rule files for the functions.
pub fn pack(sources: &[RuleSource]) -> Result<String, RulesError> {
    cordon_detect::pack(sources).map_err(RulesError::Unusable)
}

fn list(book: &RuleBook) {
    let counted: BTreeSet<&str> = book.rules().iter().filter(|rule| rule.only_counted).map(|rule| rule.id.as_str()).collect();
    let mut all: Vec<_> = book.all().collect();
    all.sort_by(|a, b| a.id.cmp(&b.id));
    for about in all {
        let detection = about.detection();
        let response = match &detection.response {
            None if counted.contains(detection.rule.as_str()) => "counted only".to_owned(),
            None => "alert".to_owned(),
            Some(response) => {
                response.contain.iter().chain(&response.revert).map(ToString::to_string).collect::<Vec<_>>().join("+")
            }
        };
        println!("{:<13} {:<44} {:<26} {}", detection.level.to_string(), detection.rule.as_str(), response, detection.title);
    }
}

fn test(book: &RuleBook) -> Result<ExitCode, Failure> {
    let failures = cordon_detect::check_cases(book);
    for failure in &failures {
        println!("{failure}");
    }
    let rules = count(book.all().count(), "rule");
    if failures.is_empty() {
        println!("{rules}: all cases pass.");
        return Ok(ExitCode::SUCCESS);
    }
    println!("{rules}: {} failed.", count(failures.len(), "case"));
    Ok(ExitCode::from(1))
}
