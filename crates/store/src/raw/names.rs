//! Names of services and operations, for the boxes of a search form.

use std::collections::BTreeSet;

use fjall::Readable as _;

use super::key::{self, END, SERVICE};
use super::read::RawView;
use crate::StoreError;
use crate::embedded::read_failed;

/// Names in one answer; a form with more is of no use.
const NAMES_MAX: usize = 10_000;

/// An operation of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RawOperation {
    /// Its name.
    pub name: String,
    /// `server`, `client`, `producer`, `consumer`, `internal`, or empty.
    pub kind: String,
}

impl RawView {
    /// The services, sorted; at most 10,000.
    pub fn services(&self) -> Result<Vec<String>, StoreError> {
        let names = self.names(&[SERVICE], |key| Some(text(key.get(1..)?)))?;
        Ok(names.into_iter().collect())
    }

    /// The operations of a service, or of all when it is empty, of a kind or of any; sorted, at most
    /// 10,000.
    pub fn operations(&self, service: &str, kind: &str) -> Result<Vec<RawOperation>, StoreError> {
        let operations = self.names(&key::operations_prefix(service), |key| {
            let mut parts = key.split(|byte| *byte == END).skip(1).map(text);
            let operation = RawOperation { kind: parts.next()?, name: parts.next()? };
            (kind.is_empty() || kind == operation.kind).then_some(operation)
        })?;
        Ok(operations.into_iter().collect())
    }

    fn names<N: Ord>(
        &self,
        prefix: &[u8],
        read: impl Fn(&[u8]) -> Option<N>,
    ) -> Result<BTreeSet<N>, StoreError> {
        let mut names = BTreeSet::new();
        for segment in self.segments.iter().rev() {
            for item in self.snapshot.prefix(&segment.keyspace, prefix) {
                if names.len() >= NAMES_MAX {
                    return Ok(names);
                }
                names.extend(read(&item.key().map_err(read_failed)?));
            }
        }
        Ok(names)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
