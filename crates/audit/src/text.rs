//! Bytes as text, and items as they stand in the bytes.
//!
//! Promise: bytes that are not UTF-8 cost only the item they stand in, and of that only what comes
//! after them; positions are those of the bytes given.
//! Never here: what the text says.

use crate::{
    cursor::{Cursor, Fault},
    decode::{Decoder, Found, Place},
    event::{Event, Extent},
    item::{Item, Reason, Rejected},
    limits::Limits,
    parse::{Draft, Need},
};

/// Runs `decode` over the bytes as text. Bytes that are not UTF-8 are covered by as many `?`, and
/// an item that holds such a byte is then saved up to it or rejected.
pub(crate) fn with_text<'a>(
    bytes: &'a [u8],
    limits: &Limits,
    each: &mut dyn FnMut(Item<'a>),
    decode: impl FnOnce(&mut Decoder<'_, '_>),
) {
    let mut lines = Lines::default();
    let mut hand_out = |found: Found<'a>| each(item(found, bytes, &mut lines));
    if let Ok(text) = std::str::from_utf8(bytes) {
        decode(&mut Decoder::new(text, limits, &mut hand_out));
        return;
    }
    let covered = cover(bytes);
    let mut emit = |found: Found<'_>| hand_out(uncover(found, bytes, &covered, limits));
    decode(&mut Decoder::new(&covered, limits, &mut emit));
}

fn item<'a>(found: Found<'a>, bytes: &'a [u8], lines: &mut Lines) -> Item<'a> {
    let extent = Extent { start: found.start, end: found.end };
    found.event.map(|event| Event { extent, ..event }).map_err(|reason| {
        let line = lines.line_of(found.start, bytes);
        Rejected {
            reason,
            offset: found.start,
            line: (found.place == Place::Document).then_some(line),
            bytes: bytes.get(found.start..found.end).unwrap_or_default().trim_ascii_end(),
        }
    })
}

/// Whether a line that starts a document may also end it: nearly all do, and need no other look.
#[inline]
pub(crate) fn ends_itself(line: &[u8]) -> bool {
    matches!(line.trim_ascii_end().last(), Some(b'}' | b']'))
}

/// Whether a document whose first line is `line` goes on behind it, where `next` is the first byte
/// that is no white space. Else it was cut: a line never starts like the inside of an object.
pub(crate) fn goes_on(line: &[u8], next: u8) -> bool {
    let line = line.trim_ascii_end();
    match (line.first(), line.last()) {
        (Some(b'['), Some(b'[' | b',' | b'{')) => {
            let inside = line.get(1..).unwrap_or_default().trim_ascii_start();
            matches!(inside.first(), None | Some(b'{'))
        }
        (Some(b'{'), Some(b'{' | b',')) => matches!(next, b'"' | b'}'),
        (Some(b'{'), Some(b'[')) => {
            line.ends_with(b"\"items\":[") || line.ends_with(b"\"items\": [")
        }
        _ => false,
    }
}

/// Counts lines as far as they were asked for.
#[derive(Default)]
struct Lines {
    at: usize,
    before: usize,
}

impl Lines {
    fn line_of(&mut self, at: usize, bytes: &[u8]) -> usize {
        let passed = bytes.get(self.at..at).unwrap_or_default();
        self.before += memchr::memchr_iter(b'\n', passed).count();
        self.at = self.at.max(at);
        self.before + 1
    }
}

fn cover(bytes: &[u8]) -> String {
    let mut covered = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        covered.push_str(chunk.valid());
        covered.extend(chunk.invalid().iter().map(|_| '?'));
    }
    covered
}

/// What was found in the covered text, as it is to be said of the bytes.
fn uncover<'a>(found: Found<'_>, bytes: &[u8], covered: &str, limits: &Limits) -> Found<'a> {
    let Found { start, end, place, event } = found;
    let mut pairs = bytes.iter().zip(covered.as_bytes()).take(end).skip(start);
    let event = match pairs.position(|(byte, cover)| byte != cover) {
        None => event.map(Event::into_owned),
        Some(at) => {
            let prefix = covered.get(start..start + at).unwrap_or_default();
            save(prefix, limits).map(Event::into_owned).ok_or(Reason::NotUtf8 { at })
        }
    };
    Found { start, end, place, event }
}

/// The event of which a text holds the start.
fn save<'t>(prefix: &'t str, limits: &Limits) -> Option<Event<'t>> {
    let mut draft = Draft::default();
    let read = Cursor::new(prefix, 0, limits).members(|key, cursor| draft.member(key, cursor));
    if read != Err(Fault::Cut) {
        return None;
    }
    draft.note(&format!("not UTF-8 at byte {}", prefix.len()));
    draft.finish(Need::Salvage).ok()
}
