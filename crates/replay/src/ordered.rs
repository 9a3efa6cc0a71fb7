//! Output in the order of the files, from threads that read them in parallel.
//!
//! The output of the current file is written at once; that of later files is kept. There is a limit to what is kept: beyond it, a
//! thread waits until the files before its own are finished. The thread of the current file never waits, so the others go on.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::burst::{Counted, Ledger};
use crate::evaluate::LineParts;
use crate::totals::Totals;
use crate::unreadable::Unreadable;

/// How much output of later files is kept.
const MAX_WAITING_BYTES: usize = 8 << 20;

/// Receives the results of a replay.
pub trait Output: Send {
    /// Whole lines of JSON.
    ///
    /// # Errors
    /// If they cannot be written. The replay then ends.
    fn lines(&mut self, lines: &[u8]) -> std::io::Result<()>;

    /// Something that could not be read.
    fn unreadable(&mut self, unreadable: &Unreadable);

    /// How many more faults a file has that are not reported one by one.
    fn and_more(&mut self, file: &str, faults: u64);
}

/// A part of a file's results.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) lines: Vec<u8>,
    pub(crate) unreadable: Vec<Unreadable>,
    /// How many more faults there are, once the file is finished.
    pub(crate) unreported_faults: u64,
    pub(crate) file: String,
    pub(crate) line_parts: LineParts,
    /// The events that correlations count, with the numbers of their records.
    counted: Vec<(u64, Counted)>,
    counted_bytes: usize,
}

impl Part {
    pub(crate) fn of(file: String) -> Self {
        Self { line_parts: LineParts::of(&file), file, ..Self::default() }
    }

    pub(crate) fn count(&mut self, record: u64, counted: Counted) {
        self.counted_bytes += counted.weight();
        self.counted.push((record, counted));
    }

    /// Roughly how much memory it takes.
    pub(crate) fn weight(&self) -> usize {
        self.lines.len() + self.counted_bytes
    }

    fn clear(&mut self) {
        self.lines.clear();
        self.unreadable.clear();
        self.counted.clear();
        self.counted_bytes = 0;
    }
}

/// The results of a file when it is finished.
#[derive(Debug)]
struct FileResult {
    part: Part,
    totals: Totals,
    /// The replay ends with this file.
    stop: bool,
}

impl FileResult {
    fn weight(&self) -> usize {
        self.part.weight() + self.totals.weight()
    }
}

/// The results when all files are finished.
pub(crate) struct Finished<'o> {
    pub(crate) output: &'o mut dyn Output,
    pub(crate) totals: Totals,
    pub(crate) ledger: Ledger,
}

pub(crate) struct OrderedOutput<'o> {
    state: Mutex<State<'o>>,
    next_file: Condvar,
}

struct State<'o> {
    output: &'o mut dyn Output,
    /// The first file that is not finished.
    current: usize,
    waiting: BTreeMap<usize, FileResult>,
    waiting_bytes: usize,
    totals: Totals,
    ledger: Ledger,
    stopped: bool,
    error: Option<std::io::Error>,
}

impl<'o> OrderedOutput<'o> {
    pub(crate) fn new(output: &'o mut dyn Output) -> Self {
        let state = State {
            output,
            current: 0,
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            totals: Totals::default(),
            ledger: Ledger::default(),
            stopped: false,
            error: None,
        };
        Self { state: Mutex::new(state), next_file: Condvar::new() }
    }

    // A thread that panicked leaves the counters in a consistent state.
    fn lock(&self) -> MutexGuard<'_, State<'o>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True once the replay ends early.
    pub(crate) fn stopped(&self) -> bool {
        self.lock().stopped
    }

    /// Writes a part of a file's output if it is the current file. `wait`: waits until it is.
    pub(crate) fn offer(&self, file: usize, part: &mut Part, wait: bool) {
        let mut state = self.lock();
        if wait {
            state = self.wait(state, file);
        }
        if state.current == file && !state.stopped {
            state.write(file, part);
        }
        if state.stopped {
            part.clear();
        }
    }

