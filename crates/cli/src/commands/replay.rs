//! `cordon replay`: what the rules would have found in logs that are already there, and what would have followed.

use std::io::{self, IsTerminal as _, Write as _};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use cordon_core::Config;
use cordon_core::config::Mode;
use cordon_record::text::visible;
use cordon_replay::{Inputs, MAX_NOTED_BYTES, Options, Output, Replay, Source, Tally, Unreadable};
use indicatif::{ProgressBar, ProgressStyle};

use crate::commands::rule;
use crate::failure::Failure;

/// The configuration that is used where it is there and none is named.
const CONFIG: &str = "cordon.toml";

#[derive(Args)]
pub struct Arguments {
    /// Print a line of JSON for every event that rules match and every burst, and the summary to standard error.
    #[arg(long)]
    json: bool,
    #[arg(long, default_value = "rules", value_name = "DIR")]
    rules: PathBuf,
    /// The policy by which the route is decided; `cordon.toml` here, or else the default, where none is named.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Stop at the first thing that cannot be read.
    #[arg(long)]
    strict: bool,
    /// How many files are read at once; as many as there are processors where it is not given.
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,
    /// Files, folders with logs in them, or `-` for standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// # Errors
/// Where the rules or the configuration cannot be used, or nothing can be written.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let config = config(arguments.config.as_deref())?;
    let book = rule::load(&arguments.rules)?.without(&config.rules.disabled).map_err(|unknown| {
        let ids: Vec<&str> = unknown.iter().map(cordon_core::RuleId::as_str).collect();
        let ids = ids.join("`, `");
        Failure::Input(format!(
            "rules.disabled names no rule of `{}`: `{ids}`; name another file with --config",
            arguments.rules.display()
        ))
    })?;
    let replay = Replay::new(&book, &config);
    let inputs = Inputs::find(&arguments.paths);
    if inputs.sources.is_empty() {
        return Err(Failure::Input(nothing_to_read(&inputs)));
    }
    let threads = arguments.threads.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZero::<usize>::MIN);
    let options = Options { threads, lines: arguments.json, strict: arguments.strict };
    let bar = bar(&inputs);
    let mut terminal = Terminal { out: io::stdout(), bar: bar.clone() };
    let started = Instant::now();
    let read_bytes = AtomicU64::new(0);
    let tally = replay.run(&inputs, options, &mut terminal, &|bytes| {
        read_bytes.fetch_add(bytes, Ordering::Relaxed);
        bar.inc(bytes);
    });
    bar.finish_and_clear();
    let tally = match tally.and_then(|tally| terminal.out.flush().map(|()| tally)) {
        Ok(tally) => tally,
        // Whoever reads this has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
        Err(error) => return Err(Failure::Work(format!("the results cannot be written: {error}"))),
    };
    let summary = Summary {
        replay: &replay,
        inputs: &inputs,
        tally: &tally,
        config: &config,
        read_bytes: &read_bytes,
        took: started.elapsed(),
    };
    let text = summary.text();
    let written = if arguments.json { io::stderr().write_all(text.as_bytes()) } else { terminal.out.write_all(text.as_bytes()) };
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        Err(error) => return Err(Failure::Work(format!("the summary cannot be written: {error}"))),
    }
    Ok(if tally.faults() == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Why there is nothing to read: a replay of nothing must not look like one that found nothing.
fn nothing_to_read(inputs: &Inputs) -> String {
    match inputs.missing.first() {
        Some(missing) => visible(&missing.to_string()),
        None if inputs.digests > 0 => "only digests are there, which hold no events; name the folder beside them, `CloudTrail`".to_owned(),
        None => "no logs are there: in folders, files are read whose names end in `.json`, `.jsonl` or `.ndjson`, also with `.gz`; others have to be named".to_owned(),
    }
}

fn config(named: Option<&Path>) -> Result<Config, Failure> {
    let path = named.unwrap_or(Path::new(CONFIG));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => return Ok(Config::default()),
        Err(error) => return Err(Failure::Input(format!("`{}` cannot be read: {error}", path.display()))),
    };
    Config::parse(&path.display().to_string(), &text).map_err(|error| Failure::Input(error.to_string()))
}

