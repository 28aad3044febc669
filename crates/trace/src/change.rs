//! The span of a change that a watch saw: the one way to write it.
//!
//! Promise: whoever saw the change writes the same id, and attributes in one order; what is empty is
//! left out, the object key apart. A span written here is never larger than stores take.
//! Never here: taking two states apart, redaction. Diff and snapshot come ready and redacted.

use std::fmt;

use kausal_object::KeyRef;

use crate::attribute as a;
use crate::batch::{NewSpan, SpanBatch};
use crate::id::{KeyHash, SpanId, TraceId};
use crate::natural::ChangeIdentity;
use crate::time::UnixNanos;

/// Longest diff and longest snapshot that are stored, as of any body: with both, a span stays well
/// below [`SPAN_BYTES_MAX`](crate::SPAN_BYTES_MAX).
pub const CHANGE_TEXT_BYTES_MAX: usize = 256 << 10;

/// What was done to an object, as far as a watch can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// It was made.
    Create,
    /// It was changed; also when its deletion was asked for and something still holds it.
    Update,
    /// It is gone.
    Delete,
    /// Nothing: it was there when the watch began. Its snapshot is the base of what follows.
    Observe,
}

impl Operation {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Observe => "observe",
        }
    }

    /// From the stored word.
    pub fn from_stored(text: &str) -> Option<Self> {
        let all = [Self::Create, Self::Update, Self::Delete, Self::Observe];
        all.into_iter().find(|operation| operation.as_str() == text)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One change, ready to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeSpan<'a> {
    /// Whose change it is.
    pub key: KeyRef<'a>,
    /// Its uid.
    pub uid: &'a str,
    /// What was done.
    pub operation: Operation,
    /// When, by the object's own clock, if that moved with this change; else when it was observed.
    /// It does not move with every change: an entry of managedFields that only loses fields keeps
    /// its time, one of `scale` has none, and nothing says when an object was gone.
    pub time: UnixNanos,
    /// When the watch saw it.
    pub observed_at: UnixNanos,
    /// resourceVersion before; empty for the first state seen.
    pub old_version: &'a str,
    /// resourceVersion after; of a removal, the one the watch gave the last state.
    pub new_version: &'a str,
    /// API version in which it was watched (`v1`).
    pub api_version: &'a str,
    /// Field manager of the newest entry that is not as it was; empty when all are.
    pub manager: &'a str,
    /// Subresource of that entry.
    pub subresource: &'a str,
    /// What changed, from [`kausal_object::diff::to_lines`]. It names every change except
    /// `metadata.managedFields` and `metadata.resourceVersion`, so that the state after follows
    /// from the state before.
    pub diff: &'a str,
    /// The whole object, without managedFields, at creation, removal and first sight.
    pub snapshot: &'a str,
    /// Whether versions between old and new were missed.
    pub gap: bool,
    /// Id of the key its fingerprints were made with; empty when it has none.
    pub redaction_key: &'a str,
}

impl ChangeSpan<'_> {
    /// What makes it distinct from every other change.
    pub fn identity(&self) -> ChangeIdentity<'_> {
        match self.operation {
            Operation::Delete => ChangeIdentity::Deleted { uid: self.uid },
            Operation::Create | Operation::Update | Operation::Observe => ChangeIdentity::Update {
                uid: self.uid,
                old: self.old_version,
                new: self.new_version,
            },
        }
    }

    /// Adds the span to a batch, into the facts trace of its object and time.
    pub fn write(&self, batch: &mut SpanBatch) {
        let trace = TraceId::facts_at(KeyHash::of(self.key), self.time);
        let span = SpanId::change(trace, self.key, &self.identity());
        let head = NewSpan { trace, span, name: "change", start: self.time, end: self.time };
        let mut writer = batch.open(head);
        let names = [a::CLUSTER, a::GROUP, a::RESOURCE, a::NAMESPACE, a::NAME];
        for (name, part) in names.iter().zip(self.key.parts()) {
            writer.str(name, part);
        }
        let (diff, diff_cut) = cut_lines(self.diff);
        let (snapshot, snapshot_cut) = whole_or_none(self.snapshot);
        writer
            .str(a::OPERATION, self.operation.as_str())
            .str(a::OBSERVED_AT, &self.observed_at.to_string())
            .str_some(a::UID, self.uid)
            .str_some(a::VERSION, self.api_version)
            .str_some(a::SUBRESOURCE, self.subresource)
            .str_some(a::RESOURCE_VERSION, self.old_version)
            .str_some(a::RESOURCE_VERSION_NEW, self.new_version)
            .str_some(a::MANAGER, self.manager)
            .str_some(a::DIFF, diff)
            .str_some(a::DIFF_CUT, &diff_cut)
            .str_some(a::SNAPSHOT, snapshot)
            .str_some(a::SNAPSHOT_CUT, &snapshot_cut)
            .str_some(a::REDACTION_KEY, self.redaction_key);
        if self.gap {
            writer.bool(a::GAP, true);
        }
    }
}

