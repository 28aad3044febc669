//! Finds the way on behind a broken item, and what of it can be saved.
//!
//! Promise: everything up to the place where decoding goes on is answered for. An event is saved
//! from what stands before the fault if that tells who did what; nothing inside a body is ever
//! taken for an event of its own. Linear time, however many items are broken.
//! Never here: repair.

use memchr::{memchr, memmem};

use crate::{
    cursor::Fault,
    decode::{Decoder, Found, Place, found_instead, no_json},
    item::Reason,
    parse::{Draft, Need},
};

/// How an apiserver starts an event. Where one was killed while writing, the next event follows on
/// the same line.
const EVENT_START: &[u8] = br#"{"kind":"Event","apiVersion":"audit.k8s.io/"#;

/// How far before the place that `serde_json` names a fault may have begun: an escape that broke
/// off is named at its end.
const FAULT_REACH: usize = 6;

/// Places further on in the text, each searched for once.
#[derive(Default)]
pub(crate) struct Ahead {
    line_end: Sought,
    object_line: Sought,
    event_start: Sought,
}

#[derive(Default)]
struct Sought {
    /// From where the search began, and what it found.
    last: Option<(usize, Option<usize>)>,
}

// === impl Ahead ===

impl Ahead {
    /// The line end at or after `from`.
    #[inline]
    pub(crate) fn line_end(&mut self, text: &str, from: usize) -> Option<usize> {
        self.line_end.from(text, from, |rest| memchr(b'\n', rest))
    }

    /// The next line after `from` that starts with an object.
    pub(crate) fn object_line(&mut self, text: &str, from: usize) -> Option<usize> {
        let end = self.object_line.from(text, from, |rest| memmem::find(rest, b"\n{"));
        end.map(|at| at + 1)
    }

    /// The next place at or after `from` that looks like the start of an event.
    fn event_start(&mut self, text: &str, from: usize) -> Option<usize> {
        self.event_start.from(text, from, |rest| memmem::find(rest, EVENT_START))
    }
}

impl Sought {
    #[inline]
    fn from(
        &mut self,
        text: &str,
        from: usize,
        find: impl Fn(&[u8]) -> Option<usize>,
    ) -> Option<usize> {
        if let Some((searched_from, found)) = self.last
            && searched_from <= from
            && found.is_none_or(|at| from <= at)
        {
            return found;
        }
        let rest = text.as_bytes().get(from..).unwrap_or_default();
        let found = find(rest).map(|at| from + at);
        self.last = Some((from, found));
        found
    }
}

// === impl Decoder ===

impl<'t> Decoder<'t, '_> {
    /// An object with a fault in it: saves or rejects it and says where to go on.
    pub(crate) fn broken(
        &mut self,
        draft: Draft<'t>,
        fault: &Fault,
        start: usize,
        bound: usize,
        place: Place,
    ) -> usize {
        let bound = self.narrow(start, bound, place);
        let end = match fault {
            Fault::Cut => bound,
            _ => self.balanced(start, bound, place).unwrap_or(bound),
        };
        let (bytes, max) = (end - start, self.limits.event_bytes_max);
        let event = match fault {
            _ if bytes > max => Err(Reason::TooLarge { bytes, max }),
            Fault::Cut => {
                let there = self.text.get(start..end).unwrap_or_default();
                let at = there.trim_ascii_end().len();
                save(draft, &format!("cut at byte {at}"))
                    .map_err(|members| Reason::Cut { at, members })
            }
            Fault::Syntax { at, .. } => {
                let at = at.saturating_sub(start);
                save(draft, &format!("not JSON from byte {at}"))
                    .map_err(|_| fault.reason(start, end, &self.limits))
            }
            _ => Err(fault.reason(start, end, &self.limits)),
        };
        (self.emit)(Found { start, end, place, event });
        end
    }

    /// The rest of a list that broke between its items; empty if it just ends there.
    pub(crate) fn abandon(&mut self, fault: &Fault, at: usize, bound: usize) -> usize {
        if *fault != Fault::Answered {
            let start = self.next_start(at).map_or(bound, |(start, _)| start.min(bound));
            self.reject(start, bound, Place::Element, fault.reason(start, bound, &self.limits));
        }
        bound
    }

    /// A nearer bound for a broken object: the event that an apiserver wrote onto the same line
    /// after it was killed, or the next line of a list that has its items on lines.
    fn narrow(&mut self, start: usize, bound: usize, place: Place) -> usize {
        let line = match place {
            Place::Element => self.ahead.object_line(self.text, start),
            Place::Document | Place::Body => None,
        };
        let bound = line.map_or(bound, |line| line.min(bound));
        self.torn(start, bound).unwrap_or(bound)
    }

    /// Where the object was torn and another event starts. Only a start at which the text before it
    /// stops being JSON counts: a body may hold a whole audit event that somebody made up.
    fn torn(&mut self, start: usize, bound: usize) -> Option<usize> {
        self.ahead.event_start(self.text, start + 1).filter(|at| *at < bound)?;
        let text = self.text.get(start..bound)?;
        let error = serde_json::from_str::<serde::de::IgnoredAny>(text).err()?;
        let line_start = match error.line() {
            0 | 1 => 0,
            line => memchr::memchr_iter(b'\n', text.as_bytes()).nth(line - 2)? + 1,
        };
        let fault = start + line_start + error.column();
        let near = fault.saturating_sub(FAULT_REACH).max(start + 1);
        self.ahead.event_start(self.text, near).filter(|at| *at <= fault && *at < bound)
    }

    /// Where the brackets of the object at `start` balance, if what follows fits.
    fn balanced(&self, start: usize, bound: usize, place: Place) -> Option<usize> {
        let mut cursor = self.cursor(start, bound);
        cursor.skip().ok()?;
        let end = cursor.at();
        let next = cursor.peek().ok();
        let fits = match place {
            Place::Element => matches!(next, None | Some(b',' | b']')),
            Place::Document | Place::Body => matches!(next, None | Some(b'{' | b'[' | b',')),
        };
        fits.then_some(end)
    }

    pub(crate) fn garbage(&mut self, start: usize, bound: usize, first: u8) -> usize {
        let reason = match first {
            b'"' | b'0'..=b'9' | b'-' => Reason::NotAnObject { found: found_instead(first) },
            _ => no_json(0, "value"),
        };
        self.reject(start, bound, Place::Document, reason);
        bound
    }
}

fn save<'t>(mut draft: Draft<'t>, why: &str) -> Result<crate::Event<'t>, String> {
    draft.note(why);
    draft.finish(Need::Salvage)
}
