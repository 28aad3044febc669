//! Changes that every write makes, whatever it was for.

/// Paths of bookkeeping: no one asks for them, and no one reads them.
const BOOKKEEPING: &[&str] = &[
    "metadata.generation",
    "metadata.managedFields",
    "metadata.resourceVersion",
    "status.observedGeneration",
    "status.observedVersion",
];

/// Last members that say when something was last looked at.
const HEARTBEATS: &[&str] = &[
    "lastHeartbeatTime",
    "lastProbeTime",
    "lastTransitionTime",
    "lastUpdateTime",
    "lastScheduleTime",
    "lastSuccessfulTime",
    "renewTime",
];

/// Whether the change at this path is one that a reader may fold: resourceVersion, generation,
/// managedFields, heartbeats. Takes the path of a [`super::Change`].
pub fn is_noise(path: &str) -> bool {
    let below = |prefix: &&str| {
        let rest = path.strip_prefix(*prefix);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    let last = path.rsplit(['.', ']']).next().unwrap_or_default();
    BOOKKEEPING.iter().any(below) || HEARTBEATS.contains(&last)
}
