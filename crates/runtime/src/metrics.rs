//! What operators see of the doors of a process.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    door: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reloaded {
    what: &'static str,
    outcome: &'static str,
}

/// Metrics of the doors; clones count into the same.
#[derive(Clone, Debug, Default)]
pub struct DoorMetrics {
    refused: Family<Refused, Counter>,
    reloads: Family<Reloaded, Counter>,
}

impl DoorMetrics {
    /// Registers all of them under `kausal_door_`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let of = registry.sub_registry_with_prefix("kausal_door");
        of.register(
            "requests_refused",
            "Requests of those who may not come in, by door and reason",
            metrics.refused.clone(),
        );
        of.register(
            "file_reloads",
            "Changes of certificate and token files, by what they hold and whether they are in force",
            metrics.reloads.clone(),
        );
        metrics
    }
}

/// Somebody was not let in.
pub(crate) struct RequestRefused {
    pub(crate) door: &'static str,
    pub(crate) reason: &'static str,
}

impl RequestRefused {
    /// Logged for those who look only: strangers must not be able to fill the log.
    pub(crate) fn emit(&self, metrics: &DoorMetrics) {
        let Self { door, reason } = *self;
        metrics.refused.get_or_create(&Refused { door, reason }).inc();
        tracing::debug!(door, reason, "somebody was not let in");
    }
}

/// Changed files are in force.
pub(crate) struct FilesReloaded {
    pub(crate) what: &'static str,
}

impl FilesReloaded {
    pub(crate) fn emit(&self, metrics: &DoorMetrics) {
        let what = self.what;
        metrics.reloads.get_or_create(&Reloaded { what, outcome: "taken" }).inc();
        tracing::info!(what, "changed files are in force");
    }
}

/// Changed files cannot be used; what they held before stays in force.
pub(crate) struct ReloadFailed<'a> {
    pub(crate) what: &'static str,
    pub(crate) error: &'a str,
}

impl ReloadFailed<'_> {
    pub(crate) fn emit(&self, metrics: &DoorMetrics) {
        let Self { what, error } = *self;
        metrics.reloads.get_or_create(&Reloaded { what, outcome: "refused" }).inc();
        tracing::error!(what, error, "changed files cannot be used; the former stay in force");
    }
}

/// What tests look at.
#[cfg(test)]
impl DoorMetrics {
    pub(crate) fn reloads(&self, what: &'static str, outcome: &'static str) -> u64 {
        self.reloads.get_or_create(&Reloaded { what, outcome }).get()
    }

    pub(crate) fn refused(&self, door: &'static str, reason: &'static str) -> u64 {
        self.refused.get_or_create(&Refused { door, reason }).get()
    }
}
