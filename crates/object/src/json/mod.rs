//! A scanner over JSON text: finds where things stand and leaves them there.
//!
//! Promise: linear time, no recursion, nothing allocated; positions are always inside the text.
//! [`members`] and [`elements`] walk one level and skip what is below it by brackets and quotes
//! alone, so that a large value costs next to nothing. They find the end of every valid value;
//! of a malformed one they may find an end that a strict parser would refuse. Who needs more
//! than that reads the value strictly ([`crate::read_body`] does).
//! Never here: trees, numbers as numbers, recovery.

mod cursor;
mod scan;
mod text;

pub(crate) use cursor::Cursor;
pub use scan::{Elements, Member, Members, elements, members, skip_value, skip_whitespace};
pub(crate) use text::{check_escapes, number_end};
pub use text::{escape_into, string, unescape};

/// Deepest nesting that is read: what `serde_json` reads back with its default limit.
pub const DEPTH_MAX: usize = 127;

/// Why a scan stopped. Offsets count bytes from the start of the text that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text ends inside the value: it was cut.
    #[error("the text ends inside a value, at byte {at}")]
    Cut {
        /// Where the text ends, or the last thing begins.
        at: usize,
    },
    /// What stands here cannot be JSON.
    #[error("not JSON at byte {at}")]
    Malformed {
        /// First byte that does not fit.
        at: usize,
    },
}