/// Shown to people only, and not while nobody knows how much there is.
fn bar(inputs: &Inputs) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = if inputs.sources.contains(&Source::Stdin) {
        (ProgressBar::new_spinner(), "{spinner} {bytes} read, {bytes_per_sec}, {elapsed}")
    } else {
        (ProgressBar::new(inputs.bytes), "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} to go")
    };
    // A template that could not be parsed would leave the plain bar.
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
    tally: &'a Tally,
    config: &'a Config,
    read_bytes: &'a AtomicU64,
    took: Duration,
}

impl Summary<'_> {
    fn text(&self) -> String {
        let mut parts = vec![self.read(), self.unreadable(), self.uncounted(), self.rules()];
        if self.tally.findings + self.tally.bursts + self.tally.policies_unknown > 0 {
            parts.extend([self.routes(), self.principals()]);
        }
        parts.retain(|part| !part.is_empty());
        parts.join("\n")
    }

    fn read(&self) -> String {
        let tally = self.tally;
        let files = if tally.files == 1 { "1 file".to_owned() } else { format!("{} files", grouped(tally.files)) };
        let read = self.read_bytes.load(Ordering::Relaxed) as f64 / 1e6;
        let (events, seconds) = (grouped(tally.events), self.took.as_secs_f64());
        let mut text = format!("{events} events read from {files} ({read:.1} MB) in {seconds:.1} s.\n");
        match self.replay.unserved() {
            [] => text += &format!("{} of them need no parsing: no rule can match them.\n", grouped(tally.passed_over)),
            rules => {
                let names: Vec<&str> = rules.iter().map(cordon_core::RuleId::as_str).collect();
                text += &format!("Every event was parsed, because these rules can match any: {}.\n", names.join(", "));
            }
        }
        if self.inputs.digests > 0 {
            text += &format!("{} digest files were left out: they hold no events.\n", grouped(self.inputs.digests));
        }
        text
    }

    fn unreadable(&self) -> String {
        let mut text = table("Could not be read", self.tally.unreadable.iter().map(|(kind, faults)| (*faults, *kind)));
        let unjudged = self.tally.unjudged.iter().map(|(reason, events)| (*events, reason.as_str()));
        text += &table("Would have been put to a person, because they cannot be judged", unjudged);
        text
    }

    fn uncounted(&self) -> String {
        let room = format!("are beyond the {} MiB that are kept of events to be counted", MAX_NOTED_BYTES >> 20);
        let events = [(self.tally.uncounted, room.as_str()), (self.tally.untimed, "do not say when they were")];
        table("Events that were not counted, so that bursts may be missing", events.into_iter())
    }

    fn rules(&self) -> String {
        if self.tally.findings + self.tally.bursts == 0 {
            return "No rule matches any of them.\n".to_owned();
        }
        let mut rules: Vec<_> = self.tally.rules.iter().collect();
        rules.sort_by(|a, b| b.1.level.cmp(&a.1.level).then(b.1.events.cmp(&a.1.events)).then(a.0.cmp(b.0)));
        let width = rules.iter().map(|(id, _)| id.as_str().len()).max().unwrap_or_default();
        let bursts = match self.tally.bursts {
            0 => String::new(),
            1 => ", and 1 burst was counted".to_owned(),
            bursts => format!(", and {} bursts were counted", grouped(bursts)),
        };
        let mut text = format!("Rules match {} events{bursts}:\n", grouped(self.tally.findings));
        for (id, detected) in rules {
            let (level, title) = (detected.level.to_string(), visible(&detected.title));
            text += &format!("{:>12}  {level:<13}  {id:<width$}  {title}\n", grouped(detected.events), id = id.as_str());
        }
        text
    }

    fn routes(&self) -> String {
        let routes = self.tally.routes;
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
            (self.tally.policies_unknown, "what a policy grants that they only name (its document)"),
        ];
        text += &table("Not known, because it stands in IAM, which a replay does not read", unknown.into_iter());
        text
    }

    fn principals(&self) -> String {
        table("The noisiest principals", self.tally.noisiest().into_iter().map(|(name, findings)| (findings, name)))
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
