//! Posting lists: which traces have a value of an attribute on a span that starts in a minute.
//!
//! **Invariant:** the layout is part of the format.
//! Key: attribute id (1) · term (8, or 1 for bucketed attributes) · inverted minute (4) ·
//! commit (5). Value: entries of one length, sorted. An entry is the first 4 bytes of the h56 of a
//! trace, in front of it 3 more bytes of the term for bucketed attributes.
//! The window of the trace follows from the minute. Entries only propose: two values may share a
//! term and two objects an entry, so every hit is verified on a span.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use kausal_trace::window::WINDOW_SECONDS;
use kausal_trace::{UnixNanos, Window};

use super::indexed::{Attribute, KIND_ID, Shape};

const MINUTE_SECONDS: u64 = 60;
const MINUTE_NANOS: u64 = UnixNanos::from_seconds(MINUTE_SECONDS).0;
const MOMENT_NANOS: u64 = 50_000_000;
const MINUTES_PER_WINDOW: u64 = WINDOW_SECONDS / MINUTE_SECONDS;
/// Commits are counted in 5 bytes: enough for a thousand a second over 34 years.
const COMMIT_BYTES: usize = 5;
const CHECK_BYTES: usize = 3;

/// The first 4 bytes of the h56 of a trace.
pub(crate) type TraceRef = [u8; 4];

/// A minute since 1970, counted down from the end of time so that newer ones sort first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct InvertedMinute(pub(crate) u32);

impl InvertedMinute {
    /// The minute of `start`, kept inside the window of the trace, so that one follows from the
    /// other.
    pub(crate) fn of(start: UnixNanos, window: Window) -> Self {
        let first = window.0.saturating_mul(MINUTES_PER_WINDOW);
        let minute =
            (start.seconds() / MINUTE_SECONDS).clamp(first, first + MINUTES_PER_WINDOW - 1);
        Self(u32::MAX - u32::try_from(minute).unwrap_or(u32::MAX))
    }

    /// The minute that holds `time`, whatever the window.
    pub(crate) fn holding(time: UnixNanos) -> Self {
        let minute = time.seconds() / MINUTE_SECONDS;
        Self(u32::MAX - u32::try_from(minute).unwrap_or(u32::MAX))
    }

    pub(crate) fn window(self) -> Window {
        Window(self.minute() / MINUTES_PER_WINDOW)
    }

    /// First instant of the minute.
    pub(crate) fn start(self) -> UnixNanos {
        UnixNanos::from_seconds(self.minute() * MINUTE_SECONDS)
    }

    /// The newest minute of the windows before `end`.
    pub(crate) fn last_before(end: u64) -> Self {
        let minute = end.saturating_mul(MINUTES_PER_WINDOW).saturating_sub(1);
        Self(u32::MAX - u32::try_from(minute).unwrap_or(u32::MAX))
    }

    fn minute(self) -> u64 {
        u64::from(u32::MAX - self.0)
    }
}

/// A twentieth of a second in its minute, counted down so that newer ones sort first: at a thousand
/// facts a second as many as are opened without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u32);

impl Moment {
    /// The last of a minute.
    pub(crate) const LAST: Self = Self(u32::MAX - (MINUTE_NANOS / MOMENT_NANOS) as u32 + 1);

    /// The moment of `start`.
    pub(crate) fn of(start: UnixNanos) -> Self {
        let moment = start.0 % MINUTE_NANOS / MOMENT_NANOS;
        Self(u32::MAX - u32::try_from(moment).unwrap_or(u32::MAX))
    }

    /// When it begins in a minute.
    pub(crate) fn start(self, minute: InvertedMinute) -> UnixNanos {
        UnixNanos(minute.start().0 + u64::from(u32::MAX - self.0) * MOMENT_NANOS)
    }
}

/// A value of an attribute, as the index knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Term {
    attribute: u8,
    /// First 8 bytes of BLAKE3 of the value; for bucketed attributes the first, then zeros.
    list: [u8; 8],
    /// The next bytes, for bucketed attributes; else zeros.
    check: [u8; CHECK_BYTES],
    bucketed: bool,
}

