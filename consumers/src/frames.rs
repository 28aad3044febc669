//! The catalogue: in which windows an object has facts, and what it is linked to.
//!
//! Promise: every batch carries the frames that announce its facts, unless they were acknowledged
//! before; a frame is remembered only after its batch was. Within a batch each is written once.
//! Never here: reading. A frame written twice, by whomever, is the same bytes and folds.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, RandomState};
use std::mem;
use std::sync::{Mutex, PoisonError};

use kausal_object::{KeyRef, Role};
use kausal_trace::natural::LinkIdentity;
use kausal_trace::{
    Day, FactKind, KeyHash, NewSpan, SpanBatch, SpanId, SpanWriter, TraceId, UnixNanos, Window,
    attribute,
};

/// Frames remembered as acknowledged, at eight bytes each: the objects of a cluster of 100,000 in
/// two windows, with their links.
pub const FRAMES_REMEMBERED_MAX: usize = 500_000;

/// Stands for a frame: 64 bits of a keyed hash nobody outside knows the key of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark(u64);

/// Frames that are durable, as far as remembered. Forgetting one costs a second writing, no more.
///
/// Two generations: what is asked for moves to the younger one; when that is full the older one is
/// forgotten.
#[derive(Debug)]
pub struct FrameMemory {
    hasher: RandomState,
    generations: Mutex<Generations>,
    each_max: usize,
}

#[derive(Debug, Default)]
struct Generations {
    younger: HashSet<Mark>,
    older: HashSet<Mark>,
}

/// The frames of one batch.
#[derive(Debug, Default)]
pub struct BatchFrames {
    seen: HashSet<Mark>,
    written: Vec<Mark>,
}

/// An object as a link sees it.
#[derive(Clone, Copy, Debug, Hash)]
pub struct LinkEnd<'a> {
    /// Its key.
    pub key: KeyRef<'a>,
    /// Its uid, where known.
    pub uid: &'a str,
    /// Its kind as it was written, where known.
    pub kind: &'a str,
    /// Its apiVersion as it was written, where known.
    pub api_version: &'a str,
}

/// A relation of one object to another on one day.
#[derive(Clone, Copy, Debug, Hash)]
pub struct LinkFrame<'a> {
    /// The day.
    pub day: Day,
    /// The object in whose catalogue it stands.
    pub own: LinkEnd<'a>,
    /// The object it relates to.
    pub other: LinkEnd<'a>,
    /// What `other` is to `own`.
    pub role: Role,
    /// What relates them: `owner`, `configmap`, …
    pub class: &'a str,
}

impl LinkFrame<'_> {
    /// The same relation as it stands in the other's catalogue.
    fn reversed(&self) -> Self {
        Self { own: self.other, other: self.own, role: reversed(self.role), ..*self }
    }
}

const fn reversed(role: Role) -> Role {
    match role {
        Role::Parent => Role::Child,
        Role::Child => Role::Parent,
    }
}

impl Default for FrameMemory {
    fn default() -> Self {
        Self::new(FRAMES_REMEMBERED_MAX)
    }
}

impl FrameMemory {
    /// Remembers at most `frames_max` frames.
    pub fn new(frames_max: usize) -> Self {
        let each_max = frames_max.div_ceil(2);
        Self { hasher: RandomState::new(), generations: Mutex::default(), each_max }
    }

    /// Remembers the frames of a batch that was acknowledged.
    pub fn acknowledged(&self, frames: &[Mark]) {
        let mut generations = self.lock();
        for mark in frames {
            generations.insert(*mark, self.each_max);
        }
    }

    fn knows(&self, mark: Mark) -> bool {
        let mut generations = self.lock();
        if generations.younger.contains(&mark) {
            return true;
        }
        let known = generations.older.contains(&mark);
        if known {
            generations.insert(mark, self.each_max);
        }
        known
    }

    fn mark(&self, frame: &impl Hash) -> Mark {
        Mark(self.hasher.hash_one(frame))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Generations> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn insert(&mut self, mark: Mark, each_max: usize) {
        if self.younger.len() >= each_max {
            self.older = mem::take(&mut self.younger);
        }
        self.younger.insert(mark);
    }
}

impl BatchFrames {
    /// The frames written since the last call; the batch that carries them begins anew.
    pub fn take(&mut self) -> Vec<Mark> {
        self.seen.clear();
        mem::take(&mut self.written)
    }

    /// Announces that the object has facts in the window of `time`.
    pub fn object(
        &mut self,
        memory: &FrameMemory,
        batch: &mut SpanBatch,
        key: KeyRef<'_>,
        hash: KeyHash,
        window: Window,
    ) {
        // Two keys under one hash share the trace this frame announces, so that one frame serves
        // both.
        if !self.is_new(memory, &(hash.0, window)) {
            return;
        }
        let trace = TraceId::catalogue(hash, window.day());
        let span = SpanId::object(trace, key, window);
        let mut writer = open(batch, trace, span, FactKind::Object, window.start(), window.end());
        write_key(&mut writer, key);
    }

    /// Announces a relation in the catalogues of both ends.
    pub fn link(&mut self, memory: &FrameMemory, batch: &mut SpanBatch, frame: &LinkFrame<'_>) {
        if self.is_new(memory, frame) {
            write_link(batch, frame);
            write_link(batch, &frame.reversed());
        }
    }

