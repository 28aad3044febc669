//! Time as stored: nanoseconds since 1970, and RFC 3339 as Kubernetes writes it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Nanoseconds since 1970-01-01T00:00:00Z; dates before that do not exist here.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixNanos(pub u64);

const NANOS_PER_SECOND: u64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

impl UnixNanos {
    /// From whole seconds.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(NANOS_PER_SECOND))
    }

    /// Whole seconds, cut.
    pub const fn seconds(self) -> u64 {
        self.0 / NANOS_PER_SECOND
    }

    /// Whole microseconds, cut: the resolution of audit timestamps.
    pub const fn micros(self) -> u64 {
        self.0 / 1_000
    }

    /// Parses `2026-11-20T15:05:31.321174Z`: any number of fraction digits (cut after nine), `Z` or
    /// a numeric offset. `None` for anything else, and for years before 1970 or after 2500.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let b = text.as_bytes();
        if b.len() < 20 || b[4] != b'-' || b[7] != b'-' || !matches!(b[10], b'T' | b't' | b' ') {
            return None;
        }
        if b[13] != b':' || b[16] != b':' {
            return None;
        }
        let year = digits(&b[0..4])?;
        let (month, day) = (digits(&b[5..7])?, digits(&b[8..10])?);
        let (hour, minute, second) =
            (digits(&b[11..13])?, digits(&b[14..16])?, digits(&b[17..19])?);
        let plausible = (1970..=2500).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second <= 60;
        if !plausible {
            return None;
        }
        let (nanos, rest) = fraction(&b[19..])?;
        let days = days_from_civil(i64::from(year), i64::from(month), i64::from(day));
        let clock = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
        let seconds = u64::try_from(days * SECONDS_PER_DAY + clock - offset_seconds(rest)?).ok()?;
        Some(Self(seconds * NANOS_PER_SECOND + u64::from(nanos)))
    }
}

/// `2026-11-20T15:05:31.321174Z`, microseconds, as Kubernetes prints them.
impl fmt::Display for UnixNanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds();
        let (year, month, day) = civil_from_days((seconds / SECONDS_PER_DAY as u64).cast_signed());
        let clock = seconds % SECONDS_PER_DAY as u64;
        let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
        let micros = self.micros() % 1_000_000;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

fn digits(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0, |value, byte| {
        byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0'))
    })
}

fn fraction(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let Some((b'.', rest)) = bytes.split_first() else { return Some((0, bytes)) };
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return None;
    }
    let kept = length.min(9);
    let nanos = digits(&rest[..kept])? * 10_u32.pow(9 - kept as u32);
    Some((nanos, &rest[length..]))
}

fn offset_seconds(bytes: &[u8]) -> Option<i64> {
    match bytes {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?);
            let seconds = i64::from(hours) * 3600 + i64::from(minutes) * 60;
            Some(if *sign == b'+' { seconds } else { -seconds })
        }
        _ => None,
    }
}

fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar, counted in 400-year eras that start
/// on 1 March, so that the leap day is the last of its year.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Option<u64>) {
        assert_eq!(UnixNanos::parse_rfc3339(text).map(|t| t.0), expect, "{text}");
    }

    #[test]
    fn reads_what_kubernetes_and_queues_write() {
        check("1970-01-01T00:00:00Z", Some(0));
        check("2026-11-20T15:05:31.321174Z", Some(1_795_187_131_321_174_000));
        check("2026-11-20T15:05:31Z", Some(1_795_187_131_000_000_000));
        check("2026-11-20T16:05:31.5+01:00", Some(1_795_187_131_500_000_000));
        check("2025-10-07T16:19:19.6478800729Z", Some(1_759_853_959_647_880_072));
        check("2024-02-29T00:00:00Z", Some(1_709_164_800_000_000_000));
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "now",
            "2026-13-01T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2026-11-20T15:05:31",
            "2026-11-20T15:05:31.Z",
            "2026-11-20T25:05:31Z",
            "2026-11-20T15:05:31Zz",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn prints_what_it_reads() {
        for text in [
            "1970-01-01T00:00:00.000000Z",
            "2026-11-20T15:05:31.321174Z",
            "2024-02-29T23:59:59.999999Z",
        ] {
            let time = UnixNanos::parse_rfc3339(text).expect("a time");
            assert_eq!(time.to_string(), text);
        }
    }
}
