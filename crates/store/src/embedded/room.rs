//! Which partition has to go, and why. Pure.
//!
//! Promise: the oldest goes first. For bytes and for free space only what is older than the newest
//! partition of facts goes: dropping what is being written would make room for nothing.

use std::fmt;

use kausal_trace::Window;

use super::key::Purpose;
use super::partition::{KEYSPACES_MAX, Range};
use crate::DroppedStats;

/// Why a partition goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// All of it is older than the retention.
    Retention,
    /// There are more keyspaces than the engine should hold.
    Keyspaces,
    /// The store is larger than it may be.
    Bytes,
    /// The disk has less free space than is kept in reserve.
    Reserve,
}

/// A partition, as far as this decision goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) purpose: Purpose,
    pub(crate) range: Range,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (Window(self.range.start).start(), Window(self.range.end).start());
        write!(f, "{} {from} – {to}", self.purpose.as_str())
    }
}

/// What there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// The partition that ends first.
    pub(crate) oldest: Option<Candidate>,
    /// First window of the newest partition of facts.
    pub(crate) newest_start: u64,
    pub(crate) keyspaces: usize,
    pub(crate) bytes: u64,
}

/// What may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// First window that is kept.
    pub(crate) horizon: u64,
    pub(crate) bytes_max: u64,
    pub(crate) disk: Disk,
}

/// Whether the disk has the space that is kept in reserve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Disk {
    #[default]
    Ample,
    Short,
}

/// The partition that goes next, if one must.
pub(crate) fn next_to_go(usage: Usage, bounds: Bounds) -> Option<(Candidate, Why)> {
    let oldest = usage.oldest?;
    let is_past = oldest.range.end <= usage.newest_start;
    let why = if oldest.range.end <= bounds.horizon {
        Why::Retention
    } else if usage.keyspaces > KEYSPACES_MAX {
        Why::Keyspaces
    } else if is_past && usage.bytes > bounds.bytes_max {
        Why::Bytes
    } else if is_past && bounds.disk == Disk::Short {
        Why::Reserve
    } else {
        return None;
    };
    Some((oldest, why))
}

impl Why {
    /// For people.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Retention => "past the retention",
            Self::Keyspaces => "too many partitions",
            Self::Bytes => "the store is larger than store.bytes_max",
            Self::Reserve => "the disk has less free space than store.reserve",
        }
    }

    /// Counts one.
    pub(crate) fn count(self, dropped: &mut DroppedStats) {
        let count = match self {
            Self::Retention => &mut dropped.retention,
            Self::Keyspaces => &mut dropped.keyspaces,
            Self::Bytes => &mut dropped.bytes,
            Self::Reserve => &mut dropped.reserve,
        };
        *count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: Bounds = Bounds { horizon: 0, bytes_max: u64::MAX, disk: Disk::Ample };

    fn usage(start: u64, end: u64) -> Usage {
        let oldest = Some(Candidate { purpose: Purpose::Facts, range: Range { start, end } });
        Usage { oldest, newest_start: 100, keyspaces: 3, bytes: 1_000 }
    }

    fn check(usage: Usage, bounds: Bounds, expect: Option<Why>) {
        let found = next_to_go(usage, bounds).map(|(_, why)| why);
        assert_eq!(found, expect, "{usage:?} {bounds:?}");
    }

    #[test]
    fn nothing_goes_without_a_reason() {
        check(usage(0, 2), FREE, None);
        check(Usage { oldest: None, ..usage(0, 2) }, Bounds { disk: Disk::Short, ..FREE }, None);
    }

    #[test]
    fn each_bound_has_its_reason() {
        check(usage(0, 2), Bounds { horizon: 2, ..FREE }, Some(Why::Retention));
        check(usage(0, 2), Bounds { horizon: 1, ..FREE }, None);
        check(usage(0, 2), Bounds { bytes_max: 999, ..FREE }, Some(Why::Bytes));
        check(usage(0, 2), Bounds { bytes_max: 1_000, ..FREE }, None);
        check(usage(0, 2), Bounds { disk: Disk::Short, ..FREE }, Some(Why::Reserve));
        let many = Usage { keyspaces: KEYSPACES_MAX + 1, ..usage(100, 102) };
        check(many, FREE, Some(Why::Keyspaces));
    }

    #[test]
    fn what_is_being_written_does_not_go_for_room() {
        let short = Bounds { bytes_max: 1, disk: Disk::Short, ..FREE };
        check(usage(100, 102), short, None);
        check(usage(96, 144), short, None);
        check(usage(98, 100), short, Some(Why::Bytes));
    }
}
