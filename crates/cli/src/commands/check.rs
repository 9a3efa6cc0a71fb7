//! `cordon check`: whether a deployment with this policy and these rules would start, and whether every rule passes its cases.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use cordon_bundle::Bundle;
use cordon_core::config::Mode;
use cordon_core::{Config, Log};

use crate::commands::deployment_name;
use crate::commands::rule::{RulesError, count};
use crate::failure::Failure;

/// Reports every error in cordon.toml and in the rule files, each with its line.
#[derive(Args)]
pub struct Arguments {
    /// The folder that holds cordon.toml and rules/.
    #[arg(default_value = ".")]
    root: PathBuf,
}

/// Whose notices count about other accounts than their own.
fn about_others(config: &Config) -> String {
    let named = |log: Log, name: &str| Some(format!("{name} from {}", config.organization.administrator(log)?));
    let named: Vec<String> =
        [named(Log::GuardDuty, "GuardDuty"), named(Log::AccessAnalyzer, "Access Analyzer"), named(Log::Health, "AWS Health")]
            .into_iter()
            .flatten()
            .collect();
    if named.is_empty() {
        return "Notices about other accounts: believed from nobody ([organization] names no administrator).".to_owned();
    }
    format!("Notices about other accounts: {}.", named.join(", "))
}

/// Prints what a deployment would do.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let bundle = Bundle::load(&arguments.root, &deployment_name())?;
    let failures = cordon_detect::check_cases(bundle.book());
    if !failures.is_empty() {
        return Err(RulesError::Cases(failures).into());
    }
    let config = bundle.config();
    let mode = match config.mode {
        Mode::DryRun => "dry run, nothing is changed",
        Mode::Enforce => "enforce",
    };
    println!("{} loaded; all their cases pass.", count(bundle.book().all().count(), "rule"));
    println!(
        "Mode: {mode}. Approvers: {}. Patterns in scope: {}.",
        config.approval.approvers.len(),
        config.scope.principals.len()
    );
    println!("{}", about_others(config));
    if config.approval.undo_by_one && config.approval.quorum.highest() > 1 {
        println!("Undo: one approver is enough, also where the quorum wants more (`undo_by_one` of [approval]).");
    }
    Ok(ExitCode::SUCCESS)
}
