//! What could not be read, where, and why: in words for people, and in kinds to be counted.

use std::fmt;

use crate::MAX_RECORD_BYTES;

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The record's number in its file, from 0.
    pub record: u64,
    /// From 1, where the file is one of lines.
    pub line: Option<u64>,
    /// From 0, in the text: that of a compressed file is decompressed first.
    pub byte: u64,
}

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    NotFound,
    CannotOpen(String),
    CannotRead(String),
    /// The compressed data ends before its end.
    Truncated,
    /// The compressed data is damaged.
    Damaged(String),
    NotJson(String),
    /// JSON, but not what a log holds.
    NoRecord(&'static str),
    TooLong,
    /// A list of records without its end.
    Unfinished,
    /// A list of records with something else than a comma in it; the rest of the file is not read.
    NoSeparator,
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    pub file: String,
    /// `None`: the whole file.
    pub place: Option<Place>,
    pub fault: Fault,
}

impl Fault {
    /// True where nothing of the file was read behind it.
    pub(crate) fn ends_file(&self) -> bool {
        match self {
            Self::NotFound | Self::CannotOpen(_) | Self::CannotRead(_) | Self::Truncated | Self::Damaged(_) => true,
            Self::Unfinished | Self::NoSeparator => true,
            Self::NotJson(_) | Self::NoRecord(_) | Self::TooLong => false,
        }
    }

    /// The kind of fault, as the summary counts it.
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
