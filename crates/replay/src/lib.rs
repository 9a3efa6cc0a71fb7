//! Replay: the production detection over CloudTrail logs as they lie in S3, at about the speed of reading them.
//!
//! Decides which records of a log the rules match and what would have been done about them, with the very rule book and decision
//! that the deployed functions use. It changes nothing, asks nobody, and reads nothing but the files it is given: what only IAM
//! could tell (exceptions, a policy that is merely named) is reported as not known.
//!
//! Most records of a log are ones that no rule can match, and most of the work is to know that without parsing them: `scan` goes
//! over the bytes, `sieve` tells from them and from the rules whether a record has to be
//! parsed. INVARIANT: what is passed over changes nothing but the time that it takes. Memory is bounded by
//! [`MAX_MEMORY_BYTES`], [`MAX_NOTED_BYTES`] and [`MAX_RECORD_BYTES`], however large the files are.

mod burst;
mod input;
mod judge;
mod outline;
mod sieve;
mod source;
mod split;
mod tally;
mod turn;
mod unreadable;

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use cordon_core::{Config, RuleId};
use cordon_detect::RuleBook;
use cordon_json_scan::{FoundKey, Scanner};
use serde_json::{Value, json};

pub use burst::MAX_NOTED_BYTES;
pub use cordon_json_scan::{Level, levels};
pub use input::{Inputs, Source};
pub use tally::{Detected, Routes, Tally};
pub use turn::Output;
pub use unreadable::{Fault, Place, Unreadable};

use judge::{Counting, Finding, Judged, Read};
use outline::{Index, Outliner};
use sieve::{Familiar, Sieve, Sifted};
use source::Reader;
use split::{Flow, Splitter, Take};
use turn::{Part, Rest, Turns};

/// The longest record that is read. CloudTrail's are at most 256 KB, EventBridge carries at most 1 MB.
pub const MAX_RECORD_BYTES: usize = 4 << 20;
/// What all threads together may hold of files and their texts.
pub const MAX_MEMORY_BYTES: usize = 56 << 20;
/// More threads than this would each have too little of it.
pub const MAX_THREADS: usize = 8;
/// So many faults of a file are told one by one, beside those that end it.
const MAX_TOLD: u64 = 20;
/// So much of a file's output is gathered before it is offered, and before it has to be taken.
const OFFER_BYTES: usize = 64 << 10;
const MAX_PART_BYTES: usize = 1 << 20;

/// How a replay runs.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub threads: NonZero<usize>,
    /// Whether a line of JSON is written for every finding.
    pub lines: bool,
    /// Ends with the first thing that cannot be read.
    pub strict: bool,
}

/// A rule book and a configuration, made ready for logs.
#[derive(Debug)]
pub struct Replay<'b> {
    book: &'b RuleBook,
    config: &'b Config,
    sieve: Sieve,
    index: Index,
    level: Level,
    parse_all: bool,
}

impl<'b> Replay<'b> {
    #[must_use]
    pub fn new(book: &'b RuleBook, config: &'b Config) -> Self {
        let sieve = Sieve::new(book);
        let parse_all = !sieve.unserved().is_empty();
        Self { book, config, sieve, index: Index::new(book), level: Level::new(), parse_all }
    }

    /// The same without passing over anything: what the fast way is held against.
    #[must_use]
    pub fn parse_all(self) -> Self {
        Self { parse_all: true, ..self }
    }

    /// The same with an instruction set that is not the best one of this machine, for tests and measurements.
    #[must_use]
    pub fn with_level(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// The rules that can match records of which only a parse can tell. Where there are any, every record is parsed.
    #[must_use]
    pub fn unserved(&self) -> &[RuleId] {
        self.sieve.unserved()
    }

    /// Reads everything. `progress` is told, from any thread, what was read from the disk.
    ///
    /// # Errors
    /// That of the output. What cannot be read is no error: it is reported and counted.
    pub fn run(
        &self,
        inputs: &Inputs,
        options: Options,
        output: &mut dyn Output,
        progress: &(dyn Fn(u64) + Sync),
    ) -> std::io::Result<Tally> {
        let mut missing = Tally::default();
        for unreadable in &inputs.missing {
            output.unreadable(unreadable);
            missing.fault(&unreadable.fault);
            if options.strict {
                return Ok(missing);
            }
        }
        let threads = options.threads.get().min(MAX_THREADS).min(inputs.sources.len().max(1));
        let turns = Turns::new(output);
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            let work = || self.work(inputs, options, MAX_MEMORY_BYTES / threads, &next, &turns, progress);
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
        let mut rest = turns.into_rest()?;
        rest.tally.add(missing);
        self.tell_bursts(rest, inputs, options)
    }

    /// Counts what the files had to be counted, now that all of it is there.
    fn tell_bursts(&self, rest: Rest<'_>, inputs: &Inputs, options: Options) -> std::io::Result<Tally> {
        let Rest { output, mut tally, ledger } = rest;
        tally.uncounted = ledger.left_out();
        let mut lines = Vec::new();
        for burst in ledger.bursts(self.book, &inputs.sources) {
            let time = burst.at.to_string();
            let finding = judge::burst(&burst, &time, self.config);
            tally.burst(&finding);
            if options.lines {
                let file = inputs.sources.get(burst.file).map(Source::name).unwrap_or_default();
                finding.write_line(&file, burst.record, &mut lines);
                output.lines(&lines)?;
                lines.clear();
            }
        }
        if options.lines && tally.untimed + tally.uncounted > 0 {
            let line = json!({"not_counted": {"too_many": tally.uncounted, "without_time": tally.untimed}});
            output.lines(format!("{line}\n").as_bytes())?;
        }
        Ok(tally)
    }

    /// Reads files until there are no more, in the order in which they are listed.
    fn work(
        &self,
        inputs: &Inputs,
        options: Options,
        share: usize,
        next: &AtomicUsize,
        turns: &Turns<'_>,
        progress: &dyn Fn(u64),
    ) {
        let mut reader = Reader::new(share);
        let mut splitter = Splitter::new(Scanner::with_level(self.sieve.keys(), self.level));
        let scratch = Scratch { familiar: Familiar::new(), outliner: Outliner::new(&self.index, self.level), among: Vec::new() };
        let mut scratch = Some(Box::new(scratch));
        loop {
            let file = next.fetch_add(1, Ordering::Relaxed);
            let Some(source) = inputs.sources.get(file).filter(|_| !turns.stopped()) else { return };
            let part = Part::of(source.name());
            let tally = Tally::default();
            let mut judge = Judge { replay: self, options, turns, file, part, tally, stop: false, scratch };
            // Why it broke off is known: `stop` says so, or the turns, where nothing more can be written.
            let _ = reader.read(source, &mut splitter, &mut judge, progress);
            let Judge { part, mut tally, stop, .. } = judge;
            scratch = judge.scratch;
            tally.files = 1;
            turns.done(file, part, tally, stop);
        }
    }
}

/// What is used for one record after the other.
struct Scratch<'r> {
    familiar: Familiar,
    outliner: Outliner<'r>,
    /// The rules that can match the record at hand.
    among: Vec<usize>,
}

