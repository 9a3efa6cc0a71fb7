//! Replay: the production detection over CloudTrail logs as they lie in S3.
//!
//! Decides which events of a log the rules match and what would have been done about them, by the rule book and the decision of the
//! deployed functions. It changes nothing, asks nobody, and reads nothing but the files that it is given. Exceptions, and policies
//! that an event only names, stand in IAM: what depends on them is reported as not known.
//!
//! No rule can match most records of a log, and most of the work is to find that out without parsing them: `cordon-json-scan` proves
//! that a record is JSON and finds a few keys, and `prefilter` compares the texts of these keys with what the rules require.
//! INVARIANT: the results are those of parsing every record; only the time differs. Memory is bounded by [`MAX_MEMORY_BYTES`],
//! [`MAX_LEDGER_BYTES`] and [`MAX_RECORD_BYTES`], however large the files are.

mod burst;
mod evaluate;
mod file;
mod input;
mod lazy;
mod ordered;
mod prefilter;
mod reader;
mod split;
mod totals;
mod unreadable;

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use cordon_core::{Config, RuleId};
use cordon_detect::RuleBook;
use cordon_json_scan::Scanner;
use serde_json::json;

pub use burst::MAX_LEDGER_BYTES;
pub use cordon_json_scan::{Level, levels};
pub use input::{Inputs, Source};
pub use ordered::Output;
pub use totals::{Detected, Routes, Totals};
pub use unreadable::{Fault, Place, Unreadable};

use evaluate::LineParts;
use file::{FileReplay, Scratch};
use lazy::{FieldFinder, FieldIndex};
use ordered::{Finished, OrderedOutput, Part};
use prefilter::{Misses, Prefilter};
use reader::Reader;
use split::Splitter;

/// The longest record that is read. CloudTrail's are at most 256 KB, EventBridge carries at most 1 MB.
pub const MAX_RECORD_BYTES: usize = 4 << 20;
/// How much memory all threads together may use for files and their decompressed text.
pub const MAX_MEMORY_BYTES: usize = 56 << 20;
/// With more threads, each would have too little memory.
pub const MAX_THREADS: usize = 8;
/// How a replay runs.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How many files are read at once, up to [`MAX_THREADS`].
    pub threads: NonZero<usize>,
    /// Writes a line of JSON for every matched event and every burst.
    pub lines: bool,
    /// Ends at the first thing that cannot be read.
    pub strict: bool,
}

/// A rule book and a configuration, prepared for logs.
#[derive(Debug)]
pub struct Replay<'b> {
    book: &'b RuleBook,
    config: &'b Config,
    prefilter: Prefilter,
    index: FieldIndex,
    level: Level,
    parse_all: bool,
}

impl<'b> Replay<'b> {
    /// Prepares a prefilter from the rules.
    #[must_use]
    pub fn new(book: &'b RuleBook, config: &'b Config) -> Self {
        let prefilter = Prefilter::new(book);
        let parse_all = !prefilter.unfiltered().is_empty();
        Self { book, config, prefilter, index: FieldIndex::new(book), level: Level::new(), parse_all }
    }

    /// The same replay without a prefilter, for tests and measurements: every record is parsed.
    #[must_use]
    pub fn parse_all(self) -> Self {
        Self { parse_all: true, ..self }
    }

    /// The same replay with another instruction set than the best one of this machine, for tests and measurements.
    #[must_use]
    pub fn with_level(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// The rules that the prefilter cannot judge. If there are any, every record is parsed.
    #[must_use]
    pub fn unfiltered(&self) -> &[RuleId] {
        self.prefilter.unfiltered()
    }

    /// Reads all inputs. `progress` is called, from any thread, with the number of bytes that were read from a file.
    ///
    /// # Errors
    /// An error of the output. What cannot be read is reported to the output and counted, and is no error.
    pub fn run(
        &self,
        inputs: &Inputs,
        options: Options,
        output: &mut dyn Output,
        progress: &(dyn Fn(u64) + Sync),
    ) -> std::io::Result<Totals> {
        let mut missing = Totals::default();
        for unreadable in &inputs.missing {
            output.unreadable(unreadable);
            missing.add_fault(&unreadable.fault);
            if options.strict {
                return Ok(missing);
            }
        }
        let threads = options.threads.get().min(MAX_THREADS).min(inputs.sources.len().max(1));
        let output = OrderedOutput::new(output);
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            let work = || self.work(inputs, options, MAX_MEMORY_BYTES / threads, &next, &output, progress);
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
        let mut finished = output.into_finished()?;
        finished.totals.add(missing);
        self.report_bursts(finished, inputs, options)
    }

    /// Counts the bursts, now that all events are there, and reports them.
    fn report_bursts(&self, finished: Finished<'_>, inputs: &Inputs, options: Options) -> std::io::Result<Totals> {
        let Finished { output, mut totals, ledger } = finished;
        totals.uncounted = ledger.left_out();
        let mut lines = Vec::new();
        for burst in ledger.bursts(self.book, &inputs.sources) {
            let time = burst.at.to_string();
            let matched = evaluate::burst(&burst, &time, self.config);
            totals.add_burst(&matched);
            if options.lines {
                let file = inputs.sources.get(burst.file).map(Source::name).unwrap_or_default();
                matched.write_line(&mut LineParts::of(&file), burst.record, &mut lines);
                output.lines(&lines)?;
                lines.clear();
            }
        }
        if options.lines && totals.untimed + totals.uncounted > 0 {
            let line = json!({"not_counted": {"too_many": totals.uncounted, "without_time": totals.untimed}});
            output.lines(format!("{line}\n").as_bytes())?;
        }
        Ok(totals)
    }

    /// Reads files until there are no more, in the order in which they are listed. `share`: how much memory this thread may use.
    fn work(
        &self,
        inputs: &Inputs,
        options: Options,
        share: usize,
        next: &AtomicUsize,
        output: &OrderedOutput<'_>,
        progress: &dyn Fn(u64),
    ) {
        let mut reader = Reader::new(share);
        let mut splitter = Splitter::new(Scanner::with_level(self.prefilter.keys(), self.level));
        let scratch =
            Scratch { misses: Misses::new(), finder: FieldFinder::new(&self.index, self.level), candidates: Vec::new() };
        let mut scratch = Some(Box::new(scratch));
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(source) = inputs.sources.get(number).filter(|_| !output.stopped()) else { return };
            let mut file = FileReplay {
                replay: self,
                options,
                output,
                number,
                part: Part::of(source.name()),
                totals: Totals::default(),
                stop: false,
                scratch,
            };
            // Breaking off needs no handling here: `stop` says so, or the output has failed.
            let _ = reader.read(source, &mut splitter, &mut file, progress);
            let FileReplay { part, mut totals, stop, .. } = file;
            scratch = file.scratch;
            totals.files = 1;
            output.finish(number, part, totals, stop);
        }
    }
}
