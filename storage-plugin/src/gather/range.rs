//! Which windows a reading covers.
//!
//! Promise: a range always has a first and a last window, in order, and can be named in a view id.

use std::collections::BTreeSet;

use kausal_trace::id::VIEW_WINDOWS_MAX;
use kausal_trace::window::WINDOWS_PER_DAY;
use kausal_trace::{Day, UnixNanos, Window};

/// The time a reading covers: exact instants, and the windows that hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// First instant.
    pub(crate) from: UnixNanos,
    /// First instant after it.
    pub(crate) to: UnixNanos,
}

impl Range {
    /// Whole windows; at most what a view id can name, the newest of them.
    pub(crate) fn of_windows(first: Window, last: Window) -> Self {
        let first = Window(first.0.max(last.0.saturating_sub(VIEW_WINDOWS_MAX - 1)).min(last.0));
        Self { from: first.start(), to: last.end() }
    }

    /// From the beginning of the earlier to the end of the later.
    pub(crate) fn with(self, other: Self) -> Self {
        Self { from: self.from.min(other.from), to: self.to.max(other.to) }
    }

    /// First window.
    pub(crate) fn first(&self) -> Window {
        Window::of(self.from)
    }

    /// Last window.
    pub(crate) fn last(&self) -> Window {
        Window::of(UnixNanos(self.to.0.saturating_sub(1).max(self.from.0)))
    }

    /// Number of windows.
    pub(crate) fn windows(&self) -> u64 {
        self.last().0 - self.first().0 + 1
    }

    /// Days whose catalogues cover the range and the day before it: links of yesterday hold today,
    /// even if nothing recorded today repeats them.
    pub(crate) fn days(&self) -> impl Iterator<Item = Day> + use<> {
        days(Day(self.first().day().0.saturating_sub(1)), self.last().day())
    }
}

/// Days from one to another, both included.
pub(crate) fn days(first: Day, last: Day) -> impl Iterator<Item = Day> {
    (first.0..=last.0).map(Day)
}

/// The range asked for, given the windows in which the object has facts. An end that was not asked
/// for is that of the facts; without a beginning it is the newest 24 h with facts. `None` when
/// there are no facts in it.
pub(crate) fn resolve(
    facts: &BTreeSet<Window>,
    from: Option<UnixNanos>,
    to: Option<UnixNanos>,
) -> Option<Range> {
    let upper = to.map_or(Window(u64::MAX), |to| Window::of(UnixNanos(to.0.saturating_sub(1))));
    let newest = *facts.range(..=upper).next_back()?;
    let lower = from.map_or(Window(newest.0.saturating_sub(WINDOWS_PER_DAY - 1)), Window::of);
    let oldest = *facts.range(lower..).next().filter(|oldest| **oldest <= newest)?;
    Some(Range {
        from: from.unwrap_or(oldest.start()),
        to: to.unwrap_or(newest.end()).max(UnixNanos(from.map_or(1, |from| from.0 + 1))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const W: u64 = 997_326;

    fn check(facts: &[u64], from: Option<u64>, to: Option<u64>, expect: Option<(u64, u64)>) {
        let facts = facts.iter().map(|window| Window(*window)).collect();
        let at = |window: u64| Window(window).start();
        let range = resolve(&facts, from.map(at), to.map(at));
        let windows = range.map(|range| (range.first().0, range.last().0));
        assert_eq!(windows, expect, "{facts:?} {from:?} {to:?}");
    }

    #[test]
    fn without_a_wish_it_is_the_newest_24_hours_with_facts() {
        check(&[W, W + 3], None, None, Some((W, W + 3)));
        check(&[W - 48, W - 47, W], None, None, Some((W - 47, W)));
        check(&[], None, None, None);
    }

    #[test]
    fn a_wish_is_kept_exactly() {
        check(&[W, W + 3, W + 9], Some(W + 1), Some(W + 5), Some((W + 1, W + 4)));
        check(&[W - 90, W], Some(W - 100), None, Some((W - 100, W)));
        check(&[W - 90, W], None, Some(W - 80), Some((W - 90, W - 81)));
        check(&[W], Some(W + 1), None, None);
        check(&[W], None, Some(W), None);
        check(&[W], Some(W + 1), Some(W), None);
    }

    #[test]
    fn a_range_of_windows_fits_a_view_id() {
        let range = Range::of_windows(Window(W), Window(W + 20_000));
        assert_eq!((range.windows(), range.last()), (VIEW_WINDOWS_MAX, Window(W + 20_000)));
        assert_eq!(Range::of_windows(Window(W), Window(W)).windows(), 1);
    }

    #[test]
    fn catalogues_are_read_from_the_day_before() {
        let range = Range::of_windows(Window(48 * 10), Window(48 * 11));
        assert_eq!(range.days().collect::<Vec<_>>(), [Day(9), Day(10), Day(11)]);
    }
}
