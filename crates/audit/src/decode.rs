//! From bytes to events: JSON lines, documents one after another, arrays and `EventList`s.
//!
//! Promise: items come in the order of the input, each once; what is good is read in one pass, and
//! only what is not is looked at again to find where it ends and what of it can be saved.
//! Never here: decompression, which is [`crate::read`]'s.

use std::borrow::Cow;

use thiserror::Error;

use crate::{
    cursor::{Cursor, Fault},
    event::Event,
    item::{Item, Reason},
    limits::Limits,
    parse::{Draft, Need},
    recover::Ahead,
    text::{ends_itself, goes_on, with_text},
};

/// Reads every item of `bytes` and hands it to `each`.
///
/// Documents may follow each other on lines, on the same line, or printed over several lines; blank
/// lines, a byte order mark and commas between documents are passed over. A document that starts on
/// a line and does not end there is taken to be cut, unless its first line is a lone bracket.
pub fn decode_all<'a>(bytes: &'a [u8], limits: &Limits, each: &mut dyn FnMut(Item<'a>)) {
    with_text(bytes, limits, each, |decoder| {
        decoder.documents();
    });
}

/// What an `EventList` held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebhookBody {
    /// Items of the list that were handed out, good and bad.
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
pub(crate) struct Found<'t> {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) place: Place,
    pub(crate) event: Result<Event<'t>, Reason>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// By itself.
    Document,
    /// In a list.
    Element,
    /// The one document of a request, which should be a list.
    Body,
}

/// Goes through a text and hands out what it finds.
pub(crate) struct Decoder<'t, 'c> {
    pub(crate) text: &'t str,
    pub(crate) limits: Limits,
    pub(crate) ahead: Ahead,
    pub(crate) emit: &'c mut dyn FnMut(Found<'t>),
}

/// An object that was read.
struct Object<'t> {
    end: usize,
    /// Number of its items, if it is a list.
    items: Option<usize>,
    kind: Cow<'t, str>,
    fault: Option<Fault>,
}

const EVENT_LIST: &str = "EventList";
const BYTE_ORDER_MARK: char = '\u{feff}';

// === impl Decoder ===

impl<'t, 'c> Decoder<'t, 'c> {
    pub(crate) fn new(text: &'t str, limits: &Limits, emit: &'c mut dyn FnMut(Found<'t>)) -> Self {
        Self { text, limits: *limits, ahead: Ahead::default(), emit }
    }

    fn documents(&mut self) {
        let mut at = self.text_start();
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
        let start = self.text_start();
        let object = self.object(start, end, Place::Body);
        if !object.kind.is_empty() && object.kind != EVENT_LIST {
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
    pub(crate) fn next_start(&self, at: usize) -> Option<(usize, u8)> {
        let rest = self.text.as_bytes().get(at..)?;
        let between = |byte: &&u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b',' | 0x1e);
        let start = at + rest.iter().take_while(between).count();
        Some((start, *self.text.as_bytes().get(start)?))
    }

    fn text_start(&self) -> usize {
        usize::from(self.text.starts_with(BYTE_ORDER_MARK)) * BYTE_ORDER_MARK.len_utf8()
    }

    /// Where what starts at `start` must end: with its line, unless it is printed over several.
    fn bound(&mut self, start: usize) -> usize {
        let all = self.text.len();
        let Some(end) = self.ahead.line_end(self.text, start) else { return all };
        let line = self.text.as_bytes().get(start..end).unwrap_or_default();
        if ends_itself(line) || !self.next_start(end).is_some_and(|(_, next)| goes_on(line, next)) {
            return end;
        }
        if line.trim_ascii_end().ends_with(b"[") || line.starts_with(b"[") {
            return all;
        }
        self.ahead.object_line(self.text, start).unwrap_or(all)
    }

    fn array(&mut self, start: usize, bound: usize) -> usize {
        let mut cursor = self.cursor(start, bound);
        match self.list(&mut cursor, bound, &mut 0) {
            Ok(()) => cursor.at(),
            Err(fault) => self.abandon(&fault, cursor.at(), bound),
        }
    }

    /// The items of the array (or `null`) that comes next; leaves the cursor after it.
    fn list(
        &mut self,
        cursor: &mut Cursor<'t>,
        bound: usize,
        items: &mut usize,
    ) -> Result<(), Fault> {
        if cursor.peek()? == b'n' {
            return cursor.skip().map(drop);
        }
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
            if &**key == "items" && place != Place::Element && may_be_list(&draft, cursor)? {
                return self.list(cursor, bound, items.insert(0));
            }
            draft.member(key, cursor)
        });
        let kind = draft.kind.clone();
        let (end, fault) = match read {
            Ok(()) if place == Place::Body => (cursor.at(), None),
            // A list without items that does not say it is one is no more than any other object.
            Ok(()) if items.unwrap_or(0) == 0 && kind != EVENT_LIST => {
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

    fn whole(&mut self, draft: Draft<'t>, start: usize, end: usize, place: Place) -> usize {
        let bytes = end - start;
        let max = self.limits.event_bytes_max;
        let event = if bytes > max {
            Err(Reason::TooLarge { bytes, max })
        } else {
            draft.finish(Need::Event).map_err(|members| Reason::Missing { members })
        };
        (self.emit)(Found { start, end, place, event });
        end
    }

    pub(crate) fn reject(&mut self, start: usize, end: usize, place: Place, reason: Reason) {
        (self.emit)(Found { start, end, place, event: Err(reason) });
    }

    pub(crate) fn cursor(&self, start: usize, bound: usize) -> Cursor<'t> {
        Cursor::new(self.text.get(..bound).unwrap_or_default(), start, &self.limits)
    }
}

/// Whether the member `items` that comes next is that of a list of events.
fn may_be_list(draft: &Draft<'_>, cursor: &mut Cursor<'_>) -> Result<bool, Fault> {
    let kind = draft.kind.is_empty() || draft.kind == EVENT_LIST;
    Ok(kind && !draft.is_event() && matches!(cursor.peek()?, b'[' | b'n'))
}

pub(crate) const fn no_json(at: usize, expected: &'static str) -> Reason {
    Reason::NotJson { at, expected }
}

pub(crate) const fn found_instead(first: u8) -> &'static str {
    match first {
        b'"' => "a string",
        b'[' => "an array",
        b't' | b'f' => "a truth value",
        b'n' => "null",
        _ => "a number",
    }
}