impl Term {
    pub(crate) fn new(attribute: Attribute, hash: [u8; 8]) -> Self {
        match attribute.shape {
            Shape::Exact => Self {
                attribute: attribute.id,
                list: hash,
                check: [0; CHECK_BYTES],
                bucketed: false,
            },
            Shape::Bucketed => Self {
                attribute: attribute.id,
                list: [hash[0], 0, 0, 0, 0, 0, 0, 0],
                check: [hash[1], hash[2], hash[3]],
                bucketed: true,
            },
        }
    }

    /// All facts of a kind, by the first byte of its name; the names differ there.
    pub(crate) fn kind(first_letter: u8) -> Self {
        Self {
            attribute: KIND_ID,
            list: [first_letter, 0, 0, 0, 0, 0, 0, 0],
            check: [0; CHECK_BYTES],
            bucketed: false,
        }
    }

    /// All facts that start in a moment of a minute. The lists of a minute are one range, newest
    /// moment first.
    pub(crate) fn moment(attribute: Attribute, minute: InvertedMinute, moment: Moment) -> Self {
        let mut list = [0; 8];
        list[..4].copy_from_slice(&minute.0.to_be_bytes());
        list[4..].copy_from_slice(&moment.0.to_be_bytes());
        Self::new(attribute, list)
    }

    /// What the keys of its list begin with.
    pub(crate) fn prefix(&self) -> Vec<u8> {
        let mut prefix = vec![self.attribute];
        prefix.extend_from_slice(if self.bucketed { &self.list[..1] } else { &self.list });
        prefix
    }

    fn entry_bytes(&self) -> usize {
        if self.bucketed { CHECK_BYTES + size_of::<TraceRef>() } else { size_of::<TraceRef>() }
    }

    /// The traces that a stored list proposes for this term.
    pub(crate) fn proposed<'v>(&self, list: &'v [u8]) -> impl Iterator<Item = TraceRef> + 'v {
        let (check, bucketed) = (self.check, self.bucketed);
        list.chunks_exact(self.entry_bytes()).filter_map(move |entry| {
            if !bucketed {
                return entry.first_chunk().copied();
            }
            let (head, trace) = entry.split_first_chunk()?;
            (*head == check).then(|| trace.first_chunk().copied()).flatten()
        })
    }

    /// Entries in a stored list.
    pub(crate) fn entries(&self, list: &[u8]) -> usize {
        list.len() / self.entry_bytes()
    }
}

/// First 8 bytes of BLAKE3 of a value.
pub(crate) fn value_hash(value: &[u8]) -> [u8; 8] {
    super::key::content_hash(value)
}

/// The moment in the key of a list of [`Term::moment`].
pub(crate) fn moment_of(key: &[u8]) -> Option<Moment> {
    Some(Moment(u32::from_be_bytes(*key.get(5..)?.first_chunk()?)))
}

/// The minute in the key of a list.
pub(crate) fn minute_of(key: &[u8]) -> Option<InvertedMinute> {
    let before_commit = key.len().checked_sub(COMMIT_BYTES)?;
    let minute = key.get(before_commit.checked_sub(4)?..before_commit)?;
    Some(InvertedMinute(u32::from_be_bytes(minute.try_into().ok()?)))
}

/// One posting of a commit. Its order is the order of keys, then of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Posting {
    /// First window of its partition.
    pub(crate) partition: u64,
    pub(crate) list: (u8, [u8; 8]),
    pub(crate) minute: InvertedMinute,
    check: [u8; CHECK_BYTES],
    trace: TraceRef,
    bucketed: bool,
}

impl Posting {
    pub(crate) fn new(partition: u64, term: Term, minute: InvertedMinute, trace: TraceRef) -> Self {
        Self {
            partition,
            list: (term.attribute, term.list),
            minute,
            check: term.check,
            trace,
            bucketed: term.bucketed,
        }
    }

    /// Whether both stand in one stored list.
    pub(crate) fn same_list(&self, other: &Self) -> bool {
        (self.partition, self.list, self.minute) == (other.partition, other.list, other.minute)
    }

