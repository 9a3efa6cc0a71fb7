//! `cordon replay`: what the rules would have found in existing logs, and how Cordon would have answered.

use std::io::{self, IsTerminal as _, Write as _};
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use cordon_bundle::{ReadError, read_config};
use cordon_core::config::Mode;
use cordon_core::{Config, RuleId};
use cordon_record::text::visible;
use cordon_replay::{Inputs, MAX_LEDGER_BYTES, Options, Output, Replay, Source, Totals, Unreadable};
use indicatif::{ProgressBar, ProgressStyle};

use crate::commands::rule;
use crate::failure::Failure;

/// The policy that is used if it exists and none is named.
const CONFIG: &str = "cordon.toml";

/// Why nothing was replayed, or nothing printed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// `rules.disabled` names rules that `--rules` has not.
    #[error("`rules.disabled` names rules that `{}` does not have: `{}`; name another policy with --config", folder.display(), ids(.rules))]
    Disabled {
        /// The folder of rule files.
        folder: PathBuf,
        /// The names.
        rules: Vec<RuleId>,
    },
    /// A replay of nothing must not look like one that found nothing.
    #[error("{0}")]
    Nothing(String),
    /// Standard output or error.
    #[error("cannot write the results")]
    Write(#[source] io::Error),
}

fn ids(rules: &[RuleId]) -> String {
    rules.iter().map(RuleId::as_str).collect::<Vec<_>>().join("`, `")
}

