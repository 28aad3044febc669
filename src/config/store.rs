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
    /// Size beyond which the oldest facts are dropped, tables and journals together: `50GiB`; at
    /// least 256 MiB. Without it the store grows as far as `retention` and `reserve` let it.
    pub(crate) bytes_max: Option<String>,
    /// Space kept free on the disk: below it the oldest facts are dropped, and when only the newest
    /// partition is left, writing waits and whoever delivers is told to try again. At least 64 MiB.
    pub(crate) reserve: String,
    /// Attributes that searches can go by; others are compared on what these find.
    pub(crate) indexed: Vec<String>,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("./kausal-data"),
            retention: "30d".to_owned(),
            bytes_max: None,
            reserve: "1GiB".to_owned(),
            indexed: DEFAULT_INDEXED.iter().map(|name| (*name).to_owned()).collect(),
        }
    }
}

impl StoreConfig {
    /// Checks the settings.
    pub(crate) fn validate(&self, loaded: &Loaded) -> Result<EmbeddedConfig, UsageError> {
        let retention = duration("store.retention", &self.retention, loaded)?;
        let bytes_max = self.bytes_max.as_deref();
        let bytes_max = bytes_max.map(|text| size("store.bytes_max", text, loaded)).transpose()?;
        Ok(EmbeddedConfig {
            dir: self.dir.clone(),
            retention,
            bytes_max: bytes_max.unwrap_or(u64::MAX),
            reserve_bytes: size("store.reserve", &self.reserve, loaded)?,
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

/// The number of bytes that `setting` says.
fn size(setting: &str, text: &str, loaded: &Loaded) -> Result<u64, UsageError> {
    let wrong = || loaded.wrong(setting, &format!("{text:?} is no size; write 500MiB or 50GiB"));
    parse_bytes(text).ok_or_else(wrong)
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

/// `65536`, `64KiB`, `500MiB`, `50GiB`, `2TiB`.
fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match text.strip_prefix(digits)? {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
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

    #[test]
    fn sizes() {
        let check = |text: &str, bytes: Option<u64>| assert_eq!(parse_bytes(text), bytes, "{text}");
        check("65536", Some(65_536));
        check("500MiB", Some(524_288_000));
        check("1GiB", Some(1 << 30));
        for wrong in ["", "GiB", "1GB", "1.5GiB", "-1GiB", "99999999999TiB"] {
            check(wrong, None);
        }
    }

    #[test]
    fn the_default_reserve_is_the_stores_own() {
        let config = StoreConfig::default().validate(&Loaded::default()).expect("valid");
        assert_eq!(config.reserve_bytes, kausal_store::RESERVE_BYTES);
        assert_eq!(config.bytes_max, u64::MAX);
    }
}
