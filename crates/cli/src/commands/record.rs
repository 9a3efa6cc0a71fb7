//! `cordon incident export` and `verify`: the record of an incident as a file, and the proof of such a file without AWS.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use cordon_aws::SystemClock;
use cordon_flow::ports::Clock as _;
use cordon_record::verify::{Fault, check};
use cordon_record::{Record, export as json, html, markdown};
use cordon_store::Store;

use crate::commands::incident::{Deployment, parse, table};
use crate::failure::Failure;

/// An export of a long incident has some hundred kilobytes.
const FILE_MAX_BYTES: u64 = 64 * 1024 * 1024;

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For people, in a wiki or a ticket.
    Md,
    /// The schema `cordon.incident.v1`, which `cordon incident verify` checks.
    Json,
    /// One page for a browser or a printer, without scripts or anything from outside.
    Html,
}

#[derive(Args)]
pub struct Export {
    id: String,
    #[command(flatten)]
    deployment: Deployment,
    #[arg(long, value_enum)]
    format: Format,
    /// A file to write, in place of the screen. One that is there is never written over.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Args)]
pub struct Verify {
    /// A file of `cordon incident export --format json`; `-` for standard input.
    file: PathBuf,
    /// A hash that was kept elsewhere, from an SNS alert or a finding: the timeline has to contain it.
    #[arg(long, value_name = "HASH")]
    head: Option<String>,
}

/// Reads all that is kept of an incident.
pub async fn read(id: &str, deployment: &Deployment) -> Result<Record, Failure> {
    let id = parse(id)?;
    let (_, table) = table(deployment).await;
    Ok(cordon_flow::export::read(Store::new(&table), &id, SystemClock.now()).await?)
}

pub async fn export(arguments: Export) -> Result<ExitCode, Failure> {
    let record = read(&arguments.id, &arguments.deployment).await?;
    let text = match arguments.format {
        Format::Md => markdown::markdown(&record),
        Format::Html => html::html(&record),
        Format::Json => format!("{:#}\n", json::json(&record)),
    };
    match &arguments.output {
        None => print!("{text}"),
        Some(path) => write_new(path, &text)?,
    }
    match record.verify() {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(broken) => Err(Failure::Work(format!("the record was exported, and is not to be believed: {broken}"))),
    }
}

/// An earlier export may be the only proof that there is.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::Input(format!("`{}` is there already; name another file, or move it away", path.display()))
        }
        _ => Failure::Input(format!("`{}` cannot be written: {error}", path.display())),
    };
    let mut file = fs::File::create_new(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

pub fn verify(arguments: &Verify) -> Result<ExitCode, Failure> {
    let text = read_file(&arguments.file)?;
    if let Some(head) = &arguments.head
        && (head.trim().len() != 64 || !head.trim().bytes().all(|b| b.is_ascii_hexdigit()))
    {
        return Err(Failure::Input("`--head` takes a hash of 64 hexadecimal digits, such as a finding's `last_hash`".to_owned()));
    }
    match check(&text, arguments.head.as_deref()) {
        Ok(intact) => {
            println!("{}: the chain of hashes is intact.", intact.incident);
            println!("entries    {}", intact.entries);
            println!("last hash  {}", intact.last_hash);
            match intact.anchored_at {
                Some(seq) => println!("anchor     entry {seq} carries the given hash: up to it, nothing was changed since"),
                None => println!("anchor     none given: whoever could write to the table could have written all of it anew"),
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(Fault::NotAnExport(reason)) => {
            Err(Failure::Input(format!("`{}` is no export of an incident: {reason}", arguments.file.display())))
        }
        Err(fault @ (Fault::Broken(_) | Fault::NotAnchored(_) | Fault::Contradiction { .. })) => {
            Err(Failure::Work(format!("NOT PROVEN: {}", cordon_record::text::visible(&fault.to_string()))))
        }
    }
}

fn read_file(path: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::Input(format!("`{}` cannot be read: {error}", path.display()));
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(FILE_MAX_BYTES).read_to_string(&mut text)
    } else {
        fs::File::open(path).map_err(failed)?.take(FILE_MAX_BYTES).read_to_string(&mut text)
    };
    read.map_err(failed)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_never_writes_over_a_file() {
        let path = std::env::temp_dir().join(format!("cordon-export-{}.md", std::process::id()));
        write_new(&path, "first").unwrap();
        let error = write_new(&path, "second").unwrap_err().to_string();
        assert!(error.contains("is there already"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        fs::remove_file(&path).unwrap();
    }
}
