//! Ids: computed from what happened, never allotted.
//!
//! Promise: a redelivery, a second leader or a replay computes the same id and lands on itself.
//! Hashes are BLAKE3, because clients choose object names and audit ids: nobody can craft a
//! request that lands on another's span.

use std::fmt;

use kausal_object::KeyRef;

use crate::window::{Day, Window};

const FACTS: u8 = 0x01;
const CATALOGUE: u8 = 0x02;
const VIEW: u8 = 0xff;

/// First window a view id can name: 2020-01-01T00:00:00Z.
pub const VIEW_WINDOW_BASE: u64 = 876_576;
/// Longest range of a view id, in windows (13 bits): 170 days.
pub const VIEW_WINDOWS_MAX: u64 = (1 << 13) - 1;
const VIEW_FIRST_MAX: u64 = (1 << 19) - 1;

/// A trace id, 16 bytes as on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(pub [u8; 16]);

/// A span id, 8 bytes as on the wire, never zero when computed here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(pub [u8; 8]);

/// First 56 bits of BLAKE3 over the five parts of an object key, each with its length (u32,
/// big-endian) in front.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyHash(pub [u8; 7]);

/// What kind of fact or frame a stored span tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FactKind {
    /// A request, from the audit log.
    Audit,
    /// A Kubernetes Event.
    Event,
    /// A change seen by a watch.
    Change,
    /// Frame: the object has facts in a window.
    Object,
    /// Frame: the object relates to another.
    Link,
}

impl FactKind {
    /// The name stored as `service.name` and hashed into span ids.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Event => "event",
            Self::Change => "change",
            Self::Object => "object",
            Self::Link => "link",
        }
    }

    /// The kind a stored span name begins with (`audit patch` → audit).
    pub fn from_span_name(name: &str) -> Option<Self> {
        match name.split(' ').next()? {
            "audit" => Some(Self::Audit),
            "event" => Some(Self::Event),
            "change" => Some(Self::Change),
            "object" => Some(Self::Object),
            "link" => Some(Self::Link),
            _ => None,
        }
    }
}

/// What a trace id of ours says, once taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdParts {
    /// Facts of one object in one window.
    Facts(KeyHash, Window),
    /// Windows and links of one object on one day.
    Catalogue(KeyHash, Day),
    /// What a person sees.
    View(ViewId),
    /// Not ours, or not plausible: looked up raw.
    Foreign,
}

/// All that is needed to open a view: no table of issued ids, nothing to expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ViewId {
    /// Display mode, eight hex digits in the printed id.
    pub mode: u32,
    /// First window of the range.
    pub first: Window,
    /// Number of windows, 1 to [`VIEW_WINDOWS_MAX`].
    pub windows: u64,
    /// The object.
    pub key: KeyHash,
}

impl KeyHash {
    /// Hashes the full object key.
    pub fn of(key: KeyRef<'_>) -> Self {
        Self(first_bytes(&hash(|preimage| feed_key(preimage, key))))
    }
}

impl TraceId {
    /// The trace of one object's facts in one window.
    pub fn facts(key: KeyHash, window: Window) -> Self {
        Self::compose(FACTS, key, window.0)
    }

    /// The trace that says in which windows of a day an object has facts and what it is linked to.
    pub fn catalogue(key: KeyHash, day: Day) -> Self {
        Self::compose(CATALOGUE, key, day.0)
    }

    /// Takes an id apart; what is not plausibly ours is [`IdParts::Foreign`].
    pub fn parts(self) -> IdParts {
        let (tag, key) = (self.0[0], self.key_at(1));
        let index = self.low_u64();
        match tag {
            FACTS if index < 1 << 32 => IdParts::Facts(key, Window(index)),
            CATALOGUE if index < 1 << 32 => IdParts::Catalogue(key, Day(index)),
            VIEW => ViewId::parse(self).map_or(IdParts::Foreign, IdParts::View),
            _ => IdParts::Foreign,
        }
    }

    /// Reads 32 hex digits, upper or lower case.
    pub fn parse_hex(text: &str) -> Option<Self> {
        let bytes: &[u8; 32] = text.as_bytes().try_into().ok()?;
        let mut id = [0; 16];
        for (byte, pair) in id.iter_mut().zip(bytes.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Some(Self(id))
    }

    fn compose(tag: u8, key: KeyHash, index: u64) -> Self {
        let mut id = [0; 16];
        id[0] = tag;
        id[1..8].copy_from_slice(&key.0);
        id[8..].copy_from_slice(&index.to_be_bytes());
        Self(id)
    }

    fn key_at(self, at: usize) -> KeyHash {
        let mut key = [0; 7];
        key.copy_from_slice(&self.0[at..at + 7]);
        KeyHash(key)
    }

    fn low_u64(self) -> u64 {
        self.0[8..].iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
    }
}

impl SpanId {
    /// The id of a stored span: first 64 bits of BLAKE3(trace id ‖ kind ‖ full object key ‖ natural
    /// key), every variable part with its length in front; never zero.
    pub(crate) fn of(trace: TraceId, kind: FactKind, key: KeyRef<'_>, natural: &[&[u8]]) -> Self {
        let digest = hash(|preimage| {
            preimage.update(&trace.0);
            feed(preimage, kind.as_str().as_bytes());
            feed_key(preimage, key);
            for part in natural {
                feed(preimage, part);
            }
        });
        Self::from_digest(&digest)
    }

