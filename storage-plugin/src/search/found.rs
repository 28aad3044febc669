//! Objects that were found, and the views that show them.

use std::collections::HashMap;

use kausal_object::ObjectKey;
use kausal_story::Mode;
use kausal_trace::window::WINDOWS_PER_DAY;
use kausal_trace::{KeyHash, SpanRef, ViewId, Window};

use super::{Filter, Hits};
use crate::error::ReadError;
use crate::gather::Range;

/// Windows on either side of a hit that its view shows.
const WINDOWS_AROUND: u64 = 1;
/// Windows of hits that one view shows: what a person can look at, and a server read at once.
const WINDOWS_MAX: u64 = WINDOWS_PER_DAY;

/// Windows from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) first: Window,
    pub(crate) last: Window,
}

impl Span {
    /// Both, if one view can show them.
    pub(crate) fn joined(self, other: Self) -> Option<Self> {
        let (first, last) = (self.first.min(other.first), self.last.max(other.last));
        (last.0 - first.0 < WINDOWS_MAX).then_some(Self { first, last })
    }
}

/// An object that was found, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) object: ObjectKey,
    /// From the oldest hit to the newest.
    pub(crate) hits: Span,
}

impl Found {
    /// With one hit.
    pub(crate) fn at(object: ObjectKey, window: Window) -> Self {
        Self { object, hits: Span { first: window, last: window } }
    }

    /// Its hits as far as one view shows them: at most a day's worth that ends with the newest.
    pub(crate) fn shown(&self) -> Span {
        let Span { first, last } = self.hits;
        Span { first: first.max(Window(last.0.saturating_sub(WINDOWS_MAX - 1))), last }
    }

    /// The windows of its view: those of its hits and one on either side, within what was asked
    /// for.
    fn windows(&self, asked: Span) -> Span {
        let Span { first, last } = self.shown();
        Span {
            first: Window(first.0.saturating_sub(WINDOWS_AROUND)).max(asked.first).min(first),
            last: Window(last.0 + WINDOWS_AROUND).min(asked.last).max(last),
        }
    }

    /// The range of its view.
    pub(crate) fn range(&self, asked: Span) -> Range {
        let Span { first, last } = self.windows(asked);
        Range::of_windows(first, last)
    }

    /// The view that shows its hits.
    pub(crate) fn view(&self, mode: Mode, asked: Span) -> ViewId {
        let Span { first, last } = self.windows(asked);
        let key = KeyHash::of(self.object.as_ref());
        ViewId { mode: mode.id(), first, windows: last.0 - first.0 + 1, key }
    }
}

/// Gathers hits into objects, in the order of their newest hit.
#[derive(Debug, Default)]
pub(crate) struct Finds {
    found: Vec<Found>,
    known: HashMap<ObjectKey, usize>,
}

impl Finds {
    /// Takes hits that pass until the next one is of one more object than `objects_max`, or there
    /// are no more.
    pub(crate) fn take(
        &mut self,
        hits: &mut Hits<'_>,
        filter: &Filter,
        objects_max: usize,
    ) -> Result<(), ReadError> {
        while let Some(hit) = hits.next()? {
            let Ok(span) = SpanRef::parse(&hit.bytes) else { continue };
            let fits = !filter.passes(&span)
                || self.add(span.object_key().to_owned(), Window::of(span.start), objects_max);
            if !fits {
                hits.put_back(hit);
                break;
            }
        }
        Ok(())
    }

    /// Adds a hit, unless it is of one more object than `objects_max`; answers whether it fit.
    fn add(&mut self, object: ObjectKey, window: Window, objects_max: usize) -> bool {
        if let Some(found) = self.known.get(&object).and_then(|at| self.found.get_mut(*at)) {
            found.hits.first = found.hits.first.min(window);
            found.hits.last = found.hits.last.max(window);
            return true;
        }
        if self.found.len() >= objects_max {
            return false;
        }
        self.known.insert(object.clone(), self.found.len());
        self.found.push(Found::at(object, window));
        true
    }

    /// The objects.
    pub(crate) fn found(&self) -> &[Found] {
        &self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::key;

    const W: u64 = 997_326;

    fn check(hits: (u64, u64), asked: (u64, u64), expect: (u64, u64)) {
        let hits = Span { first: Window(W + hits.0), last: Window(W + hits.1) };
        let found = Found { object: key("c1//pods/shop/web"), hits };
        let asked = Span { first: Window(W + asked.0), last: Window(W + asked.1) };
        let view = found.view(Mode::default(), asked);
        let windows = (view.first.0 - W, view.first.0 + view.windows - 1 - W);
        assert_eq!(windows, expect, "{hits:?} {asked:?}");
        let range = found.range(asked);
        assert_eq!((range.first(), range.windows()), (view.first, view.windows));
    }

    #[test]
    fn a_view_shows_its_hits_and_one_window_on_either_side() {
        check((10, 10), (0, 99), (9, 11));
        check((10, 12), (0, 99), (9, 13));
    }

    #[test]
    fn what_was_asked_for_bounds_the_view() {
        check((10, 10), (10, 99), (10, 11));
        check((10, 10), (0, 10), (9, 10));
        check((10, 10), (10, 10), (10, 10));
    }

    #[test]
    fn hits_over_days_show_the_newest_day() {
        check((1, 90), (0, 99), (42, 91));
        check((1, 90), (70, 80), (43, 90));
    }
}
