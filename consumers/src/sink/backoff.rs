//! How long to wait before the next try.

use std::time::Duration;

/// Doubling waits within a total.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    total: Duration,
}

impl Backoff {
    /// Waits `first`, then twice as long each time up to `longest`, while less than `total` has
    /// passed.
    pub const fn new(first: Duration, longest: Duration, total: Duration) -> Self {
        Self { first, longest, total }
    }

    /// The wait after `tries` failed tries (at least one), `elapsed` after the first began; `None`
    /// when there is no time for another.
    pub fn after(&self, tries: u32, elapsed: Duration) -> Option<Duration> {
        let factor = 1_u32.checked_shl(tries.saturating_sub(1)).unwrap_or(u32::MAX);
        let wait = self.first.saturating_mul(factor).min(self.longest);
        (elapsed + wait < self.total).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_is_capped_and_ends() {
        let ms = Duration::from_millis;
        let backoff = Backoff::new(ms(100), ms(1_000), ms(10_000));
        let waits: Vec<_> = (1..=6).map(|tries| backoff.after(tries, ms(0))).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1_000, 1_000].map(|wait| Some(ms(wait))));
        assert_eq!(backoff.after(200, ms(0)), Some(ms(1_000)));
        assert_eq!(backoff.after(3, ms(9_599)), Some(ms(400)));
        assert_eq!(backoff.after(3, ms(9_600)), None);
    }
}
