//! What one event may cost.

use serde::{Deserialize, Serialize};

/// A longer `auditID` is cut here and the event marked: a client chooses the id by a header and
/// must not be able to hide a request by it. Part of the format of stored data, hence no setting.
pub const AUDIT_ID_BYTES_MAX: usize = 1_024;

/// Sizes beyond which an item is refused, or a part of it left out and said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of one event; a larger one is refused. An object may have 1.5 MB in etcd and an event
    /// may hold it twice, as request and as response; the answer to a deletecollection holds many.
    pub event_bytes_max: usize,
    /// Bytes, as written, of one string that is not a body (a name, a URI, a message); an event with
    /// a longer one is refused. Go's HTTP server takes 1 MiB of request line and headers, which
    /// JSON's escapes make six: nobody may slip past by a long URI.
    pub text_bytes_max: usize,
    /// Entries of one list or map that is not in a body (groups, extra, annotations, causes).
    pub entries_max: usize,
    /// Depth of brackets in a body, looked at every 64 bytes; a deeper body is left out and said.
    pub nesting_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            event_bytes_max: 16 << 20,
            text_bytes_max: 8 << 20,
            entries_max: 10_000,
            nesting_max: 1_000,
        }
    }
}
