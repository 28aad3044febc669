//! What decoding hands out: an event, or what stood in its place and why it is none.

use std::fmt;

use thiserror::Error;

use crate::event::Event;

/// One item of the input.
pub type Item<'a> = Result<Event<'a>, Rejected<'a>>;

/// An item that is no readable audit event; its bytes belong in a dead-letter file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected<'a> {
    /// Why; holds no text of the input, which may be secret.
    pub reason: Reason,
    /// Where the item starts in the buffer given.
    pub offset: usize,
    /// Line in the buffer given, from 1; `None` for an item of a list or array.
    pub line: Option<usize>,
    /// The item as it came, without its line end.
    pub bytes: &'a [u8],
}

/// Why an item is no event. Positions are bytes from the start of the item.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Reason {
    /// The text breaks JSON's rules.
    #[error("not JSON: no {expected} at byte {at}")]
    NotJson {
        /// Where it does.
        at: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// The text is not UTF-8, and what stands before that is too little to know the request by.
    #[error("not UTF-8 at byte {at}")]
    NotUtf8 {
        /// First byte that is not.
        at: usize,
    },
    /// JSON, but a number, a string, an array where an event should be.
    #[error("{found} where an event should be")]
    NotAnObject {
        /// What it is.
        found: &'static str,
    },
    /// An object without the members that make it an audit event.
    #[error("no audit event: without {members}")]
    Missing {
        /// Their names, separated by commas.
        members: String,
    },
    /// The text ends too early to know the request by.
    #[error("cut at byte {at}: without {members}")]
    Cut {
        /// Length of what there is.
        at: usize,
        /// The members that are not whole or not there.
        members: String,
    },
    /// The event is too large.
    #[error("event of {bytes} bytes, over the limit of {max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// [`crate::Limits::event_bytes_max`].
        max: usize,
    },
    /// A string outside the bodies is too long.
    #[error("{member} of {bytes} bytes, over the limit of {max}")]
    TooLong {
        /// Which.
        member: &'static str,
        /// Its size, as written.
        bytes: usize,
        /// [`crate::Limits::text_bytes_max`].
        max: usize,
    },
    /// A list outside the bodies is too long.
    #[error("{member} with more than {max} entries")]
    TooMany {
        /// Which.
        member: &'static str,
        /// [`crate::Limits::entries_max`].
        max: usize,
    },
    /// A member that identifies the request has the wrong type.
    #[error("{member} is not {expected}")]
    Malformed {
        /// Which.
        member: &'static str,
        /// What it should be.
        expected: &'static str,
    },
}

impl fmt::Display for Rejected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}, ")?;
        }
        write!(f, "byte {}: {}", self.offset, self.reason)
    }
}
