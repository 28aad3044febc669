//! Which bytes any reader of OTLP can decode.
//!
//! One span that others cannot decode would cost them the whole trace, so it is found before it is
//! stored. Numbers: opentelemetry-proto 1.11. Fields that are not listed may hold anything.

use crate::wire::{Field, Fields};

/// Values may contain values this deep; decoders of others stop at 100 messages.
const DEPTH_MAX: usize = 64;

/// What a field holds.
pub(super) enum Shape {
    Varint,
    Fixed64,
    Fixed32,
    Text,
    Bytes,
    /// Bytes of this length, or none.
    Id(usize),
    Message(Message),
}

/// The fields of a message that are known.
pub(super) type Message = &'static [(u32, Shape)];

use Shape::{Bytes, Fixed32, Fixed64, Id, Text, Varint};

static ANY_VALUE: [(u32, Shape); 7] = [
    (1, Text),
    (2, Varint),
    (3, Varint),
    (4, Fixed64),
    (5, Shape::Message(&ARRAY)),
    (6, Shape::Message(&KEY_VALUES)),
    (7, Bytes),
];
static ARRAY: [(u32, Shape); 1] = [(1, Shape::Message(&ANY_VALUE))];
static KEY_VALUES: [(u32, Shape); 1] = [(1, Shape::Message(&KEY_VALUE))];
static KEY_VALUE: [(u32, Shape); 2] = [(1, Text), (2, Shape::Message(&ANY_VALUE))];
static RESOURCE: [(u32, Shape); 2] = [(1, Shape::Message(&KEY_VALUE)), (2, Varint)];
static SCOPE: [(u32, Shape); 4] =
    [(1, Text), (2, Text), (3, Shape::Message(&KEY_VALUE)), (4, Varint)];
static EVENT: [(u32, Shape); 4] =
    [(1, Fixed64), (2, Text), (3, Shape::Message(&KEY_VALUE)), (4, Varint)];
static LINK: [(u32, Shape); 6] = [
    (1, Id(16)),
    (2, Id(8)),
    (3, Text),
    (4, Shape::Message(&KEY_VALUE)),
    (5, Varint),
    (6, Fixed32),
];
static STATUS: [(u32, Shape); 2] = [(2, Text), (3, Varint)];

/// `ResourceSpans` without its spans.
pub(super) static RESOURCE_ENVELOPE: [(u32, Shape); 2] =
    [(1, Shape::Message(&RESOURCE)), (3, Text)];
/// `ScopeSpans` without its spans.
pub(super) static SCOPE_ENVELOPE: [(u32, Shape); 2] = [(1, Shape::Message(&SCOPE)), (3, Text)];
/// `Span`.
pub(super) static SPAN: [(u32, Shape); 16] = [
    (1, Id(16)),
    (2, Id(8)),
    (3, Text),
    (4, Id(8)),
    (5, Text),
    (6, Varint),
    (7, Fixed64),
    (8, Fixed64),
    (9, Shape::Message(&KEY_VALUE)),
    (10, Varint),
    (11, Shape::Message(&EVENT)),
    (12, Varint),
    (13, Shape::Message(&LINK)),
    (14, Varint),
    (15, Shape::Message(&STATUS)),
    (16, Fixed32),
];

/// Whether all of `bytes` can be decoded as `message`.
pub(super) fn fits(bytes: &[u8], message: Message) -> bool {
    fits_at(bytes, message, DEPTH_MAX)
}

fn fits_at(bytes: &[u8], message: Message, depth: usize) -> bool {
    depth > 0
        && Fields(bytes).all(|field| {
            let Ok((number, field)) = field else { return false };
            let known = message.iter().find(|(known, _)| *known == number);
            known.is_none_or(|(_, shape)| shape.fits(field, depth))
        })
}

impl Shape {
    fn fits(&self, field: Field<'_>, depth: usize) -> bool {
        match (self, field) {
            (Varint, Field::Varint(_))
            | (Fixed64, Field::Fixed64(_))
            | (Fixed32, Field::Fixed32)
            | (Bytes, Field::Bytes(_)) => true,
            (Text, Field::Bytes(text)) => std::str::from_utf8(text).is_ok(),
            (Id(len), Field::Bytes(id)) => id.is_empty() || id.len() == *len,
            (Shape::Message(inner), Field::Bytes(bytes)) => fits_at(bytes, inner, depth - 1),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::put_bytes;

    fn check(field: u32, value: &[u8], fits: bool) {
        let mut span = Vec::new();
        put_bytes(&mut span, field, value);
        assert_eq!(super::fits(&span, &SPAN), fits, "{field} {value:?}");
    }

    #[test]
    fn ids_have_their_length_or_are_absent() {
        check(1, &[], true);
        check(1, &[7; 16], true);
        check(1, &[7; 8], false);
        check(2, &[0; 8], true);
        check(4, &[0; 9], false);
    }

    #[test]
    fn text_is_text_and_what_nobody_knows_may_be_anything() {
        check(5, "prüfen".as_bytes(), true);
        check(5, &[0xff], false);
        check(99, &[0xff], true);
        // A name sent as a message of its own type, a start sent as bytes.
        check(7, &[0; 8], false);
        assert!(!fits(&[0xff], &SPAN));
    }

    #[test]
    fn values_are_looked_into_and_have_an_end() {
        let mut value = Vec::new();
        put_bytes(&mut value, 1, &[0xff]);
        let mut attribute = Vec::new();
        put_bytes(&mut attribute, 2, &value);
        check(9, &attribute, false);
        let mut deep = Vec::new();
        for _ in 0..DEPTH_MAX {
            let inner = std::mem::take(&mut deep);
            put_bytes(&mut deep, 1, &inner);
            let array = std::mem::take(&mut deep);
            put_bytes(&mut deep, 5, &array);
        }
        assert!(!fits(&deep, &ANY_VALUE));
    }
}
