//! What a store remembers besides spans: how far it is, what it indexes, how its values are
//! compressed, its clusters.
//!
//! **Invariant:** names and layouts here are part of the format. The state is written with every
//! commit, in the same atomic batch.

use std::collections::BTreeMap;

use fjall::Keyspace;
use kausal_trace::UnixNanos;
use serde::{Deserialize, Serialize};

use super::codec::DictionaryId;
use super::indexed::IndexedAttributes;
use crate::DroppedStats;

/// Name of the keyspace.
pub(crate) const KEYSPACE: &str = "meta";
const STATE: &[u8] = b"state";
const INDEXED: &[u8] = b"attributes";
const CLUSTER: &[u8] = b"cluster/";
const DICTIONARY: &[u8] = b"dictionary/";
const RETIRED: &[u8] = b"retired/";
/// More clusters than anyone has: a flood of made-up names stops being recorded here.
pub(crate) const CLUSTERS_MAX: usize = 10_000;

/// Dictionaries kept at once; there is no further learning while there are so many.
pub(crate) const DICTIONARIES_MAX: usize = 64;

/// A dictionary as stored.
pub(crate) struct StoredDictionary {
    pub(crate) bytes: Vec<u8>,
    /// First window after the newest it may have been used for; `None` while it is in use.
    pub(crate) retired: Option<u64>,
}

/// How far the store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Commits so far; names the posting lists of each.
    pub(crate) commits: u64,
    /// First window after the newest one with facts; retention counts from here. 0: none yet.
    pub(crate) newest_end: u64,
    /// Start of the newest fact.
    pub(crate) newest: UnixNanos,
    /// Spans that came too old to be kept.
    pub(crate) expired: u64,
    /// Partitions dropped, by reason; written with the commit that follows.
    #[serde(default)]
    pub(crate) dropped: DroppedStats,
}

/// Reads what is there; an empty keyspace gives the state of an empty store.
pub(crate) fn read_state(meta: &Keyspace) -> Result<State, String> {
    read(meta, STATE).map(Option::unwrap_or_default)
}

pub(crate) fn read_indexed(meta: &Keyspace) -> Result<IndexedAttributes, String> {
    read(meta, INDEXED).map(Option::unwrap_or_default)
}

/// Clusters, each with the end of the last day it had facts, in windows.
pub(crate) fn read_clusters(meta: &Keyspace) -> Result<BTreeMap<String, u64>, String> {
    let mut clusters = BTreeMap::new();
    for item in meta.prefix(CLUSTER) {
        let (key, value) = item.into_inner().map_err(|error| error.to_string())?;
        let name = key.get(CLUSTER.len()..).unwrap_or_default();
        let end = value.first_chunk().map_or(0, |end| u64::from_be_bytes(*end));
        clusters.insert(String::from_utf8_lossy(name).into_owned(), end);
    }
    Ok(clusters)
}

/// All dictionaries by id.
pub(crate) fn read_dictionaries(
    meta: &Keyspace,
) -> Result<BTreeMap<DictionaryId, StoredDictionary>, String> {
    let mut dictionaries = BTreeMap::new();
    for item in meta.prefix(DICTIONARY) {
        let (key, bytes) = item.into_inner().map_err(|error| error.to_string())?;
        let id = key.get(DICTIONARY.len()..).and_then(|id| id.first_chunk());
        let id = DictionaryId::from_be_bytes(*id.ok_or("a dictionary has no id")?);
        let retired = meta.get(numbered(RETIRED, id)).map_err(|error| error.to_string())?;
        let retired = retired.and_then(|end| end.first_chunk().map(|end| u64::from_be_bytes(*end)));
        dictionaries.insert(id, StoredDictionary { bytes: bytes.to_vec(), retired });
    }
    Ok(dictionaries)
}

/// Key of a dictionary.
pub(crate) fn dictionary_key(id: DictionaryId) -> Vec<u8> {
    numbered(DICTIONARY, id)
}

/// Key of the end of its use.
pub(crate) fn retired_key(id: DictionaryId) -> Vec<u8> {
    numbered(RETIRED, id)
}

fn numbered(prefix: &[u8], id: DictionaryId) -> Vec<u8> {
    [prefix, &id.to_be_bytes()].concat()
}

/// Key and value of the state.
pub(crate) fn state_item(state: &State) -> (&'static [u8], Vec<u8>) {
    (STATE, encode(state))
}

/// Key and value of the indexed attributes.
pub(crate) fn indexed_item(indexed: &IndexedAttributes) -> (&'static [u8], Vec<u8>) {
    (INDEXED, encode(indexed))
}

/// Key and value of a cluster.
pub(crate) fn cluster_item(name: &str, end: u64) -> (Vec<u8>, [u8; 8]) {
    ([CLUSTER, name.as_bytes()].concat(), end.to_be_bytes())
}

fn read<T: for<'d> Deserialize<'d>>(meta: &Keyspace, key: &[u8]) -> Result<Option<T>, String> {
    let value = meta.get(key).map_err(|error| error.to_string())?;
    value
        .map(|value| serde_json::from_slice(&value))
        .transpose()
        .map_err(|error| format!("{}: {error}", String::from_utf8_lossy(key)))
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    // Structs of integers and string keys cannot fail to become JSON.
    serde_json::to_vec(value).unwrap_or_default()
}
