//! Measures a replay on one core beside what bounds it: inflating the same files with libdeflate, and only reading the lines.
//!
//! `cargo run --release -p cordon-replay --example speed -- FOLDER RULES` on a folder that the example `traffic` made. Every
//! figure is the best of several runs, in megabytes of text a second.

use std::hint::black_box;
use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Instant;

use cordon_core::Config;
use cordon_detect::{RuleBook, RuleSource};
use cordon_replay::{Inputs, Options, Output, Replay, Source, Tally, Unreadable};

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

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(rules)) = (arguments.next(), arguments.next()) else {
        return Err("usage: speed FOLDER RULES".into());
    };
    let mut sources = Vec::new();
    collect(Path::new(&rules), &mut sources)?;
    let book = RuleBook::load(sources).map_err(|errors| format!("{errors:?}"))?;
    let config = Config::default();
    let replay = Replay::new(&book, &config);
    let lines = Inputs::find(&[Path::new(&folder).join("lines.jsonl")]);
    let logs = Inputs::find(&[Path::new(&folder).join("AWSLogs")]);
    let bytes = lines.bytes as f64;
    println!("{} rules, not served: {:?}", book.rules().len(), replay.unserved());

    if let Some(only) = arguments.next() {
        let inputs = if only == "gz" { &logs } else { &lines };
        println!("{:.0} MB/s", best(bytes, || run(&replay, inputs))?);
        return Ok(());
    }
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
    let tally = run(&replay, &lines)?;
    println!("{} events, {} passed over, {} found", tally.events, tally.passed_over, tally.findings);
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

fn run(replay: &Replay<'_>, inputs: &Inputs) -> io::Result<Tally> {
    let options = Options { threads: NonZero::<usize>::MIN, lines: true, strict: false };
    replay.run(inputs, options, &mut Nowhere, &|_| {})
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
