//! The text of a file, decompressed where it is compressed, in windows.
//!
//! A compressed file that fits into memory is inflated at once by libdeflate, which is about twice as fast as anything that
//! inflates piece by piece. It only knows one gzip member and gives nothing of a damaged one, so that whatever is not exactly
//! one whole member goes the slower way, which gives all that can be read before the fault.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};

use flate2::bufread::MultiGzDecoder;
use libdeflater::Decompressor;

use crate::MAX_RECORD_BYTES;
use crate::input::Source;
use crate::split::{Flow, Splitter, Take};
use crate::unreadable::Fault;

/// How much is read at once.
const WINDOW_BYTES: usize = 256 << 10;
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// No deflate stream grows by more than that.
const MAX_GROWTH: usize = 1032;

/// What one thread reads with, from file to file.
pub(crate) struct Reader {
    /// As much may a file and its text together take in memory.
    share: usize,
    inflate: Decompressor,
    input: Vec<u8>,
    text: Vec<u8>,
}

impl Reader {
    pub(crate) fn new(share: usize) -> Self {
        Self { share, inflate: Decompressor::new(), input: Vec::new(), text: Vec::new() }
    }

    /// Feeds a source to the splitter; `progress` is told what was read from the disk.
    pub(crate) fn read(
        &mut self,
        source: &Source,
        splitter: &mut Splitter<'_>,
        to: &mut impl Take,
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

    fn read_from(&mut self, file: impl Read, splitter: &mut Splitter<'_>, to: &mut impl Take, progress: &dyn Fn(u64)) -> Flow {
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
        to: &mut impl Take,
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

    /// Inflates a file that is one gzip member; gives the length of its text. `None` for any other.
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

    /// Feeds a text piece by piece.
    fn read_text(&mut self, mut text: impl Read, splitter: &mut Splitter<'_>, to: &mut impl Take) -> Flow {
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

/// Fills the buffer up to so many bytes; true where the file ends before.
fn fill(file: &mut impl Read, buffer: &mut Vec<u8>, len: usize) -> io::Result<bool> {
    let wanted = len.saturating_sub(buffer.len());
    let read = file.take(wanted as u64).read_to_end(buffer)?;
    Ok(read < wanted)
}

/// True where another gzip member may begin somewhere behind the first one's beginning.
fn has_more_members(input: &[u8]) -> bool {
    memchr::memmem::find_iter(input.get(1..).unwrap_or_default(), b"\x1f\x8b\x08").any(|at| {
        // The upper bits of the flags are not in use.
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

/// Tells what is read.
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
