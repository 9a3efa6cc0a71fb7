//! `cordon sandbox`: the whole system on this machine.

use std::process::ExitCode;

use clap::Args;
use cordon_bundle::read_rules;
use cordon_sandbox::{Options, find_workspace};

use crate::commands::rule;
use crate::failure::Failure;

/// Needs Python 3.10 or newer, Terraform 1.5 or newer, and this repository. Nothing reaches AWS or Slack.
#[derive(Args)]
pub struct Arguments {
    /// Play an attack and its containment without a person, print the results, and stop.
    #[arg(long)]
    once: bool,
    /// The emulator's port [default: a free one].
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// The page's port [default: a free one].
    #[arg(long, value_name = "N")]
    page_port: Option<u16>,
    /// Print no progress.
    #[arg(long)]
    quiet: bool,
}

/// Starts the sandbox, and waits until it stops.
pub async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let root = find_workspace(std::path::Path::new("."))?;
    let sources = read_rules(&root.join("rules"))?;
    let rules = rule::pack(&sources)?;
    let mut options = Options::play(&root, rules, cordon_detect::event_patterns(&rule::from(sources)?));
    options.port = arguments.port;
    options.page_port = arguments.page_port;
    options.quiet = arguments.quiet;
    Ok(ExitCode::from(cordon_sandbox::run(options, arguments.once).await))
}
