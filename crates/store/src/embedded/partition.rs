//! Which stretch of time shares a keyspace.
//!
//! Promise: pure arithmetic; partitions never overlap, so a window lies in one at most, and
//! retention drops whole ones.
//! A partition keeps its range for life, also when a changed retention asks for another length:
//! new ones fill the gaps between those that exist.

use std::collections::BTreeMap;
use std::time::Duration;

use kausal_trace::window::{WINDOW_SECONDS, WINDOWS_PER_DAY};

/// Keyspaces of all purposes together. The engine's own limit is below 1,000 (it queues a message
/// for each while opening); past ours the oldest partitions go first.
pub(crate) const KEYSPACES_MAX: usize = 300;
/// Facts and index are cut into so many stretches of the retention.
const FACTS_STRETCHES: u64 = 100;
/// Catalogues are small and by the day: fewer stretches are enough.
const CATALOGUE_STRETCHES: u64 = 50;
const FACTS_SECONDS_MIN: u64 = 3_600;

/// Windows from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Range {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// Windows that a new partition of facts covers.
pub(crate) fn facts_length(retention: Duration) -> u64 {
    let seconds = (retention.as_secs() / FACTS_STRETCHES).max(FACTS_SECONDS_MIN);
    seconds.div_ceil(WINDOW_SECONDS)
}

/// Windows that a new partition of catalogues covers: whole days.
pub(crate) fn catalogue_length(retention: Duration) -> u64 {
    let windows = (retention.as_secs() / CATALOGUE_STRETCHES).div_ceil(WINDOW_SECONDS);
    windows.div_ceil(WINDOWS_PER_DAY).max(1) * WINDOWS_PER_DAY
}

/// Windows the retention spans, at least one.
pub(crate) fn retention_windows(retention: Duration) -> u64 {
    retention.as_secs().div_ceil(WINDOW_SECONDS).max(1)
}

impl Range {
    pub(crate) fn contains(self, window: u64) -> bool {
        (self.start..self.end).contains(&window)
    }
}

/// The range that holds `window`, among ranges by their start.
pub(crate) fn find<T>(
    ranges: &BTreeMap<u64, T>,
    range_of: impl Fn(&T) -> Range,
    window: u64,
) -> Option<&T> {
    let (_, found) = ranges.range(..=window).next_back()?;
    range_of(found).contains(window).then_some(found)
}

/// The range of a new partition for `window`: its cell in a grid of `length`, cut where partitions
/// exist already. `window` must lie in none of them.
pub(crate) fn new_range<T>(
    ranges: &BTreeMap<u64, T>,
    range_of: impl Fn(&T) -> Range,
    window: u64,
    length: u64,
) -> Range {
    let start = window - window % length;
    let before = ranges.range(..=window).next_back().map_or(0, |(_, other)| range_of(other).end);
    let after = ranges.range(window..).next().map_or(u64::MAX, |(start, _)| *start);
    Range { start: start.max(before), end: start.saturating_add(length).min(after) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn check(retention_seconds: u64, facts: u64, catalogue_days: u64) {
        let retention = Duration::from_secs(retention_seconds);
        let (facts_got, catalogue_got) = (facts_length(retention), catalogue_length(retention));
        assert_eq!(facts_got, facts, "{retention_seconds}");
        assert_eq!(catalogue_got, catalogue_days * WINDOWS_PER_DAY, "{retention_seconds}");
        // One more at each end: the oldest goes only when all of it is too old, and facts up to an
        // hour ahead are taken.
        let most = |length: u64| retention_windows(retention).div_ceil(length) + 2;
        assert!(2 * most(facts_got) + most(catalogue_got) < KEYSPACES_MAX as u64);
    }

    #[test]
    fn lengths_are_whole_and_keep_the_number_of_keyspaces_small() {
        check(60, 2, 1);
        check(DAY, 2, 1);
        check(30 * DAY, 15, 1);
        check(365 * DAY, 176, 8);
        check(3_650 * DAY, 1_752, 73);
    }

    fn map(ranges: &[(u64, u64)]) -> BTreeMap<u64, Range> {
        ranges.iter().map(|&(start, end)| (start, Range { start, end })).collect()
    }

    #[test]
    fn a_window_is_found_only_inside() {
        let ranges = map(&[(10, 20), (30, 40)]);
        for (window, expect) in
            [(9, None), (10, Some(10)), (19, Some(10)), (20, None), (35, Some(30))]
        {
            let found = find(&ranges, |range| *range, window).map(|range| range.start);
            assert_eq!(found, expect, "{window}");
        }
    }

    #[test]
    fn a_new_range_fills_only_the_gap() {
        let ranges = map(&[(10, 20), (30, 40)]);
        for (window, length, expect) in [
            (25, 15, (20, 30)),
            (25, 2, (24, 26)),
            (45, 15, (45, 60)),
            (41, 15, (40, 45)),
            (5, 15, (0, 10)),
        ] {
            let range = new_range(&ranges, |range| *range, window, length);
            assert_eq!((range.start, range.end), expect, "{window} {length}");
            assert!(range.contains(window));
        }
    }
}