/// Judges the records of one file.
struct Judge<'r, 'o> {
    replay: &'r Replay<'r>,
    options: Options,
    turns: &'r Turns<'o>,
    file: usize,
    part: Part,
    tally: Tally,
    stop: bool,
    /// Taken out while a record is judged.
    scratch: Option<Box<Scratch<'r>>>,
}

impl Judge<'_, '_> {
    fn parsed(&mut self, value: Value, place: Place) -> Flow {
        match judge::read(value) {
            Read::Neither(what) => self.unreadable(Some(place), Fault::NoRecord(what)),
            Read::Records(records) => {
                for (record, value) in (place.record..).zip(records) {
                    self.parsed(value, Place { record, ..place })?;
                }
                Flow::Continue(())
            }
            Read::Event(envelope) => self.judged(judge::judge(&envelope, self.replay.book, self.replay.config), place),
        }
    }

    fn judged(&mut self, judged: Judged<'_>, place: Place) -> Flow {
        self.tally.events += 1;
        self.tally.policies_unknown += u64::from(judged.policy_unknown);
        if let Some(reason) = judged.unjudged {
            *self.tally.unjudged.entry(reason).or_default() += 1;
        }
        if let Some(finding) = judged.finding {
            self.found(&finding, place);
        }
        match judged.counting {
            Counting::Nothing => {}
            Counting::Untimed => self.tally.untimed += 1,
            Counting::Counted(counted) => self.part.count(place.record, *counted),
        }
        self.offer()
    }

    fn found(&mut self, finding: &Finding<'_>, place: Place) {
        self.tally.finding(finding);
        if self.options.lines {
            finding.write_line(&self.part.file, place.record, &mut self.part.lines);
        }
    }

    /// Hands over what was gathered, where it is much.
    fn offer(&mut self) -> Flow {
        if self.part.weight() >= OFFER_BYTES {
            let must = self.part.weight() >= MAX_PART_BYTES;
            self.turns.offer(self.file, &mut self.part, must);
            if self.turns.stopped() {
                return Flow::Break(());
            }
        }
        Flow::Continue(())
    }
}

impl Take for Judge<'_, '_> {
    fn value(&mut self, value: &[u8], keys: Option<&[FoundKey]>, place: Place) -> Flow {
        let Replay { sieve, book, config, parse_all, .. } = self.replay;
        if let Some(keys) = keys.filter(|_| !parse_all)
            && let Some(mut scratch) = self.scratch.take()
        {
            let Scratch { familiar, outliner, among } = &mut *scratch;
            let flow = match sieve.sift(value, keys, familiar, among) {
                Sifted::PassedOver => {
                    self.tally.events += 1;
                    self.tally.passed_over += 1;
                    Some(Flow::Continue(()))
                }
                Sifted::Among => outliner
                    .outline(value)
                    .and_then(|record| Some(self.judged(judge::judge_outline(&record, book, config, among)?, place))),
                Sifted::Unknown => None,
            };
            self.scratch = Some(scratch);
            if let Some(flow) = flow {
                return flow;
            }
        }
        match serde_json::from_slice(value) {
            Ok(value) => self.parsed(value, place),
            Err(error) => self.unreadable(Some(place), Fault::NotJson(error.to_string())),
        }
    }

    fn unreadable(&mut self, place: Option<Place>, fault: Fault) -> Flow {
        self.tally.fault(&fault);
        if self.tally.faults() <= MAX_TOLD || fault.ends_file() {
            self.part.unreadable.push(Unreadable { file: self.part.file.clone(), place, fault });
        } else {
            self.part.untold += 1;
        }
        if self.options.strict {
            self.stop = true;
            return Flow::Break(());
        }
        Flow::Continue(())
    }
}