    /// An id for a span made while reading, from whatever makes it distinct within its trace.
    pub fn derived(trace: TraceId, parts: &[&[u8]]) -> Self {
        let digest = hash(|preimage| {
            preimage.update(&trace.0);
            for part in parts {
                feed(preimage, part);
            }
        });
        Self::from_digest(&digest)
    }

    fn from_digest(digest: &blake3::Hash) -> Self {
        match first_bytes(digest) {
            [0, 0, 0, 0, 0, 0, 0, 0] => Self([0, 0, 0, 0, 0, 0, 0, 1]),
            id => Self(id),
        }
    }
}

impl ViewId {
    /// The trace id: `0xff` · mode (4 bytes) · first window − base (19 bits) · windows (13 bits) ·
    /// h56. `None` when the range cannot be named: before 2020, empty, or longer than
    /// [`VIEW_WINDOWS_MAX`].
    pub fn encode(self) -> Option<TraceId> {
        let first = self.first.0.checked_sub(VIEW_WINDOW_BASE)?;
        if first > VIEW_FIRST_MAX || self.windows == 0 || self.windows > VIEW_WINDOWS_MAX {
            return None;
        }
        let range = (first as u32) << 13 | self.windows as u32;
        let mut id = [0; 16];
        id[0] = VIEW;
        id[1..5].copy_from_slice(&self.mode.to_be_bytes());
        id[5..9].copy_from_slice(&range.to_be_bytes());
        id[9..].copy_from_slice(&self.key.0);
        Some(TraceId(id))
    }

    fn parse(id: TraceId) -> Option<Self> {
        let word = |at: usize| id.0[at..at + 4].iter().fold(0_u32, |v, b| v << 8 | u32::from(*b));
        let (mode, range) = (word(1), word(5));
        let windows = u64::from(range & VIEW_WINDOWS_MAX as u32);
        let first = Window(u64::from(range >> 13) + VIEW_WINDOW_BASE);
        (windows > 0).then(|| Self { mode, first, windows, key: id.key_at(9) })
    }
}

/// Collects what is hashed. Nearly every id is of less than a kilobyte: one BLAKE3 chunk, hashed
/// at once from the stack.
struct Preimage {
    bytes: [u8; CHUNK_BYTES],
    filled: usize,
    spilled: Option<Box<blake3::Hasher>>,
}

const CHUNK_BYTES: usize = blake3::CHUNK_LEN;

impl Preimage {
    fn update(&mut self, part: &[u8]) {
        let end = self.filled + part.len();
        if let Some(room) = self.bytes.get_mut(self.filled..end) {
            room.copy_from_slice(part);
            self.filled = end;
            return;
        }
        let (bytes, filled) = (&self.bytes, std::mem::take(&mut self.filled));
        let hasher = self.spilled.get_or_insert_with(Box::default);
        hasher.update(&bytes[..filled]).update(part);
    }

    fn finalize(mut self) -> blake3::Hash {
        let rest = &self.bytes[..self.filled];
        match &mut self.spilled {
            None => blake3::hash(rest),
            Some(hasher) => hasher.update(rest).finalize(),
        }
    }
}

fn hash(fill: impl FnOnce(&mut Preimage)) -> blake3::Hash {
    let mut preimage = Preimage { bytes: [0; CHUNK_BYTES], filled: 0, spilled: None };
    fill(&mut preimage);
    preimage.finalize()
}

fn first_bytes<const N: usize>(digest: &blake3::Hash) -> [u8; N] {
    const { assert!(N <= blake3::OUT_LEN) };
    let mut first = [0; N];
    first.copy_from_slice(&digest.as_bytes()[..N]);
    first
}

fn feed(preimage: &mut Preimage, part: &[u8]) {
    preimage.update(&(part.len() as u32).to_be_bytes());
    preimage.update(part);
}

fn feed_key(preimage: &mut Preimage, key: KeyRef<'_>) {
    for part in key.parts() {
        feed(preimage, part.as_bytes());
    }
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

macro_rules! hex_text {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(f, &self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(f, &self.0)
            }
        }
    )*};
}
hex_text!(TraceId, SpanId, KeyHash);
