//! Output in the order of the files, from threads that read them in parallel.
//!
//! A file's output is written at once while it is the file's turn, and is kept otherwise. What is kept has a limit: beyond it a
//! thread waits until the files before its own are done. The thread whose turn it is never waits, so that the others get on.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::burst::{Counted, Ledger};
use crate::tally::Tally;
use crate::unreadable::Unreadable;

/// How much output of later files may wait.
const MAX_WAITING_BYTES: usize = 8 << 20;

/// Where results go.
pub trait Output: Send {
    /// Lines of JSON, each whole.
    ///
    /// # Errors
    /// Where they cannot be written; the replay then ends.
    fn lines(&mut self, lines: &[u8]) -> std::io::Result<()>;

    /// Something that could not be read.
    fn unreadable(&mut self, unreadable: &Unreadable);

    /// So much more of a file could not be read, of which no more is told.
    fn and_more(&mut self, file: &str, faults: u64);
}

/// A part of a file's results.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) lines: Vec<u8>,
    pub(crate) unreadable: Vec<Unreadable>,
    /// Faults beyond those that are told, when the file is done.
    pub(crate) untold: u64,
    pub(crate) file: String,
    /// What correlations count, with the records' numbers.
    counted: Vec<(u64, Counted)>,
    counted_bytes: usize,
}

impl Part {
    pub(crate) fn of(file: String) -> Self {
        Self { file, ..Self::default() }
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

/// A file's results when it is done.
#[derive(Debug)]
struct Done {
    part: Part,
    tally: Tally,
    /// Nothing behind this file counts.
    stop: bool,
}

impl Done {
    fn weight(&self) -> usize {
        self.part.weight() + self.tally.weight()
    }
}

/// What there is when all files are done.
pub(crate) struct Rest<'o> {
    pub(crate) output: &'o mut dyn Output,
    pub(crate) tally: Tally,
    pub(crate) ledger: Ledger,
}

pub(crate) struct Turns<'o> {
    state: Mutex<State<'o>>,
    moved: Condvar,
}

struct State<'o> {
    output: &'o mut dyn Output,
    /// The file whose turn it is.
    turn: usize,
    waiting: BTreeMap<usize, Done>,
    waiting_bytes: usize,
    tally: Tally,
    ledger: Ledger,
    stopped: bool,
    error: Option<std::io::Error>,
}

impl<'o> Turns<'o> {
    pub(crate) fn new(output: &'o mut dyn Output) -> Self {
        let state = State {
            output,
            turn: 0,
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            tally: Tally::default(),
            ledger: Ledger::default(),
            stopped: false,
            error: None,
        };
        Self { state: Mutex::new(state), moved: Condvar::new() }
    }

    // A thread that panicked leaves counters, no half-made structure.
    fn lock(&self) -> MutexGuard<'_, State<'o>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True where nothing more is wanted.
    pub(crate) fn stopped(&self) -> bool {
        self.lock().stopped
    }

    /// Writes a part of a file's results where it is its turn, or where so much is kept that it has to wait for it.
    pub(crate) fn offer(&self, file: usize, part: &mut Part, wait: bool) {
        let mut state = self.lock();
        if wait {
            state = self.wait(state, file);
        }
        if state.turn == file && !state.stopped {
            state.write(file, part);
        }
        if state.stopped {
            part.clear();
        }
    }

    /// Ends a file.
    pub(crate) fn done(&self, file: usize, part: Part, tally: Tally, stop: bool) {
        let done = Done { part, tally, stop };
        let weight = done.weight();
        let mut state = self.lock();
        if state.turn != file && state.waiting_bytes + weight > MAX_WAITING_BYTES {
            state = self.wait(state, file);
        }
        state.waiting_bytes += weight;
        state.waiting.insert(file, done);
        let turn = state.turn;
        while let Some(done) = state.next() {
            state.finish(done);
        }
        if state.turn != turn || state.stopped {
            self.moved.notify_all();
        }
    }

    fn wait<'g>(&'g self, state: MutexGuard<'g, State<'o>>, file: usize) -> MutexGuard<'g, State<'o>> {
        let waits = |state: &mut State<'_>| state.turn != file && !state.stopped;
        self.moved.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner)
    }

    /// # Errors
    /// That of the output.
    pub(crate) fn into_rest(self) -> std::io::Result<Rest<'o>> {
        let State { output, tally, ledger, error, .. } = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        error.map_or(Ok(Rest { output, tally, ledger }), Err)
    }
}

impl State<'_> {
    fn next(&mut self) -> Option<Done> {
        let done = self.waiting.remove(&self.turn)?;
        self.waiting_bytes = self.waiting_bytes.saturating_sub(done.weight());
        Some(done)
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
            self.ledger.note(file, record, counted);
        }
        part.clear();
    }

    fn finish(&mut self, mut done: Done) {
        let file = self.turn;
        self.turn += 1;
        if self.stopped {
            return;
        }
        self.write(file, &mut done.part);
        if done.part.untold > 0 {
            self.output.and_more(&done.part.file, done.part.untold);
        }
        self.tally.add(done.tally);
        self.stopped |= done.stop;
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

    fn one_file() -> Tally {
        let mut tally = Tally::default();
        tally.files = 1;
        tally
    }

    #[test]
    fn whatever_ends_first_is_written_in_the_order_of_the_files() {
        let mut written = Written::default();
        let turns = Turns::new(&mut written);
        turns.done(2, part("c"), Tally::default(), false);
        turns.offer(1, &mut part("never"), false);
        turns.done(0, part("a"), Tally::default(), false);
        turns.offer(1, &mut part("b"), false);
        turns.done(1, part("B"), Tally::default(), false);
        turns.into_rest().unwrap();
        assert_eq!(written.0, b"abBc");
    }

    #[test]
    fn what_has_to_wait_goes_on_when_its_turn_comes() {
        let mut written = Written::default();
        let turns = Turns::new(&mut written);
        std::thread::scope(|scope| {
            scope.spawn(|| turns.offer(1, &mut part("b"), true));
            turns.done(0, part("a"), Tally::default(), false);
        });
        turns.into_rest().unwrap();
        assert_eq!(written.0, b"ab");
    }

    #[test]
    fn a_file_that_stops_ends_the_output_and_so_does_a_closed_one() {
        let mut written = Written::default();
        let turns = Turns::new(&mut written);
        turns.done(1, part("b"), one_file(), true);
        turns.done(2, part("c"), one_file(), false);
        assert!(!turns.stopped());
        turns.done(0, part("a"), one_file(), false);
        assert!(turns.stopped());
        assert_eq!(turns.into_rest().unwrap().tally.files, 2);
        assert_eq!(written.0, b"ab");

        let mut written = Written::default();
        let turns = Turns::new(&mut written);
        turns.done(0, part("!"), Tally::default(), false);
        assert!(turns.stopped());
        assert!(turns.into_rest().is_err());
    }
}
