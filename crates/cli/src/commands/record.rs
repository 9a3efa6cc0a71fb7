//! `cordon incident export` and `verify`: the record of an incident as a file, and the check of such a file without AWS.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use cordon_aws::SystemClock;
use cordon_core::timeline::Broken;
use cordon_flow::ports::Clock as _;
use cordon_record::text::visible;
use cordon_record::verify::{Fault, check};
use cordon_record::{IncidentReport, export as json, html, markdown};
use cordon_store::Store;

use crate::commands::incident::{Deployment, IncidentError, parse, table};
use crate::failure::Failure;

/// A long incident's export takes some hundred kilobytes.
const FILE_MAX_BYTES: u64 = 64 * 1024 * 1024;

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Markdown, for a wiki or a ticket.
    Md,
    /// JSON after the schema `cordon.incident.v1`, for `cordon incident verify`.
    Json,
    /// One page for a browser or a printer, without scripts and external resources.
    Html,
}

/// `cordon incident export`
#[derive(Args)]
pub struct Export {
    /// The id of the incident.
    id: String,
    #[command(flatten)]
    deployment: Deployment,
    /// The format of the record.
    #[arg(long, value_enum)]
    format: Format,
    /// Write to a new file instead of standard output. An existing file is never overwritten.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// `cordon incident verify`
#[derive(Args)]
pub struct Verify {
    /// A file of `cordon incident export --format json`; `-` for standard input.
    file: PathBuf,
    /// A hash from an SNS alert or a finding. The timeline has to contain it.
    #[arg(long, value_name = "HASH")]
    head: Option<String>,
}

/// Why a record was not exported, or is not proven.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The incident cannot be read.
    #[error(transparent)]
    Incident(#[from] IncidentError),
    /// The record was exported, and its chain of hashes is broken.
    #[error("the record was exported, but do not trust it: its chain of hashes is broken")]
    Broken(#[source] Broken),
    /// The file says something else than its timeline.
    #[error("NOT PROVEN: {}", visible(&.0.to_string()))]
    NotProven(Fault),
    /// The file is something else.
    #[error("`{}` is not an export of an incident: {reason}; name a file of `cordon incident export --format json`", path.display())]
    NotAnExport {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The file to write exists: an earlier export may be the only proof that there is.
    #[error("`{}` exists already; name another file, or move it away", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// `--head` is not a hash.
    #[error("`--head` takes a hash of 64 hexadecimal digits, such as a finding's `last_hash`")]
    NotAHash,
}

/// Reads the record of an incident.
pub async fn read(id: &str, deployment: &Deployment) -> Result<IncidentReport, IncidentError> {
    let id = parse(id)?;
    let (_, table) = table(deployment).await;
    Ok(cordon_flow::export::read(Store::new(&table), &id, SystemClock.now()).await?)
}

/// Exports a record.
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
        Err(broken) => Err(RecordError::Broken(broken).into()),
    }
}

fn write_new(path: &Path, text: &str) -> Result<(), RecordError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => RecordError::Exists { path: path.to_owned() },
        _ => RecordError::Write { path: path.to_owned(), source },
    };
    let mut file = fs::File::create_new(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

/// Checks an export.
pub fn verify(arguments: &Verify) -> Result<ExitCode, RecordError> {
    let text = read_file(&arguments.file)?;
    if let Some(head) = &arguments.head
        && (head.trim().len() != 64 || !head.trim().bytes().all(|b| b.is_ascii_hexdigit()))
    {
        return Err(RecordError::NotAHash);
    }
    match check(&text, arguments.head.as_deref()) {
        Ok(intact) => {
            println!("{}: the chain of hashes is intact.", intact.incident);
            println!("entries    {}", intact.entries);
            println!("last hash  {}", intact.last_hash);
            match intact.anchored_at {
                Some(seq) => println!("anchor     entry {seq} has the given hash: nothing up to it was changed since"),
                None => println!(
                    "anchor     none; with write access to the table, the whole record could have been replaced. Pass a kept hash with --head"
                ),
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(Fault::NotAnExport(reason)) => Err(RecordError::NotAnExport { path: arguments.file.clone(), reason }),
        Err(fault @ (Fault::Broken(_) | Fault::NotAnchored(_) | Fault::Contradiction { .. })) => {
            Err(RecordError::NotProven(fault))
        }
    }
}

fn read_file(path: &Path) -> Result<String, RecordError> {
    let failed = |source: io::Error| RecordError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    let read = if path == Path::new("-") {
        io::stdin().take(FILE_MAX_BYTES).read_to_string(&mut text)
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
        assert!(error.contains("exists already"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        fs::remove_file(&path).unwrap();
    }
}