    fn is_new(&mut self, memory: &FrameMemory, frame: &impl Hash) -> bool {
        let mark = memory.mark(frame);
        if !self.seen.insert(mark) || memory.knows(mark) {
            return false;
        }
        self.written.push(mark);
        true
    }
}

fn write_link(batch: &mut SpanBatch, frame: &LinkFrame<'_>) {
    let LinkFrame { day, own, other, role, class } = *frame;
    let trace = TraceId::catalogue(KeyHash::of(own.key), day);
    let identity = LinkIdentity {
        day,
        own_uid: own.uid,
        target: other.key,
        target_uid: other.uid,
        role: role.as_str(),
        class,
    };
    let span = SpanId::link(trace, own.key, &identity);
    let mut writer = open(batch, trace, span, FactKind::Link, day.start(), day.end());
    write_key(&mut writer, own.key);
    writer
        .str_some(attribute::UID, own.uid)
        .str(attribute::LINK_CLUSTER, other.key.cluster)
        .str(attribute::LINK_GROUP, other.key.group)
        .str(attribute::LINK_RESOURCE, other.key.resource)
        .str(attribute::LINK_NAMESPACE, other.key.namespace)
        .str(attribute::LINK_NAME, other.key.name)
        .str_some(attribute::LINK_UID, other.uid)
        .str_some(attribute::LINK_KIND, other.kind)
        .str_some(attribute::LINK_API_VERSION, other.api_version)
        .str(attribute::LINK_ROLE, role.as_str())
        .str(attribute::LINK_CLASS, class);
}

fn open(
    batch: &mut SpanBatch,
    trace: TraceId,
    span: SpanId,
    kind: FactKind,
    start: UnixNanos,
    end: UnixNanos,
) -> SpanWriter<'_> {
    batch.open(NewSpan { trace, span, name: kind.as_str(), start, end })
}

/// The five parts of the key, which every stored span carries.
pub(crate) fn write_key(writer: &mut SpanWriter<'_>, key: KeyRef<'_>) {
    writer
        .str(attribute::CLUSTER, key.cluster)
        .str(attribute::GROUP, key.group)
        .str(attribute::RESOURCE, key.resource)
        .str(attribute::NAMESPACE, key.namespace)
        .str(attribute::NAME, key.name);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use kausal_trace::SpanRef;

    use super::*;

    fn key(name: &str) -> KeyRef<'_> {
        KeyRef { cluster: "c", group: "", resource: "pods", namespace: "n", name }
    }

    /// Object frames written for names, in one batch.
    fn write(memory: &FrameMemory, names: &[&str]) -> (usize, Vec<Mark>) {
        let (mut batch, mut frames) = (SpanBatch::default(), BatchFrames::default());
        for name in names {
            let key = key(name);
            frames.object(memory, &mut batch, key, KeyHash::of(key), Window(990_000));
        }
        (batch.len(), frames.take())
    }

    #[test]
    fn a_frame_is_written_until_its_batch_was_acknowledged() {
        let memory = FrameMemory::default();
        assert_eq!(write(&memory, &["a", "b", "a"]).0, 2, "once in a batch");
        let (count, frames) = write(&memory, &["a", "b"]);
        assert_eq!(count, 2, "the first batch was not acknowledged");
        memory.acknowledged(&frames);
        assert_eq!(write(&memory, &["a", "b", "c"]).0, 1);
    }

    #[test]
    fn memory_is_bounded_and_forgets_what_is_not_asked_for() {
        let memory = FrameMemory::new(200);
        let names: Vec<String> = (0..1_000).map(|number| format!("pod-{number}")).collect();
        for name in &names {
            memory.acknowledged(&write(&memory, &[name, "asked"]).1);
            let generations = memory.lock();
            assert!(generations.younger.len() + generations.older.len() <= 201);
        }
        assert_eq!(write(&memory, &["asked"]).0, 0);
        assert_eq!(write(&memory, &["pod-999"]).0, 0);
        assert_eq!(write(&memory, &["pod-0"]).0, 1, "forgotten, so written again");
    }

    #[test]
    fn a_link_stands_in_both_catalogues() {
        let end = |name, uid| LinkEnd { key: key(name), uid, kind: "Pod", api_version: "v1" };
        let day = Day(20_000);
        let (own, other) = (end("child", "u1"), end("parent", "u2"));
        let frame = LinkFrame { day, own, other, role: Role::Parent, class: "owner" };
        let (memory, mut batch) = (FrameMemory::default(), SpanBatch::default());
        let mut frames = BatchFrames::default();
        frames.link(&memory, &mut batch, &frame);
        frames.link(&memory, &mut batch, &frame);
        let told: BTreeSet<_> = batch
            .iter()
            .map(|span| {
                let span = SpanRef::parse(span.bytes).unwrap();
                let trace = TraceId::catalogue(KeyHash::of(span.object_key()), day);
                assert_eq!((span.trace, span.start, span.end), (trace, day.start(), day.end()));
                [
                    span.str(attribute::NAME),
                    span.str(attribute::UID),
                    span.str(attribute::LINK_ROLE),
                    span.str(attribute::LINK_NAME),
                    span.str(attribute::LINK_UID),
                ]
                .map(str::to_owned)
            })
            .collect();
        let expected =
            [["child", "u1", "parent", "parent", "u2"], ["parent", "u2", "child", "child", "u1"]];
        assert_eq!(batch.len(), 2);
        assert_eq!(told, expected.map(|end| end.map(str::to_owned)).into());
    }
}
