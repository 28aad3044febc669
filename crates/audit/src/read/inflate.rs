//! A request body, decompressed whole and within limits.

use std::{borrow::Cow, io::Read};

use super::{
    ReadError,
    source::{REQUEST_WINDOW_LOG_MAX, Source},
};

/// What a request body may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InflateLimits {
    /// Bytes of the body decompressed, or as it is.
    pub bytes_max: usize,
    /// How many times its size a compressed body may become, looked at from 1 MiB on. Audit batches
    /// shrink ten- to twentyfold, bombs a thousandfold.
    pub ratio_max: usize,
}

impl Default for InflateLimits {
    fn default() -> Self {
        Self { bytes_max: 64 << 20, ratio_max: 200 }
    }
}

/// Below this size no ratio is suspicious.
const RATIO_BYTES_MIN: usize = 1 << 20;
const STEP_BYTES: usize = 64 << 10;

/// The body itself if it is plain, else what gzip or zstd made it of.
pub fn inflate<'a>(body: &'a [u8], limits: &InflateLimits) -> Result<Cow<'a, [u8]>, ReadError> {
    let mut source = Source::new(body, REQUEST_WINDOW_LOG_MAX);
    source.open()?;
    if source.is_plain() {
        within(body.len(), body.len(), limits)?;
        return Ok(Cow::Borrowed(body));
    }
    let mut out = Vec::new();
    loop {
        let read = source.by_ref().take(STEP_BYTES as u64).read_to_end(&mut out)?;
        within(out.len(), body.len(), limits)?;
        if read == 0 {
            return Ok(Cow::Owned(out));
        }
    }
}

fn within(bytes: usize, compressed: usize, limits: &InflateLimits) -> Result<(), ReadError> {
    if bytes > limits.bytes_max {
        return Err(ReadError::TooLarge { max: limits.bytes_max });
    }
    if bytes > RATIO_BYTES_MIN && bytes / compressed.max(1) > limits.ratio_max {
        return Err(ReadError::Ratio { max: limits.ratio_max });
    }
    Ok(())
}
