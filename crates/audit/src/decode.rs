//! From bytes to events: JSON lines, documents one after another, arrays and `EventList`s.
//!
//! Promise: items come in the order of the input, each once; what is good is read in one pass, and
//! only what is not is looked at again to find where it ends and what of it can be saved.
//! Never here: decompression, which is [`crate::read`]'s.

use memchr::{memchr, memmem};
use thiserror::Error;

use crate::{
    cursor::{Cursor, Fault},
    event::Event,
    item::{Item, Reason, Rejected},
    limits::Limits,
    parse::{Draft, Need},
};

/// How an apiserver starts an event. Where one was killed while writing, the next event follows on
/// the same line.
const EVENT_START: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/"#;

/// Reads every item of `bytes` and hands it to `each`.
///
/// Documents may follow each other on lines, on the same line, or printed over several lines; blank
/// lines, a byte order mark and commas between documents are passed over. A document that starts on
/// a line and does not end there is taken to be cut, unless its first line is a lone bracket.
pub fn decode_all<'a>(bytes: &'a [u8], limits: &Limits, each: &mut dyn FnMut(Item<'a>)) {
    with_text(bytes, limits, each, |decoder| decoder.documents());
}

/// What an `EventList` held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebhookBody {
    /// Items handed out, good and bad.
    pub items: usize,
    /// False if the text broke before the list was over.
    pub whole: bool,
}

/// Why a webhook body is refused as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoEventList {
    /// It is not a JSON object.
    #[error("the body is no JSON object: {0}")]
    NotJson(Reason),
    /// It is an object of another kind.
    #[error("the body's kind is not EventList")]
    WrongKind,
    /// It has no `items`.
    #[error("the body has no items")]
    NoItems,
}

/// Reads the body of an audit webhook request, which must be one `EventList`.
///
/// If `kind` does not come before `items`, items are handed out before the kind is known to be
/// wrong.
pub fn decode_webhook_body<'a>(
    bytes: &'a [u8],
    limits: &Limits,
    each: &mut dyn FnMut(Item<'a>),
) -> Result<WebhookBody, NoEventList> {
    let mut answer = Err(NoEventList::NoItems);
    with_text(bytes, limits, each, |decoder| answer = decoder.event_list());
    answer
}

/// What stands at a place of the input.
struct Found<'t> {
    start: usize,
    end: usize,
    place: Place,
    event: Result<Event<'t>, Reason>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// By itself.
    Document,
    /// In a list.
    Element,
    /// The one document of a request, which should be a list.
    Body,
}

struct Decoder<'t, 'c> {
    text: &'t str,
    limits: Limits,
    emit: &'c mut dyn FnMut(Found<'t>),
}

/// An object that was read.
struct Object<'t> {
    end: usize,
    /// Number of its items, if it is a list.
    items: Option<usize>,
    kind: std::borrow::Cow<'t, str>,
    fault: Option<Fault>,
}

/// Runs `decode` over the bytes as text. Bytes that are not UTF-8 are covered by as many `?`, and
/// an item that holds such a byte is then saved up to it or rejected.
fn with_text<'a>(
    bytes: &'a [u8],
    limits: &Limits,
    each: &mut dyn FnMut(Item<'a>),
    decode: impl FnOnce(&mut Decoder<'_, '_>),
) {
    let mut lines = Lines::default();
    let mut hand_out = |found: Found<'a>| each(item(found, bytes, &mut lines));
    if let Ok(text) = std::str::from_utf8(bytes) {
        decode(&mut Decoder { text, limits: *limits, emit: &mut hand_out });
        return;
    }
    let covered = cover(bytes);
    let mut emit = |found: Found<'_>| hand_out(uncover(found, bytes, &covered, limits));
    decode(&mut Decoder { text: &covered, limits: *limits, emit: &mut emit });
}

