//! Settings of the raw store.

use kausal_store::raw::RawConfig;
use serde::{Deserialize, Serialize};

use super::store::{duration, wall_clock};
use super::{Door, Loaded};
use crate::answer::UsageError;

/// Folder of the raw store within that of the embedded store.
const FOLDER: &str = "raw";
/// 10 GiB: a day of a small installation.
const BYTES_MAX: u64 = 10 << 30;

/// Spans of anybody, kept as they came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawSettings {
    /// Age at which spans are dropped, measured from their arrival: `7d`, `12h`.
    pub(crate) retention: String,
    /// Bytes of spans and index on disk beyond which the oldest arrivals are dropped.
    pub(crate) bytes_max: u64,
    /// Whether `POST /purge` on the admin port forgets every span; on loopback only.
    pub(crate) allow_purge: bool,
}

impl Default for RawSettings {
    fn default() -> Self {
        Self { retention: "7d".to_owned(), bytes_max: BYTES_MAX, allow_purge: false }
    }
}

impl RawSettings {
    /// Checks the settings; `admin` is where a purge would be asked for.
    pub(crate) fn validate(&self, admin: &Door, loaded: &Loaded) -> Result<RawConfig, UsageError> {
        if self.allow_purge && !admin.address.ip().is_loopback() {
            let why = format!(
                "{} can be reached from other machines, which could forget every span; listen on \
                 127.0.0.1, or leave it out",
                admin.address
            );
            return Err(loaded.wrong("raw.allow_purge", &why));
        }
        Ok(RawConfig {
            dir: loaded.config.store.dir.join(FOLDER),
            retention: duration("raw.retention", &self.retention, loaded)?,
            bytes_max: self.bytes_max,
            clock: wall_clock(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(admin: &str, allow_purge: bool, fits: bool) {
        let admin = Door { address: admin.parse().unwrap(), tls: None, guard: None };
        let settings = RawSettings { allow_purge, ..RawSettings::default() };
        let config = settings.validate(&admin, &Loaded::default());
        assert_eq!(config.is_ok(), fits, "{admin:?} {config:?}");
    }

    #[test]
    fn only_this_machine_may_purge() {
        check("127.0.0.1:9090", true, true);
        check("[::1]:9090", true, true);
        check("0.0.0.0:9090", true, false);
        check("0.0.0.0:9090", false, true);
    }

    #[test]
    fn a_retention_that_is_no_duration_is_named() {
        let admin = Door { address: "127.0.0.1:1".parse().unwrap(), tls: None, guard: None };
        let settings = RawSettings { retention: "soon".to_owned(), ..RawSettings::default() };
        let error = settings.validate(&admin, &Loaded::default()).unwrap_err().to_string();
        assert!(error.contains("raw.retention") && error.contains("soon"), "{error}");
    }
}
