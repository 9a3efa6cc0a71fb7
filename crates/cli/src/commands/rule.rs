//! `cordon rule`: what is detected, and the EventBridge patterns that follow from it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use cordon_detect::{RuleBook, RuleError, RuleSource};
use cordon_lambda::bundle::read_rules;

use crate::failure::Failure;

#[derive(Subcommand)]
pub enum Command {
    /// Print a line for each rule: level, id, what it does beside alerting, title.
    List {
        #[arg(long, default_value = "rules", value_name = "DIR")]
        rules: PathBuf,
    },
    /// Run every rule against its own cases.
    Test {
        #[arg(long, default_value = "rules", value_name = "DIR")]
        rules: PathBuf,
    },
    /// Print the EventBridge patterns that let every event through which a rule can match.
    Pattern {
        #[arg(long, default_value = "rules", value_name = "DIR")]
        rules: PathBuf,
    },
}

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

/// Loads the rules below a folder, or names every file that does not load.
pub fn load(folder: &Path) -> Result<RuleBook, Failure> {
    from(read_rules(folder).map_err(Failure::Input)?)
}

/// As [`load`], of files that were read already.
pub fn from(sources: Vec<RuleSource>) -> Result<RuleBook, Failure> {
    RuleBook::load(sources).map_err(|errors| unusable(&errors))
}

/// Packs rule files for the functions.
pub fn pack(sources: &[RuleSource]) -> Result<String, Failure> {
    cordon_detect::pack(sources).map_err(|errors| unusable(&errors))
}

fn unusable(errors: &[RuleError]) -> Failure {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    Failure::Input(format!("{} rule file(s) do not load:\n  {}", lines.len(), lines.join("\n  ")))
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
    let rules = book.all().count();
    if failures.is_empty() {
        println!("{rules} rules: every case holds.");
        return Ok(ExitCode::SUCCESS);
    }
    println!("{rules} rules: {} case(s) fail.", failures.len());
    Ok(ExitCode::from(1))
}