fn item<'a>(found: Found<'a>, bytes: &'a [u8], lines: &mut Lines) -> Item<'a> {
    found.event.map_err(|reason| {
        let line = lines.line_of(found.start, bytes);
        Rejected {
            reason,
            offset: found.start,
            line: (found.place == Place::Document).then_some(line),
            bytes: bytes.get(found.start..found.end).unwrap_or_default().trim_ascii_end(),
        }
    })
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
            let mut cursor = Cursor::new(prefix, 0, limits);
            let mut draft = Draft::default();
            let read = cursor.members(|key, cursor| draft.member(key, cursor));
            match read {
                Err(Fault::Cut) => {
                    draft.note(&format!("not UTF-8 at byte {at}"));
                    let saved = draft.finish(Need::Salvage).map(Event::into_owned);
                    saved.map_err(|_| Reason::NotUtf8 { at })
                }
                _ => Err(Reason::NotUtf8 { at }),
            }
        }
    };
    Found { start, end, place, event }
}

// === impl Decoder ===

impl<'t> Decoder<'t, '_> {
    fn documents(&mut self) {
        let mut at = usize::from(self.text.starts_with('\u{feff}')) * '\u{feff}'.len_utf8();
        while let Some((start, first)) = self.next_start(at) {
            let bound = self.bound(start);
            at = match first {
                b'{' => self.object(start, bound, Place::Document).end,
                b'[' => self.array(start, bound),
                _ => self.garbage(start, bound, first),
            };
        }
    }

    fn event_list(&mut self) -> Result<WebhookBody, NoEventList> {
        let end = self.text.len();
        let start = self.text.len() - self.text.trim_start_matches(['\u{feff}', ' ', '\n', '\r', '\t']).len();
        let object = self.object(start, end, Place::Body);
        if !matches!(&*object.kind, "" | "EventList") {
            return Err(NoEventList::WrongKind);
        }
        match (object.items, object.fault) {
            (None, Some(fault)) => {
                Err(NoEventList::NotJson(fault.reason(start, end, &self.limits)))
            }
            (_, None) if object.kind.is_empty() => Err(NoEventList::WrongKind),
            (None, None) => Err(NoEventList::NoItems),
            (Some(items), fault) => {
                let rest = self.next_start(object.end);
                if let Some((start, _)) = rest {
                    self.reject(start, end, Place::Element, no_json(0, "end of the body"));
                }
                Ok(WebhookBody { items, whole: fault.is_none() && rest.is_none() })
            }
        }
    }

    /// Start and first byte of what comes next.
    fn next_start(&self, at: usize) -> Option<(usize, u8)> {
        let rest = self.text.as_bytes().get(at..)?;
        let between = |byte: &&u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b',' | 0x1e);
        let start = at + rest.iter().take_while(between).count();
        Some((start, *self.text.as_bytes().get(start)?))
    }

    /// Where what starts at `start` must end: with its line, unless it is printed over several.
    fn bound(&self, start: usize) -> usize {
        let rest = self.text.as_bytes().get(start..).unwrap_or_default();
        let Some(length) = memchr(b'\n', rest) else { return self.text.len() };
        match rest.get(..length).unwrap_or_default().trim_ascii_end() {
            b"{" => self.next_line_object(start).unwrap_or(self.text.len()),
            b"[" => self.text.len(),
            _ => start + length,
        }
    }

    /// The next line after `start` that starts with an object.
    fn next_line_object(&self, start: usize) -> Option<usize> {
        let rest = self.text.as_bytes().get(start..)?;
        memmem::find(rest, b"\n{").map(|at| start + at + 1)
    }

    fn array(&mut self, start: usize, bound: usize) -> usize {
        let mut cursor = self.cursor(start, bound);
        match self.list(&mut cursor, bound, &mut 0) {
            Ok(()) => cursor.at(),
            Err(fault) => self.abandon(&fault, cursor.at(), bound),
        }
    }

    /// The rest of a list that broke between its items.
    fn abandon(&mut self, fault: &Fault, at: usize, bound: usize) -> usize {
        if let (Some((start, _)), Fault::Syntax { .. }) = (self.next_start(at), fault)
            && start < bound
        {
            self.reject(start, bound, Place::Element, fault.reason(start, bound, &self.limits));
        }
        bound
    }

    /// The items of the array that comes next; leaves the cursor after it.
    fn list(
        &mut self,
        cursor: &mut Cursor<'t>,
        bound: usize,
        items: &mut usize,
    ) -> Result<(), Fault> {
        cursor.take(b'[', "array")?;
        if cursor.peek()? == b']' {
            cursor.move_to(cursor.at() + 1);
            return Ok(());
        }
        loop {
            cursor.peek()?;
            *items += 1;
            let next = self.element(cursor, bound)?;
            cursor.move_to(next);
            match cursor.peek()? {
                b',' => cursor.move_to(cursor.at() + 1),
                b']' => {
                    cursor.move_to(cursor.at() + 1);
                    return Ok(());
                }
                // A comma lost where a broken item was passed over, or never written.
                b'{' => {}
                _ => return Err(cursor.syntax("comma or closing bracket")),
            }
        }
    }

    /// One item of a list; where it ends.
    fn element(&mut self, cursor: &mut Cursor<'t>, bound: usize) -> Result<usize, Fault> {
        let start = cursor.at();
        if cursor.peek()? != b'{' {
            let found = found_instead(cursor.peek()?);
            cursor.skip()?;
            self.reject(start, cursor.at(), Place::Element, Reason::NotAnObject { found });
            return Ok(cursor.at());
        }
        let object = self.object(start, bound, Place::Element);
        if object.fault.is_some() && object.end >= bound {
            return Err(Fault::Answered);
        }
        Ok(object.end)
    }

    /// The object at `start`: one event, or a list of them.
    fn object(&mut self, start: usize, bound: usize, place: Place) -> Object<'t> {
        let mut cursor = self.cursor(start, bound);
        let mut draft = Draft::default();
        let mut items = None;
        let read = cursor.members(|key, cursor| {
            if &**key == "items" && place != Place::Element && !draft.is_event() {
                return self.items(&draft, place, cursor, bound, &mut items);
            }
            draft.member(key, cursor)
        });
        let kind = draft.kind.clone();
        let (end, fault) = match read {
            Ok(()) if items.is_none() && place != Place::Body => {
                (self.whole(draft, start, cursor.at(), place), None)
            }
            Ok(()) => (cursor.at(), None),
            Err(fault) if items.is_some() => {
                (self.abandon(&fault, cursor.at(), bound), Some(fault))
            }
            Err(fault) if place == Place::Body => (bound, Some(fault)),
            Err(fault) => (self.broken(draft, &fault, start, bound, place), Some(fault)),
        };
        Object { end, items, kind, fault }
    }

    fn items(
        &mut self,
        draft: &Draft<'t>,
        place: Place,
        cursor: &mut Cursor<'t>,
        bound: usize,
        items: &mut Option<usize>,
    ) -> Result<(), Fault> {
        let wrong_kind = !matches!(&*draft.kind, "" | "EventList");
        if place == Place::Body && wrong_kind {
            return cursor.skip().map(drop);
        }
        let items = items.insert(0);
        if cursor.peek()? == b'[' {
            return self.list(cursor, bound, items);
        }
        cursor.skip().map(drop)
    }

    fn whole(&mut self, draft: Draft<'t>, start: usize, end: usize, place: Place) -> usize {
        let bytes = end - start;
        let max = self.limits.event_bytes_max;
        let event = if bytes > max {
            Err(Reason::TooLarge { bytes, max })
        } else {
            draft.finish(Need::Event).map_err(|members| Need::Event.reason(members, bytes))
        };
        (self.emit)(Found { start, end, place, event });
        end
    }

    /// An object with a fault in it: saves or rejects it and says where to go on.
    fn broken(
        &mut self,
        mut draft: Draft<'t>,
        fault: &Fault,
        start: usize,
        bound: usize,
        place: Place,
    ) -> usize {
        let bound = self.narrow(start, bound, place);
        let (end, at, why) = match *fault {
            Fault::Cut => {
                let at = self.text.get(start..bound).unwrap_or_default().trim_ascii_end().len();
                (bound, at, "cut at byte")
            }
            Fault::Syntax { at, .. } => {
                let end = self.balanced(start, bound, place).unwrap_or(bound);
                (end, at.saturating_sub(start), "not JSON from byte")
            }
            _ => {
                let end = self.balanced(start, bound, place).unwrap_or(bound);
                self.reject(start, end, place, fault.reason(start, end, &self.limits));
                return end;
            }
        };
        let (bytes, max) = (end - start, self.limits.event_bytes_max);
        draft.note(&format!("{why} {at}"));
        let event = match draft.finish(Need::Salvage) {
            _ if bytes > max => Err(Reason::TooLarge { bytes, max }),
            Ok(event) => Ok(event),
            Err(members) if *fault == Fault::Cut => Err(Need::Salvage.reason(members, at)),
            Err(_) => Err(fault.reason(start, end, &self.limits)),
        };
        (self.emit)(Found { start, end, place, event });
        end
    }

    /// A nearer bound for a broken object: the event that an apiserver wrote onto the same line
    /// after it was killed, or the next line of a list that has its items on lines.
    fn narrow(&self, start: usize, bound: usize, place: Place) -> usize {
        let near = match place {
            Place::Element => self.next_line_object(start),
            _ => self.torn(start, bound),
        };
        near.filter(|near| *near < bound).unwrap_or(bound)
    }

    /// Where the line was torn and another event starts. Only a start at which the text before it
    /// stops being JSON counts: a body may hold a whole audit event that somebody made up.
    fn torn(&self, start: usize, bound: usize) -> Option<usize> {
        let text = self.text.get(start..bound)?;
        memmem::find(text.as_bytes().get(1..)?, EVENT_START.as_bytes())?;
        let error = serde_json::from_str::<serde::de::IgnoredAny>(text).err()?;
        let line_start = match error.line() {
            1 => 0,
            line => memchr::memchr_iter(b'\n', text.as_bytes()).nth(line - 2)? + 1,
        };
        let at = line_start + error.column();
        let near = at.saturating_sub(4).max(1);
        let window = text.as_bytes().get(near..(at + 1 + EVENT_START.len()).min(text.len()))?;
        memmem::find(window, EVENT_START.as_bytes()).map(|found| start + near + found)
    }

    /// Where the brackets of the object at `start` balance, if what follows fits.
    fn balanced(&self, start: usize, bound: usize, place: Place) -> Option<usize> {
        let mut cursor = self.cursor(start, bound);
        cursor.skip().ok()?;
        let end = cursor.at();
        let fits = match (place, cursor.peek()) {
            (_, Err(_)) | (Place::Element, Ok(b',' | b']')) => true,
            (Place::Document | Place::Body, Ok(b'{' | b'[' | b',')) => true,
            _ => false,
        };
        fits.then_some(end)
    }

    fn garbage(&mut self, start: usize, bound: usize, first: u8) -> usize {
        let reason = match first {
            b'"' | b'0'..=b'9' | b'-' => Reason::NotAnObject { found: found_instead(first) },
            _ => no_json(0, "value"),
        };
        self.reject(start, bound, Place::Document, reason);
        bound
    }

    fn reject(&mut self, start: usize, end: usize, place: Place, reason: Reason) {
        (self.emit)(Found { start, end, place, event: Err(reason) });
    }

    fn cursor(&self, start: usize, bound: usize) -> Cursor<'t> {
        Cursor::new(self.text.get(..bound).unwrap_or_default(), start, &self.limits)
    }
}

const fn no_json(at: usize, expected: &'static str) -> Reason {
    Reason::NotJson { at, expected }
}

const fn found_instead(first: u8) -> &'static str {
    match first {
        b'"' => "a string",
        b'[' => "an array",
        b't' | b'f' => "a truth value",
        b'n' => "null",
        _ => "a number",
    }
}
