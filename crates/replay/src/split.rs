//! Splits the text of a file into records, window by window.
//!
//! A file holds CloudTrail's `{"Records": […]}`, one or several in a row, or a list of records, or lines of records or envelopes. A
//! line may hold several values, and a value may span several lines. A line that is not JSON is reported and skipped. A list that is
//! not JSON ends the file, because nothing tells where its next record begins.
//!
//! Never holds more than a window, and never passes a record on before it has seen its end.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use cordon_json_scan::{FoundKey, Scan, Scanner};
use serde::de::IgnoredAny;

use crate::MAX_RECORD_BYTES;
use crate::unreadable::{Fault, Place};

/// Whether to go on.
pub(crate) type Flow = ControlFlow<()>;

/// Receives the records of a file, and what could not be read.
pub(crate) trait RecordSink {
    /// A value. If keys are given, it is an object that is proven to be JSON, and these are all the wanted keys in it.
    fn value(&mut self, value: &[u8], keys: Option<&[FoundKey]>, place: Place) -> Flow;
    /// Something that cannot be read; without a place, the whole file.
    fn unreadable(&mut self, place: Option<Place>, fault: Fault) -> Flow;
}

#[derive(Debug)]
pub(crate) struct Splitter<'k> {
    scanner: Scanner<'k>,
    cursor: Cursor,
}

/// How far the splitter is in a file.
#[derive(Debug)]
struct Cursor {
    state: State,
    /// The next record's number in the file, from 0.
    record: u64,
    /// The line in which the window begins, from 1; `None` once lines are not counted any more.
    line: Option<u64>,
    /// The offset of the window in the file's text.
    base: u64,
    /// An object over several lines was too long or broken: from now on every line is a value.
    lines_only: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a value.
    Between,
    /// Before a record of a list, or before its end.
    List { inside_object: bool, comma: bool },
    /// Behind a record of a list.
    Listed { inside_object: bool },
    /// Behind a list, inside of the object that has it.
    Tail,
    /// In a record of a list, if the record is too long.
    Skip { inside_object: bool, brackets: Brackets },
    /// In a line that is too long.
    Overlong,
    /// The beginning of the next record cannot be found any more.
    Lost,
}

/// The state of a walk from bracket to bracket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Brackets {
    depth: u32,
    in_text: bool,
    escaped: bool,
}

/// A window, and how much of it is consumed.
#[derive(Debug, Clone, Copy)]
struct View<'w> {
    window: &'w [u8],
    done: usize,
}

impl<'w> View<'w> {
    fn rest(self) -> &'w [u8] {
        self.window.get(self.done..).unwrap_or_default()
    }
}

/// What a step came to.
enum Step {
    /// The window ends too early.
    More,
    /// So many bytes are consumed.
    Done(usize, Flow),
}

/// The beginning of a value.
enum Opening {
    /// The window ends too early.
    Unknown,
    /// A list of records, behind whose `len` bytes the first record may begin.
    List {
        len: usize,
        inside_object: bool,
    },
    Other,
}

impl<'k> Splitter<'k> {
    pub(crate) fn new(scanner: Scanner<'k>) -> Self {
        Self { scanner, cursor: Cursor::new() }
    }

    /// Starts a new file.
    pub(crate) fn restart(&mut self) {
        self.cursor = Cursor::new();
    }

    /// The place of the next record, if it begins at this offset of the window.
    pub(crate) fn place(&self, offset: usize) -> Place {
        self.cursor.place(offset)
    }

    /// Splits a window of the file's text and gives how much of it is consumed. The rest has to be at the beginning of the next window,
    /// which has to be longer if nothing was consumed. `last`: the file ends with this window.
    pub(crate) fn feed(&mut self, window: &[u8], last: bool, to: &mut impl RecordSink) -> (usize, Flow) {
        let mut done = 0;
        loop {
            let view = View { window, done };
            let rest = view.rest();
            let step = match self.cursor.state {
                _ if rest.is_empty() => Step::More,
                State::Between => self.between(view, last, to),
                State::List { inside_object, comma } => self.list(view, last, inside_object, comma, to),
                State::Listed { inside_object } => self.listed(rest, done, inside_object, to),
                State::Tail => self.tail(rest, done, last, to),
                State::Skip { inside_object, brackets } => go_on(self.skip(rest, inside_object, brackets)),
                State::Overlong => go_on(self.overlong(rest)),
                State::Lost => go_on(rest.len()),
            };
            let flow = match step {
                Step::Done(taken, flow) => {
                    done += taken;
                    flow
                }
                Step::More => {
                    self.cursor.base += done as u64;
                    return (done, if last { self.end(to) } else { Flow::Continue(()) });
                }
            };
            if flow.is_break() {
                return (done, flow);
            }
        }
    }

