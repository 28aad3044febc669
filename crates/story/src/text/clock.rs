//! Times as people read them: UTC, the date only where it is needed.

use kausal_trace::UnixNanos;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Knows whether times of a story need their date.
pub(super) struct Clock {
    several_days: bool,
}

impl Clock {
    pub(super) fn of(first: Option<UnixNanos>, last: Option<UnixNanos>) -> Self {
        let day = |time: Option<UnixNanos>| time.map(date);
        Self { several_days: day(first) != day(last) }
    }

    /// `15:05:31.321`, cut to milliseconds.
    pub(super) fn time(&self, time: UnixNanos) -> String {
        let text = time.to_string();
        let clock = text.get(11..23).unwrap_or_default();
        if self.several_days { format!("{} {clock}", date(time)) } else { clock.to_owned() }
    }

    /// `20 Nov 15:05:31–15:07:23 UTC`
    pub(super) fn range(&self, first: UnixNanos, last: UnixNanos) -> String {
        let seconds = |time: UnixNanos| time.to_string().get(11..19).unwrap_or_default().to_owned();
        let end = if self.several_days {
            format!("{} {}", date(last), seconds(last))
        } else {
            seconds(last)
        };
        format!("{} {}–{end} UTC", date(first), seconds(first))
    }
}

/// `20 Nov`
fn date(time: UnixNanos) -> String {
    let text = time.to_string();
    let part = |range| text.get(range).and_then(|part: &str| part.parse::<usize>().ok());
    let month = part(5..7).and_then(|month| MONTHS.get(month.checked_sub(1)?));
    format!("{} {}", part(8..10).unwrap_or_default(), month.copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_cut_and_dates_shown_when_needed() {
        let time = |text| UnixNanos::parse_rfc3339(text).expect("a time");
        let (a, b) = (time("2026-11-20T15:05:31.321999Z"), time("2026-11-21T00:00:00Z"));
        let near = Clock::of(Some(a), Some(a));
        assert_eq!(near.time(a), "15:05:31.321");
        assert_eq!(near.range(a, a), "20 Nov 15:05:31–15:05:31 UTC");
        let far = Clock::of(Some(a), Some(b));
        assert_eq!(far.time(a), "20 Nov 15:05:31.321");
        assert_eq!(far.range(a, b), "20 Nov 15:05:31–21 Nov 00:00:00 UTC");
    }
}
