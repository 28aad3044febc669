//! Windows and days: the grain in which facts and links are stored.
//!
//! **Invariant:** the lengths are constants of the format. A stored id cannot be read with others.

use serde::{Deserialize, Serialize};

use crate::time::UnixNanos;

/// Length of a window.
pub const WINDOW_SECONDS: u64 = 1_800;
/// Windows in a day.
pub const WINDOWS_PER_DAY: u64 = 48;

/// Index of a window of [`WINDOW_SECONDS`] since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Window(pub u64);

/// Index of a UTC day since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Day(pub u64);

impl Window {
    /// The window that holds `time`.
    pub const fn of(time: UnixNanos) -> Self {
        Self(time.seconds() / WINDOW_SECONDS)
    }

    /// First instant of the window.
    pub const fn start(self) -> UnixNanos {
        UnixNanos::from_seconds(self.0.saturating_mul(WINDOW_SECONDS))
    }

    /// First instant after the window.
    pub const fn end(self) -> UnixNanos {
        UnixNanos::from_seconds(self.0.saturating_add(1).saturating_mul(WINDOW_SECONDS))
    }

    /// The day this window lies in.
    pub const fn day(self) -> Day {
        Day(self.0 / WINDOWS_PER_DAY)
    }
}

impl Day {
    /// The day that holds `time`.
    pub const fn of(time: UnixNanos) -> Self {
        Window::of(time).day()
    }

    /// First instant of the day.
    pub const fn start(self) -> UnixNanos {
        Window(self.0.saturating_mul(WINDOWS_PER_DAY)).start()
    }

    /// First instant after the day.
    pub const fn end(self) -> UnixNanos {
        Window(self.0.saturating_add(1).saturating_mul(WINDOWS_PER_DAY)).start()
    }
}
