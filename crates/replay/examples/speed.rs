//! Measures a replay on one core beside its upper bounds: inflating the same files with libdeflate, and only reading the lines.
//!
//! `cargo run --release -p cordon-replay --example speed -- FOLDER RULES [--level LEVEL] [--only lines|gz|inflate] [--once]`, on a
//! folder that the example `traffic` made. A figure is the best of several runs, in megabytes of text a second. `--level` forces
//! an instruction set, such as `avx2` on a machine that also has AVX-512. `--once` runs once and writes the findings to standard
//! output, as `cordon replay --json --threads 1` does: for the processor time of a whole process.

use std::hint::black_box;
use std::io::{self, Write as _};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Instant;

use cordon_core::Config;
use cordon_detect::{RuleBook, RuleSource};
use cordon_replay::{Inputs, Level, Options, Output, Replay, Source, Totals, Unreadable, levels};

const RUNS: usize = 7;

struct Nowhere;

impl Output for Nowhere {
    fn lines(&mut self, lines: &[u8]) -> io::Result<()> {
        black_box(lines);
        Ok(())
    }
    fn unreadable(&mut self, unreadable: &Unreadable) {
        eprintln!("{unreadable}");
    }
    fn and_more(&mut self, _: &str, _: u64) {}
}

/// Writes the findings as the command does.
struct Stdout;

impl Output for Stdout {
    fn lines(&mut self, lines: &[u8]) -> io::Result<()> {
        io::stdout().write_all(lines)
    }
    fn unreadable(&mut self, unreadable: &Unreadable) {
        eprintln!("{unreadable}");
    }
    fn and_more(&mut self, _: &str, _: u64) {}
}

struct Arguments {
    folder: PathBuf,
    rules: PathBuf,
    level: Level,
    only: Option<String>,
    once: bool,
}

fn arguments() -> Option<Arguments> {
    let mut arguments = std::env::args().skip(1);
    let (folder, rules) = (arguments.next()?.into(), arguments.next()?.into());
    let mut parsed = Arguments { folder, rules, level: Level::new(), only: None, once: false };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--level" => {
                let wanted = arguments.next()?;
                let name = |level: &Level| format!("{level:?}").split('(').next().map(str::to_ascii_lowercase);
                parsed.level = levels().into_iter().find(|level| name(level).as_ref() == Some(&wanted))?;
            }
            "--only" => parsed.only = Some(arguments.next()?),
            "--once" => parsed.once = true,
            _ => return None,
        }
    }
    Some(parsed)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(Arguments { folder, rules, level, only, once }) = arguments() else {
        return Err(format!(
            "usage: speed FOLDER RULES [--level LEVEL] [--only lines|gz|inflate] [--once]; levels: {:?}",
            levels()
        )
        .into());
    };
    let mut sources = Vec::new();
    collect(&rules, &mut sources)?;
    let book = RuleBook::load(sources).map_err(|errors| format!("{errors:?}"))?;
    let config = Config::default();
    let replay = Replay::new(&book, &config).with_level(level);
    let lines = Inputs::find(&[folder.join("lines.jsonl")]);
    let logs = Inputs::find(&[folder.join("AWSLogs")]);
    let bytes = lines.bytes as f64;
    let inputs = if only.as_deref() == Some("gz") { &logs } else { &lines };
    if once {
        run_to(&replay, inputs, &mut Stdout)?;
        return Ok(());
    }
    if let Some(only) = only {
        let speed = if only == "inflate" { best(bytes, || inflate(&logs))? } else { best(bytes, || run(&replay, inputs))? };
        println!("{speed:.0} MB/s");
        return Ok(());
    }
    println!("{} rules, not prefiltered: {:?}; {level:?}", book.rules().len(), replay.unfiltered());
    let inflate = best(bytes, || inflate(&logs))?;
    let gz = best(bytes, || run(&replay, &logs))?;
    let plain = best(bytes, || run(&replay, &lines))?;
    let read = best(bytes, || only_read(&lines))?;
    println!("inflate only, libdeflate      {inflate:8.0} MB/s");
    println!("replay of .json.gz            {gz:8.0} MB/s   {:.0} % of inflating", 100.0 * gz / inflate);
    println!("read lines only               {read:8.0} MB/s");
    println!("replay of JSON Lines          {plain:8.0} MB/s");
    let all = Replay::new(&book, &config).parse_all();
    let parsed = best(bytes, || run(&all, &lines))?;
    println!("the same, all of it parsed    {parsed:8.0} MB/s");
    let totals = run(&replay, &lines)?;
    println!("{} events, {} not parsed, {} matched", totals.events, totals.unparsed, totals.matches);
    Ok(())
}

fn best<T>(bytes: f64, mut work: impl FnMut() -> io::Result<T>) -> io::Result<f64> {
    let mut best = f64::MAX;
    for _ in 0..RUNS {
        let started = Instant::now();
        black_box(work()?);
        best = best.min(started.elapsed().as_secs_f64());
    }
    Ok(bytes / 1e6 / best)
}

fn run(replay: &Replay<'_>, inputs: &Inputs) -> io::Result<Totals> {
    run_to(replay, inputs, &mut Nowhere)
}

fn run_to(replay: &Replay<'_>, inputs: &Inputs, output: &mut dyn Output) -> io::Result<Totals> {
    let options = Options { threads: NonZero::<usize>::MIN, lines: true, strict: false };
    replay.run(inputs, options, output, &|_| {})
}

/// Reads and inflates every file into the same memory, as a replay does.
fn inflate(inputs: &Inputs) -> io::Result<()> {
    let mut inflate = libdeflater::Decompressor::new();
    let mut text = vec![0; 32 << 20];
    for path in files(inputs) {
        let compressed = std::fs::read(path)?;
        black_box(inflate.gzip_decompress(&compressed, &mut text).map_err(io::Error::other)?);
    }
    Ok(())
}

fn only_read(inputs: &Inputs) -> io::Result<()> {
    let mut window = vec![0; 256 << 10];
    for path in files(inputs) {
        let mut file = std::fs::File::open(path)?;
        while io::Read::read(&mut file, &mut window)? > 0 {
            black_box(&window);
        }
    }
    Ok(())
}

fn files(inputs: &Inputs) -> impl Iterator<Item = &PathBuf> {
    inputs.sources.iter().filter_map(|source| match source {
        Source::File(path) => Some(path),
        Source::Stdin => None,
    })
}

fn collect(folder: &Path, sources: &mut Vec<RuleSource>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "yml") {
            sources.push(RuleSource::new(path.display().to_string(), std::fs::read_to_string(&path)?));
        }
    }
    Ok(())
}