    fn end(&mut self, to: &mut impl RecordSink) -> Flow {
        match std::mem::replace(&mut self.cursor.state, State::Between) {
            State::List { .. } | State::Listed { .. } | State::Tail | State::Skip { .. } => {
                to.unreadable(Some(self.place(0)), Fault::Unfinished)
            }
            State::Between | State::Overlong | State::Lost => Flow::Continue(()),
        }
    }

    fn between(&mut self, view: View<'_>, last: bool, to: &mut impl RecordSink) -> Step {
        let (rest, done) = (view.rest(), view.done);
        let mark = if self.cursor.base + done as u64 == 0 && rest.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let gap = self.cursor.gap(rest) + mark;
        if gap > 0 {
            return go_on(gap);
        }
        match opening(rest, self.cursor.record == 0) {
            Opening::Unknown if !last && rest.len() <= MAX_RECORD_BYTES => Step::More,
            Opening::List { len, inside_object } => {
                self.cursor.line = None;
                self.cursor.state = State::List { inside_object, comma: false };
                go_on(len)
            }
            Opening::Unknown | Opening::Other => self.line(view, last, to),
        }
    }

    /// A line, or the first value of one that has several.
    fn line(&mut self, view: View<'_>, last: bool, to: &mut impl RecordSink) -> Step {
        let (rest, done) = (view.rest(), view.done);
        let end = match memchr::memchr(b'\n', rest) {
            Some(end) => end,
            None if last => rest.len(),
            None if rest.len() <= MAX_RECORD_BYTES => return Step::More,
            None => {
                self.cursor.state = State::Overlong;
                return Step::Done(rest.len(), self.cursor.fault(done, Fault::TooLong, to));
            }
        };
        let line = rest.get(..end).unwrap_or_default().trim_ascii_end();
        if line.len() > MAX_RECORD_BYTES {
            return Step::Done(end, self.cursor.fault(done, Fault::TooLong, to));
        }
        if line == b"{" && !self.cursor.lines_only {
            return self.over_lines(view, last, to);
        }
        if !line.starts_with(b"{") {
            return Step::Done(end, self.cursor.value(line, None, done, to));
        }
        let Self { scanner, cursor } = self;
        let Some((len, keys)) = extent(scanner.scan(line)) else { return Step::Done(end, cursor.value(line, None, done, to)) };
        let (value, behind) = line.split_at_checked(len).unwrap_or((line, &[]));
        let behind = behind.trim_ascii_start();
        if behind.is_empty() || behind.starts_with(b"{") {
            Step::Done(len, cursor.value(value, keys, done, to))
        } else {
            Step::Done(end, cursor.value(line, None, done, to))
        }
    }

    /// An object with nothing but its bracket in the first line.
    fn over_lines(&mut self, view: View<'_>, last: bool, to: &mut impl RecordSink) -> Step {
        let (rest, done) = (view.rest(), view.done);
        let Self { scanner, cursor } = self;
        match extent(scanner.scan(rest)) {
            Some((len, keys)) if len <= MAX_RECORD_BYTES => {
                let value = rest.get(..len).unwrap_or_default();
                let flow = cursor.value(value, keys, done, to);
                cursor.count_lines(value);
                Step::Done(len, flow)
            }
            None if !last && rest.len() <= MAX_RECORD_BYTES => Step::More,
            Some(_) | None => {
                cursor.lines_only = true;
                self.line(view, last, to)
            }
        }
    }

