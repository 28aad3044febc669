//! An input, decompressed by what its first bytes say it is.
//!
//! Promise: concatenated gzip members and zstd frames are one stream; the bytes taken from the
//! input are counted.
//! Never here: limits on what comes out.

use std::io::{self, BufReader, Read};

use flate2::read::MultiGzDecoder;
use zstd::stream::read::Decoder as ZstdDecoder;

/// Largest zstd window for files: 128 MiB, which `zstd --long` and the highest levels use.
pub(super) const FILE_WINDOW_LOG_MAX: u32 = 27;
/// Largest zstd window for requests: 8 MiB, which covers the ordinary levels.
pub(super) const REQUEST_WINDOW_LOG_MAX: u32 = 23;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A stream of decompressed bytes.
pub(super) enum Source<R: Read> {
    /// Not looked at yet.
    New(Option<R>, u32),
    Plain(Sniffed<R>),
    Gzip(Box<MultiGzDecoder<Sniffed<R>>>),
    Zstd(Box<ZstdDecoder<'static, BufReader<Sniffed<R>>>>),
}

/// A reader whose first bytes were looked at and which counts what it gives.
pub(super) struct Sniffed<R> {
    inner: R,
    head: [u8; 4],
    head_filled: usize,
    head_given: usize,
    bytes: u64,
}

// === impl Source ===

impl<R: Read> Source<R> {
    pub(super) const fn new(input: R, window_log_max: u32) -> Self {
        Self::New(Some(input), window_log_max)
    }

    pub(super) const fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    pub(super) fn input_bytes(&self) -> u64 {
        match self {
            Self::New(..) => 0,
            Self::Plain(input) => input.bytes,
            Self::Gzip(decoder) => decoder.get_ref().bytes,
            Self::Zstd(decoder) => decoder.get_ref().get_ref().bytes,
        }
    }

    /// Looks at the first bytes, if nobody did.
    pub(super) fn open(&mut self) -> io::Result<()> {
        let Self::New(input, window_log_max) = self else { return Ok(()) };
        let Some(input) = input.take() else { return Err(io::ErrorKind::NotConnected.into()) };
        let window_log_max = *window_log_max;
        let sniffed = Sniffed::new(input)?;
        *self = match sniffed.head.get(..sniffed.head_filled).unwrap_or_default() {
            head if head.starts_with(&GZIP) => Self::Gzip(Box::new(MultiGzDecoder::new(sniffed))),
            head if head.starts_with(&ZSTD) => {
                let mut decoder = ZstdDecoder::new(sniffed)?;
                decoder.window_log_max(window_log_max)?;
                Self::Zstd(Box::new(decoder))
            }
            _ => Self::Plain(sniffed),
        };
        Ok(())
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.open()?;
        match self {
            Self::New(..) => Ok(0),
            Self::Plain(input) => input.read(out),
            Self::Gzip(decoder) => decoder.read(out),
            Self::Zstd(decoder) => decoder.read(out),
        }
    }
}

// === impl Sniffed ===

impl<R: Read> Sniffed<R> {
    fn new(inner: R) -> io::Result<Self> {
        let mut sniffed = Self { inner, head: [0; 4], head_filled: 0, head_given: 0, bytes: 0 };
        while let Some(room @ [_, ..]) = sniffed.head.get_mut(sniffed.head_filled..) {
            match sniffed.inner.read(room) {
                Ok(0) => break,
                Ok(read) => sniffed.head_filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(sniffed)
    }
}

impl<R: Read> Read for Sniffed<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut head = self.head.get(self.head_given..self.head_filled).unwrap_or_default();
        let read = if head.is_empty() {
            self.inner.read(out)?
        } else {
            let read = head.read(out)?;
            self.head_given += read;
            read
        };
        self.bytes += read as u64;
        Ok(read)
    }
}
