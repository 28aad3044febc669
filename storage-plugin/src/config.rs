//! How much one question may cost.

use std::time::Duration;

use kausal_story::TellPolicy;
use serde::{Deserialize, Serialize};

/// Settings of reading, as they stand in the configuration file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadConfig {
    /// Objects in one view or story.
    pub objects_max: usize,
    /// Steps along links, in either direction.
    pub depth_max: usize,
    /// Stored spans read for one view or story.
    pub spans_max: usize,
    /// Encoded bytes of them.
    pub bytes_max: usize,
    /// Milliseconds after which links are followed no further.
    pub time_ms_max: u64,
    /// Reads at work at a time; the next ones wait.
    pub concurrent_max: usize,
    /// Results of one search, whatever was asked for.
    pub results_max: usize,
    /// What is told, and how much of it.
    pub tell: TellPolicy,
}

impl Default for ReadConfig {
    fn default() -> Self {
        Self {
            // More than any UI can show at once.
            objects_max: 500,
            // Deployment → ReplicaSet → Pod has two; custom resources add one.
            depth_max: 3,
            spans_max: 30_000,
            bytes_max: 64 << 20,
            // Jaeger's UI gives up after ten seconds.
            time_ms_max: 5_000,
            concurrent_max: 8,
            // The most that Jaeger's UI asks for.
            results_max: 1_500,
            tell: TellPolicy::default(),
        }
    }
}

/// A setting that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {value} is out of range, {least} to {most} can be")]
pub struct ConfigError {
    /// Its name.
    pub setting: &'static str,
    /// What was given.
    pub value: u64,
    /// The least that can be.
    pub least: u64,
    /// The most that can be.
    pub most: u64,
}

/// Validated settings.
#[derive(Clone, Debug)]
pub struct ReadLimits {
    pub(crate) objects_max: usize,
    pub(crate) depth_max: usize,
    pub(crate) spans_max: usize,
    pub(crate) bytes_max: usize,
    pub(crate) time_max: Duration,
    pub(crate) concurrent_max: usize,
    pub(crate) results_max: usize,
    pub(crate) tell: TellPolicy,
}

impl ReadConfig {
    /// Checks every setting.
    pub fn validate(self) -> Result<ReadLimits, ConfigError> {
        let within = |setting, value: usize, least, most| {
            let value = value as u64;
            let fits = (least..=most).contains(&value);
            if fits { Ok(()) } else { Err(ConfigError { setting, value, least, most }) }
        };
        within("objects_max", self.objects_max, 1, 100_000)?;
        within("depth_max", self.depth_max, 0, 16)?;
        within("spans_max", self.spans_max, 1, 10_000_000)?;
        within("bytes_max", self.bytes_max, 1 << 20, 4 << 30)?;
        within("time_ms_max", self.time_ms_max as usize, 10, 600_000)?;
        within("concurrent_max", self.concurrent_max, 1, 1_000)?;
        within("results_max", self.results_max, 1, 100_000)?;
        Ok(ReadLimits {
            objects_max: self.objects_max,
            depth_max: self.depth_max,
            spans_max: self.spans_max,
            bytes_max: self.bytes_max,
            time_max: Duration::from_millis(self.time_ms_max),
            concurrent_max: self.concurrent_max,
            results_max: self.results_max,
            tell: self.tell,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert!(ReadConfig::default().validate().is_ok());
    }

    #[test]
    fn a_setting_out_of_range_is_named_with_its_range() {
        let config = ReadConfig { depth_max: 99, ..ReadConfig::default() };
        let error = config.validate().expect_err("too deep").to_string();
        assert_eq!(error, "depth_max: 99 is out of range, 0 to 16 can be");
    }
}
