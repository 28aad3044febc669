//! Trace and span ids, in the forms in which they stand in addresses and answers.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use kausal_trace::TraceId;

use crate::error::ReadError;

/// Hex digits of a whole trace id.
const DIGITS: usize = 32;

/// A trace id as somebody wrote it: up to 32 hex digits, shorter ones from the right, or the
/// base64 in which protobuf's JSON prints its bytes.
pub(super) fn trace_id(text: &str) -> Result<TraceId, ReadError> {
    let id = from_hex(text).or_else(|| from_base64(text));
    id.filter(|id| *id != TraceId([0; 16])).ok_or_else(|| {
        ReadError::invalid(
            "this is no trace id",
            "a trace id has up to 32 hex digits; the search gives them",
        )
    })
}

fn from_hex(text: &str) -> Option<TraceId> {
    let short = !text.is_empty() && text.len() <= DIGITS;
    short.then(|| TraceId::parse_hex(&format!("{text:0>DIGITS$}"))).flatten()
}

fn from_base64(text: &str) -> Option<TraceId> {
    // Sixteen bytes are 24 characters; anything longer is not worth decoding.
    if text.len() != 24 {
        return None;
    }
    let bytes = BASE64_STANDARD.decode(text).or_else(|_| BASE64_URL_SAFE.decode(text)).ok()?;
    Some(TraceId(bytes.try_into().ok()?))
}

/// The bytes of an id as lower hex.
pub(super) fn hex(id: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    id.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// A trace id as Jaeger's own JSON has it: sixteen digits when the upper half is zero.
pub(super) fn short_hex(id: &[u8]) -> String {
    match id.split_first_chunk::<8>() {
        Some(([0, 0, 0, 0, 0, 0, 0, 0], low)) if low.len() == 8 => hex(low),
        _ => hex(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Option<&str>) {
        let got = trace_id(text).ok().map(|id| id.to_string());
        assert_eq!(got.as_deref(), expect, "{text}");
    }

    #[test]
    fn reads_hex_of_any_length_and_base64() {
        let whole = "ff2000000009d1c004aabbccddeeff01";
        check(whole, Some(whole));
        check(&whole.to_uppercase(), Some(whole));
        check("a1", Some("000000000000000000000000000000a1"));
        check("4bf92f3577b34da6", Some("00000000000000004bf92f3577b34da6"));
        check("/yAAAAAJ0cAEqrvM3e7/AQ==", Some(whole));
        check("_yAAAAAJ0cAEqrvM3e7_AQ==", Some(whole));
    }

    #[test]
    fn refuses_the_rest() {
        for text in
            ["", "xyz", "0", "00000000000000000000000000000000", "ä", "AAAAAAAAAAAAAAAAAAAAAA=="]
        {
            check(text, None);
        }
        check(&"f".repeat(33), None);
    }

    #[test]
    fn a_trace_id_with_an_empty_upper_half_is_short() {
        assert_eq!(
            short_hex(&[0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]),
            "0102030405060708"
        );
        assert_eq!(short_hex(&[1; 16]), "01".repeat(16));
        assert_eq!(short_hex(&[0; 3]), "000000");
    }
}