    fn list(&mut self, view: View<'_>, last: bool, inside_object: bool, comma: bool, to: &mut impl RecordSink) -> Step {
        let (rest, done) = (view.rest(), view.done);
        let gap = self.cursor.gap(rest);
        let value = rest.get(gap..).unwrap_or_default();
        let at = done + gap;
        let len = match value.first() {
            None => return go_on(gap),
            Some(b']') if !comma => {
                self.close(inside_object);
                return go_on(gap + 1);
            }
            Some(b'{' | b'[') => {
                let Self { scanner, cursor } = self;
                match extent(scanner.scan(value)) {
                    Some((len, keys)) => {
                        cursor.state = State::Listed { inside_object };
                        let bytes = value.get(..len).unwrap_or_default();
                        let flow = if len <= MAX_RECORD_BYTES {
                            cursor.value(bytes, keys.filter(|_| bytes.starts_with(b"{")), at, to)
                        } else {
                            cursor.fault(at, Fault::TooLong, to)
                        };
                        return Step::Done(gap + len, flow);
                    }
                    None => None,
                }
            }
            Some(_) => other_extent(value),
        };
        let Some(len) = len else {
            if value.len() > MAX_RECORD_BYTES && matches!(value, [b'{' | b'[', ..]) {
                self.cursor.state = State::Skip { inside_object, brackets: Brackets::default() };
                return Step::Done(gap, self.cursor.fault(at, Fault::TooLong, to));
            }
            if !last && value.len() <= MAX_RECORD_BYTES {
                return Step::More;
            }
            self.cursor.state = State::Lost;
            let fault = if last { Fault::Unfinished } else { Fault::TooLong };
            return Step::Done(rest.len(), self.cursor.fault(at, fault, to));
        };
        self.cursor.state = State::Listed { inside_object };
        Step::Done(gap + len, self.cursor.value(value.get(..len).unwrap_or_default(), None, at, to))
    }

    fn listed(&mut self, rest: &[u8], done: usize, inside_object: bool, to: &mut impl RecordSink) -> Step {
        let gap = self.cursor.gap(rest);
        match rest.get(gap) {
            None => go_on(gap),
            Some(b',') => {
                self.cursor.state = State::List { inside_object, comma: true };
                go_on(gap + 1)
            }
            Some(b']') => {
                self.close(inside_object);
                go_on(gap + 1)
            }
            Some(_) => {
                self.cursor.state = State::Lost;
                Step::Done(rest.len(), self.cursor.fault(done + gap, Fault::NoSeparator, to))
            }
        }
    }

    fn close(&mut self, inside_object: bool) {
        self.cursor.state = if inside_object { State::Tail } else { State::Between };
    }

    /// The other members of a list's object. There must be no second `Records`: a parser would take that one instead.
    fn tail(&mut self, rest: &[u8], done: usize, last: bool, to: &mut impl RecordSink) -> Step {
        let gap = self.cursor.gap(rest);
        let tail = rest.get(gap..).unwrap_or_default();
        let end = Brackets { depth: 1, ..Brackets::default() }.over(tail);
        let fault = match (tail.first(), end) {
            (None, _) => return go_on(gap),
            (Some(b'}'), _) => None,
            (Some(b','), Some(end)) => {
                let object = [b"{", tail.get(1..end).unwrap_or_default()].concat();
                match serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(&object) {
                    Ok(fields) if !fields.contains_key("Records") => None,
                    Ok(_) => Some(Fault::NoRecord("has a second list of records behind the one that was read")),
                    Err(error) => Some(Fault::NotJson(format!("{error}, counted from the end of the list of records"))),
                }
            }
            (Some(b','), None) if tail.len() > MAX_RECORD_BYTES => {
                self.cursor.state = State::Lost;
                return Step::Done(rest.len(), self.cursor.fault(done + gap, Fault::TooLong, to));
            }
            (Some(b','), None) if !last => return Step::More,
            (Some(_), _) => {
                self.cursor.state = State::Lost;
                let fault = if last && tail.starts_with(b",") { Fault::Unfinished } else { Fault::NoSeparator };
                return Step::Done(rest.len(), self.cursor.fault(done + gap, fault, to));
            }
        };
        self.cursor.state = State::Between;
        let taken = gap + end.unwrap_or(tail.len());
        match fault {
            None => go_on(taken),
            Some(fault) => Step::Done(taken, self.cursor.fault(done + gap, fault, to)),
        }
    }

