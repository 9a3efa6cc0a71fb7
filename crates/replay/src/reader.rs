//! Reads the text of a file in windows, and decompresses it.
//!
//! A compressed file that fits into memory is inflated at once by libdeflate, about twice as fast as any decoder that works piece by
//! piece. libdeflate reads one gzip member, and nothing of a damaged one. Files with several members or a fault go through `flate2`,
//! which gives all text before the fault.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;
use libdeflater::Decompressor;

use crate::MAX_RECORD_BYTES;
use crate::input::Source;
use crate::split::{Flow, RecordSink, Splitter};
use crate::unreadable::Fault;

/// How much is read at once.
const WINDOW_BYTES: usize = 256 << 10;
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// No deflate stream expands by a larger factor.
const MAX_GROWTH: usize = 1032;

/// The buffers and the decompressor of one thread.
pub(crate) struct Reader {
    /// How much memory a file and its text may use together.
    share: usize,
    inflate: Decompressor,
    input: Vec<u8>,
    text: Vec<u8>,
}

impl Reader {
    pub(crate) fn new(share: usize) -> Self {
        Self { share, inflate: Decompressor::new(), input: Vec::new(), text: Vec::new() }
    }

    /// Feeds a source to the splitter. `progress` is called with the number of bytes that were read from the disk.
    pub(crate) fn read(
        &mut self,
        source: &Source,
        splitter: &mut Splitter<'_>,
        to: &mut impl RecordSink,
        progress: &dyn Fn(u64),
    ) -> Flow {
        splitter.restart();
        match source {
            Source::Stdin => self.read_from(io::stdin().lock(), splitter, to, progress),
            Source::File(path) => match File::open(path) {
                Ok(file) => self.read_from(file, splitter, to, progress),
                Err(error) => to.unreadable(None, Fault::CannotOpen(error.to_string())),
            },
        }
    }

    fn read_from(
        &mut self,
        file: impl Read,
        splitter: &mut Splitter<'_>,
        to: &mut impl RecordSink,
        progress: &dyn Fn(u64),
    ) -> Flow {
        let mut file = Counted { file, progress };
        let mut input = std::mem::take(&mut self.input);
        input.clear();
        let flow = match fill(&mut file, &mut input, WINDOW_BYTES) {
            Err(error) => to.unreadable(None, Fault::CannotRead(error.to_string())),
            Ok(whole) if input.starts_with(&GZIP) => self.read_gzip(file, &mut input, whole, splitter, to),
            Ok(_) => self.read_text(input.as_slice().chain(file), splitter, to),
        };
        self.input = input;
        flow
    }

    fn read_gzip(
        &mut self,
        mut file: impl Read,
        input: &mut Vec<u8>,
        whole: bool,
        splitter: &mut Splitter<'_>,
        to: &mut impl RecordSink,
    ) -> Flow {
        let whole = if whole { Ok(true) } else { fill(&mut file, input, self.share / 2) };
        match whole {
            Err(error) => to.unreadable(None, Fault::CannotRead(error.to_string())),
            Ok(false) => {
                let rest = BufReader::with_capacity(WINDOW_BYTES, file);
                self.read_text(MultiGzDecoder::new(input.as_slice().chain(rest)), splitter, to)
            }
            Ok(true) => match self.inflate(input) {
                Some(len) => splitter.feed(self.text.get(..len).unwrap_or_default(), true, to).1,
                None => self.read_text(MultiGzDecoder::new(input.as_slice()), splitter, to),
            },
        }
    }

    /// Inflates a file of one gzip member and gives the length of its text; `None` for any other file.
    fn inflate(&mut self, input: &[u8]) -> Option<usize> {
        let len = u32::from_le_bytes(*input.last_chunk::<4>()?) as usize;
        if len > input.len().saturating_mul(MAX_GROWTH) || input.len() + len > self.share || has_more_members(input) {
            return None;
        }
        if self.text.len() < len {
            self.text.resize(len, 0);
        }
        let text = self.text.get_mut(..len)?;
        self.inflate.gzip_decompress(input, text).ok().filter(|inflated| *inflated == len)
    }

    /// Feeds a text window by window.
    fn read_text(&mut self, mut text: impl Read, splitter: &mut Splitter<'_>, to: &mut impl RecordSink) -> Flow {
        let mut filled = 0;
        loop {
            if self.text.len() < filled + WINDOW_BYTES / 2 {
                self.text.resize((2 * filled).max(WINDOW_BYTES), 0);
            }
            let space = self.text.get_mut(filled..).unwrap_or_default();
            let (read, fault) = match text.read(space) {
                Ok(read) => (read, None),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => (0, Some(fault(&error))),
            };
            filled += read;
            let last = read == 0 && fault.is_none();
            let (done, flow) = splitter.feed(self.text.get(..filled).unwrap_or_default(), last, to);
            flow?;
            if last {
                return Flow::Continue(());
            }
            if let Some(fault) = fault {
                return to.unreadable(Some(splitter.place(filled - done)), fault);
            }
            self.text.copy_within(done..filled, 0);
            filled -= done;
            debug_assert!(filled <= 2 * MAX_RECORD_BYTES + WINDOW_BYTES);
        }
    }
}

/// Fills the buffer up to `len` bytes; true if the file ends before.
fn fill(file: &mut impl Read, buffer: &mut Vec<u8>, len: usize) -> io::Result<bool> {
    let wanted = len.saturating_sub(buffer.len());
    let read = file.take(wanted as u64).read_to_end(buffer)?;
    Ok(read < wanted)
}

/// True if another gzip member may begin behind the first one.
fn has_more_members(input: &[u8]) -> bool {
    memchr::memmem::find_iter(input.get(1..).unwrap_or_default(), b"\x1f\x8b\x08").any(|at| {
        // The upper three flags are reserved and 0 (RFC 1952).
        input.get(at + 4).is_none_or(|flags| flags & 0xe0 == 0)
    })
}

fn fault(error: &io::Error) -> Fault {
    match error.kind() {
        ErrorKind::UnexpectedEof => Fault::Truncated,
        ErrorKind::InvalidData | ErrorKind::InvalidInput => Fault::Damaged(error.to_string()),
        _ => Fault::CannotRead(error.to_string()),
    }
}

/// Reports what is read.
struct Counted<'p, R> {
    file: R,
    progress: &'p dyn Fn(u64),
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        (self.progress)(read as u64);
        Ok(read)
    }
}
