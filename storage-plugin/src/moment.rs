//! Times as people and programs give them.
//!
//! Promise: what is accepted means one instant, given the present one. The clock is an argument.

use kausal_trace::UnixNanos;

/// Longest "before now" that makes sense: a hundred years.
const SECONDS_BACK_MAX: u64 = 100 * 366 * 86_400;

/// Reads an RFC 3339 time, a time before `now` (`30m`, `2h`, `90s`, `1d`, `1h30m`) or nanoseconds
/// since 1970. `None` for anything else.
pub fn parse(text: &str, now: UnixNanos) -> Option<UnixNanos> {
    let text = text.trim();
    if let Some(seconds) = seconds_back(text) {
        return Some(UnixNanos(now.0.saturating_sub(UnixNanos::from_seconds(seconds).0)));
    }
    // A bare number under a day's worth of nanoseconds is a slip, not a time in 1970.
    if let Ok(nanos) = text.parse::<u64>() {
        return (nanos > 86_400_000_000_000).then_some(UnixNanos(nanos));
    }
    UnixNanos::parse_rfc3339(text)
}

/// Why a text is no time, for the one who typed it.
pub fn refusal(name: &str, text: &str) -> String {
    format!("{name}: '{text}' is no time; write 2026-11-20T15:05:00Z, or 30m for half an hour ago")
}

/// `1h30m` → 5400. Every number needs its unit.
fn seconds_back(text: &str) -> Option<u64> {
    let (mut seconds, mut number) = (0_u64, None);
    for byte in text.bytes() {
        if byte.is_ascii_digit() {
            let digit = u64::from(byte - b'0');
            number = Some(number.unwrap_or(0_u64).checked_mul(10)?.checked_add(digit)?);
            continue;
        }
        let unit = match byte {
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            _ => return None,
        };
        seconds = seconds.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    (!text.is_empty() && number.is_none() && seconds <= SECONDS_BACK_MAX).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixNanos = UnixNanos(1_795_187_131_000_000_000);

    fn check(text: &str, expect: Option<u64>) {
        assert_eq!(parse(text, NOW).map(|time| time.0), expect, "{text}");
    }

    #[test]
    fn reads_what_people_and_programs_write() {
        check("30m", Some(NOW.0 - 1_800_000_000_000));
        check("1h30m", Some(NOW.0 - 5_400_000_000_000));
        check(" 2d ", Some(NOW.0 - 172_800_000_000_000));
        check("0s", Some(NOW.0));
        check("2026-11-20T15:05:31Z", Some(NOW.0));
        check("1795187131000000000", Some(NOW.0));
    }

    #[test]
    fn refuses_what_could_mean_anything() {
        for text in ["", "30", "m", "30min", "1h30", "-5m", "yesterday", "99999999999999999999d"] {
            check(text, None);
        }
    }
}
