//! Settings of the embedded store.

use std::path::PathBuf;
use std::time::Duration;

use kausal_runtime::clock;
use kausal_store::{Clock, DEFAULT_INDEXED, EmbeddedConfig};
use kausal_trace::UnixNanos;
use serde::{Deserialize, Serialize};

use super::Loaded;
use crate::answer::UsageError;

/// The embedded store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StoreConfig {
    /// Its folder; made if missing.
    pub(crate) dir: PathBuf,
    /// Age at which facts are dropped, measured from the newest fact stored: `30d`, `12h`.
    pub(crate) retention: String,
    /// Attributes that searches can go by; others are compared on what these find.
    pub(crate) indexed: Vec<String>,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("./kausal-data"),
            retention: "30d".to_owned(),
            indexed: DEFAULT_INDEXED.iter().map(|name| (*name).to_owned()).collect(),
        }
    }
}

impl StoreConfig {
    /// Checks the settings.
    pub(crate) fn validate(&self, loaded: &Loaded) -> Result<EmbeddedConfig, UsageError> {
        let retention = duration("store.retention", &self.retention, loaded)?;
        Ok(EmbeddedConfig {
            dir: self.dir.clone(),
            retention,
            indexed: self.indexed.clone(),
            clock: Some(wall_clock()),
        })
    }
}

/// The duration that `setting` says.
pub(super) fn duration(setting: &str, text: &str, loaded: &Loaded) -> Result<Duration, UsageError> {
    parse_duration(text)
        .ok_or_else(|| loaded.wrong(setting, &format!("{text:?} is no duration; write 30d or 12h")))
}

/// The clock of this machine.
pub(crate) fn wall_clock() -> Clock {
    Clock::new(|| UnixNanos(clock::now()))
}

/// `90s`, `30m`, `12h`, `30d`, `4w`.
fn parse_duration(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
    Some(Duration::from_secs(count.checked_mul(seconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |text: &str, seconds: Option<u64>| {
            assert_eq!(parse_duration(text), seconds.map(Duration::from_secs), "{text}");
        };
        check("90s", Some(90));
        check("30d", Some(2_592_000));
        check("4w", Some(2_419_200));
        for wrong in ["", "30", "d", "-1d", "soon", "99999999999999999999d"] {
            check(wrong, None);
        }
    }
}
