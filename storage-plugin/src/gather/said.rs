//! What a view says of itself: what a budget left out, with a way to get at it, and what is wrong
//! with what is stored.
//!
//! Promise: names and numbers come in a fixed order; a warning is short however much it is about.

use std::time::Duration;

use kausal_object::ObjectKey;

use super::frames::Frames;
use crate::config::ReadLimits;

/// Names in a warning; the rest is a number.
const NAMES_MAX: usize = 5;

/// Links were not followed because the time was over.
pub(super) fn late(objects: usize, limit: Duration) -> String {
    format!(
        "links of {objects} objects not followed: {} ms were used up; open them by themselves",
        limit.as_millis()
    )
}

/// Linked objects beyond the budget of objects.
pub(super) fn left_out(objects: &[&ObjectKey], objects_max: usize) -> Option<String> {
    (!objects.is_empty()).then(|| {
        format!(
            "{} linked objects left out: one view has at most {objects_max}; open them by \
             themselves: {}",
            objects.len(),
            names(objects)
        )
    })
}

/// Linked objects beyond the budget of steps.
pub(super) fn too_far(objects: &[&ObjectKey], depth_max: usize) -> Option<String> {
    (!objects.is_empty()).then(|| {
        format!(
            "{} owners or owned objects left out: a view goes at most {depth_max} steps up or \
             down; open them by themselves: {}",
            objects.len(),
            names(objects)
        )
    })
}

/// Facts beyond the budget of spans and bytes.
pub(super) fn cut(windows: usize, of: usize, limits: &ReadLimits) -> String {
    format!(
        "facts of {windows} of {of} half hours left out: one view reads at most {} spans or {} \
         MiB; ask for a shorter time (from, to) or a smaller mode",
        limits.spans_max,
        limits.bytes_max >> 20
    )
}

/// What is wrong with a catalogue.
pub(super) fn frames(key: &ObjectKey, frames: &Frames) -> Vec<String> {
    let mut warnings = Vec::new();
    if frames.malformed > 0 {
        warnings.push(format!("{key}: {} stored frames cannot be read", frames.malformed));
    }
    if let Some(stranger) = frames.strangers.first() {
        warnings.push(format!("{key} and {stranger} share a hash; only the first is shown"));
    }
    warnings
}

fn names(objects: &[&ObjectKey]) -> String {
    let names: Vec<_> = objects.iter().take(NAMES_MAX).map(ToString::to_string).collect();
    let more = if objects.len() > names.len() { ", …" } else { "" };
    format!("{}{more}", names.join(", "))
}
