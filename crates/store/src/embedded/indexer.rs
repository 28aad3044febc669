//! Gathers the postings of one commit.
//!
//! Promise: a posting that was written lately is not written again; the memory of that is bounded,
//! and forgetting costs only space.
//! Never here: deciding which spans are kept.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher, RandomState};

use kausal_trace::{UnixNanos, Window, attribute};

use super::indexed::{Attribute, ByLength, Shape};
use super::key::Place;
use super::posting::{InvertedMinute, Moment, Posting, Term, TraceRef, value_hash};
use crate::scan::{Part, TERM_BYTES_MAX, each_text, parts};

/// Postings remembered in each of two generations; about 1.5 MB together.
const REMEMBERED_MAX: usize = 1 << 15;
/// Values whose hashes are remembered, of each attribute.
const HASHED_VALUES_MAX: usize = 1_024;

/// What one span says to the store.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen<'a> {
    pub(crate) start: UnixNanos,
    pub(crate) cluster: &'a [u8],
}

/// Gathers postings; kept from commit to commit for what it remembers.
pub(crate) struct Indexer {
    attributes: ByLength,
    /// Hashes of values by attribute id.
    hashes: Vec<HashMap<Box<[u8]>, [u8; 8]>>,
    remembered: Remembered,
    postings: Vec<Posting>,
    terms: Vec<Term>,
}

impl Indexer {
    pub(crate) fn new(attributes: ByLength) -> Self {
        Self {
            attributes,
            hashes: vec![HashMap::new(); usize::from(u8::MAX) + 1],
            remembered: Remembered::default(),
            postings: Vec::new(),
            terms: Vec::new(),
        }
    }

    /// Takes the postings of a fact that goes into the partition beginning at `partition`.
    pub(crate) fn add<'a>(&mut self, partition: u64, place: Place, span: &'a [u8]) -> Seen<'a> {
        self.terms.clear();
        let mut seen = Seen::default();
        for part in parts(span) {
            match part {
                Part::Name(name) => {
                    self.terms.push(Term::kind(name.first().copied().unwrap_or(0)));
                }
                Part::Start(start) => seen.start = UnixNanos(start),
                Part::Attribute(name, value) => {
                    if name == attribute::CLUSTER.as_bytes() {
                        seen.cluster = only_text(value);
                    }
                    if let Some(attribute) = self.attributes.get(name) {
                        self.add_value(attribute, value);
                    }
                }
            }
        }
        self.keep_new(partition, place, seen.start);
        seen
    }

    fn add_value(&mut self, attribute: Attribute, value: &[u8]) {
        let (hashes, terms) = (&mut self.hashes[usize::from(attribute.id)], &mut self.terms);
        each_text(value, &mut |text| {
            if text.len() <= TERM_BYTES_MAX {
                terms.push(Term::new(attribute, hash_of(hashes, attribute, text)));
            }
        });
    }

    fn keep_new(&mut self, partition: u64, place: Place, start: UnixNanos) {
        let minute = InvertedMinute::of(start, Window(u64::from(place.slot)));
        let moment = self.attributes.moment();
        self.terms.extend(moment.map(|moment| Term::moment(moment, minute, Moment::of(start))));
        let [a, b, c, d, ..] = place.key.0;
        let trace: TraceRef = [a, b, c, d];
        for term in self.terms.drain(..) {
            let posting = Posting::new(partition, term, minute, trace);
            if self.remembered.insert(&posting) {
                self.postings.push(posting);
            }
        }
    }

    /// The postings gathered since the last call, in the order of their keys.
    pub(crate) fn take(&mut self) -> Vec<Posting> {
        let mut postings = std::mem::take(&mut self.postings);
        postings.sort_unstable();
        postings
    }

    /// Gives the memory back after [`Indexer::take`].
    pub(crate) fn recycle(&mut self, mut postings: Vec<Posting>) {
        postings.clear();
        self.postings = postings;
    }
}

fn only_text(value: &[u8]) -> &[u8] {
    // An `AnyValue` that is a string: tag 1, length, text.
    match value {
        [0x0a, len, text @ ..] if usize::from(*len) == text.len() && *len < 0x80 => text,
        _ => &[],
    }
}

fn hash_of(hashes: &mut HashMap<Box<[u8]>, [u8; 8]>, attribute: Attribute, text: &[u8]) -> [u8; 8] {
    if attribute.shape == Shape::Bucketed {
        return value_hash(text);
    }
    if let Some(hash) = hashes.get(text) {
        return *hash;
    }
    if hashes.len() >= HASHED_VALUES_MAX {
        hashes.clear();
    }
    let hash = value_hash(text);
    hashes.insert(text.into(), hash);
    hash
}

/// Postings written lately, as hashes, in two generations: when the young one is full, the old one
/// is forgotten.
#[derive(Default)]
struct Remembered {
    random: RandomState,
    young: HashSet<u64, BuildHasherDefault<AsIs>>,
    old: HashSet<u64, BuildHasherDefault<AsIs>>,
}

impl Remembered {
    /// Whether it is new.
    fn insert(&mut self, posting: &Posting) -> bool {
        let hash = posting.hash_with(&self.random);
        if self.old.contains(&hash) || !self.young.insert(hash) {
            return false;
        }
        if self.young.len() >= REMEMBERED_MAX {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        true
    }
}

/// The keys are hashes already.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0 << 8 | u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}
