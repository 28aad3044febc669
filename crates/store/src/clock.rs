//! How far ahead of the clock a fact may be.

use std::fmt;
use std::sync::Arc;

use kausal_trace::{UnixNanos, Window};

/// Facts further ahead than this are refused: retention is measured from the newest fact, so one
/// wrong clock could otherwise expire everything.
pub const AHEAD_SECONDS_MAX: u64 = 3_600;

/// Where the current time comes from; passed in, never read here.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> UnixNanos + Send + Sync>);

impl Clock {
    /// A clock that asks `now` each time.
    pub fn new(now: impl Fn() -> UnixNanos + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The current time.
    pub fn now(&self) -> UnixNanos {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// A fact lies too far in the future.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the fact is {seconds} s ahead of the clock, at most {AHEAD_SECONDS_MAX} s are taken")]
pub struct Ahead {
    /// Seconds from now to the start of the fact's window.
    pub seconds: u64,
}

/// Whether facts of `window` may be stored at `now`.
pub fn check_time(window: Window, now: UnixNanos) -> Result<(), Ahead> {
    let seconds = window.start().seconds().saturating_sub(now.seconds());
    if seconds > AHEAD_SECONDS_MAX { Err(Ahead { seconds }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_ahead_is_taken_and_more_is_not() {
        let now = Window(10).start();
        assert_eq!(check_time(Window(0), now), Ok(()));
        assert_eq!(check_time(Window(12), now), Ok(()));
        assert_eq!(check_time(Window(13), now), Err(Ahead { seconds: 5_400 }));
    }
}
