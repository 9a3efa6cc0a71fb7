//! `cordon`: the same rules and decisions as the deployed functions, from a terminal.
//!
//! Exit codes: 0 done; 1 found something, or did not contain; 2 wrong use or bad input. An error is one sentence that says
//! what to do.

mod caller;
mod commands;
mod failure;
mod show;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Catches dangerous IAM changes, asks a person, undoes them, and proves that they are undone.
#[derive(Parser)]
#[command(name = "cordon", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the whole system on this machine, against an emulator of AWS.
    Sandbox(commands::sandbox::Arguments),
    /// Prove the policy file and the rules.
    Check(commands::check::Arguments),
    /// List, test and compile the detection rules.
    #[command(subcommand)]
    Rule(commands::rule::Command),
    /// Look at incidents, decide them, and undo what was done in one.
    #[command(subcommand)]
    Incident(commands::incident::Command),
    /// Record, list and end exceptions.
    #[command(subcommand)]
    Exception(commands::exception::Command),
    /// Stop every change at once, without a deployment.
    Stop(commands::switch::Arguments),
    /// Let changes be made again after `cordon stop`.
    Resume(commands::switch::Arguments),
    /// Run the detection over logs that are already there.
    Replay(commands::replay::Arguments),
    /// Make the function zips and their manifest for Terraform.
    Package(commands::package::Arguments),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Sandbox(arguments) => commands::sandbox::run(arguments).await,
        Command::Check(arguments) => commands::check::run(&arguments),
        Command::Rule(command) => commands::rule::run(&command),
        Command::Incident(command) => commands::incident::run(command).await,
        Command::Exception(command) => commands::exception::run(command).await,
        Command::Stop(arguments) => commands::switch::stop(&arguments).await,
        Command::Resume(arguments) => commands::switch::resume(&arguments).await,
        Command::Replay(arguments) => commands::replay::run(&arguments),
        Command::Package(arguments) => commands::package::run(&arguments),
    };
    match done {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("cordon: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}
