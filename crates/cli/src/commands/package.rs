//! `cordon package`: the zips and the manifest that Terraform deploys.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use cordon_bundle::{Architecture, Bundle, PackageOptions, package, read_config_file, read_rules};

use crate::commands::rule::RulesError;
use crate::commands::{deployment_name, rule};
use crate::failure::Failure;

/// Checks cordon.toml and the rules, and packs them with each executable that `cargo lambda build --release` (or
/// `cargo build --release`) has built.
#[derive(Args)]
pub struct Arguments {
    /// The folder that holds cordon.toml and rules/.
    #[arg(default_value = ".")]
    root: PathBuf,
    /// The folder of the executables: target/lambda, or target/release with --plain.
    #[arg(long, default_value = "target/lambda", value_name = "DIR")]
    bootstraps: PathBuf,
    /// Expect executables that are named after the functions, as `cargo build` writes them.
    #[arg(long)]
    plain: bool,
    /// The processor that they were built for.
    #[arg(long, value_enum, default_value_t = Processor::Arm64)]
    architecture: Processor,
    /// The folder to write the zips and manifest.json to.
    #[arg(long, default_value = "dist", value_name = "DIR")]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Processor {
    Arm64,
    #[value(name = "x86_64")]
    X86_64,
}

/// Packs the functions.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let config = arguments.root.join("cordon.toml");
    let sources = read_rules(&arguments.root.join("rules"))?;
    let bundle = Bundle::of(read_config_file(&config)?, sources.clone(), &deployment_name())?;
    let failures = cordon_detect::check_cases(bundle.book());
    if !failures.is_empty() {
        return Err(RulesError::Cases(failures).into());
    }
    let bootstraps = if arguments.plain {
        PackageOptions::cargo(&arguments.bootstraps)
    } else {
        PackageOptions::cargo_lambda(&arguments.bootstraps)
    };
    let options = PackageOptions {
        bootstraps,
        config,
        rules: rule::pack(&sources)?,
        out: arguments.out.clone(),
        architecture: match arguments.architecture {
            Processor::Arm64 => Architecture::Arm64,
            Processor::X86_64 => Architecture::X86_64,
        },
        event_patterns: cordon_detect::event_patterns(bundle.book()),
    };
    let manifest = package(&options)?;
    println!(
        "Packed {} functions into `{}`. Pass that folder to Terraform as `artifacts`.",
        manifest.functions.len(),
        arguments.out.display()
    );
    Ok(ExitCode::SUCCESS)
}
