//! Faults of the inputs: what could not be read, where and why, in words for people and in kinds for the totals.

use std::fmt;

use crate::MAX_RECORD_BYTES;

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The record's number in its file, from 0.
    pub record: u64,
    /// The line, from 1, if the file consists of lines.
    pub line: Option<u64>,
    /// The offset in the decompressed text, from 0.
    pub byte: u64,
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The path does not exist.
    NotFound,
    /// The file cannot be opened, with the reason.
    CannotOpen(String),
    /// Reading failed, with the reason.
    CannotRead(String),
    /// The compressed data ends before its end.
    Truncated,
    /// The compressed data is damaged, with the reason.
    Damaged(String),
    /// Not JSON, with the parser's message.
    NotJson(String),
    /// JSON, but no record, with the reason.
    NoRecord(&'static str),
    /// Longer than [`MAX_RECORD_BYTES`].
    TooLong,
    /// A list of records without its end.
    Unfinished,
    /// Something else than a comma or `]` behind a record of a list. The rest of the file is not read.
    NoSeparator,
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The file's name.
    pub file: String,
    /// `None` for the whole file.
    pub place: Option<Place>,
    /// Why it could not be read.
    pub fault: Fault,
}

impl Fault {
    /// True if nothing behind it was read.
    pub(crate) fn ends_file(&self) -> bool {
        match self {
            Self::NotFound | Self::CannotOpen(_) | Self::CannotRead(_) | Self::Truncated | Self::Damaged(_) => true,
            Self::Unfinished | Self::NoSeparator => true,
            Self::NotJson(_) | Self::NoRecord(_) | Self::TooLong => false,
        }
    }

    /// The kind of fault, by which the totals count it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotFound => "no such file or folder",
            Self::CannotOpen(_) => "cannot be opened",
            Self::CannotRead(_) => "cannot be read to its end",
            Self::Truncated => "compressed data breaks off",
            Self::Damaged(_) => "compressed data is damaged",
            Self::NotJson(_) => "not JSON",
            Self::NoRecord(_) => "no CloudTrail record",
            Self::TooLong => "longer than any record",
            Self::Unfinished => "list of records breaks off",
            Self::NoSeparator => "list of records is not JSON",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("there is no such file or folder"),
            Self::CannotOpen(reason) => write!(f, "cannot be opened: {reason}"),
            Self::CannotRead(reason) => write!(f, "cannot be read any further: {reason}"),
            Self::Truncated => f.write_str("the compressed data breaks off; what came before was read"),
            Self::Damaged(reason) => write!(f, "the compressed data is damaged ({reason}); what came before was read"),
            Self::NotJson(reason) => write!(f, "is not JSON: {reason}"),
            Self::NoRecord(what) => f.write_str(what),
            Self::TooLong => write!(f, "is longer than {} MiB, which no CloudTrail record is", MAX_RECORD_BYTES >> 20),
            Self::Unfinished => f.write_str("the list of records breaks off"),
            Self::NoSeparator => f.write_str("is not JSON: a comma or `]` was expected; the rest of the file was not read"),
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        match &self.place {
            None => {}
            Some(Place { line: Some(line), byte, .. }) => write!(f, ": line {line} (byte {byte})")?,
            Some(Place { record, byte, .. }) => write!(f, ": record {record} (byte {byte})")?,
        }
        write!(f, ": {}", self.fault)
    }
}