    /// Takes the rest of a file's output.
    pub(crate) fn finish(&self, file: usize, part: Part, totals: Totals, stop: bool) {
        let result = FileResult { part, totals, stop };
        let weight = result.weight();
        let mut state = self.lock();
        if state.current != file && state.waiting_bytes + weight > MAX_WAITING_BYTES {
            state = self.wait(state, file);
        }
        state.waiting_bytes += weight;
        state.waiting.insert(file, result);
        let current = state.current;
        while let Some(result) = state.next() {
            state.finish(result);
        }
        if state.current != current || state.stopped {
            self.next_file.notify_all();
        }
    }

    fn wait<'g>(&'g self, state: MutexGuard<'g, State<'o>>, file: usize) -> MutexGuard<'g, State<'o>> {
        let waits = |state: &mut State<'_>| state.current != file && !state.stopped;
        self.next_file.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner)
    }

    /// # Errors
    /// That of the output.
    pub(crate) fn into_finished(self) -> std::io::Result<Finished<'o>> {
        let State { output, totals, ledger, error, .. } = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        error.map_or(Ok(Finished { output, totals, ledger }), Err)
    }
}

impl State<'_> {
    fn next(&mut self) -> Option<FileResult> {
        let result = self.waiting.remove(&self.current)?;
        self.waiting_bytes = self.waiting_bytes.saturating_sub(result.weight());
        Some(result)
    }

    fn write(&mut self, file: usize, part: &mut Part) {
        if let Err(error) = self.output.lines(&part.lines) {
            self.stopped = true;
            self.error = Some(error);
        }
        for unreadable in part.unreadable.drain(..) {
            self.output.unreadable(&unreadable);
        }
        for (record, counted) in part.counted.drain(..) {
            self.ledger.add(file, record, counted);
        }
        part.clear();
    }

    fn finish(&mut self, mut result: FileResult) {
        let file = self.current;
        self.current += 1;
        if self.stopped {
            return;
        }
        self.write(file, &mut result.part);
        if result.part.unreported_faults > 0 {
            self.output.and_more(&result.part.file, result.part.unreported_faults);
        }
        self.totals.add(result.totals);
        self.stopped |= result.stop;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Written(Vec<u8>);

    impl Output for Written {
        fn lines(&mut self, lines: &[u8]) -> std::io::Result<()> {
            self.0.extend_from_slice(lines);
            if self.0.contains(&b'!') { Err(std::io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
        }
        fn unreadable(&mut self, _: &Unreadable) {}
        fn and_more(&mut self, _: &str, _: u64) {}
    }

    fn part(lines: &str) -> Part {
        Part { lines: lines.into(), ..Part::default() }
    }

    fn one_file() -> Totals {
        let mut totals = Totals::default();
        totals.files = 1;
        totals
    }

    #[test]
    fn whatever_ends_first_is_written_in_the_order_of_the_files() {
        let mut written = Written::default();
        let output = OrderedOutput::new(&mut written);
        output.finish(2, part("c"), Totals::default(), false);
        output.offer(1, &mut part("never"), false);
        output.finish(0, part("a"), Totals::default(), false);
        output.offer(1, &mut part("b"), false);
        output.finish(1, part("B"), Totals::default(), false);
        output.into_finished().unwrap();
        assert_eq!(written.0, b"abBc");
    }

    #[test]
    fn what_has_to_wait_goes_on_when_its_turn_comes() {
        let mut written = Written::default();
        let output = OrderedOutput::new(&mut written);
        std::thread::scope(|scope| {
            scope.spawn(|| output.offer(1, &mut part("b"), true));
            output.finish(0, part("a"), Totals::default(), false);
        });
        output.into_finished().unwrap();
        assert_eq!(written.0, b"ab");
    }

    #[test]
    fn a_file_that_stops_ends_the_output_and_so_does_a_closed_one() {
        let mut written = Written::default();
        let output = OrderedOutput::new(&mut written);
        output.finish(1, part("b"), one_file(), true);
        output.finish(2, part("c"), one_file(), false);
        assert!(!output.stopped());
        output.finish(0, part("a"), one_file(), false);
        assert!(output.stopped());
        assert_eq!(output.into_finished().unwrap().totals.files, 2);
        assert_eq!(written.0, b"ab");

        let mut written = Written::default();
        let output = OrderedOutput::new(&mut written);
        output.finish(0, part("!"), Totals::default(), false);
        assert!(output.stopped());
        assert!(output.into_finished().is_err());
    }
}
