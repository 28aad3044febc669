//! Streams of audit events in pieces of whole documents, decompressed as they come.
//!
//! Promise: every byte of the input is handed out once, in order, in pieces that end where a
//! document ends, or is counted in an [`Oversized`] one. Memory stays within a chunk and the
//! largest document allowed, whatever the input says of itself. What was read before an error comes
//! before the error.
//! Never here: opening files, decoding, deciding what an error means for the rest of the input.

mod boundary;
mod inflate;
mod source;

use std::io::{self, Read};

use thiserror::Error;

use crate::item::Reason;
use boundary::Boundaries;
pub use inflate::{InflateLimits, inflate};
use source::Source;

/// Sizes of the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// A piece is handed out once at least this much was read and a document ended. 1 hands out
    /// whatever a read brings, for inputs that are being written.
    pub chunk_bytes: usize,
    /// A larger document is passed over and reported. An array is dissolved into its items, so this
    /// bounds a line, an `EventList` or an event.
    pub document_bytes_max: usize,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self { chunk_bytes: 2 << 20, document_bytes_max: 32 << 20 }
    }
}

/// Why reading ended before the input did.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The input could not be read, or what is compressed is damaged or cut.
    #[error("reading failed")]
    Io(#[from] io::Error),
    /// More came out than is allowed.
    #[error("decompresses to more than {max} bytes")]
    TooLarge {
        /// [`InflateLimits::bytes_max`].
        max: usize,
    },
    /// Little went in and very much came out, as a bomb is made.
    #[error("decompresses to more than {max} times its size")]
    Ratio {
        /// [`InflateLimits::ratio_max`].
        max: usize,
    },
}

/// What the reader hands out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes for [`crate::decode_all`].
    Documents(Chunk),
    /// A document that was passed over.
    Oversized(Oversized),
}

/// Whole documents. The brackets of an array around them are blanked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The documents.
    pub bytes: Vec<u8>,
    /// Where they start in the decompressed input.
    pub offset: u64,
    /// Line they start on, from 1.
    pub line: u64,
}

/// A document over [`ReadLimits::document_bytes_max`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oversized {
    /// Its first bytes.
    pub head: Vec<u8>,
    /// Where it starts in the decompressed input.
    pub offset: u64,
    /// Line it starts on, from 1.
    pub line: u64,
    /// Its size.
    pub bytes: u64,
    /// What was allowed.
    pub max: usize,
}

/// Cuts an input into pieces; see the module.
pub struct DocumentReader<R: Read> {
    source: Source<R>,
    limits: ReadLimits,
    /// Read and not handed out, up to `filled`; behind that, room.
    buffer: Vec<u8>,
    filled: usize,
    boundaries: Boundaries,
    offset: u64,
    line: u64,
    state: State,
}

enum State {
    Reading,
    /// Nothing more comes; the error is still to be said, if there is one.
    Ending(Option<ReadError>),
    Ended,
}

/// Least room for a read.
const READ_BYTES: usize = 256 << 10;
/// How much of an oversized document is kept to recognise it by.
const HEAD_BYTES: usize = 4 << 10;

// === impl Oversized ===

impl Oversized {
    /// As said of rejected items.
    pub fn reason(&self) -> Reason {
        let bytes = usize::try_from(self.bytes).unwrap_or(usize::MAX);
        Reason::TooLarge { bytes, max: self.max }
    }
}

// === impl DocumentReader ===

impl<R: Read> DocumentReader<R> {
    /// Reads `input`, which may be plain, gzip or zstd; nothing is read before the first piece is
    /// asked for.
    pub fn new(input: R, limits: ReadLimits) -> Self {
        Self {
            source: Source::new(input, source::FILE_WINDOW_LOG_MAX),
            limits,
            buffer: Vec::new(),
            filled: 0,
            boundaries: Boundaries::default(),
            offset: 0,
            line: 1,
            state: State::Reading,
        }
    }

    /// Bytes taken from the input, as they are there, compressed or not; for progress.
    pub fn input_bytes(&self) -> u64 {
        self.source.input_bytes()
    }

    fn next_piece(&mut self) -> Option<Result<Piece, ReadError>> {
        let mut wanted = self.limits.chunk_bytes.max(1);
        loop {
            self.fill(wanted);
            let unread = self.buffer.get_mut(..self.filled).unwrap_or_default();
            if let Some(end) = self.boundaries.last(unread) {
                return Some(Ok(Piece::Documents(self.split(end))));
            }
            if !matches!(self.state, State::Reading) {
                return self.ending();
            }
            if self.filled > self.limits.document_bytes_max {
                return Some(Ok(Piece::Oversized(self.pass_over())));
            }
            wanted = self.filled + self.limits.chunk_bytes.max(1);
        }
    }

    /// The last document, which has no end, then the error.
    fn ending(&mut self) -> Option<Result<Piece, ReadError>> {
        if self.filled > 0 {
            return Some(Ok(Piece::Documents(self.split(self.filled))));
        }
        let State::Ending(error) = std::mem::replace(&mut self.state, State::Ended) else {
            return None;
        };
        error.map(Err)
    }

    /// Reads until `wanted` bytes are there or no more come.
    fn fill(&mut self, wanted: usize) {
        while self.filled < wanted && matches!(self.state, State::Reading) {
            let size = wanted.max(self.filled + READ_BYTES);
            if self.buffer.len() < size {
                self.buffer.resize(size, 0);
            }
            let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
            match self.source.read(room) {
                Ok(0) => self.state = State::Ending(None),
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.state = State::Ending(Some(error.into())),
            }
        }
    }

    /// Takes what stands before `end` out of the buffer.
    fn split(&mut self, end: usize) -> Chunk {
        let rest = self.buffer.get(end..self.filled).unwrap_or_default();
        let mut next = vec![0; rest.len() + self.limits.chunk_bytes + READ_BYTES];
        if let Some(start) = next.get_mut(..rest.len()) {
            start.copy_from_slice(rest);
        }
        self.filled = rest.len();
        let mut bytes = std::mem::replace(&mut self.buffer, next);
        bytes.truncate(end);
        self.boundaries.taken(end);
        let chunk = Chunk { offset: self.offset, line: self.line, bytes };
        self.pass(&chunk.bytes);
        chunk
    }

    fn pass(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        self.line += memchr::memchr_iter(b'\n', bytes).count() as u64;
    }

    /// Drops the document that fills the buffer, to its end.
    fn pass_over(&mut self) -> Oversized {
        let start = (self.offset, self.line);
        let head = self.buffer.get(..HEAD_BYTES).unwrap_or_default().to_vec();
        loop {
            let unread = self.buffer.get_mut(..self.filled).unwrap_or_default();
            let end = self.boundaries.first(unread);
            self.drop_front(end.unwrap_or(self.filled));
            if end.is_some() || !matches!(self.state, State::Reading) {
                break;
            }
            self.fill(READ_BYTES);
        }
        let (offset, line) = start;
        let max = self.limits.document_bytes_max;
        Oversized { head, offset, line, bytes: self.offset - offset, max }
    }

    fn drop_front(&mut self, end: usize) {
        let front = self.buffer.get(..end).unwrap_or_default();
        self.offset += front.len() as u64;
        self.line += memchr::memchr_iter(b'\n', front).count() as u64;
        self.buffer.copy_within(end..self.filled, 0);
        self.filled -= end;
        self.boundaries.taken(end);
        self.buffer.truncate(self.filled.max(self.limits.chunk_bytes + READ_BYTES));
    }
}

impl<R: Read> Iterator for DocumentReader<R> {
    type Item = Result<Piece, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_piece()
    }
}
