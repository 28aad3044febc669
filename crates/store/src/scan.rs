//! Reads what the store needs from an encoded span, without decoding the rest.
//!
//! Promise: no allocation, one pass, bodies are skipped over by their length.
//! Never here: judging a span. What is malformed ends the scan; what came before it counts.

use std::io::Write as _;

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// Values longer than this are no search terms (names end at 253, user names at 1,024 in practice).
pub const TERM_BYTES_MAX: usize = 1_024;

/// The fields of a span that the store looks at, in the order they are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// The stored name.
    Name(&'a [u8]),
    /// First instant, nanoseconds since 1970.
    Start(u64),
    /// An attribute: its name and its encoded `AnyValue`.
    Attribute(&'a [u8], &'a [u8]),
}

/// Iterates over the [`Part`]s of an OTLP `Span` message.
pub struct Parts<'a>(Fields<'a>);

/// The parts of `span`.
pub fn parts(span: &[u8]) -> Parts<'_> {
    Parts(Fields(span))
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        loop {
            match self.0.next()? {
                (5, Field::Bytes(name)) => return Some(Part::Name(name)),
                (7, Field::Fixed64(start)) => return Some(Part::Start(start)),
                (9, Field::Bytes(pair)) => {
                    let (name, value) = key_value(pair);
                    return Some(Part::Attribute(name, value));
                }
                _ => {}
            }
        }
    }
}

/// Calls `found` with the string form of every value in an encoded `AnyValue`: a string as it is,
/// integers in decimal, booleans as `true` and `false`, arrays member by member.
pub fn each_text(value: &[u8], found: &mut impl FnMut(&[u8])) {
    for field in Fields(value) {
        match field {
            (5, Field::Bytes(array)) => {
                for member in Fields(array) {
                    if let (1, Field::Bytes(scalar)) = member {
                        scalar_text(scalar, found);
                    }
                }
            }
            field => field_text(field, found),
        }
    }
}

fn scalar_text(value: &[u8], found: &mut impl FnMut(&[u8])) {
    for field in Fields(value) {
        field_text(field, found);
    }
}

fn field_text((number, field): (u64, Field<'_>), found: &mut impl FnMut(&[u8])) {
    match (number, field) {
        (1, Field::Bytes(text)) => found(text),
        (2, Field::Varint(flag)) => found(if flag == 0 { b"false" } else { b"true" }),
        (3, Field::Varint(integer)) => {
            let mut digits = [0_u8; 20];
            let mut rest = &mut digits[..];
            if write!(rest, "{}", integer.cast_signed()).is_ok() {
                let unused = rest.len();
                found(&digits[..20 - unused]);
            }
        }
        _ => {}
    }
}

fn key_value(pair: &[u8]) -> (&[u8], &[u8]) {
    let mut found: (&[u8], &[u8]) = (&[], &[]);
    for field in Fields(pair) {
        match field {
            (1, Field::Bytes(name)) => found.0 = name,
            (2, Field::Bytes(value)) => found.1 = value,
            _ => {}
        }
    }
    found
}

#[derive(Clone, Copy)]
enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

/// The fields of a protobuf message; ends at the first malformed byte.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Field<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let tag = self.varint()?;
        let field = match tag & 7 {
            VARINT => Field::Varint(self.varint()?),
            FIXED64 => Field::Fixed64(u64::from_le_bytes(*self.take(8)?.first_chunk()?)),
            BYTES => {
                let len = usize::try_from(self.varint()?).ok()?;
                Field::Bytes(self.take(len)?)
            }
            FIXED32 => {
                self.take(4)?;
                Field::Fixed32
            }
            _ => return None,
        };
        Some((tag >> 3, field))
    }
}

impl<'a> Fields<'a> {
    #[inline]
    fn varint(&mut self) -> Option<u64> {
        let (first, rest) = self.0.split_first()?;
        if *first < 0x80 {
            self.0 = rest;
            return Some(u64::from(*first));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    #[inline]
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }
}

#[cfg(test)]
mod tests {
    use kausal_trace::{NewSpan, SpanBatch, SpanId, TraceId, UnixNanos};

    use super::*;

    fn sample() -> Vec<u8> {
        let mut batch = SpanBatch::default();
        batch
            .open(NewSpan {
                trace: TraceId([1; 16]),
                span: SpanId([2; 8]),
                name: "audit patch",
                start: UnixNanos(42),
                end: UnixNanos(43),
            })
            .str("name", "web")
            .str("response.object", &"x".repeat(5_000))
            .int("http.response.status_code", 422)
            .int("event.count", -7)
            .bool("dry_run", true)
            .strs("groups", ["a", "b"].into_iter())
            .error();
        batch.iter().next().expect("one span").bytes.to_vec()
    }

    fn texts(span: &[u8], wanted: &str) -> Vec<String> {
        let mut found = Vec::new();
        for part in parts(span) {
            if let Part::Attribute(name, value) = part
                && name == wanted.as_bytes()
            {
                each_text(value, &mut |text| {
                    found.push(String::from_utf8_lossy(text).into_owned());
                });
            }
        }
        found
    }

    #[test]
    fn finds_the_head_and_every_form_of_value() {
        let span = sample();
        assert!(parts(&span).any(|part| part == Part::Name(b"audit patch")));
        assert!(parts(&span).any(|part| part == Part::Start(42)));
        assert_eq!(texts(&span, "name"), ["web"]);
        assert_eq!(texts(&span, "http.response.status_code"), ["422"]);
        assert_eq!(texts(&span, "event.count"), ["-7"]);
        assert_eq!(texts(&span, "dry_run"), ["true"]);
        assert_eq!(texts(&span, "groups"), ["a", "b"]);
        assert_eq!(texts(&span, "response.object")[0].len(), 5_000);
        assert!(texts(&span, "missing").is_empty());
    }

    #[test]
    fn a_cut_span_ends_the_scan_without_more() {
        let span = sample();
        for end in 0..span.len() {
            let whole = parts(&span).count();
            assert!(parts(&span[..end]).count() <= whole);
        }
        assert_eq!(parts(&[0xff; 64]).count(), 0);
    }
}
