//! The configuration file: one YAML, every setting with its default.
//!
//! Promise: flags win over the environment, the environment over the file; nothing binds a port or
//! opens a store before all of it is valid; an error names the line and what would be right.

mod listen;
mod locate;
mod raw;
mod redaction;
mod store;

use std::path::Path;

use kausal_consumers::dead_letters::DeadLettersConfig;
use kausal_consumers::source::webhook::WebhookConfig;
use kausal_consumers::{ClustersConfig, FilterConfig};
use kausal_runtime::telemetry::LogConfig;
use kausal_storage_plugin::{ReadConfig, UiConfig};
use serde::{Deserialize, Serialize};

pub(crate) use listen::{Door, ListenConfig};
pub(crate) use raw::RawSettings;
pub(crate) use redaction::RedactionConfig;
pub(crate) use store::{StoreConfig, wall_clock};

use crate::answer::UsageError;

/// All settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Logs of the process itself.
    pub(crate) log: LogConfig,
    /// Names of clusters.
    pub(crate) clusters: ClustersConfig,
    /// The embedded store.
    pub(crate) store: StoreConfig,
    /// Spans of anybody, for `storage-plugin --identity`.
    pub(crate) raw: RawSettings,
    /// The audit webhook.
    pub(crate) webhook: WebhookConfig,
    /// Which requests become spans.
    pub(crate) filter: FilterConfig,
    /// What is hidden before a span exists.
    pub(crate) redaction: RedactionConfig,
    /// Where what cannot be decoded is set aside.
    pub(crate) dead_letters: DeadLettersConfig,
    /// What one question may cost, and who counts as a controller.
    pub(crate) read: ReadConfig,
    /// Jaeger UI, and where links to views lead.
    pub(crate) ui: UiConfig,
    /// The HTTP API.
    pub(crate) http: ListenConfig,
    /// The gRPC storage plugin for Jaeger.
    pub(crate) grpc: ListenConfig,
    /// Probes and metrics.
    pub(crate) admin: ListenConfig,
}

/// Default ports: the HTTP API and the gRPC storage plugin where Jaeger has them, Prometheus's for
/// metrics.
const HTTP_PORT: u16 = 16_686;
const GRPC_PORT: u16 = 17_271;
const ADMIN_PORT: u16 = 9_090;

impl Default for Config {
    fn default() -> Self {
        Self {
            log: LogConfig::default(),
            clusters: ClustersConfig::default(),
            store: StoreConfig::default(),
            raw: RawSettings::default(),
            webhook: WebhookConfig::default(),
            filter: FilterConfig::default(),
            redaction: RedactionConfig::default(),
            dead_letters: DeadLettersConfig::default(),
            read: ReadConfig::default(),
            ui: UiConfig::default(),
            http: ListenConfig::on_port(HTTP_PORT),
            grpc: ListenConfig::on_port(GRPC_PORT),
            admin: ListenConfig::on_port(ADMIN_PORT),
        }
    }
}

/// A configuration and the text it was read from, so that later errors can name a line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Loaded {
    /// The settings.
    pub(crate) config: Config,
    name: String,
    text: String,
}

impl Loaded {
    /// Reads `file`; without one, every setting has its default.
    pub(crate) fn read(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(file) = file else { return Ok(Self::default()) };
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file)
            .map_err(|error| UsageError(format!("configuration {name} cannot be read: {error}")))?;
        let mut config: Config = match text.trim() {
            "" => Config::default(),
            _ => serde_saphyr::from_str(&text)
                .map_err(|error| UsageError(format!("configuration {name}: {error}")))?,
        };
        config.http.fill(HTTP_PORT);
        config.grpc.fill(GRPC_PORT);
        config.admin.fill(ADMIN_PORT);
        Ok(Self { config, name, text })
    }

    /// An error about a setting (`store.retention`), with its line if the file has it.
    pub(crate) fn wrong(&self, setting: &str, why: &dyn std::fmt::Display) -> UsageError {
        match locate::line_of(&self.text, setting) {
            Some(line) => {
                UsageError(format!("configuration {}, line {line}, {setting}: {why}", self.name))
            }
            None => UsageError(format!("{setting}: {why}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> anyhow::Result<Loaded> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("kausal.yaml");
        std::fs::write(&file, text).unwrap();
        Loaded::read(Some(&file))
    }

    #[test]
    fn what_is_not_set_has_its_default() {
        let loaded = read("store:\n  retention: 2d\n").unwrap();
        assert_eq!(loaded.config.http.listen.unwrap().port(), 16_686);
        assert_eq!(loaded.config.store.retention, "2d");
        assert_eq!(read("").unwrap().config, Config::default());
    }

    #[test]
    fn what_is_printed_can_be_read_again() {
        let printed = serde_saphyr::to_string(&Config::default()).unwrap();
        assert_eq!(read(&printed).unwrap().config, Config::default());
    }

    #[test]
    fn an_unknown_setting_is_named_with_its_line_and_the_known_ones() {
        let error = read("log:\n  level: info\nstore:\n  retentoin: 2d\n").unwrap_err().to_string();
        for part in ["line 4", "retentoin", "retention"] {
            assert!(error.contains(part), "{part} in {error}");
        }
    }

    #[test]
    fn an_error_found_later_names_its_line_too() {
        let loaded = read("log:\n  level: info\nstore:\n  retention: soon\n").unwrap();
        let error = loaded.wrong("store.retention", &"no duration").to_string();
        assert!(error.ends_with("line 4, store.retention: no duration"), "{error}");
        let error = loaded.wrong("http.listen", &"in use").to_string();
        assert_eq!(error, "http.listen: in use");
    }
}
