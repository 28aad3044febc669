//! Reads a request's body within limits.
//!
//! Promise: no more is held than the limits and the shared budget allow, whatever the headers say
//! and however well it was compressed.

use std::io::Read;
use std::time::Duration;

use axum::body::BodyDataStream;
use axum::http::{HeaderMap, header};
use flate2::read::MultiGzDecoder;
use tokio::time::timeout;
use tokio_stream::StreamExt;

use super::answer::Refusal;
use crate::budget::Taken;

/// Decompressed in steps of this size; the budget is asked before each.
const STEP_BYTES: usize = 64 * 1024;
/// The settings that allow larger bodies: as they are sent, and decompressed.
const BODY_SETTING: &str = "body_bytes_max";
const DECODED_SETTING: &str = "decoded_bytes_max";

/// Most that is read of a body only to be thrown away.
const DISCARDED_BYTES_MAX: usize = 64 << 20;
/// Longest that is waited for such a body.
const DISCARDED_SECONDS_MAX: Duration = Duration::from_secs(2);

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As it is.
    Identity,
    /// gzip, possibly several members.
    Gzip,
}

impl Encoding {
    /// What `Content-Encoding` says.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let Some(value) = headers.get(header::CONTENT_ENCODING) else { return Ok(Self::Identity) };
        match value.as_bytes() {
            value if value.eq_ignore_ascii_case(b"identity") => Ok(Self::Identity),
            value if value.eq_ignore_ascii_case(b"gzip") => Ok(Self::Gzip),
            _ => Err(Refusal::Encoding),
        }
    }
}

/// Reads the body as it was sent.
pub(super) async fn receive(
    headers: &HeaderMap,
    body: &mut BodyDataStream,
    bytes_max: usize,
    taken: &mut Taken,
) -> Result<Vec<u8>, Refusal> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced: usize = announced.and_then(|value| value.parse().ok()).unwrap_or(0);
    if announced > bytes_max {
        return Err(too_large(bytes_max, BODY_SETTING));
    }
    if !taken.grow(announced) {
        return Err(Refusal::Pressure);
    }
    let mut covered = announced;
    let mut bytes = Vec::with_capacity(announced);
    while let Some(frame) = body.next().await {
        let frame = frame.map_err(|_| Refusal::Interrupted)?;
        let length = bytes.len() + frame.len();
        if length > bytes_max {
            return Err(too_large(bytes_max, BODY_SETTING));
        }
        if length > covered {
            cover(taken, length - covered)?;
            covered = length;
        }
        bytes.extend_from_slice(&frame);
    }
    Ok(bytes)
}

/// Lets a refused sender finish, within limits: many read no answer before all is sent.
pub(super) async fn discard(headers: &HeaderMap, body: &mut BodyDataStream) {
    if headers.contains_key(header::EXPECT) {
        return;
    }
    let mut left = DISCARDED_BYTES_MAX;
    let all = async {
        while let Some(Ok(frame)) = body.next().await {
            left = left.saturating_sub(frame.len());
            if left == 0 {
                break;
            }
        }
    };
    if timeout(DISCARDED_SECONDS_MAX, all).await.is_err() {
        tracing::debug!("a refused sender did not finish in time");
    }
}

/// Undoes the encoding.
pub(super) fn decoded(
    bytes: Vec<u8>,
    encoding: Encoding,
    bytes_max: usize,
    taken: &mut Taken,
) -> Result<Vec<u8>, Refusal> {
    match encoding {
        Encoding::Identity => Ok(bytes),
        Encoding::Gzip => gunzip(&bytes, bytes_max, taken),
    }
}

fn gunzip(bytes: &[u8], bytes_max: usize, taken: &mut Taken) -> Result<Vec<u8>, Refusal> {
    let mut decoder = MultiGzDecoder::new(bytes);
    let mut out = Vec::new();
    loop {
        let step = STEP_BYTES.min(bytes_max + 1 - out.len());
        cover(taken, step)?;
        let mut limited = decoder.by_ref().take(step as u64);
        let read = limited.read_to_end(&mut out).map_err(|_| Refusal::Gzip)?;
        if out.len() > bytes_max {
            return Err(too_large(bytes_max, DECODED_SETTING));
        }
        if read < step {
            return Ok(out);
        }
    }
}

fn too_large(bytes_max: usize, setting: &'static str) -> Refusal {
    Refusal::TooLarge { bytes_max, setting }
}

fn cover(taken: &mut Taken, bytes: usize) -> Result<(), Refusal> {
    if taken.grow(bytes) { Ok(()) } else { Err(Refusal::Pressure) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::budget::Budget;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn gzip_is_undone_up_to_the_limit() {
        let budget = Budget::new(1 << 20);
        let mut taken = budget.open();
        let text = vec![b'x'; 200_000];
        assert_eq!(gunzip(&gzip(&text), 200_000, &mut taken), Ok(text.clone()));
        let two = [gzip(b"a"), gzip(b"b")].concat();
        assert_eq!(gunzip(&two, 10, &mut taken), Ok(b"ab".to_vec()));
        let over = gunzip(&gzip(&text), 199_999, &mut taken);
        assert_eq!(over, Err(too_large(199_999, DECODED_SETTING)));
    }

    #[test]
    fn a_bomb_stops_at_the_budget() {
        let bomb = gzip(&vec![0; 8 << 20]);
        let budget = Budget::new(1 << 20);
        assert_eq!(gunzip(&bomb, 64 << 20, &mut budget.open()), Err(Refusal::Pressure));
        assert_eq!(budget.in_use(), 0);
    }

    #[test]
    fn broken_gzip_is_said() {
        let budget = Budget::new(1 << 20);
        let whole = gzip(b"hello hello hello");
        for bad in [&b"plain"[..], whole.split_at(whole.len() - 9).0] {
            assert_eq!(gunzip(bad, 100, &mut budget.open()), Err(Refusal::Gzip));
        }
    }

    #[tokio::test]
    async fn a_body_longer_than_said_is_still_limited() {
        let budget = Budget::new(1 << 20);
        let (headers, mut taken) = (HeaderMap::new(), budget.open());
        let body = || axum::body::Body::from(vec![b'x'; 100]).into_data_stream();
        assert_eq!(receive(&headers, &mut body(), 100, &mut taken).await.unwrap().len(), 100);
        let over = receive(&headers, &mut body(), 99, &mut taken).await;
        assert_eq!(over, Err(too_large(99, BODY_SETTING)));
        let small = Budget::new(50);
        let busy = receive(&headers, &mut body(), 100, &mut small.open()).await;
        assert_eq!(busy, Err(Refusal::Pressure));
    }
}
