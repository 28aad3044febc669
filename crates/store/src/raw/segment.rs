//! A stretch of arrivals, dropped as a whole.

use fjall::{Database, Keyspace};

use super::config;
use crate::embedded::{engine_text, memtable_bytes, table_bytes};

const PREFIX: &str = "segment";

/// A keyspace, named by its number and the second it was begun in.
#[derive(Clone)]
pub(super) struct Segment {
    pub(super) number: u64,
    /// Unix seconds.
    pub(super) begun: u64,
    pub(super) keyspace: Keyspace,
}

impl Segment {
    pub(super) fn open(database: &Database, number: u64, begun: u64) -> Result<Self, String> {
        let name = format!("{PREFIX}-{number}-{begun}");
        let keyspace = database.keyspace(&name, config::segment_options).map_err(engine_text)?;
        Ok(Self { number, begun, keyspace })
    }

    /// All segments of the database, oldest first.
    pub(super) fn all(database: &Database) -> Result<Vec<Self>, String> {
        let names = database.list_keyspace_names();
        let segments = names.iter().filter_map(|name| parse(name));
        let opened = segments.map(|(number, begun)| Self::open(database, number, begun));
        let mut all = opened.collect::<Result<Vec<_>, _>>()?;
        all.sort_unstable_by_key(|segment| segment.number);
        Ok(all)
    }

    /// Bytes in table files and in memory.
    pub(super) fn bytes(&self) -> u64 {
        table_bytes(&self.keyspace) + memtable_bytes(&self.keyspace)
    }
}

fn parse(name: &str) -> Option<(u64, u64)> {
    let (number, begun) = name.strip_prefix(PREFIX)?.strip_prefix('-')?.split_once('-')?;
    Some((number.parse().ok()?, begun.parse().ok()?))
}
