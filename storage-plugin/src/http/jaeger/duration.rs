//! Durations as Go prints and reads them, which is how Jaeger's clients send them.

/// Units and their nanoseconds; both signs for micro are in use. Longer names first where one
/// begins with another.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];
/// Digits of a fraction that can matter: an hour has 3.6 × 10¹² nanoseconds.
const FRACTION_DIGITS_MAX: usize = 15;

/// `1ms`, `1h2m3.5s`, `0` → nanoseconds. `None` for anything else, negative ones included, and
/// for more than 584 years.
pub(super) fn parse(text: &str) -> Option<u64> {
    if text == "0" {
        return Some(0);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut nanos = 0_u128;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split(after, |c| !c.is_ascii_digit() && c != '.');
        let (_, size) = UNITS.iter().find(|(name, _)| *name == unit)?;
        nanos = nanos.checked_add(scaled(number, *size)?)?;
        rest = after;
    }
    u64::try_from(nanos).ok()
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

/// A decimal number times a unit, cut to whole nanoseconds.
fn scaled(number: &str, size: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let fraction = fraction.get(..fraction.len().min(FRACTION_DIGITS_MAX))?;
    let whole = digits(whole)?.checked_mul(size)?;
    Some(whole + digits(fraction)? * size / 10_u128.pow(fraction.len() as u32))
}

fn digits(text: &str) -> Option<u128> {
    if text.is_empty() {
        return Some(0);
    }
    // Twenty digits are more than any duration that fits.
    let plain = text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Option<u64>) {
        assert_eq!(parse(text), expect, "{text}");
    }

    #[test]
    fn reads_what_go_prints() {
        check("0", Some(0));
        check("1ms", Some(1_000_000));
        check("1h2m3.5s", Some(3_723_500_000_000));
        check("1.5h", Some(5_400_000_000_000));
        check(".5s", Some(500_000_000));
        check("7µs", Some(7_000));
        check("7μs", Some(7_000));
        check("7us", Some(7_000));
        check("+12ns", Some(12));
        check("0.1234567890123456789s", Some(123_456_789));
    }

    #[test]
    fn refuses_what_is_none() {
        for text in ["", "+", "1", "ms", "1 ms", "-1ms", ".s", "1..5s", "1d", "9999999h", "ß"] {
            check(text, None);
        }
        check(&format!("{}s", "9".repeat(40)), None);
    }
}