    /// The rest of a record that is too long.
    fn skip(&mut self, rest: &[u8], inside_object: bool, mut brackets: Brackets) -> usize {
        let end = brackets.over(rest);
        self.cursor.state = match end {
            Some(_) => State::Listed { inside_object },
            None => State::Skip { inside_object, brackets },
        };
        end.unwrap_or(rest.len())
    }

    fn overlong(&mut self, rest: &[u8]) -> usize {
        match memchr::memchr(b'\n', rest) {
            Some(end) => {
                self.cursor.state = State::Between;
                end
            }
            None => rest.len(),
        }
    }
}

impl Cursor {
    fn new() -> Self {
        Self { state: State::Between, record: 0, line: Some(1), base: 0, lines_only: false }
    }

    fn place(&self, offset: usize) -> Place {
        Place { record: self.record, line: self.line, byte: self.base + offset as u64 }
    }

    fn value(&mut self, value: &[u8], keys: Option<&[FoundKey]>, offset: usize, to: &mut impl RecordSink) -> Flow {
        let place = self.place(offset);
        self.record += 1;
        to.value(value, keys, place)
    }

    fn fault(&mut self, offset: usize, fault: Fault, to: &mut impl RecordSink) -> Flow {
        let place = self.place(offset);
        self.record += 1;
        to.unreadable(Some(place), fault)
    }

    /// How much white space the bytes begin with.
    fn gap(&mut self, bytes: &[u8]) -> usize {
        let gap = bytes.len() - bytes.trim_ascii_start().len();
        self.count_lines(bytes.get(..gap).unwrap_or_default());
        gap
    }

    fn count_lines(&mut self, bytes: &[u8]) {
        if let Some(line) = &mut self.line {
            *line += memchr::memchr_iter(b'\n', bytes).count() as u64;
        }
    }
}

/// The length of a scanned value, and its keys if it is valid; `None` if its end is not there.
fn extent(scan: Scan<'_>) -> Option<(usize, Option<&[FoundKey]>)> {
    match scan {
        Scan::Valid { len, keys } => Some((len, Some(keys))),
        Scan::Unproven { len } => Some((len, None)),
        Scan::Unfinished => None,
    }
}

impl Brackets {
    /// Walks until every open bracket is closed, and gives the offset behind the last one.
    fn over(&mut self, bytes: &[u8]) -> Option<usize> {
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_text => self.escaped = true,
                b'"' => self.in_text = !self.in_text,
                b'{' | b'[' if !self.in_text => self.depth += 1,
                b'}' | b']' if !self.in_text => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

fn go_on(taken: usize) -> Step {
    Step::Done(taken, Flow::Continue(()))
}

/// The beginning of the value with which the bytes begin. A bare list holds records only if it is the first value of a file.
fn opening(bytes: &[u8], first: bool) -> Opening {
    let mut rest = bytes;
    let mut parts: &[&[u8]] = if rest.starts_with(b"[") { &[b"["] } else { &[b"{", b"\"Records\"", b":", b"["] };
    let inside_object = parts.len() > 1;
    while let Some((part, more)) = parts.split_first() {
        rest = rest.trim_ascii_start();
        match rest.strip_prefix(*part) {
            Some(behind) => rest = behind,
            None if part.starts_with(rest) => return Opening::Unknown,
            None => return Opening::Other,
        }
        parts = more;
    }
    let len = bytes.len() - rest.len();
    match (inside_object, rest.trim_ascii_start().first()) {
        (true, _) => Opening::List { len, inside_object },
        (false, None) => Opening::Unknown,
        (false, Some(b'{' | b']')) if first => Opening::List { len, inside_object },
        (false, Some(_)) => Opening::Other,
    }
}

/// The length of an item that is neither an object nor a list; `None` if its end is not there.
fn other_extent(bytes: &[u8]) -> Option<usize> {
    if let Some(text) = bytes.strip_prefix(b"\"") {
        let mut escaped = false;
        return text
            .iter()
            .position(|byte| {
                let ends = *byte == b'"' && !escaped;
                escaped = *byte == b'\\' && !escaped;
                ends
            })
            .map(|end| end + 2);
    }
    bytes.iter().position(|byte| matches!(byte, b',' | b']' | b'}' | b'\n'))
}
