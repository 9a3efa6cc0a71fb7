//! `cordon sandbox`: the whole system on this machine.

use std::process::ExitCode;

use clap::Args;
use cordon_lambda::bundle::read_rules;
use cordon_sandbox::{Options, find_workspace};

use crate::commands::rule;
use crate::failure::Failure;

/// Needs Python 3.10 or newer, Terraform 1.5 or newer, and this repository. Nothing reaches AWS or Slack.
#[derive(Args)]
pub struct Arguments {
    /// Play an attack and its containment without a person, print what held, and stop.
    #[arg(long)]
    once: bool,
    /// The emulator's port; a free one without it.
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// The page's port; a free one without it.
    #[arg(long, value_name = "N")]
    page_port: Option<u16>,
    /// Print no progress.
    #[arg(long)]
    quiet: bool,
}

pub async fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let root = find_workspace(std::path::Path::new(".")).map_err(|error| Failure::Input(error.to_string()))?;
    let sources = read_rules(&root.join("rules")).map_err(Failure::Input)?;
    let rules = rule::pack(&sources)?;
    let mut options = Options::play(&root, rules, cordon_detect::event_patterns(&rule::from(sources)?));
    options.port = arguments.port;
    options.page_port = arguments.page_port;
    options.quiet = arguments.quiet;
    Ok(ExitCode::from(cordon_sandbox::run(options, arguments.once).await))
}
