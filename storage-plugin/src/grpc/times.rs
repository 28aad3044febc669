//! Times on the wire, with the quirks of who sends them.

use kausal_trace::UnixNanos;
use prost_types::{Duration, Timestamp};

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// The instant, or `None` when the sender had none: Jaeger sends year 1 for an absent time, and
/// nothing of ours happened in 1970 or before.
pub(crate) fn instant(stamp: Option<&Timestamp>) -> Option<UnixNanos> {
    let stamp = stamp.filter(|stamp| stamp.seconds > 0)?;
    let nanos = u64::try_from(stamp.nanos).unwrap_or(0).min(NANOS_PER_SECOND - 1);
    let seconds = u64::try_from(stamp.seconds).ok()?;
    Some(UnixNanos(seconds.saturating_mul(NANOS_PER_SECOND).saturating_add(nanos)))
}

/// The duration in nanoseconds, or `None` when the sender had none: Jaeger sends an empty message.
pub(crate) fn nanos(duration: Option<&Duration>) -> Option<u64> {
    let duration = duration?;
    let seconds = u64::try_from(duration.seconds).ok()?;
    let nanos = u64::try_from(duration.nanos).ok()?;
    let all = seconds.saturating_mul(NANOS_PER_SECOND).saturating_add(nanos);
    (all > 0).then_some(all)
}

/// The other way.
pub(crate) fn timestamp(time: UnixNanos) -> Timestamp {
    let seconds = i64::try_from(time.seconds()).unwrap_or(i64::MAX);
    Timestamp { seconds, nanos: (time.0 % NANOS_PER_SECOND) as i32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(seconds: i64, nanos: i32, expect: Option<u64>) {
        let stamp = Timestamp { seconds, nanos };
        assert_eq!(instant(Some(&stamp)).map(|time| time.0), expect, "{seconds} {nanos}");
    }

    #[test]
    fn an_absent_time_is_none_however_it_is_sent() {
        check(-62_135_596_800, 0, None);
        check(0, 0, None);
        check(0, 5, None);
        check(i64::MIN, i32::MIN, None);
        assert_eq!(instant(None), None);
    }

    #[test]
    fn reads_times_and_survives_nonsense_in_them() {
        check(1_795_187_131, 321_174_000, Some(1_795_187_131_321_174_000));
        check(1_795_187_131, -1, Some(1_795_187_131_000_000_000));
        check(i64::MAX, i32::MAX, Some(u64::MAX));
    }

    #[test]
    fn durations() {
        let check = |seconds, nanos: i32, expect| {
            assert_eq!(super::nanos(Some(&Duration { seconds, nanos })), expect);
        };
        check(0, 0, None);
        check(1, 500, Some(1_000_000_500));
        check(-1, 0, None);
        assert_eq!(nanos(None), None);
    }

    #[test]
    fn writes_what_it_reads() {
        let time = UnixNanos(1_795_187_131_321_174_007);
        assert_eq!(instant(Some(&timestamp(time))), Some(time));
    }
}
