//! `cordon check`: would a deployment with this policy and these rules start, and do the rules do what their cases say?

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use cordon_core::config::Mode;
use cordon_lambda::Bundle;

use crate::failure::Failure;

#[derive(Args)]
pub struct Arguments {
    /// The folder that holds cordon.toml and rules/.
    #[arg(default_value = ".")]
    root: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let bundle = Bundle::load(&arguments.root)?;
    let failures = cordon_detect::check_cases(bundle.book());
    for failure in &failures {
        eprintln!("{failure}");
    }
    if !failures.is_empty() {
        return Err(Failure::Input(format!("{} case(s) of the rules fail; mend the rule or the case", failures.len())));
    }
    let config = bundle.config();
    let mode = match config.mode {
        Mode::DryRun => "dry run: nothing will be changed",
        Mode::Enforce => "enforce",
    };
    println!("{} rules load and their cases hold.", bundle.book().all().count());
    println!(
        "Mode: {mode}. Approvers: {}. Patterns in scope: {}.",
        config.approval.approvers.len(),
        config.scope.principals.len()
    );
    Ok(ExitCode::SUCCESS)
}
