//! The clocks. Everything else takes the time as an argument.
//!
//! **Invariant:** `SystemTime::now` and `Instant::now` are called nowhere else (`clippy.toml`).

use std::time::{Duration, Instant, SystemTime};

/// Wall time in nanoseconds since 1970; 0 when the machine's clock stands before that.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// A point on the monotonic clock, to measure durations from.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