    /// The key of the list that this posting opens.
    pub(crate) fn key(&self, commit: u64, key: &mut Vec<u8>) {
        key.clear();
        key.push(self.list.0);
        key.extend_from_slice(if self.bucketed { &self.list.1[..1] } else { &self.list.1 });
        key.extend_from_slice(&self.minute.0.to_be_bytes());
        key.extend_from_slice(&commit.to_be_bytes()[8 - COMMIT_BYTES..]);
    }

    /// A hash under a secret key, of what makes it distinct: the partition follows from the rest.
    pub(crate) fn hash_with(&self, key: &RandomState) -> u64 {
        let [a, b, c] = self.check;
        let trace = u32::from_be_bytes(self.trace);
        let mut hasher = key.build_hasher();
        hasher.write_u64(u64::from_be_bytes(self.list.1));
        hasher.write_u64(u64::from(self.minute.0) << 32 | u64::from(trace));
        hasher.write_u32(u32::from_be_bytes([self.list.0, a, b, c]));
        hasher.finish()
    }

    /// Its entry.
    pub(crate) fn put_entry(&self, list: &mut Vec<u8>) {
        if self.bucketed {
            list.extend_from_slice(&self.check);
        }
        list.extend_from_slice(&self.trace);
    }
}

#[cfg(test)]
mod tests {
    use super::super::indexed::IndexedAttributes;
    use super::*;

    fn attribute(name: &str) -> Attribute {
        *IndexedAttributes::default().adapted(&[name.to_owned()], 0).get(name).expect("indexed")
    }

    fn check(name: &str, key_bytes: usize) {
        let window = Window(997_332);
        let start = UnixNanos(window.start().0 + 61_000_000_000);
        let minute = InvertedMinute::of(start, window);
        let term = Term::new(attribute(name), value_hash(b"alice"));
        let posting = Posting::new(7, term, minute, [1, 2, 3, 4]);
        let (mut key, mut list) = (Vec::new(), Vec::new());
        posting.key(77, &mut key);
        posting.put_entry(&mut list);
        assert_eq!(key.len(), key_bytes);
        assert!(key.starts_with(&term.prefix()));
        assert_eq!(minute_of(&key), Some(minute));
        assert_eq!(term.entries(&list), 1);
        assert_eq!(term.proposed(&list).collect::<Vec<_>>(), [[1, 2, 3, 4]]);
        let other = Term::new(attribute(name), value_hash(b"bob"));
        assert_ne!((other.prefix(), other.check), (term.prefix(), term.check));
        if name == "uid" {
            assert_eq!(other.proposed(&list).count(), 0);
        }
    }

    #[test]
    fn lists_read_back_and_keys_stay_short_enough_to_be_kept_inline() {
        check("username", 18);
        check("uid", 11);
    }

    #[test]
    fn moments_sort_newest_first_and_read_back_from_their_keys() {
        let window = Window(997_332);
        let at = |millis: u64| UnixNanos(window.start().0 + 60_000_000_000 + millis * 1_000_000);
        let minute = InvertedMinute::of(at(0), window);
        let key = |millis: u64| {
            let term = Term::moment(attribute("verb"), minute, Moment::of(at(millis)));
            let mut key = Vec::new();
            Posting::new(7, term, minute, [1, 2, 3, 4]).key(77, &mut key);
            key
        };
        for (millis, begins) in [(0, 0), (49, 0), (50, 50), (12_345, 12_300), (59_999, 59_950)] {
            let moment = moment_of(&key(millis)).expect("a moment");
            assert_eq!(moment.start(minute), at(begins), "{millis}");
            assert_eq!(minute_of(&key(millis)), Some(minute));
        }
        assert!(key(59_999) < key(50) && key(50) < key(0));
        assert_eq!(Moment::of(at(59_999)), Moment::LAST);
    }

    #[test]
    fn a_minute_stays_in_its_window_and_newer_sorts_first() {
        let window = Window(100);
        for (seconds, expect) in [(0, 3_000), (180_000, 3_000), (180_061, 3_001), (999_999, 3_029)]
        {
            let minute = InvertedMinute::of(UnixNanos::from_seconds(seconds), window);
            assert_eq!((minute.minute(), minute.window()), (expect, window), "{seconds}");
        }
        assert!(InvertedMinute::last_before(101) < InvertedMinute::last_before(100));
        assert_eq!(InvertedMinute::last_before(101).minute(), 3_029);
    }
}
