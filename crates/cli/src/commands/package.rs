//! `cordon package`: the zips and the manifest that Terraform deploys.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use cordon_lambda::Bundle;
use cordon_lambda::bundle::read_rules;
use cordon_sandbox::{Architecture, PackageOptions, package};

use crate::commands::rule;
use crate::failure::Failure;

/// Takes the executables that `cargo lambda build --release` (or `cargo build --release`) left, and packs each with
/// cordon.toml and what rules/ holds, which are checked first.
#[derive(Args)]
pub struct Arguments {
    /// The folder that holds cordon.toml and rules/.
    #[arg(default_value = ".")]
    root: PathBuf,
    /// Where the executables are: target/lambda, or target/release with --plain.
    #[arg(long, default_value = "target/lambda", value_name = "DIR")]
    bootstraps: PathBuf,
    /// The executables are named after the functions, as `cargo build` leaves them.
    #[arg(long)]
    plain: bool,
    /// Which processor they were built for.
    #[arg(long, value_enum, default_value_t = Processor::Arm64)]
    architecture: Processor,
    /// The folder that gets the zips and manifest.json.
    #[arg(long, default_value = "dist", value_name = "DIR")]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Processor {
    Arm64,
    #[value(name = "x86_64")]
    X86_64,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let sources = read_rules(&arguments.root.join("rules")).map_err(Failure::Input)?;
    let bundle = Bundle::of(cordon_lambda::bundle::config(&arguments.root)?, sources.clone())?;
    let failures = cordon_detect::check_cases(bundle.book());
    if let Some(first) = failures.first() {
        return Err(Failure::Input(format!(
            "{} case(s) of the rules fail, the first: {first}; run `cordon rule test`",
            failures.len()
        )));
    }
    let bootstraps = if arguments.plain {
        PackageOptions::cargo(&arguments.bootstraps)
    } else {
        PackageOptions::cargo_lambda(&arguments.bootstraps)
    };
    let options = PackageOptions {
        bootstraps,
        config: arguments.root.join("cordon.toml"),
        rules: rule::pack(&sources)?,
        out: arguments.out.clone(),
        architecture: match arguments.architecture {
            Processor::Arm64 => Architecture::Arm64,
            Processor::X86_64 => Architecture::X86_64,
        },
        event_patterns: cordon_detect::event_patterns(bundle.book()),
    };
    let manifest = package(&options).map_err(|error| Failure::Input(error.to_string()))?;
    println!(
        "{} functions packed into `{}`; give that folder to Terraform as `artifacts`.",
        manifest.functions.len(),
        arguments.out.display()
    );
    Ok(ExitCode::SUCCESS)
}
