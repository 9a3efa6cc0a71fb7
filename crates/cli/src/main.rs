//! `cordon`: the same rules and decisions as the deployed functions, from a terminal.
//!
//! Exit codes: 0 done; 1 found something, or did not contain; 2 wrong use or bad input. An error says what to do next.

mod caller;
mod commands;
mod failure;
mod report;
mod show;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Detects dangerous IAM changes, asks a person, reverts them, and verifies that they are reverted.
#[derive(Parser)]
#[command(name = "cordon", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the whole system on this machine, against an emulator of AWS.
    Sandbox(commands::sandbox::Arguments),
    /// Check cordon.toml and the rules, and run the rules' test cases.
    Check(commands::check::Arguments),
    /// List and test the detection rules, and print their event patterns.
    #[command(subcommand)]
    Rule(commands::rule::Command),
    /// List, show, decide, undo and export incidents.
    #[command(subcommand)]
    Incident(commands::incident::Command),
    /// Record, list and end exceptions.
    #[command(subcommand)]
    Exception(commands::exception::Command),
    /// Stop all changes at once, without a deployment.
    Stop(commands::switch::Arguments),
    /// Allow changes again after `cordon stop`.
    Resume(commands::switch::Arguments),
    /// Run the detection over existing CloudTrail logs.
    Replay(commands::replay::Arguments),
    /// Pack the functions into zips with a manifest for Terraform.
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
            report::print(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}