/// As many whole lines as fit, and why there are no more.
fn cut_lines(diff: &str) -> (&str, String) {
    if diff.len() <= CHANGE_TEXT_BYTES_MAX {
        return (diff, String::new());
    }
    let head = diff.as_bytes().get(..=CHANGE_TEXT_BYTES_MAX).unwrap_or_default();
    let end = head.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
    let kept = diff.get(..end).unwrap_or_default();
    let (shown, all) = (kept.lines().count(), diff.lines().count());
    (kept, format!("{shown} of {all} lines, {} bytes in all", diff.len()))
}

/// Half an object is no state: one that is too large is left out.
fn whole_or_none(snapshot: &str) -> (&str, String) {
    if snapshot.len() <= CHANGE_TEXT_BYTES_MAX {
        return (snapshot, String::new());
    }
    ("", format!("{} bytes, more than {CHANGE_TEXT_BYTES_MAX}", snapshot.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::SPAN_BYTES_MAX;
    use crate::span::{SpanRef, Value};

    const KEY: KeyRef<'_> = KeyRef {
        cluster: "capture",
        group: "apps",
        resource: "deployments",
        namespace: "shop",
        name: "web",
    };

    fn change() -> ChangeSpan<'static> {
        ChangeSpan {
            key: KEY,
            uid: "u1",
            operation: Operation::Update,
            time: UnixNanos::from_seconds(1_795_187_131),
            observed_at: UnixNanos(1_795_187_131_321_174_000),
            old_version: "100",
            new_version: "101",
            api_version: "v1",
            manager: "kubectl-edit",
            subresource: "",
            diff: "spec.replicas 3 -> 5",
            snapshot: "",
            gap: false,
            redaction_key: "",
        }
    }

    /// What a reader finds, apart from the object key.
    fn check(change: &ChangeSpan<'_>, expect: &[(&str, &str)]) {
        let mut batch = SpanBatch::default();
        change.write(&mut batch);
        assert!(batch.byte_len() <= SPAN_BYTES_MAX);
        let record = batch.iter().next().expect("one span");
        let span = SpanRef::parse(record.bytes).expect("a span");
        assert_eq!((span.name, span.start, span.object_key()), ("change", change.time, KEY));
        assert_eq!(span.span, SpanId::change(span.trace, KEY, &change.identity()));
        let text = |value: &Value<'_>| match value {
            Value::Str(text) => (*text).to_owned(),
            other => format!("{other:?}"),
        };
        let told: Vec<_> = span.attributes.iter().skip(5).map(|(n, v)| (*n, text(v))).collect();
        let told: Vec<_> = told.iter().map(|(name, text)| (*name, text.as_str())).collect();
        assert_eq!(told, expect);
    }

    #[test]
    fn reads_back_as_written() {
        let head = [("operation", "update"), ("observed_at", "2026-11-20T15:05:31.321174Z")];
        let versions =
            [("version", "v1"), ("resource.version", "100"), ("resource.version.new", "101")];
        let update = [("manager", "kubectl-edit"), ("diff", "spec.replicas 3 -> 5")];
        check(&change(), &[&head, &[("uid", "u1")][..], &versions, &update].concat());
        let gone = ChangeSpan {
            operation: Operation::Delete,
            manager: "",
            diff: "",
            snapshot: "{}",
            gap: true,
            redaction_key: "k1",
            ..change()
        };
        let head = [("operation", "delete"), head[1], ("uid", "u1")];
        let last = [("snapshot", "{}"), ("redaction.key", "k1"), ("gap", "Bool(true)")];
        check(&gone, &[&head[..], &versions, &last].concat());
    }

    #[test]
    fn what_is_too_large_is_cut_and_says_so() {
        let line = format!("spec.a \"{}\" -> 1\n", "é".repeat(40_000));
        let long = line.repeat(10);
        let (kept, why) = cut_lines(&long);
        assert_eq!(kept, line.repeat(3).trim_end());
        assert_eq!(why, "3 of 10 lines, 800150 bytes in all");
        assert_eq!(
            cut_lines(&"x".repeat(300_000)),
            ("", "0 of 1 lines, 300000 bytes in all".into())
        );
        let large = "x".repeat(CHANGE_TEXT_BYTES_MAX + 1);
        assert_eq!(whole_or_none(&large), ("", "262145 bytes, more than 262144".into()));
    }

    #[test]
    fn operations_read_back() {
        for word in ["create", "update", "delete", "observe"] {
            assert_eq!(Operation::from_stored(word).map(Operation::as_str), Some(word));
        }
        assert_eq!(Operation::from_stored("sync"), None);
    }
}