/// Changes nothing, and needs no access to AWS.
#[derive(Args)]
pub struct Arguments {
    /// Print a line of JSON for each matching event and each burst, and the summary to standard error.
    #[arg(long)]
    json: bool,
    /// The folder of rule files.
    #[arg(long, default_value = "rules", value_name = "DIR")]
    rules: PathBuf,
    /// The policy [default: cordon.toml in this folder, else the built-in policy].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Stop at the first unreadable record.
    #[arg(long)]
    strict: bool,
    /// How many files to read at once [default: the number of processors].
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,
    /// Log files, folders of logs, or `-` for standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// Replays the logs, and prints what was found.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let config = config(arguments)?;
    let disabled = &config.rules.disabled;
    let book = rule::load(&arguments.rules)?
        .without(disabled)
        .map_err(|rules| ReplayError::Disabled { folder: arguments.rules.clone(), rules })?;
    let replay = Replay::new(&book, &config);
    let inputs = Inputs::find(&arguments.paths);
    if inputs.sources.is_empty() {
        return Err(ReplayError::Nothing(nothing_to_read(&inputs)).into());
    }
    let threads = arguments.threads.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZero::<usize>::MIN);
    let options = Options { threads, lines: arguments.json, strict: arguments.strict };
    let bar = bar(&inputs);
    let mut terminal = Terminal { out: io::stdout(), bar: bar.clone() };
    let started = Instant::now();
    let read_bytes = AtomicU64::new(0);
    let totals = replay.run(&inputs, options, &mut terminal, &|bytes| {
        read_bytes.fetch_add(bytes, Ordering::Relaxed);
        bar.inc(bytes);
    });
    bar.finish_and_clear();
    let totals = match totals.and_then(|totals| terminal.out.flush().map(|()| totals)) {
        Ok(totals) => totals,
        // The reader, such as `head`, has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
        Err(error) => return Err(ReplayError::Write(error).into()),
    };
    let summary = Summary {
        replay: &replay,
        inputs: &inputs,
        totals: &totals,
        config: &config,
        read_bytes: &read_bytes,
        took: started.elapsed(),
    };
    let text = summary.text();
    let written = if arguments.json { io::stderr().write_all(text.as_bytes()) } else { terminal.out.write_all(text.as_bytes()) };
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(error) => return Err(ReplayError::Write(error).into()),
    }
    Ok(if totals.faults() == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Why there is nothing to read, and what to name instead.
fn nothing_to_read(inputs: &Inputs) -> String {
    match inputs.missing.first() {
        Some(missing) => visible(&missing.to_string()),
        None if inputs.digests > 0 => "there are only digest files, which hold no events; name the folder `CloudTrail` beside them".to_owned(),
        None => "there are no logs; in folders, only files ending in `.json`, `.jsonl` or `.ndjson`, with or without `.gz`, are read: name other files themselves".to_owned(),
    }
}

fn config(arguments: &Arguments) -> Result<Config, ReadError> {
    if let Some(named) = &arguments.config {
        return read_config(named);
    }
    match read_config(CONFIG.as_ref()) {
        Err(ReadError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(Config::default()),
        found => found,
    }
}

/// Shown on a terminal only.
fn bar(inputs: &Inputs) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = if inputs.sources.contains(&Source::Stdin) {
        (ProgressBar::new_spinner(), "{spinner} {bytes} read, {bytes_per_sec}, {elapsed}")
    } else {
        (ProgressBar::new(inputs.bytes), "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} to go")
    };
    // INVARIANT: both templates parse; else the plain bar is shown.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

struct Terminal {
    out: io::Stdout,
    bar: ProgressBar,
}

impl Output for Terminal {
    fn lines(&mut self, lines: &[u8]) -> io::Result<()> {
        self.out.write_all(lines)
    }

    fn unreadable(&mut self, unreadable: &Unreadable) {
        self.bar.suspend(|| eprintln!("cordon: {}", visible(&unreadable.to_string())));
    }

    fn and_more(&mut self, file: &str, faults: u64) {
        self.bar.suspend(|| eprintln!("cordon: {}: and {} more", visible(file), grouped(faults)));
    }
}

struct Summary<'a> {
    replay: &'a Replay<'a>,
    inputs: &'a Inputs,
    totals: &'a Totals,
    config: &'a Config,
    read_bytes: &'a AtomicU64,
    took: Duration,
}

impl Summary<'_> {
    fn text(&self) -> String {
        let mut parts = vec![self.read(), self.unreadable(), self.uncounted(), self.rules()];
        if self.totals.matches + self.totals.bursts + self.totals.policies_unknown > 0 {
            parts.extend([self.routes(), self.principals()]);
        }
        parts.retain(|part| !part.is_empty());
        parts.join("\n")
    }

    fn read(&self) -> String {
        let totals = self.totals;
        let files = if totals.files == 1 { "1 file".to_owned() } else { format!("{} files", grouped(totals.files)) };
        let read = self.read_bytes.load(Ordering::Relaxed) as f64 / 1e6;
        let (events, seconds) = (grouped(totals.events), self.took.as_secs_f64());
        let mut text = format!("{events} events read from {files} ({read:.1} MB) in {seconds:.1} s.\n");
        match self.replay.unfiltered() {
            [] => text += &format!("{} of them need no parsing: no rule can match them.\n", grouped(totals.unparsed)),
            rules => {
                let names: Vec<&str> = rules.iter().map(RuleId::as_str).collect();
                text += &format!("Every event was parsed, because these rules can match any: {}.\n", names.join(", "));
            }
        }
        if self.inputs.digests > 0 {
            text += &format!("{} digest files were left out: they hold no events.\n", grouped(self.inputs.digests));
        }
        text
    }

    fn unreadable(&self) -> String {
        let mut text = table("Could not be read", self.totals.unreadable.iter().map(|(kind, faults)| (*faults, *kind)));
        let unjudged = self.totals.undecidable.iter().map(|(reason, events)| (*events, reason.as_str()));
        text += &table("Would have been put to a person, because they cannot be judged", unjudged);
        text
    }

    fn uncounted(&self) -> String {
        let room = format!("are beyond the {} MiB that are kept of events to be counted", MAX_LEDGER_BYTES >> 20);
        let events = [(self.totals.uncounted, room.as_str()), (self.totals.untimed, "do not say when they were")];
        table("Events that were not counted, so that bursts may be missing", events.into_iter())
    }

    fn rules(&self) -> String {
        if self.totals.matches + self.totals.bursts == 0 {
            return "No rule matches any of them.\n".to_owned();
        }
        let mut rules: Vec<_> = self.totals.rules.iter().collect();
        rules.sort_by(|a, b| b.1.level.cmp(&a.1.level).then(b.1.events.cmp(&a.1.events)).then(a.0.cmp(b.0)));
        let width = rules.iter().map(|(id, _)| id.as_str().len()).max().unwrap_or_default();
        let bursts = match self.totals.bursts {
            0 => String::new(),
            1 => ", and 1 burst was counted".to_owned(),
            bursts => format!(", and {} bursts were counted", grouped(bursts)),
        };
        let mut text = format!("Rules match {} events{bursts}:\n", grouped(self.totals.matches));
        for (id, detected) in rules {
            let (level, title) = (detected.level.to_string(), visible(&detected.title));
            text += &format!("{:>12}  {level:<13}  {id:<width$}  {title}\n", grouped(detected.events), id = id.as_str());
        }
        text
    }

    fn routes(&self) -> String {
        let routes = self.totals.routes;
        let mode = match self.config.mode {
            Mode::DryRun => "dry run",
            Mode::Enforce => "enforce",
        };
        let now = [(routes.alerted, "alerted"), (routes.asked, "asked a person"), (routes.acted, "acted at once")];
        let mut text = table(&format!("What would have happened, in mode {mode}"), now.into_iter());
        if self.config.mode == Mode::DryRun {
            let enforced = [(routes.would_ask, "asked a person"), (routes.would_act, "acted at once")];
            text += &table("In mode enforce", enforced.into_iter());
        }
        let unknown = [
            (routes.exceptions_unknown, "whether an exception would have let them pass (tags and groups)"),
            (self.totals.policies_unknown, "what a policy grants that they only name (its document)"),
        ];
        text += &table("Not known, because it stands in IAM, which a replay does not read", unknown.into_iter());
        text
    }

    fn principals(&self) -> String {
        table("The noisiest principals", self.totals.noisiest().into_iter().map(|(name, findings)| (findings, name)))
    }
}

/// A heading and numbers below it, without those that are 0; nothing where there are none.
fn table<'a>(heading: &str, rows: impl Iterator<Item = (u64, &'a str)>) -> String {
    let rows: Vec<String> =
        rows.filter(|(n, _)| *n > 0).map(|(n, what)| format!("{:>12}  {}\n", grouped(n), visible(what))).collect();
    if rows.is_empty() { String::new() } else { format!("{heading}:\n{}", rows.concat()) }
}

/// A number with its thousands apart.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(["0", "999", "1,000", "1,234,567"], [0, 999, 1_000, 1_234_567].map(grouped).each_ref().map(String::as_str));
    }
}
